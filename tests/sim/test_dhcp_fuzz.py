"""Mutated messages to a host that gets its address by DHCP: nothing raises or hangs, and client and
host agree.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.wire import dhcp
from stack.wire.addresses import MAC_BROADCAST, is_link_local
from stack.wire.arp import ArpPacket
from stack.wire.dhcp import DhcpMessage
from stack.wire.numbers import ETHERTYPE_ARP
from tests.dhcp.server import with_options
from tests.sim.lan import SERVER_MAC, Lan

octets = st.binary(min_size=0, max_size=40)
codes = st.sampled_from([1, 3, 6, 12, 15, 26, 28, 33, 42, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 119, 121, 200])
addresses = st.one_of(st.binary(min_size=4, max_size=4), st.sampled_from([b"\x0a\x09\x00\x32", b"\x0a\x09\x00\x01"]))
steps = st.one_of(
    st.tuples(st.just("honest")),
    st.tuples(st.just("honest")),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 3.0, 8.0, 60.0, 299.0, 601.0])),
    st.tuples(st.just("options"), st.dictionaries(codes, st.one_of(st.none(), octets), min_size=1, max_size=4)),
    st.tuples(st.just("byte"), st.integers(0, 350), st.integers(0, 255)),
    st.tuples(st.just("cut"), st.integers(0, 350)),
    st.tuples(st.just("tail"), st.binary(max_size=200)),
    st.tuples(st.just("address"), addresses),
    st.tuples(st.just("kind"), st.integers(0, 18)),
    st.tuples(st.just("raw"), st.binary(max_size=300), addresses),
    st.tuples(st.just("arp"), st.integers(0, 9), addresses, addresses),
)


def bent(payload: bytes, step: tuple[object, ...]) -> bytes:
    """An honest answer, changed as the step says."""
    match step:
        case ("options", dict(changes)):
            return with_options(DhcpMessage.parse(payload), changes).build()
        case ("kind", int(kind)):
            return with_options(DhcpMessage.parse(payload), {dhcp.MESSAGE_TYPE: bytes((kind,))}).build()
        case ("byte", int(offset), int(value)):
            changed = bytearray(payload)
            changed[offset % len(changed)] = value
            return bytes(changed)
        case ("cut", int(length)):
            return payload[:length]
        case ("tail", bytes(tail)):
            return payload.rstrip(b"\0").removesuffix(b"\xff") + tail
        case ("address", bytes(address)):
            return payload[:16] + address + payload[20:]
    return payload


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(steps, max_size=40), st.sampled_from(["strict", "optimistic", "off"]), st.booleans())
def test_no_message_brings_a_host_out_of_step(script: list[tuple[object, ...]], acd: str, bound: bool) -> None:
    lan = Lan(acd)
    if bound:
        lan.bind()
    for step in script:
        match step:
            case ("wait", float(seconds)):
                lan.wait(seconds)
            case ("raw", bytes(payload), bytes(destination)):
                lan.says(payload, destination)
            case ("arp", int(operation), bytes(sender), bytes(target)):
                packet = ArpPacket(operation, SERVER_MAC, sender, bytes(6), target)
                lan.frame(MAC_BROADCAST, ETHERTYPE_ARP, packet.build())
            case _:
                for payload in lan.answers():
                    lan.says(bent(payload, step))
        lan.check()
    lan.host.shutdown(lan.now)
    assert lan.interface.addresses == []


def test_the_honest_way_leads_to_an_address() -> None:
    """So that what is bent above has something to bend."""
    lan = Lan()
    lan.bind()
    lan.check()
    assert lan.dhcp.client.lease is not None
    lan.wait(lan.dhcp.client.lease.t1_s + 1)
    assert lan.dhcp.client.lease is not None
    for payload in lan.answers():
        lan.says(payload, lan.dhcp.client.lease.address)
    assert lan.dhcp.client.lease.requested_at > 290
    lan.wait(10_000)
    assert lan.dhcp.client.lease is None
    assert [is_link_local(prefix.address) for prefix in lan.interface.addresses] == [True]
    lan.check()
