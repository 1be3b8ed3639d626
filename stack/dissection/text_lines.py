"""POP3, SMTP, FTP and HTTP/1: the lines of text in a TCP segment. See `stack.wire.text_lines`."""

from __future__ import annotations

from stack.dissection.layer import MAX_SHOWN, Layer, Table, count, shown
from stack.dissection.payload import Payload, Reader
from stack.wire.escape import escape
from stack.wire.text_lines import Line, Protocol, split_lines

RFCS: dict[Protocol, str] = {
    "POP3": "RFC 1939 section 3",
    "SMTP": "RFC 5321 section 2.3.8",
    "FTP": "RFC 959 section 5.3",
    "HTTP": "RFC 9112 section 2.1",
}
ENDINGS = {b"\r\n": "CR LF", b"\n": "LF", b"\r": "CR"}


class TextLines(Layer):
    """All lines of a segment."""

    __slots__ = ("name", "rfc")
    header: tuple[Line, ...]

    def __init__(
        self, octets: memoryview, offset: int, header: tuple[Line, ...], depth: int, protocol: Protocol
    ) -> None:
        super().__init__(octets, offset, header, depth)
        self.name, self.rfc = protocol, RFCS[protocol]

    def text(self) -> str:
        """The first line, and how much there is."""
        first, size = self.header[0], count(len(self.octets), "byte")
        more = f", {count(len(self.header), 'line')}" if len(self.header) > 1 else ""
        cut = "..." if len(first.text) > MAX_SHOWN else ""
        return f'{self.name} {first.kind} "{escape(first.text[:MAX_SHOWN])}"{cut}{more}, {size}'

    def table(self, row: Table) -> None:
        """The text and the end of each line."""
        for line in self.header:
            if line.kind == "data":
                row.octets("data", len(line.text), shown(line.text))
                continue
            row.octets(line.kind, len(line.text), f'{count(len(line.text), "octet")}: "{escape(line.text)}"')
            if line.ending:
                row.octets("end of the line", len(line.ending), _ending(line))


def _ending(line: Line) -> str:
    return f"{ENDINGS[line.ending]}: with it the line has {count(line.length, 'octet')}"


def lines_of(protocol: Protocol) -> Reader:
    """A reader of a segment's lines. Octets that do not look like text are left as data."""

    def reader(payload: Payload) -> list[Layer]:
        lines = split_lines(payload.octets, protocol, from_server=payload.from_server)
        if not lines:
            return []
        return [TextLines(payload.octets, payload.offset, lines, payload.depth, protocol)]

    return reader
