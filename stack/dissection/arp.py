"""ARP, RARP and InARP. See RFC 826, RFC 903 and RFC 2390."""

from __future__ import annotations

from stack.dissection.layer import Layer, Table
from stack.dissection.texts import address, station, station_words
from stack.wire.arp import HARDWARE_ETHERNET, OPERATIONS, REPLY, REQUEST, ArpPacket
from stack.wire.numbers import ethertype_name


class Arp(Layer):
    """A request or a reply for IPv4 on Ethernet."""

    __slots__ = ()
    name = "ARP"
    rfc = "RFC 826"
    header: ArpPacket

    def text(self) -> str:
        """Who asks or answers, as a sentence."""
        packet = self.header
        operation = OPERATIONS.get(packet.operation) or f"operation {packet.operation}"
        sender = f"{address(packet.sender_ip)} at {station(packet.sender_mac)}"
        if packet.operation == REQUEST and packet.sender_ip == bytes(4):
            detail = f"is {address(packet.target_ip)} in use? asks {station(packet.sender_mac)} (probe)"
        elif packet.operation in (REQUEST, REPLY) and packet.sender_ip == packet.target_ip:
            detail = f"{sender} (announcement)"
        elif packet.operation == REQUEST:
            detail = f"who has {address(packet.target_ip)}? tell {sender}"
        else:
            target = f"{address(packet.target_ip)} at {station(packet.target_mac)}"
            detail = f"{sender}, to {target}" if packet.operation == REPLY else f"sender {sender}, target {target}"
        return f"{self.name} {operation}, {detail}"

    def table(self, row: Table) -> None:
        """RFC 826, "Packet format"."""
        packet = self.header
        ethernet = packet.hardware_type == HARDWARE_ETHERNET
        row.number("ar$hrd", 16, f"hardware type {packet.hardware_type}, {'Ethernet' if ethernet else 'IEEE 802'}")
        row.number("ar$pro", 16, f"protocol type 0x{packet.protocol_type:04x}, {ethertype_name(packet.protocol_type)}")
        row.number("ar$hln", 8, "a hardware address has 6 octets")
        row.number("ar$pln", 8, "a protocol address has 4 octets")
        row.number("ar$op", 16, OPERATIONS.get(packet.operation, "unassigned"))
        row.octets("ar$sha", 6, f"sender hardware address {station_words(packet.sender_mac)}")
        row.octets("ar$spa", 4, f"sender protocol address {address(packet.sender_ip)}")
        unknown = " (not known yet, or not used)" if packet.operation == REQUEST and not any(packet.target_mac) else ""
        row.octets("ar$tha", 6, f"target hardware address {station_words(packet.target_mac)}{unknown}")
        row.octets("ar$tpa", 4, f"target protocol address {address(packet.target_ip)}")


class Rarp(Arp):
    """The same packet under another EtherType: which protocol address has this station?"""

    __slots__ = ()
    name = "RARP"
    rfc = "RFC 903"
