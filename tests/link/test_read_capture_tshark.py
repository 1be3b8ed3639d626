"""Capture files as tshark reads them: frame by frame the same number, time, octets, lengths, link
type, interface, direction and comments.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

import stack
from stack.link.capture import Capture
from tests.link.capture_files import COOKED, IF_TSRESOL, PACKET, TCP, UDP, Pcapng, pcap, varied
from tests.link.frames import Wakes, Wire
from tests.link.reads import reads
from tests.link.tshark import agree, of_tshark, of_us, run


def own(path: Path, *, ip_offset: int = 14) -> None:
    """A file of our own Capture, with comments and both directions."""
    octets = [UDP[14 - ip_offset :], TCP[14 - ip_offset :]]
    link = Capture(Wire(octets, ip_offset=ip_offset), path, epoch_s=1_800_000_000.5)
    link.open(Wakes())
    for number in range(50):
        link.write([octets[number % 2], bytes(number)], number / 7)
        if number % 3:
            link.note(f"number {number}, a comment")
        if number % 5 == 0:
            link.note("\N{SNOWMAN} and a second one")
    while link.read(8.0) is not None:
        pass
    link.close()


@pytest.mark.parametrize("ip_offset", [14, 0])
def test_files_of_our_own(tmp_path: Path, ip_offset: int) -> None:
    own(tmp_path / "own", ip_offset=ip_offset)
    agree(tmp_path / "own", 52)


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng"])
@pytest.mark.parametrize("snaplen", [0, 40])
def test_files_that_editcap_writes(tmp_path: Path, kind: str, snaplen: int) -> None:
    own(tmp_path / "own")
    run("editcap", "-F", kind, *(["-s", str(snaplen)] if snaplen else []), tmp_path / "own", tmp_path / "other")
    agree(tmp_path / "other", 52)
    assert any(len(frame.octets) < frame.length for frame in stack.read_capture(tmp_path / "other")) == bool(snaplen)


def test_files_that_tcpdump_writes(tmp_path: Path) -> None:
    for number, (link, octets) in enumerate(
        ((1, UDP), (101, PACKET), (113, COOKED[113]["out"]), (276, COOKED[276]["in"]))
    ):
        (tmp_path / "made").write_bytes(pcap([octets, octets + b"more"] * 10, link=link))
        written = tmp_path / f"written-{number}"
        run("tcpdump", "-n", *(["--nano"] if number % 2 else []), "-r", tmp_path / "made", "-w", written)
        agree(written, 20)


def test_files_that_mergecap_writes(tmp_path: Path) -> None:
    """Interfaces of three link types in one file."""
    own(tmp_path / "one")
    own(tmp_path / "two", ip_offset=0)
    (tmp_path / "three").write_bytes(pcap([COOKED[276]["in"]] * 3, link=276))
    run("mergecap", "-a", "-w", tmp_path / "all", *[tmp_path / name for name in ("one", "two", "three")])
    agree(tmp_path / "all", 52 + 52 + 3)
    assert {frame.link for frame in stack.read_capture(tmp_path / "all")} == {"ethernet", "ip", "linux-sll2"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_files_made_by_hand(tmp_path: Path, order: str) -> None:
    path = tmp_path / "file"
    for magic in (0xA1B2C3D4, 0xA1B23C4D):
        path.write_bytes(pcap([UDP, TCP, b""] * 5, order=order, magic=magic))
        agree(path, 15)
    path.write_bytes(pcap([UDP, TCP] * 5, order=order, magic=0xA1B2CD34, extra=bytes(8)))
    agree(path, 10)
    path.write_bytes(varied(order))
    ours, theirs = of_us(path), of_tshark(path)
    # tshark 4.0 takes the name of an interface from the first section, also in the second.
    assert ours[:4] == theirs[:4]
    assert [(*row[:6], *row[7:]) for row in ours] == [(*row[:6], *row[7:]) for row in theirs]
    assert len(ours) == 7


@pytest.mark.parametrize("resolution", [0, 3, 7, 9, 0x80 | 20, 0x80 | 32])
def test_timestamp_resolutions(tmp_path: Path, resolution: int) -> None:
    ng = Pcapng()
    unit = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    frames = [ng.enhanced(UDP, time=1_800_000_000 * unit + unit * number // 13) for number in range(26)]
    path = tmp_path / "file"
    path.write_bytes(ng.section() + ng.interface((IF_TSRESOL, bytes((resolution,)))) + b"".join(frames))
    agree(path, 26)


def test_a_file_that_is_cut_short_has_the_frames_that_tshark_shows(tmp_path: Path) -> None:
    """tshark prints them, then says that the file is cut short, and ends with 2."""
    own(tmp_path / "own")
    content = (tmp_path / "own").read_bytes()
    path = tmp_path / "cut"
    for length in range(1000, len(content), 1997):
        path.write_bytes(content[:length])
        shown = subprocess.run(["tshark", "-n", "-r", path], capture_output=True, text=True, timeout=60, check=False)
        error = reads(content[:length])
        assert (error is not None and error.cut_short) == ("cut short in the middle of a packet" in shown.stderr)
        frames: list[stack.CapturedFrame] = []
        with suppress(stack.CaptureError):
            frames.extend(stack.read_capture(path))
        assert len(frames) == len(shown.stdout.splitlines())
