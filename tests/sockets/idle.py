"""What an idle connection costs a program: the bytes of its socket and of all that is behind it,
without the program's.

usage: python -m tests.sockets.idle COUNT

Prints, for one end of one connection, the bytes that tracemalloc finds to come from stack/, and
those that come from elsewhere: trio's `SocketStream`, and what holds it. No task waits for a
connection here: a task is the program's.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from pathlib import Path

import trio
from trio.testing import MockClock

import stack
from tests.sockets.hosts import BOB, two_hosts

OURS = str(Path(stack.__file__).parent)


async def connect(client: stack.Host, listener: trio.SocketListener, count: int) -> list[trio.SocketStream]:
    """Both ends of `count` connections that have each carried some data."""
    ends: list[trio.SocketStream] = []
    port = listener.socket.getsockname()[1]
    for _ in range(count):
        here = await client.open_tcp_stream(BOB, port)
        there = await listener.accept()
        for one, other in ((here, there), (there, here)):
            one.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_KEEPALIVE, 1)
            await one.send_all(b"x" * 100)
            assert await other.receive_some(1000) == b"x" * 100
        ends += [here, there]
    return ends


async def main(count: int) -> None:
    """Measure."""
    async with two_hosts() as (client, server):
        (listener,) = await server.open_tcp_listeners(7)
        ends = await connect(client, listener, 10)
        await trio.sleep(10)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.take_snapshot()
        ends += await connect(client, listener, count)
        await trio.sleep(10)
        gc.collect()
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
        ours = others = 0
        for difference in after.compare_to(before, "filename"):
            if difference.traceback[0].filename.startswith(OURS):
                ours += difference.size_diff
            else:
                others += difference.size_diff
        print(f"{ours / count / 2:.0f} {others / count / 2:.0f}")
        for end in (*ends, listener):
            await trio.aclose_forcefully(end)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), clock=MockClock(autojump_threshold=0))
