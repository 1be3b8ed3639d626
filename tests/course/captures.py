"""The two captures of the course, rebuilt from the printed fields, as files.

The POP3 session is `tests/wire/pop3_session.py`. Its frames 1 and 2, an ARP request and its answer,
are printed as two rows of a table only; the rest of them follows from RFC 826.

Of the NTP frames 16 to 19 some octets are not printed: most of the IP header, and what lies behind
the fourth decimal of each time. The Identification and the end of the Transmit Timestamp are made
so that both printed checksums are right. The other digits are those of the print, with zeros behind
them.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.course import printed
from tests.wire.pop3_session import CLIENT, SERVER, SESSION

ETHERNET, RAW_IP = 1, 101  # LINKTYPE_ETHERNET, LINKTYPE_RAW

FIRST_US = int(datetime(2000, 10, 12, 11, 19, 15, tzinfo=UTC).timestamp()) * 1_000_000 + 375_145
"""The time of frame 1, as if it was UTC: with 375,145 to 375,149 microseconds the four printed decimals of all times of
arrival are those of the table's times since frame 1."""


class Sent(NamedTuple):
    """A frame of a capture file."""

    time_us: int
    octets: bytes


def pop3() -> list[Sent]:
    """Frames 1 to 20."""
    since = {row.frame: round(float(row.value) * 1e6) for row in printed.rows(printed.POP3) if row.label == "Time"}
    frames = {1: arp(1), 2: arp(2), **{frame.number: frame.build() for frame in SESSION}}
    return [Sent(FIRST_US + since[number], frames[number]) for number in sorted(frames)]


def arp(number: int) -> bytes:
    """Frame 1 asks all stations for the server's address, frame 2 answers."""
    request = number == 1
    asker, asked = (CLIENT, SERVER) if request else (SERVER, CLIENT)
    ethernet = (b"\xff" * 6 if request else asked.mac) + asker.mac + b"\x08\x06"
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, number)
    body += asker.mac + asker.ip + (bytes(6) if request else asked.mac) + asked.ip
    return (ethernet + body).ljust(60, b"\0")


# --- NTP

NTP_FIRST = 16
NTP_NUMBERS = (16, 17, 18, 19)
NTP_CLIENT, NTP_SERVER = bytes((193, 248, 36, 34)), bytes((194, 2, 0, 28))
PORT, UDP, TTL = 123, 17, 64
ERA_0 = 2_208_988_800  # the seconds from 1900 to 1970


def ntp() -> list[Sent]:
    """Frames 16 to 19, from the IP header on. Their times are not printed: the client's clock is taken."""
    built: list[Sent] = []
    for number in NTP_NUMBERS:
        field = {label: values[0] for (_, label), values in printed.fields(printed.NTP, number).items()}
        asks = number % 2 == 0
        origin = timestamp(field["Originate Time Stamp"])
        if not asks:  # the answer has the octets of the question's Transmit Timestamp
            origin = int.from_bytes(built[-1].octets[-8:], "big")
        clock = field["Reference Clock ID"]
        header = struct.pack(
            "!BBbbII4sQQQ",
            int(field["Flags"], 16),
            int(field["Peer Clock Stratum"].split("(")[1].rstrip(")")),
            int(field["Peer Pooling Interval"].split()[0]),
            {"0,015625": -6, "0,000004": -18}[field["Peer Clock Precision"].split()[0]],
            round(seconds(field["Root Delay"]) * 65536),
            round(seconds(field["Clock Dispersion"]) * 65536),
            bytes(map(int, clock.split("."))) if clock.count(".") == 3 else bytes(4),
            timestamp(field["Reference Clock Update Time"]),
            origin,
            timestamp(field["Receive Time Stamp"]),
        )
        ends = (NTP_CLIENT, NTP_SERVER) if asks else (NTP_SERVER, NTP_CLIENT)
        transmit = timestamp(field["Transmit Time Stamp"])
        datagram = udp(ends, header, transmit, int(field["Checksum"], 16))
        packet = ip(ends, datagram, int(field["Header checksum"].split()[0], 16))
        sent = transmit if asks else int.from_bytes(built[-1].octets[-8:], "big") + (1 << 26)  # 1/64 s later
        built.append(Sent(((sent >> 32) - ERA_0) * 1_000_000 + ((sent & 0xFFFFFFFF) * 1_000_000 >> 32), packet))
    return built


def seconds(text: str) -> float:
    """The number of a printed time such as "0,0130 sec"."""
    return float(text.split()[0].replace(",", "."))


def timestamp(text: str) -> int:
    """The 64 bits of a printed time, rounded up: the first that is printed so."""
    if text == "NULL":
        return 0
    whole, fraction = text.removesuffix(" UTC").split(",")
    since_1970 = int(datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())
    return (since_1970 + ERA_0 << 32) + -(-(int(fraction) << 32) // 10_000)


def udp(ends: tuple[bytes, bytes], header: bytes, transmit: int, checksum: int) -> bytes:
    """A datagram in which the last two octets make the printed checksum right."""
    length = 8 + len(header) + 8
    head = struct.pack("!HHHH", PORT, PORT, length, checksum)
    transmit = (transmit + 0xFFFF) & ~0xFFFF  # the next step of 1/65536 s, so that the print stays the same
    pseudo = ends[0] + ends[1] + struct.pack("!BBH", 0, UDP, length)
    last = 0xFFFF - folded(pseudo + head + header + struct.pack("!Q", transmit))
    return head + header + struct.pack("!Q", transmit | last)


def ip(ends: tuple[bytes, bytes], datagram: bytes, checksum: int) -> bytes:
    """A packet in which the Identification makes the printed checksum right."""
    layout = "!BBHHHBBH4s4s"
    values = (0, TTL, UDP, checksum, *ends)
    length = 20 + len(datagram)
    identification = 0xFFFF - folded(struct.pack(layout, 0x45, 0, length, 0, *values))
    return struct.pack(layout, 0x45, 0, length, identification, *values) + datagram


def folded(octets: bytes) -> int:
    """The one's complement sum of RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def write(path: Path, link: int, frames: list[Sent]) -> Path:
    """A pcap file (draft-ietf-opsawg-pcap), big-endian, with microseconds."""
    data = struct.pack("!IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, link)
    for time_us, octets in frames:
        data += struct.pack("!IIII", *divmod(time_us, 1_000_000), len(octets), len(octets)) + octets
    path.write_bytes(data)
    return path
