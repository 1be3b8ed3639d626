"""trio's own checks of streams, run over our sockets on an Ethernet without delay."""

from __future__ import annotations

from functools import partial

import trio
from trio.testing import MockClock, check_half_closeable_stream, check_two_way_stream

from stack import Host
from tests.sockets.hosts import clogged_pair, stream_pair


async def test_two_way_stream(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    await check_two_way_stream(partial(stream_pair, alice, bob), partial(clogged_pair, alice, bob))


async def test_half_closeable_stream(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    await check_half_closeable_stream(partial(stream_pair, alice, bob), partial(clogged_pair, alice, bob))


async def test_half_closeable_stream_to_ourselves(alice: Host, autojump_clock: MockClock) -> None:
    pair = partial(stream_pair, alice, alice, "127.0.0.1")
    await check_half_closeable_stream(pair, None)


async def test_a_stream_over_a_stream_that_was_given_up_on(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """What one test leaves behind does not disturb the next: a hundred pairs, closed in every way, on two hosts."""
    for number in range(100):
        ours, theirs = await stream_pair(alice, bob)
        await ours.send_all(b"x" * number)
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        await trio.aclose_forcefully(first)
        if number % 3:
            await second.aclose()
        else:
            await trio.aclose_forcefully(second)
    await trio.sleep(600)
    assert alice.connections() == bob.connections() == []
