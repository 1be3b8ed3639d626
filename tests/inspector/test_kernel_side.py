"""The kernel's end of a connection is read from what ss prints, whatever that is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import trio

import stack
from tools.inspector import kernel_side
from tools.inspector.inspector import Inspector
from tools.inspector.kernel_side import KernelSide, answer, ends_of

# Recorded: iproute2 6.1, ss -tinaHO dst 10.9.0.2
ANSWER = b"""\
ESTAB     99632  0      10.9.0.1:42536 10.9.0.2:19 bbr wscale:7,10 rto:248 rtt:44.698/22.349 ato:84 mss:1448 pmtu:1500 \
rcvmss:1448 advmss:1448 cwnd:10 bytes_acked:1 bytes_received:168144 segs_out:12 segs_in:14 data_segs_in:13 \
bbr:(bw:0bps,mrtt:44.698,pacing_gain:1,cwnd_gain:1) send 2591615bps lastsnd:1068 lastrcv:900 lastack:936 \
pacing_rate 7405536bps delivered:1 app_limited rcv_rtt:1 rcv_space:14480 rcv_ssthresh:93472 minrtt:44.698 snd_wnd:262144
ESTAB 0 33304 10.9.0.1:54798 10.9.0.2:7 ts sack cubic wscale:7,7 rto:408 backoff:1 rtt:0.232/0.116 mss:1448 pmtu:1500 \
rcvmss:536 advmss:1448 cwnd:7 ssthresh:5 bytes_acked:1 unacked:2 retrans:1/3 lost:1 sacked:4 notsent:4000
TIME-WAIT 0      0      10.9.0.1:54164 10.9.0.2:9                                                               \x20
"""
DISCARD = {"state": "TIME-WAIT", "unread": 0, "unsent": 0}


def test_a_recorded_answer_is_read() -> None:
    ends = ends_of(ANSWER)
    assert list(ends) == [
        ("10.9.0.2:19", "10.9.0.1:42536"),
        ("10.9.0.2:7", "10.9.0.1:54798"),
        ("10.9.0.2:9", "10.9.0.1:54164"),
    ]
    assert ends["10.9.0.2:19", "10.9.0.1:42536"] == {
        "state": "ESTAB",
        "unread": 99632,
        "unsent": 0,
        "congestion": "bbr",
        "cwnd_segments": 10,
        "rto_ms": 248,
        "rtt_ms": 44.698,
        "rttvar_ms": 22.349,
        "delayed_ack_ms": 84,
        "mss": 1448,
        "send_window": 262144,
        "receive_space": 14480,
        "options": "window scaling",
    }
    echo = ends["10.9.0.2:7", "10.9.0.1:54798"]
    assert {name: echo[name] for name in ("ssthresh_segments", "unacked", "retrans", "retrans_total", "lost")} == {
        "ssthresh_segments": 5,
        "unacked": 2,
        "retrans": 1,
        "retrans_total": 3,
        "lost": 1,
    }
    assert (echo["congestion"], echo["options"], echo["backoff"]) == ("cubic", "timestamps, SACK, window scaling", 1)
    assert ends["10.9.0.2:9", "10.9.0.1:54164"] == DISCARD


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\xff\x00" * 100 + b"\n",
        b"State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n",
        b"ESTAB 0 0 10.9.0.1:1\n",
        b"LISTEN 0 0 10.9.0.1:1 10.9.0.2:7\n",
        b"<b> 0 0 10.9.0.1:1 10.9.0.2:7\n",
        b"ESTAB 0 0 [::1]:1 [::1]:7\n",
        b"ESTAB 0 0 10.9.0.1:x 10.9.0.2:7\n",
        b"ESTAB 0 0 10.9.0.1:1 10.9.0.2:7",  # cut off
        b"ESTAB 0 0 10.9.0.1:1 10.9.0.2:7 " + b"x" * 5000 + b"\n",
    ],
)
def test_a_line_that_is_not_as_expected_is_left_out(line: bytes) -> None:
    assert ends_of(line) == {}
    assert len(ends_of(ANSWER + line)) == 3


def test_values_that_are_not_as_expected_are_left_out() -> None:
    many = b"9" * 400
    line = (
        b"ESTAB -1 " + many + b" 10.9.0.1:1 10.9.0.2:7 <script> cwnd:-1 ssthresh:%b mss:1e9 rto:1..2 rtt:x/y\n" % many
    )
    assert ends_of(line) == {("10.9.0.2:7", "10.9.0.1:1"): {"state": "ESTAB"}}


async def test_ends_are_found_by_the_name_of_our_connection(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    async def answered(program: str, addresses: list[str]) -> bytes:
        asked.append(addresses)
        kernel = f"{stream.socket.getsockname()[0]}:{stream.socket.getsockname()[1]}"
        return b"SYN-SENT 0 1 10.9.0.9:5 10.9.0.2:7 cwnd:1\nESTAB 0 0 %b 10.9.0.2:7 reno cwnd:3\n" % kernel.encode()

    monkeypatch.setattr(kernel_side, "answer", answered)
    ethernet, recorder = stack.Ethernet(seed=3), stack.Recorder()
    async with (
        stack.open_host(ethernet.attach(), address="10.9.0.2/24", acd="off", trace=recorder) as host,
        stack.open_host(ethernet.attach(), address="10.9.0.1/24", acd="off") as other,
    ):
        side = KernelSide(host, recorder, "ss")
        assert await side.look() == {}
        assert asked == [], "there is no connection to ask for"
        [listener] = await host.open_tcp_listeners(7, host="10.9.0.2")
        stream = await other.open_tcp_stream("10.9.0.2", 7)
        told = await side.look()
        assert asked == [["10.9.0.2"]]
        [group] = {event.group for event in recorder if event.name == "tcp:open"}
        assert list(told) == [group]
        end = told[group]
        assert isinstance(end, dict)
        assert (end["state"], end["congestion"], end["cwnd_segments"]) == ("ESTAB", "reno", 3)
        await stream.aclose()
        await listener.aclose()


async def test_as_many_connections_are_remembered_as_may_be(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest one goes when there is one more; of those that the kernel knows the newest are shown."""
    most = kernel_side.MOST_GROUPS
    recorder = stack.Recorder()

    def opened(port: int) -> stack.Event:
        data: dict[str, object] = {"local": "10.9.0.2:7", "remote": f"10.9.0.1:{port}"}
        return stack.Event(port, 0, 0, "tcp:open", f"c{port}", 0, "call", data, ("own",))

    def answered(ports: range) -> bytes:
        return b"".join(b"ESTAB 0 0 10.9.0.1:%d 10.9.0.2:7\n" % port for port in ports)

    async def nothing(program: str, addresses: list[str]) -> bytes:
        return b""

    monkeypatch.setattr(kernel_side, "answer", nothing)
    async with stack.open_host(stack.Ethernet(seed=3).attach(), address="10.9.0.2/24", acd="off") as host:
        side = KernelSide(host, recorder, "ss")
        for port in range(1, most + 1):
            recorder(opened(port))
        await side.look()
        assert list(side.told(answered(range(1, 3)))) == ["c2", "c1"]
        shown = side.told(answered(range(1, most + 1)))
        assert list(shown) == [f"c{most - i}" for i in range(kernel_side.MOST_SHOWN)]
        recorder(opened(most + 1))
        await side.look()
        assert list(side.told(answered(range(1, 3)))) == ["c2"]


def program(folder: Path, script: str) -> str:
    """A program in the place of ss."""
    made = folder / "ss"
    made.write_text(f"#!/bin/sh\n{script}\n")
    made.chmod(made.stat().st_mode | stat.S_IXUSR)
    return str(made)


@pytest.mark.real_time("a program runs")
async def test_the_answer_of_a_program_is_bounded_in_size(tmp_path: Path) -> None:
    assert len(await answer(program(tmp_path, "exec yes"), ["10.9.0.2"])) == kernel_side.MOST_OCTETS


@pytest.mark.real_time("a program runs")
async def test_the_answer_of_a_program_is_bounded_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_side, "PATIENCE_S", 0.05)
    before = len(os.listdir("/proc/self/fd"))
    assert await answer(program(tmp_path, "echo whole; exec sleep 1000"), ["10.9.0.2"]) in (b"", b"whole\n")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.real_time("a program runs")
async def test_the_program_is_asked_for_connections_to_our_addresses(tmp_path: Path) -> None:
    assert await answer(program(tmp_path, 'echo "$@"'), ["10.9.0.2", "10.9.0.3"]) == (
        b"-tinaHO dst 10.9.0.2 or dst 10.9.0.3\n"
    )


async def test_without_ss_it_is_said_once_and_the_page_goes_on(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernel_side, "PATH", "/nowhere")
    async with stack.open_host(stack.Ethernet(seed=3).attach(), address="10.9.0.2/24", acd="off") as host:
        inspector = Inspector(host, stack.Recorder())
        kernel_side.add(inspector)
        assert "kernel" not in inspector.state.looks
    said = capsys.readouterr()
    assert (said.out + said.err).count("there is no ss") == 1
