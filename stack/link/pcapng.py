"""The newer capture format: blocks, in one or more sections with interfaces of their own.

See draft-ietf-opsawg-pcapng. Frames are in Enhanced Packet Blocks, Simple Packet Blocks and the
obsolete Packet Blocks; all other blocks are passed over (names, counters, secrets, custom blocks).
The numbers of a section are in the byte order of the machine that wrote it. A damaged block ends
the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from stack.link.captured import CapturedFrame, CaptureError
from stack.link.link_types import LINKS, LONGEST_FRAME, cooked_direction
from stack.link.octet_source import OctetSource

SECTION_HEADER, INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
LITTLE, BIG = bytes.fromhex("4d3c2b1a"), bytes.fromhex("1a2b3c4d")  # the byte-order magic
END_OF_OPTIONS, COMMENT = 0, 1
IF_NAME, IF_TSRESOL, IF_TSOFFSET = 2, 9, 14
FLAGS = 2  # of a packet block

# The most that is taken, so that a hostile file costs little memory.
LONGEST_BLOCK = 1 << 24  # octets of a block that is kept; libpcap and Wireshark have the same limit
MOST_OPTIONS = 1000  # of a block
MOST_INTERFACES = 10_000  # of a section
LONGEST_NAME = 255  # octets of an interface's name that are kept

_LEAST = {SECTION_HEADER: 28, INTERFACE_DESCRIPTION: 20, PACKET: 32, SIMPLE_PACKET: 16, ENHANCED_PACKET: 32}
_DIRECTIONS = ("", "in", "out", "")


class _Numbers(NamedTuple):
    """How the numbers of a section are read."""

    head: struct.Struct  # block type, block total length
    length: struct.Struct
    version: struct.Struct  # major, minor
    interface: struct.Struct  # link type, reserved, snapshot length
    enhanced: struct.Struct  # interface, time (high), time (low), captured length, original length
    obsolete: struct.Struct  # interface, drops, and then as above
    option: struct.Struct  # code, length
    seconds: struct.Struct


def _numbers(order: str) -> _Numbers:
    return _Numbers(*(struct.Struct(order + form) for form in ("II", "I", "HH", "HHI", "IIIII", "HHIIII", "HH", "q")))


_ORDERS = {LITTLE: _numbers("<"), BIG: _numbers(">")}


class _Interface(NamedTuple):
    """An interface of a section. A timestamp t is t * multiply // divide + offset_ns."""

    link_type: int
    link: str  # "" if the type is not known
    snap_length: int  # 0 for none
    name: str = ""
    multiply: int = 1000
    divide: int = 1
    offset_ns: int = 0


def frames(source: OctetSource, skipped: dict[int, int]) -> Iterator[CapturedFrame]:
    """The frames of the file.

    `skipped` counts, by link type, the frames of a type that is not known.
    """
    number = 0
    numbers = _ORDERS[LITTLE]
    interfaces: list[_Interface] = []
    while source.has(8):
        kind = numbers.head.unpack_from(source.data, source.at)[0]
        if kind == SECTION_HEADER:
            numbers = _section(source)
            interfaces = []
        elif kind == INTERFACE_DESCRIPTION:
            if len(interfaces) == MOST_INTERFACES:
                raise source.error(f"the section has more than {MOST_INTERFACES} interfaces")
            interfaces.append(_interface(source, numbers))
        elif kind in (ENHANCED_PACKET, SIMPLE_PACKET, PACKET):
            number += 1
            frame = _frame(source, numbers, interfaces, number, skipped)
            if frame is not None:
                yield frame
        else:
            _pass_over(source, numbers)
    if not source.ended():
        raise source.cut_short("the header of a block")


# --- blocks


def _section(source: OctetSource) -> _Numbers:
    """Read a Section Header Block (section 4.1). Returns how its numbers are read."""
    if not source.has(12):
        raise source.cut_short("a section header")
    numbers = _ORDERS.get(source.data[source.at + 8 : source.at + 12])
    if numbers is None:
        raise source.error("the byte-order magic of the section header is neither 1A2B3C4D nor 4D3C2B1A")
    end = _whole(source, numbers, SECTION_HEADER)
    version = numbers.version.unpack_from(source.data, source.at + 12)
    if version not in ((1, 0), (1, 2)):
        raise source.error(f"the version of the section is {version[0]}.{version[1]}: known are 1.0 and 1.2")
    source.at = end + 4
    return numbers


def _interface(source: OctetSource, numbers: _Numbers) -> _Interface:
    """Read an Interface Description Block (section 4.2)."""
    end = _whole(source, numbers, INTERFACE_DESCRIPTION)
    link_type, _, snap_length = numbers.interface.unpack_from(source.data, source.at + 8)
    interface = _Interface(link_type, LINKS.get(link_type, ""), snap_length)
    for code, value, place in _options(source, numbers, source.at + 16, end):
        if code == IF_NAME:
            interface = interface._replace(name=value[:LONGEST_NAME].decode("utf-8", "replace"))
        elif code == IF_TSRESOL:
            _must_have(source, place, "if_tsresol", value, 1)
            multiply, divide = _resolution(value[0])
            interface = interface._replace(multiply=multiply, divide=divide)
        elif code == IF_TSOFFSET:
            _must_have(source, place, "if_tsoffset", value, 8)
            interface = interface._replace(offset_ns=numbers.seconds.unpack(value)[0] * 1_000_000_000)
    source.at = end + 4
    return interface


def _resolution(value: int) -> tuple[int, int]:
    """The unit of timestamps, in nanoseconds, as a fraction.

    It is 10**-value seconds, or 2**-(value - 128) if the first bit of the octet is set.
    """
    if value & 0x80:
        return 1_000_000_000, 1 << (value & 0x7F)
    return (10 ** (9 - value), 1) if value <= 9 else (1, 10 ** (value - 9))


def _frame(
    source: OctetSource, numbers: _Numbers, interfaces: list[_Interface], number: int, skipped: dict[int, int]
) -> CapturedFrame | None:
    """Read a block with a frame; None if the frame is of a link type that is not known.

    This is the body of an Enhanced Packet Block (section 4.3):

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Interface ID                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Timestamp (Upper)                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Timestamp (Lower)                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Captured Packet Length                     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Original Packet Length                     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                          Packet Data                          /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    /                            Options                            /
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    kind = numbers.head.unpack_from(source.data, source.at)[0]
    end = _whole(source, numbers, kind)
    if kind == SIMPLE_PACKET:
        interface, time_ns, captured, length, begin = _simple(source, numbers, interfaces)
    else:
        interface, time_ns, captured, length, begin = _timed(source, numbers, interfaces, kind)
    if captured > LONGEST_FRAME:
        raise source.error(f"the captured length is {captured}: the most is {LONGEST_FRAME}")
    rest = begin + captured + (-captured & 3)
    if rest > end:
        raise source.error(f"the captured length is {captured}: the block has room for {end - begin}")
    link = interface.link
    octets = source.data[begin : begin + captured]
    direction, comments = _about_frame(source, numbers, rest, end) if kind != SIMPLE_PACKET else ("", ())
    source.at = end + 4
    if not link:
        skipped[interface.link_type] = skipped.get(interface.link_type, 0) + 1
        return None
    direction = direction or cooked_direction(link, octets)
    return CapturedFrame(number, time_ns, octets, max(length, captured), link, interface.name, direction, comments)


def _timed(
    source: OctetSource, numbers: _Numbers, interfaces: list[_Interface], kind: int
) -> tuple[_Interface, int, int, int, int]:
    """The fields of an Enhanced Packet Block, or of a Packet Block (appendix A):

    interface, time, captured length, length, and where the frame begins in the data.
    """
    layout = numbers.enhanced if kind == ENHANCED_PACKET else numbers.obsolete
    which, *_, high, low, captured, length = layout.unpack_from(source.data, source.at + 8)
    interface = _of(source, interfaces, which)
    time_ns = (high << 32 | low) * interface.multiply // interface.divide + interface.offset_ns
    return interface, time_ns, captured, length, source.at + 28


def _simple(
    source: OctetSource, numbers: _Numbers, interfaces: list[_Interface]
) -> tuple[_Interface, int, int, int, int]:
    """The same of a Simple Packet Block (section 4.4), which has no time."""
    (length,) = numbers.length.unpack_from(source.data, source.at + 8)
    interface = _of(source, interfaces, 0)
    captured = min(length, interface.snap_length) if interface.snap_length else length
    return interface, 0, captured, length, source.at + 12


def _of(source: OctetSource, interfaces: list[_Interface], which: int) -> _Interface:
    if which >= len(interfaces):
        raise source.error(f"the frame is of interface {which}: the section has {len(interfaces)} so far")
    return interfaces[which]


def _about_frame(source: OctetSource, numbers: _Numbers, at: int, end: int) -> tuple[str, tuple[str, ...]]:
    """The direction and the comments among the options of a frame."""
    direction = ""
    comments = []
    for code, value, place in _options(source, numbers, at, end):
        if code == FLAGS:
            _must_have(source, place, "epb_flags", value, 4)
            direction = _DIRECTIONS[numbers.length.unpack(value)[0] & 3]
        elif code == COMMENT:
            comments.append(value.decode("utf-8", "replace"))
    return direction, tuple(comments)


def _pass_over(source: OctetSource, numbers: _Numbers) -> None:
    """A block of any other kind, of any length: its body is not kept."""
    kind, total = numbers.head.unpack_from(source.data, source.at)
    _check_length(source, kind, total)
    offset = source.offset
    if not (source.skip(total - 4) and source.has(4)):
        raise CaptureError(source.path, offset, "the file ends in the midst of a block", cut_short=True)
    if numbers.length.unpack_from(source.data, source.at)[0] != total:
        raise CaptureError(source.path, offset, "the block total lengths at its two ends differ")
    source.at += 4


# --- what all blocks have


def _whole(source: OctetSource, numbers: _Numbers, kind: int) -> int:
    """Read a whole block (section 3.1). Returns where its last field, the second length, is."""
    total: int = numbers.head.unpack_from(source.data, source.at)[1]
    _check_length(source, kind, total)
    if total > LONGEST_BLOCK:
        raise source.error(f"the block total length is {total}: the most is {LONGEST_BLOCK}")
    if not source.has(total):
        raise source.cut_short("a block")
    end = source.at + total - 4
    again: int = numbers.length.unpack_from(source.data, end)[0]
    if again != total:
        raise source.error(f"the block total length is {total} at the beginning and {again} at the end")
    return end


def _check_length(source: OctetSource, kind: int, total: int) -> None:
    least = _LEAST.get(kind, 12)
    if total < least:
        raise source.error(f"the block total length is {total}: the least is {least}")
    if total & 3:
        raise source.error(f"the block total length is {total}: it must be a multiple of 4")


def _options(source: OctetSource, numbers: _Numbers, at: int, end: int) -> Iterator[tuple[int, bytes, int]]:
    """The options from data[at] to data[end] (section 3.5): code, value, and where each begins."""
    data = source.data
    for _ in range(MOST_OPTIONS):
        if end - at < 4:
            return
        code, length = numbers.option.unpack_from(data, at)
        if code == END_OF_OPTIONS:
            return
        following = at + 4 + length + (-length & 3)
        if following > end:
            raise source.error(f"the option has {length} octets: the block has {end - at - 4} left", at)
        yield code, data[at + 4 : at + 4 + length], at
        at = following
    raise source.error(f"the block has more than {MOST_OPTIONS} options")


def _must_have(source: OctetSource, at: int, name: str, value: bytes, octets: int) -> None:
    if len(value) != octets:
        raise source.error(f"the option {name} has {len(value)} octets in the place of {octets}", at)
