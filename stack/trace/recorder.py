"""An observer that keeps the last events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from stack.trace.event import HEAD_OCTETS, Event

EVENT_BYTES = 432  # what an event takes at most, without its data
FIELD_BYTES = 72  # what a fact takes at most, without the text or octets in it

_new = tuple.__new__
_DATA = Event._fields.index("data")


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
        self._events: deque[Event] = deque()
        self._sizes: deque[int] = deque()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._frame_octets = frame_octets
        self._bytes = 0
        self.lost = 0

    def __call__(self, event: Event) -> None:
        """Keep an event; the oldest makes room."""
        data = event.data
        octets = data.get("octets")
        size = EVENT_BYTES + FIELD_BYTES * len(data)
        if type(octets) is bytes:
            size += self._frame_octets
            if len(octets) > self._frame_octets:
                event = _new(Event, (*event[:_DATA], {**data, "octets": octets[: self._frame_octets]}, event.why))
        else:
            for value in data.values():
                if type(value) is str or type(value) is bytes:
                    size += len(value)
        self._events.append(event)
        self._sizes.append(size)
        self._bytes += size
        while len(self._events) > self._max_events or self._bytes > self._max_bytes:
            self._events.popleft()
            self._bytes -= self._sizes.popleft()
            self.lost += 1

    def __iter__(self) -> Iterator[Event]:
        """The events that are kept, the oldest first."""
        return iter(list(self._events))

    def __len__(self) -> int:
        """How many events are kept."""
        return len(self._events)

    def clear(self) -> None:
        """Forget the events. They do not count as lost."""
        self._events.clear()
        self._sizes.clear()
        self._bytes = 0
