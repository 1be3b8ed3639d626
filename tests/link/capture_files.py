"""Capture files made by hand, in either byte order: what tcpdump and Wireshark write, and what they
never would.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from tests.link.frames import tcp_frame, udp_frame

COMMENT = 1  # option codes
IF_NAME, IF_TSRESOL, IF_TSOFFSET = 2, 9, 14
FLAGS = 2
NAME_RESOLUTION, STATISTICS, JOURNAL, SECRETS = 4, 5, 9, 10  # kinds of blocks without a frame
CUSTOM, CUSTOM_NOT_COPIED = 0xBAD, 0x40000BAD

Option = tuple[int, bytes]


def pcap(
    frames: Iterable[bytes],
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    link: int = 1,
    snaplen: int = 262_144,
    minor: int = 4,
    extra: bytes = b"",
) -> bytes:
    """A file of frames that are a second and 7 units apart."""
    parts = [struct.pack(order + "IHHiIII", magic, 2, minor, 0, 0, snaplen, link)]
    for number, frame in enumerate(frames):
        data = frame[:snaplen]
        parts += [struct.pack(order + "IIII", 1_800_000_000 + number, number * 7, len(data), len(frame)), extra, data]
    return b"".join(parts)


class Pcapng:
    """Blocks of one section; each method gives one, or a part of one."""

    def __init__(self, order: str = "<") -> None:
        self.order = order

    def pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)

    def block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = self.pack("I", len(body) + 12)
        return self.pack("I", kind) + length + body + length

    def options(self, options: Iterable[Option], *, ended: bool = True) -> bytes:
        parts = [self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4) for code, value in options]
        return b"".join(parts) + (bytes(4) if parts and ended else b"")

    def section(self, *options: Option, version: tuple[int, int] = (1, 0)) -> bytes:
        return self.block(0x0A0D0D0A, self.pack("IHHq", 0x1A2B3C4D, *version, -1) + self.options(options))

    def interface(self, *options: Option, link: int = 1, snaplen: int = 262_144) -> bytes:
        return self.block(1, self.pack("HHI", link, 0, snaplen) + self.options(options))

    def enhanced(
        self, data: bytes, *options: Option, interface: int = 0, time: int = 0, length: int | None = None
    ) -> bytes:
        fields = (interface, time >> 32, time & 0xFFFFFFFF, len(data), len(data) if length is None else length)
        return self.block(6, self.pack("IIIII", *fields) + _padded(data) + self.options(options))

    def obsolete(
        self, data: bytes, *options: Option, interface: int = 0, time: int = 0, length: int | None = None
    ) -> bytes:
        fields = (interface, 0xFFFF, time >> 32, time & 0xFFFFFFFF, len(data), len(data) if length is None else length)
        return self.block(2, self.pack("HHIIII", *fields) + _padded(data) + self.options(options))

    def simple(self, data: bytes, length: int | None = None) -> bytes:
        return self.block(3, self.pack("I", len(data) if length is None else length) + data)

    def without_frames(self) -> bytes:
        """One block of each kind that has none."""
        names = self.pack("HH", 1, 10) + bytes((10, 9, 0, 1)) + b"host.\0" + bytes(2) + bytes(4)
        return b"".join(
            (
                self.block(NAME_RESOLUTION, names),
                self.block(STATISTICS, self.pack("III", 0, 0, 0) + self.options([(4, self.pack("Q", 7))])),
                self.block(SECRETS, self.pack("II", 0x544C534B, 4) + b"abcd"),
                self.block(CUSTOM, self.pack("I", 32473) + b"anything"),
                self.block(CUSTOM_NOT_COPIED, self.pack("I", 32473)),
                self.block(0x7F, b""),
            )
        )


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


UDP = udp_frame(b"hello")
TCP = tcp_frame(b"GET / HTTP/1.1\r\n")
PACKET = UDP[14:]  # from its IP header on
COOKED = {  # the same packet behind each cooked header, by direction
    113: {
        "in": bytes.fromhex("0000 0001 0006 020000000001 0000 0800") + PACKET,
        "out": bytes.fromhex("0004 0001 0006 020000000001 0000 0800") + PACKET,
        "": bytes.fromhex("0003 0001 0006 020000000001 0000 0800") + PACKET,
    },
    276: {
        "in": bytes.fromhex("0800 0000 00000002 0001 00 06 0200000000010000") + PACKET,
        "out": bytes.fromhex("0800 0000 00000002 0001 04 06 0200000000010000") + PACKET,
        "": bytes.fromhex("0800 0000 00000002 0001 03 06 0200000000010000") + PACKET,
    },
}


def varied(order: str) -> bytes:
    """Two sections with everything that a reader meets."""
    ng = Pcapng(order)
    other = Pcapng("<" if order == ">" else ">")
    time = 1_800_000_000_123_456_789
    return b"".join(
        (
            ng.section((2, b"hardware"), (3, b"system"), (4, b"program"), (COMMENT, b"of the section")),
            ng.interface((IF_NAME, b"eth0"), (IF_TSRESOL, b"\x09"), (COMMENT, b"of the interface")),
            ng.interface((IF_NAME, b"any"), link=276),
            ng.without_frames(),
            ng.enhanced(TCP, (FLAGS, ng.pack("I", 1)), time=time),
            ng.enhanced(COOKED[276]["out"], time=time // 1000, interface=1),
            ng.enhanced(UDP[:20], (COMMENT, b"one"), (COMMENT, b"two"), time=time, length=len(UDP)),
            ng.obsolete(UDP, (FLAGS, ng.pack("I", 2)), time=time + 1),
            ng.interface((IF_TSRESOL, b"\x06"), link=147),  # a link type of users' own
            ng.enhanced(b"what it is is not known", time=5, interface=2),
            other.section(version=(1, 2)),
            other.interface((IF_TSRESOL, b"\x94"), (IF_TSOFFSET, other.pack("q", 1_700_000_000)), link=101),
            other.enhanced(PACKET, time=3 << 19),  # in units of 2**-20 s
            other.without_frames(),
            other.obsolete(PACKET, time=(5 << 18) + 1),
            other.interface((IF_TSOFFSET, other.pack("q", -5)), link=113),
            other.enhanced(COOKED[113]["in"], time=1_800_000_000_000_001, interface=1),
        )
    )
