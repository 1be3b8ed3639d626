"""Demultiplexing: the connection or listener of a segment and of an ICMP error, and the source
address of an answer.

See RFC 9293 sections 3.9.1.1 (OPEN) and 3.9.2 (the interface to IP).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.testing.frame_sender import Heard
from stack.wire.addresses import ANY, Prefix, parse_ipv4
from stack.wire.checksum import pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import PORT_UNREACHABLE, SOURCE_QUENCH, IcmpMessage, unreachable
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, TcpHeader, build_segment
from tests.requirements import rfc
from tests.sim.network import Machine, Network
from tests.sim.raw_station import RawStation
from tests.user_options import user_options

FIRST, SECOND = "10.0.0.1", "10.0.0.3"


class World:
    """Our host, with two addresses, and a station that says what the test wants."""

    def __init__(self) -> None:
        self.network = Network(31)
        ethernet = Ethernet()
        self.machine: Machine = self.network.machine("host")
        interface = self.machine.attach(ethernet.attach(), f"{FIRST}/24")
        self.machine.host.ip.add_address(interface, Prefix.parse(f"{SECOND}/24"))
        self.station = RawStation(self.network, ethernet)
        self.station.asks(FIRST)
        self.station.asks(SECOND)

    @property
    def counters(self) -> dict[str, int]:
        return self.machine.host.counters

    def hears(self) -> list[Heard]:
        self.network.run(for_s=0.01)
        return self.station.segments()

    def open(self, local: tuple[bytes, int] | None = None, port: int = 9000, **options: Any) -> Connection:
        """An active OPEN to the station."""
        remote = (self.station.address, port)
        asked = user_options(self.machine.host.tcp.services, **options)
        connection = self.machine.host.connect(local, remote, self.network.now, asked)
        self.machine.settle()
        return connection

    def established(self, **options: Any) -> tuple[Connection, Heard]:
        """An OPEN that the station has accepted; the last segment of ours."""
        connection = self.open(**options)
        [syn] = self.hears()
        self.station.replies_to(syn, SYN | ACK)
        [ack] = self.hears()
        assert connection.state is State.ESTABLISHED
        return connection, ack

    def complain(self, heard: Heard, make: Callable[[bytes], IcmpMessage]) -> None:
        """An ICMP error about a segment of ours."""
        header = Ipv4Header(heard.ip.source, heard.ip.destination, PROTO_TCP, 40).build()
        self.station.says_ip(PROTO_ICMP, make(header + heard.tcp.build()[:8]).build(), FIRST)
        self.network.run(for_s=0.01)


@pytest.fixture
def world() -> World:
    return World()


def syn_frame(world: World, port: int) -> bytes:
    """What the station would say to open a connection with some data."""
    source, target = world.station.address, parse_ipv4(FIRST)
    bare = TcpHeader(5000, port, 1, 0, SYN, 65535)
    segment = build_segment(bare, b"x", pseudo_sum(source, target, PROTO_TCP, 21))
    header = Ipv4Header(source, target, PROTO_TCP, 20 + len(segment)).build()
    return ethernet_ii(world.station.stations[target], world.station.mac, ETHERTYPE_IPV4) + header + segment


@rfc("9293 MUST-3")
@pytest.mark.parametrize("bit", range(0, 8 * 21, 7))
def test_a_segment_with_a_wrong_checksum_does_nothing(world: World, bit: int) -> None:
    """For a connection and for a port without one: no state, no ACK, no reset."""
    world.machine.host.listen((ANY, 7), 5, world.network.now)
    before = world.machine.host.tables()
    link = world.station.port
    for port in (7, 8):
        broken = bytearray(syn_frame(world, port))
        broken[34 + bit // 8] ^= 1 << bit % 8
        assert link.write([broken], world.network.now)
    assert world.hears() == []
    assert world.machine.host.tables() == before
    assert world.counters["tcp_bad_checksum"] + world.counters["tcp_bad_data_offset"] == 2


@rfc("9293 MUST-41")
def test_a_passive_open_changes_no_connection(world: World) -> None:
    """It makes a record in LISTEN or fails; the one that is there goes on."""
    connection, last = world.established(local=(parse_ipv4(FIRST), 4000))
    before = connection.status()
    world.machine.host.listen((parse_ipv4(FIRST), 4000), 5, world.network.now)
    with pytest.raises(OSError) as caught:
        world.machine.host.listen((parse_ipv4(FIRST), 4000), 5, world.network.now)
    assert caught.value.errno == errno.EADDRINUSE
    assert connection.status() == before
    world.station.replies_to(last, ACK, data=b"still here")
    world.network.run(for_s=0.01)
    assert connection.receive(100, world.network.now) == b"still here"


@rfc("9293 MUST-42")
@pytest.mark.parametrize("crossed", [False, True])
def test_a_port_may_listen_while_it_opens_a_connection(world: World, crossed: bool) -> None:
    """In SYN-SENT, and in SYN-RECEIVED after the SYNs have crossed; both then come about."""
    connection = world.open((parse_ipv4(FIRST), 4000))
    [syn] = world.hears()
    if crossed:
        world.station.says_tcp(FIRST, (9000, 4000), SYN, seq=5000)
        [_] = world.hears()
        assert connection.state is State.SYN_RECEIVED
    listener = world.machine.host.listen((parse_ipv4(FIRST), 4000), 5, world.network.now)
    world.station.says_tcp(FIRST, (9001, 4000), SYN, seq=100)
    [answer] = world.hears()
    world.station.replies_to(answer, ACK)
    world.station.replies_to(syn, SYN | ACK)
    world.hears()
    assert listener.accept() is not None
    assert connection.state is State.ESTABLISHED


@rfc("9293 MUST-43")
def test_a_local_address_binds_passive_and_active_opens(world: World) -> None:
    listener = world.machine.host.listen((parse_ipv4(SECOND), 7), 5, world.network.now)
    world.station.says_tcp(FIRST, (5000, 7), SYN)
    [refused] = world.hears()
    assert refused.tcp.flags & SYN == 0  # a reset: there is no listener
    world.station.says_tcp(SECOND, (5000, 7), SYN)
    [taken] = world.hears()
    assert taken.tcp.flags == SYN | ACK
    assert taken.ip.source == parse_ipv4(SECOND)
    assert listener.half_open == 1
    world.open((parse_ipv4(SECOND), 0))
    [syn] = world.hears()
    assert syn.ip.source == parse_ipv4(SECOND)


@rfc("9293 MUST-44")
def test_without_a_local_address_ip_is_asked_for_one(world: World) -> None:
    connection = world.open()
    assert connection.local[0] == parse_ipv4(FIRST)  # the preferred one of the interface that leads there
    [syn] = world.hears()
    assert syn.ip.source == connection.local[0]


@rfc("9293 MUST-45")
def test_the_local_address_stays_when_the_host_would_now_choose_another(world: World) -> None:
    connection, _ = world.established()
    [interface] = world.machine.host.ip.interfaces[1:]
    to_the_station = Prefix(world.station.address, 32)
    world.machine.host.ip.routes.add(to_the_station, interface, source=parse_ipv4(SECOND))
    connection.send(b"more", world.network.now)
    [segment] = world.hears()
    assert segment.ip.source == parse_ipv4(FIRST)
    assert world.open(port=9001).local[0] == parse_ipv4(SECOND)


@rfc("9293 MUST-54")
def test_an_icmp_error_reaches_the_connection_that_it_quotes_and_no_other(world: World) -> None:
    first, second = world.open(port=9000), world.open(port=9001)
    heard = {segment.tcp.destination_port: segment for segment in world.hears()}
    world.complain(heard[9001], lambda quoted: unreachable(PORT_UNREACHABLE, quoted))
    assert first.state is State.SYN_SENT
    assert second.state is State.CLOSED
    with pytest.raises(ConnectionRefusedError):
        second.receive(1, world.network.now)


@rfc("9293 MUST-55")
def test_a_source_quench_is_discarded_in_silence(world: World) -> None:
    connection, last = world.established()
    connection.send(b"in flight", world.network.now)
    [segment] = world.hears()
    before = connection.status()
    world.complain(segment, lambda quoted: IcmpMessage(SOURCE_QUENCH, 0, bytes(4), quoted))
    assert world.counters["icmp_source_quench"] == 1
    assert connection.status() == before
    assert connection.soft_error == 0
    assert last.tcp.ack == segment.tcp.ack


@rfc("9293 SHLD-22")
@pytest.mark.parametrize("tos", [0, 0x10, 0xB8, 0xFC])
def test_the_diffserv_value_reaches_ip_unchanged(world: World, tos: int) -> None:
    connection, last = world.established(tos=tos)
    connection.send(b"data", world.network.now)
    [segment] = world.hears()
    assert (last.ip.tos, segment.ip.tos) == (tos, tos)


@pytest.mark.parametrize("flags", [0, FIN, FIN | PSH | URG, PSH, URG], ids=["none", "FIN", "FIN,PSH,URG", "PSH", "URG"])
def test_odd_segments_without_ack(world: World, flags: int) -> None:
    """What port scanners send. In CLOSED: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>; in LISTEN: silence."""
    world.machine.host.listen((ANY, 7), 5, world.network.now)
    world.station.says_tcp(FIRST, (5000, 8), flags, seq=100)
    [reset] = world.hears()
    assert (reset.tcp.flags, reset.tcp.seq, reset.tcp.ack) == (RST | ACK, 0, 100 + bool(flags & FIN))
    world.station.says_tcp(FIRST, (5000, 7), flags, seq=100)
    assert world.hears() == []


@pytest.mark.parametrize("port", [7, 8], ids=["LISTEN", "CLOSED"])
@pytest.mark.parametrize("flags", [ACK, ACK | FIN, ACK | SYN, ACK | FIN | PSH | URG])
def test_odd_segments_with_ack_are_reset(world: World, flags: int, port: int) -> None:
    """<SEQ=SEG.ACK><CTL=RST>, in CLOSED and in LISTEN."""
    world.machine.host.listen((ANY, 7), 5, world.network.now)
    world.station.says_tcp(FIRST, (5000, port), flags, seq=100, ack=4242)
    [reset] = world.hears()
    assert (reset.tcp.flags, reset.tcp.seq) == (RST, 4242)
