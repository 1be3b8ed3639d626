"""A flood of SYNs: memory stays flat, a real client gets in, an old connection goes on. See RFC
4987.
"""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace

import pytest

from stack.config import ArpConfig, Config, TcpConfig
from stack.link.impair import Impaired
from stack.link.memory import Ethernet
from stack.tcp.states import State
from stack.testing.frame_sender import Heard
from stack.wire.addresses import parse_ipv4
from stack.wire.tcp import ACK, FIN, RST, SYN
from stack.wire.tcp_options import TcpOptions, build_options, parse_options
from tests.sim.network import Machine, Network
from tests.sim.programs import Exchange, Requester, Server
from tests.sim.raw_station import RawStation

SYNS = 10_000
BACKLOG = TcpConfig().syn_backlog
NEIGHBORS = ArpConfig().entries_max
GROWTH_BYTES = 100_000  # by a thousand SYNs: a hundred bytes each, where a connection would take some thousands


class World:
    """A server with an old customer, a new customer 2 ms away, and a station that forges."""

    def __init__(self) -> None:
        self.network = Network(7)
        self.ethernet = Ethernet()
        self.server, self.old, self.new = (self._machine(number) for number in (1, 2, 3))
        self.station = RawStation(self.network, self.ethernet, "10.0.0.66")
        Server(self.server, 7)
        self.customer = Requester(self.old, self.old.connect("10.0.0.1", 7), interval_s=0.01, times=100)
        self.network.run(lambda: self.customer.answered == 1)
        self.station.asks("10.0.0.1")
        self.sent = 0

    def _machine(self, number: int) -> Machine:
        machine = self.network.machine(f"host{number}")
        port = self.ethernet.attach()
        link = Impaired(port, delay_s=0.001) if number == 1 else port
        machine.attach(link, f"10.0.0.{number}/16", gateway="10.0.0.66")
        return machine

    def flood(self, count: int, network: str) -> None:
        """`count` SYNs, ten in a millisecond, from as many addresses of a /16."""
        first = parse_ipv4(network)[:2]
        for number in range(count):
            source = first + (0x0100 + self.sent).to_bytes(2, "big")
            self.sent += 1
            ports = 1024 + number % 60_000, 7
            self.station.says_tcp("10.0.0.1", ports, SYN, seq=number, source=source)
            if number % 10 == 9:
                self.network.run(for_s=0.001)


@pytest.mark.parametrize(
    ("network", "answers_arp"),
    [("10.0.0.0", False), ("10.0.0.0", True), ("192.0.0.0", True)],
    ids=["neighbours that do not exist", "neighbours that fall silent", "from far away"],
)
def test_a_flood_of_10_000_syns(network: str, answers_arp: bool) -> None:
    world = World()
    if answers_arp:
        world.station.owns = lambda address: address[:3] != b"\x0a\0\0" or address[3] == 66
    world.flood(SYNS // 2, network)
    assert world.server.host.tables()["half_open"] == BACKLOG
    newcomer = Exchange(world.new, world.new.connect("10.0.0.1", 7), b"let me in")
    world.flood(SYNS // 2, network)
    assert newcomer.done
    assert newcomer.received == b"let me in"
    assert world.customer.answered > 70  # a round every 12 ms for the second that this took
    tables = world.server.host.tables()
    assert tables["half_open"] <= BACKLOG
    assert tables["neighbors"] <= NEIGHBORS
    assert tables["connections"] == tables["paths"] <= BACKLOG + 2
    assert tables["deadlines"] <= 2 * tables["connections"]
    world.network.run(for_s=TcpConfig().syn_received_timeout_s + 10)
    assert world.server.host.tables()["half_open"] == 0
    assert world.customer.answered == 100


def test_a_client_too_far_away_for_the_queue_gets_in_by_a_cookie() -> None:
    """At ten SYNs a millisecond a place in the queue would be taken away after 25 ms."""
    world = World()
    slow = world.network.machine("host4")
    slow.attach(Impaired(world.ethernet.attach(), delay_s=0.2), "10.0.0.4/16")
    world.flood(500, "192.0.0.0")
    newcomer = Exchange(slow, slow.connect("10.0.0.1", 7), b"let me in" * 10_000)
    world.flood(5_000, "192.0.0.0")
    world.network.run(lambda: newcomer.done, for_s=30.0)
    assert newcomer.received == b"let me in" * 10_000
    assert world.server.host.tables()["half_open"] <= BACKLOG


class FullQueue:
    """A server whose queue has one place, which a station's SYN from port 2001 has taken."""

    def __init__(self) -> None:
        self.network, ethernet = Network(7), Ethernet()
        self.server = self.network.machine("server", replace(Config(), tcp=TcpConfig(syn_backlog=1)))
        self.server.attach(ethernet.attach(), "10.0.0.1/24")
        self.listener = self.server.listen(7)
        self.station = RawStation(self.network, ethernet)
        self.station.asks("10.0.0.1")
        self.says(2001, SYN, 100)
        self.first = self.hears()

    def says(self, port: int, flags: int, seq: int, ack: int = 0, *, data: bytes = b"", options: bytes = b"") -> None:
        self.station.says_tcp("10.0.0.1", (port, 7), flags, seq=seq, ack=ack, data=data, options=options)

    def hears(self) -> Heard:
        """The one answer."""
        self.network.run(for_s=0.01)
        (heard,) = self.station.segments()
        return heard

    def goes_on(self) -> None:
        """The queue has room again."""
        self.says(2001, RST, 101, self.first.next)


def test_the_cookie_counts_although_the_same_syn_found_room_later() -> None:
    """A cookie answers a SYN late, so that comes again, to a queue with room: the client takes the cookie."""
    world = FullQueue()
    world.says(2002, SYN, 200)
    cookie = world.hears()
    world.goes_on()
    world.says(2002, SYN, 200)
    assert world.hears().tcp.seq != cookie.tcp.seq
    world.says(2002, ACK, 201, cookie.next + 1)
    assert world.hears().tcp.flags == RST  # neither the one nor the other
    assert not world.listener.readable
    world.says(2002, ACK, 201, cookie.next)
    world.says(2002, ACK, 201, cookie.next, data=b"x")
    world.network.run(for_s=0.01)
    assert world.station.segments() == []
    accepted = world.listener.accept()
    assert accepted is not None
    assert accepted.receive(10, world.network.now) == b"x"
    assert world.server.host.tables()["connections"] == 1


def test_the_cookie_of_a_connection_in_time_wait_does_not_begin_it_again() -> None:
    """The SYN that begins again never gets a cookie: one that comes back now is of the connection before."""
    world = FullQueue()
    world.says(2002, SYN, 200, options=stamps(1))
    cookie = world.hears()
    echo = stamp_of(cookie)
    world.says(2002, ACK, 201, cookie.next, options=stamps(2, echo))
    world.network.run(for_s=0.01)
    old = world.listener.accept()
    assert old is not None
    old.close(world.network.now)
    world.server.settle()
    fin = world.hears()
    world.says(2002, FIN | ACK, 201, fin.next, options=stamps(3, echo))
    world.hears()
    assert old.state is State.TIME_WAIT
    world.goes_on()
    world.says(2002, SYN, 200, options=stamps(4))
    answer = world.hears()
    world.says(2002, ACK, 201, cookie.next, options=stamps(5, echo))
    assert world.hears().tcp.flags == RST
    assert (old.state, world.listener.readable) == (State.TIME_WAIT, False)
    world.says(2002, ACK, 201, answer.next, options=stamps(6, stamp_of(answer)))
    world.network.run(for_s=0.01)
    assert (old.state, world.listener.readable) == (State.CLOSED, True)


def stamps(val: int, ecr: int = 0) -> bytes:
    """The options of a segment with these timestamps."""
    return build_options(TcpOptions(timestamps=(val, ecr)))


def stamp_of(heard: Heard) -> int:
    """TSval of a segment."""
    timestamps = parse_options(heard.tcp.options).timestamps
    assert timestamps is not None
    return timestamps[0]


def test_memory_is_flat_while_a_flood_goes_on() -> None:
    world = World()

    def flooded() -> int:
        world.flood(1000, "10.0.0.0")  # every table was full before half of them
        world.station.frames.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = flooded()
        growth = flooded() - before
    finally:
        tracemalloc.stop()
    assert abs(growth) < GROWTH_BYTES


def test_a_flood_of_segments_for_nobody_costs_nothing() -> None:
    """Each is answered by a reset, and forgotten."""
    world = World()
    sizes = world.server.host.tables()
    for number in range(2000):
        world.station.says_tcp("10.0.0.1", (1024 + number, 4242), SYN, seq=number)
        if number % 100 == 99:
            world.network.run(for_s=0.01)
    assert len(world.station.frames) == 2000
    assert world.server.host.tables() == sizes
