"""What socket options of TCP do is what they do in the kernel: each case runs over its loopback, and over our hosts."""

from __future__ import annotations

import socket as stdlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.socket import IPPROTO_TCP, SOL_SOCKET, SocketType

from stack.sockets.options import (
    TCP_CONGESTION,
    TCP_CORK,
    TCP_DEFER_ACCEPT,
    TCP_LINGER2,
    TCP_QUICKACK,
    TCP_SYNCNT,
    TCP_WINDOW_CLAMP,
)
from tests.sockets.worlds import World, outcome, run_in_the_kernel, run_in_the_stack

CASES: dict[str, Callable[[World], Awaitable[Any]]] = {}
LONG_S = 0.05  # two of them are less than the time limit of a cork


def case(function: Callable[[World], Awaitable[Any]]) -> Callable[[World], Awaitable[Any]]:
    CASES[function.__name__] = function
    return function


async def arrives(sock: SocketType, within_s: float = LONG_S) -> bytes | None:
    """What one `recv` gives, or None if it has to wait for too long."""
    with trio.move_on_after(within_s):
        return await sock.recv(1000)
    return None


@case
async def a_cork(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = []
    with client, server:
        client.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
        await client.send(b"a")
        await client.send(b"b")
        happened.append(await arrives(server))
        client.setsockopt(IPPROTO_TCP, TCP_CORK, 0)
        happened.append(await arrives(server))
        client.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
        await client.send(b"c")
        happened.append(await arrives(server, 1))  # the time limit
        for _ in range(2):  # each time that it is set
            await client.send(b"d")
            client.setsockopt(IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
            happened.append(await arrives(server))
        await client.send(b"e")
        happened.append(await arrives(server))
        client.setsockopt(IPPROTO_TCP, stdlib.TCP_NODELAY, 0)
        client.setsockopt(IPPROTO_TCP, TCP_CORK, 7)
        happened.append(await arrives(server))
        client.shutdown(stdlib.SHUT_WR)
        happened.append([await arrives(server), await arrives(server)])
    return happened


@case
async def low_water_marks(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = []
    with client, server:
        client.setsockopt(IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
        server.setsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT, 10)
        await client.send(b"123")
        await w.settle()
        happened.append([server.is_readable(), await w.does(server.recv, 100, stdlib.MSG_PEEK)])
        happened.append(await arrives(server))  # a call that need not wait takes what there is

        async def wait() -> None:
            happened.append(await server.recv(100))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await w.settle()
            for _ in range(4):
                happened.append("sent")
                await client.send(b"1234")
                await w.settle()
        await client.send(b"123")
        await w.settle()
        happened.append(server.is_readable())
        server.setsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT, 3)
        happened.append(server.is_readable())
        server.setsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT, 0)
        happened.append(server.getsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT))
        server.setsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT, 1000)
        happened.append(server.is_readable())
        client.shutdown(stdlib.SHUT_WR)
        await w.settle()
        happened.append([server.is_readable(), await w.does(server.recv, 100), await w.does(server.recv, 100)])
    return happened


@case
async def most_low_water(w: World) -> Any:
    happened: list[Any] = []
    with w.client() as sock:
        sock.setsockopt(SOL_SOCKET, stdlib.SO_RCVBUF, 20_000)
        for value in (-1, 1 << 30):
            sock.setsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT, value)
            most = sock.getsockopt(SOL_SOCKET, stdlib.SO_RCVBUF) // 2
            happened.append(sock.getsockopt(SOL_SOCKET, stdlib.SO_RCVLOWAT) == most)
    return happened


@case
async def quick_acks(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = []
    with client, server:
        for value in (0, 1):
            server.setsockopt(IPPROTO_TCP, TCP_QUICKACK, value)
            happened.append(server.getsockopt(IPPROTO_TCP, TCP_QUICKACK))
        await client.send(b"question")
        happened += [await arrives(server), server.getsockopt(IPPROTO_TCP, TCP_QUICKACK)]
        await server.send(b"answer")  # which ends the mode
        happened += [await arrives(client), server.getsockopt(IPPROTO_TCP, TCP_QUICKACK)]
    return happened


@case
async def accepting_later(w: World) -> Any:
    happened: list[Any] = []
    with await w.listening() as listener:
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 1)
        port = listener.getsockname()[1]
        with w.client() as client:
            await client.connect((w.address, port))
            await w.settle()
            happened.append(listener.is_readable())
            await client.send(b"request")
            server, _ = await listener.accept()
            with server:
                happened += [await server.recv(100), server.getsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT)]
        with w.client() as client:
            await client.connect((w.address, port))
            began = trio.current_time()
            server, _ = await listener.accept()  # without data
            with server:
                happened += [0.5 < trio.current_time() - began < 2, await w.does(server.recv, 100)]
        with w.client() as client:
            await client.connect((w.address, port))
            client.shutdown(stdlib.SHUT_WR)
            began = trio.current_time()
            server, _ = await listener.accept()
            with server:
                happened += [trio.current_time() - began < 0.5, await w.does(server.recv, 100)]
    return happened


@case
async def no_fin_wait_2(w: World) -> Any:
    happened: list[Any] = []
    for linger2_s in (0, -1):
        client, server = await w.pair()
        with server:
            client.setsockopt(IPPROTO_TCP, TCP_LINGER2, linger2_s)
            client.shutdown(stdlib.SHUT_WR)
            happened.append(await arrives(server))
            await trio.sleep(LONG_S)  # the ACK of the FIN may be delayed: after it this is FIN-WAIT-2
            client.close()
            await w.settle()
            happened.append(await w.does(server.send, b"late"))
            await w.settle()
            happened.append(await w.does(server.send, b"later"))
    return happened


@case
async def congestion_policies(w: World) -> Any:
    happened: list[Any] = []
    with await w.listening() as listener:
        listener.setsockopt(IPPROTO_TCP, TCP_CONGESTION, b"reno")
        with w.client() as client:
            client.setsockopt(IPPROTO_TCP, TCP_CONGESTION, b"cubic")
            await client.connect(listener.getsockname())
            server, _ = await listener.accept()
            with server:
                for sock in (client, server):
                    for name in (b"", b"cubic", b"reno", b"no such", b"reno\0cubic"):
                        if name:
                            happened.append(outcome(sock.setsockopt, IPPROTO_TCP, TCP_CONGESTION, name))
                        happened += [outcome(sock.getsockopt, IPPROTO_TCP, TCP_CONGESTION, n) for n in (0, 1, 5, 99)]
                await client.send(b"data")
                happened.append(await arrives(server))
    return happened


@case
async def clamps(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = []
    with client, server:
        for value in (0, 1, 2000, 1 << 30, -1, 0):
            happened.append(outcome(client.setsockopt, IPPROTO_TCP, TCP_WINDOW_CLAMP, value))
            happened.append(value and client.getsockopt(IPPROTO_TCP, TCP_WINDOW_CLAMP))
        for value in (0, 1, 127, 128):
            happened.append(outcome(client.setsockopt, IPPROTO_TCP, TCP_SYNCNT, value))
        happened.append(client.getsockopt(IPPROTO_TCP, TCP_SYNCNT))
    return happened


@pytest.mark.parametrize("name", CASES)
def test_same_as_the_kernel(name: str) -> None:
    """Also before there is a connection: `test_options.py` compares every value of every option."""
    assert run_in_the_stack(CASES[name]) == run_in_the_kernel(CASES[name])
