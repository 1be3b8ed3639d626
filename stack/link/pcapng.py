"""The newer capture format: blocks, in one or more sections with interfaces of their own.

See draft-ietf-opsawg-pcapng. Frames are in Enhanced Packet Blocks, Simple Packet Blocks and the
obsolete Packet Blocks; all other blocks are passed over (names, counters, secrets, custom blocks).
Some of these have a number in Wireshark, as frames have.
The numbers of a section are in the byte order of the machine that wrote it. A damaged block ends
the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from stack.link.captured import CapturedFrame, CaptureError, LinkHeader
from stack.link.link_types import LINKS, LONGEST_FRAME, cooked_direction
from stack.link.octet_source import OctetSource

SECTION_HEADER, INTERFACE_DESCRIPTION, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
JOURNAL_EXPORT, CUSTOM, CUSTOM_NOT_COPIED = 9, 0xBAD, 0x40000BAD
NUMBERED = (ENHANCED_PACKET, SIMPLE_PACKET, PACKET, JOURNAL_EXPORT, CUSTOM, CUSTOM_NOT_COPIED)  # by Wireshark
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
    link: LinkHeader | None  # None if the type is not known
    snap_length: int  # 0 for none
    name: str = ""
    multiply: int = 1000
    divide: int = 1
    offset_ns: int = 0


class PcapngReader:
    """Reads the frames of a file.

    `skipped` counts, by link type, the frames of a type that is not known.
    """

    def __init__(self, source: OctetSource, skipped: dict[int, int]) -> None:
        self._source = source
        self._skipped = skipped
        self._number = 0  # of the last block that Wireshark numbers, in all sections
        self._numbers = _ORDERS[LITTLE]  # these two are of the section
        self._interfaces: list[_Interface] = []

    def frames(self) -> Iterator[CapturedFrame]:
        """The frames in order."""
        source = self._source
        while source.has(8):
            kind, total = self._numbers.head.unpack_from(source.data, source.at)
            self._number += kind in NUMBERED
            if kind in (ENHANCED_PACKET, SIMPLE_PACKET, PACKET):
                frame = self._frame(kind, self._whole(kind, total))
                if frame is not None:
                    yield frame
            elif kind == INTERFACE_DESCRIPTION:
                self._interface(self._whole(kind, total))
            elif kind == SECTION_HEADER:
                self._section()
            else:
                self._pass_over(total)
        if not source.ended():
            raise source.cut_short("the header of a block")

    # --- blocks: `end` is where the last field of the block is, its second length

    def _section(self) -> None:
        """Read a Section Header Block (section 4.1)."""
        source = self._source
        if not source.has(12):
            raise source.cut_short("a section header")
        numbers = _ORDERS.get(source.data[source.at + 8 : source.at + 12])
        if numbers is None:
            raise source.error("the byte-order magic of the section header is neither 1A2B3C4D nor 4D3C2B1A")
        self._numbers = numbers
        self._interfaces = []
        (total,) = numbers.length.unpack_from(source.data, source.at + 4)
        end = self._whole(SECTION_HEADER, total)
        version = numbers.version.unpack_from(source.data, source.at + 12)
        if version not in ((1, 0), (1, 2)):
            raise source.error(f"the version of the section is {version[0]}.{version[1]}: known are 1.0 and 1.2")
        source.at = end + 4

    def _interface(self, end: int) -> None:
        """Read an Interface Description Block (section 4.2)."""
        source = self._source
        if len(self._interfaces) == MOST_INTERFACES:
            raise source.error(f"the section has more than {MOST_INTERFACES} interfaces")
        link_type, _, snap_length = self._numbers.interface.unpack_from(source.data, source.at + 8)
        interface = _Interface(link_type, LINKS.get(link_type), snap_length)
        for code, value, at in self._options(source.at + 16, end):
            if code == IF_NAME:
                interface = interface._replace(name=value[:LONGEST_NAME].decode("utf-8", "replace"))
            elif code == IF_TSRESOL:
                self._must_have(at, "if_tsresol", value, 1)
                multiply, divide = _resolution(value[0])
                interface = interface._replace(multiply=multiply, divide=divide)
            elif code == IF_TSOFFSET:
                self._must_have(at, "if_tsoffset", value, 8)
                interface = interface._replace(offset_ns=self._numbers.seconds.unpack(value)[0] * 1_000_000_000)
        self._interfaces.append(interface)
        source.at = end + 4

    def _frame(self, kind: int, end: int) -> CapturedFrame | None:
        """Read a block with a frame; None if the frame is of a link type that is not known.

        An Enhanced Packet Block (section 4.3) has these fields:

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
        source = self._source
        if kind == SIMPLE_PACKET:
            interface, time_ns, captured, length, begin = self._simple()
        else:
            interface, time_ns, captured, length, begin = self._timed(kind)
        if captured > LONGEST_FRAME:
            raise source.error(f"the captured length is {captured}: the most is {LONGEST_FRAME}")
        rest = begin + captured + (-captured & 3)
        if rest > end:
            raise source.error(f"the captured length is {captured}: the block has room for {end - begin}")
        link_type, link, name = interface.link_type, interface.link, interface.name
        octets = source.data[begin : begin + captured]
        direction, comments = self._about_frame(rest, end) if kind != SIMPLE_PACKET else ("", ())
        source.at = end + 4
        if link is None:
            self._skipped[link_type] = self._skipped.get(link_type, 0) + 1
            return None
        direction = direction or cooked_direction(link, octets)
        return CapturedFrame(self._number, time_ns, octets, max(length, captured), link, name, direction, comments)

    def _timed(self, kind: int) -> tuple[_Interface, int, int, int, int]:
        """The fields of an Enhanced Packet Block, or of a Packet Block (appendix A):

        interface, time, captured length, length, and where the frame begins in the data.
        """
        source = self._source
        layout = self._numbers.enhanced if kind == ENHANCED_PACKET else self._numbers.obsolete
        which, *_, high, low, captured, length = layout.unpack_from(source.data, source.at + 8)
        interface = self._of(which)
        time_ns = (high << 32 | low) * interface.multiply // interface.divide + interface.offset_ns
        return interface, time_ns, captured, length, source.at + 28

    def _simple(self) -> tuple[_Interface, int, int, int, int]:
        """The same of a Simple Packet Block (section 4.4), which has no time."""
        source = self._source
        (length,) = self._numbers.length.unpack_from(source.data, source.at + 8)
        interface = self._of(0)
        captured = min(length, interface.snap_length) if interface.snap_length else length
        return interface, 0, captured, length, source.at + 12

    def _of(self, which: int) -> _Interface:
        if which < len(self._interfaces):
            return self._interfaces[which]
        count = len(self._interfaces)
        raise self._source.error(f"the frame is of interface {which}: the section has {count} so far")

    def _about_frame(self, at: int, end: int) -> tuple[str, tuple[str, ...]]:
        """The direction and the comments among the options of a frame."""
        direction = ""
        comments = []
        for code, value, place in self._options(at, end):
            if code == FLAGS:
                self._must_have(place, "epb_flags", value, 4)
                direction = _DIRECTIONS[self._numbers.length.unpack(value)[0] & 3]
            elif code == COMMENT:
                comments.append(value.decode("utf-8", "replace"))
        return direction, tuple(comments)

    def _pass_over(self, total: int) -> None:
        """A block of any other kind, of any length: its body is not kept."""
        source = self._source
        if total < 12 or total & 3:
            raise self._bad_length(12, total)
        offset = source.offset
        if not (source.skip(total - 4) and source.has(4)):
            raise CaptureError(source.path, offset, "the file ends in the middle of a block", cut_short=True)
        (again,) = self._numbers.length.unpack_from(source.data, source.at)
        if again != total:
            raise CaptureError(source.path, offset, _differ(total, again))
        source.at += 4

    # --- what all blocks have

    def _whole(self, kind: int, total: int) -> int:
        """Read a whole block (section 3.1). Returns where its last field is, its second length."""
        source = self._source
        if total < _LEAST[kind] or total & 3 or total > LONGEST_BLOCK:
            raise self._bad_length(_LEAST[kind], total)
        if not source.has(total):
            raise source.cut_short("a block")
        end = source.at + total - 4
        (again,) = self._numbers.length.unpack_from(source.data, end)
        if again != total:
            raise source.error(_differ(total, again))
        return end

    def _bad_length(self, least: int, total: int) -> CaptureError:
        rule = f"the most is {LONGEST_BLOCK}"
        if total & 3:
            rule = "it must be a multiple of 4"
        elif total < least:
            rule = f"the least is {least}"
        return self._source.error(f"the block total length is {total}: {rule}")

    def _options(self, at: int, end: int) -> list[tuple[int, bytes, int]]:
        """The options from data[at] to data[end] (section 3.5): code, value, where each begins."""
        source = self._source
        data = source.data
        found: list[tuple[int, bytes, int]] = []
        while end - at >= 4:
            code, length = self._numbers.option.unpack_from(data, at)
            if code == END_OF_OPTIONS:
                break
            following = at + 4 + length + (-length & 3)
            if following > end:
                raise source.error(f"the option has {length} octets: the block has {end - at - 4} left", at)
            if len(found) == MOST_OPTIONS:
                raise source.error(f"the block has more than {MOST_OPTIONS} options")
            found.append((code, data[at + 4 : at + 4 + length], at))
            at = following
        return found

    def _must_have(self, at: int, name: str, value: bytes, octets: int) -> None:
        if len(value) != octets:
            raise self._source.error(f"the option {name} has {len(value)} octets in the place of {octets}", at)


def _resolution(value: int) -> tuple[int, int]:
    """The unit of timestamps, in nanoseconds, as a fraction.

    It is 10**-value seconds, or 2**-(value - 128) if the first bit of the octet is set.
    """
    if value & 0x80:
        return 1_000_000_000, 1 << (value & 0x7F)
    return (10 ** (9 - value), 1) if value <= 9 else (1, 10 ** (value - 9))


def _differ(total: int, again: int) -> str:
    return f"the block total length is {total} at the beginning and {again} at the end"
