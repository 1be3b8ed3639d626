"""Draws a capture as text: a summary, and a ladder of the segments of each connection.

     frame       time 10.9.0.1:53316                                      10.9.0.2:7
         5   2.856305 SYN-SENT    |-- SYN seq 0 win 64240 ------------>|SYN-RECEIVED

On each rail stands the state of that end, where it changes. A state is always inferred.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import stack

from .printer import clean, utc, wrapped
from .seen import Other, Seen

FLAGS = (
    (0x01, "FIN"),
    (0x02, "SYN"),
    (0x04, "RST"),
    (0x08, "PSH"),
    (0x10, "ACK"),
    (0x20, "URG"),
    (0x40, "ECE"),
    (0x80, "CWR"),
)
ACK = 0x10
NUMBER, TIME, STATE = 6, 10, 12  # the widths of the columns
MOST_CONVERSATIONS = 20  # over UDP, in the summary
NOTES = " " * (NUMBER + TIME + 2)
UNTOLD = frozenset({"new"})  # marks without a line: that a segment is new is what a reader expects
ONCE = frozenset({"partial_checksum", "super_frame"})  # marks that are told once for each connection
LEGEND = (
    "Numbers count from the SYN of each end, times from the first frame. A window is in octets. States are inferred"
    ' from the segments. A "fact" follows from the captured octets, a "guess" names its rule, a "comment" stands in the'
    " file (--comments: all)."
)


# --- the summary


def summary(seen: Seen, name: str, width: int) -> Iterator[str]:
    """Yield what there is in the capture: the time, the connections, the other frames."""
    if not seen.frames:
        yield f"{clean(name)}: no frames"
        return
    links = ", ".join(seen.links)
    yield from wrapped(
        f"{clean(name)}: {count(seen.frames, 'frame')} in {seconds(seen.last_ns - seen.first_ns)},"
        f" from {utc(seen.first_ns, 6)}{f' ({links})' if links else ''}",
        width,
    )
    for kind, number in sorted(seen.skipped.items()):
        yield from wrapped(f"{count(number, 'more frame')} of link type {kind}, which is not known here", width)
    for connection in seen.connections:
        yield from in_summary(connection, width)
    if seen.left_out:
        yield f"and {count(seen.left_out, 'more connection')}, which are not kept"
    yield from datagrams(seen, width)
    if seen.protocols:
        told = ", ".join(f"{number} {clean(protocol)}" for protocol, number in seen.protocols.most_common())
        yield from wrapped(told, width, "other frames: ")
    if seen.connections:
        yield from wrapped(LEGEND, width)


def datagrams(seen: Seen, width: int) -> Iterator[str]:
    """Yield the conversations over UDP that have the most datagrams."""
    for (first, second), number in seen.conversations.most_common(MOST_CONVERSATIONS):
        yield from wrapped(f"{first} > {second}, {count(number, 'datagram')}", width, " UDP  ")
    left = len(seen.conversations) - MOST_CONVERSATIONS
    if left > 0:
        yield f"      and {count(left, 'more conversation')} over UDP"


def in_summary(connection: stack.SeenConnection, width: int) -> Iterator[str]:
    """Yield two lines or more about a connection."""
    first, second = connection.ends
    sockets = f"{socket(first)} {'>' if connection.began else '-'} {socket(second)}"
    yield from wrapped(sockets, width, f"{connection.number:>4}  ")
    segments = len(connection.segments) + connection.left_out
    told = [
        f"{count(segments, 'segment')} in {seconds(connection.last_time_ns - connection.first_time_ns)}",
        f"{count(first.octets, 'octet')} there, {second.octets} back",
    ]
    if connection.rtt_ns is not None:
        told.append(f"round trip {seconds(connection.rtt_ns)}")
    told.append(f"at the end {state_name(connection.states[0])} and {state_name(connection.states[1])}")
    yield from wrapped(", ".join(told), width, " " * 6)
    marks = [f"{number} {name.replace('_', ' ')}" for name, number in connection.counts.items() if name not in UNTOLD]
    if marks:
        yield from wrapped(", ".join(marks), width, " " * 6)
    for mark in connection.marks:
        yield from wrapped(mark.sentence, width, " " * 6)


# --- the ladder


def ladder(connection: stack.SeenConnection, seen: Seen, width: int) -> Iterator[str]:
    """Yield the ladder of a connection: a line for each segment, and under it what is said of it."""
    left, right = (socket(end) for end in connection.ends)
    yield f"connection {connection.number}"
    room = width - len(NOTES) - len(left)
    if len(right) < room:
        yield f"{'frame':>{NUMBER}} {'time':>{TIME}} {left}{right:>{room}}"
    else:  # two addresses of IPv6
        yield from wrapped(f"{left} (left)", width, NOTES)
        yield from wrapped(f"{right} (right)", width, NOTES)
    shown: list[object] = [None, None]
    told: set[str] = set()
    for segment in connection.segments:
        yield from row(connection, segment, seen, shown, told, width)
    if connection.left_out:
        yield from wrapped(f"and {count(connection.left_out, 'more segment')}, which were not kept", width, NOTES)


def row(
    connection: stack.SeenConnection,
    segment: stack.SeenSegment,
    seen: Seen,
    shown: list[object],
    told: set[str],
    width: int,
) -> Iterator[str]:
    """Yield the lines of one segment. `shown` has the states on the rails, `told` the marks and rules told before."""
    names = []
    for end in (0, 1):
        state = segment.states[end]
        names.append("" if state is shown[end] else state_name(state))
        shown[end] = state
    wide = width - len(NOTES) - STATE - 2 - STATE
    parts = words_of(connection, segment)
    fitting, words = len(parts), " ".join(parts)
    while len(words) > wide - 6 and fitting > 1:
        fitting -= 1
        words = " ".join(parts[:fitting])
    drawn = arrow(words, wide, to_the_right=segment.end == 0)
    time = seen.seconds(segment.time_ns)
    yield f"{segment.number:>{NUMBER}} {time:>{TIME}} {names[0]:<{STATE}}|{drawn}|{names[1]}".rstrip()
    kept = seen.kept.get(segment.number)
    about = " ".join(parts[fitting:])
    if kept is not None and kept.line:
        about = f"{about}; {kept.line}" if about else kept.line
    if about and segment.length:
        room = width - len(NOTES)
        yield NOTES + (about if len(about) <= room else about[: room - 3] + "...")
    elif about:
        yield from wrapped(about, width, NOTES)
    for change in segment.changes:
        side = "left" if change.end == 0 else "right"
        text = f"{side} end {state_name(change.after)}: {change.because}{in_brackets(change.clauses)}"
        yield from wrapped(text, width, f"{NOTES}state   ", f"{NOTES}        ")
    for mark in segment.marks:
        yield from mark_lines(mark, told, width)
    if kept is not None:
        for comment in kept.comments:
            yield from wrapped(comment, width, f"{NOTES}comment ", f"{NOTES}        ")


def mark_lines(mark: stack.Mark, told: set[str], width: int) -> Iterator[str]:
    """Yield the sentence of a mark, as a fact or as a guess with its rule (the rule once for each connection)."""
    if mark.name in UNTOLD or (mark.name in ONCE and mark.name in told):
        return
    label = "fact    " if mark.certain else "guess   "
    yield from wrapped(f"{mark.sentence}{in_brackets(mark.clauses)}", width, NOTES + label, f"{NOTES}        ")
    if mark.rule and mark.rule not in told:
        yield from wrapped(f"Rule: {mark.rule}", width, f"{NOTES}        ")
    told.update((mark.name, mark.rule))


def words_of(connection: stack.SeenConnection, segment: stack.SeenSegment) -> list[str]:
    """Return what stands on the arrow: flags, relative numbers, length, window, SACK blocks."""
    flags = segment.flags
    parts = [names_of(flags), f"seq {connection.relative_seq(segment)}"]
    if segment.length:
        parts.append(f"len {segment.length}")
    if flags & ACK:
        parts.append(f"ack {connection.relative_ack(segment)}")
    window = connection.window(segment) if segment.window else 0
    parts.append(f"win {segment.window} (its scale is not known)" if window is None else f"win {window}")
    if blocks := connection.relative_sack(segment):
        parts.append(f"SACK {' '.join(f'{left}:{right}' for left, right in blocks)}")
    return parts


@lru_cache
def names_of(flags: int) -> str:
    """Return the names of the control bits that are set."""
    return ",".join(name for bit, name in FLAGS if flags & bit) or "no flags"


def arrow(text: str, wide: int, *, to_the_right: bool) -> str:
    """Return an arrow with a text on it, `wide` characters long."""
    if to_the_right:
        return f"-- {text} ".ljust(wide - 1, "-") + ">"
    return f"<-- {text} ".ljust(wide, "-")


# --- the other frames


def others(seen: Seen, width: int) -> Iterator[str]:
    """Yield the frames that are not TCP, in order."""
    if not seen.others:
        return
    yield ""
    yield "other frames" if seen.connections else "frames"
    for other in seen.others:
        yield from other_lines(other, seen, width)
    left = sum(seen.protocols.values()) - len(seen.others)
    if left:
        yield f"and {count(left, 'more frame')}"


def other_lines(other: Other, seen: Seen, width: int) -> Iterator[str]:
    """Yield the lines of `stack.show` for a frame, and its comments."""
    head = f"{other.number:>{NUMBER}} {seen.seconds(other.time_ns):>{TIME}} "
    for line in other.lines or ("(no octets)",):
        indent = len(line) - len(line.lstrip(" "))
        yield from wrapped(line, width, head, NOTES + " " * (indent + 2))
        head = NOTES
    for comment in other.comments:
        yield from wrapped(comment, width, f"{NOTES}comment ", f"{NOTES}        ")


# --- words


def in_brackets(clauses: tuple[str, ...]) -> str:
    """Return the clauses of the RFCs for the end of a sentence."""
    return f" ({', '.join(clauses)})" if clauses else ""


def count(number: int, unit: str) -> str:
    """Return "1 frame" or "2 frames"."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def seconds(time_ns: int) -> str:
    """Return a time as text, in milliseconds below a second."""
    return f"{time_ns / 1e6:.3f} ms" if abs(time_ns) < 1_000_000_000 else f"{time_ns / 1e9:.3f} s"


def socket(end: stack.SeenEnd) -> str:
    """Return the address and port of an end."""
    address = end.address
    return f"[{address}]:{end.port}" if ":" in address else f"{address}:{end.port}"


def state_name(state: object) -> str:
    """Return the name of a state as the RFC writes it; "?" if nothing has shown it."""
    return "?" if state is None else str(getattr(state, "name", state)).replace("_", "-")
