"""The registries as tables to read: one row per number, columns separated by two spaces or more, `#` for comments.

Each follows the registry of that name at https://www.iana.org/protocols (EtherTypes and SAPs: IEEE's and RFC 9542's).
"""

from __future__ import annotations

import re

_COLUMNS = re.compile(r" {2,}")


def rows(table: str) -> list[list[str]]:
    """The rows of a table, each as its columns."""
    lines = (line.strip() for line in table.splitlines())
    return [_COLUMNS.split(line) for line in lines if line and not line.startswith("#")]


def names(table: str, base: int) -> dict[int, str]:
    """A table whose first column is a number, or "first-last", written in `base`; its second column is the name."""
    result: dict[int, str] = {}
    for number, name, *_ in rows(table):
        first, _, last = number.partition("-")
        for value in range(int(first, base), int(last or first, base) + 1):
            result[value] = name
    return result
