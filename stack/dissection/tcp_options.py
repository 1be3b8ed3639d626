"""The options of TCP, field by field.

See RFC 9293 section 3.2, RFC 7323 (window scale, timestamps), RFC 2018 (SACK), RFC 5482 (user
timeout) and RFC 7413 (fast open). `stack.wire.tcp_options` has the numbers.
"""

from __future__ import annotations

from stack.dissection.layer import Table, shown
from stack.wire import tcp_options as options


def options_table(row: Table, raw: bytes) -> None:
    """Make the fields of all options."""
    at = 0
    while at < len(raw):
        kind = raw[at]
        row.number("Kind", 8, options.OPTION_NAMES.get(kind, "unassigned"))
        if kind == options.END:
            row.octets("Padding", len(raw) - at - 1, "up to a multiple of 32 bits")
            return
        if kind == options.NO_OPERATION:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 0
        if length < 2 or at + length > len(raw):
            row.octets("octets", len(raw) - at - 1, "malformed: the length is under 2, or leads out of the header")
            return
        row.number("Length", 8, f"{length} octets, these two included")
        _data(row, kind, raw[at + 2 : at + length])
        at += length


def _data(row: Table, kind: int, data: bytes) -> None:
    """What follows the length of one option."""
    size = len(data)
    if kind == options.MSS and size == 2:
        row.number("Maximum Segment Size", 16, f"send me at most {int.from_bytes(data, 'big')} octets in a segment")
    elif kind == options.WINDOW_SCALE and size == 1:
        shift = min(data[0], 14)
        row.number("shift.cnt", 8, f"the Window of my later segments counts units of {1 << shift} octets")
    elif kind == options.TIMESTAMPS and size == 8:
        row.number("TS Value", 32, "the sender's clock")
        row.number("TS Echo Reply", 32, "the latest TS Value of the other end; without ACK no meaning")
    elif kind == options.SACK and size % 8 == 0:
        for at in range(0, size, 8):
            left, right = int.from_bytes(data[at : at + 4], "big"), int.from_bytes(data[at + 4 : at + 8], "big")
            row.number("Left Edge of Block", 32, f"{left}: the first octet of a block that has arrived")
            row.number("Right Edge of Block", 32, f"{right}: the first octet after the block")
    elif kind == options.USER_TIMEOUT and size == 2:
        minutes = bool(data[0] & 0x80)
        row.number("G", 1, "in minutes" if minutes else "in seconds")
        row.number("User Timeout", 15, f"{int.from_bytes(data, 'big') & 0x7FFF} {'min' if minutes else 's'}")
    elif kind == options.FAST_OPEN:
        row.octets("Cookie", size, data.hex())
    else:
        row.octets("data", size, shown(data))
