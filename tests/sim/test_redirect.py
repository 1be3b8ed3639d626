"""Redirects of a whole host with two routers: which quotes are believed, and how a wrong one heals.

See RFC 792, RFC 1122 sections 3.2.2.2 and 3.3.1, RFC 5927 section 4.1.
"""

from __future__ import annotations

import pytest

from stack.config import Config, IcmpConfig
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.testing.frame_sender import Heard
from stack.wire import icmp
from stack.wire.addresses import Prefix, parse_ipv4
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_UDP
from stack.wire.tcp import ACK, SYN
from stack.wire.udp import build_datagram
from tests.requirements import rfc
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

HERE, FAR = "10.0.0.1", "192.0.2.7"
GATEWAY, SECOND, STATION = "10.0.0.66", "10.0.0.67", "10.0.0.68"


class World:
    """A host, its gateway, the router of another network, and a station that forges the gateway's messages."""

    def __init__(self, config: Config | None = None) -> None:
        self.network = Network(1)
        ethernet = Ethernet()
        self.here = self.network.machine("here", config)
        self.gateway, self.second, self.station = (
            RawStation(self.network, ethernet, address, bytes((2, 0, 0, 0, 0, number)))
            for number, address in enumerate((GATEWAY, SECOND, STATION), 66)
        )
        interface = self.here.attach(ethernet.attach(), "10.0.0.1/24", gateway=GATEWAY)
        self.here.host.ip.routes.add(Prefix.parse("198.51.100.0/24"), interface, parse_ipv4(SECOND))
        self.gateway.on_tcp = self._serve
        self.second.on_tcp = self._serve
        self.station.asks(HERE)

    def _serve(self, heard: Heard) -> None:
        """What is behind both routers: a server that takes whatever it gets."""
        if heard.tcp.flags & SYN:
            self.gateway.replies_to(heard, SYN | ACK)
        elif heard.data:
            self.gateway.replies_to(heard, ACK)

    def connect(self) -> Connection:
        connection = self.here.connect(FAR, 80, nodelay=True)
        self.network.run(for_s=0.01)
        assert connection.synchronized
        return connection

    def silence(self, connection: Connection, data: bytes) -> Heard:
        """From now on nothing is acknowledged; the segment with `data` that is in flight then."""
        self.gateway.on_tcp = None
        self.gateway.segments()
        connection.send(data, self.network.now)
        self.network.run(for_s=0.001)
        return self.gateway.segments()[0]

    def redirects(self, quoted: bytes, to: str = SECOND) -> None:
        """A Redirect in the gateway's name."""
        message = icmp.redirect(icmp.REDIRECT_HOST, parse_ipv4(to), quoted).build()
        self.station.says_ip(PROTO_ICMP, message, HERE, source=self.gateway.address)
        self.network.run(for_s=0.001)

    @property
    def redirected(self) -> bool:
        return len(self.here.host.ip.routes) > 0

    def where(self, connection: Connection) -> str:
        """Where the next segment goes."""
        for station in (self.gateway, self.second, self.station):
            station.segments()
        connection.send(b"?", self.network.now)
        self.network.run(for_s=0.001)
        [taker] = [
            name
            for name, station in ((GATEWAY, self.gateway), (SECOND, self.second), (STATION, self.station))
            if station.segments()
        ]
        return taker


def quote(heard: Heard, offset: int = 0) -> bytes:
    """What a router would quote of a segment whose sequence number is higher by `offset`."""
    start = heard.tcp.build()[:8]
    seq = (heard.tcp.seq + offset) & 0xFFFFFFFF
    return heard.ip.build() + start[:4] + seq.to_bytes(4, "big")


@rfc("redirect-1", "icmp-1")
@pytest.mark.parametrize(
    ("offset", "believed"), [(-1, False), (0, True), (3, True), (4, True), (5, False), (1 << 31, False)]
)
def test_a_redirect_quotes_a_segment_in_flight_or_the_last_ack(offset: int, believed: bool) -> None:
    world = World()
    connection = world.connect()
    heard = world.silence(connection, b"data")
    assert connection.flight == 4
    world.redirects(quote(heard, offset))
    assert world.redirected is believed
    assert world.where(connection) == (SECOND if believed else GATEWAY)
    assert world.here.host.counters["tcp_icmp_not_in_flight"] == (not believed)
    assert connection.soft_error == 0


@rfc("5927-4.1-a", "icmp-1")
@pytest.mark.parametrize(("offset", "believed"), [(-1, False), (0, True), (3, True), (4, False)])
def test_an_error_quotes_a_segment_in_flight_and_nothing_past_it(offset: int, believed: bool) -> None:
    """Through the whole host: the octet past the flight is not in it."""
    world = World()
    connection = world.connect()
    heard = world.silence(connection, b"data")
    message = icmp.unreachable(icmp.HOST_UNREACHABLE, quote(heard, offset)).build()
    world.gateway.says_ip(PROTO_ICMP, message, HERE)
    world.network.run(for_s=0.001)
    assert bool(connection.soft_error) is believed
    assert world.here.host.counters["icmp_error_unmatched"] == (not believed)


@rfc("redirect-1")
def test_a_redirect_about_another_connection_or_none_is_not_believed() -> None:
    world = World()
    connection = world.connect()
    heard = world.silence(connection, b"data")
    good = quote(heard)
    for at in (20, 23):  # either port
        world.redirects(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :])
    world.redirects(Ipv4Header(heard.ip.source, heard.ip.destination, 99, 1500).build() + good[20:])
    assert not world.redirected
    assert world.here.host.counters["icmp_error_unmatched"] == 3
    world.redirects(good)
    assert world.redirected


@rfc("redirect-1")
def test_a_redirect_for_the_syn_is_followed() -> None:
    world = World()
    world.gateway.on_tcp = world.second.on_tcp = None
    world.here.connect(FAR, 80)
    world.network.run(for_s=0.01)
    [syn] = world.gateway.segments()
    world.redirects(quote(syn, 1 << 30))
    assert not world.redirected
    world.redirects(quote(syn))
    world.network.run(for_s=1.1)
    assert [heard.tcp.flags for heard in world.second.segments()] == [SYN]
    assert world.gateway.segments() == []


@rfc("redirect-1")
def test_a_redirect_quotes_a_datagram_that_was_sent() -> None:
    world = World()
    endpoint = world.here.udp(53)
    remote = parse_ipv4(FAR), 4000

    def datagram(port: int, remote_port: int) -> bytes:
        header = Ipv4Header(parse_ipv4(HERE), remote[0], PROTO_UDP, 29)
        return header.build() + build_datagram(port, remote_port, b"x", 0)

    world.redirects(datagram(53, 4000))
    endpoint.send_to(b"x", remote, world.network.now)
    world.network.run(for_s=0.01)
    world.redirects(datagram(53, 4001))
    world.redirects(datagram(54, 4000))
    assert not world.redirected
    assert world.here.host.counters["icmp_error_unmatched"] == 3
    world.redirects(datagram(53, 4000))
    assert world.redirected


@rfc("redirect-2")
@pytest.mark.parametrize("secure", [True, False])
def test_a_redirect_to_a_live_station_is_followed_only_where_that_is_wanted(secure: bool) -> None:
    world = World(Config(icmp=IcmpConfig(secure_redirects=secure)))
    connection = world.connect()
    heard = world.silence(connection, b"data")
    world.redirects(quote(heard), to=STATION)
    assert world.where(connection) == (GATEWAY if secure else STATION)
    assert world.here.host.counters["icmp_redirect_unknown_router"] == secure


@rfc("redirect-3")
def test_an_old_connection_goes_back_when_the_redirect_expires() -> None:
    world = World()
    connection = world.connect()
    world.redirects(quote(world.silence(connection, b"data")))
    world.gateway.on_tcp = world._serve
    world.network.run(for_s=1.0)
    assert connection.flight == 0
    assert world.where(connection) == SECOND
    world.network.run(for_s=world.here.host.config.ip.redirect_timeout_s)
    assert world.where(connection) == GATEWAY
    assert world.here.host.tables()["redirects"] == 0


@rfc("redirect-4")
def test_a_redirect_into_a_black_hole_heals_at_r1() -> None:
    """The second router answers ARP, and forwards nothing."""
    world = World()
    connection = world.connect()
    heard = world.silence(connection, b"data")
    world.gateway.replies_to(heard, ACK)
    world.redirects(quote(heard, 4))
    world.gateway.on_tcp = world._serve
    world.second.on_tcp = None
    connection.send(bytes(10_000), world.network.now)
    world.network.run(for_s=1.0)
    assert connection.flight > 0
    assert world.redirected
    world.network.run(lambda: connection.flight == 0, for_s=10.0)
    assert not world.redirected


@rfc("redirect-4")
def test_a_redirect_to_a_router_that_is_down_heals_when_arp_gives_up() -> None:
    world = World()
    connection = world.connect()
    world.second.owns = lambda address: False
    heard = world.silence(connection, b"data")
    world.redirects(quote(heard))
    world.gateway.on_tcp = world._serve
    assert world.redirected
    world.network.run(lambda: connection.flight == 0, for_s=10.0)
    assert not world.redirected


def test_redirects_are_forgotten_when_the_network_may_be_another_one() -> None:
    world = World()
    connection = world.connect()
    world.redirects(quote(world.silence(connection, b"data")))
    assert world.redirected
    world.here.host.network_changed(connection.path.interface, world.network.now)  # type: ignore[arg-type]
    assert not world.redirected
