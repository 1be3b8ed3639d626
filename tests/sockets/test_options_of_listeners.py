"""Options of sockets that open connections, and of the sockets that `accept` gives, are the kernel's."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.socket import IPPROTO_IP, IPPROTO_TCP, SO_BROADCAST, SO_REUSEADDR, SOL_SOCKET, SocketType

from stack.sockets.options import IP_BIND_ADDRESS_NO_PORT, SO_MARK, SO_PRIORITY, TCP_QUICKACK
from tests.sockets.worlds import World, run_in_the_kernel, run_in_the_stack


async def quick_acks_while_a_connection_opens(w: World) -> Any:
    happened: list[Any] = []

    def look(sock: SocketType) -> None:
        happened.append(sock.getsockopt(IPPROTO_TCP, TCP_QUICKACK))

    with w.server() as listener, w.client() as client:
        await listener.bind((w.address, 0))
        for listens in (True, False):
            listener.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 0)
            if listens:
                listener.listen(5)
            look(listener)
        client.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 0)
        look(client)
        await client.connect(listener.getsockname())
        look(client)
        server, _ = await listener.accept()
        with server:
            look(server)
    return happened


async def what_a_listener_leaves_to_its_connections(w: World) -> Any:
    happened: list[Any] = []
    given = [SO_BROADCAST, SO_REUSEADDR, SO_MARK, SO_PRIORITY] if os.geteuid() == 0 else [SO_BROADCAST, SO_REUSEADDR]
    with await w.listening() as listener, w.client() as client:
        for option in given:
            listener.setsockopt(SOL_SOCKET, option, 1)
        listener.setsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        await client.connect(listener.getsockname())
        server, _ = await listener.accept()
        with server:
            happened += [server.getsockopt(SOL_SOCKET, option) for option in given]
            happened.append(server.getsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT))
    return happened


@pytest.mark.parametrize("case", [quick_acks_while_a_connection_opens, what_a_listener_leaves_to_its_connections])
def test_same_as_the_kernel(case: Callable[[World], Awaitable[Any]]) -> None:
    assert run_in_the_stack(case) == run_in_the_kernel(case)
