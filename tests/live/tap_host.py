"""A host of this stack in the test's own process, on a TAP whose other end belongs to the kernel of
a namespace.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from typing import Any, TypeVar

import trio

import stack
from stack.link.device import Link
from tests import modes
from tests.live.net import OURS, THEIRS, Namespace

T = TypeVar("T")

TCP_INFO_OPTIONS = 5  # the place of tcpi_options in struct tcp_info
TIMESTAMPS, SACK, WINDOW_SCALE, ECN = 1, 2, 4, 8


def agreed(kernel: socket.socket) -> int:
    """What the kernel says of the connection."""
    return kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[TCP_INFO_OPTIONS] & 0x0F


async def pair(host: stack.Host, namespace: Namespace, *, active: bool) -> tuple[trio.SocketStream, socket.socket]:
    """A connection between us and the kernel, opened by us (`active`) or by it."""
    kernel = namespace.socket(socket.SOCK_STREAM)
    if active:
        with closing(kernel) as listener:
            listener.bind(("", 8000))
            listener.listen()
            stream = await host.open_tcp_stream(THEIRS, 8000)
            accepted, _ = await trio.to_thread.run_sync(listener.accept)
        return stream, accepted
    (ours,) = await host.open_tcp_listeners(8000)
    async with ours, trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, kernel.connect, (OURS, 8000))
        stream = await ours.accept()
    return stream, kernel


@asynccontextmanager
async def host_on(link: Link, namespace: Namespace, **options: Any) -> AsyncIterator[stack.Host]:
    """A host of ours on tap0, whose other side is the kernel at THEIRS. A bug of ours fails the test."""
    async with stack.open_host(link, address=f"{OURS}/24", acd="off", raise_errors=True, **options) as host:
        namespace.ip("addr", "add", f"{THEIRS}/24", "dev", "tap0")
        yield host


def on_tap(
    namespace: Namespace,
    test: Callable[[stack.Host], Awaitable[T]],
    through: Callable[[stack.Tap], Link] = lambda tap: tap,
    **options: Any,
) -> T:
    """The result of `test(host)` on such a host; `through` may spoil the wire. `options` are open_host's.

    A run of its own and no async test, since most tests need the kernel's programs before it and after it.
    """

    async def body() -> T:
        link = through(stack.Tap("tap0", offload=modes.offload()))
        with trio.fail_after(120):
            async with host_on(link, namespace, **options) as host:
                return await test(host)

    result: T = namespace.in_here(trio.run, body)
    return result
