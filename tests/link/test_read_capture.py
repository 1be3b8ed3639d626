"""Capture files read back: each format, byte order and link type, and what ends early or is damaged."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import warnings
from io import BytesIO
from pathlib import Path

import pytest

import stack
from stack.link.capture import Capture
from stack.link.octet_source import CHUNK_BYTES
from stack.link.pcapng import LONGEST_BLOCK, MOST_INTERFACES, MOST_OPTIONS
from stack.link.read_capture import CaptureReader
from tests.link.capture_files import (
    COMMENT,
    COOKED,
    FLAGS,
    IF_NAME,
    IF_TSOFFSET,
    IF_TSRESOL,
    PACKET,
    TCP,
    UDP,
    Pcapng,
    pcap,
    varied,
)
from tests.link.frames import Wakes, Wire

S = 1_000_000_000
LITTLE = Pcapng("<")
HEAD = LITTLE.section() + LITTLE.interface()  # 28 and 20 octets


def read(content: bytes) -> list[stack.CapturedFrame]:
    """All frames of a file."""
    return list(CaptureReader(BytesIO(content), "file"))


def read_until(content: bytes) -> tuple[list[stack.CapturedFrame], stack.CaptureError]:
    """The frames of a file that is damaged, and what is said about it."""
    frames: list[stack.CapturedFrame] = []
    with pytest.raises(stack.CaptureError) as caught:
        frames.extend(CaptureReader(BytesIO(content), "file"))
    return frames, caught.value


# --- pcap -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("magic", "unit_ns"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pcap(order: str, magic: int, unit_ns: int) -> None:
    assert read(pcap([b"abc", b"", b"d" * 300], order=order, magic=magic)) == [
        (1, 1_800_000_000 * S, b"abc", 3, "ethernet", "", "", ()),
        (2, 1_800_000_001 * S + 7 * unit_ns, b"", 0, "ethernet", "", "", ()),
        (3, 1_800_000_002 * S + 14 * unit_ns, b"d" * 300, 300, "ethernet", "", "", ()),
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_modified_pcap_has_more_before_a_frame(order: str) -> None:
    frames = read(pcap([b"abc", b"de"], order=order, magic=0xA1B2CD34, extra=b"\1\2\3\4\5\6\7\x08"))
    assert [(frame.octets, frame.length) for frame in frames] == [(b"abc", 3), (b"de", 2)]


def test_a_snapped_frame_keeps_its_length() -> None:
    assert [(frame.octets, frame.length) for frame in read(pcap([b"abcdef"], snaplen=4))] == [(b"abcd", 6)]


@pytest.mark.parametrize("minor", [2, 3])
def test_older_files_have_the_lengths_the_other_way_round(minor: int) -> None:
    header = pcap([], minor=minor)
    assert [(frame.octets, frame.length) for frame in read(header + struct.pack("<IIII", 1, 2, 6, 4) + b"abcd")] == [
        (b"abcd", 6)
    ]


def test_the_length_on_the_wire_is_never_less_than_what_is_there() -> None:
    assert read(pcap([]) + struct.pack("<IIII", 1, 2, 4, 3) + b"abcd")[0].length == 4
    assert read(HEAD + LITTLE.enhanced(b"abcd", length=3))[0].length == 4


def test_the_upper_half_of_the_link_type_is_not_the_link_type() -> None:
    """There a file says how long the frame check sequences are."""
    assert read(pcap([b"abcd"], link=0x5400_0001))[0].link == "ethernet"


@pytest.mark.parametrize(
    ("number", "octets", "link"),
    [
        (1, UDP, "ethernet"),
        (12, PACKET, "ip"),
        (101, PACKET, "ip"),
        (228, PACKET, "ip"),
        (229, b"\x60" + bytes(39), "ip"),
        (113, COOKED[113]["in"], "linux-sll"),
        (276, COOKED[276]["in"], "linux-sll2"),
    ],
)
def test_link_types(number: int, octets: bytes, link: str) -> None:
    for content in (
        pcap([octets], link=number),
        LITTLE.section() + LITTLE.interface(link=number) + LITTLE.enhanced(octets),
    ):
        (frame,) = read(content)
        assert (frame.link, frame.octets) == (link, octets)


@pytest.mark.parametrize("link", [113, 276])
def test_a_cooked_header_says_the_direction(link: int) -> None:
    for direction, octets in COOKED[link].items():
        assert read(pcap([octets], link=link))[0].direction == direction
        assert read(pcap([octets[:9]], link=link))[0].direction == (direction if link == 113 else "")
    assert read(pcap([b"\0"], link=link))[0].direction == ""


def test_frames_of_an_unknown_link_type_are_counted_and_not_given() -> None:
    reader = CaptureReader(BytesIO(pcap([b"abc", b"def"], link=147)), "file")
    assert list(reader) == []
    assert reader.skipped == {147: 2}


# --- pcapng -----------------------------------------------------------------------------------------------------------


def test_what_capture_has_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "own.pcapng"
    link = Capture(Wire([b"a" * 60]), path, epoch_s=1_800_000_000.25)
    link.open(Wakes())
    link.read(1.5)
    link.write([b"b" * 61, b"c"], 2.000000001)
    link.note("first")
    link.note("zweitens \N{SNOWMAN}")
    link.close()
    sent = b"b" * 61 + b"c"
    with stack.read_capture(path) as frames:
        assert list(frames) == [
            (1, 1_800_000_001_750_000_000, b"a" * 60, 60, "ethernet", "wire0", "in", ()),
            (2, 1_800_000_002_250_000_001, sent, 62, "ethernet", "wire0", "out", ("first", "zweitens \N{SNOWMAN}")),
        ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_sections_interfaces_and_all_kinds_of_blocks(order: str) -> None:
    """Two custom blocks of each section have a number in Wireshark, and so has the frame of link type 147."""
    time = 1_800_000_000_123_456_789
    reader = CaptureReader(BytesIO(varied(order)), "file")
    assert list(reader) == [
        (3, time, TCP, len(TCP), "ethernet", "eth0", "in", ()),
        (4, time // 1000 * 1000, COOKED[276]["out"], 53, "linux-sll2", "any", "out", ()),
        (5, time, UDP[:20], len(UDP), "ethernet", "eth0", "", ("one", "two")),
        (6, time + 1, UDP, len(UDP), "ethernet", "eth0", "out", ()),
        (8, 1_700_000_001_500_000_000, PACKET, len(PACKET), "ip", "", "", ()),
        (11, 1_700_000_001_250_000_953, PACKET, len(PACKET), "ip", "", "", ()),
        (12, 1_799_999_995_000_001_000, COOKED[113]["in"], 49, "linux-sll", "", "in", ()),
    ]
    assert reader.skipped == {147: 1}


def test_epb_flags_say_more_than_the_cooked_header() -> None:
    file = LITTLE.section() + LITTLE.interface(link=113)
    file += LITTLE.enhanced(COOKED[113]["in"], (FLAGS, LITTLE.pack("I", 2))) + LITTLE.enhanced(COOKED[113]["in"])
    assert [frame.direction for frame in read(file)] == ["out", "in"]


def test_a_simple_packet_block_has_neither_time_nor_length_of_its_own() -> None:
    cut = LITTLE.section() + LITTLE.interface(snaplen=30) + LITTLE.simple(UDP[:30], len(UDP)) + LITTLE.simple(b"abc")
    assert read(cut) == [
        (1, 0, UDP[:30], len(UDP), "ethernet", "", "", ()),
        (2, 0, b"abc", 3, "ethernet", "", "", ()),
    ]
    whole = LITTLE.section() + LITTLE.interface(snaplen=0) + LITTLE.simple(UDP)
    assert read(whole) == [(1, 0, UDP, len(UDP), "ethernet", "", "", ())]


@pytest.mark.parametrize(
    ("resolution", "ticks", "time_ns"),
    [
        (None, 1_500_001, 1_500_001_000),
        (0, 3, 3 * S),
        (3, 1_500, 1_500_000_000),
        (9, 1_500_000_001, 1_500_000_001),
        (12, 1_500_000_001_999, 1_500_000_001),
        (127, 1 << 63, 0),
        (0x80, 3, 3 * S),
        (0x80 | 10, 1536, 1_500_000_000),
        (0x80 | 32, (7 << 32) + (1 << 31), 7_500_000_000),
        (0xFF, (1 << 64) - 1, 0),
    ],
)
def test_timestamp_resolutions(resolution: int | None, ticks: int, time_ns: int) -> None:
    options = [] if resolution is None else [(IF_TSRESOL, bytes((resolution,)))]
    file = LITTLE.section() + LITTLE.interface(*options) + LITTLE.enhanced(b"abc", time=ticks)
    assert read(file)[0].time_ns == time_ns
    options.append((IF_TSOFFSET, LITTLE.pack("q", -100)))
    file = LITTLE.section() + LITTLE.interface(*options) + LITTLE.enhanced(b"abc", time=ticks)
    assert read(file)[0].time_ns == time_ns - 100 * S


def test_options_that_are_not_known_or_not_ended_do_no_harm() -> None:
    unended = LITTLE.pack("HH", COMMENT, 2) + b"ok\0\0"
    fields = LITTLE.pack("IIIII", 0, 0, 0, 3, 3)
    file = HEAD + LITTLE.block(6, fields + b"abc\0" + unended)
    file += LITTLE.enhanced(b"abc", (4, bytes(8)), (2988, bytes(5)), (COMMENT, b""), (0x8001, b"x"), (COMMENT, b"\xff"))
    assert [frame.comments for frame in read(file)] == [("ok",), ("", "\N{REPLACEMENT CHARACTER}")]


def test_what_stands_behind_the_end_of_options_is_not_an_option() -> None:
    fields = LITTLE.pack("IIIII", 0, 0, 0, 4, 4) + b"abcd"
    assert read(HEAD + LITTLE.block(6, fields + bytes(4) + b"\xff" * 8))[0].octets == b"abcd"


def test_a_block_without_a_frame_may_be_longer_than_what_is_kept() -> None:
    file = HEAD + LITTLE.block(0x99, bytes(LONGEST_BLOCK)) + LITTLE.enhanced(b"abc")
    assert [frame.octets for frame in read(file)] == [b"abc"]


def test_frames_around_the_ends_of_chunks() -> None:
    """Every block begins at another place of a chunk that is read."""
    frames = [bytes((number & 0xFF,)) * (number % 1500) for number in range(2000)]
    assert [frame.octets for frame in read(pcap(frames))] == frames
    file = HEAD + b"".join(
        LITTLE.enhanced(frame, (COMMENT, b"x" * (number % 5))) for number, frame in enumerate(frames)
    )
    assert len(file) > 4 * CHUNK_BYTES
    assert [frame.octets for frame in read(file)] == frames


class Trickle(BytesIO):
    """A pipe that gives an octet at a time."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(1 if size else size)


@pytest.mark.parametrize("content", [pcap([UDP, TCP]), varied("<"), varied(">")], ids=["pcap", "little", "big"])
def test_octets_may_come_one_by_one(content: bytes) -> None:
    assert list(CaptureReader(Trickle(content), "pipe")) == read(content)


# --- files that end early ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [pcap([UDP, TCP]), varied("<"), varied(">")], ids=["pcap", "little", "big"])
def test_a_file_may_end_anywhere(content: bytes) -> None:
    """The whole frames are given, and then the end is told, unless it lies between two blocks."""
    whole = read(content)
    clean = 0
    for length in range(len(content)):
        try:
            frames = read(content[:length])
            clean += 1
        except stack.CaptureError:
            frames, error = read_until(content[:length])
            assert error.cut_short
            assert error.offset <= length
        assert frames == whole[: len(frames)]
    assert clean == (2 if content.startswith(b"\xd4") else 26)


def test_the_message_has_file_place_and_rule(tmp_path: Path) -> None:
    path = tmp_path / "file.pcap"
    path.write_bytes(pcap([b"abc", b"def"])[:-1])
    frames = stack.read_capture(path)
    assert next(iter(frames)).octets == b"abc"
    with pytest.raises(stack.CaptureError) as caught:
        list(frames)
    error = caught.value
    assert (error.path, error.offset, error.cut_short) == (str(path), 24 + 16 + 3, True)
    assert error.rule == "the file ends in the middle of a frame"
    assert str(error) == f"{path}: at octet 43: the file ends in the middle of a frame"
    assert list(frames) == []


# --- damaged files ----------------------------------------------------------------------------------------------------


def claims(total: int, kind: int = 6) -> bytes:
    """A block that says it is so long, and is not."""
    return LITTLE.pack("II", kind, total) + bytes(64)


FIELDS = LITTLE.pack("IIIII", 0, 0, 0, 3, 3) + b"abc\0"
DAMAGED = {
    "empty": (b"", 0, "the file ends in the middle of the file header: it is empty"),
    "three octets": (b"\n\r\r", 0, "the file ends in the middle of the file header"),
    "text": (b"frame 1: 02 00", 0, "the file is no capture: it begins with 6672616d, and neither pcap nor pcapng does"),
    "gzip": (b"\x1f\x8b\x08\0", 0, "the file is compressed by gzip: unpack it first (gunzip)"),
    "a log": (b'\x1e{"qlog_version"', 0, "the file is a log of events, not a capture: `read_trace` reads it"),
    "version of pcap": (pcap([], minor=5), 0, "the version is 2.5: known are 2.0 to 2.4"),
    "long frame": (
        pcap([b"abc"]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF),
        43,
        "the captured length is 4294967295: the most is 262144",
    ),
    "magic of a section": (
        LITTLE.section().replace(b"\x4d\x3c", b"\x4d\x3d"),
        0,
        "the byte-order magic of the section header is neither 1A2B3C4D nor 4D3C2B1A",
    ),
    "version of a section": (
        HEAD + LITTLE.section(version=(2, 0)),
        48,
        "the version of the section is 2.0: known are 1.0 and 1.2",
    ),
    "length 0": (HEAD + claims(0), 48, "the block total length is 0: the least is 32"),
    "length 11": (HEAD + claims(8, 0x99), 48, "the block total length is 8: the least is 12"),
    "length 33": (HEAD + claims(33), 48, "the block total length is 33: it must be a multiple of 4"),
    "length 2**32-4": (HEAD + claims(0xFFFFFFFC), 48, "the block total length is 4294967292: the most is 16777216"),
    "skipped length 2**32-4": (HEAD + claims(0xFFFFFFFC, 0x99), 48, "the file ends in the middle of a block"),
    "trailer": (
        HEAD + LITTLE.enhanced(b"abcd")[:-4] + bytes(4),
        48,
        "the block total length is 36 at the beginning and 0 at the end",
    ),
    "trailer of a skipped block": (
        HEAD + LITTLE.block(0x99, b"")[:-4] + bytes(4),
        48,
        "the block total length is 12 at the beginning and 0 at the end",
    ),
    "no interface": (
        LITTLE.section() + LITTLE.enhanced(b"abc"),
        28,
        "the frame is of interface 0: the section has 0 so far",
    ),
    "no interface of this section": (
        HEAD + LITTLE.section() + LITTLE.simple(b"abc"),
        76,
        "the frame is of interface 0: the section has 0 so far",
    ),
    "interface 1": (
        HEAD + LITTLE.enhanced(b"abc", interface=1),
        48,
        "the frame is of interface 1: the section has 1 so far",
    ),
    "captured length": (
        HEAD + LITTLE.block(6, LITTLE.pack("IIIII", 0, 0, 0, 5, 5) + b"abcd"),
        48,
        "the captured length is 5: the block has room for 4",
    ),
    "simple length": (HEAD + LITTLE.simple(b"abcd", 5), 48, "the captured length is 5: the block has room for 4"),
    "long option": (
        HEAD + LITTLE.block(6, FIELDS + LITTLE.pack("HH", COMMENT, 5) + b"abcd"),
        48 + 32,
        "the option has 5 octets: the block has 4 left",
    ),
    "option of an interface": (
        LITTLE.section() + LITTLE.block(1, LITTLE.pack("HHI", 1, 0, 0) + LITTLE.pack("HH", IF_NAME, 0xFFFF)),
        28 + 16,
        "the option has 65535 octets: the block has 0 left",
    ),
    "flags": (
        HEAD + LITTLE.enhanced(b"abc", (FLAGS, b"ab")),
        48 + 32,
        "the option epb_flags has 2 octets in the place of 4",
    ),
    "resolution": (
        LITTLE.section() + LITTLE.interface((IF_NAME, b"eth0"), (IF_TSRESOL, b"")),
        28 + 24,
        "the option if_tsresol has 0 octets in the place of 1",
    ),
    "offset of time": (
        LITTLE.section() + LITTLE.interface((IF_TSOFFSET, bytes(4))),
        28 + 16,
        "the option if_tsoffset has 4 octets in the place of 8",
    ),
    "options": (
        HEAD + LITTLE.enhanced(b"abc", *[(COMMENT, b"")] * (MOST_OPTIONS + 1)),
        48,
        "the block has more than 1000 options",
    ),
    "interfaces": (
        LITTLE.section() + LITTLE.interface() * (MOST_INTERFACES + 1),
        28 + MOST_INTERFACES * 20,
        "the section has more than 10000 interfaces",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_each_rule_that_a_file_can_break(name: str) -> None:
    content, offset, rule = DAMAGED[name]
    _, error = read_until(content)
    assert (error.rule, error.offset) == (rule, offset)
    assert str(error) == f"file: at octet {offset}: {rule}"
    assert error.cut_short == ("ends in the middle" in rule)


def test_the_frames_before_the_damage_are_given() -> None:
    good = LITTLE.enhanced(b"abc", time=7)
    frames, error = read_until(HEAD + good + good[:-4] + bytes(4) + good)
    assert [(frame.number, frame.octets) for frame in frames] == [(1, b"abc")]
    assert not error.cut_short


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_path_that_cannot_be_opened_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        stack.read_capture(tmp_path / "none")
    assert caught.value.filename == str(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        stack.read_capture(tmp_path)


def test_the_file_is_closed_at_the_end_at_an_error_and_when_its_user_leaves(tmp_path: Path) -> None:
    path = tmp_path / "file.pcap"
    descriptors = len(os.listdir("/proc/self/fd"))
    path.write_bytes(pcap([b"abc", b"def"]))
    list(stack.read_capture(path))
    with stack.read_capture(path):
        pass
    with stack.read_capture(path) as frames:
        next(iter(frames))
    assert list(frames) == []
    for _ in stack.read_capture(path):
        break
    path.write_bytes(b"no capture")
    with pytest.raises(stack.CaptureError):
        list(stack.read_capture(path))
    assert len(os.listdir("/proc/self/fd")) == descriptors


PROGRAM = """
import stack
try:
    for frame in stack.read_capture("-"):
        print(frame.number, len(frame.octets), flush=True)
except stack.CaptureError as error:
    print(error)
"""


def test_standard_input_is_read_as_frames_come() -> None:
    """A frame is given although the pipe stays open, as that of a tcpdump that goes on."""
    content = pcap([b"abc", b"defg"])
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(content[:-20])
        program.stdin.flush()
        assert program.stdout.readline() == b"1 3\n"
        program.stdin.write(content[-20:])
        program.stdin.flush()
        assert program.stdout.readline() == b"2 4\n"
        program.stdin.write(b"\0\0")
        program.stdin.close()
        assert program.stdout.readline() == (
            b"standard input: at octet 63: the file ends in the middle of the header of a frame\n"
        )
        assert program.wait(20) == 0


def test_a_descriptor_without_octets_now_is_the_systems_error() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    try:
        with pytest.raises(BlockingIOError):
            list(CaptureReader(os.fdopen(read_end, "rb", buffering=0), "pipe"))
    finally:
        os.close(write_end)


def test_a_reader_that_is_dropped_warns_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.pcap"
    path.write_bytes(pcap([b"abc", b"def"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader = iter(stack.read_capture(path))
        next(reader)
        del reader
