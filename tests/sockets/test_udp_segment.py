"""UDP_SEGMENT: one call sends many datagrams, as with the kernel's sockets."""

from __future__ import annotations

import socket as stdlib
import struct
from typing import Any

import trio
from trio.socket import IPPROTO_IP, IPPROTO_UDP, MSG_MORE, SOCK_DGRAM
from trio.testing import MockClock

from stack import Host
from stack.sockets.datagram import MSG_ERRQUEUE
from stack.sockets.options import IP_MTU_DISCOVER, IP_RECVERR, UDP_CORK, UDP_SEGMENT
from tests.sockets.hosts import BOB
from tests.sockets.worlds import World, run_in_the_kernel, run_in_the_stack

OPTION = (IPPROTO_UDP, UDP_SEGMENT)
SIZES = [
    *((1000, length) for length in (0, 1, 1000, 1001, 3500, 65507)),
    *((100, length) for length in (6400, 6401, 12_800, 12_801)),
    *((1, length) for length in (1, 64, 65, 128, 129)),
]
AT_THE_MTU = [
    *((1472, length) for length in (1472, 3000, 65_507, 65_508, 65_535, 65_536)),
    *((1473, length) for length in (1000, 1472, 1473, 3000)),
    *((size, length) for size in (2000, 65_535) for length in (100, 1472, 1900, 2000)),
]


async def segmenting(w: World, sizes: list[tuple[int, int]]) -> Any:
    """What each call gives, the lengths of what arrives, and whether the bytes are right."""
    happened: list[Any] = []
    client, server = await w.datagram_pair()
    server.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_RCVBUF, 1_000_000)
    client.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    data = bytes(range(256)) * 257
    sent = b""

    async def arrived() -> None:
        nonlocal sent
        await w.settle()
        pieces = []
        while server.is_readable():
            pieces.append(await server.recv(70_000))
        happened.append([len(piece) for piece in pieces])
        if pieces:
            assert b"".join(pieces) == sent
            sent = b""

    async def call(length: int, *ancillary: tuple[int, int, bytes], flags: int = 0) -> None:
        nonlocal sent
        result = await w.does(client.sendmsg, [data[:length]], ancillary, flags)
        happened.append(result)
        if result == length:
            sent += data[:length]

    for size, length in sizes:
        client.setsockopt(*OPTION, size)
        await call(length)
        await arrived()
    queue = [await w.does(client.recvmsg, 10, 0, MSG_ERRQUEUE) for _ in range(4)]
    happened.append(queue.index("waits") if sizes is AT_THE_MTU else queue[0])
    client.setsockopt(*OPTION, 700)
    for value in (b"\xe8\3", b"\0\0", b"\1", b"\0\0\0\0"):
        await call(2500, (*OPTION, value))
        await arrived()
    await call(2500, (*OPTION, b"\xe8\3"), (*OPTION, b"\xf4\1"))
    await arrived()
    for other in ((IPPROTO_UDP, 99), (stdlib.SOL_SOCKET, 99), (stdlib.IPPROTO_TCP, 99)):
        await call(5, (*other, b"\xe8\3"))
        await arrived()
    for length, flags in ((1000, MSG_MORE), (700, MSG_MORE), (5, 0)):
        await call(length, flags=flags)
        await arrived()
    client.setsockopt(IPPROTO_UDP, UDP_CORK, 1)
    await call(1500)
    await call(1000)
    client.setsockopt(IPPROTO_UDP, UDP_CORK, 0)
    await arrived()
    client.setsockopt(IPPROTO_IP, IP_MTU_DISCOVER, 2)
    await call(10_000)
    await arrived()
    client.close()
    server.close()
    return happened


def test_datagrams_are_those_of_the_kernel() -> None:
    async def case(w: World) -> Any:
        return await segmenting(w, SIZES)

    assert run_in_the_stack(case) == run_in_the_kernel(case)


async def test_the_standard_librarys_form(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    with alice.install(), stdlib.socket(type=SOCK_DGRAM) as client, bob.socket(type=SOCK_DGRAM) as server:
        await server.bind((BOB, 53))
        client.connect((BOB, 53))
        client.setsockopt(*OPTION, 4)
        assert client.send(b"one two ") == 8
        assert client.sendmsg([b"three", b" four"], [(*OPTION, struct.pack("H", 5))]) == 10
        await trio.sleep(1)
        assert [await server.recv(10) for _ in range(4)] == [b"one ", b"two ", b"three", b" four"]
