"""HTTP/1.1 on our own TCP: serves a folder, or a page that shows the host from inside.

The protocol is h11's; this file decides what a request gets. See RFC 9110 and RFC 9112.
"""

from __future__ import annotations

import email.utils
import io
import mimetypes
import os
import stat
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import h11
import trio
from trio.abc import HalfCloseableStream as Stream

from .page import host_page

if TYPE_CHECKING:
    from stack import Host

HEADER_BYTES = 16384  # request line and headers together
CHUNK_BYTES = 262144  # of a file, read and sent at a time
IDLE_S = 30.0  # for a request's headers, and for each part of its body
SEND_S = 300.0  # for each chunk sent: a client that reads more slowly is gone
GOODBYE_S = 2.0  # for the client to hang up, too

Headers = list[tuple[str, str]]


class Refused(Exception):
    """A request that gets no content; `status` and a sentence say why."""

    def __init__(self, status: HTTPStatus, why: str = "", headers: Headers | None = None) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why
        self.headers = headers or []


@dataclass(frozen=True)
class Content:
    """What a request gets: `length` bytes of an open file (which may be one in memory)."""

    kind: str
    length: int
    file: BinaryIO
    modified: float | None = None


Find = Callable[[str], Content]


def handler(host: Host, root: Path | None) -> Callable[[Stream], Awaitable[None]]:
    """A handler for `host.serve_tcp` that serves `root`, or the page about `host` when there is none."""

    def find(path: str) -> Content:
        if root is not None:
            return find_file(root, path)
        if path == "/":
            return whole("text/html; charset=utf-8", host_page(host).encode())
        raise Refused(HTTPStatus.NOT_FOUND, "there is only the page /")

    async def serve(stream: Stream) -> None:
        await serve_connection(stream, find)

    return serve


# --- one connection ---------------------------------------------------------------------------------------------------


async def serve_connection(stream: Stream, find: Find) -> None:
    """Answer requests one after another until one side has had enough."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
    try:
        while True:
            with trio.fail_after(IDLE_S):
                request = await next_event(connection, stream)
            if not isinstance(request, h11.Request):
                return
            await skip_body(connection, stream)
            await respond(connection, stream, request, find)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                break
            connection.start_next_cycle()
    except trio.TooSlowError:
        return
    except h11.RemoteProtocolError as error:
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            refusal = Refused(HTTPStatus(error.error_status_hint), str(error))
            await send_refusal(connection, stream, refusal, head=False)
    await hang_up(stream)


async def skip_body(connection: h11.Connection, stream: Stream) -> None:
    """Read a request's body and throw it away, so that the next request can be found behind it."""
    while True:
        with trio.fail_after(IDLE_S):
            if not isinstance(await next_event(connection, stream), h11.Data):
                return


async def hang_up(stream: Stream) -> None:
    """End the connection so that the client gets to read all of the answer.

    To close with data unread would send RST, which may overtake the answer: RFC 9112 section 9.6.
    """
    await stream.send_eof()
    with trio.move_on_after(GOODBYE_S):
        while await stream.receive_some(CHUNK_BYTES):
            pass


async def send(stream: Stream, data: bytes | None) -> None:
    """Send all of it, or give up on a client that does not read."""
    with trio.fail_after(SEND_S):
        await stream.send_all(data or b"")


async def next_event(connection: h11.Connection, stream: Stream) -> object:
    """The next thing the client said."""
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        if connection.they_are_waiting_for_100_continue:
            await send(stream, connection.send(h11.InformationalResponse(status_code=100, headers=[])))
        connection.receive_data(bytes(await stream.receive_some(HEADER_BYTES)))


async def respond(connection: h11.Connection, stream: Stream, request: h11.Request, find: Find) -> None:
    """Send what the request asks for, or why not."""
    head = request.method == b"HEAD"
    try:
        if request.method not in (b"GET", b"HEAD"):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", [("Allow", "GET, HEAD")])
        content = find(path_of(request.target))
    except Refused as refusal:
        await send_refusal(connection, stream, refusal, head)
        return
    except OSError as error:
        status = HTTPStatus.FORBIDDEN if isinstance(error, PermissionError) else HTTPStatus.INTERNAL_SERVER_ERROR
        await send_refusal(connection, stream, Refused(status, "it cannot be read"), head)
        return
    with content.file as file:
        headers = [("Content-Type", content.kind), ("Content-Length", str(content.length))]
        if content.modified is not None:
            headers.append(("Last-Modified", email.utils.formatdate(content.modified, usegmt=True)))
        await send_head(connection, stream, HTTPStatus.OK, headers)
        left = 0 if head else content.length
        while left:
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise trio.BrokenResourceError("the file became shorter while it was sent")
            left -= len(chunk)
            for part in connection.send_with_data_passthrough(h11.Data(data=chunk)) or ():
                await send(stream, part)
    await send(stream, connection.send(h11.EndOfMessage()))


async def send_head(connection: h11.Connection, stream: Stream, status: HTTPStatus, extra: Headers) -> None:
    """Send status line and headers."""
    headers = [
        ("Date", email.utils.formatdate(time.time(), usegmt=True)),
        ("Server", "tapstack"),
        ("X-Content-Type-Options", "nosniff"),
        *extra,
    ]
    response = h11.Response(status_code=int(status), headers=headers, reason=status.phrase)
    await send(stream, connection.send(response))


async def send_refusal(connection: h11.Connection, stream: Stream, refusal: Refused, head: bool) -> None:
    """Send a short page that says why there is nothing else."""
    status = refusal.status
    title = f"{int(status)} {status.phrase}"
    body = f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{escape(refusal.why)}</p>\n".encode()
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body))), *refusal.headers]
    await send_head(connection, stream, status, headers)
    if not head:
        await send(stream, connection.send(h11.Data(data=body)))
    await send(stream, connection.send(h11.EndOfMessage()))


# --- what there is to send --------------------------------------------------------------------------------------------


def path_of(target: bytes) -> str:
    """The decoded path of a request target; Refused when it is none."""
    text = target.decode("ascii", "replace")
    if "://" in text.split("?")[0]:  # the absolute form, as proxies send it: RFC 9112 section 3.2.2
        text = "/" + text.partition("://")[2].partition("/")[2]
    path = urllib.parse.unquote(text.partition("?")[0], errors="surrogateescape")
    if not path.startswith("/") or "\0" in path:
        raise Refused(HTTPStatus.BAD_REQUEST, "the target is no path")
    return path


def whole(kind: str, body: bytes) -> Content:
    """Content that is at hand."""
    return Content(kind, len(body), io.BytesIO(body))


def find_file(root: Path, path: str) -> Content:
    """The file or folder that `path` names below `root`; nothing outside it, by whatever links."""
    place = resolve_below(root, path)
    if place.is_dir():
        if not path.endswith("/"):
            here = "/" + path.strip("/") + "/"  # never "//...", which would be another host
            location = urllib.parse.quote(here, errors="surrogateescape")
            raise Refused(HTTPStatus.MOVED_PERMANENTLY, "a folder ends in /", [("Location", location)])
        index = place / "index.html"
        if not index.is_file() or not index.resolve().is_relative_to(root):
            return whole("text/html; charset=utf-8", listing(place, path).encode(errors="surrogateescape"))
        place = index.resolve()
    file = io.FileIO(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW))
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise Refused(HTTPStatus.FORBIDDEN, "it is no file")
    kind = mimetypes.guess_type(place.name)[0] or "application/octet-stream"
    return Content(kind, status.st_size, file, status.st_mtime)


def resolve_below(root: Path, path: str) -> Path:
    """The real place of `path`, which must exist and lie below `root` (itself a real path)."""
    parts = path.split("/")
    if ".." in parts:
        raise Refused(HTTPStatus.BAD_REQUEST, "a path may not climb")
    try:
        place = root.joinpath(*[part for part in parts if part]).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such file") from None
    if not place.is_relative_to(root) or (path.endswith("/") and not place.is_dir()):
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such file")
    return place


def listing(folder: Path, path: str) -> str:
    """A page with a link to everything in a folder."""
    rows = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = entry.name + ("/" if os.path.isdir(entry.path) else "")
        link = urllib.parse.quote(name, errors="surrogateescape")
        rows.append(f'<li><a href="./{escape(link)}">{escape(name)}</a></li>')
    title = f"Contents of {escape(path)}"
    return f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><ul>{''.join(rows)}</ul>\n"
