"""One heap of deadlines for all connections of a host.

A connection's deadline moves with nearly every segment. It nearly always moves to a later time, and
often it is switched off (inf) and on again. So the heap has one entry for each connection, which
may be earlier than the deadline. When such an entry comes up, it is replaced by one for the real
deadline, if there is one. Only a deadline that moves earlier costs a new entry at once. The old
entry is then dead, and the heap is rebuilt when more than half of it is dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, Protocol

Entry = tuple[float, int, Any]


class Timed(Protocol):
    """An object with a deadline. `heap_entry` is for `Deadlines` alone, and None at first."""

    deadline: float
    heap_entry: Any


class Deadlines:
    """The deadlines of many objects. `moved(earliest)` is called when that becomes earlier."""

    def __init__(self, moved: Callable[[float], None]) -> None:
        self._heap: list[Entry] = []
        self._moved = moved
        self._serial = 0
        self._live = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def earliest(self) -> float:
        """When to call `due`; inf when nothing is armed. `due` may find that nothing is due yet."""
        heap = self._heap
        while heap and heap[0][2].heap_entry is not heap[0]:  # dead entries must not wake the host
            heappop(heap)
        return heap[0][0] if heap else inf

    def arm(self, timed: Timed) -> None:  # hot
        """Note `timed.deadline`.

        An entry that is early enough stays, even if the deadline is inf now.
        """
        deadline = timed.deadline
        entry = timed.heap_entry
        if entry is not None:
            if entry[0] <= deadline:
                return
            self._live -= 1
        elif deadline == inf:
            return
        self._serial += 1  # breaks ties in the order of arming, so that the objects are never compared
        entry = timed.heap_entry = (deadline, self._serial, timed)
        self._live += 1
        heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._moved(deadline)
        if len(self._heap) > 2 * self._live:
            self._rebuild()

    def forget(self, timed: Timed) -> None:
        """Forget `timed`, which has ended. Its entry is removed when the heap is rebuilt."""
        if timed.heap_entry is not None:
            timed.heap_entry = None
            self._live -= 1
        if len(self._heap) > 2 * self._live:
            self._rebuild()

    def due(self, now: float) -> Iterator[Any]:
        """The objects whose deadline has come, each once.

        An object that is armed meanwhile for `now` or earlier is left for the next call. So one
        that always does this cannot keep the host from other work.
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
            if timed.deadline <= now:  # the turn of another object may have moved it
                yield timed

    def _rebuild(self) -> None:
        heap = self._heap
        heap[:] = [entry for entry in heap if entry[2].heap_entry is entry]
        heapify(heap)
