"""`--report FILE`, and the report and the capture of the page, of a real conversation by curl and nc."""

from __future__ import annotations

import base64
import os
import signal
import stat
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import stack
from tests.inspector.report_files import packed_log
from tests.live.net import COMMAND, OURS, Namespace, need
from tests.live.test_inspect import Page, inspected, let_go
from tests.live.unprivileged import UID, ordinary

pytestmark = pytest.mark.one_way  # what is in a file, whatever paths the frames took

WORD = "a word that is said and echoed"
SAY = f"printf '{WORD}\\n' | timeout 20 nc -N -w 5 {OURS} 7"
FETCH = f"curl -sS -m 20 -o /dev/null -w '%{{http_code}}\\n' http://{OURS}/"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any user may write to; pytest's own are closed to the user of the lab."""
    with tempfile.TemporaryDirectory(prefix="tapstack-report-") as name:
        os.chmod(name, 0o777)
        yield Path(name)


def octets(event: dict[str, Any]) -> bytes:
    """What is kept of a frame."""
    return base64.b64decode(event["data"]["head"])


def payloads(events: list[dict[str, Any]]) -> str:
    """All octets that are kept of the frames, as text."""
    return " ".join(octets(event).decode("latin-1") for event in frames(events))


def frames(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events that are frames."""
    return [event for event in events if event["name"] == "wire:frame"]


def check_conversation(events: list[dict[str, Any]]) -> None:
    """Both connections of `FETCH` and `SAY` are there, from the listener to the end, and nothing is missing between."""
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    opened = {event["group_id"]: event["data"]["local"] for event in events if event["name"] == "tcp:open"}
    conversation = [group for group, local in opened.items() if local in (f"{OURS}:80", f"{OURS}:7")]
    assert sorted(opened[group] for group in conversation) == [f"{OURS}:7", f"{OURS}:80"]
    for group in conversation:
        states = [
            event["data"]["after"] for event in events if event["name"] == "tcp:state" and event["group_id"] == group
        ]
        assert states[:3] == ["LISTEN", "SYN_RECEIVED", "ESTABLISHED"]
        assert states[-1] in ("CLOSED", "TIME_WAIT")
    flags = Counter(event["data"]["flags"] for event in events if event["name"] == "tcp:send")
    assert flags["SYN,ACK"] == 2
    assert {"host:call", "tcp:ack", "tcp:delta"} <= {event["name"] for event in events}


@pytest.mark.parametrize("payload", ["head", "none", "all"])
def test_a_lab_leaves_a_report_of_a_real_conversation(folder: Path, payload: str) -> None:
    need("curl", "nc")
    path = folder / "run.html"
    command = ordinary(
        *COMMAND, "lab", "--report", str(path), "--payload", payload, "--", "sh", "-c", f"{FETCH}; {SAY}"
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"200\n{WORD}\n"), done.stderr
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_uid == (UID if os.geteuid() == 0 else os.geteuid())
    document = path.read_text()
    assert document.startswith("<!doctype html>")
    assert document.endswith("</html>\n")
    hello, events = packed_log(document)
    assert (hello["host"], hello["lost"], hello["payload"], hello["last"]) == (OURS, 0, payload, len(events))
    check_conversation(events)
    assert payloads(events).count(WORD) == (0 if payload == "none" else 2)
    assert payloads(events).count("GET / HTTP/1.1") == (0 if payload == "none" else 1)
    longest = max(len(octets(event)) for event in frames(events))
    assert (longest > 128) is (payload == "all"), longest
    assert document.count("<tr") >= len(frames(events))


def test_up_writes_its_report_at_an_interrupt(namespace: Namespace, folder: Path) -> None:
    need("curl", "nc")
    path = folder / "run.html"
    with namespace.start(*COMMAND, "up", "--report", str(path)) as program:
        program.wait_for(b"ready: ")
        assert path.read_bytes() == b""
        assert namespace.run("sh", "-c", f"{FETCH}; {SAY}").decode() == f"200\n{WORD}\n"
        status, _, errors = program.stop(signal.SIGINT)
        assert (status, errors) == (0, b"")
    _, events = packed_log(path.read_text())
    check_conversation(events)
    assert WORD in payloads(events)


def test_a_killed_run_leaves_an_empty_file_and_no_half_report(namespace: Namespace, folder: Path) -> None:
    path = folder / "run.html"
    with namespace.start(*COMMAND, "up", "--report", str(path)) as program:
        program.wait_for(b"ready: ")
        program.process.kill()
        program.process.wait()
    assert path.read_bytes() == b""


def test_the_page_exports_what_it_shows_of_a_real_conversation(folder: Path) -> None:
    """The report has the events of the stream, and the capture has their frames."""
    need("curl", "nc", "tshark")
    with inspected(script=f"read line; {FETCH}; {SAY}; echo said; read line") as (program, page):
        let_go(program)
        program.wait_for(b"said")
        report = fetched(page, "report.html")
        capture = fetched(page, "capture.pcapng")
        with page.events() as stream:
            shown: list[dict[str, Any]] = []
            for name, data in stream:
                if name == "batch":
                    assert isinstance(data, list)
                    shown += data
                if len(shown) >= 1 and shown[-1]["n"] >= packed_log(report.decode())[0]["last"]:
                    break
    hello, events = packed_log(report.decode())
    assert hello["wire"]["words"] == []
    check_conversation(events)
    same = ("n", "name", "cause", "why")
    in_both = [[[event[key] for key in same] for event in each] for each in (events, shown[: len(events)])]
    assert in_both[0] == in_both[1]
    path = folder / "page.pcapng"
    path.write_bytes(capture)
    captured = list(stack.read_capture(path))
    assert [(frame.octets, frame.length) for frame in captured] == [
        (octets(event), event["data"]["len"]) for event in frames(events)
    ]
    assert any("9293 MUST" in comment for frame in captured for comment in frame.comments)
    command = ["tshark", "-r", str(path), "-Y", "tcp.flags.syn==1"]
    assert len(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()) == 4


def fetched(page: Page, name: str) -> bytes:
    """A file of the page, by curl."""
    url = f"http://127.0.0.1:{page.port}/{page.token}/{name}"
    return subprocess.run(["curl", "-sS", "-f", "-m", "20", url], capture_output=True, check=True, timeout=30).stdout
