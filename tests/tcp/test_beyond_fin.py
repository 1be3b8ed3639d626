"""Nothing follows a FIN: "no more data from sender" (RFC 9293 section 3.1), in any order of
arrival.

A FIN that arrives before the text that precedes it shows where the stream ends. Text beyond that,
held before or arriving later, is not part of the stream. Otherwise the reader would get octets that
the peer never sent, and would wait for ever for the end.
"""

from __future__ import annotations

from itertools import permutations

import pytest

from stack.tcp.recvbuf import ReceiveBuffer
from stack.tcp.states import State
from tests.requirements import rfc

from .test_sack import FIRST, blocks
from .test_sack import agreed as with_sack
from .world import ACK, FIN, add, established

PIECES = {"front": (ACK, 0, b"aa"), "last": (FIN | ACK, 2, b"bb"), "evil": (ACK, 4, b"EVIL")}


@rfc("field-2", "9293 SHLD-31")
@pytest.mark.parametrize("order", list(permutations(PIECES)), ids="-".join)
def test_text_beyond_a_fin_is_not_of_the_stream(order: tuple[str, ...]) -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    for name in order:
        flags, distance, data = PIECES[name]
        peer.sends(flags, data, seq=add(start, distance))
    peer.wait(0.1)
    assert conn.receive(100, peer.now) == b"aabb"
    assert conn.receive(100, peer.now) == b""
    assert conn.state is State.CLOSE_WAIT
    assert peer.world.sent[-1].ack == add(start, 5)
    peer.world.sent.clear()


@rfc("field-2")
def test_each_piece_beyond_it_is_answered_and_counted() -> None:
    """Its sender, should it be in good faith, is to learn where we stand."""
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(FIN | ACK, b"bb", seq=add(start, 2))
    peer.expects(ACK, ack=start)
    for distance, data in ((4, b"EVIL"), (9, b"EVIL"), (3, b"bEVIL")):
        peer.sends(ACK, data, seq=add(start, distance))
        peer.expects(ACK, ack=start)
    peer.sends(FIN | ACK, seq=add(start, 9))  # nor is there a second end
    peer.expects(ACK, ack=start)
    assert peer.world.counters["tcp_beyond_fin"] == 4
    assert conn.receive_buffer.held == 2
    peer.sends(ACK, b"aaxx and so on", seq=start)  # the first copy wins, up to the end
    peer.expects(ACK, ack=add(start, 5))
    assert conn.receive(100, peer.now) == b"aabb"
    assert conn.receive(100, peer.now) == b""


@rfc("field-2")
def test_what_was_held_beyond_it_is_not_reported_any_more() -> None:
    conn, peer = with_sack()
    for first, end in ((100, 200), (250, 450), (500, 600)):
        peer.sends(ACK, bytes(end - first), seq=add(FIRST, first))
        peer.expects(ACK)
    peer.sends(FIN | ACK, bytes(50), seq=add(FIRST, 300))  # the stream ends in the midst of the second
    assert blocks(peer.expects(ACK, ack=FIRST)) == [(300, 350), (250, 350), (100, 200)]
    assert conn.receive_buffer.held == 200
    peer.sends(ACK, bytes(300), seq=FIRST)
    peer.expects(ACK, ack=add(FIRST, 351))
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(1000, peer.now) == bytes(350)


def test_of_two_ends_the_one_that_comes_first_in_the_stream_counts() -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(FIN | ACK, b"cc", seq=add(start, 4))
    peer.expects(ACK, ack=start)
    peer.sends(FIN | ACK, b"bb", seq=add(start, 2))
    peer.expects(ACK, ack=start)
    peer.sends(ACK, b"aa", seq=start)
    peer.expects(ACK, ack=add(start, 5))
    assert conn.receive(100, peer.now) == b"aabb"
    assert conn.receive(100, peer.now) == b""


def test_the_end_of_what_is_held() -> None:
    buffer = ReceiveBuffer(8)
    for start, data in ((10, b"abcd"), (20, b"efgh"), (30, b"i")):
        buffer.insert(start, data)
    buffer.cut_held(31)
    assert buffer.held == 9
    buffer.cut_held(22)
    assert (buffer.runs(), buffer.held) == ([(10, 14), (20, 22)], 6)
    buffer.cut_held(20)
    assert (buffer.runs(), buffer.held) == ([(10, 14)], 4)
    buffer.cut_held(5)
    assert (buffer.runs(), buffer.held) == ([], 0)
    ReceiveBuffer(8).cut_held(0)
