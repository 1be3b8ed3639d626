"""The Timestamps option: the peer echoes our clock; we echo and compare the peer's.

See RFC 7323 sections 3 (the option), 4.3 (which timestamp to echo) and 5 (PAWS, protection against
wrapped sequences). This file has only the numbers. `segment_arrives.py` makes the checks, and
`output.emit` puts the option on segments.

    +-------+-------+---------------------+---------------------+
    |Kind=8 |  10   |   TS Value (TSval)  |TS Echo Reply (TSecr)|
    +-------+-------+---------------------+---------------------+
        1       1              4                     4
"""

from __future__ import annotations

from math import inf

from stack.tcp.seq import MASK, le, lt
from stack.wire.checksum import Buffer
from stack.wire.tcp_options import STAMP, STAMP_LAYOUT

OPTION_BYTES = STAMP.size
"""With two no-ops before the option, which align what follows (appendix A)."""

TICKS_PER_SECOND = 1000
"""Section 5.4: "1 ms to 1 sec per tick"; at 1 ms the sign bit wraps in 24.8 days."""

_OUTDATED_S = 24 * 86400.0  # section 5.5


class Timestamps:
    """Both sides' timestamps on one connection, under RFC 7323's names.

    - `offered`: our SYN carries the option.
    - `agreed`: Snd.TS.OK: both SYNs carry the option.
    - `recent` and `recent_at`: TS.Recent, and when it was stored; no meaning until `agreed`.
    - `last_ack_sent`: Last.ACK.sent.
    - `offset` is added to our clock, a different one on each connection (section 7).
    """

    __slots__ = ("agreed", "last_ack_sent", "offered", "offset", "recent", "recent_at")

    def __init__(self, offered: bool, offset: int) -> None:
        self.offered = offered
        self.agreed = False
        self.offset = offset
        self.recent = 0
        self.recent_at = -inf
        self.last_ack_sent = 0

    def clock(self, now: float) -> int:
        """Snd.TSclock: the TSval at `now`."""
        return (int(now * TICKS_PER_SECOND) + self.offset) & MASK

    def agree(self, ts_val: int, irs: int, now: float) -> None:
        """The peer's SYN has the option as well.

        Last.ACK.sent becomes RCV.NXT with our answer to it (appendix D).
        """
        self.agreed = True
        self.recent, self.recent_at = ts_val, now
        self.last_ack_sent = (irs + 1) & MASK

    def option(self, now: float) -> bytes:
        """The option of a segment with ACK: TSecr is TS.Recent (section 4.3 rule 3)."""
        return STAMP.pack(STAMP_LAYOUT, (int(now * TICKS_PER_SECOND) + self.offset) & MASK, self.recent)

    def is_old(self, ts_val: int, now: float) -> bool:
        """PAWS, section 5.3 R1: SEG.TSval < TS.Recent, unless that is outdated (section 5.5)."""
        return lt(ts_val, self.recent) and now - self.recent_at <= _OUTDATED_S

    def remember(self, ts_val: int, seq: int, now: float) -> None:
        """Sections 4.3 rule 2 and 5.3 R3: update TS.Recent.

        The segment is in the window, and `is_old` let it pass; `seq` is SEG.SEQ.
        """
        if le(seq, self.last_ack_sent):
            self.recent, self.recent_at = ts_val, now

    def elapsed_s(self, ts_ecr: int, now: float) -> float:
        """How long ago we sent the segment that the peer echoes; 0 if the echo is from the
        future.
        """
        ticks = (self.clock(now) - ts_ecr) & MASK
        return ticks / TICKS_PER_SECOND if ticks < 0x8000_0000 else 0.0


def option(ts_val: int, ts_ecr: int) -> bytes:
    """The option alone, padded to twelve octets."""
    return STAMP.pack(STAMP_LAYOUT, ts_val, ts_ecr)


def read(options: Buffer) -> tuple[int, int] | None:
    """(TSval, TSecr) if the options have the usual layout; None: parse them in full."""
    if len(options) >= OPTION_BYTES:
        layout, ts_val, ts_ecr = STAMP.unpack_from(options)
        if layout == STAMP_LAYOUT:
            return ts_val, ts_ecr
    return None
