"""Events that a task can wait for: another host takes or claims an address of ours."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

MOST_EVENTS = 100
"""The most events that wait for a task. If there are more, the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class AddressLost:
    """The station `mac` took our `address` on the link named `interface`; the host gave it up."""

    address: str
    interface: str
    mac: str


@dataclass(frozen=True, slots=True)
class AddressClaimed:
    """The station `mac` claims our `address` on the link named `interface`; the host keeps it."""

    address: str
    interface: str
    mac: str


N = TypeVar("N")


class EventQueue(Generic[N]):
    """Events for waiting tasks. Each event is given to one task."""

    def __init__(self, check: Callable[[], object]) -> None:
        self._check = check  # raises when the host has ended
        self._events: deque[N] = deque(maxlen=MOST_EVENTS)
        self._arrived = trio.Event()

    def close(self) -> None:
        """No more events will come: wake the waiting tasks, whose `check` raises."""
        self._arrived.set()

    def put(self, event: N) -> None:
        """Add an event."""
        self._events.append(event)
        self._arrived.set()
        self._arrived = trio.Event()

    async def wait(self) -> N:
        """Wait for the oldest event that no task has taken yet."""
        while not self._events:
            self._check()
            await self._arrived.wait()
        return self._events.popleft()
