"""Pacing: bursts of a bounded size, at no more than the rate that the policy or the user asks for."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from stack.tcp.congestion import POLICIES
from stack.tcp.connection import Connection
from stack.tcp.pacing import UNLIMITED, Pacer
from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .full_segments import at, goes, sack
from .world import ACK, FIN, MSS, SYN, Peer, established, syn_sent, text

RTT = 0.1
RATE = 1000 * MSS  # a segment a millisecond


def limited(rate: int = RATE, **changes: Any) -> tuple[Connection, Peer]:
    """ESTABLISHED, and no faster than `rate` octets a second."""
    conn, peer = established(**changes)
    set_options(conn, max_pacing_rate=rate)
    return conn, peer


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_paces_unless_asked(policy: str) -> None:
    conn, peer = established(congestion=policy)
    assert conn.pacer is None
    conn.send(text(10 * MSS), peer.now)
    goes(conn, peer, *range(10))
    peer.sends(ACK)


def test_two_segments_at_a_time_at_the_users_rate() -> None:
    conn, peer = limited()
    conn.send(text(7 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.wait(0.0019)
    peer.silent()
    peer.wait(0.0002)
    goes(conn, peer, 2, 3)
    peer.wait(0.002)
    goes(conn, peer, 4, 5)
    peer.wait(0.002)
    goes(conn, peer, 6)
    assert conn.pacer is not None
    assert conn.pacer.resume_at == inf
    peer.sends(ACK)


def test_a_burst_is_what_goes_in_a_quantum_of_time() -> None:
    conn, peer = limited(pacing_quantum_s=0.004)
    conn.send(text(10 * MSS), peer.now)
    goes(conn, peer, 0, 1, 2, 3)
    peer.wait(0.0041)
    goes(conn, peer, 4, 5, 6, 7)
    peer.wait(0.0041)
    goes(conn, peer, 8, 9)
    peer.sends(ACK)


def test_but_never_more_than_one_send_takes() -> None:
    conn, peer = limited(1 << 40, send_quantum_bytes=3 * MSS)
    conn.send(text(3 * MSS), peer.now)
    conn.send(text(3 * MSS), peer.now)
    goes(conn, peer, 0, 1, 2)
    peer.wait(0.00001)
    goes(conn, peer, 3, 4, 5)
    peer.sends(ACK)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_policys_rate_follows_its_window(policy: str) -> None:
    made = POLICIES[policy](1000, 10, True)
    assert made.pacing_rate(None) == inf
    assert made.pacing_rate(0.1) == 2 * made.cwnd / 0.1
    made.ssthresh = 2 * made.cwnd
    assert made.pacing_rate(0.1) == 1.2 * made.cwnd / 0.1
    assert POLICIES[policy](1000, 10, False).pacing_rate(0.1) is None


def test_a_policy_that_paces_spreads_the_initial_window() -> None:
    conn, peer = syn_sent(pacing=True, congestion="reno")
    peer.wait(RTT)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    conn.send(text(40 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.wait(RTT / 10 - 0.001)  # 2 of 10 segments at twice the window in a round trip
    peer.silent()
    peer.wait(0.002)
    goes(conn, peer, 2, 3)
    peer.wait(3 * RTT / 10)
    goes(conn, peer, *range(4, 10))
    peer.sends(ACK)
    conn.abort(peer.now)
    peer.world.sent.clear()


def test_the_users_limit_holds_for_such_a_policy_too() -> None:
    conn, peer = syn_sent(pacing=True)
    set_options(conn, max_pacing_rate=MSS)
    peer.wait(RTT)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    conn.send(text(3 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.sends(ACK)
    peer.wait(1.99)
    peer.silent()
    peer.wait(0.02)
    goes(conn, peer, 2)
    peer.sends(ACK)


@pytest.mark.parametrize("none", [0, UNLIMITED])
def test_a_limit_can_be_taken_back(none: int) -> None:
    conn, peer = limited(MSS)
    conn.send(text(6 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.sends(ACK)
    peer.silent()
    set_options(conn, max_pacing_rate=none)
    conn.options_changed(peer.now)
    goes(conn, peer, 2, 3, 4, 5)
    assert conn.user_options.max_pacing_rate == none
    peer.sends(ACK)


def test_nothing_is_sent_too_early_because_a_window_seems_small() -> None:
    """The override timeout of silly window avoidance is for a peer's window, not for a rate."""
    conn, peer = limited(MSS, sws_override_s=0.2)
    conn.send(text(3 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.sends(ACK)
    peer.wait(1.0)
    peer.silent()
    peer.wait(1.01)
    goes(conn, peer, 2)
    peer.sends(ACK)


def test_acks_do_not_wait() -> None:
    conn, peer = limited(MSS)
    conn.send(text(3 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.sends(ACK, b"x" * MSS, ack=conn.snd_una)
    peer.sends(ACK, b"x" * MSS)
    peer.expects(ACK, ack=peer.snd_nxt)
    peer.wait(2.1)
    goes(conn, peer, 2)
    peer.sends(ACK)


def test_nor_does_a_fin_alone() -> None:
    conn, peer = limited(MSS)
    conn.send(text(2 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.sends(ACK)
    conn.shutdown_write(peer.now)
    peer.wait(2.1)
    peer.expects(FIN | ACK)
    peer.sends(ACK)


def test_after_a_timeout_the_first_goes_at_once_and_the_others_at_the_rate() -> None:
    conn, peer = limited(2 * MSS, congestion="reno", rto_min_s=1.0)
    conn.send(text(2 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.wait(1.001)
    goes(conn, peer, 0)
    peer.sends(ACK, ack=at(conn, 1))
    peer.silent()
    peer.wait(0.48)
    peer.silent()
    peer.wait(0.02)
    goes(conn, peer, 1)
    peer.sends(ACK)


@pytest.mark.parametrize(("rack", "at_once"), [(False, 3), (True, 2)])
def test_lost_segments_are_sent_again_no_faster(rack: bool, at_once: int) -> None:
    """Without RACK-TLP the first is a fast retransmission, which does not ask."""
    conn, peer = syn_sent(congestion="reno", sack=True, rack=rack, prr=rack)
    peer.wait(RTT)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True))
    peer.expects(ACK)
    conn.send(text(10 * MSS), peer.now)
    goes(conn, peer, *range(10))
    set_options(conn, max_pacing_rate=RATE)
    conn.options_changed(peer.now)
    peer.wait(RTT)
    sack(conn, peer, 0, (4, 10))
    goes(conn, peer, *range(at_once))
    sack(conn, peer, 1, (4, 10))
    peer.silent()
    peer.wait(0.003)
    goes(conn, peer, *range(at_once, 4))
    peer.sends(ACK)


def test_a_late_wake_is_made_up_for_by_one_burst_only() -> None:
    pacer = Pacer()
    now = 0.0
    sent = []
    for late in (0.0, 0.0005, 0.0, 0.0002, 0.0, 0.0):
        pacer.begin_burst(1e6, 0.001, 100, 10_000, now)
        while pacer.may_send(now):
            pacer.sent(100, now)
            sent.append(now)
        now = pacer.resume_at + late
    assert len(sent) * 100 == pytest.approx(1e6 * sent[-1] + 1000, abs=1000)
    before = len(sent)
    now += 10.0
    pacer.begin_burst(1e6, 0.001, 100, 10_000, now)
    while pacer.may_send(now):
        pacer.sent(100, now)
        sent.append(now)
    assert len(sent) - before <= 20


def test_an_idle_connection_has_saved_up_nothing() -> None:
    conn, peer = limited()
    peer.wait(60.0)
    conn.send(text(4 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.wait(0.0021)
    goes(conn, peer, 2, 3)
    peer.sends(ACK)


def test_the_user_is_told_that_what_waited_has_gone() -> None:
    conn, peer = limited(notsent_lowat_bytes=2 * MSS)
    woken = []
    conn.on_writable = lambda: woken.append(peer.now)
    conn.send(text(6 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.wait(0.0021)
    goes(conn, peer, 2, 3)
    assert not woken
    peer.wait(0.002)
    goes(conn, peer, 4, 5)
    assert woken
    peer.sends(ACK)
