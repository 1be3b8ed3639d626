"""An observer that keeps the last events."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

from stack.trace.event import HEAD_OCTETS, Event

EVENT_BYTES = 432  # what an event takes at most, without its data
FIELD_BYTES = 72  # what a fact takes at most, without the text or octets in it
COUNTED_AT_ONCE = 64  # a loop over many events costs less than a call for each
LONG_FRAME = 2048  # octets; the events are counted at once after a longer frame, which is cut then
BLOCKS = 256  # how many blocks of events, of equal size, `max_bytes` has room for at least

WITHOUT_LONG_TEXT = frozenset(
    """
    host:call host:done host:result tcp:ack tcp:blocked tcp:delta tcp:rtt tcp:send tcp:state tcp:timer tcp:window
    """.split()
)
"""The events that come often, with numbers and short words only: their texts are not measured."""

_NAME, _DATA = Event._fields.index("name"), Event._fields.index("data")
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
        self._new: list[tuple[Any, ...]] = []  # the last ones, which are not counted yet
        # The others are counted in blocks: how many events, and what they take at most
        self._numbers: deque[int] = deque()
        self._sizes: deque[int] = deque()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._frame_octets = frame_octets
        self._bytes = 0
        self._lost = 0

    def __call__(self, event: Event) -> None:
        """Keep an event; the oldest makes room."""
        new = self._new
        new.append(event[:])
        octets = event.data.get("octets")
        if len(new) >= COUNTED_AT_ONCE or (type(octets) is bytes and len(octets) > LONG_FRAME):
            self._count()

    def _count(self) -> None:
        """Cut the last frames, add up what the last events take, and let the oldest go."""
        events, new, numbers, sizes = self._events, self._new, self._numbers, self._sizes
        if new:
            added = _bytes(new, self._frame_octets)
            if added * BLOCKS <= self._max_bytes:
                numbers.append(len(new))
                sizes.append(added)
            else:
                numbers += [1] * len(new)
                sizes += [_bytes([event], self._frame_octets) for event in new]
            events += new
            self._bytes += added
            new.clear()
        while numbers and (self._bytes > self._max_bytes or len(events) - numbers[0] >= self._max_events):
            self._drop(numbers.popleft())
            self._bytes -= sizes.popleft()
        too_many = len(events) - self._max_events
        if too_many > 0:  # a part of the first block
            self._drop(too_many)
            numbers[0] -= too_many

    def _drop(self, number: int) -> None:
        """Let so many events go, the oldest first."""
        for _ in range(number):
            self._events.popleft()
        self._lost += number

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
        self._new.clear()
        self._numbers.clear()
        self._sizes.clear()
        self._bytes = 0


def keeper(observer: object) -> tuple[Callable[[tuple[Any, ...]], None], Callable[[], None]] | None:
    """How a host keeps events for a `Recorder` without a call of Python code for each.

    Returns a function that keeps the fields of an event as a tuple, and one to be called after at
    most `COUNTED_AT_ONCE` events and after each frame longer than `LONG_FRAME`. None if `observer`
    is no recorder, or of a class with a `__call__` of its own.
    """
    if isinstance(observer, Recorder) and type(observer).__call__ is Recorder.__call__:
        return observer._new.append, observer._count
    return None


def _bytes(events: list[tuple[Any, ...]], frame_octets: int) -> int:
    """What the events take at most. Their frames are cut to `frame_octets` octets."""
    size = EVENT_BYTES * len(events) + FIELD_BYTES * sum([len(event[_DATA]) for event in events])
    for position, event in enumerate(events):
        if event[_NAME] not in WITHOUT_LONG_TEXT:
            data = event[_DATA]
            octets = data.get("octets")
            if type(octets) is bytes and len(octets) > frame_octets:
                data = {**data, "octets": octets[:frame_octets]}  # the event of other observers is left as it was
                events[position] = (*event[:_DATA], data, *event[_DATA + 1 :])
            for value in data.values():
                if type(value) is str or type(value) is bytes:
                    size += len(value)
    return size
