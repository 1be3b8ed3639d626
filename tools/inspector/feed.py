"""What is sent to the viewers of a page: batches of events, encoded once for all of them.

While there are no viewers, nothing is encoded and no task wakes up. With viewers, a batch is made
at most every 50 ms, and none while nothing happens. The host never waits: a viewer reads batches
when its connection has room, and one that is too far behind is told what it has missed. So a viewer
costs no memory that grows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import trio

import stack

from .state import State

BATCH_S = 0.05  # between two batches
BATCH_EVENTS = 1000  # in a batch; with BATCH_S, a bound on what the encoding costs
BEHIND_EVENTS = 5000  # a viewer that is further behind goes on with the newest event
CATCHING_UP_EVENTS = 500  # of the past, encoded at a time for a viewer that has come just now
CATCHING_UP_S = 0.01  # between two such pieces, for the host


class Batch(NamedTuple):
    """Events `first` to `last`, as they are sent."""

    first: int
    last: int
    message: bytes


class Viewer:
    """What one viewer has been sent: the events up to `position`, and the state of version `state`.

    `catching_up`: it has come just now, and reads what happened before.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.state = 0
        self.catching_up = True


class Feed:
    """The events of one recorder, for any number of viewers."""

    def __init__(self, recorder: stack.Recorder, host_name: str) -> None:
        self.viewers: list[Viewer] = []
        self.state = State(self.wake, self.viewers)
        self._recorder = recorder
        self._host_name = host_name
        self._batches: deque[Batch] = deque()
        self._encoded = 0  # the number of the last event that is in a batch, or was left out
        self._news = trio.Event()  # for the feed: an event was told, or a viewer came
        self._waiting = trio.lowlevel.ParkingLot()  # viewers that have read everything

    # --- the one task that encodes

    async def run(self, host: stack.Host) -> None:
        """Make the batches, until cancelled."""
        while True:
            await self._next_news()
            if not self.viewers:
                continue
            with host.watch(self._notice):
                while self.viewers:
                    if self.encode():
                        await trio.sleep(BATCH_S)
                    else:
                        await self._next_news()
            self._batches.clear()
            self.state.forget()

    async def _next_news(self) -> None:
        await self._news.wait()
        self._news = trio.Event()

    def _notice(self, event: stack.Event) -> None:
        self._news.set()

    def encode(self) -> bool:
        """Encode the next batch, if there are events, and wake the viewers. Returns whether there were."""
        newest = self._recorder.numbers()[1]
        if newest - self._encoded > BEHIND_EVENTS:
            self._encoded = newest
        events = self._recorder.since(self._encoded, BATCH_EVENTS)
        if events:
            self._batches.append(self._batch(events))
            self._encoded = newest = events[-1].n
            while newest - self._batches[0].last >= BEHIND_EVENTS:
                self._batches.popleft()
            self.state.move()
        self.wake()
        return bool(events)

    def _batch(self, events: list[stack.Event]) -> Batch:
        data = stack.events_json(events, host=self._host_name)
        return Batch(events[0].n, events[-1].n, message("batch", data, events[-1].n))

    # --- viewers

    @contextmanager
    def viewer(self, after: int) -> Iterator[Viewer]:
        """Add a viewer that has seen the events up to `after`, for the time of the block."""
        if not self.viewers:
            self._batches.clear()
            self._encoded = self._recorder.numbers()[1]
        viewer = Viewer(min(after, self._encoded))
        self.viewers.append(viewer)
        self._news.set()
        self.state.move()
        try:
            yield viewer
        finally:
            self.viewers.remove(viewer)
            self._news.set()

    def wake(self) -> None:
        """Let the viewers that wait look again."""
        self._waiting.unpark_all()

    async def wait(self) -> None:
        """Wait until there may be something new."""
        await self._waiting.park()

    def next_for(self, viewer: Viewer) -> bytes | None:
        """Return the next message for a viewer, and note that it has it. None if there is none now."""
        if viewer.catching_up:
            told = self._past(viewer)
            if told is not None:
                return told
        if viewer.position >= self._encoded:
            return self.state.since(viewer)
        if self._encoded - viewer.position > BEHIND_EVENTS:
            return self._skip(viewer, self._encoded)
        place = self._place(viewer.position)
        if place == len(self._batches):
            return self._skip(viewer, self._encoded)
        batch = self._batches[place]
        if batch.first > viewer.position + 1:
            return self._skip(viewer, batch.first - 1)
        viewer.position = batch.last
        return batch.message

    def _past(self, viewer: Viewer) -> bytes | None:
        """Return a piece of what happened before; None when the batches have all the rest.

        A viewer is left to the batches when it is close behind and at the beginning of one: while it
        reads the past, the oldest of them go.
        """
        left = limit = self._encoded - viewer.position
        place = self._place(viewer.position)
        if place < len(self._batches):
            batch = self._batches[place]
            if batch.first <= viewer.position + 1:
                limit = batch.last - viewer.position
            if batch.first == viewer.position + 1 and left <= BEHIND_EVENTS // 2:
                left = 0
        if left == 0:
            viewer.catching_up = False
            return None
        events = self._recorder.since(viewer.position, min(CATCHING_UP_EVENTS, limit))
        first = events[0].n if events else self._encoded + 1
        if first > viewer.position + 1:
            return self._skip(viewer, min(first - 1, self._encoded))
        piece = self._batch(events)
        viewer.position = piece.last
        return piece.message

    def _place(self, position: int) -> int:
        """Where the first batch with an event behind `position` is."""
        return bisect_left(self._batches, position + 1, key=lambda batch: batch.last)

    def _skip(self, viewer: Viewer, to: int) -> bytes:
        lost = viewer.position + 1, to
        viewer.position = to
        return message("gap", b'{"lost":[%d,%d]}' % lost, to)


def message(name: str, data: bytes, number: int | None = None) -> bytes:
    """Return one server-sent event. `data` is JSON, so it has no line breaks.

    See the HTML standard, section "Server-sent events". `number` is what the browser sends as
    Last-Event-ID when it connects again.
    """
    place = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (place, name.encode(), data)
