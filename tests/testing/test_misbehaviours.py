"""Each ready-made misbehaviour, as a plain trio client of a host meets it."""

from __future__ import annotations

import errno
import inspect

import pytest
import trio
from trio.testing import MockClock

import stack.testing as misbehaving
from stack.testing import misbehaviours
from tests.testing.world import PEER, PORT, connected, error_of, host_and_peer, read_all

RESPONSE = bytes(range(256)) * 20


async def test_refuses(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.refuses()) as (host, peer):
        with host.socket() as socket, pytest.raises(ConnectionRefusedError):
            await socket.connect((PEER, PORT))
        assert [line[12:] for line in peer.log][1:] == [" > RST,ACK seq 0 ack 1 win 65535"]


async def test_ignores_syns(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.ignores_syns()) as (host, peer):
        with host.socket() as socket, pytest.raises(TimeoutError) as caught:
            await socket.connect((PEER, PORT))
        assert caught.value.errno == errno.ETIMEDOUT
        assert len(peer.log) > 3
        assert all(" < SYN " in line for line in peer.log)


async def test_resets_after_what_it_has_received(autojump_clock: MockClock) -> None:
    """Errno by errno what Linux has: ECONNRESET once, then the end of the stream, EPIPE, ENOTCONN."""
    async with host_and_peer(misbehaving.resets_after(received=10)) as (host, peer):
        stream = await connected(host)
        await stream.send_all(b"123456789")
        await trio.sleep(1)
        assert host.connections()[0].unsent == 0  # acknowledged, and not reset
        await stream.send_all(b"0")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert error_of(caught.value).errno == errno.ECONNRESET
        assert await stream.receive_some() == b""
        for call, number in ((stream.send_all(b"x"), errno.EPIPE), (stream.send_eof(), errno.ENOTCONN)):
            with pytest.raises(trio.BrokenResourceError) as caught:
                await call
            assert error_of(caught.value).errno == number
        assert peer.conversations[0].received == b"1234567890"


@pytest.mark.parametrize("sent", [1, 1460, 2000])
async def test_resets_after_what_it_has_sent(sent: int, autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.resets_after(sent=sent)) as (host, peer):
        peer.answers(RESPONSE)
        stream = await connected(host)
        await stream.send_all(b"please")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await read_all(stream)
        assert error_of(caught.value).errno == errno.ECONNRESET
        assert peer.conversations[0].sent_octets == sent


@pytest.mark.parametrize("place", [{}, {"received": 0}, {"sent": 0}], ids=str)
async def test_resets_after_the_handshake(place: dict[str, int], autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.resets_after(**place)) as (host, _):
        for _ in range(2):  # a peer does to each connection what it does to the first
            async with await connected(host) as stream:
                with pytest.raises(trio.BrokenResourceError) as caught:
                    await stream.receive_some()
                assert error_of(caught.value).errno == errno.ECONNRESET


async def test_falls_silent(autojump_clock: MockClock) -> None:
    """The program that waits for an answer is told when the host gives up sending."""
    async with host_and_peer(misbehaving.falls_silent()) as (host, peer):
        stream = await connected(host)
        await stream.send_all(b"anybody?")
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert error_of(caught.value).errno == errno.ETIMEDOUT
        assert trio.current_time() - began > 100
        assert [line for line in peer.log if " > " in line] == [line for line in peer.log if " SYN,ACK" in line]


async def test_falls_silent_in_the_midst_of_its_answer(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.falls_silent(sent=2000)) as (host, peer):
        peer.answers(RESPONSE)
        stream = await connected(host)
        await stream.send_all(b"please")
        received = bytearray()
        with trio.move_on_after(5000) as scope:
            async for data in stream:
                received += data
        assert scope.cancelled_caught  # the host has nothing to send, and waits for ever
        assert received == RESPONSE[:2000]


@pytest.mark.parametrize(("sent", "received"), [(10, None), (None, 6), (None, None)])
async def test_closes_after(sent: int | None, received: int | None, autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.closes_after(sent=sent, received=received)) as (host, peer):
        peer.answers(RESPONSE)
        for _ in range(2):
            async with await connected(host) as stream:
                await stream.send_all(b"please")
                assert await read_all(stream) == RESPONSE[: sent or 0]
                assert host.connections()[-1].state == "CLOSE-WAIT"


async def test_freezes_window(autojump_clock: MockClock) -> None:
    """The host probes the window for as long as the peer answers, and never gives up."""
    async with host_and_peer(misbehaving.freezes_window(after=3000)) as (host, peer):
        stream = await connected(host)
        with trio.move_on_after(3600) as scope:
            await stream.send_all(bytes(10_000_000))
        assert scope.cancelled_caught
        assert peer.conversations[0].received_octets == 3000
        assert [record.state for record in host.connections()] == ["ESTABLISHED"]
        probes = [line for line in list(peer.log)[-20:] if " < " in line]
        assert len(probes) == 10


async def test_tiny_windows(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.tiny_windows(4)) as (host, peer):
        peer.answers(b"I have it", to=b"the end")
        stream = await connected(host)
        await stream.send_all(b"this is the end")
        assert await stream.receive_some() == b"I have it"
        sizes = [len(line.partition(" len ")[2]) > 0 for line in peer.log if " < " in line]
        assert sum(sizes) >= 4


@pytest.mark.parametrize("answers", [0, 1, 2])
async def test_stays_half_open(answers: int, autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.stays_half_open(answers)) as (host, peer):
        peer.answers(b"yes")
        stream = await connected(host)
        for _ in range(answers):
            await stream.send_all(b"there?")
            assert await stream.receive_some() == b"yes"
            await trio.sleep(1)
        assert host.connections()[0].state == "ESTABLISHED"  # the host cannot know
        await stream.send_all(b"there?")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert error_of(caught.value).errno == errno.ECONNRESET
        assert " > RST seq " in peer.log[-1]


async def test_never_closes(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.never_closes()) as (host, peer):
        stream = await connected(host)
        await stream.send_eof()
        with trio.move_on_after(3600) as scope:
            await stream.receive_some()
        assert scope.cancelled_caught
        assert host.connections()[0].state == "FIN-WAIT-2"
        assert " > ACK seq 1 ack 2 " in peer.log[-1]


async def test_crosses_fin(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.crosses_fin(b"last words")) as (host, peer):
        for _ in range(2):
            async with await connected(host) as stream:
                await stream.send_eof()
                assert await read_all(stream) == b"last words"
                assert host.connections()[-1].state == "TIME-WAIT"
        flags = [line.split()[2] for line in list(peer.log)[-4:]]
        assert flags == ["FIN,ACK", "FIN,ACK", "ACK", "ACK"]
        assert " > FIN,ACK seq 1 ack 1 " in list(peer.log)[-3]  # it acknowledges no FIN: they cross


@pytest.mark.parametrize("first", [True, False])
async def test_splits_handshake(first: bool, autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.splits_handshake(acknowledges_first=first)) as (host, peer):
        peer.answers(b"yes")
        stream = await connected(host)
        await stream.send_all(b"there?")
        assert await stream.receive_some() == b"yes"
        assert not any(" > SYN,ACK" in line for line in peer.log)


async def test_opens_simultaneously(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.opens_simultaneously()) as (host, peer):
        peer.answers(b"yes")
        stream = await connected(host)
        await stream.send_all(b"there?")
        assert await stream.receive_some() == b"yes"
        said = [line[12:].split(" win ")[0].strip() for line in list(peer.log)[:4]]
        assert said == ["< SYN seq 0", "> SYN seq 0", "> SYN,ACK seq 0 ack 1", "< SYN,ACK seq 0 ack 1"]


async def test_sends_data_with_syn(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.sends_data_with_syn(b"hello ")) as (host, peer):
        peer.answers(b"there")
        stream = await connected(host)
        await stream.send_all(b"who?")
        received = b""
        with trio.fail_after(10):
            while len(received) < len(b"hello there"):
                received += await stream.receive_some()
        assert received == b"hello there"
        assert " > SYN,ACK seq 0 ack 1 win 65535 len 6 'hello '" in peer.log[1]


async def test_acknowledges_unsent(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.acknowledges_unsent(500)) as (host, peer):
        peer.answers(b"yes")
        stream = await connected(host)
        for _ in range(3):
            await stream.send_all(b"there?")
            assert await stream.receive_some() == b"yes"
        assert any(" > ACK seq 1 ack 507 " in line for line in peer.log)
        assert peer.conversations[0].received_octets == 18


async def test_breaks_checksums(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.breaks_checksums(every=2)) as (host, peer):
        peer.answers(RESPONSE)
        stream = await connected(host)
        await stream.send_all(b"please")
        received = bytearray()
        with trio.move_on_after(3600):
            async for data in stream:
                received += data
        assert received == RESPONSE[:1460]  # the second segment never comes in one piece
        assert host.counters()["tcp_bad_checksum"] == 2
        sent = [line for line in peer.log if " > " in line and " len " in line]
        assert [line.endswith(" (bad checksum)") for line in sent] == [False, True, False, True]


async def test_dribbles(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.dribbles(2, every_s=10)) as (host, peer):
        peer.answers(b"abcdefgh", close=True)
        stream = await connected(host)
        await stream.send_all(b"please")
        began = trio.current_time()
        pieces = [bytes(data) async for data in stream]
        assert pieces == [b"ab", b"cd", b"ef", b"gh"]
        assert 40 <= trio.current_time() - began < 60


async def test_answers_late(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.answers_late(90)) as (host, peer):
        peer.answers(b"sorry")
        stream = await connected(host)
        await stream.send_all(b"please")
        await trio.sleep(1)
        assert host.connections()[0].unsent == 0  # acknowledged at once
        began = trio.current_time()
        assert await stream.receive_some() == b"sorry"
        assert trio.current_time() - began == pytest.approx(89, abs=0.1)


async def test_repeats_all(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.repeats_all(3)) as (host, peer):
        peer.answers(b"yes", close=True)
        stream = await connected(host)
        await stream.send_all(b"there?")
        assert await read_all(stream) == b"yes"
        await stream.aclose()
        sent = [line[12:] for line in peer.log if " > " in line]
        assert sent[0::3] == sent[1::3] == sent[2::3]


async def test_two_misbehaviours_at_once(autojump_clock: MockClock) -> None:
    async with host_and_peer(misbehaving.dribbles(1, every_s=1), misbehaving.resets_after(sent=3)) as (host, peer):
        peer.answers(RESPONSE)
        stream = await connected(host)
        await stream.send_all(b"please")
        assert [await stream.receive_some() for _ in range(3)] == [RESPONSE[i : i + 1] for i in range(3)]
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()


async def test_an_answer_waits_for_the_window_of_the_host(autojump_clock: MockClock) -> None:
    """A slow answer goes on when the host's program reads again."""
    async with host_and_peer(misbehaving.dribbles(1460, every_s=0.001)) as (host, peer):
        peer.answers(bytes(1_000_000), close=True)
        stream = await connected(host)
        await stream.send_all(b"please")
        await trio.sleep(60)
        assert peer.conversations[0].sent_octets < 1_000_000
        assert len(await read_all(stream)) == 1_000_000


def test_a_place_is_in_what_is_received_or_in_what_is_sent() -> None:
    for misbehaviour in (misbehaving.resets_after, misbehaving.falls_silent, misbehaving.closes_after):
        with pytest.raises(ValueError, match="give the octets that are received, or those that are sent"):
            misbehaviour(received=1, sent=1)


def test_each_misbehaviour_is_public_and_has_a_test() -> None:
    made = [
        name
        for name, value in vars(misbehaviours).items()
        if inspect.isfunction(value) and value.__module__ == misbehaviours.__name__
        if inspect.get_annotations(value).get("return") == "Misbehaviour" and not name.startswith("_")
    ]
    assert len(made) == 18
    assert set(made) < set(misbehaving.__all__)
    tests = [name for name in globals() if name.startswith("test_")]
    assert [name for name in made if not any(test.startswith(f"test_{name}") for test in tests)] == []
