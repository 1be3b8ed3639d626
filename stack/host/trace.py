"""The hook for an observer of a host: a student's program, a debugger, `tapstack up --trace`.

Without an observer each event costs one comparison with None, and a drop costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from inspect import iscoroutinefunction, signature
from traceback import format_exception
from typing import Protocol

from stack.counters import DROPS, MIB


class Trace(Protocol):
    """An observer: an object with these two methods, to be passed to `open_host(trace=...)`.

    The host calls the methods while it works on a frame. So they must return soon, and must not
    wait or call the host.

    >>> class Printer:
    ...     def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
    ...         print(direction, *stack.show(frame), sep="\\n  ")
    ...     def event(
    ...         self, now: float, name: str, subject: str, details: dict[str, object]
    ...     ) -> None:
    ...         print(subject, name, details)

    If an observer raises, it is not called again. The traceback goes to `report`, or becomes a
    RuntimeWarning if the host has no `report`. With `raise_errors` the exception propagates.
    """

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
        """A whole frame comes in or goes out by the link called `interface`.

        `direction` is "in" or "out". `now` is in seconds, on the host's clock.
        """

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        """Something has happened to a connection, to an interface or to a frame.

        `subject` is a connection ("10.9.0.2:7 - 10.9.0.1:40000"), an interface ("tap0") or "host".
        `name` is the event: "state", "retransmit", "dhcp_bound", ... `details` are numbers and text
        by name. Names that end in "_s" are times in seconds. Sizes and windows are in octets.

        The event "drop" says that the host drops a packet. Its details are:
          reason: a key of `stack.counters.DROPS`, or the MIB counter "ifOutDiscards" or
            "icmpOutErrors", which count packets of our own.
          meaning: the sentence that explains the reason.
          frame: the number of the frame that the host works on. It counts the calls of `frame` with
            the direction "in", from 1, and `subject` is the interface of that frame. 0: the host
            works on no frame but for example on a timer or a user's call; `subject` is "host".
        """


CALLS: dict[str, tuple[object, ...]] = {"frame": (0.0, "tap0", "in", b""), "event": (0.0, "state", "tap0", {})}
"""The methods of a `Trace`, each with arguments that it must accept."""
WHAT_TO_PASS = (
    "trace is an object with the methods frame(now, interface, direction, frame)"
    " and event(now, name, subject, details): see stack.Trace"
)


def check_trace(trace: object) -> None:
    """Raise TypeError if `trace` is not a `Trace`.

    It may be a function or a class, or its methods may have other arguments. The message says what
    to pass.
    """
    if isinstance(trace, type):
        raise TypeError(f"{trace.__name__} is a class: make one, {trace.__name__}(...); {WHAT_TO_PASS}")
    for name, arguments in CALLS.items():
        method = getattr(trace, name, None)
        if not callable(method):
            raise TypeError(f"{trace!r} has no method {name}: {WHAT_TO_PASS}")
        if iscoroutinefunction(method):
            raise TypeError(f"{name} of {trace!r} is `async`, and the host does not wait for it: {WHAT_TO_PASS}")
        try:
            signature(method).bind(*arguments)
        except ValueError:
            continue  # written in C, without a signature
        except TypeError as error:
            raise TypeError(f"{name} of {trace!r} takes other arguments ({error}): {WHAT_TO_PASS}") from None


class GuardedTrace:
    """Passes events on to a `Trace` until it raises.

    Then `report(text)` is called with the traceback, once.
    """

    def __init__(self, trace: Trace, report: Callable[[str], None]) -> None:
        self._trace: Trace | None = trace
        self._report = report

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
        """See `Trace.frame`."""
        if self._trace is not None:
            try:
                self._trace.frame(now, interface, direction, frame)
            except Exception as error:
                self._end(error)

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        """See `Trace.event`."""
        if self._trace is not None:
            try:
                self._trace.event(now, name, subject, details)
            except Exception as error:
                self._end(error)

    def _end(self, error: Exception) -> None:
        trace, self._trace = self._trace, None
        with suppress(Exception):  # if the report raises too, that costs no packet either
            self._report(f"{trace!r} has raised, and is not called again:\n{''.join(format_exception(error))}")


class DropTrace:
    """Passes events on to a `Trace`, and tells it of drops, each with its frame.

    `clock()` is the time of the frame, call or deadline in progress.
    """

    def __init__(self, trace: Trace, clock: Callable[[], float]) -> None:
        self._trace = trace
        self._clock = clock
        self._frames = 0  # that have come in
        self._interface: str | None = None  # of the frame in progress

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
        """See `Trace.frame`. A frame that comes in is in progress until `batch_end`."""
        if direction == "in":
            self._frames += 1
            self._interface = interface
        self._trace.frame(now, interface, direction, frame)

    def batch_end(self) -> None:
        """All frames of the batch have been processed."""
        self._interface = None

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        """See `Trace.event`."""
        self._trace.event(now, name, subject, details)

    def drop(self, reason: str) -> None:
        """Tell of a drop that has been counted under `reason`."""
        frame = 0 if self._interface is None else self._frames
        details: dict[str, object] = {"reason": reason, "meaning": DROPS.get(reason) or MIB[reason], "frame": frame}
        self._trace.event(self._clock(), "drop", self._interface or "host", details)
