"""Out-of-order segments are held (SHLD-31), and a peer cannot make that expensive."""

from __future__ import annotations

from itertools import permutations
from time import perf_counter

import pytest

from stack.tcp.recvbuf import ReceiveBuffer
from stack.tcp.states import State
from tests.requirements import rfc

from .world import ACK, FIN, PEER_ISS, add, established, text

STREAM = text(40)
# (first octet, one past the last): in pieces, overlapping, one inside another, repeated
PIECES = [(0, 10), (10, 20), (20, 30), (30, 40)]
OVERLAPPING = [(0, 15), (10, 25), (20, 40), (5, 12)]
NESTED = [(0, 5), (3, 38), (10, 12), (30, 40), (10, 12)]


@rfc("9293 SHLD-31")
@pytest.mark.parametrize("pieces", [PIECES, OVERLAPPING, NESTED], ids=["adjacent", "overlapping", "nested"])
def test_in_whatever_order_segments_come_the_stream_is_the_same(pieces: list[tuple[int, int]]) -> None:
    for order in permutations(pieces):
        conn, peer = established()
        start = conn.rcv_nxt
        arrived: set[int] = set()
        for first, end in order:
            peer.sends(ACK, STREAM[first:end], seq=add(start, first))
            arrived.update(range(first, end))
            ready = next(i for i in range(41) if i not in arrived)
            assert conn.rcv_nxt == add(start, ready)
            assert conn.receive_buffer.held == len(arrived) - ready
        assert conn.receive(100, peer.now) == STREAM
        peer.wait(0.5)
        while peer.world.sent:
            sent = peer.expects(ACK)
        assert sent.ack == add(start, 40)


def test_with_a_fin_wherever_it_comes() -> None:
    for order in permutations([(0, 10), (10, 20), (20, 30), (30, 41)]):
        conn, peer = established()
        start = conn.rcv_nxt
        for first, end in order:
            peer.sends(ACK | FIN if end == 41 else ACK, STREAM[first : min(end, 40)], seq=add(start, first))
        assert conn.state is State.CLOSE_WAIT
        assert conn.receive(100, peer.now) == STREAM
        assert conn.receive(100, peer.now) == b""
        while peer.world.sent:
            sent = peer.expects(ACK)
        assert sent.ack == add(start, 41)


def test_the_reader_is_not_woken_for_what_he_cannot_read() -> None:
    conn, peer = established()
    told: list[int] = []
    conn.on_readable = lambda: told.append(conn.receive_buffer.size)
    start = conn.rcv_nxt
    peer.sends(ACK, STREAM[10:20], seq=add(start, 10))
    peer.expects(ACK)
    assert told == []
    peer.sends(ACK, STREAM[:10], seq=start)
    peer.expects(ACK)
    assert told == [20]


@rfc("9293 MAY-13", "5681-3.2-a")
def test_each_segment_that_comes_too_early_is_acknowledged_at_once() -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    with peer.batch():
        for first in (10, 20, 30):
            peer.sends(ACK, STREAM[first : first + 10], seq=add(start, first))
            peer.expects(ACK, ack=start)


@rfc("5681-3.2-b", "6582-5-a")
def test_a_filled_gap_is_acknowledged_at_once() -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(ACK, STREAM[10:20], seq=add(start, 10))
    peer.expects(ACK, ack=start)
    peer.sends(ACK, STREAM[30:40], seq=add(start, 30))
    peer.expects(ACK, ack=start)
    peer.sends(ACK, STREAM[0:10], seq=start)
    peer.expects(ACK, ack=add(start, 20))
    peer.sends(ACK, STREAM[20:25], seq=add(start, 20))  # "all or part of a gap"
    peer.expects(ACK, ack=add(start, 25))
    peer.sends(ACK, STREAM[25:30], seq=add(start, 25))
    peer.expects(ACK, ack=add(start, 40))
    assert conn.receive(100, peer.now) == STREAM


def test_sixty_four_frames_of_which_the_third_is_missing() -> None:
    """All in one batch: the sender must count three duplicate ACKs."""
    conn, peer = established(receive_buffer_bytes=1 << 16)
    start = conn.rcv_nxt
    with peer.batch():
        for number in range(64):
            if number != 2:
                peer.sends(ACK, text(1000, number * 1000), seq=add(start, number * 1000))
    duplicates = 0
    while peer.world.sent:
        duplicates += peer.expects(ACK).ack == add(start, 2000)
    assert duplicates >= 3
    peer.sends(ACK, text(1000, 2000), seq=add(start, 2000))
    peer.expects(ACK, ack=add(start, 64000))
    assert conn.receive(1 << 20, peer.now) == text(64000)
    peer.expects(ACK, window=65535)  # there is room again


def test_the_first_copy_of_an_octet_wins() -> None:
    """What was acknowledged cannot be changed any more; so nor is what is held."""
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(ACK, b"CDE", seq=add(start, 2))
    peer.expects(ACK)
    peer.sends(ACK, b"xxxxxxx", seq=start)
    peer.expects(ACK)
    assert conn.receive(100, peer.now) == b"xxCDExx"


def test_an_exact_duplicate_changes_nothing_but_is_answered() -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    for _ in range(3):
        peer.sends(ACK, b"early", seq=add(start, 10))
        peer.expects(ACK, ack=start)
        assert conn.receive_buffer.held == 5


# --- SegmentSmack


def test_sixty_four_thousand_disjoint_octets_are_bounded() -> None:
    conn, peer = established(scale=0, receive_buffer_bytes=1 << 18)
    start = conn.rcv_nxt
    limit = peer.world.services.config.max_out_of_order_runs
    for number in range(64_000):
        peer.sends(ACK, b"x", seq=add(start, 1 + 2 * number))
    assert len(conn.receive_buffer.runs()) == conn.receive_buffer.held == limit
    assert peer.world.counters["tcp_too_many_runs"] == 64_000 - limit
    assert len(peer.world.sent) == 64_000  # every one is answered, as its sender counts them
    peer.world.sent.clear()
    # and the connection lives: what fills the gap is taken whatever is held
    peer.sends(ACK, b"y" * 1460, seq=start)
    assert conn.rcv_nxt == add(start, 1460)
    peer.expects(ACK, ack=add(start, 1460))


def fill(count: int) -> float:
    """Seconds that `count` disjoint one-octet runs take, the latest first, which is the worst order for a list."""
    buffer = ReceiveBuffer(1024)
    begun = perf_counter()
    for number in range(count, 0, -1):
        buffer.insert(2 * number, b"x")
    return perf_counter() - begun


def test_their_cost_is_linear() -> None:
    """Four times as many cost four times as much, give or take a busy machine: the best of several."""
    small = min(fill(16_000) for _ in range(5))
    large = min(fill(64_000) for _ in range(3))
    assert large < 10 * small


def test_filling_a_gap_beside_a_thousand_runs_is_cheap() -> None:
    buffer = ReceiveBuffer(1024)
    for number in range(1024):
        assert buffer.insert(1_000_000 + 2 * number, b"x") == 0
    for number in range(10_000):
        assert buffer.insert(number, b"y") == 1
    assert buffer.size == 10_000


def test_what_is_refused_leaves_no_trace() -> None:
    buffer = ReceiveBuffer(2)
    assert buffer.insert(10, b"aa") == 0
    assert buffer.insert(20, b"bb") == 0
    assert buffer.insert(30, b"cc") == -1
    assert buffer.runs() == [(10, 12), (20, 22)]
    assert buffer.insert(0, text(10)) == 12
    assert buffer.insert(30, b"cc") == 0
    assert buffer.held == 4


@rfc("9293-3.4-a")
def test_runs_are_held_across_2_to_the_32() -> None:
    conn, peer = established()
    assert PEER_ISS > 0xFFFFFF00
    start = conn.rcv_nxt
    for first in (35, 25, 33, 28):
        peer.sends(ACK, STREAM[first : first + 5], seq=add(start, first))
        peer.expects(ACK, ack=start)
    peer.sends(ACK, STREAM[:25], seq=start)
    peer.expects(ACK, ack=add(start, 40))
    assert conn.receive(100, peer.now) == STREAM
