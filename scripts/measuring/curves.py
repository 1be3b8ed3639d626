"""Measures what grows: `tapstack up` with more connections, more UDP peers, larger windows and more
loss, for `scripts/bench --plot`.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from scripts.measuring import scale
from scripts.measuring.chart import Chart, svg, table
from scripts.measuring.testbed import PROGRAM, Column, Refused, Testbed

UDP_PEERS = (1, 10, 100, 1_000, 10_000)
WINDOWS = (64 << 10, 256 << 10, 1 << 20, 4 << 20)
LOSSES = {"no loss": "0", "0.1 % loss": "0.001", "1 % loss": "0.01"}
DELAY = "10ms"  # each way
BUSY_LOAD = 0.5  # processes that were ready to run, before the first test

Point = tuple[str, str, int, float]  # chart, line, abscissa, figure


def busy() -> str:
    """Return ", busy (load n)" when the machine had other work before the first test, or nothing."""
    load = os.getloadavg()[0]
    return f", busy (load {load:.1f})" if load > BUSY_LOAD else ""


def empty() -> dict[str, Chart]:
    """Return the charts without figures."""
    names = {
        "connections": ("Echoes on one of many connections", "open connections", "echoes /s"),
        "udp": ("UDP echoes, one peer after another", "peers", "echoes /s"),
        "window": ("Stack to kernel, round trip of 20 ms", "receive window of the kernel", "Mbit/s"),
    }
    return {key: Chart(*words, logarithmic=key == "window") for key, words in names.items()}


def ask(testbed: Testbed, kind: str, number: int, seconds: float) -> float:
    """Run `scripts.measuring.curve_client` in the testbed. Raises Refused."""
    words = [sys.executable, "-m", "scripts.measuring.curve_client", kind, str(number), str(seconds)]
    return float(json.loads(testbed.space.run(*words)))


def tap_column(root: Path, *more: str) -> Column:
    """`tapstack up` with more options."""
    return Column("tapstack up", (PROGRAM, "up", "--http-root", str(root), *more))


def points(root: Path, counts: list[int], seconds: float) -> Iterator[Point]:
    """Measure each point once. A testbed or test that fails is reported and left out."""
    for count in counts:
        try:
            with ExitStack() as exit_stack:
                figures = scale.idle(exit_stack, tap_column(root), root, count, seconds)
            yield "connections", "echoes", count, figures["echoes /s"]
        except Refused as why:
            print(f"{count} connections: {why}", file=sys.stderr)
    runs: list[tuple[str, str, tuple[str, ...], tuple[int, ...]]] = [("udp", "echoes", (), UDP_PEERS)]
    for line, loss in LOSSES.items():
        runs.append(("window", line, ("--impair", f"loss={loss},delay={DELAY},seed=1"), WINDOWS))
    for chart, line, options, numbers in runs:
        try:
            with Testbed(tap_column(root, *options), root) as testbed:
                for number in numbers:
                    yield chart, line, number, ask(testbed, chart, number, seconds)
        except Refused as why:
            print(f"{chart}, {line}: {why}", file=sys.stderr)


def gather(found: list[Point]) -> dict[str, Chart]:
    """Return the charts: each figure is the median of those of its point."""
    every: dict[tuple[str, str, int], list[float]] = {}
    for chart, line, abscissa, figure in found:
        if math.isfinite(figure):
            every.setdefault((chart, line, abscissa), []).append(figure)
    charts = empty()
    for (chart, line, abscissa), figures in every.items():
        charts[chart].lines.setdefault(line, {})[abscissa] = statistics.median(figures)
    return charts


def report(root: Path, counts: list[int], seconds: float, rounds: int, about: str) -> tuple[str, list[Point]]:
    """Measure, and print a table for each chart. Returns the picture, and each single figure."""
    caption = f"{about}; median of {rounds} rounds of {seconds:g} s{busy()}"
    found: list[Point] = []
    for number in range(rounds):
        for point in points(root, counts, seconds):
            print(f"round {number + 1}, {point[0]}, {point[1]}, {point[2]}: {point[3]:.1f}", file=sys.stderr)
            found.append(point)
    charts = gather(found)
    print(caption)
    for key, chart in charts.items():
        print(f"\n{table(chart, key == 'window')}")
    return svg([(chart, key == "window") for key, chart in charts.items()], caption), found
