"""Only the user's own page gets anything: token, Host, Origin, and bounds on what a client may send."""

from __future__ import annotations

import random
import string

import pytest
import trio
import trio.testing

from tests.inspector.served import HOST, TOKEN, served
from tools.habits import Habits
from tools.inspector import server
from tools.inspector.inspector import MOST_VIEWERS
from tools.inspector.parts import add_parts

START = f"POST /{TOKEN}/do HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
}


async def test_the_page_is_served_with_the_headers_that_keep_it_safe(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        for path, status in (("", 200), ("words.json", 200), ("nothing", 404)):
            got, headers, body = await page.get(path)
            assert got == status
            assert set(headers["content-security-policy"].split("; ")) == POLICY
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert body


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/x/",
        "/events",
        f"/{TOKEN[:-1]}/",
        f"/{TOKEN}x/",
        f"/{TOKEN.lower()}/events",
        "/favicon.ico",
        "//",
        "/%30/",
    ],
)
async def test_without_the_token_there_is_nothing(autojump_clock: trio.abc.Clock, path: str) -> None:
    async with served() as page:
        for method in ("GET", "HEAD", "POST", "PUT", "OPTIONS"):
            assert (await page.ask(method, path))[0] == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:65535", "localhost:8000"])
async def test_a_host_header_that_names_this_machine_is_taken(autojump_clock: trio.abc.Clock, host: str) -> None:
    async with served() as page:
        assert (await page.get("", Host=host))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
     "10.9.0.2", "localhost:", "localhost:x", "localhost.", "127.0.0.1:8000@evil", "::1", "0.0.0.0"],
)  # fmt: skip
async def test_a_foreign_host_header_is_refused(autojump_clock: trio.abc.Clock, host: str) -> None:
    async with served() as page:
        assert (await page.get("", Host=host))[0] == 400
        assert (await page.post({"do": "mark"}, Host=host))[0] == 400


async def test_a_request_has_exactly_one_host_header(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        assert (await page.raw(f"GET /{TOKEN}/ HTTP/1.1\r\n\r\n".encode()))[0] == 400
        assert (await page.raw(f"GET /{TOKEN}/ HTTP/1.0\r\n\r\n".encode()))[0] == 400
        two = f"GET /{TOKEN}/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
        assert (await page.raw(two.encode()))[0] == 400


async def test_a_post_of_another_page_is_refused(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        before = page.recorder.numbers()
        for origin in ("http://evil.example", "null", "http://127.0.0.1:9", f"https://{HOST}", f"http://{HOST}.evil"):
            assert (await page.post({"do": "mark", "text": "x"}, Origin=origin))[0] == 403
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            assert (await page.post({"do": "mark", "text": "x"}, Content_Type=kind))[0] == 415
        assert page.recorder.numbers() == before
        assert (await page.post({"do": "mark", "text": "x"}, Origin=f"http://{HOST}"))[0] == 200
        assert list(page.recorder)[-1].name == "lab:mark"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b'"do"', b"{}", b'{"do": "rm"}', b'{"do": ["mark"]}', b'{"do": {}}',
     b"[" * 8000, b"\xff\xfe", b'{"do":"mark","text":7}', b'{"do":"mark","text":"' + b"x" * 201 + b'"}'],
)  # fmt: skip
async def test_a_post_that_is_wrong_gets_400_and_a_sentence(autojump_clock: trio.abc.Clock, body: bytes) -> None:
    async with served() as page:
        status, _, told = await page.ask("POST", f"/{TOKEN}/do", {}, body)
        assert status == 400
        assert told.startswith(b"Bad Request: ")


HALF = "\\ud800"  # a lone surrogate in JSON
VALUES = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-0.0", "1.5", "-1", "1" * 4000, "9" * 5000, "null", "true", "[]", "{}"),
    *(f'"{HALF}"', '"\\u0000"', '"<img onerror=1>"', '["10.9.0.2:7", 1]', f'["{HALF}:7", "10.9.0.1:5"]'),
    "[" * 900 + "]" * 900,
]
FIELDS = {
    "mark": ["text"],
    "wire": ["heal", "dir", "loss", "delay_ms", "mtu", "fault", "kind", "number", "part", "flow", HALF],
    "setting": ["sack", "congestion", "msl_s", "initial_window_segments", "nagle", HALF],
    "services": ["paused", HALF],
}


@pytest.mark.parametrize("action", FIELDS)
async def test_no_value_of_an_order_breaks_the_page(
    autojump_clock: trio.abc.Clock, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    """What is taken can be told, exported and looked at; what is not is refused in a sentence."""
    async with served(bad_wire=True) as page, page.viewer() as events:
        add_parts(page.inspector, Habits())
        capsys.readouterr()
        for field in FIELDS[action]:
            for value in VALUES:
                for more in ("", ', "fault": "lose", "dir": "out"' if action == "wire" and field != "fault" else ""):
                    body = f'{{"do": "{action}", "{field}": {value}{more}}}'.encode()
                    status, _, told = await page.ask("POST", f"/{TOKEN}/do", {}, body)
                    assert status == 200 or (status == 400 and told.startswith(b"Bad Request: ")), (body, told)
        assert (await events.next())[0] == "hello"
        assert len(await events.numbers(page.recorder.numbers()[1])) == page.recorder.numbers()[1]
        for path in ("report.html", "capture.pcapng"):
            assert (await page.get(path))[0] == 200
    assert capsys.readouterr().err == ""


async def test_methods_and_paths_that_do_not_fit_are_refused(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        assert (await page.ask("PUT", f"/{TOKEN}/"))[0] == 405
        assert (await page.ask("OPTIONS", f"/{TOKEN}/do"))[0] == 405
        assert (await page.ask("POST", f"/{TOKEN}/"))[0] == 405
        assert (await page.get("do"))[0] == 405
        assert (await page.ask("GET", f"/{TOKEN}"))[0] == 404
        for path in ("page/../inspector.py", "page/%2e%2e/server.py", "page//index.html", "page/", "index.html", "../"):
            assert (await page.get(path))[0] == 404
        assert (await page.get("layers"))[0] == 400
        assert (await page.get("layers?n=999"))[0] == 404
        assert (await page.get("layers?n=1e3"))[0] == 400
        assert (await page.get("layers?" + "&".join(f"a{n}=1" for n in range(9))))[0] == 400
        assert (await page.get("events?after=" + "9" * 16))[0] == 400
        assert (await page.get("x" * 1100))[0] == 414


async def test_what_is_too_large_is_refused(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        assert (await page.raw(f"GET /{TOKEN}/ HTTP/1.1\r\nX: ".encode() + b"x" * 20_000))[0] == 431
        assert (await page.raw(f"GET /{TOKEN}/".encode() + b"x" * 20_000))[0] in (400, 431)
        large = {"do": "mark", "text": "x" * 9000}
        assert (await page.post(large))[0] == 413
        start = START.encode() + b"Transfer-Encoding: chunked\r\n\r\n"
        chunks = b"2000\r\n" + b" " * 0x2000 + b"\r\n10\r\n" + b" " * 16 + b"\r\n"
        assert (await page.raw(start + chunks))[0] == 413


async def test_a_client_that_is_slow_is_cut_off(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        began = trio.current_time()
        silent = page.connect()
        assert await silent.receive_some() == b""
        assert trio.current_time() - began < server.IDLE_S + 5
        began = trio.current_time()
        half = page.connect()
        await half.send_all(START.encode() + b"Content-Length: 9\r\n\r\n")
        assert b"408" in await half.receive_some()
        assert trio.current_time() - began < server.BODY_S + 5


@pytest.mark.parametrize(
    "first",
    [b"GET /guess/ HTTP/1.1\r\n", b"POST /guess/do HTTP/1.1\r\n", b"GET / HTTP/1.1\n", b"\r\n", b"\n", b"\0\n",
     b"x" * 5000, b"GET /" + TOKEN[:-1].encode() + b"/ HTTP/1.1\r\n", b"GET  /" + b"x" * 2000],
)  # fmt: skip
async def test_a_stranger_is_refused_at_its_first_line(autojump_clock: trio.abc.Clock, first: bytes) -> None:
    """Its headers are neither waited for nor parsed: they may be many, and large."""
    async with served() as page:
        client, began = page.connect(), trio.current_time()
        await client.send_all(first)
        assert (await client.receive_some()).startswith(b"HTTP/1.1 403 ")
        assert trio.current_time() == began


async def test_a_first_line_may_come_in_pieces(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        client = page.connect()
        for octet in f"GET /{TOKEN}/words.json HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode():
            await client.send_all(bytes([octet]))
            await trio.sleep(0.1)
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["guess", TOKEN])
async def test_what_follows_a_refusal_is_not_read_for_long(autojump_clock: trio.abc.Clock, path: str) -> None:
    start = f"POST /{path}/do HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
    async with served() as page:
        client, sent = page.connect(stops=True), 0
        async with trio.open_nursery() as nursery:
            try:
                await client.send_all(f"{start}Content-Length: 99999999999\r\n\r\n".encode())
                nursery.start_soon(client.receive_some)
                while sent < 10 * server.LINGER_BYTES:
                    await client.send_all(bytes(4096))
                    sent += 4096
            except trio.BrokenResourceError:
                pass
        assert 0 < sent < 2 * server.LINGER_BYTES


class Ready(trio.abc.Listener[trio.abc.HalfCloseableStream]):
    """A listener to which clients connect without end."""

    def __init__(self) -> None:
        self.accepted = 0

    async def accept(self) -> trio.abc.HalfCloseableStream:
        self.accepted += 1
        return trio.testing.memory_stream_pair()[1]

    async def aclose(self) -> None:
        pass


async def test_a_flood_of_connections_leaves_the_host_its_time(autojump_clock: trio.abc.Clock) -> None:
    ready = Ready()
    listener = server.Listener(ready)
    for _ in range(2):
        ready.accepted = 0
        with trio.move_on_after(2):
            while True:
                await listener.accept()
        most = server.MOST_AT_ONCE + 2 / server.ACCEPT_S
        assert most / 2 < ready.accepted <= most + 1
        await trio.sleep(100)
    ready.accepted, began = 0, trio.current_time()
    for _ in range(server.MOST_AT_ONCE):
        await listener.accept()
    assert trio.current_time() == began, "a page with its files need not wait"


async def test_a_crowd_that_says_nothing_does_not_keep_the_user_out(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        for _ in range(3):
            crowd = [page.connect() for _ in range(server.MOST_STRANGERS)]
            await trio.testing.wait_all_tasks_blocked()
            assert (await page.get(""))[0] == 200, "also if they have come just now"
            assert len(page.places.strangers) <= server.MOST_STRANGERS
            assert len(crowd) == server.MOST_STRANGERS


async def test_who_has_shown_the_token_keeps_its_place_in_a_crowd(autojump_clock: trio.abc.Clock) -> None:
    hello = f"GET /{TOKEN}/words.json HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    async with served() as page, page.viewer(page.recorder.numbers()[1]) as events:
        assert (await events.next())[0] == "hello"
        kept = page.connect()
        await kept.send_all(hello)
        assert (await kept.receive_some()).startswith(b"HTTP/1.1 200")
        crowd = [page.connect() for _ in range(3 * server.MOST_STRANGERS)]
        for number, client in enumerate(crowd):
            await trio.sleep(0.1)
            if number % 2:
                try:
                    await client.send_all(b"GET /guess/ HTTP/1.1\r\nHost: localhost\r\nX: ")
                except trio.BrokenResourceError:
                    pass
        page.tell(1)
        assert (await events.next())[0] == "batch"
        await kept.send_all(hello)
        while b"HTTP/1.1 200" not in await kept.receive_some():
            pass
        assert len(page.places.strangers) <= server.MOST_STRANGERS
        assert len(page.places.known) == 2


async def test_with_the_token_too_the_number_of_connections_is_bounded(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page:
        crowd = []
        for _ in range(server.MOST_CONNECTIONS + 1):
            crowd.append(client := page.connect())
            await client.send_all(START.encode() + b"Content-Length: 2\r\n\r\n{}")
            await trio.testing.wait_all_tasks_blocked()
        assert b"503 Service Unavailable" in await crowd[-1].receive_some()
        assert len(page.places.known) == server.MOST_CONNECTIONS
        await trio.sleep(2)
        assert (await page.get(""))[0] == 200, "one that has said nothing for a second makes room"


async def test_a_fifth_viewer_is_told_why_there_is_no_room(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page, trio.open_nursery() as nursery:

        async def look(task_status: trio.TaskStatus[None]) -> None:
            async with page.viewer() as events:
                assert (await events.next())[0] == "hello"
                task_status.started()
                await trio.sleep_forever()

        for _ in range(MOST_VIEWERS):
            await nursery.start(look)
        status, _, told = await page.get("events?after=0")
        assert status == 503
        assert b"4 pages show this host already" in told
        nursery.cancel_scope.cancel()


async def test_hostile_requests_never_break_the_server(
    autojump_clock: trio.abc.Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(7)
    good = START.encode() + b"Content-Length: 2\r\n\r\n{}"
    async with served() as page:
        for _ in range(400):
            octets = bytearray(good)
            for _ in range(chance.randint(1, 8)):
                place = chance.randrange(len(octets))
                octets[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
            client = page.connect()
            with trio.move_on_after(100):
                await client.send_all(bytes(octets))
                await client.send_eof()
                while await client.receive_some():
                    pass
        assert (await page.get(""))[0] == 200
    assert capsys.readouterr().err == ""


def test_the_token_has_128_bits() -> None:
    from tools.inspector.door import Door

    doors = [Door(0) for _ in range(3)]
    assert len({door.token for door in doors}) == 3
    assert all(
        set(door.token) <= set(string.ascii_letters + string.digits + "-_") and len(door.token) == 22 for door in doors
    )
    assert all(door.socket.getsockname()[0] == "127.0.0.1" for door in doors)
    for door in doors:
        door.close()
