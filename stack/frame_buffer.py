"""A buffer that a link reads frames into, and that may be kept instead of copied.

A frame is lent: it is gone with the next `read` of its link. But a super-frame is 64 KiB, and to copy it costs as much
as all that TCP does about it, and twice that where memory which the system has just given us takes it in, page fault by
page fault. So who wants to keep a frame that came in a `FrameBuffer` says so, and its link reads the next one
into another. Once he has given it back it is the link's again.
"""

from __future__ import annotations

MOST_SPARE = 32
"""How many free buffers a link holds on to; the memory of others goes back to the system."""


class FrameBuffer(bytearray):
    """`kept` says that somebody still reads in it, so that the link must not write; whoever keeps it sets that.

    A buffer that is never given back costs its link a new one, and no more: so whoever throws away what he has kept
    need not remember where it was.
    """

    __slots__ = ("_left", "_spare", "kept")

    def __init__(self, size: int, spare: list[FrameBuffer] | None = None) -> None:
        super().__init__(size)
        self._spare = [] if spare is None else spare
        self._left = False  # by the link, which reads into another one
        self.kept = False

    def another(self) -> FrameBuffer:
        """For the link, when this one is kept: one of the same size to go on with."""
        self._left = True
        return self._spare.pop() if self._spare else FrameBuffer(len(self), self._spare)

    def give_back(self) -> None:
        """Nobody reads in it any more."""
        self.kept = False
        if self._left and len(self._spare) < MOST_SPARE:
            self._left = False
            self._spare.append(self)
