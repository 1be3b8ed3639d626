"""The buffer into which a link reads a frame, and which can be kept instead of being copied.

A frame is valid until the next `read` of its link. A super-frame has up to 64 KiB. To copy it takes
as long as all other work of TCP for it, and twice as long if the copy goes into fresh memory, which
causes page faults. Set `kept` to keep the frame: the link then reads the next one into another
buffer. `give_back` returns the buffer to the link's pool.
"""

from __future__ import annotations

MOST_SPARE = 32
"""The most free buffers in a link's pool. The memory of any others is returned to the system."""


class FrameBuffer(bytearray):
    """A buffer for frames. While `kept` is set, its contents are in use: the link must not write.

    `give_back` is optional: if kept data is discarded without it, the link allocates a new buffer
    and the old one is garbage-collected.
    """

    __slots__ = ("_left", "_spare", "kept")

    def __init__(self, size: int, spare: list[FrameBuffer] | None = None) -> None:
        super().__init__(size)
        self._spare = [] if spare is None else spare
        self._left = False  # whether the link reads into another buffer now
        self.kept = False

    def another(self) -> FrameBuffer:
        """A buffer of the same size, with which the link continues when this one is kept."""
        self._left = True
        return self._spare.pop() if self._spare else FrameBuffer(len(self), self._spare)

    def give_back(self) -> None:
        """Return the buffer to the pool: the frame in it is no longer needed."""
        self.kept = False
        if self._left and len(self._spare) < MOST_SPARE:
            self._left = False
            self._spare.append(self)
