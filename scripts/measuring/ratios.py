"""Ratios of two columns, with their 95 % intervals.

The rounds are pairs: both columns are measured one after another in each, so what slows the machine
down slows both. A ratio is the median of the rounds' ratios. Its interval is the one of the sign
test (from the k-th smallest to the k-th largest ratio), which supposes nothing about how the
figures are distributed. Fewer than six rounds have none.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from math import comb

LESS_IS_BETTER = frozenset({"ping"})
MISSES = 0.05  # how often the true median may lie outside an interval

Results = dict[str, dict[str, list[float]]]  # column, test: one figure a round


def ratio(test: str, ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return how many times better our median is than theirs."""
    one, other = statistics.median(ours), statistics.median(theirs)
    return other / one if test in LESS_IS_BETTER else one / other


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the median of what `values` are drawn from; None for fewer than six."""
    ordered, count = sorted(values), len(values)
    outside, below = 0.0, -1
    while outside + 2 * comb(count, below + 1) / 2**count <= MISSES:
        below += 1
        outside += 2 * comb(count, below) / 2**count
    return (ordered[below], ordered[-1 - below]) if below >= 0 else None


def table(results: Results, labels: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> str:
    """Markdown: a row for each test, a column for each pair that was measured, "better / worse" both named.

    `labels`: the tests, each with the words of its row.
    """
    there = [pair for pair in pairs if pair[0] in results and pair[1] in results]
    lines = ["| | " + " | ".join(f"{one} / {other}" for one, other in there) + " |", "|---|" + "---|" * len(there)]
    for test, label in labels.items():
        cells = [_cell(test, results[one].get(test, []), results[other].get(test, [])) for one, other in there]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(test: str, ours: list[float], theirs: list[float]) -> str:
    if not ours or len(ours) != len(theirs):  # a round that failed has no pair
        return "-"
    values = [ratio(test, [one], [other]) for one, other in zip(ours, theirs, strict=True)]
    text = f"{statistics.median(values):.2f}"
    ends = interval(values)
    return text if ends is None else f"{text} ({ends[0]:.2f} to {ends[1]:.2f})"
