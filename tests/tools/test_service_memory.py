"""The memory of the services is bounded for any behaviour of their clients."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock, memory_stream_pair

from tests.requirements import rfc
from tools import services


@rfc("budget-10")
def test_the_more_is_unsent_the_less_the_echo_service_reads() -> None:
    unsent = services.UnsentBytes(8 << 20)
    assert unsent.may_read() == services.RECEIVE_BYTES
    unsent.total = 7 << 20
    assert unsent.may_read() == (1 << 20) // 8
    unsent.total = 9 << 20
    assert unsent.may_read() == services.LEAST_READ_BYTES


@rfc("budget-10")
async def test_unsent_bytes_count_until_the_client_has_gone(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    unsent = services.UnsentBytes(1 << 20)
    monkeypatch.setattr(services, "UNSENT", unsent)
    ours, theirs = memory_stream_pair()
    stuck = trio.Event()

    async def no_room() -> None:
        stuck.set()
        await trio.sleep_forever()

    theirs.send_stream.send_all_hook = no_room
    async with trio.open_nursery() as nursery:
        nursery.start_soon(services.echo, theirs)
        await ours.send_all(bytes(50_000))
        await stuck.wait()
        assert unsent.total == 50_000
        nursery.cancel_scope.cancel()
    assert unsent.total == 0


@rfc("budget-10")
async def test_one_client_too_many_is_reset_and_the_next_one_served(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(services, "MOST_CLIENTS", 2)
    reset: list[object] = []
    monkeypatch.setattr(services, "reset", reset.append)

    handler = services.guarded("echo", services.echo)
    pairs = [memory_stream_pair() for _ in range(4)]
    async with trio.open_nursery() as nursery:
        for _, theirs in pairs[:3]:
            nursery.start_soon(handler, theirs)
            await trio.testing.wait_all_tasks_blocked()
        assert reset == [pairs[2][1]]
        await pairs[0][0].send_eof()
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(handler, pairs[3][1])
        await pairs[3][0].send_all(b"hello")
        assert await pairs[3][0].receive_some() == b"hello"
        nursery.cancel_scope.cancel()
