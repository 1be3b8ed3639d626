"""ICMP. See RFC 792, RFC 950 (address mask) and RFC 1191 (next-hop MTU)."""

from __future__ import annotations

from stack.dissection import checksums
from stack.dissection.layer import Layer, Table
from stack.wire import icmp
from stack.wire.addresses import format_ipv4
from stack.wire.icmp import IcmpMessage
from stack.wire.numbers import ICMP_CODES, ICMP_TYPES, icmp_name

CHECKSUM_AT = 2
LENGTHS = {
    icmp.TIMESTAMP_REQUEST: 20,
    icmp.TIMESTAMP_REPLY: 20,
    icmp.MASK_REQUEST: 12,
    icmp.MASK_REPLY: 12,
}
"""By type: the octets of the messages that are longer than the 8 which all have."""


class Icmp(Layer):
    """A message without the data or the datagram that it carries.

    `message` are all its octets. `whole` says whether the frame has all of them.
    """

    __slots__ = ("message", "whole")
    name = "ICMP"
    rfc = "RFC 792"
    header: IcmpMessage

    def __init__(self, message: memoryview, offset: int, header: IcmpMessage, depth: int, whole: bool) -> None:
        super().__init__(message[: LENGTHS.get(header.type, icmp.HEADER_LENGTH)], offset, header, depth)
        self.message, self.whole = message, whole

    @property
    def verdict(self) -> str:
        """What can be said of the checksum."""
        return checksums.judge(self.header.checksum or 0, self.message, 0 if self.whole else None)

    @property
    def error(self) -> str:
        """icmp_bad_checksum, or nothing."""
        return "icmp_bad_checksum" if self.verdict == checksums.WRONG else ""

    def text(self) -> str:
        """Type, code and the fields of that type."""
        message = self.header
        kind, text = message.type, ""
        if kind in icmp.QUERIES:
            text = f", identifier {message.identifier}, sequence {message.sequence}"
        if kind in (icmp.TIMESTAMP_REQUEST, icmp.TIMESTAMP_REPLY):
            text += ", originate {} receive {} transmit {} ms".format(*message.timestamps)
        elif kind in (icmp.MASK_REQUEST, icmp.MASK_REPLY):
            text += f", mask {format_ipv4(message.mask)}"
        elif kind == icmp.REDIRECT:
            text = f", to gateway {format_ipv4(message.gateway)}"
        elif kind == icmp.PARAMETER_PROBLEM and message.code == icmp.POINTER_INDICATES_ERROR:
            text = f", at byte {message.pointer}"
        elif kind == icmp.UNREACHABLE and message.code == icmp.FRAGMENTATION_NEEDED:
            text = f", next-hop MTU {message.next_hop_mtu}"
        return f"ICMP {icmp_name(kind, message.code)}{text}{checksums.note(self.verdict, message.checksum or 0)}"

    def table(self, row: Table) -> None:
        """RFC 792: three fields that all messages have, then those of the type."""
        message = self.header
        found, pseudo = message.checksum or 0, 0 if self.whole else None
        checksum = checksums.words(self.verdict, found, self.message, pseudo, CHECKSUM_AT)
        row.number("Type", 8, ICMP_TYPES.get(message.type, "unassigned"))
        row.number("Code", 8, ICMP_CODES.get((message.type, message.code), "" if message.code else "none"))
        row.number("Checksum", 16, checksum)
        self._second_word(row)
        if message.type in (icmp.TIMESTAMP_REQUEST, icmp.TIMESTAMP_REPLY):
            for name, time in zip(("Originate", "Receive", "Transmit"), message.timestamps, strict=True):
                row.number(f"{name} Timestamp", 32, f"{time} ms since midnight UT")
        elif message.type in (icmp.MASK_REQUEST, icmp.MASK_REPLY):
            row.octets("Address Mask", 4, format_ipv4(message.mask))

    def _second_word(self, row: Table) -> None:
        """The 32 bits whose meaning depends on the type and the code."""
        message = self.header
        kind, code = message.type, message.code
        if kind in icmp.QUERIES:
            row.number("Identifier", 16, "the reply has the same")
            row.number("Sequence Number", 16, "the reply has the same")
        elif kind == icmp.REDIRECT:
            row.octets("Gateway Internet Address", 4, f"the better first hop is {format_ipv4(message.gateway)}")
        elif kind == icmp.PARAMETER_PROBLEM:
            wrong = f"octet {message.pointer} of the quoted datagram is wrong"
            row.number("Pointer", 8, wrong if code == icmp.POINTER_INDICATES_ERROR else "no meaning with this code")
            row.number("unused", 24)
        elif kind == icmp.UNREACHABLE and code == icmp.FRAGMENTATION_NEEDED:
            row.number("unused", 16)
            row.number("Next-Hop MTU", 16, f"{message.next_hop_mtu} octets fit (RFC 1191)")
        elif kind in icmp.ERRORS:
            row.number("unused", 32)
        else:
            row.octets("rest of header", 4)
