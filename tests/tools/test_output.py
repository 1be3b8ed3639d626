"""Standard output and standard error: all lines are written, and a slow reader blocks nothing."""

from __future__ import annotations

import io
import os
import pty
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, cast

import pytest

from tests.requirements import rfc
from tools import output

LINES = [f"{number:06} {'x' * 90}" for number in range(100_000)]  # twice what the buffer holds
PATIENCE_S = 60.0


def writer(descriptor: int) -> TextIO:
    """A text stream on a descriptor, as standard output is one."""
    return open(descriptor, "w", encoding="utf-8")


def in_time(function: Callable[[], object]) -> None:
    """Run it; fails when it does not come back."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it is kept waiting"


def read_to_end(descriptor: int) -> str:
    """All that is written to the other end of a pipe or a terminal."""
    parts = []
    with open(descriptor, "rb", buffering=0) as file:
        while True:
            try:
                part = file.read(65536)
            except OSError:  # a terminal whose other end is closed
                break
            if not part:
                break
            parts.append(part)
    return b"".join(parts).decode()


def say_all(say: output.Output, lines: list[str]) -> None:
    for line in lines:
        say(line)


@rfc("watch-3")
def test_an_unread_pipe_does_not_block_and_lost_lines_are_counted() -> None:
    reading, writing = os.pipe()
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        in_time(lambda: say_all(say, LINES))
        assert say.held_bytes <= output.BUFFER_BYTES
        got: list[str] = []
        reader = threading.Thread(target=lambda: got.append(read_to_end(reading)))
        reader.start()
        in_time(say.flush)
    reader.join()
    *said, last = got[0].splitlines()
    gap = re.fullmatch(r"tapstack: (\d+) lines are missing here, standard output was not read fast enough", last)
    assert gap is not None
    assert said == LINES[: len(said)]
    assert int(gap[1]) == len(LINES) - len(said)


@rfc("watch-3")
def test_of_a_text_of_several_lines_each_is_counted() -> None:
    """A frame of the trace is written at once, with a line for each layer."""
    reading, writing = os.pipe()
    text = "\n".join(["x" * 100] * 4)
    texts = output.BUFFER_BYTES // len(text) + 2000
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        in_time(lambda: say_all(say, [text] * texts))
        got: list[str] = []
        reader = threading.Thread(target=lambda: got.append(read_to_end(reading)))
        reader.start()
        in_time(say.flush)
        assert say.held_lines == 0
    reader.join()
    *said, last = got[0].splitlines()
    gap = re.match(r"tapstack: (\d+) lines are missing here", last)
    assert gap is not None
    assert len(said) + int(gap[1]) == 4 * texts
    assert int(gap[1]) > 4000


@rfc("watch-3")
def test_a_reader_that_resumes_finds_the_gap_marked() -> None:
    reading, writing = os.pipe()
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        in_time(lambda: say_all(say, LINES))
        got: list[str] = []
        reader = threading.Thread(target=lambda: got.append(read_to_end(reading)))
        reader.start()
        while say.held_lines:
            reader.join(0.01)
        say("and on it goes")
        in_time(say.flush)
    reader.join()
    said = got[0].splitlines()
    assert said[-1] == "and on it goes"
    assert "lines are missing here" in said[-2]
    assert sum("missing" in line for line in said) == 1


@rfc("watch-3")
def test_the_end_waits_for_a_slow_reader_and_not_for_one_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "IDLE_S", 0.05)
    reading, writing = os.pipe()
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        say_all(say, LINES[:5000])
        unread: list[int] = []
        in_time(lambda: unread.append(say.flush()))
        assert 0 < unread[0] <= 5000
        assert read_to_end_of(reading, 5000) == LINES[:5000]
        in_time(say.flush)
    os.close(reading)


def read_to_end_of(descriptor: int, count: int) -> list[str]:
    """So many lines from a pipe."""
    got = b""
    while got.count(b"\n") < count:
        got += os.read(descriptor, 65536)
    return got.decode().splitlines()


@pytest.mark.parametrize("kind", ["pipe", "pipe that does not block", "terminal"])
def test_a_reader_that_reads_gets_every_line(kind: str) -> None:
    reading, writing = pty.openpty() if kind == "terminal" else os.pipe()
    if kind == "pipe that does not block":
        os.set_blocking(writing, False)
    lines = LINES[:30_000]
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(read_to_end(reading)))
    reader.start()
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        say_all(say, lines)
        in_time(say.flush)
    reader.join()
    assert got[0].splitlines() == lines


def test_a_file_has_each_line_at_once(tmp_path: Path) -> None:
    with open(tmp_path / "out", "w") as stream:
        say = output.Output(lambda: stream, "standard output")
        for count in range(1, 4):
            say("a line")
            assert (tmp_path / "out").read_text() == "a line\n" * count
    text = io.StringIO()
    output.Output(lambda: cast(TextIO, text), "standard output")("to no file at all")
    assert text.getvalue() == "to no file at all\n"


def test_characters_outside_the_encoding_are_escaped() -> None:
    reading, writing = os.pipe()
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        say("name \udcff")
        assert say.flush() == 0
    assert read_to_end(reading) == "name \\udcff\n"


def test_the_thread_ends_when_all_is_written() -> None:
    """A lab starts its command by fork, and other threads do not survive a fork."""
    before = threading.active_count()
    reading, writing = os.pipe()
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        for _ in range(3):
            say("hello")
            assert say.flush() == 0
            assert threading.active_count() == before
    assert read_to_end(reading) == "hello\n" * 3


def test_threadless_buffers_lines_without_a_thread() -> None:
    """Each thread gives up its rights for itself."""
    before = threading.active_count()
    reading, writing = os.pipe()
    with writer(writing) as stream:
        say = output.Output(lambda: stream, "standard output")
        with say.threadless():
            say("hello")
            assert threading.active_count() == before
        assert say.flush() == 0
    assert read_to_end(reading) == "hello\n"


def test_flush_all_prints_how_many_lines_were_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(output, "IDLE_S", 0.05)
    reading, writing = os.pipe()
    with writer(writing) as stream, open(tmp_path / "err", "w") as errors:
        monkeypatch.setattr(output, "say", output.Output(lambda: stream, "standard output"))
        monkeypatch.setattr(output, "log", output.Output(lambda: errors, "standard error"))
        say_all(output.say, LINES[:2000])
        in_time(output.flush_all)
        told = (tmp_path / "err").read_text()
        assert re.fullmatch(r"tapstack: the last \d+ lines on standard output were not read\n", told)
        read_to_end_of(reading, 2000)
        in_time(output.say.flush)
    os.close(reading)


@rfc("watch-3")
def test_a_stream_closed_at_the_start_is_ignored() -> None:
    say = output.Output(lambda: None, "standard output", vital=True)
    say("nothing")
    say.check()
    assert say.held_lines == 0
