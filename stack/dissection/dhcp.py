"""DHCP and BOOTP. See RFC 2131 section 2, RFC 951, RFC 2132 and RFC 3396 for the options."""

from __future__ import annotations

from stack.dissection.layer import Layer, Table, count, shown
from stack.dissection.payload import Payload
from stack.dissection.show_options import dhcp_message, dhcp_option
from stack.dissection.texts import set_or_not, station_words
from stack.errors import BadPacket
from stack.wire import dhcp as wire
from stack.wire.addresses import format_ipv4
from stack.wire.dhcp import DhcpMessage
from stack.wire.numbers import DHCP_MESSAGE_TYPES, DHCP_OPTION_KINDS, DHCP_OPTIONS

OPS = {wire.BOOT_REQUEST: "BOOTREQUEST, from a client", wire.BOOT_REPLY: "BOOTREPLY, from a server"}


class Dhcp(Layer):
    """A whole message."""

    __slots__ = ()
    name = "DHCP"
    rfc = "RFC 2131 section 2"
    header: DhcpMessage

    def text(self) -> str:
        """The message as one line."""
        return dhcp_message(self.header)

    def table(self, row: Table) -> None:
        """RFC 2131 figure 1, and figure 2 for the flags."""
        message = self.header
        hlen = len(message.chaddr)
        row.number("op", 8, OPS.get(message.op, "unassigned"))
        row.number("htype", 8, "Ethernet" if message.htype == wire.HARDWARE_ETHERNET else "")
        row.number("hlen", 8, f"a hardware address has {hlen} octets")
        row.number("hops", 8, f"{count(message.hops, 'relay agent')} passed it on")
        row.number("xid", 32, f"0x{message.xid:08x}: the answers have the same")
        row.number("secs", 16, f"{message.secs} s since the client began")
        row.number("B", 1, set_or_not(message.broadcast, "the client asks for broadcasts"))
        row.number("MBZ", 15, "must be zero")
        row.octets("ciaddr", 4, _address(message.ciaddr, "the address that the client has"))
        row.octets("yiaddr", 4, _address(message.yiaddr, "'your' address, which the client gets"))
        row.octets("siaddr", 4, _address(message.siaddr, "the next server, from which the client boots"))
        row.octets("giaddr", 4, _address(message.giaddr, "the relay agent"))
        hardware = station_words(message.chaddr) if hlen == 6 else message.chaddr.hex(":")
        row.octets("chaddr", 16, f"the client's hardware address {hardware}")
        overload = message.values().get(wire.OVERLOAD, b"\0")[:1]
        self._name(row, "sname", message.sname, bool(overload and overload[0] & wire.OVERLOAD_SNAME))
        self._name(row, "file", message.file, bool(overload and overload[0] & wire.OVERLOAD_FILE))
        row.octets("magic cookie", 4, "99.130.83.99: options follow as in RFC 2132")
        self._options(row, message.options)

    def _name(self, row: Table, name: str, octets: bytes, overloaded: bool) -> None:
        """One of the two fields for names. If option 52 says so, it holds options (RFC 2132)."""
        if overloaded:
            self._options(row, wire.split(octets))
        else:
            text = octets.partition(b"\0")[0]
            row.octets(name, len(octets), shown(text) if any(octets) else "not used")

    def _options(self, row: Table, options: tuple[wire.Option, ...]) -> None:
        values = self.header.values()
        for code, data in options:
            if code in (wire.PAD, wire.END):
                row.number("code", 8, "pad" if code == wire.PAD else "end")
                row.octets("padding", len(data), "zeros" if not any(data) else shown(data))
                continue
            row.number("code", 8, DHCP_OPTIONS.get(code, "not registered"))
            row.number("len", 8, f"{count(len(data), 'octet')} of value")
            whole = values.get(code) == data
            words = dhcp_option(code, data) if whole else "a part of a value that several options hold (RFC 3396)"
            if code == wire.MESSAGE_TYPE and len(data) == 1:
                words = DHCP_MESSAGE_TYPES.get(data[0], "unassigned")
            if 0 < len(data) <= 8 and DHCP_OPTION_KINDS.get(code) in ("number", "seconds"):
                row.number("value", 8 * len(data), words)
            else:
                row.octets("value", len(data), words)


def _address(address: bytes, meaning: str) -> str:
    return f"{format_ipv4(address)}: {meaning}" if any(address) else "none"


def dhcp(payload: Payload) -> list[Layer]:
    """A message that takes the whole payload, or nothing if it is not one."""
    try:
        message = DhcpMessage.parse(payload.octets)
    except BadPacket:
        return []
    return [Dhcp(payload.octets, payload.offset, message, payload.depth)]
