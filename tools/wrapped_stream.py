"""A stream around another one, for what watches or holds the connections of services."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from trio.abc import HalfCloseableStream


class WrappedStream(HalfCloseableStream):
    """Does what the inner stream does. Its methods return that one's own coroutines: there is no second one."""

    def __init__(self, stream: HalfCloseableStream) -> None:
        self._stream = stream

    @property
    def inner(self) -> HalfCloseableStream:
        """The stream that is wrapped."""
        return self._stream

    def send_all(self, data: bytes | bytearray | memoryview) -> Coroutine[Any, Any, None]:
        """As `send_all` of the stream."""
        return self._stream.send_all(data)

    def receive_some(self, max_bytes: int | None = None) -> Coroutine[Any, Any, bytes | bytearray]:
        """As `receive_some` of the stream."""
        return self._stream.receive_some(max_bytes)

    def wait_send_all_might_not_block(self) -> Coroutine[Any, Any, None]:
        """As `wait_send_all_might_not_block` of the stream."""
        return self._stream.wait_send_all_might_not_block()

    def send_eof(self) -> Coroutine[Any, Any, None]:
        """As `send_eof` of the stream."""
        return self._stream.send_eof()

    def aclose(self) -> Coroutine[Any, Any, None]:
        """As `aclose` of the stream."""
        return self._stream.aclose()


def bare(stream: HalfCloseableStream) -> HalfCloseableStream:
    """Return the stream without its wrappers."""
    while isinstance(stream, WrappedStream):
        stream = stream.inner
    return stream
