"""Fast Open as programs ask for it: RFC 7413 appendix A, with Linux's names and errors."""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio
from trio.socket import IPPROTO_TCP, SHUT_WR
from trio.testing import MockClock

from stack import Config, Host
from stack.sockets.options import MSG_FASTOPEN, TCP_FASTOPEN_CONNECT
from tests.sockets.hosts import ALICE, BOB, Cut, two_hosts

PORT = 8000


def listen(host: Host, pending: int = 5) -> Any:
    """A listening socket that takes data from SYNs."""
    sock = host.socket()
    sock.setsockopt(IPPROTO_TCP, stdlib.TCP_FASTOPEN, pending)
    return sock


async def serve(host: Host, *, task_status: Any) -> None:
    """Answer everything with its upper case."""
    with listen(host) as listener:
        await listener.bind((BOB, PORT))
        listener.listen()
        task_status.started()
        async with trio.open_nursery() as nursery:
            while True:
                sock, peer = await listener.accept()
                assert sock.getpeername() == peer
                nursery.start_soon(answer, sock)


@asynccontextmanager
async def served(config: Config | None = None, *, cut: Cut | None = None) -> AsyncIterator[tuple[Host, Host]]:
    """ALICE, and BOB, the server."""
    async with two_hosts(config, cut=cut) as (alice, bob), trio.open_nursery() as nursery:
        await nursery.start(serve, bob)
        yield alice, bob
        nursery.cancel_scope.cancel()


async def answer(sock: Any) -> None:
    with sock:
        while data := await sock.recv(1000):
            await sock.send(data.upper())


async def learn(alice: Host) -> None:
    """Have ALICE get BOB's cookie, by the first connection that wants one."""
    with alice.socket() as sock:
        assert await sock.sendto(b"first", MSG_FASTOPEN, (BOB, PORT)) == 5
        assert sock.getpeername() == (BOB, PORT)  # without a cookie it has waited for the handshake
        assert await sock.recv(10) == b"FIRST"
    assert alice.counters()["tcpFastOpenActive"] == 0


async def test_data_goes_with_the_syn_and_is_answered_before_the_handshake_is_over(autojump_clock: MockClock) -> None:
    async with served() as (alice, bob):
        await learn(alice)
        for call in ("sendto", "sendmsg"):
            with alice.socket() as sock:
                if call == "sendto":
                    assert await sock.sendto(b"hello", MSG_FASTOPEN, (BOB, PORT)) == 5
                else:
                    assert await sock.sendmsg([b"hel", b"lo"], [], MSG_FASTOPEN, (BOB, PORT)) == 5
                with pytest.raises(OSError) as caught:
                    sock.getpeername()
                assert caught.value.errno == errno.ENOTCONN  # it has not waited
                assert await sock.recv(10) == b"HELLO"
                assert sock.getpeername() == (BOB, PORT)
                await sock.send(b"more")
                assert await sock.recv(10) == b"MORE"
        assert alice.counters()["tcpFastOpenActive"] == 2
        assert bob.counters()["tcpFastOpenPassive"] == 2


async def test_connect_waits_for_the_first_send_where_that_can_go_with_the_syn(autojump_clock: MockClock) -> None:
    async with served() as (alice, bob):
        for round_ in range(3):
            with alice.socket() as sock:
                sock.setsockopt(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
                assert sock.getsockopt(IPPROTO_TCP, TCP_FASTOPEN_CONNECT) == 1
                await sock.connect((BOB, PORT))
                assert sock.getsockname()[0] == ALICE
                assert bool(bob.counters()["tcpPassiveOpens"] == round_) == bool(round_)
                with trio.fail_after(1):
                    await trio.testing.wait_all_tasks_blocked()
                    await sock.wait_writable()
                if round_ < 2:
                    assert await sock.send(b"hello") == 5
                else:
                    assert await sock.sendto(b"hello", MSG_FASTOPEN, (BOB, PORT)) == 5
                assert await sock.recv(10) == b"HELLO"
        assert alice.counters()["tcpFastOpenActive"] == 2


async def test_a_stream_of_trio_s_own_over_it(autojump_clock: MockClock) -> None:
    async with served() as (alice, _):
        await learn(alice)
        sock = alice.socket()
        sock.setsockopt(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        await sock.connect((BOB, PORT))
        async with trio.SocketStream(sock) as stream:
            await stream.send_all(b"abc" * 5000)
            await stream.send_eof()
            received = b""
            async for chunk in stream:
                received += chunk
        assert received == b"ABC" * 5000
        assert alice.counters()["tcpFastOpenActive"] == 1


async def test_a_server_may_half_close_before_the_handshake_is_over(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        with listen(bob) as listener, alice.socket() as first, alice.socket() as second:
            await listener.bind((BOB, PORT))
            listener.listen()
            nursery.start_soon(first.sendto, b"x", MSG_FASTOPEN, (BOB, PORT))
            (await listener.accept())[0].close()
            await second.sendto(b"hello", MSG_FASTOPEN, (BOB, PORT))
            sock, _ = await listener.accept()
            with sock:
                assert await sock.recv(10) == b"hello"
                await sock.send(b"bye")
                sock.shutdown(SHUT_WR)
                assert await second.recv(10) == b"bye"
                assert await second.recv(10) == b""


async def test_what_cannot_be(autojump_clock: MockClock) -> None:
    async with served() as (alice, _):
        with alice.socket() as sock:
            for send, number in (
                (sock.send(b"x", MSG_FASTOPEN), errno.EINVAL),
                (sock.sendto(b"x", MSG_FASTOPEN, (BOB, 1)), errno.ECONNREFUSED),
                (sock.sendto(b"x", MSG_FASTOPEN | stdlib.MSG_OOB, (BOB, PORT)), errno.EOPNOTSUPP),
                (sock.sendto(b"", MSG_FASTOPEN, (BOB, PORT)), 0),
                (sock.sendto(b"x", MSG_FASTOPEN, (BOB, PORT)), errno.EISCONN),
                (sock.send(b"x", MSG_FASTOPEN), errno.EISCONN),
            ):
                if number:
                    with pytest.raises(OSError) as caught:
                        await send
                    assert caught.value.errno == number
                else:
                    assert await send == 0
            for option in (stdlib.TCP_FASTOPEN, TCP_FASTOPEN_CONNECT):
                with pytest.raises(OSError) as caught:
                    sock.setsockopt(IPPROTO_TCP, option, 1)
                assert caught.value.errno == errno.EINVAL
        with listen(alice) as listener:
            listener.listen()
            assert listener.getsockopt(IPPROTO_TCP, stdlib.TCP_FASTOPEN) == 5
            with pytest.raises(OSError) as caught:
                listener.setsockopt(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            assert caught.value.errno == errno.EINVAL
            with pytest.raises(OSError) as caught:
                await listener.sendto(b"x", MSG_FASTOPEN, (BOB, PORT))
            assert caught.value.errno == errno.EISCONN


async def test_one_under_way_already(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with served(cut=cut) as (alice, _):
        await learn(alice)
        cut.made = True
        with alice.socket() as sock:
            assert await sock.sendto(b"x", MSG_FASTOPEN, (BOB, PORT)) == 1
            with pytest.raises(BlockingIOError) as caught:
                await sock.sendto(b"x", MSG_FASTOPEN, (BOB, PORT))
            assert caught.value.errno == errno.EALREADY
            with pytest.raises(OSError, match="No route to host"), trio.fail_after(1000):
                await sock.recv(10)


async def test_where_the_host_forbids_it(autojump_clock: MockClock) -> None:
    config = Config()
    config = replace(config, tcp=replace(config.tcp, fast_open_client=False))
    async with served(config) as (alice, _):
        with alice.socket() as sock:
            with pytest.raises(OSError) as caught:
                sock.setsockopt(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            assert caught.value.errno == errno.EOPNOTSUPP
            for connected in (False, True):
                if connected:
                    await sock.connect((BOB, PORT))
                for send in (sock.sendto(b"x", MSG_FASTOPEN, (BOB, PORT)), sock.send(b"x", MSG_FASTOPEN)):
                    with pytest.raises(OSError) as caught:
                        await send
                    assert caught.value.errno == errno.EOPNOTSUPP


async def test_a_connection_that_is_put_off_is_closed_without_a_trace(autojump_clock: MockClock) -> None:
    async with served() as (alice, bob):
        await learn(alice)
        await trio.sleep(100)
        before = bob.counters()["tcpInSegs"]
        with alice.socket() as sock:
            sock.setsockopt(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            await sock.connect((BOB, PORT))
            assert len(alice.connections()) == 1
        await trio.sleep(100)
        assert not alice.connections()
        assert bob.counters()["tcpInSegs"] == before
