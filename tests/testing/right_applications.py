"""Programs that do right what tests/testing/test_applications.py asks of them: over httpx, and over plain trio.

`wrong_applications.py` has the same functions, each with one fault.
"""

from __future__ import annotations

import httpx
import trio

URL = "http://api.example.com/"


class Unavailable(Exception):
    """The service does not answer as it should."""


async def fetch(http: httpx.AsyncClient) -> str:
    """The text at URL. A request that only reads is made again once if its connection breaks."""
    for attempt in range(2):
        try:
            with trio.fail_after(60):  # httpx's own limits are for each read
                return (await http.get(URL)).raise_for_status().text
        except (httpx.ReadError, httpx.RemoteProtocolError) as error:
            if attempt == 1:
                raise Unavailable from error
        except (httpx.TransportError, trio.TooSlowError) as error:
            raise Unavailable from error
    raise AssertionError


async def fetch_patiently(http: httpx.AsyncClient) -> str:
    """The text at URL. A service that refuses is asked again after a second, two, four ..., for a minute."""
    with trio.move_on_after(60):
        pause_s = 1.0
        while True:
            try:
                return (await http.get(URL)).text
            except httpx.ConnectError:
                await trio.sleep(pause_s)
                pause_s *= 2
    raise Unavailable


async def download(http: httpx.AsyncClient) -> bytes:
    """The data at URL, piece by piece. httpx allows five seconds for each."""
    try:
        async with http.stream("GET", URL) as response:
            return b"".join([piece async for piece in response.aiter_bytes()])
    except httpx.TransportError as error:
        raise Unavailable from error


async def order(http: httpx.AsyncClient) -> None:
    """Order something. An order is not sent again: the first one may have been taken."""
    try:
        await http.post(URL, content=b"one, please")
    except httpx.TransportError as error:
        raise Unavailable from error


async def connect(name: str) -> trio.SocketStream:
    """A connection, in ten seconds at most."""
    try:
        with trio.fail_after(10):
            return await trio.open_tcp_stream(name, 80)
    except (OSError, trio.TooSlowError) as error:
        raise Unavailable from error


async def read_line(stream: trio.SocketStream) -> bytes:
    """A line of text, which may come in any number of pieces."""
    line = b""
    while not line.endswith(b"\n"):
        if not (data := await stream.receive_some()):
            raise Unavailable
        line += data
    return line


async def read_all(stream: trio.SocketStream) -> bytes:
    """All that comes until the peer closes. A reset is no end."""
    try:
        return b"".join([data async for data in stream])
    except trio.BrokenResourceError as error:
        raise Unavailable from error


async def read_message(stream: trio.SocketStream, length: int) -> bytes:
    """A message of so many octets, and not fewer."""
    message = b""
    while len(message) < length:
        if not (data := await stream.receive_some(length - len(message))):
            raise Unavailable
        message += data
    return message


async def upload(stream: trio.SocketStream, data: bytes) -> None:
    """Send data, with a limit for each piece of it."""
    try:
        for start in range(0, len(data), 65536):
            with trio.fail_after(30):
                await stream.send_all(data[start : start + 65536])
    except trio.TooSlowError as error:
        raise Unavailable from error


async def say_goodbye(stream: trio.SocketStream) -> bytes:
    """Close our direction, and read what the peer still has to say, for half a minute."""
    await stream.send_eof()
    rest = b""
    with trio.move_on_after(30):
        async for data in stream:
            rest += data
    return rest
