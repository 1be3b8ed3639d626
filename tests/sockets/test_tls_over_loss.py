"""trio's checks of streams, TLS and DTLS between two hosts, over a wire that loses frames."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio
import trustme
from OpenSSL import SSL
from trio.testing import MockClock, check_half_closeable_stream, check_two_way_stream

from stack import Ethernet, Host, Impaired
from tests.sockets.hosts import ALICE, BOB, host_on, stream_pair

AUTHORITY = trustme.CA()
ISSUED = AUTHORITY.issue_cert("bob.test")


@asynccontextmanager
async def lossy_hosts() -> AsyncIterator[tuple[Host, Host, Impaired]]:
    """ALICE and BOB. A tenth of the frames is lost, and each takes 10 ms."""
    ethernet = Ethernet(seed=17)
    wire = Impaired(ethernet.attach("alice"), loss=0.1, delay_s=0.01)
    async with (
        host_on(wire, f"{ALICE}/24") as alice,
        host_on(ethernet.attach("bob"), f"{BOB}/24", seed=2) as bob,
    ):
        yield alice, bob, wire


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The settings of a client and of a server."""
    client, server = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.configure_trust(client)
    ISSUED.configure_cert(server)
    return client, server


async def test_streams(autojump_clock: MockClock) -> None:
    async with lossy_hosts() as (alice, bob, wire):
        await check_two_way_stream(partial(stream_pair, alice, bob), None)
        await check_half_closeable_stream(partial(stream_pair, alice, bob), None)
        assert wire.incoming.lost > 10


async def test_tls(autojump_clock: MockClock) -> None:
    client, server = contexts()

    async def pair() -> tuple[trio.SSLStream[trio.SocketStream], trio.SSLStream[trio.SocketStream]]:
        ours, theirs = await stream_pair(alice, bob)
        return (
            trio.SSLStream(ours, client, server_hostname="bob.test"),
            trio.SSLStream(theirs, server, server_side=True),
        )

    async with lossy_hosts() as (alice, bob, wire):
        await check_two_way_stream(pair, None)
        assert wire.incoming.lost > 10


async def test_dtls(autojump_clock: MockClock) -> None:
    server_context, client_context = SSL.Context(SSL.DTLS_METHOD), SSL.Context(SSL.DTLS_METHOD)
    ISSUED.configure_cert(server_context)
    async with lossy_hosts() as (alice, bob, wire), trio.open_nursery() as nursery:
        with bob.install():
            listening = trio.DTLSEndpoint(trio.socket.socket(type=trio.socket.SOCK_DGRAM))
            await listening.socket.bind((BOB, 443))
        with alice.install():
            asking = trio.DTLSEndpoint(trio.socket.socket(type=trio.socket.SOCK_DGRAM))
        answered: set[bytes] = set()

        async def echo(channel: trio.DTLSChannel) -> None:
            async for packet in channel:
                await channel.send(packet)

        await nursery.start(listening.serve, server_context, echo)
        channel = asking.connect((BOB, 443), client_context)
        await channel.do_handshake()
        with trio.fail_after(600):
            while len(answered) < 50:
                await channel.send(b"%d" % len(answered))
                with trio.move_on_after(1):
                    answered.add(await channel.receive())
        assert wire.incoming.lost > 3
        nursery.cancel_scope.cancel()
        asking.close()
        listening.close()
