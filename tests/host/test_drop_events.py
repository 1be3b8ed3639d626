"""The event "drop": an observer is told of every drop, with its reason and the frame that it belongs
to.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from stack.config import Config, TcpConfig, UdpConfig
from stack.counters import DROPS, MIB, Counters
from stack.link.memory import Ethernet
from stack.trace.drops import NOT_THE_FRAME
from stack.trace.event import Event
from stack.wire import icmp
from stack.wire.addresses import MAC_BROADCAST, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import EthernetHeader, VlanTag, ethernet_ii
from stack.wire.icmp import IcmpMessage, echo_reply, echo_request, unreachable
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE
from stack.wire.numbers import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_RARP,
    ETHERTYPE_VLAN,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
)
from stack.wire.tcp import ACK, FIN, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options
from stack.wire.udp import build_datagram
from tests.sim.lan import Lan
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

US, THEM, ABSENT = "10.0.0.1", "10.0.0.66", "10.0.0.77"
OUR_ADDRESS, THEIR_ADDRESS = parse_ipv4(US), parse_ipv4(THEM)
PORTS = (5000, 7)
STAMPS = build_options(TcpOptions(timestamps=(1000, 0)))


class Drop(NamedTuple):
    """What the event says, and the frame that it means: the last one that came in before it."""

    reason: str
    meaning: str
    subject: str
    number: int
    frame: bytes


class Observer:
    """Keeps the drops, the frames that have come in, and what became of each frame."""

    def __init__(self) -> None:
        self.arrived: dict[int, bytes] = {0: b""}
        self.drops: list[Drop] = []
        self.done: dict[int, tuple[object, object]] = {}
        self.last: object = ""

    def __call__(self, event: Event) -> None:
        octets = event.data.get("octets")
        if isinstance(octets, bytes):
            self.last = event.data["dir"]
            if self.last == "in":
                self.arrived[event.n] = octets
        elif event.name == "host:done":
            self.done[event.frame] = event.data["verdict"], event.data.get("reason")
        elif event.name == "host:drop":
            number = event.frame
            assert self.last == "in" or not number, "an answer was told before the drop"
            reason, meaning = str(event.data["reason"]), str(event.data["meaning"])
            self.drops.append(Drop(reason, meaning, event.group, number, self.arrived[number]))


class World:
    """A host with an observer, and the station."""

    def __init__(self, config: Config) -> None:
        self.observer = Observer()
        self.network = Network(3)
        ethernet = Ethernet()
        self.machine = self.network.machine("host", config, trace=self.observer)
        self.host = self.machine.host
        self.interface = self.machine.attach(ethernet.attach("wire"), f"{US}/24")
        self.mac = self.interface.mac or b""
        self.station = RawStation(self.network, ethernet)
        self.station.asks(US)
        self.run()

    def run(self, for_s: float = 0.001) -> None:
        """As long as a frame needs, but no timer."""
        self.network.run(for_s=for_s)

    def says(self, ethertype: int, payload: bytes, *, mac: bytes | None = None) -> None:
        self.station.says(ethernet_ii(mac or self.mac, self.station.mac, ethertype) + payload)

    def says_packet(self, payload: bytes, protocol: int = 253, **fields: object) -> None:
        """An IP packet whose header has these fields."""
        header = Ipv4Header(THEIR_ADDRESS, OUR_ADDRESS, protocol, 20 + len(payload))
        header = header._replace(**fields)  # type: ignore[arg-type]
        header = header._replace(total_length=header.header_length + len(payload))
        self.says(ETHERTYPE_IPV4, header.build() + payload)

    def says_icmp(self, message: IcmpMessage, destination: str = US) -> None:
        self.station.says_ip(PROTO_ICMP, message.build(), destination, mac=self.mac)

    def says_udp(self, port: int, data: bytes = b"data") -> None:
        pseudo = pseudo_sum(THEIR_ADDRESS, OUR_ADDRESS, PROTO_UDP, 8 + len(data))
        self.station.says_ip(PROTO_UDP, build_datagram(4000, port, data, pseudo), US)

    def says_tcp(self, flags: int, seq: int, ack: int = 0, data: bytes = b"", options: bytes = b"") -> None:
        self.station.says_tcp(US, PORTS, flags, seq=seq, ack=ack, data=data, options=options)

    def established(self, options: bytes = b"") -> tuple[int, int]:
        """A connection from the station; returns its next sequence number, and ours."""
        self.machine.listen(7)
        self.says_tcp(SYN, 100, options=options)
        self.run()
        [heard] = self.station.segments()
        stamps = b"" if not options else build_options(TcpOptions(timestamps=(1001, 0)))
        self.says_tcp(ACK, 101, heard.next, options=stamps)
        self.run()
        return 101, heard.next

    def syn_sent(self) -> int:
        """A connection to the station, which has not answered; returns the number that acknowledges its SYN."""
        self.host.connect((OUR_ADDRESS, PORTS[1]), (THEIR_ADDRESS, PORTS[0]), self.network.now)
        self.machine.settle()
        self.run()
        [heard] = self.station.segments()
        return heard.next


Say = Callable[[World], None]


def frame(*parts: bytes) -> Say:
    """A frame just as it is; an Ethernet in memory would pad it to 60 octets."""

    def say(world: World) -> None:
        world.host.frame(world.interface, world.network.now, memoryview(b"".join(parts)))
        world.machine.settle()

    return say


def short(ethertype: int, payload: bytes) -> Say:
    return frame(ethernet_ii(MAC_BROADCAST, b"\2\0\0\0\0\x66", ethertype), payload)


def to_us(ethertype: int, payload: bytes) -> Say:
    return lambda world: world.says(ethertype, payload)


def from_us(world: World) -> None:
    world.station.says(ethernet_ii(MAC_BROADCAST, world.mac, ETHERTYPE_IPV4) + bytes(46))


def vlan(*tags: int) -> Say:
    def say(world: World) -> None:
        header = EthernetHeader(
            world.mac, world.station.mac, ETHERTYPE_IPV4, tags=tuple(VlanTag(ETHERTYPE_VLAN, tag) for tag in tags)
        )
        world.station.says(header.build() + bytes(46))

    return say


def arp(operation: int, sender: str, target: str, **fields: bytes) -> Say:
    def say(world: World) -> None:
        mac = fields.get("mac", world.station.mac)
        packet = ArpPacket(operation, mac, parse_ipv4(sender), world.mac, parse_ipv4(target))
        world.says(ETHERTYPE_ARP, packet.build())

    return say


def changed_arp(at: int, value: int) -> Say:
    def say(world: World) -> None:
        packet = bytearray(ArpPacket(REQUEST, world.station.mac, THEIR_ADDRESS, bytes(6), OUR_ADDRESS).build())
        packet[at] = value
        world.says(ETHERTYPE_ARP, bytes(packet))

    return say


def arp_from_ourselves(world: World) -> None:
    packet = ArpPacket(REQUEST, world.mac, OUR_ADDRESS, bytes(6), THEIR_ADDRESS)
    world.says(ETHERTYPE_ARP, packet.build())


def arp_fixed(world: World) -> None:
    assert world.interface.neighbors is not None
    world.interface.neighbors.set_permanent(THEIR_ADDRESS, b"\2\0\0\0\0\7", world.network.now)
    world.station.says_arp(REQUEST, THEIR_ADDRESS, OUR_ADDRESS)


def packet(payload: bytes = bytes(8), protocol: int = 253, **fields: object) -> Say:
    return lambda world: world.says_packet(payload, protocol, **fields)


def changed_packet(at: int, value: int) -> Say:
    """A wrong octet, with a right header checksum, unless the octet is in the checksum."""

    def say(world: World) -> None:
        raw = bytearray(Ipv4Header(THEIR_ADDRESS, OUR_ADDRESS, 253, 28).build() + bytes(8))
        raw[at] = value
        if at not in (10, 11):
            raw[10:12] = bytes(2)
            raw[10:12] = internet_checksum(raw[:20]).to_bytes(2, "big")
        world.says(ETHERTYPE_IPV4, bytes(raw))

    return say


def pieces(*parts: tuple[int, bytes, bool, int]) -> Say:
    """Fragments of a datagram: offset, octets, more fragments, ECN field."""

    def say(world: World) -> None:
        for offset, octets, more, ecn in parts:
            world.says_packet(octets, fragment_offset=offset, more_fragments=more, tos=ecn, identification=7)
            world.run()

    return say


def message(kind: IcmpMessage, destination: str = US) -> Say:
    return lambda world: world.says_icmp(kind, destination)


def bad_icmp_checksum(world: World) -> None:
    world.station.says_ip(PROTO_ICMP, echo_request(1, 1, b"x").build()[:-1] + b"y", US)


def quote(protocol: int = PROTO_UDP, source: bytes = OUR_ADDRESS, ports: bytes = b"\0\1\0\2") -> bytes:
    return Ipv4Header(source, THEIR_ADDRESS, protocol, 28).build() + ports + bytes(4)


def too_many_errors(world: World) -> None:
    """The host rations its ICMP errors: the last of these datagrams gets none."""
    while not world.host.counters["icmp_error_rate_limited"]:
        world.says_packet(bytes(8), 252)
        world.run()


def datagram(payload: bytes) -> Say:
    return lambda world: world.station.says_ip(PROTO_UDP, payload, US)


def udp_to(port: int) -> Say:
    return lambda world: world.says_udp(port)


def udp_queue_full(world: World) -> None:
    world.machine.udp(9)
    while not world.host.counters["udp_queue_full"]:
        world.says_udp(9, bytes(1400))
        world.run()


def segment(flags: int, *, seq: int = 0, ack: int = 0, data: bytes = b"", stamps: bytes = b"") -> Say:
    """A segment of an established connection; the numbers are distances from the expected ones."""

    def say(world: World) -> None:
        expected, ours = world.established(stamps)
        world.says_tcp(flags, (expected + seq) & 0xFFFF_FFFF, ours + ack, data, stamps)

    return say


def without_timestamp(world: World) -> None:
    seq, ack = world.established(STAMPS)
    world.says_tcp(ACK, seq, ack, b"x")


def bad_tcp_checksum(world: World) -> None:
    seq, ack = world.established()
    world.says_tcp(ACK, seq, ack, b"x")
    world.run()
    wrong = bytearray(world.observer.arrived[max(world.observer.arrived)])
    wrong[40] ^= 1
    world.station.says(bytes(wrong))


def stub(connected: bool, octets: bytes) -> Say:
    """The first octets of a segment, with a right checksum; of a connection, or of none."""

    def say(world: World) -> None:
        if connected:
            world.established()
        raw = bytearray(PORTS[0].to_bytes(2, "big") + PORTS[1].to_bytes(2, "big") + octets)
        pseudo = pseudo_sum(THEIR_ADDRESS, OUR_ADDRESS, PROTO_TCP, len(raw))
        raw[16:18] = internet_checksum(raw, pseudo).to_bytes(2, "big")
        world.station.says_ip(PROTO_TCP, bytes(raw), US)

    return say


def beyond_fin(world: World) -> None:
    seq, ack = world.established()
    world.says_tcp(ACK | FIN, seq + 10, ack)
    world.run()
    world.says_tcp(ACK, seq + 5, ack, bytes(10))


def after_close(world: World) -> None:
    seq, ack = world.established()
    connection = next(iter(world.host.tcp.connections.values()))
    connection.close(world.network.now)
    world.machine.settle()
    world.run()
    world.says_tcp(ACK, seq, ack + 1, b"late")


def opening(flags: int, ack: int = 0) -> Say:
    """An answer to a SYN of ours."""

    def say(world: World) -> None:
        expected = world.syn_sent()
        world.says_tcp(flags, 300, expected + ack)

    return say


def half_open(world: World) -> None:
    world.machine.listen(7)
    world.says_tcp(SYN, 100)
    world.run()
    [heard] = world.station.segments()
    world.says_tcp(ACK, 101, heard.next + 1)


def error_about_a_segment(world: World) -> None:
    _, ours = world.established()
    quoted = bytes((0, 7, 0x13, 0x88)) + (ours + 9).to_bytes(4, "big")
    world.says_icmp(unreachable(1, Ipv4Header(OUR_ADDRESS, THEIR_ADDRESS, PROTO_TCP, 40).build() + quoted))


def bug(world: World) -> None:
    def raises(received: object) -> None:
        raise KeyError("a bug")

    world.host.barrier.raise_errors = False
    world.host.ip.handlers[253] = raises
    world.says_packet(bytes(8))


UNCHECKED = build_datagram(4000, 9, b"", 0)[:6] + b"\0\0"
ERROR = unreachable(icmp.PORT_UNREACHABLE, quote())

TABLE: list[tuple[str, Say]] = [
    ("ethernet_own_source", from_us),
    ("ethernet_unknown_type", to_us(0x9999, bytes(46))),
    ("ethernet_truncated", frame(bytes(13))),
    ("ethernet_too_many_tags", vlan(0, 0, 0)),
    ("ethernet_other_vlan", vlan(5)),
    ("ethernet_bad_length", to_us(1501, bytes(46))),
    ("ethernet_not_for_us", frame(ethernet_ii(b"\2\0\0\0\0\x55", b"\2\0\0\0\0\x66", ETHERTYPE_IPV4), bytes(46))),
    ("arp_truncated", short(ETHERTYPE_ARP, bytes(27))),
    ("arp_bad_hardware", changed_arp(1, 9)),
    ("arp_bad_protocol", changed_arp(3, 9)),
    ("arp_bad_sender", arp(REQUEST, THEM, US, mac=MAC_BROADCAST)),
    ("arp_from_ourselves", arp_from_ourselves),
    ("arp_conflict", arp(REQUEST, US, THEM)),
    ("arp_not_for_us", arp(REQUEST, ABSENT, "10.0.0.9")),
    ("arp_bad_operation", arp(77, ABSENT, US)),
    ("arp_unsolicited", arp(REPLY, ABSENT, US)),
    ("arp_fixed", arp_fixed),
    ("rarp_not_answered", to_us(ETHERTYPE_RARP, ArpPacket(9, bytes(6), bytes(4), bytes(6), bytes(4)).build())),
    ("ipv4_truncated", short(ETHERTYPE_IPV4, bytes(19))),
    ("ipv4_bad_version", changed_packet(0, 0x65)),
    ("ipv4_bad_header_length", changed_packet(0, 0x44)),
    ("ipv4_bad_total_length", changed_packet(3, 19)),
    ("ipv4_bad_checksum", changed_packet(10, 0)),
    ("ipv4_bad_option", packet(options=bytes((LOOSE_SOURCE_ROUTE, 2, 0, 0)))),
    ("ipv4_martian_source", packet(source=parse_ipv4("127.0.0.1"))),
    ("ipv4_own_source", packet(source=OUR_ADDRESS)),
    ("ipv4_martian_destination", packet(destination=parse_ipv4("240.0.0.1"))),
    ("ipv4_not_for_us", packet(destination=parse_ipv4(ABSENT))),
    ("ipv4_not_our_group", packet(destination=parse_ipv4("224.0.0.9"))),
    ("ipv4_unknown_protocol", packet()),
    ("ipv4_fragment_empty", packet(b"", fragment_offset=8)),
    ("ipv4_fragment_unaligned", packet(bytes(9), more_fragments=True)),
    ("ipv4_fragment_too_long", packet(bytes(80), fragment_offset=65_480)),
    ("ipv4_fragment_tiny", packet(bytes(8), PROTO_TCP, more_fragments=True)),
    ("ipv4_fragment_duplicate", pieces((0, bytes(8), True, 0), (0, bytes(8), True, 0))),
    ("ipv4_fragment_overlap", pieces((0, bytes(8), True, 0), (0, b"\1" * 8, True, 0))),
    ("ipv4_fragment_ecn", pieces((0, bytes(8), True, 0), (8, bytes(8), False, 3))),
    ("ipv4_fragment_of_refused", pieces(*((0, bytes((n,)) * 8, True, 0) for n in range(3)))),
    ("icmp_truncated", lambda world: world.station.says_ip(PROTO_ICMP, bytes(7), US)),
    ("icmp_bad_checksum", bad_icmp_checksum),
    ("icmp_bad_quote", message(unreachable(3, b""))),
    ("icmp_unknown_type", message(IcmpMessage(99, 0))),
    ("icmp_unknown_code", message(unreachable(99, quote()))),
    ("icmp_broadcast_echo", message(echo_request(1, 1), "10.0.0.255")),
    ("icmp_timestamp", message(IcmpMessage(icmp.TIMESTAMP_REQUEST, 0, body=bytes(12)))),
    ("icmp_echo_unexpected", message(echo_reply(1, 1))),
    ("icmp_source_quench", message(icmp.source_quench(quote()))),
    ("icmp_bad_redirect", message(icmp.redirect(1, parse_ipv4(ABSENT), quote()))),
    ("icmp_error_broadcast", message(ERROR, "10.0.0.255")),
    ("icmp_not_our_datagram", message(unreachable(3, quote(source=parse_ipv4(ABSENT))))),
    ("icmp_error_unmatched", message(ERROR)),
    ("icmp_error_rate_limited", too_many_errors),
    ("udp_truncated", datagram(bytes(7))),
    ("udp_bad_length", datagram(bytes((0, 1, 0, 9, 0, 7, 0, 0)))),
    ("udp_bad_checksum", datagram(bytes((0, 1, 0, 9, 0, 8, 0, 1)))),
    ("udp_no_checksum", datagram(UNCHECKED)),
    ("udp_port_zero", udp_to(0)),
    ("udp_no_port", udp_to(99)),
    ("udp_queue_full", udp_queue_full),
    ("tcp_bad_options", lambda world: world.says_tcp(SYN, 100, options=b"\2\1\0\0")),
    ("tcp_truncated", stub(False, bytes(15))),
    ("tcp_truncated", stub(True, bytes(15))),
    ("tcp_bad_data_offset", stub(False, bytes(8) + b"\x40\x10" + bytes(6))),
    ("tcp_bad_data_offset", stub(True, bytes(8) + b"\x40\x10" + bytes(6))),
    ("tcp_bad_checksum", bad_tcp_checksum),
    ("tcp_bad_checksum", lambda world: world.station.says_ip(PROTO_TCP, bytes(20), US)),
    ("tcp_not_unicast", lambda world: world.station.says_tcp("10.0.0.255", PORTS, SYN, mac=world.mac)),
    ("tcp_no_connection", lambda world: world.says_tcp(SYN, 1)),
    ("tcp_syn_sent_bad_ack", opening(SYN | ACK, 1)),
    ("tcp_syn_sent_bad_reset", opening(RST)),
    ("tcp_syn_sent_no_syn", opening(ACK)),
    ("tcp_syn_received_bad_ack", half_open),
    ("tcp_unacceptable", segment(ACK, seq=-10, data=b"old")),
    ("tcp_no_timestamp", without_timestamp),
    ("tcp_paws", segment(ACK, data=b"x", stamps=STAMPS)),
    ("tcp_beyond_fin", beyond_fin),
    ("tcp_reset_not_exact", segment(RST, seq=1)),
    ("tcp_unexpected_syn", segment(SYN)),
    ("tcp_no_ack", segment(0, data=b"x")),
    ("tcp_bad_ack", segment(ACK, ack=1000, data=b"x")),
    ("tcp_data_after_close", after_close),
    ("tcp_icmp_not_in_flight", error_about_a_segment),
    ("handler_failed", bug),
]
CONFIGS = {
    "udp_no_checksum": Config(udp=UdpConfig(require_checksum=True)),
    "tcp_no_timestamp": Config(tcp=TcpConfig(strict_timestamps=True)),
}


@pytest.mark.parametrize(("reason", "say"), TABLE, ids=[reason for reason, _ in TABLE])
def test_a_drop_is_told_once_under_its_frame(reason: str, say: Say) -> None:
    world = World(CONFIGS.get(reason, Config()))
    before = dict(world.host.counters)
    say(world)
    world.run()
    assert world.host.counters[reason] == before[reason] + 1
    [drop] = [drop for drop in world.observer.drops if drop.reason == reason]
    assert drop.meaning == DROPS[reason]
    assert (drop.subject, drop.number) == ("wire", max(world.observer.arrived))
    assert drop.frame == world.observer.arrived[drop.number]
    of_the_frame = [other.reason for other in world.observer.drops if other.number == drop.number]
    assert world.observer.done[drop.number] == (
        "dropped",
        next(name for name in of_the_frame if name not in NOT_THE_FRAME),
    )
    told = [drop.reason for drop in world.observer.drops]
    assert {name: told.count(name) for name in told} == {
        name: count - before[name] for name, count in world.host.counters.drops().items() if count != before[name]
    }


def test_a_claim_that_is_refuted_is_no_drop_of_the_answer() -> None:
    """Another station claims the neighbour's address; the neighbour is asked, and answers."""
    world = World(Config())
    arp(REQUEST, THEM, US, mac=b"\2\0\0\0\0\x55")(world)
    world.run()
    [drop] = world.observer.drops
    assert (drop.reason, drop.number) == ("arp_claim", max(world.observer.arrived))
    assert world.observer.done[drop.number] == ("taken", None)


def test_a_syn_that_is_answered_by_a_cookie_is_not_dropped() -> None:
    world = World(Config(tcp=TcpConfig(syn_backlog=1)))
    world.machine.listen(7)
    for port in (5000, 5001):
        world.station.says_tcp(US, (port, 7), SYN, seq=100)
        world.run()
    [drop] = world.observer.drops
    assert (drop.reason, drop.number) == ("tcp_syn_queue_full", max(world.observer.arrived))
    assert world.observer.done[drop.number] == ("answered", None)


def test_the_table_has_most_of_what_a_frame_can_provoke() -> None:
    assert len({reason for reason, _ in TABLE}) > 70


def test_a_drop_at_a_timer_is_of_no_frame() -> None:
    """A station that sends frames all the time does not answer ARP for another one."""
    world = World(Config())
    world.machine.ping(ABSENT)
    packet(bytes(8), more_fragments=True)(world)
    for _ in range(400):
        world.run(for_s=0.5)
        world.says_icmp(echo_request(1, 1))
    assert [(drop.reason, drop.subject, drop.number) for drop in world.observer.drops] == [
        ("arp_unresolved", "host", 0),
        ("ipv4_reassembly_timeout", "host", 0),
    ]


def test_a_drop_in_a_users_call_is_of_no_frame() -> None:
    """The queue of datagrams that wait for ARP is short."""
    world = World(Config())
    for _ in range(100):
        world.machine.ping(ABSENT)
    drops = world.observer.drops
    assert len(drops) == world.host.counters["arp_queue_full"] > 0
    assert {(drop.reason, drop.subject, drop.number) for drop in drops} == {("arp_queue_full", "host", 0)}


def test_a_frame_that_the_link_does_not_take_is_told() -> None:
    """It is counted by a MIB name only. The answer to a frame belongs to that frame."""
    world = World(Config())
    world.interface.link.write = lambda parts, now, offload=b"": False  # type: ignore[method-assign]
    world.says_icmp(echo_request(1, 1))
    world.run()
    world.machine.ping(THEM)
    assert [(drop.reason, drop.meaning, drop.number) for drop in world.observer.drops] == [
        ("ifOutDiscards", MIB["ifOutDiscards"], max(world.observer.arrived)),
        ("ifOutDiscards", MIB["ifOutDiscards"], 0),
    ]


def test_an_answer_that_cannot_be_sent_is_told() -> None:
    """A datagram from another network, to which there is no route."""
    world = World(Config())
    packet(source=parse_ipv4("192.0.2.1"))(world)
    world.run()
    assert [drop.reason for drop in world.observer.drops] == ["ipv4_unknown_protocol", "icmpOutErrors"]
    assert {drop.number for drop in world.observer.drops} == {max(world.observer.arrived)}


@pytest.mark.parametrize(
    ("reason", "payload"),
    [
        ("dhcp_truncated", bytes(20)),
        ("dhcp_bad_cookie", b"\2" + bytes(299)),
        ("dhcp_bad_hardware", b"\2\1\x20" + bytes(299)),
    ],
)
def test_a_drop_of_the_dhcp_client_is_of_its_frame(reason: str, payload: bytes) -> None:
    observer = Observer()
    lan = Lan(trace=observer)
    lan.says(payload)
    [drop] = observer.drops
    assert drop[:4] == (reason, DROPS[reason], "ours", max(observer.arrived))
    assert drop.frame[42:].startswith(payload)


def test_a_host_without_an_observer_pays_nothing() -> None:
    """No call more for a drop, and none for any other counter."""
    machine = Network(3).machine("host")
    assert type(machine.host.counters) is Counters
    assert machine.host.counters.on_drop is None
    calls = []
    sys.setprofile(lambda frame, event, argument: calls.append(event))
    machine.host.counters.drop("udp_no_port")
    machine.host.counters["ifOutDiscards"] += 1
    sys.setprofile(None)
    assert calls.count("call") == 1, "Counters.drop"
