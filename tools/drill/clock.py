"""Virtual time: a trio clock that moves only when the interpreter sets it."""

from __future__ import annotations

import math

import trio

START_S = 1000.000_000_001
"""The host's clock at the script's time 0, a nanosecond more than a whole second. The host rounds
its clock down to milliseconds for timestamps. Without the nanosecond a rounding error of a time
could make its timestamp a millisecond less."""
MOST_READINGS = 30_000  # of the clock while it does not move: a livelock of the host


class Livelock(Exception):
    """The host never becomes idle: it always has a deadline at the current time."""


def _in_a_task() -> bool:
    """Whether a task reads the clock. trio's loop reads it too, and must not get an exception."""
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class VirtualClock(trio.abc.Clock):
    """A clock that stands still between two calls of `set`."""

    def __init__(self) -> None:
        self._now = START_S
        self._readings = 0

    def start_clock(self) -> None:
        """Do nothing: only `set` moves this clock."""

    def current_time(self) -> float:
        """Return the time in seconds. Raises Livelock in a task that has read it too often."""
        self._readings += 1
        if self._readings > MOST_READINGS and _in_a_task():
            self._readings = 0
            raise Livelock
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Return 0 if the deadline has passed, else infinity: no sleep of trio moves this clock."""
        return 0 if deadline <= self._now else math.inf

    def set(self, now: float) -> None:
        """Go to a later time: to `now`, or to the script's nearest microsecond if that is later."""
        whole = START_S + round((now - START_S) * 1_000_000) / 1_000_000
        self._now = max(self._now, now, whole)
        self._readings = 0

    @property
    def now_us(self) -> int:
        """The current time of the script, in microseconds."""
        return round((self._now - START_S) * 1_000_000)
