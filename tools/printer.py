"""Prints the many lines of a command that reads a file, and makes text of others harmless.

`output.say` may drop lines, because a host must not wait for its reader. Here the reader may take its
time: a pipe that is full blocks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .output import Failed

CHUNK_LINES = 256


class Printer:
    """Collects lines and writes them in larger pieces. OSError when they cannot be written."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __call__(self, line: str) -> None:
        """Print a line."""
        self._lines.append(line)
        if len(self._lines) >= CHUNK_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is left."""
        lines, self._lines = self._lines, []
        if lines and sys.stdout is not None:
            encoding = sys.stdout.encoding or "utf-8"
            text = "\n".join(lines) + "\n"
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
            sys.stdout.flush()


@contextmanager
def printing() -> Iterator[Printer]:
    """Give a printer, and flush it at the end. A reader that has closed its pipe (`| head`) is no failure."""
    printer = Printer()
    try:
        try:
            yield printer
        finally:
            printer.flush()
    except BrokenPipeError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())  # for what is left in the buffer of `sys.stdout`
        os.close(null)
    except OSError as error:
        raise Failed(f"standard output cannot be written: {error.strerror}") from None


def clean(text: str) -> str:
    """Return text of others as one harmless line: control, bidirectional and other invisible characters are escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def octets_as_text(octets: bytes) -> str:
    """Return octets as printable ASCII in quotation marks; others are escaped, as \\r and \\x1b."""
    text = octets.decode("latin-1").translate(_ESCAPES)
    return f'"{text}"'


_ESCAPES = {octet: f"\\x{octet:02x}" for octet in (*range(0x20), *range(0x7F, 0x100))}
_ESCAPES |= {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x22: '\\"', 0x5C: "\\\\"}


def wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> Iterator[str]:
    """Yield `text` in lines of at most `width` characters: `first` stands before the first, `rest` before the others.

    A word that is longer than a line is cut.
    """
    head = first
    rest = " " * len(first) if rest is None else rest
    while True:
        room = max(width - len(head), 8)
        if len(text) <= room:
            yield head + text
            return
        at = text.rfind(" ", 1, room + 1)
        cut = at if at > 0 else room
        yield head + text[:cut]
        text = text[cut:].lstrip(" ")
        head = rest
