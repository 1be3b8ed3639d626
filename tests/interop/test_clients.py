"""Libraries for trio as clients and servers over our hosts: websockets, DNS, and httpx with HTTP/2."""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import partial
from pathlib import Path

import dns.asyncquery
import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import httpx
import trio
from trio.testing import MockClock
from trio_websocket import (
    ConnectionClosed,
    WebSocketRequest,
    connect_websocket_url,
    open_websocket_url,
    serve_websocket,
)

from stack import Host
from tests.interop.servers import NAME, Certificates, begin, config, starlette_app
from tests.sockets.hosts import BOB


async def test_websockets_both_ways(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async def shout(request: WebSocketRequest) -> None:
        connection = await request.accept()
        with suppress(ConnectionClosed):
            while True:
                await connection.send_message((await connection.get_message()).upper())

    with bob.install():
        await nursery.start(serve_websocket, shout, None, 80, None)
    with alice.install():
        async with open_websocket_url(f"ws://{BOB}/") as connection:
            for text in ("one", "two", "x" * 100_000):
                await connection.send_message(text)
                assert await connection.get_message() == text.upper()
            await connection.ping()
        opened = await connect_websocket_url(nursery, f"ws://{BOB}/")
        await opened.aclose()
    nursery.cancel_scope.cancel()


def answer_to(query: dns.message.Message) -> bytes:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.7"))
    return answer.to_wire()


async def test_dns(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path) -> None:
    """Over UDP, TCP and TLS."""

    async def datagrams() -> None:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
            await sock.bind((BOB, 53))
            while True:
                data, sender = await sock.recvfrom(4096)
                await sock.sendto(answer_to(dns.message.from_wire(data)), sender)

    async def stream(connection: trio.abc.Stream) -> None:
        length = int.from_bytes(await connection.receive_some(2))
        answer = answer_to(dns.message.from_wire(bytes(await connection.receive_some(length))))
        await connection.send_all(len(answer).to_bytes(2) + answer)

    certificates = Certificates(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificates.chain, certificates.key)
    with bob.install():
        nursery.start_soon(datagrams)
        await nursery.start(trio.serve_tcp, stream, 53)
        await nursery.start(trio.serve_ssl_over_tcp, stream, 853, server)
    query = dns.message.make_query("www.example", "A")
    over_tls = partial(dns.asyncquery.tls, ssl_context=certificates.client(), server_hostname=NAME)
    with alice.install():
        for ask in (dns.asyncquery.udp, dns.asyncquery.tcp, over_tls):
            response = await ask(query, BOB, timeout=5)
            assert response.answer[0][0].to_text() == "192.0.2.7"
    nursery.cancel_scope.cancel()


async def test_a_connection_that_is_kept_is_found_ended(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """httpx asks `is_readable` of an idle connection before it uses it again."""
    settings = config(f"{BOB}:80")
    settings.keep_alive_timeout = 5
    await begin(nursery, bob, starlette_app(), settings)
    with alice.install():
        async with httpx.AsyncClient(base_url=f"http://{BOB}", limits=httpx.Limits(keepalive_expiry=100)) as client:
            ports = []
            for pause_s in (1, 10, 0):
                assert (await client.get("/")).status_code == 200
                ports += [record.local for record in alice.connections() if record.state == "ESTABLISHED"]
                await trio.sleep(pause_s)
    assert ports[0] == ports[1] != ports[2]
    nursery.cancel_scope.cancel()
