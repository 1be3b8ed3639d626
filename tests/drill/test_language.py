"""The parser reads every form of time, packet, option, call and expression in a packet script."""

from __future__ import annotations

import errno
import select
import socket

import pytest

from tools.drill import symbols
from tools.drill.parser import parse
from tools.drill.script import (
    Call,
    Code,
    Event,
    Expression,
    IcmpPacket,
    Ip,
    Option,
    Quote,
    ScriptError,
    Struct,
    TcpPacket,
    Timing,
    UdpPacket,
    Unsupported,
    When,
)


def only(line: str) -> Event:
    (event,) = parse(line).events
    return event


def tcp(line: str) -> TcpPacket:
    action = only("0 " + line).action
    assert isinstance(action, TcpPacket)
    return action


def icmp(line: str) -> IcmpPacket:
    action = only("0 " + line).action
    assert isinstance(action, IcmpPacket)
    return action


def call(line: str) -> Call:
    action = only("0 " + line).action
    assert isinstance(action, Call)
    return action


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("1", When(Timing.ABSOLUTE, 1_000_000, 1_000_000)),
        ("0.25", When(Timing.ABSOLUTE, 250_000, 250_000)),
        (".000001", When(Timing.ABSOLUTE, 1, 1)),
        ("+.1", When(Timing.RELATIVE, 100_000, 100_000)),
        ("+0", When(Timing.RELATIVE, 0, 0)),
        ("0.300~0.400", When(Timing.ABSOLUTE_RANGE, 300_000, 400_000)),
        ("+0~+0.1", When(Timing.RELATIVE_RANGE, 0, 100_000)),
        ("+ .1 ~ + .2", When(Timing.RELATIVE_RANGE, 100_000, 200_000)),
        ("*", When(Timing.ANY)),
    ],
)
def test_times(text: str, when: When) -> None:
    assert only(f"{text} > udp (1)").when == when


def test_a_segment() -> None:
    packet = tcp("< S. 1:1001(1000) ack 7 win 5792 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>")
    assert not packet.outbound
    assert packet.flags == symbols.SYN | symbols.ACK
    assert (packet.seq, packet.length, packet.ack, packet.window, packet.urgent) == (1, 1000, 7, 5792, 0)
    stamps = Option("TS", (100, 0))
    assert packet.options == (
        Option("mss", (1460,)), Option("sackOK"), stamps, Option("nop"), Option("wscale", (7,)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("S", "S"), ("S.", "S."), (".", "."), ("P.", "P."), ("F.", "F."), ("R", "R"), ("-", "-"), ("SEW", "SEW"),
        ("FP.", "FP."), ("PU.", "PU."), ("WES", "SEW"),
    ],
)  # fmt: skip
def test_flags(text: str, flags: str) -> None:
    ack = " ack 1" if "." in text else ""
    assert symbols.show_flags(tcp(f"> {text} 0:0(0){ack}").flags) == flags


def test_numbers_wrap_around() -> None:
    assert tcp("< . 4294967295:1(2) ack 4294967295").seq == 0xFFFF_FFFF


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", ()),
        ("<...>", None),
        ("<nop,nop,sack 1:2 5:9>", (Option("nop"), Option("nop"), Option("sack", (1, 2, 5, 9)))),
        ("<FO,eol,eol>", (Option("FO"), Option("eol"), Option("eol"))),
        ("<FO abcd1234,nop,nop>", (Option("FO", octets=b"\xab\xcd\x12\x34"), Option("nop"), Option("nop"))),
        ("<FO 12345678,nop,nop>", (Option("FO", octets=b"\x12\x34\x56\x78"), Option("nop"), Option("nop"))),
        ("<FOEXP>", (Option("FOEXP"),)),
    ],
)
def test_options(text: str, options: tuple[Option, ...] | None) -> None:
    assert tcp(f"> . 0:0(0) ack 1 {text}").options == options


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("[ect0]", Ip(ecn="ect0")), ("(ce)", Ip(ecn="ce")), ("[noecn]", Ip(ecn="noecn")), ("[ect01]", Ip(ecn="ect01")),
        ("(tos 0x28)", Ip(tos=0x28)), ("[ttl 5]", Ip(ttl=5)), ("", Ip()),
    ],
)  # fmt: skip
def test_the_ip_header(text: str, ip: Ip) -> None:
    assert tcp(f"> {text} . 0:0(0) ack 1").ip == ip


def test_ports() -> None:
    assert tcp("> 8080 > 5000 . 0:0(0) ack 1").ports == (8080, 5000)
    packet = only("0 < udp 5000>8080 (10)").action
    assert packet == UdpPacket(False, Ip(), (5000, 8080), 10)


@pytest.mark.parametrize(
    ("text", "kind", "code", "mtu", "quote"),
    [
        ("unreachable frag_needed mtu 1000 [1:1001(1000)]", 3, 4, 1000, Quote("tcp", 1, 1000)),
        ("unreachable port_unreachable [udp (20)]", 3, 3, None, Quote("udp", 0, 20)),
        ("unreachable host_unreachable", 3, 1, None, Quote("tcp", 0, 0)),
        ("time_exceeded", 11, 0, None, Quote("tcp", 0, 0)),
        ("type_9 code_7 [raw (4)]", 9, 7, None, None),
        ("unreachable code_12", 3, 12, None, Quote("tcp", 0, 0)),
        ("echo_request id 5 [raw (9)]", 8, 0, None, None),
    ],
)
def test_icmp(text: str, kind: int, code: int, mtu: int | None, quote: Quote | None) -> None:
    packet = icmp(f"< icmp {text}")
    assert (packet.kind, packet.code, packet.mtu, packet.quote) == (kind, code, mtu, quote)


def test_calls() -> None:
    made = call("socket(..., SOCK_STREAM, IPPROTO_TCP) = 3")
    assert made == Call("socket", (..., int(socket.SOCK_STREAM), int(socket.IPPROTO_TCP)), 3, None, None)
    assert call("read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)").errno == "EAGAIN"
    assert call("read(4, ..., 1000) = -1 EWOULDBLOCK").errno == "EAGAIN"
    assert call("fcntl(4, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)").result == 0x802
    assert call("fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0").arguments == (4, 4, 0o4002)
    assert call("setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0").arguments[3:] == ([1], 4)
    assert call("getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0").arguments[3] == [errno.ECONNREFUSED]
    linger = call("setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0").arguments[3]
    assert linger == Struct("linger", {"onoff": 1, "linger": 5})
    address = call('connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("1.2.3.4")}, 16) = 0')
    assert address.arguments[1] == Struct("sockaddr", {"sa_family": 2, "sin_port": 80, "sin_addr": b"1.2.3.4"})
    polled = call("poll([{fd=3, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1").arguments[0]
    assert polled == [Struct("pollfd", {"fd": 3, "events": 5, "revents": select.POLLOUT})]
    message = call("recvmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 5}, {..., 6}], msg_flags=0}, 0) = 11")
    parts: list[Expression] = [Struct("iovec", {"base": ..., "length": 5}), Struct("iovec", {"base": ..., "length": 6})]
    assert message.arguments[1] == Struct("msghdr", {"msg_name": ..., "msg_iov": parts, "msg_flags": 0})


def test_a_call_that_waits_has_an_end() -> None:
    event = only("+.1...0.200 connect(3, ..., ...) = 0")
    assert isinstance(event.action, Call)
    assert (event.when.start_us, event.action.end_us) == (100_000, 200_000)
    assert only("0...0.1 close(3) = 0").when == When(Timing.ABSOLUTE, 0, 0)


def test_comments_and_lines() -> None:
    script = parse("// one\n/* two\n three */ 0 close(3) = 0 // four\n+0\n  close(4)\n  = 0\n%".removesuffix("%"))
    assert [(event.line, event.text) for event in script.events] == [(3, "0 close(3) = 0"), (4, "+0 close(4) = 0")]


def test_blocks() -> None:
    assert only("0 %{\nassert tcpi_state == 1\n}%").action == Code("assert tcpi_state == 1")


def test_options_of_a_script() -> None:
    head = '--tolerance_usecs=1000\n--local_ip=10.0.0.1\n--config=tcp.rto_min_s=0.5\n--verbose\n--mtu="900"\n'
    script = parse(head + "0 close(3) = 0")
    assert script.options == (
        (1, "tolerance_usecs", "1000"), (2, "local_ip", "10.0.0.1"), (3, "config", "tcp.rto_min_s=0.5"),
        (4, "verbose", None), (5, "mtu", '"900"'),
    )  # fmt: skip


def test_names_that_a_script_gives() -> None:
    script = parse("--define=LENGTH=100\n--define=PROTO=IPPROTO_TCP\n0 socket(..., LENGTH, PROTO) = 3")
    action = script.events[0].action
    assert isinstance(action, Call)
    assert action.arguments == (..., 100, int(socket.IPPROTO_TCP))
    with pytest.raises(Unsupported):
        parse("--define=COMMAND=`true`\n0 close(3) = 0")


def test_errors_have_a_place() -> None:
    with pytest.raises(ScriptError) as caught:
        parse("0 close(3) = 0\n\n+0 close(3 = 0\n")
    assert (caught.value.line, caught.value.column, caught.value.message) == (3, 12, "expected ','")
