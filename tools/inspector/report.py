"""A report: one HTML file with the log of a run or a capture, and the page that shows it.

It opens from a file, without a network. The log is compressed text in a data block, which no browser runs,
and which has no character that could end the block. A static ladder stands before it, for a reader
without JavaScript and for paper.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import stack

from .. import broken
from .columns import Columns
from .joined_page import Page
from .page_files import page_files
from .payload import HEAD_OCTETS, Secret, kept, secrets
from .static_ladder import Rows, table, text
from .used_words import Used

FILE_END = "</body>\n</html>\n"
EVENT_BYTES = 45  # of the log, for each event
HEADS = (HEAD_OCTETS, 96, 80)  # of a frame
SAMPLES, SAMPLE_EVENTS = 8, 500
LINE = 32_000  # characters of base64; an editor does not like longer lines


class About(NamedTuple):
    """What a report says of its log.

    Attributes:
      host: the name of the host or of the file.
      epoch_s: the time of day at which the time of the events is 0, in seconds since 1970.
      captured: whether the events come from a capture, so that states are inferred.
      payload: how much of the frames is kept: see payload.py.
      follow: the group of the connection that is shown ("c1"); "" for all.
      lost: how many events are no longer kept.
      notes: sentences about the log.
      state: the newest "state" of the host: "host", "wire", "settings".
      names: what the left and the right end are called.
    """

    host: str
    epoch_s: float = 0.0
    captured: bool = False
    payload: str = "head"
    follow: str = ""
    lost: int = 0
    notes: tuple[str, ...] = ()
    state: Mapping[str, object] = MappingProxyType({})
    names: tuple[str, str] = ("the kernel", "our host")


class Report:
    """The HTML of a report. `events` are in order.

    warnings: sentences about what looks like a secret in what is kept.
    """

    def __init__(self, events: Iterable[stack.Event], about: About) -> None:
        self._about = about
        all_events = list(events)
        self._octets = octets_that_fit(all_events) if about.payload == "head" else 0
        self._events = [kept(event, about.payload, self._octets) for event in all_events]
        self.warnings = [warning(secret) for secret in secrets(self._events)]
        if notice := broken.notice():
            self.warnings.insert(0, f"Warning: {notice}")

    def html(self) -> bytes:
        """Return the file. The same events and the same `about` give the same octets."""
        return "".join(self._parts()).encode("utf-8", "backslashreplace")

    def _parts(self) -> Iterator[str]:
        page = whole_page()
        words = Used(self._events)
        hello = self._hello(words)
        yield page.before.replace(
            "<title>tapstack</title>", f"<title>{text(self._about.host)} - tapstack report</title>"
        )
        yield f'<meta http-equiv="Content-Security-Policy" content="{page.policy()}">\n'
        yield f'<style>{page.style}</style>\n</head>\n<body class="report-file">\n'
        yield from self._static(words)
        yield page.after
        yield f'<script type="application/json" id="clauses">{json_block(words.clauses())}</script>\n'
        yield '<script type="application/json+gzip" id="log">\n'
        yield packed([_encode(hello), *Columns().lines(self._events)])
        yield "</script>\n"
        yield from (f"<script{attributes}>{code}</script>\n" for attributes, code in page.scripts)
        yield f'<script type="text/plain" id="licences">\n{page.licences}</script>\n'
        yield FILE_END

    def _hello(self, words: Used) -> dict[str, object]:
        about, events = self._about, self._events
        return {
            "host": about.host,
            "epoch_ms": about.epoch_s * 1000,
            "first": events[0].n if events else 0,
            "last": events[-1].n if events else 0,
            "lost": about.lost,
            "captured": about.captured,
            "payload": about.payload,
            "follow": about.follow,
            "notes": [*self.warnings, *about.notes],
            "peer": about.names[0],
            "ours": about.names[1],
            "wire": about.state.get("wire"),
            "settings": about.state.get("settings"),
            "state": {"host": about.state.get("host")},
            "words": words.words(),
        }

    def _static(self, words: Used) -> Iterator[str]:
        about = self._about
        rows = Rows(about.follow)
        for event in self._events:
            rows.take(event)
        yield f'<main id="static">\n<h1>{text(about.host)}</h1>\n'
        for line in self.warnings:
            yield f'<p class="warning">{text(line)}</p>\n'
        for line in (*self._facts(), *about.notes):
            yield f"<p>{text(line)}</p>\n"
        if rows.rows:
            yield from (f"{line}\n" for line in table(rows, words, about.names))
        yield "</main>\n"

    def _facts(self) -> Iterator[str]:
        about = self._about
        frames = sum(event.name == "wire:frame" for event in self._events)
        shown = f", only connection {about.follow}" if about.follow else ""
        told = KEPT[about.payload]
        if about.payload == "head" and self._octets < HEAD_OCTETS:
            told = f"the headers and the first {self._octets} octets of each frame are kept, so that the file is small."
        yield f"{len(self._events)} events, {frames} of them frames{shown}. Payloads: {told}"
        if about.lost:
            yield f"{about.lost} older events are not in this report: they were no longer kept."
        if about.captured:
            yield CAPTURED


KEPT = {
    "none": "left out (--payload none).",
    "head": "the first 128 octets of each frame are kept, headers included (--payload head).",
    "all": "whole frames are kept (--payload all).",
}
CAPTURED = (
    "This is what an observer of the wire sees. States are inferred from the segments. What is said of a segment"
    " follows from the captured octets, unless it is called a guess; a guess names its rule."
)


def octets_that_fit(events: list[stack.Event]) -> int:
    """Return how many octets of each frame may be kept, its headers apart, for `EVENT_BYTES` an event in the log.

    What can be compressed depends on the payloads, so it is tried on a part of the events.
    """
    every = max(1, len(events) // (SAMPLES * SAMPLE_EVENTS))
    sample = [event for at in range(0, len(events), every * SAMPLE_EVENTS) for event in events[at : at + SAMPLE_EVENTS]]
    if len(sample) < SAMPLE_EVENTS:
        return HEAD_OCTETS
    for octets in HEADS:
        if len(packed(Columns().lines(kept(event, "head", octets) for event in sample))) <= EVENT_BYTES * len(sample):
            return octets
    return 0


def warning(secret: Secret) -> str:
    """Return the sentence about what looks like a secret."""
    return (
        f"Warning: {secret.where} has what looks like {secret.what}. Everybody who gets this file can read it."
        " --payload none leaves all payloads out."
    )


NOT_IN_A_REPORT = {"wire.js": b"export const WirePanel = () => null;\n"}
"""Parts of the page that only a running host needs, and what stands in their place."""


@cache
def whole_page() -> Page:
    """Return the parts of the page."""
    return Page({**page_files(), **NOT_IN_A_REPORT})


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


def json_block(content: object) -> str:
    """Return JSON that may stand in a script element: no character of it can end the element."""
    return _encode(content).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed(lines: Iterable[str]) -> str:
    """Return lines of text as base64 of gzip."""
    data = gzip.compress("\n".join(lines).encode(), 9, mtime=0)
    return "\n".join(wrap_text(b64encode(data).decode())) + "\n"


def wrap_text(data: str) -> Iterator[str]:
    """Yield the text in lines."""
    for at in range(0, len(data), LINE):
        yield data[at : at + LINE]
