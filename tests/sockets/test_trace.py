"""`open_host(trace=...)`: what it takes, what an observer is told, and what happens when the
observer raises.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import stack
from tests.sockets.hosts import ALICE, BOB, host_on


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, object, bytes]] = []
        self.events: list[stack.Event] = []

    def __call__(self, event: stack.Event) -> None:
        octets = event.data.get("octets")
        if isinstance(octets, bytes):
            self.frames.append((event.group, event.data["dir"], octets))
        else:
            self.events.append(event)


class Faulty(Observer):
    """Raises with the first event of this name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.raised = 0

    def __call__(self, event: stack.Event) -> None:
        super().__call__(event)
        if event.name == self.name:
            self.raised += 1
            raise KeyError("mine")


class Waiting:
    async def __call__(self, event: stack.Event) -> None:
        raise AssertionError("a coroutine that is never awaited")


def two_arguments(name: str, event: stack.Event) -> None:
    raise AssertionError("called")


async def waits(event: stack.Event) -> None:
    raise AssertionError("a coroutine that is never awaited")


WHAT_TO_PASS = "an observer is a function of one event: see stack.Event$"


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (True, "True cannot be called: "),
        (object(), "cannot be called: "),
        (Observer, r"Observer is a class: make one, Observer\(...\); "),
        (Waiting(), " is `async`, and the host does not wait for it: "),
        (waits, " is `async`, and the host does not wait for it: "),
        (two_arguments, "two_arguments.* takes other arguments .*: "),
    ],
)
async def test_what_is_no_observer_is_refused_at_once(trace: Any, message: str, autojump_clock: MockClock) -> None:
    link = stack.Ethernet().attach()
    with pytest.raises(TypeError, match=message + ".*" + WHAT_TO_PASS):
        async with stack.open_host(link, address=f"{ALICE}/24", trace=trace):
            raise AssertionError("opened")
    assert not link.is_open
    async with stack.open_host() as host:
        with pytest.raises(TypeError, match=message + ".*" + WHAT_TO_PASS), host.watch(trace):
            raise AssertionError("watched")


async def test_an_observer_sees_frames_and_events_of_the_host(autojump_clock: MockClock) -> None:
    wire = stack.Ethernet()
    seen = Observer()
    async with (
        stack.open_host(wire.attach("wire"), address=f"{ALICE}/24", acd="off", trace=seen) as alice,
        host_on(wire.attach(), f"{BOB}/24", seed=2),
    ):
        await alice.ping(BOB)
        with alice.socket() as sock, pytest.raises(ConnectionRefusedError):
            await sock.connect((BOB, 80))
    assert {interface for interface, _, _ in seen.frames} == {"wire"}
    assert {direction for _, direction, _ in seen.frames} == {"in", "out"}
    assert "ARP" in " ".join(stack.show(seen.frames[0][2]))
    opened = next(event for event in seen.events if event.name == "tcp:open")
    assert opened.data["remote"] == f"{BOB}:80"


async def test_observers_come_and_go_while_the_host_runs(autojump_clock: MockClock) -> None:
    """Each sees the frames of its time, also on a path and a connection that were there before it."""
    wire = stack.Ethernet()
    async with (
        host_on(wire.attach("wire"), f"{ALICE}/24", seed=1) as alice,
        host_on(wire.attach(), f"{BOB}/24", seed=2) as bob,
        trio.open_nursery() as nursery,
    ):

        async def echo(stream: trio.SocketStream) -> None:
            async for data in stream:
                await stream.send_all(data)

        await nursery.start(bob.serve_tcp, echo, 7)
        async with await alice.open_tcp_stream(BOB, 7) as stream:

            async def exchange(text: bytes) -> None:
                await stream.send_all(text)
                assert await stream.receive_some() == text
                await trio.sleep(1)

            await exchange(b"unseen 1")
            first, second = Observer(), Observer()
            with alice.watch(first):
                await exchange(b"seen by one")
                with alice.watch(second):
                    await exchange(b"seen by two")
            await exchange(b"unseen 2")
            with alice.watch(second):
                await exchange(b"seen again")
        nursery.cancel_scope.cancel()
    octets = [b"".join(frame for _, way, frame in seen.frames if way == "out") for seen in (first, second)]
    back = [b"".join(frame for _, way, frame in seen.frames if way == "in") for seen in (first, second)]
    for text, counts in {b"unseen": (0, 0), b"by one": (1, 0), b"by two": (1, 1), b"seen again": (0, 1)}.items():
        assert tuple(all_of.count(text) for all_of in octets) == counts, text
        assert tuple(all_of.count(text) for all_of in back) == counts, text
    assert {event.group for event in first.events if event.name.startswith("tcp:")} == {"c1"}


async def with_a_faulty_trace(trace: stack.Observer, **options: Any) -> None:
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


@pytest.mark.parametrize("name", ["wire:frame", "tcp:open"])
async def test_an_observer_that_raises_is_reported_once_and_costs_nothing(name: str, autojump_clock: MockClock) -> None:
    """The probes for the address are sent from a deadline: the host would send them again and again."""
    trace, reports = Faulty(name), list[str]()
    await with_a_faulty_trace(trace, report=reports.append)
    assert trace.raised == 1
    [report] = reports
    assert "has raised, and is not called again" in report
    assert "KeyError: 'mine'" in report


def report_that_raises(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("name", ["wire:frame", "host:done", "host:drop"])
async def test_nor_does_a_report_that_raises_cost_anything(name: str, autojump_clock: MockClock) -> None:
    """A drop is told before the host answers it: here by a Port Unreachable."""
    wire, trace = stack.Ethernet(), Faulty(name)
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
    assert trace.raised == 1
    assert (counters["udp_no_port"], counters["handler_failed"]) == (1, 0)


async def test_without_a_report_it_is_a_warning(autojump_clock: MockClock) -> None:
    with pytest.warns(RuntimeWarning, match="KeyError: 'mine'") as told:
        await with_a_faulty_trace(Faulty("wire:frame"))
    assert len(told) == 1


async def test_with_raise_errors_it_comes_out(autojump_clock: MockClock) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        await with_a_faulty_trace(Faulty("wire:frame"), raise_errors=True)
    assert raised.group_contains(KeyError)
