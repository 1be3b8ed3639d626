"""The read buffer of links whose frames are in memory already.

A host must not keep a frame beyond the next `read` (see `stack.link.device.Link`). On a TAP, a view
that is kept shows the bytes of a later frame. Here the buffer is overwritten before each `read`, so
that a test of code that keeps a view fails at the first frame.
"""

from __future__ import annotations

from stack.wire.checksum import Buffer

POISON = b"\xdb"


class Loan:
    """Lends one frame at a time, until the next call."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._view = memoryview(self._buffer).toreadonly()
        self._lent_bytes = 0

    def lend(self, frame: Buffer) -> memoryview:
        """A read-only view of a copy of `frame`. The frame lent before is overwritten."""
        self.recall()
        length = len(frame)
        if length > len(self._buffer):
            self._buffer = bytearray(length)
            self._view = memoryview(self._buffer).toreadonly()
        self._buffer[:length] = frame
        self._lent_bytes = length
        return self._view[:length]

    def recall(self) -> None:
        """Overwrite the frame that was lent, even if a view of it is still held."""
        self._buffer[: self._lent_bytes] = POISON * self._lent_bytes
        self._lent_bytes = 0
