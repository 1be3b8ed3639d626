"""Prints how much processor time a frame costs in one benchmark, and its share in each function.

A profiler makes small functions look slower than they are. So the test runs twice. The first run,
without the profiler, gives the time for each frame. The second run gives only the shares of the
functions.
"""

from __future__ import annotations

import pstats
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from scripts.measuring.testbed import Column, Refused, Testbed, cpu_s

LINES = 40
WAITING = frozenset({"<method 'poll' of 'select.epoll' objects>"})  # not work
WAIT_S = 10.0
TOP = str(Path(__file__).resolve().parents[2]) + "/"

Function = tuple[str, int, str]


def instrumented(column: Column, file: Path) -> Column:
    """Return the same stack with the instruments of `scripts.measuring.instrumented`."""
    assert column.command is not None
    command = (sys.executable, "-m", "scripts.measuring.instrumented", str(file))  # which root alone may write to
    return replace(column, command=(*command, *column.command[1:], "--user", "root"))


def wait_for(file: Path) -> None:
    """Wait until the instruments have written the file."""
    deadline = time.monotonic() + WAIT_S
    while not file.exists():
        if time.monotonic() > deadline:
            raise Refused("it did not answer")
        time.sleep(0.01)


def name_of(function: Function) -> str:
    """Return a function as `file:line name`."""
    file, line, name = function
    path = file.removeprefix(TOP)
    if "site-packages/" in path:
        path = path.partition("site-packages/")[2]
    return name if file == "~" else f"{path}:{line} {name}"


def report(column: Column, test: str, seconds: float, root: Path) -> None:
    """Run one test twice, and print the time for each frame and its share in each function."""
    answer = root.parent / (root.name + ".profile")
    with Testbed(instrumented(column, answer), root) as testbed:
        pid = testbed.process.pid
        frames, cpu = testbed.space.frames(testbed.interface), cpu_s(pid)
        rate = testbed.client(test, seconds)
        frames, cpu = testbed.space.frames(testbed.interface) - frames, cpu_s(pid) - cpu
        profiled = testbed.space.frames(testbed.interface)
        testbed.process.send_signal(signal.SIGUSR1)
        testbed.client(test, seconds)
        testbed.process.send_signal(signal.SIGUSR1)
        wait_for(answer)
        profiled = testbed.space.frames(testbed.interface) - profiled
    statistics = pstats.Stats(str(answer)).stats  # type: ignore[attr-defined]
    answer.unlink()
    own = {function: (calls, spent) for function, (_, calls, spent, _, _) in statistics.items()}
    busy = {function: found for function, found in own.items() if function[2] not in WAITING}
    total = sum(spent for _, spent in busy.values())
    per_frame = cpu / frames * 1e6
    print(f"{test}: {rate:,.3f}; {frames:,} frames, {cpu:.2f} s of processor time, {per_frame:.1f} us a frame\n")
    print("| us a frame | share | calls a frame | function |\n|---:|---:|---:|---|")
    for function, (calls, spent) in sorted(busy.items(), key=lambda item: -item[1][1])[:LINES]:
        share = spent / total
        print(f"| {share * per_frame:.2f} | {share:.1%} | {calls / profiled:.2f} | `{name_of(function)}` |")
