"""What the programs print, and how they report errors."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import subprocess
import sys
from typing import Any, cast

import pytest
from trio.testing import MockClock

import stack
from stack.host.records import ConnectionRecord
from stack.link.device import Offload
from stack.trace.reason import Reason
from stack.trace.reasons import REASONS
from tests.checkout import TOP
from tools import cli, kernel, output, page, ping, up
from tools.output import Failed
from tools.trace import TracePrinter


def interrupted(*_: object) -> object:
    """As trio.run, with Ctrl-C while a nursery is open."""
    raise BaseExceptionGroup("", [KeyboardInterrupt(), BaseExceptionGroup("", [KeyboardInterrupt()])])


def test_an_interruption_of_a_packet_script_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.drill.program.run_file", interrupted)
    assert cli.main(["drill", "a.pkt"]) == 130
    assert capsys.readouterr().err == ""


def test_an_interruption_of_a_run_of_a_lesson_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tools.lessons.program.main", interrupted)
    assert cli.main(["lesson", "T1"]) == 130
    assert capsys.readouterr().err == ""


def test_an_interruption_does_not_hide_another_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> object:
        raise BaseExceptionGroup("", [KeyboardInterrupt(), ZeroDivisionError()])

    monkeypatch.setattr("tools.lessons.program.main", failing)
    with pytest.raises(BaseExceptionGroup):
        cli.main(["lesson", "T1"])


def test_an_interruption_of_the_program_of_exec_is_left_to_it() -> None:
    with pytest.raises(BaseExceptionGroup):
        cli.reported("exec", interrupted)  # type: ignore[arg-type]


PRINTING = ["number tcp a", "ipcalc -v 10.0.0.1/8", f"drill {TOP}/tests/drill/keep-alive.pkt", "lesson T1 --verify"]


def printed_to(descriptor: int, words: str) -> tuple[int, str]:
    """The exit status of a program in a process of its own, and what it says on standard error."""
    command = [sys.executable, "-c", "import sys; from tools.cli import main; sys.exit(main())", *words.split()]
    done = subprocess.run(command, stdout=descriptor, stderr=subprocess.PIPE, text=True, cwd=TOP, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", PRINTING)
def test_a_reader_that_goes_away_is_no_failure(words: str) -> None:
    """As with `| head`: the pipe's other end is closed before a line is written."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    assert printed_to(write_end, words) == (0, "")
    os.close(write_end)


@pytest.mark.parametrize("words", PRINTING)
def test_a_full_disk_is_a_failure_that_is_named(words: str) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    said = f"tapstack {words.split()[0]}: standard output cannot be written: No space left on device\n"
    assert printed_to(full, words) == (1, said)
    os.close(full)


def test_ping_sums_up_like_ping() -> None:
    tally = ping.Tally(sent=4, times_s=[0.001, 0.002, 0.003])
    assert tally.lines("10.9.0.1", 3.0031) == [
        "--- 10.9.0.1 ping statistics ---",
        "4 packets transmitted, 3 received, 25% packet loss, time 3003ms",
        "rtt min/avg/max/mdev = 1.000/2.000/3.000/0.816 ms",
    ]
    assert ping.Tally().lines("10.9.0.1", 0)[1:] == ["0 packets transmitted, 0 received, 0% packet loss, time 0ms"]


def test_ping_gives_times_the_digits_of_ping() -> None:
    times_ms = (0.0456, 0.38, 1.234, 23.45678, 345.6, 2345.6)
    assert [ping.digits(time) for time in times_ms] == ["0.046", "0.380", "1.23", "23.5", "346", "2346"]


@pytest.mark.parametrize("error", [OSError(113, "No route to host"), TimeoutError()])
async def test_ping_goes_on_when_no_answer_comes(error: OSError, autojump_clock: MockClock) -> None:
    """An error is printed; a missing answer shows only in the statistics."""

    class Host:
        async def echo(self, target: str, **wishes: object) -> object:
            raise error

    said: list[str] = []
    tally = ping.Tally()
    plan = ping.Plan("10.9.0.99", count=3, interval_s=1, size=56)
    await ping.send(cast(stack.Host, Host()), plan, tally, said.append)
    assert (tally.sent, tally.times_s) == (3, [])
    assert len(said) == (0 if isinstance(error, TimeoutError) else 3)


ARP = bytes.fromhex("ffffffffffff020000000001080600010800060400010200000000010a0900010000000000000a090002")


def told(
    name: str,
    group: str = "tap0",
    at: float = 100.0,
    frame: int = 0,
    why: tuple[str, ...] = ("own",),
    **data: object,
) -> stack.Event:
    return stack.Event(1, 100.0, at, name, group, frame, "frame", data, why)


def test_a_trace_prints_frames_and_events_with_their_time() -> None:
    """A batch has one time, but its lines are printed at different times."""
    said: list[str] = []
    trace = TracePrinter(lambda text: said.extend(text.splitlines()))
    trace(told("wire:frame", dir="in", octets=ARP))
    trace(told("tcp:open", "c1", at=100.125, local="10.9.0.2:7", remote="10.9.0.1:9"))
    trace(told("tcp:state", "c1", at=100.25, before="LISTEN", rto_s=0.123456789))
    assert said == [
        "    0.000000 < " + stack.show(ARP)[0],
        *("               " + line for line in stack.show(ARP)[1:]),
        "    0.125000 * c1: 10.9.0.2:7 - 10.9.0.1:9",
        "    0.250000 * c1: state before=LISTEN rto=123.457ms",
    ]
    assert len(said) >= 3


def test_a_trace_prints_why_a_frame_is_dropped_under_the_frame() -> None:
    said: list[str] = []
    trace = TracePrinter(lambda text: said.extend(text.splitlines()))
    lines = len(stack.show(ARP))
    details: dict[str, Any] = {"reason": "arp_not_for_us", "meaning": "not for us"}
    trace(told("wire:frame", dir="in", octets=ARP))
    trace(told("host:drop", frame=1, why=("826-1", "826-2"), **details))
    assert said[lines:] == ["               dropped: arp_not_for_us: not for us (826-1, 826-2)"]
    trace(told("wire:frame", dir="out", octets=ARP))
    trace(told("host:drop", frame=1, **details))
    assert said[2 * lines + 1 :] == [
        "               from a frame that came in before: dropped: arp_not_for_us: not for us (our choice)"
    ]
    trace(told("host:drop", at=101.5, **details))
    assert said[-1] == "    1.500000 * dropped: arp_not_for_us: not for us (our choice)"
    trace(told("dhcp:drop", **details))
    assert len(said) == 2 * lines + 3, "that is the same drop once more"


def test_a_trace_prints_the_decisions_under_the_frame_that_has_caused_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a timer or a call has caused, or an earlier frame, has a line of its own, with its time."""
    sentence = "an out-of-order segment arrived"
    monkeypatch.setitem(REASONS, "gap", Reason(sentence, ()))
    said: list[str] = []
    trace = TracePrinter(lambda text: said.extend(text.splitlines()))
    trace(told("wire:frame", dir="in", octets=ARP))
    del said[:]
    trace(told("tcp:ack", "c7", frame=1, why=("5681-4.2-c", "9293 SHLD-18"), decision="now", because="gap"))
    trace(told("tcp:ack", "c7", frame=1, because="gap"))
    trace(told("tcp:rtt", "c7", frame=1, why=("6298-2-a",), rto_s=0.2))
    trace(told("tcp:send", "c7", frame=9))
    trace(told("wire:frame", dir="out", octets=ARP))
    trace(told("tcp:send", "c7", frame=1))
    assert [line for line in said if "c7" in line] == [
        f"               c7: ack now: {sentence} (5681-4.2-c, 9293 SHLD-18)",
        f"               c7: ack: {sentence} (our choice)",
        "               c7: rtt rto=200ms (6298-2-a)",
        "    0.000000 * c7: send",
        "    0.000000 * c7: send",
    ]


def test_a_trace_prints_what_the_wire_does_under_the_frame_that_goes_out() -> None:
    """The frame that is lost on its way in has not been printed, so this is a line of its own."""
    said: list[str] = []
    trace = TracePrinter(said.append)
    trace(told("wire:frame", dir="out", octets=ARP))
    trace(told("wire:fate", frame=1, dir="out", len=42, because="wire_lost"))
    assert said[-1] == "               wire fate dir=out len=42: The wire loses the frame, by chance. (our choice)"
    trace(told("wire:fate", frame=0, dir="in", len=42, because="wire_lost"))
    assert said[-1] == "    0.000000 * wire fate dir=in len=42: The wire loses the frame, by chance. (our choice)"


def test_a_trace_leaves_out_what_is_only_for_programs() -> None:
    said: list[str] = []
    trace = TracePrinter(lambda text: said.extend(text.splitlines()))
    trace(told("tcp:delta", "c1", snd_una=7))
    trace(told("host:done", frame=1, verdict="delivered"))
    trace(told("dhcp:drop", reason="dhcp_malformed"))
    for action in ("set", "cleared"):
        trace(told("tcp:timer", "c1", timer="retransmission", action=action))
    assert said == []
    trace(told("tcp:ack", "c1", decision="none"))
    trace(told("tcp:blocked", "c1", unsent=0))
    trace(told("wire:fate", dir="out", because="wire_delayed", delay_s=0.02))
    assert said == []
    trace(told("tcp:timer", "c1", timer="retransmission", action="fired"))
    trace(told("tcp:blocked", "c1", unsent=7, sent=None, probing=True, again=False))
    assert said == [
        "    0.000000 * c1: timer timer=retransmission fired",
        "    0.000000 * c1: blocked unsent=7 probing",
    ]


def test_a_trace_gives_times_a_unit() -> None:
    said: list[str] = []
    TracePrinter(lambda text: said.extend(text.splitlines()))(
        told("tcp:rtt", "c1", srtt_s=0.00125, rto_s=1.2, min_rtt_s=0.0, lease_s="for ever", count=3)
    )
    assert said == ["    0.000000 * c1: rtt srtt=1.25ms rto=1.2s min_rtt=0s lease_s=for ever count=3"]


def test_the_kernels_addresses_are_read() -> None:
    loopback = kernel.KernelAddress("lo", ipaddress.IPv4Interface("127.0.0.1/8"))
    assert loopback in kernel.addresses()


def test_a_refusal_of_the_kernel_is_an_error() -> None:
    with pytest.raises(OSError, match=r"not supported|Invalid"):
        list(kernel.request(0xFFF, 0, b""))


def test_malformed_netlink_is_an_error() -> None:
    with pytest.raises(OSError, match="shorter"):
        list(kernel.messages(bytes(16)))
    assert list(kernel.attributes(b"\1\0\0\0")) == []


def test_a_failure_is_found_in_an_exception_group() -> None:
    failure = Failed("no")
    assert cli.first_failure(failure) is failure
    assert cli.first_failure(ExceptionGroup("", [ExceptionGroup("", [failure])])) is failure
    bug = ValueError()
    assert cli.first_failure(ExceptionGroup("", [failure, bug])) is None
    assert cli.first_failure(ExceptionGroup("", [bug])) is None


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["up", "--help"], ["lab", "--help"], ["ping", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "usage: tapstack lab [options] [-- COMMAND ...]" in said
    assert re.search(r"^tapstack \d+\.\d+", said, re.MULTILINE)


def test_the_page_shows_round_trips_in_milliseconds() -> None:
    record = ConnectionRecord("tcp", "ESTABLISHED", "10.9.0.2:7", "10.9.0.1:9", srtt_s=0.0004567, rto_s=0.2)
    shown = page.section("Connections", [record, ConnectionRecord("tcp", "LISTEN", "0.0.0.0:7", None)])
    assert "<th>srtt in ms<th>rto in ms" in shown
    assert "<td>0.457<td>200.000" in shown
    assert "<td>-<td>-" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--", "ping", "10.9.0.2"], "tapstack up: `up` takes no COMMAND; `.venv/bin/tapstack lab -- CMD` does"),
        (["up", "--adress", "10.9.0.2/24"], "tapstack up: there is no --adress: did you mean --address?"),
        (["lab", "--tracee=1"], "tapstack lab: there is no --tracee: did you mean --trace?"),
        (["ping", "--zzz", "10.9.0.1"], "tapstack ping: there is no --zzz (see"),
        (["ping", "localhost"], "names are not looked up"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("offload", "name"),
    [
        (Offload(True, 65_415, uso=True), "checksum+TSO4+USO4"),
        (Offload(True, 65_415), "checksum+TSO4"),
        (Offload(True), "checksum"),
        (Offload(True, 65_415, software=True), "checksum+software"),
        (Offload(False, 65_415, software=True), "software"),
        (Offload(), "none"),
    ],
)
def test_the_ready_line_names_what_the_kernel_does(offload: Offload, name: str) -> None:
    tap = stack.Tap("tap0")
    tap.offload = offload
    assert up.offload_name(tap) == name


@pytest.mark.parametrize("words", [[], ["fly"], ["up", "fly"], ["lab", "fly"], ["ping"]])
def test_an_unknown_command_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("tapstack")
    assert said.count("\n") == 1


def test_an_error_is_one_line_for_any_argument(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["up", "a\nb\x1b[31m"], ["up", "--address", "\n"], ["a\nb"], ["up", "--services", "\udcff"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert said.startswith("tapstack")
        assert said[:-1].isprintable()


@pytest.mark.parametrize(("target", "told"), [("/dev/full", "No space left on device"), ("pipe", None)])
def test_unwritable_output_ends_the_program(target: str, told: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal ends it, not an exception, because the write may be within protocol code."""
    if target == "pipe":
        end, writer = os.pipe()
        os.close(end)
    else:
        writer = os.open(target, os.O_WRONLY)
    got: list[int] = []
    say = output.Output(lambda: sys.stdout, "standard output", vital=True)
    old = signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
    try:
        with open(writer, "w") as out:
            monkeypatch.setattr("sys.stdout", out)
            say("hello")
            say("hello again")
            say.flush()
    finally:
        signal.signal(signal.SIGTERM, old)
    assert got == [signal.SIGTERM]
    if told is None:
        say.check()
    else:
        with pytest.raises(Failed, match=f"standard output cannot be written: {told}"):
            say.check()
