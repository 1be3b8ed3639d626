"""The outcome of a script, and its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .matching import Row


class Status(Enum):
    """How a script ended. The value is the exit status of the command for it."""

    PASSED = 0
    FAILED = 1
    ERROR = 2
    UNSUPPORTED = 3


LABELS = {
    Status.PASSED: "passed",
    Status.FAILED: "FAILED",
    Status.ERROR: "ERROR in the script",
    Status.UNSUPPORTED: "UNSUPPORTED",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The status of the script called `name`. `line` and `column` are 0 if there is none."""

    name: str
    status: Status
    line: int = 0
    column: int = 0
    message: str = ""

    def __str__(self) -> str:
        place = ":".join([self.name, *[str(number) for number in (self.line, self.column) if number]])
        return f"{place}: {LABELS[self.status]}" + (f": {self.message}" if self.message else "")


class Failed(Exception):
    """The host did not do what a line says: the script failed."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def side_by_side(rows: Sequence[Row], heads: tuple[str, str]) -> str:
    """Return a table of the rows, a field a line, with a mark at those that differ."""
    table = [("", *heads, ""), *[(row.name, row.expected, row.actual, "<--" if row.differs else "") for row in rows]]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]]) for line in table
    ]
    return "\n".join("    " + line.rstrip() for line in lines)


def seconds(time_us: int) -> str:
    """Return a time of the script as text in seconds: 0.200000."""
    return f"{time_us / 1_000_000:.6f}"
