"""The older capture format: a file header, and each frame after a header of its own.

See draft-ietf-opsawg-pcap. All numbers are in the byte order of the machine that wrote the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from stack.link.captured import CapturedFrame
from stack.link.link_types import LINKS, LONGEST_FRAME, cooked_direction
from stack.link.octet_source import OctetSource


class Kind(NamedTuple):
    """What the magic number of a file says."""

    order: str  # of the octets of its numbers, as `struct` writes it
    fraction_ns: int  # the unit of the second field of a timestamp
    extra: int  # octets that follow the four fields of a frame's header


KINDS = {
    bytes.fromhex("d4c3b2a1"): Kind("<", 1000, 0),
    bytes.fromhex("a1b2c3d4"): Kind(">", 1000, 0),
    bytes.fromhex("4d3cb2a1"): Kind("<", 1, 0),
    bytes.fromhex("a1b23c4d"): Kind(">", 1, 0),
    bytes.fromhex("34cdb2a1"): Kind("<", 1000, 8),  # "modified": interface index, protocol, packet type
    bytes.fromhex("a1b2cd34"): Kind(">", 1000, 8),
}
FILE_HEADER = 24


def frames(source: OctetSource, kind: Kind, skipped: dict[int, int]) -> Iterator[CapturedFrame]:
    """The frames of the file.

    `skipped` counts, by link type, the frames of a type that is not known.

    A frame has this header (section 5 of the draft), in which the timestamps count seconds since
    1970 and micro- or nanoseconds:

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                      Timestamp (Seconds)                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |            Timestamp (Microseconds or nanoseconds)            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Captured Packet Length                     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Original Packet Length                     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                          Packet Data                          /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    link_type, minor = _file_header(source, kind)
    link = LINKS.get(link_type)
    header = struct.Struct(kind.order + "IIII")
    head = header.size + kind.extra
    number = 0
    while source.has(head):
        seconds, fraction, captured, length = header.unpack_from(source.data, source.at)
        if minor < 3 or (minor == 3 and captured > length):  # the two came the other way round
            captured, length = length, captured
        if captured > LONGEST_FRAME:
            raise source.error(f"the captured length is {captured}: the most is {LONGEST_FRAME}")
        if not source.has(head + captured):
            raise source.cut_short("a frame")
        begin = source.at + head
        octets = source.data[begin : begin + captured]
        source.at = begin + captured
        number += 1
        if link is None:
            skipped[link_type] = skipped.get(link_type, 0) + 1
            continue
        yield CapturedFrame(
            number,
            seconds * 1_000_000_000 + fraction * kind.fraction_ns,
            octets,
            max(length, captured),
            link,
            "",
            cooked_direction(link, octets),
        )
    if not source.ended():
        raise source.cut_short("the header of a frame")


def _file_header(source: OctetSource, kind: Kind) -> tuple[int, int]:
    """The link type and the minor version."""
    if not source.has(FILE_HEADER):
        raise source.cut_short("the file header")
    major, minor = struct.unpack_from(kind.order + "HH", source.data, source.at + 4)
    if major != 2 or minor > 4:
        raise source.error(f"the version is {major}.{minor}: known are 2.0 to 2.4")
    (link_type,) = struct.unpack_from(kind.order + "I", source.data, source.at + 20)
    source.at += FILE_HEADER
    return link_type & 0xFFFF, minor  # the upper half tells of frame check sequences
