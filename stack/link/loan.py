"""A buffer that frames are read into one after another, for links whose frames are already in memory.

A host must not keep a frame beyond the next `read` (see `stack.link.device.Link`). On a TAP a kept view shows whatever
comes next; here it shows nonsense at once, so that a test that keeps one fails on the first frame and not once a month.
"""

from __future__ import annotations

from stack.wire.checksum import Buffer

POISON = b"\xdb"


class Loan:
    """One frame at a time, lent until the next call."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._view = memoryview(self._buffer).toreadonly()
        self._lent_bytes = 0

    def lend(self, frame: Buffer) -> memoryview:
        """A read-only view of a copy of `frame`; what was lent before is overwritten."""
        self.recall()
        length = len(frame)
        if length > len(self._buffer):
            self._buffer = bytearray(length)
            self._view = memoryview(self._buffer).toreadonly()
        self._buffer[:length] = frame
        self._lent_bytes = length
        return self._view[:length]

    def recall(self) -> None:
        """Overwrite what was lent, whoever may still hold it."""
        self._buffer[: self._lent_bytes] = POISON * self._lent_bytes
        self._lent_bytes = 0
