"""What the options say: the segment size and scale of the SYNs, and the blocks of SACK."""

from __future__ import annotations

from struct import Struct

from stack.errors import BadPacket
from stack.outside.connection import SeenConnection, SeenEnd, SeenSegment
from stack.wire.tcp import ACK
from stack.wire.tcp_options import END, NO_OPERATION, NO_OPTIONS, SACK, parse_options

MOST_SHIFT = 14  # RFC 7323 section 2.3
SHORTEST_SACK = 10  # octets
NO_BLOCKS: tuple[tuple[int, int], ...] = ()
_BLOCK = Struct("!II")


def take_syn_options(connection: SeenConnection, sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> None:
    """Take the options of a SYN.

    Windows are scaled only if both SYNs have the option (RFC 7323 section 2.2). A SYN,ACK without
    it says so alone.
    """
    try:
        options = parse_options(segment.options)
    except BadPacket:
        options = NO_OPTIONS
    sender.mss = options.mss
    sender.offered_scale = -1 if options.window_scale is None else min(options.window_scale, MOST_SHIFT)
    if sender.offered_scale < 0 and segment.flags & ACK:
        sender.scale = receiver.scale = 0
    elif receiver.offered_scale is not None:
        scaled = sender.offered_scale >= 0 and receiver.offered_scale >= 0
        sender.scale = sender.offered_scale if scaled else 0
        receiver.scale = receiver.offered_scale if scaled else 0


def sack_blocks(options: bytes) -> tuple[tuple[int, int], ...]:
    """The blocks of a SACK option (RFC 2018 section 3); none if the options are broken."""
    at, end = 0, len(options)
    while at < end and (kind := options[at]) != END:
        if kind == NO_OPERATION:
            at += 1
            continue
        length = options[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            break
        if kind == SACK:
            return tuple(_BLOCK.iter_unpack(options[at + 2 : at + 2 + (length - 2) // 8 * 8]))
        at += length
    return NO_BLOCKS
