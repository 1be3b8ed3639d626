"""What observers are told of the connections in a test world: `watch(peer)` gives the log.

A segment of the peer is a frame, and a deadline a timer, as they are in a host.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.tcp.trace import TcpTrace
from stack.trace.event import Event
from stack.trace.trace import Trace

from .world import Peer, Sent


class Kept(list[Sent]):
    """What was sent and not claimed; `all` has what was claimed as well."""

    def __init__(self, sent: list[Sent]) -> None:
        super().__init__(sent)
        self.all: list[Sent] = []

    def append(self, sent: Sent) -> None:
        super().append(sent)
        self.all.append(sent)


class Log:
    """The events since the last look at it, and what was sent since the observer came."""

    def __init__(self, sent: Kept) -> None:
        self.events: list[Event] = []
        self.sent = sent

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def take(self, name: str, **data: object) -> list[Event]:
        """The events of this name with this data; everything is forgotten afterwards."""
        events, self.events = self.events, []
        return [e for e in events if e.name == name and data.items() <= e.data.items()]

    def all(self, name: str) -> list[Event]:
        """The events of this name; nothing is forgotten."""
        return [event for event in self.events if event.name == name]

    def one(self, name: str) -> Event:
        """The only event of this name; nothing is forgotten."""
        [event] = self.all(name)
        return event

    def reasons(self, name: str, **data: object) -> list[object]:
        """The reasons of these events."""
        return [event.data.get("because") for event in self.take(name, **data)]


def watch(peer: Peer, clock: Callable[[], float] | None = None) -> Log:
    """Observe the world of `peer` from now on. `clock` is the time of the telling (`Event.at`)."""
    world = peer.world
    sent = Kept(world.sent)
    world.sent, log = sent, Log(sent)
    trace = world.trace = Trace(clock, lambda on: None)
    trace.time = world
    trace.add(log, None)
    world.services.trace = TcpTrace(trace)
    world.counters.on_drop = trace.drop
    world.prediction = False
    return log


Case = Callable[[], Log]
CASES: dict[str, Case] = {}
"""Each reason, and a function that provokes it: see `ack_decisions.py`."""


def shows(*words: str) -> Callable[[Case], Case]:
    """Mark a case that provokes these reasons."""

    def note(case: Case) -> Case:
        CASES.update(dict.fromkeys(words, case))
        return case

    return note
