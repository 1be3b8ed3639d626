"""SO_BINDTODEVICE, SO_DONTROUTE and IP_FREEBIND: which interface, route and address a socket uses."""

from __future__ import annotations

import socket as stdlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import trio
from trio.socket import IPPROTO_IP, SO_BROADCAST, SO_DONTROUTE, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, SocketType
from trio.testing import MockClock

from stack import Ethernet, Host, open_host
from stack.sockets.options import IP_FREEBIND, SO_BINDTODEVICE, SO_REUSEPORT
from tests.sockets.hosts import BOB, host_on
from tests.sockets.worlds import World, aoutcome, outcome, run_in_the_kernel, run_in_the_stack

DEVICE = (SOL_SOCKET, SO_BINDTODEVICE)
KINDS = pytest.mark.parametrize("kind", [SOCK_DGRAM, SOCK_STREAM])
UNREACHABLE = ("raised", "OSError", "ENETUNREACH")
REFUSED = ("raised", "ConnectionRefusedError", "ECONNREFUSED")
IN_USE = ("raised", "OSError", "EADDRINUSE")


@asynccontextmanager
async def between_two_networks() -> AsyncIterator[tuple[Host, Host, Host]]:
    """Our host, which is on "west" and "east" and has a gateway on the west, and a host on each network."""
    west, east = Ethernet(), Ethernet()
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(host_on(west.attach("west"), "10.1.0.1/24", gateway="10.1.0.2"))
        ours.attach(east.attach("east"), addresses=["10.2.0.1/24"], acd="off")
        neighbors = [
            await stack.enter_async_context(host_on(west.attach("w"), "10.1.0.2/24", seed=2, gateway="10.1.0.1")),
            await stack.enter_async_context(host_on(east.attach("e"), "10.2.0.2/24", seed=3, gateway="10.2.0.1")),
        ]
        yield ours, neighbors[0], neighbors[1]


def bound_to(host: Host, device: bytes, kind: int = SOCK_DGRAM, **options: int) -> SocketType:
    sock = host.socket(type=kind)
    sock.setsockopt(*DEVICE, device)
    return sock


async def received(sock: SocketType) -> list[bytes]:
    await trio.sleep(1)
    result = []
    while sock.is_readable():
        result.append(await sock.recv(100))
    return result


async def values(w: World) -> Any:
    """As names: the loopback is "lo" everywhere."""
    happened: list[Any] = []
    for kind in (SOCK_STREAM, SOCK_DGRAM):
        with w.client(type=kind) as sock:
            for value in (b"lo", b"lo\0", b"l", b"", b"lo\0junk", b"no such one", b"lo" + bytes(30), 1):
                happened.append(outcome(sock.setsockopt, *DEVICE, value))
                happened += [outcome(sock.getsockopt, *DEVICE, size) for size in (0, 3, 15, 16, 100)]
                happened.append(outcome(sock.getsockopt, *DEVICE))
    return happened


def test_names_are_taken_as_in_the_kernel() -> None:
    assert run_in_the_stack(values) == run_in_the_kernel(values)


@KINDS
async def test_a_long_name_is_cut(kind: int, autojump_clock: MockClock) -> None:
    """After 15 octets, as in Linux."""
    async with host_on(Ethernet().attach("x" * 15), "10.1.0.1/24") as host:
        with bound_to(host, b"x" * 20, kind) as sock:
            assert sock.getsockopt(*DEVICE, 16) == b"x" * 15 + b"\0"


@KINDS
async def test_a_device_is_the_only_way_out(kind: int, autojump_clock: MockClock) -> None:
    """Also against the routes: the default one is in the west. Our addresses are reached by their interface."""
    async with between_two_networks() as (ours, _, _):
        for device, to, source in (
            (b"west", "10.1.0.2", "10.1.0.1"),
            (b"east", "10.2.0.2", "10.2.0.1"),
            (b"east", "10.2.0.1", "10.2.0.1"),
            (b"lo", "127.0.0.1", "127.0.0.1"),
            (b"lo", "10.2.0.1", "10.2.0.1"),
            (b"west", "192.0.2.1", "10.1.0.1"),
            (b"", "10.1.0.2", "10.1.0.1"),
            (b"west", "10.2.0.2", "10.1.0.1"),  # by the gateway of the west
            (b"east", "10.1.0.2", None),
            (b"east", "192.0.2.1", None),
            (b"east", "10.1.0.1", None),
            (b"east", "127.0.0.1", None),
            (b"lo", "10.2.0.2", None),
        ):
            with bound_to(ours, device, kind) as sock:
                with trio.move_on_after(0.5):
                    result = await aoutcome(sock.connect, (to, 9))
                if source is None:
                    assert result == UNREACHABLE, (device, to)
                elif kind == SOCK_DGRAM:
                    assert sock.getsockname()[0] == source, (device, to)
                else:
                    assert result in (REFUSED, "waits"), (device, to)


@KINDS
async def test_an_address_of_another_interface_does_not_go_with_the_device(
    kind: int, autojump_clock: MockClock
) -> None:
    async with between_two_networks() as (ours, _, _):
        with bound_to(ours, b"west", kind) as sock:
            await sock.bind(("10.2.0.1", 0))
            assert await aoutcome(sock.connect, ("10.1.0.2", 9)) == UNREACHABLE


@KINDS
async def test_a_device_that_is_gone(kind: int, autojump_clock: MockClock) -> None:
    async with between_two_networks() as (ours, _, _):
        link = Ethernet().attach("third")
        ours.attach(link, addresses=["10.3.0.1/24"], acd="off")
        with bound_to(ours, b"third", kind) as sock:
            ours.detach(link)
            assert await aoutcome(sock.connect, ("10.1.0.2", 9)) == ("raised", "OSError", "ENODEV")


async def test_a_gateway_that_comes_later_is_not_used_without_routing(autojump_clock: MockClock) -> None:
    """The path of the first datagram is bound anew when the routes change."""
    async with between_two_networks() as (ours, west, _):
        with ours.socket(type=SOCK_DGRAM) as sock, west.socket(type=SOCK_DGRAM) as w:
            await w.bind(("", 53))
            sock.setsockopt(SOL_SOCKET, SO_DONTROUTE, 1)
            await sock.sendto(b"before", ("10.1.0.2", 53))
            ours.add_route("10.1.0.2/32", gateway="10.1.0.77")
            await sock.sendto(b"after", ("10.1.0.2", 53))
            assert await received(w) == [b"before", b"after"]


async def test_a_broadcast_leaves_by_the_device(autojump_clock: MockClock) -> None:
    async with between_two_networks() as (ours, west, east):
        with west.socket(type=SOCK_DGRAM) as w, east.socket(type=SOCK_DGRAM) as e:
            for sock in (w, e):
                await sock.bind(("", 67))
            for device in (b"east", b"west"):
                with bound_to(ours, device) as sock:
                    sock.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
                    await sock.sendto(device, ("255.255.255.255", 67))
            assert await received(w) == [b"west"]
            assert await received(e) == [b"east"]


async def test_a_device_is_the_only_way_in(autojump_clock: MockClock) -> None:
    """One socket for each interface at one port; a datagram from the host itself comes by its destination's."""
    async with between_two_networks() as (ours, west, east):
        sockets = {name: bound_to(ours, name) for name in (b"west", b"east", b"lo")}
        for sock in sockets.values():
            await sock.bind(("", 53))
        with ours.socket(type=SOCK_DGRAM) as plain:
            assert await aoutcome(plain.bind, ("", 53)) == IN_USE
        for host, to in ((west, "10.1.0.1"), (east, "10.2.0.1"), (ours, "10.2.0.1"), (ours, "127.0.0.1")):
            with host.socket(type=SOCK_DGRAM) as client:
                for _ in range(3):  # the later ones by the fast path
                    await client.sendto(to.encode(), (to, 53))
                await trio.sleep(0.1)
        with east.socket(type=SOCK_DGRAM) as client:
            client.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
            await client.sendto(b"to all", ("255.255.255.255", 53))
        assert await received(sockets[b"west"]) == [b"10.1.0.1"] * 3
        assert await received(sockets[b"east"]) == [b"10.2.0.1"] * 6 + [b"to all"]
        assert await received(sockets[b"lo"]) == [b"127.0.0.1"] * 3
        sockets.pop(b"west").close()
        with west.socket(type=SOCK_DGRAM) as client:
            await client.connect(("10.1.0.1", 53))
            await client.send(b"unanswered")
            await trio.sleep(1)
            assert await aoutcome(client.recv, 10) == REFUSED
        with west.socket(type=SOCK_DGRAM) as client:
            for device, expected in ((b"west", [b"moved"] * 3), (b"east", [])):
                sockets[b"east"].setsockopt(*DEVICE, device)
                for _ in range(3):
                    await client.sendto(b"moved", ("10.1.0.1", 53))
                assert await received(sockets[b"east"]) == expected
        for sock in sockets.values():
            sock.close()


async def test_a_socket_with_the_device_is_preferred(autojump_clock: MockClock) -> None:
    async with between_two_networks() as (ours, west, east):
        with bound_to(ours, b"west") as special, ours.socket(type=SOCK_DGRAM) as plain:
            for sock in (special, plain):
                sock.setsockopt(SOL_SOCKET, stdlib.SO_REUSEADDR, 1)
                await sock.bind(("", 53))
            for host, to in ((west, "10.1.0.1"), (east, "10.2.0.1")):
                with host.socket(type=SOCK_DGRAM) as client:
                    await client.sendto(to.encode(), (to, 53))
            assert (await received(special), await received(plain)) == ([b"10.1.0.1"], [b"10.2.0.1"])


async def test_a_listener_takes_connections_by_its_device(autojump_clock: MockClock) -> None:
    async with between_two_networks() as (ours, west, east):
        with bound_to(ours, b"east", SOCK_STREAM) as listener, bound_to(ours, b"west", SOCK_STREAM) as other:
            for sock in (listener, other):
                sock.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
            await listener.bind(("", 80))
            listener.listen()
            assert outcome(listener.setsockopt, *DEVICE, b"west") == ("raised", "OSError", "EINVAL")
            with west.socket() as client:
                assert await aoutcome(client.connect, ("10.1.0.1", 80)) == REFUSED
            await other.bind(("", 80))
            other.listen()
            for host, to, taker in (
                (west, "10.1.0.1", other),
                (east, "10.2.0.1", listener),
                (ours, "10.2.0.1", listener),
            ):
                for _ in range(4):
                    with host.socket() as client:
                        await client.connect((to, 80))
                        with trio.fail_after(1):
                            (await taker.accept())[0].close()


async def test_a_connection_keeps_its_device(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    """Nothing changes if the same one is set again, or none where there was none; another one is refused."""
    with bob.socket() as listener, alice.socket() as client, bound_to(alice, b"alice", SOCK_STREAM) as other:
        await listener.bind((BOB, 80))
        listener.listen()
        listener.setsockopt(*DEVICE, b"")
        for sock, device in ((client, b""), (other, b"alice")):
            await sock.connect((BOB, 80))
            sock.setsockopt(*DEVICE, device)
            assert sock.getsockopt(*DEVICE, 16).rstrip(b"\0") == device
            assert outcome(sock.setsockopt, *DEVICE, b"lo") == ("raised", "OSError", "EINVAL")


@KINDS
async def test_dont_route_reaches_neighbours_only(kind: int, autojump_clock: MockClock) -> None:
    async with between_two_networks() as (ours, _, _):
        for to, reached in (("10.1.0.9", True), ("10.2.0.2", True), ("10.2.0.1", True), ("192.0.2.1", False)):
            with ours.socket(type=kind) as sock:
                sock.setsockopt(SOL_SOCKET, SO_DONTROUTE, 1)
                assert (await aoutcome(sock.connect, (to, 9)) != UNREACHABLE) == reached
            if kind == SOCK_DGRAM:
                with ours.socket(type=kind) as sock:
                    await sock.sendto(b"by the gateway", (to, 9))
                    sock.setsockopt(SOL_SOCKET, SO_DONTROUTE, 1)
                    assert await aoutcome(sock.sendto, b"x", (to, 9)) == (1 if reached else UNREACHABLE)


async def free(w: World) -> Any:
    happened: list[Any] = []
    for kind in (SOCK_STREAM, SOCK_DGRAM):
        for wanted in (0, 1):
            with w.server(type=kind) as sock:
                sock.setsockopt(IPPROTO_IP, IP_FREEBIND, wanted)
                happened.append(await aoutcome(sock.bind, ("192.0.2.5", 7777)))
                happened.append(sock.getsockname()[0])
                happened.append(await aoutcome(sock.bind, ("192.0.2.6", 7777)))
                if kind == SOCK_STREAM and wanted:
                    happened.append(outcome(sock.listen))
                elif wanted:
                    happened.append(await aoutcome(sock.sendto, b"x", (w.address, 9)))
            with w.server(type=kind) as sock:  # as without the option, once it is off again
                await sock.bind((w.address, 0))
                sock.setsockopt(IPPROTO_IP, IP_FREEBIND, wanted)
                sock.setsockopt(IPPROTO_IP, IP_FREEBIND, 0)
                happened.append(await aoutcome(sock.bind, ("192.0.2.6", 7777)))
            if wanted and kind == SOCK_STREAM:
                with w.server(type=kind) as sock:
                    sock.setsockopt(IPPROTO_IP, IP_FREEBIND, wanted)
                    await sock.bind(("192.0.2.5", 0))
                    result = await aoutcome(sock.connect, (w.address, w.refused))
                    happened.append(result[:2] if isinstance(result, tuple) else result)
    return happened


def test_a_foreign_address_can_be_bound_as_in_the_kernel() -> None:
    assert run_in_the_stack(free) == run_in_the_kernel(free)


async def test_a_foreign_address_that_becomes_ours(autojump_clock: MockClock) -> None:
    """What IP_FREEBIND is for: a server is bound before its address comes."""
    ethernet = Ethernet()
    link = ethernet.attach("server")
    async with (
        host_on(link, "10.9.0.1/24") as server,
        host_on(ethernet.attach("client"), "10.9.0.2/24", seed=2) as client,
    ):
        with server.socket() as listener, server.socket(type=SOCK_DGRAM) as datagrams:
            for sock in (listener, datagrams):
                sock.setsockopt(IPPROTO_IP, IP_FREEBIND, 1)
                await sock.bind(("10.9.0.7", 80))
            listener.listen()
            await server.add_address(link, "10.9.0.7/24", acd="off")
            with client.socket() as stream, client.socket(type=SOCK_DGRAM) as sender:
                await stream.connect(("10.9.0.7", 80))
                await sender.sendto(b"hello", ("10.9.0.7", 80))
                assert (await datagrams.recvfrom(10))[0] == b"hello"
                assert await datagrams.sendto(b"from there", ("10.9.0.2", 9)) == 10


async def test_the_standard_librarys_form(autojump_clock: MockClock) -> None:
    async with open_host() as host:
        with host.install(), stdlib.socket() as stream, stdlib.socket(type=SOCK_DGRAM) as datagram:
            for sock in (stream, datagram):
                sock.setsockopt(*DEVICE, b"lo\0")
                assert sock.getsockopt(*DEVICE, 16) == b"lo\0"
                sock.setsockopt(SOL_SOCKET, SO_DONTROUTE, 1)
                sock.setsockopt(IPPROTO_IP, IP_FREEBIND, 1)
                sock.bind(("192.0.2.1", 80))
