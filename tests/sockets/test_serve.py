"""`host.serve_listeners`: what happens to streams, listeners and errors, on two hosts on an
Ethernet.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from stack import Host
from stack.sockets.stream import StreamSocket
from tests.sockets.hosts import BOB, two_hosts


async def test_a_stream_that_its_handler_leaves_open_is_closed_with_him(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def handler(stream: trio.SocketStream) -> None:
        await stream.send_all(b"x")

    await nursery.start(bob.serve_tcp, handler, 7)
    stream = await alice.open_tcp_stream(BOB, 7)
    with trio.fail_after(1):
        assert await stream.receive_some() == b"x"
        assert await stream.receive_some() == b""
    await stream.aclose()


async def test_a_handler_may_close_its_stream_itself_and_begins_by_himself(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The task that waits in `accept` would only pass the stream on, and take a turn of trio's loop for it."""
    looked = []
    accept = StreamSocket._accept

    def looking(socket: StreamSocket) -> object:
        looked.append(socket)
        return accept(socket)

    monkeypatch.setattr(StreamSocket, "_accept", looking)
    async with two_hosts() as (alice, bob), trio.open_nursery() as nursery:
        await nursery.start(bob.serve_tcp, trio.aclose_forcefully, 7)
        await wait_all_tasks_blocked()
        assert len(looked) == 1
        for _ in range(3):
            async with await alice.open_tcp_stream(BOB, 7) as stream:
                assert await stream.receive_some() == b""
        assert len(looked) == 1
        nursery.cancel_scope.cancel()


async def test_a_handlers_error_comes_out_and_nothing_stays_open(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    async def handler(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        raise ZeroDivisionError

    listeners = await bob.open_tcp_listeners(7)
    streams: list[trio.SocketStream] = []

    async def server_and_clients() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.serve_listeners, handler, listeners)
            streams.extend([await alice.open_tcp_stream(BOB, 7) for _ in range(2)])
            await streams[0].send_all(b"x")

    with pytest.raises(ExceptionGroup) as caught:
        await server_and_clients()
    assert caught.group_contains(ZeroDivisionError)
    assert [listener.socket.fileno() for listener in listeners] == [-1]
    for stream in streams:
        assert await stream.receive_some() == b""
        await stream.aclose()


async def test_handlers_run_in_the_nursery_that_is_given(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    async def handler(stream: trio.SocketStream) -> None:
        await stream.send_all(await stream.receive_some())

    async with trio.open_nursery() as handlers:
        async with trio.open_nursery() as nursery:
            listeners = await bob.open_tcp_listeners(7)
            nursery.start_soon(lambda: bob.serve_listeners(handler, listeners, handler_nursery=handlers))
            stream = await alice.open_tcp_stream(BOB, 7)
            nursery.cancel_scope.cancel()  # no more connections; the one that is there is served
        await stream.send_all(b"x")
        assert await stream.receive_some() == b"x"
        await stream.aclose()


async def test_a_nursery_that_takes_no_more_handlers_ends_the_server(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    """As in trio's own: RuntimeError comes out of the server; it does not end the host, and is not lost."""
    listeners = await bob.open_tcp_listeners(7)

    async def server_and_client() -> None:
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as handlers:
                serve = partial(bob.serve_listeners, trio.aclose_forcefully, listeners, handler_nursery=handlers)
                await nursery.start(serve)
            async with await alice.open_tcp_stream(BOB, 7):
                await trio.sleep(1)
            nursery.cancel_scope.cancel()

    with pytest.raises(ExceptionGroup) as caught:
        await server_and_client()
    assert caught.group_contains(RuntimeError, match="closed")
    assert [listener.socket.fileno() for listener in listeners] == [-1]


async def test_a_listener_that_is_closed_under_its_server_ends_it(bob: Host, autojump_clock: MockClock) -> None:
    (listener,) = await bob.open_tcp_listeners(7)

    async def close() -> None:
        await wait_all_tasks_blocked()
        listener.socket.close()

    async def server() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bob.serve_listeners, trio.aclose_forcefully, [listener])
            nursery.start_soon(close)

    with pytest.raises(ExceptionGroup) as caught:
        await server()
    assert caught.group_contains(trio.ClosedResourceError)


async def test_a_host_that_ends_ends_serving(autojump_clock: MockClock) -> None:
    ended = trio.Event()

    async def server(listeners: list[trio.SocketListener], bob: Host) -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await bob.serve_listeners(trio.aclose_forcefully, listeners)
        assert caught.group_contains(trio.ClosedResourceError)
        ended.set()

    async with trio.open_nursery() as nursery:
        async with two_hosts() as (_, bob):
            nursery.start_soon(server, await bob.open_tcp_listeners(7), bob)
            await wait_all_tasks_blocked()
        with trio.fail_after(1):
            await ended.wait()


async def test_connections_that_came_before_their_server_are_served(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    listeners = await bob.open_tcp_listeners(7)
    streams = [await alice.open_tcp_stream(BOB, 7) for _ in range(3)]
    await trio.sleep(1)
    nursery.start_soon(bob.serve_listeners, trio.aclose_forcefully, listeners)
    for stream in [*streams, await alice.open_tcp_stream(BOB, 7)]:
        assert await stream.receive_some() == b""
        await stream.aclose()


async def test_handlers_see_what_their_server_sees(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    name = ContextVar("name", default="nobody's")
    seen = []

    async def handler(stream: trio.SocketStream) -> None:
        seen.append(name.get())

    async def server() -> None:
        name.set("the server's")
        await bob.serve_tcp(handler, 7)

    nursery.start_soon(server)
    await wait_all_tasks_blocked()
    for _ in range(2):
        async with await alice.open_tcp_stream(BOB, 7) as stream:
            assert await stream.receive_some() == b""
    assert seen == ["the server's"] * 2
