"""DTLS as a program uses it: `trio.DTLSEndpoint` over UDP sockets of a host, with real handshakes by OpenSSL.

The endpoint reads in a system task. An error that it does not expect there ends the whole run, so a socket of ours may
raise no other than a kernel's socket does.
"""

from __future__ import annotations

import errno
import gc
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache

import pytest
import trio
import trustme
from OpenSSL import SSL
from trio.socket import SOCK_DGRAM
from trio.testing import MockClock

from stack import Host, Segment
from stack.wire import dhcp
from tests.dhcp.server import Server
from tests.requirements import rfc
from tests.sockets.hosts import ALICE, BOB, Cut, host_on, two_hosts
from tests.sockets.lan import FIRST, SERVER, client, serving

PORT = 4433
NAME = "bob.example"


@cache
def authority() -> trustme.CA:
    """Makes the server's certificate; once, since keys cost time."""
    return trustme.CA()


@cache
def certificate() -> trustme.LeafCert:
    return authority().issue_cert(NAME)


def server_context() -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    certificate().configure_cert(context)
    return context


def client_context() -> SSL.Context:
    """Refuses a server whose certificate the authority has not made."""
    context = SSL.Context(SSL.DTLS_METHOD)
    authority().configure_trust(context)
    context.set_verify(SSL.VERIFY_PEER, lambda connection, certificate, error, depth, ok: bool(ok))
    return context


async def endpoint_on(host: Host, address: str = "0.0.0.0", port: int = PORT) -> trio.DTLSEndpoint:
    sock = host.socket(type=SOCK_DGRAM)
    await sock.bind((address, port))
    return trio.DTLSEndpoint(sock)


async def echo(channel: trio.DTLSChannel) -> None:
    """The server's handler. It ends when the endpoint is closed."""
    with suppress(trio.ClosedResourceError):
        async for data in channel:
            await channel.send(data)


@asynccontextmanager
async def echo_server(host: Host, address: str = "0.0.0.0") -> AsyncIterator[trio.DTLSEndpoint]:
    """Serves until the end of the block, and leaves the endpoint open."""
    endpoint = await endpoint_on(host, address)
    async with trio.open_nursery() as nursery:
        await nursery.start(endpoint.serve, server_context(), echo)
        yield endpoint
        nursery.cancel_scope.cancel()


async def exchange(channel: trio.DTLSChannel, text: bytes = b"hello") -> None:
    """One text to the echo server and back."""
    with trio.fail_after(100):
        await channel.send(text)
        assert await channel.receive() == text


async def fails(channel: trio.DTLSChannel, number: int) -> None:
    """Sending raises OSError(number)."""
    with pytest.raises(OSError) as sent:
        await channel.send(b"to nowhere")
    assert sent.value.errno == number


# --- what it is for


async def test_a_handshake_an_echo_and_a_close(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    async with echo_server(bob, BOB) as server:
        with await endpoint_on(alice, port=0) as endpoint:
            channel = endpoint.connect((BOB, PORT), client_context())
            await channel.do_handshake()
            for size in (1, 100, channel.get_cleartext_mtu()):
                await exchange(channel, bytes(size))
            channel.close()
            with pytest.raises(trio.ClosedResourceError):
                await channel.receive()
        server.close()
        with pytest.raises(trio.ClosedResourceError):
            await server.serve(server_context(), echo)
        for host, address in ((alice, ALICE), (bob, BOB)):  # both have given their ports back
            (await endpoint_on(host, address)).close()


async def test_a_handshake_over_a_wire_that_is_cut_ends_when_it_is_whole_again(autojump_clock: MockClock) -> None:
    cut = Cut()
    async with two_hosts(cut=cut) as (alice, bob), echo_server(bob) as server, trio.open_nursery() as nursery:
        with server, await endpoint_on(alice, port=0) as endpoint:
            await alice.ping(BOB)  # so that no datagram waits for ARP
            channel = endpoint.connect((BOB, PORT), client_context())
            cut.made = True
            start = trio.current_time()
            nursery.start_soon(channel.do_handshake)
            await trio.sleep(2)  # it has sent at 0 and 1 s; the next time is 3 s
            cut.made = False
            await exchange(channel)
            assert 3 <= trio.current_time() - start < 3.1


# --- what a program forgets does not end the run


@rfc("sockets-10")
@pytest.mark.parametrize("then", ["stays open", "is closed", "is forgotten"])
async def test_endpoints_that_outlive_their_hosts(then: str, autojump_clock: MockClock) -> None:
    """A server's and a client's, with a connection between them on which both wait."""
    reached = []

    async with trio.open_nursery() as nursery:
        channels: list[trio.DTLSChannel] = []
        endpoints: list[trio.DTLSEndpoint] = []
        async with two_hosts() as (alice, bob):
            endpoints += [await endpoint_on(alice), await endpoint_on(bob)]
            await nursery.start(endpoints[1].serve, server_context(), echo)
            channels.append(endpoints[0].connect((BOB, PORT), client_context()))
            await exchange(channels[0])
            nursery.start_soon(channels[0].receive)
            await trio.sleep(1)
        await trio.sleep(100)
        await fails(channels[0], errno.EBADF)
        nursery.cancel_scope.cancel()
    if then == "is closed":
        for endpoint in endpoints:
            endpoint.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # trio's own: they were not closed
        if then == "is forgotten":
            channels.clear()
            endpoints.clear()
            gc.collect()
        await trio.sleep(100)
        reached.append(then)
    for endpoint in endpoints:
        endpoint.close()
    assert reached == [then]


async def goes_on_waiting(channel: trio.DTLSChannel) -> None:
    """The address is not there: sending fails, and receiving goes on waiting."""
    await fails(channel, errno.ENETUNREACH)
    with trio.move_on_after(100):
        pytest.fail(f"{await channel.receive()!r} came from nowhere")


@rfc("sockets-12")
@pytest.mark.parametrize("how", ["the address is removed", "the link is detached"])
async def test_endpoints_whose_addresses_are_lost_go_on_when_they_are_back(how: str, autojump_clock: MockClock) -> None:
    segment = Segment()
    link = segment.attach("alice")
    async with (
        host_on(link, f"{ALICE}/24") as alice,
        host_on(segment.attach("bob"), f"{BOB}/24", seed=2) as bob,
        echo_server(bob, BOB) as far,
        echo_server(alice, ALICE) as near,
    ):
        with far, near, await endpoint_on(alice, ALICE, 0) as ours, await endpoint_on(bob, port=0) as theirs:
            there = ours.connect((BOB, PORT), client_context())
            here = theirs.connect((ALICE, PORT), client_context())
            await exchange(there)
            await exchange(here)
            if how == "the address is removed":
                alice.remove_address(link, ALICE)
            else:
                alice.detach(link)
            await goes_on_waiting(there)
            await here.send(b"to an address that no host has")
            await trio.sleep(100)
            if how == "the address is removed":
                await alice.add_address(link, f"{ALICE}/24", acd="off")
            else:
                alice.attach(segment.attach("alice, again"), addresses=[f"{ALICE}/24"], acd="off")
            await exchange(there)
            await exchange(here)


@rfc("sockets-12")
async def test_an_endpoint_whose_lease_ends_goes_on_with_the_next_lease(autojump_clock: MockClock) -> None:
    segment = Segment()
    server = Server(lease_s=100)
    async with serving(segment, server) as there, echo_server(there.host) as far, client(segment.attach()) as host:
        with far, await endpoint_on(host, FIRST) as endpoint:
            channel = endpoint.connect((SERVER, PORT), client_context())
            await exchange(channel)
            server.silent = (dhcp.DISCOVER, dhcp.REQUEST)
            while host.lease is not None:
                await host.wait_lease_change(host.lease)
            await goes_on_waiting(channel)
            server.silent = ()
            while host.lease is None:
                await host.wait_lease_change(host.lease)
            assert host.lease.address == FIRST
            await exchange(channel)
