"""The octets of a file in order, read in chunks.

Memory is taken for what has been read, never for what a length in the file claims.
"""

from __future__ import annotations

import errno
from typing import Protocol

from stack.errors import os_error
from stack.link.captured import CaptureError

CHUNK_BYTES = 1 << 18


class Readable(Protocol):
    """A file; `read` gives at least one octet, or none at its end."""

    def read(self, size: int, /) -> bytes | None: ...


class OctetSource:
    """The next octets of the file are `data[at:]`, as far as `has` has been asked for.

    The user advances `at`. Each call of `has` and `skip` may change `data` and `at`.
    """

    __slots__ = ("_file", "_gone", "at", "data", "path")

    def __init__(self, file: Readable, path: str) -> None:
        self.path = path
        self.data = b""
        self.at = 0
        self._file = file
        self._gone = 0  # octets before data[0]

    @property
    def offset(self) -> int:
        """The place of data[at] in the file."""
        return self._gone + self.at

    def has(self, count: int) -> bool:
        """Whether `count` more octets are there."""
        if len(self.data) - self.at >= count:
            return True
        rest = self.data[self.at :]
        parts, length = [rest], len(rest)
        while length < count and (part := self._read()):
            parts.append(part)
            length += len(part)
        self._gone += self.at
        self.data, self.at = b"".join(parts), 0
        return length >= count

    def skip(self, count: int) -> bool:
        """Pass over `count` octets. False if the file ends before."""
        while count > (there := len(self.data) - self.at):
            count -= there
            self._gone += len(self.data)
            self.data, self.at = self._read(), 0
            if not self.data:
                return False
        self.at += count
        return True

    def ended(self) -> bool:
        """Whether the file ends here."""
        return not self.has(1)

    def error(self, rule: str, at: int | None = None) -> CaptureError:
        """The error about what begins at data[at]; the default is the source's own `at`."""
        return CaptureError(self.path, self.offset if at is None else self._gone + at, rule)

    def cut_short(self, what: str) -> CaptureError:
        """The error about a file that ends in the midst of what begins at data[at]."""
        return CaptureError(self.path, self.offset, f"the file ends in the middle of {what}", cut_short=True)

    def _read(self) -> bytes:
        part = self._file.read(CHUNK_BYTES)
        if part is None:  # a descriptor that does not block and has nothing now
            raise os_error(errno.EAGAIN)
        return part
