"""One arriving segment, with the variables of RFC 9293 section 3.10.7."""

from __future__ import annotations

from stack.counters import Counters
from stack.errors import BadPacket
from stack.tcp import timestamps
from stack.tcp.seq import MASK
from stack.wire.checksum import Buffer
from stack.wire.tcp import ACK, FIN, FIXED, HEADER_LENGTH, RST, SYN, flag_names
from stack.wire.tcp_options import NO_OPTIONS, TcpOptions, parse_options

__all__ = ["Segment", "reset_for", "reset_options"]


class Segment:
    """SEG.SEQ, SEG.ACK, SEG.LEN, SEG.WND, SEG.UP, the control bits and the text.

    - `text` may be a view of the frame; it is not valid after the frame has been processed.
    - `seg_len` is SEG.LEN, which counts SYN and FIN (section 3.4). It shrinks when octets outside
      the receive window are cut off; `whole_len` does not.
    - `window` is as in the header, not scaled.
    - `ts_val` and `ts_ecr` are -1 until `read_timestamps` finds them. It is called only if
      timestamps were agreed on.
    - `ce`: the packet was marked for congestion (RFC 3168); it is valid only where ECN is in use.
    - `repeats`: its first octets were acknowledged before.
    - `counters`: where malformed options are counted, once, if they are read.
    """

    __slots__ = (
        "ce", "counters", "flags", "raw_options", "repeats", "seg_ack", "seg_len", "seg_seq", "seg_up", "text",
        "ts_ecr", "ts_val", "whole_len", "window",
    )  # fmt: skip

    def __init__(
        self, seq: int, ack: int, flags: int, window: int, text: Buffer = b"", options: Buffer = b"", up: int = 0
    ) -> None:
        self.seg_seq, self.seg_ack, self.flags, self.window = seq, ack, flags, window
        self.text = text
        self.seg_up = up
        self.raw_options = options
        self.ts_val = self.ts_ecr = -1
        self.ce = self.repeats = False
        self.counters: Counters | None = None
        self.seg_len = self.whole_len = len(text) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)

    @classmethod
    def parse(cls, data: memoryview) -> Segment:
        """Parse a segment whose checksum was verified; BadPacket if the header is invalid."""
        if len(data) < HEADER_LENGTH:
            raise BadPacket("tcp_truncated")
        seq, ack, offset, flags, window, up = FIXED.unpack_from(data)
        length = (offset >> 4) * 4
        if not HEADER_LENGTH <= length <= len(data):
            raise BadPacket("tcp_bad_data_offset")
        return cls(seq, ack, flags, window, data[length:], bytes(data[HEADER_LENGTH:length]), up)

    def read_timestamps(self) -> bool:
        """Find SEG.TSval and SEG.TSecr; return whether they are there.

        Without ACK, TSecr has no meaning (RFC 7323 section 3.2).
        """
        found = timestamps.read(self.raw_options) or self.options().timestamps
        if found is None:
            return False
        self.ts_val = found[0]
        if self.flags & ACK:
            self.ts_ecr = found[1]
        return True

    def options(self) -> TcpOptions:
        """The options, or none if they are malformed: they never end a connection (MUST-7)."""
        if not self.raw_options:
            return NO_OPTIONS
        try:
            return parse_options(self.raw_options)
        except BadPacket:
            if self.counters is not None:
                self.counters.drop("tcp_bad_options")
                self.counters = None
            return NO_OPTIONS

    def __repr__(self) -> str:
        control = flag_names(self.flags)
        return f"<SEQ={self.seg_seq}><ACK={self.seg_ack}><CTL={control}> {len(self.text)} octets, window {self.window}"


def reset_options(segment: Segment) -> bytes:
    """The options of the reset from `reset_for`.

    A segment with a timestamp gets it echoed, with TSval 0 (RFC 7323 section 5.2).
    """
    stamps = segment.options().timestamps
    return b"" if stamps is None else timestamps.option(0, stamps[0])


def reset_for(segment: Segment) -> tuple[int, int, int] | None:
    """The (SEQ, ACK, control bits) of the reset that answers a segment of no connection.

    None for a RST, which is never answered. RFC 9293 section 3.10.7.1.
    """
    if segment.flags & RST:
        return None
    if segment.flags & ACK:
        return segment.seg_ack, 0, RST
    return 0, (segment.seg_seq + segment.seg_len) & MASK, RST | ACK
