"""Segments made from any octets: eight octets are a segment, so that a fuzzer can move each field.

Ports are few and numbers near each other and near the wrap, so that segments meet connections.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from stack.link.captured import CapturedFrame

STEP = 8
HERE, THERE = b"\x0a\0\0\1", b"\x0a\0\0\2"
OPTIONS = (
    b"",
    b"",
    b"\x02\x04\x03\xe8",
    b"\x02\x04\x03\xe8\x03\x03\x07\0",
    b"\x01\x01\x05\x0a\0\0\0\4\0\0\0\6",
    b"\x05\x03\xff\0",
)
LENGTHS = (0, 0, 0, 1, 2, 5)
WINDOWS = (0, 0, 1, 2, 5, 300)
DIRECTIONS = ("", "in", "out")


def segments(data: bytes) -> Iterator[CapturedFrame]:
    """The segments of `data`. All lack their last octet, so that no checksum can be told."""
    time_ns = 0
    for number, at in enumerate(range(0, len(data) - STEP + 1, STEP), 1):
        ports, flags, seq, ack, size, window, options, time = data[at : at + STEP]
        time_ns += time * time * 50_000
        raw = OPTIONS[options % len(OPTIONS)]
        length = LENGTHS[size % len(LENGTHS)] + 1
        tcp = struct.pack(
            "!HHIIBBHHH", 9, 0, seq - 128 & 0xFFFF_FFFF, ack - 128 & 0xFFFF_FFFF,
            (5 + len(raw) // 4) << 4, flags & 63, WINDOWS[window % len(WINDOWS)], 0, 0,
        )  # fmt: skip
        sockets = (HERE, b"\0\x09"), (THERE, bytes((0, ports >> 1 & 7)))
        source, destination = sockets if ports & 1 else sockets[::-1]
        total = 20 + len(tcp) + len(raw) + length
        ip = struct.pack("!HHHHBBH", 0x4500, total, number, 0, 64, 6, 0) + source[0] + destination[0]
        packet = ip + source[1] + destination[1] + tcp[4:] + raw + bytes(length - 1)
        yield CapturedFrame(number, time_ns, packet, len(packet) + 1, "ip", "", DIRECTIONS[(ports >> 4) % 3])
