"""The runner passes a correct script, and reports line, field and both packets of a wrong one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import cli
from tools.drill.options import Settings
from tools.drill.outcome import Outcome, Status
from tools.drill.program import run_file, run_script

OPEN = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000,sackOK,TS val 500 ecr 0,nop,wscale 7>
+0 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 100 ecr 500,nop,wscale 7>
+.1 < . 1:1(0) ack 1 win 512 <nop,nop,TS val 600 ecr 100>
+0 accept(3, ..., ...) = 4
"""
PLAIN = """\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 win 65535 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
UDP = """\
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
"""


def run(text: str, settings: Settings | None = None) -> Outcome:
    return run_script(text.encode(), "x.pkt", settings)


def test_a_right_script_passes() -> None:
    outcome = run(OPEN + "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 <nop,nop,TS val 200 ecr 600>\n")
    assert str(outcome) == "x.pkt: passed"


# Line 9 expects the packet that line 8 has sent: 1:101(100) at 0.1 s.
WRONG_PACKETS = {
    "time": "+.01 > P. 1:101(100) ack 1 win 2048 <nop,nop,TS val 200 ecr 600>",
    "flags": "+0 > . 1:101(100) ack 1 win 2048 <nop,nop,TS val 200 ecr 600>",
    "seq": "+0 > P. 2:102(100) ack 1 win 2048 <nop,nop,TS val 200 ecr 600>",
    "seq ": "+0 > P. 1:102(101) ack 1 win 2048 <nop,nop,TS val 200 ecr 600>",
    "ack": "+0 > P. 1:101(100) ack 2 win 2048 <nop,nop,TS val 200 ecr 600>",
    "win": "+0 > P. 1:101(100) ack 1 win 2047 <nop,nop,TS val 200 ecr 600>",
    "options": "+0 > P. 1:101(100) ack 1 win 2048 <nop,nop,TS val 201 ecr 600>",
    "options ": "+0 > P. 1:101(100) ack 1 win 2048 <nop,nop,TS val 200 ecr 601>",
    "options  ": "+0 > P. 1:101(100) ack 1 win 2048",
    "options   ": "+0 > P. 1:101(100) ack 1 win 2048 <TS val 200 ecr 600,nop,nop>",
    "ports": "+0 > 8080>50001 P. 1:101(100) ack 1 <...>",
    "protocol": "+0 > udp (100)",
    "urg": "+0 > PU. 1:101(100) ack 1 urg 5 <...>",
    "ECN": "+0 > [ect0] P. 1:101(100) ack 1 <...>",
    "TOS": "+0 > (tos 0x10) P. 1:101(100) ack 1 <...>",
    "TTL": "+0 > [ttl 63] P. 1:101(100) ack 1 <...>",
}


@pytest.mark.parametrize("field", WRONG_PACKETS)
def test_a_wrong_packet_is_shown_beside_the_right_one(field: str) -> None:
    outcome = run(OPEN + f"+0 write(4, ..., 100) = 100\n{WRONG_PACKETS[field]}\n")
    assert (outcome.status, outcome.line) == (Status.FAILED, 9)
    assert str(outcome).startswith("x.pkt:9: FAILED: the packet differs from the line: ")
    lines = outcome.message.splitlines()
    assert re.search(r"expected by line 9 +sent$", lines[1])
    marked = [line for line in lines if line.endswith("<--")]
    assert field.strip() in [line.split()[0] for line in marked]
    assert any(line.split()[0] == "time" for line in lines[2:])
    if field != "protocol":
        assert any("1:101(100)" in line for line in lines)


def test_a_packet_that_does_not_come() -> None:
    outcome = run(OPEN + "+.5 > P. 1:101(100) ack 1\n")
    assert (outcome.status, outcome.line) == (Status.FAILED, 8)
    assert "the host did not send the packet" in outcome.message
    assert "expected at 0.600000:  +.5 > P. 1:101(100) ack 1" in outcome.message
    assert "sent:  nothing, up to 0.600000" in outcome.message


def test_a_packet_that_never_comes() -> None:
    outcome = run(UDP + "* > udp (10)\n")
    assert (outcome.status, outcome.line) == (Status.FAILED, 3)
    assert "expected at any time" in outcome.message


def test_an_unexpected_packet_before_a_line() -> None:
    outcome = run(OPEN + "+0 write(4, ..., 100) = 100\n+.1 write(4, ..., 5) = 5\n+0 > P. 101:106(5) ack 1 <...>\n")
    assert (outcome.status, outcome.line) == (Status.FAILED, 9)
    assert "no line before this one expects this packet" in outcome.message
    assert "expected by line 10" in outcome.message
    assert re.search(r"seq +101:106\(5\) +1:101\(100\) +<--", outcome.message)


def test_a_packet_left_over_at_the_end() -> None:
    outcome = run(OPEN + "+0 write(4, ..., 100) = 100\n")
    assert (outcome.status, outcome.line) == (Status.FAILED, 8)
    assert "no line of the script expects this packet" in outcome.message
    assert re.search(r"time +nothing +0\.100000 +<--", outcome.message)
    assert re.search(r"seq +1:101\(100\) +<--", outcome.message)


WRONG_CALLS = {
    "result": ("+0 write(4, ..., 100) = 99", "result +99 +100 +<--"),
    "errno": ("+0 read(9, ..., 100) = -1 EINVAL (Invalid argument)", "errno +EINVAL +EBADF +<--"),
    "failure": ("+0 read(9, ..., 100) = 0", "errno +- +EBADF +<--"),
    "success": ("+0 listen(3, 1) = -1 EINVAL (Invalid argument)", "result +-1 +0 +<--"),
    "value": ("+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0", r"value +\(1,\) +\(0,\) +<--"),
    "revents": ("+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1", "revents +1 +4 +<--"),
    "descriptor": ("+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 6", "result +6 +5 +<--"),
    "end": ("+0...0.1 poll([{fd=4, events=POLLIN}], 1, 200) = 0", "is still blocked"),
    "later end": ("+0...0.3 poll([{fd=4, events=POLLIN}], 1, 200) = 0", "end +0.400000 +0.300000 +<--"),
    "blocks": ("+0 read(4, ..., 100) = 0", "read blocks, and the line does not say when it returns"),
    "flags": ("+0 fcntl(4, F_GETFL) = 0", "result +0 +2 +<--"),
    "assertion": ("+0 %{ assert tcpi_state == TCP_LISTEN }%", "tcpi_state == TCP_LISTEN does not hold"),
}


@pytest.mark.parametrize("kind", WRONG_CALLS)
def test_a_wrong_result_is_shown_beside_the_right_one(kind: str) -> None:
    line, message = WRONG_CALLS[kind]
    outcome = run(OPEN + line + "\n")
    assert (outcome.status, outcome.line) == (Status.FAILED, 8)
    assert re.search(message, outcome.message)


def test_the_octets_that_are_read_are_compared() -> None:
    """Each octet of the peer's stream depends on its place: a read at another place differs."""
    right = PLAIN + "+0 < P. 1:101(100) ack 1 win 65535\n+0 read(4, ..., 60) = 60\n+0 read(4, ..., 60) = 40\n"
    assert run(right + "+.04 > . 1:1(0) ack 101\n").status is Status.PASSED
    twisted = PLAIN + "+0 < P. 1:101(100) ack 1 win 65535\n+0 recv(4, ..., 60, MSG_PEEK) = 60\n"
    assert run(twisted + "+0 read(4, ..., 100) = 100\n+.04 > . 1:1(0) ack 101\n").status is Status.PASSED


def test_times_within_the_tolerance_pass() -> None:
    script = OPEN + "+0 write(4, ..., 100) = 100\n+.002 > P. 1:101(100) ack 1 <nop,nop,TS val 199 ecr 600>\n"
    assert run(script).status is Status.FAILED
    assert run("--tolerance_usecs=2000\n" + script).status is Status.PASSED
    assert run("--tolerance_usecs=1999\n" + script).status is Status.FAILED
    assert run(script, Settings(tolerance_usecs=2000)).status is Status.PASSED


@pytest.mark.parametrize(
    ("time", "passes"),
    [
        ("1.1", True), ("+1", True), ("1.0~1.2", True), ("+.9~+1.1", True), ("*", True), ("1.1~1.1", True),
        ("1.2", False), ("+1.1", False), ("1.11~1.2", False), ("0.1~1.0", False), ("+1.1~+2", False),
    ],
)  # fmt: skip
def test_every_way_to_say_a_time(time: str, passes: bool) -> None:
    """The host retransmits the SYN,ACK a second later."""
    script = "".join(PLAIN.splitlines(keepends=True)[:5]).replace("+0 >", "0.1 >").replace("+0 <", "0.1 <")
    outcome = run(script + f"{time} > S. 0:0(0) ack 1 <mss 1460>\n+.1 < R 1:1(0) win 0\n")
    assert (outcome.status is Status.PASSED) == passes, str(outcome)


def test_calls_that_wait() -> None:
    """The times of call and return are relative to the same time, here 0.1 s."""
    script = PLAIN + (
        "+0...0.100 read(4, ..., 1000) = 50\n"
        "+0...0.500 poll([{fd=3, events=POLLIN, revents=0}], 1, 500) = 0\n"
        "+.1 < P. 1:51(50) ack 1 win 65535\n"
        "+.04 > . 1:1(0) ack 51\n"
    )
    assert str(run(script)) == "x.pkt: passed"
    for old, new, line in (("0.100", "0.099", 8), ("0.100", "0.101", 8), ("0.500", "0.501", 9), ("= 50", "= 51", 8)):
        outcome = run(script.replace(old, new, 1))
        assert (outcome.status, outcome.line) == (Status.FAILED, line), str(outcome)


def test_a_call_that_does_not_return_by_the_end() -> None:
    outcome = run(PLAIN + "+0...0.3 read(4, ..., 1000) = 50\n")
    assert (outcome.status, outcome.line) == (Status.FAILED, 8)
    assert "read should return at 0.400000, and is still blocked" in outcome.message


def test_datagrams() -> None:
    script = UDP + (
        "+0 < udp (100)\n"
        "+0 read(3, ..., 1000) = 100\n"
        "+.1 sendto(3, ..., 30, 0, {sa_family=AF_INET, sin_port=htons(5000),\n"
        '  sin_addr=inet_addr("192.0.2.1")}, ...) = 30\n'
        "+0 > udp 8080>5000 (30)\n"
    )  # fmt: skip
    assert str(run(script)) == "x.pkt: passed"
    assert run(script.replace("8080>5000", "8080>5001")).status is Status.FAILED
    assert run(script.replace("(30)\n", "(31)\n")).status is Status.FAILED


def test_icmp_in_and_out() -> None:
    script = (
        "0 < icmp echo_request id 7 [raw (10)]\n+0 > icmp echo_reply id 7 [raw (10)]\n"
        "+0 < udp 6000>7777 (20)\n+0 > icmp unreachable port_unreachable [udp (20)]\n"
    )
    assert str(run(script)) == "x.pkt: passed"
    changes = {
        "id 7 [raw (10)]\n+0 <": "id 8 [raw (10)]\n+0 <",
        "[raw (10)]\n+0 <": "[raw (11)]\n+0 <",
        "port_unreachable": "host_unreachable",
        "[udp (20)]": "[udp (21)]",
        "echo_reply": "timestamp_reply",
    }
    for old, new in changes.items():
        assert run(script.replace(old, new)).status is Status.FAILED, new


def test_an_icmp_error_about_a_connection() -> None:
    script = (
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
        "+0...0.1 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)\n"
        "+0 > S 0:0(0) <...>\n"
        "+.1 < icmp unreachable port_unreachable [0:0(0)]\n"
    )
    assert run(script).status is Status.PASSED
    assert run(script.replace("[0:0(0)]", "[100:100(0)]")).status is Status.FAILED


UNSUPPORTED = {
    "shell": "`sysctl -q net.ipv4.tcp_timestamps=0`\n" + UDP,
    "shell in a line": UDP + "+0 `true`\n",
    "ipv6 option": "--ip_version=ipv6\n" + UDP,
    "ipv6 socket": "0 socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 3\n",
    "encapsulation": "0 < ipv4 192.0.2.1 > 192.0.2.2: udp (10)\n",
    "gre": "0 < gre: udp (10)\n",
    "epoll": "0 epoll_create(1) = 3\n",
    "raw socket": "0 socket(..., SOCK_RAW, IPPROTO_TCP) = 3\n",
    "unknown option": "--wire_server\n" + UDP,
    "md5": "0 < S 0:0(0) win 1 <md5 00112233445566778899aabbccddeeff,nop,nop>\n",
    "accurate ECN": "0 < S.5 0:0(0) win 1\n",
    "socket option": UDP + "+0 setsockopt(3, SOL_SOCKET, SO_DEBUG, [1], 4) = 0\n",
    "tcp_info": OPEN + "+0 %{ assert tcpi_sacked == 0 }%\n",
    "python": OPEN + "+0 %{ print(1) }%\n",
    "control messages": UDP + "+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0,"
    " msg_control=[]}, 0) = 10\n",
    "name": UDP + "+0 setsockopt(3, SOL_SOCKET, SO_NOT_THERE, [1], 4) = 0\n",
    "mutation": "0 < S 0:0(0) win 1 {mut ip ihl}\n",
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_an_unsupported_script_is_reported_as_such(what: str) -> None:
    outcome = run(UNSUPPORTED[what])
    assert outcome.status is Status.UNSUPPORTED, str(outcome)
    assert outcome.line > 0
    assert outcome.message


def test_a_socket_option_that_is_refused_may_be_expected_to_be() -> None:
    line = "+0 setsockopt(3, SOL_SOCKET, SO_DEBUG, [1], 4) = -1 ENOPROTOOPT (Protocol not available)\n"
    assert run(UDP + line).status is Status.PASSED


def test_configuration_and_addresses() -> None:
    quick = PLAIN.replace("0 socket", "--config=tcp.delayed_ack_s=0.2\n--local_ip=10.0.0.7\n--mtu=1000\n0 socket", 1)
    quick = quick.replace("mss 1460", "mss 960") + "+0 < P. 1:101(100) ack 1 win 65535\n+.2 > . 1:1(0) ack 101\n"
    assert str(run(quick.replace("--local_ip=10.0.0.7", "--local_ip=192.168.9.9"))) == "x.pkt: passed"
    for line in ("--config=tcp.nothing=1", "--config=tcp.rack=perhaps", "--config=tcp", "--local_ip=10.0", "--mtu=1"):
        outcome = run(f"{line}\n{PLAIN}")
        assert (outcome.status, outcome.line) == (Status.ERROR, 1), line


def test_exit_status_and_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = {
        "good": OPEN,
        "bad": OPEN + "+0 write(4, ..., 1) = 2\n",
        "wrong": "0 < S\n",
        "strange": "0 epoll_create(1) = 3\n",
    }
    names = {}
    for name, text in texts.items():
        names[name] = str(tmp_path / f"{name}.pkt")
        Path(names[name]).write_text(text)
    assert cli.main(["drill", names["good"]]) == 0
    assert capsys.readouterr().out == f"{names['good']}: passed\n"
    assert cli.main(["drill", "-q", names["good"]]) == 0
    assert capsys.readouterr().out == ""
    assert cli.main(["drill", names["good"], names["bad"], names["wrong"], names["strange"]]) == 1
    out = capsys.readouterr().out
    assert f"{names['bad']}:8: FAILED" in out
    assert f"{names['wrong']}:2:1: ERROR" in out
    assert f"{names['strange']}:1: UNSUPPORTED" in out
    assert cli.main(["drill", names["strange"], names["wrong"]]) == 2
    assert cli.main(["drill", names["strange"], names["good"]]) == 3
    assert cli.main(["drill", str(tmp_path / "none.pkt")]) == 2
    assert "No such file" in capsys.readouterr().out
    assert cli.main(["drill", "--mtu=0", names["good"]]) == 2


def test_collected_scripts_fail_and_skip(tmp_path: Path) -> None:
    here = Path(__file__).parent
    (tmp_path / "conftest.py").write_text((here / "conftest.py").read_text())
    texts = {"a": OPEN, "b": OPEN + "+0 write(4, ..., 1) = 2\n", "c": "0 epoll_create(1) = 3\n", "d": "0"}
    for name, text in texts.items():
        (tmp_path / f"{name}.pkt").write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(here.parent.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        check=False, text=True, capture_output=True, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert "2 failed, 1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert "b.pkt:8: FAILED: write differs from the line: result" in done.stdout
    assert re.search(r"SKIPPED .*UNSUPPORTED: epoll_create", done.stdout)
    assert "Traceback" not in done.stdout


def test_a_minute_takes_no_time_and_is_the_same_every_time() -> None:
    path = Path(__file__).parent / "figure-13-simultaneous-close.pkt"
    started = time.process_time()
    assert str(run_file(path)) == str(run_file(path)) == f"{path}: passed"
    assert time.process_time() - started < 1


def test_the_documents_show_what_is_printed() -> None:
    """CONTRIBUTING.md and tools/README.md show a command and its output: they must be current."""
    top = Path(__file__).resolve().parent.parent.parent
    path = top / "tests/drill/figure-13-simultaneous-close.pkt"
    changed = re.sub(r"F\. 1:1\(0\) ack 1$", "F. 1:1(0) ack 2", path.read_text(), flags=re.MULTILINE)
    printed = str(run_script(changed.encode(), "/tmp/changed.pkt")).splitlines()
    shown = "\n".join("    " + line if line else "" for line in printed)
    assert f"$ .venv/bin/tapstack drill /tmp/changed.pkt\n{shown}\n" in (top / "CONTRIBUTING.md").read_text()
    command = f"    $ .venv/bin/tapstack drill {path.relative_to(top)}\n    {path.relative_to(top)}: passed\n"
    assert command in (top / "tools" / "README.md").read_text()
