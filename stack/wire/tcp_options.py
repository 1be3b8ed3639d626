"""TCP options.

See RFC 9293 section 3.2 (end, no-op, MSS), RFC 7323 (window scale, timestamps), RFC 2018 (SACK),
RFC 5482 section 2 (user timeout), RFC 7413 section 4.1.1 (fast open).

There are two views of the same bytes. `split` and `join` keep every byte and its order.
`parse_options` and `build_options` convert the options that we know to and from `TcpOptions`.

To add an option that both ends send in their SYNs (`stack/tcp/README.md` has the other cases):
1. Here: its kind, a field of `TcpOptions`, a branch in `parse_options` and one in `build_options`.
   `unknown` is only for options that have no field. `registry/options.py` has IANA's names.
2. `config.py`: a field of `TcpConfig` that switches it on.
3. `tcp/tcb.py`: a variable for what the peer's SYN said.
4. `tcp/handshake.py`: `send_syn` sends the option, `take_syn` reads that of the peer.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.checksum import Buffer
from stack.wire.registry import names
from stack.wire.registry.options import TCP_OPTIONS

END = 0
NO_OPERATION = 1
MSS = 2
WINDOW_SCALE = 3
SACK_PERMITTED = 4
SACK = 5
TIMESTAMPS = 8
USER_TIMEOUT = 28
FAST_OPEN = 34

OPTION_NAMES: dict[int, str] = names(TCP_OPTIONS, 10)

MAX_LENGTH = 40
MAX_SACK_BLOCKS = 4
COOKIE_LENGTHS = (0, 4, 6, 8, 10, 12, 14, 16)
"""The lengths of a Fast Open cookie: 0 to request one, or an even number from 4 to 16.

See RFC 7413 section 4.1.1.
"""

_MSS = struct.Struct("!H")
PAIR = struct.Struct("!II")
"""Two 32-bit numbers: TSval and TSecr, or the edges of a SACK block."""

STAMP = struct.Struct("!III")
"""STAMP_LAYOUT, TSval and TSecr: Timestamps as nearly all segments have it."""

STAMP_LAYOUT = 0x0101_080A
"""No-op, no-op, kind 8, length 10 (RFC 7323 appendix A)."""


_SYN_OPTIONS = struct.Struct("!HHIIII")
"""MSS, SACK permitted, Timestamps, no-op and Window Scale: a SYN of Linux, or ours."""

_MSS_HEAD, _SACK_AND_STAMP_HEAD, _SCALE_HEAD = 0x0204, 0x0402_080A, 0x01_0303
"""Kind and length of MSS; of SACK permitted and Timestamps; a no-op and those of Window Scale."""


class TcpOptions(NamedTuple):
    """The options of one segment.

    Attributes:
      mss: the maximum segment size in bytes (RFC 9293 section 3.7.1).
      window_scale: the shift count as received; RFC 7323 section 2.3 limits its use to 14.
      sack_blocks: pairs (left edge, right edge).
      timestamps: (TSval, TSecr).
      fast_open: a cookie, or b"" for a request of one.
      user_timeout: the 16-bit value of that option.
      unknown: (kind, data) of every other option, and of known options that have a wrong length.
    """

    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    sack_blocks: tuple[tuple[int, int], ...] = ()
    timestamps: tuple[int, int] | None = None
    fast_open: bytes | None = None
    user_timeout: int | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()


NO_OPTIONS = TcpOptions()
_NO_OTHERS = list(NO_OPTIONS[5:])  # the fields after `timestamps`: the options that `_SYN_OPTIONS` lacks


def split(raw: Buffer) -> list[tuple[int, bytes]]:
    """The options in order as (kind, data).

    No-op has no data; the data of end is all the padding after it.

    +--------+--------+-----------------+
    |  Kind  | Length | Length - 2 data |   and kinds 0 and 1 are one byte each
    +--------+--------+-----------------+

    Raises BadPacket tcp_bad_options when a length is under 2 or reaches past the end (RFC 9293
    MUST-7).
    """
    options: list[tuple[int, bytes]] = []
    offset, end = 0, len(raw)
    while offset < end:
        kind = raw[offset]
        if kind == END:
            options.append((END, bytes(raw[offset + 1 :])))
            break
        if kind == NO_OPERATION:
            options.append((NO_OPERATION, b""))
            offset += 1
            continue
        length = raw[offset + 1] if offset + 1 < end else 0
        if length < 2 or offset + length > end:
            raise BadPacket("tcp_bad_options")
        options.append((kind, bytes(raw[offset + 2 : offset + length])))
        offset += length
    return options


def join(options: list[tuple[int, bytes]]) -> bytes:
    """The bytes of a list of options; the inverse of `split`."""
    return b"".join(
        bytes((kind,)) + data if kind in (END, NO_OPERATION) else bytes((kind, len(data) + 2)) + data
        for kind, data in options
    )


def parse_options(raw: Buffer) -> TcpOptions:
    """Parse the options of a header. If an option comes twice, the last one counts.

    Raises BadPacket tcp_bad_options.
    """
    if len(raw) == _SYN_OPTIONS.size:  # nearly every SYN: the general way below takes six times as long
        mss_head, syn_mss, stamp_head, ts_val, ts_ecr, scaling = _SYN_OPTIONS.unpack(raw)
        if mss_head == _MSS_HEAD and stamp_head == _SACK_AND_STAMP_HEAD and scaling >> 8 == _SCALE_HEAD:
            return TcpOptions(syn_mss, scaling & 0xFF, True, (), (ts_val, ts_ecr))
    mss: int | None = None
    window_scale: int | None = None
    sack_permitted = False
    sack_blocks: tuple[tuple[int, int], ...] = ()
    timestamps: tuple[int, int] | None = None
    fast_open: bytes | None = None
    user_timeout: int | None = None
    unknown: list[tuple[int, bytes]] = []
    for kind, data in split(raw):
        size = len(data)
        if kind in (END, NO_OPERATION):
            continue
        if kind == MSS and size == 2:
            (mss,) = _MSS.unpack(data)
        elif kind == WINDOW_SCALE and size == 1:
            window_scale = data[0]
        elif kind == SACK_PERMITTED and size == 0:
            sack_permitted = True
        elif kind == SACK and size and size % 8 == 0:
            sack_blocks = tuple((left, right) for left, right in PAIR.iter_unpack(data))
        elif kind == TIMESTAMPS and size == 8:
            value, echo = PAIR.unpack(data)
            timestamps = (value, echo)
        elif kind == FAST_OPEN and size in COOKIE_LENGTHS:
            fast_open = data
        elif kind == USER_TIMEOUT and size == 2:
            user_timeout = int.from_bytes(data, "big")
        else:
            unknown.append((kind, data))
    more = tuple(unknown)
    return TcpOptions(mss, window_scale, sack_permitted, sack_blocks, timestamps, fast_open, user_timeout, more)


def build_options(options: TcpOptions) -> bytes:
    """The bytes of `options`, padded to a multiple of 4.

    No-ops align the options as RFC 7323 appendix A suggests. Raises ValueError when they take more
    than 40 bytes: the caller must leave some out.
    """
    # The short way, as in `parse_options`: all the options of `_SYN_OPTIONS` and no other
    mss, scale, sack_permitted, blocks, stamps, *others = options
    if (
        sack_permitted
        and mss is not None
        and scale is not None
        and scale < 256
        and stamps
        and not blocks
        and others == _NO_OTHERS
    ):
        return _SYN_OPTIONS.pack(_MSS_HEAD, mss, _SACK_AND_STAMP_HEAD, *stamps, _SCALE_HEAD << 8 | scale)
    parts: list[bytes] = []
    if options.mss is not None:
        parts.append(bytes((MSS, 4)) + _MSS.pack(options.mss))
    if options.sack_permitted:
        # SACK permitted has two bytes. With timestamps, it takes the place of the two no-ops before
        # them.
        parts.append(bytes((SACK_PERMITTED, 2)) if options.timestamps else b"\x01\x01" + bytes((SACK_PERMITTED, 2)))
    if options.timestamps is not None:
        padding = b"" if options.sack_permitted else b"\x01\x01"
        parts.append(padding + bytes((TIMESTAMPS, 10)) + PAIR.pack(*options.timestamps))
    if options.window_scale is not None:
        parts.append(bytes((NO_OPERATION, WINDOW_SCALE, 3, options.window_scale)))
    if options.sack_blocks:
        edges = b"".join(PAIR.pack(left, right) for left, right in options.sack_blocks)
        parts.append(b"\x01\x01" + bytes((SACK, len(edges) + 2)) + edges)
    if options.fast_open is not None:
        cookie = bytes((FAST_OPEN, len(options.fast_open) + 2)) + options.fast_open
        parts.append(bytes((NO_OPERATION,)) * (-len(cookie) % 4) + cookie)
    if options.user_timeout is not None:
        parts.append(bytes((USER_TIMEOUT, 4)) + options.user_timeout.to_bytes(2, "big"))
    parts.extend(bytes((kind, len(data) + 2)) + data for kind, data in options.unknown)
    raw = b"".join(parts)
    raw += bytes(-len(raw) % 4)  # an end-of-options list, and padding after it
    if len(raw) > MAX_LENGTH:
        raise ValueError(f"TCP options take at most {MAX_LENGTH} bytes, these take {len(raw)}")
    return raw
