"""Observers that come, go, raise, and are added again, and what they are told of a batch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.config import Config
from stack.host.traced_link import TracedLink
from stack.link.memory import Ethernet
from stack.tcp.listener import Listener
from stack.trace.event import Event
from stack.wire.addresses import parse_ipv4
from stack.wire.icmp import unreachable
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP
from stack.wire.tcp import ACK, FIN, RST, SYN
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

US, THEM = "10.0.0.1", "10.0.0.66"


class World:
    """A host, and a station that sends it what a test says."""

    def __init__(self, link: str = "wire", config: Config | None = None) -> None:
        self.network = Network(3)
        ethernet = Ethernet()
        self.machine = self.network.machine("host", config, raise_errors=False)
        self.host = self.machine.host
        self.interface = self.machine.attach(ethernet.attach(link), f"{US}/24")
        self.station = RawStation(self.network, ethernet)
        self.station.asks(US)
        self.run()

    def run(self) -> None:
        self.network.run(for_s=0.001)

    def refuse(self) -> None:
        """The host refuses a connection: a frame in, and one out."""
        self.station.says_tcp(US, (5000, 7), SYN, seq=100)
        self.run()


@pytest.fixture
def world() -> World:
    return World()


class Keeper:
    """Keeps what it is told, by a method."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def keep(self, event: Event) -> None:
        self.events.append(event)


def test_a_method_is_named_again_to_remove_it(world: World) -> None:
    """Python makes a new object each time that a method is named: they are equal, but not the same."""
    keeper = Keeper()
    world.host.watch(keeper.keep)
    world.refuse()
    world.host.unwatch(keeper.keep)
    seen = len(keeper.events)
    world.refuse()
    assert seen == len(keeper.events) > 0
    assert not world.host.trace.on
    assert not isinstance(world.interface.link, TracedLink)


class Equal(Keeper):
    """It is equal to any other."""

    def __call__(self, event: Event) -> None:
        self.keep(event)

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_of_equal_observers_the_one_that_is_named_goes(world: World) -> None:
    first, second = Equal(), Equal()
    world.host.watch(first)
    world.host.watch(second)
    world.host.unwatch(first)
    world.refuse()
    assert second.events
    assert not first.events


def test_an_observer_that_is_added_twice_is_told_once_until_it_is_removed_twice(world: World) -> None:
    events: list[Event] = []
    observer = events.append
    world.host.watch(observer)
    world.host.watch(observer)
    world.refuse()
    numbers = [event.n for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    world.host.unwatch(observer)
    world.refuse()
    assert len(events) == 2 * len(numbers)
    world.host.unwatch(observer)
    world.refuse()
    assert len(events) == 2 * len(numbers)


def test_an_observer_that_was_added_twice_and_raises_is_reported_once(world: World) -> None:
    def fails(event: Event) -> None:
        raise KeyError("mine")

    reports: list[str] = []
    others: list[Event] = []
    for observer in (fails, others.append, fails):
        world.host.watch(observer, reports.append)
    world.refuse()
    world.refuse()
    [report] = reports
    assert "KeyError: 'mine'" in report
    assert [event.n for event in others] == list(range(1, len(others) + 1))
    assert sum(event.name == "host:done" for event in others) == 2


class Nameless:
    """Raises, also when it is asked for its name."""

    def __call__(self, event: Event) -> None:
        raise KeyError("mine")

    def __repr__(self) -> str:
        raise ValueError("no name")


def test_the_report_does_not_need_the_name_of_the_observer(world: World) -> None:
    reports: list[str] = []
    world.host.watch(Nameless(), reports.append)
    world.refuse()
    [report] = reports
    assert "Nameless" in report
    assert "KeyError: 'mine'" in report
    assert not world.host.trace.on


@pytest.mark.parametrize("link", ["host", "lo", "c1"])
def test_each_frame_is_done_whatever_the_link_is_called(link: str) -> None:
    world = World(link)
    events: list[Event] = []
    world.host.watch(events.append)
    world.refuse()
    world.refuse()
    arrived = [event.n for event in events if event.name == "wire:frame" and event.data["dir"] == "in"]
    done = [event for event in events if event.name == "host:done"]
    assert [event.frame for event in done] == arrived
    assert len(arrived) == 2
    assert {(event.group, event.data["verdict"]) for event in done} == {(link, "dropped")}


def test_a_call_is_not_caused_by_a_frame_that_gave_nothing_to_send(world: World) -> None:
    """An ICMP error that a connection only notes: what the program does later is another matter."""
    events: list[Event] = []
    world.host.watch(events.append)
    connection = world.machine.connect(THEM, 7)
    world.run()
    [syn] = world.station.segments()
    port = connection.local[1]
    quoted = Ipv4Header(parse_ipv4(US), parse_ipv4(THEM), PROTO_TCP, 40).build()
    quoted += port.to_bytes(2, "big") + (7).to_bytes(2, "big") + (syn.next - 1).to_bytes(4, "big")
    world.station.says_ip(PROTO_ICMP, unreachable(1, quoted).build(), US)
    world.run()
    [taken] = [event for event in events if event.name == "icmp:taken"]
    assert taken.cause == "frame"
    assert not kept(world)[0], "it would be taken for the cause of what comes later"
    events.clear()
    connection.abort(world.network.now)
    world.machine.settle()
    assert any(event.name == "tcp:delta" for event in events)
    assert {(event.cause, event.frame) for event in events} == {("call", 0)}


ENDS = ["reset half-open", "oldest half-open", "aborted after its FIN", "reset", "closed"]


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_kept_of_a_connection_that_has_ended(end: str) -> None:
    """Its end is told, also where no frame, timer or call follows for it."""
    tcp = Config().tcp
    world = World(config=Config(tcp=replace(tcp, syn_cookies=end != "oldest half-open", syn_backlog=4)))
    events: list[Event] = []
    world.host.watch(events.append)
    listener = world.machine.listen(7)
    before = kept(world)
    for port in range(5000, 5020):
        _live(world, listener, port, end)
    world.network.run(for_s=300.0)
    assert kept(world) == before
    opened = {event.group for event in events if event.name == "tcp:open"}
    ended = {
        event.group for event in events if event.name == "tcp:state" and event.data["after"] in ("CLOSED", "LISTEN")
    }
    assert len(opened) >= 20
    assert ended >= opened - {"c1"}


def _live(world: World, listener: Listener, port: int, end: str) -> None:
    says, ports = world.station.says_tcp, (port, 7)
    says(US, ports, SYN, seq=100)
    world.run()
    heard = world.station.segments()
    if end == "reset half-open":
        says(US, ports, RST, seq=101)
    if end in ("reset half-open", "oldest half-open"):
        world.run()
        return
    says(US, ports, ACK, seq=101, ack=heard[-1].next)
    if end != "reset":
        says(US, ports, FIN | ACK, seq=101, ack=heard[-1].next)
    world.run()
    connection = listener.accept()
    assert connection is not None
    if end == "reset":
        says(US, ports, RST, seq=101)
    elif end == "closed":
        connection.close(world.network.now)
    else:
        connection.abort(world.network.now)
    world.machine.settle()
    world.run()
    for fin in world.station.segments():
        says(US, ports, ACK, seq=102, ack=fin.next)
    world.run()


def kept(world: World) -> tuple[int, ...]:
    """How much is kept for the observers of TCP."""
    trace = world.host.tcp.services.trace
    assert trace is not None
    return len(trace._frames), len(trace._segments), len(trace._told), len(trace._changes._known)
