"""Routes that a program adds; TCP_INFO and IP_MTU, compared with the kernel's."""

from __future__ import annotations

import errno
import socket as stdlib
import struct
from collections.abc import Awaitable
from typing import Any

import pytest
import trio
from trio.socket import IPPROTO_IP, IPPROTO_TCP, SOCK_DGRAM, SOL_SOCKET
from trio.testing import MockClock

from stack import Ethernet, Host
from stack.sockets import options
from stack.tcp.info import LAYOUT, NAMES
from tests.sockets.hosts import ALICE, BOB, Cut, host_on, stream_pair, two_hosts
from tests.sockets.worlds import World, aoutcome, outcome, run_in_the_kernel, run_in_the_stack

TCP_INFO = options.TCP_INFO
HEAD = ("state", "ca_state", "retransmits", "probes", "backoff", "options", "scales", "bits")


def info(sock: trio.socket.SocketType) -> dict[str, int]:
    """The fields of struct tcp_info by their names."""
    return dict(zip((*HEAD, *NAMES), LAYOUT.unpack(sock.getsockopt(IPPROTO_TCP, TCP_INFO, 104)), strict=True))


async def states(w: World) -> Any:
    """What both worlds answer in each state."""
    happened: list[Any] = []
    with w.client() as fresh:
        happened.append([info(fresh)[name] for name in ("state", "ca_state", "retransmits", "options", "unacked")])
        happened.append(outcome(fresh.setsockopt, IPPROTO_TCP, TCP_INFO, b"x" * 104))
        happened += [outcome(fresh.getsockopt, IPPROTO_TCP, TCP_INFO, length) for length in (-1, 0, 1, 8, 2000)]
    with await w.listening(7) as listener:
        client = w.client()
        await client.connect(listener.getsockname())
        await w.settle()
        happened.append([info(listener)[name] for name in ("state", "unacked", "sacked")])
        server, _ = await listener.accept()
        happened.append([info(listener)[name] for name in ("state", "unacked", "sacked")])
    for sock in (client, server):
        found = info(sock)
        happened.append([found[name] for name in ("state", "ca_state", "retransmits", "backoff", "unacked", "sacked")])
        happened.append(found["options"] & 7)
        assert found["rto"] >= 200_000
        assert found["snd_mss"] <= found["advmss"] < found["pmtu"]
        assert found["snd_cwnd"] == 10
        assert found["rtt"] < 1_000_000
        assert found["snd_ssthresh"] == 0x7FFF_FFFF
    client.shutdown(stdlib.SHUT_WR)
    await w.settle()
    happened.append(info(server)["state"])
    server.close()
    await w.settle()
    client.close()
    return happened


def test_tcp_info_is_the_kernels() -> None:
    expected = run_in_the_kernel(states)
    got = run_in_the_stack(states)
    assert got == expected


async def test_tcp_info_of_a_stalled_connection(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob):
        ours, theirs = await stream_pair(alice, bob)
        await theirs.send_all(b"the last that comes")
        await ours.receive_some()
        cut.made = True
        await ours.send_all(bytes(5000))
        await trio.sleep(3)
        found = info(ours.socket)
        assert found["ca_state"] == 4
        assert found["retransmits"] >= 2
        assert found["unacked"] >= 4
        assert 0 < found["last_data_sent"] < 3000
        cut.made = False
        for stream in (ours, theirs):
            await trio.aclose_forcefully(stream)


async def mtu(w: World) -> Any:
    happened: list[Any] = []
    for kind in (stdlib.SOCK_STREAM, SOCK_DGRAM):
        with w.client(type=kind) as sock:
            happened.append(outcome(sock.getsockopt, IPPROTO_IP, options.IP_MTU))
            happened.append(outcome(sock.setsockopt, IPPROTO_IP, options.IP_MTU, 1000))
    return happened


def test_ip_mtu_without_a_peer_is_the_kernels() -> None:
    assert run_in_the_stack(mtu) == run_in_the_kernel(mtu)


async def test_ip_mtu(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    ours, theirs = await stream_pair(alice, bob)
    assert ours.socket.getsockopt(IPPROTO_IP, options.IP_MTU) == 1500
    with alice.socket(type=SOCK_DGRAM) as sock:
        await sock.connect((BOB, 9))
        assert sock.getsockopt(IPPROTO_IP, options.IP_MTU) == 1500
        await sock.connect(("127.0.0.1", 9))
        assert sock.getsockopt(IPPROTO_IP, options.IP_MTU) > 1500
    for stream in (ours, theirs):
        await stream.aclose()


async def late_ports(w: World) -> Any:
    """IP_BIND_ADDRESS_NO_PORT: `bind` takes the address, and `connect` or `listen` the port."""
    happened: list[Any] = []
    with await w.listening() as listener, w.client() as client, w.server() as server:
        own = "127.0.0.1" if w.address == "127.0.0.1" else ALICE
        for sock in (client, server):
            sock.setsockopt(IPPROTO_IP, options.IP_BIND_ADDRESS_NO_PORT, 1)
            happened.append(sock.getsockopt(IPPROTO_IP, options.IP_BIND_ADDRESS_NO_PORT))
        await client.bind((own, 0))
        happened += [client.getsockname() == (own, 0), await aoutcome(client.bind, (own, 0))]
        await client.connect(listener.getsockname())
        happened += [client.getsockname()[0] == own, client.getsockname()[1] > 0]
        accepted, _ = await listener.accept()
        accepted.close()
        happened.append(await aoutcome(server.bind, ("192.0.2.1", 0)))
        await server.bind((w.address, 0))
        server.listen()
        happened.append(server.getsockname()[1] > 0)
    return happened


def test_ports_that_are_chosen_late_are_the_kernels() -> None:
    assert run_in_the_stack(late_ports) == run_in_the_kernel(late_ports)


async def devices(w: World) -> Any:
    """SO_BINDTODEVICE for no device."""
    happened: list[Any] = []
    for kind in (stdlib.SOCK_STREAM, SOCK_DGRAM):
        with w.client(type=kind) as sock:
            happened += [outcome(sock.setsockopt, SOL_SOCKET, options.SO_BINDTODEVICE, value) for value in (b"", b"\0")]
            happened.append(outcome(sock.setsockopt, SOL_SOCKET, options.SO_BINDTODEVICE, None, 0))
            happened.append(outcome(sock.setsockopt, SOL_SOCKET, options.SO_BINDTODEVICE, b"no such one"))
            happened += [outcome(sock.getsockopt, SOL_SOCKET, options.SO_BINDTODEVICE, size) for size in (16, 100)]
    return happened


def test_no_device_is_the_kernels() -> None:
    assert run_in_the_stack(devices) == run_in_the_kernel(devices)


async def test_values_that_are_kept(alice: Host, autojump_clock: MockClock) -> None:
    with alice.socket() as one, alice.socket(type=SOCK_DGRAM) as other:
        for sock in (one, other):
            sock.setsockopt(SOL_SOCKET, options.SO_PRIORITY, 5)
            sock.setsockopt(SOL_SOCKET, options.SO_MARK, struct.pack("I", 77))
        one.setsockopt(SOL_SOCKET, options.SO_MARK, 78)
        assert [sock.getsockopt(SOL_SOCKET, options.SO_PRIORITY) for sock in (one, other)] == [5, 5]
        assert [sock.getsockopt(SOL_SOCKET, options.SO_MARK) for sock in (one, other)] == [78, 77]


async def fails(call: Awaitable[Any]) -> int | None:
    with pytest.raises(OSError) as caught:
        await call
    return caught.value.errno


async def test_routes(autojump_clock: MockClock) -> None:
    """BOB is the router to a network; ALICE reaches it by a route that she is given, and no longer without."""
    ethernet = Ethernet()
    link = ethernet.attach("alice")
    far = "192.0.2.7"
    async with (
        host_on(link, f"{ALICE}/24") as alice,
        host_on(ethernet.attach("bob"), f"{BOB}/24", seed=2) as bob,
    ):
        await bob.add_address(bob_link(bob), f"{far}/32", acd="off")
        assert await fails(alice.ping(far)) == errno.ENETUNREACH
        alice.add_route("192.0.2.0/24", gateway=BOB)
        assert await alice.ping(far) >= 0
        (route,) = [record for record in alice.routes() if record.destination == "192.0.2.0/24"]
        assert (route.gateway, route.metric, route.interface) == (BOB, 0, "alice")
        with pytest.raises(FileExistsError):
            alice.add_route("192.0.2.0/24", gateway=BOB)
        alice.add_route("192.0.2.0/24", gateway=BOB, metric=5)
        alice.remove_route("192.0.2.0/24")
        assert await fails(alice.ping(far)) == errno.ENETUNREACH
        with pytest.raises(ProcessLookupError):
            alice.remove_route("192.0.2.0/24")
        alice.add_route("192.0.2.7/32")  # on the only link, directly
        assert [record.gateway for record in alice.routes() if record.destination == "192.0.2.7/32"] == [None]
        assert await alice.ping(far) >= 0
        alice.remove_route("192.0.2.7/32", link=link)
        alice.add_route("0.0.0.0/0", gateway=BOB, link=link)
        assert await alice.ping(far) >= 0


def bob_link(host: Host) -> Any:
    return host._runner.attachments[0].link


async def test_routes_that_are_refused(alice: Host, autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match=r"gateway 192\.0\.2\.1 is on no network of this host"):
        alice.add_route("198.51.100.0/24", gateway="192.0.2.1")
    with pytest.raises(ValueError, match="is not attached to this host"):
        alice.add_route("198.51.100.0/24", link=Ethernet().attach())
    second = Ethernet().attach("second")
    alice.attach(second, addresses=["10.8.0.1/24"], acd="off")
    with pytest.raises(ValueError, match="a route without a gateway needs a link"):
        alice.add_route("198.51.100.0/24")
    with pytest.raises(ValueError, match=r"gateway 10\.9\.0\.2 is on no network of second"):
        alice.add_route("198.51.100.0/24", gateway=BOB, link=second)
    with pytest.raises(ValueError):
        alice.add_route("198.51.100.0/33", gateway=BOB)
