"""Network namespaces of our own, and programs in them: the other end of every live check.

Names carry the process's id, so that runs side by side do not meet, and everything is taken down
again whatever happens.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pytest

from tests import modes

T = TypeVar("T")

OURS, THEIRS = "10.9.0.2", "10.9.0.1"
PATIENCE_S = 20.0  # for what takes a moment: a start, an end
CLONE_NEWNET = 0x40000000
COMMAND = [sys.executable, "-W", "error", "-m", "tapstack"]

_serial = itertools.count(1)


def need(*programs: str) -> None:
    """Skip, and say which, when one of these programs is not on this machine."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def need_root() -> None:
    """Skip where no network namespace can be made, or no TAP."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    if not Path("/dev/net/tun").exists():
        pytest.skip("needs /dev/net/tun")
    need("ip")


class Program:
    """A program that runs beside the test. What it prints on standard output can be waited for."""

    def __init__(self, command: list[str], **options: object) -> None:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            start_new_session=True,
            **{**pipes, **options},  # type: ignore[call-overload]
        )
        self.output = b""

    def wait_for(self, text: bytes, timeout_s: float = PATIENCE_S) -> str:
        """The first line with `text`; fails when the program ends, or time runs out, before it came."""
        assert self.process.stdout is not None
        end = time.monotonic() + timeout_s
        while True:
            for line in self.output.split(b"\n")[:-1]:
                if text in line:
                    return line.decode()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            self.output += more
            if not more:
                status, _, errors = self.stop()
                pytest.fail(f"no {text!r} from {self.process.args!r} ({status}): {self.output!r} {errors!r}")

    def printed(self) -> bytes:
        """All that came on standard output until now."""
        assert self.process.stdout is not None
        while select.select([self.process.stdout], [], [], 0)[0] and (
            more := os.read(self.process.stdout.fileno(), 65536)
        ):
            self.output += more
        return self.output

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = PATIENCE_S) -> tuple[int, bytes, bytes]:
        """Send it a signal and wait for its end: exit status, all output, all error output."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = PATIENCE_S) -> tuple[int, bytes, bytes]:
        """Wait for its end: exit status, all output, all error output."""
        try:
            rest, errors = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            pytest.fail(f"{self.process.args!r} did not end")
        self.output += rest or b""
        return self.process.returncode, self.output, errors or b""

    def kill(self) -> None:
        """End it and all it started, whatever state it is in."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


class Namespace:
    """A network namespace with `lo` up and IPv6 off."""

    def __init__(self) -> None:
        self.name = f"tapstack-{os.getpid()}-{next(_serial)}"
        ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")
        self.in_here(self._without_ipv6)

    @staticmethod
    def _without_ipv6() -> None:
        for where in ("default", "all"):
            path = Path(f"/proc/sys/net/ipv6/conf/{where}/disable_ipv6")
            if path.exists():
                path.write_text("1")

    def close(self) -> None:
        """End what still runs in it, then remove it."""
        pids = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False).stdout
        for pid in pids.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        ip("netns", "del", self.name)

    def ip(self, *words: str) -> str:
        """The output of iproute2's `ip`, in here."""
        return ip("-n", self.name, *words)

    def command(self, *words: str) -> list[str]:
        """The command that runs `words` in here."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str, timeout_s: float = 60, data: bytes = b"", check: bool = True) -> bytes:
        """The output of a program that must succeed (unless `check` is false) in time; `data` is its input."""
        done = subprocess.run(self.command(*words), input=data, capture_output=True, timeout=timeout_s, check=False)
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout!r}\n{done.stderr!r}")
        return done.stdout

    def start(self, *words: str, **options: object) -> Program:
        """A program that runs in here beside the test."""
        return Program(self.command(*words), **options)

    def in_here(self, function: Callable[..., T], *arguments: object) -> T:
        """The result of a function, run by a thread that is in this namespace: sockets it makes are in here."""
        results: list[T] = []
        errors: list[BaseException] = []

        def body() -> None:
            try:
                with open(f"/run/netns/{self.name}") as file:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                results.append(function(*arguments))
            except BaseException as error:  # whatever it was, it is raised again in the test's own thread
                errors.append(error)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def socket(self, kind: int, timeout_s: float = PATIENCE_S) -> socket.socket:
        """A kernel socket in here."""
        made: socket.socket = self.in_here(socket.socket, socket.AF_INET, kind)
        made.settimeout(timeout_s)
        return made

    def links(self) -> str:
        """The interfaces in here, as `ip link` lists them."""
        return self.ip("-o", "link")


@contextmanager
def own_namespace() -> Iterator[Namespace]:
    """An empty network namespace, gone afterwards; skips where there can be none."""
    need_root()
    made = Namespace()
    try:
        yield made
    finally:
        made.close()


def ip(*words: str) -> str:
    """The output of iproute2's `ip`."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20).stdout


@contextmanager
def up(namespace: Namespace, *options: str) -> Iterator[Program]:
    """`tapstack up` in a namespace, ready. It must end cleanly, and must not have had anything to complain of."""
    with namespace.start(*COMMAND, "up", *modes.up_options(), *options) as program:
        program.wait_for(b"ready: ")
        yield program
        status, _, errors = program.stop()
        assert not errors, errors.decode()
        assert status == 0
        assert "tap0" not in namespace.links()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look until it is so."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"still not: {what}")
        time.sleep(0.02)  # the other end is another process: there is nothing to wait on


def wait_for_listener(program: Program, port: int) -> None:
    """Wait until the kernel listens on a TCP port in the program's network namespace."""
    table = Path(f"/proc/{program.process.pid}/net/tcp")
    wait_until(lambda: f":{port:04X} 00000000:0000 0A" in table.read_text(), f"listening on port {port}")
