"""The lines of a program on standard output and standard error, written without waiting for their reader.

The loop writes lines between two frames, and protocol code within one. A plain `print` to a pipe that is not read, or
to a terminal that is stopped (Ctrl-S), would block there, and the host with it. So lines for a pipe or a terminal go
through a buffer and a thread, and only the thread waits. The buffer is bounded: further lines are lost, and their
number is written in their place. A file is written at once, line by line, and is complete.
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

BUFFER_BYTES = 4 << 20  # of lines that wait for their reader
CHUNK_BYTES = 1 << 16  # given to the reader at a time
IDLE_S = 1.0  # the program's end waits so long for a reader that takes nothing
FLUSH_S = 10.0  # and so long in all for one that is slow


class Failed(Exception):
    """What was asked for cannot be; the text is one line that says why and what to do. `status` is the exit status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


class Output:
    """Writes lines to the stream that `stream()` returns. It does not raise, so that protocol code may call it.

    Without a stream, when the program was started with that descriptor closed (`>&-`), nothing is written.
    When a line cannot be written and the stream is `vital`, SIGTERM asks the program to end.
    """

    def __init__(self, stream: Callable[[], TextIO | None], name: str, *, vital: bool = False) -> None:
        self._stream = stream
        self._name = name
        self._vital = vital
        self._failure: OSError | None = None
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self.held_bytes = 0  # of lines that are not written, those that the thread is writing included
        self.held_lines = 0
        self._lost = 0  # lines that found no room since the last that did
        self._taken_bytes = 0  # by the reader, in all
        self._ending = False
        self._thread: threading.Thread | None = None
        self._descriptor = -1
        self._threadless = False

    def __call__(self, line: str) -> None:
        """Say one line: at once where that cannot take long, else as soon as the reader takes it."""
        stream = self._stream()
        if stream is None:
            return
        descriptor = slow_descriptor(stream)
        if descriptor is not None:
            self._keep((line + "\n").encode(stream.encoding or "utf-8", "backslashreplace"), descriptor)
            return
        try:
            print(line, file=stream, flush=True)
        except OSError as error:
            self._fail(error, stream)

    def flush(self) -> int:
        """Wait until all is written, while the reader goes on reading; return how many lines it has not taken."""
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
        """Raise Failed if something could not be said, and not because its reader had seen enough (`| head`)."""
        self.flush()
        failure, self._failure = self._failure, None
        if failure is not None and not isinstance(failure, BrokenPipeError):
            raise Failed(f"{self._name} cannot be written: {failure.strerror}")

    @contextmanager
    def threadless(self) -> Iterator[None]:
        """In this block, which must not wait, lines are kept and no thread is started for them."""
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
            room = BUFFER_BYTES // 2 if self._lost else BUFFER_BYTES  # one large gap rather than many small ones
            if self._failure is not None:
                return
            if self.held_bytes + len(data) > room:
                self._lost += 1
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
        self.held_lines += 1

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
                self.held_lines -= len(chunk)
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
            self.held_lines -= len(self._lines)
            self._lines.clear()
            self._lost = 0
        null = os.open(os.devnull, os.O_WRONLY)
        if stream is not None:
            with suppress(OSError):  # no descriptor: the log could not be made
                os.dup2(null, stream.fileno())  # for what print still holds
        os.close(null)
        if first and self._vital:
            os.kill(os.getpid(), signal.SIGTERM)


def slow_descriptor(stream: TextIO) -> int | None:
    """The stream's descriptor if writing there may wait for a reader: a pipe, a socket, a terminal; else None."""
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, io.UnsupportedOperation):
        return None
    slow = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or (stat.S_ISCHR(mode) and os.isatty(descriptor))
    return descriptor if slow else None


say = Output(lambda: sys.stdout, "standard output", vital=True)
"""The program's results; when they cannot be written, it ends."""
log = Output(lambda: sys.stderr, "standard error")
"""Messages beside the results: bugs, missing packages, progress."""


def report(text: str) -> None:
    """Print a bug in the protocol code, which has cost a packet."""
    log(f"tapstack: {text}")


def flush_all() -> None:
    """At the end: write what is still buffered, and say how many lines were not read."""
    unread = say.flush()
    if unread:
        report(f"the last {unread} lines on standard output were not read")
    log.flush()
