"""What address conflict detection tells its observers, step by step of RFC 5227."""

from __future__ import annotations

from random import Random

from stack.config import AcdConfig
from stack.internet.conflict import Conflicts
from stack.trace.event import Event
from stack.trace.trace import Trace
from stack.wire.addresses import ANY
from tests.internet.test_conflict import MAC, World, X, Y

THEIRS = "02:00:00:00:cc:03"


class Watched(World):
    """Conflict detection alone, watched."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Event] = []
        trace = Trace(None, lambda watched: None)
        trace.time = self
        trace.add(self.told.append, None)
        self.machine = Conflicts(AcdConfig(), self.counters, MAC, Random(1).randbytes, self._transmit, trace, "tap0")

    def steps(self) -> list[tuple[object, object]]:
        """State and reason of what was told since the last call."""
        assert {(event.name, event.group, event.data["address"]) for event in self.told} <= {
            ("acd:state", "tap0", "10.9.0.2")
        }
        steps = [(event.data["state"], event.data["because"]) for event in self.told]
        self.told.clear()
        return steps


def test_an_address_is_probed_found_free_and_announced() -> None:
    world = Watched()
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
    world = Watched()
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
    world = Watched()
    for _ in range(AcdConfig.MAX_CONFLICTS):
        world.probe()
        world.at(1.5)
        world.hears(X, Y)
    world.steps()
    world.probe()
    world.at(2.0)
    assert world.steps() == [("probing", "acd_random_wait"), ("probing", "acd_many_conflicts")]


def test_an_address_in_use_is_defended_once_and_then_given_up() -> None:
    world = Watched()
    world.watch()
    world.hears(X, Y)
    assert world.told[0].data["mac"] == THEIRS
    assert world.steps() == [("defending", "acd_defend_once")]
    world.at(5.0)
    world.hears(X, Y)
    assert world.steps() == [("given up", "acd_second_conflict")]


def test_an_address_that_never_yields_is_defended_at_most_once_in_the_interval() -> None:
    world = Watched()
    world.watch(yields=False)
    world.hears(X, Y)
    world.at(5.0)
    world.hears(X, Y)
    assert world.steps() == [("defending", "acd_defend_always"), ("in use", "acd_defended_lately")]
