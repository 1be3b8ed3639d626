"""`open_host(trace=...)`: what it takes, what an observer is told, and what happens when the
observer raises.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import stack
from tests.sockets.hosts import ALICE, BOB, host_on


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, str, bytes]] = []
        self.events: list[tuple[str, str, dict[str, object]]] = []

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
        self.frames.append((interface, direction, frame))

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        self.events.append((name, subject, details))


class Faulty(Observer):
    """Raises with the first frame."""

    def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:
        super().frame(now, interface, direction, frame)
        raise KeyError("mine")


class FaultyEvent(Observer):
    """Raises with the first event."""

    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        super().event(now, name, subject, details)
        raise KeyError("mine")


class Waiting(Observer):
    async def frame(self, now: float, interface: str, direction: str, frame: bytes) -> None:  # type: ignore[override]
        raise AssertionError("a coroutine that is never awaited")


class OneArgument(Observer):
    def event(self, name: str) -> None:  # type: ignore[override]
        raise AssertionError("called")


WHAT_TO_PASS = r"frame\(now, interface, direction, frame\) and event\(now, name, subject, details\): see stack\.Trace$"


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (print, "<built-in function print> has no method frame: "),
        (lambda *arguments: None, "has no method frame: "),
        (True, "True has no method frame: "),
        (object(), "has no method frame: "),
        (Observer, r"Observer is a class: make one, Observer\(...\); "),
        (Waiting(), "frame of .* is `async`, and the host does not wait for it: "),
        (OneArgument(), "event of .* takes other arguments .*: "),
    ],
)
async def test_what_is_no_trace_is_refused_at_once(trace: Any, message: str, autojump_clock: MockClock) -> None:
    link = stack.Ethernet().attach()
    with pytest.raises(TypeError, match=message + ".*" + WHAT_TO_PASS):
        async with stack.open_host(link, address=f"{ALICE}/24", trace=trace):
            raise AssertionError("opened")
    assert not link.is_open


async def test_a_trace_sees_frames_and_events_of_the_host(autojump_clock: MockClock) -> None:
    wire = stack.Ethernet()
    observer: stack.Trace
    observer = seen = Observer()
    async with (
        stack.open_host(wire.attach("wire"), address=f"{ALICE}/24", acd="off", trace=observer) as alice,
        host_on(wire.attach(), f"{BOB}/24", seed=2),
    ):
        await alice.ping(BOB)
        with alice.socket() as sock, pytest.raises(ConnectionRefusedError):
            await sock.connect((BOB, 80))
    assert {interface for interface, _, _ in seen.frames} == {"wire"}
    assert {direction for _, direction, _ in seen.frames} == {"in", "out"}
    assert "ARP" in " ".join(stack.show(seen.frames[0][2]))
    assert seen.events[0][0] == "state"
    assert seen.events[0][1].endswith(f" - {BOB}:80")


async def with_a_faulty_trace(trace: stack.Trace, **options: Any) -> None:
    """A host that probes for its address, and then works as without the trace."""
    wire = stack.Ethernet()
    async with (
        stack.open_host(wire.attach(), address=f"{ALICE}/24", trace=trace, **options) as alice,
        host_on(wire.attach(), f"{BOB}/24", seed=2),
    ):
        await alice.ping(BOB)
        with alice.socket() as sock, pytest.raises(ConnectionRefusedError):
            await sock.connect((BOB, 80))
        assert alice.counters()["handler_failed"] == 0


@pytest.mark.parametrize("faulty", [Faulty, FaultyEvent])
async def test_a_trace_that_raises_is_reported_once_and_costs_nothing(
    faulty: Callable[[], Observer], autojump_clock: MockClock
) -> None:
    """The probes for the address are sent from a deadline: the host would send them again and again."""
    trace, reports = faulty(), list[str]()
    await with_a_faulty_trace(trace, report=reports.append)
    assert len(trace.frames if faulty is Faulty else trace.events) == 1
    [report] = reports
    assert "has raised, and is not called again" in report
    assert "KeyError: 'mine'" in report


class FaultyAtADrop(Observer):
    def event(self, now: float, name: str, subject: str, details: dict[str, object]) -> None:
        super().event(now, name, subject, details)
        if name == "drop":
            raise KeyError("mine")


def report_that_raises(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("faulty", [Faulty, FaultyEvent, FaultyAtADrop])
async def test_nor_does_a_report_that_raises_cost_anything(
    faulty: Callable[[], Observer], autojump_clock: MockClock
) -> None:
    """A drop is told before the host answers it: here by a Port Unreachable."""
    wire, trace = stack.Ethernet(), faulty()
    async with (
        stack.open_host(
            wire.attach(), address=f"{ALICE}/24", acd="off", trace=trace, report=report_that_raises
        ) as alice,
        host_on(wire.attach(), f"{BOB}/24", seed=2) as bob,
    ):
        with trio.fail_after(60.0), bob.socket(type=socket.SOCK_DGRAM) as sock:
            await sock.connect((ALICE, 9))
            await sock.send(b"a datagram")
            with pytest.raises(ConnectionRefusedError):
                await sock.recv(1)
        counters = alice.counters()
    assert trace.frames if faulty is Faulty else trace.events
    assert (counters["udp_no_port"], counters["handler_failed"]) == (1, 0)


async def test_without_a_report_it_is_a_warning(autojump_clock: MockClock) -> None:
    with pytest.warns(RuntimeWarning, match="KeyError: 'mine'") as told:
        await with_a_faulty_trace(Faulty())
    assert len(told) == 1


async def test_with_raise_errors_it_comes_out(autojump_clock: MockClock) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await with_a_faulty_trace(Faulty(), raise_errors=True)
    assert raised.group_contains(KeyError)
