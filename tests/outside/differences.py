"""Compares follow with tshark on every capture, and keeps the table of their differences.

usage: python -m tests.outside.differences    writes differences.tsv anew, and prints the figures

A row is one frame: the capture, the frame's number, what only follow says, what only tshark says, and
the reason, which is checked in the capture itself (`facts.py`). The table is that of Wireshark 4.0.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from stack.link.captured import CapturedFrame
from stack.outside.follow import follow
from tests.outside import tshark
from tests.outside.captures import MadeCapture, made
from tests.outside.facts import Facts, reason_for

TABLE = Path(__file__).parent / "differences.tsv"
HEADER = "capture\tframe\tonly follow\tonly tshark\treason"


class Difference(NamedTuple):
    """One frame of which the two say different things."""

    capture: str
    frame: int
    follow: frozenset[str]
    tshark: frozenset[str]
    reason: str

    @property
    def row(self) -> str:
        ours, theirs = (",".join(sorted(flags)) or "-" for flags in (self.follow, self.tshark))
        return f"{self.capture}\t{self.frame}\t{ours}\t{theirs}\t{self.reason or '?'}"


@dataclass(slots=True)
class Figures:
    """How often both say a flag, only follow, and only tshark."""

    both: int = 0
    only_follow: int = 0
    only_tshark: int = 0

    @property
    def precision(self) -> float:
        """The share of what follow says that tshark says, too."""
        said = self.both + self.only_follow
        return self.both / said if said else 1.0

    @property
    def recall(self) -> float:
        """The share of what tshark says that follow says, too."""
        said = self.both + self.only_tshark
        return self.both / said if said else 1.0


@dataclass(slots=True)
class Comparison:
    """The figures of each flag: of all frames, and without the differences that the capture itself decides."""

    captures: int = 0
    frames: int = 0
    flagged: Counter[str] = field(default_factory=Counter)  # how often tshark says each
    all: dict[str, Figures] = field(default_factory=lambda: {flag: Figures() for flag in tshark.FLAGS})
    undecided: dict[str, Figures] = field(default_factory=lambda: {flag: Figures() for flag in tshark.FLAGS})
    differences: list[Difference] = field(default_factory=list)

    def take(self, name: str, frames: list[CapturedFrame], theirs: dict[int, set[str]]) -> None:
        """Compare one capture. A frame whose checksum is wrong is dropped by its receiver, and is not compared."""
        self.captures += 1
        self.frames += len(frames)
        facts = Facts(frames)
        ours = said_by_follow(frames)
        for number in theirs:
            if number in facts.pieces and facts.pieces[number].broken:
                continue
            left, right = ours.get(number, set()), theirs[number]
            self.flagged.update(right)
            reason = ""
            if left != right:
                only_left, only_right = frozenset(left - right), frozenset(right - left)
                reason = reason_for(facts, number, only_left, only_right)
                self.differences.append(Difference(name, number, only_left, only_right, reason))
            for figures in (self.all,) if reason else (self.all, self.undecided):
                for flag in left | right:
                    figures[flag].both += flag in left and flag in right
                    figures[flag].only_follow += flag not in right
                    figures[flag].only_tshark += flag not in left

    def table(self) -> str:
        """The figures as text, a line a flag."""
        lines = [
            f"{self.captures} captures, {self.frames} frames; follow beside tshark {tshark.version()}",
            f"{'flag':24} {'both':>6} {'follow':>6} {'tshark':>6} {'precision':>9} {'recall':>6}   undecided by facts",
        ]
        for flag in tshark.FLAGS:
            one, rest = self.all[flag], self.undecided[flag]
            lines.append(
                f"{flag:24} {one.both:6} {one.only_follow:6} {one.only_tshark:6} {one.precision:9.3f} {one.recall:6.3f}"
                f"   {rest.precision:9.3f} {rest.recall:6.3f}"
            )
        return "\n".join(lines)

    def rows(self) -> str:
        """The table of differences, as in TABLE."""
        return "\n".join([HEADER, *(difference.row for difference in self.differences)]) + "\n"


def said_by_follow(frames: list[CapturedFrame]) -> dict[int, set[str]]:
    """The flags of each frame, by the names that tshark has for them."""
    found: dict[int, set[str]] = {}
    for connection in follow(frames):
        for segment in connection.segments:
            found[segment.number] = {mark.kind.tshark for mark in segment.marks if mark.kind.tshark}
    return found


def compared(captures: Sequence[MadeCapture], told: Sequence[dict[int, set[str]]]) -> Comparison:
    """follow beside what tshark has told of each capture."""
    comparison = Comparison()
    for capture, theirs in zip(captures, told, strict=True):
        comparison.take(capture.name, capture.frames, theirs)
    return comparison


def write() -> None:
    """Write the table anew, and say what is in it."""
    captures = made()
    with tempfile.TemporaryDirectory() as folder:
        result = compared(captures, tshark.flags([capture.frames for capture in captures], Path(folder)))
    TABLE.write_text(result.rows(), encoding="utf-8")
    print(result.table())
    print(Counter(difference.reason or "?" for difference in result.differences))
    print("\n".join(difference.row for difference in result.differences if not difference.reason))


if __name__ == "__main__":
    write()
