"""Ethernet II, IEEE 802.3 with LLC and SNAP, 802.1Q tags. See RFC 894 and RFC 1042.

The frame check sequence is not in the fields: the device verifies it and takes it off.
"""

from __future__ import annotations

from stack.dissection.layer import Layer, Table
from stack.dissection.texts import station, station_words
from stack.wire.ethernet import OUI_ETHERTYPE, EthernetHeader, LlcHeader
from stack.wire.numbers import ETHERTYPE_SERVICE_VLAN, ETHERTYPES, LLC_SAPS, ethertype_name


class Ethernet(Layer):
    """The two station addresses, and tags if there are any."""

    __slots__ = ()
    name = "Ethernet"
    rfc = "RFC 894"
    header: EthernetHeader

    def _from_to(self) -> str:
        header = self.header
        text = f"{station(header.source)} > {station(header.destination)}"
        for tag in header.tags:
            service = "service " if tag.tpid == ETHERTYPE_SERVICE_VLAN else ""
            text += f", {service}VLAN {tag.vlan} priority {tag.priority}{' drop eligible' if tag.drop_eligible else ''}"
        return text

    def _addresses(self, row: Table) -> None:
        header = self.header
        row.octets("Destination Address", 6, station_words(header.destination))
        row.octets("Source Address", 6, station_words(header.source))
        for tag in header.tags:
            vlan = f"VLAN {tag.vlan}" if tag.vlan else "0: no VLAN, the tag carries only a priority"
            drop = "may be dropped first" if tag.drop_eligible else "not set"
            row.number("Tag Protocol Identifier", 16, f"0x{tag.tpid:04x}, {ethertype_name(tag.tpid)}")
            row.number("Priority Code Point", 3, f"priority {tag.priority} of 0 to 7")
            row.number("Drop Eligible Indicator", 1, drop)
            row.number("VLAN Identifier", 12, vlan)


class EthernetII(Ethernet):
    """The form that a host sends: the type says what follows."""

    __slots__ = ()
    name = "Ethernet II"

    def text(self) -> str:
        """The addresses, the tags and the type."""
        return f"Ethernet II {self._from_to()}, type {ethertype_name(self.header.ethertype)}"

    def table(self, row: Table) -> None:
        """RFC 894; IEEE 802.1Q section 9.6 for the tags."""
        self._addresses(row)
        row.number("Type", 16, f"0x{self.header.ethertype:04x}, {ethertype_name(self.header.ethertype)}")


class Ieee8023(Ethernet):
    """The same with a length in the place of the type. LLC follows."""

    __slots__ = ()
    name = "IEEE 802.3"
    rfc = "RFC 1042"

    def text(self) -> str:
        """The addresses, the tags and the length."""
        return f"IEEE 802.3 {self._from_to()}, length {self.header.length}"

    def table(self, row: Table) -> None:
        """RFC 1042. A value up to 1500 is a length, one from 0x0600 on is a type."""
        self._addresses(row)
        row.number("Length", 16, f"{self.header.length} octets of LLC and data follow (up to 1500 this is no type)")


class Llc(Layer):
    """IEEE 802.2 logical link control, and the Subnetwork Access Protocol behind it."""

    __slots__ = ()
    name = "LLC"
    rfc = "RFC 1042"
    header: LlcHeader

    def text(self) -> str:
        """The two SAPs; with SNAP, the protocol."""
        llc = self.header
        if llc.oui is None:
            return f"LLC {_source_sap(llc.ssap)} > {_sap(llc.dsap)}, control 0x{llc.control.hex()}"
        if llc.oui == OUI_ETHERTYPE:
            return f"LLC/SNAP type {ethertype_name(llc.ethertype)}"
        return f"LLC/SNAP organization {llc.oui.hex('-')}, protocol 0x{llc.protocol_id:04x}"

    def table(self, row: Table) -> None:
        """RFC 1042, "Header Format"."""
        llc = self.header
        row.number("DSAP", 8, f"0x{llc.dsap:02x}, {_sap(llc.dsap)}")
        row.number("SSAP", 8, f"0x{llc.ssap:02x}, {_source_sap(llc.ssap)}")
        kind = "an unnumbered frame" if len(llc.control) == 1 else "a numbered frame"
        row.number("Control", 8 * len(llc.control), f"0x{llc.control.hex()}, {kind}")
        if llc.oui is not None:
            ours = llc.oui == OUI_ETHERTYPE
            row.octets("Organization Code", 3, "the next field is an EtherType" if ours else llc.oui.hex("-"))
            row.number("EtherType" if ours else "Protocol Id", 16, _protocol(llc))


def _protocol(llc: LlcHeader) -> str:
    text = f"0x{llc.protocol_id:04x}"
    return f"{text}, {ETHERTYPES.get(llc.ethertype, 'unassigned')}" if llc.oui == OUI_ETHERTYPE else text


def _sap(sap: int) -> str:
    return LLC_SAPS.get(sap) or f"SAP 0x{sap:02x}"


def _source_sap(sap: int) -> str:
    # The lowest bit of a source SAP is not part of the SAP: it tells a command from a response.
    return LLC_SAPS.get(sap) or LLC_SAPS.get(sap & 0xFE) or f"SAP 0x{sap:02x}"
