"""An event, and what may observe events."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction, signature
from typing import NamedTuple

HEAD_OCTETS = 128
"""How much of a frame is kept or written where its headers are enough."""


class Event(NamedTuple):
    """One thing that has happened in a host.

    Attributes:
      n: the serial number. It counts the events that were told, from 1.
      time: the host's time, in seconds: that of the frame, call or timer in progress. All frames of
        a batch have the same time.
      at: when the event was told, in seconds of the same clock. On a virtual network it is exact.
      name: "tcp:state", "wire:frame", ... `stack.trace.names.NAMES` has a sentence for each.
      group: what it belongs to: a connection ("c7", the seventh that was told of), an
        interface ("tap0"), or "host".
      frame: the serial number of the event "wire:frame" of the frame that the host works on, or
        that caused this; 0 if none did. In a "wire:fate" of a frame that goes out it is the number
        of that frame.
      cause: "frame"; "call", for a call of the program; or "timer".
      data: facts by name: numbers, text, truth values, and octets. Names that end in "_s" are times
        in seconds. Sizes and windows are in octets. "because" is a key of
        `stack.trace.reasons.REASONS`.
      why: the clauses that ask for it, as in the requirement lists ("9293 MUST-58"), or "own" where
        it is our choice.
    """

    n: int
    time: float
    at: float
    name: str
    group: str
    frame: int
    cause: str
    data: dict[str, object]
    why: tuple[str, ...]


Observer = Callable[[Event], object]
"""A function that is called with each event.

It is called while the host works on a frame, so it must return soon. It must not wait, nor call the
host.
"""

WHAT_TO_PASS = "an observer is a function of one event: see stack.Event"


def check_observer(observer: object) -> None:
    """Raise TypeError if `observer` cannot be called with one event.

    The message says what to pass.
    """
    if isinstance(observer, type):
        raise TypeError(f"{observer.__name__} is a class: make one, {observer.__name__}(...); {WHAT_TO_PASS}")
    if not callable(observer):
        raise TypeError(f"{observer!r} cannot be called: {WHAT_TO_PASS}")
    if iscoroutinefunction(observer) or iscoroutinefunction(type(observer).__call__):
        raise TypeError(f"{observer!r} is `async`, and the host does not wait for it: {WHAT_TO_PASS}")
    try:
        signature(observer).bind(None)
    except ValueError:
        return  # written in C, without a signature
    except TypeError as error:
        raise TypeError(f"{observer!r} takes other arguments ({error}): {WHAT_TO_PASS}") from None
