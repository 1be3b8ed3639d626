"""A report of a running host: at its end (`--report FILE`), or when the page asks for one (`report.html`)."""

from __future__ import annotations

from pathlib import Path

import trio

import stack

from ..output import log
from .answers import Answer, Request
from .inspector import Inspector
from .payload import ALL_OCTETS, HEAD_OCTETS
from .report import About, Report, whole_page
from .used_words import known_clauses, known_words

HTML = "text/html; charset=utf-8"
FILE_NAME = "report.html"


class RunReport:
    """An observer that keeps the last events of a host, and writes them as a report when it is closed.

    The file is made at once, so that a file that cannot be made is known before the host runs. What the report
    is made of is read at once, too: a program that was started by root may not be able to read it later.
    OSError, with the path as its `filename`: see `stack.OutputFile`.
    """

    def __init__(self, path: Path, *, name: str, epoch_s: float, payload: str = "head") -> None:
        self._recorder = stack.Recorder(frame_octets=ALL_OCTETS if payload == "all" else HEAD_OCTETS)
        self._about = About(name, epoch_s, payload=payload)
        whole_page(), known_words(), known_clauses()
        self._file = stack.OutputFile(path, "report")
        self._file.open()

    @property
    def error(self) -> str | None:
        """Why the report could not be written; None if it could, or was not yet."""
        return self._file.error

    def __call__(self, event: stack.Event) -> None:
        """Keep an event."""
        self._recorder(event)

    def __enter__(self) -> RunReport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the report and close the file."""
        if not self._file.is_open:
            return
        report = report_of(self._recorder, self._about)
        self._file.write([report.html()])
        self._file.close()
        for warning in report.warnings:
            log(f"tapstack: {warning}")


def report_of(recorder: stack.Recorder, about: About) -> Report:
    """Return the report of the events that are kept."""
    events = list(recorder)
    return Report(events, about._replace(lost=recorder.lost))


def add(inspector: Inspector) -> None:
    """Add the route `report.html`: what the recorder has, as a file to save. One is made at a time."""
    turn = trio.Lock()

    async def give(request: Request) -> Answer:
        async with turn:
            return await made()

    async def made() -> Answer:
        state: dict[str, object] = {name: await look() for name, look in inspector.state.looks.items()}
        about = About(inspector.name, inspector.epoch_s, lost=inspector.recorder.lost, state=state)
        events = list(inspector.recorder)
        html = await trio.to_thread.run_sync(lambda: Report(events, about).html())
        return Answer(HTML, html, FILE_NAME)

    inspector.routes["report.html"] = give
