"""What observers are told of round trips, losses, the congestion window, the send window, marks and sizes."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from stack.tcp.connection import Connection
from stack.tcp.memory import prune
from stack.wire.tcp import CWR, ECE
from stack.wire.tcp_options import TcpOptions

from . import test_autotune, test_ecn, test_memory, test_newreno, test_path_mtu, test_rack_tlp, test_sack_recovery
from .full_segments import at, goes, sack
from .told import Log, watch
from .world import ACK, MSS, PEER_ISS, SYN, URG, Peer, add, closed, established, listening, syn_received, syn_sent, text

# --- round trips


def test_a_round_trip_of_the_timed_segment() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.wait(0.05)
    peer.sends(ACK)
    rtt = log.one("tcp:rtt")
    assert rtt.data == {
        "sample_s": 0.05,
        "srtt_s": conn.rtt.srtt_s,
        "rttvar_s": conn.rtt.rttvar_s,
        "rto_s": conn.rtt.rto_s,
        "observed_s": 0.05,
        "because": "rtt_of_timed_segment",
    }
    assert rtt.why == ("6298-2-c", "6298-2-d", "9293 MUST-18")
    assert (rtt.group, rtt.cause, rtt.frame) == ("c1", "frame", log.all("wire:frame")[-1].n)


@pytest.mark.parametrize("active", [True, False])
def test_the_handshake_shows_what_the_estimator_knows_and_what_was_observed(active: bool) -> None:
    """All frames of a batch have the same time for the host, but each was told at its own."""
    conn, peer = closed() if active else (None, listening()[1])
    tell_at = [0.0]
    log = watch(peer, lambda: tell_at[0])
    if conn is not None:
        conn.open(peer.now)
        peer.expects(SYN)
    else:
        peer.sends(SYN)
        peer.expects(SYN | ACK)
    tell_at[0] = 0.003
    peer.sends(SYN | ACK if active else ACK)
    peer.world.sent.clear()
    rtt = log.one("tcp:rtt").data
    assert (rtt["sample_s"], rtt["observed_s"]) == (0.0, 0.003)


def test_a_segment_that_is_sent_again_measures_nothing() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.send(b"x", peer.now)
    peer.wait(1.1)
    peer.world.sent.clear()
    peer.sends(ACK)
    told = log.one("tcp:rtt")
    assert told.data == {"because": "rtt_segment_sent_again"}
    assert told.why == ("6298-3-a", "6298-3-b")
    assert told.cause == "timer"


def test_nor_does_a_syn() -> None:
    _conn, peer = syn_sent()
    log = watch(peer)
    peer.wait(1.1)
    peer.expects(SYN)
    assert log.reasons("tcp:rtt") == ["rtt_syn_sent_again"]


def test_two_syns_that_cross_measure_nothing() -> None:
    _conn, peer = syn_sent()
    log = watch(peer)
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    assert log.reasons("tcp:rtt") == ["rtt_syn_sent_again"]


def test_the_first_ack_with_text_measures_nothing() -> None:
    _, peer = listening()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    log = watch(peer)
    peer.sends(ACK, b"x")
    peer.wait(0.1)
    peer.expects(ACK)
    assert log.reasons("tcp:rtt") == ["rtt_unclear_after_syn"]


def test_text_that_comes_later_than_the_rto_measures_nothing() -> None:
    conn, peer = established()
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.world.services.clock = lambda: peer.now
    log = watch(peer)
    conn.rto_deadline = peer.now + 100.0  # the timer is late; the round trip is as long as that
    conn.deadline = conn.rto_deadline
    peer.wait(conn.rtt.rto_s + 1.0)
    peer.sends(ACK, b"late")
    peer.wait(0.1)
    peer.world.sent.clear()
    told = log.one("tcp:rtt")
    assert told.data["because"] == "rtt_peer_was_late"
    assert told.why == ("7323-4.1-b",)


def stamped() -> tuple[Connection, Peer]:
    conn, peer = syn_sent(timestamps=True)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, timestamps=(1, conn.timestamps.clock(peer.now))))
    peer.expects(ACK)
    return conn, peer


def test_an_echo_measures_a_round_trip_after_a_retransmission() -> None:
    conn, peer = stamped()
    log = watch(peer)
    conn.send(b"x", peer.now)
    peer.wait(0.25)
    first, again = peer.expects(ACK, b"x"), peer.expects(ACK, b"x")
    assert first.options.timestamps is not None
    assert again.options.timestamps is not None
    peer.wait(0.03)
    peer.sends(ACK, options=TcpOptions(timestamps=(2, again.options.timestamps[0])))
    told = log.all("tcp:rtt")[-1]
    assert told.data["because"] == "rtt_of_echo"
    assert told.data["sample_s"] == pytest.approx(0.08, abs=0.05)
    assert "observed_s" not in told.data
    assert "7323-4.1-b" in told.why


def test_an_old_echo_measures_nothing() -> None:
    conn, peer = stamped()
    log = watch(peer)
    conn.send(b"x", peer.now)
    peer.wait(0.25)
    first, _again = peer.expects(ACK, b"x"), peer.expects(ACK, b"x")
    assert first.options.timestamps is not None
    peer.wait(0.1)
    peer.sends(ACK, options=TcpOptions(timestamps=(2, first.options.timestamps[0])))
    assert log.all("tcp:rtt")[-1].data["because"] == "rtt_resent_since"


def test_a_timed_segment_that_fast_retransmit_sends_again_measures_nothing() -> None:
    """The timer has not expired: `rtt_seq` still times the segment."""
    conn, peer = established()
    log = watch(peer)
    conn.send(text(4 * MSS), peer.now)
    peer.world.sent.clear()
    for _ in range(3):
        peer.sends(ACK, ack=conn.snd_una)
    assert log.reasons("tcp:rtt") == ["rtt_segment_sent_again"]
    peer.world.sent.clear()


def test_a_syn_ack_that_is_sent_again_at_once_measures_nothing() -> None:
    _, peer = syn_received()
    log = watch(peer)
    peer.sends(SYN, options=TcpOptions(mss=MSS), seq=PEER_ISS)
    peer.expects(SYN | ACK)
    assert log.reasons("tcp:rtt") == ["rtt_syn_sent_again"]


def test_an_echo_of_the_first_syn_measures_nothing_when_it_comes_after_the_rto() -> None:
    conn, peer = syn_sent(timestamps=True)
    first = conn.timestamps.clock(peer.now)
    peer.wait(1.1)
    peer.expects(SYN)
    log = watch(peer)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, timestamps=(1, first)))
    peer.expects(ACK)
    assert log.reasons("tcp:rtt") == ["rtt_unclear_after_syn"]


def test_an_echo_with_late_text_measures_nothing() -> None:
    """Twice such an ACK only ends the back-off; the third is believed."""
    conn, peer = stamped()
    conn.rtt_seq = None
    conn.send(b"x", peer.now)
    sent = peer.expects(ACK, b"x").options.timestamps
    assert sent is not None
    conn.rtt_seq, conn.rto_deadline = None, inf  # it was sent again, and the timer is late
    conn.deadline = inf
    log = watch(peer)
    peer.wait(conn.rtt.rto_s + 1.0)
    peer.sends(ACK, b"late", options=TcpOptions(timestamps=(2, sent[0])))
    peer.wait(0.1)
    peer.world.sent.clear()
    assert log.reasons("tcp:rtt") == ["rtt_peer_was_late"]


# --- losses and recovery


def lost(log: Log) -> tuple[object, int, int]:
    """(reason, cwnd before, cwnd after) of the only loss."""
    data = log.one("tcp:loss").data
    assert isinstance(data["cwnd_before"], int)
    assert isinstance(data["cwnd"], int)
    return data["because"], data["cwnd_before"], data["cwnd"]


def test_three_duplicate_acks() -> None:
    conn, peer = test_newreno.sending()
    log = watch(peer)
    for _ in range(3):
        peer.sends(ACK, ack=conn.snd_una)
    peer.world.sent.clear()
    told = log.one("tcp:loss")
    assert told.data == {
        "seq": conn.snd_una,
        "flight": 10 * MSS,
        "cwnd_before": 10 * MSS,
        "ssthresh_before": 1 << 30,
        "cwnd": 5 * MSS,
        "ssthresh": 5 * MSS,
        "because": "loss_by_duplicate_acks",
    }
    assert "5681-3.2-c" in told.why
    assert (told.cause, told.frame) == ("frame", log.all("wire:frame")[-1].n)
    begun = log.one("tcp:recovery")
    assert begun.data == {"recover": conn.recover, "cwnd": 8 * MSS, "because": "recovery_begins"}
    assert log.all("tcp:phase")[-1].data["because"] == "fast_recovery"
    log.events.clear()
    peer.sends(ACK, ack=at(conn, 3))
    assert log.one("tcp:recovery").data["because"] == "partial_ack"
    assert log.one("tcp:recovery").why == ("6582-3.2-d",)
    log.events.clear()
    peer.sends(ACK)
    assert log.one("tcp:recovery").data["because"] == "recovery_over_newreno"
    assert log.one("tcp:phase").data["because"] in ("slow_start", "congestion_avoidance")
    peer.world.sent.clear()


def test_a_timeout_and_another() -> None:
    conn, peer = test_newreno.sending()
    log = watch(peer)
    peer.wait(conn.rto_deadline - peer.now)
    assert lost(log) == ("loss_by_timeout", 10 * MSS, MSS)
    assert log.one("tcp:loss").cause == "timer"
    assert log.all("tcp:phase")[-1].data["because"] == "slow_start"
    log.events.clear()
    peer.wait(conn.rto_deadline - peer.now)
    assert lost(log) == ("loss_by_timeout_again", MSS, MSS)
    assert log.one("tcp:loss").why == ("5681-3.1-p", "5681-3.1-q")
    peer.world.sent.clear()


def test_a_timeout_ends_a_fast_recovery() -> None:
    conn, peer = test_newreno.recovering()
    log = watch(peer)
    peer.wait(conn.rto_deadline - peer.now)
    peer.world.sent.clear()
    assert log.one("tcp:recovery").data["because"] == "recovery_timed_out"


def test_sacks_show_a_loss() -> None:
    conn, peer = test_sack_recovery.sending()
    log = watch(peer)
    for end in (3, 4, 5):
        sack(conn, peer, 0, (2, end))
    peer.world.sent.clear()
    assert lost(log)[0] == "loss_by_sack"
    log.events.clear()
    peer.sends(ACK)
    peer.world.sent.clear()
    assert log.one("tcp:recovery").data["because"] == "recovery_over"


def test_rack_finds_a_loss() -> None:
    conn, peer = test_rack_tlp.sending()
    log = watch(peer)
    peer.wait(test_rack_tlp.RTT)
    for end in (2, 3, 4):
        sack(conn, peer, 0, (1, end))
    peer.world.sent.clear()
    assert lost(log)[0] == "loss_by_rack"
    assert log.one("tcp:loss").why == ("8985-6.2-d",)


def test_the_reordering_timer_finds_a_loss() -> None:
    conn, peer = test_rack_tlp.sending(3, 3 * MSS)
    peer.wait(test_rack_tlp.RTT)
    log = watch(peer)
    sack(conn, peer, 0, (1, 2))
    peer.wait(test_rack_tlp.RTT / 4 + 0.001)
    goes(conn, peer, 0)
    assert lost(log)[0] == "loss_by_reordering_timer"
    assert log.one("tcp:loss").cause == "timer"


def test_a_probe_that_repairs_a_loss() -> None:
    conn, peer = test_rack_tlp.sending(3, 3 * MSS)
    log = watch(peer)
    peer.wait(2 * test_rack_tlp.RTT)
    goes(conn, peer, 2)
    peer.wait(test_rack_tlp.RTT)
    sack(conn, peer, 3)
    conn.send(b"more", peer.now)
    peer.expects(ACK, b"more")
    peer.sends(ACK)
    assert lost(log)[0] == "loss_repaired_by_probe"


def test_a_duplicate_that_the_peer_reports() -> None:
    conn, peer = test_rack_tlp.sending()
    log = watch(peer)
    sack(conn, peer, 2, (0, 1))
    peer.world.sent.clear()
    told = log.one("tcp:dsack")
    assert told.data == {"left": at(conn, 0), "right": at(conn, 1), "because": "duplicate_reported"}
    assert told.why == ("2883-5-a",)


def test_a_retransmission_that_was_not_needed() -> None:
    conn, peer = stamped()
    conn.send(text(3 * 1448), peer.now)
    first = peer.world.sent[0]
    peer.wait(0.25)
    peer.world.sent.clear()
    log = watch(peer)
    assert first.options.timestamps is not None
    before = conn.congestion.cwnd
    peer.sends(ACK, ack=add(conn.snd_una, 1448), options=TcpOptions(timestamps=(2, first.options.timestamps[0])))
    told = log.one("tcp:undo")
    assert (told.data["because"], told.data["cwnd_before"]) == ("undo_eifel", before)
    assert isinstance(told.data["cwnd"], int)
    assert told.data["cwnd"] > before
    assert told.data["echoed"] == first.options.timestamps[0]
    assert told.why == ("own",)
    peer.world.sent.clear()


def test_the_phases_of_the_congestion_window() -> None:
    """Slow start up to ssthresh, then congestion avoidance; each is told once."""
    conn, peer = established(congestion="reno", initial_window_segments=2)
    conn.congestion.ssthresh = 4 * MSS
    log = watch(peer)
    conn.send(text(20 * MSS), peer.now)
    while conn.unsent or conn.flight:
        peer.world.sent.clear()
        peer.sends(ACK, ack=add(conn.snd_una, MSS))
    peer.world.sent.clear()
    phases = [(event.data["because"], event.why[-1]) for event in log.all("tcp:phase")]
    assert phases == [("slow_start", "5681-3.1-i"), ("congestion_avoidance", "5681-3.1-k")]


# --- ECN


def test_a_mark_and_its_end() -> None:
    conn, peer, _ = test_ecn.capable()
    log = watch(peer)
    test_ecn.arrives(peer, ACK, b"marked")
    peer.expects(ACK | ECE)
    told = log.one("tcp:ecn")
    assert told.data == {"echo": True, "because": "ecn_packet_was_marked"}
    assert told.why == ("3168-6.1.3-a", "3168-6.1.1-f")
    log.events.clear()
    peer.sends(ACK | CWR, b"x" * 2 * MSS)
    peer.expects(ACK)
    assert log.one("tcp:ecn").data == {"echo": False, "because": "ecn_sender_has_reduced"}
    assert conn.ecn is not None


def test_an_echo_reduces_the_window() -> None:
    conn, peer, _ = test_ecn.capable()
    conn.send(text(10 * MSS), peer.now)
    peer.world.sent.clear()
    log = watch(peer)
    peer.sends(ACK | ECE, ack=add(conn.snd_una, MSS))
    assert lost(log) == ("loss_spared_by_mark", 10 * MSS, 5 * MSS)
    assert "3168-6.1.2-b" in log.one("tcp:loss").why
    peer.sends(ACK)


def test_a_second_echo_within_a_round_trip_is_told_to_change_nothing() -> None:
    conn, peer, _ = test_ecn.capable()
    conn.send(text(10 * MSS), peer.now)
    peer.world.sent.clear()
    peer.sends(ACK | ECE, ack=add(conn.snd_una, MSS))
    log = watch(peer)
    peer.sends(ACK | ECE, ack=add(conn.snd_una, MSS))
    assert not log.all("tcp:loss")
    told = log.one("tcp:ecn")
    assert (told.data["because"], told.why) == ("ecn_window_was_reduced", ("3168-6.1.2-d",))


# --- the send window


@pytest.mark.parametrize(
    ("before", "after", "reason", "clause"),
    [
        (5000, 6000, "window_moved", "9293-3.10.7.4-p"),
        (5000, 0, "window_closed", "9293 MUST-36"),
        (0, 5000, "window_opened", "9293-3.10.7.4-p"),
        (5000, 4000, "window_shrunk", "9293 SHLD-15"),
    ],
)
def test_another_window(before: int, after: int, reason: str, clause: str) -> None:
    _conn, peer = established(window=before)
    log = watch(peer)
    peer.sends(ACK, window=after)
    told = log.one("tcp:window")
    assert told.data == {"before": before, "after": after, "because": reason}
    assert clause in told.why


def test_a_window_that_is_less_because_data_has_come_is_not_shrunk() -> None:
    conn, peer = established(window=5000)
    conn.send(text(1000), peer.now)
    peer.expects(ACK, 1000)
    log = watch(peer)
    peer.sends(ACK, window=4000)
    assert log.one("tcp:window").data["because"] == "window_moved"


def test_the_window_of_an_older_segment_is_not_taken() -> None:
    conn, peer = established(window=5000)
    peer.sends(ACK, b"old")
    peer.sends(ACK, b"new")
    log = watch(peer)
    peer.sends(ACK, b"oldnew", seq=add(peer.snd_nxt, -6), window=100)
    told = log.one("tcp:window")
    assert told.data == {"before": 5000, "after": 5000, "offered": 100, "because": "window_is_old"}
    assert told.why == ("9293-3.10.7.4-p", "9293-3.8.6-a")
    assert conn.snd_wnd == 5000
    peer.world.sent.clear()


# --- urgent data, buffers, memory


def test_urgent_data() -> None:
    conn, peer = established()
    log = watch(peer)
    peer.sends(ACK | URG, b"now", up=3)
    told = log.one("tcp:urgent")
    assert told.data == {"pointer": peer.snd_nxt, "because": "urgent_announced"}
    assert told.why == ("9293-3.10.7.4-t", "9293 MUST-32")
    log.events.clear()
    conn.send(b"!", peer.now, urgent=True)
    assert log.one("tcp:urgent").data == {"pointer": conn.snd_nxt, "because": "urgent_sent"}
    peer.world.sent.clear()


def test_buffers_that_grow() -> None:
    conn, peer = test_autotune.tuned()
    log = watch(peer)
    test_autotune.streams(conn, peer, 2)
    told = log.all("tcp:buffer")
    assert told[-1].data == {"size": conn.rcvbuf, "because": "rcvbuf_grows"}
    log.events.clear()
    conn.congestion.cwnd = 60_000
    conn.send(text(80_000), peer.now)
    assert log.one("tcp:buffer").data == {"size": conn.sndbuf, "because": "sndbuf_grows"}
    peer.world.sent.clear()


def test_text_behind_a_gap_that_is_dropped() -> None:
    conn, peer = established(sack=True)
    test_memory.full_of_late_text(peer, conn)
    test_memory.short_of_memory(peer)
    log = watch(peer)
    prune(peer.world.services.budget)
    told = log.one("tcp:pruned")
    assert (told.data["because"], told.why) == ("pruned_for_memory", ("2018-8-a",))
    test_memory.enough_memory(peer)
    peer.world.sent.clear()


# --- sizes


def too_big(peer: Peer, conn: Connection) -> None:
    peer.world.too_big(conn, 1000)


def not_too_big(peer: Peer, conn: Connection) -> None:
    peer.world.too_big(conn, 1600)


@pytest.mark.parametrize(
    ("begin", "act", "reason", "clause"),
    [
        (lambda: test_path_mtu.in_flight(1), too_big, "mtu_is_believed", "5927-7.2-b"),
        (
            lambda: test_path_mtu.in_flight(1),
            lambda p, c: p.world.too_big(c, 1600),
            "mtu_was_not_exceeded",
            "5927-7.2-a",
        ),
        (test_path_mtu.acknowledged, too_big, "mtu_waits_for_timeout", "5927-7.2-c"),
    ],
)
def test_what_becomes_of_a_routers_claim(
    begin: Callable[[], tuple[Connection, Peer]], act: Callable[[Peer, Connection], object], reason: str, clause: str
) -> None:
    conn, peer = begin()
    log = watch(peer)
    act(peer, conn)
    told = log.one("tcp:mtu")
    assert told.data["because"] == reason
    assert clause in told.why
    assert told.data["sent"] in (MSS, 960)
    peer.world.sent.clear()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_claim_that_waits_is_refuted_or_confirmed(arrives: bool) -> None:
    conn, peer = test_path_mtu.acknowledged()
    peer.world.too_big(conn, 1000)
    log = watch(peer)
    if arrives:
        peer.sends(ACK)
    else:
        peer.wait(0.25)
    peer.world.sent.clear()
    told = log.one("tcp:mtu")
    assert told.data["because"] == ("mtu_is_refuted" if arrives else "mtu_is_confirmed")
    assert told.data["mtu"] == 1000


def test_a_black_hole() -> None:
    conn, peer = test_path_mtu.in_flight(1, black_hole_detection=True)
    log = watch(peer)
    peer.wait(0.2 + 0.4 + 0.8 + 0.01)
    told = log.one("tcp:mtu")
    assert (told.data["because"], told.data["mtu"]) == ("mtu_black_hole", 1024)
    assert "4821-7.7-a" in told.why
    log.events.clear()
    peer.world.sent.clear()
    peer.sends(ACK)
    conn.path.mtu = 1500
    conn.path_mtu_changed(peer.now)
    conn.send(text(MSS), peer.now)
    peer.wait(conn.rto_deadline - peer.now)
    peer.world.sent.clear()
    assert log.one("tcp:mtu").data["because"] == "mtu_fails_again"
    peer.sends(ACK)
    peer.world.sent.clear()
