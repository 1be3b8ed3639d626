"""The page breaks the wire and changes settings; what it asks for is hostile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import stack
from tools.habits import Habits
from tools.inspector import breaking, reading, settings
from tools.inspector.answers import Refused
from tools.inspector.inspector import Inspector
from tools.services import RECEIVE_BYTES, TCP_HANDLERS


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Inspector, stack.Host]]:
    """An inspector of a host at 10.9.0.2 on a bad wire, and the host at its other end."""
    ethernet = stack.Ethernet(seed=3)
    wire = stack.Impaired(ethernet.attach())
    async with (
        stack.open_host(wire, address="10.9.0.2/24", acd="off") as host,
        stack.open_host(ethernet.attach(), address="10.9.0.1/24", acd="off") as other,
    ):
        recorder = stack.Recorder()
        with host.watch(recorder):
            inspector = Inspector(host, recorder, wire=wire)
            breaking.add(inspector)
            habits = Habits()
            settings.add(inspector, habits)
            reading.add(inspector, habits)
            serving = {name: habits.with_streams(TCP_HANDLERS[name]) for name in ("echo", "discard")}
            async with trio.open_nursery() as nursery:
                for port, name in ((7, "echo"), (9, "discard")):
                    listeners = await host.open_tcp_listeners(port)
                    nursery.start_soon(host.serve_listeners, serving[name], listeners)
                yield inspector, other
                nursery.cancel_scope.cancel()


async def do(inspector: Inspector, name: str, **asked: Any) -> Any:
    return await inspector.actions[name]({"do": name, **asked})


def told(inspector: Inspector, name: str) -> list[stack.Event]:
    return [event for event in inspector.recorder if event.name == name]


async def test_the_next_syn_ack_is_lost(autojump_clock: trio.testing.MockClock) -> None:
    async with watched() as (inspector, other):
        state = await do(inspector, "wire", fault="lose", kind="syn,ack", dir="out")
        assert state["words"] == ["The next SYN,ACK is lost (from us)."]
        began = trio.current_time()
        stream = await other.open_tcp_stream("10.9.0.2", 7)
        assert trio.current_time() - began >= 1.0, "by a retransmission"
        [fate] = told(inspector, "wire:fate")
        [lab] = told(inspector, "lab:wire")
        assert fate.data["because"] == "wire_lost_on_purpose"
        assert lab.n < fate.n
        assert lab.data["words"] == "The next SYN,ACK is lost (from us)."
        assert (await inspector.state.looks["wire"]())["words"] == []
        await stream.aclose()


async def test_standing_faults_are_said_and_healed(autojump_clock: trio.testing.MockClock) -> None:
    async with watched() as (inspector, _):
        await do(inspector, "wire", dir="out", loss=0.05, rate_kbps=64, queue_kb=10)
        state = await do(inspector, "wire", dir="in", mtu=1000, delay_ms=20)
        assert state["words"] == [
            "5 % of the frames are lost (from us).",
            "64 kbit/s pass, with a queue of 10 kB (from us).",
            "Each frame takes 20 ms (to us).",
            "Packets of more than 1000 octets vanish without ICMP (to us).",
        ]
        assert (state["out"]["loss"], state["out"]["rate_kbps"], state["in"]["mtu"]) == (0.05, 64, 1000)
        state = await do(inspector, "wire", dir="out", rate_kbps=0)
        assert state["out"]["queue_kb"] == 0
        assert inspector.wire is not None
        assert (await do(inspector, "wire", heal=True))["words"] == []
        assert inspector.wire.outgoing.impairment == stack.Impairment()
        assert len(told(inspector, "lab:wire")) == 4


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"dir": "up", "loss": 0.1},
        {"loss": 2},
        {"loss": -1},
        {"loss": True},
        {"loss": "1"},
        {"loss": None},
        {"loss": float("nan")},
        {"loss": float("inf")},
        {"delay_ms": 10**400},
        {"rate_kbps": 1},
        {"mtu": 20},
        {"queue_kb": 5},
        {"x" * 10_000: 1},
        {"<img onerror=1>": 1},
        {"heal": 1},
        {"heal": True, "loss": 0.1},
        {"dir": ["out"], "loss": 0.1},
        {"fault": "lose"},
        {"fault": "explode", "dir": "out"},
        {"fault": 1, "dir": "out"},
        {"fault": "lose", "dir": "both"},
        {"fault": "lose", "dir": "out", "number": 1.5},
        {"fault": "lose", "dir": "out", "number": True},
        {"fault": "lose", "dir": "out", "number": 10**9},
        {"fault": "lose", "dir": "out", "part": "ip"},
        {"fault": "lose", "dir": "out", "kind": ["syn"]},
        {"fault": "lose", "dir": "out", "loss": 1},
        {"fault": "lose", "dir": "out", "flow": "x"},
        {"fault": "lose", "dir": "out", "flow": ["1.2.3.4:5"]},
        {"fault": "lose", "dir": "out", "flow": ["ten:7", "1.2.3.4:5"]},
        {"fault": "lose", "dir": "out", "flow": ["1.2.3.4:99999", "1.2.3.4:5"]},
        {"fault": "lose", "dir": "out", "flow": ["1.2.3.4:٣", "1.2.3.4:5"]},
    ],
)
async def test_a_wrong_request_changes_nothing(asked: dict[str, Any], autojump_clock: trio.testing.MockClock) -> None:
    async with watched() as (inspector, _):
        with pytest.raises(Refused) as caught:
            await do(inspector, "wire", **asked)
        assert 0 < len(caught.value.why) < 200
        assert inspector.wire is not None
        for direction in (inspector.wire.outgoing, inspector.wire.incoming):
            assert (direction.impairment, direction.armed) == (stack.Impairment(), ())
        assert told(inspector, "lab:wire") == []


async def test_a_setting_holds_for_later_connections(autojump_clock: trio.testing.MockClock) -> None:
    async with watched() as (inspector, _):
        state = await do(inspector, "setting", sack=False, msl_s=1)
        assert (state["sack"]["value"], state["sack"]["usual"], state["msl_s"]["value"]) == (False, True, 1)
        assert inspector.host.config.tcp == stack.TcpConfig(sack=False, msl_s=1)
        assert [(event.data["setting"], event.data["value"]) for event in told(inspector, "lab:setting")] == [
            ("sack", False),
            ("msl_s", 1),
        ]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"sack": 0},
        {"sack": "no"},
        {"congestion": "vegas"},
        {"congestion": ["reno"]},
        {"msl_s": 1e9},
        {"msl_s": "1"},
        {"msl_s": float("nan")},
        {"initial_window_segments": 1.5},
        {"initial_window_segments": True},
        {"syn_cookie_period_s": 1},
        {"__class__": 1},
        {"sack": False, "msl_s": -1},
        {"nagle": True, "sack": "no"},
        {"nagle": 1},
        {"nagle": None},
    ],
)
async def test_a_wrong_setting_changes_nothing(asked: dict[str, Any], autojump_clock: trio.testing.MockClock) -> None:
    async with watched() as (inspector, _):
        with pytest.raises(Refused):
            await do(inspector, "setting", **asked)
        assert inspector.host.config.tcp == stack.TcpConfig()
        assert (await inspector.state.looks["settings"]())["nagle"]["value"] is False  # type: ignore[index]
        assert told(inspector, "lab:setting") == []


async def test_the_services_have_nagles_algorithm_on_later_connections(autojump_clock: trio.testing.MockClock) -> None:
    """A small answer waits while another is in flight: on the second connection, not on the first."""
    async with watched() as (inspector, other):
        await do(inspector, "wire", delay_ms=50, dir="both")

        async def held_back() -> int:
            before = len(blocked := told(inspector, "tcp:blocked"))
            async with await other.open_tcp_stream("10.9.0.2", 7) as stream:
                for _ in range(3):
                    await stream.send_all(b"x")
                    await trio.sleep(0.01)
                await stream.send_eof()
                while await stream.receive_some():
                    pass
            blocked = told(inspector, "tcp:blocked")[before:]
            return sum(event.data["because"] == "blocked_nagle" for event in blocked)

        assert await held_back() == 0
        state = await do(inspector, "setting", nagle=True)
        assert (state["nagle"]["value"], state["nagle"]["usual"]) == (True, False)
        assert await held_back() > 0
        await do(inspector, "setting", nagle=False)
        assert await held_back() == 0
        assert [event.data["words"] for event in told(inspector, "lab:setting")] == [
            f"Nagle's algorithm, in the host's services (RFC 9293): {word}, for connections opened from now on."
            for word in ("on", "off")
        ]
        assert inspector.host.config.tcp == stack.TcpConfig()


async def test_a_reader_that_pauses_closes_the_window_and_opens_it_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A read that waits for data is held, too: nothing that comes afterwards is read."""
    async with watched() as (inspector, other):
        async with await other.open_tcp_stream("10.9.0.2", 9) as stream, trio.open_nursery() as nursery:
            await stream.send_all(b"x")
            await trio.sleep(1)
            state = await do(inspector, "services", paused=True)
            assert state == {"paused": True, "words": [reading.PAUSED]}
            await stream.send_all(b"yz")
            await trio.sleep(1)
            assert [each.unread for each in inspector.host.connections() if each.state == "ESTABLISHED"] == [2]
            nursery.start_soon(stream.send_all, bytes(40 * RECEIVE_BYTES))
            await trio.sleep(5)
            [sender] = [each for each in other.connections() if each.state == "ESTABLISHED"]
            [receiver] = [each for each in inspector.host.connections() if each.state == "ESTABLISHED"]
            assert sender.send_window == 0
            assert receiver.unread >= RECEIVE_BYTES - 100
            await do(inspector, "services", paused=True)
            await trio.sleep(5)
            state = await do(inspector, "services", paused=False)
            assert state == {"paused": False, "words": []}
        await trio.sleep(5)
        assert not any(each.state == "ESTABLISHED" for each in inspector.host.connections())
        assert [event.data["words"] for event in told(inspector, "lab:break")] == [
            reading.PAUSED, reading.PAUSED, reading.READING,
        ]  # fmt: skip


@pytest.mark.parametrize("asked", [{}, {"paused": 1}, {"paused": "yes"}, {"paused": True, "other": 1}, {"x": True}])
async def test_a_wrong_order_to_the_services_changes_nothing(
    asked: dict[str, Any], autojump_clock: trio.testing.MockClock
) -> None:
    async with watched() as (inspector, _):
        with pytest.raises(Refused):
            await do(inspector, "services", **asked)
        assert await inspector.state.looks["services"]() == {"paused": False, "words": []}
        assert told(inspector, "lab:break") == []
