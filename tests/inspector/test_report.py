"""A report: one file that needs no other, that is the same for the same input, and that text cannot break out of."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import stat
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import stack
from tests.course import captures
from tests.inspector.report_files import NASTY, hostile_capture, packed_log, records
from tests.tools.capture_files import tcp_frame, udp_frame, write_pcapng
from tools import cli
from tools.inspector import from_capture
from tools.inspector.columns import Columns
from tools.inspector.joined_page import Page, joined
from tools.inspector.page_files import page_files
from tools.inspector.report import About, Report

MOST_BYTES = 250_000  # of a report without events: as much as the page may have (tests/test_page_code.py)
MOST_EVENT_BYTES = 50


class Seen(HTMLParser):
    """The elements of a document, and the text of its scripts and styles."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._within = ""
        self.raw: list[tuple[str, str]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self._within = tag
        if tag in ("script", "style"):
            self.raw.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            tag, text = self.raw[-1]
            self.raw[-1] = tag, text + data
        else:
            self.text += data


def report_of(path: Path, *options: str) -> str:
    """The report that the command writes of a file."""
    out = path.with_suffix(".html")
    assert cli.main(["explain", str(path), "--html", str(out), *options]) == 0
    return out.read_text()


@pytest.fixture
def pop3(tmp_path: Path) -> Path:
    return captures.write(tmp_path / "pop3.pcap", captures.ETHERNET, captures.pop3())


# --- the file


def test_it_loads_nothing_and_runs_only_what_its_policy_names(pop3: Path) -> None:
    seen = Seen(report_of(pop3))
    policies = [
        told["content"] or "" for tag, told in seen.elements if told.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policies[0]
    for tag, told in seen.elements:
        assert not any(name.startswith("on") or name == "style" for name in told)
        assert "src" not in told
        assert told.get("href", "data:,") == "data:,"
        assert tag not in ("iframe", "object", "embed", "base", "form")
    kinds = [told.get("type") for tag, told in seen.elements if tag == "script"]
    texts = [text for tag, text in seen.raw if tag == "script"]
    hashes = set()
    for kind, text in zip(kinds, texts, strict=True):
        if kind not in ("application/json", "application/json+gzip", "text/plain"):
            hashes.add(f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'")
    assert hashes == set(rules["script-src"].split())
    styles = [text for tag, text in seen.raw if tag == "style"]
    assert [f"'sha256-{base64.b64encode(sha256(styles[0].encode()).digest()).decode()}'"] == rules["style-src"].split()


def test_the_same_input_gives_the_same_octets(pop3: Path) -> None:
    assert report_of(pop3) == report_of(pop3)


def test_only_its_owner_may_read_it(pop3: Path) -> None:
    report_of(pop3)
    assert stat.S_IMODE(pop3.with_suffix(".html").stat().st_mode) == 0o600


def test_a_report_without_events_is_small() -> None:
    size = len(Report([], About("nothing")).html())
    assert size <= MOST_BYTES


def test_it_has_the_licences_of_what_is_vendored(pop3: Path) -> None:
    document = report_of(pop3)
    for name, text in page_files().items():
        if name.startswith("vendor/licences/"):
            first = next(line for line in text.decode().splitlines() if line.strip()).strip()
            assert first in document, name


# --- the log


def test_the_log_has_the_records_of_the_events() -> None:
    frame: dict[str, object] = {"dir": "in", "link": "ethernet", "len": 3, "octets": b"abc"}
    call: dict[str, object] = {"call": "SEND", "octets": 3, "window": float("inf")}
    rtt: dict[str, object] = {"srtt_s": 1 / 3, "first": True, "none": None}
    clause = ("6298-2-c",)
    events = [
        stack.Event(1, 0.0, 0.0, "wire:frame", "tap0", 1, "frame", frame, ("own",)),
        stack.Event(2, 0.0, 0.000001, "tcp:rtt", "c1", 1, "frame", rtt, clause),
        stack.Event(3, 0.0, 0.5, "tcp:rtt", "c1", 1, "frame", {"srtt_s": 1, "first": 1, "none": None}, clause),
        stack.Event(7, 0.5, 0.5, "host:call", "c1", 0, "call", call, ("own",)),
        stack.Event(8, 0.25, 0.5, "dhcp:send", "host", 0, "timer", {"names": ["a", 1], "long": "x" * 300}, ()),
    ]
    lines = list(Columns().lines(events))
    assert records(lines) == [
        {"n": 1, "time": 0, "at": 0, "name": "wire:frame", "group_id": "tap0", "frame": 1, "cause": "frame",
         "data": {"dir": "in", "link": "ethernet", "len": 3, "head": "YWJj"}, "why": ["own"]},
        {"n": 2, "time": 0, "at": 0.001, "name": "tcp:rtt", "group_id": "c1", "frame": 1, "cause": "frame",
         "data": {"srtt_s": 0.333333333, "first": True, "none": None}, "why": ["6298-2-c"]},
        {"n": 3, "time": 0, "at": 500, "name": "tcp:rtt", "group_id": "c1", "frame": 1, "cause": "frame",
         "data": {"srtt_s": 1, "first": 1, "none": None}, "why": ["6298-2-c"]},
        {"n": 7, "time": 500, "at": 500, "name": "host:call", "group_id": "c1", "frame": 0, "cause": "call",
         "data": {"call": "SEND", "octets": 3, "window": "inf"}, "why": ["own"]},
        {"n": 8, "time": 250, "at": 500, "name": "dhcp:send", "group_id": "host", "frame": 0, "cause": "timer",
         "data": {"names": ["a", 1], "long": "x" * 300}, "why": []},
    ]  # fmt: skip


def test_an_event_takes_at_most_fifty_octets(tmp_path: Path) -> None:
    """A bulk transfer whose payload cannot be compressed. Its first 128 octets alone would be more."""
    chance = random.Random(15)
    frames = [tcp_frame(b"", seq=0, flags=2, ack=0), tcp_frame(b"", seq=0, flags=0x12, ack=1, back=True)]
    for number in range(1500):
        frames.append(tcp_frame(chance.randbytes(1000), seq=1 + 1000 * number, flags=0x10))
        frames.append(tcp_frame(b"", seq=1, ack=1001 + 1000 * number, flags=0x10, back=True))
    path = write_pcapng(tmp_path / "bulk.pcapng", frames)
    document = report_of(path)
    log, told = packed_log(document), packed_log(document, raw=True)
    assert len(told) <= MOST_EVENT_BYTES * len(log[1])
    frame = next(event for event in log[1] if event["data"].get("len", 0) > 1000)
    assert len(base64.b64decode(frame["data"]["head"])) >= 54, "the headers are kept"


# --- a capture


def test_a_capture_has_the_states_of_both_ends_and_names_what_is_guessed(pop3: Path) -> None:
    hello, events = packed_log(report_of(pop3))
    assert hello["captured"]
    assert [event["data"]["number"] for event in events if event["name"] == "wire:frame"] == list(range(1, 21))
    opened = [event for event in events if event["name"] == "tcp:open"]
    assert [event["data"]["local"] for event in opened] == ["192.168.0.250:110"]
    states = [(event["data"]["end"], event["data"]["after"]) for event in events if event["name"] == "tcp:state"]
    assert [after for end, after in states if end == "peer"] == [
        "SYN_SENT",
        "ESTABLISHED",
        "FIN_WAIT_1",
        "FIN_WAIT_2",
        "TIME_WAIT",
    ]
    assert all(event["data"]["inferred"] for event in events if event["name"] == "tcp:state")
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))


def test_a_guess_names_its_rule_and_a_fact_has_none(tmp_path: Path) -> None:
    frames = [tcp_frame(b"", seq=0, flags=2, ack=0), tcp_frame(b"", seq=0, flags=0x12, ack=1, back=True)]
    frames += [tcp_frame(b"a" * 100, seq=at) for at in (1, 101, 301, 201)]
    _, events = packed_log(report_of(write_pcapng(tmp_path / "order.pcapng", frames)))
    marks = {event["data"]["mark"]: event["data"] for event in events if event["name"] == "seen:mark"}
    assert marks["gap"]["certain"]
    assert "rule" not in marks["gap"]
    assert not marks["out_of_order"]["certain"]
    assert marks["out_of_order"]["rule"].startswith("It begins before")


def test_ports_that_are_used_again_are_another_connection(tmp_path: Path) -> None:
    frames = [tcp_frame(b"", seq=iss, flags=2, ack=0) for iss in (100, 5000)]
    path = write_pcapng(tmp_path / "again.pcapng", frames)
    _, events = packed_log(report_of(path))
    assert [event["data"]["connection"] for event in events if event["name"] == "wire:frame"] == ["c1", "c2"]
    _, events = packed_log(report_of(path, "--connection", "2"))
    assert [event["data"]["number"] for event in events if event["name"] == "wire:frame"] == [2]


def test_a_capture_is_read_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_capture, "MOST_FRAMES", 3)
    monkeypatch.setattr("tools.inspector.file_report.MOST_FRAMES", 3)
    path = write_pcapng(tmp_path / "long.pcapng", [udp_frame(b"hello")] * 4)
    hello, events = packed_log(report_of(path))
    assert len(events) == 3
    assert "The file has more frames: the report has the first 3." in hello["notes"]


def test_a_damaged_capture_is_a_report_of_what_could_be_read(pop3: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pop3.write_bytes(pop3.read_bytes()[:-10])
    out = pop3.with_suffix(".html")
    assert cli.main(["explain", str(pop3), "--html", str(out)]) == 1
    assert "ends" in capsys.readouterr().err
    hello, events = packed_log(out.read_text())
    assert sum(event["name"] == "wire:frame" for event in events) == 19
    assert any(note.startswith("The file is damaged") for note in hello["notes"])


def test_a_trace_file_is_a_report_too(tmp_path: Path) -> None:
    path = tmp_path / "host.sqlog"
    with stack.TraceFile(path) as file:
        file(
            stack.Event(
                1, 0, 0, "wire:frame", "tap0", 1, "frame", {"dir": "in", "len": 60, "octets": udp_frame(b"x")}, ("own",)
            )
        )
        file(
            stack.Event(2, 0, 0, "host:drop", "tap0", 1, "frame", {"reason": "udp_no_port", "meaning": "no socket"}, ())
        )
    hello, events = packed_log(report_of(path))
    assert [event["name"] for event in events] == ["wire:frame", "host:drop"]
    assert not hello["captured"]
    assert list(hello["words"]["names"]) == ["host:drop"]


@pytest.mark.parametrize("words", [["--frame", "1", "--html", "OUT"], ["--html", "SAME"], ["--payload", "all"]])
def test_what_makes_no_sense_is_refused(pop3: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    before = pop3.read_bytes()
    names = {"OUT": str(pop3.with_suffix(".html")), "SAME": str(pop3)}
    assert cli.main(["explain", str(pop3), *[names.get(word, word) for word in words]]) == 2
    assert pop3.read_bytes() == before
    assert capsys.readouterr().err.startswith("tapstack explain: ")


# --- payloads


@pytest.mark.parametrize(("payload", "longest", "has"), [("none", 62, False), ("head", 128, True), ("all", 1500, True)])
def test_as_much_of_the_payload_as_asked_for(pop3: Path, payload: str, longest: int, has: bool) -> None:
    document = report_of(pop3, "--payload", payload)
    hello, events = packed_log(document)
    heads = [base64.b64decode(event["data"]["head"]) for event in events if event["name"] == "wire:frame"]
    assert max(map(len, heads)) <= longest
    assert any(b"PASS " in head for head in heads) is has
    assert any("frame 10 has what looks like a password" in note for note in hello["notes"]) is has
    assert ("what looks like a password" in Seen(document).text) is has


@pytest.mark.parametrize(
    "payload",
    [b"GET / HTTP/1.1\r\nAuthorization: Basic eA==\r\n", b"GET / HTTP/1.1\r\ncookie: a=b\r\n", b"PASS secret\r\n",
     b"AUTH PLAIN AGEAYg==\r\n", b"a1 LOGIN me secret\r\n", b"POST / HTTP/1.1\r\n\r\nuser=me&password=x"],
)  # fmt: skip
def test_a_secret_is_told(tmp_path: Path, payload: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    hello, _ = packed_log(report_of(write_pcapng(tmp_path / "a.pcapng", [tcp_frame(payload, seq=1)])))
    assert hello["notes"][0].startswith("Warning: frame 1 has what looks like ")
    assert "Warning: frame 1 has what looks like " in capsys.readouterr().err


def test_ordinary_text_is_no_secret(tmp_path: Path) -> None:
    frames = [tcp_frame(b"+OK password please\r\nHTTP is a protocol\r\n", seq=1)]
    hello, _ = packed_log(report_of(write_pcapng(tmp_path / "a.pcapng", frames)))
    assert hello["notes"] == []


# --- hostile text


def test_text_of_others_never_becomes_markup(tmp_path: Path) -> None:
    path = tmp_path / "a<script>alert(1)<!--.pcapng"
    hostile_capture(path, 200)
    document = report_of(path, "--payload", "all")
    plain = Seen(Report([], About("x")).html().decode())
    seen = Seen(document)
    assert [tag for tag, _ in seen.elements if tag in ("script", "style", "img", "svg", "iframe")] == [
        tag for tag, _ in plain.elements if tag in ("script", "style", "img", "svg", "iframe")
    ]
    assert len(document.split("<script>alert")) == 1
    before_the_page = document[: document.index('<script type="application/json"')]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", before_the_page)
    told: dict[str, Any] = {}
    events = packed_log(document)[1]
    for event in events:
        told.update(event["data"])
    assert len(events) > 200


def test_a_hostile_log_of_a_host_never_becomes_markup() -> None:
    events = [
        stack.Event(n, 0, 0, "lab:mark", text, 0, "call", {"text": text, text: text}, (text,))
        for n, text in enumerate(NASTY, 1)
    ]
    document = Report(events, About(NASTY[0], notes=(NASTY[1],), names=(NASTY[0], NASTY[1]))).html().decode()
    tags = {tag for tag, _ in Seen(document).elements}
    assert not tags & {"img", "svg", "iframe", "b-nasty"}
    assert len(packed_log(document)[1]) == len(NASTY)


# --- the page in it


def test_modules_are_joined_in_the_order_in_which_they_are_imported() -> None:
    files = {
        "main.js": b'import {one, two as second} from "./a/one.js";\n'
        b'import * as all from "./a/one.js";\nexport const x = 1;\n',
        "a/one.js": b'import half from "../half.js";\n'
        b"export function one() {}\nconst own = half;\nexport {own as two};\n",
        "half.js": b"export default 0.5;\n",
    }
    code = joined(files, "main.js")
    assert code.index("// half.js") < code.index("// a/one.js") < code.index("// main.js")
    assert "const {default: half} = m1;" in code
    assert "const {one, two: second} = m2;" in code
    assert "const all = m2;" in code
    assert "return {two: own, one};" in code


@pytest.mark.parametrize(
    "code", ['export * from "./b.js";', 'import("./b.js");\nimport x from "b";', "export\nconst a = 1;"]
)
def test_a_form_of_import_that_is_not_read_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="is not read"):
        joined({"main.js": code.encode()}, "main.js")


@pytest.mark.parametrize("wanted", ["second", "{first as other, second}", "missing as first"])
def test_an_import_of_what_is_not_exported_is_refused(wanted: str) -> None:
    """Of several names in one declaration the first alone is exported; in a report the others would be undefined."""
    files = {
        "main.js": f'import {{{wanted.strip("{}")}}} from "./a.js";\n'.encode(),
        "a.js": b"export const first = 1, second = 2;\n",
    }
    with pytest.raises(ValueError, match=r"main\.js imports (second|missing), which \./a\.js does not export"):
        joined(files, "main.js")


def test_the_page_is_joined_whole() -> None:
    files = page_files()
    page = Page(files)
    module = next(code for attributes, code in page.scripts if attributes)
    imported = {name for name in files if name.endswith(".js") and f"// {name}\n" in module}
    assert {"main.js", "store.js", "columns.js", "vendor/preact.js", "vendor/hooks.js", "vendor/htm.js"} <= imported
    assert [attributes for attributes, _ in page.scripts] == [' type="module"']


def test_the_log_of_a_report_is_ascii_without_markup(pop3: Path) -> None:
    document = report_of(pop3)
    block = re.search(r'<script type="application/json\+gzip" id="log">(.*?)</script>', document, re.DOTALL)
    assert block is not None
    assert re.fullmatch(r"[A-Za-z0-9+/=\n]+", block[1])
    assert json.loads(gzip.decompress(base64.b64decode(block[1])).split(b"\n")[0])["host"] == "pop3.pcap"
