"""Measures `tapstack up` with many connections: time for each frame, memory, processor time when
idle.

The clients are several processes, since the number of open files of one process is limited.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from scripts.measuring.profile import instrumented, wait_for
from scripts.measuring.testbed import PROGRAM, Column, Testbed, cpu_s, end, resident_bytes, start

CLIENTS = 4
AT_ONCE = 50  # connections that each client makes at the same time, where the point is not a burst
QUIET_S = 5.0
BURST = 5_000
TIME_WAITS = 20_000
IDLE_SAMPLE = 1_000

Figures = dict[str, float]


class Clients:
    """Processes that run `scripts.measuring.many_clients` in the network namespace of a testbed."""

    def __init__(self, testbed: Testbed, count: int) -> None:
        self._processes = [
            start(
                testbed.space.inside(sys.executable, "-m", "scripts.measuring.many_clients"),
                stdout=subprocess.PIPE,
                stdin=subprocess.PIPE,
            )
            for _ in range(count)
        ]

    def all(self, command: str, count: int, at_once: int) -> Figures:
        """Divide `count` among the processes. Returns the sums of their figures and the longest time."""
        each, more = divmod(count, len(self._processes))
        for number, process in enumerate(self._processes):
            self._tell(process, f"{command} {each + (number < more)} {at_once}")
        total: Figures = {}
        for process in self._processes:
            for name, value in self._hear(process).items():
                total[name] = max(total.get(name, 0), value) if name == "seconds" else total.get(name, 0) + value
        return total

    def one(self, command: str) -> Figures:
        """Give a command to the first process. Returns its figures."""
        self._tell(self._processes[0], command)
        return self._hear(self._processes[0])

    @staticmethod
    def _tell(process: subprocess.Popen[str], command: str) -> None:
        assert process.stdin is not None
        process.stdin.write(command + "\n")
        process.stdin.flush()

    @staticmethod
    def _hear(process: subprocess.Popen[str]) -> Figures:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("a client has died")
        found: Figures = json.loads(line)
        return found

    def close(self) -> None:
        """End all processes."""
        for process in self._processes:
            end(process)


def echo_cost(testbed: Testbed, clients: Clients, seconds: float) -> Figures:
    """Measure echoes a second, on one connection after another, and the time for each frame."""
    frames, cpu = testbed.space.frames(testbed.interface), cpu_s(testbed.process.pid)
    rate = clients.one(f"echo {seconds}")["rate"]
    frames, cpu = testbed.space.frames(testbed.interface) - frames, cpu_s(testbed.process.pid) - cpu
    return {"echoes /s": rate, "us a frame": cpu / frames * 1e6}


def idle(exit_stack: ExitStack, column: Column, root: Path, count: int, seconds: float) -> Figures:
    """Measure `count` connections: the time to open them, their memory, the cost of an echo."""
    testbed = exit_stack.enter_context(Testbed(column, root))
    clients = Clients(testbed, min(CLIENTS, count))
    exit_stack.callback(clients.close)
    before = resident_bytes(testbed.process.pid)
    figures = clients.all("open", count, AT_ONCE)
    figures["RSS a connection"] = (resident_bytes(testbed.process.pid) - before) / count
    time.sleep(1)  # delayed acknowledgments
    cpu = cpu_s(testbed.process.pid)
    time.sleep(QUIET_S)
    figures["idle CPU %"] = (cpu_s(testbed.process.pid) - cpu) / QUIET_S * 100
    return {**figures, **echo_cost(testbed, clients, seconds)}


def burst(exit_stack: ExitStack, column: Column, root: Path) -> Figures:
    """Open `BURST` connections at the same moment."""
    testbed = exit_stack.enter_context(Testbed(column, root))
    clients = Clients(testbed, CLIENTS)
    exit_stack.callback(clients.close)
    return clients.all("open", BURST, BURST)


def time_waits(exit_stack: ExitStack, column: Column, root: Path, answer: Path, seconds: float) -> Figures:
    """Measure with connections in TIME-WAIT: those that the host has closed first."""
    testbed = exit_stack.enter_context(Testbed(instrumented(column, answer), root))
    clients = Clients(testbed, CLIENTS)
    exit_stack.callback(clients.close)
    before = resident_bytes(testbed.process.pid)
    figures = clients.all("daytime", TIME_WAITS, AT_ONCE)
    figures["RSS a connection"] = (resident_bytes(testbed.process.pid) - before) / TIME_WAITS
    testbed.process.send_signal(signal.SIGUSR2)
    wait_for(answer)
    figures["in the table"] = json.loads(answer.read_text())["connections"]
    answer.unlink()
    clients.one("open 10 10")
    return {**figures, **echo_cost(testbed, clients, seconds)}


def show(name: str, figures: Figures) -> None:
    """Print one line of the report."""
    print(f"{name}: " + ", ".join(f"{key} {value:,.1f}" for key, value in figures.items()), flush=True)


def report(root: Path, counts: list[int], seconds: float) -> dict[str, Figures]:
    """Do all measurements, and print each result when it is there."""
    column = Column("tapstack up", (PROGRAM, "up", "--http-root", str(root)))
    found: dict[str, Figures] = {}
    for count in counts:
        with ExitStack() as exit_stack:
            found[f"{count:,} idle connections"] = idle(exit_stack, column, root, count, seconds)
        show(*list(found.items())[-1])
    with ExitStack() as exit_stack:
        found[f"a burst of {BURST:,}"] = burst(exit_stack, column, root)
    show(*list(found.items())[-1])
    with ExitStack() as exit_stack:
        answer = root.parent / (root.name + ".tables")
        found[f"{TIME_WAITS:,} in TIME-WAIT"] = time_waits(exit_stack, column, root, answer, seconds)
    show(*list(found.items())[-1])
    command = [sys.executable, "-m", "tests.sockets.idle", str(IDLE_SAMPLE)]
    ours = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])
    found["memory"] = {"the stack's bytes (tracemalloc) an idle connection": ours}
    show(*list(found.items())[-1])
    return found
