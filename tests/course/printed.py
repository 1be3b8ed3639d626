"""Reads the tables `pop3.tsv` and `ntp.tsv`: what a course on networks printed of two captures.

A row is one printed field: the number of its frame, the line of the course's text, the part of the
frame, the label and the value, as they are printed. "Summary" is the table with one row a frame;
"Frame" is what the capture says of the frame. The course's sentences between the fields are left
out.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
POP3, NTP = HERE / "pop3.tsv", HERE / "ntp.tsv"

Fields = dict[tuple[str, str], tuple[str, ...]]
"""The values by part and label. A label that stands twice in a part (NOP) has two values."""


class Printed(NamedTuple):
    """One printed field."""

    frame: int
    line: int
    part: str
    label: str
    value: str


def rows(path: Path) -> list[Printed]:
    """All rows of a table, in the order of the course's text."""
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        if not text.startswith("#"):
            frame, line, part, label, value = text.split("\t")
            found.append(Printed(int(frame), int(line), part, label, value))
    return found


def fields(path: Path, frame: int) -> Fields:
    """What is printed of one frame."""
    found: Fields = {}
    for row in rows(path):
        if row.frame == frame:
            found[row.part, row.label] = (*found.get((row.part, row.label), ()), row.value)
    return found
