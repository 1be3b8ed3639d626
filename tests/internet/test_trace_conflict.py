"""What address conflict detection tells its observers, step by step of RFC 5227."""

from __future__ import annotations

from random import Random

from stack.config import AcdConfig
from stack.counters import Counters
from stack.internet.conflict import Conflicts
from stack.trace.event import Event
from stack.trace.trace import Trace
from stack.wire.addresses import ANY, MAC_ZERO, parse_ipv4
from stack.wire.arp import REQUEST, ArpPacket

MAC, OTHER = bytes.fromhex("02000000aa02"), bytes.fromhex("02000000cc03")
X, Y = parse_ipv4("10.9.0.2"), parse_ipv4("10.9.0.3")
THEIRS = "02:00:00:00:cc:03"


class World:
    """Conflict detection alone, watched."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[Event] = []
        trace = Trace(None, lambda watched: None)
        trace.time = self
        trace.add(self.told.append, None)
        self.machine = Conflicts(AcdConfig(), Counters(), MAC, Random(1).randbytes, lambda *_: None, trace, "tap0")

    def probe(self) -> None:
        self.machine.probe(X, self.now, lambda mac, now: None)

    def watch(self, *, yields: bool = True) -> None:
        self.machine.watch(X, lambda mac, now: None, yields=yields)

    def hears(self, sender_ip: bytes, target_ip: bytes) -> None:
        self.machine.receive(ArpPacket(REQUEST, OTHER, sender_ip, MAC_ZERO, target_ip), self.now)

    def at(self, later_s: float) -> None:
        end = self.now + later_s
        while self.machine.deadline <= end:
            self.now = max(self.now, self.machine.deadline)
            self.machine.on_deadline(self.now)
        self.now = end

    def steps(self) -> list[tuple[object, object]]:
        """State and reason of what was told since the last call."""
        assert {(event.name, event.group, event.data["address"]) for event in self.told} <= {
            ("acd:state", "tap0", "10.9.0.2")
        }
        steps = [(event.data["state"], event.data["because"]) for event in self.told]
        self.told.clear()
        return steps


def test_an_address_is_probed_found_free_and_announced() -> None:
    world = World()
    world.probe()
    assert world.told[0].data["wait_s"] == world.machine.deadline - world.now
    assert world.steps() == [("probing", "acd_random_wait")]
    world.at(10.0)
    assert [event.data.get("number") for event in world.told] == [1, 2, 3, None]
    assert world.told[-1].why == ("5227-2.1.1-g",)
    assert world.steps() == [("probing", "acd_probe")] * 3 + [("free", "acd_free")]
    world.machine.announce(X, world.now)
    world.at(10.0)
    assert [event.data["of"] for event in world.told] == [2, 2]
    assert world.steps() == [("announcing", "acd_announce")] * 2


def test_another_host_has_the_address_or_wants_it() -> None:
    world = World()
    world.probe()
    world.steps()
    world.hears(X, Y)
    assert world.told[0].data["mac"] == THEIRS
    assert world.steps() == [("taken", "acd_in_use")]
    world.probe()
    world.steps()
    world.hears(ANY, X)
    assert world.steps() == [("taken", "acd_both_probe")]


def test_after_many_conflicts_a_probing_waits() -> None:
    world = World()
    for _ in range(AcdConfig.MAX_CONFLICTS):
        world.probe()
        world.at(1.5)
        world.hears(X, Y)
    world.steps()
    world.probe()
    world.at(2.0)
    assert world.steps() == [("probing", "acd_random_wait"), ("probing", "acd_many_conflicts")]


def test_an_address_in_use_is_defended_once_and_then_given_up() -> None:
    world = World()
    world.watch()
    world.hears(X, Y)
    assert world.told[0].data["mac"] == THEIRS
    assert world.steps() == [("defending", "acd_defend_once")]
    world.at(5.0)
    world.hears(X, Y)
    assert world.steps() == [("given up", "acd_second_conflict")]


def test_an_address_that_never_yields_is_defended_at_most_once_in_the_interval() -> None:
    world = World()
    world.watch(yields=False)
    world.hears(X, Y)
    world.at(5.0)
    world.hears(X, Y)
    assert world.steps() == [("defending", "acd_defend_always"), ("in use", "acd_defended_lately")]
