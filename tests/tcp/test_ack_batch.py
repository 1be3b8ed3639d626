"""ACKs that arrive in one batch open the window exactly as if they had arrived one by one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from stack.tcp.connection import Connection
from stack.wire.tcp import ECE
from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .full_segments import at
from .world import ACK, MSS, SYN, Peer, add, closed, established, syn_sent, text

SEGMENTS = 10


def sending(**changes: Any) -> tuple[Connection, Peer]:
    """Ten full segments are in flight, and many more wait."""
    conn, peer = closed(initial_window_segments=SEGMENTS, **changes)
    conn.open(peer.now)
    setup = SYN | ACK | (ECE if conn.ecn is not None else 0)
    peer.sends(setup, options=TcpOptions(mss=MSS, sack_permitted=conn.sack))
    conn.send(text(40 * MSS), peer.now)
    return conn, peer


def acks(conn: Connection, peer: Peer, first: int, last: int, flags: int = ACK) -> None:
    """One ACK for each of these segments."""
    for number in range(first, last + 1):
        peer.sends(flags, ack=at(conn, number))


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("sack", [False, True])
@pytest.mark.parametrize("policy", ["reno", "cubic"])
def test_the_window_grows_by_each_of_them(policy: str, sack: bool, together: bool) -> None:
    conn, peer = sending(congestion=policy, sack=sack, rack=sack, prr=sack)
    with peer.batch() if together else nullcontext():
        acks(conn, peer, 1, SEGMENTS)
    assert conn.congestion.cwnd == 2 * SEGMENTS * MSS
    assert conn.flight == 2 * SEGMENTS * MSS
    peer.world.sent.clear()


def test_not_though_when_the_window_was_not_used() -> None:
    conn, peer = syn_sent(congestion="reno")
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    conn.send(text(4 * MSS), peer.now)
    with peer.batch():
        acks(conn, peer, 1, 4)
    assert conn.congestion.cwnd == 10 * MSS
    peer.world.sent.clear()


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("sack", [False, True])
def test_a_loss_takes_its_share_of_all_that_the_acks_before_it_let_go(sack: bool, together: bool) -> None:
    """Six segments arrive, the seventh is lost, and the next three make themselves heard in the same batch."""
    conn, peer = sending(congestion="reno", sack=sack)
    conn.congestion.ssthresh = SEGMENTS * MSS  # congestion avoidance: the window stays what it is
    with peer.batch() if together else nullcontext():
        acks(conn, peer, 1, 6)
        for end in (8, 9, 10):
            blocks = ((at(conn, 7), at(conn, end)),) if sack else ()
            peer.sends(ACK, ack=at(conn, 6), options=TcpOptions(sack_blocks=blocks))
    assert conn.recovering
    assert conn.congestion.ssthresh == SEGMENTS // 2 * MSS
    peer.world.sent.clear()


@pytest.mark.parametrize("together", [False, True])
def test_a_mark_takes_its_share_of_all_that_the_acks_before_it_let_go(together: bool) -> None:
    conn, peer = sending(congestion="reno", ecn="on")
    conn.congestion.ssthresh = SEGMENTS * MSS
    with peer.batch() if together else nullcontext():
        acks(conn, peer, 1, 9)
        acks(conn, peer, 10, 10, ACK | ECE)
    assert conn.congestion.ssthresh == SEGMENTS // 2 * MSS
    peer.world.sent.clear()


@pytest.mark.parametrize("together", [False, True])
def test_a_loss_takes_no_share_of_what_nothing_follows(together: bool) -> None:
    """RFC 5681 equation (4): FlightSize, when the user has no more to send than was in flight."""
    conn, peer = established(congestion="reno")
    set_options(conn, nodelay=True)
    conn.congestion.cwnd, conn.last_sent_at = 40 * MSS, peer.now
    conn.send(text(20 * MSS), peer.now)
    peer.world.sent.clear()
    una = add(conn.iss, 1)
    with peer.batch() if together else nullcontext():
        for count in range(1, 18):
            peer.sends(ACK, ack=add(una, count * MSS))
        for _ in range(3):
            peer.sends(ACK, ack=add(una, 17 * MSS))
    assert conn.recovering
    assert conn.congestion.ssthresh == 2 * MSS
    peer.world.sent.clear()
