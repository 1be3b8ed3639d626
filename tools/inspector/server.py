"""HTTP/1.1 for a page, on a socket of the kernel: h11 parses and writes, `Inspector` or another site answers.

Every size, time and number is bounded, since any program of the machine may connect. See RFC 9112,
and the HTML standard for server-sent events.
"""

from __future__ import annotations

import math
import socket
import traceback
from functools import cache, partial
from http import HTTPStatus
from typing import Protocol

import h11
import trio
from trio.abc import HalfCloseableStream as Stream

from ..httpd import CLOSE, Headers, lingering_close, next_event, skip_body
from ..output import report
from ..slots import Slot, Slots
from .answers import Answer, Refused, Request
from .feed import CATCHING_UP_S, Viewer, message
from .guard import LONGEST_TARGET, NO_TOKEN, admit, shows_token
from .inspector import Inspector

HEADER_BYTES = 16384  # request line and headers together
POST_BYTES = 8192
MOST_CONNECTIONS = 64  # of those that have shown the token
MOST_STRANGERS = 64  # of the others
ACCEPT_S = 0.001  # between two connections that are accepted, in the long run
MOST_AT_ONCE = 64  # connections that are accepted without that time between them
FIRST_LINE_BYTES = LONGEST_TARGET + 64  # of the first request
LINGER_BYTES = 1 << 16  # that are read from a client after the last answer
IDLE_S = 30.0  # for a request's headers
BODY_S = 10.0  # for a request's body
SEND_S = 60.0  # for a part that is sent: a client that takes nothing for so long is cut off
GOODBYE_S = 0.5  # for the host's end, and then for the last words to a viewer
SEND_BUFFER_BYTES = 1 << 18  # of a viewer: more would only make it see older events
PART_BYTES = 1 << 16  # sent at a time
RETRY_MS = 1000  # until a browser connects again

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFETY: Headers = [
    ("Content-Security-Policy", CONTENT_POLICY),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
]
"""Headers of every answer."""


class Site(Protocol):
    """What a page asks. An `Inspector` also has events for viewers."""

    async def answer(self, request: Request) -> Answer:
        """Return the answer to a request. Raises Refused."""


async def serve(
    inspector: Inspector,
    door: socket.socket,
    token: str,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the page on a listening socket until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inspector.feed.run, inspector.host)
        nursery.start_soon(inspector.state.run)
        await nursery.start(serve_site, inspector, door, token)
        task_status.started()


async def serve_site(
    site: Site,
    door: socket.socket,
    token: str,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer requests on a listening socket until cancelled."""
    listener = Listener(trio.SocketListener(trio.socket.from_stdlib_socket(door)))
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, partial(serve_one, site, token, Places()), [listener])
        task_status.started()


def refusal_body(refusal: Refused) -> tuple[bytes, Headers]:
    """Return the body and the headers of a refusal."""
    body = f"{refusal.status.phrase}: {refusal.why}\n".encode()
    return body, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), CLOSE]


@cache
def refusal_of_strangers(head: bool) -> bytes:
    """Return the answer to a request without the token, as octets; `head` leaves the body out."""
    body, headers = refusal_body(Refused(HTTPStatus.FORBIDDEN, NO_TOKEN))
    told = "".join(f"{name}: {value}\r\n" for name, value in [*SAFETY, *headers])
    return f"HTTP/1.1 403 Forbidden\r\n{told}\r\n".encode() + (b"" if head else body)


class Places:
    """The places of all connections.

    Every user of the machine can connect, but only the user's own page has the token. So a
    connection is a stranger until it has shown the token, and strangers take places only from each
    other: a new one takes that of the one that has been here longest. The page shows the token as
    soon as it is connected.
    """

    def __init__(self) -> None:
        self.strangers = Slots(MOST_STRANGERS, MOST_STRANGERS, grace_s=0.0)
        self.known = Slots(MOST_CONNECTIONS, MOST_CONNECTIONS)


class Listener(trio.abc.Listener[trio.abc.HalfCloseableStream]):
    """Accepts connections, but not more in a second than leave the host its time. The others wait for their turn."""

    def __init__(self, listener: trio.abc.Listener[trio.abc.HalfCloseableStream]) -> None:
        self._listener = listener
        self._due = -math.inf

    async def accept(self) -> trio.abc.HalfCloseableStream:
        """Accept the next connection."""
        now = trio.current_time()
        self._due = max(self._due + ACCEPT_S, now - MOST_AT_ONCE * ACCEPT_S)
        if self._due > now:
            await trio.sleep_until(self._due)
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Listen no more."""
        await self._listener.aclose()


async def serve_one(site: Site, token: str, places: Places, stream: Stream) -> None:
    """Serve one connection. A bug ends only this connection."""
    slot = places.strangers.take("")
    if slot is None:
        return
    connection = Connection(site, token, stream, places, slot)
    try:
        with slot.scope:
            await connection.run()
    except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        pass
    except* Exception:
        report(f"the page failed:\n{traceback.format_exc()}")
    finally:
        connection.leave()


class Connection:
    """One connection of a client."""

    def __init__(self, site: Site, token: str, stream: Stream, places: Places, slot: Slot) -> None:
        self._site = site
        self._token = token
        self._stream = stream
        self._places = places
        self._slots = places.strangers
        self._slot = slot
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
        self._gone = False  # a viewer: it has ended its side

    async def run(self) -> None:
        """Answer requests one after another until one side ends."""
        if not await self._shows_token():
            return
        try:
            while await self._one_request():
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
                return
            await self._refuse(Refused(HTTPStatus(error.error_status_hint), str(error)))
        await lingering_close(self._stream, LINGER_BYTES)

    async def _shows_token(self) -> bool:
        """Read the first line of the first request, and refuse one without the token. Returns whether it has it.

        So a stranger's headers are not parsed, and cost the host no time.
        """
        self._slots.mark_waiting(self._slot)
        read = bytearray()
        with trio.move_on_after(IDLE_S):
            while b"\n" not in read and len(read) < FIRST_LINE_BYTES:
                part = await self._stream.receive_some(HEADER_BYTES)
                if not part:
                    break
                read += part
        if shows_token(bytes(read), self._token):
            self._http.receive_data(bytes(read))
            return True
        if b"\n" in read or len(read) >= FIRST_LINE_BYTES:
            with trio.fail_after(SEND_S):
                await self._stream.send_all(refusal_of_strangers(head=read.startswith(b"HEAD ")))
            await lingering_close(self._stream, LINGER_BYTES)
        return False

    def leave(self) -> None:
        """Give back the place."""
        self._slots.give_back(self._slot)

    def _is_known(self) -> None:
        """The client has shown the token: it gets a place that no stranger can take. Raises Refused."""
        if self._slots is self._places.known:
            return
        slot = self._places.known.take("", self._slot.scope)
        if slot is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"the page has {MOST_CONNECTIONS} connections already")
        self.leave()
        self._slots, self._slot = self._places.known, slot
        self._slots.mark_waiting(slot)

    async def _one_request(self) -> bool:
        """Answer the next request. Returns whether another one may follow."""
        self._slots.mark_waiting(self._slot)
        asked = None
        with trio.move_on_after(IDLE_S):
            asked = await next_event(self._http, self._stream)
        if not isinstance(asked, h11.Request):
            return False
        head = asked.method == b"HEAD"
        try:
            request = admit(asked.method, asked.target, list(asked.headers), self._token)
            self._is_known()
            if request.path == "events" and request.method == "GET" and isinstance(self._site, Inspector):
                await self._events(self._site, request)
                return False
            if request.method == "POST":
                request = Request(request.method, request.path, request.query, request.headers, await self._body())
            self._slots.mark_working(self._slot)
            answer = await self._site.answer(request)
        except Refused as refusal:
            await self._refuse(refusal, head)
        else:
            await self._answer(answer, head)
        return self._http.our_state is h11.DONE and await skip_body(self._http, self._stream)

    async def _body(self) -> bytes:
        """Return the body of a POST. Raises Refused."""
        body = bytearray()
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        with trio.move_on_after(BODY_S):
            while True:
                event = await next_event(self._http, self._stream)
                if isinstance(event, h11.EndOfMessage):
                    return bytes(body)
                if not isinstance(event, h11.Data):
                    break
                body += event.data
                if len(body) > POST_BYTES:
                    raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {POST_BYTES} octets")
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the body did not come")

    # --- answers

    async def _answer(self, answer: Answer, head: bool) -> None:
        headers = [("Content-Type", answer.kind)]
        if answer.file_name:
            headers.append(("Content-Disposition", f'attachment; filename="{answer.file_name}"'))
        parts = [answer.body] if isinstance(answer.body, bytes) else answer.body
        if isinstance(answer.body, bytes):
            headers.append(("Content-Length", str(len(answer.body))))
        await self._head(HTTPStatus.OK, headers)
        for part in () if head else parts:
            await trio.lowlevel.checkpoint()  # a part may be empty
            for start in range(0, len(part), PART_BYTES):
                self._slots.mark_waiting(self._slot)
                await self._send(h11.Data(data=part[start : start + PART_BYTES]))
        await self._send(h11.EndOfMessage())

    async def _refuse(self, refusal: Refused, head: bool = False) -> None:
        body, headers = refusal_body(refusal)
        if refusal.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD, POST"))
        await self._head(refusal.status, headers)
        if not head:
            await self._send(h11.Data(data=body))
        await self._send(h11.EndOfMessage())

    async def _head(self, status: HTTPStatus, headers: Headers) -> None:
        await self._send(h11.Response(status_code=int(status), headers=[*SAFETY, *headers], reason=status.phrase))

    async def _send(self, event: h11.Event) -> None:
        """Send. TooSlowError for a client that takes nothing."""
        with trio.fail_after(SEND_S):
            await self._stream.send_all(self._http.send(event) or b"")

    # --- a viewer

    async def _events(self, inspector: Inspector, request: Request) -> None:
        """Send events until the viewer goes, or the host ends. Raises Refused."""
        after = inspector.after(request)
        inspector.check_room()
        self._slots.mark_working(self._slot)
        if isinstance(self._stream, trio.SocketStream):
            self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        await self._head(HTTPStatus.OK, [("Content-Type", "text/event-stream"), CLOSE])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_for_end, nursery.cancel_scope)
            await self._show(inspector, after)

    async def _watch_for_end(self, scope: trio.CancelScope) -> None:
        """Cancel `scope` when the viewer is gone. It sends nothing more; if it does, it is cut off."""
        try:
            await self._stream.receive_some(1)
        except trio.BrokenResourceError:
            pass
        self._gone = True
        scope.cancel()

    async def _show(self, inspector: Inspector, after: int) -> None:
        feed = inspector.feed
        await self._send(h11.Data(data=b"retry: %d\n\n" % RETRY_MS))
        with feed.viewer(after) as viewer:
            whole = False  # whether the last message has been sent whole
            try:
                told: bytes | None = await inspector.hello()
                while True:
                    if told is None:
                        await feed.wait()
                    else:
                        whole = False
                        await self._send(h11.Data(data=told))
                        whole = True
                        if viewer.catching_up:
                            await trio.sleep(CATCHING_UP_S)
                    told = feed.next_for(viewer)
            except trio.Cancelled:
                if whole and not self._gone:
                    with trio.move_on_after(2 * GOODBYE_S, shield=True):
                        await self._goodbye(inspector, viewer)
                raise

    async def _goodbye(self, inspector: Inspector, viewer: Viewer) -> None:
        """Send what has happened until the host has ended, and that it has."""
        feed = inspector.feed
        with trio.move_on_after(GOODBYE_S):
            await inspector.ended.wait()
        while feed.encode():
            pass
        while (told := feed.next_for(viewer)) is not None:
            await self._send(h11.Data(data=told))
        await self._send(h11.Data(data=message("end", b"{}")))
        await self._send(h11.EndOfMessage())
