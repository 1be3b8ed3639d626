"""An address that is lost under a UDP socket: our socket has the same outcome as the kernel's."""

from __future__ import annotations

import socket as stdlib
from collections.abc import Callable
from typing import Any

import pytest
import trio

import stack
from tests.live.net import OURS, THEIRS, Namespace
from tests.live.tap_host import host_on
from tests.requirements import rfc
from tests.sockets.worlds import DATAGRAM, World, aoutcome

pytestmark = pytest.mark.live


async def outcomes(w: World, local: str, remote: str, lose: Callable[[], object]) -> list[Any]:
    """Of a socket that waits while `local` is lost, and of what it and a connected one do then."""
    happened: list[Any] = []
    with w.client(type=DATAGRAM) as bound, w.client(type=DATAGRAM) as connected:
        await bound.bind((local, 5000))
        await connected.bind((local, 5001))
        await connected.connect((remote, 9))
        async with trio.open_nursery() as nursery:

            async def wait(sock: Any) -> None:
                happened.append(await aoutcome(sock.recv, 9, patience_s=1))

            nursery.start_soon(wait, bound)
            nursery.start_soon(wait, connected)
            await trio.sleep(0.1)
            lose()
        for address in (remote, "127.0.0.1"):
            happened.append(await w.does(bound.sendto, b"x", (address, 9)))
        happened.append(await w.does(connected.send, b"x"))
        for sock in (bound, connected):
            happened += [sock.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR), await w.does(sock.recv, 9)]
            happened += [sock.getsockname()[0] == local]
    return happened


@rfc("sockets-12")
async def test_same_as_the_kernel(namespace: Namespace) -> None:
    tap = stack.Tap("tap0")
    async with host_on(tap, namespace) as host:
        kernel = trio.socket.socket
        expected = await outcomes(
            World(kernel, kernel, THEIRS, 4, 0.2),
            THEIRS,
            OURS,
            lambda: namespace.ip("addr", "del", f"{THEIRS}/24", "dev", "tap0"),
        )
        got = await outcomes(
            World(host.socket, kernel, OURS, 4, 0.2), OURS, THEIRS, lambda: host.remove_address(tap, OURS)
        )
    assert got == expected
    assert expected[:3] == ["waits", "waits", ("raised", "OSError", "ENETUNREACH")]
