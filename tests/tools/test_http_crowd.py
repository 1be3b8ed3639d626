"""HTTP: many clients at once, slow ones among them, and folders with many files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.abc import HalfCloseableStream
from trio.testing import MockClock

from tests.requirements import rfc
from tests.tools.http_exchange import body_of, get, host
from tools import httpd, slots
from tools.services import Handler


async def stuck(handler: Handler, count: int, request: bytes) -> tuple[int, list[bytes]]:
    """The descriptors that clients cost which request and do not read, and the first part that each got in the end."""
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


async def test_a_client_beyond_the_limit_gets_503(
    root: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    monkeypatch.setattr(httpd, "MOST_CONNECTIONS", 5)
    _, starts = await stuck(httpd.handler(host(), root), 7, b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n")
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
SLOW_BODY = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\nx"


@rfc("service-2")
async def test_slow_clients_of_one_address_leave_slots_for_others(
    root: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    crowd = Crowd(monkeypatch, root)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            await crowd.says(nursery, "10.9.0.66", SLOW)
        assert [await crowd.gets(nursery, "10.9.0.1") for _ in range(12)] == [200] * 12
        assert await crowd.gets(nursery, "10.9.0.66") == 503
        nursery.cancel_scope.cancel()


@rfc("service-2")
@pytest.mark.parametrize("request_", [SLOW, SLOW_BODY])
@pytest.mark.parametrize("addresses", [1, 50])
async def test_a_slow_client_loses_its_slot_to_an_honest_one(
    root: Path, monkeypatch: pytest.MonkeyPatch, addresses: int, request_: bytes, autojump_clock: MockClock
) -> None:
    """Behind a NAT all clients have one address; an attacker on the link can use any number."""
    crowd = Crowd(monkeypatch, root)

    async with trio.open_nursery() as nursery:
        slow = [await crowd.says(nursery, f"10.9.1.{n % addresses}", request_) for n in range(50)]
        await trio.sleep(slots.GRACE_S + 0.1)
        for _ in range(12):
            await crowd.says(nursery, "10.9.1.0", request_)
            assert await crowd.gets(nursery, "10.9.1.0") == 200
            await trio.sleep(slots.GRACE_S / 2)
        with trio.fail_after(1):
            while await slow[0].receive_some():
                pass  # the longest wait: it was hung up on
        nursery.cancel_scope.cancel()


class Reader:
    """A client on a stream that takes a part only when it is read."""

    def __init__(self, crowd: Crowd, nursery: trio.Nursery, address: str, target: bytes) -> None:
        ours, self.stream = trio.testing.lockstep_stream_pair()
        crowd.addresses[id(ours)] = address
        crowd.kept.append(ours)
        request = b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % target

        async def serve() -> None:
            await crowd.handler(ours)
            await ours.aclose()

        nursery.start_soon(serve)
        nursery.start_soon(self.stream.send_all, request)

    async def status(self) -> int:
        """That of the answer, whose first part is read for it."""
        with trio.fail_after(1):
            return int(bytes(await self.stream.receive_some())[9:12])

    async def read(self) -> int:
        """How many octets come until the connection ends."""
        count = 0
        while part := await self.stream.receive_some():
            count += len(part)
        return count


@rfc("service-2")
@pytest.mark.parametrize("limit", ["CONNECTIONS_SHARE", "MOST_CONNECTIONS", "FILES_SHARE", "MOST_FILES"])
async def test_a_client_that_does_not_read_loses_its_slot_to_one_that_does(
    root: Path, monkeypatch: pytest.MonkeyPatch, limit: str, autojump_clock: MockClock
) -> None:
    """The client that has not read for longest loses its slot; one that goes on reading keeps it."""
    crowd = Crowd(monkeypatch, root, most=100, share=100)
    monkeypatch.setattr(httpd, limit, 5)
    crowd.handler = httpd.handler(host(), root)

    async with trio.open_nursery() as nursery:
        reads = Reader(crowd, nursery, "10.9.0.1", b"/big.bin")
        assert await reads.status() == 200
        stuck = [Reader(crowd, nursery, "10.9.0.1", b"/big.bin") for _ in range(4)]
        assert [await each.status() for each in stuck] == [200] * 4
        assert await Reader(crowd, nursery, "10.9.0.1", b"/big.bin").status() == 503
        await trio.sleep(slots.GRACE_S / 2)
        while len(await reads.stream.receive_some()) < 1000:
            pass
        await trio.sleep(slots.GRACE_S / 2 + 0.1)
        for _ in range(4):
            assert await Reader(crowd, nursery, "10.9.0.1", b"/big.bin").status() == 200
        assert await Reader(crowd, nursery, "10.9.0.1", b"/big.bin").status() == 503
        for each in stuck:
            assert await each.read() < 300_000
        assert await reads.read() > 100_000
        nursery.cancel_scope.cancel()


@rfc("service-2")
async def test_few_clients_without_a_slot_get_503_and_others_are_closed(
    root: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The answer 503 holds a connection for a moment: past the limit a connection is closed at once."""
    monkeypatch.setattr(httpd, "MOST_TURNED_AWAY", 3)
    crowd = Crowd(monkeypatch, root, share=1)

    async with trio.open_nursery() as nursery:
        ends = [await crowd.says(nursery, "10.9.0.66", SLOW) for _ in range(9)]
        answers = [bytes(await end.receive_some())[9:12] for end in ends[1:]]
        assert answers == [b"503"] * 3 + [b""] * 5
        await trio.sleep(httpd.IDLE_S + 1)
        assert await crowd.gets(nursery, "10.9.0.66") == 200
        nursery.cancel_scope.cancel()


@rfc("service-2")
async def test_one_address_has_a_share_of_the_open_files(
    root: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    monkeypatch.setattr(httpd, "FILES_SHARE", 2)
    crowd = Crowd(monkeypatch, root)
    request = b"GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n"

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


async def test_slots_are_counted_as_they_are_taken_and_given_back(autojump_clock: MockClock) -> None:
    table = slots.Slots(3, 2)
    one, two = table.take("a"), table.take("a")
    assert one is not None
    assert two is not None
    assert table.take("a") is None
    with one.scope:
        table.mark_waiting(one)
        assert table.take("a") is None
        await trio.sleep(slots.GRACE_S)
        table.mark_working(one)
        assert table.take("a") is None
        table.mark_waiting(one)
        await trio.sleep(slots.GRACE_S)
        new = table.take("a")
        await trio.sleep(100)
    assert new is not None
    assert trio.current_time() < 3  # it was taken away meanwhile
    table.give_back(one)
    assert len(table) == 2
    for place in (two, new):
        table.give_back(place)
        table.give_back(place)
    assert len(table) == 0
    assert table.take("a") is not None


async def test_the_number_of_open_files_is_limited(
    root: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    monkeypatch.setattr(httpd, "MOST_FILES", 5)
    handler = httpd.handler(host(), root)
    for _ in range(2):  # those that were open have been given back
        cost, starts = await stuck(handler, 9, b"GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n")
        assert cost == 5
        assert sorted(start[9:12] for start in starts) == [b"200"] * 5 + [b"503"] * 4


async def test_a_file_is_read_only_when_it_can_be_sent(
    root: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    """A client that does not read costs no chunk of the file."""
    sizes: list[int] = []

    class Noted(httpd.CountedFile):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size or 0)
            return super().read(size) or b""

    monkeypatch.setattr(httpd, "CountedFile", Noted)
    await stuck(httpd.handler(host(), root), 3, b"GET /big.bin HTTP/1.1\r\nHost: h\r\n\r\n")
    assert sizes == []
    assert (await get(root, "/big.bin"))[0] == 200
    assert max(sizes) <= 65536


async def test_a_long_listing_is_cut(root: Path, autojump_clock: MockClock) -> None:
    for number in range(httpd.MOST_ENTRIES + 7):
        (root / "site" / f"f{number}").touch()
    (root / "site" / "index.html").unlink()
    body = await body_of(root, "/site/")
    assert body.count(b"<li>") == httpd.MOST_ENTRIES + 1
    assert b"and 7 more" in body


@rfc("service-3")
async def test_a_long_listing_lets_other_tasks_run(
    root: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """With 50,000 files another task runs after every one or two turns of the listing."""
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

    async with trio.open_nursery() as nursery:

        async def list_it() -> None:
            answers.append(await httpd.Listings().get(root, root, "/"))
            nursery.cancel_scope.cancel()

        nursery.start_soon(list_it)
        while True:
            turns.append(seen)
            await trio.lowlevel.checkpoint()
    assert turns[-1] > files
    assert max(later - earlier for earlier, later in pairwise(turns)) <= 2 * httpd.ENTRIES_A_TURN
    assert b'<li><a href="./f00000">f00000</a></li><li><a href="./f00001">' in answers[0]
    assert b"f00999</a></li><li>and 49000 more</li></ul>" in answers[0]


@rfc("service-3")
@pytest.mark.real_time("the time is that of asking again and again")
async def test_a_listing_is_cached(root: Path) -> None:
    for number in range(3000):
        (root / f"g{number}").touch()
    made = 0
    listings = httpd.Listings()
    kept = b""
    began = trio.current_time()
    while trio.current_time() < began + 0.2:
        page = await listings.get(root, root, "/")
        made += page is not kept
        kept = page
    assert made <= 1 + 0.2 * 20


async def test_a_listing_reveals_nothing_outside_the_folder(root: Path, autojump_clock: MockClock) -> None:
    """A link to a folder outside is shown as any link, whether that folder exists or not."""
    (root / "nowhere").symlink_to("/no/such/folder")
    (root / "sub").symlink_to("sub dir")
    body = await body_of(root, "/")
    for shown in (b">out<", b">nowhere<", b">loop<", b">sub/<", b">sub dir/<"):
        assert shown in body
