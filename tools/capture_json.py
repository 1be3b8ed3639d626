"""`tapstack explain --json`: frames, connections and segments as JSON, one object a line (JSON Lines).

Each object has a "type". Octets are text in hexadecimal. All other characters than ASCII are escaped,
so that the text of a frame cannot do harm on a terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import stack

from .ladder import FLAGS, state_name

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True)


def encode(told: dict[str, object]) -> str:
    """Return an object as one line of printable ASCII. JSON itself would leave the character DEL as it is."""
    return _ENCODER.encode(told).replace("\x7f", "\\u007f")


def frame_line(frame: stack.CapturedFrame, layers: tuple[stack.Layer, ...]) -> str:
    """Return the object "frame": what the file says of it, and its layers with their fields."""
    told = {
        "type": "frame",
        "number": frame.number,
        "time_ns": frame.time_ns,
        "length": frame.length,
        "captured": len(frame.octets),
        "link": frame.link,
        "interface": frame.interface,
        "direction": frame.direction,
        "comments": list(frame.comments),
        "layers": [layer_object(layer) for layer in layers],
    }
    return encode(told)


def layer_object(layer: stack.Layer) -> dict[str, object]:
    """Return a layer: its place in the frame in octets, its line of `stack.show`, its fields."""
    return {
        "name": layer.name,
        "rfc": layer.rfc,
        "offset": layer.offset,
        "length": len(layer.octets),
        "depth": layer.depth,
        "error": layer.error,
        "line": layer.line,
        "fields": [
            {
                "name": field.name,
                "bit": field.bit,
                "width": field.width,
                "value": field.value.hex() if isinstance(field.value, bytes) else field.value,
                "words": field.words,
            }
            for field in layer.fields
        ],
    }


def connection_lines(connection: stack.SeenConnection) -> Iterator[str]:
    """Yield the object "connection", and an object "segment" for each segment that is kept."""
    yield encode(
        {
            "type": "connection",
            "number": connection.number,
            "ends": [end_object(end) for end in connection.ends],
            "began": connection.began,
            "first_frame": connection.first_number,
            "last_frame": connection.last_number,
            "first_time_ns": connection.first_time_ns,
            "last_time_ns": connection.last_time_ns,
            "rtt_ns": connection.rtt_ns,
            "segments": len(connection.segments),
            "left_out": connection.left_out,
            "counts": connection.counts,
            "marks": [mark_object(mark) for mark in connection.marks],
        }
    )
    for segment in connection.segments:
        yield encode(segment_object(connection, segment))


def end_object(end: stack.SeenEnd) -> dict[str, object]:
    """Return one end of a connection."""
    return {
        "address": end.address,
        "port": end.port,
        "state": state_or_none(end.state),
        "iss": end.iss,
        "mss": end.mss,
        "scale": end.scale,
        "octets": end.octets,
    }


def segment_object(connection: stack.SeenConnection, segment: stack.SeenSegment) -> dict[str, object]:
    """Return a segment: its numbers, the inferred states after it, and what is said of it."""
    return {
        "type": "segment",
        "connection": connection.number,
        "frame": segment.number,
        "time_ns": segment.time_ns,
        "end": segment.end,
        "flags": [name for bit, name in FLAGS if segment.flags & bit],
        "seq": segment.seq,
        "ack": segment.ack,
        "relative_seq": connection.relative_seq(segment),
        "relative_ack": connection.relative_ack(segment),
        "window_field": segment.window,
        "window": connection.window(segment),
        "length": segment.length,
        "states": [state_or_none(state) for state in segment.states],
        "changes": [
            {
                "end": change.end,
                "before": state_or_none(change.before),
                "event": change.event.name,
                "after": state_or_none(change.after),
                "because": change.because,
                "clauses": list(change.clauses),
            }
            for change in segment.changes
        ],
        "marks": [mark_object(mark) for mark in segment.marks],
        "acknowledges": segment.acknowledges,
        "rtt_ns": segment.rtt_ns,
    }


def mark_object(mark: stack.Mark) -> dict[str, object]:
    """Return a mark; `certain` tells a fact from a guess, whose rule is given."""
    return {
        "name": mark.name,
        "sentence": mark.sentence,
        "certain": mark.certain,
        "rule": mark.rule,
        "clauses": list(mark.clauses),
        "number": mark.number,
        "frame": mark.frame,
    }


def state_or_none(state: object) -> str | None:
    """Return the name of a state, None if nothing has shown it."""
    return None if state is None else state_name(state)
