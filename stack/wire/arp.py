"""The ARP packet, which RARP and InARP use too.

See RFC 826, RFC 903, RFC 2390 and RFC 1122 section 2.3.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from stack.errors import BadPacket
from stack.wire.checksum import Buffer

HARDWARE_ETHERNET = 1
HARDWARE_IEEE802 = 6
PROTOCOL_IPV4 = 0x0800

REQUEST = 1
REPLY = 2
REVERSE_REQUEST = 3
REVERSE_REPLY = 4
DYNAMIC_REVERSE_REQUEST = 5
DYNAMIC_REVERSE_REPLY = 6
DYNAMIC_REVERSE_ERROR = 7
INVERSE_REQUEST = 8
INVERSE_REPLY = 9

OPERATIONS: dict[int, str] = {
    REQUEST: "request",
    REPLY: "reply",
    REVERSE_REQUEST: "reverse request",
    REVERSE_REPLY: "reverse reply",
    DYNAMIC_REVERSE_REQUEST: "dynamic reverse request",
    DYNAMIC_REVERSE_REPLY: "dynamic reverse reply",
    DYNAMIC_REVERSE_ERROR: "dynamic reverse error",
    INVERSE_REQUEST: "inverse request",
    INVERSE_REPLY: "inverse reply",
}
"""ar$op: 1-2 RFC 826, 3-4 RFC 903, 5-7 RFC 1931, 8-9 RFC 2390."""

LENGTH = 28
_PACKET = struct.Struct("!HHBBH6s4s6s4s")


@dataclass(frozen=True, slots=True)
class ArpPacket:
    """RFC 826, "Packet format", for IPv4 on Ethernet:

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |    ar$hrd (hardware type)     |    ar$pro (protocol type)     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |  ar$hln (6)   |  ar$pln (4)   |       ar$op (operation)       |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                   ar$sha (sender MAC) bytes 0-3               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          ar$sha bytes 4-5     |   ar$spa (sender IP) 0-1      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          ar$spa bytes 2-3     |   ar$tha (target MAC) 0-1     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                          ar$tha bytes 2-5                     |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       ar$tpa (target IP)                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """

    operation: int
    sender_mac: bytes
    sender_ip: bytes
    target_mac: bytes
    target_ip: bytes
    hardware_type: int = HARDWARE_ETHERNET
    protocol_type: int = PROTOCOL_IPV4

    @classmethod
    def parse(cls, data: Buffer) -> ArpPacket:
        """Parse a packet.

        Bytes after the 28 of the packet are padding. Every operation is accepted. The checks are in
        RFC 826's order: first the hardware type and its length, then the protocol type and its
        length. Hardware type 6, IEEE 802, is accepted like 1, Ethernet. Raises BadPacket
        arp_truncated, arp_bad_hardware, arp_bad_protocol.
        """
        if len(data) < LENGTH:
            raise BadPacket("arp_truncated")
        (
            hardware_type,
            protocol_type,
            hardware_length,
            protocol_length,
            operation,
            sender_mac,
            sender_ip,
            target_mac,
            target_ip,
        ) = _PACKET.unpack_from(data)
        if hardware_type not in (HARDWARE_ETHERNET, HARDWARE_IEEE802) or hardware_length != 6:
            raise BadPacket("arp_bad_hardware")
        if protocol_type != PROTOCOL_IPV4 or protocol_length != 4:
            raise BadPacket("arp_bad_protocol")
        return cls(operation, sender_mac, sender_ip, target_mac, target_ip, hardware_type, protocol_type)

    def build(self) -> bytes:
        """The 28 bytes of the packet.

        The device adds the 18 bytes of padding that an Ethernet frame needs.
        """
        return _PACKET.pack(
            self.hardware_type,
            self.protocol_type,
            6,
            4,
            self.operation,
            self.sender_mac,
            self.sender_ip,
            self.target_mac,
            self.target_ip,
        )
