"""The UDP header. See RFC 768 and RFC 1122 section 4.1.3.4 (checksums)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from stack.errors import BadPacket
from stack.wire.checksum import Buffer, internet_checksum, verify

HEADER_LENGTH = 8
HEADER = struct.Struct("!HHHH")
"""Source port, destination port, length, checksum."""

LENGTH_AT, CHECKSUM_AT = 4, 6
"""Where some fields of the header begin, in octets."""


@dataclass(frozen=True, slots=True)
class UdpHeader:
    """RFC 768:

    0      7 8     15 16    23 24    31
    +--------+--------+--------+--------+
    |     Source      |   Destination   |
    |      Port       |      Port       |
    +--------+--------+--------+--------+
    |                 |                 |
    |     Length      |    Checksum     |
    +--------+--------+--------+--------+

    `length` is that of header and payload, in bytes. `checksum` 0 means that the sender computed
    none.
    """

    source_port: int
    destination_port: int
    length: int
    checksum: int = 0

    @classmethod
    def parse(cls, data: Buffer, *, quoted: bool = False) -> UdpHeader:
        """Parse the header at the start of `data`, a whole IP payload.

        `quoted` is for a header inside an ICMP error, whose payload may be truncated. Bytes beyond
        `length` are not part of the datagram. Raises BadPacket udp_truncated, udp_bad_length. The
        checksum is not verified here, because it covers the addresses too, which are not in these
        bytes (see `checksum_ok`).
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("udp_truncated")
        header = cls(*HEADER.unpack_from(data))
        if header.length < HEADER_LENGTH or (header.length > len(data) and not quoted):
            raise BadPacket("udp_bad_length")
        return header

    def build(self) -> bytes:
        """The 8 bytes of the header with `checksum` as it is."""
        return HEADER.pack(self.source_port, self.destination_port, self.length, self.checksum)


def build_datagram(source_port: int, destination_port: int, payload: Buffer, pseudo: int) -> bytes:
    """A whole datagram with its checksum.

    `pseudo` is the pseudo-header's sum, with the length (`pseudo_sum`). A checksum of zero is sent
    as 0xFFFF, since zero means that there is none (RFC 768).
    """
    length = HEADER_LENGTH + len(payload)
    datagram = HEADER.pack(source_port, destination_port, length, 0) + payload
    checksum = internet_checksum(datagram, pseudo) or 0xFFFF
    return HEADER.pack(source_port, destination_port, length, checksum) + payload


def checksum_ok(datagram: Buffer, pseudo: int) -> bool:
    """Whether a datagram has the right checksum, or none (RFC 1122 section 4.1.3.4).

    `datagram` must end where its length field says.
    """
    return bytes(datagram[CHECKSUM_AT:HEADER_LENGTH]) == b"\0\0" or verify(datagram, pseudo)
