"""A SYN or a reset in TIME-WAIT: RFC 6191 and RFC 1337."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stack.tcp.connection import Connection
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
    peer.sends(SYN, options=replace(options, mss=MSS))
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
    peer.sends(SYN, seq=seq, options=replace(options, mss=MSS))
    if old.state is State.CLOSED:
        assert peer.conn is not old
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
    assert new.receive(100, peer.world.now) == b"again"
    peer.world.wait(0.1)
    assert stamps(peer.expects(ACK))[1] == 12


@rfc("6191-2-b")
def test_an_older_timestamp_does_not() -> None:
    old, peer = time_wait(timestamps=True)
    assert not begins_again(old, peer, add(old.rcv_nxt, 5000), stamp(9, 0))


@rfc("6191-2-c", "9293 MAY-2")
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
