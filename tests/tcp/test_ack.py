"""The fifth step, check the ACK field, and how challenge ACKs are bounded.

See RFC 9293 section 3.10.7.4 and RFC 5961 sections 5 and 7.
"""

from __future__ import annotations

import pytest

from stack.tcp.states import State
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, OUR_ISS, RST, SYN, Wire, add, established, in_state, text, two_connections


@rfc("9293-3.10.7.4-l")
@pytest.mark.parametrize("state", [state for state in State if state >= State.ESTABLISHED])
def test_without_ack_a_segment_is_dropped(state: State) -> None:
    conn, peer = in_state(state)
    before = conn.rcv_nxt
    peer.sends(0, b"text", seq=before)
    peer.sends(FIN, seq=before)
    peer.silent()
    assert (conn.state, conn.rcv_nxt) == (state, before)
    assert peer.world.counters["tcp_no_ack"] == 2


@rfc("9293-3.4-b")
def test_an_ack_takes_what_it_covers_off_the_queue() -> None:
    conn, peer = established()
    set_options(conn, nodelay=True)
    for piece in (b"one", b"two", b"three"):
        conn.send(piece, peer.now)
        peer.expects(ACK, piece)
    peer.sends(ACK, ack=add(OUR_ISS, 1 + 5))  # in the middle of "two"
    assert (conn.snd_una, conn.send_buffer.size) == (add(OUR_ISS, 6), 6)
    peer.wait(0.2)
    peer.expects(ACK, b"othree", seq=add(OUR_ISS, 6))  # and is sent again together with "three"
    peer.sends(ACK)
    assert conn.send_buffer.size == 0


def test_the_way_to_the_peer_is_confirmed_by_what_it_acknowledges() -> None:
    """So that ARP keeps a neighbour that data gets through to (RFC 1122 section 3.3.1.4: positive advice)."""
    conn, peer = established()
    path = conn.path
    assert isinstance(path, Wire)
    peer.wait(1.0)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK, ack=OUR_ISS)
    before = path.confirmed_at
    peer.wait(0.1)
    peer.sends(ACK)
    assert before is None or before < peer.now
    assert path.confirmed_at == peer.now


@rfc("9293-3.4-b", "9293-3.10.7.4-o", "9293 MAY-12")
@pytest.mark.parametrize("beyond", [1, 1000, 1 << 30])
def test_ack_of_what_was_not_sent_is_answered_by_an_ack_and_dropped(beyond: int) -> None:
    """Optimistic ACKs gain nothing."""
    conn, peer = established()
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    cwnd, una = conn.congestion.cwnd, conn.snd_una
    peer.sends(ACK, b"text", ack=add(conn.snd_nxt, beyond), window=5)
    peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert (conn.snd_una, conn.snd_wnd, conn.congestion.cwnd) == (una, 0xFFFF, cwnd)
    assert conn.receive_buffer.size == 0
    assert peer.world.counters["tcp_bad_ack"] == 1


@rfc("5961-5.2-b", "5961-5.2-c", "9293-3.10.7.4-m")
@pytest.mark.parametrize(
    ("behind", "acceptable"), [(0, True), (1, True), (5000, True), (5001, False), (1 << 31, False)]
)
def test_ack_may_be_old_by_the_largest_window_seen(behind: int, acceptable: bool) -> None:
    """SND.UNA - MAX.SND.WND =< SEG.ACK: the text of a segment with an older one is not taken."""
    conn, peer = established(window=5000)
    peer.sends(ACK, window=100)  # MAX.SND.WND is still 5000
    peer.sends(ACK, b"text", ack=add(conn.snd_una, -behind))
    assert conn.receive(10, peer.now) == (b"text" if acceptable else None)
    peer.wait(0.5)
    peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)


def test_an_old_ack_changes_nothing_but_its_text_is_taken() -> None:
    conn, peer = established()
    conn.send(b"abc", peer.now)
    peer.expects(ACK, b"abc")
    peer.sends(ACK)
    peer.sends(ACK, b"text", ack=add(OUR_ISS, 2), window=7)
    assert (conn.snd_una, conn.snd_wnd) == (add(OUR_ISS, 4), 0xFFFF)
    assert conn.receive(10, peer.now) == b"text"
    peer.wait(0.5)
    peer.expects(ACK)


@rfc("9293-3.10.7.4-p", "9293-3.8.6-a")
def test_window_is_taken_from_the_newest_segment_only() -> None:
    """SND.WL1 < SEG.SEQ, or SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK."""
    conn, peer = established()
    conn.send(b"abcd", peer.now)
    peer.expects(ACK, b"abcd")
    number = conn.rcv_nxt
    peer.sends(ACK, b"x", ack=add(OUR_ISS, 3), window=300)
    assert (conn.snd_wnd, conn.snd_wl1, conn.snd_wl2) == (300, number, add(OUR_ISS, 3))
    peer.sends(ACK, seq=add(number, 1), ack=add(OUR_ISS, 2), window=200)  # newer text, but an older ACK: not SND.UNA
    assert conn.snd_wnd == 300
    peer.sends(ACK, seq=add(number, 1), ack=add(OUR_ISS, 3), window=400)  # SEG.ACK = SND.UNA
    assert (conn.snd_wnd, conn.snd_wl1) == (400, add(number, 1))
    peer.sends(ACK, b"x", seq=number, ack=add(OUR_ISS, 4), window=100)  # an old segment with a newer ACK
    assert conn.snd_una == add(OUR_ISS, 4)
    assert conn.snd_wnd == 400
    peer.expects(ACK, ack=add(number, 1))  # its text is a repetition
    peer.sends(ACK, ack=add(OUR_ISS, 5), window=500)
    assert (conn.snd_una, conn.snd_wnd) == (add(OUR_ISS, 5), 500)


@rfc("9293-3.10.7.4-p", "9293-3.8.6-a")
def test_of_two_segments_with_the_same_number_the_one_with_the_later_ack_has_the_window() -> None:
    """SND.WL2, which alone tells them apart: ACKs that overtake each other have the same SEG.SEQ."""
    conn, peer = established()
    conn.send(b"abcd", peer.now)
    peer.expects(ACK, b"abcd")
    peer.sends(ACK, ack=add(OUR_ISS, 3), window=300)
    peer.sends(ACK, ack=add(OUR_ISS, 2), window=200)  # was overtaken
    assert (conn.snd_wnd, conn.snd_wl2) == (300, add(OUR_ISS, 3))
    peer.sends(ACK, ack=add(OUR_ISS, 3), window=400)  # a window update, which acknowledges nothing
    assert (conn.snd_wnd, conn.snd_wl2) == (400, add(OUR_ISS, 3))


@rfc("9293 MUST-1")
@pytest.mark.parametrize("window", [32767, 32768, 65535])
def test_the_window_is_unsigned(window: int) -> None:
    conn, peer = established(window=window)
    assert conn.snd_wnd == window
    peer.sends(ACK, window=1000)
    peer.sends(ACK, window=window)
    assert conn.snd_wnd == window


# --- the send sequence crosses 2**32


@rfc("9293-3.4-a")
def test_the_send_sequence_crosses_2_to_the_32() -> None:
    conn, peer = established()
    octets = text(40)
    set_options(conn, nodelay=True)
    for start in range(0, 40, 4):
        conn.send(octets[start : start + 4], peer.now)
        peer.expects(ACK, octets[start : start + 4], seq=add(OUR_ISS, 1 + start))
        peer.sends(ACK)
    assert conn.snd_una == conn.snd_nxt == OUR_ISS + 41 - (1 << 32)


def test_fast_retransmit_still_works_after_2_to_the_31_octets() -> None:
    """What NewReno remembers of an old recovery must not come to lie ahead when the numbers have gone half round."""
    conn, peer = established()
    for _ in range(18):
        for _ in range(2):  # as if 2**29 octets had been sent and acknowledged, the last one before our eyes
            conn.snd_una = conn.snd_nxt = add(conn.snd_nxt, 1 << 28)
            conn.send(b"x", peer.now)
            peer.expects(ACK, b"x")
            peer.sends(ACK)
        conn.congestion.cwnd = 20 * MSS
        conn.send(text(8 * MSS), peer.now)
        for _ in range(8):
            peer.expects(ACK, MSS)
        lost = conn.snd_una
        for _ in range(3):
            peer.sends(ACK, ack=lost)
        peer.expects(ACK, MSS, seq=lost)
        peer.sends(ACK)
        assert not conn.recovering


# --- challenge ACKs: RFC 5961 section 7


@rfc("5961-7-a")
def test_challenge_acks_are_limited() -> None:
    """ "no more than 10 ACKs in any 5 second window" """
    conn, peer = established()
    for _ in range(100):
        peer.sends(SYN, seq=5)
    for _ in range(10):
        peer.expects(ACK)
    peer.silent()
    assert peer.world.counters["tcp_challenge_limited"] == 90
    peer.wait(4.9)
    peer.sends(SYN, seq=5)
    peer.silent()
    peer.wait(0.2)
    peer.sends(SYN, seq=5)
    peer.expects(ACK)
    assert conn.state is State.ESTABLISHED


@rfc("5961-7-b", "5961-7-d")
def test_the_limit_on_challenge_acks_can_be_set() -> None:
    _, peer = established(challenge_acks_per_window=3, challenge_ack_window_s=1.0)
    for _ in range(2):
        for _ in range(10):
            peer.sends(SYN, seq=5)
        for _ in range(3):
            peer.expects(ACK)
        peer.silent()
        peer.wait(1)


@rfc("5961-7-c")
def test_a_thousand_probes_on_one_connection_leave_the_budget_of_another() -> None:
    """CVE-2016-5696: a limit shared by all connections tells one peer about another."""
    _, peer, _, other = two_connections()
    for _ in range(1000):
        peer.sends(SYN, seq=5)
    for _ in range(10):
        peer.expects(ACK)
    for _ in range(10):
        other.sends(SYN, seq=5)
        other.expects(ACK)
    other.sends(SYN, seq=5)
    other.silent()


def test_an_ack_war_is_bounded() -> None:
    """A desynchronised pair: each ACK of ours is out of the other's window, which answers by an ACK, and so on."""
    conn, peer = established()
    exchanged = 0
    peer.sends(ACK, seq=add(conn.rcv_nxt, -50_000))
    for _ in range(1000):
        while peer.world.sent:
            peer.expects(ACK)
            exchanged += 1
            peer.sends(ACK, seq=add(conn.rcv_nxt, -50_000))
        peer.wait(0.01)
    assert 10 <= exchanged <= 30  # ten seconds: two or three windows of five


def test_the_text_of_a_desynchronised_peer_is_answered_every_time() -> None:
    """It waits for the answer, so it is it that sets the pace."""
    conn, peer = established()
    for _ in range(50):
        peer.sends(ACK, b"text", seq=add(conn.rcv_nxt, -50_000))
        peer.expects(ACK, ack=conn.rcv_nxt)


def test_bad_acks_cost_a_connection_nothing_but_its_budget() -> None:
    conn, peer = established()
    for _ in range(200):
        peer.sends(ACK, ack=add(conn.snd_nxt, 99))
        peer.sends(RST, seq=add(conn.rcv_nxt, 9))
    assert len(peer.world.sent) == 10
    peer.world.sent.clear()
    conn.send(b"still here", peer.now)
    peer.expects(ACK, b"still here")
    peer.sends(ACK)
    assert conn.snd_una == conn.snd_nxt
