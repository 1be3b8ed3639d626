"""Where a program with sockets runs, to be compared: over the kernel's loopback, and over two hosts
of ours.

A case is a coroutine function that takes a `World` and gives what happened; every world must give
the same. Exceptions are compared by type and errno, addresses by whether they are right, since
ports are everybody's own.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import trio
from trio.socket import SO_LINGER, SOCK_DGRAM, SOL_SOCKET, SocketType
from trio.testing import MockClock

from tests.sockets.hosts import BOB, two_hosts, until

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
STREAM, DATAGRAM = stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM


@dataclass(frozen=True)
class World:
    """Where a case runs: sockets of a client and of a server at `address`; `refused` is a port without a listener."""

    client: Callable[..., SocketType]
    server: Callable[..., SocketType]
    address: str
    refused: int
    patience_s: float = 0  # what an answer may take on a wire with a time of its own

    async def settle(self) -> None:
        """Wait until what was sent has arrived."""
        if self.patience_s:
            await trio.sleep(self.patience_s)
        for _ in range(50):
            await trio.lowlevel.checkpoint()

    async def does(self, call: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """As `aoutcome`, in the time that this world takes."""
        return await aoutcome(call, *args, patience_s=self.patience_s)

    async def listening(self, backlog: int = 10) -> SocketType:
        listener = self.server()
        await listener.bind((self.address, 0))
        listener.listen(backlog)
        return listener

    async def pair(self) -> tuple[SocketType, SocketType]:
        """A connected client and the server's end."""
        client = self.client()
        with await self.listening() as listener:
            await client.connect(listener.getsockname())
            server, address = await listener.accept()
            assert address == client.getsockname() == server.getpeername()
        return client, server

    async def reset_pair(self) -> SocketType:
        """A client whose peer has reset the connection after it sent two bytes."""
        client, server = await self.pair()
        await server.send(b"zz")
        await until(client.is_readable)
        server.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
        server.close()
        await until(lambda: outcome(client.getpeername) == ("raised", "OSError", "ENOTCONN"))
        return client

    async def datagram_pair(self) -> tuple[SocketType, SocketType]:
        """A connected datagram socket and the one it is connected to."""
        client, server = self.client(type=SOCK_DGRAM), self.server(type=SOCK_DGRAM)
        await server.bind((self.address, 0))
        await client.connect(server.getsockname())
        return client, server


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """What a call gives, or how it fails."""
    try:
        return call(*args)
    except Exception as error:
        return describe(error)


async def aoutcome(call: Callable[..., Awaitable[Any]], *args: Any, patience_s: float = 0) -> Any:
    """What an asynchronous call gives, or how it fails, or "waits" when it does."""
    result: list[Any] = []

    async def run() -> None:
        try:
            result.append(await call(*args))
        except Exception as error:
            result.append(describe(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        # Whatever can be answered at once takes one checkpoint; a few more are for loopback and segment.
        for _ in range(50):
            if result:
                return result[0]
            await trio.lowlevel.checkpoint()
        if patience_s:
            with trio.move_on_after(patience_s):
                while not result:
                    await trio.sleep(patience_s / 100)
        nursery.cancel_scope.cancel()
    return result[0] if result else "waits"


def describe(error: Exception) -> tuple[str, ...]:
    number = getattr(error, "errno", None)
    return "raised", type(error).__name__, errno.errorcode.get(number, str(number)) if number else ""


# Both worlds of a case meet in one test, with a clock and a run each: pytest-trio gives a test one of either.


def run_in_the_kernel(function: Callable[[World], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        with stdlib.socket() as probe, stdlib.socket(type=DATAGRAM) as datagram_probe:
            probe.bind(("127.0.0.1", 0))  # taken without a listener: connecting is refused
            port = probe.getsockname()[1]
            datagram_probe.bind(("127.0.0.1", port))
            datagram_probe.connect(("127.0.0.1", 1))
            with trio.fail_after(20):
                return await function(World(trio.socket.socket, trio.socket.socket, "127.0.0.1", port))

    return trio.run(main)


def run_in_the_stack(function: Callable[[World], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with two_hosts() as (alice, bob):
            await alice.ping(BOB)  # so that addresses are resolved, as they are on the loopback
            with trio.fail_after(3600):  # of virtual time
                return await function(World(alice.socket, bob.socket, BOB, 4))

    return trio.run(main, clock=MockClock(autojump_threshold=0))
