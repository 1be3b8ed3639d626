"""What the page of `--inspect` may change of the services: whether they read, and Nagle's algorithm.

A reader that pauses fills its receive buffer, and the window closes: RFC 9293 section 3.8.6. For
Nagle's algorithm see section 3.7.4; trio's streams switch it off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from trio.abc import HalfCloseableStream as Stream

from .wrapped_stream import WrappedStream, bare

Handler = Callable[[Stream], Awaitable[None]]


class Habits:
    """How the services use their connections.

    Attributes:
      nagle: connections that are accepted from now on have Nagle's algorithm.
    """

    def __init__(self) -> None:
        self.nagle = False
        self._may_read = trio.Event()
        self._may_read.set()
        self._reads: dict[trio.CancelScope, None] = {}  # those that wait for data

    @property
    def paused(self) -> bool:
        """Whether the services do not read."""
        return not self._may_read.is_set()

    def pause(self) -> None:
        """Let all connections read nothing from now on, also those that wait for data."""
        if not self.paused:
            self._may_read = trio.Event()
            for scope in self._reads:
                scope.cancel()

    def resume(self) -> None:
        """Let all connections read."""
        self._may_read.set()

    async def read(self, stream: Stream, max_bytes: int | None) -> bytes | bytearray:
        """Receive from a stream, when reading is allowed."""
        while True:
            await self._may_read.wait()
            with trio.CancelScope() as scope:
                self._reads[scope] = None
                try:
                    return await stream.receive_some(max_bytes)
                finally:
                    del self._reads[scope]

    def with_streams(self, handler: Handler) -> Handler:
        """Return a handler whose connections have these habits."""

        async def wrapper(stream: Stream) -> None:
            socket_stream = bare(stream)
            if self.nagle and isinstance(socket_stream, trio.SocketStream):
                socket_stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 0)
            await handler(HeldStream(stream, self))

        return wrapper


class HeldStream(WrappedStream):
    """A stream that is read only while its service may read."""

    def __init__(self, stream: Stream, habits: Habits) -> None:
        super().__init__(stream)
        self._habits = habits

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """As `receive_some` of the stream."""
        return await self._habits.read(self._stream, max_bytes)
