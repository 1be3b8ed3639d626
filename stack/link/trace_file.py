"""An observer that writes what a host does to a file, for programs: JSON text sequences, as qlog.

See `stack.trace.json_seq` for the records.
"""

from __future__ import annotations

import os

from stack.link.output_file import OutputFile
from stack.trace.event import Event
from stack.trace.json_seq import event_json, header


class TraceFile:
    """Writes each event to the file at `path`, as one record.

    >>> # with TraceFile("host.sqlog") as file, host.watch(file): ...

    epoch_s: the wall-clock time, in seconds since 1970, at which the host's time is 0. With the
      default the same run gives the same bytes.
    limit_bytes: the file ends before it grows beyond this; None for no limit.

    Each event is written at once, so that nothing is lost if the program ends. `close` it, or use
    it in a `with` block. Only its owner may read the file, since it holds private data. An existing
    file is overwritten. When the file cannot be written any more (the disk is full), it ends after
    a whole record, `error` says why, and the host goes on. `stack.read_trace` reads it back.

    OSError if the file cannot be made, with the path as its `filename`: see `stack.Capture`.
    """

    def __init__(self, path: str | os.PathLike[str], *, epoch_s: float = 0.0, limit_bytes: int | None = None) -> None:
        self._file = OutputFile(path, "trace", limit_bytes)
        self._file.open()
        self._file.write([header(epoch_s)])

    @property
    def path(self) -> str:
        """Where the file is."""
        return self._file.path

    @property
    def error(self) -> str | None:
        """Why the file has ended early; None if it has not."""
        return self._file.error

    def __call__(self, event: Event) -> None:
        """Write an event."""
        if self._file.is_open:
            self._file.write([event_json(event)])

    def __enter__(self) -> TraceFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; later events are not written."""
        self._file.close()
