"""Whether the machine was suspended: CLOCK_BOOTTIME goes on then, and CLOCK_MONOTONIC, trio's clock, stands still.

See clock_getres(2). Nothing wakes a program after a resume, so this is looked at when the host wakes anyway: a frame
has come, a deadline is due, or the program calls. An idle host need not know: it says nothing that could be wrong. A
program that sends on a connection is not asked, for speed: the answer comes as a frame, or the timer of the
retransmission runs out, within a second or so.
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
"""Seconds, on a clock that goes on while the machine is suspended; where there is none, one that does not."""


class Suspension:
    """`boottime() - monotonic()` beyond `limit` says that the machine has slept for `least_s` or longer.

    That is read in this order, so that a task that is interrupted between the two makes it less, never more.
    """

    __slots__ = ("_ahead", "_least_s", "boottime", "limit")

    def __init__(self, boottime: Callable[[], float], least_s: float) -> None:
        self.boottime = boottime
        self._least_s = least_s
        self._ahead = max(boottime() - monotonic() for _ in range(_READINGS))
        self.limit = self._ahead + least_s

    def ended(self) -> float:
        """How long the machine has slept since this was asked last, in seconds; 0 for less than `least_s`."""
        ahead = self.boottime() - monotonic()
        if ahead <= self.limit:
            return 0.0
        asleep_s, self._ahead = ahead - self._ahead, ahead
        self.limit = ahead + self._least_s
        return asleep_s
