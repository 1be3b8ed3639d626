"""IP_RECVERR: the queue of errors about datagrams that were sent, as the kernel's."""

from __future__ import annotations

import socket as stdlib
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.socket import IPPROTO_IP, SO_ERROR, SOCK_DGRAM, SOL_SOCKET, SocketType
from trio.testing import MockClock

from stack import Host
from stack.sockets.ancillary import EXTENDED_ERROR, OFFENDER
from stack.sockets.datagram import MSG_ERRQUEUE
from stack.sockets.options import IP_RECVERR
from tests.sockets.hosts import ALICE, BOB, NOBODY, until
from tests.sockets.worlds import World, outcome, run_in_the_kernel, run_in_the_stack

ROOM = 200
RECVERR = (IPPROTO_IP, IP_RECVERR)


def readable(result: Any, w: World) -> Any:
    """What a call gave; the offender as whether it is the peer."""
    if not isinstance(result, tuple) or result[0] == "raised":
        return result
    data, beside, flags, address = result
    plain: list[Any] = []
    for level, kind, content in beside:
        if len(content) == 32:
            family, port, offender = OFFENDER.unpack(content[16:])
            plain.append((level, kind, EXTENDED_ERROR.unpack(content[:16]), family, port, offender))
            assert offender == stdlib.inet_aton(w.address)
        else:
            plain.append((level, kind, len(content)))
    return data, [each[:5] for each in plain], flags, (address[0] == w.address, address[1] == w.refused)


def pending(sock: SocketType) -> int:
    return sock.getsockopt(SOL_SOCKET, SO_ERROR)


async def every_way(w: World) -> Any:
    happened: list[Any] = []
    sock = w.client(type=SOCK_DGRAM)
    to = (w.address, w.refused)

    async def queue(size: int = 100, room: int = ROOM, flags: int = 0) -> None:
        happened.append(readable(await w.does(sock.recvmsg, size, room, MSG_ERRQUEUE | flags), w))

    async def sends(data: bytes) -> None:
        happened.append(await w.does(sock.sendto, data, to))
        await w.settle()

    await sends(b"before the option")
    happened.append(pending(sock))
    sock.setsockopt(*RECVERR, 1)
    await queue()
    await sends(b"hello")
    await queue()  # which clears the pending error
    happened.append(pending(sock))
    await sends(b"hello")
    happened += [pending(sock), pending(sock), sock.is_readable()]
    await queue()
    happened.append(sock.is_readable())
    await sends(b"hello")
    happened.append(await w.does(sock.recv, 100))
    await queue()
    for data in (b"one", b"refused", b"two", b"refused"):
        await sends(data)
    for _ in range(3):
        await queue()
        happened.append(pending(sock))
    await sends(b"cut")
    await queue(2)
    await sends(b"peeked at")
    await queue(4, 0, stdlib.MSG_PEEK)
    await queue()
    for room in (10, 16, 31, 32, 47, 48, 50):
        await sends(b"x")
        await queue(100, room)
    await sends(b"plain")
    happened.append((await w.does(sock.recv, 100, MSG_ERRQUEUE)) == b"plain")
    await sends(b"forgotten")
    sock.setsockopt(*RECVERR, 0)
    await queue()
    happened.append(pending(sock))
    sock.close()
    return happened


async def connected(w: World) -> Any:
    happened: list[Any] = []
    sock = w.client(type=SOCK_DGRAM)
    await sock.connect((w.address, w.refused))
    sock.setsockopt(*RECVERR, 1)
    for call in ((sock.send, b"again"), (sock.recv, 10)):
        await sock.send(b"hello")
        await w.settle()
        happened.append(await w.does(*call))
        happened.append(readable(await w.does(sock.recvmsg, 100, ROOM, MSG_ERRQUEUE), w))
        happened.append(pending(sock))
    sock.close()
    return happened


@pytest.mark.parametrize("case", [every_way, connected])
def test_the_queue_is_the_kernels(case: Callable[[World], Any]) -> None:
    assert run_in_the_stack(case) == run_in_the_kernel(case)


async def too_large(w: World) -> Any:
    """The MTU that the errors tell is that of each world; over 65,535 bytes there is no error in the queue."""
    happened: list[Any] = []
    sock, server = w.client(type=SOCK_DGRAM), w.server(type=SOCK_DGRAM)
    await server.bind((w.address, 0))
    sock.setsockopt(*RECVERR, 1)
    for size in (65507, 65508, 65535, 65536):
        happened.append(await w.does(sock.sendto, bytes(size), server.getsockname()))
        await w.settle()
        happened.append(pending(sock))
        result = await w.does(sock.recvmsg, 100, ROOM, MSG_ERRQUEUE)
        if result != "waits":
            data, ((_, _, content),), flags, address = result
            happened.append((data[:10], content[:8], content[12:], flags, address[0] == w.address, address[1]))
    sock.close()
    server.close()
    return happened


def test_an_error_of_our_own_is_the_kernels() -> None:
    assert run_in_the_stack(too_large) == run_in_the_kernel(too_large)


async def test_a_task_waits_for_an_error(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """An answer that arrives meanwhile stays for `recv`; and `recv` waits on while an error is there."""
    with alice.socket(type=SOCK_DGRAM) as sock, bob.socket(type=SOCK_DGRAM) as peer:
        sock.setsockopt(*RECVERR, 1)
        await peer.bind(("", 53))
        await sock.bind(("", 7))
        got: list[Any] = []

        async def wait() -> None:
            got.append(await sock.recvmsg(100, ROOM, MSG_ERRQUEUE))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            await peer.sendto(b"an answer", (ALICE, 7))
            await until(sock.is_readable)
            assert got == []
            await sock.sendto(b"to nothing", (BOB, 9))
        assert got[0][0] == b"to nothing"
        assert await sock.recv(100) == b"an answer"


async def test_a_neighbour_that_does_not_answer(alice: Host, autojump_clock: MockClock) -> None:
    """As in Linux the host itself says "host unreachable"; without IP_RECVERR an unconnected socket is not told."""
    with alice.socket(type=SOCK_DGRAM) as sock, alice.socket(type=SOCK_DGRAM) as plain:
        sock.setsockopt(*RECVERR, 1)
        await sock.sendto(b"hello", (NOBODY, 9))
        await plain.sendto(b"hello", (NOBODY, 9))
        data, ((_, _, content),), flags, address = await sock.recvmsg(100, ROOM, MSG_ERRQUEUE)
        assert (data, flags, address) == (b"hello", MSG_ERRQUEUE, (NOBODY, 9))
        assert EXTENDED_ERROR.unpack(content[:16]) == (113, 2, 3, 1, 0, 0, 0)
        assert OFFENDER.unpack(content[16:]) == (stdlib.AF_INET, 0, stdlib.inet_aton(ALICE))
        assert not plain.is_readable()


async def test_the_option_counts_for_a_destination_that_was_sent_to_before(
    alice: Host, autojump_clock: MockClock
) -> None:
    with alice.socket(type=SOCK_DGRAM) as sock:
        await sock.sendto(b"before", (NOBODY, 9))
        sock.setsockopt(*RECVERR, 1)
        await trio.sleep(60)
        assert not sock.is_readable()
        await sock.sendto(b"hello", (NOBODY, 9))
        with trio.fail_after(60):
            assert (await sock.recvmsg(100, ROOM, MSG_ERRQUEUE))[0] == b"hello"


async def test_the_standard_librarys_form(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """Blocking or not, a read of the empty queue raises EAGAIN."""
    with alice.install(), stdlib.socket(type=SOCK_DGRAM) as sock:
        sock.setsockopt(*RECVERR, 1)
        for timeout_s in (None, 0.0):
            sock.settimeout(timeout_s)
            assert outcome(sock.recvmsg, 100, ROOM, MSG_ERRQUEUE) == ("raised", "BlockingIOError", "EAGAIN")
        sock.sendto(b"hello", (BOB, 9))
        await trio.sleep(1)
        data, beside, flags, address = sock.recvmsg(100, ROOM, MSG_ERRQUEUE)
        assert (data, len(beside), flags, address) == (b"hello", 1, MSG_ERRQUEUE, (BOB, 9))
        sock.sendto(b"hello", (BOB, 9))
        await trio.sleep(1)
        buffer = bytearray(3)
        assert sock.recvmsg_into([buffer], ROOM, MSG_ERRQUEUE)[0] == 3
        assert buffer == b"hel"
