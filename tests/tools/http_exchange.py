"""A client of the HTTP handler over a pair of memory streams, and a stub of a host for its page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import trio
import trio.testing

from stack import Host
from tools import httpd
from tools.services import Handler


async def exchange(handler: Handler, *sent: bytes, finish: bool = True) -> bytes:
    """All that a handler sends back; it must end. Each part is sent behind an answer to the last."""
    ours, theirs = trio.testing.memory_stream_pair()
    got = []

    async def serve() -> None:
        await handler(ours)
        await ours.aclose()

    with trio.fail_after(3600):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            for number, part in enumerate(sent):
                if number:
                    got.append(bytes(await theirs.receive_some()))
                await theirs.send_all(part)
            if finish:
                await theirs.send_eof()
            while part := bytes(await theirs.receive_some()):
                got.append(part)
            await theirs.aclose()
    return b"".join(got)


async def get(root: Path, target: str, method: str = "GET", headers: str = "") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for one request of a folder."""
    request = f"{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n".encode()
    answer = await exchange(httpd.handler(host(), root), request)
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value for name, value in fields.items()}, body


async def body_of(root: Path, target: str) -> bytes:
    """The body alone."""
    _, _, body = await get(root, target)
    return body


@dataclass(frozen=True)
class Record:
    """Something the page shows."""

    name: str
    peers: tuple[str, ...]
    age_s: float


def host() -> Host:
    """A host with one record of each kind."""
    records = [Record("<tap0>", ("10.9.0.2/24", "a&b"), 1.5)]

    def nothing() -> list[object]:
        return []

    def some() -> list[Record]:
        return records

    def counters() -> dict[str, int]:
        return {"ifInOctets": 17, "never": 0}

    fake = SimpleNamespace(
        interfaces=some, neighbors=some, routes=nothing, connections=some, leases=some, counters=counters
    )
    return cast(Host, fake)
