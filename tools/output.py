"""Writes to standard output and standard error without blocking the event loop.

Lines are written between two frames, and from within protocol code. A plain `print` would block the
host when its pipe is not read or its terminal is stopped (Ctrl-S). So lines for a pipe or a
terminal go through a buffer to a thread, and only that thread waits. The buffer is bounded: further
lines are lost, and their number is written in their place. A file is written at once, line by line,
and is complete.
"""

from __future__ import annotations

import io
import os
import select
import signal
import stat
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

BUFFER_BYTES = 4 << 20  # of lines that are not written yet
CHUNK_BYTES = 1 << 16  # written at a time
IDLE_S = 1.0  # `flush` gives up when the reader has taken nothing for this long
FLUSH_S = 10.0  # `flush` gives up after this time in any case


class Failed(Exception):
    """The program cannot do what was asked. The text is one line that says why and what to do.

    `status` is the exit status.
    """

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class Output:
    """Writes lines to the stream that `stream()` returns. A call never raises: protocol code may call it.

    Nothing is written when `stream()` returns None, because the program was started with that
    descriptor closed (`>&-`). When a line cannot be written and the stream is `vital`, SIGTERM asks
    the program to end.
    """

    def __init__(self, stream: Callable[[], TextIO | None], name: str, *, vital: bool = False) -> None:
        self._stream = stream
        self._name = name
        self._vital = vital
        self._failure: OSError | None = None
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self.held_bytes = 0  # of lines not written yet, including those that the thread is writing
        self.held_lines = 0
        self._lost = 0  # lines dropped since the last one that was buffered
        self._taken_bytes = 0  # written in all
        self._ending = False
        self._thread: threading.Thread | None = None
        self._descriptor = -1
        self._threadless = False
        self._asked: TextIO | None = None  # the last stream
        self._slow: int | None = None  # its descriptor if writing can block

    def __call__(self, line: str) -> None:
        """Write one line, or several with breaks between them.

        They are written at once if that cannot block, otherwise by the thread.
        """
        stream = self._stream()
        if stream is None:
            return
        if stream is not self._asked:  # a system call for each line would cost as much as the line
            self._asked, self._slow = stream, slow_descriptor(stream)
        if self._slow is not None:
            self._keep((line + "\n").encode(stream.encoding or "utf-8", "backslashreplace"), self._slow)
            return
        try:
            stream.write(line + "\n")
            stream.flush()
        except OSError as error:
            self._fail(error, stream)

    def use(self, stream: Callable[[], TextIO | None]) -> None:
        """Write to another stream from now on. Nothing has been written yet."""
        self._stream = stream

    def flush(self) -> int:
        """Wait until all lines are written; return how many are left.

        It gives up when the reader stops reading, or after `FLUSH_S`.
        """
        with self._changed:
            if self._lost:
                self._append(self._gap())
            self._ending = True
            self._changed.notify_all()
            thread = self._thread
            waited_s = 0.0
            while self.held_lines and waited_s < FLUSH_S:
                before = self._taken_bytes
                self._changed.wait_for(lambda: not self.held_lines, IDLE_S)
                waited_s += IDLE_S
                if self._taken_bytes == before:
                    break
            unwritten = self.held_lines
        if thread is not None and not unwritten:
            thread.join()
        return unwritten

    def check(self) -> None:
        """Flush, and raise Failed if a line could not be written.

        A reader that has closed its pipe (`| head`) is no failure.
        """
        self.flush()
        failure, self._failure = self._failure, None
        if failure is not None and not isinstance(failure, BrokenPipeError):
            raise Failed(f"{self._name} cannot be written: {failure.strerror}")

    @contextmanager
    def threadless(self) -> Iterator[None]:
        """Within this block, buffer the lines and start no thread for them."""
        self._threadless = True
        try:
            yield
        finally:
            with self._changed:
                self._threadless = False
                self._start()

    # --- the buffer

    def _keep(self, data: bytes, descriptor: int) -> None:
        with self._changed:
            # After a loss, wait until half of the buffer is free: one large gap rather than many small ones.
            room = BUFFER_BYTES // 2 if self._lost else BUFFER_BYTES
            if self._failure is not None:
                return
            if self.held_bytes + len(data) > room:
                self._lost += data.count(b"\n")
                return
            if self._lost:
                self._append(self._gap())
            self._append(data)
            self._ending = False
            self._descriptor = descriptor
            self._start()
            self._changed.notify_all()

    def _start(self) -> None:
        if self._thread is None and self._lines and not self._threadless:
            target = self._write_out
            self._thread = threading.Thread(target=target, args=(self._descriptor,), name="output", daemon=True)
            self._thread.start()

    def _gap(self) -> bytes:
        lost, self._lost = self._lost, 0
        return f"tapstack: {lost} lines are missing here, {self._name} was not read fast enough\n".encode()

    def _append(self, data: bytes) -> None:
        self._lines.append(data)
        self.held_bytes += len(data)
        self.held_lines += data.count(b"\n")

    # --- the thread

    def _write_out(self, descriptor: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._ending)
                if not self._lines:
                    self._thread = None
                    return
                chunk = [self._lines.popleft()]
                size = len(chunk[0])
                while self._lines and size + len(self._lines[0]) <= CHUNK_BYTES:
                    chunk.append(self._lines.popleft())
                    size += len(chunk[-1])
            try:
                self._write_all(descriptor, b"".join(chunk))
            except OSError as error:
                self._fail(error, self._stream())
            with self._changed:
                self.held_bytes -= size
                self.held_lines -= sum(data.count(b"\n") for data in chunk)
                self._changed.notify_all()

    def _write_all(self, descriptor: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                written = os.write(descriptor, view)
            except BlockingIOError:  # another program has set O_NONBLOCK on this pipe
                select.select([], [descriptor], [])
                continue
            self._taken_bytes += written
            view = view[written:]

    def _fail(self, error: OSError, stream: TextIO | None) -> None:
        first, self._failure = self._failure is None, error
        with self._changed:
            for data in self._lines:
                self.held_bytes -= len(data)
                self.held_lines -= data.count(b"\n")
            self._lines.clear()
            self._lost = 0
        null = os.open(os.devnull, os.O_WRONLY)
        if stream is not None:
            with suppress(OSError):  # no descriptor: the log of a lab could not be created
                os.dup2(null, stream.fileno())  # for lines that are still in the buffer of `print`
        os.close(null)
        if first and self._vital:
            os.kill(os.getpid(), signal.SIGTERM)


def named_signals(names: str) -> tuple[signal.Signals, ...]:
    """Return the signals with these names, without those that this system lacks (SIGHUP on Windows)."""
    return tuple(signal.Signals[name] for name in names.split() if name in signal.Signals.__members__)


def slow_descriptor(stream: TextIO) -> int | None:
    """Return the stream's descriptor if writing can block (pipe, socket, terminal), otherwise None."""
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, io.UnsupportedOperation):
        return None
    slow = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and os.isatty(descriptor))
    return descriptor if slow else None


say = Output(lambda: sys.stdout, "standard output", vital=True)
"""Prints the program's results. When they cannot be written, the program ends."""
log = Output(lambda: sys.stderr, "standard error")
"""Prints other messages: bugs, missing packages, progress."""


def report(text: str) -> None:
    """Print a bug in the protocol code, which has cost a packet."""
    log(f"tapstack: {text}")


def flush_all() -> None:
    """At the end of the program: write the buffered lines, and print how many were not read."""
    unread = say.flush()
    if unread:
        report(f"the last {unread} lines on standard output were not read")
    log.flush()
