"""SO_REUSEPORT: several sockets at one port, which share the flows."""

from __future__ import annotations

import itertools
import socket as stdlib
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.socket import SO_REUSEADDR, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, SocketType
from trio.testing import MockClock

from stack import Host
from stack.sockets.options import SO_REUSEPORT
from tests.sockets.hosts import ALICE, BOB, until
from tests.sockets.worlds import World, aoutcome, outcome, run_in_the_kernel, run_in_the_stack

BOTH = (SO_REUSEADDR, SO_REUSEPORT)


def sharing(make: Callable[..., SocketType], kind: int = SOCK_STREAM, flags: tuple[int, ...] = (0, 1)) -> SocketType:
    sock = make(stdlib.AF_INET, kind)
    for option, value in zip(BOTH, flags, strict=True):
        sock.setsockopt(SOL_SOCKET, option, value)
    return sock


async def binding(w: World, kind: int) -> Any:
    """Every combination of flags and addresses, for two sockets that are bound and then listen."""
    happened: list[Any] = []
    flags = list(itertools.product((0, 1), repeat=2))
    addresses = [w.address, "0.0.0.0"]
    for first, second, one, other in itertools.product(flags, flags, addresses, addresses):
        with sharing(w.server, kind, first) as a, sharing(w.server, kind, second) as b:
            await a.bind((one, 0))
            port = a.getsockname()[1]
            result = [await aoutcome(b.bind, (other, port))]
            if kind == SOCK_STREAM and result == [None]:
                result += [outcome(a.listen), outcome(b.listen)]
            happened.append((first, second, one == other, one == w.address, *result))
    for first, second in itertools.product(flags, flags) if kind == SOCK_STREAM else ():
        with sharing(w.server, kind, first) as a, sharing(w.server, kind, second) as b:
            await a.bind((w.address, 0))
            a.listen()
            result = [await aoutcome(b.bind, a.getsockname())]
            happened.append((first, second, *result, outcome(b.listen) if result == [None] else None))
    with sharing(w.server, kind, (0, 0)) as a, sharing(w.server, kind) as b:  # set after the bind
        await a.bind((w.address, 0))
        a.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        happened.append(await aoutcome(b.bind, a.getsockname()))
    with sharing(w.server, kind) as a, sharing(w.server, kind) as b:
        await a.bind((w.address, 0))
        await b.bind((w.address, 0))
        happened.append(a.getsockname() == b.getsockname())
    for second in ((0, 0), (0, 1)) if kind == SOCK_STREAM else ():  # while a connection of a listener is left
        with sharing(w.server, kind) as listener, w.client() as client, sharing(w.server, kind, second) as b:
            await listener.bind((w.address, 0))
            local = listener.getsockname()
            listener.listen()
            await client.connect(local)
            accepted, _ = await listener.accept()
            listener.close()
            with accepted:
                happened.append(await aoutcome(b.bind, local))
    return happened


@pytest.mark.parametrize("kind", [SOCK_DGRAM, SOCK_STREAM])
def test_who_may_share_is_as_in_the_kernel(kind: int) -> None:
    async def case(w: World) -> Any:
        return await binding(w, kind)

    assert run_in_the_stack(case) == run_in_the_kernel(case)


async def test_datagrams_of_a_flow_go_to_one_socket(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """Each of three gets its share of 60 flows; when one closes, the others get all of them."""
    sockets = [sharing(bob.socket, SOCK_DGRAM) for _ in range(3)]
    for sock in sockets:
        await sock.bind((BOB, 53))
    clients = [alice.socket(type=SOCK_DGRAM) for _ in range(60)]

    async def flows_of_each(times: int) -> list[dict[Any, int]]:
        for _ in range(times):
            for client in clients:
                await client.sendto(b"x", (BOB, 53))
        await trio.sleep(1)
        seen: list[dict[Any, int]] = []
        for sock in sockets:
            seen.append({})
            while sock.is_readable():
                _, sender = await sock.recvfrom(10)
                seen[-1][sender] = seen[-1].get(sender, 0) + 1
        return seen

    seen = await flows_of_each(5)
    assert all(12 <= len(each) <= 28 for each in seen), "the shares of a keyed hash"
    assert [set(each.values()) for each in seen] == [{5}] * 3, "a flow stays with its socket"
    assert await flows_of_each(1) == [dict.fromkeys(each, 1) for each in seen]
    sockets.pop(1).close()
    assert sum(map(len, await flows_of_each(1))) == 60
    await sockets[0].connect((ALICE, clients[0].getsockname()[1]))
    connected, other = await flows_of_each(1)
    assert (len(connected), len(other)) == (1, 59), "a connected socket gets its peer's, and nothing else"
    for sock in (*sockets, *clients):
        sock.close()


async def test_connections_are_shared(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    listeners = [sharing(bob.socket) for _ in range(3)]
    for sock in listeners:
        await sock.bind((BOB, 80))
        sock.listen(100)
    assert [record.local for record in bob.listeners()] == [f"{BOB}:80"] * 3
    clients: list[SocketType] = []

    async def accepted(number: int) -> list[int]:
        for _ in range(number):
            clients.append(alice.socket())
            await clients[-1].connect((BOB, 80))
        counts = []
        for sock in listeners:
            counts.append(0)
            while sock.is_readable():
                clients.append((await sock.accept())[0])
                counts[-1] += 1
        return counts

    counts = await accepted(60)
    assert sum(counts) == 60
    assert all(10 <= count <= 30 for count in counts)
    for number, left in ((0, 2), (0, 1)):  # the first one each time, which is the one in the table
        listeners.pop(number).close()
        assert len(bob.listeners()) == left
        assert sum(await accepted(20)) == 20
    listeners.pop().close()
    with alice.socket() as refused:
        assert await aoutcome(refused.connect, (BOB, 80)) == ("raised", "ConnectionRefusedError", "ECONNREFUSED")
    listeners += [sharing(bob.socket) for _ in range(2)]  # as at first
    for sock in listeners:
        await sock.bind((BOB, 80))
        sock.listen(100)
    assert all(count >= 4 for count in await accepted(20))
    for sock in (*clients, *listeners):
        sock.close()


async def test_a_listener_that_closes_resets_only_its_own(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    listeners = [sharing(bob.socket) for _ in range(2)]
    for sock in listeners:
        await sock.bind((BOB, 80))
        sock.listen(100)
    clients = [alice.socket() for _ in range(20)]
    for client in clients:
        await client.connect((BOB, 80))
    listeners.pop(0).close()
    await until(lambda: any(client.is_readable() for client in clients))
    await trio.sleep(1)
    reset = sum(client.is_readable() for client in clients)
    assert 4 <= reset <= 16
    waiting = 0
    while listeners[0].is_readable():
        (await listeners[0].accept())[0].close()
        waiting += 1
    assert waiting == 20 - reset
    for sock in (*listeners, *clients):
        sock.close()


async def test_of_sockets_with_reuse_address_only_those_with_reuse_port_share(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    """The one that is bound last decides; setting the option later counts at once."""
    sockets = [sharing(bob.socket, SOCK_DGRAM, (1, 0)) for _ in range(3)]
    clients = [alice.socket(type=SOCK_DGRAM) for _ in range(20)]

    async def counts() -> list[int]:
        for client in clients:
            for _ in range(3):  # the later ones by the fast path
                await client.sendto(b"x", (BOB, 53))
        await trio.sleep(1)
        result = []
        for sock in sockets:
            result.append(0)
            while sock.is_readable():
                await sock.recv(10)
                result[-1] += 1
        return result

    for sock in sockets:
        await sock.bind((BOB, 53))
    assert await counts() == [0, 0, 60]
    sockets[1].setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    assert await counts() == [0, 0, 60]
    sockets[2].setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    first, second, third = await counts()
    assert (first, second + third) == (0, 60)
    assert min(second, third) >= 9
    for sock in (*sockets, *clients):
        sock.close()


async def test_the_standard_librarys_form(bob: Host, autojump_clock: MockClock) -> None:
    with bob.install(), stdlib.socket() as first, stdlib.socket() as second:
        for sock in (first, second):
            sock.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
            sock.bind((BOB, 80))
            sock.listen()
        assert len(bob.listeners()) == 2
