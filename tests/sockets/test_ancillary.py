"""Ancillary data of datagrams: SO_TIMESTAMP, IP_PKTINFO, IP_RECVTTL and IP_RECVTOS, as the kernel's."""

from __future__ import annotations

import socket as stdlib
import struct
import time
from typing import Any

import pytest
import trio
from trio.socket import IPPROTO_IP, SOCK_DGRAM, SOL_SOCKET
from trio.testing import MockClock

from stack import Ethernet, Host
from stack.sockets.ancillary import IP_PKTINFO, TIME
from stack.sockets.datagram import MSG_ERRQUEUE
from stack.sockets.options import IP_RECVERR, SO_TIMESTAMP, SO_TIMESTAMPNS
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


async def stamped(w: World) -> Any:
    """The forms exclude each other; the time comes first, and also with an error."""
    happened: list[Any] = []
    client, server = await w.datagram_pair()
    lost = w.client(type=SOCK_DGRAM)
    lost.setsockopt(IPPROTO_IP, IP_RECVERR, 1)

    def times(result: Any) -> Any:
        data, beside, flags, _ = result
        for _, kind, content in beside:
            if kind in (SO_TIMESTAMP, SO_TIMESTAMPNS) and len(content) == TIME.size:
                seconds, rest = TIME.unpack(content)
                assert abs(seconds - time.time()) < 30
                assert rest < (1_000_000 if kind == SO_TIMESTAMP else 1_000_000_000)
        return data, [(level, kind, len(content)) for level, kind, content in beside], flags

    for option, value in ((SO_TIMESTAMP, 1), (SO_TIMESTAMPNS, 7), (SO_TIMESTAMP, 1), (SO_TIMESTAMPNS, 0)):
        await client.send(b"before the option")
        await w.settle()
        for sock in (server, lost):
            sock.setsockopt(SOL_SOCKET, option, value)
            happened += [sock.getsockopt(SOL_SOCKET, each) for each in (SO_TIMESTAMP, SO_TIMESTAMPNS)]
        await client.send(b"hello")
        await lost.sendto(b"lost", (w.address, w.refused))
        await w.settle()
        happened += [times(await server.recvmsg(100, ROOM)), times(await server.recvmsg(100, ROOM))]
        happened.append(times(await lost.recvmsg(100, ROOM, MSG_ERRQUEUE)))
    server.setsockopt(SOL_SOCKET, SO_TIMESTAMP, 1)
    server.setsockopt(IPPROTO_IP, IP_PKTINFO, 1)
    for room in (ROOM, 0, 16, 20, 32, 40):
        await client.send(b"hello")
        await w.settle()
        happened.append(times(await server.recvmsg(100, room)))
    for sock in (client, server, lost):
        sock.close()
    return happened


def test_times_of_arrival_are_the_kernels() -> None:
    assert run_in_the_stack(stamped) == run_in_the_kernel(stamped)


async def test_the_time_is_that_of_the_arrival(
    alice: Host, bob: Host, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of the read; for a flow that the fast path knows already, too."""
    monkeypatch.setattr("stack.sockets.time_of_day.time_ns", lambda: 1_000_000_000_000 + 250_000_000)
    with alice.socket(type=SOCK_DGRAM) as client, bob.socket(type=SOCK_DGRAM) as server:
        await server.bind(("", 53))
        for _ in range(3):
            await client.sendto(b"hello", (BOB, 53))
            await server.recv(100)
        server.setsockopt(SOL_SOCKET, SO_TIMESTAMP, 1)
        await client.sendto(b"first", (BOB, 53))
        await trio.sleep(5)
        await client.sendto(b"second", (BOB, 53))
        await trio.sleep(2)
        for waited_s in (7, 2):
            _, ((_, _, content),), _, _ = await server.recvmsg(100, ROOM)
            assert TIME.unpack(content) == (1000 - waited_s, 250_000)


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
