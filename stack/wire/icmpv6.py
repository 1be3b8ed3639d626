"""ICMPv6 messages, with those of neighbour discovery and multicast listener discovery.

See RFC 4443 sections 2.1, 3 and 4, RFC 4861 section 4 (neighbour discovery), RFC 2710 section 3 and
RFC 3810 section 5 (multicast listeners). Options of neighbour discovery are read for RFC 4861,
RFC 4191 (route information) and RFC 8106 (DNS servers); others are octets, and so is the body of
messages that are not in `BODIES`. The router preference in a router advertisement is RFC 4191's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.checksum import Buffer, verify

# --- types
UNREACHABLE = 1
PACKET_TOO_BIG = 2
TIME_EXCEEDED = 3
PARAMETER_PROBLEM = 4
ECHO_REQUEST = 128
ECHO_REPLY = 129
LISTENER_QUERY = 130
LISTENER_REPORT = 131
LISTENER_DONE = 132
ROUTER_SOLICITATION = 133
ROUTER_ADVERTISEMENT = 134
NEIGHBOR_SOLICITATION = 135
NEIGHBOR_ADVERTISEMENT = 136
REDIRECT = 137
LISTENER_REPORT_2 = 143

HEADER_LENGTH = 4
QUERY_2_LENGTH = 28
"""A query of version 2 is longer than the 24 octets of one of version 1 (RFC 3810 section 8.1)."""
_HEADER = struct.Struct("!BBH")

Row = tuple[str, int]
"""The name of a field, and its width in bits. A field of more than 64 bits is an address."""

_LISTENER: tuple[Row, ...] = (("Maximum Response Delay", 16), ("Reserved", 16), ("Multicast Address", 128))
BODIES: dict[int, tuple[Row, ...]] = {
    UNREACHABLE: (("Unused", 32),),
    PACKET_TOO_BIG: (("MTU", 32),),
    TIME_EXCEEDED: (("Unused", 32),),
    PARAMETER_PROBLEM: (("Pointer", 32),),
    ECHO_REQUEST: (("Identifier", 16), ("Sequence Number", 16)),
    ECHO_REPLY: (("Identifier", 16), ("Sequence Number", 16)),
    LISTENER_QUERY: _LISTENER,
    LISTENER_REPORT: _LISTENER,
    LISTENER_DONE: _LISTENER,
    ROUTER_SOLICITATION: (("Reserved", 32),),
    ROUTER_ADVERTISEMENT: (
        ("Cur Hop Limit", 8),
        ("M", 1),
        ("O", 1),
        ("H", 1),
        ("Prf", 2),
        ("Reserved", 3),
        ("Router Lifetime", 16),
        ("Reachable Time", 32),
        ("Retrans Timer", 32),
    ),
    NEIGHBOR_SOLICITATION: (("Reserved", 32), ("Target Address", 128)),
    NEIGHBOR_ADVERTISEMENT: (("R", 1), ("S", 1), ("O", 1), ("Reserved", 29), ("Target Address", 128)),
    REDIRECT: (("Reserved", 32), ("Target Address", 128), ("Destination Address", 128)),
    LISTENER_REPORT_2: (("Reserved", 16), ("Nr of Mcast Address Records (M)", 16)),
}
"""By type: the fields behind the checksum that all messages of the type have."""
QUERY_2: tuple[Row, ...] = (("Resv", 4), ("S", 1), ("QRV", 3), ("QQIC", 8), ("Number of Sources (N)", 16))
"""The fields of a listener query of version 2 that stand behind those of version 1."""
RECORD: tuple[Row, ...] = (
    ("Record Type", 8), ("Aux Data Len", 8), ("Number of Sources (N)", 16), ("Multicast Address", 128),
)  # fmt: skip
"""The fields of a multicast address record before its sources (RFC 3810 section 5.2)."""
RECORD_TYPES = {
    1: "MODE_IS_INCLUDE",
    2: "MODE_IS_EXCLUDE",
    3: "CHANGE_TO_INCLUDE_MODE",
    4: "CHANGE_TO_EXCLUDE_MODE",
    5: "ALLOW_NEW_SOURCES",
    6: "BLOCK_OLD_SOURCES",
}

WITH_OPTIONS = (
    ROUTER_SOLICITATION,
    ROUTER_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
    NEIGHBOR_ADVERTISEMENT,
    REDIRECT,
)
"""The messages of neighbour discovery (RFC 4861 section 4)."""

# --- options of neighbour discovery
SOURCE_LINK_LAYER = 1
TARGET_LINK_LAYER = 2
PREFIX_INFORMATION = 3
REDIRECTED_HEADER = 4
MTU = 5
ROUTE_INFORMATION = 24
DNS_SERVERS = 25
OPTION_NAMES = {
    SOURCE_LINK_LAYER: "source link-layer address",
    TARGET_LINK_LAYER: "target link-layer address",
    PREFIX_INFORMATION: "prefix information",
    REDIRECTED_HEADER: "redirected header",
    MTU: "MTU",
    14: "nonce",  # RFC 3971
    ROUTE_INFORMATION: "route information",
    DNS_SERVERS: "recursive DNS servers",
    26: "flags extension",  # RFC 5175
    31: "DNS search list",  # RFC 8106
    37: "captive portal",  # RFC 8910
    38: "PREF64",  # RFC 8781
}
OPTION_BODIES: dict[int, tuple[Row, ...]] = {
    PREFIX_INFORMATION: (
        ("Prefix Length", 8),
        ("L", 1),
        ("A", 1),
        ("Reserved1", 6),
        ("Valid Lifetime", 32),
        ("Preferred Lifetime", 32),
        ("Reserved2", 32),
        ("Prefix", 128),
    ),
    REDIRECTED_HEADER: (("Reserved", 48),),
    MTU: (("Reserved", 16), ("MTU", 32)),
    ROUTE_INFORMATION: (("Prefix Length", 8), ("Resvd", 3), ("Prf", 2), ("Resvd", 3), ("Route Lifetime", 32)),
    DNS_SERVERS: (("Reserved", 16), ("Lifetime", 32)),
}
"""By type: the fields behind type and length."""


class NdOption(NamedTuple):
    """An option of neighbour discovery (RFC 4861 section 4.6).

    `data` are the octets behind type and length. With these two they are a multiple of 8.
    """

    type: int
    data: bytes

    def build(self) -> bytes:
        """The octets of the option."""
        return bytes((self.type, (len(self.data) + 2) // 8)) + self.data


@dataclass(frozen=True, slots=True)
class Icmpv6Message:
    """RFC 4443 section 2.1:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     Type      |     Code      |          Checksum             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Message Body                          |

    The checksum covers a pseudo-header of the addresses, too.
    """

    type: int
    code: int
    checksum: int
    body: bytes

    @classmethod
    def parse(cls, data: Buffer, pseudo: int | None = None) -> Icmpv6Message:
        """Parse a whole message.

        The checksum is verified only with `pseudo`, the pseudo-header's sum: it covers the
        addresses too, which are not in these bytes. Raises BadPacket icmpv6_truncated,
        icmpv6_bad_checksum, icmpv6_bad_option, icmpv6_bad_record.
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("icmpv6_truncated")
        if pseudo is not None and not verify(data, pseudo):
            raise BadPacket("icmpv6_bad_checksum")
        kind, code, checksum = _HEADER.unpack_from(data)
        message = cls(kind, code, checksum, bytes(data[HEADER_LENGTH:]))
        if len(message.body) < message.fixed_length:
            raise BadPacket("icmpv6_truncated")
        message.options()  # checks options and records now, so that later calls cannot fail
        message.records()
        return message

    @property
    def is_error(self) -> bool:
        """Whether this reports an error of another packet, and quotes it."""
        return self.type < 128

    @property
    def fixed(self) -> tuple[Row, ...]:
        """The fields behind the checksum that a message of this type always has."""
        rows = BODIES.get(self.type, ())
        if self.type == LISTENER_QUERY and len(self.body) + HEADER_LENGTH >= QUERY_2_LENGTH:
            return rows + QUERY_2
        return rows

    @property
    def fixed_length(self) -> int:
        """The octets of these fields."""
        return sum(width for _, width in self.fixed) // 8

    def options(self) -> tuple[NdOption, ...]:
        """The options of a message of neighbour discovery.

        Raises BadPacket icmpv6_bad_option; never after `parse`, which has checked this.
        """
        if self.type not in WITH_OPTIONS:
            return ()
        options = []
        at, size = self.fixed_length, len(self.body)
        while at < size:
            length = 8 * self.body[at + 1] if at + 1 < size else 0
            if not length or at + length > size:
                raise BadPacket("icmpv6_bad_option")
            options.append(NdOption(self.body[at], self.body[at + 2 : at + length]))
            at += length
        return tuple(options)

    def records(self) -> tuple[tuple[int, int], ...]:
        """Where each multicast address record of a listener report begins and ends in the body.

        Raises BadPacket icmpv6_bad_record; never after `parse`, which has checked this.
        """
        if self.type != LISTENER_REPORT_2:
            return ()
        places = []
        at = self.fixed_length
        for _ in range(int.from_bytes(self.body[2:4], "big")):
            if at + 20 > len(self.body):
                raise BadPacket("icmpv6_bad_record")
            sources = int.from_bytes(self.body[at + 2 : at + 4], "big")
            end = at + 20 + 16 * sources + 4 * self.body[at + 1]
            if end > len(self.body):
                raise BadPacket("icmpv6_bad_record")
            places.append((at, end))
            at = end
        return tuple(places)

    def build(self) -> bytes:
        """The octets of the message, with `checksum` as it is."""
        return _HEADER.pack(self.type, self.code, self.checksum) + self.body
