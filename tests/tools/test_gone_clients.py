"""Clients that vanish or never read: every service drops them, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from stack import Host
from tests.sockets.hosts import BOB, Cut, clog, two_hosts
from tools import httpd, services, slow_sends

PORTS = {"echo": 7, "discard": 9, "daytime": 13, "qotd": 17, "chargen": 19, "time": 37}


def served(host: Host) -> list[str]:
    """The connections a host still has with anybody."""
    return [f"{r.local} {r.state}" for r in host.connections() if r.protocol == "tcp" and r.remote is not None]


async def start(host: Host, nursery: trio.Nursery, root: Path) -> None:
    """All services of a host, http too."""
    await services.serve(host, PORTS, nursery)
    handler = services.guarded("http", httpd.handler(host, root))
    await services.serve_tcp(host, handler, 80, nursery)


@pytest.mark.parametrize("name", [*PORTS, "http"])
async def test_a_client_that_vanished_is_detected(name: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob), trio.open_nursery() as nursery:
        await start(bob, nursery, tmp_path)
        streams = [await alice.open_tcp_stream(BOB, {**PORTS, "http": 80}[name]) for _ in range(3)]
        await trio.sleep(0.001)
        cut.made = True
        await trio.sleep(600)
        assert served(bob) == []
        for stream in streams:
            stream.socket.close()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("name", ["echo", "chargen", "http"])
async def test_a_client_that_answers_but_never_reads_is_cut_off(
    alice: Host, bob: Host, nursery: trio.Nursery, name: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    (tmp_path / "big").write_bytes(bytes(4_000_000))
    await start(bob, nursery, tmp_path)
    stream = await alice.open_tcp_stream(BOB, {**PORTS, "http": 80}[name])
    if name == "echo":
        await clog(stream)
    elif name == "http":
        await stream.send_all(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
    await trio.sleep(slow_sends.SEND_S * slow_sends.PIECE_BYTES / slow_sends.SEND_BYTES + 2 * slow_sends.CHECK_S)
    assert served(bob) == []
    stream.socket.close()


async def test_a_client_that_reads_slowly_is_served_to_the_end(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """1,024 octets a second, which is little more than it must read."""
    await services.serve(bob, {"chargen": 19}, nursery)
    stream = await alice.open_tcp_stream(BOB, 19)
    got = 0
    while got < 20 * slow_sends.SEND_BYTES:
        got += len(await stream.receive_some(32 << 10))
        await trio.sleep(32)
    assert len(served(bob)) == 1
    stream.socket.close()


async def test_a_live_client_may_be_silent_for_a_day(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    await services.serve(bob, {"echo": 7}, nursery)
    stream = await alice.open_tcp_stream(BOB, 7)
    await trio.sleep(86_400)
    await stream.send_all(b"good morning")
    assert await stream.receive_some() == b"good morning"
    stream.socket.close()
