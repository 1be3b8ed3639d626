"""HTTP/1.1 on our own TCP: serves a folder, or a page about the host.

h11 parses and writes the protocol; this file decides what a request gets. See RFC 9110 and RFC
9112.
"""

from __future__ import annotations

import email.utils
import io
import math
import mimetypes
import os
import stat
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import h11
import trio
from trio.abc import HalfCloseableStream as Stream

from .page import CachedPage, plain_page, status_page
from .slots import Slot, Slots
from .slow_sends import reset
from .wrapped_stream import bare

if TYPE_CHECKING:
    from stack import Host, Recorder

HEADER_BYTES = 16384  # request line and headers together
CHUNK_BYTES = 65536  # of a file, read and sent at a time: the memory that a client which does not read costs
BODY_BYTES = 65536  # of a request, read in order to find the next request after it
MOST_CONNECTIONS = 2000  # at a time
CONNECTIONS_SHARE = 500  # of those, from one address
MOST_TURNED_AWAY = 100  # at a time, without a slot: these get 503; further ones are closed
MOST_FILES = 256  # open at a time, far below the 1,024 descriptors a process has by default
FILES_SHARE = 64  # of those, for one address
MOST_ENTRIES = 1000  # of a folder's listing
ENTRIES_A_TURN = 100  # of a folder, read before other tasks run
MOST_LISTINGS = 4  # cached for later requests
IDLE_S = 30.0  # for a request's headers
BODY_S = 10.0  # for a request's body
SEND_S = 300.0  # for each chunk sent: a client that reads more slowly is cut off
PEER_CLOSE_S = 2.0  # for the client to close its side, too

# How a file is opened: without waiting, and not through a symbolic link. Windows has none of the first three.
CAREFULLY = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"))

Headers = list[tuple[str, str]]
CLOSE = ("Connection", "close")


class Refused(Exception):
    """A request that gets no content. `status` and `why`, a sentence, give the reason."""

    def __init__(self, status: HTTPStatus, why: str = "", headers: Headers | None = None) -> None:
        super().__init__(status, why)
        self.status = status
        self.why = why
        self.headers = headers or []


@dataclass(frozen=True)
class Content:
    """The answer to a request: `length` bytes of an open file, which may be one in memory.

    `on_wait` is called before each wait for the client to read the next part.
    """

    kind: str
    length: int
    file: BinaryIO
    modified: float | None = None
    on_wait: Callable[[], None] = lambda: None


Find = Callable[[str, Slot], Awaitable[Content]]
"""Finds the content of a path for the client that has this slot. Raises Refused, OSError."""


def handler(
    host: Host, root: Path | None, *, status: bool = False, events: Recorder | None = None
) -> Callable[[Stream], Awaitable[None]]:
    """Return a handler for `host.serve_tcp` that serves `root`, or without one a page about `host`.

    With `status` that page shows neighbours, routes, connections and counters to every client, and
    the last of `events`.
    """
    cached = CachedPage(partial(status_page, host, events) if status else partial(plain_page, host))
    slots = Slots(MOST_CONNECTIONS, CONNECTIONS_SHARE)
    files = Slots(MOST_FILES, FILES_SHARE)
    listings = Listings()
    turned_away = 0

    async def find(path: str, slot: Slot) -> Content:
        if root is not None:
            return await find_file(root, path, listings, files, slot)
        if path == "/":
            return whole("text/html; charset=utf-8", await cached.get())
        raise Refused(HTTPStatus.NOT_FOUND, "there is only the page /")

    async def serve(stream: Stream) -> None:
        nonlocal turned_away
        slot = slots.take(peer(stream))
        if slot is not None:
            try:
                with slot.scope:
                    await serve_connection(stream, find, slots, slot)
            finally:
                slots.give_back(slot)
            if slot.scope.cancelled_caught:
                reset(stream)  # drops the data that the client has not read
        elif turned_away < MOST_TURNED_AWAY:
            turned_away += 1
            try:
                await turn_away(stream)
            finally:
                turned_away -= 1

    return serve


def peer(stream: Stream) -> str:
    """Return the client's address; "" when the connection has none any more."""
    stream = bare(stream)
    try:
        return str(stream.socket.getpeername()[0]) if isinstance(stream, trio.SocketStream) else ""
    except OSError:
        return ""


# --- one connection ---------------------------------------------------------------------------------------------------


async def serve_connection(stream: Stream, find: Find, slots: Slots, slot: Slot) -> None:
    """Answer requests one after another until one side ends. TooSlowError: the client does not read.

    While the connection waits for its client, another one may take its slot.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)

    async def finding(path: str) -> Content:
        slots.mark_working(slot)
        try:
            return await find(path, slot)
        finally:
            slots.mark_waiting(slot)

    try:
        while True:
            request = None
            slots.mark_waiting(slot)
            with trio.move_on_after(IDLE_S):
                request = await next_event(connection, stream)
            if not isinstance(request, h11.Request):
                return
            await respond(connection, stream, request, finding, lambda: slots.mark_waiting(slot))
            if connection.our_state is not h11.DONE or not await skip_body(connection, stream):
                break
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            refusal = Refused(HTTPStatus(error.error_status_hint), str(error))
            await send_refusal(connection, stream, refusal, head=False)
    await lingering_close(stream)


async def turn_away(stream: Stream) -> None:
    """Send 503 to a client without a slot, whatever its request."""
    refusal = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections", [CLOSE, ("Retry-After", "5")])
    await send_refusal(h11.Connection(h11.SERVER), stream, refusal, head=False)
    await lingering_close(stream)


async def skip_body(connection: h11.Connection, stream: Stream) -> bool:
    """Read a request's body to find the next request. Returns True if there may be one.

    The body is not used. A large or slow one is not read to its end.
    """
    left = BODY_BYTES
    with trio.move_on_after(BODY_S):
        while left > 0 and connection.their_state is h11.SEND_BODY:
            event = await next_event(connection, stream)
            if isinstance(event, h11.Data):
                left -= len(event.data)
    return connection.their_state is h11.DONE


async def lingering_close(stream: Stream, most_bytes: float = math.inf) -> None:
    """End the connection so that the client can read all of the answer.

    To close with data unread would send RST, which may overtake the answer: RFC 9112 section 9.6.
    A client that never closes is ended by a timeout, or when it has sent `most_bytes` more.
    """
    await stream.send_eof()
    with trio.move_on_after(PEER_CLOSE_S):
        while most_bytes > 0 and (part := await stream.receive_some(CHUNK_BYTES)):
            most_bytes -= len(part)


async def send(stream: Stream, data: bytes | None) -> None:
    """Send all of the data. TooSlowError for a client that does not read."""
    with trio.fail_after(SEND_S):
        await stream.send_all(data or b"")


async def next_event(connection: h11.Connection, stream: Stream) -> object:
    """Return the next event of the client's messages."""
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        connection.receive_data(bytes(await stream.receive_some(HEADER_BYTES)))


async def respond(
    connection: h11.Connection,
    stream: Stream,
    request: h11.Request,
    find: Callable[[str], Awaitable[Content]],
    on_wait: Callable[[], None],
) -> None:
    """Send the content that the request asks for, or the reason for a refusal.

    The request's body has not been read, and is not needed. `on_wait` is called before each wait
    for the client to read the next part of the answer.
    """
    head = request.method == b"HEAD"
    length = int(dict(request.headers).get(b"content-length", 0))
    # A client that waits for 100 Continue (RFC 9110 section 10.1.1) sends no body that could be skipped,
    # and a large body is not worth reading: the connection is closed in both cases.
    ending = [CLOSE] if connection.they_are_waiting_for_100_continue or length > BODY_BYTES else []
    try:
        if request.method not in (b"GET", b"HEAD"):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", [("Allow", "GET, HEAD")])
        if length > BODY_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a request here needs no body")
        content = await find(path_of(request.target))
    except Refused as refusal:
        refusal.headers += ending
        await send_refusal(connection, stream, refusal, head)
        return
    except OSError as error:
        status = HTTPStatus.FORBIDDEN if isinstance(error, PermissionError) else HTTPStatus.INTERNAL_SERVER_ERROR
        await send_refusal(connection, stream, Refused(status, "it cannot be read", ending), head)
        return
    with content.file as file:
        headers = [("Content-Type", content.kind), ("Content-Length", str(content.length)), *ending]
        if content.modified is not None:
            headers.append(("Last-Modified", email.utils.formatdate(content.modified, usegmt=True)))
        await send_head(connection, stream, HTTPStatus.OK, headers)
        left = 0 if head else content.length
        while left:
            on_wait()
            content.on_wait()
            with trio.fail_after(SEND_S):
                await stream.wait_send_all_might_not_block()  # so that a chunk is read only when it can be sent
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise trio.BrokenResourceError("the file became shorter while it was sent")
            left -= len(chunk)
            for part in connection.send_with_data_passthrough(h11.Data(data=chunk)) or ():
                await send(stream, part)
    await send(stream, connection.send(h11.EndOfMessage()))


async def send_head(connection: h11.Connection, stream: Stream, status: HTTPStatus, extra: Headers) -> None:
    """Send the status line and the headers."""
    headers = [
        ("Date", email.utils.formatdate(time.time(), usegmt=True)),
        ("Server", "tapstack"),
        ("X-Content-Type-Options", "nosniff"),
        *extra,
    ]
    response = h11.Response(status_code=int(status), headers=headers, reason=status.phrase)
    await send(stream, connection.send(response))


async def send_refusal(connection: h11.Connection, stream: Stream, refusal: Refused, head: bool) -> None:
    """Send a short page with the reason for a refusal."""
    status = refusal.status
    title = f"{int(status)} {status.phrase}"
    body = f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{escape(refusal.why)}</p>\n".encode()
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body))), *refusal.headers]
    await send_head(connection, stream, status, headers)
    if not head:
        await send(stream, connection.send(h11.Data(data=body)))
    await send(stream, connection.send(h11.EndOfMessage()))


# --- the content ------------------------------------------------------------------------------------------------------


def path_of(target: bytes) -> str:
    """Return the decoded path of a request target. Raises Refused when it has none."""
    text = target.decode("ascii", "replace")
    if not text.startswith("/") and "://" in text:  # the absolute form, as proxies send it: RFC 9112 section 3.2.2
        text = "/" + text.partition("://")[2].partition("/")[2]
    path = urllib.parse.unquote(text.partition("?")[0], errors="surrogateescape")
    if not path.startswith("/") or "\0" in path:
        raise Refused(HTTPStatus.BAD_REQUEST, "the target is not a path")
    return path


def whole(kind: str, body: bytes) -> Content:
    """Return content that is in memory."""
    return Content(kind, len(body), io.BytesIO(body))


class CountedFile(io.FileIO):
    """A file that holds a slot for open files until it is closed."""

    def __init__(self, descriptor: int, files: Slots, slot: Slot) -> None:
        super().__init__(descriptor)
        self._files = files
        self._slot = slot

    def close(self) -> None:
        """Close the file and release its slot."""
        self._files.give_back(self._slot)
        super().close()


async def find_file(root: Path, path: str, listings: Listings, files: Slots, connection: Slot) -> Content:
    """Return the file or folder that `path` names below `root`, and nothing outside it by any link.

    The file gets a slot of its own. When that slot is taken away, the connection ends, too.
    """
    target = resolve_below(root, path)
    if target.is_dir():
        if not path.endswith("/"):
            here = "/" + path.strip("/") + "/"  # never "//...", which would name another host
            location = urllib.parse.quote(here, errors="surrogateescape")
            raise Refused(HTTPStatus.MOVED_PERMANENTLY, "a folder ends in /", [("Location", location)])
        index = target / "index.html"
        if not index.is_file() or not index.resolve().is_relative_to(root):
            return whole("text/html; charset=utf-8", await listings.get(root, target, path))
        target = index.resolve()
    file_slot = files.take(connection.address, connection.scope)
    if file_slot is None:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many files are being read", [("Retry-After", "5")])
    try:
        descriptor = os.open(target, CAREFULLY)
    except BaseException:
        files.give_back(file_slot)
        raise
    file = CountedFile(descriptor, files, file_slot)
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise Refused(HTTPStatus.FORBIDDEN, "it is not a regular file")
    kind = mimetypes.guess_type(target.name)[0] or "application/octet-stream"
    return Content(kind, status.st_size, file, status.st_mtime, partial(files.mark_waiting, file_slot))


def resolve_below(root: Path, path: str) -> Path:
    """Return the real path of `path`, which must exist below `root` (itself a real path)."""
    parts = path.split("/")
    if ".." in parts:
        raise Refused(HTTPStatus.BAD_REQUEST, "a path may not contain ..")
    try:
        found = root.joinpath(*[part for part in parts if part]).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such file") from None
    if not found.is_relative_to(root) or (path.endswith("/") and not found.is_dir()):
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such file")
    return found


class Listings:
    """The pages that list folders. One is made at a time, while other tasks run in between.

    A page that takes long to make is cached for longer.
    """

    def __init__(self) -> None:
        self._turn = trio.Lock()
        self._cached: OrderedDict[tuple[Path, str], CachedPage] = OrderedDict()

    async def get(self, root: Path, folder: Path, path: str) -> bytes:
        """Return the page that lists `folder`; `path` is its name in the request. OSError."""
        async with self._turn:
            cached = self._cached.pop((folder, path), None)
            if cached is None:
                cached = CachedPage(partial(listing, root, folder, path), fresh_s=0.0)
            self._cached[folder, path] = cached
            if len(self._cached) > MOST_LISTINGS:
                self._cached.popitem(last=False)
            return await cached.get()


async def listing(root: Path, folder: Path, path: str) -> bytes:
    """Return a page with a link to each entry of a folder, the first `MOST_ENTRIES` by name."""
    count = 0
    first: list[os.DirEntry[str]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            count += 1
            first.append(entry)
            if count % ENTRIES_A_TURN == 0:
                if len(first) > 3 * MOST_ENTRIES:
                    first = by_name(first)
                await trio.lowlevel.checkpoint()
    rows = []
    for number, entry in enumerate(by_name(first), 1):
        name = entry.name + ("/" if is_folder_below(root, entry) else "")
        link = urllib.parse.quote(name, errors="surrogateescape")
        rows.append(f'<li><a href="./{escape(link)}">{escape(name)}</a></li>')
        if number % ENTRIES_A_TURN == 0:
            await trio.lowlevel.checkpoint()
    if count > MOST_ENTRIES:
        rows.append(f"<li>and {count - MOST_ENTRIES} more</li>")
    title = f"Contents of {escape(path)}"
    page = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><ul>{''.join(rows)}</ul>\n"
    return page.encode(errors="surrogateescape")


def by_name(entries: list[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
    """Return the first `MOST_ENTRIES` entries by name."""
    return sorted(entries, key=lambda entry: entry.name)[:MOST_ENTRIES]


def is_folder_below(root: Path, entry: os.DirEntry[str]) -> bool:
    """Return whether the entry is a folder. A link that leads out of `root` counts as none."""
    try:
        if not entry.is_symlink():
            return entry.is_dir()
        target = Path(entry.path).resolve(strict=True)
        return target.is_relative_to(root) and target.is_dir()
    except (OSError, RuntimeError):
        return False
