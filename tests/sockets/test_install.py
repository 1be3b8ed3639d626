"""`host.install()`: programs that are written for trio alone run on this host."""

from __future__ import annotations

import errno
import socket as stdlib
import ssl
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from stack import Host
from stack.sockets.socket import Socket
from tests.sockets.hosts import ALICE, BOB, two_hosts


async def echo(stream: trio.abc.Stream) -> None:
    while data := await stream.receive_some():
        await stream.send_all(data)


async def test_trios_own_functions_use_the_host(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    with bob.install():
        (listener,) = await nursery.start(trio.serve_tcp, echo, 7)
    assert isinstance(listener.socket, Socket)
    assert listener.socket.getsockname() == ("0.0.0.0", 7)
    with alice.install():
        stream = await trio.open_tcp_stream(BOB, 7)
        assert isinstance(stream.socket, Socket)
        assert stream.socket.getsockname()[0] == ALICE
        await stream.send_all(b"hello")
        assert await stream.receive_some() == b"hello"
        await stream.aclose()
        local = await trio.open_tcp_stream(BOB, 7, local_address=ALICE)
        await local.aclose()
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            assert isinstance(sock, Socket)
        with pytest.raises(OSError, match="all attempts to connect"):
            await trio.open_tcp_stream(BOB, 8)


def tls(purpose: int) -> ssl.SSLContext:
    """TLS without certificates: anonymous key agreement is all that is needed to see bytes go through."""
    context = ssl.SSLContext(purpose)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH:@SECLEVEL=0")
    return context


async def test_tls(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    data = bytes(range(256)) * 1000
    with bob.install():
        await nursery.start(partial(trio.serve_ssl_over_tcp, echo, 443, tls(ssl.PROTOCOL_TLS_SERVER)))
    with alice.install():
        stream = await trio.open_ssl_over_tcp_stream(BOB, 443, ssl_context=tls(ssl.PROTOCOL_TLS_CLIENT))
    nursery.start_soon(stream.send_all, data)
    received = bytearray()
    while len(received) < len(data):
        received += await stream.receive_some()
    assert received == data
    await stream.aclose()


async def test_each_task_has_the_host_it_was_begun_under(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    seen: dict[str, str] = {}
    go = trio.Event()

    async def look(name: str) -> None:
        await go.wait()
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            if isinstance(sock, Socket):
                await sock.connect((BOB if name == "alice" else ALICE, 9))
                seen[name] = sock.getsockname()[0]
            else:
                seen[name] = "kernel"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look, "outside")
        with alice.install():
            nursery.start_soon(look, "alice")
            with bob.install():
                nursery.start_soon(look, "bob")
        go.set()  # the tasks run when the blocks are left
    assert seen == {"outside": "kernel", "alice": ALICE, "bob": BOB}


async def test_a_task_that_outlives_its_host_is_not_handed_to_the_kernel(autojump_clock: MockClock) -> None:
    ended = trio.Event()
    results: list[int | None] = []

    async def late() -> None:
        await ended.wait()
        with pytest.raises(OSError) as caught:
            await trio.open_tcp_stream("127.0.0.1", 9)
        assert isinstance(caught.value.__cause__, ExceptionGroup)
        results.extend(error.errno for error in caught.value.__cause__.exceptions if isinstance(error, OSError))

    async with trio.open_nursery() as nursery:
        async with two_hosts() as (alice, _):
            with alice.install():
                nursery.start_soon(late)
        ended.set()
    assert results == [errno.ENETDOWN]


async def test_other_families_stay_what_they_were(alice: Host, autojump_clock: MockClock) -> None:
    with alice.install():
        with trio.socket.socket(trio.socket.AF_UNIX) as sock:
            assert not isinstance(sock, Socket)
            assert sock.family == stdlib.AF_UNIX
        with pytest.raises(OSError) as caught:
            trio.socket.socket(trio.socket.AF_INET6)
        assert caught.value.errno == errno.EAFNOSUPPORT
        with pytest.raises(OSError):
            await trio.open_tcp_stream("::1", 9)


@pytest.mark.parametrize(
    ("family", "kind", "proto", "number"),
    [
        (stdlib.AF_INET6, stdlib.SOCK_STREAM, 0, errno.EAFNOSUPPORT),
        (stdlib.AF_UNIX, stdlib.SOCK_STREAM, 0, errno.EAFNOSUPPORT),
        (stdlib.AF_INET, stdlib.SOCK_RAW, 1, errno.ESOCKTNOSUPPORT),
        (stdlib.AF_INET, stdlib.SOCK_STREAM, stdlib.IPPROTO_UDP, errno.EPROTONOSUPPORT),
        (stdlib.AF_INET, stdlib.SOCK_DGRAM, stdlib.IPPROTO_TCP, errno.EPROTONOSUPPORT),
    ],
)
async def test_sockets_we_do_not_have(
    alice: Host, family: int, kind: int, proto: int, number: int, autojump_clock: MockClock
) -> None:
    with pytest.raises(OSError) as caught:
        alice.socket(family, kind, proto)
    assert caught.value.errno == number


async def test_kinds_may_carry_the_kernels_flags(alice: Host, autojump_clock: MockClock) -> None:
    with alice.socket(stdlib.AF_INET, stdlib.SOCK_STREAM | stdlib.SOCK_NONBLOCK | stdlib.SOCK_CLOEXEC, 6) as sock:
        assert sock.type == stdlib.SOCK_STREAM
        assert sock.proto == 6


class Names(trio.abc.HostnameResolver):
    """A resolver that another library has set before."""

    def __init__(self) -> None:
        self.asked: list[bytes | None] = []

    async def getaddrinfo(  # type: ignore[override]
        self, host: bytes | None, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[object]:
        self.asked.append(host)
        return [(stdlib.AF_INET, stdlib.SOCK_STREAM, 6, "", (BOB, port))]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        return "name", "service"


@pytest.mark.real_time("names are looked up in a thread")
async def test_names_are_looked_up_for_ipv4_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    real = stdlib.getaddrinfo

    def getaddrinfo(host: object, *args: object) -> object:
        if args[-1] == 0 and host in (b"bob.test", "bob.test"):
            asked.append((host, *args))
            return [(stdlib.AF_INET, stdlib.SOCK_STREAM, 6, "", (BOB, args[0]))]
        return real(host, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(stdlib, "getaddrinfo", getaddrinfo)

    async with two_hosts() as (alice, bob), trio.open_nursery() as nursery:
        await nursery.start(bob.serve_tcp, echo, 7)
        stream = await alice.open_tcp_stream("bob.test", 7)
        assert stream.socket.getpeername() == (BOB, 7)
        await stream.aclose()
        assert [entry[2] for entry in asked] == [stdlib.AF_INET]
        with alice.socket() as sock:
            await sock.connect(("bob.test", 7))
            assert sock.getpeername() == (BOB, 7)
        assert await alice.ping("bob.test") >= 0
        nursery.cancel_scope.cancel()


async def test_what_was_set_before_is_asked_by_those_without_a_host(alice: Host, autojump_clock: MockClock) -> None:
    names = Names()

    trio.socket.set_custom_hostname_resolver(names)
    with alice.install():
        pass
    found = await trio.socket.getaddrinfo("server.test", 80)
    assert found[0][4] == (BOB, 80)
    assert names.asked == [b"server.test"]
    assert await trio.socket.getnameinfo(("192.0.2.1", 80), 0) == ("name", "service")


async def test_a_host_does_not_touch_what_its_own_functions_do_not_need(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """A handler of `host.serve_tcp` that asks trio for a socket gets the kernel's, unless the host is installed."""
    kinds: list[bool] = []

    async def handler(stream: trio.SocketStream) -> None:
        with trio.socket.socket() as sock:
            kinds.append(isinstance(sock, Socket))

    await nursery.start(bob.serve_tcp, handler, 7)
    stream = await alice.open_tcp_stream(BOB, 7)
    assert await stream.receive_some() == b""
    await stream.aclose()
    assert kinds == [False]
