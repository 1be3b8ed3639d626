"""The blocks of a SACK option."""

from __future__ import annotations

from struct import Struct

from stack.wire.tcp_options import END, NO_OPERATION, SACK

SHORTEST_SACK = 10  # octets
NO_BLOCKS: tuple[tuple[int, int], ...] = ()
_BLOCK = Struct("!II")


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
