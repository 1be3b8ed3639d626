"""Events as JSON text sequences (RFC 7464), in the envelope of qlog.

A record is a record separator (RS), one JSON object and a line feed. The first record is the header
of the file, the others are events. See RFC 7464 section 2, and draft-ietf-quic-qlog-main-schema
(version 0.3) for "qlog_version", "qlog_format", "trace", and for "time", "name", "data" and
"group_id" of an event. The other fields are ours.

Times ("time", "at") are in milliseconds, as qlog asks; in "data" they are in seconds, and their
names end in "_s".
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Iterable, Iterator
from math import inf, isfinite
from typing import BinaryIO

from stack.trace.event import HEAD_OCTETS, Event
from stack.trace.reasons import REASONS

LONGEST_RECORD_BYTES = 1 << 20
CHUNK_BYTES = 1 << 16
RS, LF = b"\x1e", b"\n"
FORMAT = {"qlog_version": "0.3", "qlog_format": "JSON-SEQ"}
NUMBERS_WITHOUT_JSON = {str(number): number for number in (inf, -inf)}  # "inf", "-inf"


def header(epoch_s: float = 0.0, title: str = "tapstack") -> bytes:
    """The first record.

    `epoch_s` is the time of day, in seconds since 1970, at which the host's time is 0.
    """
    common = {"time_format": "relative", "reference_time": _milliseconds(epoch_s)}
    trace = {"vantage_point": {"type": "unknown"}, "common_fields": common}
    return RS + _text({**FORMAT, "title": title, "trace": trace}).encode() + LF


def event_json(event: Event) -> bytes:
    """The record of one event.

    "sentence" is that of the reason. Octets are base64; of a frame, the first 128 octets are
    "head". Numbers that JSON does not have are text: "inf".
    """
    record = _object(event)
    because = event.data.get("because")
    if because in REASONS:
        record["sentence"] = REASONS[str(because)].sentence
    return RS + _text(record).encode() + LF


def events_json(events: Iterable[Event], **fields: object) -> bytes:
    """The objects of `event_json`, without "sentence", as one JSON array; each with `fields`, too.

    >>> # events_json(recorder, host="alice")
    """
    return _text([{**_object(event), **fields} for event in events]).encode()


def _object(event: Event) -> dict[str, object]:
    n, time, at, name, group, frame, cause, data, why = event
    record: dict[str, object] = {
        "n": n,
        "time": _milliseconds(time),
        "at": _milliseconds(at),
        "name": name,
        "group_id": group,
        "frame": frame,
        "cause": cause,
        "data": data,
        "why": why,
    }
    octets = data.get("octets")
    if type(octets) is bytes:
        record["data"] = data = {**data, "head": _base64(octets)}
        del data["octets"]
    return record


def read_trace(file: BinaryIO) -> Iterator[Event]:
    """The events in a file of such records, as they were told.

    Of each frame, "octets" has the first 128 octets. A record that was cut off at the end of the
    file, as by a crash, is ignored. ValueError if the file is another one, or is damaged.
    """
    records = _records(file)
    first = next(records, None)
    if first is None or any(first.get(name) != value for name, value in FORMAT.items()):
        raise ValueError("not a trace: the first record is not the header of a JSON-SEQ qlog file, version 0.3")
    for number, record in enumerate(records, 2):
        try:
            yield _event(record)
        except (KeyError, TypeError, ValueError, BadBase64) as error:
            raise ValueError(f"record {number} is not an event: {error!r}") from None


# --- writing


def _text(content: object) -> str:
    try:
        text = _encode(content)
    except ValueError:  # a number that JSON does not have
        text = _encode(_plain(content))
    if "\\ud" in text:  # a surrogate: half a character is not allowed in JSON (RFC 7493 section 2.1)
        whole = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "replace")
        text = _encode(json.loads(whole))
    return text


def _other(value: object) -> object:
    """What the JSON encoder cannot write."""
    return _base64(value) if isinstance(value, bytes) else str(value)


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_other).encode


def _plain(value: object) -> object:
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _base64(octets: bytes) -> str:
    return b64encode(octets[:HEAD_OCTETS]).decode()


def _milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 6)  # to the nanosecond


# --- reading


def _records(file: BinaryIO) -> Iterator[dict[str, object]]:
    """The JSON objects of a file. ValueError for one that is malformed, but for the last."""
    number, text = 0, b""
    while True:
        chunk = file.read(CHUNK_BYTES)
        text += chunk
        *whole, text = text.split(RS)
        if not chunk:
            whole.append(text)
        elif len(text) > LONGEST_RECORD_BYTES:
            raise ValueError(f"record {number + 1} is longer than {LONGEST_RECORD_BYTES} bytes")
        for position, record in enumerate(whole):
            if not record:
                continue  # RFC 7464 section 2.1: several RS in a row
            number += 1
            cut_off = not chunk and position == len(whole) - 1 and not record.endswith(LF)
            try:
                content = json.loads(record)
                if not isinstance(content, dict):
                    raise ValueError("it is no object")
            except (ValueError, RecursionError) as error:
                if cut_off:
                    return
                raise ValueError(f"record {number} is malformed: {error}") from None
            yield content
        if not chunk:
            return


def _event(record: dict[str, object]) -> Event:
    data = record["data"]
    times = record["time"], record["at"]
    n, frame, why = record["n"], record["frame"], record["why"]
    if not (isinstance(data, dict) and isinstance(n, int) and isinstance(frame, int) and isinstance(why, list)):
        raise TypeError("a field has another type")
    if not isinstance(data.get("because", ""), str):
        raise TypeError("the reason is no word")
    if "head" in data:
        data["octets"] = b64decode(str(data.pop("head")), validate=True)
    for key, value in data.items():
        if isinstance(value, str) and value in NUMBERS_WITHOUT_JSON:
            data[key] = NUMBERS_WITHOUT_JSON[value]
    time, at = (float(str(each)) / 1000 for each in times)
    name, group, cause = str(record["name"]), str(record["group_id"]), str(record["cause"])
    return Event(n, time, at, name, group, frame, cause, data, tuple(map(str, why)))
