"""A peer that is led by a script, and one that follows rules."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trio
from trio.testing import MockClock

from stack import Ethernet, Impaired
from stack.link.memory import ip_pair
from stack.testing import ACK, FIN, PSH, RST, SYN, PeerError, Received, nothing, open_peer
from stack.testing.peer import fits_flags
from tests.sockets.hosts import ALICE, NOBODY, host_on
from tests.testing.world import PEER, PORT, connected, host_and_peer, read_all


async def test_a_script_of_a_whole_connection(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async with host_and_peer() as (host, peer):
        received: list[bytes] = []

        async def client() -> None:
            async with await connected(host) as stream:
                await stream.send_all(b"GET")
                received.append(await read_all(stream))

        nursery.start_soon(client)
        syn = await peer.expect(SYN)
        await peer.send(SYN | ACK, seq=0)
        request = await peer.expect(PSH | ACK, data=b"GET", seq=1, ack=1)
        await peer.send(ACK, b"a page")
        await peer.send(FIN | ACK)
        fin = await peer.expect(FIN, where=lambda segment: segment.ack == 8)
        await peer.send(ACK)
        await peer.expect_nothing(for_s=100)
        assert received == [b"a page"]
        assert (syn.window, syn.length, request.at) == (syn.heard.tcp.window, 1, syn.at)
        assert fin.line.startswith("FIN,ACK seq 4 ack 8 win ")


async def test_what_is_not_expected_is_told_with_all_before_it(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async with host_and_peer() as (host, peer):

        async def client() -> None:
            async with await connected(host) as stream:
                await stream.send_all(b"it's")
                await trio.sleep_forever()

        nursery.start_soon(client)
        await peer.expect(SYN)
        await peer.send(SYN | ACK, seq=0, window=500)
        with pytest.raises(PeerError) as caught:
            await peer.expect(FIN, ack=1)
        lines = str(caught.value).splitlines()
        assert lines[:2] == ["expected FIN ack 1", 'but got  PSH,ACK seq 1 ack 1 win 65535 len 4 "it\'s"']
        assert lines[2] == "so far, > from the peer, < from the host, numbers from each SYN:"
        assert [line[12:] for line in lines[3:]] == [
            " < SYN seq 0 win 65535",
            " > SYN,ACK seq 0 ack 1 win 500",
            " < ACK seq 1 ack 1 win 65535",
            ' < PSH,ACK seq 1 ack 1 win 65535 len 4 "it\'s"',
        ]
        with pytest.raises(PeerError, match=r"expected FIN where is_late\nbut nothing of the kind came within 0.1 s"):
            await peer.expect(FIN, where=is_late, within_s=0.1)
        with pytest.raises(PeerError, match=r"expected nothing for 10 s\nbut got  PSH,ACK seq 1 ack 1 win"):
            await peer.expect_nothing(for_s=10)  # the host sends its data again


def is_late(segment: Received) -> bool:
    return segment.at > 100


async def test_bare_acks_are_passed_over_unless_all_count(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    async with host_and_peer() as (host, peer):

        async def client() -> None:
            async with await connected(host) as stream:
                await stream.send_all(b"x")
                await stream.receive_some()

        nursery.start_soon(client)
        await peer.expect(SYN)
        await peer.send(SYN | ACK, seq=0)
        with pytest.raises(PeerError, match="expected a segment data b'x'\nbut got  ACK seq 1 ack 1"):
            await peer.expect(data=b"x", skip=nothing)
        assert (await peer.expect(data=b"x", skip=nothing)).seq == 1
        await peer.send(ACK, window=70)
        await peer.send(FIN | ACK)
        # The client closes. Its ACK of our FIN is passed over, and the FIN is next.
        assert (await peer.expect(FIN)).seq == 2
        await peer.send(ACK)


async def test_a_rule_answers_in_the_place_of_the_peer(autojump_clock: MockClock) -> None:
    async with host_and_peer() as (host, peer):
        seen: list[bytes] = []
        peer.answers(bytes.upper)
        peer.when(lambda segment: b"secret" in segment.data, lambda segment: segment.conversation.reset())
        peer.when(lambda segment: segment.data, lambda segment: seen.append(segment.data), times=2, instead=False)
        async with await connected(host) as stream:
            for word in (b"one", b"two", b"three"):
                await stream.send_all(word)
                assert await stream.receive_some() == word.upper()
            assert seen == [b"one", b"two"]
            await stream.send_all(b"a secret")
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()


async def test_a_rule_that_takes_nothing_makes_the_host_send_again(autojump_clock: MockClock) -> None:
    async with host_and_peer() as (host, peer):
        peer.answers(b"yes")
        peer.when(lambda segment: segment.data, lambda segment: None, times=2)
        async with await connected(host) as stream:
            began = trio.current_time()
            await stream.send_all(b"there?")
            assert await stream.receive_some() == b"yes"
            assert trio.current_time() - began > 0.5
        assert sum(" len 6 'there?'" in line for line in peer.log) == 3


async def test_what_a_rule_raises_ends_the_block(autojump_clock: MockClock) -> None:
    def refuse(segment: Received) -> None:
        raise KeyError(segment.line)

    async def test() -> None:
        async with host_and_peer() as (host, peer):
            peer.when(lambda segment: segment.flags & SYN, refuse)
            await connected(host)

    with pytest.raises(KeyError, match="SYN seq 0 win 65535"):
        await test()


async def test_of_two_rules_that_apply_the_first_one_counts(autojump_clock: MockClock) -> None:
    async with host_and_peer() as (host, peer):
        seen: list[str] = []
        peer.answers(b"yes")
        peer.when(lambda segment: segment.data, lambda segment: seen.append("first"), instead=False)
        peer.when(lambda segment: segment.data, lambda segment: seen.append("second"), instead=False)
        async with await connected(host) as stream:
            await stream.send_all(b"there?")
            assert await stream.receive_some() == b"yes"
        assert seen == ["first"]


@pytest.mark.parametrize(
    ("real", "said", "fits"),
    [
        (SYN | ACK, None, True),
        (SYN, SYN, True),
        (SYN | ACK, SYN, False),
        (SYN, SYN | ACK, False),
        (SYN | ACK, SYN | ACK, True),
        (FIN | ACK, FIN, True),
        (FIN, FIN | ACK, False),
        (FIN | ACK, ACK, False),
        (SYN | ACK, ACK, False),
        (RST | ACK, ACK, False),
        (RST | ACK, RST, True),
        (PSH | ACK, ACK, True),
        (ACK, PSH | ACK, False),
    ],
)
def test_syn_fin_and_rst_are_as_said(real: int, said: int | None, fits: bool) -> None:
    """So is the ACK of a segment with SYN. Other flags may be there, too."""
    assert fits_flags(real, said) == fits


async def test_nothing_is_said_before_the_host_offers_a_window(autojump_clock: MockClock) -> None:
    async with host_and_peer() as (_, peer):
        conversation = await peer.toward(ALICE, PORT)
        conversation.say(b"too early")
        await trio.sleep(10)
        assert list(peer.log) == []


async def test_its_station_is_that_of_its_link(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    mac = bytes.fromhex("02c0ffee0001")
    link = Impaired(ethernet.attach("peer", mac))
    async with host_on(ethernet.attach("alice"), f"{ALICE}/24") as host, open_peer(link) as peer:
        await peer.toward(ALICE, PORT)
        assert [(record.address, record.mac) for record in host.neighbors()] == [(PEER, "02:c0:ff:ee:00:01")]


async def test_it_needs_an_ethernet(autojump_clock: MockClock) -> None:
    async def test() -> None:
        async with open_peer(ip_pair()[0]):
            pass

    with pytest.raises(ValueError, match="ip1 carries bare IP packets: a peer needs an Ethernet"):
        await test()


async def test_requests_end_with_what_is_said(autojump_clock: MockClock) -> None:
    async with host_and_peer() as (host, peer):
        peer.answers(lambda request: b"<" + request + b">", to=b".")
        async with await connected(host) as stream:
            await stream.send_all(b"one.two.thr")
            await trio.sleep(1)
            assert await stream.receive_some() == b"<one.><two.>"
            await stream.send_all(b"ee.")
            assert await stream.receive_some() == b"<three.>"
        assert peer.conversations[0].answered == 3


async def test_the_peer_opens_a_connection_to_a_server(autojump_clock: MockClock) -> None:
    async def shout(stream: trio.SocketStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send_all(data.upper())

    async with host_and_peer() as (host, peer), trio.open_nursery() as nursery:
        with pytest.raises(PeerError, match=f"expected SYN,ACK from {ALICE}:{PORT}\nbut the connection was not"):
            await peer.connect(ALICE, PORT)
        await nursery.start(host.serve_tcp, shout, PORT)
        conversation = await peer.connect(ALICE, PORT)
        conversation.say(b"hello")
        await trio.sleep(1)
        assert conversation.received == b"HELLO"
        conversation.finish()
        await trio.sleep(1)
        assert [record.state for record in host.connections() if record.remote] == []
        nursery.cancel_scope.cancel()


async def test_without_a_conversation_or_a_host_it_says_so(autojump_clock: MockClock) -> None:
    async with host_and_peer() as (_, peer):
        with pytest.raises(RuntimeError, match=r"there is no conversation yet: expect\(SYN\)"):
            await peer.send(ACK)
        with pytest.raises(PeerError, match=f"expected {NOBODY} to answer ARP\nbut nothing came within 5 s"):
            await peer.toward(NOBODY, PORT)
        conversation = await peer.toward(ALICE, PORT)
        with pytest.raises(PeerError, match=r"expected SYN\nbut nothing of the kind came within 1 s\n.*\n  no segment"):
            await peer.expect(SYN, within_s=1)
        assert "with 10.9.0.1:80, 0 sent, 0 taken" in repr(conversation)


async def test_damaged_frames_do_not_end_it(autojump_clock: MockClock) -> None:
    """What comes to the peer from the wire may be anything."""
    async with host_and_peer() as (host, peer):
        peer.answers(b"yes")
        mac = peer.mac
        for frame in (b"", mac, mac + bytes(6) + b"\x08\x00", mac + bytes(6) + b"\x08\x06" + b"\xff" * 46):
            peer.link.arrive(frame)  # type: ignore[attr-defined]
        async with await connected(host) as stream:
            await stream.send_all(b"there?")
            assert await stream.receive_some() == b"yes"
        assert any("a damaged frame: " in line for line in peer.log)


def test_import_stack_does_not_import_it() -> None:
    program = (
        "import sys, stack\nfor name in stack.__all__: getattr(stack, name)\nprint('stack.testing' in sys.modules)\n"
        "import stack.testing\nprint('pytest' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
