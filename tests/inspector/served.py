"""A page that is served in memory, or on the loopback, for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11
import trio

import stack
from stack import Ethernet, Host, Recorder, open_host
from tools.inspector.inspector import Inspector
from tools.inspector.server import Places, serve_one
from tools.up import outliving

TOKEN = "0123456789abcdefABCDEF"
HOST = "127.0.0.1:8000"
EPOCH_S = 1_800_000_000.25


class Served:
    """A host that is watched, and its page.

    `connect` gives a client's end of a connection in memory; `tell(n)` tells n events.
    """

    def __init__(self, host: Host, inspector: Inspector, nursery: trio.Nursery) -> None:
        self.host = host
        self.inspector = inspector
        self.recorder = inspector.recorder
        self.nursery = nursery
        self.places = Places()

    def connect(self, stops: bool = False) -> trio.StapledStream[trio.abc.SendStream, trio.abc.ReceiveStream]:
        """Return the client's end of a new connection; one that `stops` takes what the client reads."""
        make = trio.testing.lockstep_stream_pair if stops else trio.testing.memory_stream_pair
        ours, theirs = make()
        self.nursery.start_soon(self._serve, theirs)
        return ours  # type: ignore[return-value]

    async def _serve(self, stream: trio.abc.HalfCloseableStream) -> None:
        async with stream:
            await serve_one(self.inspector, TOKEN, self.places, stream)

    def tell(self, count: int) -> None:
        """Tell so many events."""
        for number in range(count):
            self.host.tell("mark", text=f"mark {number}")

    async def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return the status, headers and body of a GET of a path below the token."""
        return await self.ask("GET", f"/{TOKEN}/{path}", headers)

    async def post(self, told: object, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return what a POST to `do` of this object gives."""
        return await self.ask("POST", f"/{TOKEN}/do", headers, json.dumps(told).encode())

    async def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """Return the status, headers and body of a request."""
        named = {"Host": HOST, "Connection": "close", **(headers or {})}
        if method == "POST":
            named = {name.replace("_", "-"): value for name, value in named.items()}
            named = {"Content-Type": "application/json", "Content-Length": str(len(body)), **named}
        lines = [
            f"{method} {target} HTTP/1.1",
            *(f"{name.replace('_', '-')}: {named[name]}" for name in named if named[name]),
        ]
        return await self.raw("\r\n".join([*lines, "", ""]).encode() + body, method)

    async def raw(self, octets: bytes, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Send these octets on a new connection, and return the status, headers and body of the answer."""
        client = self.connect()
        http = h11.Connection(h11.CLIENT)
        http.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        async with client:
            try:
                await client.send_all(octets)
            except trio.BrokenResourceError:
                pass
            status, headers, body = 0, {}, b""
            while True:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    http.receive_data(bytes(await client.receive_some()))
                elif isinstance(event, h11.Response):
                    status = event.status_code
                    headers = {name.decode(): value.decode() for name, value in event.headers}
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                    return status, headers, body

    @asynccontextmanager
    async def viewer(self, after: int = 0, *, stops: bool = False, **headers: str) -> AsyncIterator[Events]:
        """Read events, for the time of the block."""
        client = self.connect(stops)
        async with client:
            extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
            await client.send_all(f"GET /{TOKEN}/events?after={after} HTTP/1.1\r\nHost: {HOST}\r\n{extra}\r\n".encode())
            yield Events(client)


class Events:
    """The server-sent events that a client reads."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        self._text = b""
        self.status = 0

    async def next(self) -> tuple[str, object]:
        """Return the name and the data of the next event; ("", None) at the end."""
        while True:
            block, found, rest = self._text.partition(b"\n\n")
            if found:
                self._text = rest
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
                if "event" in fields:
                    return fields["event"], json.loads(fields["data"])
                continue
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(bytes(await self._stream.receive_some()))
            elif isinstance(event, h11.Response):
                self.status = event.status_code
            elif isinstance(event, h11.Data):
                self._text += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return "", None

    async def numbers(self, until: int) -> list[int]:
        """Return the numbers of the events up to `until`; those of a gap are negative."""
        numbers: list[int] = []
        while not numbers or abs(numbers[-1]) < until:
            name, data = await self.next()
            if name == "batch":
                assert isinstance(data, list)
                numbers += [record["n"] for record in data]
            elif name == "gap":
                assert isinstance(data, dict)
                numbers += [-number for number in range(data["lost"][0], data["lost"][1] + 1)]
            assert name, "the stream has ended"
        return numbers


@asynccontextmanager
async def served(most_events: int = 50_000, *, bad_wire: bool = False) -> AsyncIterator[Served]:
    """Serve the page of a host that has an address and no traffic, if asked for on a wire that may be a bad one."""
    recorder = Recorder(most_events)
    port = Ethernet(seed=1).attach()
    wire = stack.Impaired(port) if bad_wire else None
    link = wire or port
    opened = open_host(link, address="10.0.0.1/24", acd="off", trace=recorder, config=stack.Config())
    async with outliving() as (nursery, ended), opened as host:
        inspector = Inspector(host, recorder, epoch_s=EPOCH_S, wire=wire)
        inspector.ended = ended
        nursery.start_soon(inspector.feed.run, host)
        nursery.start_soon(inspector.state.run)
        yield Served(host, inspector, nursery)
        nursery.cancel_scope.cancel()
