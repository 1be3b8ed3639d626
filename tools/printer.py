"""Prints the many lines of a command that reads a file, and makes text of others harmless.

`output.say` may drop lines, because a host must not wait for its reader. Here the reader may take its
time: a pipe that is full blocks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from .output import Failed

COLUMNS = 80  # of a terminal whose width is not asked for
CHUNK_LINES = 256
CHUNK_CHARACTERS = 1 << 18  # one line of JSON can have millions
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Printer:
    """Collects lines and writes them in larger pieces. OSError when they cannot be written."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._characters = 0

    def __call__(self, line: str) -> None:
        """Print a line."""
        self._lines.append(line)
        self._characters += len(line)
        if len(self._lines) >= CHUNK_LINES or self._characters >= CHUNK_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Write what is left."""
        lines, self._lines, self._characters = self._lines, [], 0
        if lines and sys.stdout is not None:
            lines.append("")
            text = "\n".join(lines)
            if not text.isascii():
                encoding = sys.stdout.encoding or "utf-8"
                text = text.encode(encoding, "backslashreplace").decode(encoding)
            sys.stdout.write(text)
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
    escaped = octets.decode("latin-1").encode("unicode_escape").decode("ascii")
    return '"' + escaped.replace('"', '\\"') + '"'


def wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> Iterator[str]:
    """Yield `text` in lines of at most `width` characters: `first` stands before the first, `rest` before the others.

    A word that is longer than a line is cut.
    """
    head = first
    rest = " " * len(first) if rest is None else rest
    begin = 0  # the text is not cut, since copying what is left of it for each line takes quadratic time
    while True:
        room = max(width - len(head), 8)
        if len(text) - begin <= room:
            yield head + text[begin:]
            return
        blank = text.rfind(" ", begin + 1, begin + room + 1)
        end = blank if blank > 0 else begin + room
        yield head + text[begin:end]
        begin = end
        while text.startswith(" ", begin):
            begin += 1
        head = rest


def utc(time_ns: int, digits: int) -> str:
    """Return a time of a capture as text, with this many digits of its fraction, at most 9.

    A file can hold times that no calendar has: those outside the years 1 to 9999 are seconds since 1970.
    """
    try:
        at = (EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).isoformat(" ")[:19]
    except OverflowError:
        whole, nanoseconds = divmod(abs(time_ns), 1_000_000_000)
        return f"{'-' if time_ns < 0 else ''}{whole}.{nanoseconds:09d}"[: digits - 9 or None] + " s since 1970"
    return f"{at}.{time_ns % 1_000_000_000:09d}"[: digits - 9 or None] + " UTC"
