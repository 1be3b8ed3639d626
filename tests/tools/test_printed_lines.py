"""The lines of `tapstack explain`: how they are cut to the width of the terminal, and written."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import pytest

import stack
from tests.tools.capture_files import tcp_frame, write_pcapng
from tools import drawn_fields, ladder, printer, seen


def test_the_words_of_a_segment_stand_on_its_arrow_if_they_fit(tmp_path: Path) -> None:
    """Three characters stand before the words, and at least three behind them."""
    found = seen.Seen(stack.read_capture(write_pcapng(tmp_path / "x.pcapng", [tcp_frame(b"", seq=1)])))
    (connection,) = found.connections
    (segment,) = connection.segments
    *first, last = ladder.words_of(connection, segment)
    fitting = len(ladder.NOTES) + 2 * ladder.STATE + 2 + 6 + len(" ".join((*first, last)))
    row, *under = ladder.row(connection, segment, found, [None, None], set(), fitting)
    assert f"|-- {' '.join((*first, last))} ->|" in row
    assert under == []
    row, *under = ladder.row(connection, segment, found, [None, None], set(), fitting - 1)
    assert f"|-- {' '.join(first)} -" in row
    assert under == [ladder.NOTES + last]


def test_the_flags_stand_on_the_arrow_however_short_it_is(tmp_path: Path) -> None:
    frames = [tcp_frame(b"", seq=1, flags=0xFF)]
    path = write_pcapng(tmp_path / "x.pcapng", frames, comments={1: ["seen by a router"]})
    found = seen.Seen(stack.read_capture(path))
    (connection,) = found.connections
    (segment,) = connection.segments
    flags, *others = ladder.words_of(connection, segment)
    row, *under = ladder.row(connection, segment, found, [None, None], set(), 60)
    assert f"|-- {flags} " in row
    assert under[0] == ladder.NOTES + " ".join(others)
    assert under[-1] == f"{ladder.NOTES}comment seen by a router"


def test_the_meaning_of_a_field_goes_on_under_its_beginning() -> None:
    tcp = stack.dissect(tcp_frame(b"", seq=1))[2]
    lines = list(drawn_fields.layer_lines(tcp, 60))
    first = next(position for position, line in enumerate(lines) if "Source Port" in line)
    assert lines[first].index("Source Port") == drawn_fields.BITS + drawn_fields.OCTETS + 4
    assert re.match(r" {36}\S", lines[first + 1])
    assert not any(line.strip() == tcp.line for line in lines), "the fields say it"


def test_what_was_not_captured_has_a_line_and_no_fields() -> None:
    *_, missing = stack.dissect(tcp_frame(b"", seq=1), length=1000)
    assert [line.strip() for line in drawn_fields.layer_lines(missing, 80)] == [
        "Not captured, at octet 54",
        missing.line,
    ]
    assert missing.line


def test_what_was_written_does_not_count_any_more(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printer.Printer()
    lines("x" * printer.CHUNK_CHARACTERS)
    capsys.readouterr()
    lines("y" * (printer.CHUNK_CHARACTERS - 1))
    assert not capsys.readouterr().out
    lines("z")
    assert capsys.readouterr().out.endswith("y\nz\n")


def test_without_a_standard_output_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program was started with `>&-`."""
    monkeypatch.setattr(sys, "stdout", None)
    with printer.printing() as lines:
        lines("x")


def test_what_the_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    with printer.printing() as lines:
        lines("caf\xe9")
    assert written.getvalue() == b"caf\\xe9\n"


def test_after_a_closed_pipe_no_descriptor_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        before = os.listdir("/proc/self/fd")
        with printer.printing() as lines:
            lines("x")
        assert os.listdir("/proc/self/fd") == before
        pipe.flush()  # the descriptor is the null device's now
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0.000 ms"),
        (999_999_000, "999.999 ms"),
        (-999_999_000, "-999.999 ms"),
        (1_000_000_000, "1.000 s"),
        (-1_000_000_000, "-1.000 s"),
    ],
)
def test_a_time_from_a_second_on_is_in_seconds(time_ns: int, text: str) -> None:
    assert ladder.seconds(time_ns) == text
