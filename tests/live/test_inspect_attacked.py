"""Another user of the machine attacks the page, without the token, while the host works and its own user watches."""

from __future__ import annotations

import re
import socket
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from tests.live.net import OURS, PATIENCE_S, Program, need
from tests.live.test_inspect import Page, inspected, let_go

pytestmark = pytest.mark.one_way  # the page is the same, whatever paths the frames took

PINGS = 100
PING = f"ping -i 0.02 -c {PINGS} -W 2 {OURS}"
CROWD = 600  # connections that say nothing
SLACK_MS = 10.0  # of the median, for the attacker's own work on the same processors
MOST_GROWTH_KB = 8192
HOST = b"Host: localhost\r\n"


def silent(client: socket.socket) -> None:
    """Say nothing, until the server closes."""
    client.recv(1)


def wrong_token(client: socket.socket) -> None:
    """A whole request, over and over on one connection."""
    client.sendall((b"GET /0123456789abcdefABCDEF/ HTTP/1.1\r\n" + HOST + b"\r\n") * 1000)
    client.recv(4096)


def many_headers(client: socket.socket) -> None:
    """As many headers as fit."""
    client.sendall(b"GET /guess/ HTTP/1.1\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(1500)))
    client.recv(4096)


def slow_header(client: socket.socket) -> None:
    """A header that never ends."""
    client.sendall(b"GET ")
    for _ in range(1000):
        client.sendall(b"x")


def endless_body(client: socket.socket) -> None:
    """A body of 100 GB."""
    client.sendall(b"POST /guess/do HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n")
    while True:
        client.sendall(bytes(1 << 16))


def endless_chunks(client: socket.socket) -> None:
    """A body in chunks of one octet."""
    client.sendall(b"POST /guess/do HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        client.sendall(b"1\r\nx\r\n" * 10_000)


@contextmanager
def attacked(page: Page, attack: Callable[[socket.socket], None], clients: int = 40) -> Iterator[list[int]]:
    """Attack the page with so many clients at a time, until the block ends. Yields how many attacks there were."""
    ended = threading.Event()
    count = [0]

    def attacker() -> None:
        while not ended.is_set():
            try:
                with page.connect() as client:
                    client.settimeout(1)
                    count[0] += 1
                    attack(client)
            except OSError:
                pass  # refused, reset or too slow: the next one

    threads = [threading.Thread(target=attacker) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield count
    finally:
        ended.set()
        for thread in threads:
            thread.join(PATIENCE_S)


class Viewer(threading.Thread):
    """The user's page: it reads the events as they come, to the end."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.names: list[str] = []
        self.records: list[dict[str, object]] = []
        self._page = page

    def run(self) -> None:
        """Read."""
        with self._page.events() as events:
            for name, data in events:
                self.names.append(name)
                if name == "batch":
                    assert isinstance(data, list)
                    self.records += data

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.join(PATIENCE_S)


def memory_kb(program: Program) -> int:
    """The resident memory of a program."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{program.process.pid}/status").read_text())
    assert found is not None
    return int(found[1])


def times_ms(printed: str) -> list[float]:
    """The round trips that ping has printed."""
    return [float(text) for text in re.findall(r"time=([\d.]+) ms", printed)]


@pytest.mark.parametrize("attack", [silent, wrong_token, many_headers, slow_header, endless_body, endless_chunks])
def test_the_host_answers_and_its_user_sees_it(attack: Callable[[socket.socket], None]) -> None:
    need("ping")
    script = f"read line; {PING}; echo first; read line; {PING}; echo second; read line"
    with inspected(script=script) as (program, page), Viewer(page) as viewer:
        let_go(program)
        program.wait_for(b"first")
        before_kb = memory_kb(program)
        with attacked(page, attack) as count:
            let_go(program)
            program.wait_for(b"second", 60)
            assert page.status("words.json") == 200
            grown_kb = memory_kb(program) - before_kb
        assert count[0] >= 40
        let_go(program)
        assert program.wait()[0] == 0
    printed = program.output.decode()
    quiet, loud = (times_ms(part) for part in printed.partition("first")[::2])
    assert len(quiet) == PINGS, printed
    # ping does not wait for an answer to its last request longer than two round trips of its estimate
    assert len(loud) >= PINGS - 1, printed
    assert statistics.median(loud) < statistics.median(quiet) + SLACK_MS
    assert grown_kb < MOST_GROWTH_KB
    assert (viewer.names[0], viewer.names[-1]) == ("hello", "end")
    assert [record["n"] for record in viewer.records] == list(range(1, len(viewer.records) + 1)), "nothing is missing"
    assert sum(record["name"] == "wire:frame" for record in viewer.records) >= 4 * PINGS
    assert "failed" not in printed


def test_a_crowd_that_stays_does_not_keep_the_user_out() -> None:
    with inspected() as (program, page):
        crowd = [page.connect() for _ in range(CROWD)]
        try:
            for _ in range(3):
                assert page.status("words.json") == 200
            with page.events() as events:
                assert next(events)[0] == "hello"
            open_files = len(list(Path(f"/proc/{program.process.pid}/fd").iterdir()))
            assert open_files < CROWD / 2, "the crowd is turned away"
        finally:
            for client in crowd:
                client.close()
        assert page.status("") == 200
        let_go(program)
        assert program.wait()[0] == 0
