"""What tshark says of the frames of a capture file, and what we do."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import stack

FIELDS = (
    "frame.number frame.time_epoch frame.md5_hash frame.cap_len frame.len frame.encap_type frame.interface_name"
    " frame.packet_flags_direction frame.comment"
).split()
LINKS = {"1": "ethernet", "7": "ip", "25": "linux-sll", "129": "ip", "130": "ip", "210": "linux-sll2"}
DIRECTIONS = {"": "", "0x00000001": "in", "0x00000002": "out"}
BETWEEN = "\x1f"  # fields; comments have commas

Row = tuple[int, int, str, int, int, str, str, str, str]


def run(program: str, *arguments: str | Path) -> str:
    """The output of a program that must be there when REQUIRE_LIVE is set."""
    if shutil.which(program) is None:
        if os.environ.get("REQUIRE_LIVE") == "1":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_tshark(path: Path) -> list[Row]:
    """What tshark says of each frame of a link type that we know."""
    options = ["-T", "fields", "-E", f"separator={BETWEEN}", "-o", "frame.generate_md5_hash:TRUE"]
    output = run("tshark", "-n", "-r", path, *options, *[part for field in FIELDS for part in ("-e", field)])
    rows: list[Row] = []
    for line in output.splitlines():
        number, time, digest, captured, length, kind, interface, direction, comments = line.split(BETWEEN)
        if kind in LINKS:
            seconds, _, fraction = time.partition(".")
            time_ns = int(seconds or 0) * 1_000_000_000 + int(fraction or 0)
            name = "" if interface == "unknown" else interface
            facts = (int(captured), int(length), LINKS[kind], name, DIRECTIONS[direction], comments)
            rows.append((int(number), time_ns, digest, *facts))
    return rows


def of_us(path: Path) -> list[Row]:
    """The same as we read it. tshark takes no direction from a cooked header."""
    rows: list[Row] = []
    for frame in stack.read_capture(path):
        digest = hashlib.md5(frame.octets, usedforsecurity=False).hexdigest()
        direction = "" if frame.link.startswith("linux-sll") else frame.direction
        facts = (len(frame.octets), frame.length, frame.link, frame.interface, direction, ",".join(frame.comments))
        rows.append((frame.number, frame.time_ns, digest, *facts))
    return rows


def agree(path: Path, frames: int) -> None:
    """Both say the same of so many frames."""
    rows = of_us(path)
    assert rows == of_tshark(path)
    assert len(rows) == frames
