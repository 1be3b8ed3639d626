"""The page of `--inspect`, of the real programs: who may see it, and that it is outside the lab."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.net import COMMAND, OURS, PATIENCE_S, Namespace, Program, need, need_root, wait_until
from tests.live.unprivileged import UID, ordinary

WITHOUT_H11 = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "h11" else find(name, package)
from tapstack.cli import main
sys.exit(main())
"""
URL = re.compile(r"inspect: http://127\.0\.0\.1:(\d+)/([\w-]{22})/")


class Page:
    """Where the page is, and what it answers. It is asked from the namespace of the test, or from `namespace`."""

    def __init__(self, port: int, token: str, namespace: Namespace | None = None) -> None:
        self.port = port
        self.token = token
        self.namespace = namespace

    def connect(self) -> socket.socket:
        """A connection to it."""
        if self.namespace is None:
            return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        client = self.namespace.socket(socket.SOCK_STREAM)
        client.connect(("127.0.0.1", self.port))
        return client

    def ask(self, path: str, *headers: str, method: str = "GET", body: str = "", token: str | None = None) -> str:
        """The whole answer to a request."""
        token = self.token if token is None else token
        named = [f"Host: 127.0.0.1:{self.port}", *headers]
        if any(header.startswith("Host: ") for header in headers):
            del named[0]
        lines = [f"{method} /{token}/{path} HTTP/1.1", *named, f"Content-Length: {len(body)}", "Connection: close"]
        with self.connect() as client:
            client.sendall("\r\n".join([*lines, "", body]).encode())
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def status(self, path: str, *headers: str, method: str = "GET", body: str = "", token: str | None = None) -> int:
        """The status of the answer to a request."""
        return int(self.ask(path, *headers, method=method, body=body, token=token).split()[1])

    @contextmanager
    def events(self) -> Iterator[Iterator[tuple[str, object]]]:
        """The server-sent events: name and data of each, to the end of the stream."""
        with self.connect() as client:
            client.sendall(f"GET /{self.token}/events?after=0 HTTP/1.1\r\nHost: localhost:{self.port}\r\n\r\n".encode())
            yield self._read(client)

    def _read(self, client: socket.socket) -> Iterator[tuple[str, object]]:
        with client.makefile("rb") as file:
            name = ""
            for line in file:
                key, _, value = line.decode().strip().partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    yield name, json.loads(value)


def page_of(text: str, namespace: Namespace | None = None) -> Page:
    """The page whose URL is in a program's output."""
    found = URL.search(text)
    assert found, text
    return Page(int(found[1]), found[2], namespace)


@contextmanager
def inspected(*options: str, script: str = "read line") -> Iterator[tuple[Program, Page]]:
    """A lab of an ordinary user with the page, and a shell script in it. Its output and errors are one."""
    command = ordinary(*COMMAND, "lab", *(options or ["--inspect"]), "--", "sh", "-c", script)
    with Program(command, stdin=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        program.wait_for(b"ready: ")
        yield program, page_of(program.output.decode())


def let_go(program: Program) -> None:
    """Let the shell script go on."""
    assert program.process.stdin is not None
    program.process.stdin.write(b"\n")
    program.process.stdin.flush()


def test_a_user_sees_from_outside_what_happens_in_the_lab() -> None:
    """The page, the words, and the events, from the first to the last: the reset at the host's end, then `end`."""
    need("ping", "nc")
    script = f"read line; ping -q -c 1 {OURS} >/dev/null; timeout 20 nc {OURS} 7 >/dev/null 2>&1 & read line"
    with inspected(script=script) as (program, page):
        assert "<!doctype html>" in page.ask("").lower()
        assert '"reasons":{' in page.ask("words.json")
        with page.events() as events:
            name, hello = next(events)
            assert name == "hello"
            assert isinstance(hello, dict)
            assert (hello["host"], hello["offload"]) == ("host", False)
            let_go(program)
            records: list[dict[str, object]] = []
            names: list[str] = []
            for name, data in events:
                names.append(name)
                if name == "batch":
                    assert isinstance(data, list)
                    if not any("ESTABLISHED" in str(record) for record in records) and "ESTABLISHED" in str(data):
                        let_go(program)
                    records += data
        assert names[-1] == "end"
        assert [record["n"] for record in records] == list(range(1, len(records) + 1))
        assert {"wire:frame", "host:call", "tcp:state"} <= {record["name"] for record in records}
        status, _, _ = program.wait()
        assert status == 0
        with pytest.raises(ConnectionRefusedError):
            page.connect()


def test_only_who_has_the_token_gets_anything() -> None:
    need_root()
    need("setpriv")
    ask = (
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
        "s.sendall(('GET /%s/ HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n' % sys.argv[2]).encode()); print(s.recv(12))"
    )
    stranger = ["setpriv", f"--reuid={UID + 1}", f"--regid={UID + 1}", "--clear-groups", "--inh-caps=-all"]
    with inspected() as (_, page):
        for token in ("x" * 22, page.token[:-1], page.token.swapcase(), "", "."):
            assert page.status("", token=token) == 403
            assert page.status("events", token=token) == 403
        python = os.path.realpath("/usr/bin/python3") if os.path.exists("/usr/bin/python3") else sys.executable
        done = subprocess.run(
            [*stranger, python, "-I", "-c", ask, str(page.port), "guess"], capture_output=True, text=True, check=True
        )
        assert done.stdout == "b'HTTP/1.1 403'\n"
        assert page.status("", "Host: evil.example") == 400
        assert page.status("", f"Host: 127.0.0.1.evil.example:{page.port}") == 400
        mark = {"method": "POST", "body": '{"do":"mark","text":"x"}'}
        kind = "Content-Type: application/json"
        assert page.status("do", kind, "Origin: http://evil.example", **mark) == 403
        assert page.status("do", kind, "Origin: null", **mark) == 403
        assert page.status("do", kind, f"Origin: http://127.0.0.1:{page.port}", **mark) == 200


def test_up_serves_the_page_after_it_has_given_up_roots_rights(namespace: Namespace) -> None:
    with namespace.start(*COMMAND, "up", "--inspect") as program:
        program.wait_for(b"ready: ")
        page = page_of(program.output.decode(), namespace)
        status = Path(f"/proc/{program.process.pid}/status").read_text()
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
        assert not re.search(r"^Uid:\s+0\b", status, re.MULTILINE)
        files = (
            "",
            "page/main.js",
            "words.json",
            "clauses.json",
            "capture.pcapng",
            "report.html",
            "source?id=9293+MUST-9",
        )
        for path in files:
            with page.connect() as client:
                client.sendall(f"GET /{page.token}/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                assert client.recv(12) == b"HTTP/1.1 200", path
        status_of_end, _, errors = program.stop(signal.SIGINT)
        assert (status_of_end, errors) == (0, b"")


def test_a_chosen_port_in_both_forms_and_one_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.listen()
        done = subprocess.run(
            ordinary(*COMMAND, "lab", "--inspect", str(port), "--", "true"),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    said = f"tapstack lab: --inspect: port {port} of 127.0.0.1 cannot be used: Address already in use\n"
    assert (done.returncode, done.stderr) == (1, said)
    for options in (["--inspect", str(port)], [f"--inspect={port}"]):
        with inspected(*options) as (program, page):
            assert page.port == port
            let_go(program)
            assert program.wait()[0] == 0


@pytest.mark.parametrize("words", [["8080"], ["sh", "-c", "exit 3"]])
def test_the_command_is_not_taken_as_the_port(words: list[str]) -> None:
    done = subprocess.run(
        ordinary(*COMMAND, "lab", "--inspect", "--", *words), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == (127 if words == ["8080"] else 3)
    assert page_of(done.stderr).port != 8080


@pytest.mark.parametrize("offload", [["--offload"], ["--offload=checksum"]])
def test_the_page_is_not_for_offload(offload: list[str]) -> None:
    command = [*COMMAND, "lab", "--inspect", *offload, "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "--inspect: not with --offload" in done.stderr


def test_without_h11_one_line_says_so() -> None:
    words = [sys.executable, "-c", WITHOUT_H11, "lab", "--inspect", "--", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tapstack lab: --inspect needs h11: pip install 'tapstack[tools]'\n"


def test_an_interrupt_ends_all_of_it_and_tells_the_page(namespace: Namespace) -> None:
    with namespace.start(*COMMAND, "up", "--inspect") as program:
        program.wait_for(b"ready: ")
        page = page_of(program.output.decode(), namespace)
        with page.events() as events:
            assert next(events)[0] == "hello"
            status, _, errors = program.stop(signal.SIGINT)
            assert (status, errors) == (0, b"")
            assert [name for name, _ in events][-1] == "end"
        pids = subprocess.run(["ip", "netns", "pids", namespace.name], capture_output=True, text=True, check=True)
        assert pids.stdout == ""


def test_sigterm_ends_a_watched_lab_and_leaves_no_process() -> None:
    with inspected(script="echo child $$; exec sleep 1000") as (program, page):
        child = int(program.wait_for(b"child").split()[1])
        with page.events() as events:
            assert next(events)[0] == "hello"
            assert program.stop(signal.SIGTERM)[0] == 128 + signal.SIGTERM
            assert [name for name, _ in events][-1] == "end"
        wait_until(lambda: not Path(f"/proc/{child}").exists(), "the command has ended, too")
