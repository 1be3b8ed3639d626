"""Options of UDP sockets that need a network of the kernel's own: its loopback with the MTU of an Ethernet."""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.socket import IPPROTO_IP, MSG_MORE, SO_ERROR, SOCK_DGRAM, SOL_SOCKET, SocketType

from stack.sockets.ancillary import EXTENDED_ERROR, OFFENDER
from stack.sockets.datagram import MSG_ERRQUEUE
from stack.sockets.options import IP_MTU, IP_MTU_DISCOVER, IP_RECVERR
from tests.live.net import Namespace
from tests.sockets.test_udp_segment import AT_THE_MTU, segmenting
from tests.sockets.worlds import World, outcome, run_in_the_kernel, run_in_the_stack

pytestmark = pytest.mark.one_way


async def queued(w: World, sock: SocketType) -> list[Any]:
    """The errors in the queue; a port as whether it is that of the server."""
    happened: list[Any] = []
    while (result := await w.does(sock.recvmsg, 100, 200, MSG_ERRQUEUE)) != "waits":
        data, ((_, _, content),), flags, address = result
        assert OFFENDER.unpack(content[16:]) == (0, 0, bytes(4))
        happened.append((data, EXTENDED_ERROR.unpack(content[:16]), flags, address[0] == w.address, address[1] == 0))
    return happened


async def discovering(w: World) -> Any:
    happened: list[Any] = []
    connected, server = await w.datagram_pair()
    alone = w.client(type=SOCK_DGRAM)
    for sock in (alone, connected):
        sock.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    for discover in range(6):
        for sock in (alone, connected):
            sock.setsockopt(IPPROTO_IP, IP_MTU_DISCOVER, discover)
            for size in (0, 1472, 1473, 65507, 65508, 65535, 65536):
                happened.append(await w.does(sock.sendto, bytes(size), server.getsockname()))
                while server.is_readable():
                    happened.append(len(await server.recv(70_000)))
                happened += [sock.getsockopt(SOL_SOCKET, SO_ERROR), await queued(w, sock)]
        happened += [outcome(each.getsockopt, IPPROTO_IP, IP_MTU) for each in (alone, connected)]
    happened.append(outcome(connected.setsockopt, IPPROTO_IP, IP_MTU, 1400))
    alone.setsockopt(IPPROTO_IP, IP_MTU_DISCOVER, 2)
    for size, flags in ((1000, MSG_MORE), (1000, MSG_MORE), (10, 0)):
        happened += [await w.does(alone.sendto, bytes(size), flags, server.getsockname()), await queued(w, alone)]
    for sock in (alone, connected, server):
        sock.close()
    return happened


async def cutting(w: World) -> Any:
    return await segmenting(w, AT_THE_MTU)


@pytest.mark.parametrize("case", [discovering, cutting])
def test_as_the_kernel_over_an_mtu_of_1500(case: Callable[[World], Awaitable[Any]], namespace: Namespace) -> None:
    namespace.ip("link", "set", "lo", "mtu", "1500")
    assert run_in_the_stack(case) == namespace.in_here(run_in_the_kernel, case)


def test_a_neighbour_that_does_not_answer(namespace: Namespace) -> None:
    """The kernel says so to itself, as we do (`test_error_queue.py`)."""
    namespace.ip("link", "add", "one", "type", "veth", "peer", "name", "other")
    for words in ("link set one up", "link set other up", "addr add 10.9.0.1/24 dev one"):
        namespace.ip(*words.split())

    def ask() -> tuple[bytes, list[Any], int, Any, int]:
        with stdlib.socket(type=SOCK_DGRAM) as sock:
            sock.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
            sock.sendto(b"hello", ("10.9.0.99", 9))
            sock.settimeout(20)
            try:
                sock.recv(100)
            except OSError as error:
                return *sock.recvmsg(100, 200, MSG_ERRQUEUE), error.errno or 0
            raise AssertionError("it answers")

    data, ((_, _, content),), flags, address, number = namespace.in_here(ask)
    assert (data, flags, address, number) == (b"hello", MSG_ERRQUEUE, ("10.9.0.99", 9), errno.EHOSTUNREACH)
    assert EXTENDED_ERROR.unpack(content[:16]) == (errno.EHOSTUNREACH, 2, 3, 1, 0, 0, 0)
    assert OFFENDER.unpack(content[16:]) == (stdlib.AF_INET, 0, stdlib.inet_aton("10.9.0.1"))
