"""RFC 8985 (RACK-TLP), RFC 6937 (PRR) and RFC 3522 (Eifel) on a connection, segment by segment."""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp.connection import Connection
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .full_segments import at, goes, sack
from .world import ACK, FIN, MSS, SYN, Peer, add, syn_sent, text

RTT = 0.1


def agreed(**changes: Any) -> tuple[Connection, Peer]:
    """ESTABLISHED after one round trip, with SACK, RACK-TLP and PRR."""
    options = {"sack": True, "rack": True, "prr": True, "congestion": "reno", "rto_min_s": 1.0}
    conn, peer = syn_sent(**{**options, **changes})
    peer.wait(RTT)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True))
    peer.expects(ACK)
    return conn, peer


def sending(segments: int = 10, octets: int = 60_000, **changes: Any) -> tuple[Connection, Peer]:
    """`segments` full segments are in flight and claimed."""
    conn, peer = agreed(**{"initial_window_segments": segments, **changes})
    conn.send(text(octets), peer.now)
    goes(conn, peer, *range(segments))
    return conn, peer


@rfc("8985-4-a")
def test_without_sack_there_is_neither() -> None:
    conn, peer = syn_sent(sack=True, rack=True, prr=True)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    assert conn.rack is None
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    assert conn.pto_deadline > conn.rto_deadline
    peer.sends(ACK)


@rfc("8985-9.2-a")
def test_one_way_of_finding_losses_at_a_time() -> None:
    """RFC 6675 would call segment 0 lost; RACK, having seen reordering, waits for the reordering window."""
    conn, peer = sending()
    assert conn.rack is not None
    conn.rack.reordering_seen = True
    peer.wait(RTT)
    for end in (2, 3, 4, 5):
        sack(conn, peer, 0, (1, end))
    goes(conn, peer, 10, 11, 12, 13)
    assert not conn.recovering


@rfc("8985-6.2-e", "8985-8-a")
def test_the_reordering_timer_finds_the_loss_when_no_ack_comes() -> None:
    conn, peer = sending(3, 3 * MSS)
    peer.wait(RTT)
    sack(conn, peer, 0, (1, 2))
    peer.silent()
    assert conn.deadline == conn.reo_deadline
    peer.wait(RTT / 4 - 0.001)
    peer.silent()
    peer.wait(0.002)
    goes(conn, peer, 0)
    assert conn.recovering


def test_what_time_shows_lost_waits_for_an_ack_while_the_network_is_full() -> None:
    """It is as full as when it lost the segment, so that the retransmission would be lost, too."""
    conn, peer = sending()
    peer.wait(RTT)
    sack(conn, peer, 0, (1, 2))
    goes(conn, peer, 10)
    peer.wait(RTT / 4)
    assert conn.recovering
    peer.silent()
    sack(conn, peer, 0, (1, 3))
    goes(conn, peer, 0)
    assert conn.loss is not None
    assert conn.loss.prr is not None
    assert conn.loss.prr.out == MSS


def test_but_not_for_longer_than_a_round_trip() -> None:
    conn, peer = sending()
    peer.wait(RTT)
    sack(conn, peer, 0, (1, 2))
    goes(conn, peer, 10)
    peer.wait(RTT / 4)
    peer.wait(RTT - 0.001)
    peer.silent()
    peer.wait(0.002)
    goes(conn, peer, 0)
    peer.wait(RTT)
    peer.silent()


@rfc("8985-3.3.2-a")
def test_three_segments_sacked_are_enough_when_nothing_was_reordered() -> None:
    conn, peer = sending()
    peer.wait(RTT)
    sack(conn, peer, 0, (1, 2))
    sack(conn, peer, 0, (1, 3))
    goes(conn, peer, 10, 11)
    sack(conn, peer, 0, (1, 4))
    goes(conn, peer, 0)


@rfc("8985-6.2-d")
def test_a_retransmission_that_is_lost_is_sent_again_without_a_timeout() -> None:
    conn, peer = sending(10, 10 * MSS)
    peer.wait(RTT)
    sack(conn, peer, 0, (2, 10))
    goes(conn, peer, 0, 1)
    peer.wait(RTT)
    sack(conn, peer, 0, (1, 10))  # the second arrived, the first did not
    goes(conn, peer, 0)
    assert conn.timeouts == 0


@rfc("8985-9.3-a")
def test_congestion_control_decides_when_it_goes() -> None:
    conn, peer = sending()
    peer.wait(RTT)
    sack(conn, peer, 0, (9, 10))
    goes(conn, peer, 10)
    peer.wait(RTT / 4)  # 0 to 8 are lost
    assert conn.rack is not None
    goes(conn, peer, 0)
    assert conn.rack.lost == 8 * MSS
    sack(conn, peer, 1, (9, 10))
    goes(conn, peer, 1, 2)


@rfc("8985-9.3-b", "6937-3-a", "6937-3-b")
def test_recovery_reduces_the_rate_in_proportion() -> None:
    conn, peer = sending()
    peer.wait(RTT)
    sack(conn, peer, 0, (1, 2))
    sack(conn, peer, 0, (1, 3))
    sack(conn, peer, 0, (1, 4))
    goes(conn, peer, 10, 11, 0)
    assert conn.congestion.cwnd == conn.congestion.ssthresh == 5 * MSS
    out = []
    for end in range(5, 11):
        sack(conn, peer, 0, (1, end))
        out.append(len(peer.world.sent))
        peer.world.sent.clear()
    assert sum(out) == 2  # of six acknowledged: the flight goes from twelve to five
    assert max(out) == 1


@rfc("6937-3-d")
def test_no_more_is_sent_than_prr_allows() -> None:
    conn, peer = sending()
    peer.wait(RTT)
    sack(conn, peer, 0, (5, 10))
    assert conn.loss is not None
    assert conn.loss.prr is not None
    before = len(peer.world.sent)
    assert before <= 6  # five delivered, and one
    assert conn.loss.prr.allowance < MSS
    assert conn.loss.prr.out == before * MSS
    peer.world.sent.clear()


@rfc("8985-7.2-a", "8985-7.2-d", "8985-7.3-d")
def test_the_last_segment_goes_again_after_two_round_trips() -> None:
    conn, peer = sending(3, 3 * MSS)
    peer.wait(2 * RTT - 0.001)
    peer.silent()
    peer.wait(0.002)
    goes(conn, peer, 2)
    peer.wait(0.1)
    sack(conn, peer, 3)


@rfc("8985-7.2-c")
def test_for_a_single_segment_the_probe_waits_for_a_delayed_acknowledgment() -> None:
    conn, peer = agreed(tlp_max_ack_delay_s=0.05)
    conn.send(b"alone", peer.now)
    peer.expects(ACK, b"alone")
    peer.wait(2 * RTT + 0.049)
    peer.silent()
    peer.wait(0.002)
    peer.expects(ACK, b"alone")
    peer.sends(ACK)


@rfc("8985-7.2-b")
def test_without_a_measurement_the_probe_waits_a_second() -> None:
    conn, peer = syn_sent(sack=True, rack=True, rto_initial_s=3.0)
    peer.wait(3.0)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True))
    peer.expects(ACK)
    assert conn.rtt.srtt_s is None
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    peer.wait(0.999)
    peer.silent()
    peer.wait(0.002)
    peer.expects(ACK, b"data")
    peer.sends(ACK)


@rfc("8985-7.2-d")
def test_the_probe_is_never_later_than_the_timeout_would_be() -> None:
    conn, peer = sending(3, 3 * MSS, rto_min_s=0.15)
    conn.rtt.srtt_s = 1.0
    conn.pto_deadline = float("inf")
    conn.options_changed(peer.now)
    assert conn.pto_deadline == conn.rto_deadline
    peer.world.sent.clear()


@rfc("8985-7.3-c")
def test_the_probe_is_new_data_if_there_is_some() -> None:
    conn, peer = sending(3, 10 * MSS)
    peer.wait(2 * RTT)
    goes(conn, peer, 3)  # beyond cwnd
    assert conn.flight == 4 * MSS


@rfc("8985-7.3-c")
def test_but_not_beyond_the_peers_window() -> None:
    conn, peer = sending(3, 3 * MSS)
    peer.sends(ACK, ack=at(conn, 1), window=2 * MSS)
    conn.send(text(MSS), peer.now)
    peer.silent()
    peer.wait(2 * RTT + 0.2)
    goes(conn, peer, 2)


@rfc("8985-7.3-a", "8985-7.3-b", "8985-7.3-f")
def test_one_probe_and_then_the_timeout() -> None:
    conn, peer = sending(3, 3 * MSS)
    peer.wait(2 * RTT)
    goes(conn, peer, 2)
    assert conn.deadline == conn.rto_deadline == peer.now + conn.rtt.timeout_s()
    peer.wait(0.999)
    peer.silent()
    peer.wait(0.002)
    goes(conn, peer, 0)
    assert conn.timeouts == 1
    sack(conn, peer, 3)


@rfc("8985-7.3-a")
def test_no_probe_before_a_round_trip_was_measured_since_the_last() -> None:
    conn, peer = sending(3, 3 * MSS)
    peer.wait(2 * RTT)
    goes(conn, peer, 2)
    peer.wait(RTT)
    sack(conn, peer, 3, (2, 3))  # a duplicate: the probe is over, but nothing was measured (Karn)
    assert conn.tlp_end is None
    conn.send(b"more", peer.now)
    peer.expects(ACK, b"more")
    peer.wait(0.9)
    peer.silent()
    peer.sends(ACK)


@rfc("8985-7.3-e")
def test_the_answer_to_the_probe_shows_what_was_lost_before_it() -> None:
    conn, peer = sending(4, 4 * MSS)
    peer.wait(2 * RTT)
    goes(conn, peer, 3)
    peer.wait(RTT)
    sack(conn, peer, 1, (3, 4))
    goes(conn, peer, 1, 2)
    assert conn.timeouts == 0


@rfc("8985-7.4.2-a", "8985-7.4.2-b")
def test_a_loss_that_the_probe_repaired_still_counts_as_congestion() -> None:
    conn, peer = sending(3, 3 * MSS)
    before = conn.congestion.cwnd
    peer.wait(2 * RTT)
    goes(conn, peer, 2)
    peer.wait(RTT)
    sack(conn, peer, 3)
    assert conn.congestion.cwnd >= before
    conn.send(b"more", peer.now)
    peer.expects(ACK, b"more")
    peer.sends(ACK)
    assert conn.congestion.ssthresh == 2 * MSS


@rfc("8985-7.4.2-a")
@pytest.mark.parametrize("dsack", [True, False])
def test_but_not_when_both_arrived(dsack: bool) -> None:
    conn, peer = sending(3, 3 * MSS)
    peer.wait(2 * RTT)
    goes(conn, peer, 2)
    sack(conn, peer, 3)
    sack(conn, peer, 3, *([(2, 3)] if dsack else []))
    conn.send(b"more", peer.now)
    peer.expects(ACK, b"more")
    peer.sends(ACK)
    assert conn.congestion.ssthresh >= 1 << 30


@rfc("8985-7.2-a")
def test_no_probe_while_something_is_sacked() -> None:
    conn, peer = sending(3, 3 * MSS)
    sack(conn, peer, 0, (0, 1))  # nothing before it that could be lost: no reordering timer
    assert conn.reo_deadline == float("inf")
    assert conn.pto_deadline == float("inf")
    peer.wait(2 * RTT)
    peer.silent()


@rfc("8985-6.3-a")
def test_a_timeout_sends_the_first_and_forgets_what_was_sacked() -> None:
    conn, peer = sending(10, 10 * MSS, tlp_max_ack_delay_s=0.0)
    peer.wait(RTT)
    sack(conn, peer, 0, (9, 10))
    peer.wait(0.2)
    peer.world.sent.clear()
    peer.wait(1.0)
    goes(conn, peer, 0)
    assert conn.rack is not None
    assert conn.loss is not None
    assert conn.loss.after_timeout
    assert conn.rack.lost == 9 * MSS
    sack(conn, peer, 1)
    goes(conn, peer, 1, 2)
    sack(conn, peer, 10)
    assert conn.flight == 0
    assert not conn.recovering
    assert conn.loss is None


def test_a_fin_at_the_tail_is_probed_too() -> None:
    conn, peer = agreed()
    conn.send(b"end", peer.now)
    peer.expects(ACK, b"end")
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    peer.wait(2 * RTT + 0.06)
    peer.expects(FIN | ACK, b"end")
    peer.sends(ACK)


def stamped(**changes: Any) -> tuple[Connection, Peer]:
    """Ten segments in flight, with timestamps; the round trip takes 100 ms."""
    conn, peer = syn_sent(sack=True, rack=True, prr=True, timestamps=True, congestion="reno", **changes)
    peer.wait(RTT)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True, timestamps=(1, clock(conn, 1000.0))))
    peer.expects(ACK)
    conn.send(text(14 * conn.mss), peer.now)
    assert len(peer.world.sent) == 10
    peer.world.sent.clear()
    return conn, peer


def clock(conn: Connection, at_s: float) -> int:
    return conn.timestamps.clock(at_s)


@pytest.mark.parametrize("real", [True, False])
def test_a_timeout_that_was_for_nothing_is_taken_back(real: bool) -> None:
    """RFC 3522: the first ACK after it echoes the timestamp of the original."""
    conn, peer = stamped()
    sent_at = peer.now
    peer.wait(0.19)
    peer.world.sent.clear()  # a probe, with new data
    peer.wait(2.0)
    assert conn.timeouts >= 1
    assert conn.congestion.cwnd == conn.congestion.mss
    peer.world.sent.clear()
    echo = clock(conn, peer.now if real else sent_at)
    peer.sends(ACK, ack=add(conn.snd_una, conn.mss), options=TcpOptions(timestamps=(2, echo)))
    assert (conn.congestion.cwnd >= 10 * conn.congestion.mss) != real
    assert (conn.loss is not None) == real
    assert bool(peer.world.sent and peer.world.sent[0].seq == conn.snd_una) == real
    peer.world.sent.clear()


def test_an_answer_to_the_first_of_two_retransmissions_takes_nothing_back() -> None:
    """RFC 3522 section 3.2: RetransmitTS is the time of the first retransmission."""
    conn, peer = stamped()
    peer.wait(0.19)
    while not conn.timeouts:
        peer.wait(0.01)
    first_at = peer.now
    while conn.timeouts < 2:
        peer.wait(0.01)
    peer.world.sent.clear()
    echo = clock(conn, first_at)
    peer.sends(ACK, ack=add(conn.snd_una, conn.mss), options=TcpOptions(timestamps=(2, echo)))
    assert conn.congestion.cwnd < 10 * conn.congestion.mss
    assert conn.loss is not None
    peer.world.sent.clear()


def test_a_fast_retransmit_that_was_for_nothing_is_taken_back() -> None:
    conn, peer = stamped()
    sent_at = peer.now
    peer.wait(RTT)
    size, una = conn.mss, conn.snd_una
    echo = clock(conn, sent_at)
    blocks = ((add(una, size), add(una, 4 * size)),)
    peer.sends(ACK, ack=una, options=TcpOptions(sack_blocks=blocks, timestamps=(2, echo)))
    assert conn.recovering
    peer.world.sent.clear()
    peer.wait(0.01)
    peer.sends(ACK, ack=add(una, 4 * size), options=TcpOptions(timestamps=(2, echo)))
    assert not conn.recovering
    assert conn.congestion.cwnd >= 10 * size
    assert conn.congestion.ssthresh >= 1 << 30
    assert conn.rack is not None
    assert conn.rack.reordering_seen
    peer.world.sent.clear()


@rfc("8985-8-a")
def test_a_timeout_that_falls_due_while_the_reordering_timer_runs_begins_anew() -> None:
    conn, peer = sending()
    assert conn.rack is not None
    conn.rack.reordering_seen = True
    peer.wait(RTT)
    sack(conn, peer, 0, (2, 5))
    peer.wait(RTT / 4 + RTT)
    assert conn.recovering
    due = conn.rto_deadline
    peer.wait(due - peer.now - 0.01)
    sack(conn, peer, 0, (7, 8), (2, 5))
    assert conn.reo_deadline > due
    peer.world.sent.clear()
    peer.wait(0.05)
    assert conn.timeouts == 0
    assert conn.rto_deadline > peer.now + 0.9
    peer.world.sent.clear()


@pytest.mark.parametrize("with_sack", [False, True])
def test_the_user_is_told_that_duplicate_acks_let_his_data_go(with_sack: bool) -> None:
    """Or, with little unsent (TCP_NOTSENT_LOWAT), nothing new would follow until the hole is filled."""
    conn, peer = sending(10, 12 * MSS, sack=with_sack, rack=with_sack, prr=with_sack, notsent_lowat_bytes=2 * MSS)
    assert not conn.writable
    peer.wait(RTT)
    woken = []
    conn.on_writable = lambda: woken.append(conn.unsent)
    if with_sack:
        sack(conn, peer, 0, (1, 2))
    else:
        peer.sends(ACK, ack=at(conn, 0))
    goes(conn, peer, 10)
    assert woken == [MSS]


# --- after a timeout


@rfc("field-4", "5681-3.1-i")
@pytest.mark.parametrize(
    "options", [{}, {"sack": True}, {"sack": True, "rack": True}, {"sack": True, "rack": True, "prr": True}]
)
def test_the_ack_that_ends_the_repair_of_a_timeout_opens_the_window(options: dict[str, bool]) -> None:
    """Slow start goes on from one segment, whatever the peer's options are."""
    conn, peer = syn_sent(congestion="reno", **options)
    peer.sends(SYN | ACK, options=TcpOptions(mss=1000, sack_permitted="sack" in options))
    peer.expects(ACK)
    first = conn.snd_nxt
    conn.send(bytes(1000), peer.now)
    peer.expects(ACK, 1000)
    peer.wait(conn.deadline - peer.now)  # a tail loss probe, where there is one
    peer.expects(ACK, 1000)
    while not conn.timeouts:
        peer.wait(conn.deadline - peer.now)
        peer.expects(ACK, 1000)
    peer.sends(ACK, ack=add(first, 1000))
    conn.send(bytes(20000), peer.now)
    for number in (1, 2):
        peer.expects(ACK, 1000, seq=add(first, 1000 * number))
    peer.silent()
    peer.sends(ACK)
    for number in (3, 4, 5):
        peer.expects(ACK, 1000, seq=add(first, 1000 * number))
    peer.silent()
