"""Packets that no honest host sends: they are dropped in silence, counted, and change nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stack.internet.echo import EchoReply
from stack.link.memory import Ethernet
from stack.wire.addresses import MAC_BROADCAST, parse_ipv4
from stack.wire.checksum import pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import PORT_UNREACHABLE, echo_request, unreachable
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP, PROTO_UDP
from stack.wire.tcp import ACK, FIN, RST, SYN
from stack.wire.udp import build_datagram
from tests.requirements import rfc
from tests.sim.network import Network
from tests.sim.programs import Echo, Exchange, Server
from tests.sim.raw_station import RawStation

US, OTHER = "10.0.0.1", "10.0.0.2"


class World:
    """Our host with an echo server, an honest host, and the station."""

    def __init__(self) -> None:
        self.network = Network(13)
        self.ethernet = Ethernet()
        self.host, self.honest = self.network.machine("host"), self.network.machine("honest")
        interface = self.host.attach(self.ethernet.attach(), "10.0.0.1/24", gateway="10.0.0.66")
        self.honest.attach(self.ethernet.attach(), "10.0.0.2/24")
        self.mac = interface.mac
        self.server = Server(self.host, 7, Echo)
        self.station = RawStation(self.network, self.ethernet)
        hosts = parse_ipv4(US), parse_ipv4(OTHER)
        self.station.owns = lambda address: address not in hosts  # it answers for all other addresses
        self.station.asks(US)
        self.network.run(for_s=1.0)

    @property
    def counters(self) -> dict[str, int]:
        return self.host.host.counters

    def works(self) -> bool:
        client = Exchange(self.honest, self.honest.connect(US, 7), b"hello")
        results = self.honest.ping(US)
        self.network.run(lambda: client.done and bool(results), for_s=5.0)
        return client.received == b"hello" and isinstance(results[0], EchoReply)


@pytest.fixture
def world() -> World:
    return World()


def syn_from(source: str) -> Callable[[World], None]:
    def say(world: World) -> None:
        world.station.says_tcp(US, (5000, 7), SYN, source=parse_ipv4(source))

    return say


def syn_to(destination: str, *, broadcast_frame: bool = False) -> Callable[[World], None]:
    def say(world: World) -> None:
        mac = MAC_BROADCAST if broadcast_frame else world.mac
        world.station.says_tcp(destination, (5000, 7), SYN, mac=mac)

    return say


def land(world: World) -> None:
    """CERT advisory CA-97.28: both ends are our own."""
    world.station.says_tcp(US, (7, 7), SYN, source=parse_ipv4(US))


def datagram(source: str, destination: str, *, broadcast_frame: bool = False) -> Callable[[World], None]:
    """To a port without a socket: an answer would be an ICMP error."""

    def say(world: World) -> None:
        origin = parse_ipv4(source)
        payload = build_datagram(5000, 99, b"x", pseudo_sum(origin, parse_ipv4(destination), PROTO_UDP, 9))
        mac = MAC_BROADCAST if broadcast_frame else world.mac
        world.station.says_ip(PROTO_UDP, payload, destination, source=origin, mac=mac)

    return say


def ping(source: str, destination: str, *, broadcast_frame: bool = False) -> Callable[[World], None]:
    def say(world: World) -> None:
        mac = MAC_BROADCAST if broadcast_frame else world.mac
        message = echo_request(1, 1, b"x").build()
        world.station.says_ip(PROTO_ICMP, message, destination, source=parse_ipv4(source), mac=mac)

    return say


def error_about_an_error(world: World) -> None:
    quoted = unreachable(PORT_UNREACHABLE, bytes(28)).build()
    header = Ipv4Header(parse_ipv4(US), world.station.address, PROTO_ICMP, 20 + len(quoted)).build()
    world.station.says_ip(PROTO_ICMP, unreachable(PORT_UNREACHABLE, header + quoted[:8]).build(), US)


def later_fragment(world: World) -> None:
    """A fragment of a protocol we do not have; only the first may be complained of, and this is none."""
    header = Ipv4Header(world.station.address, parse_ipv4(US), 250, 28, 7, fragment_offset=800)
    world.station.says(ethernet_ii(world.mac or b"", world.station.mac, ETHERTYPE_IPV4) + header.build() + bytes(8))


def resets(flags: int) -> Callable[[World], None]:
    """A reset is never answered, whatever else it says."""

    def say(world: World) -> None:
        world.station.says_tcp(US, (5000, 4242), RST | flags, seq=1, ack=1)
        world.station.says_tcp(US, (5000, 7), RST | flags, seq=1, ack=1)

    return say


@rfc("9293 MUST-57", "9293 MUST-63")
@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (land, "ipv4_own_source"),
        (syn_from("127.0.0.1"), "ipv4_martian_source"),
        (syn_from("0.0.0.0"), "ipv4_martian_source"),
        (syn_from("0.1.2.3"), "ipv4_martian_source"),
        (syn_from("224.0.0.1"), "ipv4_martian_source"),
        (syn_from("240.1.2.3"), "ipv4_martian_source"),
        (syn_from("255.255.255.255"), "ipv4_martian_source"),
        (syn_from("10.0.0.255"), "ipv4_martian_source"),
        (syn_from("10.0.0.0"), "ipv4_martian_source"),
        (syn_to("127.0.0.1"), "ipv4_martian_destination"),
        (syn_to("240.1.2.3"), "ipv4_martian_destination"),
        (syn_to("10.0.0.3"), "ipv4_not_for_us"),
        (syn_to("192.0.2.1"), "ipv4_not_for_us"),
        (syn_to("10.0.0.255", broadcast_frame=True), "tcp_not_unicast"),
        (syn_to("10.0.0.255"), "tcp_not_unicast"),
        (syn_to("255.255.255.255", broadcast_frame=True), "tcp_not_unicast"),
        (syn_to("224.0.0.1", broadcast_frame=True), "tcp_not_unicast"),
        (syn_to("224.0.0.9", broadcast_frame=True), "ipv4_not_our_group"),
        (syn_to(US, broadcast_frame=True), "ipv4_link_broadcast_only"),
        (datagram("10.0.0.66", "10.0.0.255", broadcast_frame=True), "udp_no_port"),
        (datagram("10.0.0.66", "255.255.255.255", broadcast_frame=True), "udp_no_port"),
        (datagram("10.0.0.66", "224.0.0.1", broadcast_frame=True), "udp_no_port"),
        (datagram("0.0.0.0", "255.255.255.255", broadcast_frame=True), "udp_no_port"),
        (datagram("127.0.0.1", US), "ipv4_martian_source"),
        (datagram(US, US), "ipv4_own_source"),
        (ping("10.0.0.66", "10.0.0.255", broadcast_frame=True), "icmp_broadcast_echo"),
        (ping("10.0.0.66", "255.255.255.255", broadcast_frame=True), "icmp_broadcast_echo"),
        (ping("10.0.0.66", "224.0.0.1", broadcast_frame=True), "icmp_broadcast_echo"),
        (ping("10.0.0.255", US), "ipv4_martian_source"),
        (ping(US, "10.0.0.255", broadcast_frame=True), "ipv4_own_source"),
        (error_about_an_error, "icmp_error_unmatched"),
        (later_fragment, None),
        (resets(0), "tcp_no_connection"),
        (resets(SYN), "tcp_no_connection"),
        (resets(ACK | FIN), "tcp_no_connection"),
    ],
)
def test_it_is_dropped_in_silence(world: World, say: Callable[[World], None], reason: str | None) -> None:
    before = world.host.host.tables()
    drops = world.host.host.counters.drops()
    say(world)
    world.network.run(for_s=1.0)
    assert world.station.frames == []
    dropped = {
        name: count - drops.get(name, 0)
        for name, count in world.host.host.counters.drops().items()
        if count != drops.get(name, 0)
    }
    assert list(dropped) == ([reason] if reason is not None else [])
    after = world.host.host.tables()
    for name in ("fragmented_datagrams", "fragment_sources", "fragment_bytes"):  # a fragment waits for the others
        after[name] = before[name]
    assert after == before
    assert world.works()


def test_the_same_from_an_honest_host_is_answered(world: World) -> None:
    """So it was not the station's way of speaking that kept it quiet."""
    for say in (syn_from("10.0.0.66"), datagram("10.0.0.66", US), ping("10.0.0.66", US)):
        say(world)
        world.network.run(for_s=0.1)
        assert len(world.station.packets()) == 1
    world.station.says_tcp(US, (5000, 4242), SYN)
    world.network.run(for_s=0.1)
    [refused] = world.station.segments()
    assert refused.tcp.flags == RST | ACK


def test_errors_are_rationed(world: World) -> None:
    """1,000 datagrams to a closed port: a burst of errors, then a fixed rate; another peer has a limit of its own."""
    for _ in range(500):
        datagram("10.0.0.66", US)(world)
        datagram("10.0.0.67", US)(world)
        world.network.run(for_s=0.001)
    heard = world.station.packets()
    limits = world.host.host.config.icmp
    for address in ("10.0.0.66", "10.0.0.67"):
        to_it = [header for header, _ in heard if header.destination == parse_ipv4(address)]
        assert limits.error_burst_per_peer <= len(to_it) <= limits.error_burst_per_peer + limits.error_rate_per_peer
    assert world.counters["icmp_error_rate_limited"] == 1000 - len(heard)
    endpoint = world.honest.udp()
    endpoint.connect((parse_ipv4(US), 99), world.network.now)
    endpoint.send(b"x", world.network.now)
    world.network.run(lambda: endpoint.error != 0, for_s=0.1)
