"""ICMPv6. See RFC 4443; RFC 4861 (neighbour discovery), RFC 2710 and RFC 3810 (listeners)."""

from __future__ import annotations

from collections.abc import Iterable

from stack.dissection import checksums
from stack.dissection.layer import Layer, Table, count, shown
from stack.dissection.texts import set_or_not
from stack.wire import icmpv6
from stack.wire.addresses import format_mac
from stack.wire.icmpv6 import Icmpv6Message, NdOption, Row
from stack.wire.ipv6 import format_ipv6
from stack.wire.numbers import ICMPV6_CODES, ICMPV6_TYPES, icmpv6_name

CHECKSUM_AT = 2
_WHOLE = (*icmpv6.WITH_OPTIONS, icmpv6.LISTENER_REPORT_2, icmpv6.LISTENER_QUERY)
"""The types whose layer has all octets; others carry data or a packet."""
_INFINITY = 0xFFFFFFFF
_FLAGS = {
    (icmpv6.ROUTER_ADVERTISEMENT, "M"): "managed: addresses are given by DHCPv6",
    (icmpv6.ROUTER_ADVERTISEMENT, "O"): "other configuration is given by DHCPv6",
    (icmpv6.ROUTER_ADVERTISEMENT, "H"): "a home agent (RFC 6275)",
    (icmpv6.NEIGHBOR_ADVERTISEMENT, "R"): "the sender is a router",
    (icmpv6.NEIGHBOR_ADVERTISEMENT, "S"): "solicited: an answer",
    (icmpv6.NEIGHBOR_ADVERTISEMENT, "O"): "override what is cached",
    (icmpv6.LISTENER_QUERY, "S"): "suppress what routers do",
    (-icmpv6.PREFIX_INFORMATION, "L"): "on-link: hosts with the prefix need no router between them",
    (-icmpv6.PREFIX_INFORMATION, "A"): "autonomous: hosts may form addresses with the prefix",
}
"""By type and name; an option has its type with a minus."""
_UNITS = {
    "MTU": "octets fit",
    "Cur Hop Limit": "hops for packets that are sent",
    "Router Lifetime": "seconds as a default router",
    "Reachable Time": "ms (0: not said)",
    "Retrans Timer": "ms (0: not said)",
    "Valid Lifetime": "seconds",
    "Preferred Lifetime": "seconds",
    "Route Lifetime": "seconds",
    "Lifetime": "seconds",
    "Prefix Length": "bits",
    "Aux Data Len": "words of 32 bits",
    "Pointer": "octets into the quoted packet",
}
_RFCS = {
    icmpv6.LISTENER_QUERY: "RFC 2710 section 3",
    icmpv6.LISTENER_REPORT: "RFC 2710 section 3",
    icmpv6.LISTENER_DONE: "RFC 2710 section 3",
    icmpv6.ROUTER_SOLICITATION: "RFC 4861 section 4.1",
    icmpv6.ROUTER_ADVERTISEMENT: "RFC 4861 section 4.2",
    icmpv6.NEIGHBOR_SOLICITATION: "RFC 4861 section 4.3",
    icmpv6.NEIGHBOR_ADVERTISEMENT: "RFC 4861 section 4.4",
    icmpv6.REDIRECT: "RFC 4861 section 4.5",
    icmpv6.LISTENER_REPORT_2: "RFC 3810 section 5.2",
}
"""Where the message of a type is drawn; the others are in RFC 4443."""
_QUERY_2_LENGTH = 28
"""From this length on a query is of version 2 (RFC 3810 section 8.1)."""
_PREFERENCES = ("medium", "high", "reserved", "low")
"""RFC 4191 section 2.1."""


class Icmpv6(Layer):
    """A message without the data or the packet that it carries.

    `message` are all its octets. `pseudo` is the pseudo-header's sum, or None if the checksum
    cannot be verified.
    """

    __slots__ = ("message", "pseudo", "rfc")
    name = "ICMPv6"
    header: Icmpv6Message

    def __init__(self, message: memoryview, offset: int, header: Icmpv6Message, depth: int, pseudo: int | None) -> None:
        size = len(message) if header.type in _WHOLE else icmpv6.HEADER_LENGTH + header.fixed_length
        super().__init__(message[:size], offset, header, depth)
        self.message, self.pseudo = message, pseudo
        self.rfc = _RFCS.get(header.type, "RFC 4443 section 2.1")
        if header.type == icmpv6.LISTENER_QUERY and len(message) >= _QUERY_2_LENGTH:
            self.rfc = "RFC 3810 section 5.1"

    @property
    def verdict(self) -> str:
        """What can be said of the checksum."""
        return checksums.judge(self.header.checksum, self.message, self.pseudo)

    @property
    def error(self) -> str:
        """icmpv6_bad_checksum, or nothing."""
        return "icmpv6_bad_checksum" if self.verdict == checksums.WRONG else ""

    def text(self) -> str:
        """Type, code and what the message is about."""
        message, body = self.header, self.header.body
        kind, text = message.type, ""
        if kind in (icmpv6.ECHO_REQUEST, icmpv6.ECHO_REPLY):
            identifier, sequence = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
            text = f", identifier {identifier}, sequence {sequence}"
        elif kind in (icmpv6.NEIGHBOR_SOLICITATION, icmpv6.NEIGHBOR_ADVERTISEMENT, icmpv6.REDIRECT):
            text = f", target {format_ipv6(body[4:20])}"
        elif kind in (icmpv6.LISTENER_QUERY, icmpv6.LISTENER_REPORT, icmpv6.LISTENER_DONE):
            text = f", group {format_ipv6(body[4:20])}"
        elif kind == icmpv6.LISTENER_REPORT_2:
            text = "".join(f", group {format_ipv6(body[at + 4 : at + 20])}" for at, _ in message.records()[:4])
        elif kind in (icmpv6.PACKET_TOO_BIG, icmpv6.PARAMETER_PROBLEM):
            number = int.from_bytes(body[:4], "big")
            text = f", MTU {number}" if kind == icmpv6.PACKET_TOO_BIG else f", at byte {number}"
        for option in message.options()[:4]:
            if option.type in (icmpv6.SOURCE_LINK_LAYER, icmpv6.TARGET_LINK_LAYER) and len(option.data) == 6:
                text += f", {icmpv6.OPTION_NAMES[option.type]} {format_mac(option.data)}"
        return f"ICMPv6 {icmpv6_name(kind, message.code)}{text}{checksums.note(self.verdict, message.checksum)}"

    def table(self, row: Table) -> None:
        """The fields that all messages have, those of the type, then options or records."""
        message = self.header
        checksum = checksums.words(self.verdict, message.checksum, self.message, self.pseudo, CHECKSUM_AT)
        row.number("Type", 8, ICMPV6_TYPES.get(message.type, "unassigned"))
        row.number("Code", 8, ICMPV6_CODES.get((message.type, message.code), "" if message.code else "none"))
        row.number("Checksum", 16, checksum)
        at = _rows(row, message.type, message.fixed, message.body)
        for option in message.options():
            _option(row, option)
        for begin, end in message.records():
            at = begin + _rows(row, message.type, icmpv6.RECORD, message.body[begin:end])
            sources = int.from_bytes(message.body[begin + 2 : begin + 4], "big")
            _addresses(row, "Source Address", message.body[at : at + 16 * sources])
            row.octets("Auxiliary Data", end - at - 16 * sources)
        if message.type == icmpv6.LISTENER_QUERY:
            _addresses(row, "Source Address", message.body[at:])


def _rows(row: Table, kind: int, rows: Iterable[Row], octets: bytes) -> int:
    """Fields by a table of names and widths. Returns how many octets they have."""
    number, size, bit = int.from_bytes(octets, "big"), 8 * len(octets), 0
    for name, width in rows:
        value = number >> (size - bit - width) & ((1 << width) - 1) if bit + width <= size else 0
        if width > 64:
            row.octets(name, width // 8, format_ipv6(octets[bit // 8 : (bit + width) // 8].ljust(16, b"\0")[:16]))
        elif width > 32:
            row.octets(name, width // 8)
        else:
            row.number(name, width, _words(kind, name, width, value))
        bit += width
    return bit // 8


def _words(kind: int, name: str, width: int, value: int) -> str:
    """What a field of a message, a record or an option means."""
    if name.endswith("Lifetime") and width == 32 and value == _INFINITY:
        return "infinity"
    if name in _UNITS:
        unit, blank, rest = _UNITS[name].partition(" ")
        if value == 1 and unit in ("seconds", "bits", "words", "hops"):
            unit = unit.removesuffix("s")
        return f"{value} {unit}{blank}{rest}"
    if name == "Record Type":
        return icmpv6.RECORD_TYPES.get(value, "not assigned")
    if name == "Prf":
        return f"preference {_PREFERENCES[value]}"
    if width == 1:
        return set_or_not(value, _FLAGS.get((kind, name), name))
    if name in ("Identifier", "Sequence Number"):
        return "the reply has the same"
    return "" if name.startswith(("Res", "Unused")) else str(value)


def _option(row: Table, option: NdOption) -> None:
    """RFC 4861 section 4.6."""
    data = option.data
    row.number("Type", 8, f"option: {icmpv6.OPTION_NAMES.get(option.type, 'not read')}")
    row.number("Length", 8, f"{len(data) + 2} octets: this counts units of 8")
    if option.type in (icmpv6.SOURCE_LINK_LAYER, icmpv6.TARGET_LINK_LAYER) and len(data) == 6:
        row.octets("Link-Layer Address", 6, format_mac(data))
        return
    rows = icmpv6.OPTION_BODIES.get(option.type, ())
    size = sum(width for _, width in rows) // 8
    if size > len(data):
        row.octets("octets", len(data), shown(data))
        return
    _rows(row, -option.type, rows, data)
    if option.type == icmpv6.DNS_SERVERS:
        _addresses(row, "Address", data[size:])
    elif size < len(data):
        row.octets("rest of the option", len(data) - size, shown(data[size:]))


def _addresses(row: Table, name: str, octets: bytes) -> None:
    """Addresses one behind the other, and octets that are no whole address."""
    for at in range(0, len(octets) - 15, 16):
        row.octets(name, 16, format_ipv6(octets[at : at + 16]))
    rest = len(octets) % 16
    row.octets("rest", rest, count(rest, "octet"))
