"""The orders of the page, from outside of the lab: they break the wire of a real connection."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.live.net import COMMAND, OURS, PATIENCE_S, need
from tests.live.unprivileged import ordinary

URL = re.compile(r"http://127\.0\.0\.1:\d+/\S+/")
JSON = ("-H", "Content-Type: application/json")


@contextmanager
def inspected() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A lab with a shell that reads from us, and the URL of its page."""
    command = ordinary(*COMMAND, "lab", "--inspect", "--", "sh")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            told: list[str] = []
            for line in process.stderr:
                told.append(line)
                if line.startswith("ready:"):
                    break
            found = URL.search("".join(told))
            assert found is not None, told
            yield process, found[0]
        finally:
            process.stdin.close()  # the shell ends, and with it the lab
            process.wait(PATIENCE_S)


def order(url: str, **asked: object) -> Any:
    """POST an order to the page, and return its answer."""
    command = ["curl", "-sS", "--fail-with-body", "-m", "10", *JSON, "-d", json.dumps(asked), f"{url}do"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def events(url: str, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """The events of the page's stream, until this one is there."""
    records: list[dict[str, Any]] = []
    command = ["curl", "-sSN", "-m", str(int(PATIENCE_S)), f"{url}events?after=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        try:
            for line in reader.stdout:
                if line.startswith("data: ["):
                    records += json.loads(line.removeprefix("data: "))
                if any(map(last, records)):
                    break
        finally:
            reader.kill()
    return records


def test_the_next_syn_ack_of_a_real_connection_is_lost_and_sent_again() -> None:
    need("curl")
    with inspected() as (lab, url):
        assert lab.stdin is not None
        assert lab.stdout is not None
        assert order(url, do="wire", fault="lose", kind="syn,ack", dir="out")["words"] == [
            "The next SYN,ACK is lost (from us)."
        ]
        lab.stdin.write(f"curl -sS -m 15 -o /dev/null -w 'status %{{http_code}}\\n' http://{OURS}/ 2>&1\n")
        assert lab.stdout.readline() == "status 200\n", "the connection comes about all the same"
        records = events(url, lambda record: record["data"].get("after") == "ESTABLISHED")
    [asked] = [record["n"] for record in records if record["name"] == "lab:wire"]
    sent = [record for record in records if record["name"] == "tcp:send" and record["data"]["flags"] == "SYN,ACK"]
    assert [record["data"]["again"] for record in sent] == [False, True]
    [fate] = [record for record in records if record["name"] == "wire:fate"]
    assert fate["data"]["because"] == "wire_lost_on_purpose"
    assert asked < sent[0]["n"] < fate["n"] < sent[1]["n"]


def test_services_that_do_not_read_close_the_window_of_a_real_connection() -> None:
    need("nc")
    with inspected() as (lab, url):
        assert lab.stdin is not None
        assert lab.stdout is not None
        assert order(url, do="services", paused=True)["paused"] is True
        lab.stdin.write(f"head -c 2000000 /dev/zero | timeout 60 nc -N {OURS} 9; echo status $?\n")
        records = events(url, lambda record: record["name"] == "tcp:send" and record["data"].get("win") == 0)
        [paused] = [record["n"] for record in records if record["name"] == "lab:break"]
        assert paused < records[-1]["n"]
        assert order(url, do="services", paused=False)["words"] == []
        assert lab.stdout.readline() == "status 0\n", "all of it has been taken"
