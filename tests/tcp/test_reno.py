"""Reno's numbers, without a connection: RFC 5681 section 3, RFC 6582 section 3.2, RFC 6928."""

from __future__ import annotations

import pytest

from stack.tcp.congestion.reno import Reno
from tests.requirements import rfc

from .world import ACK, MSS, established, text


def reno(cwnd: int = 0, ssthresh: int = 1 << 30) -> Reno:
    policy = Reno(1000, 10)
    policy.cwnd, policy.ssthresh = cwnd or policy.cwnd, ssthresh
    return policy


@rfc("6928-2-a")
@pytest.mark.parametrize(("mss", "window"), [(536, 5360), (1000, 10000), (1460, 14600), (2000, 14600), (8960, 17920)])
def test_the_initial_window(mss: int, window: int) -> None:
    """min (10*MSS, max (2*MSS, 14600))"""
    assert Reno(mss, 10).cwnd == window


@rfc("9293 MUST-19", "5681-3.1-i", "5681-3.1-j")
@pytest.mark.parametrize(("acked", "growth"), [(1, 1), (999, 999), (1000, 1000), (5000, 1000)])
def test_slow_start_adds_what_was_acknowledged_at_most_smss(acked: int, growth: int) -> None:
    policy = reno()
    policy.on_ack(acked, 0.0, 0.1)
    assert policy.cwnd == 10_000 + growth


@rfc("9293 MUST-19", "5681-3.1-k", "5681-3.1-l")
def test_congestion_avoidance_adds_smss_for_each_window_acknowledged() -> None:
    policy = reno(cwnd=10_000, ssthresh=10_000)
    for _ in range(9):
        policy.on_ack(1000, 0.0, 0.1)
    assert policy.cwnd == 10_000
    policy.on_ack(1000, 0.0, 0.1)
    assert policy.cwnd == 11_000
    for _ in range(11):
        policy.on_ack(1000, 0.0, 0.1)
    assert policy.cwnd == 12_000


@rfc("5681-3.1-h")
def test_slow_start_ends_at_ssthresh() -> None:
    policy = reno(cwnd=4000, ssthresh=6000)
    for _ in range(10):
        policy.on_ack(1000, 0.0, 0.1)
    assert policy.cwnd == 7000


@rfc("5681-3.2-g")
@pytest.mark.parametrize(("flight", "ssthresh"), [(20_000, 10_000), (5000, 2500), (3000, 2000), (0, 2000)])
def test_loss_halves_what_is_in_flight_at_least_two_segments(flight: int, ssthresh: int) -> None:
    policy = reno(cwnd=50_000)
    policy.on_loss(flight, 0.0)
    assert (policy.ssthresh, policy.cwnd) == (ssthresh, ssthresh)


@rfc("6582-3.2-d")
@pytest.mark.parametrize(("acked", "cwnd"), [(500, 9500), (1000, 10_000), (3000, 8000), (20_000, 1000)])
def test_a_partial_ack_deflates_by_what_it_acknowledges_less_a_segment(acked: int, cwnd: int) -> None:
    policy = reno(cwnd=10_000)
    policy.on_partial_ack(acked)
    assert policy.cwnd == cwnd


@rfc("6582-3.2-c")
@pytest.mark.parametrize(("flight", "cwnd"), [(0, 2000), (3000, 4000), (50_000, 8000)])
def test_a_full_ack_leaves_no_burst(flight: int, cwnd: int) -> None:
    policy = reno(cwnd=30_000, ssthresh=8000)
    policy.on_recovered(flight, 0.0)
    assert policy.cwnd == cwnd


@rfc("5681-3.1-o", "5681-3.1-p", "5681-3.1-q")
def test_a_timeout_leaves_one_segment_and_halves_once() -> None:
    policy = reno(cwnd=30_000)
    policy.on_rto(20_000, True, 0.0)
    assert (policy.cwnd, policy.ssthresh) == (1000, 10_000)
    policy.on_rto(20_000, False, 0.0)
    assert (policy.cwnd, policy.ssthresh) == (1000, 10_000)


@rfc("5681-3.1-e")
def test_another_segment_size() -> None:
    policy = reno(cwnd=20_000)
    policy.set_mss(500)
    assert (policy.cwnd, policy.mss) == (10_000, 500)
    policy.set_mss(2000)
    assert (policy.cwnd, policy.mss) == (10_000, 2000)
    policy.cwnd = 2000
    policy.set_mss(8000)
    assert policy.cwnd == 8000  # at least one segment


@rfc("5681-4.1-a")
@pytest.mark.parametrize(("before", "after"), [(50_000, 10_000), (3000, 3000)])
def test_idle_leaves_the_initial_window_at_most(before: int, after: int) -> None:
    policy = reno(cwnd=before)
    policy.on_idle()
    assert policy.cwnd == after


# --- what idle is


def test_acknowledgments_in_between_are_no_data() -> None:
    """RFC 5681 section 4.1: "if the TCP has not sent data in an interval exceeding the retransmission timeout": a
    receiver that becomes a sender has no ACK clock either."""
    conn, peer = established(congestion="reno")
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK)
    conn.congestion.cwnd = 40 * MSS
    for _ in range(20):
        peer.wait(0.1)
        peer.sends(ACK, text(MSS))
        peer.sends(ACK, text(MSS))
        peer.expects(ACK)
    conn.send(text(60_000), peer.now)
    assert len(peer.world.sent) == 10
    peer.world.sent.clear()


def test_a_pause_shorter_than_rto_is_not_idle() -> None:
    conn, peer = established(congestion="reno")
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK)
    conn.congestion.cwnd = 40 * MSS
    peer.wait(0.19)
    conn.send(text(60_000), peer.now)
    assert len(peer.world.sent) == 40
    peer.world.sent.clear()
