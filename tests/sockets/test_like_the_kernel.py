"""Our sockets behave like trio's: every case runs over the kernel's loopback and over two of our
hosts.

A case is a coroutine function that takes a `World` and gives what happened; both worlds must give
the same. Exceptions are compared by type and errno, addresses by whether they are right, since
ports are everybody's own.
"""

from __future__ import annotations

import socket as stdlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.socket import SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ERROR, SOL_SOCKET

from tests.sockets.hosts import until
from tests.sockets.worlds import DATAGRAM, STREAM, World, aoutcome, outcome, run_in_the_kernel, run_in_the_stack

CASES: dict[str, Callable[[World], Awaitable[Any]]] = {}


def case(function: Callable[[World], Awaitable[Any]]) -> Callable[[World], Awaitable[Any]]:
    CASES[function.__name__] = function
    return function


KINDS = (STREAM, DATAGRAM)


@case
async def fresh_sockets(w: World) -> Any:
    happened: list[Any] = []
    for kind in KINDS:
        for name, args in [
            ("send", (b"x",)),
            ("send", (b"",)) if kind == STREAM else ("send", (b"y",)),
            ("recv", (1,)),
            ("recv", (0,)),
            ("recv", (-1,)),
            ("recv", (2**70,)),
            ("recv", (1.5,)),
            ("recv_into", (bytearray(3),)),
            ("recvfrom", (1,)),
            ("accept", ()),
            ("wait_writable", ()),
        ]:
            with w.client(type=kind) as s:
                happened.append((kind, name, args, await aoutcome(getattr(s, name), *args)))
        with w.client(type=kind) as s:
            happened.append([outcome(getattr(s, name)) for name in ("is_readable", "getpeername", "getsockname")])
            happened.append([s.family, s.type, s.proto, s.did_shutdown_SHUT_WR, s.fileno() >= 0, s.get_inheritable()])
            happened.append([outcome(s.shutdown, how) for how in (SHUT_RD, SHUT_WR, SHUT_RDWR, 3, -1)])
            happened.append(outcome(s.shutdown, "x"))
            happened.append(s.did_shutdown_SHUT_WR)
    return happened


@case
async def wrong_addresses(w: World) -> Any:
    happened = []
    addresses: list[Any] = [
        (w.address, 70000),
        (w.address, -1),
        (w.address, 1.5),
        (w.address,),
        (w.address, 1, 2),
        w.address,
        [w.address, 1],
        None,
        (5, 1),
        ("::1", 80),
        ("10.255.255.1\0", 80),
    ]
    for number, address in enumerate(addresses):
        for kind in KINDS:
            for name in ("bind", "connect", "sendto"):
                with w.client(type=kind) as s:
                    args = (b"x", address) if name == "sendto" else (address,)
                    happened.append((number, kind, name, await aoutcome(getattr(s, name), *args)))
    return happened


@case
async def binding(w: World) -> Any:
    happened: list[Any] = []
    for kind in KINDS:
        hosts: list[Any] = ["", "0.0.0.0", w.address, w.address.encode(), "10.255.255.1", "127.0.0.1"]
        for number, host in enumerate(hosts):
            for port in (0, "0"):
                with w.server(type=kind) as s:
                    happened.append((kind, number, port, await aoutcome(s.bind, (host, port))))
                    happened.append((s.getsockname()[0] in (host, "0.0.0.0", w.address), s.getsockname()[1] > 0))
        with w.server(type=kind) as s, w.server(type=kind) as t:
            await s.bind((w.address, 0))
            happened.append([await aoutcome(s.bind, (w.address, 0)), await aoutcome(t.bind, s.getsockname())])
            happened.append(await aoutcome(t.bind, ("", s.getsockname()[1])))
    return happened


@case
async def reusing_addresses(w: World) -> Any:
    happened = []
    for kind in KINDS:
        for wishes in ((1, 1), (1, 0), (0, 1)):
            with w.server(type=kind) as s, w.server(type=kind) as t:
                for one, wish in zip((s, t), wishes, strict=True):
                    one.setsockopt(SOL_SOCKET, stdlib.SO_REUSEADDR, wish)
                await s.bind((w.address, 0))
                happened.append((kind, wishes, await aoutcome(t.bind, s.getsockname())))
    with await w.listening() as listener, w.server() as t:
        t.setsockopt(SOL_SOCKET, stdlib.SO_REUSEADDR, 1)
        happened.append(await aoutcome(t.bind, listener.getsockname()))
    return happened


@case
async def a_port_that_old_connections_use_can_be_listened_on_again(w: World) -> Any:
    happened = []
    for reuse in (0, 1):
        client = w.client()
        with w.server() as listener:
            listener.setsockopt(SOL_SOCKET, stdlib.SO_REUSEADDR, reuse)
            await listener.bind((w.address, 0))
            listener.listen()
            address = listener.getsockname()
            await client.connect(address)
            server, _ = await listener.accept()
        with w.server() as again:
            again.setsockopt(SOL_SOCKET, stdlib.SO_REUSEADDR, reuse)
            happened.append(await aoutcome(again.bind, address))
        client.close()
        server.close()
    return happened


@case
async def closed_sockets(w: World) -> Any:
    happened: list[Any] = []
    for kind in KINDS:
        s = w.client(type=kind)
        s.close()
        s.close()
        for name, args in [
            ("send", (b"x",)),
            ("recv", (1,)),
            ("recv", (0,)),
            ("accept", ()),
            ("connect", ((w.address, 9),)),
            ("connect", ("nonsense",)),
            ("bind", ((w.address, 0),)),
            ("sendto", (b"x", (w.address, 9))),
            ("sendmsg", ([b"x"],)),
            ("recvfrom", (1,)),
            ("recvmsg", (1,)),
            ("recv_into", (bytearray(3),)),
            ("recvfrom_into", (bytearray(3),)),
        ]:
            happened.append((kind, name, await aoutcome(getattr(s, name), *args)))
        for name in "getsockname getpeername is_readable listen fileno dup detach get_inheritable".split():
            happened.append((kind, name, outcome(getattr(s, name))))
        happened.append(outcome(s.shutdown, SHUT_WR))
        happened.append([outcome(s.getsockopt, SOL_SOCKET, SO_ERROR), outcome(s.setsockopt, SOL_SOCKET, 2, 1)])
        with w.client(type=kind) as entered:
            assert entered.fileno() >= 0
        happened.append(entered.fileno())
    return happened


@case
async def wrong_buffers(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = [await aoutcome(client.send, data) for data in ("x", 1, None, [b"x"])]
    for args in [(b"abc",), (bytearray(3), -1), (bytearray(3), 9), (bytearray(0),), ("x",), (memoryview(b"abc"),)]:
        happened.append(await aoutcome(client.recv_into, *args))
    for data in (b"ab", bytearray(b"cd"), memoryview(b"efgh")[::1], memoryview(b"\1\2\3\4").cast("H")):
        happened.append(await aoutcome(client.send, data))
    client.shutdown(SHUT_WR)
    received = b""
    while data := await server.recv(100):
        received += data
    happened.append(received)
    client.close()
    server.close()
    return happened


@case
async def refused(w: World) -> Any:
    happened: list[Any] = []
    with w.client() as s:
        happened.append(await aoutcome(s.connect, (w.address, w.refused)))
        happened.append([s.getsockopt(SOL_SOCKET, SO_ERROR), outcome(s.getpeername), s.is_readable()])
        happened.append([await aoutcome(s.recv, 1), await aoutcome(s.send, b"x"), outcome(s.shutdown, SHUT_WR)])
    for host in ("224.0.0.1", "255.255.255.255"):
        with w.client() as s:
            happened.append(await aoutcome(s.connect, (host, 5)))
    return happened


@case
async def listening_sockets(w: World) -> Any:
    happened: list[Any] = []
    with w.server() as s:
        s.listen()  # without bind: a port is chosen
        happened.append((s.getsockname()[0], s.getsockname()[1] > 0))
        happened.append([outcome(s.listen, backlog) for backlog in (7, 0, -1, 70000, "x")])
        happened.append(s.getsockopt(SOL_SOCKET, stdlib.SO_ACCEPTCONN))
        happened.append([await aoutcome(s.send, b"x"), await aoutcome(s.recv, 1), await aoutcome(s.accept)])
        happened.append([await aoutcome(s.connect, (w.address, 9)), await aoutcome(s.bind, (w.address, 0))])
        happened.append([s.is_readable(), outcome(s.getpeername), await aoutcome(s.wait_writable)])
        happened.append([outcome(s.shutdown, SHUT_WR), await aoutcome(s.accept)])
        happened.append([outcome(s.shutdown, SHUT_RD), await aoutcome(s.accept)])
        happened.append(s.getsockopt(SOL_SOCKET, stdlib.SO_ACCEPTCONN))
    with w.server(type=DATAGRAM) as s:
        happened.append([outcome(s.listen), outcome(s.listen, "x"), s.getsockopt(SOL_SOCKET, stdlib.SO_ACCEPTCONN)])
    return happened


@case
async def two_listeners(w: World) -> Any:
    happened: list[Any] = []
    with await w.listening() as listener, w.server() as other:
        happened.append(await aoutcome(other.bind, listener.getsockname()))
        happened.append(await aoutcome(other.bind, ("", listener.getsockname()[1])))
    return happened


@case
async def urgent_data(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = [
        server.getsockopt(SOL_SOCKET, stdlib.SO_OOBINLINE),
        await aoutcome(server.recv, 1, stdlib.MSG_OOB),
        await aoutcome(client.send, b"abc", stdlib.MSG_OOB),
    ]
    await until(server.is_readable)
    happened += [
        await aoutcome(server.recv, 1, stdlib.MSG_OOB | stdlib.MSG_PEEK),
        await aoutcome(server.recv, 1, stdlib.MSG_OOB),
        await aoutcome(server.recv, 1, stdlib.MSG_OOB),
        await aoutcome(client.send, b"de"),
        await aoutcome(server.recv, 10, stdlib.MSG_PEEK),
        await aoutcome(server.recv, 10),
    ]
    await until(server.is_readable)
    happened += [
        await aoutcome(server.recv, 10),
        await aoutcome(server.recv, 10, stdlib.MSG_OOB),
        await aoutcome(client.send, b"!", stdlib.MSG_OOB),
        server.is_readable(),  # the urgent octet alone is nothing to read
        await aoutcome(server.recv, 10, stdlib.MSG_OOB),
        await aoutcome(server.recv, 10),
    ]
    server.setsockopt(SOL_SOCKET, stdlib.SO_OOBINLINE, 1)
    happened.append(await aoutcome(client.send, b"fgh", stdlib.MSG_OOB))
    await until(server.is_readable)
    happened += [await aoutcome(server.recv, 10, stdlib.MSG_OOB)]
    happened += [await aoutcome(client.send, b"ij")]
    happened += [await aoutcome(server.recv, 10), await aoutcome(server.recv, 10), await aoutcome(server.recv, 10)]
    client.close()
    server.close()
    return happened


@case
async def connected_sockets(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = [
        client.getsockopt(SOL_SOCKET, SO_ERROR),
        client.getpeername() == server.getsockname(),
        outcome(client.listen),
        await aoutcome(client.bind, ("", 0)),
        await aoutcome(client.accept),
        await aoutcome(server.connect, (w.address, 9)),
        await aoutcome(client.sendto, b"abc", (w.address, 9)),
        await aoutcome(server.recvfrom, 10),
        await aoutcome(client.sendmsg, [b"ab", b"cd"]),
    ]
    await until(server.is_readable)
    happened += [
        await aoutcome(server.recv, 2, stdlib.MSG_PEEK),
        await aoutcome(server.recvmsg, 10, 0, stdlib.MSG_PEEK),
        await aoutcome(server.recv, 1),
        await aoutcome(server.recvmsg_into, [bytearray(2), bytearray(4)]),
        await aoutcome(server.recv, 1),
        await aoutcome(server.recv, 1, stdlib.MSG_OOB),
        await aoutcome(client.send, b""),
        await aoutcome(client.send, b"x", stdlib.MSG_DONTWAIT | stdlib.MSG_NOSIGNAL),
    ]
    await until(server.is_readable)
    buffer = bytearray(5)
    happened += [await aoutcome(server.recv_into, buffer), buffer, server.is_readable(), client.is_readable()]
    await client.send(b"abc")
    await until(server.is_readable)
    happened += [await aoutcome(server.recvfrom_into, buffer, 2), buffer, await aoutcome(server.recv, 10)]
    client.close()
    server.close()
    return happened


@case
async def half_closing(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = [
        client.did_shutdown_SHUT_WR,
        outcome(client.shutdown, SHUT_WR),
        client.did_shutdown_SHUT_WR,
    ]
    happened += [outcome(client.shutdown, SHUT_WR), await aoutcome(client.send, b"x")]
    await until(server.is_readable)
    happened += [await aoutcome(server.recv, 10), server.is_readable(), await aoutcome(server.recv, 10)]
    happened += [await aoutcome(server.send, b"back"), await aoutcome(client.recv, 10)]
    server.close()
    await until(client.is_readable)
    happened += [await aoutcome(client.recv, 10)]
    await until(lambda: isinstance(outcome(client.getpeername), tuple) and outcome(client.getpeername)[0] == "raised")
    happened += [outcome(client.getpeername), outcome(client.shutdown, SHUT_WR), await aoutcome(client.send, b"x")]
    happened += [await aoutcome(client.recv, 10), client.getsockname()[1] > 0]
    client.close()
    return happened


@case
async def shutting_down_reading(w: World) -> Any:
    client, server = await w.pair()
    happened: list[Any] = [outcome(client.shutdown, SHUT_RD), client.did_shutdown_SHUT_WR, client.is_readable()]
    happened += [await aoutcome(client.recv, 10), await aoutcome(client.send, b"still")]
    await until(server.is_readable)
    happened += [await aoutcome(server.recv, 10)]
    client.close()
    server.close()
    return happened


@case
async def a_reset_after_data(w: World) -> Any:
    client = await w.reset_pair()
    happened = [client.is_readable(), await aoutcome(client.send, b"x")]
    happened += [await aoutcome(client.recv, 1) for _ in range(3)]
    happened += [await aoutcome(client.send, b"x"), await aoutcome(client.wait_writable)]
    client.close()
    return happened


@case
async def a_reset_asked_for(w: World) -> Any:
    client = await w.reset_pair()
    happened = [client.getsockopt(SOL_SOCKET, SO_ERROR), client.getsockopt(SOL_SOCKET, SO_ERROR)]
    happened += [await aoutcome(client.recv, 10), await aoutcome(client.recv, 10)]
    client.close()
    return happened


@case
async def closing_with_unread_data_resets(w: World) -> Any:
    client, server = await w.pair()
    await client.send(b"nobody reads this")
    await until(server.is_readable)
    server.close()
    await until(client.is_readable)
    happened = [await aoutcome(client.recv, 10)]
    client.close()
    return happened


@case
async def datagrams(w: World) -> Any:
    client, server = await w.datagram_pair()
    happened: list[Any] = [await aoutcome(client.send, b"one"), await aoutcome(client.send, b"")]
    for data, size, flags in [(b"three", 2, 0), (b"four", 100, stdlib.MSG_PEEK), (b"five", 100, 0)]:
        happened += [await aoutcome(client.send, data), (size, flags)]
    await until(server.is_readable)
    for size, flags in [(100, 0), (100, 0), (2, 0), (100, stdlib.MSG_PEEK), (100, 0), (100, 0)]:
        data, address = await server.recvfrom(size, flags)
        happened.append((data, address == client.getsockname()))
    happened += [server.is_readable(), await aoutcome(server.recv, 1)]
    await client.send(b"abcdef")
    await client.send(b"abcdef")
    await client.send(b"abcdef")
    await until(server.is_readable)
    buffer = bytearray(4)
    happened += [(await server.recvmsg(3))[:3], await server.recv_into(buffer), buffer]
    happened += [await server.recv_into(buffer, 2, stdlib.MSG_TRUNC), buffer, await aoutcome(server.recv, 10)]
    happened += [await server.sendto(b"back", client.getsockname()), await client.recv(10)]
    happened += [
        await server.sendmsg([b"a", b"b"], [], 0, client.getsockname()),
        (await client.recvmsg_into([buffer]))[:3],
    ]
    client.close()
    server.close()
    return happened


@case
async def datagram_errors(w: World) -> Any:
    happened: list[Any] = []
    with w.client(type=DATAGRAM) as s:
        happened += [await aoutcome(s.sendto, b"x", (w.address, 0)), await aoutcome(s.sendto, b"x", None)]
        happened += [await aoutcome(s.sendto, b"x"), await aoutcome(s.sendto, "x", (w.address, 9))]
        happened += [await aoutcome(s.sendto, bytes(65508), (w.address, 9))]
        happened += [await aoutcome(s.sendto, b"x", 0, (w.address, w.refused)), s.getsockname()[1] > 0]
        happened += [await aoutcome(s.connect, ("255.255.255.255", 5)), await aoutcome(s.bind, ("", 0))]
    with w.client(type=DATAGRAM) as s:
        await s.connect((w.address, w.refused))
        happened += [s.getpeername()[1] == w.refused, s.getsockname()[1] > 0, await s.send(b"x")]
        await until(s.is_readable)
        happened += [s.getsockopt(SOL_SOCKET, SO_ERROR), s.is_readable(), await s.send(b"x")]
        await until(s.is_readable)
        happened += [await aoutcome(s.recv, 1), await s.send(b"x")]
        await until(s.is_readable)
        happened += [await aoutcome(s.send, b"x")]
        happened += [outcome(s.shutdown, SHUT_WR), s.did_shutdown_SHUT_WR, await aoutcome(s.send, b"x")]
        happened += [await aoutcome(s.sendto, b"x", (w.address, 11)), await aoutcome(s.connect, (w.address, 10))]
        happened += [s.getpeername()[1]]
    return happened


@pytest.mark.parametrize("name", CASES)
def test_same_as_the_kernel(name: str) -> None:
    expected, got = run_in_the_kernel(CASES[name]), run_in_the_stack(CASES[name])
    assert got == expected
