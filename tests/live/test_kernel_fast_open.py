"""Fast Open with the Linux kernel at the other end: RFC 7413, in both roles."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

import stack
from stack.sockets.options import MSG_FASTOPEN, TCP_FASTOPEN_CONNECT
from tests.live.net import OURS, THEIRS, Namespace
from tests.live.tap_host import TCP_INFO_OPTIONS, on_tap

SYN_DATA = 32  # TCPI_OPT_SYN_DATA
PORT = 8000
BOTH = "3"  # net.ipv4.tcp_fastopen: client and server


def took_syn_data(kernel: socket.socket) -> bool:
    """What the kernel says: data in the SYN was acknowledged with it, or (its own) was."""
    return bool(kernel.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[TCP_INFO_OPTIONS] & SYN_DATA)


def read(kernel: socket.socket, count: int) -> bytes:
    """Exactly so many octets, of a kernel socket with a timeout."""
    received = b""
    while len(received) < count:
        more = kernel.recv(count - len(received))
        assert more
        received += more
    return received


def run(namespace: Namespace, test: Callable[[stack.Host], Awaitable[None]]) -> None:
    namespace.in_here(Path("/proc/sys/net/ipv4/tcp_fastopen").write_text, BOTH)
    on_tap(namespace, test)


@pytest.mark.parametrize("deferred", [False, True], ids=["MSG_FASTOPEN", "TCP_FASTOPEN_CONNECT"])
def test_the_kernel_s_client_at_our_server(namespace: Namespace, deferred: bool) -> None:
    def ask(kernel: socket.socket, text: bytes) -> bytes:
        if deferred:
            kernel.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            kernel.connect((OURS, PORT))
            kernel.sendall(text)
        else:
            kernel.settimeout(None)  # with one the call would not wait, and say EINPROGRESS
            sent = kernel.sendto(text, MSG_FASTOPEN, (OURS, PORT))
            kernel.settimeout(20)
            kernel.sendall(text[sent:])
        return read(kernel, len(text))

    async def main(host: stack.Host) -> None:
        (listener,) = await host.open_tcp_listeners(PORT)
        listener.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)

        async def serve(stream: trio.SocketStream) -> None:
            async with stream:
                async for chunk in stream:
                    await stream.send_all(chunk.upper())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, [listener])
            for number, text in enumerate((b"a cookie, please", b"hello", b"x" * 1300, b"y" * 100_000)):
                with closing(namespace.socket(socket.SOCK_STREAM)) as kernel:
                    assert await trio.to_thread.run_sync(ask, kernel, text) == text.upper()
                    assert took_syn_data(kernel) == bool(number)
            assert host.counters()["tcpFastOpenPassive"] == 3
            assert host.counters()["tcpFastOpenCookieReqd"] == 1
            nursery.cancel_scope.cancel()

    run(namespace, main)


@pytest.mark.parametrize("deferred", [False, True], ids=["MSG_FASTOPEN", "TCP_FASTOPEN_CONNECT"])
def test_our_client_at_the_kernel_s_server(namespace: Namespace, deferred: bool) -> None:
    def answer(listener: socket.socket, count: int) -> tuple[bytes, bool]:
        accepted, _ = listener.accept()
        with closing(accepted):
            accepted.settimeout(20)
            text = read(accepted, count)
            accepted.sendall(text.upper())
            return text, took_syn_data(accepted)

    async def main(host: stack.Host) -> None:
        with closing(namespace.socket(socket.SOCK_STREAM)) as listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
            listener.bind(("", PORT))
            listener.listen()
            for number, text in enumerate((b"a cookie, please", b"hello", b"x" * 1300, b"y" * 100_000)):
                answers: list[tuple[bytes, bool]] = []

                async def serve(count: int, answers: list[tuple[bytes, bool]]) -> None:
                    answers.append(await trio.to_thread.run_sync(answer, listener, count))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(serve, len(text), answers)
                    sock = host.socket()
                    if deferred:
                        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
                        await sock.connect((THEIRS, PORT))
                        rest = text
                    else:
                        rest = text[await sock.sendto(text, MSG_FASTOPEN, (THEIRS, PORT)) :]
                    async with trio.SocketStream(sock) as stream:
                        await stream.send_all(rest)
                        received = b""
                        while len(received) < len(text):
                            received += await stream.receive_some()
                assert received == text.upper()
                assert answers == [(text, bool(number))]
            assert host.counters()["tcpFastOpenActive"] == 3

    run(namespace, main)


def test_a_kernel_whose_server_does_not_take_it(namespace: Namespace) -> None:
    """It has forgotten us: we notice, the data comes all the same, and we do not try again at once."""

    async def main(host: stack.Host) -> None:
        with closing(namespace.socket(socket.SOCK_STREAM)) as listener:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
            listener.bind(("", PORT))
            listener.listen()
            for number in range(4):
                if number == 2:
                    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 0)
                async with trio.SocketStream(host.socket()) as stream:
                    await stream.socket.sendto(b"hello", MSG_FASTOPEN, (THEIRS, PORT))
                    accepted, _ = await trio.to_thread.run_sync(listener.accept)
                    with closing(accepted):
                        assert await trio.to_thread.run_sync(read, accepted, 5) == b"hello"
                        assert took_syn_data(accepted) == (number == 1)
            counters = host.counters()
            assert (counters["tcpFastOpenActive"], counters["tcpFastOpenActiveFail"]) == (1, 1)

    run(namespace, main)
