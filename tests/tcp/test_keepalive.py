"""Keep-alives: RFC 9293 section 3.8.4."""

from __future__ import annotations

import errno
from math import inf

import pytest

from stack.config import TcpConfig
from stack.tcp.connection import Connection
from stack.tcp.states import State
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, OUR_ISS, RST, SYN, Peer, add, established, in_state, syn_sent

IDLE, INTERVAL, COUNT = 100.0, 10.0, 3


def kept_alive(state: State = State.ESTABLISHED) -> tuple[Connection, Peer]:
    conn, peer = in_state(state)
    set_options(conn, keepalive_idle_s=IDLE, keepalive_interval_s=INTERVAL, keepalive_count=COUNT)
    set_options(conn, keepalive=True)
    conn.options_changed(peer.now)
    return conn, peer


@rfc("9293 MUST-25")
def test_the_default_is_off() -> None:
    conn, peer = established()
    assert conn.deadline == inf
    peer.wait(30 * 86400)
    peer.silent()


@rfc("9293 MUST-28")
def test_the_default_interval_is_two_hours() -> None:
    assert TcpConfig().keepalive_idle_s >= 7200
    conn, peer = established()
    set_options(conn, keepalive=True)
    conn.options_changed(peer.now)
    peer.wait(7199)
    peer.silent()
    peer.wait(2)
    peer.expects(ACK, seq=add(conn.snd_nxt, -1))


@rfc("9293 MUST-24", "9293 MUST-27", "9293 MAY-5")
def test_it_is_switched_on_and_off_and_timed_for_each_connection() -> None:
    conn, peer = kept_alive()
    peer.wait(IDLE + 1)
    peer.expects(ACK)
    set_options(conn, keepalive=False)
    conn.options_changed(peer.now)
    peer.wait(100_000)
    peer.silent()
    set_options(conn, keepalive=True, keepalive_idle_s=7.0)
    conn.options_changed(peer.now)
    peer.wait(7.1)
    peer.expects(ACK)


@rfc("9293 SHLD-12", "9293-3.8.4-a")
def test_a_probe_has_no_data_and_an_old_number() -> None:
    """SEG.SEQ = SND.NXT-1: outside the peer's window, so that it must answer."""
    conn, peer = kept_alive()
    peer.wait(IDLE + 1)
    peer.expects(ACK, seq=OUR_ISS, ack=conn.rcv_nxt)


@rfc("9293 MUST-26")
@pytest.mark.parametrize("data", [b"", b"data"])
def test_whatever_comes_begins_the_interval_anew(data: bytes) -> None:
    _, peer = kept_alive()
    for _ in range(5):
        peer.wait(IDLE - 1)
        peer.sends(ACK, data)
        peer.wait(0.1)
        while peer.world.sent:
            assert peer.expects(ACK).seq == add(OUR_ISS, 1)  # an acknowledgment, no probe
    peer.wait(IDLE)
    peer.expects(ACK, seq=OUR_ISS)


@rfc("9293 MUST-26")
def test_nothing_is_asked_while_data_is_outstanding() -> None:
    conn, peer = kept_alive()
    conn.send(b"data", peer.now)
    assert len(peer.times(IDLE + 5 * INTERVAL, ACK, b"data")) > 5  # and nothing else
    assert conn.state is State.ESTABLISHED
    peer.sends(ACK)
    peer.wait(IDLE + 1)
    peer.expects(ACK, seq=add(conn.snd_nxt, -1))


@rfc("arp-4")
def test_probes_without_an_answer_are_reported_to_ip_from_r1_on() -> None:
    """An idle connection, too, may have lost its peer to a forged neighbour."""
    conn, peer = kept_alive()
    set_options(conn, keepalive_count=6)
    wire = peer.world.wire(conn)
    assert peer.times(IDLE + 3 * INTERVAL - 1, ACK) == [100, 110, 120]
    assert wire.suspected == []
    peer.times(2 * INTERVAL, ACK)
    assert len(wire.suspected) == 2
    peer.sends(ACK)
    peer.times(IDLE + 3 * INTERVAL - 1, ACK)
    assert len(wire.suspected) == 2


@rfc("9293 MUST-29")
def test_only_the_silence_to_several_probes_ends_the_connection() -> None:
    conn, peer = kept_alive()
    assert peer.times(IDLE + COUNT * INTERVAL + 1, ACK) == [100, 110, 120]
    assert conn.state is State.CLOSED
    peer.expects(RST | ACK, seq=add(OUR_ISS, 1))
    with pytest.raises(TimeoutError):
        conn.receive(1, peer.now)


@rfc("9293 MUST-29")
def test_one_answer_begins_again() -> None:
    conn, peer = kept_alive()
    for _ in range(4):
        assert peer.times(IDLE + (COUNT - 1) * INTERVAL + 5, ACK) == [100, 110, 120]
        peer.sends(ACK)
    assert conn.state is State.ESTABLISHED


def test_an_answer_that_is_a_reset_ends_it_at_once() -> None:
    conn, peer = kept_alive()
    peer.wait(IDLE + 1)
    probe = peer.expects(ACK)
    peer.sends(RST, seq=probe.ack)
    assert (conn.state, conn.error) == (State.CLOSED, errno.ECONNRESET)


def test_what_the_network_complained_of_is_the_reason() -> None:
    conn, peer = kept_alive()
    peer.wait(IDLE + 1)
    conn.icmp_error(errno.EHOSTUNREACH, False, conn.snd_una, peer.now)
    peer.wait(COUNT * INTERVAL)
    assert conn.error == errno.EHOSTUNREACH
    peer.world.sent.clear()


@pytest.mark.parametrize("state", [State.FIN_WAIT_2, State.CLOSE_WAIT])
def test_half_closed_connections_are_kept_alive(state: State) -> None:
    conn, peer = kept_alive(state)
    peer.wait(IDLE + 1)
    peer.expects(ACK, seq=add(conn.snd_nxt, -1))
    peer.wait(COUNT * INTERVAL)
    assert conn.state is State.CLOSED
    peer.world.sent.clear()


def test_nothing_is_asked_before_the_handshake_is_over() -> None:
    conn, peer = syn_sent()
    set_options(conn, keepalive=True, keepalive_idle_s=0.5)
    conn.options_changed(peer.now)
    assert peer.times(10, SYN) == [1, 3, 7]
    peer.sends(SYN | ACK)
    peer.expects(ACK)
    peer.wait(0.6)
    peer.expects(ACK, seq=OUR_ISS)


def test_traffic_moves_the_deadline_lazily() -> None:
    """Thousands of segments cost no entry each among the deadlines: it comes up once an interval, and moves on."""
    conn, peer = kept_alive()
    before = conn.keepalive_deadline
    for _ in range(1000):
        peer.wait(0.05)
        peer.sends(ACK)
    assert conn.keepalive_deadline == before
    peer.wait(IDLE - 49)
    peer.silent()
    assert conn.keepalive_deadline == pytest.approx(before + 50)


def test_the_peer_s_own_probes_are_answered() -> None:
    """A segment just outside the window: RFC 9293 section 3.10.7.4, first step."""
    conn, peer = established()
    for _ in range(5):
        peer.wait(75)
        peer.sends(ACK, seq=add(conn.rcv_nxt, -1))
        peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
        peer.sends(ACK, b"\0", seq=add(conn.rcv_nxt, -1))  # with a garbage octet, as old systems do
        peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert conn.receive(10, peer.now) is None


def test_time_wait_is_not_kept_alive() -> None:
    conn, peer = kept_alive(State.FIN_WAIT_2)
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert conn.keepalive_deadline == inf
    peer.wait(61)
    assert conn.state is State.CLOSED
