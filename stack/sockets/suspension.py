"""Detects that the machine was suspended, by the difference of two clocks.

CLOCK_BOOTTIME runs while the machine is suspended; CLOCK_MONOTONIC, trio's clock, stands still. See
clock_getres(2). Nothing wakes a program after a resume, so the clocks are compared when the host is
active anyway: a frame has come, a deadline is due, or the program calls. An idle host sends nothing
that could be wrong. For speed, the clocks are not compared when a program sends on a connection:
the answer, or the retransmission timer, follows within a second or so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from time import monotonic

_READINGS = 5

boottime: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else monotonic
)
"""A clock in seconds that runs while the machine is suspended, or `monotonic` without one."""


class Suspension:
    """Shows a suspension: `boottime() - monotonic()` is above `limit` if it lasted `least_s`.

    The clocks are read in this order: if the task is interrupted between the two, the difference is
    too small, never too large.
    """

    __slots__ = ("_ahead", "_least_s", "boottime", "limit")

    def __init__(self, boottime: Callable[[], float], least_s: float) -> None:
        self.boottime = boottime
        self._least_s = least_s
        self._ahead = max(boottime() - monotonic() for _ in range(_READINGS))
        self.limit = self._ahead + least_s

    def ended(self) -> float:
        """How long the machine was suspended since the last call; 0 if less than `least_s`."""
        ahead = self.boottime() - monotonic()
        if ahead <= self.limit:
            return 0.0
        asleep_s, self._ahead = ahead - self._ahead, ahead
        self.limit = ahead + self._least_s
        return asleep_s
