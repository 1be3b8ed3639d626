"""The IPv4 header.

See RFC 791 section 3.1; RFC 1122 section 3.2.1, RFC 2474 and RFC 3168 for the type of service.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.checksum import Buffer, internet_checksum, verify

HEADER_LENGTH = 20
MAX_OPTIONS_LENGTH = 40
MAX_LENGTH = 65535
_HEADER = struct.Struct("!BBHHHBBH4s4s")

DONT_FRAGMENT = 0x4000
_RESERVED = 0x8000
_MORE_FRAGMENTS = 0x2000
_OFFSET_MASK = 0x1FFF

# The same header for code that handles every packet. `flow.FIRST_24` reads it.
IS_FRAGMENT = _MORE_FRAGMENTS | _OFFSET_MASK
"""The bits of flags and fragment offset of which at least one is set in a fragment."""

VERSION_IHL = 0x45
"""The first octet of a header without options: version 4, and an IHL of 5 words."""

PACK_BEHIND_LINK = {length: struct.Struct(f"!{length}sBBHHHBBH8s").pack for length in (0, 14)}
"""By the length of the link header: form the link header and the IPv4 header behind it.

The arguments are those of the header's fields, with the link header before them. The two addresses
are one argument.
"""

ADDRESSES = struct.Struct("!12x4s4s")
"""Source and destination address."""

IDENTIFICATION_AT, PROTOCOL_AT, CHECKSUM_AT = 4, 9, 10
"""Where some fields of the header begin, in octets."""


class Ipv4Header(NamedTuple):
    """RFC 791 section 3.1:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |Version|  IHL  |Type of Service|          Total Length         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |         Identification        |Flags|      Fragment Offset    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  Time to Live |    Protocol   |         Header Checksum       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Source Address                          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Destination Address                        |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Options                    |    Padding    |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    `total_length` and `fragment_offset` are in bytes (on the wire the offset is in units of 8).
    `options` are the raw bytes, at most 40, padded to a multiple of 4; `ipv4_options` parses them.
    With `checksum` None `build` computes it. `reserved` is the first of the flags, which must be
    zero.
    """

    source: bytes
    destination: bytes
    protocol: int
    total_length: int
    identification: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    ttl: int = 64
    tos: int = 0
    options: bytes = b""
    checksum: int | None = None
    reserved: bool = False

    @classmethod
    def parse(cls, data: Buffer, verify_checksum: bool = True, *, quoted: bool = False) -> Ipv4Header:
        """Parse the header at the start of `data`.

        The payload is `data[header_length:total_length]`. `quoted` is for a header inside an ICMP
        error, whose payload may be truncated. Raises BadPacket ipv4_truncated, ipv4_bad_version,
        ipv4_bad_header_length, ipv4_bad_total_length, ipv4_bad_checksum (RFC 1122 sections 3.2.1.1
        and 3.2.1.2).
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("ipv4_truncated")
        version_ihl, tos, total_length, identification, fragment, ttl, protocol, checksum, source, destination = (
            _HEADER.unpack_from(data)
        )
        if version_ihl >> 4 != 4:
            raise BadPacket("ipv4_bad_version")
        header_length = (version_ihl & 0x0F) * 4
        if not HEADER_LENGTH <= header_length <= len(data):
            raise BadPacket("ipv4_bad_header_length")
        if total_length < header_length or (total_length > len(data) and not quoted):
            raise BadPacket("ipv4_bad_total_length")
        if verify_checksum and not verify(data[:header_length]):
            raise BadPacket("ipv4_bad_checksum")
        return cls(
            source,
            destination,
            protocol,
            total_length,
            identification,
            fragment & DONT_FRAGMENT != 0,
            fragment & _MORE_FRAGMENTS != 0,
            (fragment & _OFFSET_MASK) * 8,
            ttl,
            tos,
            bytes(data[HEADER_LENGTH:header_length]) if header_length > HEADER_LENGTH else b"",
            checksum,
            fragment & _RESERVED != 0,
        )

    @property
    def header_length(self) -> int:
        """The length of the header in bytes, options included: four times the IHL field."""
        return HEADER_LENGTH + len(self.options)

    @property
    def is_fragment(self) -> bool:
        """Whether this is a fragment of a datagram."""
        return self.more_fragments or self.fragment_offset != 0

    @property
    def precedence(self) -> int:
        """The first three bits of the type of service, 0 routine to 7 network control (RFC 791)."""
        return self.tos >> 5

    @property
    def service(self) -> int:
        """The four bits after the precedence: 8 low delay, 4 throughput, 2 reliability, 1 low cost.

        See RFC 1349.
        """
        return self.tos >> 1 & 0x0F

    @property
    def dscp(self) -> int:
        """The differentiated services code point: the first six bits (RFC 2474)."""
        return self.tos >> 2

    @property
    def ecn(self) -> int:
        """The ECN field, the last two bits: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE (RFC 3168)."""
        return self.tos & 3

    def build(self) -> bytes:
        """The bytes of the header. Raises ValueError for options or an offset that do not fit."""
        if len(self.options) % 4 or len(self.options) > MAX_OPTIONS_LENGTH:
            raise ValueError("IPv4 options are a multiple of 4 bytes and at most 40")
        if self.fragment_offset % 8 or not 0 <= self.fragment_offset // 8 <= _OFFSET_MASK:
            raise ValueError("a fragment offset is a multiple of 8 bytes and at most 65528")
        fragment = self.fragment_offset // 8
        fragment |= _RESERVED if self.reserved else 0
        fragment |= DONT_FRAGMENT if self.dont_fragment else 0
        fragment |= _MORE_FRAGMENTS if self.more_fragments else 0
        header = bytearray(
            _HEADER.pack(
                0x40 | self.header_length // 4,
                self.tos,
                self.total_length,
                self.identification,
                fragment,
                self.ttl,
                self.protocol,
                self.checksum or 0,
                self.source,
                self.destination,
            )
        )
        header += self.options
        if self.checksum is None:
            header[CHECKSUM_AT : CHECKSUM_AT + 2] = internet_checksum(header).to_bytes(2, "big")
        return bytes(header)


def type_of_service(*, dscp: int = 0, ecn: int = 0) -> int:
    """The type-of-service byte, made from its two parts: DSCP (RFC 2474) and ECN (RFC 3168)."""
    if not 0 <= dscp <= 63 or not 0 <= ecn <= 3:
        raise ValueError("a DSCP is 0 to 63 and an ECN field 0 to 3")
    return dscp << 2 | ecn
