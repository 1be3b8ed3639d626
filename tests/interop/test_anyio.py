"""anyio's socket API on our hosts, with the attributes that it reads from `trio_socket._sock`."""

from __future__ import annotations

import socket as stdlib
import ssl
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest
import trio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener, TLSStream
from trio.testing import MockClock

from stack import Host
from stack.sockets.stdlib_socket import StdlibSocket
from tests.interop.servers import NAME, Certificates
from tests.sockets.hosts import ALICE, BOB


async def answer(stream: SocketStream) -> None:
    async with stream:
        await stream.send((await stream.receive()).upper())


async def test_tcp(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    with bob.install():
        listener = await anyio.create_tcp_listener(local_host=BOB, local_port=80)
        assert listener.extra(SocketAttribute.local_address) == (BOB, 80)
        assert listener.extra(SocketAttribute.local_port) == 80
        nursery.start_soon(listener.serve, answer)
    with alice.install():
        async with await anyio.connect_tcp(BOB, 80) as stream:
            assert stream.extra(SocketAttribute.family) == stdlib.AF_INET
            assert stream.extra(SocketAttribute.remote_address) == (BOB, 80)
            assert stream.extra(SocketAttribute.remote_port) == 80
            assert stream.extra(SocketAttribute.local_address)[0] == ALICE
            raw = stream.extra(SocketAttribute.raw_socket)
            assert isinstance(raw, StdlibSocket)
            assert raw.getpeername() == (BOB, 80)
            raw.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
            await stream.send(b"hello")
            assert await stream.receive() == b"HELLO"
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
    nursery.cancel_scope.cancel()


async def test_a_port_that_servers_share(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """As a server of purerpc listens. (It needs versions of h2 that the other libraries here do not take.)"""
    answered = [0, 0]

    async def serve(number: int) -> None:
        with bob.install():
            listener = await anyio.create_tcp_listener(local_port=80, reuse_port=True)

            async def count(stream: SocketStream) -> None:
                answered[number] += 1
                await answer(stream)

            await listener.serve(count)

    for number in range(2):
        nursery.start_soon(serve, number)
    await trio.testing.wait_all_tasks_blocked()
    assert [record.local for record in bob.listeners()] == ["0.0.0.0:80"] * 2
    with alice.install():
        for _ in range(20):
            async with await anyio.connect_tcp(BOB, 80) as stream:
                await stream.send(b"hello")
                assert await stream.receive() == b"HELLO"
    assert sum(answered) == 20
    assert min(answered) > 0
    nursery.cancel_scope.cancel()


async def test_all_interfaces(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    with bob.install():
        listener = await anyio.create_tcp_listener(local_port=80)
        nursery.start_soon(listener.serve, answer)
        any_port = await anyio.create_tcp_listener()
        assert any_port.extra(SocketAttribute.local_port) > 0
        await any_port.aclose()
    assert [record.local for record in bob.listeners()] == ["0.0.0.0:80"]
    with alice.install():
        async with await anyio.connect_tcp(BOB, 80) as stream:
            await stream.send(b"hello")
            assert await stream.receive() == b"HELLO"
    nursery.cancel_scope.cancel()


async def test_tls(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)

    async def answer_secure(stream: TLSStream) -> None:
        await stream.send((await stream.receive()).upper())
        await stream.aclose()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.chain, certificates.key)
    with bob.install():
        listener = TLSListener(await anyio.create_tcp_listener(local_host=BOB, local_port=443), context)
        nursery.start_soon(listener.serve, answer_secure)
    with alice.install():
        stream = await anyio.connect_tcp(BOB, 443, ssl_context=certificates.client(), tls_hostname=NAME)
        await stream.send(b"hello")
        assert await stream.receive() == b"HELLO"
        assert stream.extra(SocketAttribute.remote_address) == (BOB, 443)
        await stream.aclose()
    nursery.cancel_scope.cancel()


async def test_udp(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with bob.install():
        server = await anyio.create_udp_socket(local_host=BOB, local_port=53)
    with alice.install():
        client = await anyio.create_connected_udp_socket(BOB, 53)
        anywhere = await anyio.create_udp_socket(family=stdlib.AF_INET)
    assert client.extra(SocketAttribute.remote_address) == (BOB, 53)
    assert server.extra(SocketAttribute.local_port) == 53
    await client.send(b"hello")
    data, sender = await server.receive()
    assert (data, sender) == (b"hello", client.extra(SocketAttribute.local_address))
    await server.sendto(b"back", *sender)
    assert await client.receive() == b"back"
    await anywhere.sendto(b"third", BOB, 53)
    assert (await server.receive())[0] == b"third"
    for sock in (server, client, anywhere):
        await sock.aclose()


async def test_sockets_that_are_made_beforehand(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """The classes' `from_socket`, with what `socket.socket()` has made."""
    with bob.install():
        prepared = stdlib.socket()
        prepared.bind((BOB, 80))
        prepared.listen()
        listener = await anyio.abc.SocketListener.from_socket(prepared)
        datagrams = stdlib.socket(type=stdlib.SOCK_DGRAM)
        datagrams.bind((BOB, 53))
        server = await anyio.abc.UDPSocket.from_socket(datagrams)
    with alice.install():
        made = stdlib.socket()
        made.setblocking(False)
        made.connect_ex((BOB, 80))
        await anyio.wait_writable(made)
        stream = await anyio.abc.SocketStream.from_socket(made)
        connected = stdlib.socket(type=stdlib.SOCK_DGRAM)
        connected.connect((BOB, 53))
        client = await anyio.abc.ConnectedUDPSocket.from_socket(connected)
    async with aclosing(listener), await listener.accept() as accepted, stream:
        await accepted.send(b"hello")
        await anyio.wait_readable(made)
        assert await stream.receive() == b"hello"
        await client.send(b"datagram")
        assert (await server.receive())[0] == b"datagram"
    await server.aclose()
    await client.aclose()


async def test_a_socket_that_must_be_connected(alice: Host, autojump_clock: MockClock) -> None:
    with alice.install(), stdlib.socket() as made:
        with pytest.raises(ValueError, match="the socket must be connected"):
            await anyio.abc.SocketStream.from_socket(made)
        with pytest.raises(ValueError, match="the socket must be bound to a local address"):
            await anyio.abc.SocketListener.from_socket(made)


async def test_names(alice: Host, autojump_clock: MockClock) -> None:
    with alice.install():
        assert {entry[0] for entry in await anyio.getaddrinfo(None, 80)} == {stdlib.AF_INET}
