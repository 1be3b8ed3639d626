"""Ten misbehaviours, in eleven tests, as the author of a program uses them: on httpx, and on a client over plain trio.

test_wrong_applications.py shows that each of these tests fails when the program is wrong.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import trio

from stack import testing
from tests.testing.right_applications import (
    Unavailable,
    connect,
    download,
    fetch,
    fetch_patiently,
    order,
    read_all,
    read_line,
    read_message,
    say_goodbye,
    upload,
)

BLANK_LINE = b"\r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
async def http(installed_host: object) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


# --- httpx


async def test_a_kept_connection_that_the_server_has_forgotten(
    misbehaving_peer: testing.Peer, http: httpx.AsyncClient
) -> None:
    misbehaving_peer.misbehaves(testing.stays_half_open(answers=1))
    misbehaving_peer.answers(REPLY, to=BLANK_LINE)
    assert await fetch(http) == "hello"
    assert await fetch(http) == "hello"
    assert len(misbehaving_peer.conversations) == 2


async def test_an_answer_that_never_ends(misbehaving_peer: testing.Peer, http: httpx.AsyncClient) -> None:
    misbehaving_peer.misbehaves(testing.dribbles(1, every_s=4))  # httpx allows 5 s for each read
    misbehaving_peer.answers(REPLY, to=BLANK_LINE)
    with pytest.raises(Unavailable):
        await fetch(http)
    assert trio.current_time() <= 60


async def test_a_service_that_is_down(misbehaving_peer: testing.Peer, http: httpx.AsyncClient) -> None:
    misbehaving_peer.misbehaves(testing.refuses())
    with pytest.raises(Unavailable):
        await fetch_patiently(http)
    assert 3 <= len(misbehaving_peer.conversations) <= 10


async def test_a_server_that_vanishes_in_the_midst(misbehaving_peer: testing.Peer, http: httpx.AsyncClient) -> None:
    misbehaving_peer.misbehaves(testing.falls_silent(sent=5000))
    misbehaving_peer.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + bytes(10_000), to=BLANK_LINE)
    with pytest.raises(Unavailable):
        await download(http)


async def test_an_order_whose_answer_is_late(misbehaving_peer: testing.Peer, http: httpx.AsyncClient) -> None:
    misbehaving_peer.misbehaves(testing.answers_late(20))
    misbehaving_peer.answers(REPLY, to=b"one, please")
    with pytest.raises(Unavailable):
        await order(http)
    assert sum(conversation.answered for conversation in misbehaving_peer.conversations) == 1


# --- plain trio


async def test_a_firewall_that_drops_packets(misbehaving_peer: testing.Peer) -> None:
    misbehaving_peer.misbehaves(testing.ignores_syns())
    with pytest.raises(Unavailable):
        await connect("files.example.com")
    assert trio.current_time() <= 30


async def test_a_line_in_pieces(misbehaving_peer: testing.Peer) -> None:
    misbehaving_peer.misbehaves(testing.dribbles(3, every_s=0.1))
    misbehaving_peer.answers(b"220 ready\r\n")
    async with await connect("files.example.com") as stream:
        await stream.send_all(b"hello\r\n")
        assert await read_line(stream) == b"220 ready\r\n"


async def test_a_reset_in_the_midst(misbehaving_peer: testing.Peer) -> None:
    misbehaving_peer.misbehaves(testing.resets_after(sent=5000))
    misbehaving_peer.answers(bytes(10_000), close=True)
    async with await connect("files.example.com") as stream:
        await stream.send_all(b"get\r\n")
        with pytest.raises(Unavailable):
            await read_all(stream)


async def test_an_answer_that_is_cut_short(misbehaving_peer: testing.Peer) -> None:
    misbehaving_peer.misbehaves(testing.closes_after(sent=5000))
    misbehaving_peer.answers(bytes(10_000))
    async with await connect("files.example.com") as stream:
        await stream.send_all(b"get\r\n")
        with pytest.raises(Unavailable):
            await read_message(stream, 10_000)


async def test_a_server_that_takes_nothing_more(misbehaving_peer: testing.Peer) -> None:
    misbehaving_peer.misbehaves(testing.freezes_window(after=100_000))
    async with await connect("files.example.com") as stream:
        with pytest.raises(Unavailable):
            await upload(stream, bytes(10_000_000))
    assert misbehaving_peer.conversations[0].received_octets == 100_000


async def test_a_server_that_never_closes(misbehaving_peer: testing.Peer) -> None:
    misbehaving_peer.misbehaves(testing.never_closes())
    misbehaving_peer.answers(b"goodbye")
    async with await connect("files.example.com") as stream:
        await stream.send_all(b"quit\r\n")
        assert await say_goodbye(stream) == b"goodbye"
    assert trio.current_time() <= 60
