"""hypercorn on our host, as it is: it binds sockets of the standard library's class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock
from trio_websocket import open_websocket_url

from stack import Host
from tests.interop.servers import Certificates, begin, config, quart_app, starlette_app
from tests.sockets.hosts import ALICE, BOB


@pytest.mark.parametrize("bind", [f"{BOB}:8000", "0.0.0.0:8000"])
async def test_an_app_of_starlette(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock, bind: str
) -> None:
    assert await begin(nursery, bob, starlette_app(), config(bind)) == [f"http://{bind}"]
    assert [record.local for record in bob.listeners()] == [bind]
    with alice.install():
        async with httpx.AsyncClient(base_url=f"http://{BOB}:8000") as client:
            assert (await client.get("/")).text == f"hello {ALICE} over HTTP/1.1"
            data = bytes(range(256)) * 1000
            assert (await client.post("/echo", content=data)).content == data
            assert len(bob.connections()) == 2
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("version", ["1.1", "2"])
async def test_tls(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path, version: str
) -> None:
    certificates = Certificates(tmp_path)
    await begin(nursery, bob, starlette_app(), config(f"{BOB}:443", certificates))
    with alice.install():
        async with httpx.AsyncClient(
            base_url=f"https://{BOB}", verify=certificates.client(), http1=version == "1.1", http2=version == "2"
        ) as client:
            assert (await client.get("/")).text == f"hello {ALICE} over HTTP/{version}"
            assert len((await client.get("/much/3000000")).content) == 3_000_000
    nursery.cancel_scope.cancel()


async def test_many_requests_at_the_same_time(
    alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock, tmp_path: Path
) -> None:
    certificates = Certificates(tmp_path)
    await begin(nursery, bob, starlette_app(), config(f"{BOB}:443", certificates))
    texts: list[str] = []
    with alice.install():
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(
            base_url=f"https://{BOB}", verify=certificates.client(), limits=limits, timeout=None
        ) as client:

            async def fetch() -> None:
                texts.append((await client.get("/")).text)

            async with trio.open_nursery() as fetching:
                for _ in range(100):
                    fetching.start_soon(fetch)
    assert texts == [f"hello {ALICE} over HTTP/1.1"] * 100
    nursery.cancel_scope.cancel()


async def test_an_app_of_quart_trio(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    app: Any = quart_app()
    await begin(nursery, bob, app, config(f"{BOB}:8000"))
    with alice.install():
        async with httpx.AsyncClient(base_url=f"http://{BOB}:8000") as client:
            assert (await client.get("/")).text == f"hello {ALICE} from quart"
        async with open_websocket_url(f"ws://{BOB}:8000/ws") as connection:
            await connection.send_message("louder")
            assert await connection.get_message() == "LOUDER"
    nursery.cancel_scope.cancel()


async def test_a_port_that_is_taken(alice: Host, bob: Host, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    (listener,) = await bob.open_tcp_listeners(8000)
    with pytest.raises(BaseExceptionGroup) as caught:
        await begin(nursery, bob, starlette_app(), config(f"{BOB}:8000"))
    assert caught.group_contains(OSError, match="Address already in use")
    await listener.aclose()
