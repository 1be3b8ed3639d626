"""Late segmentation: a TCP segment that is larger than the MTU is cut just before the link.

TCP then forms one super-frame for many segments, whatever the link can do, and each layer above is
passed once. Linux calls this generic segmentation offload (GSO). Each piece gets a copy of the
headers, with a sequence number and a checksum of its own (RFC 9293 section 3.1); CWR only in the
first one (RFC 3168 section 6.1.2), PSH and FIN only in the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct

from stack.wire.checksum import Buffer
from stack.wire.tcp import CHECKSUM_AT, CWR, FIN, FLAGS_AT, HEADER_LENGTH, PSH, SEQ_AT

_AFTER_SEQ, _AFTER_FLAGS, _AFTER_CHECKSUM = SEQ_AT + 4, FLAGS_AT + 1, CHECKSUM_AT + 2
_MASK = 0xFFFFFFFF


@lru_cache(maxsize=64)
def _headers(front: int, options: int) -> Struct:
    """Forms `front` octets before the TCP header and its ports, and the header with its options."""
    return Struct(f"!{front + SEQ_AT}sI5sB2sH{2 + options}s")


def pieces(  # hot
    header: bytes,
    data: Buffer,
    size: int,
    pseudo_sum: int,
    front: bytes = b"",
    last_front: bytes = b"",
    partial: bool = False,
) -> Iterator[tuple[bytes, memoryview]]:
    """Cut a TCP segment into (the headers, `size` octets of `data`); the last may have fewer.

    header: the TCP header with its options; its checksum is not read.
    pseudo_sum: the sum of the pseudo-header without its length.
    front, last_front: what stands before the TCP header of each piece, and of the last one.
    partial: form checksums that the link completes: only the sum of the pseudo-header.
    """
    view = memoryview(data)
    length, header_length = len(view), len(header)
    pack = _headers(len(front), header_length - HEADER_LENGTH).pack
    ports, seq = header[:SEQ_AT], int.from_bytes(header[SEQ_AT:_AFTER_SEQ], "big")
    fixed, flags, window = header[_AFTER_SEQ:FLAGS_AT], header[FLAGS_AT], header[_AFTER_FLAGS:CHECKSUM_AT]
    tail = header[_AFTER_CHECKSUM:]
    # A 32-bit field counts as the sum of its halves, modulo 65535 (RFC 1071 section 2)
    same = pseudo_sum + int.from_bytes(ports + fixed + b"\0" + window + tail, "big")
    begin = front + ports
    now_flags = flags & ~(PSH | FIN)
    for at in range(0, length, size):
        piece = view[at : at + size]
        count = len(piece)
        if at + size >= length:
            now_flags |= flags & (PSH | FIN)
            begin = last_front + ports
        if partial:
            checksum = (pseudo_sum + header_length + count) % 0xFFFF
        else:
            octets = int.from_bytes(piece, "big")
            total = same + header_length + count + seq + now_flags + (octets << 8 if count & 1 else octets)
            checksum = 0xFFFF ^ (total % 0xFFFF or 0xFFFF)
        yield pack(begin, seq, fixed, now_flags, window, checksum, tail), piece
        now_flags &= ~CWR
        seq = (seq + count) & _MASK
