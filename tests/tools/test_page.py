"""The status page: the parts that every client may read, and those that --status adds."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from stack import Event, Host, Recorder
from tests.requirements import rfc
from tests.sockets.hosts import ALICE, BOB, two_hosts
from tests.tools.http_exchange import Record, exchange, host
from tools import httpd, page, services


async def test_without_a_folder_there_is_the_page(autojump_clock: MockClock) -> None:
    handler = httpd.handler(host(), None, status=True)
    answer = (await exchange(handler, b"GET / HTTP/1.0\r\n\r\n")).decode()
    assert "200 OK" in answer
    for shown in ("&lt;tap0&gt;", "10.9.0.2/24, a&amp;b", "1.500", "Leases (DHCP)", "ifInOctets", "none"):
        assert shown in answer
    assert "<tap0>" not in answer
    assert "never" not in answer
    assert (await exchange(handler, b"GET /else HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 404 ")


PAGE = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


async def pages(*, status: bool) -> tuple[bytes, bytes]:
    """The page of a host before and after a stranger's traffic: a connection from port 40123, and dropped segments."""
    found: list[bytes] = []
    ends: list[trio.socket.SocketType] = []
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
    return found[0], found[1]


@rfc("page-1")
async def test_the_plain_page_shows_neither_peers_nor_counters(autojump_clock: MockClock) -> None:
    """The page does not change with the traffic, so a blind attacker learns nothing from it."""
    before, after = await pages(status=False)
    assert before == after
    assert b"<td>10.9.0.2/24" in after
    for secret in (b"10.9.0.1", b":40", b"LISTEN", b"ESTABLISHED", b"InErrs", b"Segs", b"02:00"):
        assert secret not in after


async def test_the_status_page_shows_everything(autojump_clock: MockClock) -> None:
    before, after = await pages(status=True)
    assert before != after
    for shown in (b"10.9.0.1:40123", b"ESTABLISHED", b"tcpInSegs", b"10.9.0.1"):
        assert shown in after


async def test_the_status_page_of_a_watched_host_shows_the_last_drops_and_decisions(
    autojump_clock: MockClock,
) -> None:
    """As text, the newest first, and no more than fit."""
    events = Recorder()
    async with two_hosts() as (alice, bob), trio.open_nursery() as nursery:
        await services.serve(bob, {"echo": 7}, nursery)
        handler = httpd.handler(bob, None, status=True, events=events)
        with bob.watch(events):
            for _ in range(page.SHOWN_EVENTS):
                with alice.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as udp:
                    await udp.sendto(b"x", (BOB, 999))
                await trio.sleep(2)
            with pytest.raises(OSError, match=r"refused|failed"):
                await alice.open_tcp_stream(BOB, 81)
        nursery.cancel_scope.cancel()
    shown = (await exchange(handler, b"GET / HTTP/1.0\r\n\r\n")).decode()
    rows = re.findall(r"<tr><td>[\d.]+<td>([^<]*)<td>([^<]*)", shown[shown.index("Last events") :])
    assert len(rows) == page.SHOWN_EVENTS
    said = [text for _, text in rows]
    refused = next(number for number, text in enumerate(said) if text.startswith("dropped: tcp_no_connection: "))
    assert refused < 6
    assert "(9293-3.5.2-a, " in said[refused]
    assert "udp_no_port" in shown
    assert not any("octets" in text or "snd_una" in text for text in said)


async def test_the_page_of_a_host_that_is_not_watched_says_how_to_see_events(autojump_clock: MockClock) -> None:
    """Watching costs the fast paths, so the page alone does not do it."""
    answer = (await exchange(httpd.handler(host(), None, status=True), b"GET / HTTP/1.0\r\n\r\n")).decode()
    assert "Start it with --trace." in answer


async def test_text_of_events_is_escaped(autojump_clock: MockClock) -> None:
    events = Recorder()
    events(Event(1, 0.0, 0.0, "dhcp:note", "<b>", 0, "frame", {"text": "<img src=x>"}, ("own",)))
    answer = (
        await exchange(httpd.handler(host(), None, status=True, events=events), b"GET / HTTP/1.0\r\n\r\n")
    ).decode()
    assert "&lt;img src=x&gt;" in answer
    assert "<td>&lt;b&gt;" in answer
    assert "<img" not in answer


def crowded(count: int) -> tuple[Host, list[int]]:
    """A host with so many connections, and a list that grows with each request for them."""
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


async def test_the_page_is_made_once_a_second_for_all_clients(autojump_clock: MockClock) -> None:
    crowd, asked = crowded(3)
    cached = page.CachedPage(lambda: page.status_page(crowd))

    async with trio.open_nursery() as nursery:
        for _ in range(600):
            nursery.start_soon(cached.get)
    assert len(asked) == 1
    await trio.sleep(page.FRESH_S + 5)
    await cached.get()
    assert len(asked) == 2


async def test_a_fresh_page_is_sent_again(autojump_clock: MockClock) -> None:
    crowd, asked = crowded(3)
    handler = httpd.handler(crowd, None, status=True)
    request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    assert (await exchange(handler, request * 20)).count(b"HTTP/1.1 200 OK") == 20
    assert len(asked) == 1


async def test_a_table_is_cut_and_the_rest_counted(autojump_clock: MockClock) -> None:
    crowd, _ = crowded(page.MOST_ROWS + 34)
    shown = await page.status_page(crowd)
    assert b">c199<" in shown
    assert b">c200<" not in shown
    assert b"and 34 more" in shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), ((), "-"), (("a", 1), "a, 1"), (0.25, "0.250"), ("x", "x"), (True, "True")]
)
def test_values_are_formatted(value: object, shown: str) -> None:
    assert page.text(value) == shown
