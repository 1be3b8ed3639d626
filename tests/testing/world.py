"""A host and a peer that misbehaves, on one Ethernet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from stack import Ethernet, Host
from stack.testing import Misbehaviour, Peer, open_peer
from tests.sockets.hosts import ALICE, host_on

PEER = "10.9.0.66"
PORT = 80


@asynccontextmanager
async def host_and_peer(*misbehaviours: Misbehaviour) -> AsyncIterator[tuple[Host, Peer]]:
    """ALICE and the peer at PEER."""
    ethernet = Ethernet()
    async with host_on(ethernet.attach("alice"), f"{ALICE}/24") as host, open_peer(ethernet, *misbehaviours) as peer:
        yield host, peer


async def connected(host: Host, port: int = PORT) -> trio.SocketStream:
    """A connection from the host to the peer."""
    return await host.open_tcp_stream(PEER, port)


async def read_all(stream: trio.SocketStream) -> bytes:
    """What comes until the end of the stream."""
    return b"".join([data async for data in stream])


def error_of(raised: BaseException) -> OSError:
    """The error of the system below an error of trio's streams."""
    error: BaseException | None = raised
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    assert isinstance(error, OSError)
    return error
