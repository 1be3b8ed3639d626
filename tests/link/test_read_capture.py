"""Capture files read back: each format, byte order and link type, and what ends early or is damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import stack
from stack.link.capture import Capture
from tests.link.frames import Wakes, Wire


def write_pcap(path: Path, frames: list[bytes], *, order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1) -> None:
    """A file of frames that are a second and 7 units apart."""
    header = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link)
    records = (
        struct.pack(order + "IIII", 1_800_000_000 + number, number * 7, len(frame), len(frame)) + frame
        for number, frame in enumerate(frames)
    )
    path.write_bytes(header + b"".join(records))


def test_what_capture_has_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "own.pcapng"
    link = Capture(Wire([b"a" * 60]), path, epoch_s=1_800_000_000.25)
    link.open(Wakes())
    link.read(1.5)
    link.write([b"b" * 61, b"c"], 2.000000001)
    link.note("first")
    link.note("zweitens \N{SNOWMAN}")
    link.close()
    with stack.read_capture(path) as frames:
        assert list(frames) == [
            (1, 1_800_000_001_750_000_000, b"a" * 60, 60, "ethernet", "wire0", "in", ()),
            (
                2,
                1_800_000_002_250_000_001,
                b"b" * 61 + b"c",
                62,
                "ethernet",
                "wire0",
                "out",
                ("first", "zweitens \N{SNOWMAN}"),
            ),
        ]


@pytest.mark.parametrize(("magic", "unit_ns"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pcap(tmp_path: Path, order: str, magic: int, unit_ns: int) -> None:
    path = tmp_path / "file.pcap"
    write_pcap(path, [b"abc", b"", b"d" * 300], order=order, magic=magic)
    assert [frame[:5] for frame in stack.read_capture(path)] == [
        (1, 1_800_000_000_000_000_000, b"abc", 3, "ethernet"),
        (2, 1_800_000_001_000_000_000 + 7 * unit_ns, b"", 0, "ethernet"),
        (3, 1_800_000_002_000_000_000 + 14 * unit_ns, b"d" * 300, 300, "ethernet"),
    ]


def test_a_file_that_ends_in_the_midst_of_a_frame_gives_the_whole_ones_first(tmp_path: Path) -> None:
    path = tmp_path / "file.pcap"
    write_pcap(path, [b"abc", b"def"])
    path.write_bytes(path.read_bytes()[:-1])
    frames = stack.read_capture(path)
    assert next(iter(frames)).octets == b"abc"
    with pytest.raises(stack.CaptureError) as caught:
        list(frames)
    assert (caught.value.cut_short, caught.value.offset) == (True, 24 + 16 + 3)
    assert str(caught.value) == f"{path}: at octet 43: the file ends in the midst of a frame"
