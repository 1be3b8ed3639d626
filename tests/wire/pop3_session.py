"""A real POP3 session of October 2000, frame by frame: a client asks for its mail and finds none.

The fields are those that a protocol analyser printed, in a course on networks; the bytes are put
together from them by `build`, with nothing but struct, so that they owe nothing to the code under
test. Frames 1 and 2, the ARP exchange, were not printed field by field.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from stack.wire.tcp import ACK, FIN, PSH, SYN


@dataclass(frozen=True)
class Station:
    """One end: its addresses, its port, and the time to live that its system starts with."""

    mac: bytes
    ip: bytes
    port: int
    ttl: int


CLIENT = Station(bytes.fromhex("002018b94937"), bytes((192, 168, 0, 10)), 1927, 128)
SERVER = Station(bytes.fromhex("0020186190e3"), bytes((192, 168, 0, 250)), 110, 64)

SYN_OPTIONS = bytes((2, 4, 0x05, 0xB4, 1, 1, 4, 2))
"""Maximum segment size: 1460 bytes; NOP; NOP; SACK permitted."""


@dataclass(frozen=True)
class Frame:
    """The printed fields, in the order they were printed; "Don't fragment" was set in every frame."""

    number: int
    sender: Station
    packet_length: int
    total_length: int
    identification: int
    header_checksum: int
    seq: int
    ack: int
    flags: int
    window: int
    checksum: int
    payload: bytes
    options: bytes = b""

    @property
    def receiver(self) -> Station:
        return CLIENT if self.sender is SERVER else SERVER

    def build(self) -> bytes:
        """The frame as it was on the wire, Ethernet padding included."""
        a, b = self.sender, self.receiver
        ethernet = b.mac + a.mac + b"\x08\x00"
        ip = struct.pack(
            "!BBHHHBBH", 0x45, 0, self.total_length, self.identification, 0x4000, a.ttl, 6, self.header_checksum
        )
        tcp = struct.pack("!HHII", a.port, b.port, self.seq, self.ack)
        tcp += struct.pack("!BBHHH", (20 + len(self.options)) // 4 << 4, self.flags, self.window, self.checksum, 0)
        return (ethernet + ip + a.ip + b.ip + tcp + self.options + self.payload).ljust(self.packet_length, b"\0")


ALTERED = 10
"""The course changed this frame before printing it, and says so: "the password you read is not the right one". The one
printed is a byte shorter than the total length leaves room for (`build` fills up with a zero), and the printed TCP
checksum does not fit it. All other checksums fit, and all 18 of the IP headers."""

# fmt: off
SESSION = (
    Frame(3, CLIENT, 62, 48, 0x7624, 0x024f, 3662573346, 0, SYN, 16384, 0x6f64, b"", SYN_OPTIONS),
    Frame(4, SERVER, 62, 48, 0x088a, 0xafe9, 4089248825, 3662573347, SYN | ACK, 32120, 0x41e4, b"", SYN_OPTIONS),
    Frame(5, CLIENT, 60, 40, 0x7625, 0x0256, 3662573347, 4089248826, ACK, 17520, 0xa7b0, b""),
    Frame(6, SERVER, 103, 89, 0x088b, 0xafbf, 4089248826, 3662573347, PSH | ACK, 32120, 0xa343,
          b"+OK POP3 gateway1.maison.mrs v7.64 server ready\r\n"),
    Frame(7, CLIENT, 66, 52, 0x7626, 0x0249, 3662573347, 4089248875, PSH | ACK, 17471, 0x0da4, b"USER chris\r\n"),
    Frame(8, SERVER, 60, 40, 0x088c, 0xafef, 4089248875, 3662573359, ACK, 32120, 0x6e6b, b""),
    Frame(9, SERVER, 95, 81, 0x088d, 0xafc5, 4089248875, 3662573359, PSH | ACK, 32120, 0x6428,
          b"+OK User name accepted, password please\r\n"),
    Frame(10, CLIENT, 68, 54, 0x7627, 0x0246, 3662573359, 4089248916, PSH | ACK, 17430, 0x8f50, b"PASS epikoi\r\n"),
    Frame(11, SERVER, 60, 40, 0x088e, 0xafed, 4089248916, 3662573373, ACK, 32120, 0x6e34, b""),
    Frame(12, SERVER, 84, 70, 0x088f, 0xafce, 4089248916, 3662573373, PSH | ACK, 32120, 0x8064,
          b"+OK Mailbox open, 0 messages\r\n"),
    Frame(13, CLIENT, 60, 46, 0x7628, 0x024d, 3662573373, 4089248946, PSH | ACK, 17400, 0x05d6, b"STAT\r\n"),
    Frame(14, SERVER, 63, 49, 0x0890, 0xafe2, 4089248946, 3662573379, PSH | ACK, 32120, 0x8d62, b"+OK 0 0\r\n"),
    Frame(15, CLIENT, 60, 46, 0x7629, 0x024c, 3662573379, 4089248955, PSH | ACK, 17391, 0xffce, b"QUIT\r\n"),
    Frame(16, SERVER, 68, 54, 0x0891, 0xafdc, 4089248955, 3662573385, PSH | ACK, 32120, 0x3cde, b"+OK Sayonara\r\n"),
    Frame(17, CLIENT, 60, 40, 0x762a, 0x0251, 3662573385, 4089248969, FIN | ACK, 17377, 0xa789, b""),
    Frame(18, SERVER, 60, 40, 0x0892, 0xafe9, 4089248969, 3662573386, ACK, 32120, 0x6df2, b""),
    Frame(19, SERVER, 60, 40, 0x0893, 0xafe8, 4089248969, 3662573386, FIN | ACK, 32120, 0x6df1, b""),
    Frame(20, CLIENT, 60, 40, 0x762b, 0x0250, 3662573386, 4089248970, ACK, 17377, 0xa788, b""),
)
# fmt: on
