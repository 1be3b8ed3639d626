"""An observer that keeps the last events."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from stack.trace.event import HEAD_OCTETS, Event

EVENT_BYTES = 432  # what an event takes at most, without its data
FIELD_BYTES = 72  # what a fact takes at most, without the text or octets in it
COUNTED_AT_ONCE = 64  # a loop over many events costs less than a call for each

_DATA = Event._fields.index("data")
_number = itemgetter(Event._fields.index("n"))


class Recorder:
    """Keeps the last events of a host, so that a program can look at them afterwards.

    It is bounded by the number of events and by the memory they take, in bytes (`max_bytes`; it is
    estimated, up to a half too high). The oldest leave first; `lost` counts them. Of each frame it
    keeps the first `frame_octets` octets.

    >>> recorder = Recorder()
    >>> # with host.watch(recorder): ...
    >>> list(recorder)
    []
    """

    def __init__(self, max_events: int = 50_000, max_bytes: int = 32 << 20, *, frame_octets: int = HEAD_OCTETS) -> None:
        # Plain tuples in the place of events: the garbage collector leaves out a tuple that refers
        # to nothing that it must visit, but not an object of a class of ours.
        self._events: deque[tuple[Any, ...]] = deque()
        self._sizes: deque[int] = deque()  # of the events, but for the last few, which are not counted yet
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._frame_octets = frame_octets
        self._bytes = 0
        self._lost = 0
        self._count_at = COUNTED_AT_ONCE  # events

    def __call__(self, event: Event) -> None:
        """Keep an event; the oldest makes room."""
        data = event.data
        octets = data.get("octets")
        if type(octets) is bytes and len(octets) > self._frame_octets:
            self._events.append((*event[:_DATA], {**data, "octets": octets[: self._frame_octets]}, event.why))
        else:
            self._events.append(event[:])
        if len(self._events) >= self._count_at:
            self._count()

    def _count(self) -> None:
        """Add up what the last events take, and let the oldest go."""
        events, sizes = self._events, self._sizes
        for position in range(len(sizes), len(events)):
            data: dict[str, object] = events[position][_DATA]
            size = EVENT_BYTES + FIELD_BYTES * len(data)
            for value in data.values():
                if type(value) is str or type(value) is bytes:
                    size += len(value)
            sizes.append(size)
            self._bytes += size
        while len(events) > self._max_events or self._bytes > self._max_bytes:
            events.popleft()
            self._bytes -= sizes.popleft()
            self._lost += 1
        self._count_at = len(events) + COUNTED_AT_ONCE

    @property
    def lost(self) -> int:
        """How many events have left to make room."""
        self._count()
        return self._lost

    def __iter__(self) -> Iterator[Event]:
        """The events that are kept, the oldest first."""
        self._count()
        return map(Event._make, list(self._events))

    def since(self, n: int, limit: int) -> list[Event]:
        """The first `limit` events with a larger number than `n`, the oldest first.

        It looks at few of the others, so a program may call it again and again to read on. It is
        for the events of one host, whose numbers grow.
        """
        self._count()
        events = self._events
        first = bisect_right(events, n, key=_number)
        return [Event._make(events[position]) for position in range(first, min(first + limit, len(events)))]

    def numbers(self) -> tuple[int, int]:
        """The numbers of the oldest and of the newest event that is kept; (0, 0) without any."""
        self._count()
        events = self._events
        return (_number(events[0]), _number(events[-1])) if events else (0, 0)

    def __len__(self) -> int:
        """How many events are kept."""
        self._count()
        return len(self._events)

    def clear(self) -> None:
        """Forget the events. They do not count as lost."""
        self._events.clear()
        self._sizes.clear()
        self._bytes = 0
        self._count_at = COUNTED_AT_ONCE
