"""A file that grows by blocks, and ends after a whole block when it cannot grow."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from stack.link import files


class OutputFile:
    """Writes blocks to the file at `path`. Only its owner may read it, since it holds private data.

    what: what the file is, for messages: "capture".
    limit_bytes: the file ends before it grows beyond this; None for no limit.

    When the file cannot be written any more (the disk is full), it ends after the last whole block,
    so that it can still be read. `error` then says why, and `write` does nothing.
    """

    def __init__(self, path: str | os.PathLike[str], what: str, limit_bytes: int | None = None) -> None:
        self.path = os.fspath(path)
        self.error: str | None = None
        self._what = what
        self._limit_bytes = limit_bytes
        self._file = -1
        self._written_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether what is written still reaches the file."""
        return self._file >= 0

    def open(self) -> None:
        """Make the file, or empty the one that is there.

        OSError, with the path as its `filename`: EINVAL for a pipe or a device, which could block
        the host; ELOOP or EACCES for a symbolic link or a file that another user may have planted
        (see `stack.link.files`).
        """
        try:
            self._file = files.open_empty(self.path)
        except OSError as error:
            text = f"cannot write the {self._what} {self.path}: {error.strerror}"
            raise OSError(error.errno, text, self.path) from None
        self.error = None
        self._written_bytes = 0

    def write(self, blocks: list[bytes]) -> None:
        """Append the blocks."""
        if self._file < 0:
            return
        data = memoryview(b"".join(blocks))
        room = len(data) if self._limit_bytes is None else self._limit_bytes - self._written_bytes
        done = 0
        try:
            while done < len(data):
                if done >= room:
                    raise OSError(errno.EFBIG, f"more than {self._limit_bytes} bytes are not allowed")
                done += os.write(self._file, data[done:room])
        except OSError as error:
            whole = 0
            for each in blocks:
                if whole + len(each) > done:
                    break
                whole += len(each)
            self._written_bytes += whole
            self._give_up(error)
        else:
            self._written_bytes += len(data)

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, -1
        if file >= 0:
            try:
                os.close(file)
            except OSError as error:
                # Some file systems report only now that there was no room for the last bytes.
                self.error = self.error or f"the {self._what} {self.path} may be incomplete: {error.strerror}"

    def _give_up(self, error: OSError) -> None:
        self.error = f"the {self._what} {self.path} ended after {self._written_bytes} bytes: {error.strerror}"
        with suppress(OSError):  # a file that cannot be truncated stays as it is
            os.ftruncate(self._file, self._written_bytes)
        self.close()
