"""Virtual time: a trio clock that stands still until the interpreter moves it."""

from __future__ import annotations

import math

import trio

START_S = 1000.000_000_001
"""Where a script's time 0 lies on the host's clock: a little behind a whole second. A clock of milliseconds that is
made from it then shows the script's own, and not one less where a sum of decimal fractions falls short of it."""
MOST_READINGS = 30_000  # at the clock while it stands still: by then the host turns in a circle


class Livelock(Exception):
    """The host does not come to rest: something is always due now."""


def _in_a_task() -> bool:
    """Whether a task looks, which may fail, and not trio's loop, which may not."""
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class VirtualClock(trio.abc.Clock):
    """`set` moves it. All that is due at one time happens before it moves on."""

    def __init__(self) -> None:
        self._now = START_S
        self._readings = 0

    def start_clock(self) -> None:
        """Nothing runs by itself."""

    def current_time(self) -> float:
        """In seconds."""
        self._readings += 1
        if self._readings > MOST_READINGS and _in_a_task():
            self._readings = 0
            raise Livelock
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """0 for what is due; else for ever, since this clock moves only when the interpreter says so."""
        return 0 if deadline <= self._now else math.inf

    def set(self, now: float) -> None:
        """Go to a later time: to a whole microsecond of the script, unless that is too early by more than rounding."""
        whole = START_S + round((now - START_S) * 1_000_000) / 1_000_000
        self._now = max(self._now, now, whole)
        self._readings = 0

    @property
    def now_us(self) -> int:
        """The script's time in microseconds."""
        return round((self._now - START_S) * 1_000_000)
