"""The heap of deadlines: one entry for each connection as a rule, two at the most, none for a
closed connection.
"""

from __future__ import annotations

from math import inf
from random import Random

from stack.host.deadlines import Deadlines


class Timer:
    """Something with a deadline."""

    def __init__(self, deadline: float = inf) -> None:
        self.deadline = deadline
        self.heap_entry: object | None = None


class Clock:
    """A heap, and how often it said that the earliest deadline had moved."""

    def __init__(self) -> None:
        self.moves = 0
        self.heap = Deadlines(self._moved)

    def _moved(self, deadline: float) -> None:
        assert deadline == self.heap.earliest
        self.moves += 1

    def set(self, timer: Timer, deadline: float) -> None:
        timer.deadline = deadline
        self.heap.arm(timer)

    def due(self, now: float) -> list[Timer]:
        return list(self.heap.due(now))


def test_the_earliest_comes_first_and_ties_in_the_order_of_arming() -> None:
    clock = Clock()
    late, first, second = Timer(), Timer(), Timer()
    clock.set(late, 9.0)
    clock.set(first, 5.0)
    clock.set(second, 5.0)
    assert clock.heap.earliest == 5.0
    assert clock.due(4.9) == []
    assert clock.due(9.0) == [first, second, late]
    assert clock.heap.earliest == inf
    assert clock.due(100.0) == []


def test_only_an_earlier_deadline_costs_an_entry_and_a_call() -> None:
    clock = Clock()
    timer = Timer()
    for later in range(1000):
        clock.set(timer, 10.0 + later)
    assert (len(clock.heap), clock.moves) == (1, 1)
    clock.set(timer, 5.0)
    assert (len(clock.heap), clock.moves) == (2, 2)
    assert clock.heap.earliest == 5.0


def test_one_that_moved_to_later_gives_way_to_its_successor() -> None:
    clock = Clock()
    timer = Timer()
    clock.set(timer, 1.0)
    clock.set(timer, 7.0)
    assert clock.due(1.0) == []
    assert clock.heap.earliest == 7.0
    assert clock.due(7.0) == [timer]


def test_a_deadline_taken_back_is_not_due_and_may_be_set_again_for_nothing() -> None:
    clock = Clock()
    timer = Timer()
    for round in range(1000):  # data in, delayed ACK armed; ACK out, disarmed
        clock.set(timer, 1.0 + round / 1000)
        clock.set(timer, inf)
    assert (len(clock.heap), clock.moves) == (1, 1)
    assert clock.due(3.0) == []
    assert len(clock.heap) == 0


def test_never_more_than_two_entries_for_each() -> None:
    clock = Clock()
    random = Random(1)
    timers = [Timer() for _ in range(50)]
    now = 0.0
    for _ in range(20_000):
        clock.set(random.choice(timers), random.choice((now + random.random(), inf)))
        for timer in clock.due(now):
            clock.set(timer, inf)
        now += 0.001
        assert len(clock.heap) <= 2 * len(timers)
        assert clock.heap.earliest <= min(timer.deadline for timer in timers)


def test_what_is_forgotten_is_held_no_longer() -> None:
    clock = Clock()
    timers = [Timer() for _ in range(100)]
    for timer in timers:
        clock.set(timer, 7200.0)
        clock.set(timer, 60.0)
    for count, timer in enumerate(timers, 1):
        timer.deadline = inf
        clock.heap.forget(timer)
        clock.heap.forget(timer)  # twice is fine
        assert len(clock.heap) <= 2 * (100 - count)
    assert clock.heap.earliest == inf


def test_a_deadline_that_is_always_due_does_not_delay_others() -> None:
    clock = Clock()
    stuck, honest = Timer(), Timer()
    clock.set(stuck, 1.0)
    clock.set(honest, 2.0)
    seen = []
    for timer in clock.heap.due(3.0):
        seen.append(timer)
        if timer is stuck:
            clock.set(stuck, 1.0)
        assert len(seen) < 10
    assert seen == [stuck, honest]
    assert clock.heap.earliest == 1.0  # and the next call has it again


def test_one_that_another_puts_off_is_not_due() -> None:
    clock = Clock()
    first, second = Timer(), Timer()
    clock.set(first, 1.0)
    clock.set(second, 1.0)
    seen = []
    for timer in clock.heap.due(1.0):
        seen.append(timer)
        clock.set(second, 8.0)
    assert seen == [first]
    assert clock.due(8.0) == [second]


def test_deadlines_that_are_over_cause_no_wake() -> None:
    """A server's short connections leave entries behind, of which there may be as many as live ones."""
    clock = Clock()
    for number in range(100):
        clock.set(Timer(), 1000.0 + number)
    over = [Timer() for _ in range(50)]
    for number, timer in enumerate(over):
        clock.set(timer, float(number))
    for timer in over:
        clock.heap.forget(timer)
    assert clock.heap.earliest == 1000.0
