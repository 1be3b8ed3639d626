"""The programs of `right_applications.py`, each with one fault that the tests of programs rarely find."""

from __future__ import annotations

import httpx
import trio

from tests.testing.right_applications import URL, Unavailable

__all__ = ["Unavailable"]


async def fetch(http: httpx.AsyncClient) -> str:
    """It has no limit for the whole answer, and does not try again."""
    try:
        return (await http.get(URL)).raise_for_status().text
    except httpx.TimeoutException as error:
        raise Unavailable from error


async def fetch_patiently(http: httpx.AsyncClient) -> str:
    """It tries again without a pause."""
    while True:
        try:
            return (await http.get(URL)).text
        except httpx.ConnectError:
            pass


async def download(http: httpx.AsyncClient) -> bytes:
    """It has switched the limits off, since downloads take long."""
    try:
        async with http.stream("GET", URL, timeout=None) as response:
            return b"".join([piece async for piece in response.aiter_bytes()])
    except httpx.TransportError as error:
        raise Unavailable from error


async def order(http: httpx.AsyncClient) -> None:
    """It orders again when no answer comes."""
    for _ in range(3):
        try:
            await http.post(URL, content=b"one, please")
            return
        except httpx.TransportError:
            pass
    raise Unavailable


async def connect(name: str) -> trio.SocketStream:
    """It has no limit of its own."""
    try:
        return await trio.open_tcp_stream(name, 80)
    except OSError as error:
        raise Unavailable from error


async def read_line(stream: trio.SocketStream) -> bytes:
    """It takes what comes at once for a line."""
    return bytes(await stream.receive_some())


async def read_all(stream: trio.SocketStream) -> bytes:
    """It takes a reset for the end."""
    received = b""
    try:
        async for data in stream:
            received += data
    except trio.BrokenResourceError:
        pass
    return received


async def read_message(stream: trio.SocketStream, length: int) -> bytes:
    """It takes the end of the stream for the end of the message."""
    message = b""
    while len(message) < length and (data := await stream.receive_some(length - len(message))):
        message += data
    return message


async def upload(stream: trio.SocketStream, data: bytes) -> None:
    """It waits for as long as the peer takes nothing."""
    await stream.send_all(data)


async def say_goodbye(stream: trio.SocketStream) -> bytes:
    """It waits for the end of the peer's direction without a limit."""
    await stream.send_eof()
    return b"".join([data async for data in stream])
