"""`tapstack explain FILE`: what a capture shows, as text for people or as JSON for programs.

Without options it prints a summary of the connections, a ladder for each (see ladder.py), and the
other frames as `stack.show` has them. `--fields` prints the fields of each frame (drawn_fields.py),
`--json` all of it as JSON (capture_json.py), and `--html OUT` writes a report (inspector/file_report.py).
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import stack

from .output import Failed
from .parser import whole_number
from .printer import Printer, clean, printing
from .seen import Seen, layers_of

NARROWEST, USUAL, WIDEST = 60, 80, 250  # columns
STANDARD_INPUT = "-"
SELDOM = 100_000, 50, 50  # objects, and generations, between two collections


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tapstack explain`."""
    add = parser.add_argument
    add(
        "file",
        metavar="FILE",
        help="a capture: pcap or pcapng; - is standard input. With --html also a file of --trace=FILE",
    )
    add("--connection", type=number, metavar="N", help="only this connection, by its number in the summary")
    add("--frame", type=number, metavar="N", help="every field of this frame, by its number in the file")
    add("--comments", action="store_true", help="every comment of a frame, not only the one that says why")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--fields", action="store_true", help="every field of each frame: its bits, value and meaning")
    how.add_argument("--json", action="store_true", help="all of it as JSON, one object a line")
    how.add_argument(
        "--html",
        type=written_file,
        metavar="OUT",
        help="write a report to OUT: one HTML file with the page of `lab --inspect`, which opens without a network",
    )
    add(
        "--payload",
        choices=("none", "head", "all"),
        help="how much of the frames --html keeps: their headers, their first 128 octets (the default), or all",
    )


def written_file(text: str) -> Path:
    """Parse the name of the file of a report."""
    from .options import capture_file

    return capture_file(text)


def number(text: str) -> int:
    """Parse the number of a frame or a connection."""
    return whole_number(text, "number", 1, 999_999_999)


class Reading:
    """The frames of a capture, up to its end or to the octets that are none. Raises Failed if it cannot be opened.

    failure: what is wrong with the file, once all frames before it have been given; else "".
    skipped: how many frames had a link type that is not known, by link type.
    """

    def __init__(self, path: str) -> None:
        self.name = "standard input" if path == STANDARD_INPUT else path
        self.failure = ""
        try:
            self._reader = stack.read_capture(path)
        except OSError as error:
            raise Failed(clean(f"{self.name}: {error.strerror}")) from None
        except ValueError as error:  # a name with a null character
            raise Failed(clean(f"{self.name!r}: {error}")) from None

    @property
    def skipped(self) -> dict[int, int]:
        """See the class."""
        return self._reader.skipped

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def __iter__(self) -> Iterator[stack.CapturedFrame]:
        try:
            yield from self._reader
        except stack.CaptureError as error:
            self.failure = str(error)
        except OSError as error:
            self.failure = f"{self.name}: {error.strerror}"

    def check(self) -> None:
        """Raise Failed if the file is damaged."""
        if self.failure:
            raise Failed(clean(self.failure))


def main(arguments: argparse.Namespace) -> int:
    """Print what is asked for. Raises Failed, after all that could be read was printed."""
    if arguments.connection is not None and arguments.frame is not None:
        raise Failed("--frame and --connection ask for different things: give one of them", 2)
    if arguments.payload is not None and arguments.html is None:
        raise Failed("--payload is for --html", 2)
    if arguments.html is not None:
        from .inspector import file_report

        return file_report.main(arguments)
    with Reading(arguments.file) as reading, printing() as printer, collecting_seldom():
        if arguments.json:
            json_lines(arguments, reading, printer)
        elif arguments.fields or arguments.frame is not None:
            fields(arguments, reading, printer)
        else:
            ladders(arguments, reading, printer)
    reading.check()
    return 0


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Let the garbage collector look seldom: what is kept of a capture has no cycles, and takes it long to visit."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def ladders(arguments: argparse.Namespace, reading: Reading, printer: Printer) -> None:
    """Print the summary, the ladders and the other frames, or one ladder."""
    from . import ladder

    seen = Seen(reading, every_comment=arguments.comments)
    width = columns()
    if arguments.connection is None:
        if not seen.frames and reading.failure:
            return
        for line in ladder.summary(seen, reading.name, width):
            printer(line)
        for connection in seen.connections:
            printer("")
            for line in ladder.ladder(connection, seen, width):
                printer(line)
        for line in ladder.others(seen, width):
            printer(line)
        return
    for connection in seen.connections:
        if connection.number == arguments.connection:
            for line in ladder.ladder(connection, seen, width):
                printer(line)
            return
    reading.check()
    raise no_connection(arguments.connection, len(seen.connections))


def fields(arguments: argparse.Namespace, reading: Reading, printer: Printer) -> None:
    """Print the fields of all frames, of one, or of those of a connection."""
    from .drawn_fields import drawn

    width = columns()
    for frame in chosen(reading, wanted(arguments)):
        for line in drawn(frame, layers_of(frame), width):
            printer(line)


def json_lines(arguments: argparse.Namespace, reading: Reading, printer: Printer) -> None:
    """Print one JSON object a line: the frames, then the connections, each with its segments."""
    from . import capture_json

    found = connection_of(arguments) if arguments.connection is not None else None
    follower = stack.Follower()
    ended: list[stack.SeenConnection] = [] if found is None else [found]
    for frame in chosen(reading, wanted(arguments, found)):
        printer(capture_json.frame_line(frame, layers_of(frame)))
        if found is None and arguments.frame is None:
            follower.take(frame)
            for connection in follower.done:  # too many to follow them all
                print_all(capture_json.connection_lines(connection), printer)
            follower.done.clear()
    ended += follower.end()
    for connection in ended:
        print_all(capture_json.connection_lines(connection), printer)


def print_all(lines: Iterator[str], printer: Printer) -> None:
    """Print the lines."""
    for line in lines:
        printer(line)


def wanted(arguments: argparse.Namespace, connection: stack.SeenConnection | None = None) -> frozenset[int] | None:
    """Return the numbers of the frames that are asked for; None for all."""
    if arguments.frame is not None:
        return frozenset({arguments.frame})
    if arguments.connection is None:
        return None
    found = connection_of(arguments) if connection is None else connection
    return frozenset(segment.number for segment in found.segments)


def chosen(reading: Reading, numbers: frozenset[int] | None) -> Iterator[stack.CapturedFrame]:
    """Yield the frames of these numbers. Raises Failed if one is asked for, and the file does not have it."""
    left = len(numbers) if numbers is not None else 0
    last = 0
    for frame in reading:
        last = frame.number
        if numbers is None:
            yield frame
        elif last in numbers:
            yield frame
            left -= 1
            if not left:
                return
    if left:
        reading.check()
        raise Failed(f"there is no frame {max(numbers or ())} with a link type that is known: the last one is {last}")


def connection_of(arguments: argparse.Namespace) -> stack.SeenConnection:
    """Return the connection that is asked for. For this the file is read once more."""
    path, number = arguments.file, arguments.connection
    if path == STANDARD_INPUT or not os.path.isfile(path):
        raise Failed("--connection with --fields or --json reads the file twice: write the capture to a file first", 2)
    count = 0
    with Reading(path) as reading:
        for connection in stack.follow(reading):
            if connection.number == number:
                return connection
            count += 1
    reading.check()
    raise no_connection(number, count)


def no_connection(number: int, count: int) -> Failed:
    """Return the failure."""
    return Failed(f"there is no connection {number}: the file has {count}")


def columns() -> int:
    """Return the width of the terminal, or 80 if standard output is none and COLUMNS is not set."""
    told = os.environ.get("COLUMNS", "")
    if told.isascii() and told.isdigit() and len(told) < 6 and int(told):
        width = int(told)
    else:
        try:
            width = os.get_terminal_size(sys.stdout.fileno()).columns
        except (OSError, ValueError, AttributeError):
            width = 0
    return min(max(width or USUAL, NARROWEST), WIDEST)
