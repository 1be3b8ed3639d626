"""SYN cookies: the state of a half-open connection, encoded in its SYN,ACK and not stored here.

See RFC 4987 section 3.6. The initial sequence number is

      31    27 26  24 23                      0
     +--------+------+-------------------------+
     | count  | MSS  |          MAC            |   + a keyed hash of both addresses and ports
     +--------+------+-------------------------+

where count is the number of the time period and MSS an index into a table. The MAC covers both of
these, the addresses and ports, and the peer's initial sequence number. The other options of the SYN
are lost, unless timestamps are agreed on. In that case the lowest bits of our first timestamp hold
the window scale and whether SACK is permitted, and the peer's ACK echoes them. All functions here
are pure.
"""

from __future__ import annotations

from hashlib import blake2s

from stack.tcp.seq import MASK
from stack.wire.tcp_options import TcpOptions

MSS_TABLE = (88, 256, 536, 1220, 1300, 1380, 1440, 1460)
"""The MSS is rounded down to one of these: minimum, IPv4, IPv6, tunnels, Ethernet."""

_MAC_BITS = 24
_COUNTS = 32  # five bits
_NO_SCALE = 15  # the largest shift count is 14
_SACK = 16
_OPTION_BITS = 5


def make(secret: bytes, key: bytes, irs: int, mss: int, count: int) -> int:
    """The ISS for the SYN,ACK that answers a SYN with sequence number `irs` and this MSS.

    `count` is the number of the current period.
    """
    index = max(i for i, size in enumerate(MSS_TABLE) if i == 0 or size <= mss)
    return _number(secret, key, irs, index, count)


def read(secret: bytes, key: bytes, irs: int, cookie: int, count: int) -> int | None:
    """The MSS in a cookie of this period or of the one before; None if it is not one of ours."""
    bits = (cookie - _keyed_offset(secret, key)) & MASK
    index = bits >> _MAC_BITS & 7
    for made in (count, count - 1):
        if made % _COUNTS == bits >> 27 and _number(secret, key, irs, index, made) == cookie:
            return MSS_TABLE[index]
    return None


def _number(secret: bytes, key: bytes, irs: int, index: int, count: int) -> int:
    covered = b"%b%d %d %d" % (key, irs, index, count)
    mac = int.from_bytes(blake2s(covered, key=secret, digest_size=3, person=b"cookie").digest(), "big")
    return ((count % _COUNTS << 27 | index << _MAC_BITS | mac) + _keyed_offset(secret, key)) & MASK


def _keyed_offset(secret: bytes, key: bytes) -> int:
    """Added to every cookie of a connection, so that an observer sees neither count nor MSS.

    It differs between clients, so that one client's numbers say nothing about another's.
    """
    return int.from_bytes(blake2s(key, key=secret, digest_size=4, person=b"veil").digest(), "big")


def encode_options(ticks: int, options: TcpOptions) -> int:
    """The latest timestamp not after `ticks` whose lowest bits hold the window scale and SACK."""
    shift = _NO_SCALE if options.window_scale is None else min(options.window_scale, _NO_SCALE - 1)
    bits = shift | (_SACK if options.sack_permitted else 0)
    hidden = ticks >> _OPTION_BITS << _OPTION_BITS | bits
    return hidden if hidden <= ticks else hidden - (1 << _OPTION_BITS)


def decode_options(ticks: int) -> tuple[int | None, bool]:
    """The window scale and whether SACK is permitted, from such a timestamp."""
    shift = ticks & _NO_SCALE
    return None if shift == _NO_SCALE else shift, bool(ticks & _SACK)
