"""Ancillary data of datagrams: IP_PKTINFO, IP_RECVTTL and IP_RECVTOS, as the kernel's."""

from __future__ import annotations

import socket as stdlib
import struct
from typing import Any

import trio
from trio.socket import IPPROTO_IP, SOCK_DGRAM
from trio.testing import MockClock

from stack import Ethernet
from stack.sockets.ancillary import IP_PKTINFO
from tests.sockets.hosts import ALICE, BOB, host_on
from tests.sockets.worlds import World, aoutcome, run_in_the_kernel, run_in_the_stack

IP_RECVTTL, IP_RECVTOS = 12, 13
ROOM = 200


def readable(result: Any, w: World) -> Any:
    """A result of recvmsg without the sender, the number of the interface, and the address of the world."""
    data, ancillary, flags, _ = result
    plain = []
    for level, kind, content in ancillary:
        if kind == IP_PKTINFO:
            assert not content or content[0] > 0
            addresses = stdlib.inet_aton(w.address) * 2
            assert content[4:] == addresses[: len(content[4:])]
            content = bytes(len(content))
        plain.append((level, kind, content))
    return data, plain, flags


async def receiving(w: World) -> Any:
    happened: list[Any] = []
    client, server = await w.datagram_pair()

    async def next_one(room: int) -> None:
        client.setsockopt(IPPROTO_IP, stdlib.IP_TOS, 0x68)
        client.setsockopt(IPPROTO_IP, stdlib.IP_TTL, 77)
        await client.send(b"hello")
        await w.settle()
        happened.append(readable(await server.recvmsg(100, room), w))

    await next_one(ROOM)
    for option in (IP_RECVTOS, IP_PKTINFO, IP_RECVTTL):
        server.setsockopt(IPPROTO_IP, option, 1)
        await next_one(ROOM)
    for room in (0, 1, 15, 16, 17, 20, 27, 28, 29, 31, 32, 33, 47, 48, 50, 52, 55, 56, 71, 72, 73, 80):
        await next_one(room)
    server.setsockopt(IPPROTO_IP, IP_PKTINFO, 0)
    await next_one(ROOM)
    await client.send(b"hello")
    await w.settle()
    buffer = bytearray(3)
    happened.append(readable(await server.recvmsg_into([buffer], ROOM), w))
    client.close()
    server.close()
    return happened


def test_receiving_is_the_kernels() -> None:
    assert run_in_the_stack(receiving) == run_in_the_kernel(receiving)


async def sending(w: World) -> Any:
    client, server = await w.datagram_pair()
    own = stdlib.inet_aton(client.getsockname()[0])
    info = struct.pack("i4s4s", 0, own, bytes(4))
    happened: list[Any] = [await aoutcome(client.sendmsg, [b"one"], [(IPPROTO_IP, IP_PKTINFO, info)])]
    nowhere = struct.pack("i4s4s", 0, stdlib.inet_aton("192.0.2.1"), bytes(4))
    for ancillary in (
        [(IPPROTO_IP, IP_PKTINFO, nowhere)],
        [(IPPROTO_IP, IP_PKTINFO, bytes(12))],
        [(IPPROTO_IP, IP_PKTINFO, bytes(5))],
        [(IPPROTO_IP, 99, b"")],
    ):
        happened.append(await aoutcome(client.sendmsg, [b"two"], ancillary))
    client.close()
    server.close()
    return happened


def test_sending_is_the_kernels() -> None:
    assert run_in_the_stack(sending) == run_in_the_kernel(sending)


async def test_an_answer_from_the_address_that_was_asked(autojump_clock: MockClock) -> None:
    """A server on all addresses answers from the one that the question went to: RFC 1122 section 4.1.3.5."""
    ethernet = Ethernet()
    link = ethernet.attach("bob")
    async with (
        host_on(ethernet.attach("alice"), f"{ALICE}/24") as alice,
        host_on(link, f"{BOB}/24", seed=2) as bob,
    ):
        await bob.add_address(link, "10.9.0.7/24", acd="off")
        with alice.socket(type=SOCK_DGRAM) as client, bob.socket(type=SOCK_DGRAM) as server:
            await server.bind(("", 53))
            server.setsockopt(IPPROTO_IP, IP_PKTINFO, 1)
            await client.connect(("10.9.0.7", 53))
            await client.send(b"question")
            _, ((_, _, info),), _, sender = await server.recvmsg(100, ROOM)
            assert info[4:] == stdlib.inet_aton("10.9.0.7") * 2
            await server.sendmsg([b"answer"], [(IPPROTO_IP, IP_PKTINFO, info)], 0, sender)
            with trio.fail_after(1):
                assert await client.recv(100) == b"answer"
