"""A hostile script costs bounded work, and an invalid one gives one error with line and column."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.drill.test_runner import OPEN, PLAIN, UDP
from tools.drill import interpreter
from tools.drill.lexer import LONGEST_SCRIPT
from tools.drill.outcome import Status
from tools.drill.program import run_script

BAD_ADDRESS = b"""0 socket(..., SOCK_STREAM, 0) = 3
+0 bind(3, {sa_family=AF_INET, sin_port=htons(1), sin_addr=inet_addr("1.2.3.4.5")}, ...) = 0"""
WRONG: dict[str, tuple[bytes, int, int, str]] = {
    "empty": (b"", 1, 1, "at least one event"),
    "comment only": (b"// nothing\n", 2, 1, "at least one event"),
    "not UTF-8": (b"0 socket(..., 1, 6) = 3\n+0 \xff", 2, 4, "not valid UTF-8"),
    "too long": (b" " * (LONGEST_SCRIPT + 1), 1, 1, "at most"),
    "control characters": (b"0 \x00", 1, 3, "unexpected character '\\x00'"),
    "no end of a comment": (b"0 /* socket", 1, 3, "this comment is not closed"),
    "no end of a string": (b'0 socket("', 1, 10, "this string is not closed"),
    "no end of a block": (b"0 %{ assert", 1, 3, "this code block is not closed"),
    "no end of a command": (b"`true", 1, 1, "this command is not closed"),
    "no end of a line": (b"0 socket(", 1, 10, "the script ends"),
    "no time": (b"socket(..., 1, 6) = 3", 1, 1, "expected a time"),
    "negative time": (b"-1 close(3) = 0", 1, 1, "must not be negative"),
    "a long time": (b"99999999999 close(3) = 0", 1, 1, "a time may be at most"),
    "many digits": (b"0 close(99999999999999999999) = 0", 1, 9, "at most 18 characters"),
    "nanoseconds": (b"0.0000001 close(3) = 0", 1, 1, "six decimal"),
    "backwards": (b"0.2~0.1 > udp (1)", 1, 5, "ends before it begins"),
    "a call at any time": (b"* close(3) = 0", 1, 1, "only an outgoing packet (>) may have the time *"),
    "a packet in at any time": (b"* < udp (1)", 1, 1, "only an outgoing packet (>) may have the time *"),
    "a packet in in a range": (b"0~1 < udp (1)", 1, 1, "only an outgoing packet (>) may have a range of times"),
    "ends before it begins": (b"0.5...0.2 close(3) = 0", 1, 7, "before it is made"),
    "flags": (b"0 < SX 0:0(0)", 1, 5, "'X' is not a flag"),
    "a flag twice": (b"0 < SS 0:0(0)", 1, 5, "given twice"),
    "lengths": (b"0 < S 0:5(4)", 1, 7, "end at 4, not at 5"),
    "a huge length": (b"0 < . 0:99999(99999) ack 0", 1, 15, "length of a segment must be 0 to"),
    "a huge datagram": (b"0 < udp (99999)", 1, 10, "must be 0 to"),
    "no ack": (b"0 > . 0:0(0)", 1, 5, "must have an `ack`"),
    "ack without a flag": (b"0 > S 0:0(0) ack 1", 1, 5, "must have the flag ."),
    "a window": (b"0 < S 0:0(0) win 65536", 1, 18, "a window must be 0 to"),
    "option octets": (b"0 < S 0:0(0) <mss 1460,nop>", 1, 14, "multiple of 4"),
    "many options": (b"0 < S 0:0(0) <" + b",".join([b"mss 1"] * 11) + b">", 1, 14, "at most 40"),
    "an unknown option": (b"0 < S 0:0(0) <mess 1>", 1, 15, "expected a TCP option"),
    "any options in": (b"0 < S 0:0(0) <...>", 1, 14, "only an outgoing packet (>) may have <...>"),
    "a cookie": (b"0 < S 0:0(0) <FO abc>", 1, 18, "hexadecimal"),
    "icmp": (b"0 < icmp nonsense", 1, 10, "is not an ICMP type"),
    "icmp code": (b"0 < icmp unreachable nonsense", 1, 22, "is not an ICMP code"),
    "icmp mtu": (b"0 < icmp time_exceeded mtu 5", 1, 28, "may have an MTU"),
    "deep lists": (b"0 close(" + b"[" * 5000 + b") = 0", 1, 25, "16 deep"),
    "deep structures": (b"0 close(" + b"{" * 5000 + b") = 0", 1, 25, "16 deep"),
    "a long list": (b"0 close(" + b"1," * 2000 + b"1) = 0", 1, 2009, "at most 1000 items"),
    "an errno": (b"0 close(3) = -1 EWHAT (What)", 1, 17, "is not an errno"),
    "a failure without errno": (b"0 close(3) = -1", 1, 3, "-1 and an errno"),
    "too many arguments": (b"0 close(3, 4) = 0", 1, 0, "1 arguments, not 2"),
    "text for a number": (b'0 close("3") = 0', 1, 0, "must be a number"),
    "a huge write": (PLAIN.encode() + b"+0 write(4, ..., 999999999999) = 1", 8, 0, "must be 0 to"),
    "a negative read": (PLAIN.encode() + b"+0 read(4, ..., -5) = 1", 8, 0, "must be 0 to"),
    "an address": (BAD_ADDRESS, 2, 0, "IPv4 address"),
    "echo of nothing": (PLAIN.encode() + b"+0 < . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 9>", 8, 0, "no line has matched"),
    "quote of nothing": (b"0 < icmp unreachable port_unreachable", 1, 0, "there is no flow yet"),
    "no Python": (OPEN.encode() + b"+0 %{ assert ( }%", 8, 0, "not valid Python"),
    "deep Python": (OPEN.encode() + b"+0 %{ assert " + b"(" * 4000 + b"1" + b")" * 4000 + b" }%", 8, 0, "valid Python"),
    "long Python": (OPEN.encode() + b"+0 %{ assert " + b"1+" * 9000 + b"1 }%", 8, 0, "at most"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_script_is_one_error_with_line_and_column(what: str) -> None:
    data, line, column, message = WRONG[what]
    outcome = run_script(data, "x.pkt")
    assert outcome.status is Status.ERROR, str(outcome)
    assert (outcome.line, outcome.column) == (line, column), str(outcome)
    assert message in outcome.message
    assert "\n" not in str(outcome)


def test_a_script_of_many_events_is_refused() -> None:
    outcome = run_script(b"0 close(3) = 0\n" * 20_001, "x.pkt")
    assert outcome.status is Status.ERROR
    assert "at most 20000 events" in outcome.message


@pytest.mark.parametrize(
    "setting",
    [
        "tcp.rto_min_s=nan", "tcp.rto_min_s=inf", "tcp.rto_min_s=-1", "tcp.msl_s=1e400", "tcp.msl_s=",
        "tcp.__class__=1", "tcp.congestion=none",
    ],
)  # fmt: skip
def test_invalid_configuration_values_are_refused(setting: str) -> None:
    outcome = run_script(f"--config={setting}\n{PLAIN}".encode(), "x.pkt")
    assert (outcome.status, outcome.line) == (Status.ERROR, 1), str(outcome)


@pytest.mark.parametrize(
    "option",
    ["netmask_ip=255.0.255.0", "local_ip=224.0.0.1", "local_ip=127.0.0.1", "local_ip=192.168.255.255",
     "gateway_ip=10.0.0.1", "gateway_ip=192.168.0.1", "local_ip=300.1.1.1"],
)  # fmt: skip
def test_invalid_networks_are_refused(option: str) -> None:
    outcome = run_script(f"--{option}\n{PLAIN}".encode(), "x.pkt")
    assert (outcome.status, outcome.line) == (Status.ERROR, 1), str(outcome)


def test_many_huge_writes_cost_little() -> None:
    """The runner does not generate octets that do not fit the send buffer."""
    writes = "+0 write(4, ..., 67108864) = -1 EAGAIN (Resource temporarily unavailable)\n" * 2000
    script = PLAIN + "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 write(4, ..., 67108864) = 1\n"
    outcome = run_script(script.encode(), "x.pkt")
    assert (outcome.status, outcome.line) == (Status.FAILED, 9)
    fits = int(outcome.message.splitlines()[3].split()[2])
    started = time.process_time()
    outcome = run_script((script.replace("= 1\n", f"= {fits}\n") + writes).encode(), "x.pkt")
    assert outcome.line == 2009, str(outcome)  # the first segments are left over
    assert time.process_time() - started < 30


def test_a_script_that_computes_for_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "LONGEST_RUN_S", 0)
    outcome = run_script((PLAIN * 100).encode(), "x.pkt")
    assert outcome.status is Status.FAILED
    assert "s of CPU time" in outcome.message


def test_a_host_that_never_comes_to_rest_ends_the_script() -> None:
    """The host sends keep-alives without a pause between them, so that the clock never moves."""
    config = (
        "--config=tcp.keepalive_interval_s=0\n--config=tcp.keepalive_count=100000000\n--config=tcp.keepalive_idle_s=0\n"
    )
    started = time.process_time()
    outcome = run_script(
        (config + PLAIN + "+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0\n10 close(4) = 0\n").encode(), "x"
    )
    assert outcome.status is Status.FAILED, str(outcome)
    assert time.process_time() - started < 30


def test_a_month_of_virtual_time_with_nothing_to_do() -> None:
    assert run_script((UDP + "2592000 close(3) = 0\n").encode(), "x.pkt").status is Status.PASSED


def test_random_scripts_end_with_a_status() -> None:
    """Scripts of shuffled pieces and with random octets raise no other exception."""
    random = Random(7)
    pieces = (OPEN + UDP).encode().split(b" ")
    for _ in range(400):
        text = b" ".join(random.choice(pieces) for _ in range(random.randrange(1, 40)))
        run_script(text, "x.pkt")
        whole = bytearray(OPEN.encode())
        for _ in range(random.randrange(1, 4)):
            whole[random.randrange(len(whole))] = random.randrange(256)
        run_script(bytes(whole), "x.pkt")
