"""ICMP. See RFC 792, RFC 950 (address mask) and RFC 1191 (next-hop MTU)."""

from __future__ import annotations

from stack.dissection import checksums
from stack.dissection.layer import Layer, Table
from stack.dissection.texts import icmp, time_of_day
from stack.wire.addresses import format_ipv4
from stack.wire.checksum import internet_checksum
from stack.wire.icmp import (
    ERRORS,
    FRAGMENTATION_NEEDED,
    HEADER_LENGTH,
    MASK_REPLY,
    MASK_REQUEST,
    PARAMETER_PROBLEM,
    POINTER_INDICATES_ERROR,
    QUERIES,
    REDIRECT,
    TIMESTAMP_REPLY,
    TIMESTAMP_REQUEST,
    UNREACHABLE,
    IcmpMessage,
)
from stack.wire.numbers import ICMP_CODES, ICMP_TYPES

CHECKSUM_AT = 2
LENGTHS = {
    TIMESTAMP_REQUEST: 20,
    TIMESTAMP_REPLY: 20,
    MASK_REQUEST: 12,
    MASK_REPLY: 12,
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
        self.octets = message[: LENGTHS.get(header.type, HEADER_LENGTH)]
        self.offset = offset
        self.header = header
        self.depth = depth
        self.message = message
        self.whole = whole

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
        if kind in QUERIES:
            text = f", identifier {message.identifier}, sequence {message.sequence}"
        if kind in (TIMESTAMP_REQUEST, TIMESTAMP_REPLY):
            text += ", originate {} receive {} transmit {} ms".format(*message.timestamps)
        elif kind in (MASK_REQUEST, MASK_REPLY):
            text += f", mask {format_ipv4(message.mask)}"
        elif kind == REDIRECT:
            text = f", to gateway {format_ipv4(message.gateway)}"
        elif kind == PARAMETER_PROBLEM and message.code == POINTER_INDICATES_ERROR:
            text = f", at byte {message.pointer}"
        elif kind == UNREACHABLE and message.code == FRAGMENTATION_NEEDED:
            text = f", next-hop MTU {message.next_hop_mtu}"
        wrong = self.whole and internet_checksum(self.message)
        note = checksums.note(self.verdict, message.checksum or 0) if wrong else ""
        return f"ICMP {icmp(kind, message.code)}{text}{note}"

    def table(self, row: Table) -> None:
        """RFC 792: three fields that all messages have, then those of the type."""
        message = self.header
        found, pseudo = message.checksum or 0, 0 if self.whole else None
        checksum = checksums.words(self.verdict, found, self.message, pseudo, CHECKSUM_AT)
        row.number("Type", 8, ICMP_TYPES.get(message.type, "unassigned"))
        row.number(
            "Code",
            8,
            ICMP_CODES.get((message.type, message.code), "unassigned" if message.code else "this type has no codes"),
        )
        row.number("Checksum", 16, checksum)
        self._second_word(row)
        if message.type in (TIMESTAMP_REQUEST, TIMESTAMP_REPLY):
            for name, time in zip(("Originate", "Receive", "Transmit"), message.timestamps, strict=True):
                row.number(f"{name} Timestamp", 32, time_of_day(time))
        elif message.type in (MASK_REQUEST, MASK_REPLY):
            row.octets("Address Mask", 4, format_ipv4(message.mask))

    def _second_word(self, row: Table) -> None:
        """The 32 bits whose meaning depends on the type and the code."""
        message = self.header
        kind, code = message.type, message.code
        if kind in QUERIES:
            row.number("Identifier", 16, f"{message.identifier}: a request and its reply have the same")
            row.number("Sequence Number", 16, f"{message.sequence}: a request and its reply have the same")
        elif kind == REDIRECT:
            row.octets("Gateway Internet Address", 4, f"the better first hop is {format_ipv4(message.gateway)}")
        elif kind == PARAMETER_PROBLEM:
            wrong = f"octet {message.pointer} of the quoted datagram is wrong"
            row.number("Pointer", 8, wrong if code == POINTER_INDICATES_ERROR else "no meaning with this code")
            row.number("unused", 24)
        elif kind == UNREACHABLE and code == FRAGMENTATION_NEEDED:
            row.number("unused", 16)
            row.number("Next-Hop MTU", 16, f"{message.next_hop_mtu} octets fit (RFC 1191)")
        elif kind in ERRORS:
            row.number("unused", 32)
        else:
            row.octets("rest of header", 4)
