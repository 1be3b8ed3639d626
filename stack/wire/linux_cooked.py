"""The headers that Linux makes up for frames whose link headers differ: "cooked" captures.

A capture on the interface "any" has frames of several kinds of links. The link header of each is
taken off, and one of these two takes its place. They were never on a wire. See LINKTYPE_LINUX_SLL
(113) and LINKTYPE_LINUX_SLL2 (276) at https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from stack.errors import BadPacket
from stack.wire.checksum import Buffer

TO_US, BROADCAST, MULTICAST, TO_ANOTHER_HOST, FROM_US = range(5)
PACKET_TYPES: dict[int, str] = {
    TO_US: "to us",
    BROADCAST: "broadcast by another host",
    MULTICAST: "multicast by another host",
    TO_ANOTHER_HOST: "from another host to another host",
    FROM_US: "from us",
}

ARPHRD_ETHERNET = 1
ARPHRD_LOOPBACK = 772
ARPHRD_NETLINK = 824
ARPHRD_TYPES: dict[int, str] = {
    0: "NET/ROM",
    ARPHRD_ETHERNET: "Ethernet",
    6: "IEEE 802",
    32: "InfiniBand",
    280: "CAN",
    512: "PPP",
    768: "IPv4 tunnel",
    769: "IPv6 tunnel",
    ARPHRD_LOOPBACK: "loopback",
    776: "IPv6 in IPv4",
    778: "GRE over IPv4",
    801: "IEEE 802.11",
    803: "IEEE 802.11 with radiotap",
    823: "GRE over IPv6",
    ARPHRD_NETLINK: "netlink",
    65534: "no link header",
}
"""The kind of the interface, from Linux's include/uapi/linux/if_arp.h."""

MIN_ETHERTYPE = 0x0600
PROTOCOLS: dict[int, str] = {1: "Novell 802.3 without LLC", 4: "802.2 LLC"}
"""The values of the protocol type that are no EtherTypes."""
PROTOCOL_LLC = 4

_V1 = struct.Struct("!HHH8sH")
_V2 = struct.Struct("!HHIHBB8s")


@dataclass(frozen=True, slots=True)
class LinuxCookedHeader:
    """Version 1, LINKTYPE_LINUX_SLL, 16 octets:

    +---------------------------+
    |    Packet type (2)        |
    +---------------------------+
    |    ARPHRD_ type (2)       |
    +---------------------------+
    |    Link-layer address     |
    |    length (2)             |
    +---------------------------+
    |    Link-layer address (8) |
    +---------------------------+
    |    Protocol type (2)      |
    +---------------------------+

    Version 2, LINKTYPE_LINUX_SLL2, has 20 octets. Its order is: protocol type (2), reserved (2),
    interface index (4), ARPHRD_ type (2), packet type (1), link-layer address length (1),
    link-layer address (8).

    `address` is the sender's. It has 8 octets; `address_length` of them count, or all if that is
    larger.
    """

    protocol: int
    packet_type: int
    arphrd: int
    address_length: int = 0
    address: bytes = bytes(8)
    version: int = 1
    interface: int = 0
    reserved: int = 0

    @classmethod
    def parse(cls, data: Buffer) -> LinuxCookedHeader:
        """Parse a header of version 1. Raises BadPacket linux_cooked_truncated."""
        if len(data) < _V1.size:
            raise BadPacket("linux_cooked_truncated")
        packet_type, arphrd, length, address, protocol = _V1.unpack_from(data)
        return cls(protocol, packet_type, arphrd, length, address)

    @classmethod
    def parse_v2(cls, data: Buffer) -> LinuxCookedHeader:
        """Parse a header of version 2. Raises BadPacket linux_cooked_truncated."""
        if len(data) < _V2.size:
            raise BadPacket("linux_cooked_truncated")
        protocol, reserved, interface, arphrd, packet_type, length, address = _V2.unpack_from(data)
        return cls(protocol, packet_type, arphrd, length, address, 2, interface, reserved)

    @property
    def header_length(self) -> int:
        """The length of the header in bytes. The payload starts there."""
        return _V1.size if self.version == 1 else _V2.size

    @property
    def ethertype(self) -> int:
        """The protocol type, if it is an EtherType, else 0. That of netlink is none."""
        return self.protocol if self.protocol >= MIN_ETHERTYPE and self.arphrd != ARPHRD_NETLINK else 0

    @property
    def sender(self) -> bytes:
        """The octets of the address that count: 6 for Ethernet, none for a tunnel."""
        return self.address[: self.address_length]

    def build(self) -> bytes:
        """The bytes of the header."""
        kind, arphrd, length, address = self.packet_type, self.arphrd, self.address_length, self.address
        if self.version == 1:
            return _V1.pack(kind, arphrd, length, address, self.protocol)
        return _V2.pack(self.protocol, self.reserved, self.interface, arphrd, kind, length, address)
