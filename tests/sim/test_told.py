"""What an observer is told of whole transfers over a bad wire: it fits the frames and the figures.

Both hosts send at once, and frames are lost, late, doubled and spoilt. So most decisions of TCP
are made, and each is checked against what else is known.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from stack.tcp.seq import MASK, ge, gt
from stack.trace.event import Event
from stack.trace.explain import explain
from stack.trace.recorder import WITHOUT_LONG_TEXT
from stack.wire.numbers import PROTO_TCP
from stack.wire.tcp import TcpHeader, flag_names
from tests.sim.lossy import LossyEcho
from tests.sim.transfer import Transfer

ETHERNET, IP_HEADER = 14, 20


class Log:
    """All events of a host."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def named(self, *names: str) -> list[Event]:
        return [event for event in self.events if event.name in names]


def segment_of(event: Event) -> tuple[TcpHeader, int] | None:
    """The TCP header in a frame, and the length of its text; None for anything else."""
    octets = event.data["octets"]
    assert isinstance(octets, bytes)
    if octets[12:14] != b"\x08\0" or octets[ETHERNET + 9] != PROTO_TCP:
        return None
    total = int.from_bytes(octets[ETHERNET + 2 : ETHERNET + 4], "big")
    header = TcpHeader.parse(octets[ETHERNET + IP_HEADER : ETHERNET + total])
    return header, total - IP_HEADER - header.header_length


def told_of(seed: int) -> Log:
    """What the client's host tells of a transfer."""
    transfer, log = Transfer(seed, 150_000), Log()
    transfer.here.host.watch(log)
    transfer.network.run(lambda: transfer.client.closed, for_s=600)
    assert transfer.client.closed
    return log


def told_of_an_echo(seed: int) -> Log:
    """The same of an echo over a wire that is only slow and loses frames."""
    echo, log = LossyEcho(seed, 0.1, 0.04), Log()
    echo.here.host.watch(log)
    echo.network.run(lambda: echo.client.closed, for_s=600)
    assert echo.client.closed
    return log


RUNS = [told_of, told_of_an_echo]


@pytest.mark.parametrize("run", RUNS)
def test_what_the_recorder_does_not_measure_has_no_long_text(run: Any) -> None:
    texts = [
        text for e in run(1).named(*WITHOUT_LONG_TEXT) for text in e.data.values() if isinstance(text, str | bytes)
    ]
    assert len(texts) > 100
    assert max(map(len, texts)) <= 32


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_segment_out_is_told_just_before(run: Any, seed: int) -> None:
    """The first SYN was sent before the observer came; its frame has waited for ARP."""
    log = run(seed)
    told = [(e.data["seq"], e.data["len"], e.data["flags"]) for e in log.named("tcp:send")]
    frames = [segment_of(e) for e in log.named("wire:frame") if e.data["dir"] == "out"]
    sent = [(h.seq, length, flag_names(h.flags)) for h, length in filter(None, frames)]
    assert sent[0][2] == "SYN"
    assert sent[1:] == told


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_sent_again_was_sent_before(run: Any, seed: int) -> None:
    end: int | None = None
    again = 0
    for event in run(seed).named("tcp:send"):
        seq, length, flags = event.data["seq"], event.data["len"], str(event.data["flags"]).split(",")
        assert isinstance(seq, int)
        assert isinstance(length, int)
        after = (seq + length + ("SYN" in flags) + ("FIN" in flags)) & MASK
        if event.data["again"]:
            again += 1
            assert end is None or ge(end, after)
        elif after != seq:
            assert end is None or seq == end
            end = after
    assert again


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_holds_a_segment_back_is_in_the_figures(run: Any, seed: int) -> None:
    mss = 1448
    seen = set()
    for event in run(seed).named("tcp:blocked"):
        data: dict[str, Any] = event.data
        because, unsent, flight = data["because"], data["unsent"], data["flight"]
        seen.add(because)
        if because == "blocked_no_data":
            assert unsent <= 0
        elif because == "blocked_window":
            assert 0 < data["snd_wnd"] < flight + mss
        elif because == "blocked_window_closed":
            assert data["snd_wnd"] == 0
        elif because == "blocked_nagle":
            assert 0 < unsent < mss
            assert flight > 0
        elif because == "blocked_silly_window":
            assert 0 < data["snd_wnd"] - flight < mss
    assert "blocked_no_data" in seen
    assert seen & {"blocked_cwnd", "blocked_prr"}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_segment_in_has_a_decision_about_its_ack(run: Any, seed: int) -> None:
    """Each segment that reaches the connection with something new is acknowledged, now or later, within the delay."""
    log = run(seed)
    acknowledged: int | None = None
    newest: int | None = None
    since = 0.0
    for event in log.events:
        if event.name == "tcp:ack" and event.data["decision"] in ("now", "with data"):
            value = event.data["ack"]
            assert isinstance(value, int)
            acknowledged = value
        if event.name == "tcp:delta" and isinstance(event.data.get("rcv_nxt"), int):
            value = event.data["rcv_nxt"]
            assert isinstance(value, int)
            newest, since = value, event.time if newest in (None, acknowledged) else since
        if acknowledged is not None and newest is not None and gt(newest, acknowledged):
            assert event.time - since < 0.5, "9293 MUST-40"
    assert newest == acknowledged


def lines_of(seed: int, *, values: bool) -> list[str]:
    """What people read of a transfer, with the numbers of the frames that caused it left out."""
    transfer, log = Transfer(seed, 150_000), Log()
    transfer.here.host.watch(log, values=values)
    transfer.network.run(lambda: transfer.client.closed, for_s=600)
    told_values = [event for event in log.named("tcp:delta", "tcp:timer") if event.data.get("action") != "fired"]
    assert bool(told_values) is values
    return [f"{event.time} {event.group} {explain(event)}" for event in log.events if explain(event)]


@pytest.mark.parametrize("seed", range(4))
def test_without_values_people_are_told_the_same(seed: int) -> None:
    lines = lines_of(seed, values=False)
    assert lines == lines_of(seed, values=True)
    assert any(" phase " in line for line in lines)


def test_values_are_told_as_long_as_an_observer_wants_them() -> None:
    """Then all of them are told, because their changes were not."""
    transfer, reader, log = Transfer(1, 150_000), Log(), Log()
    host, network = transfer.here.host, transfer.network
    host.watch(reader, values=False)
    network.run(lambda: len(reader.named("wire:frame")) > 20, for_s=60)
    assert not reader.named("tcp:delta")
    host.watch(log)
    network.run(lambda: bool(log.named("tcp:delta")), for_s=60)
    assert log.named("tcp:delta")[0].data["snd_una"]
    assert log.named("tcp:delta")[0].data["iss"]
    host.unwatch(log)
    told = len(reader.named("tcp:delta"))
    network.run(lambda: transfer.client.closed, for_s=600)
    assert len(reader.named("tcp:delta")) == told


def test_without_an_observer_nothing_of_the_trace_is_called() -> None:
    """A place that tells something compares with None, and does no more."""
    called: set[tuple[str, str]] = set()

    def note(frame: Any, event: str, _: object) -> None:
        if event == "call":
            code = frame.f_code
            called.add((code.co_filename.replace("\\", "/").rpartition("/stack/")[2], code.co_name))

    transfer = Transfer(1, 150_000)
    sys.setprofile(note)
    try:
        transfer.network.run(lambda: transfer.client.closed, for_s=600)
    finally:
        sys.setprofile(None)
    assert ("tcp/output.py", "emit") in called
    telling = {(file, name) for file, name in called if file.startswith("trace/") or "tell" in name}
    telling |= {(file, name) for file, name in called if file in ("tcp/trace.py", "tcp/changes.py")}
    assert telling == set()
