"""What tshark says of captures: the flags `tcp.analysis.*` of each frame.

All captures go through one process, since the start of one takes longer than a hundred frames. Each
capture gets addresses of its own for that: the second octet of an IPv4 address, and the fourth
group of an IPv6 address, have its number. tshark does not look at checksums unless it is told to.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from stack.link.captured import CapturedFrame

PCAP_NANOSECONDS, SNAPLEN, ETHERNET_LINK = 0xA1B23C4D, 262_144, 1

FLAGS = (
    "retransmission", "fast_retransmission", "spurious_retransmission", "out_of_order", "duplicate_ack",
    "lost_segment", "ack_lost_segment", "window_update", "zero_window", "window_full", "zero_window_probe",
    "zero_window_probe_ack", "keep_alive", "keep_alive_ack", "reused_ports",
)  # fmt: skip
"""The flags of Wireshark 4.0. A frame that has one of the first four is given no other of these four."""


class TsharkDiffers(AssertionError):
    """tshark cannot be asked as this test asks it."""


def version() -> str:
    """The version, as in "4.0.17"."""
    told = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    return told.split("\n", 1)[0].split()[2].rstrip(".")


def flags(captures: Sequence[Sequence[CapturedFrame]], folder: Path) -> list[dict[int, set[str]]]:
    """For each capture the flags of its frames by number. TsharkDiffers if this tshark has other names."""
    path = folder / "all.pcap"
    places: list[tuple[int, int]] = []
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", PCAP_NANOSECONDS, 2, 4, 0, 0, SNAPLEN, ETHERNET_LINK))
        for number, frames in enumerate(captures):
            for frame in frames:
                octets = moved(frame.octets, number)
                seconds, nanoseconds = divmod(frame.time_ns, 1_000_000_000)
                file.write(struct.pack("<IIII", seconds, nanoseconds, len(octets), frame.length) + octets)
                places.append((number, frame.number))
    found: list[dict[int, set[str]]] = [{} for _ in captures]
    lines = _asked(path)
    if len(lines) != len(places):
        raise TsharkDiffers(f"tshark {version()} told of {len(lines)} frames; the captures have {len(places)}")
    for line, (number, frame_number) in zip(lines, places, strict=True):
        told = {flag for flag, value in zip(FLAGS, line.split("\t"), strict=True) if value}
        if told & {"fast_retransmission", "spurious_retransmission"}:
            told.discard("retransmission")  # Wireshark's expert item stands beside the more exact one
        found[number][frame_number] = told
    return found


def _asked(path: Path) -> list[str]:
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f"]
    command += ["-o", "tcp.analyze_sequence_numbers:TRUE", "-o", "tcp.check_checksum:FALSE"]
    for flag in FLAGS:
        command += ["-e", f"tcp.analysis.{flag}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise TsharkDiffers(
            f"tshark {version()} cannot be asked for the flags of Wireshark 4.0, so follow was not compared with it."
            f" FLAGS needs its names. It says: {answer.stderr.strip()}"
        )
    return answer.stdout.split("\n")[:-1]


def moved(frame: bytes, number: int) -> bytes:
    """The frame with the addresses of a capture of its own."""
    octets = bytearray(frame)
    if octets[12:14] == b"\x08\0":
        octets[27] = octets[31] = number & 0xFF
        octets[28] = octets[32] = number >> 8
    elif octets[12:14] == b"\x86\xdd":
        for at in (28, 44):
            octets[at : at + 2] = number.to_bytes(2, "big")
    return bytes(octets)
