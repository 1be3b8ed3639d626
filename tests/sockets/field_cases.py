"""What programs in the field do with their sockets, as cases for any world: see `worlds.py`.

They run over two hosts in memory, and in `tests/live` between a host of ours and the kernel, in
both directions.
"""

from __future__ import annotations

import socket as stdlib
from typing import Any

import trio
from trio.socket import MSG_PEEK, MSG_TRUNC, SHUT_RD, SHUT_RDWR, SHUT_WR, SO_ERROR, SO_LINGER, SO_REUSEADDR, SOL_SOCKET

from tests.sockets.hosts import until
from tests.sockets.worlds import DATAGRAM, RESET_ON_CLOSE, World, outcome

MSG_MORE = stdlib.MSG_MORE
UDP_CORK = 1


async def a_reset_before_accept(w: World) -> Any:
    happened: list[Any] = []
    for data in (b"", b"abc"):
        for fin in (False, True):
            for ask in (False, True):
                with await w.listening() as listener:
                    client = w.client()
                    await client.connect(listener.getsockname())
                    name = client.getsockname()
                    if data:
                        await client.send(data)
                    if fin:
                        client.shutdown(SHUT_WR)
                    await w.settle()
                    client.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
                    client.close()
                    await w.settle()
                    server, address = await listener.accept()
                with server:
                    happened.append((data, fin, ask, address == name, outcome(server.getpeername)))
                    happened.append((server.is_readable(), await w.does(server.wait_writable)))
                    if ask:
                        happened.append(server.getsockopt(SOL_SOCKET, SO_ERROR))
                    happened += [await w.does(server.recv, 2, MSG_PEEK)]
                    happened += [await w.does(server.recv, 10) for _ in range(3)]
                    happened += [await w.does(server.send, b"x"), server.getsockopt(SOL_SOCKET, SO_ERROR)]
                    happened += [outcome(server.shutdown, SHUT_WR)]
    return happened


async def a_reset_leaves_its_place_in_the_accept_queue(w: World) -> Any:
    """The connection that waits behind it is let in as soon as it has been accepted."""
    with await w.listening(0) as listener:
        first = w.client()
        await first.connect(listener.getsockname())
        first.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
        first.close()
        await w.settle()
        with w.client() as second:
            happened = [await w.does(second.connect, listener.getsockname())]
        with w.client() as third, trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(third.connect, listener.getsockname())
                await w.settle()
                server, _ = await listener.accept()
                happened += [await w.does(server.recv, 1)]
                server.close()
                server, address = await listener.accept()
                with server:
                    happened += [address == third.getsockname()]
    return happened


async def shutting_down_reading_lets_the_rest_be_read(w: World) -> Any:
    client, server = await w.pair()
    server.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
    await server.send(b"queued")
    await until(client.is_readable)
    happened: list[Any] = [outcome(client.shutdown, SHUT_RD)]
    happened += [await w.does(client.recv, 3), await w.does(client.recv, 10), await w.does(client.recv, 10)]
    happened += [client.is_readable(), await w.does(server.send, b"later")]
    await w.settle()
    happened += [await w.does(client.recv, 3, MSG_PEEK), await w.does(client.recv, 10), await w.does(client.recv, 10)]
    happened += [await w.does(client.send, b"on"), await w.does(server.recv, 10)]
    await server.send(bytes(1000))
    server.shutdown(SHUT_WR)
    await w.settle()
    buffer = bytearray(2000)
    happened += [await w.does(client.recv_into, buffer), await w.does(client.recv_into, buffer)]
    client.close()
    server.close()
    return happened


async def unread_data_after_shutting_down_reading_resets(w: World) -> Any:
    client, server = await w.pair()
    client.shutdown(SHUT_RD)
    await server.send(b"unread")
    await w.settle()
    client.close()
    await until(server.is_readable)
    happened = [await w.does(server.recv, 10)]
    server.close()
    return happened


async def data_after_both_ends_were_shut_down_resets(w: World) -> Any:
    client, server = await w.pair()
    await server.send(b"before")
    await until(client.is_readable)
    happened: list[Any] = [outcome(client.shutdown, SHUT_RDWR), await w.does(server.recv, 10)]
    happened += [await w.does(server.send, b"after")]
    await w.settle()
    happened += [await w.does(client.recv, 10) for _ in range(3)]
    happened += [await w.does(server.send, b"more"), await w.does(server.recv, 10)]
    client.close()
    server.close()
    return happened


async def shutting_down_while_connecting(w: World) -> Any:
    happened: list[Any] = []
    with await w.listening(0) as listener, w.client() as first:
        await first.connect(listener.getsockname())  # now the queue is full, and no SYN is answered
        await w.settle()
        for how in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            with w.client() as s:
                ended: list[Any] = []

                async def connect(s: Any = s, ended: list[Any] = ended) -> None:
                    ended.append(await w.does(s.connect, listener.getsockname()))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connect)
                    for _ in range(10):
                        await trio.lowlevel.checkpoint()
                    s.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
                    happened += [how, outcome(s.shutdown, how)]
                happened += [ended, s.did_shutdown_SHUT_WR, s.getsockopt(SOL_SOCKET, SO_ERROR)]
                happened += [await w.does(s.recv, 1), await w.does(s.send, b"x"), outcome(s.getpeername)]
                happened += [s.getsockname()[0], s.getsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY)]
                with await w.listening() as other:
                    happened += [await w.does(s.connect, other.getsockname()), s.did_shutdown_SHUT_WR]
                    happened += [s.getsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY)]
    return happened


async def two_idle_sockets_on_one_port(w: World) -> Any:
    happened: list[Any] = []
    for first, second in [(w.address, w.address), ("", w.address), (w.address, ""), ("", "")]:
        for wishes in [(1, 1), (1, 0), (0, 1)]:
            with w.server() as s, w.server() as t:
                s.setsockopt(SOL_SOCKET, SO_REUSEADDR, wishes[0])
                t.setsockopt(SOL_SOCKET, SO_REUSEADDR, wishes[1])
                await s.bind((first, 0))
                happened += [wishes, await w.does(t.bind, (second, s.getsockname()[1]))]
                happened += [outcome(s.listen), outcome(t.listen)]
                s.close()
                happened += [outcome(t.listen), t.getsockopt(SOL_SOCKET, stdlib.SO_ACCEPTCONN)]
    with w.server() as s, w.server() as t:  # the wish is looked at when the other binds
        await s.bind((w.address, 0))
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        t.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        happened += [await w.does(t.bind, s.getsockname())]
    with w.server() as s, w.server() as t:
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        t.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        await s.bind((w.address, 0))
        s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 0)
        happened += [await w.does(t.bind, s.getsockname())]
    return happened


async def two_idle_sockets_connect_from_one_port(w: World) -> Any:
    """Each takes the place of the other's port; only where the other is connected to already is refused."""
    happened: list[Any] = []
    with await w.listening() as one, await w.listening() as other, w.client() as s, w.client() as t:
        for sock in (s, t):
            sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        await s.bind(("0.0.0.0", 0))
        happened += [await w.does(t.bind, s.getsockname()), await w.does(s.connect, one.getsockname())]
        happened += [await w.does(t.connect, one.getsockname()), await w.does(t.connect, other.getsockname())]
        happened += [s.getsockname() == t.getsockname()]
    return happened


async def datagrams_to_no_port(w: World) -> Any:
    """connect((host, 0)), by which programs ask for their own address."""
    happened: list[Any] = []
    with w.client(type=DATAGRAM) as s, w.server(type=DATAGRAM) as t, w.server(type=DATAGRAM) as u:
        for sock in (t, u):
            await sock.bind((w.address, 0))
        happened += [await w.does(s.connect, (w.address, 0)), outcome(s.getpeername), s.getsockname()[1] > 0]
        happened += [s.getsockname()[0] != "0.0.0.0", await w.does(s.sendto, b"x", (w.address, 0))]
        for sock in (t, u):
            await sock.sendto(b"hello", s.getsockname())
            await until(s.is_readable)
            data, address = await s.recvfrom(10)
            happened += [data, address == sock.getsockname()]
        happened += [await w.does(s.sendto, b"there", t.getsockname()), await w.does(t.recv, 10)]
        happened += [await w.does(s.connect, t.getsockname()), s.getpeername() == t.getsockname()]
        await u.sendto(b"not for it", s.getsockname())
        happened += [await w.does(s.recv, 10), await w.does(s.connect, (w.address, 0)), outcome(s.getpeername)]
        happened += [outcome(s.shutdown, SHUT_RD), await w.does(s.send, b"")]
    with w.client(type=DATAGRAM) as s:
        happened += [await w.does(s.connect, ("0.0.0.0", 0)), outcome(s.getpeername)]
    return happened


async def throwing_data_away(w: World) -> Any:
    """MSG_TRUNC on a stream."""
    client, server = await w.pair()
    await client.send(b"abcdefghijklmno")
    await until(server.is_readable)
    buffer = bytearray(b"....")
    happened: list[Any] = [len(await server.recv(3, MSG_TRUNC))]
    happened += [await w.does(server.recv_into, buffer, 2, MSG_TRUNC), bytes(buffer)]
    happened += [await w.does(server.recvfrom_into, buffer, 1, MSG_TRUNC), bytes(buffer)]
    happened += [len(await server.recv(4, MSG_TRUNC | MSG_PEEK))]
    happened += [await w.does(server.recv_into, buffer, 4, MSG_TRUNC | MSG_PEEK), bytes(buffer)]
    happened += [await w.does(server.recvmsg_into, [buffer], 0, MSG_TRUNC), bytes(buffer)]
    data, ancillary, flags, address = await server.recvmsg(1, 0, MSG_TRUNC)
    happened += [len(data), ancillary, flags, address, await w.does(server.recv, 10)]
    happened += [await w.does(server.recv, 10, MSG_TRUNC)]
    client.close()
    await until(server.is_readable)
    happened += [await w.does(server.recv, 10, MSG_TRUNC)]
    server.close()
    return happened


async def gathering_a_datagram(w: World) -> Any:
    happened: list[Any] = []
    with w.client(type=DATAGRAM) as s, w.server(type=DATAGRAM) as t, w.server(type=DATAGRAM) as u:
        for sock in (t, u):
            await sock.bind((w.address, 0))
        to_t, to_u = t.getsockname(), u.getsockname()
        happened += [await w.does(s.send, b"lost", MSG_MORE)]
        happened += [await w.does(s.sendto, b"a", MSG_MORE, to_t), await w.does(t.recv, 9), s.getsockname()[1] > 0]
        happened += [await w.does(s.bind, ("0.0.0.0", 0))]
        happened += [await w.does(s.sendto, b"b", to_u), await w.does(t.recv, 9), await w.does(u.recv, 9)]
        happened += [await w.does(s.sendto, b"a", MSG_MORE, to_t), await w.does(s.send, b"b"), await w.does(t.recv, 9)]
        happened += [await w.does(s.sendto, b"", MSG_MORE, (w.address, 0))]
        await s.connect(to_t)
        for parts in [(b"a", b"b", b"c"), (b"a", b""), (b"", b"z"), (b"", b""), (b"x" * 3000, b"y" * 3000)]:
            for part in parts[:-1]:
                happened += [await w.does(s.send, part, MSG_MORE)]
            happened += [await w.does(t.recv, 1), await w.does(s.send, parts[-1]), await w.does(t.recv, 9999)]
        for more in (0, MSG_MORE):
            happened += [await w.does(s.send, bytes(60000), MSG_MORE), await w.does(s.send, bytes(6000), more)]
            happened += [await w.does(s.send, b"alone"), await w.does(t.recv, 9)]
        happened += [await w.does(s.sendmsg, [b"a", b"b"], [], MSG_MORE), await w.does(s.sendmsg, [b"c", b"d"])]
        happened += [await w.does(t.recv, 9), await w.does(s.send, b"a", MSG_MORE), await w.does(s.connect, to_u)]
        happened += [await w.does(s.send, b"b"), await w.does(t.recv, 9), await w.does(u.recv, 9)]
        await s.send(b"never sent", MSG_MORE)
        s.close()
        happened += [await w.does(u.recv, 9)]
    return happened


async def corking_a_datagram(w: World) -> Any:
    happened: list[Any] = []
    with w.client(type=DATAGRAM) as s, w.server(type=DATAGRAM) as t:
        await t.bind((w.address, 0))
        await s.connect(t.getsockname())
        happened += [s.getsockopt(stdlib.IPPROTO_UDP, UDP_CORK), s.setsockopt(stdlib.IPPROTO_UDP, UDP_CORK, 0)]
        for data in (b"ab", b""):
            s.setsockopt(stdlib.IPPROTO_UDP, UDP_CORK, 5)
            happened += [s.getsockopt(stdlib.IPPROTO_UDP, UDP_CORK)]
            happened += [await w.does(s.send, data), await w.does(s.send, data), await w.does(t.recv, 9)]
            s.setsockopt(stdlib.IPPROTO_UDP, UDP_CORK, 0)
            happened += [await w.does(t.recv, 9)]
        await s.send(b"begun", MSG_MORE)
        s.setsockopt(stdlib.IPPROTO_UDP, UDP_CORK, 0)
        happened += [await w.does(t.recv, 9), await w.does(s.send, b"alone"), await w.does(t.recv, 9)]
    return happened


async def shutting_down_while_gathering(w: World) -> Any:
    """A datagram that was begun is completed; the next one cannot begin."""
    happened: list[Any] = []
    for cork in (False, True):
        with w.client(type=DATAGRAM) as s, w.server(type=DATAGRAM) as t:
            await t.bind((w.address, 0))
            await s.connect(t.getsockname())
            s.setsockopt(stdlib.IPPROTO_UDP, UDP_CORK, cork)
            happened += [await w.does(s.send, b"ab", MSG_MORE), outcome(s.shutdown, SHUT_WR)]
            happened += [await w.does(t.recv, 9), await w.does(s.send, b"cd"), await w.does(t.recv, 9)]
            happened += [await w.does(s.send, b"ef", MSG_MORE), await w.does(s.sendto, b"gh", t.getsockname())]
            s.setsockopt(stdlib.IPPROTO_UDP, UDP_CORK, 0)
            happened += [await w.does(t.recv, 9), await w.does(s.send, b"ij"), await w.does(t.recv, 9)]
            happened += [await w.does(s.send, b"kl", MSG_MORE)]
    return happened


FIELD_CASES = {
    case.__name__: case
    for case in (
        a_reset_before_accept,
        a_reset_leaves_its_place_in_the_accept_queue,
        shutting_down_reading_lets_the_rest_be_read,
        unread_data_after_shutting_down_reading_resets,
        data_after_both_ends_were_shut_down_resets,
        shutting_down_while_connecting,
        two_idle_sockets_on_one_port,
        two_idle_sockets_connect_from_one_port,
        datagrams_to_no_port,
        throwing_data_away,
        gathering_a_datagram,
        corking_a_datagram,
        shutting_down_while_gathering,
    )
}
