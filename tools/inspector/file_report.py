"""`tapstack explain FILE --html OUT`: a report of a capture, or of a file of `--trace=FILE`."""

from __future__ import annotations

import argparse
import os
from itertools import islice
from pathlib import Path

import stack

from ..explain import STANDARD_INPUT, Reading, collecting_seldom, no_connection
from ..output import Failed, log
from ..printer import clean
from .from_capture import MOST_FRAMES, CaptureEvents
from .report import About, Report

MOST_EVENTS = 200_000  # of a trace, as the page keeps
RECORD_SEPARATOR = b"\x1e"
ENDS = ("left end", "right end")


def main(arguments: argparse.Namespace) -> int:
    """Write the report. Raises Failed, after a report of all that could be read was written."""
    if arguments.frame is not None:
        raise Failed("--frame prints one frame, --html writes a report: give one of them", 2)
    if same_file(arguments.file, arguments.html):
        raise Failed("--html: OUT is FILE itself: name another file", 2)
    payload = arguments.payload or "head"
    with collecting_seldom():
        if is_trace(arguments.file):
            report, failure = of_trace(arguments.file, arguments.connection, payload)
        else:
            report, failure = of_capture(arguments.file, arguments.connection, payload)
        write(arguments.html, report)
    if failure:
        raise Failed(clean(failure))
    return 0


def same_file(path: str, out: Path) -> bool:
    """Whether both are one file, which must not be overwritten while it is read."""
    try:
        return os.path.samefile(path, out)
    except (OSError, ValueError):
        return False


def is_trace(path: str) -> bool:
    """Whether a file begins as one of `--trace=FILE` does. A pipe is a capture."""
    if path == STANDARD_INPUT or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(1) == RECORD_SEPARATOR
    except OSError:
        return False


def name_of(path: str) -> str:
    """Return the name of a file without its folder."""
    return "standard input" if path == STANDARD_INPUT else os.path.basename(path)


def of_capture(path: str, connection: int | None, payload: str) -> tuple[Report, str]:
    """Return the report of a capture, and what is wrong with the file."""
    with Reading(path) as reading:
        events = CaptureEvents(reading, connection, whole=payload == "all")
        failure, skipped = reading.failure, reading.skipped
    if connection is not None and all(seen.number != connection for seen in events.connections):
        raise Failed(clean(failure)) if failure else no_connection(connection, len(events.connections))
    if failure and not len(events):
        raise Failed(clean(failure))
    notes = [f"The file is damaged: {failure}"] if failure else []
    if events.more:
        notes.append(f"The file has more frames: the report has the first {MOST_FRAMES}.")
    notes += [
        f"{count} frames of link type {kind}, which is not known here." for kind, count in sorted(skipped.items())
    ]
    about = About(
        name_of(path), events.first_ns / 1e9, captured=True, payload=payload, notes=tuple(notes), names=ENDS,
        follow="" if connection is None else f"c{connection}",
    )  # fmt: skip
    return Report(events, about), failure


def of_trace(path: str, connection: int | None, payload: str) -> tuple[Report, str]:
    """Return the report of a file of `--trace=FILE`, and what is wrong with it."""
    events: list[stack.Event] = []
    failure = ""
    notes = []
    try:
        with open(path, "rb") as file:
            stream = stack.read_trace(file)
            events += islice(stream, MOST_EVENTS)
            if next(stream, None) is not None:
                notes.append(f"The file has more events: the report has the first {MOST_EVENTS}.")
    except OSError as error:
        raise Failed(clean(f"{path}: {error.strerror}")) from None
    except ValueError as error:
        failure = f"{path}: {error}"
    if not events:
        raise Failed(clean(failure or f"{path}: there are no events in it"))
    if failure:
        notes.insert(0, f"The file is damaged: {failure}")
    follow = "" if connection is None else f"c{connection}"
    if follow and all(event.group != follow for event in events):
        raise Failed(f"there is no connection {connection} in the events")
    about = About(name_of(path), 0.0, payload=payload, follow=follow, notes=tuple(notes))
    return Report(events, about), failure


def write(path: Path, report: Report) -> None:
    """Write the report, and print its warnings. Raises Failed."""
    file = stack.OutputFile(path, "report")
    try:
        file.open()
    except OSError as error:
        raise Failed(f"--html: {error.strerror}") from None
    finish(file, report)
    if file.error:
        raise Failed(f"--html: {file.error}")


def finish(file: stack.OutputFile, report: Report) -> None:
    """Write the report to a file that is open, and close it."""
    file.write([report.html()])
    file.close()
    for warning in report.warnings:
        log(f"tapstack: {warning}")
