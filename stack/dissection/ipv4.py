"""IPv4. See RFC 791 section 3.1; RFC 2474 and RFC 3168 for what became of the type of service."""

from __future__ import annotations

from stack.dissection import checksums
from stack.dissection.ipv4_options import options_table
from stack.dissection.layer import Layer, Table, count
from stack.dissection.show_options import ipv4_options
from stack.dissection.texts import from_to
from stack.wire.addresses import format_ipv4
from stack.wire.checksum import internet_checksum
from stack.wire.ipv4 import CHECKSUM_AT, Ipv4Header
from stack.wire.numbers import IP_PROTOCOLS, protocol_name

PRECEDENCE = (
    "routine",
    "priority",
    "immediate",
    "flash",
    "flash override",
    "CRITIC/ECP",
    "internetwork control",
    "network control",
)
"""RFC 791: the words for the first three bits of the type of service, by their value."""

ECN = ("Not-ECT: no ECN", "ECT(1): ECN can be used", "ECT(0): ECN can be used", "CE: congestion experienced")
"""RFC 3168: the words for the last two bits of the type of service, by their value."""

DSCP = {
    0: "CS0, default",
    1: "LE, lower effort",
    44: "VOICE-ADMIT",
    46: "EF, expedited forwarding",
    **{8 * number: f"CS{number}, class selector" for number in range(1, 8)},
    **{8 * a + 2 * b: f"AF{a}{b}, assured forwarding" for a in range(1, 5) for b in range(1, 4)},
}
"""RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622: the names of differentiated services."""


class Ipv4(Layer):
    """A header with its options. `mtu` is the link's, or None if it is not known."""

    __slots__ = ("mtu",)
    name = "IPv4"
    rfc = "RFC 791 section 3.1"
    header: Ipv4Header

    def __init__(self, octets: memoryview, offset: int, header: Ipv4Header, depth: int, mtu: int | None) -> None:
        self.octets = octets
        self.offset = offset
        self.header = header
        self.depth = depth
        self.mtu = mtu

    @property
    def verdict(self) -> str:
        """What can be said of the checksum.

        Routers may have changed a header that an ICMP error quotes, so it is not verified there.
        """
        return checksums.judge(self.header.checksum or 0, self.octets, None if self.depth else 0)

    @property
    def error(self) -> str:
        """ipv4_bad_checksum, or nothing."""
        return "ipv4_bad_checksum" if self.verdict == checksums.WRONG else ""

    def text(self) -> str:
        """Addresses, protocol, length, fragment, TTL, and what is not as usual."""
        header, mtu = self.header, self.mtu
        flags = ", DF" if header.dont_fragment else ""
        if header.reserved or header.more_fragments:
            flags = (", reserved flag" if header.reserved else "") + flags + (", MF" if header.more_fragments else "")
        offset = (
            f", fragment offset {header.fragment_offset}" if header.more_fragments or header.fragment_offset else ""
        )
        tos = f", tos 0x{header.tos:02x} (dscp {header.dscp} ecn {header.ecn})" if header.tos else ""
        options = f", options [{ipv4_options(header.options)}]" if header.options else ""
        length = header.total_length
        protocol = IP_PROTOCOLS.get(header.protocol) or protocol_name(header.protocol)
        above = f" (a super-frame, above the MTU of {mtu})" if mtu is not None and length > mtu else ""
        wrong = not self.depth and internet_checksum(self.octets)
        note = checksums.note(self.verdict, header.checksum or 0) if wrong else ""
        return (
            f"IPv4 {from_to(header.source, header.destination)}, {protocol}, "
            f"length {length}{above}, id {header.identification}{flags}{offset}, ttl {header.ttl}{tos}{options}"
            f"{note}"
        )

    def table(self, row: Table) -> None:
        """RFC 791 figure 4. The type of service is drawn in bits, as below that figure."""
        header = self.header
        row.number("Version", 4, "IPv4")
        row.number("IHL", 4, f"the header has {header.header_length} octets: this counts words of 32 bits")
        _type_of_service(row, header)
        row.number("Total Length", 16, f"{header.total_length} octets, header included")
        row.number("Identification", 16, f"0x{header.identification:04x}: all fragments of a datagram have the same")
        row.number("Reserved", 1, "must be zero" if not header.reserved else "must be zero, and is not")
        row.number("DF", 1, "don't fragment" if header.dont_fragment else "may fragment")
        row.number("MF", 1, "more fragments follow" if header.more_fragments else "the last fragment, or the only one")
        row.number("Fragment Offset", 13, _offset(header))
        row.number("Time to Live", 8, f"at most {count(header.ttl, 'more hop')} (RFC 791: seconds)")
        row.number("Protocol", 8, protocol_name(header.protocol))
        row.number("Header Checksum", 16, self._checksum())
        row.octets("Source Address", 4, format_ipv4(header.source))
        row.octets("Destination Address", 4, format_ipv4(header.destination))
        options_table(row, header.options)

    def _checksum(self) -> str:
        found = self.header.checksum or 0
        if self.depth:
            return f"0x{found:04x}, not verified: routers may have changed a quoted header"
        return checksums.words(self.verdict, found, self.octets, 0, CHECKSUM_AT)


def _type_of_service(row: Table, header: Ipv4Header) -> None:
    """The octet as RFC 791 has it, with what RFC 2474 has made of its first six bits: the DSCP."""
    dscp = DSCP.get(header.dscp, "not assigned")
    row.number("Precedence", 3, f"{PRECEDENCE[header.precedence]}; now the first bits of DSCP {header.dscp}, {dscp}")
    row.number("D", 1, f"{'low' if header.tos & 0x10 else 'normal'} delay; now a bit of the DSCP")
    row.number("T", 1, f"{'high' if header.tos & 0x08 else 'normal'} throughput; now a bit of the DSCP")
    row.number("R", 1, f"{'high' if header.tos & 0x04 else 'normal'} reliability; now a bit of the DSCP")
    row.number("ECN", 2, f"{ECN[header.ecn]} (RFC 791: reserved)")


def _offset(header: Ipv4Header) -> str:
    units, octets = header.fragment_offset // 8, header.fragment_offset
    if not header.is_fragment:
        return "not a fragment"
    return f"{units} units of 8 octets: the data begins at octet {octets} of the whole datagram's data"
