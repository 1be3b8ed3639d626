"""An event in words, for people: one line, with the reason and its clauses."""

from __future__ import annotations

from functools import lru_cache

from stack.trace.event import Event
from stack.trace.names import NAMES
from stack.trace.reasons import REASONS

FOR_PROGRAMS = frozenset({"wire:frame", "host:done", "tcp:delta", "dhcp:drop"})
"""Events without a line.

A frame has lines of its own (`stack.show`), and a "dhcp:drop" is a "host:drop", too.
"""

MAY_SAY_NOTHING = FOR_PROGRAMS | {"tcp:timer", "tcp:ack", "wire:fate", "tcp:blocked"}
"""The events that `_says_nothing` looks at; all others have a line."""

OWN = ("own",)
UNSAID = frozenset({"because", "octets"})  # a reason has its sentence, and octets are not for people
BARE = frozenset({"action", "call", "decision"})  # the value alone says it: "ack later"
WITHOUT_NAME = UNSAID | BARE
NUMBERS = (int, float)  # `int | float` would be made anew each time
RARE = frozenset({"again", "urgent"})  # these are said only where they are so


def explain(event: Event) -> str:
    """One line that says what has happened and why, without the time and the connection.

    It ends with the clauses of the RFCs, or with "our choice". The line is empty for events that
    say nothing more to people: frames (see `stack.show`), new values of variables, timers that are
    set or cleared, a segment that needs no ACK, that there is nothing to send, and the delay of a
    frame that a bad wire delivers.
    """
    name, data = event.name, event.data
    if name in MAY_SAY_NOTHING and _says_nothing(name, data):
        return ""
    if name == "host:drop":
        return f"dropped: {data.get('reason')}: {data.get('meaning')}{clauses(event.why)}"
    if name == "tcp:open":
        told = f"{data.get('local')} - {data.get('remote')}"
    else:
        told = TITLES.get(name) or _title(name)
        for key, value in data.items():
            kind = type(value)
            if kind is int or (kind is str and key not in WITHOUT_NAME):
                told += f" {key}={value}"
            elif isinstance(value, float) and (time := _time(key)):
                told += f" {time}={_span(value)}"
            elif value is not None and key not in UNSAID and (value is not False or key not in RARE):
                told += " " + word(key, value)
    because, why = data.get("because"), event.why
    return told if because is None and why == OWN else told + _ending(because, why)


def _title(name: str) -> str:
    """The words "arp entry"; for TCP, whose connection is named, only "ack"."""
    return name.removeprefix("tcp:").replace(":", " ")


TITLES = {name: _title(name) for name in NAMES}


@lru_cache(maxsize=1024)
def _ending(because: object, why: tuple[str, ...]) -> str:
    """The sentence of the reason, if there is one, and the clauses."""
    if because in REASONS:
        return f": {REASONS[str(because)].sentence}{clauses(why)}"
    return "" if why == OWN else clauses(why)


def _says_nothing(name: str, data: dict[str, object]) -> bool:
    if name == "tcp:timer":
        return data.get("action") in ("set", "cleared")
    if name == "tcp:ack":
        return data.get("decision") == "none"
    if name == "wire:fate":
        return data.get("because") == "wire_delayed"
    return name in FOR_PROGRAMS or not data.get("unsent", True)  # the last one is "tcp:blocked"


def clauses(why: tuple[str, ...]) -> str:
    """The clauses in brackets, for the end of a line."""
    return " (our choice)" if why == OWN else f" ({', '.join(why)})"


def word(key: str, value: object) -> str:
    """A fact of an event: `srtt_s`, in seconds, as "srtt=1.25ms", others as "cwnd=14480"."""
    if value is True:
        return key
    if key in BARE:
        return str(value)
    if isinstance(value, NUMBERS) and (time := _time(key)):
        return f"{time}={_span(value)}"
    return f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"


def _span(seconds: float) -> str:
    return f"{seconds:.6g}s" if seconds >= 1 or seconds == 0 else f"{1000 * seconds:.6g}ms"


@lru_cache(maxsize=256)
def _time(key: str) -> str:
    """The word "srtt" of a time in seconds, `srtt_s`. It is empty if the fact is no time."""
    return key.removesuffix("_s") if key.endswith("_s") else ""
