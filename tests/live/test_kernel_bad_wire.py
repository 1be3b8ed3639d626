"""The Linux kernel at the other end of a bad wire: nothing is lost, and both sides use all that TCP
has.
"""

from __future__ import annotations

import hashlib
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import trio

import stack
from stack.link.device import Link
from tests.live.net import Namespace
from tests.live.tap_host import ECN, SACK, TIMESTAMPS, WINDOW_SCALE, agreed, on_tap, pair

BYTES = 20_000_000
CHUNK = bytes(range(256)) * 256


def bad(tap: stack.Tap) -> Link:
    """Loss, reordering and duplication in both directions."""
    return stack.Impaired(tap, seed=20, loss=0.01, reorder=0.02, reorder_s=0.001, duplicate=0.01)


def digest_of_what_is_sent() -> str:
    return hashlib.sha256((CHUNK * (BYTES // len(CHUNK) + 1))[:BYTES]).hexdigest()


def send(kernel: socket.socket) -> None:
    kernel.sendall((CHUNK * (BYTES // len(CHUNK) + 1))[:BYTES])
    kernel.shutdown(socket.SHUT_WR)


def receive(kernel: socket.socket) -> str:
    """The digest of all that comes until the other end has no more."""
    seen = hashlib.sha256()
    while data := kernel.recv(1 << 20):
        seen.update(data)
    return seen.hexdigest()


@pytest.mark.parametrize("active", [True, False], ids=["we ask", "the kernel asks"])
def test_twenty_megabytes_each_way(namespace: Namespace, active: bool) -> None:
    config = stack.Config()
    config = replace(config, tcp=replace(config.tcp, ecn="on"))
    namespace.in_here(Path("/proc/sys/net/ipv4/tcp_ecn").write_text, "1")

    async def main(host: stack.Host) -> None:
        stream, kernel = await pair(host, namespace, active=active)
        digests: list[str] = []

        async def to_the_kernel() -> None:
            for start in range(0, BYTES, len(CHUNK)):
                await stream.send_all(CHUNK[: BYTES - start])
            await stream.send_eof()

        async def reading() -> None:
            digests.append(await trio.to_thread.run_sync(receive, kernel))

        with closing(kernel):
            kernel.settimeout(60)
            assert agreed(kernel) == TIMESTAMPS | SACK | WINDOW_SCALE | ECN
            async with trio.open_nursery() as nursery:
                nursery.start_soon(to_the_kernel)
                nursery.start_soon(reading)
            seen = hashlib.sha256()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, send, kernel)
                while data := await stream.receive_some(1 << 20):
                    seen.update(data)
            digests.append(seen.hexdigest())
            await stream.aclose()
        assert digests == [digest_of_what_is_sent()] * 2
        assert host.counters()["tcpRetransSegs"] > 100

    on_tap(namespace, main, bad, config=config)
