"""A testbed for each stack of a benchmark: a network namespace with the stack on one side and the
kernel on the other.

The client is always the kernel of the namespace, 10.9.0.1; the stack has 10.9.0.2. The namespaces
have no names: each exists as long as a process sleeps in it. All these processes end with this one.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.measuring.client import HOST, Ports

PROGRAM = os.path.join(os.path.dirname(sys.executable), "tapstack")
KERNEL = "10.9.0.1"
START_S = 20.0
END_S = 5.0
TICK = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
# Of the client's side: no chatter of IPv6, ports enough for a run of short connections, nothing remembered of the last.
SETTINGS = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    "net/ipv4/ip_local_port_range": "1024 65535",
    "net/ipv4/tcp_tw_reuse": "1",
    "net/ipv4/tcp_no_metrics_save": "1",
    "net/ipv4/tcp_congestion_control": "cubic",
}
DEFAULT_PORTS = Ports()
_libc = ctypes.CDLL(None)


class Refused(Exception):
    """A stack did not start, or a test failed. The text is what the program printed."""


@dataclass(frozen=True)
class Column:
    """One stack to measure. `command` makes tap0 and serves on it, or is None for kernel sockets across a veth."""

    name: str
    command: tuple[str, ...] | None
    ports: Ports = DEFAULT_PORTS
    says_ready: bool = True
    http: bool = True


def die_with_parent() -> None:
    """Called in a child before exec: have the kernel kill it when this program ends.

    This is safe because we have no threads.
    """
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command: list[str], *, stdin: int = subprocess.DEVNULL, **outputs: object) -> subprocess.Popen[str]:
    """Start a program in a session of its own."""
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command,
        stdin=stdin,
        text=True,
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509
        **outputs,
    )


def end(process: subprocess.Popen[str]) -> None:
    """End a program and its children by SIGTERM, or by SIGKILL after `END_S`."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def cpu_s(pid: int) -> float:
    """The processor time that a process has used so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_bytes(pid: int) -> int:
    """The RSS of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Space:
    """A network namespace, held by a process that sleeps in it."""

    def __init__(self) -> None:
        self.holder = start(["unshare", "--net", "sleep", "infinity"])
        ours = os.readlink("/proc/self/ns/net")
        self._wait(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != ours)
        self.ip("link", "set", "lo", "up")
        for name, value in SETTINGS.items():
            self.run("sh", "-c", f"echo {value} >/proc/sys/{name}", check=False)

    @staticmethod
    def _wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not condition():
            if time.monotonic() > deadline:
                raise Refused("it took too long")
            time.sleep(0.01)

    def inside(self, *command: str) -> list[str]:
        """The command that runs `command` in here, in the same process."""
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *command]

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command in here. Returns its output."""
        done = subprocess.run(self.inside(*command), capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise Refused(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def ip(self, *words: str) -> None:
        """ip(8) in here."""
        self.run("ip", *words)

    def wait_for_interface(self, name: str) -> None:
        """Wait until there is an interface of that name."""
        self._wait(lambda: f"{name}:" in self.run("cat", "/proc/net/dev"))

    def frames(self, name: str) -> int:
        """Return how many frames have passed an interface, in and out; a super-frame is one."""
        for line in self.run("cat", "/proc/net/dev").splitlines():
            interface, _, rest = line.partition(":")
            if interface.strip() == name:
                numbers = rest.split()
                return int(numbers[1]) + int(numbers[9])
        raise Refused(f"there is no {name}")

    def close(self) -> None:
        """End the holder: the namespace is removed when no process is left in it."""
        end(self.holder)


class Testbed:
    """A column's stack, running. `interface` is the kernel's side of the wire, `process` the stack."""

    def __init__(self, column: Column, root: Path) -> None:
        self.column = column
        self._exit = ExitStack()
        try:
            self.space = Space()
            self._exit.callback(self.space.close)
            if column.command is None:
                self._start_kernel(root)
            else:
                self._start_stack(column)
            self.client("wait", START_S)
        except BaseException:
            self._exit.close()
            raise

    def _start_stack(self, column: Column) -> None:
        assert column.command is not None
        self.interface = "tap0"
        self.process = self._run(self.space, list(column.command), column.says_ready)
        self.space.wait_for_interface("tap0")
        if not column.says_ready:
            self.space.ip("addr", "replace", f"{KERNEL}/24", "dev", "tap0")
            self.space.ip("link", "set", "tap0", "up")

    def _start_kernel(self, root: Path) -> None:
        self.interface = "veth0"
        there = Space()
        self._exit.callback(there.close)
        self.space.ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1", "netns", str(there.holder.pid))
        for space, name, address in ((self.space, "veth0", KERNEL), (there, "veth1", HOST)):
            space.ip("addr", "add", f"{address}/24", "dev", name)
            space.ip("link", "set", name, "up")
        command = [sys.executable, "-m", "scripts.measuring.kernel_host", f"{HOST}/24", str(root)]
        self.process = self._run(there, command, True)

    def _run(self, space: Space, command: list[str], says_ready: bool) -> subprocess.Popen[str]:
        """Start the stack. Raises Refused, with its output, when it ends before it is ready."""
        if not says_ready:
            process = start(space.inside(*command), stdout=sys.stderr)
            self._exit.callback(end, process)
            return process
        errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._exit.callback(errors.close)
        process = start(space.inside(*command), stdout=subprocess.PIPE, stderr=errors)
        self._exit.callback(end, process)
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_S)
        line = process.stdout.readline() if ready else ""
        if not line.startswith("ready:"):
            end(process)
            errors.seek(0)
            said = [line for line in errors.read().splitlines() if any(map(str.isalpha, line))]
            raise Refused(said[-1].strip(" |") if said else "it did not get ready")
        print(f"{self.column.name}: {line.strip()}", file=sys.stderr)
        return process

    def client(self, test: str, seconds: float) -> float:
        """Run one test of `scripts.measuring.client` here; Refused when it fails."""
        ports = self.column.ports
        words = [test, str(seconds), str(ports.sink), str(ports.source)]
        command = self.space.inside(sys.executable, "-m", "scripts.measuring.client", *words)
        process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=seconds + 60)
        except subprocess.TimeoutExpired:
            raise Refused(f"{test}: it took too long") from None
        finally:
            end(process)
        if process.returncode:
            raise Refused(f"{test}: {(err.strip().splitlines() or ['failed'])[-1]}")
        return float(json.loads(out))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()
