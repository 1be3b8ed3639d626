"""IPv6 and its extension headers. See RFC 8200 sections 3 and 4; RFC 5952 for addresses as text."""

from __future__ import annotations

from functools import lru_cache

from stack.dissection.ipv4 import DSCP, ECN
from stack.dissection.layer import Layer, Table, count
from stack.dissection.texts import REMEMBERED
from stack.errors import BadPacket
from stack.wire import ipv6
from stack.wire.ipv6 import ExtensionHeader, Ipv6Header, Ipv6Option, format_ipv6
from stack.wire.numbers import protocol_name


@lru_cache(maxsize=REMEMBERED)
def from_to(source: bytes, destination: bytes) -> str:
    """Two IPv6 addresses: "2001:db8::1 > 2001:db8::2"."""
    return f"{format_ipv6(source)} > {format_ipv6(destination)}"


def next_header_name(number: int) -> str:
    """What follows: an extension header, or a protocol."""
    if number == ipv6.NO_NEXT_HEADER:
        return "no next header"
    name = ipv6.EXTENSIONS.get(number)
    return f"{name} header" if name else protocol_name(number)


class Ipv6(Layer):
    """The header of 40 octets. `mtu` is the link's, or None if it is not known."""

    __slots__ = ("mtu",)
    name = "IPv6"
    rfc = "RFC 8200 section 3"
    header: Ipv6Header

    def __init__(self, octets: memoryview, offset: int, header: Ipv6Header, depth: int, mtu: int | None) -> None:
        super().__init__(octets, offset, header, depth)
        self.mtu = mtu

    def text(self) -> str:
        """Addresses, what follows, length, hop limit, and what is not as usual."""
        header, mtu = self.header, self.mtu
        length = ipv6.HEADER_LENGTH + header.payload_length
        above = f" (a super-frame, above the MTU of {mtu})" if mtu is not None and length > mtu else ""
        traffic = header.traffic_class
        klass = f", traffic class 0x{traffic:02x} (dscp {header.dscp} ecn {header.ecn})" if traffic else ""
        flow = f", flow label 0x{header.flow_label:05x}" if header.flow_label else ""
        return (
            f"IPv6 {from_to(header.source, header.destination)}, {next_header_name(header.next_header)}, "
            f"length {length}{above}, hop limit {header.hop_limit}{klass}{flow}"
        )

    def table(self, row: Table) -> None:
        """RFC 8200 section 3. The traffic class is drawn in its two parts (section 7)."""
        header = self.header
        row.number("Version", 4, "IPv6")
        row.number("DSCP", 6, f"traffic class: {DSCP.get(header.dscp, 'not assigned')}")
        row.number("ECN", 2, f"traffic class: {ECN[header.ecn]}")
        row.number("Flow Label", 20, "the packets of a flow have the same" if header.flow_label else "none")
        row.number("Payload Length", 16, f"{count(header.payload_length, 'octet')} after this header")
        row.number("Next Header", 8, next_header_name(header.next_header))
        row.number("Hop Limit", 8, f"at most {count(header.hop_limit, 'more hop')}")
        row.octets("Source Address", 16, format_ipv6(header.source))
        row.octets("Destination Address", 16, format_ipv6(header.destination))


class Ipv6Extension(Layer):
    """An extension header."""

    __slots__ = ()
    name = "IPv6 extension"
    rfc = "RFC 8200 section 4"
    header: ExtensionHeader

    def text(self) -> str:
        """What it is, and what follows."""
        header, detail = self.header, ""
        if header.kind == ipv6.FRAGMENT:
            more = ", more fragments" if header.more_fragments else ""
            detail = f", offset {header.fragment_offset}, id {header.identification}{more}"
        elif header.kind == ipv6.ROUTING:
            detail = f", {_routing_type(header.data[0])}, {header.data[1]} segments left"
        elif header.kind in ipv6.WITH_OPTIONS:
            detail = f", options [{_options_text(header)}]"
        return f"IPv6 {ipv6.EXTENSIONS[header.kind]}, {next_header_name(header.next_header)}{detail}"

    @property
    def error(self) -> str:
        """ipv6_bad_option, or nothing."""
        if self.header.kind not in ipv6.WITH_OPTIONS:
            return ""
        try:
            ipv6.split_options(self.header.data)
        except BadPacket as error:
            return error.reason
        return ""

    def table(self, row: Table) -> None:
        """RFC 8200 sections 4.3 to 4.6."""
        header = self.header
        row.number("Next Header", 8, next_header_name(header.next_header))
        if header.kind == ipv6.FRAGMENT:
            offset = header.fragment_offset
            row.number("Reserved", 8)
            row.number("Fragment Offset", 13, f"{offset // 8} units of 8 octets: the data begins at octet {offset}")
            row.number("Res", 2)
            row.number("M", 1, "more fragments follow" if header.more_fragments else "the last fragment")
            row.number("Identification", 32, "all fragments of a packet have the same")
            return
        unit = "4 octets, without two of them" if header.kind == ipv6.AUTHENTICATION else "8 octets, without the first"
        row.number("Hdr Ext Len", 8, f"{header.length} octets: this counts units of {unit}")
        if header.kind == ipv6.ROUTING:
            row.number("Routing Type", 8, _routing_type(header.data[0]))
            row.number("Segments Left", 8, f"{header.data[1]} more nodes to visit")
            row.octets("type-specific data", len(header.data) - 2)
        elif header.kind in ipv6.WITH_OPTIONS and not self.error:
            for option in ipv6.split_options(header.data):
                _option(row, option)


def _routing_type(kind: int) -> str:
    return ipv6.ROUTING_TYPES.get(kind) or f"routing type {kind}"


def _option_name(option: Ipv6Option) -> str:
    return ipv6.OPTION_NAMES.get(option.type) or f"option 0x{option.type:02x}"


def _options_text(header: ExtensionHeader) -> str:
    """The names of the options, without padding."""
    try:
        options = ipv6.split_options(header.data)
    except BadPacket:
        return f"malformed {header.data[:32].hex()}"
    return ", ".join(_option_name(option) for option in options if option.type not in (ipv6.PAD_1, ipv6.PAD_N))


def _option(row: Table, option: Ipv6Option) -> None:
    """RFC 8200 section 4.2. Pad1 is one octet."""
    change = "may change on the way" if option.may_change else "does not change on the way"
    row.number("Option Type", 8, f"{_option_name(option)}; a node that does not know it: {option.action}; {change}")
    if option.type != ipv6.PAD_1:
        row.number("Opt Data Len", 8, count(len(option.data), "octet"))
        row.octets("Option Data", len(option.data), option.data[:32].hex())
