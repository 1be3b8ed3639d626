"""The Internet checksum: the one's complement of the one's complement sum of 16-bit words.

See RFC 1071 (how it is computed), RFC 1624 (how it is updated) and RFC 9293 section 3.1 (the pseudo-header).

One's complement addition of 16-bit words is addition modulo 65535 with two names for zero, 0x0000 and 0xFFFF: a sum of
words that are all zero is 0x0000, every other sum that is a multiple of 65535 is 0xFFFF. Python's big integers do the
whole sum in two C loops: read the bytes as one number, take it modulo 65535 (as 2**16 = 1 modulo 65535).
"""

from __future__ import annotations

import struct

Buffer = bytes | bytearray | memoryview

# The halves and quarters of what an Ethernet's frame has room for, in bits, and as many ones.
_HALF, _QUARTER = 740 * 8, 370 * 8
_HALF_ONES, _QUARTER_ONES = (1 << _HALF) - 1, (1 << _QUARTER) - 1
WORTH_FOLDING = 400  # bytes: shorter numbers are divided as they are


def ones_sum(data: Buffer) -> int:
    """The sum of the 16-bit words of `data` modulo 65535; an odd last byte is padded with a zero byte.

    The result is 0..65534: a one's complement sum of 0xFFFF comes out as 0. A receiver cannot tell the two apart, so
    this is what sums are added from; `internet_checksum` gives the exact field.
    """
    total = int.from_bytes(data, "big")
    return (total << 8 if len(data) & 1 else total) % 65535


def folded(total: int) -> int:  # hot
    """A smaller number that leaves the same remainder modulo 65535, for one about as long as a frame of an Ethernet.

    A division goes digit by digit, an addition does not: so the halves of the number, whose words are in step, are
    added before it, and those of the sum, too. It takes two thirds of the time.
    """
    total = (total >> _HALF) + (total & _HALF_ONES)
    return (total >> _QUARTER) + (total & _QUARTER_ONES)


def long_sum(data: Buffer) -> int:
    """As `ones_sum`, but not reduced: for a sum that more is added to."""
    total = int.from_bytes(data, "big")
    if len(data) > WORTH_FOLDING:
        total = folded(total)
    return total << 8 if len(data) & 1 else total


def internet_checksum(data: Buffer, initial: int = 0) -> int:
    """The checksum field for `data` (whose own checksum field is zero), exactly as RFC 1071 section 1 computes it.

    `initial` is the sum of what precedes `data` in the sum but not in memory: a pseudo-header (`pseudo_sum`), or an
    even number of bytes summed before.
    """
    total = int.from_bytes(data, "big")
    if not total and not initial:
        return 0xFFFF  # nothing but zero words: the sum is 0x0000, not 0xFFFF
    remainder = ((total << 8 if len(data) & 1 else total) + initial) % 65535
    return 0xFFFF - remainder if remainder else 0


def verify(data: Buffer, initial: int = 0) -> bool:
    """Whether `data`, its checksum field included, sums to 0xFFFF (RFC 1071 section 1, step 3)."""
    return internet_checksum(data, initial) == 0


def pseudo_sum(source: bytes, destination: bytes, protocol: int, length: int) -> int:
    """The sum of the pseudo-header that TCP and UDP put before their own bytes (RFC 9293 section 3.1, RFC 768).

    `length` is that of the transport header and payload, in bytes. Addresses are 4 bytes (or 16: RFC 8200 section
    8.1 sums the same fields, only wider).

        0        7 8       15 16      23 24      31
        +----------+----------+----------+----------+
        |               source address              |
        +----------+----------+----------+----------+
        |             destination address           |
        +----------+----------+----------+----------+
        |   zero   | protocol |        length       |
        +----------+----------+----------+----------+
    """
    return ones_sum(source) + ones_sum(destination) + protocol + (length >> 16) + (length & 0xFFFF)


def update(checksum: int, old: Buffer, new: Buffer) -> int:
    """The checksum field after the bytes `old` of the summed data became `new`, without summing the rest again.

    Both must start at an even offset in the data and have the same even length. RFC 1624 section 3, equation 3:
    HC' = ~(~HC + ~m + m').
    """
    if len(old) != len(new) or len(old) & 1:
        raise ValueError("an incremental checksum update replaces whole 16-bit words by as many others")
    total = 0xFFFF - checksum
    for (was,), (becomes,) in zip(struct.iter_unpack("!H", old), struct.iter_unpack("!H", new), strict=True):
        total += 0xFFFF - was + becomes
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
