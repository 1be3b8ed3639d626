"""Extensions of TCP with the Linux kernel at the other end: urgent data and Explicit Congestion Notification."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trio

import stack
from tests.live.net import OURS, THEIRS, Namespace, ip

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


def on_tap(namespace: Namespace, test: object, config: stack.Config | None = None) -> None:
    """Run `test(host)` on a host of ours on tap0, whose other side is the kernel."""

    async def body() -> None:
        with trio.fail_after(60):
            async with stack.open_host(
                stack.Tap("tap0"), address=f"{OURS}/24", raise_errors=True, config=config or stack.Config()
            ) as host:
                ip("-n", namespace.name, "addr", "add", f"{THEIRS}/24", "dev", "tap0")
                await test(host)  # type: ignore[operator]

    namespace.in_here(trio.run, body)


@pytest.mark.parametrize("active", [True, False], ids=["we ask", "the kernel asks"])
def test_everything_is_agreed_on_and_ecn_works_both_ways(namespace: Namespace, active: bool) -> None:
    config = stack.Config()
    config = replace(config, tcp=replace(config.tcp, ecn="on"))
    namespace.in_here(Path("/proc/sys/net/ipv4/tcp_ecn").write_text, "1")

    async def main(host: stack.Host) -> None:
        stream, kernel = await pair(host, namespace, active=active)
        with closing(kernel):
            assert agreed(kernel) == TIMESTAMPS | SACK | WINDOW_SCALE | ECN
            await stream.send_all(b"to the kernel" * 1000)
            assert len(await trio.to_thread.run_sync(kernel.recv, 13_000, socket.MSG_WAITALL)) == 13_000
            await trio.to_thread.run_sync(kernel.sendall, b"from the kernel" * 1000)
            received = 0
            while received < 15_000:
                received += len(await stream.receive_some())
            await stream.aclose()

    on_tap(namespace, main, config)


@pytest.mark.parametrize("active", [True, False], ids=["we ask", "the kernel asks"])
def test_urgent_data_both_ways(namespace: Namespace, active: bool) -> None:
    async def main(host: stack.Host) -> None:
        stream, kernel = await pair(host, namespace, active=active)
        with closing(kernel):
            await stream.socket.send(b"ordinary!", socket.MSG_OOB)
            await stream.send_all(b" and on")
            assert await trio.to_thread.run_sync(kernel.recv, 8, socket.MSG_WAITALL) == b"ordinary"
            assert kernel.recv(1, socket.MSG_OOB) == b"!"
            assert await trio.to_thread.run_sync(kernel.recv, 7, socket.MSG_WAITALL) == b" and on"
            kernel.send(b"abc!", socket.MSG_OOB)
            kernel.send(b"def")
            await stream.socket.wait_urgent()  # type: ignore[attr-defined]
            assert await stream.socket.recv(1, socket.MSG_OOB) == b"!"
            received = b""
            while len(received) < 6:
                received += await stream.receive_some()
            assert received == b"abcdef"
            await stream.aclose()

    on_tap(namespace, main)
