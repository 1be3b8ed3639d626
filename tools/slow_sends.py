"""Resets the connections of clients that accept next to no data.

TCP alone would wait for ever for a peer that advertises a zero window (RFC 9293 section 3.8.6.1). A
deadline for every send would cost as much as the send. Instead, one task checks all sends at
intervals, and each send notes the number of the last check before it.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable

import trio
from trio.abc import HalfCloseableStream

from .wrapped_stream import WrappedStream, bare

Handler = Callable[[HalfCloseableStream], Awaitable[None]]

PIECE_BYTES = 1 << 20  # the most that is sent at a time: the larger, the fewer turns of the loop
SEND_BYTES = 262_144  # a client must accept this much within SEND_S, and so many times more in as many times SEND_S
SEND_S = 300.0  # a client that accepts less in this time is cut off, even if it acknowledges
CHECK_S = 30.0  # between two checks: a client may be cut off this much later
MOST_CHECKS = round(SEND_S / CHECK_S)  # during one send; the first may come just after its start


class Client(WrappedStream):
    """A stream to a client whose sends are watched: it is reset when one takes too long."""

    def __init__(self, stream: HalfCloseableStream, reaper: SlowSendReaper) -> None:
        super().__init__(stream)
        self._reaper = reaper

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of the data, in pieces of `PIECE_BYTES`."""
        if len(data) > PIECE_BYTES:
            with memoryview(data) as view:
                for start in range(0, len(view), PIECE_BYTES):
                    await self.send_all(view[start : start + PIECE_BYTES])
            return
        self._reaper.send_begins(self, len(data))
        try:
            await self._stream.send_all(data)
        finally:
            self._reaper.send_ends(self)

    def reset(self) -> None:
        """Reset the connection; the send in progress raises trio.ClosedResourceError."""
        reset(self._stream)


class SlowSendReaper:
    """Watches the sends of all clients of some services. `run` is a task that never ends."""

    def __init__(self) -> None:
        self._until: dict[Client, int] = {}  # clients with a send in progress: the number of the last check of it
        self._checks = 0
        self._any_send = trio.Event()

    def send_begins(self, client: Client, count: int) -> None:
        """Note that a send of `count` octets to this client begins."""
        self._until[client] = self._checks + MOST_CHECKS * max(-(-count // SEND_BYTES), 1)
        if not self._any_send.is_set():
            self._any_send.set()

    def send_ends(self, client: Client) -> None:
        """Note that it has ended."""
        del self._until[client]

    async def run(self) -> None:
        """Check the sends at intervals. Sleeps while no send is in progress."""
        while True:
            if not self._until:
                self._any_send = trio.Event()
            await self._any_send.wait()
            await trio.sleep(CHECK_S)
            self._checks += 1
            for client in [client for client, until in self._until.items() if until < self._checks]:
                client.reset()

    def with_clients(self, handler: Handler) -> Handler:
        """Return a handler that resets a client which accepts less than `SEND_BYTES` in `SEND_S`."""

        return lambda stream: handler(Client(stream, self))


def reset(stream: HalfCloseableStream) -> None:
    """Reset the connection and drop the data that its client has not acknowledged."""
    stream = bare(stream)
    if isinstance(stream, trio.SocketStream):
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()
