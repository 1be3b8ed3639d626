"""Events as JSON text sequences: each record is in the schema, whatever is in a frame, and is read
back.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import stack
from stack.link.memory import Ethernet
from stack.trace.event import HEAD_OCTETS, Event
from stack.trace.json_seq import FORMAT, LONGEST_RECORD_BYTES, event_json, header, read_trace
from stack.trace.names import NAMES
from stack.trace.reason import Reason
from stack.trace.reasons import REASONS
from stack.trace.why import WHY
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

FIELDS = ["n", "time", "at", "name", "group_id", "frame", "cause", "data", "why"]
EVENT = Event(9, 2.5, 2.75, "tcp:ack", "c7", 8, "frame", {"decision": "now"}, ("9293 MUST-58", "5681-4.2-c"))


def objects(content: bytes) -> list[dict[str, object]]:
    """The JSON texts of a sequence: each has one RS before it and one LF behind it (RFC 7464 section 2.2)."""
    first, *records = content.split(b"\x1e")
    assert first == b""
    assert all(record.endswith(b"\n") and record.count(b"\n") == 1 for record in records)
    assert all(octet == 0x0A or 0x20 <= octet < 0x7F for record in records for octet in record)
    return [json.loads(record, parse_constant=pytest.fail) for record in records]


def check_schema(record: dict[str, object]) -> None:
    """Fail unless it is an event in the schema."""
    assert [name for name in record if name != "sentence"] == FIELDS
    n, frame, data, why = record["n"], record["frame"], record["data"], record["why"]
    assert isinstance(n, int)
    assert isinstance(frame, int)
    assert n > 0 <= frame
    assert isinstance(record["time"], float)
    assert isinstance(record["at"], float)
    assert record["name"] in NAMES
    assert isinstance(record["group_id"], str)
    assert record["cause"] in ("frame", "call", "timer")
    assert isinstance(data, dict)
    assert isinstance(why, list)
    known = (record["name"], data.get("because"), data.get("reason"))
    assert tuple(why) in [WHY[str(name)] for name in known if name in WHY]
    if record["name"] == "wire:frame":
        assert "octets" not in data
        assert isinstance(data["head"], str)
        assert len(data["head"]) <= (HEAD_OCTETS + 2) // 3 * 4


def test_a_record_has_the_fields_of_the_schema_with_times_in_milliseconds() -> None:
    (record,) = objects(event_json(EVENT))
    assert record == {
        "n": 9,
        "time": 2500.0,
        "at": 2750.0,
        "name": "tcp:ack",
        "group_id": "c7",
        "frame": 8,
        "cause": "frame",
        "data": {"decision": "now"},
        "why": ["9293 MUST-58", "5681-4.2-c"],
    }
    assert list(record) == FIELDS


def test_a_reason_has_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REASONS, "gap", Reason("an out-of-order segment arrived", ()))
    (record,) = objects(event_json(EVENT._replace(data={"because": "gap"})))
    assert record["sentence"] == "an out-of-order segment arrived"
    (record,) = objects(event_json(EVENT._replace(data={"because": "words of the network's own"})))
    assert "sentence" not in record


def test_the_header_says_what_the_file_is_in_its_first_256_octets() -> None:
    """draft-ietf-quic-qlog-main-schema section 3."""
    (record,) = objects(header(1_800_000_000.25))
    assert record.items() >= FORMAT.items()
    assert all(f'"{word}"'.encode() in header()[:256] for pair in FORMAT.items() for word in pair)
    trace = record["trace"]
    assert isinstance(trace, dict)
    assert trace["common_fields"] == {"time_format": "relative", "reference_time": 1_800_000_000_250.0}


HOSTILE: dict[str, object] = {
    "controls": "\x00\x1e\n\r\x1b[2J\x7f\x9b31m",
    "half": "a\ud800b\udfff",
    "whole": "\U0001f600 \\ud800",
    "markup": '<img src=x onerror="alert(1)">',
    "octets": bytes(range(256)) * 256,
    "address": b"\xff\x1e\n",
    "nothing": None,
    "list": [1.5, (True, b"\xff")],
    "object": Network,
}


def test_a_hostile_payload_stays_in_its_record() -> None:
    """Control octets, invalid UTF-8, half characters, and a frame of 64 KiB."""
    (record,) = objects(event_json(EVENT._replace(data=dict(HOSTILE))))
    data = record["data"]
    assert isinstance(data, dict)
    assert data["controls"] == HOSTILE["controls"]
    assert (data["half"], data["whole"]) == ("a?b?", HOSTILE["whole"])
    assert data["markup"] == HOSTILE["markup"]
    assert "octets" not in data
    (back,) = read_trace(io.BytesIO(header() + event_json(EVENT._replace(data={"octets": HOSTILE["octets"]}))))
    assert back.data == {"octets": bytes(range(HEAD_OCTETS))}
    assert len(event_json(EVENT._replace(data={"octets": bytes(1 << 16)}))) < 500


@pytest.mark.parametrize("seed", range(20))
def test_random_octets_as_text_and_as_frames_are_read_back(seed: int) -> None:
    chance = random.Random(seed)
    events = []
    for number in range(1, 40):
        octets = chance.randbytes(chance.choice([0, 1, 60, HEAD_OCTETS, HEAD_OCTETS + 1, 1500]))
        data: dict[str, object] = {"text": octets.decode("latin-1"), "octets": octets, "ssthresh": math.inf}
        time = chance.uniform(0, 1e6)
        events.append(Event(number, time, time, "wire:frame", "tap0", number, "frame", data, ("own",)))
    back = list(read_trace(io.BytesIO(header() + b"".join(map(event_json, events)))))
    assert [event.time for event in back] == pytest.approx([event.time for event in events], abs=1e-9)
    for event, read in zip(events, back, strict=True):
        drawn = event.data["octets"]
        assert isinstance(drawn, bytes)
        assert read.data == {**event.data, "octets": drawn[:HEAD_OCTETS]}
        assert read._replace(time=0.0, at=0.0, data={}) == event._replace(time=0.0, at=0.0, data={})


def test_what_a_host_tells_is_in_the_schema_while_a_station_sends_it_anything() -> None:
    """Frames with wrong fields, and the largest ones."""
    network, ethernet, chance = Network(7), Ethernet(), random.Random(7)
    machine = network.machine("host")
    mac = machine.attach(ethernet.attach("tap0"), "10.0.0.1/24").mac
    station = RawStation(network, ethernet, "10.0.0.66")
    station.asks("10.0.0.1")
    network.run(for_s=0.001)
    told: list[Event] = []
    written: list[bytes] = [header()]
    machine.host.watch(told.append)
    machine.host.watch(lambda event: written.append(event_json(event)))
    assert mac is not None
    for size in (0, 14, 15, 34, 60, 200, 1500):
        for kind in (b"\x08\x00", b"\x08\x06", b"\x86\xdd", b"\x00\x40"):
            for destination in (mac, b"\xff" * 6):
                station.says(destination + station.mac + kind + chance.randbytes(size))
    network.run(for_s=0.1)
    assert len(told) > 100
    records = objects(b"".join(written))[1:]
    assert len(records) == len(told)
    for record in records:
        check_schema(record)
    back = list(read_trace(io.BytesIO(b"".join(written))))
    assert [(event.n, event.name, event.why) for event in back] == [(event.n, event.name, event.why) for event in told]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_file_that_a_crash_has_cut_off_is_read_up_to_its_last_record() -> None:
    content = header() + 3 * event_json(EVENT)
    whole = len(list(read_trace(io.BytesIO(content))))
    assert whole == 3
    for length in range(len(content) - 1, len(content) - len(event_json(EVENT)) - 1, -1):
        cut = list(read_trace(io.BytesIO(content[:length])))
        assert cut == [EVENT] * (3 if length == len(content) - 1 else 2)


def damaged(**changes: object) -> bytes:
    (record,) = objects(event_json(EVENT))
    return b"\x1e" + json.dumps({**record, **changes}).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a trace: the first record is not the header"),
        (b"\x0a\x0d\x0d\x0a", "record 1 is malformed"),
        (event_json(EVENT), "not a trace: the first record is not the header"),
        (header().replace(b"0.3", b"0.9"), "not a trace: the first record is not the header"),
        (header() + b"\x1e{]\n" + event_json(EVENT), "record 2 is malformed"),
        (header() + b"\x1e[1]\n", "record 2 is malformed: it is no object"),
        (header() + b"\x1e" + b"[" * 100_000 + b"\n", "record 2 is malformed"),
        (header() + b"\x1e" + b" " * (LONGEST_RECORD_BYTES + 100_000), "record 2 is longer than 1048576 bytes"),
        (header() + b'\x1e{"n":1}\n', "record 2 is not an event"),
        (header() + damaged(n="1"), "record 2 is not an event"),
        (header() + damaged(time="soon"), "record 2 is not an event"),
        (header() + damaged(data=[]), "record 2 is not an event"),
        (header() + damaged(data={"because": ["fast"]}), "record 2 is not an event"),
        (header() + damaged(data={"head": "!"}), "record 2 is not an event"),
        (header() + damaged(why=None), "record 2 is not an event"),
    ],
)
def test_another_file_or_a_damaged_one_is_an_error_that_says_where(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(read_trace(io.BytesIO(content)))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_has_each_event_at_once(tmp_path: Path) -> None:
    path = tmp_path / "host.sqlog"
    with stack.TraceFile(path, epoch_s=1.5) as file:
        file(EVENT)
        with path.open("rb") as reader:
            assert list(stack.read_trace(reader)) == [EVENT]
        assert (file.path, file.error) == (str(path), None)
        assert path.stat().st_mode & 0o777 == 0o600
    file(EVENT)
    assert path.read_bytes() == header(1.5) + event_json(EVENT)


def test_a_full_disk_ends_the_file_after_a_whole_record(tmp_path: Path) -> None:
    path = tmp_path / "host.sqlog"
    with stack.TraceFile(path, limit_bytes=1000) as file:
        for _ in range(20):
            file(EVENT)
        assert file.error is not None
        assert file.error.startswith(f"the trace {path} ended after ")
        assert "more than 1000 bytes" in file.error
    assert path.stat().st_size <= 1000
    with path.open("rb") as reader:
        assert len(list(stack.read_trace(reader))) >= 3


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


@pytest.mark.parametrize("make", [pipe, Path.mkdir, lambda path: path.symlink_to("/etc/hostname")])
def test_what_is_no_file_is_refused_with_its_path(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "host.sqlog"
    make(path)
    with pytest.raises(OSError, match=f"cannot write the trace {path}: ") as caught:
        stack.TraceFile(path)
    assert caught.value.filename == str(path)
