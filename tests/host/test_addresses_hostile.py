"""Hostile ARP packets: the host goes on, and its addresses change by the rules of RFC 5227 alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.link.memory import Ethernet
from stack.wire.addresses import ANY, BROADCAST, MAC_BROADCAST, MAC_ZERO, Prefix, parse_ipv4
from stack.wire.arp import ArpPacket
from stack.wire.ethernet import ethernet_ii
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_RARP
from tests.sim.network import Network

HAD, HURRIED, WANTED = (parse_ipv4(text) for text in ("10.0.0.1", "10.0.0.2", "10.0.0.3"))
OUR_MAC = bytes.fromhex("02000000aa02")
STATIONS = [bytes.fromhex("02000000cc03"), bytes.fromhex("02000000dd04")]

OPERATIONS = st.sampled_from([1, 1, 1, 2, 2, 0, 3, 8, 9, 65535])
MACS = st.sampled_from([*STATIONS, *STATIONS, OUR_MAC, MAC_BROADCAST, MAC_ZERO])
ADDRESSES = st.sampled_from([HAD, HURRIED, WANTED, ANY, BROADCAST, parse_ipv4("10.0.0.9"), parse_ipv4("192.0.2.1")])
PACKETS = st.builds(ArpPacket, OPERATIONS, MACS, ADDRESSES, MACS, ADDRESSES)
CUT = st.integers(0, 60)
FRAMES = st.tuples(
    PACKETS, CUT, st.sampled_from([ETHERTYPE_ARP, ETHERTYPE_ARP, ETHERTYPE_ARP, ETHERTYPE_RARP]), st.booleans()
)
STEPS = st.lists(st.tuples(FRAMES, st.sampled_from([0.0, 0.1, 0.5, 1.0, 5.0, 11.0])), max_size=30)


def claims(packet: ArpPacket, address: bytes) -> bool:
    """Whether another station says that it has `address`."""
    return packet.sender_ip == address and packet.sender_mac in STATIONS


def wants(packet: ArpPacket, address: bytes) -> bool:
    """Whether another station probes for `address`."""
    return (packet.operation, packet.sender_ip, packet.target_ip) == (1, ANY, address) and packet.sender_mac in STATIONS


@settings(max_examples=200, deadline=None, derandomize=True)
@given(STEPS)
def test_addresses_go_by_the_rules_alone(steps: list[tuple[tuple[ArpPacket, int, int, bool], float]]) -> None:
    network = Network(3)
    ethernet = Ethernet()
    machine = network.machine("host")  # which raises whatever goes wrong
    link = ethernet.attach(mac=OUR_MAC)
    interface = machine.attach(link, "10.0.0.1/24", acd="strict")
    network.run(for_s=30.0)
    host = machine.host
    verdicts: list[bool] = []
    host.add_address(interface, Prefix(HURRIED, 24), network.now, acd="optimistic")
    host.add_address(
        interface, Prefix(WANTED, 24), network.now, acd="strict", ready=lambda ok, now: verdicts.append(ok)
    )
    machine.settle()
    last_claim: float | None = None
    for (packet, length, ethertype, broadcast), later_s in steps:
        before = [prefix.address for prefix in interface.addresses]
        undecided = not verdicts
        data = (packet.build() + bytes(32))[: max(length, 28) if length % 3 else length]
        target = MAC_BROADCAST if broadcast else OUR_MAC
        frame = ethernet_ii(target, packet.sender_mac, ethertype) + data
        host.frame(interface, network.now, memoryview(bytearray(frame)))
        machine.settle()
        heard = ethertype == ETHERTYPE_ARP and len(data) >= 28
        after = [prefix.address for prefix in interface.addresses]
        if HAD in before:
            contested = heard and claims(packet, HAD)
            second = last_claim is not None and network.now - last_claim <= 10.0
            assert (HAD not in after) == (contested and second)
            if contested:
                last_claim = network.now
        if HURRIED in before and HURRIED not in after:
            assert heard
            assert claims(packet, HURRIED)
        if undecided and verdicts:
            assert verdicts == [False]
            assert heard
            assert claims(packet, WANTED) or wants(packet, WANTED)
        assert set(after) <= set(before)
        network.run(for_s=later_s)
    network.run(for_s=200.0)
    assert len(verdicts) == 1
    assert len(host.neighbors()) <= 1
    assert host.tables()["tentative_addresses"] == 0
    assert host.deadline > network.now
