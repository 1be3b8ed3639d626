"""CLOSE, FIN and TIME-WAIT: RFC 9293 sections 3.6, 3.10.4 and the eighth step of 3.10.7.4."""

from __future__ import annotations

import errno
from math import inf

import pytest

from stack.tcp.states import State
from tests.requirements import rfc
from tests.user_options import set_options

from .world import (
    ACK,
    FIN,
    MSS,
    OUR_ISS,
    PEER_ISS,
    RST,
    SYN,
    add,
    established,
    in_state,
    syn_received,
    text,
)

# --- CLOSE in every state


def test_close_of_what_was_never_opened_does_nothing() -> None:
    conn, peer = in_state(State.CLOSED)
    conn.shutdown_write(peer.now)
    conn.close(peer.now)
    assert conn.state is State.CLOSED


@rfc("9293-3.10.4-a")
@pytest.mark.parametrize("state", [State.LISTEN, State.SYN_SENT])
def test_close_before_anything_came_deletes_the_connection(state: State) -> None:
    conn, peer = in_state(state)
    conn.close(peer.now)
    assert conn.state is State.CLOSED
    assert conn in peer.world.closed
    peer.wait(1000)
    peer.silent()


@rfc("9293-3.10.4-b")
def test_close_in_established_sends_fin_behind_the_data() -> None:
    conn, peer = established()
    conn.send(b"last words", peer.now)
    peer.expects(ACK, b"last words")
    conn.shutdown_write(peer.now)
    assert conn.state is State.FIN_WAIT_1
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 11), ack=add(PEER_ISS, 1))


@rfc("9293-3.10.4-b")
def test_the_fin_waits_for_the_last_of_several_segments() -> None:
    conn, peer = established(window=0)
    conn.send(text(2 * MSS + 5), peer.now)
    conn.shutdown_write(peer.now)
    peer.silent()
    peer.sends(ACK, window=0xFFFF)
    peer.expects(ACK, MSS)
    peer.expects(ACK, MSS)
    peer.expects(FIN | ACK, 5, seq=add(OUR_ISS, 1 + 2 * MSS))


@rfc("9293-3.10.4-b", "9293-3.6-a")
def test_close_waits_for_what_does_not_fit_the_window() -> None:
    """ "Queue this until all preceding SENDs have been segmentized ... In any case, enter FIN-WAIT-1 state." """
    conn, peer = established(window=1000)
    octets = text(2500)
    conn.send(octets, peer.now)
    conn.shutdown_write(peer.now)
    assert conn.state is State.FIN_WAIT_1
    peer.expects(ACK, octets[:1000])
    peer.silent()
    peer.sends(ACK)
    peer.expects(ACK, octets[1000:2000])
    peer.sends(ACK)
    peer.expects(FIN | ACK, octets[2000:], seq=add(OUR_ISS, 2001))
    peer.sends(ACK)
    assert conn.state is State.FIN_WAIT_2


def test_fin_needs_a_place_in_the_window() -> None:
    conn, peer = established(window=1000)
    conn.send(text(1000), peer.now)
    conn.shutdown_write(peer.now)
    peer.expects(ACK, 1000)
    peer.silent()
    peer.sends(ACK, window=1)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1001))


@rfc("9293-3.10.4-d")
def test_close_in_close_wait_sends_fin_behind_the_data() -> None:
    conn, peer = in_state(State.CLOSE_WAIT)
    peer.sends(ACK, window=1000)
    set_options(conn, nodelay=True)
    conn.send(text(1460), peer.now)
    conn.shutdown_write(peer.now)
    peer.wait(0.25)
    peer.expects(ACK, text(1000))  # the override timeout, for a window that was larger
    assert conn.state is State.CLOSE_WAIT  # until the FIN is sent
    peer.sends(ACK)
    peer.expects(FIN | ACK, text(460, 1000))
    assert conn.state is State.LAST_ACK


@rfc("9293-3.10.4-e")
@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT])
def test_a_second_close_sends_no_second_fin(state: State) -> None:
    conn, peer = in_state(state)
    conn.shutdown_write(peer.now)
    conn.close(peer.now)
    peer.silent()
    assert conn.state is state


# --- half-close


@rfc("9293-3.6-a")
def test_after_close_the_user_goes_on_receiving() -> None:
    conn, peer = in_state(State.FIN_WAIT_1)
    peer.sends(ACK, b"more")
    assert conn.state is State.FIN_WAIT_2
    assert conn.receive(100, peer.now) == b"more"
    peer.sends(ACK, b" and more")
    assert conn.receive(100, peer.now) == b" and more"
    assert conn.receive(100, peer.now) is None
    peer.sends(FIN | ACK, b"!")
    peer.expects(ACK, ack=add(PEER_ISS, 1 + 14 + 1))
    assert conn.receive(100, peer.now) == b"!"
    assert conn.receive(100, peer.now) == b""
    assert conn.state is State.TIME_WAIT


@rfc("9293-3.6-b")
def test_a_fin_is_acknowledged_but_not_answered_by_ours() -> None:
    conn, peer = established()
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=add(PEER_ISS, 2))
    assert conn.state is State.CLOSE_WAIT
    peer.wait(10_000)
    peer.silent()
    for _ in range(3):  # and sending goes on
        conn.send(b"reply", peer.now)
        peer.expects(ACK, b"reply")
        peer.sends(ACK)
    assert conn.state is State.CLOSE_WAIT


# --- the peer's FIN


@rfc("9293-3.10.7.4-x")
def test_fin_in_established() -> None:
    conn, peer = established()
    told: list[str] = []
    conn.on_readable = lambda: told.append("readable")
    peer.sends(FIN | ACK)
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 2))
    assert (conn.state, conn.rcv_nxt) == (State.CLOSE_WAIT, add(PEER_ISS, 2))
    assert told == ["readable"]
    assert conn.receive(1, peer.now) == b""


@rfc("9293-3.10.7.4-y")
def test_fin_in_fin_wait_1_before_ours_is_acknowledged() -> None:
    conn, peer = in_state(State.FIN_WAIT_1)
    peer.sends(FIN | ACK, ack=add(OUR_ISS, 1))
    peer.expects(ACK, seq=add(OUR_ISS, 2), ack=add(PEER_ISS, 2))
    assert conn.state is State.CLOSING


@rfc("9293-3.10.7.4-y")
def test_fin_in_fin_wait_1_that_acknowledges_ours() -> None:
    conn, peer = in_state(State.FIN_WAIT_1)
    peer.sends(FIN | ACK)
    peer.expects(ACK, seq=add(OUR_ISS, 2), ack=add(PEER_ISS, 2))
    assert conn.state is State.TIME_WAIT


@rfc("9293-3.10.7.4-y")
def test_fin_in_fin_wait_2() -> None:
    conn, peer = in_state(State.FIN_WAIT_2)
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=add(PEER_ISS, 2))
    assert conn.state is State.TIME_WAIT


@rfc("9293-3.10.7.4-q")
def test_ack_of_our_fin_in_fin_wait_1() -> None:
    conn, peer = in_state(State.FIN_WAIT_1)
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.FIN_WAIT_1
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    assert conn.state is State.FIN_WAIT_2


@rfc("9293-3.10.7.4-r")
def test_ack_of_our_fin_in_closing_and_last_ack() -> None:
    conn, peer = in_state(State.CLOSING)
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.CLOSING
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    assert conn.state is State.TIME_WAIT
    conn, peer = in_state(State.LAST_ACK)
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.LAST_ACK
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    assert conn.state is State.CLOSED
    assert conn in peer.world.closed


@rfc("9293-3.10.7.4-v")
@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT])
def test_text_behind_the_fin_is_ignored(state: State) -> None:
    conn, peer = in_state(state)
    before = conn.rcv_nxt
    peer.sends(ACK, b"text", seq=before, ack=add(conn.snd_una, 0))
    assert (conn.state, conn.rcv_nxt) == (state, before)
    assert conn.receive_buffer.size == conn.receive_buffer.held == 0
    if state is State.TIME_WAIT:  # where only the FIN should come again
        peer.expects(ACK, seq=conn.snd_nxt, ack=before)
    peer.silent()


@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT])
def test_a_second_fin_changes_nothing(state: State) -> None:
    """Neither the first one again, outside the window, nor another behind it."""
    conn, peer = in_state(state)
    before = conn.rcv_nxt
    peer.sends(FIN | ACK, seq=add(before, -1), ack=conn.snd_una)
    peer.expects(ACK, seq=conn.snd_nxt, ack=before)
    peer.sends(FIN | ACK, seq=before, ack=conn.snd_una)
    peer.expects(ACK, seq=conn.snd_nxt, ack=before)
    assert (conn.state, conn.rcv_nxt) == (state, before)


def test_the_fin_again_is_answered_however_often_it_comes() -> None:
    """Its sender waits for the answer, so the limit on challenge ACKs does not apply."""
    conn, peer = in_state(State.CLOSE_WAIT)
    for _ in range(20):
        peer.sends(FIN | ACK, seq=add(conn.rcv_nxt, -1))
        peer.expects(ACK, ack=conn.rcv_nxt)
    assert conn.deadline == inf  # and it arms nothing


def test_fin_before_the_data_in_front_of_it() -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(FIN | ACK, seq=add(start, 8))
    peer.expects(ACK, ack=start)
    assert conn.state is State.ESTABLISHED
    peer.sends(ACK, b"5678", seq=add(start, 4))
    peer.expects(ACK, ack=start)
    peer.sends(ACK, b"1234", seq=start)
    peer.expects(ACK, ack=add(start, 9))
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(100, peer.now) == b"12345678"
    assert conn.receive(100, peer.now) == b""


@rfc("5681-4.2-e")
def test_one_ack_for_a_fin_with_text_that_comes_too_early() -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(FIN | ACK, b"5678", seq=add(start, 4))
    peer.expects(ACK, ack=start)
    peer.silent()
    peer.sends(ACK, b"1234", seq=start)
    peer.expects(ACK, ack=add(start, 9))
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(100, peer.now) == b"12345678"


def test_a_fin_takes_what_is_held_beyond_it() -> None:
    """Text behind a FIN is a lie: nothing of it is kept."""
    conn, peer = established()
    peer.sends(ACK, b"beyond", seq=add(conn.rcv_nxt, 10))
    peer.expects(ACK)
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert (conn.state, conn.receive_buffer.held) == (State.CLOSE_WAIT, 0)


# --- TIME-WAIT


@rfc("9293-3.10.7.4-s")
def test_the_fin_again_in_time_wait_is_acknowledged_and_begins_2_msl_anew() -> None:
    conn, peer = in_state(State.TIME_WAIT)
    peer.wait(50)
    peer.sends(FIN | ACK, seq=add(PEER_ISS, 1))
    peer.expects(ACK, seq=add(OUR_ISS, 2), ack=add(PEER_ISS, 2))
    peer.wait(59.9)
    assert conn.state is State.TIME_WAIT
    peer.wait(0.2)
    assert conn.state is State.CLOSED


@pytest.mark.parametrize(
    ("flags", "offset", "data"),
    [
        (ACK, -1, b""),
        (ACK, -1, b"x"),
        (FIN | ACK, -5, b""),
        (FIN | ACK, 1, b""),
        (FIN | ACK, 100_000, b""),
        (SYN, 0, b""),
    ],
)
def test_nothing_else_prolongs_time_wait(flags: int, offset: int, data: bytes) -> None:
    conn, peer = in_state(State.TIME_WAIT)
    for _ in range(6):
        peer.wait(9.9)
        peer.sends(flags, data, seq=add(conn.rcv_nxt, offset))
        peer.expects(ACK)
    peer.wait(0.7)
    assert conn.state is State.CLOSED


@rfc("9293-3.10.8-c")
def test_time_wait_ends_and_the_connection_is_deleted() -> None:
    conn, peer = in_state(State.TIME_WAIT)
    told: list[str] = []
    conn.on_readable = lambda: told.append("readable")
    peer.wait(59.9)
    assert peer.world.closed == []
    peer.wait(0.2)
    assert peer.world.closed == [conn]
    assert (conn.error, told) == (0, ["readable"])
    assert conn.receive(1, peer.now) == b""


def test_in_time_wait_nothing_is_kept_that_cannot_be_read() -> None:
    conn, peer = in_state(State.FIN_WAIT_2)
    peer.sends(ACK, text(MSS))
    peer.sends(FIN | ACK, text(100, MSS))
    peer.expects(ACK, ack=peer.snd_nxt)
    assert (conn.state, conn.receive_buffer.size) == (State.TIME_WAIT, MSS + 100)
    conn.close(peer.now)
    assert (conn.state, conn.receive_buffer.size) == (State.TIME_WAIT, 0)


def test_text_behind_a_gap_is_not_kept_for_a_user_that_has_gone() -> None:
    """What fills the gap is answered by a reset in any case."""
    conn, peer = established(sack=True)
    peer.sends(ACK, text(MSS, MSS), seq=add(conn.rcv_nxt, MSS))
    peer.expects(ACK, ack=conn.rcv_nxt)
    conn.close(peer.now)
    peer.expects(FIN | ACK, ack=conn.rcv_nxt)
    assert (conn.state, conn.receive_buffer.held) == (State.FIN_WAIT_1, 0)
    peer.sends(ACK, text(MSS), seq=conn.rcv_nxt, ack=add(OUR_ISS, 2))
    peer.expects(RST | ACK)
    assert conn.state is State.CLOSED


def test_time_wait_turns_the_other_timers_off() -> None:
    conn, peer = in_state(State.FIN_WAIT_2, keepalive_idle_s=10.0)
    set_options(conn, keepalive=True)
    conn.options_changed(peer.now)
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT
    peer.wait(59)
    peer.silent()


def test_msl_is_configured() -> None:
    conn, peer = in_state(State.TIME_WAIT, msl_s=120.0)
    peer.wait(239)
    assert conn.state is State.TIME_WAIT
    peer.wait(2)
    assert conn.state is State.CLOSED


# --- close: the user does not look again


def test_lost_fin_is_sent_again() -> None:
    conn, peer = established()
    conn.close(peer.now)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))  # lost
    peer.wait(0.3)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT


def test_closed_user_is_not_told_anything_but_the_connection_is_deleted() -> None:
    conn, peer = established()
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    conn.close(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(ACK)
    assert peer.world.closed == [conn]


def test_fin_wait_2_of_a_closed_user_ends() -> None:
    """The peer never closes: RFC 9293 knows no limit, every system has one (sockstress)."""
    conn, peer = established()
    conn.close(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(ACK)
    assert conn.state is State.FIN_WAIT_2
    peer.wait(59.9)
    assert conn.state is State.FIN_WAIT_2
    peer.wait(0.2)
    assert peer.world.closed == [conn]


def test_fin_wait_2_of_a_user_that_still_reads_does_not_end() -> None:
    conn, peer = in_state(State.FIN_WAIT_2)
    peer.wait(100_000)
    assert conn.state is State.FIN_WAIT_2
    conn.close(peer.now)
    peer.wait(61)
    assert conn.state is State.CLOSED


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK])
def test_a_silent_peer_is_given_up(state: State) -> None:
    """The last ACK is lost, and so is everything else: 1,000 such peers must not fill the tables."""
    conn, peer = in_state(state)
    conn.close(peer.now)
    peer.wait(peer.world.services.config.orphan_timeout_s + 1)
    assert conn.state is State.CLOSED
    assert peer.world.counters["tcpTimeouts"] == 1
    while len(peer.world.sent) > 1:
        peer.expects(FIN | ACK)
    peer.expects(RST | ACK)  # in case it is alive


def test_last_ack_is_not_left_by_anything_but_the_ack() -> None:
    conn, peer = in_state(State.LAST_ACK)
    for _ in range(3):
        peer.sends(FIN | ACK, seq=add(conn.rcv_nxt, -1), ack=add(OUR_ISS, 1))
        peer.expects(ACK)
    assert conn.state is State.LAST_ACK


# --- linger


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT])
def test_linger_of_zero_makes_close_an_abort(state: State) -> None:
    conn, peer = in_state(state)
    set_options(conn, linger_s=0)
    conn.send(b"lost", peer.now)
    peer.expects(ACK, b"lost")
    conn.close(peer.now)
    peer.expects(RST | ACK, seq=conn.snd_nxt)
    assert conn.state is State.CLOSED


def test_linger_with_a_time_is_a_close() -> None:
    conn, peer = established()
    set_options(conn, linger_s=5)
    conn.close(peer.now)
    peer.expects(FIN | ACK)
    assert conn.state is State.FIN_WAIT_1


# --- shutdown of the reading side


@rfc("sockets-2")
def test_after_shutdown_read_there_is_what_was_here_and_what_comes_and_else_the_end() -> None:
    conn, peer = established()
    peer.sends(ACK, b"before")
    conn.shutdown_read(peer.now)
    assert conn.receive(10, peer.now) == b"before"
    assert conn.receive(10, peer.now) == b""
    peer.sends(ACK, b"after")
    assert conn.peek(10) == b"after"
    assert conn.receive(10, peer.now) == b"after"
    assert conn.receive(10, peer.now) == b""
    peer.wait(0.5)
    while peer.world.sent:
        sent = peer.expects(ACK)
    for _ in range(sent.window // 1000):  # nothing is read, so the window closes
        peer.sends(ACK, text(1000))
    peer.wait(0.5)
    while peer.world.sent:
        sent = peer.expects(ACK)
    assert sent.ack == peer.snd_nxt
    assert sent.window < 1000
    while conn.receive(100_000, peer.now):
        pass
    assert peer.expects(ACK).window > 50_000
    peer.sends(FIN | ACK)
    peer.wait(0.5)
    peer.expects(ACK)
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(10, peer.now) == b""


@rfc("sockets-3", "9293 SHLD-3")
def test_data_after_both_directions_were_shut_down_is_answered_by_a_reset() -> None:
    conn, peer = established()
    peer.sends(ACK, b"before")
    conn.shutdown_read(peer.now)
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(ACK, ack=conn.snd_nxt)
    assert conn.state is State.FIN_WAIT_2
    peer.sends(ACK, b"after")
    peer.expects(RST | ACK)
    assert conn.receive(10, peer.now) == b"before"
    with pytest.raises(ConnectionResetError):
        conn.receive(10, peer.now)
    assert conn.receive(10, peer.now) == b""


def test_syn_received_of_a_listener_that_is_not_acknowledged_ends() -> None:
    conn, peer = syn_received()
    peer.wait(62.9)
    assert conn.state is State.SYN_RECEIVED
    peer.wait(0.2)
    assert conn.state is State.CLOSED
    assert conn.error == errno.ETIMEDOUT
    for _ in range(5):  # 1, 3, 7, 15 and 31 s after the first
        peer.expects(SYN | ACK, seq=OUR_ISS)
    assert peer.world.counters["tcpAttemptFails"] == 1
