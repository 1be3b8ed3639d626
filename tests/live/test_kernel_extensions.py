"""Extensions of TCP with the Linux kernel at the other end: urgent data and Explicit Congestion
Notification.
"""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trio

import stack
from tests.live.net import Namespace
from tests.live.tap_host import ECN, SACK, TIMESTAMPS, WINDOW_SCALE, agreed, on_tap, pair


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

    on_tap(namespace, main, config=config)


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
