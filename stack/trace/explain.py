"""An event in words, for people: one line, with the reason and its clauses."""

from __future__ import annotations

from stack.trace.event import Event
from stack.trace.reasons import REASONS

FOR_PROGRAMS = frozenset({"wire:frame", "host:done", "tcp:delta", "dhcp:drop"})
"""Events without a line.

A frame has lines of its own (`stack.show`), and a "dhcp:drop" is a "host:drop", too.
"""

OWN = ("own",)


def explain(event: Event) -> str:
    """One line that says what has happened and why, without the time and the connection.

    It ends with the clauses of the RFCs, or with "our choice". The line is empty for events that
    say nothing more to people: frames (see `stack.show`), new values of variables, timers that are
    set or cleared.
    """
    name, data, why = event.name, event.data, event.why
    if name in FOR_PROGRAMS or (name == "tcp:timer" and data.get("action") in ("set", "cleared")):
        return ""
    if name == "host:drop":
        return f"dropped: {data.get('reason')}: {data.get('meaning')}{clauses(why)}"
    if name == "tcp:open":
        return f"{data.get('local')} - {data.get('remote')}"
    reason = REASONS.get(str(data.get("because")))
    told = " ".join([name.partition(":")[2], *(word(key, value) for key, value in data.items() if key != "because")])
    if reason is not None:
        return f"{told}: {reason.sentence}{clauses(why)}"
    return told if why == OWN else told + clauses(why)


def clauses(why: tuple[str, ...]) -> str:
    """The clauses in brackets, for the end of a line."""
    return " (our choice)" if why == OWN else f" ({', '.join(why)})"


def word(key: str, value: object) -> str:
    """A fact of an event: `srtt_s`, in seconds, as "srtt=1.25ms", others as "cwnd=14480"."""
    if key.endswith("_s") and isinstance(value, int | float):
        key = key.removesuffix("_s")
        return f"{key}={value:.6g}s" if value >= 1 or value == 0 else f"{key}={1000 * value:.6g}ms"
    return f"{key}={value:.6g}" if isinstance(value, float) else f"{key}={value}"
