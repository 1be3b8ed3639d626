"""Sockets made by the standard library's class, in a run that has a host installed."""

from __future__ import annotations

import _socket
import errno
import os
import pickle
import socket as stdlib
import ssl
from io import BytesIO
from multiprocessing.reduction import ForkingPickler
from socket import socket as imported_before
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from stack import Host
from stack.sockets.socket import Socket
from stack.sockets.stdlib_socket import StdlibSocket
from tests.sockets.hosts import ALICE, BOB, until

DATAGRAM = stdlib.SOCK_DGRAM


def error_of(call: Any, *arguments: Any) -> tuple[type, int | None]:
    """The class and the errno of what a call raises."""
    with pytest.raises(Exception) as caught:
        call(*arguments)
    return type(caught.value), getattr(caught.value, "errno", None)


async def test_the_class_makes_a_socket_of_the_host(alice: Host, autojump_clock: MockClock) -> None:
    with alice.install(), stdlib.socket() as sock, imported_before(stdlib.AF_INET, DATAGRAM) as other:
        assert isinstance(sock, StdlibSocket)
        assert isinstance(sock, stdlib.socket)
        assert isinstance(other, StdlibSocket)
        assert (sock.family, sock.type, sock.proto) == (stdlib.AF_INET, stdlib.SOCK_STREAM, 0)
        assert (other.family, other.type) == (stdlib.AF_INET, DATAGRAM)
        sock.bind((ALICE, 80))
        sock.listen(5)
        assert sock.getsockname() == (ALICE, 80)
        assert sock.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ACCEPTCONN) == 1
        assert [record.local for record in alice.listeners()] == [f"{ALICE}:80"]
        assert repr(sock) == f"<stack socket.socket SOCK_STREAM local {ALICE}:80 listening>"
    assert alice.listeners() == []


async def test_errors_come_at_once(alice: Host, autojump_clock: MockClock) -> None:
    with alice.install():
        with stdlib.socket() as first, stdlib.socket() as second:
            assert error_of(first.bind, ("192.0.2.1", 80)) == (OSError, errno.EADDRNOTAVAIL)
            assert error_of(first.bind, "/tmp/x") == (TypeError, None)
            assert error_of(first.bind, ("", 70_000)) == (OverflowError, None)
            first.bind(("", 80))
            first.listen()
            assert error_of(second.bind, ("", 80)) == (OSError, errno.EADDRINUSE)
            assert error_of(second.getpeername) == (OSError, errno.ENOTCONN)
            assert error_of(second.setsockopt, 1, 9999, 1) == (OSError, errno.ENOPROTOOPT)
        assert error_of(first.bind, ("", 81)) == (OSError, errno.EBADF)
        assert error_of(stdlib.socket, stdlib.AF_INET6) == (OSError, errno.EAFNOSUPPORT)
        assert error_of(stdlib.socket, stdlib.AF_INET, stdlib.SOCK_RAW, 1)[1] == errno.ESOCKTNOSUPPORT


async def test_trio_wraps_it(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with bob.install():
        prepared = stdlib.socket()
        prepared.bind((BOB, 80))
        prepared.listen()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(prepared))
    with alice.install():
        made = trio.socket.from_stdlib_socket(stdlib.socket())
        assert made._sock.gettimeout() == 0.0  # type: ignore[attr-defined]
        await made.connect((BOB, 80))
    stream = await listener.accept()
    await made.send(b"hello")
    assert await stream.receive_some() == b"hello"
    for closed in (stream, listener, trio.SocketStream(made)):
        await closed.aclose()
    assert prepared.fileno() == -1
    with pytest.raises(OSError) as caught:
        trio.socket.from_stdlib_socket(prepared)
    assert caught.value.errno == errno.EBADF


async def test_a_trio_socket_has_one_form(alice: Host, autojump_clock: MockClock) -> None:
    with alice.install(), trio.socket.socket() as made:
        form: Any = made._sock  # type: ignore[attr-defined]
        assert made._sock is form  # type: ignore[attr-defined]
        assert form.getsockname() == ("0.0.0.0", 0)
        prepared = stdlib.socket()
        assert trio.socket.from_stdlib_socket(prepared)._sock is prepared  # type: ignore[attr-defined]
        prepared.close()


async def test_a_call_that_would_wait_says_so(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.install(), stdlib.socket() as sock, stdlib.socket(type=DATAGRAM) as datagram:
        sock.bind(("", 80))
        with pytest.raises(
            OSError, match="connect would wait for ever: the socket's host runs in this thread"
        ) as caught:
            sock.connect((BOB, 80))
        assert caught.value.errno == errno.EDEADLK
        sock.listen()
        assert error_of(sock.accept) == (OSError, errno.EDEADLK)
        assert error_of(datagram.recv, 10) == (OSError, errno.EDEADLK)
        datagram.settimeout(3)
        assert error_of(datagram.recv, 10) == (OSError, errno.EDEADLK)
        datagram.setblocking(False)
        assert error_of(datagram.recv, 10) == (BlockingIOError, errno.EAGAIN)
        assert alice.connections()[0].state == "LISTEN"  # no SYN was sent


async def test_a_program_of_calls_that_do_not_block(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with bob.install():
        listener = stdlib.socket()
        listener.setblocking(False)
        listener.bind((BOB, 80))
        listener.listen()
    with alice.install():
        client = stdlib.socket()
        client.setblocking(False)
        assert error_of(client.connect, (BOB, 80)) == (BlockingIOError, errno.EINPROGRESS)
        assert client.connect_ex((BOB, 80)) == errno.EALREADY
    await trio.lowlevel.wait_writable(client)
    client.connect((BOB, 80))
    assert client.connect_ex((BOB, 80)) == errno.EISCONN
    await trio.lowlevel.wait_readable(listener)
    server, address = listener.accept()
    assert isinstance(server, StdlibSocket)
    assert address == client.getsockname()
    client.sendall(b"hello")
    server.setblocking(False)
    await trio.lowlevel.wait_readable(server)
    assert server.recv(2) == b"he"
    place = bytearray(3)
    assert server.recv_into(place) == 3
    assert place == b"llo"
    client.shutdown(stdlib.SHUT_WR)
    await trio.lowlevel.wait_readable(server)
    assert server.recv(10) == b""
    for sock in (client, server, listener):
        sock.close()


async def test_an_attempt_that_fails(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.install(), stdlib.socket() as client:
        client.setblocking(False)
        assert client.connect_ex((BOB, 80)) == errno.EINPROGRESS
        await trio.lowlevel.wait_writable(client)
        assert client.connect_ex((BOB, 80)) == errno.ECONNREFUSED
        assert client.connect_ex((BOB, 80)) == errno.EINPROGRESS


async def test_datagrams(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with bob.install():
        server = stdlib.socket(type=DATAGRAM)
        server.bind((BOB, 53))
    with alice.install():
        client = stdlib.socket(type=DATAGRAM)
        client.connect((BOB, 53))
        assert client.send(b"one") == 3
        assert client.sendmsg([b"t", b"wo"]) == 3
    await trio.lowlevel.wait_readable(server)
    assert server.recvfrom(2) == (b"on", client.getsockname())
    await until(server.trio_socket.is_readable)  # type: ignore[attr-defined]
    assert server.recvmsg(2) == (b"tw", [], stdlib.MSG_TRUNC, client.getsockname())
    server.sendto(b"three", client.getsockname())
    await trio.lowlevel.wait_readable(client)
    assert client.recv(10) == b"three"
    assert error_of(client.accept) == (OSError, errno.EOPNOTSUPP)
    assert error_of(client.listen) == (OSError, errno.EOPNOTSUPP)
    client.close()
    server.close()


async def test_nothing_reaches_the_kernels_class(alice: Host, autojump_clock: MockClock) -> None:
    """Each method that the kernel's class has by itself is replaced."""
    own = {name for kind in StdlibSocket.__mro__[:-3] for name in vars(kind)}
    for kind in StdlibSocket.__subclasses__():
        names = own | set(vars(kind))
        from_c = {name for name in vars(_socket.socket) if not name.startswith("__")}
        assert from_c - names - {"_accept", "close"} == set()  # which the Python class calls, and which we replace
    with alice.install(), stdlib.socket() as sock:
        assert _socket.socket.fileno(sock) == -1


async def test_files_over_it(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with bob.install():
        listener = stdlib.socket()
        listener.bind(("", 80))
        listener.listen()
    client = await alice.open_tcp_stream(BOB, 80)
    server = listener.accept()[0]
    assert server.sendfile(BytesIO(b"from a file")) == 11
    assert await client.receive_some() == b"from a file"
    await client.send_all(b"a line\n")
    await trio.lowlevel.wait_readable(server)
    with server.makefile("rb") as file:
        assert file.readline() == b"a line\n"
    await client.aclose()
    server.close()
    listener.close()


async def test_what_it_cannot_do_is_refused_in_a_sentence(alice: Host, autojump_clock: MockClock) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with alice.install(), stdlib.socket() as sock:
        with pytest.raises(OSError, match=r"For TLS use trio\.SSLStream"):
            context.wrap_socket(sock, server_side=True)
        with pytest.raises(OSError, match="no other socket can be made of it"):
            stdlib.socket(fileno=sock.fileno())
        for dump in (pickle.dumps, ForkingPickler.dumps):
            with pytest.raises(TypeError, match="cannot be pickled: it belongs to one process"):
                dump(sock)
        assert error_of(sock.dup)[1] == error_of(sock.detach)[1] == errno.EOPNOTSUPP
        sock.bind(("", 80))  # it is as it was


async def test_what_stays_the_kernels(alice: Host, autojump_clock: MockClock) -> None:
    class Own(stdlib.socket):
        """A program's own class."""

    with alice.install():
        with Own() as own, stdlib.socket(stdlib.AF_UNIX) as unix:
            assert not isinstance(own, StdlibSocket)
            assert not isinstance(unix, StdlibSocket)
        one, other = stdlib.socketpair()
        with one, other, stdlib.socket(fileno=os.dup(one.fileno())) as third:
            assert third.family == stdlib.AF_UNIX
            assert isinstance(trio.socket.from_stdlib_socket(third), trio.socket.SocketType)
    with stdlib.socket() as sock:
        assert not isinstance(sock, StdlibSocket)


@pytest.mark.real_time("a thread works")
async def test_a_worker_thread_has_the_kernels(alice_and_bob: tuple[Host, Host]) -> None:
    def kind() -> tuple[type, bool]:
        with stdlib.socket() as sock:
            return type(sock), stdlib.has_ipv6

    with alice_and_bob[0].install():
        assert await trio.to_thread.run_sync(kind) == (stdlib.socket, vars(stdlib)["has_ipv6"])
        # and what such a thread asks of trio's thread has ours
        assert (await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(kind)))[0] is not stdlib.socket


async def test_no_ipv6_is_found(alice: Host, autojump_clock: MockClock) -> None:
    had = stdlib.has_ipv6
    with alice.install():
        assert not stdlib.has_ipv6
        assert not stdlib.has_dualstack_ipv6()
        for found in (
            stdlib.getaddrinfo(None, 80, flags=stdlib.AI_PASSIVE),
            await trio.socket.getaddrinfo(None, 80, flags=stdlib.AI_PASSIVE),
        ):
            assert {entry[0] for entry in found} == {stdlib.AF_INET}
        for numeric, family in (("::1", stdlib.AF_INET6), ("::1", 0), ("127.0.0.1", stdlib.AF_INET6)):
            with pytest.raises(stdlib.gaierror):
                await trio.socket.getaddrinfo(numeric, 80, family)
        listeners = await trio.open_tcp_listeners(80)
        assert [listener.socket.getsockname() for listener in listeners] == [("0.0.0.0", 80)]
        await listeners[0].aclose()
    assert stdlib.has_ipv6 == had
    assert stdlib.AF_INET6 in {entry[0] for entry in stdlib.getaddrinfo("::1", 80)}


async def test_a_form_that_is_forgotten_closes_its_socket(alice: Host, autojump_clock: MockClock) -> None:
    with alice.install():
        sock = stdlib.socket()
        sock.bind(("", 80))
        with pytest.warns(ResourceWarning, match="unclosed <stack socket SOCK_STREAM"):
            del sock
        await trio.sleep(1)
        with stdlib.socket() as again:
            again.bind(("", 80))
        made = trio.socket.from_stdlib_socket(stdlib.socket())  # its form is gone, and it is not
        assert isinstance(made, Socket)
        assert made.getsockname() == ("0.0.0.0", 0)
        made.close()
