"""Lines of POP3, SMTP, FTP and HTTP in one segment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.wire import text_lines
from stack.wire.text_lines import Line, Protocol, split_lines
from tests.wire.pop3_session import SESSION
from tests.wire.samples import datagram, segment
from tests.wire.tshark import needs_tshark, read

repeatable = settings(derandomize=True, max_examples=500, deadline=None)


def kinds(data: bytes, protocol: Protocol, *, from_server: bool) -> list[tuple[str, bytes]]:
    return [(line.kind, line.text) for line in split_lines(data, protocol, from_server=from_server)]


def test_the_greeting_of_the_course_has_47_octets_and_two_more() -> None:
    (greeting,) = split_lines(SESSION[3].payload, "POP3", from_server=True)
    assert greeting == Line("reply", 0, b"+OK POP3 gateway1.maison.mrs v7.64 server ready", b"\r\n")
    assert (len(greeting.text), greeting.length) == (47, 49)


def test_the_session_of_the_course_is_commands_and_replies() -> None:
    found = [
        (line.kind, line.text.split(b" ")[0])
        for frame in SESSION
        for line in split_lines(frame.payload, "POP3", from_server=frame.sender.port == 110)
    ]
    assert found == [
        ("reply", b"+OK"), ("command", b"USER"), ("reply", b"+OK"), ("command", b"PASS"), ("reply", b"+OK"),
        ("command", b"STAT"), ("reply", b"+OK"), ("command", b"QUIT"), ("reply", b"+OK"),
    ]  # fmt: skip


def test_a_reply_of_many_lines() -> None:
    data = b"+OK 2 messages\r\n1 120\r\n2 200\r\n.\r\n"
    assert [line.kind for line in split_lines(data, "POP3", from_server=True)] == [
        "reply", "line of reply", "line of reply", "end of reply",
    ]  # fmt: skip


def test_smtp() -> None:
    assert [kind for kind, _ in kinds(b"250-here\r\n250-SIZE\r\n250 HELP\r\n", "SMTP", from_server=True)] == [
        "reply"
    ] * 3
    assert kinds(b"MAIL FROM:<a@b.example>\r\ndata\r\n", "SMTP", from_server=False) == [
        ("command", b"MAIL FROM:<a@b.example>"), ("command", b"data"),
    ]  # fmt: skip
    message = b"Subject: help\r\n\r\nHelp me\r\n.\r\nQUIT\r\n"
    assert [kind for kind, _ in kinds(message, "SMTP", from_server=False)] == [
        "text", "text", "text", "end of message", "command",
    ]  # fmt: skip


def test_ftp() -> None:
    assert kinds(b"PORT 10,9,0,2,4,1\r\n", "FTP", from_server=False) == [("command", b"PORT 10,9,0,2,4,1")]
    assert kinds(b"211-Features:\r\n MDTM\r\n211 End\r\n", "FTP", from_server=True) == [
        ("reply", b"211-Features:"), ("line of reply", b" MDTM"), ("reply", b"211 End"),
    ]  # fmt: skip


def test_http() -> None:
    request = b"GET / HTTP/1.1\r\nHost: here\r\nAccept: a,\r\n b\r\n\r\n"
    assert [kind for kind, _ in kinds(request * 2, "HTTP", from_server=False)] == [
        "request line", "header", "header", "header", "end of headers",
    ] * 2  # fmt: skip
    answer = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n<p>Host: x</p>\nmore"
    assert kinds(answer, "HTTP", from_server=True) == [
        ("status line", b"HTTP/1.1 200 OK"), ("header", b"Server: x"), ("end of headers", b""),
        ("body", b"<p>Host: x</p>"), ("body", b"more"),
    ]  # fmt: skip


def test_a_segment_in_the_middle() -> None:
    assert split_lines(b"rest of a page</p>\r\nHost: x", "HTTP", from_server=True) == ()
    assert [kind for kind, _ in kinds(b"of a mail\r\nDear x", "SMTP", from_server=False)] == ["text", "text"]
    assert [kind for kind, _ in kinds(b"of a mail\r\n.\r\n", "POP3", from_server=True)] == [
        "line of reply",
        "end of reply",
    ]


def test_octets_that_are_no_text_are_data_to_the_end() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n\x1f\x8b\x08\0\r\nmore\r\n"
    assert kinds(data, "HTTP", from_server=True)[-1] == ("data", b"\x1f\x8b\x08\0\r\nmore\r\n")


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\0\0", b"\0", b"a\x1b[2J\n", b"\xff\xfe\n", b"a\rb\n"])
def test_what_does_not_look_like_text_has_no_lines(data: bytes) -> None:
    assert split_lines(data, "HTTP", from_server=False) == ()


@pytest.mark.parametrize(
    ("data", "ending"), [(b"a\r\n", b"\r\n"), (b"a\n", b"\n"), (b"a\r", b"\r"), (b"a", b""), ("é\n".encode(), b"\n")]
)
def test_ends_of_lines(data: bytes, ending: bytes) -> None:
    (line,) = split_lines(data, "SMTP", from_server=False)
    assert line.ending == ending


pieces = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b".", b" ", b"QUIT", b"+OK", b"250 ", b"\0", b"\xc3", b":"])
)


@repeatable
@given(pieces.map(b"".join) | st.binary(max_size=100), st.sampled_from(["POP3", "SMTP", "FTP", "HTTP"]), st.booleans())
def test_the_lines_are_the_octets(data: bytes, protocol: Protocol, from_server: bool) -> None:
    lines = split_lines(data, protocol, from_server=from_server)
    at = 0
    for line in lines:
        assert line.at == at
        at += line.length
    assert not lines or b"".join(line.text + line.ending for line in lines) == data


def test_ports_have_names_of_their_services() -> None:
    assert {port: text_lines.PORTS[port] for port in (21, 25, 80, 110)} == {
        21: "FTP",
        25: "SMTP",
        80: "HTTP",
        110: "POP3",
    }


# --- beside tshark


@needs_tshark
def test_tshark_reads_the_same_lines_of_http(tmp_path: Path) -> None:
    request = b"GET /a HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n"
    ((line,),) = [read(tmp_path, [datagram(6, segment(request))], ["http.request.line"])[0]]
    ours = [text for kind, text in kinds(request, "HTTP", from_server=False) if kind == "header"]
    assert [value.removesuffix("\\r\\n") for value in line] == [text.decode() for text in ours]
