"""OPEN, and the handshake in each of its forms: RFC 9293 sections 3.5, 3.10.1, 3.10.7.2 and
3.10.7.3.
"""

from __future__ import annotations

import errno

import pytest

from stack.tcp.states import Event, State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .world import (
    ACK,
    FIN,
    MSS,
    OUR_ISS,
    PEER_ISS,
    PSH,
    RST,
    SYN,
    URG,
    add,
    closed,
    established,
    in_state,
    listening,
    syn_received,
    syn_sent,
)

# --- 3.10.1 OPEN


@rfc("9293-3.10.1-b")
def test_active_open_sends_a_syn() -> None:
    conn, peer = closed()
    conn.open(peer.now)
    sent = peer.expects(SYN, seq=OUR_ISS, ack=0)
    assert sent.reserved == 0
    assert (conn.state, conn.snd_una, conn.snd_nxt) == (State.SYN_SENT, OUR_ISS, add(OUR_ISS, 1))
    assert peer.world.counters["tcpActiveOpens"] == 1


def test_a_passive_open_can_be_made_active() -> None:
    conn, peer = closed()
    conn.enter(Event.PASSIVE_OPEN)
    conn.open(peer.now)
    peer.expects(SYN, seq=OUR_ISS)
    assert conn.state is State.SYN_SENT


@rfc("9293-3.10.1-a")
@pytest.mark.parametrize("state", [state for state in State if state >= State.SYN_SENT])
def test_open_of_a_connection_that_exists_is_refused(state: State) -> None:
    conn, peer = in_state(state)
    with pytest.raises(OSError) as refused:
        conn.open(peer.now)
    assert refused.value.errno == errno.EISCONN
    assert conn.state is state
    peer.silent()


# --- 3.10.7.3 SYN-SENT


@rfc("9293-3.10.7.3-e")
def test_syn_ack_in_syn_sent_establishes() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS), window=1000)
    assert conn.state is State.ESTABLISHED
    assert (conn.irs, conn.rcv_nxt) == (PEER_ISS, add(PEER_ISS, 1))
    assert (conn.snd_una, conn.snd_wnd) == (add(OUR_ISS, 1), 1000)
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))


@rfc("9293-3.10.7.3-h", "9293-3.10.2-a")
def test_data_sent_before_the_connection_stands_goes_with_the_ack_of_the_syn_ack() -> None:
    conn, peer = syn_sent()
    assert conn.send(b"early", peer.now) == 5
    peer.silent()
    peer.sends(SYN | ACK)
    peer.expects(ACK, b"early", seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))


@rfc("9293-3.10.7.3-b")
def test_an_ack_of_the_syn_alone_is_acceptable_though_data_went_with_it() -> None:
    conn, peer = syn_sent()
    conn.send(b"early", peer.now)
    conn.snd_nxt = add(OUR_ISS, 6)  # as if the data had gone with the SYN
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.ESTABLISHED
    peer.expects(PSH | ACK, b"early", seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    assert conn.flight == 5


@rfc("9293-3.10.7.3-a", "9293-3.5.2-c")
@pytest.mark.parametrize("ack", [-1, 0, 2, 1000, 1 << 31])
@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK])
def test_bad_ack_in_syn_sent_is_answered_by_a_reset(ack: int, flags: int) -> None:
    conn, peer = syn_sent()
    peer.sends(flags, ack=add(OUR_ISS, ack))
    peer.expects(RST, seq=add(OUR_ISS, ack), ack=0)
    if not flags & SYN:
        peer.expects(SYN, seq=OUR_ISS)  # and goes on
    assert conn.state is State.SYN_SENT


@rfc("5961-3.2-f")
@pytest.mark.parametrize("ack", [-1, 0, 2])
def test_reset_with_a_bad_ack_in_syn_sent_is_dropped(ack: int) -> None:
    conn, peer = syn_sent()
    peer.sends(RST | ACK, ack=add(OUR_ISS, ack))
    assert conn.state is State.SYN_SENT


@rfc("9293-3.5.3-b")
def test_reset_without_ack_in_syn_sent_is_dropped() -> None:
    conn, peer = syn_sent()
    peer.sends(RST)
    assert conn.state is State.SYN_SENT
    assert peer.world.counters["tcp_syn_sent_bad_reset"] == 1


@rfc("9293-3.10.7.3-c")
def test_reset_that_acknowledges_our_syn_refuses_the_connection() -> None:
    conn, peer = syn_sent()
    peer.sends(RST | ACK, seq=0, ack=add(OUR_ISS, 1))
    assert conn.state is State.CLOSED
    assert conn in peer.world.closed
    with pytest.raises(ConnectionRefusedError):
        conn.receive(1, peer.now)
    assert peer.world.counters["tcpAttemptFails"] == 1


@rfc("9293-3.10.7.3-g", "9293-3.10.7.4-w")
@pytest.mark.parametrize("flags", [0, ACK, FIN, FIN | ACK, URG])
def test_neither_syn_nor_rst_in_syn_sent_is_dropped(flags: int) -> None:
    conn, peer = syn_sent()
    peer.sends(flags, b"text", ack=add(OUR_ISS, 1))
    assert conn.state is State.SYN_SENT
    assert peer.world.counters["tcp_syn_sent_no_syn"] == 1
    peer.silent()


def test_a_syn_whose_ack_field_is_not_zero_but_has_no_ack_bit_is_a_syn() -> None:
    """3.1: the acknowledgment number means something if the ACK bit is set."""
    listener, peer = listening()
    peer.sends(SYN, ack=12345)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    assert listener.half_open == 1


# --- simultaneous open


@rfc("9293-3.10.7.3-f")
def test_crossing_syn_is_answered_by_syn_ack() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN, window=777)
    assert conn.state is State.SYN_RECEIVED
    assert (conn.snd_wnd, conn.snd_wl1) == (777, PEER_ISS)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))


def test_simultaneous_open_is_completed_by_a_plain_ack() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    assert conn.state is State.ESTABLISHED


def test_simultaneous_open_when_our_syn_ack_is_lost() -> None:
    """The peer, still in SYN-RECEIVED, repeats its SYN,ACK: a challenge ACK acknowledges its SYN."""
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)  # lost
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))
    assert conn.state is State.ESTABLISHED
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))


def test_only_syn_and_ack_together_repeat_a_syn_and_bring_news() -> None:
    """With the number of the SYN we know, an ACK alone is outside the window; the SYN alone says nothing of ours."""
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    peer.sends(SYN, seq=PEER_ISS)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    assert conn.state is State.SYN_RECEIVED


def test_only_the_syn_we_know_may_come_again() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(SYN | ACK, seq=add(PEER_ISS, 5), ack=add(OUR_ISS, 1))
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    assert conn.state is State.SYN_RECEIVED


def test_data_with_the_crossing_syn_ack_may_fill_the_window() -> None:
    """The SYN before it is not in it."""
    conn, peer = syn_sent(receive_buffer_bytes=5)
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(SYN | ACK, b"hello", seq=PEER_ISS, ack=add(OUR_ISS, 1))
    assert conn.receive(100, peer.now) == b"hello"
    peer.expects(ACK, ack=add(PEER_ISS, 6), window=5)


def test_data_with_the_crossing_syn_ack_is_taken() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(SYN | ACK, b"hello", seq=PEER_ISS, ack=add(OUR_ISS, 1))
    assert conn.receive(100, peer.now) == b"hello"
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 6))


def test_simultaneous_open_sends_what_waited() -> None:
    conn, peer = syn_sent()
    conn.send(b"early", peer.now)
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    peer.expects(ACK, b"early", seq=add(OUR_ISS, 1))


def test_split_handshake_is_a_simultaneous_open() -> None:
    """A "server" that answers our SYN with an ACK and a SYN apart: the SYN is answered by SYN,ACK, not by ACK."""
    conn, peer = syn_sent()
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.SYN_SENT
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    assert conn.state is State.SYN_RECEIVED
    peer.sends(ACK)
    assert conn.state is State.ESTABLISHED


@rfc("9293-A.2-a")
def test_a_connection_to_itself_opens_and_closes() -> None:
    conn, peer = syn_sent()
    peer.snd_nxt = OUR_ISS
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(OUR_ISS, 1))
    peer.sends(SYN | ACK, seq=OUR_ISS, ack=add(OUR_ISS, 1))
    assert conn.state is State.ESTABLISHED
    conn.send(b"echo", peer.now)
    peer.expects(ACK, b"echo", seq=add(OUR_ISS, 1))
    peer.sends(ACK, b"echo", seq=add(OUR_ISS, 1), ack=add(OUR_ISS, 1))
    assert conn.receive(10, peer.now) == b"echo"
    conn.close(peer.now)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 5), ack=add(OUR_ISS, 5))
    peer.sends(FIN | ACK, seq=add(OUR_ISS, 5), ack=add(OUR_ISS, 5))
    peer.expects(ACK, seq=add(OUR_ISS, 6), ack=add(OUR_ISS, 6))
    peer.sends(ACK, seq=add(OUR_ISS, 6), ack=add(OUR_ISS, 6))
    assert conn.state is State.TIME_WAIT


# --- 3.10.7.2 LISTEN


@rfc("9293-3.10.7.2-c")
def test_syn_in_listen_is_answered_by_syn_ack() -> None:
    listener, peer = listening()
    peer.sends(SYN, window=4000)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    conn = peer.conn
    assert conn is not None
    assert conn.state is State.SYN_RECEIVED
    assert (conn.irs, conn.rcv_nxt, conn.snd_una, conn.snd_nxt) == (
        PEER_ISS,
        add(PEER_ISS, 1),
        OUR_ISS,
        add(OUR_ISS, 1),
    )
    assert listener.half_open == 1
    assert peer.world.counters["tcpPassiveOpens"] == 1


@rfc("9293-3.10.7.2-a", "9293-3.5.3-c")
@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | SYN, RST | SYN | ACK])
def test_reset_in_listen_is_ignored(flags: int) -> None:
    listener, peer = listening()
    peer.sends(flags, ack=1)
    peer.silent()
    assert (peer.conn, listener.half_open) == (None, 0)


@rfc("9293-3.10.7.2-b", "9293-3.5.2-c")
@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK])
def test_ack_in_listen_is_answered_by_a_reset(flags: int) -> None:
    listener, peer = listening()
    peer.sends(flags, ack=4711)
    peer.expects(RST, seq=4711, ack=0)
    assert (peer.conn, listener.half_open) == (None, 0)


@rfc("9293-3.10.7.2-d", "9293-3.10.7.4-w")
@pytest.mark.parametrize("flags", [0, FIN, URG, FIN | URG])
def test_anything_else_in_listen_is_dropped(flags: int) -> None:
    listener, peer = listening()
    peer.sends(flags, b"text")
    peer.silent()
    assert (peer.conn, listener.half_open) == (None, 0)


# --- SYN-RECEIVED


@rfc("9293-3.10.7.4-n")
def test_ack_in_syn_received_establishes_and_sets_the_window() -> None:
    conn, peer = syn_received()
    peer.sends(ACK, window=1234)
    assert conn.state is State.ESTABLISHED
    assert (conn.snd_wnd, conn.snd_wl1, conn.snd_wl2) == (1234, add(PEER_ISS, 1), add(OUR_ISS, 1))
    assert conn.snd_una == conn.snd_nxt


@rfc("9293-3.10.7.4-n", "9293-3.5.2-c")
@pytest.mark.parametrize("ack", [-1, 0, 2, 1 << 31])
def test_bad_ack_in_syn_received_is_answered_by_a_reset(ack: int) -> None:
    conn, peer = syn_received()
    peer.sends(ACK, ack=add(OUR_ISS, ack))
    peer.expects(RST, seq=add(OUR_ISS, ack), ack=0)
    assert conn.state is State.SYN_RECEIVED
    assert peer.world.counters["tcp_syn_received_bad_ack"] == 1


@rfc("9293-3.10.7.4-n")
def test_bad_ack_in_syn_received_after_a_crossing_syn_is_answered_by_a_reset() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(ACK, ack=add(OUR_ISS, 5))
    peer.expects(RST, seq=add(OUR_ISS, 5))
    assert conn.state is State.SYN_RECEIVED


@rfc("9293-3.10.7.4-k")
def test_another_syn_in_the_window_returns_a_passive_open_to_listen() -> None:
    conn, peer = syn_received()
    listener = peer.listener
    assert listener is not None
    peer.sends(SYN, seq=add(PEER_ISS, 100))
    assert conn.state is State.LISTEN
    assert listener.half_open == 0
    assert peer.world.counters["tcpAttemptFails"] == 1
    peer.sends(SYN, seq=add(PEER_ISS, 100))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 101))


@rfc("9293 MUST-11")
def test_another_syn_in_the_window_challenges_an_active_open() -> None:
    """ "Otherwise, handle per the directions for synchronized states"."""
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(SYN, seq=add(PEER_ISS, 100))
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    assert conn.state is State.SYN_RECEIVED


@rfc("field-12", "5961-7-a")
def test_the_peers_syn_again_is_answered_by_our_syn_ack_again() -> None:
    """It was retransmitted because our SYN,ACK was lost, and an ACK would not help the peer. It is no way to flood."""
    conn, peer = syn_received()
    for _ in range(50):
        peer.sends(SYN, seq=PEER_ISS)
    answers = len(peer.world.sent)
    for _ in range(answers):
        peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    assert answers == peer.world.services.config.challenge_acks_per_window
    peer.sends(SYN, seq=add(PEER_ISS, -1))  # another SYN
    peer.silent()
    assert conn.state is State.SYN_RECEIVED
    peer.wait(0.9)
    peer.sends(ACK)
    assert conn.state is State.ESTABLISHED
    assert conn.rtt.srtt_s is None  # Karn


def test_a_syn_ack_does_not_complete_a_passive_open() -> None:
    """Only where SYNs can cross is a second SYN with the same number, and an ACK, let through."""
    conn, peer = syn_received()
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    assert conn.state is State.SYN_RECEIVED


@rfc("9293-3.10.7.4-l")
def test_no_ack_in_syn_received_is_dropped() -> None:
    conn, peer = syn_received()
    peer.sends(0, b"text", seq=add(PEER_ISS, 1))
    peer.silent()
    assert conn.state is State.SYN_RECEIVED
    assert peer.world.counters["tcp_no_ack"] == 1


def test_data_in_the_ack_that_completes_the_handshake() -> None:
    conn, peer = syn_received()
    peer.sends(ACK, b"request")
    assert conn.state is State.ESTABLISHED
    assert conn.receive(100, peer.now) == b"request"
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 8))


@rfc("9293-3.10.7.4-x")
def test_fin_in_the_ack_that_completes_the_handshake() -> None:
    conn, peer = syn_received()
    peer.sends(FIN | ACK, b"all")
    peer.expects(ACK, ack=add(PEER_ISS, 5))
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(100, peer.now) == b"all"
    assert conn.receive(100, peer.now) == b""


def test_an_established_connection_is_writable_and_tells_so() -> None:
    conn, peer = syn_sent()
    told: list[str] = []
    conn.on_writable = lambda: told.append("writable")
    assert not conn.writable
    peer.sends(SYN | ACK)
    peer.expects(ACK)
    assert conn.writable
    assert told == ["writable"]


def test_both_ways_of_opening_come_to_the_same() -> None:
    for active in (True, False):
        conn, peer = established(active=active)
        conn.send(b"x", peer.now)
        peer.expects(ACK, b"x", seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
        assert conn.send_mss == MSS


# --- the peer has an old connection with our ports


@rfc("field-6")
def test_after_a_challenge_the_syn_goes_again_behind_the_reset_and_the_timer_goes_on() -> None:
    """RFC 9293 Figure 9, lines 4 to 7, with RFC 5961's challenge ACK; but no ACK makes us send a flood of SYNs."""
    conn, peer = syn_sent()
    begun = peer.now
    peer.wait(0.1)
    for attempt in range(5):
        peer.sends(ACK, seq=300, ack=100)
        peer.expects(RST, seq=100)
        if attempt == 0:
            peer.expects(SYN, seq=OUR_ISS)
        peer.silent()
    assert conn.congestion.cwnd > MSS
    peer.wait(0.89)
    peer.silent()
    peer.wait(0.02)
    assert round(peer.expects(SYN, seq=OUR_ISS).at - begun, 3) == 1.0  # the RTO is what it was
    peer.sends(ACK, seq=300, ack=100)  # and once for this one, too
    peer.expects(RST, seq=100)
    peer.expects(SYN, seq=OUR_ISS)
    peer.sends(ACK, seq=300, ack=100)
    peer.expects(RST, seq=100)
    assert round(conn.deadline - begun, 3) == 3.0
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    assert conn.rtt.srtt_s is None  # Karn


@rfc("field-6")
def test_a_syn_that_was_sent_again_is_no_sign_of_congestion() -> None:
    conn, peer = syn_sent()
    peer.sends(ACK, seq=300, ack=100)
    peer.expects(RST)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    assert conn.congestion.cwnd == 10 * MSS
    assert peer.world.counters["tcpRetransSegs"] == 1


@rfc("field-6")
@pytest.mark.parametrize(("flags", "ack"), [(RST | ACK, 100), (SYN | ACK, 100), (0, 0), (ACK, 1)])
def test_only_a_challenge_does_that(flags: int, ack: int) -> None:
    """Neither a reset nor the answer to an old SYN of ours (Figure 8), nor what says nothing."""
    _, peer = syn_sent()
    peer.sends(flags, seq=300, ack=add(OUR_ISS, ack) if ack == 1 else ack)
    assert not [sent for sent in peer.world.sent if sent.flags & SYN]
    peer.world.sent.clear()
