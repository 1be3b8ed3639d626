"""`stack.install_in_each_run`: programs that call `trio.run` themselves, and bind before that."""

from __future__ import annotations

import asyncio
import errno
import pickle
import socket as stdlib
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import trio

import stack
from stack.sockets.socket import Socket
from stack.sockets.stdlib_socket import StdlibSocket
from tests.sockets.hosts import ALICE, BOB, two_hosts
from tests.sockets.test_installation import everything

hosts: list[stack.Host] = []


@asynccontextmanager
async def opened() -> AsyncIterator[stack.Host]:
    """BOB, with ALICE beside it."""
    async with two_hosts() as pair:
        hosts[:] = pair
        yield pair[1]


def ours() -> bool:
    with stdlib.socket() as sock:
        return isinstance(sock, StdlibSocket)


def test_each_run_has_a_host() -> None:
    before = everything()
    real = trio.run, trio.lowlevel.start_guest_run

    async def main(number: int) -> tuple[int, bool, str]:
        with trio.socket.socket() as sock:
            await sock.bind((BOB, 80))
            return number, ours(), trio.lowlevel.current_root_task().name if number < 0 else ""  # type: ignore[union-attr]

    with stack.install_in_each_run(opened):
        assert [trio.run(main, number) for number in range(2)] == [(0, True, ""), (1, True, "")]
        assert anyio.run(main, 7, backend="trio") == (7, True, "")
        assert asyncio.run(of_asyncio()) is False
    assert (trio.run, trio.lowlevel.start_guest_run) == real
    assert everything() == before


async def of_asyncio() -> bool:
    with warnings.catch_warnings():
        return ours()


def test_an_exception_is_the_programs_own() -> None:
    async def fail() -> None:
        raise LookupError("of the program")

    with stack.install_in_each_run(opened), pytest.raises(LookupError, match="of the program"):
        trio.run(fail)


def test_what_is_bound_before_is_the_hosts() -> None:
    with stack.install_in_each_run(opened):
        listener = stdlib.socket()
        listener.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR, 1)
        listener.bind((BOB, 80))
        listener.setblocking(False)
        listener.set_inheritable(True)
        listener.listen(7)
        any_port = stdlib.socket(type=stdlib.SOCK_DGRAM)
        any_port.bind(("localhost", 0))
        assert listener.getsockname() == (BOB, 80)
        assert any_port.getsockname() == ("127.0.0.1", 0)
        assert (listener.family, listener.type, any_port.type) == (
            stdlib.AF_INET, stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM,
        )  # fmt: skip
        assert listener.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ACCEPTCONN) == 1
        assert listener.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR) == 1
        assert listener.get_inheritable()
        assert repr(listener) == f"<stack socket.socket SOCK_STREAM local {BOB}:80, not made before trio.run>"
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(listener)

        async def main() -> str:
            assert any_port.getsockname()[1] > 0
            wrapped = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
            assert isinstance(wrapped.socket, Socket)
            assert wrapped.socket.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_REUSEADDR) == 1
            assert wrapped.socket.get_inheritable()
            client = await hosts[0].open_tcp_stream(BOB, 80)
            accepted = await wrapped.accept()
            for stream in (client, accepted, wrapped):
                await stream.aclose()
            any_port.close()
            return str(client.socket)

        assert "closed" in trio.run(main)


def test_an_error_of_bind_comes_with_the_run() -> None:
    async def main() -> None:
        raise AssertionError("it does not begin")

    for address, number in (("192.0.2.1", errno.EADDRNOTAVAIL), (ALICE, errno.EADDRNOTAVAIL)):
        with stack.install_in_each_run(opened), stdlib.socket() as sock:
            sock.bind((address, 80))
            with pytest.raises(OSError, match=f"bind to {address}:80") as caught:
                trio.run(main)
            assert caught.value.errno == number
    with stack.install_in_each_run(opened):
        first, second = stdlib.socket(), stdlib.socket()
        for sock in (first, second):
            sock.bind((BOB, 80))
            sock.listen()
        with pytest.raises(OSError, match="Address already in use"):
            trio.run(main)
        first.close()
        second.close()


def test_what_cannot_wait_is_the_kernels() -> None:
    with stack.install_in_each_run(opened):
        listener, client = stdlib.socket(), stdlib.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(5)
        assert listener.fileno() >= 0
        assert listener.gettimeout() == 5
        assert listener.getsockname()[1] > 0
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        client.sendall(b"hello")
        assert accepted.recv(10) == b"hello"

        async def main() -> None:
            wrapped = trio.socket.from_stdlib_socket(client)
            assert not isinstance(wrapped, Socket)
            await wrapped.send(b"more")
            wrapped.close()

        trio.run(main)
        assert accepted.recv(10) == b"more"
        for sock in (listener, client, accepted):
            sock.close()


def test_before_a_run_there_is_no_ipv6() -> None:
    with stack.install_in_each_run(opened):
        assert not stdlib.has_ipv6
        assert {entry[0] for entry in stdlib.getaddrinfo(None, 80, flags=stdlib.AI_PASSIVE)} == {stdlib.AF_INET}
        with pytest.raises(OSError) as caught:
            stdlib.socket(stdlib.AF_INET6)
        assert caught.value.errno == errno.EAFNOSUPPORT
        one, other = stdlib.socketpair()
        one.close()
        other.close()


def test_a_closed_socket_is_not_made() -> None:
    async def main() -> list[object]:
        return list(hosts[1].connections())

    with stack.install_in_each_run(opened):
        sock = stdlib.socket()
        sock.bind((BOB, 80))
        sock.listen()
        sock.close()
        assert trio.run(main) == []
