"""DNS messages: header, questions and resource records, with compressed names.

See RFC 1035 sections 3.1 (names), 3.3 and 3.4 (records), 4.1 (messages), 4.2.2 (TCP) and 5.1
(names as text), RFC 2181 section 11 (labels), RFC 3597 section 4 (compression), RFC 6891 section
6.1 (OPT). Records of the types in `LAYOUTS` are read field by field. Their formats are those of
RFC 1035, RFC 3596 (AAAA), RFC 2782 (SRV), RFC 8659 (CAA) and RFC 9460 (SVCB, HTTPS). The data of
all other types are octets: among them are the records of DNSSEC. The values of EDNS options and of
SvcParams are octets, too.

This is the one place where DNS messages and compressed names are read and written. A dissector
needs to know where each field lies, which libraries for DNS do not tell. A resolver is to use the
same code.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from stack.errors import BadPacket
from stack.wire.checksum import Buffer

PORT = 53
MULTICAST_PORT = 5353
"""Multicast DNS has the same messages (RFC 6762)."""

A = 1
NS = 2
CNAME = 5
SOA = 6
PTR = 12
MX = 15
TXT = 16
AAAA = 28
SRV = 33
OPT = 41
SVCB = 64
HTTPS = 65
ANY = 255
CAA = 257

CLASS_IN = 1
CLASS_ANY = 255
CACHE_FLUSH = 0x8000
"""The first bit of a class, which multicast DNS uses for itself (RFC 6762 section 10.2)."""

HEADER_LENGTH = 12
_HEADER = struct.Struct("!HHHHHH")
_QUESTION = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
RECORD_LENGTH = _RECORD.size
"""The octets of a record between its name and its data."""
_STREAM_LENGTH = struct.Struct("!H")

# --- the bits of the second word of the header (RFC 1035 section 4.1.1, RFC 4035 section 3)
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010

LABEL_MAX = 63
NAME_MAX = 255  # RFC 1035 section 2.3.4, length octets included
SHORT = 512
"""In a message of at most so many octets, each name is read anew, which is faster there."""
POINTERS_MAX = 127
"""A name has at most 127 labels, and no more pointers are needed to reach them."""
_POINTER = 0xC0
_POINTER_REACH = 0x4000

Name = tuple[bytes, ...]
"""The labels of a name, the top level last. The root has none."""
Value = int | bytes | Name
Known = dict[int, tuple[Name, int, int, int]]
"""By offset in a message, for names that have been read: the name, how many of its labels come
before the offset, how many octets follow from there on, and how many pointers.
"""

LAYOUTS: dict[int, tuple[tuple[str, str], ...]] = {
    A: (("ADDRESS", "octets4"),),
    NS: (("NSDNAME", "name"),),
    CNAME: (("CNAME", "name"),),
    SOA: (
        ("MNAME", "name"),
        ("RNAME", "name"),
        ("SERIAL", "u32"),
        ("REFRESH", "u32"),
        ("RETRY", "u32"),
        ("EXPIRE", "u32"),
        ("MINIMUM", "u32"),
    ),
    PTR: (("PTRDNAME", "name"),),
    MX: (("PREFERENCE", "u16"), ("EXCHANGE", "name")),
    TXT: (("TXT-DATA", "strings"),),
    AAAA: (("ADDRESS", "octets16"),),
    SRV: (("Priority", "u16"), ("Weight", "u16"), ("Port", "u16"), ("Target", "plain name")),
    OPT: (("OPTION", "options"),),
    SVCB: (("SvcPriority", "u16"), ("TargetName", "plain name"), ("SvcParam", "options")),
    HTTPS: (("SvcPriority", "u16"), ("TargetName", "plain name"), ("SvcParam", "options")),
    CAA: (("Flags", "u8"), ("Tag", "string"), ("Value", "rest")),
}
"""By type: the fields of a record's data, each with its name in the RFC and its form.

The names of RFC 1035's types may be compressed; a "plain name" is never written so. "strings" are
one or more, and "options" are pairs of a code and octets, up to the end.
"""
_OCTETS = (("RDATA", "rest"),)
_ONLY_IN = frozenset((A, AAAA, SRV, SVCB, HTTPS))
"""The types whose data has this format only in the class IN."""
_WIDTHS = {"u8": 1, "u16": 2, "u32": 4}
_OPTION = struct.Struct("!HH")
_OPTION_NAMES = {
    "OPTION": ("OPTION-CODE", "OPTION-LENGTH", "OPTION-DATA"),
    "SvcParam": ("SvcParamKey", "SvcParamValue length", "SvcParamValue"),
}


class Part(NamedTuple):
    """A field of a record's data: its name, where it begins in the message, its octets, its value.

    A part with `counts` is the length of the part that follows it.
    """

    name: str
    at: int
    length: int
    value: Value
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """RFC 1035 section 4.1.2. `at` and `end` are offsets in the message that was parsed."""

    name: Name
    type: int
    class_: int = CLASS_IN
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record. RFC 1035 section 4.1.3:

      0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    /                      NAME                     /
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                      TYPE                     |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                     CLASS                     |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                      TTL                      |
    |                                               |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                   RDLENGTH                    |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    /                     RDATA                     /
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+

    `data` has the values of the type's fields in `LAYOUTS`, an option as two values. It is empty if
    RDLENGTH is 0. `parts` says where they are; `at`, `name_end` and `end` are offsets in the
    message that was parsed.
    """

    name: Name
    type: int
    class_: int
    ttl: int
    data: tuple[Value, ...] = ()
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)
    at: int = field(default=0, compare=False)
    name_end: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """RFC 1035 section 4.1.1; AD and CD are from RFC 4035 section 3:

      0  1  2  3  4  5  6  7  8  9  0  1  2  3  4  5
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                      ID                       |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                    QDCOUNT                    |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                    ANCOUNT                    |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                    NSCOUNT                    |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
    |                    ARCOUNT                    |
    +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+

    `flags` is the second word. `trailing` are the octets behind the last record; there should be
    none.
    """

    id: int
    flags: int
    questions: tuple[Question, ...] = ()
    answers: tuple[Record, ...] = ()
    authorities: tuple[Record, ...] = ()
    additionals: tuple[Record, ...] = ()
    trailing: bytes = b""

    @classmethod
    def parse(cls, data: Buffer) -> Message:
        """Parse a whole message: a UDP payload, or one message of a TCP stream.

        In a long message, what many pointers lead to is read once. Raises BadPacket dns_truncated,
        dns_bad_name, dns_bad_rdata.
        """
        if len(data) < HEADER_LENGTH:
            raise BadPacket("dns_truncated")
        octets = bytes(data)
        id, flags, *counts = _HEADER.unpack_from(octets)
        at = HEADER_LENGTH
        questions = []
        known: Known | None = {} if len(octets) > SHORT else None
        for _ in range(counts[0]):
            question = _question(octets, at, known)
            questions.append(question)
            at = question.end
        sections: list[tuple[Record, ...]] = []
        for count in counts[1:]:
            records = []
            for _ in range(count):
                record = _record(octets, at, known)
                records.append(record)
                at = record.end
            sections.append(tuple(records))
        answers, authorities, additionals = sections
        return cls(id, flags, tuple(questions), answers, authorities, additionals, octets[at:])

    @property
    def is_response(self) -> bool:
        """Whether this is a response, and not a query."""
        return bool(self.flags & QR)

    @property
    def opcode(self) -> int:
        """The kind of query; 0 is a standard query."""
        return self.flags >> 11 & 15

    @property
    def rcode(self) -> int:
        """The response code. An OPT record has eight bits that come before these four."""
        upper = next((record.ttl >> 24 for record in self.additionals if record.type == OPT), 0)
        return upper << 4 | self.flags & 15

    def build(self, *, compress: bool = True) -> bytes:
        """The octets of the message.

        With `compress`, a name that has been written before becomes a pointer. Raises ValueError
        for a label or a name that is too long, or data that does not fit the type.
        """
        writer = _Writer(compress)
        sections = (self.answers, self.authorities, self.additionals)
        writer.octets += _HEADER.pack(self.id, self.flags, len(self.questions), *map(len, sections))
        for question in self.questions:
            writer.name(question.name)
            writer.octets += _QUESTION.pack(question.type, question.class_)
        for section in sections:
            for record in section:
                writer.record(record)
        return bytes(writer.octets) + self.trailing


# --- names


def read_name(data: bytes, at: int, first: int = HEADER_LENGTH, known: Known | None = None) -> tuple[Name, int]:
    """The name at offset `at`, and the offset behind it (RFC 1035 section 4.1.4).

    Each pointer must lead to before the labels that led to it, so that there can be no loop, and
    not to before `first`: behind the header. Raises BadPacket dns_bad_name.

    `known` has what has been read of the same message: a pointer to it costs no second reading.
    """
    labels: list[bytes] = []
    way: list[tuple[int, int, int, int]] = []  # each offset with the labels, octets and pointers before it
    length, end, earliest, pointers = 1, -1, at, 0
    while at < len(data):
        if known is not None:
            # Only behind a pointer: a known pointer may lead to labels that were read just now.
            if end >= 0 and at == earliest and at in known:
                name, before, octets, more = known[at]
                length, pointers = length + octets, pointers + more
                if length > NAME_MAX or pointers > POINTERS_MAX:
                    break
                labels += name[before:]
                return _remembered(known, way, labels, length, pointers), end
            way.append((at, len(labels), length, pointers))
        size = data[at]
        if size == 0:
            after = at + 1 if end < 0 else end
            return tuple(labels) if known is None else _remembered(known, way, labels, length, pointers), after
        if size >= _POINTER:
            if at + 1 >= len(data):
                break
            end = at + 2 if end < 0 else end
            at = (size & 0x3F) << 8 | data[at + 1]
            pointers += 1
            if not first <= at < earliest or pointers > POINTERS_MAX:
                break
            earliest = at
            continue
        length += 1 + size
        if size > LABEL_MAX or length > NAME_MAX or at + 1 + size > len(data):
            break
        labels.append(data[at + 1 : at + 1 + size])
        at += 1 + size
    raise BadPacket("dns_bad_name")


def _remembered(
    known: Known, way: list[tuple[int, int, int, int]], labels: list[bytes], length: int, pointers: int
) -> Name:
    """The name. What it has behind each offset of its way is known from now on."""
    name = tuple(labels)
    for at, before, octets, passed in way:
        if at < _POINTER_REACH:
            known[at] = name, before, length - octets, pointers - passed
    return name


def name_text(name: Name) -> str:
    """The name as text without the dot at the end; "." is the root.

    Octets that are no graphic characters of ASCII become escapes such as \\032, and a dot inside a
    label \\. (RFC 1035 section 5.1).
    """
    return ".".join("".join(map(_TEXTS.__getitem__, label)) for label in name) or "."


_TEXTS = [chr(octet) if 0x21 <= octet <= 0x7E else f"\\{octet:03d}" for octet in range(256)]
for _special in b'.\\"':
    _TEXTS[_special] = "\\" + chr(_special)


def parse_name(text: str) -> Name:
    """The labels of a name as `name_text` writes it; a dot at the end is allowed.

    Raises ValueError, which names the text and the rule that it breaks.
    """
    if text == ".":
        return ()
    if not text:
        raise ValueError(f"{text!r} is not a domain name: the root is a dot")
    labels, label = [], bytearray()
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == ".":
            labels.append(bytes(label))
            label.clear()
        elif character == "\\" and text[at : at + 3].isdigit() and text[at : at + 3].isascii():
            digits = text[at : at + 3]
            if len(digits) < 3 or int(digits) > 255:
                raise ValueError(f"{text!r} is not a domain name: \\{digits} is not an octet")
            label.append(int(digits))
            at += 3
        elif character == "\\" and at == len(text):
            raise ValueError(f"{text!r} is not a domain name: it ends with a backslash")
        else:
            if character == "\\":
                character = text[at]
                at += 1
            if not character.isascii():
                raise ValueError(f"{text!r} is not a domain name: {character!r} is not ASCII")
            label.append(ord(character))
    if label:
        labels.append(bytes(label))
    name = tuple(labels)
    _check_name(name)
    return name


def _check_name(name: Name) -> None:
    if not all(0 < len(label) <= LABEL_MAX for label in name):
        raise ValueError(f"{name_text(name)!r} is not a domain name: a label has 1 to {LABEL_MAX} octets")
    if sum(len(label) + 1 for label in name) + 1 > NAME_MAX:
        raise ValueError(f"{name_text(name)!r} is not a domain name: it has at most {NAME_MAX} octets")


# --- reading questions and records


def _question(data: bytes, at: int, known: Known | None) -> Question:
    name, end = read_name(data, at, known=known)
    if end + _QUESTION.size > len(data):
        raise BadPacket("dns_truncated")
    kind, class_ = _QUESTION.unpack_from(data, end)
    return Question(name, kind, class_, at, end + _QUESTION.size)


def _record(data: bytes, at: int, known: Known | None) -> Record:
    name, name_end = read_name(data, at, known=known)
    start = name_end + _RECORD.size
    if start > len(data):
        raise BadPacket("dns_truncated")
    kind, class_, ttl, length = _RECORD.unpack_from(data, name_end)
    end = start + length
    if end > len(data):
        raise BadPacket("dns_truncated")
    parts: tuple[Part, ...] = ()
    if length:
        parts = tuple(_parts(data, start, end, layout_of(kind, class_), known))
    values = tuple(part.value for part in parts if not part.counts)
    return Record(name, kind, class_, ttl, values, parts, at, name_end, end)


def layout_of(kind: int, class_: int) -> tuple[tuple[str, str], ...]:
    """The fields of a record's data."""
    if kind in _ONLY_IN and class_ & ~CACHE_FLUSH != CLASS_IN:
        return _OCTETS
    return LAYOUTS.get(kind, _OCTETS)


def _parts(data: bytes, at: int, end: int, layout: tuple[tuple[str, str], ...], known: Known | None) -> Iterator[Part]:
    """The fields of the data from `at` to `end`, which they must fill.

    Raises BadPacket dns_bad_rdata, dns_bad_name.
    """
    for name, form in layout:
        for part in _form(data, at, end, name, form, known):
            at = part.at + part.length
            if at > end:
                raise BadPacket("dns_bad_rdata")
            yield part
    if at != end:
        raise BadPacket("dns_bad_rdata")


def _form(data: bytes, at: int, end: int, name: str, form: str, known: Known | None) -> Iterator[Part]:
    """The parts of one field. One that reaches past `end` is the last."""
    if form in _WIDTHS:
        width = _WIDTHS[form]
        yield Part(name, at, width, int.from_bytes(data[at : at + width], "big"))
    elif form in ("octets4", "octets16"):
        width = int(form.removeprefix("octets"))
        yield Part(name, at, width, data[at : at + width])
    elif form in ("name", "plain name"):
        labels, after = read_name(data, at, known=known)
        yield Part(name, at, after - at, labels)
    elif form == "rest":
        yield Part(name, at, end - at, data[at:end])
    elif form == "options":
        yield from _options(data, at, end, name)
    else:
        first = True
        while first or (at < end and form == "strings"):
            first = False
            length = data[at] if at < end else 0
            yield Part(f"{name} length", at, 1, length, counts=True)
            yield Part(name, at + 1, length, data[at + 1 : at + 1 + length])
            at += 1 + length


def _options(data: bytes, at: int, end: int, name: str) -> Iterator[Part]:
    """Pairs of a code and octets: RFC 6891 section 6.1.2, RFC 9460 section 2.2."""
    while at < end:
        if at + _OPTION.size > end:
            raise BadPacket("dns_bad_rdata")
        code, length = _OPTION.unpack_from(data, at)
        names = _OPTION_NAMES[name]
        yield Part(names[0], at, 2, code)
        yield Part(names[1], at + 2, 2, length, counts=True)
        yield Part(names[2], at + 4, length, data[at + 4 : at + 4 + length])
        at += 4 + length


# --- writing


class _Writer:
    """Writes a message. `octets` has what is written, `_known` where each name and its ends are."""

    def __init__(self, compress: bool) -> None:
        self.octets = bytearray()
        self._compress = compress
        self._known: dict[Name, int] = {}

    def name(self, name: Name, *, compress: bool = True) -> None:
        """Write a name, the part of it that stands before as a pointer."""
        _check_name(name)
        for start in range(len(name)):
            rest = name[start:]
            before = self._known.get(rest)
            if before is not None and compress and self._compress:
                self.octets += (_POINTER << 8 | before).to_bytes(2, "big")
                return
            if len(self.octets) < _POINTER_REACH:
                self._known.setdefault(rest, len(self.octets))
            self.octets.append(len(name[start]))
            self.octets += name[start]
        self.octets.append(0)

    def record(self, record: Record) -> None:
        """Write a resource record, its length last."""
        self.name(record.name)
        start = len(self.octets) + _RECORD.size
        self.octets += _RECORD.pack(record.type, record.class_, record.ttl, 0)
        if record.data:
            self._data(layout_of(record.type, record.class_), record.data)
        length = len(self.octets) - start
        self.octets[start - 2 : start] = length.to_bytes(2, "big")

    def _data(self, layout: tuple[tuple[str, str], ...], data: tuple[Value, ...]) -> None:
        values = iter(data)
        for name, form in layout:
            if form in ("strings", "options"):
                self._many(form, values)
                continue
            value = next(values, None)
            if form in _WIDTHS and isinstance(value, int):
                self.octets += value.to_bytes(_WIDTHS[form], "big")
            elif form in ("name", "plain name") and isinstance(value, tuple):
                self.name(value, compress=form == "name")
            elif form == "string" and isinstance(value, bytes):
                self._string(value)
            elif isinstance(value, bytes) and form in ("rest", f"octets{len(value)}"):
                self.octets += value
            else:
                raise ValueError(f"{value!r} cannot be the {name} of a record: its form is {form}")
        if next(values, None) is not None:
            raise ValueError(f"a record has more values than its type has fields: {data!r}")

    def _many(self, form: str, values: Iterable[Value]) -> None:
        rest = list(values)
        if form == "strings":
            for value in rest:
                self._string(value)
            return
        for code, value in zip(rest[::2], rest[1::2], strict=True):
            if not (isinstance(code, int) and isinstance(value, bytes)):
                raise ValueError(f"an option has a number and octets, not {code!r} and {value!r}")
            self.octets += _OPTION.pack(code, len(value)) + value

    def _string(self, value: Value) -> None:
        if not isinstance(value, bytes) or len(value) > 255:
            raise ValueError(f"{value!r} is not a character string: it has at most 255 octets")
        self.octets.append(len(value))
        self.octets += value


# --- TCP


def split_stream(data: Buffer) -> tuple[list[bytes], bytes]:
    """The whole messages at the start of a TCP stream, and the octets of the next one.

    Two octets with the length come before each message (RFC 1035 section 4.2.2).
    """
    messages = []
    at, size = 0, len(data)
    while at + _STREAM_LENGTH.size <= size:
        (length,) = _STREAM_LENGTH.unpack_from(data, at)
        if at + 2 + length > size:
            break
        messages.append(bytes(data[at + 2 : at + 2 + length]))
        at += 2 + length
    return messages, bytes(data[at:])


def to_stream(message: bytes) -> bytes:
    """A message as it is sent over TCP."""
    return _STREAM_LENGTH.pack(len(message)) + message
