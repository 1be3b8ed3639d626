"""Lines of text: what POP3, SMTP, FTP and HTTP/1 put into a TCP segment.

See RFC 1939 section 3 (POP3). The RFCs of SMTP (5321), FTP (959) and HTTP/1.1 (9112) are followed
where they say how a line begins and ends; commands and headers are not checked, and bodies are not
read. A line is read within one segment: it may have begun in the one before and may go on in the
next.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from stack.wire.checksum import Buffer

Protocol = Literal["POP3", "SMTP", "FTP", "HTTP"]
PORTS: dict[int, Protocol] = {
    21: "FTP",
    25: "SMTP",
    80: "HTTP",
    110: "POP3",
    587: "SMTP",
    8080: "HTTP",
}
"""The ports of servers."""

NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Octets that no line of text has. Tab, line feed and carriage return are allowed."""
_REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP/\d\.\d$")
_STATUS = re.compile(rb"HTTP/\d\.\d \d\d\d( |$)")
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:")
_REPLY = re.compile(rb"\d\d\d[ -]|\d\d\d$")
_COMMANDS: dict[Protocol, frozenset[bytes]] = {
    "POP3": frozenset(b"APOP AUTH CAPA DELE LIST NOOP PASS QUIT RETR RSET STAT STLS TOP UIDL USER".split()),
    "SMTP": frozenset(b"AUTH BDAT DATA EHLO EXPN HELO HELP MAIL NOOP QUIT RCPT RSET STARTTLS VRFY".split()),
    "FTP": frozenset(
        b"ABOR ACCT ALLO APPE AUTH CDUP CWD DELE EPRT EPSV FEAT HELP LIST MDTM MKD MLSD MLST MODE NLST NOOP OPTS PASS"
        b" PASV PBSZ PORT PROT PWD QUIT REIN REST RETR RMD RNFR RNTO SITE SIZE SMNT STAT STOR STOU STRU SYST TYPE"
        b" USER".split()
    ),
}
"""The first words of clients' lines."""


class Line(NamedTuple):
    """One line, or the octets that are no text.

    Attributes:
      kind: such as "command", "reply", "header", "text". "data" is no text.
      at: where it begins in the segment's text, in octets.
      text: without the end of the line.
      ending: CR LF, LF or CR; nothing if the segment ends before the line does.
    """

    kind: str
    at: int
    text: bytes
    ending: bytes

    @property
    def length(self) -> int:
        """The octets of the line, its end included."""
        return len(self.text) + len(self.ending)


def split_lines(data: Buffer, protocol: Protocol, *, from_server: bool) -> tuple[Line, ...]:
    """The lines of a segment's text; nothing if its first line does not look like text.

    In HTTP, text that does not begin with a request line or a status line is a part of a body, and
    has no lines.

    The lines end where one has octets that are no text: all from there on is one more line of kind
    "data". The kind of a line follows from its first word and from the lines before it in the same
    segment. A line that fits nothing is "text": it may belong to what began in a segment before.
    """
    octets = bytes(data)
    lines: list[Line] = []
    at, kind = 0, ""
    while at < len(octets):
        found = octets.find(b"\n", at)
        end = found + 1 if found >= 0 else len(octets)
        ending = _ending(octets[at:end])
        text = octets[at : end - len(ending)]
        if not is_text(text):
            if lines:
                lines.append(Line("data", at, octets[at:], b""))
            break
        kind = _kind(text, protocol, from_server, kind)
        if kind == "text" and protocol == "HTTP" and not lines:
            break
        lines.append(Line(kind, at, text, ending))
        at = end
    return tuple(lines)


def _ending(line: bytes) -> bytes:
    """How a line ends. A segment may end between CR and LF."""
    return next((ending for ending in (b"\r\n", b"\n", b"\r") if line.endswith(ending)), b"")


def _kind(line: bytes, protocol: Protocol, from_server: bool, before: str) -> str:
    """The kind of a line; `before` is that of the line before it in the segment, or ""."""
    if protocol == "HTTP":
        return _http(line, from_server, before)
    if from_server and protocol == "POP3":
        if line.startswith((b"+OK", b"-ERR", b"+ ")):
            return "reply"
        return "end of reply" if line == b"." else "line of reply"
    if from_server:
        return "reply" if _REPLY.match(line) else "line of reply" if before else "text"
    if line == b"." and protocol == "SMTP":
        return "end of message"
    is_command = line.split(b" ", 1)[0].upper() in _COMMANDS[protocol]
    return "command" if is_command and before != "text" else "text"


def _http(line: bytes, from_server: bool, before: str) -> str:
    """The kind of a line of HTTP/1 (RFC 9112 section 2.1)."""
    if before in ("", "end of headers"):
        if from_server and _STATUS.match(line):
            return "status line"
        if not from_server and _REQUEST.match(line):
            return "request line"
    if before in ("request line", "status line", "header"):
        if not line:
            return "end of headers"
        if _HEADER.match(line) or (line[:1] in (b" ", b"\t") and before == "header"):
            return "header"
    return "body" if before in ("end of headers", "body") else "text"


def is_text(line: bytes) -> bool:
    """Whether a line has no control characters, and is ASCII or UTF-8."""
    if NO_TEXT.search(line) or b"\r" in line:
        return False
    if line.isascii():
        return True
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
