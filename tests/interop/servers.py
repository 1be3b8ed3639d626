"""Programs that know nothing of this stack: the apps of hypercorn, and certificates for them."""

from __future__ import annotations

import logging
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio
import trustme
from hypercorn.config import Config
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from stack import Host

NAME = "bob.test"  # the certificate's


async def hello(request: Request) -> Response:
    assert request.client is not None
    return PlainTextResponse(f"hello {request.client.host} over HTTP/{request.scope['http_version']}")


async def echo(request: Request) -> Response:
    return Response(await request.body())


async def much(request: Request) -> Response:
    """So many octets as the path says."""

    async def parts() -> Any:
        left = int(request.path_params["size"])
        while left > 0:
            yield bytes(min(left, 1 << 16))
            left -= 1 << 16

    return StreamingResponse(parts())


def starlette_app() -> Starlette:
    """An app of starlette."""
    return Starlette(
        routes=[Route("/", hello), Route("/echo", echo, methods=["POST"]), Route("/much/{size:int}", much)]
    )


def quart_app() -> Any:
    """An app of quart-trio, with a page and a websocket."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from quart import request, websocket
        from quart_trio import QuartTrio

        app = QuartTrio(__name__)

    @app.route("/")
    async def page() -> str:
        return f"hello {request.remote_addr} from quart"

    @app.websocket("/ws")
    async def ws() -> None:
        while True:
            await websocket.send((await websocket.receive()).upper())

    return app


class Certificates:
    """A server's certificate from an authority of its own, in files below `folder`."""

    def __init__(self, folder: Path, *addresses: str) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert(NAME, "10.9.0.2", *addresses)
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.key.write_bytes(issued.private_key_pem.bytes())

    def client(self) -> ssl.SSLContext:
        """The settings of a client that trusts the authority."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


def config(bind: str, certificates: Certificates | None = None) -> Config:
    """hypercorn's configuration."""
    settings = Config()
    settings.bind = [bind]
    settings.workers = 0
    settings.errorlog = logging.getLogger("tests.interop")
    settings.graceful_timeout = 0.1
    if certificates is not None:
        settings.certfile, settings.keyfile = str(certificates.chain), str(certificates.key)
    return settings


@contextmanager
def quiet() -> Iterator[None]:
    """hypercorn warns that `workers` has no effect in `serve`, also of the right number."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The config `workers` has no affect")
        yield


async def begin(nursery: trio.Nursery, host: Host, app: Any, settings: Config) -> list[str]:
    """Let hypercorn serve `app` on `host`. Returns its URLs."""
    with host.install(), quiet():
        urls: list[str] = await nursery.start(serve, app, settings)
        return urls
