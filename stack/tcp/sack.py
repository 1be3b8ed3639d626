"""The receiver's SACK blocks: ranges behind gaps, and duplicates.

See RFC 2018 sections 3 and 4, RFC 2883 section 4. Octets are numbered by their distance from the
first octet of the peer's stream, as in `recvbuf.py`. The option itself has sequence numbers.

                         +--------+--------+
                         | Kind=5 | Length |
       +--------+--------+--------+--------+
       |      Left Edge of 1st Block       |
       +--------+--------+--------+--------+
       |      Right Edge of 1st Block      |
       +--------+--------+--------+--------+
       |                                   |
       /            . . .                  /
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from stack.tcp.segment import Segment
from stack.tcp.seq import MASK
from stack.wire.checksum import Buffer
from stack.wire.tcp_options import PAIR, STAMP, STAMP_LAYOUT

_TIMESTAMPS_ALONE = STAMP_LAYOUT.to_bytes(4, "big")  # how the options of an ACK without SACK begin
_REMEMBERED = 8  # more blocks than fit into an option, because some of them merge


def blocks_of(seg: Segment) -> tuple[tuple[int, int], ...]:
    """The SACK blocks of an arriving segment, in its order."""
    raw: Buffer = seg.raw_options
    if not raw or (len(raw) == STAMP.size and raw[:4] == _TIMESTAMPS_ALONE):
        return ()
    return seg.options().sack_blocks


class SackReporter:
    """The blocks to report, the most recently changed first.

    It records the same ranges as the out-of-order data of `ReceiveBuffer`, but joined: a thousand
    segments behind one gap are one block.
    """

    __slots__ = ("_discarded", "_duplicate", "_ends", "_most", "_recent", "_starts", "pending")

    def __init__(self, most_blocks: int) -> None:
        self._most = most_blocks
        self.pending = False  # whether there is something to report
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._recent: list[int] = []  # an octet of each block, in the order of reporting
        self._duplicate: tuple[int, int] | None = None
        self._discarded: tuple[int, int] | None = None

    def arrived(self, start: int, end: int) -> None:
        """Octets `start` to `end` were the last to arrive, behind a gap (RFC 2018 section 4)."""
        starts, ends = self._starts, self._ends
        first = bisect_left(ends, start)  # the first block that touches it
        last = bisect_right(starts, end)
        if first < last:
            starts[first:last], ends[first:last] = [min(starts[first], start)], [max(ends[last - 1], end)]
        elif len(starts) >= self._most:
            return
        else:
            starts.insert(first, start)
            ends.insert(first, end)
        left, right = starts[first], ends[first]
        self._recent = [start, *(octet for octet in self._recent if not left <= octet < right)][:_REMEMBERED]
        self.pending = True

    def already_held(self, start: int, end: int) -> tuple[int, int] | None:
        """The first part of octets `start` to `end` that is held already (RFC 2883 section 4.2)."""
        first = bisect_right(self._ends, start)
        if first == len(self._starts) or self._starts[first] >= end:
            return None
        return max(self._starts[first], start), min(self._ends[first], end)

    def duplicate(self, start: int, end: int) -> None:
        """Acknowledged octets, `start` to `end`, came again: report them once (RFC 2883)."""
        self._duplicate = start, end
        self.pending = True

    def discarded(self, start: int, end: int) -> None:
        """Octets `start` to `end` came and were not kept: report them once (RFC 2018 section 8)."""
        self._discarded = start, end
        self.pending = True

    @property
    def duplicate_pending(self) -> bool:
        """Whether a duplicate is still to be reported."""
        return self._duplicate is not None

    def advance(self, next_: int) -> None:
        """RCV.NXT is at `next_` now: blocks before it are acknowledged cumulatively."""
        starts, ends = self._starts, self._ends
        gone = bisect_right(ends, next_)
        if gone:
            del starts[:gone], ends[:gone]
            self._recent = [octet for octet in self._recent if octet >= next_]
            self.pending = bool(starts) or self._duplicate is not None or self._discarded is not None

    def cut_held(self, end: int) -> None:
        """The receive buffer has dropped everything from `end` on."""
        starts, ends = self._starts, self._ends
        left = bisect_left(starts, end)
        del starts[left:], ends[left:]
        if ends and ends[-1] > end:
            ends[-1] = end
        self._recent = [octet for octet in self._recent if octet < end]
        self.pending = bool(starts) or self._duplicate is not None or self._discarded is not None

    def forget_held(self) -> None:
        """The receive buffer holds nothing behind a gap any more."""
        self._starts.clear()
        self._ends.clear()
        self._recent.clear()
        self.pending = self._duplicate is not None or self._discarded is not None

    def length(self, room: int) -> int:
        """How many octets `option` would return."""
        once = (self._duplicate is not None) + (self._discarded is not None)
        count = min(len(self._starts) + once, (room - 4) // 8)
        return 4 + 8 * count if count else 0

    def option(self, base: int, room: int) -> bytes:
        """The SACK option in at most `room` octets, after two no-ops; empty without a block.

        `base` is the sequence number of the stream's first octet. A duplicate is reported in the
        first block, and only in one ACK. The block that encloses it follows, as the most recent
        one. A segment that was not kept is also reported once.
        """
        blocks: list[tuple[int, int]] = []
        most = (room - 4) // 8
        if self._duplicate is not None:
            blocks.append(self._duplicate)
            self._duplicate = None
            self.pending = bool(self._starts)
        if self._discarded is not None:
            if len(blocks) < most:
                blocks.append(self._discarded)
            self._discarded = None
            self.pending = bool(self._starts)
        reported = len(blocks)
        for octet in self._recent:
            if len(blocks) == most:
                break
            index = bisect_right(self._starts, octet) - 1
            blocks.append((self._starts[index], self._ends[index]))
        # `_recent` does not have all blocks: add others while there is room
        if len(blocks) < most and len(blocks) - reported < len(self._starts):
            already_held = set(blocks[reported:])
            for pair in zip(self._starts, self._ends, strict=True):
                if len(blocks) == most:
                    break
                if pair not in already_held:
                    blocks.append(pair)
        if not blocks:
            return b""
        edges = b"".join(PAIR.pack((base + start) & MASK, (base + end) & MASK) for start, end in blocks)
        return bytes((1, 1, 5, len(edges) + 2)) + edges
