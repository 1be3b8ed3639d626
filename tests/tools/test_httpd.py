"""HTTP: what a request gets, over a pair of memory streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing
from trio.abc import HalfCloseableStream

from stack import Host
from tests.requirements import rfc
from tests.sockets.hosts import ALICE, BOB, two_hosts, virtual
from tools import httpd, page, places, services
from tools.services import Handler


def exchange(handler: Handler, *sent: bytes, finish: bool = True) -> bytes:
    """All that a handler sends back, in virtual time; it must end. Each part is sent behind an answer to the last."""

    async def main() -> bytes:
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

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def get(root: Path, target: str, method: str = "GET", headers: str = "") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body for one request of a folder."""
    request = f"{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n".encode()
    answer = exchange(httpd.handler(host(), root), request)
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value for name, value in fields.items()}, body


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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a bit of everything, and secrets around it."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "root"
    (folder / "sub dir").mkdir(parents=True)
    (folder / "a.txt").write_text("text of a")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 4000)
    (folder / "sub dir" / "<b>&.html").write_text("<p>b")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<p>index")
    (folder / "out").symlink_to(tmp_path)
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "in.txt").symlink_to("a.txt")
    (folder / "loop").symlink_to("loop")
    (folder / "trap").mkdir()
    (folder / "trap" / "index.html").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(folder / "pipe")
    return folder.resolve()


def test_a_file_is_served_with_its_length_and_kind(root: Path) -> None:
    status, headers, body = get(root, "/a.txt")
    assert (status, body) == (200, b"text of a")
    assert headers["content-length"] == "9"
    assert headers["content-type"] == "text/plain"
    assert headers["x-content-type-options"] == "nosniff"
    assert "last-modified" in headers


def test_a_file_larger_than_a_chunk_is_served_whole(root: Path) -> None:
    assert get(root, "/big.bin")[2] == bytes(range(256)) * 4000


def test_head_sends_no_body(root: Path) -> None:
    status, headers, body = get(root, "/a.txt", method="HEAD")
    assert (status, headers["content-length"], body) == (200, "9", b"")
    assert get(root, "/absent", method="HEAD")[0::2] == (404, b"")


def test_a_folder_is_listed_or_has_an_index(root: Path) -> None:
    status, _, body = get(root, "/")
    assert status == 200
    assert b'<a href="./sub%20dir/">sub dir/</a>' in body
    status, _, body = get(root, "/sub%20dir/")
    assert b'<a href="./%3Cb%3E%26.html">&lt;b&gt;&amp;.html</a>' in body
    assert get(root, "/sub%20dir/%3Cb%3E%26.html")[2] == b"<p>b"
    assert get(root, "/site/")[2] == b"<p>index"


@pytest.mark.parametrize(
    ("target", "location"), [("/sub%20dir", "/sub%20dir/"), ("//site", "/site/"), ("/./site", "/./site/")]
)
def test_a_folder_without_its_slash_is_redirected_on_this_host(root: Path, target: str, location: str) -> None:
    status, headers, _ = get(root, target)
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
def test_what_is_not_below_the_folder_is_not_served(root: Path, target: str, status: int) -> None:
    got, _, body = get(root, target)
    assert got == status
    assert b"secret" not in body.replace(b"secret.txt", b"")


def test_an_index_that_leads_outside_is_not_served(root: Path) -> None:
    assert b"index.html" in get(root, "/trap/")[2]
    assert get(root, "/trap/index.html")[0] == 404


def test_a_link_that_stays_inside_is_followed(root: Path) -> None:
    assert get(root, "/in.txt")[2] == b"text of a"


def test_query_and_absolute_form_are_understood(root: Path) -> None:
    assert get(root, "/a.txt?x=/../y")[2] == b"text of a"
    assert get(root, "http://h/a.txt")[2] == b"text of a"


def test_other_methods_are_refused(root: Path) -> None:
    status, headers, _ = get(root, "/a.txt", method="DELETE")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


def test_requests_follow_one_another_on_a_connection(root: Path) -> None:
    request = b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n"
    body = b"POST /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
    answer = exchange(httpd.handler(host(), root), request + body + request)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answer.count(b"HTTP/1.1 405 ") == 1
    assert answer.endswith(b"text of a")


def test_a_body_that_nobody_wants_is_not_waited_for(root: Path) -> None:
    """The answer comes before the body, to who waits to be told to go on, too; and the connection ends."""
    for field in ("Content-Length: 99999999999", "Content-Length: 5\r\nExpect: 100-continue"):
        head = f"POST / HTTP/1.1\r\nHost: h\r\n{field}\r\n\r\n".encode()
        answer = exchange(httpd.handler(host(), root), head, finish=False)
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert b"\r\nConnection: close\r\n" in answer


def test_a_large_body_is_too_large(root: Path) -> None:
    head = b"GET /a.txt HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n"
    answer = exchange(httpd.handler(host(), root), head, finish=False)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"text of a" not in answer


@pytest.mark.parametrize("parts", [[b"1\r\na\r\n"] * 1000, [b"%x\r\n%b\r\n" % (httpd.BODY_BYTES, bytes(65536))]])
def test_a_body_without_end_is_cut_short(root: Path, parts: list[bytes]) -> None:
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
            with trio.fail_after(httpd.BODY_S + httpd.GOODBYE_S):
                while await theirs.receive_some():
                    pass
            assert trio.current_time() - began < httpd.BODY_S + httpd.GOODBYE_S + 4

    began = 0.0

    async def timed() -> None:
        nonlocal began
        began = trio.current_time()
        await main()

    trio.run(timed, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_target_that_starts_with_a_slash_is_a_path(root: Path) -> None:
    assert get(root, "/y://zz/a.txt")[0] == 404
    assert get(root, "http://h/a.txt?x=://")[2] == b"text of a"
    assert httpd.path_of(b"/y://zz/x/") == "/y://zz/x/"


# --- many at once -----------------------------------------------------------------------------------------------------


def stuck(handler: Handler, count: int, request: bytes) -> tuple[int, list[bytes]]:
    """The descriptors that so many clients cost who ask and do not read, and the first part each got in the end."""

    async def main() -> tuple[int, list[bytes]]:
        before = len(os.listdir("/proc/self/fd"))
        starts = []
        async with trio.open_nursery() as nursery:
            ends = [trio.testing.lockstep_stream_pair() for _ in range(count)]
            for ours, theirs in ends:
                nursery.start_soon(handler, ours)
                nursery.start_soon(theirs.send_all, request)
            await trio.testing.wait_all_tasks_blocked()
            cost = len(os.listdir("/proc/self/fd")) - before
            for _, theirs in ends:
                part = bytes(await theirs.receive_some())
                starts.append(part)
            nursery.cancel_scope.cancel()
        return cost, starts

    return trio.run(main, clock=trio.testing.MockClock())


def test_who_comes_when_there_are_too_many_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "MOST_CONNECTIONS", 5)
    _, starts = stuck(httpd.handler(host(), root), 7, b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n")
    assert sorted(start[9:12] for start in starts) == [b"200"] * 5 + [b"503"] * 2


class Crowd:
    """Clients of one handler by their addresses, in virtual time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, *, most: int = 20, share: int = 5) -> None:
        self.addresses: dict[int, str] = {}
        monkeypatch.setattr(httpd, "peer", lambda stream: self.addresses[id(stream)])
        monkeypatch.setattr(httpd, "MOST_CONNECTIONS", most)
        monkeypatch.setattr(httpd, "CONNECTIONS_SHARE", share)
        self.handler = httpd.handler(host(), root)
        self.kept: list[object] = []

    async def says(self, nursery: trio.Nursery, address: str, request: bytes) -> HalfCloseableStream:
        """The client's end of a new connection, on which it has said this."""
        ours, theirs = trio.testing.memory_stream_pair()
        self.addresses[id(ours)] = address
        self.kept.append(ours)

        async def serve() -> None:
            await self.handler(ours)
            await ours.aclose()

        nursery.start_soon(serve)
        with suppress(trio.BrokenResourceError):  # it may be hung up on at once
            await theirs.send_all(request)
        await trio.testing.wait_all_tasks_blocked()
        return theirs

    async def gets(self, nursery: trio.Nursery, address: str, target: str = "/a.txt") -> int:
        """The status that a client in earnest is answered with."""
        stream = await self.says(nursery, address, b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
        with trio.fail_after(1):
            answer = bytes(await stream.receive_some())
        await stream.aclose()
        return int(answer[9:12])


SLOW = b"GET /a.txt HT"


@rfc("service-2")
def test_slow_clients_of_one_address_leave_the_others_their_places(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd(monkeypatch, root)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                await crowd.says(nursery, "10.9.0.66", SLOW)
            assert [await crowd.gets(nursery, "10.9.0.1") for _ in range(12)] == [200] * 12
            assert await crowd.gets(nursery, "10.9.0.66") == 503
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock())


@rfc("service-2")
@pytest.mark.parametrize("addresses", [1, 50])
def test_a_slow_client_gives_its_place_to_one_in_earnest(
    root: Path, monkeypatch: pytest.MonkeyPatch, addresses: int
) -> None:
    """Behind a NAT all have one address; and an attacker on the link has as many as it likes."""
    crowd = Crowd(monkeypatch, root)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            slow = [await crowd.says(nursery, f"10.9.1.{n % addresses}", SLOW) for n in range(50)]
            await trio.sleep(places.GRACE_S + 0.1)
            for _ in range(12):
                await crowd.says(nursery, "10.9.1.0", SLOW)
                assert await crowd.gets(nursery, "10.9.1.0") == 200
                await trio.sleep(places.GRACE_S / 2)
            with trio.fail_after(1):
                assert await slow[0].receive_some() == b""  # the longest wait: it was hung up on
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(rate=0.0, autojump_threshold=0.01))


@rfc("service-2")
def test_those_that_find_no_place_cost_no_more_than_so_many(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is told to come back is held for a moment: past the limit it is closed at once."""
    monkeypatch.setattr(httpd, "MOST_TURNED_AWAY", 3)
    crowd = Crowd(monkeypatch, root, share=1)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            ends = [await crowd.says(nursery, "10.9.0.66", SLOW) for _ in range(9)]
            answers = [bytes(await end.receive_some())[9:12] for end in ends[1:]]
            assert answers == [b"503"] * 3 + [b""] * 5
            await trio.sleep(httpd.IDLE_S + 1)
            assert await crowd.gets(nursery, "10.9.0.66") == 200
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(rate=0.0, autojump_threshold=0.01))


@rfc("service-2")
def test_one_address_has_a_share_of_the_open_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "FILES_SHARE", 2)
    crowd = Crowd(monkeypatch, root)
    request = b"GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n"

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            ends = []
            for address in ("10.9.0.66", "10.9.0.66", "10.9.0.66", "10.9.0.1"):
                ours, theirs = trio.testing.lockstep_stream_pair()
                crowd.addresses[id(ours)] = address
                nursery.start_soon(crowd.handler, ours)
                await theirs.send_all(request)
                ends.append((ours, theirs))
            await trio.testing.wait_all_tasks_blocked()
            statuses = [bytes(await theirs.receive_some())[9:12] for _, theirs in ends]
            assert statuses == [b"200", b"200", b"503", b"200"]
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock())


def test_places_are_counted_as_they_are_taken_and_given_back() -> None:
    async def main() -> None:
        table = places.Places(3, 2)
        one, two = table.take("a"), table.take("a")
        assert one is not None
        assert two is not None
        assert table.take("a") is None
        with table.waiting(one, 30):
            assert table.take("a") is None
            await trio.sleep(places.GRACE_S)
            new = table.take("a")
            assert new is not None
            await trio.sleep(100)
        assert trio.current_time() < 2  # it was taken away meanwhile
        table.give_back(one)
        assert len(table) == 2
        for place in (two, new):
            table.give_back(place)
            table.give_back(place)
        assert len(table) == 0
        assert table.take("a") is not None

    trio.run(main, clock=trio.testing.MockClock(rate=0.0, autojump_threshold=0))


def test_no_more_files_are_open_than_may_be(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpd, "MOST_FILES", 5)
    handler = httpd.handler(host(), root)
    for _ in range(2):  # those that were open have been given back
        cost, starts = stuck(handler, 9, b"GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n")
        assert cost == 5
        assert sorted(start[9:12] for start in starts) == [b"200"] * 5 + [b"503"] * 4


def test_a_file_is_read_when_there_is_room_for_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not read costs no chunk of the file."""
    sizes: list[int] = []

    class Noted(httpd.Served):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size or 0)
            return super().read(size) or b""

    monkeypatch.setattr(httpd, "Served", Noted)
    stuck(httpd.handler(host(), root), 3, b"GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n")
    assert sizes == []
    assert get(root, "/big.bin")[0] == 200
    assert max(sizes) <= 65536


def test_a_long_listing_is_cut(root: Path) -> None:
    for number in range(httpd.MOST_ENTRIES + 7):
        (root / "site" / f"f{number}").touch()
    (root / "site" / "index.html").unlink()
    body = get(root, "/site/")[2]
    assert body.count(b"<li>") == httpd.MOST_ENTRIES + 1
    assert b"and 7 more" in body


@rfc("service-3")
def test_a_long_listing_gives_others_their_turn(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """50,000 files, and a task that wants its turn: it comes after every one or two turns of the listing."""
    files = 50_000
    seen = 0
    turns: list[int] = []

    class Entry:
        path = "/nowhere"

        def __init__(self, number: int) -> None:
            self.name = f"f{number * 7919 % files:05}"

        def is_symlink(self) -> bool:
            return False

        def is_dir(self) -> bool:
            nonlocal seen
            seen += 1
            return False

    class Scan:
        def __init__(self, folder: Path) -> None:
            assert folder == root

        def __enter__(self) -> Iterator[Entry]:
            return self.entries()

        def __exit__(self, *_: object) -> None:
            pass

        def entries(self) -> Iterator[Entry]:
            nonlocal seen
            for number in range(files):
                seen += 1
                yield Entry(number)

    monkeypatch.setattr("tools.httpd.os.scandir", Scan)
    answers: list[bytes] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            async def list_it() -> None:
                answers.append(await httpd.Listings().get(root, root, "/"))
                nursery.cancel_scope.cancel()

            nursery.start_soon(list_it)
            while True:
                turns.append(seen)
                await trio.lowlevel.checkpoint()

    trio.run(main)
    assert turns[-1] > files
    assert max(later - earlier for earlier, later in pairwise(turns)) <= 2 * httpd.ENTRIES_A_TURN
    assert b'<li><a href="./f00000">f00000</a></li><li><a href="./f00001">' in answers[0]
    assert b"f00999</a></li><li>and 49000 more</li></ul>" in answers[0]


@rfc("service-3")
def test_a_listing_that_is_asked_for_again_and_again_is_not_made_again_each_time(root: Path) -> None:
    for number in range(3000):
        (root / f"g{number}").touch()

    async def main() -> int:
        made = 0
        listings = httpd.Listings()
        kept = b""
        began = trio.current_time()
        while trio.current_time() < began + 0.2:
            page = await listings.get(root, root, "/")
            made += page is not kept
            kept = page
        return made

    assert trio.run(main) <= 1 + 0.2 * 20


def test_a_listing_tells_nothing_of_what_lies_outside(root: Path) -> None:
    """A link to a folder outside is shown as any link: whether there is such a folder stays unknown."""
    (root / "nowhere").symlink_to("/no/such/folder")
    (root / "sub").symlink_to("sub dir")
    body = get(root, "/")[2]
    for shown in (b">out<", b">nowhere<", b">loop<", b">sub/<", b">sub dir/<"):
        assert shown in body


def test_what_is_no_http_is_told_so(root: Path) -> None:
    assert exchange(httpd.handler(host(), root), b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_headers_without_end_are_cut_short(root: Path) -> None:
    endless = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000
    assert exchange(httpd.handler(host(), root), endless, finish=False).startswith(b"HTTP/1.1 431 ")


def test_a_client_that_says_nothing_is_hung_up_on(root: Path) -> None:
    assert exchange(httpd.handler(host(), root), finish=False) == b""
    assert exchange(httpd.handler(host(), root), b"GET /a.t", finish=False) == b""


def test_without_a_folder_there_is_the_page() -> None:
    handler = httpd.handler(host(), None, status=True)
    answer = exchange(handler, b"GET / HTTP/1.0\r\n\r\n").decode()
    assert "200 OK" in answer
    for shown in ("&lt;tap0&gt;", "10.9.0.2/24, a&amp;b", "1.500", "Leases (DHCP)", "ifInOctets", "none"):
        assert shown in answer
    assert "<tap0>" not in answer
    assert "never" not in answer
    assert exchange(handler, b"GET /else HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404 ")


PAGE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def pages(*, status: bool) -> tuple[bytes, bytes]:
    """The page of a host before and after a stranger's traffic: a connection from port 40123, and dropped segments."""
    found: list[bytes] = []
    ends: list[trio.socket.SocketType] = []

    @virtual
    async def look() -> None:
        async with two_hosts() as (alice, bob), trio.open_nursery() as nursery:
            await services.serve(bob, {"echo": 7}, nursery)
            handler = services.guarded("http", httpd.handler(bob, None, status=status))
            await services.serve_tcp(bob, handler, 80, nursery)
            for port in (40123, 40124):
                async with await alice.open_tcp_stream(BOB, 80) as stream:
                    await stream.send_all(PAGE)
                    found.append(b"".join([bytes(part) async for part in stream]).partition(b"\r\n\r\n")[2])
                sock = alice.socket(trio.socket.AF_INET, trio.socket.SOCK_STREAM)
                await sock.bind((ALICE, port))
                await sock.connect((BOB, 7))
                with alice.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as udp:
                    await udp.sendto(b"x", (BOB, 999))
                await trio.sleep(page.FRESH_S + 5)
                assert f"{ALICE}:{port}" in [record.remote for record in bob.connections()]
                ends.append(sock)
            for sock in ends:
                sock.close()
            nursery.cancel_scope.cancel()

    look()
    return found[0], found[1]


@rfc("page-1")
def test_a_stranger_reads_neither_peers_nor_counters() -> None:
    """Nothing on the page moves with the traffic, so that nothing can be searched for by it."""
    before, after = pages(status=False)
    assert before == after
    assert b"<td>10.9.0.2/24" in after
    for secret in (b"10.9.0.1", b":40", b"LISTEN", b"ESTABLISHED", b"InErrs", b"Segs", b"02:00"):
        assert secret not in after


def test_the_owner_can_have_all_of_it_shown() -> None:
    before, after = pages(status=True)
    assert before != after
    for shown in (b"10.9.0.1:40123", b"ESTABLISHED", b"tcpInSegs", b"10.9.0.1"):
        assert shown in after


def crowded(count: int) -> tuple[Host, list[int]]:
    """A host with so many connections, and a list that grows with each time somebody asks for them."""
    asked: list[int] = []
    records = [Record(f"c{number}", (), 0.0) for number in range(count)]

    def nothing() -> list[object]:
        return []

    def connections() -> list[Record]:
        asked.append(1)
        return records

    fake = SimpleNamespace(
        interfaces=nothing,
        neighbors=nothing,
        routes=nothing,
        connections=connections,
        leases=nothing,
        counters=dict[str, int],
    )
    return cast(Host, fake), asked


def test_the_page_is_made_once_a_second_whoever_asks() -> None:
    crowd, asked = crowded(3)
    kept = page.Kept(lambda: page.status_page(crowd))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(600):
                nursery.start_soon(kept.get)
        assert len(asked) == 1
        await trio.sleep(page.FRESH_S + 5)
        await kept.get()
        assert len(asked) == 2

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_request_for_the_page_uses_the_one_that_is_there() -> None:
    crowd, asked = crowded(3)
    handler = httpd.handler(crowd, None, status=True)
    request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    assert exchange(handler, request * 20).count(b"HTTP/1.1 200 OK") == 20
    assert len(asked) == 1


def test_the_page_shows_so_many_rows_and_counts_the_rest() -> None:
    crowd, _ = crowded(page.MOST_ROWS + 34)
    shown = trio.run(page.status_page, crowd)
    assert b">c199<" in shown
    assert b">c200<" not in shown
    assert b"and 34 more" in shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), ((), "-"), (("a", 1), "a, 1"), (0.25, "0.250"), ("x", "x"), (True, "True")]
)
def test_values_are_shown_for_people(value: object, shown: str) -> None:
    assert page.text(value) == shown
