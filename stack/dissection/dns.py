"""DNS. See RFC 1035 section 4.1, and RFC 6891 section 6.1 for OPT."""

from __future__ import annotations

from stack.dissection.layer import MAX_SHOWN, CutOff, Layer, Malformed, Table, count, shown
from stack.dissection.payload import Payload
from stack.dissection.texts import set_or_not
from stack.errors import BadPacket
from stack.wire import dns
from stack.wire.addresses import format_ipv4
from stack.wire.dns import Message, Part, Record, Value, name_text
from stack.wire.escape import escape
from stack.wire.ipv6 import format_ipv6
from stack.wire.numbers import (
    DNS_CLASSES,
    DNS_OPCODES,
    DNS_RESPONSE_CODES,
    DNS_TYPES,
    EDNS_OPTIONS,
    SVCB_KEYS,
)

RECORDS_SHOWN = 6
"""The line of a message shows at most so many of its answers."""
VALUES_SHOWN = 7
"""And of each answer at most so many values: as many as SOA has."""
SECTIONS = ("answer", "authority", "additional")


class Dns(Layer):
    """A whole message. Over TCP two octets with its length are before it: `prefix` is then 2."""

    __slots__ = ("prefix",)
    name = "DNS"
    rfc = "RFC 1035 section 4.1"
    header: Message

    def __init__(self, octets: memoryview, offset: int, header: Message, depth: int, prefix: int = 0) -> None:
        super().__init__(octets, offset, header, depth)
        self.prefix = prefix

    def text(self) -> str:
        """The question, the response code, and the first answers."""
        message = self.header
        asked = ", ".join(f"{type_name(one.type)} {name_text(one.name)}" for one in message.questions[:RECORDS_SHOWN])
        opcode = f" {DNS_OPCODES.get(message.opcode, f'opcode {message.opcode}')}" if message.opcode else ""
        head = f"DNS{opcode} {'response' if message.is_response else 'query'} 0x{message.id:04x}"
        if message.is_response:
            head += f", {_rcode(message.rcode)}{', truncated' if message.flags & dns.TC else ''}"
        head += f", {asked}" if asked else ""
        answers = [_record_text(record) for record in message.answers[:RECORDS_SHOWN]]
        more = len(message.answers) - len(answers)
        if more:
            answers.append(f"{more} more")
        return f"{head}: {', '.join(answers)}" if answers else head

    def table(self, row: Table) -> None:
        """The header, then each question and record."""
        message, octets = self.header, self.octets[self.prefix :]
        if self.prefix:
            row.number("length", 16, f"{len(octets)} octets follow: TCP has no ends of messages")
        row.number("ID", 16, "the response has the same")
        _flags(row, message)
        counts = (message.questions, message.answers, message.authorities, message.additionals)
        names = (("QDCOUNT", "question"), ("ANCOUNT", "answer"), ("NSCOUNT", "authority"), ("ARCOUNT", "additional"))
        for (name, unit), items in zip(names, counts, strict=True):
            row.number(name, 16, f"{len(items)} in the {unit} section")
        for question in message.questions:
            row.octets("QNAME", question.end - 4 - question.at, f"question: {name_text(question.name)}")
            row.number("QTYPE", 16, type_name(question.type))
            row.number("QCLASS", 16, _class(question.class_, "a unicast response is wanted (mDNS)"))
        for section, records in zip(SECTIONS, counts[1:], strict=True):
            for number, record in enumerate(records, 1):
                _record(row, record, f"{section} {number}")
        if message.trailing:
            row.octets("trailing", len(message.trailing), f"after the last record: {shown(message.trailing)}")


def type_name(kind: int) -> str:
    """The name of a record type, such as "AAAA"; "TYPE1234" for others (RFC 3597 section 5)."""
    return DNS_TYPES.get(kind) or f"TYPE{kind}"


def _class(class_: int, first_bit: str) -> str:
    name = DNS_CLASSES.get(class_)
    if name is None and class_ & dns.CACHE_FLUSH:
        return f"{DNS_CLASSES.get(class_ & 0x7FFF, f'CLASS{class_ & 0x7FFF}')}; first bit set: {first_bit}"
    return name or f"CLASS{class_}"


def _rcode(code: int) -> str:
    return DNS_RESPONSE_CODES.get(code) or f"response code {code}"


def _flags(row: Table, message: Message) -> None:
    """The second word of the header."""
    flags = message.flags
    row.number("QR", 1, "response" if message.is_response else "query")
    row.number("Opcode", 4, DNS_OPCODES.get(message.opcode, "not assigned"))
    row.number("AA", 1, set_or_not(flags & dns.AA, "the server is an authority for the name"))
    row.number("TC", 1, set_or_not(flags & dns.TC, "truncated: ask again over TCP"))
    row.number("RD", 1, set_or_not(flags & dns.RD, "recursion desired"))
    row.number("RA", 1, set_or_not(flags & dns.RA, "recursion available"))
    row.number("Z", 1, "must be zero")
    authentic = "authentic data (DNSSEC)" if message.is_response else "the sender wants to know it (RFC 6840)"
    row.number("AD", 1, set_or_not(flags & dns.AD, authentic))
    row.number("CD", 1, set_or_not(flags & dns.CD, "checking disabled (DNSSEC)"))
    more = f"; with the bits in OPT: {_rcode(message.rcode)}" if message.rcode > 15 else ""
    row.number("RCODE", 4, _rcode(flags & 15) + more)


def _record(row: Table, record: Record, place: str) -> None:
    """RFC 1035 section 4.1.3."""
    row.octets("NAME", record.name_end - record.at, f"{place}: {name_text(record.name)}")
    row.number("TYPE", 16, type_name(record.type))
    if record.type == dns.OPT:
        row.number("CLASS", 16, f"{record.class_} octets: the longest UDP message that the sender takes")
        row.number("EXTENDED-RCODE", 8, "the upper bits of the response code")
        row.number("VERSION", 8, "of EDNS")
        row.number("DO", 1, set_or_not(record.ttl & 0x8000, "the sender takes records of DNSSEC"))
        row.number("Z", 15, "reserved")
    else:
        row.number("CLASS", 16, _class(record.class_, "replace what is cached (mDNS)"))
        row.number("TTL", 32, f"may be cached for {count(record.ttl, 'second')}")
    length = record.end - record.name_end - dns.RECORD_LENGTH
    row.number("RDLENGTH", 16, f"{count(length, 'octet')} of data")
    for part in record.parts:
        _part(row, record, part)


def _part(row: Table, record: Record, part: Part) -> None:
    value = part.value
    if not isinstance(value, int):
        row.octets(part.name, part.length, _words(record.type, value))
    elif part.counts:
        row.number(part.name, 8 * part.length, count(value, "octet"))
    elif part.name == "OPTION-CODE":
        row.number(part.name, 16, EDNS_OPTIONS.get(value, "not assigned"))
    elif part.name == "SvcParamKey":
        row.number(part.name, 16, SVCB_KEYS.get(value, f"key{value}"))
    else:
        row.number(part.name, 8 * part.length, str(value))


def _words(kind: int, value: Value) -> str:
    """A value of a record as text."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return name_text(value)
    if kind == dns.A and len(value) == 4:
        return format_ipv4(value)
    if kind == dns.AAAA and len(value) == 16:
        return format_ipv6(value)
    return f'"{escape(value[:MAX_SHOWN])}"{"..." if len(value) > MAX_SHOWN else ""}'


def _record_text(record: Record) -> str:
    """The type and the values of a record: "MX 10 mail.example.com"."""
    values = [_words(record.type, value) for value in record.data[:VALUES_SHOWN]]
    if len(record.data) > VALUES_SHOWN:
        values.append("...")
    return " ".join([type_name(record.type), *values])


def dns_datagram(payload: Payload) -> list[Layer]:
    """A message over UDP, which takes the whole payload."""
    try:
        message = Message.parse(payload.octets)
    except BadPacket as error:
        if not payload.whole:
            return [CutOff(payload.octets, payload.offset, Dns, payload.depth)]
        return [Malformed(payload.octets, payload.offset, Dns, error.reason, payload.depth)]
    return [Dns(payload.octets, payload.offset, message, payload.depth)]


def dns_segment(payload: Payload) -> list[Layer]:
    """The first message over TCP, if the segment begins with it and has all of it."""
    messages, _ = dns.split_stream(payload.octets)
    if not messages:
        return []
    size = 2 + len(messages[0])
    try:
        message = Message.parse(messages[0])
    except BadPacket:
        return []
    return [Dns(payload.octets[:size], payload.offset, message, payload.depth, prefix=2)]
