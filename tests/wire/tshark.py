"""What tshark reads in a packet: the second opinion on our parsers.

Packets are written to a pcap file, by nothing but struct.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

ETHERNET, RAW_IP = 1, 101

needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def pcap(packets: Iterable[bytes], link: int) -> bytes:
    """A pcap file, with a packet in each second since 1970."""
    content = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for second, packet in enumerate(packets):
        content += struct.pack("<IIII", second, 0, len(packet), len(packet)) + packet
    return content


def read(
    folder: Path, packets: Iterable[bytes], names: Sequence[str], *, link: int = RAW_IP, options: Sequence[str] = ()
) -> list[list[list[str]]]:
    """For each packet and each field of these names, all the values that tshark prints."""
    path = folder / "packets.pcap"
    path.write_bytes(pcap(packets, link))
    command = ["tshark", "-n", "-r", str(path), *options, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=\x01"]
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    rows = []
    for line in done.stdout.splitlines():
        columns = line.split("\t") + [""] * len(names)
        rows.append([column.split("\x01") if column else [] for column in columns[: len(names)]])
    return rows
