"""How the host's memory budget bounds a connection: windows, buffers, what is stored and dropped.

The host is made short of memory by charges to `STRANGER`, or to other connections of the same peer.
"""

from __future__ import annotations

import errno
from math import inf

import pytest

from stack.budget import Budget
from stack.config import HostConfig
from stack.tcp.connection import Connection
from stack.tcp.memory import prune
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .test_sack import FIRST, agreed, comes, report
from .world import ACK, FIN, MSS, SYN, THEIRS, Peer, add, closed, established, listening, sub, syn_sent, text

STRANGER = bytes((10, 9, 0, 77))
LEAST = 4096


def short_of_memory(peer: Peer, holder: bytes = THEIRS[0], fraction: float = 0.6) -> None:
    """`holder` holds that fraction of the whole: the host is tight, and `holder` far beyond its share."""
    budget = peer.world.services.budget
    budget.charge(holder, int(budget.total * fraction) - budget.used)
    assert budget.tight


def enough_memory(peer: Peer, holder: bytes = THEIRS[0]) -> None:
    """What `short_of_memory` has charged is given back."""
    budget = peer.world.services.budget
    own = sum(conn.charged for conn in peer.world.connections if conn.remote[0] == holder)
    budget.charge(holder, own - budget.peers[holder])
    assert not budget.tight


def fills(peer: Peer, conn: Connection, count: int) -> None:
    """Text in order, `count` octets, in segments of a full size; our acknowledgments are claimed."""
    while count:
        size = min(count, MSS)
        peer.sends(ACK, bytes(size))
        count -= size
    peer.world.sent.clear()


# --- what is charged


@rfc("budget-1")
def test_what_a_connection_holds_is_charged_to_its_peer_and_given_back() -> None:
    conn, peer = established(active=False)
    budget = peer.world.services.budget
    assert budget.peers == {THEIRS[0]: budget.connection}
    fills(peer, conn, 30_000)
    assert budget.used == budget.connection + 30_000 + 30_000 // 8 - budget.prepaid
    conn.receive(30_000, peer.now)
    assert budget.used == budget.connection
    peer.world.sent.clear()
    conn.send(text(50_000), peer.now)
    assert budget.used == budget.connection + 50_000 + 50_000 // 8 - budget.prepaid
    peer.world.sent.clear()
    conn.abort(peer.now)
    peer.world.sent.clear()
    assert (budget.used, budget.peers) == (0, {})


@rfc("budget-1")
@pytest.mark.parametrize("count", [8000, 40_000])
def test_what_is_read_in_time_wait_is_given_back_at_once(count: int) -> None:
    conn, peer = established()
    budget = peer.world.services.budget
    fills(peer, conn, count)
    conn.shutdown_write(peer.now)
    peer.world.sent.clear()
    peer.sends(FIN | ACK)
    peer.world.sent.clear()
    assert (conn.state, conn.charged) == (State.TIME_WAIT, budget.half_open + count + count // 8)
    conn.receive(count, peer.now)
    assert conn.charged == budget.used == budget.half_open


@rfc("budget-1")
def test_a_connection_with_nothing_behind_a_gap_is_not_kept_with_those_that_have() -> None:
    for end in ("FIN in the gap", "FIN that cuts off", "close"):
        conn, peer = agreed()
        behind = peer.world.services.budget.out_of_order
        comes(peer, 100, 200)
        assert list(behind) == [conn]
        if end == "close":
            conn.close(peer.now)
        elif end == "FIN in the gap":
            peer.sends(FIN | ACK, seq=FIRST)
        else:
            peer.sends(FIN | ACK, seq=add(FIRST, 50))
        peer.world.sent.clear()
        assert (conn.receive_buffer.held, list(behind)) == (0, [])


def sacks_single_octets(peer: Peer, conn: Connection, count: int) -> None:
    """The peer says that it has every second octet of the first 2 * `count` in flight."""
    una = conn.snd_una
    for first in range(1, 2 * count, 6):
        blocks = tuple((add(una, octet), add(una, octet + 1)) for octet in range(first, min(first + 6, 2 * count), 2))
        peer.sends(ACK, ack=una, window=0xFFFF, options=TcpOptions(sack_blocks=blocks))
    peer.world.sent.clear()


@rfc("ranges-1")
def test_the_ranges_of_a_scoreboard_are_charged_and_given_back() -> None:
    conn, peer = agreed()
    conn.send(bytes(5 * MSS), peer.now)
    before = conn.charged
    sacks_single_octets(peer, conn, 300)
    assert conn.scoreboard is not None
    assert len(conn.scoreboard.ranges()) == 300
    assert 300 * 72 <= conn.charged - before <= 300 * 96
    peer.sends(ACK, ack=conn.snd_nxt)
    assert conn.charged == peer.world.services.budget.connection
    conn.send(bytes(5 * MSS), peer.now)
    sacks_single_octets(peer, conn, 300)
    conn.abort(peer.now)
    peer.world.sent.clear()
    assert (peer.world.services.budget.used, conn.charged) == (0, 0)


@rfc("ranges-1")
def test_a_scoreboard_has_few_ranges_when_memory_is_short() -> None:
    for holder, most in ((THEIRS[0], LEAST // 80), (STRANGER, 300)):
        conn, peer = agreed()
        conn.send(bytes(5 * MSS), peer.now)
        peer.world.sent.clear()
        short_of_memory(peer, holder)
        sacks_single_octets(peer, conn, 300)
        assert conn.scoreboard is not None
        assert len(conn.scoreboard.ranges()) == most
        conn.abort(peer.now)
        peer.world.sent.clear()


@rfc("budget-1")
def test_text_behind_a_gap_is_charged_with_what_its_bookkeeping_takes() -> None:
    conn, peer = agreed()
    budget = peer.world.services.budget
    for first in range(1, 2001, 2):
        comes(peer, first, first + 1)
    peer.world.sent.clear()
    assert conn.receive_buffer.held == 1000
    assert conn.charged > budget.connection + 1000 * 200  # a run takes more than 200 octets, however little text it is


@rfc("budget-1")
def test_what_a_dead_connection_has_for_its_user_stays_charged_until_it_is_read_or_closed() -> None:
    for end in ("read", "close"):
        conn, peer = established()
        budget = peer.world.services.budget
        fills(peer, conn, 20_000)
        peer.sends(FIN | ACK)
        conn.abort(peer.now, errno.ENETDOWN)
        peer.world.sent.clear()
        assert budget.used == 20_000 + 20_000 // 8
        if end == "read":
            assert conn.receive(20_000, peer.now) is not None
        else:
            conn.close(peer.now)
        assert (budget.used, budget.peers) == (0, {})


@rfc("budget-1")
def test_text_that_came_with_a_syn_is_charged() -> None:
    _, peer = listening()
    peer.sends(SYN, bytes(1000))
    peer.expects(SYN | ACK)
    budget = peer.world.services.budget
    assert budget.used == budget.half_open + 1000
    peer.sends(ACK)
    peer.world.sent.clear()
    assert budget.used == budget.connection


# --- windows


@rfc("budget-2", "9293 SHLD-14")
def test_the_right_edge_stands_still_beyond_the_share_and_never_moves_left() -> None:
    conn, peer = established()
    edge = add(conn.rcv_nxt, conn.rcv_wnd)
    short_of_memory(peer)
    for _ in range(18):
        fills(peer, conn, 2 * MSS)
        conn.receive(1 << 20, peer.now)
        peer.world.sent.clear()
    assert add(conn.rcv_nxt, conn.rcv_wnd) == edge
    enough_memory(peer)
    peer.sends(ACK, bytes(MSS))
    conn.receive(MSS, peer.now)
    peer.world.sent.clear()
    assert sub(add(conn.rcv_nxt, conn.rcv_wnd), edge) >= 18 * 2 * MSS


@rfc("budget-2", "9293 MUST-39")
def test_a_connection_that_has_been_read_empty_may_always_go_on() -> None:
    """With a window of the least that a connection may hold, in steps of a segment."""
    conn, peer = established()
    fills(peer, conn, conn.rcv_wnd)
    short_of_memory(peer)
    assert conn.rcv_wnd == 0
    for _ in range(50):
        while conn.receive(1 << 20, peer.now):
            pass
        peer.world.sent.clear()
        assert MSS <= conn.rcv_wnd <= LEAST
        before = conn.rcv_nxt
        fills(peer, conn, conn.rcv_wnd)
        assert sub(conn.rcv_nxt, before) >= MSS


@rfc("budget-2")
def test_a_segment_larger_than_the_least_does_not_close_the_window_for_ever() -> None:
    conn, peer = established(mss=60_000)
    peer.world.wire(conn).mtu = 65_000
    fills(peer, conn, conn.rcv_wnd)
    short_of_memory(peer)
    conn.receive(1 << 20, peer.now)
    assert peer.expects(ACK).window == LEAST


@rfc("budget-2")
def test_a_window_whose_unit_is_larger_than_the_least_does_not_look_closed() -> None:
    """RFC 7323 section 2.3: with a shift count of 14 the window field counts in 16,384 octets."""
    conn, peer = syn_sent(window_scaling=True, max_receive_buffer_bytes=1 << 30)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, window_scale=7))
    peer.world.sent.clear()
    fills(peer, conn, conn.rcv_wnd)
    short_of_memory(peer)
    conn.receive(1 << 20, peer.now)
    assert peer.expects(ACK).window > 0


@rfc("budget-2")
def test_a_peer_within_its_share_goes_on_as_before() -> None:
    conn, peer = established()
    short_of_memory(peer, STRANGER)
    edge = add(conn.rcv_nxt, conn.rcv_wnd)
    fills(peer, conn, 25 * MSS)
    conn.receive(1 << 20, peer.now)
    peer.world.sent.clear()
    assert sub(add(conn.rcv_nxt, conn.rcv_wnd), edge) == 25 * MSS
    comes_late(peer, conn)
    assert conn.receive_buffer.held == MSS


def comes_late(peer: Peer, conn: Connection) -> None:
    """A full segment behind a gap."""
    peer.sends(ACK, bytes(MSS), seq=add(conn.rcv_nxt, 2 * MSS))
    peer.world.sent.clear()


@rfc("budget-2")
def test_a_connection_that_begins_when_memory_is_short_offers_the_least() -> None:
    conn, peer = closed()
    short_of_memory(peer)
    conn.open(peer.now)
    assert peer.expects(SYN).window == LEAST


@rfc("budget-2")
def test_the_receive_buffer_does_not_grow_when_memory_is_short() -> None:
    conn, peer = established(scale=0, auto_tuning=True, receive_buffer_bytes=1 << 16)
    conn.rtt.sample(0.01)
    for tight in (True, False):
        if tight:
            short_of_memory(peer, STRANGER)
        else:
            enough_memory_of(peer, STRANGER)
        before = conn.rcvbuf
        for _ in range(4):
            peer.wait(0.006)
            fills(peer, conn, 30 * MSS)
            conn.receive(1 << 20, peer.now)
            peer.world.sent.clear()
        assert (conn.rcvbuf == before) is tight


def enough_memory_of(peer: Peer, holder: bytes) -> None:
    """Nothing is charged to `holder` any more."""
    budget = peer.world.services.budget
    budget.charge(holder, -budget.peers[holder])


# --- sending


@rfc("budget-3")
def test_a_send_waits_when_memory_is_short_and_goes_on_with_the_least() -> None:
    conn, peer = established(window=0)
    assert conn.send(bytes(20_000), peer.now) == 20_000
    short_of_memory(peer)
    assert conn.send(b"more", peer.now) == 0
    assert not conn.writable
    told: list[bool] = []
    conn.on_writable = lambda: told.append(True)
    peer.sends(ACK, window=0xFFFF)
    for _ in range(20):
        if told:
            break
        peer.world.sent.clear()
        peer.sends(ACK, window=0xFFFF, ack=conn.snd_nxt)
        if conn.send_buffer.size >= LEAST:
            assert not conn.writable
    assert conn.writable
    taken = conn.send(bytes(20_000), peer.now)
    assert 0 < taken <= LEAST
    while conn.send_buffer.size:
        peer.sends(ACK, ack=conn.snd_nxt)
    peer.world.sent.clear()


@rfc("budget-3")
def test_the_send_buffer_does_not_grow_when_memory_is_short() -> None:
    for tight in (True, False):
        conn, peer = established(auto_tuning=True, send_buffer_bytes=8192)
        if tight:
            short_of_memory(peer, STRANGER)
        taken = conn.send(bytes(100_000), peer.now)
        assert (taken == 8192) is tight
        peer.world.sent.clear()
        conn.abort(peer.now)
        peer.world.sent.clear()


# --- text that there is no room for


@rfc("budget-4")
def test_of_text_in_order_the_least_is_taken_and_the_rest_is_not_acknowledged() -> None:
    conn, peer = established()
    short_of_memory(peer)
    start = conn.rcv_nxt
    with peer.batch():
        peer.sends(ACK, text(1000))
        peer.sends(ACK, text(10_000))  # a super-frame
        peer.sends(FIN | ACK, text(1000))
    assert peer.expects(ACK).ack == add(start, LEAST)
    peer.world.sent.clear()
    assert (conn.receive_buffer.size, conn.receive_buffer.held, conn.state) == (LEAST, 0, State.ESTABLISHED)
    assert peer.world.counters["tcp_no_memory"] >= 1
    assert conn.receive(20_000, peer.now) == text(1000) + text(10_000)[: LEAST - 1000]
    peer.world.sent.clear()


@rfc("budget-4", "2018-8-b")
def test_a_late_segment_that_is_not_kept_is_reported_once_and_first() -> None:
    conn, peer = agreed()
    comes(peer, 100, 200)
    comes(peer, 300, 400)
    peer.world.sent.clear()
    short_of_memory(peer)
    comes(peer, 20_000, 20_000 + MSS)
    peer.sends(FIN | ACK, bytes(4 * MSS), seq=add(FIRST, 30_000))
    assert report(peer, 0) == [(20_000, 20_000 + MSS), (300, 400), (100, 200)]
    assert report(peer, 0) == [(30_000, 30_000 + 4 * MSS), (20_000, 20_000 + MSS), (300, 400), (100, 200)]
    assert conn.receive_buffer.held == 200 + MSS  # there was room for the first: it is little
    comes(peer, 500, 600)
    assert report(peer, 0) == [(500, 600), (20_000, 20_000 + MSS), (300, 400), (100, 200)]


# --- text that is forgotten


def full_of_late_text(peer: Peer, conn: Connection) -> None:
    """40 segments wait behind a gap of one."""
    for number in range(1, 41):
        comes(peer, number * MSS, (number + 1) * MSS)
    peer.world.sent.clear()
    assert conn.receive_buffer.held == 40 * MSS


@rfc("budget-5", "2018-8-a", "2018-8-c")
def test_text_behind_a_gap_is_forgotten_and_no_longer_reported() -> None:
    conn, peer = agreed()
    budget = peer.world.services.budget
    full_of_late_text(peer, conn)
    short_of_memory(peer)
    prune(budget)
    assert (conn.receive_buffer.held, conn.charged, list(budget.out_of_order)) == (0, budget.connection, [])
    assert peer.world.counters["tcp_pruned"] == 1
    enough_memory(peer)
    comes(peer, 50_000, 50_100)
    assert report(peer, 0) == [(50_000, 50_100)]
    comes(peer, 0, MSS)
    assert report(peer, MSS) == [(50_000, 50_100)]
    for number in range(1, 41):
        comes(peer, number * MSS, (number + 1) * MSS)
    peer.world.sent.clear()
    assert conn.receive_buffer.size == 41 * MSS


def another(peer: Peer, number: int) -> Peer:
    """A connection with another peer, in the same world."""
    remote = bytes((10, 9, 0, number)), 40000
    conn = peer.world.new_connection(remote)
    other = Peer(peer.world, remote)
    conn.open(peer.now)
    other.expects(SYN)
    other.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True))
    other.expects(ACK)
    return other


@pytest.mark.parametrize("share", [0.125, 1.0], ids=["beyond its share", "all within their shares"])
@rfc("budget-5")
def test_those_that_hold_most_are_pruned_first_and_no_more_than_it_takes(share: float) -> None:
    small, peer = agreed()
    budget = Budget(HostConfig(memory_bytes=400_000, memory_share=share))
    budget.charge(THEIRS[0], small.charged)
    peer.world.services.budget = budget
    large = another(peer, 5)
    assert large.conn is not None
    comes(peer, MSS, 10 * MSS)
    for number in range(1, 30):
        large.sends(ACK, bytes(MSS), seq=add(large.snd_nxt, number * MSS))
    peer.world.sent.clear()
    budget.charge(STRANGER, budget.pressure - budget.used + 1)
    prune(budget)
    assert large.conn.receive_buffer.held == 0
    assert small.receive_buffer.held == 9 * MSS
    assert not budget.tight


@rfc("budget-5")
def test_nothing_is_forgotten_where_that_would_not_help() -> None:
    """A peer within its share keeps its late text while the memory is filled by what cannot be forgotten."""
    conn, peer = agreed()
    full_of_late_text(peer, conn)
    short_of_memory(peer, STRANGER)
    budget = peer.world.services.budget
    prune(budget)
    assert conn.receive_buffer.held == 40 * MSS
    assert budget.prune_at > budget.used
    budget.charge(STRANGER, budget.high - budget.used + 1)  # unless new connections are refused
    prune(budget)
    assert conn.receive_buffer.held == 0


@rfc("prune-1")
def test_where_nothing_can_be_forgotten_a_use_that_swings_about_the_mark_has_nothing_searched_again() -> None:
    conn, peer = agreed()
    budget = peer.world.services.budget
    comes(peer, MSS, 2 * MSS)
    peer.world.sent.clear()
    budget.charge(STRANGER, budget.pressure - budget.used + 500)
    prune(budget)
    assert conn.receive_buffer.held == MSS
    for _ in range(3):
        budget.charge(STRANGER, -1000)
        assert not budget.tight
        budget.charge(STRANGER, 1000)
        assert budget.tight
        assert budget.used <= budget.prune_at
    budget.charge(STRANGER, budget.total // 64)
    assert budget.used > budget.prune_at


# --- new connections


@rfc("budget-6")
def test_a_cookie_that_comes_back_when_memory_is_short_is_dropped_and_counts_later() -> None:
    listener, peer = listening(syn_backlog=1, backlog=5)
    peer.another(2000).sends(SYN)
    peer.world.sent.clear()
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    cookie = peer.expects(SYN | ACK)
    short_of_memory(peer, STRANGER, 0.9)
    before = dict(peer.world.services.budget.peers)
    peer.sends(ACK, ack=add(cookie.seq, 1))
    peer.silent()
    assert peer.world.services.budget.peers == before  # not even a half-open connection comes of it
    assert (listener.readable, peer.world.counters["tcp_refused_no_memory"]) == (False, 1)
    enough_memory_of(peer, STRANGER)
    peer.sends(ACK, b"hello", ack=add(cookie.seq, 1))
    peer.world.sent.clear()
    accepted = listener.accept()
    assert accepted is not None
    assert accepted.receive(10, peer.now) == b"hello"


def test_a_window_that_has_stopped_keeps_no_deadline() -> None:
    conn, peer = established()
    short_of_memory(peer)
    fills(peer, conn, LEAST)
    peer.wait(1.0)
    peer.world.sent.clear()
    assert conn.deadline == inf
