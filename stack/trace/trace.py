"""Numbers the events of a host, and passes them on to its observers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from operator import eq, is_
from traceback import format_exception
from types import FunctionType, MethodType
from typing import Any, NamedTuple, Protocol

from stack.counters import DROPS, MIB
from stack.trace.drops import NOT_THE_FRAME
from stack.trace.event import Event, Observer
from stack.trace.recorder import COUNTED_AT_ONCE, LONG_FRAME, keeper
from stack.trace.why import WHY

LINK = ("ip", "ethernet")
Report = Callable[[str], None]
_new = tuple.__new__  # of an Event: a third of the time of a call of the class


class Entry(NamedTuple):
    """An observer that has been added: see `Trace.add`."""

    observer: Observer
    report: Report | None
    values: bool


class Time(Protocol):
    """What knows the time of the frame, call or timer in progress."""

    now: float


class At:
    """A time that stands still."""

    def __init__(self, now: float) -> None:
        self.now = now


NO_TIME = At(0.0)
"""Before the host begins."""


class Trace:
    """The events of one host.

    Arguments:
      clock: returns the time of the telling (`Event.at`). Without it, that is the host's time.
      switched: called with True when the first observer has come, and with False when the last one
        has gone.

    `on` says whether there are observers. Call `tell` only if it is set. `values` says whether one
    of them wants the values of variables. `time` has the host's time as its attribute `now`.
    """

    def __init__(
        self,
        clock: Callable[[], float] | None,
        switched: Callable[[bool], None],
    ) -> None:
        self.on = False
        self.values = False
        self.cause = "call"
        self.frame = 0
        self.time: Time = NO_TIME
        self._clock = clock
        self._switched = switched
        self._added: tuple[Entry, ...] = ()
        # The same, each observer once, with what is called; first those that only keep events
        self._keepers: tuple[Callable[[tuple[Any, ...]], None], ...] = ()
        self._count: tuple[tuple[Callable[[], None], Entry], ...] = ()
        self._observers: tuple[tuple[Observer, Entry], ...] = ()
        self._n = 0
        self._in_progress = False  # a frame
        self._interface = "host"  # of the frame in progress
        self._verdict = ""  # what became of it so far
        self._reason = ""
        self._to = ""
        self._dropped: set[int] = set()  # frames of this batch

    # --- observers

    def add(self, observer: Observer, report: Report | None, values: bool = True) -> None:
        """Tell `observer` of everything from now on. Call this between batches.

        Without `values` it can do without new values of variables, and timers that are set or
        cleared. They take much of the time, and are told only if another observer wants them.

        If it raises, it is removed, and `report` is called with the traceback. Without a `report`
        the exception propagates. One that is added twice is told of each event once, until it is
        removed twice.
        """
        self._set((*self._added, Entry(observer, report, values)))
        if not self.on:
            self.on = True
            self._switched(True)

    def remove(self, observer: Observer) -> None:
        """Tell `observer` no more.

        If it was the last one, the host is switched back at the end of the batch.
        """
        for same in (is_, eq):  # a method is another object, an equal one, each time that it is named
            for position, entry in enumerate(self._added):
                if same(entry.observer, observer):
                    self._set(self._added[:position] + self._added[position + 1 :])
                    return

    def _set(self, added: tuple[Entry, ...]) -> None:
        self._added = added
        self.values = any(entry.values for entry in added)
        observers, keepers, count = [], [], []
        for entry in {id(each.observer): each for each in added}.values():
            kept = keeper(entry.observer)
            if kept is None:
                observers.append((_call(entry.observer), entry))
            else:
                keepers.append(kept[0])
                count.append((kept[1], entry))
        self._observers, self._keepers, self._count = tuple(observers), tuple(keepers), tuple(count)

    def tell(self, name: str, group: str = "host", because: str = "", /, **data: object) -> None:
        """Tell of an event: see `Event`."""
        if because:
            data["because"] = because
        self.event(name, group, WHY[because or name], data)

    def event(self, name: str, group: str, why: tuple[str, ...], data: dict[str, object]) -> None:
        """The same, with its clauses, and `data` that belongs to the event from now on."""
        self._n = n = self._n + 1
        now = self.time.now
        clock = self._clock
        told = (n, now, now if clock is None else clock(), name, group, self.frame, self.cause, data, why)
        if self._keepers:
            for keep in self._keepers:
                keep(told)
            if not n % COUNTED_AT_ONCE:
                self._count_kept()
        if self._observers:
            event = _new(Event, told)
            for call, entry in self._observers:
                try:
                    call(event)
                except Exception as error:
                    self._failed(entry, error)

    def _count_kept(self) -> None:
        """Have the recorders count what they have kept, so that it is bounded."""
        for count, entry in self._count:
            try:
                count()
            except Exception as error:
                self._failed(entry, error)

    def _failed(self, entry: Entry, error: Exception) -> None:
        """An observer has raised."""
        observer, report, _ = entry
        if report is None:
            raise error
        self._set(tuple(each for each in self._added if each.observer is not observer))
        with suppress(Exception):  # if the report raises too, that costs no packet either
            told = "".join(format_exception(error))
            report(f"{_name(observer)} has raised, and is not called again:\n{told}")

    def at(self) -> float:
        """The time of the telling: see `Event.at`."""
        return self.time.now if self._clock is None else self._clock()

    # --- frames

    def frame_in(self, interface: str, ip_offset: int, frame: bytes) -> None:
        """A frame comes in: it is in progress until the next one, or until `frame_done`.

        On a link without Ethernet (`ip_offset` is 0) it is an IP packet; the loopback is "lo".
        """
        if self._in_progress:
            self.frame_done()
        self._in_progress, self._interface = True, interface
        self.cause, self._verdict, self._reason, self._to = "frame", "", "", ""
        self.frame = self._n + 1
        data: dict[str, object] = {"dir": "in", "link": LINK[ip_offset > 0], "len": len(frame), "octets": frame}
        self.event("wire:frame", interface, WHY["wire:frame"], data)
        if len(frame) > LONG_FRAME:
            self._count_kept()

    def frame_out(self, interface: str, ip_offset: int, frame: bytes, offloaded: bool) -> int:
        """A frame goes out. If it is `offloaded`, the link completes its checksum.

        Returns the serial number of the event.
        """
        self.verdict("answered")
        data: dict[str, object] = {"dir": "out", "link": LINK[ip_offset > 0], "len": len(frame)}
        data["offloaded"], data["octets"] = offloaded, frame
        self.event("wire:frame", interface, WHY["wire:frame"], data)
        if len(frame) > LONG_FRAME:
            self._count_kept()
        return self._n

    def fate(self, interface: str, now: float, frame: int, because: str, data: dict[str, object]) -> None:
        """Tell what a bad wire does to a frame at `now`.

        `frame` is the serial number of the event of a frame that goes out. It is 0 for one that
        comes in: the host has not seen it yet, and may never see it.
        """
        before = self.time, self.frame, self.cause
        self.time, self.frame = At(now), frame
        if not frame:
            self.cause = "frame"
        try:
            self.tell("wire:fate", interface, because, **data)
        finally:
            self.time, self.frame, self.cause = before

    def verdict(self, what: str, to: str = "") -> None:
        """Note what became of the frame in progress; the first word counts.

        `to` says to whom it was delivered: a connection ("c7"), a socket, or a ping.
        """
        if not self._verdict:
            self._verdict, self._to = what, to

    def frame_done(self) -> None:
        """No more frames come before the end of the batch. What they cause may still be sent."""
        if not self._in_progress:
            return
        told: dict[str, object] = {"verdict": self._verdict or "taken"}
        if self._reason:
            told["reason"] = self._reason
        elif self._to:
            told["to"] = self._to
        self.event("host:done", self._interface, WHY["host:done"], told)
        self._in_progress, self._interface = False, "host"

    @property
    def was_dropped(self) -> bool:
        """Whether the frame that is the cause now was dropped."""
        return self.frame in self._dropped

    def drop(self, reason: str) -> None:
        """Tell of a drop that has been counted under `reason`."""
        if reason not in NOT_THE_FRAME and self._in_progress:
            self._dropped.add(self.frame)
            self._verdict, self._reason, self._to = "dropped", self._reason or reason, ""
        meaning = DROPS.get(reason) or MIB[reason]
        data: dict[str, object] = {"reason": reason, "meaning": meaning, "layer": reason.partition("_")[0]}
        self.event("host:drop", self._interface, WHY[reason], data)

    # --- causes

    def timer(self) -> None:
        """What follows is caused by deadlines that have come."""
        self.cause, self.frame = "timer", 0

    def because_of(self, frame: int) -> None:
        """What follows is caused by the frame with this serial number."""
        self.cause, self.frame = "frame", frame

    def batch_end(self) -> None:
        """The batch is over: what follows is caused by calls of the program."""
        self.cause, self.frame = "call", 0
        self._dropped.clear()
        if self.on and not self._added:
            self.on = False
            self._switched(False)


def _call(observer: Observer) -> Observer:
    """What to call. A method of Python code is called faster than the object that has it."""
    function = type(observer).__call__
    return MethodType(function, observer) if isinstance(function, FunctionType) else observer


def _name(observer: Observer) -> str:
    try:
        return repr(observer)
    except Exception:  # an observer that raises may raise here, too
        return f"an observer ({type(observer).__name__})"


UNWATCHED = Trace(None, lambda watched: None)
"""The trace of a part that is made without a host: it has no observers."""
