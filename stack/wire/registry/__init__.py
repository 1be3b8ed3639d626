"""Registries of assigned numbers, as tables of text.

A row has one number. Two or more spaces separate the columns, and `#` begins a comment. Each table
follows the registry of that name at https://www.iana.org/protocols. EtherTypes and SAPs are IEEE's
and RFC 9542's.
"""

from __future__ import annotations

import re

_COLUMNS = re.compile(r" {2,}")


def rows(table: str) -> list[list[str]]:
    """The rows of a table, each as a list of its columns."""
    lines = (line.strip() for line in table.splitlines())
    return [_COLUMNS.split(line) for line in lines if line and not line.startswith("#")]


def names(table: str, base: int) -> dict[int, str]:
    """The names in a table by number.

    The first column is a number in `base`, or a range "first-last". The second column is the name.
    """
    result: dict[int, str] = {}
    for number, name, *_ in rows(table):
        first, _, last = number.partition("-")
        for value in range(int(first, base), int(last or first, base) + 1):
            result[value] = name
    return result
