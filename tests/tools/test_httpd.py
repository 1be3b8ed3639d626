"""HTTP: what a request gets, over a pair of memory streams."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from tests.tools.http_exchange import body_of, exchange, get, host
from tools import httpd


async def test_a_file_is_served_with_its_length_and_kind(root: Path, autojump_clock: MockClock) -> None:
    status, headers, body = await get(root, "/a.txt")
    assert (status, body) == (200, b"text of a")
    assert headers["content-length"] == "9"
    assert headers["content-type"] == "text/plain"
    assert headers["x-content-type-options"] == "nosniff"
    assert "last-modified" in headers


async def test_a_file_larger_than_a_chunk_is_served_whole(root: Path, autojump_clock: MockClock) -> None:
    assert await body_of(root, "/big.bin") == bytes(range(256)) * 4000


async def test_head_sends_no_body(root: Path, autojump_clock: MockClock) -> None:
    status, headers, body = await get(root, "/a.txt", method="HEAD")
    assert (status, headers["content-length"], body) == (200, "9", b"")
    assert (await get(root, "/absent", method="HEAD"))[0::2] == (404, b"")


async def test_a_folder_is_listed_or_has_an_index(root: Path, autojump_clock: MockClock) -> None:
    status, _, body = await get(root, "/")
    assert status == 200
    assert b'<a href="./sub%20dir/">sub dir/</a>' in body
    status, _, body = await get(root, "/sub%20dir/")
    assert b'<a href="./%3Cb%3E%26.html">&lt;b&gt;&amp;.html</a>' in body
    assert await body_of(root, "/sub%20dir/%3Cb%3E%26.html") == b"<p>b"
    assert await body_of(root, "/site/") == b"<p>index"


@pytest.mark.parametrize(
    ("target", "location"), [("/sub%20dir", "/sub%20dir/"), ("//site", "/site/"), ("/./site", "/./site/")]
)
async def test_a_folder_without_its_slash_is_redirected_on_this_host(
    root: Path, target: str, location: str, autojump_clock: MockClock
) -> None:
    status, headers, _ = await get(root, target)
    assert (status, headers["location"]) == (301, location)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/absent", 404),
        ("/a.txt/", 404),
        ("/a.txt/x", 404),
        ("/../secret.txt", 400),
        ("/%2e%2e/secret.txt", 400),
        ("/site/..%2f..%2fsecret.txt", 400),
        ("/out.txt", 404),
        ("/out/secret.txt", 404),
        ("/loop", 404),
        ("/pipe", 403),
        ("/a%00.txt", 400),
        ("/" + "x" * 300, 404),
        ("secret.txt", 400),
        ("*", 400),
    ],
)
async def test_a_path_outside_the_folder_is_not_served(
    root: Path, target: str, status: int, autojump_clock: MockClock
) -> None:
    got, _, body = await get(root, target)
    assert got == status
    assert b"secret" not in body.replace(b"secret.txt", b"")


async def test_an_index_that_leads_outside_is_not_served(root: Path, autojump_clock: MockClock) -> None:
    assert b"index.html" in await body_of(root, "/trap/")
    assert (await get(root, "/trap/index.html"))[0] == 404


async def test_a_link_that_stays_inside_is_followed(root: Path, autojump_clock: MockClock) -> None:
    assert await body_of(root, "/in.txt") == b"text of a"


async def test_query_and_absolute_form_are_understood(root: Path, autojump_clock: MockClock) -> None:
    assert await body_of(root, "/a.txt?x=/../y") == b"text of a"
    assert await body_of(root, "http://h/a.txt") == b"text of a"


async def test_other_methods_are_refused(root: Path, autojump_clock: MockClock) -> None:
    status, headers, _ = await get(root, "/a.txt", method="DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


async def test_requests_follow_one_another_on_a_connection(root: Path, autojump_clock: MockClock) -> None:
    request = b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n"
    body = b"POST /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    answer = await exchange(httpd.handler(host(), root), request + body + request)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.count(b"HTTP/1.1 405 ") == 1
    assert answer.endswith(b"text of a")


async def test_a_request_is_answered_before_its_body(root: Path, autojump_clock: MockClock) -> None:
    """The answer comes before the body, also to a client that waits for "100 Continue"; then the connection ends."""
    for field in ("Content-Length: 99999999999", "Content-Length: 5\r\nExpect: 100-continue"):
        head = f"POST / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n".encode()
        answer = await exchange(httpd.handler(host(), root), head, finish=False)
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert b"\r\nConnection: close\r\n" in answer


async def test_a_large_body_gets_413(root: Path, autojump_clock: MockClock) -> None:
    head = b"GET /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n"
    answer = await exchange(httpd.handler(host(), root), head, finish=False)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"text of a" not in answer


@pytest.mark.parametrize("parts", [[b"1\r\na\r\n"] * 1000, [b"%x\r\n%b\r\n" % (httpd.BODY_BYTES, bytes(65536))]])
async def test_an_endless_body_ends_the_connection(root: Path, parts: list[bytes], autojump_clock: MockClock) -> None:
    """Slow or large, a chunked body is not read to its end."""

    async def main() -> None:
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                await httpd.handler(host(), root)(ours)
                await ours.aclose()

            nursery.start_soon(serve)
            await theirs.send_all(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            assert (await theirs.receive_some()).startswith(b"HTTP/1.1 405 ")
            for part in parts:
                try:
                    await theirs.send_all(part)
                except trio.BrokenResourceError:
                    break
                await trio.sleep(3)
            with trio.fail_after(httpd.BODY_S + httpd.PEER_CLOSE_S):
                while await theirs.receive_some():
                    pass
            assert trio.current_time() - began < httpd.BODY_S + httpd.PEER_CLOSE_S + 4

    began = 0.0

    began = trio.current_time()
    await main()


async def test_a_target_that_starts_with_a_slash_is_a_path(root: Path, autojump_clock: MockClock) -> None:
    assert (await get(root, "/y://zz/a.txt"))[0] == 404
    assert await body_of(root, "http://h/a.txt?x=://") == b"text of a"
    assert httpd.path_of(b"/y://zz/x/") == "/y://zz/x/"


async def test_bytes_that_are_not_http_get_400(root: Path, autojump_clock: MockClock) -> None:
    assert (await exchange(httpd.handler(host(), root), b"\x16\x03\x01 hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_endless_headers_are_refused(root: Path, autojump_clock: MockClock) -> None:
    endless = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000
    assert (await exchange(httpd.handler(host(), root), endless, finish=False)).startswith(b"HTTP/1.1 431 ")


async def test_a_silent_client_is_closed(root: Path, autojump_clock: MockClock) -> None:
    assert await exchange(httpd.handler(host(), root), finish=False) == b""
    assert await exchange(httpd.handler(host(), root), b"GET /a.t", finish=False) == b""
