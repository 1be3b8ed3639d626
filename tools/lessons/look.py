"""Shows a run in the terminal: as a ladder, as sentences, as events with their reasons, or the fields of a frame."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import stack

from ..drawn_fields import BITS, OCTETS, meaning, octets_of
from ..ladder import ladder, names_of, others, state_name
from ..printer import wrapped
from ..seen import Seen as SeenFrames
from .blocks import Look
from .recording import Recording, Seen, matches, slug

BLANK = "____"
MOST_LINES = 400


def lines(look: Look, recording: Recording, width: int, *, sentences: bool = False) -> Iterator[str]:
    """Yield the lines of what is to be shown, at most `MOST_LINES`. `sentences`: no drawing, for screen readers."""
    host = look.host or recording.hosts[0]
    if look.what == "events":
        made = events(look, recording, width)
    elif look.what == "frame":
        made = frame(look, recording, width)
    elif sentences or look.what == "sentences":
        made = spoken(recording.of(host), width)
    else:
        made = drawn(recording.of(host), width)
    yield from itertools.islice(made, MOST_LINES)


def frames_of(events: list[stack.Event]) -> SeenFrames:
    """Return the frames of one host's events, followed as connections."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.pcapng"
        path.write_bytes(b"".join(stack.capture_of(events)))
        with stack.read_capture(path) as frames:
            return SeenFrames(frames)


def drawn(events: list[stack.Event], width: int) -> Iterator[str]:
    """Yield the ladder of each connection, and the other frames."""
    seen = frames_of(events)
    for connection in seen.connections:
        yield from ladder(connection, seen, width)
    yield from others(seen, width)


def spoken(events: list[stack.Event], width: int) -> Iterator[str]:
    """Yield a sentence for each segment: the same ladder for whoever does not see it."""
    seen = frames_of(events)
    for connection in seen.connections:
        ends = [f"{end.address} port {end.port}" for end in connection.ends]
        yield from wrapped(f"Connection {connection.number}, from {ends[0]} to {ends[1]}.", width)
        shown: list[object] = [None, None]
        for segment in connection.segments:
            at, way = float(seen.seconds(segment.time_ns)), f"from {ends[segment.end]}"
            told = [
                f"Frame {segment.number}, at {at:.3f} seconds, {way}: {names_of(segment.flags).replace(',', ' ')}",
                f"sequence number {connection.relative_seq(segment)}",
            ]
            if segment.length:
                told.append(f"{segment.length} octets of data")
            if segment.flags & 0x10:
                told.append(f"acknowledges up to {connection.relative_ack(segment)}")
            sentence = ", ".join(told) + "."
            for end in (0, 1):
                if segment.states[end] is not shown[end]:
                    sentence += f" {ends[end]} is in {state_name(segment.states[end])}."
                    shown[end] = segment.states[end]
            yield from wrapped(sentence, width)
    yield from others(seen, width)


def events(look: Look, recording: Recording, width: int) -> Iterator[str]:
    """Yield a line for each event that one of the patterns describes, or that has something to say."""
    for seen in recording.events():
        if look.host and seen.host != look.host:
            continue
        if look.patterns and not any(matches(seen, pattern) for pattern in look.patterns):
            continue
        yield from event_lines(seen, width)


def event_lines(seen: Seen, width: int) -> Iterator[str]:
    """Yield an event in words; a frame as `stack.show` has it."""
    head = f"{seen.event.at:9.3f} {seen.host:<8} "
    octets = seen.event.data.get("octets")
    if seen.event.name == "wire:frame" and isinstance(octets, bytes):
        for line in stack.show(octets):
            yield from wrapped(line, width, head)
            head = " " * len(head)
    elif told := stack.explain(seen.event):
        yield from wrapped(told, width, head)


def frame(look: Look, recording: Recording, width: int) -> Iterator[str]:
    """Yield all fields of the first frame that the pattern describes."""
    for seen in recording.all(look.patterns[0])[:1]:
        octets = seen.event.data.get("octets")
        if isinstance(octets, bytes):
            for layer in stack.dissect(octets):
                yield from layer_lines(layer, width)


def layer_lines(layer: stack.Layer, width: int = 100, hidden: str = "") -> Iterator[str]:
    """Yield the fields of a layer. The value of the one that is `hidden` is left blank."""
    yield f"{layer.name}{f' ({layer.rfc})' if layer.rfc else ''}"
    for field in layer.fields:
        last = field.bit + field.width - 1
        bits = f"{field.bit}-{last}" if field.width > 1 else str(field.bit)
        blank = slug(field.name) == hidden
        head = f"{bits:>{BITS}}  {BLANK if blank else octets_of(field):<{OCTETS}}  "
        told = f"{field.name} = {BLANK}" if blank else meaning(field)
        yield from wrapped(told, width, head, " " * (BITS + OCTETS + 4))
