"""The headers of "cooked" captures of Linux. See `stack.wire.linux_cooked`."""

from __future__ import annotations

from stack.dissection.layer import Layer, Table
from stack.dissection.texts import station, station_words
from stack.wire.linux_cooked import ARPHRD_NETLINK, ARPHRD_TYPES, PACKET_TYPES, PROTOCOLS, LinuxCookedHeader
from stack.wire.numbers import ethertype_name


class LinuxCooked(Layer):
    """The first version, LINKTYPE_LINUX_SLL."""

    __slots__ = ()
    name = "Linux cooked"
    rfc = "LINKTYPE_LINUX_SLL"
    header: LinuxCookedHeader

    def text(self) -> str:
        """The direction, the sender's address, the kind of the interface, and what follows."""
        header = self.header
        direction = PACKET_TYPES.get(header.packet_type, f"packet type {header.packet_type}")
        sender = header.sender
        who = f", sender {station(sender)}" if len(sender) == 6 else f", sender {sender.hex()}" if sender else ""
        interface = f", interface {header.interface}" if header.version == 2 else ""
        return f"{self.name} {direction}{who}{interface}, {self._kind()}, type {self._protocol()}"

    def _kind(self) -> str:
        return ARPHRD_TYPES.get(self.header.arphrd, f"ARPHRD type {self.header.arphrd}")

    def _protocol(self) -> str:
        header = self.header
        if header.arphrd == ARPHRD_NETLINK:
            return f"netlink {header.protocol}"
        if header.ethertype:
            return ethertype_name(header.ethertype)
        return PROTOCOLS.get(header.protocol, f"0x{header.protocol:04x}")

    def _address(self) -> str:
        sender = self.header.sender
        if len(sender) == 6:
            return f"the sender's: {station_words(sender)}"
        return f"the sender's: {sender.hex(':')}" if sender else "the link has no addresses"

    def table(self, row: Table) -> None:
        """The figure of https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html."""
        header = self.header
        row.number("Packet type", 16, PACKET_TYPES.get(header.packet_type, "unassigned"))
        row.number("ARPHRD_ type", 16, f"the interface is of this kind: {self._kind()}")
        row.number("Link-layer address length", 16, f"{header.address_length} octets of the next field count")
        row.octets("Link-layer address", 8, self._address())
        row.number("Protocol type", 16, f"0x{header.protocol:04x}, {self._protocol()}")


class LinuxCooked2(LinuxCooked):
    """The second version, LINKTYPE_LINUX_SLL2."""

    __slots__ = ()
    name = "Linux cooked v2"
    rfc = "LINKTYPE_LINUX_SLL2"

    def table(self, row: Table) -> None:
        """The figure of https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html."""
        header = self.header
        row.number("Protocol type", 16, f"0x{header.protocol:04x}, {self._protocol()}")
        row.number("Reserved (MBZ)", 16, "must be zero")
        row.number("Interface index", 32, "the number of the interface on the capturing host")
        row.number("ARPHRD_ type", 16, f"the interface is of this kind: {self._kind()}")
        row.number("Packet type", 8, PACKET_TYPES.get(header.packet_type, "unassigned"))
        row.number("Link-layer address length", 8, f"{header.address_length} octets of the next field count")
        row.octets("Link-layer address", 8, self._address())
