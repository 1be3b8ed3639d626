"""One heap of deadlines for all connections of a host.

A connection's deadline moves with nearly every segment, almost always to later, and often to never and back. So the
heap holds one entry for each connection, which may be too early: when it comes up it gives way to its successor, if
there is one. Only a deadline that moves to earlier costs a new entry; the old one is then dead, and the heap is rebuilt
when most of it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Protocol

Entry = tuple[float, int, Any]


class Timed(Protocol):
    """Something with a deadline: `heap_entry` is this heap's to use, None at first."""

    deadline: float
    heap_entry: Any


class Deadlines:
    """The earliest of many deadlines. `moved` is called when that becomes earlier."""

    def __init__(self, moved: Callable[[], None]) -> None:
        self._heap: list[Entry] = []
        self._moved = moved
        self._serial = 0
        self._live = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def earliest(self) -> float:
        """When `due` may have something to give; inf when nothing is armed."""
        heap = self._heap
        while heap and heap[0][2].heap_entry is not heap[0]:  # nobody shall be woken for those that are over
            heappop(heap)
        return heap[0][0] if heap else inf

    def arm(self, timed: Timed) -> None:  # hot
        """Take note of `timed.deadline`; an entry that comes up early enough stays, even when that is inf now."""
        deadline = timed.deadline
        entry = timed.heap_entry
        if entry is not None:
            if entry[0] <= deadline:
                return
            self._live -= 1
        elif deadline == inf:
            return
        self._serial += 1  # breaks ties in the order of arming, whatever the objects are
        entry = timed.heap_entry = (deadline, self._serial, timed)
        self._live += 1
        heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._moved()
        if len(self._heap) > 2 * self._live:
            self._rebuild()

    def forget(self, timed: Timed) -> None:
        """It is over: nothing here holds on to it, once those that are over outnumber the others."""
        if timed.heap_entry is not None:
            timed.heap_entry = None
            self._live -= 1
        if len(self._heap) > 2 * self._live:
            self._rebuild()

    def due(self, now: float) -> Iterator[Any]:
        """Those whose deadline has come, each once.

        What they arm meanwhile for `now` or earlier is left for the next call, so that one that does so for ever keeps
        nobody from his work.
        """
        heap = self._heap
        due = []
        while heap and heap[0][0] <= now:
            entry = heappop(heap)
            timed = entry[2]
            if timed.heap_entry is not entry:
                continue
            timed.heap_entry = None
            self._live -= 1
            if timed.deadline <= now:
                due.append(timed)
            else:
                self.arm(timed)
        for timed in due:
            if timed.deadline <= now:  # another one's turn may have put it off
                yield timed

    def _rebuild(self) -> None:
        heap = self._heap
        heap[:] = [entry for entry in heap if entry[2].heap_entry is entry]
        heapify(heap)
