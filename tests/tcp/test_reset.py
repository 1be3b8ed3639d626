"""Resets, and SYNs where no SYN should be: RFC 9293 sections 3.5.2, 3.5.3 and 3.10.7, RFC 5961
sections 3 and 4.
"""

from __future__ import annotations

import errno

import pytest

from stack.tcp.segment import Segment, reset_for
from stack.tcp.states import State
from tests.requirements import rfc

from .world import (
    ACK,
    FIN,
    OUR_ISS,
    PEER_ISS,
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

SYNCHRONIZED = [state for state in State if state >= State.ESTABLISHED]
WITH_AN_ERROR = {
    State.ESTABLISHED: errno.ECONNRESET,
    State.FIN_WAIT_1: errno.ECONNRESET,
    State.FIN_WAIT_2: errno.ECONNRESET,
    State.CLOSE_WAIT: errno.EPIPE,
}

# --- 3.10.7.1: CLOSED


@rfc("9293-3.10.7.1-a")
@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | SYN, RST | FIN | ACK])
def test_reset_to_no_connection_is_dropped(flags: int) -> None:
    _, peer = closed()
    peer.sends(flags, b"text", ack=7)
    peer.silent()


@rfc("9293-3.10.7.1-b", "9293-3.5.2-b")
@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK, ACK | URG])
def test_segment_with_ack_to_no_connection(flags: int) -> None:
    """<SEQ=SEG.ACK><CTL=RST>, without ACK"""
    _, peer = closed()
    peer.sends(flags, b"text", ack=4711)
    peer.expects(RST, seq=4711, ack=0, window=0)


@rfc("9293-3.10.7.1-b", "9293-3.5.2-b")
@pytest.mark.parametrize(
    ("flags", "text", "length"),
    [(SYN, b"", 1), (SYN, b"four", 5), (SYN | FIN, b"four", 6), (FIN, b"", 1), (0, b"four", 4), (0, b"", 0)],
)
def test_segment_without_ack_to_no_connection(flags: int, text: bytes, length: int) -> None:
    """<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>"""
    _, peer = closed()
    peer.sends(flags, text, seq=0xFFFFFFFE, ack=99)
    peer.expects(RST | ACK, seq=0, ack=add(0xFFFFFFFE, length), window=0)


@pytest.mark.parametrize("state", [State.CLOSED, State.LISTEN])
def test_a_connection_that_is_over_answers_as_if_it_were_not_there(state: State) -> None:
    """Until the layer above has let go of it."""
    conn, peer = in_state(state)
    assert conn.segment(Segment(1, 2, ACK, 3, b"text"), peer.now)
    assert conn.state is state


@rfc("9293-3.5.2-a")
def test_no_reset_answers_a_reset() -> None:
    for flags in range(256):
        segment = Segment(1, 2, flags | RST, 3)
        assert reset_for(segment) is None


# --- 3.5.3 and 3.10.7.4, second: a reset that counts


@rfc("5961-3.2-c", "9293-3.10.7.4-d")
@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_reset_at_rcv_nxt_ends_the_connection(state: State) -> None:
    conn, peer = in_state(state)
    peer.sends(RST, seq=conn.rcv_nxt)
    assert conn.state is State.CLOSED
    assert conn in peer.world.closed
    peer.silent()


@rfc("9293-3.10.7.4-h", "9293 MUST-12", "sockets-4")
@pytest.mark.parametrize("state", list(WITH_AN_ERROR))
def test_reset_is_told_to_the_user(state: State) -> None:
    """Waiting tasks are woken, in both directions; the first call after it has the error.

    Where the peer's FIN has come before, the stream has its end, and the error is for the first SEND.
    """
    conn, peer = in_state(state)
    told: list[str] = []
    conn.on_readable = lambda: told.append("readable")
    conn.on_writable = lambda: told.append("writable")
    peer.sends(RST, seq=conn.rcv_nxt)
    assert sorted(told) == ["readable", "writable"]
    assert conn.readable
    assert conn.writable
    if state is State.CLOSE_WAIT:
        assert conn.receive(1, peer.now) == b""
    with pytest.raises(OSError) as reset:
        conn.send(b"x", peer.now) if state is State.CLOSE_WAIT else conn.receive(1, peer.now)
    assert reset.value.errno == WITH_AN_ERROR[state]


@rfc("9293 MUST-12")
def test_normal_end_and_reset_can_be_told_apart() -> None:
    conn, peer = established()
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert conn.receive(1, peer.now) == b""
    other, other_peer = established()
    other_peer.sends(RST, seq=other.rcv_nxt)
    with pytest.raises(ConnectionResetError):
        other.receive(1, other_peer.now)


@rfc("9293-3.10.7.4-i")
@pytest.mark.parametrize("state", [State.CLOSING, State.LAST_ACK, State.TIME_WAIT])
def test_reset_of_a_closing_connection_is_no_error(state: State) -> None:
    conn, peer = in_state(state)
    peer.sends(RST, seq=conn.rcv_nxt)
    assert (conn.state, conn.error) == (State.CLOSED, 0)
    assert conn.receive(1, peer.now) == b""


@rfc("9293-3.10.7.4-h")
def test_reset_flushes_the_queues_but_not_what_was_received() -> None:
    conn, peer = established()
    peer.sends(ACK, b"received")
    peer.sends(ACK, b"too early", seq=add(conn.rcv_nxt, 100))
    peer.expects(ACK)
    conn.send(b"x" * 100_000, peer.now)
    while peer.world.sent:
        peer.expects(ACK, 1460)
    peer.sends(RST, seq=conn.rcv_nxt)
    assert (conn.send_buffer.size, conn.receive_buffer.held) == (0, 0)
    assert conn.receive(100, peer.now) == b"received"
    with pytest.raises(ConnectionResetError):
        conn.receive(100, peer.now)
    peer.wait(1000)


@rfc("9293 SHLD-2")
def test_reset_may_carry_text() -> None:
    conn, peer = established()
    peer.sends(RST, b"port in use", seq=conn.rcv_nxt)
    assert conn.state is State.CLOSED


@rfc("9293-3.5.3-a")
@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | ACK | FIN])
def test_reset_needs_no_ack_and_its_ack_is_not_looked_at(flags: int) -> None:
    conn, peer = established()
    peer.sends(flags, seq=conn.rcv_nxt, ack=12345)
    assert conn.state is State.CLOSED


@rfc("9293-3.10.7.4-g", "9293-3.5-b")
def test_reset_in_syn_received_returns_a_passive_open_to_listen() -> None:
    conn, peer = syn_received()
    listener = peer.listener
    assert listener is not None
    told: list[str] = []
    listener.on_readable = lambda: told.append("readable")
    peer.sends(RST, seq=conn.rcv_nxt)
    assert conn.state is State.LISTEN
    assert (listener.half_open, listener.accept(), told) == (0, None, [])
    assert (conn.error, peer.world.counters["tcpAttemptFails"]) == (0, 1)
    peer.wait(1000)  # its SYN,ACK is not sent again
    peer.silent()
    peer.sends(SYN, seq=PEER_ISS)
    peer.expects(SYN | ACK)


@rfc("9293 MUST-11", "9293-3.10.7.4-g")
def test_reset_in_syn_received_refuses_an_active_open() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(RST, seq=conn.rcv_nxt)
    assert (conn.state, conn.error) == (State.CLOSED, errno.ECONNREFUSED)
    peer.wait(1000)


# --- RFC 5961: what only looks like a reset


@rfc("5961-3.2-d", "5961-3.2-e", "9293-3.10.7.4-e")
@pytest.mark.parametrize("state", [State.SYN_RECEIVED, *SYNCHRONIZED])
@pytest.mark.parametrize("offset", [1, 2, 1000, 50_000])
def test_reset_in_the_window_but_not_at_rcv_nxt_gets_a_challenge(state: State, offset: int) -> None:
    conn, peer = in_state(state)
    peer.sends(RST, seq=add(conn.rcv_nxt, offset))
    peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert conn.state is state
    assert peer.world.counters["tcp_reset_not_exact"] == 1


@rfc("5961-4.2-b", "5961-4.2-c", "9293-3.10.7.4-j")
@pytest.mark.parametrize("state", SYNCHRONIZED)
@pytest.mark.parametrize("offset", [-100_000, -1, 0, 1, 1000, 100_000])
@pytest.mark.parametrize("flags", [SYN, SYN | ACK, SYN | FIN])
def test_syn_in_a_synchronized_state_gets_a_challenge_whatever_its_number(
    state: State, offset: int, flags: int
) -> None:
    conn, peer = in_state(state)
    rcv_nxt = conn.rcv_nxt
    peer.sends(flags, b"text", seq=add(rcv_nxt, offset))
    peer.expects(ACK, seq=conn.snd_nxt, ack=rcv_nxt)
    assert (conn.state, conn.rcv_nxt) == (state, rcv_nxt)
    peer.silent()
    counters = peer.world.counters
    assert counters["tcp_unexpected_syn"] + counters["tcp_unacceptable"] == 1


@rfc("5961-4.2-d")
def test_reset_that_answers_the_challenge_ends_the_connection() -> None:
    """A peer that was restarted, opens the connection again and sees our ACK."""
    conn, peer = established()
    peer.sends(SYN, seq=777)
    challenge = peer.expects(ACK)
    peer.sends(RST, seq=challenge.ack)
    assert conn.state is State.CLOSED


# --- data for a user that has gone


@rfc("9293 SHLD-3", "9293 MAY-1")
def test_data_after_close_is_answered_by_a_reset() -> None:
    conn, peer = established()
    conn.close(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(ACK, b"hello?")
    peer.expects(RST | ACK, seq=add(OUR_ISS, 2))
    assert conn.state is State.CLOSED
    assert peer.world.counters["tcp_data_after_close"] == 1
    peer.sends(ACK, b"hello?")  # and now the connection does not exist
    peer.expects(RST)


@rfc("9293 SHLD-3")
@pytest.mark.parametrize("state", [State.ESTABLISHED, State.CLOSE_WAIT, State.FIN_WAIT_1, State.FIN_WAIT_2])
def test_close_with_unread_data_is_told_by_a_reset(state: State) -> None:
    if state is State.CLOSE_WAIT:
        conn, peer = established()
        peer.sends(FIN | ACK, b"unread")
        peer.expects(ACK)
    else:
        conn, peer = in_state(state)
        peer.sends(ACK, b"unread")
    conn.close(peer.now)
    peer.expects(RST | ACK, seq=conn.snd_nxt)
    assert conn.state is State.CLOSED
    assert conn.receive_buffer.size == 0


@rfc("9293 SHLD-3")
@pytest.mark.parametrize("state", [State.CLOSING, State.LAST_ACK])
def test_close_with_unread_data_is_told_even_behind_both_fins(state: State) -> None:
    conn, peer = established()
    if state is State.LAST_ACK:
        peer.sends(FIN | ACK, b"unread")
        peer.expects(ACK)
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    if state is State.CLOSING:
        peer.sends(FIN | ACK, b"unread", ack=add(OUR_ISS, 1))
        peer.expects(ACK)
    assert conn.state is state
    conn.close(peer.now)
    peer.expects(RST | ACK, seq=add(OUR_ISS, 2))
    assert conn.state is State.CLOSED


@rfc("9293 MUST-13")
def test_close_with_unread_data_does_not_cut_time_wait_short() -> None:
    conn, peer = established()
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK, b"unread")
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT
    conn.close(peer.now)
    peer.silent()
    assert conn.state is State.TIME_WAIT
    peer.wait(60)
    assert conn.state is State.CLOSED


@rfc("9293-3.5.2-e")
def test_data_that_was_read_is_no_reason_for_a_reset() -> None:
    conn, peer = established()
    peer.sends(ACK, b"read")
    conn.receive(4, peer.now)
    conn.close(peer.now)
    peer.expects(FIN | ACK, ack=add(PEER_ISS, 5))
    other, other_peer = established()
    other.shutdown_read(other_peer.now)
    other_peer.sends(ACK, b"thrown away")
    other.receive(100, other_peer.now)
    other.close(other_peer.now)
    other_peer.expects(FIN | ACK, ack=add(PEER_ISS, 12))


def test_resets_are_counted() -> None:
    conn, peer = established()
    conn.abort(peer.now)
    peer.expects(RST | ACK)
    assert peer.world.counters["tcpOutRsts"] == 1
    assert peer.world.counters["tcpEstabResets"] == 1


@pytest.mark.parametrize(("state", "counted"), [(State.FIN_WAIT_1, 0), (State.CLOSE_WAIT, 1), (State.ESTABLISHED, 1)])
def test_established_connections_that_ended_are_counted_as_rfc_4022_says(state: State, counted: int) -> None:
    conn, peer = in_state(state)
    peer.sends(RST, seq=conn.rcv_nxt)
    assert peer.world.counters["tcpEstabResets"] == counted


def test_listener_answers_nothing_to_a_reset_of_nothing() -> None:
    _, peer = listening()
    peer.sends(RST | ACK, seq=0, ack=0)
    peer.silent()
