"""The IPv6 header, its extension headers, their options, and addresses as text.

See RFC 8200 sections 3 and 4, RFC 4302 section 2 (authentication header) and RFC 5952 (addresses as
text). Hosts of this stack do not speak IPv6: packets are only shown. Not read: the contents of
options and routing headers, jumbograms (RFC 2675), and what an encrypted packet (ESP) holds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.addresses import format_ipv4
from stack.wire.checksum import Buffer

HEADER_LENGTH = 40
EXTENSION_UNIT = 8
_HEADER = struct.Struct("!IHBB16s16s")

# --- next header: the extension headers
HOP_BY_HOP = 0
ROUTING = 43
FRAGMENT = 44
AUTHENTICATION = 51
NO_NEXT_HEADER = 59
DESTINATION_OPTIONS = 60
MOBILITY = 135
HOST_IDENTITY = 139
SHIM6 = 140

EXTENSIONS = {
    HOP_BY_HOP: "hop-by-hop options",
    ROUTING: "routing",
    FRAGMENT: "fragment",
    AUTHENTICATION: "authentication",
    DESTINATION_OPTIONS: "destination options",
    MOBILITY: "mobility",
    HOST_IDENTITY: "host identity",
    SHIM6: "shim6",
}
"""The extension headers that have a next header and a length (RFC 8200 section 4, RFC 7045)."""
WITH_OPTIONS = (HOP_BY_HOP, DESTINATION_OPTIONS)

PAD_1 = 0
PAD_N = 1
ROUTER_ALERT = 5
JUMBO_PAYLOAD = 0xC2
OPTION_NAMES = {
    PAD_1: "Pad1",
    PAD_N: "PadN",
    ROUTER_ALERT: "router alert",  # RFC 2711
    JUMBO_PAYLOAD: "jumbo payload",  # RFC 2675
    0x04: "tunnel encapsulation limit",  # RFC 2473
    0x07: "CALIPSO",  # RFC 5570
    0x1E: "experiment",  # RFC 4727
    0x26: "quick start",  # RFC 4782
    0x30: "minimum path MTU",  # RFC 9268
    0x31: "IOAM",  # RFC 9486
    0x63: "RPL",  # RFC 9008
    0x6D: "MPL",  # RFC 7731
    0xC9: "home address",  # RFC 6275
}
ACTIONS = (
    "skip it",
    "discard the packet",
    "discard, and send an ICMP error",
    "discard, and send an ICMP error if unicast",
)
"""What a node does that does not know an option: by the first two bits of its type."""

ROUTING_TYPES = {
    0: "source route (deprecated by RFC 5095)",
    2: "mobility (RFC 6275)",
    3: "RPL source route (RFC 6554)",
    4: "segment routing (RFC 8754)",
}

ANY = bytes(16)
MAPPED_IPV4 = bytes(10) + b"\xff\xff"
"""The prefix ::ffff:0:0/96 of IPv4 addresses that are written as IPv6 addresses (RFC 4291)."""


def format_ipv6(address: Buffer) -> str:
    """The text of 16 octets in the canonical form (RFC 5952 section 4): "2001:db8::1".

    The longest run of two or more zero groups becomes "::", and of equal runs the first. An
    IPv4-mapped address ends with a dotted quad (section 5).
    """
    octets = bytes(address)
    if octets.startswith(MAPPED_IPV4):
        return f"::ffff:{format_ipv4(octets[12:])}"
    groups = struct.unpack("!8H", octets)
    start, length, at = 0, 1, 0
    while at < 8:
        end = at
        while end < 8 and groups[end] == 0:
            end += 1
        if end - at > length:
            start, length = at, end - at
        at = max(end, at + 1)
    texts = [f"{group:x}" for group in groups]
    if length < 2:
        return ":".join(texts)
    return f"{':'.join(texts[:start])}::{':'.join(texts[start + length :])}"


@dataclass(frozen=True, slots=True)
class Ipv6Header:
    """RFC 8200 section 3:

    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |Version| Traffic Class |           Flow Label                  |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |         Payload Length        |  Next Header  |   Hop Limit   |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                    Source Address (128)                       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                 Destination Address (128)                     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    `payload_length` is in octets, and counts extension headers, too. The header has no checksum.
    """

    source: bytes
    destination: bytes
    next_header: int
    payload_length: int
    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0

    @classmethod
    def parse(cls, data: Buffer, *, quoted: bool = False) -> Ipv6Header:
        """Parse the header at the start of `data`.

        The payload is `data[40 : 40 + payload_length]`. `quoted` is for a header inside an ICMP
        error, whose payload may be truncated. Raises BadPacket ipv6_truncated, ipv6_bad_version,
        ipv6_bad_payload_length.
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("ipv6_truncated")
        first, payload_length, next_header, hop_limit, source, destination = _HEADER.unpack_from(data)
        if first >> 28 != 6:
            raise BadPacket("ipv6_bad_version")
        if payload_length > len(data) - HEADER_LENGTH and not quoted:
            raise BadPacket("ipv6_bad_payload_length")
        return cls(source, destination, next_header, payload_length, hop_limit, first >> 20 & 0xFF, first & 0xFFFFF)

    @property
    def dscp(self) -> int:
        """The first six bits of the traffic class (RFC 2474)."""
        return self.traffic_class >> 2

    @property
    def ecn(self) -> int:
        """The last two bits of the traffic class (RFC 3168)."""
        return self.traffic_class & 3

    def build(self) -> bytes:
        """The 40 octets."""
        first = 6 << 28 | self.traffic_class << 20 | self.flow_label
        return _HEADER.pack(first, self.payload_length, self.next_header, self.hop_limit, self.source, self.destination)


@dataclass(frozen=True, slots=True)
class ExtensionHeader:
    """An extension header (RFC 8200 section 4).

    `kind` is the number in the header before. `second` is the second octet: the length without the
    first unit, but in the fragment header it is reserved. `data` are the octets behind these two.
    """

    kind: int
    next_header: int
    second: int
    data: bytes

    @classmethod
    def parse(cls, kind: int, data: Buffer) -> ExtensionHeader:
        """Parse the header at the start of `data`. Raises BadPacket ipv6_bad_extension."""
        if len(data) < EXTENSION_UNIT:
            raise BadPacket("ipv6_bad_extension")
        length = EXTENSION_UNIT if kind == FRAGMENT else EXTENSION_UNIT * (1 + data[1])
        if kind == AUTHENTICATION:
            length = 4 * (2 + data[1])
        if length > len(data):
            raise BadPacket("ipv6_bad_extension")
        return cls(kind, data[0], data[1], bytes(data[2:length]))

    @property
    def length(self) -> int:
        """The octets of the whole header."""
        return 2 + len(self.data)

    @property
    def fragment_offset(self) -> int:
        """In a fragment header, where the fragment begins in the fragmentable part, in octets."""
        return int.from_bytes(self.data[:2], "big") & 0xFFF8

    @property
    def more_fragments(self) -> bool:
        """In a fragment header, whether this is not the last fragment."""
        return bool(self.data[1] & 1)

    @property
    def identification(self) -> int:
        """In a fragment header, what all fragments of a packet have in common."""
        return int.from_bytes(self.data[2:6], "big")

    def build(self) -> bytes:
        """The octets of the header."""
        return bytes((self.next_header, self.second)) + self.data


class Ipv6Option(NamedTuple):
    """An option of a hop-by-hop or destination options header. Pad1 has neither length nor data."""

    type: int
    data: bytes = b""

    @property
    def action(self) -> str:
        """What a node does that does not know the option (RFC 8200 section 4.2)."""
        return ACTIONS[self.type >> 6]

    @property
    def may_change(self) -> bool:
        """Whether routers may change the data."""
        return bool(self.type & 0x20)

    def build(self) -> bytes:
        """The octets of the option."""
        return b"\0" if self.type == PAD_1 else bytes((self.type, len(self.data))) + self.data


def split_options(data: Buffer) -> tuple[Ipv6Option, ...]:
    """The options in an extension header, from its third octet on (RFC 8200 section 4.2).

    Raises BadPacket ipv6_bad_option when an option reaches past the header.
    """
    options = []
    at, size = 0, len(data)
    while at < size:
        kind = data[at]
        if kind == PAD_1:
            options.append(Ipv6Option(PAD_1))
            at += 1
            continue
        if at + 2 > size or at + 2 + data[at + 1] > size:
            raise BadPacket("ipv6_bad_option")
        options.append(Ipv6Option(kind, bytes(data[at + 2 : at + 2 + data[at + 1]])))
        at += 2 + data[at + 1]
    return tuple(options)
