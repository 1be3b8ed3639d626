"""The hook for an observer of a host: a student's program, a debugger, `tapstack up --trace`.

Without an observer each event costs one comparison with None.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction, signature
from traceback import format_exception
from typing import Protocol

from stack.link.device import Link, Offload
from stack.wire.checksum import Buffer


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
        """Something has happened to a connection or an interface.

        `subject` is a connection ("10.9.0.2:7 - 10.9.0.1:40000") or an interface ("tap0"). `name`
        is the event: "state", "retransmit", "dhcp_bound", ... `details` are numbers and text by
        name. Names that end in "_s" are times in seconds. Sizes and windows are in octets.
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
        self._report(f"{trace!r} has raised, and is not called again:\n{''.join(format_exception(error))}")


class TracedLink:
    """A link that reports the frames written to it.

    The host itself reports the frames that come in.
    """

    def __init__(self, link: Link, trace: Trace) -> None:
        self._link = link
        self._trace = trace
        self.name: str = link.name
        self.mtu: int = link.mtu
        self.mac: bytes | None = link.mac
        self.ip_offset: int = link.ip_offset
        self.offload: Offload = link.offload

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        """Report the frame, then send it."""
        self._trace.frame(now, self.name, "out", b"".join(parts))
        return self._link.write(parts, now, offload)

    def __getattr__(self, name: str) -> object:
        return getattr(self._link, name)
