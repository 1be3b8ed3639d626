"""The Internet checksum: the one's complement of the one's complement sum of 16-bit words.

See RFC 1071 (how it is computed), RFC 1624 (how it is updated) and RFC 9293 section 3.1 (the
pseudo-header).

One's complement addition of 16-bit words is addition modulo 65535. Zero has two representations,
0x0000 and 0xFFFF: the sum of words that are all zero is 0x0000, and every other sum that is a
multiple of 65535 is 0xFFFF. Python's big integers compute the whole sum in two C loops: read the
bytes as one number, and take it modulo 65535. This works because 2**16 is 1 modulo 65535.
"""

from __future__ import annotations

import struct

Buffer = bytes | bytearray | memoryview

# A half and a quarter of the longest packet in an Ethernet frame, in bits, and the masks of that
# length.
_HALF, _QUARTER = 740 * 8, 370 * 8
_HALF_ONES, _QUARTER_ONES = (1 << _HALF) - 1, (1 << _QUARTER) - 1
WORTH_FOLDING = 400  # bytes; for shorter data a division alone is faster


def ones_sum(data: Buffer) -> int:
    """The sum of the 16-bit words of `data` modulo 65535.

    An odd last byte is padded with a zero byte. The result is 0..65534: a one's complement sum of
    0xFFFF comes out as 0. Partial sums may be added in this form, since both values are zero in
    one's complement. `internet_checksum` computes the exact field.
    """
    total = int.from_bytes(data, "big")
    return (total << 8 if len(data) & 1 else total) % 65535


def folded(total: int) -> int:  # hot
    """A shorter number that has the same remainder modulo 65535.

    It is made for data about as long as an Ethernet frame. Python's division of a long number is
    much slower than an addition. So the upper half of the number is added to the lower half before
    the division, and then the halves of that sum in the same way. The halves are whole 16-bit words
    long, so that the remainder is unchanged. This takes two thirds of the time.
    """
    total = (total >> _HALF) + (total & _HALF_ONES)
    return (total >> _QUARTER) + (total & _QUARTER_ONES)


def long_sum(data: Buffer) -> int:
    """The same sum as `ones_sum`, not reduced modulo 65535, for a caller that adds to it first."""
    total = int.from_bytes(data, "big")
    if len(data) > WORTH_FOLDING:
        total = folded(total)
    return total << 8 if len(data) & 1 else total


def internet_checksum(data: Buffer, initial: int = 0) -> int:
    """The checksum field for `data`, exactly as RFC 1071 section 1 computes it.

    The checksum field in `data` must be zero. `initial` is the sum of bytes that come before `data`
    and are not in it: a pseudo-header (`pseudo_sum`), or an even number of bytes summed earlier.
    """
    total = int.from_bytes(data, "big")
    if not total and not initial:
        return 0xFFFF  # all words are zero, so their sum is 0x0000 and not 0xFFFF
    remainder = ((total << 8 if len(data) & 1 else total) + initial) % 65535
    return 0xFFFF - remainder if remainder else 0


def verify(data: Buffer, initial: int = 0) -> bool:
    """Whether `data`, its checksum field included, sums to 0xFFFF (RFC 1071 section 1, step 3)."""
    return internet_checksum(data, initial) == 0


def pseudo_sum(source: bytes, destination: bytes, protocol: int, length: int) -> int:
    """The sum of the pseudo-header that TCP and UDP put before their own bytes.

    See RFC 9293 section 3.1, RFC 768. `length` is that of the transport header and payload, in
    bytes. Addresses have 4 bytes. (They may have 16: RFC 8200 section 8.1 sums the same fields,
    with larger ones for addresses and length.)

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
    """The checksum field after the bytes `old` of the data were replaced by `new`.

    The rest of the data is not summed again. `old` and `new` must start at an even offset in the
    data and have the same even length. RFC 1624 section 3, equation 3: HC' = ~(~HC + ~m + m').
    """
    if len(old) != len(new) or len(old) & 1:
        raise ValueError("an incremental checksum update needs old and new bytes of the same even length")
    total = 0xFFFF - checksum
    for (was,), (becomes,) in zip(struct.iter_unpack("!H", old), struct.iter_unpack("!H", new), strict=True):
        total += 0xFFFF - was + becomes
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
