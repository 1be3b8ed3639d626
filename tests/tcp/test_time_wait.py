"""A SYN or a reset in TIME-WAIT: RFC 6191 and RFC 1337."""

from __future__ import annotations

from typing import Any

import pytest

from stack.config import TcpConfig
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.seq import gt
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .test_timestamps import stamp, stamps
from .world import ACK, FIN, MSS, RST, SYN, Peer, add, in_state, listening


def time_wait(*, timestamps: bool, **changes: Any) -> tuple[Connection, Peer]:
    """A connection that a listener made and we closed, in TIME-WAIT; the peer's last timestamp was 10."""
    listener, peer = listening(timestamps=True, **changes)
    options = stamp(10, 0) if timestamps else TcpOptions()
    peer.sends(SYN, options=options._replace(mss=MSS))
    peer.expects(SYN | ACK)
    peer.sends(ACK, options=options)
    conn = listener.accept()
    assert conn is not None
    conn.send(bytes(1000), peer.world.now)
    peer.expects(ACK, 1000)
    conn.shutdown_write(peer.world.now)
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK, options=options)
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT
    return conn, peer


def begins_again(old: Connection, peer: Peer, seq: int, options: TcpOptions) -> bool:
    """Whether the peer's SYN makes a new connection; if not, TIME-WAIT must have stayed as it was."""
    end = old.time_wait_deadline
    peer.sends(SYN, seq=seq, options=options._replace(mss=MSS))
    if peer.conn is not old:
        assert peer.conn is not None
        assert peer.conn.state is State.SYN_RECEIVED
        sent = peer.expects(SYN | ACK, ack=add(seq, 1))
        assert gt(sent.seq, old.snd_nxt)
        assert (sent.options.timestamps is not None) == (options.timestamps is not None)
        return True
    assert (old.state, old.time_wait_deadline) == (State.TIME_WAIT, end)
    assert peer.conn is old
    peer.world.sent.clear()
    return False


@rfc("6191-2-a", "6191-2-b", "9293 SHLD-4")
def test_a_newer_timestamp_begins_a_new_connection_whatever_its_number() -> None:
    old, peer = time_wait(timestamps=True)
    assert begins_again(old, peer, add(old.rcv_nxt, -5000), stamp(11, 0))
    new = peer.conn
    assert new is not None
    assert peer.listener is not None
    peer.snd_nxt = new.rcv_nxt
    peer.sends(ACK, b"again", options=stamp(12))
    assert peer.listener.accept() is new
    assert old.state is State.CLOSED
    assert new.receive(100, peer.world.now) == b"again"
    peer.world.wait(0.1)
    assert stamps(peer.expects(ACK))[1] == 12


@rfc("6191-2-b")
def test_an_older_timestamp_does_not() -> None:
    old, peer = time_wait(timestamps=True)
    assert not begins_again(old, peer, add(old.rcv_nxt, 5000), stamp(9, 0))


@rfc("6191-2-c")
def test_with_the_same_timestamp_the_sequence_number_decides() -> None:
    old, peer = time_wait(timestamps=True)
    assert not begins_again(old, peer, add(old.rcv_nxt, -1), stamp(10, 0))  # the FIN's
    assert begins_again(old, peer, old.rcv_nxt, stamp(10, 0))


@rfc("6191-2-d")
def test_without_timestamps_this_time_the_sequence_number_decides() -> None:
    old, peer = time_wait(timestamps=True)
    assert not begins_again(old, peer, add(old.rcv_nxt, -1), TcpOptions())
    assert begins_again(old, peer, old.rcv_nxt, TcpOptions())


@rfc("6191-2-e")
def test_with_timestamps_only_this_time_it_is_a_new_connection() -> None:
    old, peer = time_wait(timestamps=False)
    assert begins_again(old, peer, add(old.rcv_nxt, -5000), stamp(1, 0))


@rfc("6191-2-a")
def test_without_timestamps_at_all_the_sequence_number_decides() -> None:
    old, peer = time_wait(timestamps=False)
    assert not begins_again(old, peer, add(old.rcv_nxt, -1), TcpOptions())
    assert begins_again(old, peer, old.rcv_nxt, TcpOptions())


def test_nothing_but_a_bare_syn_begins_again() -> None:
    old, peer = time_wait(timestamps=True)
    for flags in (SYN | ACK, SYN | RST, ACK):
        peer.sends(flags, seq=add(old.rcv_nxt, 10), ack=old.snd_nxt, options=stamp(11))
    peer.world.sent.clear()
    assert old.state is State.TIME_WAIT


def test_without_a_listener_time_wait_goes_on() -> None:
    conn, peer = in_state(State.TIME_WAIT)
    peer.sends(SYN, seq=add(conn.rcv_nxt, 10))
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT


@rfc("1337-3-a", "1337-4-a")
@pytest.mark.parametrize("offset", [0, 1])
def test_a_reset_does_not_end_time_wait(offset: int) -> None:
    conn, peer = time_wait(timestamps=True, protect_time_wait=True)
    peer.sends(RST, seq=add(conn.rcv_nxt, offset))
    peer.world.sent.clear()
    assert conn.state is State.TIME_WAIT
    peer.world.wait(60)
    assert conn.state is State.CLOSED


# --- the SYN was an old duplicate: RFC 9293 section 3.6.1, MAY-2 (2)

TWO_MSL_S = 2 * TcpConfig().msl_s


def reopened(**changes: Any) -> tuple[Listener, Connection, Connection, Peer]:
    """A SYN came ten seconds after TIME-WAIT had begun, and was answered: the old connection and the new one."""
    old, peer = time_wait(timestamps=True, **changes)
    peer.wait(10)
    assert begins_again(old, peer, add(old.rcv_nxt, 5000), stamp(11, 0))
    assert peer.conn is not None
    assert peer.listener is not None
    return peer.listener, old, peer.conn, peer


def time_wait_goes_on(old: Connection, peer: Peer, for_s: float) -> None:
    """`old` has its place again, does what is to be done in TIME-WAIT, and ends after so many seconds."""
    assert peer.conn is old
    assert old.state is State.TIME_WAIT
    assert old.time_wait_deadline == peer.now + for_s
    peer.sends(ACK, b"x", seq=add(old.rcv_nxt, -2), options=stamp(10))  # before the FIN
    peer.expects(ACK, seq=old.snd_nxt, ack=old.rcv_nxt)
    peer.wait(for_s - 0.1)
    assert old.state is State.TIME_WAIT
    peer.wait(0.2)
    assert old.state is State.CLOSED
    assert peer.world.connections == []
    assert peer.world.wire(old).closed


@rfc("9293 MAY-2")
def test_a_reset_of_the_answer_brings_time_wait_back() -> None:
    listener, old, new, peer = reopened(protect_time_wait=True)
    peer.sends(RST, seq=new.rcv_nxt)  # "I have sent no such SYN"
    assert (new.state, listener.half_open, listener.readable) == (State.LISTEN, 0, False)
    time_wait_goes_on(old, peer, TWO_MSL_S - 10)


@rfc("9293 MAY-2")
def test_a_syn_ack_without_an_answer_brings_time_wait_back() -> None:
    listener, old, new, peer = reopened(syn_received_timeout_s=7.0)
    peer.times(7, SYN | ACK)
    assert (new.state, listener.half_open) == (State.CLOSED, 0)
    time_wait_goes_on(old, peer, TWO_MSL_S - 17)


@pytest.mark.parametrize("forgets", [False, True])
def test_whatever_else_ends_the_handshake_brings_time_wait_back(forgets: bool) -> None:
    listener, old, new, peer = reopened(syn_backlog=1, syn_cookies=False)
    if forgets:  # its place is needed
        other = peer.another(1)
        other.sends(SYN, options=stamp(1, 0))
        other.expects(SYN | ACK)
        other.sends(RST)
    else:
        listener.close(peer.now)
        peer.expects(RST | ACK, seq=new.snd_nxt)
    assert new.state is State.CLOSED
    time_wait_goes_on(old, peer, TWO_MSL_S - 10)


def test_it_can_begin_again_after_an_old_duplicate() -> None:
    listener, old, new, peer = reopened()
    peer.sends(SYN, seq=add(new.rcv_nxt, 10), options=stamp(12, 0))  # which of the two was it? The next will tell
    assert new.state is State.LISTEN
    assert peer.conn is old
    assert begins_again(old, peer, add(new.rcv_nxt, 10), stamp(13, 0))
    assert peer.conn is not None
    peer.sends(ACK, seq=peer.conn.rcv_nxt, options=stamp(14))
    assert listener.accept() is peer.conn
    assert old.state is State.CLOSED
    assert peer.world.connections == [peer.conn]


def test_2_msl_run_on_while_the_handshake_lasts() -> None:
    """They are for the segments of the old connection: no SYN makes those any younger."""
    _, old, new, peer = reopened()
    peer.times(TWO_MSL_S - 10, SYN | ACK)
    assert old.state is State.CLOSED
    assert new.state is State.SYN_RECEIVED
    peer.sends(RST, seq=new.rcv_nxt)
    assert peer.world.connections == []


@rfc("9293 MAY-2")
def test_its_number_lies_beyond_the_old_connection_though_the_queue_be_full() -> None:
    """A cookie is what it is, and can be no larger."""
    old, peer = time_wait(timestamps=True, syn_backlog=1)
    other = peer.another(1)
    other.sends(SYN, options=stamp(1, 0))
    other.expects(SYN | ACK)
    assert begins_again(old, peer, add(old.rcv_nxt, 5000), stamp(11, 0))
    assert peer.listener is not None
    assert peer.listener.half_open == 2


def test_a_syn_that_no_listener_would_accept_leaves_time_wait_alone() -> None:
    old, peer = time_wait(timestamps=True)
    assert peer.listener is not None
    while peer.listener.has_room():
        waiting = peer.another(1 + len(peer.world.connections))
        waiting.sends(SYN, options=stamp(1, 0))
        waiting.expects(SYN | ACK)
        waiting.sends(ACK, options=stamp(1))
    peer.sends(SYN, seq=add(old.rcv_nxt, 5000), options=stamp(11, 0))
    peer.silent()
    assert peer.conn is old
    assert old.state is State.TIME_WAIT


# --- what is out of step with the end of the connection


@rfc("field-9")
@pytest.mark.parametrize(("distance", "data"), [(1, b""), (100, b""), (0, b"more"), (10, b"more")])
def test_an_acknowledgment_that_is_not_at_rcv_nxt_is_answered(distance: int, data: bytes) -> None:
    """Within the budget of challenges, and 2 MSL go on."""
    conn, peer = in_state(State.TIME_WAIT)
    end = conn.time_wait_deadline
    peer.wait(10)
    for _ in range(50):
        peer.sends(ACK, data, seq=add(conn.rcv_nxt, distance))
    answers = len(peer.world.sent)
    for _ in range(answers):
        peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert answers == peer.world.services.config.challenge_acks_per_window
    assert (conn.state, conn.time_wait_deadline) == (State.TIME_WAIT, end)
    assert peer.world.counters["tcp_in_time_wait"] == 50


@rfc("field-9")
def test_one_at_rcv_nxt_is_not_answered() -> None:
    conn, peer = in_state(State.TIME_WAIT)
    peer.sends(ACK, seq=conn.rcv_nxt)
    peer.silent()
