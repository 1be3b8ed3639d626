"""RFC 5681, RFC 6582 and RFC 3042: congestion control and recovery with a peer that does not use
SACK.
"""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp.connection import Connection
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .full_segments import at, goes
from .world import ACK, MSS, SYN, Peer, add, established, listening, syn_sent, text


def sending(segments: int = 10, **changes: Any) -> tuple[Connection, Peer]:
    """`segments` full segments of Reno's are in flight, claimed, and there is more to send."""
    conn, peer = established(congestion="reno", **{"initial_window_segments": segments, **changes})
    conn.send(text(60_000), peer.now)
    goes(conn, peer, *range(segments))
    return conn, peer


def acks(conn: Connection, peer: Peer, segments: int) -> None:
    """The peer acknowledges the first `segments` segments."""
    peer.sends(ACK, ack=at(conn, segments))


def recovering() -> tuple[Connection, Peer]:
    """Ten segments out, the first lost and resent by fast retransmit; limited transmit has sent two more."""
    conn, peer = sending()
    for number in (10, 11):
        acks(conn, peer, 0)
        peer.expects(ACK, MSS, seq=at(conn, number))
    acks(conn, peer, 0)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    return conn, peer


@rfc("5681-3.1-b", "6928-2-a")
def test_the_initial_window_is_ten_segments() -> None:
    sending(10)


@rfc("5681-3.1-b", "6928-2-a")
@pytest.mark.parametrize(("mss", "window"), [(1460, 14600), (536, 5360), (1400, 14000), (8000, 16000)])
def test_the_initial_window_for_other_segment_sizes(mss: int, window: int) -> None:
    conn, peer = syn_sent()
    conn.path.mtu = 9000
    peer.sends(SYN | ACK, options=TcpOptions(mss=mss))
    peer.expects(ACK)
    assert conn.congestion.cwnd == window


@rfc("5681-3.1-c", "6928-2-b")
def test_the_handshake_does_not_open_the_window() -> None:
    conn, peer = established(active=False, congestion="reno")
    assert conn.congestion.cwnd == 10 * MSS
    peer.sends(ACK)
    assert conn.congestion.cwnd == 10 * MSS


@rfc("5681-3.1-d")
def test_after_a_lost_syn_the_window_begins_with_one_segment() -> None:
    conn, peer = syn_sent()
    peer.wait(1.0)
    peer.expects(SYN)
    peer.wait(2.0)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    assert conn.congestion.cwnd == MSS


@rfc("5681-3.1-e")
def test_smaller_segments_mean_a_smaller_window() -> None:
    conn, peer = established()
    conn.path.mtu = 770
    conn.path_mtu_changed(peer.now)
    assert conn.congestion.cwnd == 10 * 730


@rfc("5681-3.1-f", "5681-3.1-h", "5681-3.1-i")
def test_slow_start_adds_at_most_a_segment_for_each_ack() -> None:
    conn, peer = sending()
    assert conn.congestion.ssthresh >= 1 << 30
    acks(conn, peer, 2)
    assert conn.congestion.cwnd == 11 * MSS
    for number in range(10, 13):
        peer.expects(ACK, MSS, seq=at(conn, number))


@rfc("5681-3.1-j")
def test_acks_of_single_octets_gain_nothing() -> None:
    conn, peer = sending()
    for count in range(1, 11):
        peer.sends(ACK, ack=add(at(conn, 0), count))
    assert conn.congestion.cwnd == 10 * MSS + 10


@rfc("5681-2-a", "5681-3.1-a")
def test_no_more_is_in_flight_than_both_windows_allow() -> None:
    conn, peer = established(window=3 * MSS)
    conn.send(text(60_000), peer.now)
    goes(conn, peer, *range(3))
    peer.sends(ACK, ack=at(conn, 3), window=0xFFFF)
    for number in range(3, 3 + conn.congestion.cwnd // MSS):
        peer.expects(ACK, MSS, seq=at(conn, number))
    assert conn.flight <= conn.congestion.cwnd
    peer.silent()


@rfc("5681-3.1-k", "5681-3.1-l", "5681-3.1-r")
def test_congestion_avoidance_adds_one_segment_a_window() -> None:
    conn, peer = sending()
    conn.congestion.ssthresh = 5 * MSS
    acks(conn, peer, 4)
    acks(conn, peer, 9)
    assert conn.congestion.cwnd == 10 * MSS
    acks(conn, peer, 10)
    assert conn.congestion.cwnd == 11 * MSS
    for number in range(10, 21):
        peer.expects(ACK, MSS, seq=at(conn, number))


@rfc("5681-3.1-g", "5681-3.1-o", "5681-3.1-q")
def test_a_timeout_halves_what_was_in_flight_and_leaves_one_segment() -> None:
    conn, peer = sending()
    conn.congestion.cwnd = 40 * MSS  # not what counts: FlightSize does
    peer.wait(0.2)
    assert conn.congestion.ssthresh == 5 * MSS
    assert conn.congestion.cwnd == MSS
    peer.expects(ACK, MSS, seq=at(conn, 0))


@rfc("6928-2-e")
def test_the_loss_window_stays_one_segment() -> None:
    conn, peer = sending()
    peer.wait(0.2)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    peer.silent()
    assert conn.congestion.cwnd == MSS


@rfc("5681-3.1-p")
def test_another_timeout_of_the_same_segment_leaves_ssthresh() -> None:
    conn, peer = sending()
    peer.wait(0.2)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    conn.congestion.ssthresh = 3 * MSS
    peer.wait(0.4)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    assert conn.congestion.ssthresh == 3 * MSS


@rfc("5681-3.2-d", "5681-3.2-e", "3042-2-a")
def test_limited_transmit_sends_one_new_segment_for_each_of_the_first_two_duplicates() -> None:
    conn, peer = sending()
    acks(conn, peer, 0)
    peer.expects(ACK, MSS, seq=at(conn, 10))
    peer.silent()
    acks(conn, peer, 0)
    peer.expects(ACK, MSS, seq=at(conn, 11))
    peer.silent()
    assert conn.congestion.cwnd == 10 * MSS


@rfc("3042-2-a", "3042-2-b")
def test_limited_transmit_keeps_to_the_peers_window() -> None:
    conn, peer = established(window=10 * MSS, congestion="reno")
    conn.send(text(60_000), peer.now)
    for number in range(10):
        peer.expects(ACK, MSS, seq=at(conn, number))
    acks(conn, peer, 0)
    acks(conn, peer, 0)
    peer.silent()
    assert conn.congestion.cwnd == 10 * MSS


@rfc("5681-3.2-c", "5681-3.2-g", "5681-3.2-h")
def test_the_third_duplicate_resends_and_halves() -> None:
    conn, _ = recovering()
    assert conn.congestion.ssthresh == 5 * MSS
    assert conn.congestion.cwnd == 8 * MSS


@rfc("5681-3.2-m")
def test_what_limited_transmit_sent_is_not_counted() -> None:
    conn, _ = recovering()
    assert conn.flight == 12 * MSS
    assert conn.congestion.ssthresh == 5 * MSS


@rfc("5681-3.2-i", "5681-3.2-k")
def test_each_further_duplicate_lets_one_more_segment_out() -> None:
    conn, peer = recovering()
    for _ in range(4):
        acks(conn, peer, 0)
    peer.silent()  # 12 in flight, cwnd 12
    acks(conn, peer, 0)
    assert conn.congestion.cwnd == 13 * MSS
    peer.expects(ACK, MSS, seq=at(conn, 12))


@rfc("5681-2-b")
@pytest.mark.parametrize("kind", ["data", "window", "nothing outstanding"])
def test_not_every_repeated_number_is_a_duplicate(kind: str) -> None:
    conn, peer = sending()
    if kind == "nothing outstanding":
        conn, peer = established()
        for _ in range(4):
            peer.sends(ACK)
        assert conn.duplicate_acks == 0
        return
    for number in range(4):
        if kind == "data":
            peer.sends(ACK, b"x", ack=at(conn, 0))
        else:
            peer.sends(ACK, ack=at(conn, 0), window=0xFFF0 - number)
    assert conn.duplicate_acks == 0
    peer.silent()
    peer.wait(0.1)
    peer.world.sent.clear()


@rfc("5681-3.2-l", "6582-3.2-c", "5681-4.3-b")
def test_a_full_acknowledgment_deflates_the_window() -> None:
    conn, peer = recovering()
    for _ in range(3):
        acks(conn, peer, 0)
    acks(conn, peer, 12)
    assert not conn.recovering
    assert conn.congestion.cwnd == 2 * MSS  # min (ssthresh, max (FlightSize, SMSS) + SMSS)
    for number in (12, 13):
        peer.expects(ACK, MSS, seq=at(conn, number))


@rfc("6582-6-b")
def test_the_ack_that_ends_recovery_does_not_open_the_window_as_well() -> None:
    conn, peer = recovering()
    acks(conn, peer, 12)
    assert conn.congestion.cwnd == 2 * MSS
    peer.world.sent.clear()


@rfc("6582-3.2-d", "5681-4.3-d")
def test_a_partial_acknowledgment_resends_the_next_hole_and_stays() -> None:
    conn, peer = recovering()
    before = conn.congestion.cwnd
    acks(conn, peer, 4)
    assert conn.recovering
    assert conn.congestion.cwnd == before - 4 * MSS + MSS
    peer.expects(ACK, MSS, seq=at(conn, 4))
    peer.silent()


@rfc("6582-3.2-e")
def test_only_the_first_partial_acknowledgment_restarts_the_timer() -> None:
    conn, peer = recovering()
    peer.wait(0.1)
    acks(conn, peer, 4)
    peer.expects(ACK, MSS, seq=at(conn, 4))
    deadline = conn.rto_deadline
    assert deadline > peer.now + 0.15
    peer.wait(0.1)
    acks(conn, peer, 6)
    peer.expects(ACK, MSS, seq=at(conn, 6))
    assert conn.rto_deadline == deadline


@rfc("6582-3.2-a")
def test_recover_begins_as_the_initial_sequence_number() -> None:
    conn, _ = established()
    assert conn.recover == conn.iss


@rfc("6582-3.2-b", "6582-3.2-f", "6582-6-a")
def test_after_a_timeout_its_echo_does_not_begin_another_recovery() -> None:
    conn, peer = sending()
    peer.wait(0.2)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    assert conn.recover == conn.snd_nxt
    for _ in range(3):
        acks(conn, peer, 0)
    peer.silent()
    assert not conn.recovering
    assert conn.congestion.ssthresh == 5 * MSS


@rfc("6582-3.2-f")
def test_a_timeout_in_recovery_ends_it() -> None:
    conn, peer = recovering()
    peer.wait(0.2)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    assert not conn.recovering


@rfc("5681-4.3-c")
def test_a_lost_retransmission_lowers_the_windows_again() -> None:
    conn, peer = recovering()
    assert conn.congestion.ssthresh == 5 * MSS
    conn.congestion.cwnd = 8 * MSS
    peer.wait(0.2)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    assert conn.congestion.cwnd == MSS


@rfc("5681-4.3-a", "5681-4.3-e", "5681-3-a")
def test_a_round_trip_of_recovery_sends_half_of_what_was_out() -> None:
    conn, peer = recovering()
    for _ in range(8):  # of the ten segments nine arrived, three of whose ACKs came already, and of two new ones
        acks(conn, peer, 0)
    resent_or_new = 1 + len(peer.world.sent)
    assert resent_or_new <= 5
    peer.world.sent.clear()


@rfc("5681-4.1-a", "6928-2-d")
def test_after_an_idle_time_the_window_begins_anew() -> None:
    conn, peer = established(congestion="reno")
    conn.congestion.cwnd = 40 * MSS
    peer.wait(10)
    conn.send(text(60_000), peer.now)
    goes(conn, peer, *range(10))


@rfc("5681-4.1-a", "6928-2-d")
def test_a_window_smaller_than_the_initial_one_does_not_grow_by_being_idle() -> None:
    """RW = min (IW, cwnd)."""
    conn, peer = established(congestion="reno")
    conn.congestion.cwnd = 2 * MSS
    peer.wait(10)
    conn.send(text(60_000), peer.now)
    goes(conn, peer, *range(2))


@rfc("5681-3.2-a", "5681-4.2-d", "6582-5-a")
def test_what_is_out_of_order_is_acknowledged_at_once() -> None:
    _, peer = established()
    for distance in (200, 100):
        peer.sends(ACK, bytes(100), seq=add(peer.snd_nxt, distance))
        peer.expects(ACK, ack=peer.snd_nxt)
    peer.sends(ACK, bytes(50))  # fills a part of the gap
    peer.expects(ACK, ack=peer.snd_nxt)


@rfc("5681-3.2-b", "6582-5-a")
def test_what_fills_a_gap_is_acknowledged_at_once() -> None:
    _, peer = established()
    peer.sends(ACK, bytes(100), seq=add(peer.snd_nxt, 100))
    peer.expects(ACK, ack=peer.snd_nxt)
    peer.sends(ACK, bytes(100))
    peer.expects(ACK, ack=add(peer.snd_nxt, 100))


@rfc("5681-4.2-a", "5681-4.2-b", "5681-4.2-c")
def test_an_ack_for_every_second_segment_or_soon() -> None:
    _, peer = established()
    peer.sends(ACK, bytes(MSS))
    peer.silent()
    peer.sends(ACK, bytes(MSS))
    peer.expects(ACK, ack=peer.snd_nxt)
    peer.sends(ACK, bytes(10))
    peer.silent()
    peer.wait(0.499)
    peer.expects(ACK, ack=peer.snd_nxt)


@rfc("5681-4.2-e")
def test_never_more_acks_than_segments() -> None:
    conn, peer = established()
    for number in range(20):
        peer.sends(ACK, bytes(MSS))
        peer.sends(ACK, bytes(10), seq=add(peer.snd_nxt, 5000 + number * 20))
    conn.receive(1 << 20, peer.now)
    assert len(peer.world.sent) <= 40
    peer.world.sent.clear()
    peer.wait(0.1)
    peer.world.sent.clear()


@rfc("6928-9-a")
def test_every_ack_of_new_data_restarts_the_timer() -> None:
    conn, peer = sending()
    for number in range(1, 8):
        peer.wait(0.15)
        acks(conn, peer, number)
        peer.world.sent.clear()
    assert conn.timeouts == 0
    assert conn.rto_deadline > peer.now + 0.15


@rfc("6928-3-a")
def test_the_first_window_we_offer_takes_ten_segments() -> None:
    _, peer = listening()
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    assert peer.expects(SYN | ACK).window >= 10 * MSS
