"""A host of ours in the test's own process, on a TAP whose other side is the kernel of a namespace."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import closing

import trio

import stack
from stack.link.device import Link
from tests import modes
from tests.live.net import OURS, THEIRS, Namespace

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


def on_tap(
    namespace: Namespace,
    test: Callable[[stack.Host], Awaitable[None]],
    config: stack.Config | None = None,
    through: Callable[[stack.Tap], Link] = lambda tap: tap,
) -> None:
    """Run `test(host)` on a host of ours on tap0, whose other side is the kernel; `through` may spoil the wire."""

    async def body() -> None:
        with trio.fail_after(120):
            async with stack.open_host(
                through(stack.Tap("tap0", offload=modes.offload())),
                address=f"{OURS}/24",
                acd="off",
                raise_errors=True,
                config=config or stack.Config(),
            ) as host:
                namespace.ip("addr", "add", f"{THEIRS}/24", "dev", "tap0")
                await test(host)

    namespace.in_here(trio.run, body)
