"""Errors from the layers below: ICMP errors, neighbours that do not answer, a path MTU that
changes.

See RFC 9293 section 3.9.2.2, RFC 5927 sections 4 and 5, RFC 1191 section 6.5.
"""

from __future__ import annotations

import errno

import pytest

from stack.tcp.states import State
from tests.requirements import rfc

from .world import ACK, FIN, MSS, OUR_ISS, SYN, add, established, in_state, syn_received, syn_sent, text

# --- ICMP errors


@rfc("9293 SHLD-26")
@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ENOPROTOOPT, errno.EHOSTUNREACH])
def test_a_hard_error_ends_an_open(number: int) -> None:
    conn, peer = syn_sent()
    told: list[str] = []
    conn.on_writable = lambda: told.append("writable")
    conn.icmp_error(number, True, OUR_ISS, peer.now)
    assert (conn.state, conn.error) == (State.CLOSED, number)
    assert told == ["writable"]
    assert peer.world.closed == [conn]
    assert peer.world.counters["tcpAttemptFails"] == 1
    peer.wait(1000)


@rfc("9293 SHLD-26")
def test_a_hard_error_ends_an_open_whose_syn_was_crossed() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    conn.icmp_error(errno.ECONNREFUSED, True, OUR_ISS, peer.now)
    assert (conn.state, conn.error) == (State.CLOSED, errno.ECONNREFUSED)


def test_a_hard_error_does_not_end_a_passive_open() -> None:
    """The source of the SYN may be forged; the listener goes on, and the half-open connection ends by itself."""
    conn, peer = syn_received()
    conn.icmp_error(errno.EHOSTUNREACH, True, OUR_ISS, peer.now)
    assert conn.state is State.SYN_RECEIVED
    peer.sends(ACK)
    assert conn.state is State.ESTABLISHED


@rfc("9293 MUST-56")
def test_a_soft_error_does_not_end_an_open() -> None:
    conn, peer = syn_sent()
    conn.icmp_error(errno.EHOSTUNREACH, False, OUR_ISS, peer.now)
    assert conn.state is State.SYN_SENT
    peer.wait(1.1)
    peer.expects(SYN)


@rfc("9293 MUST-56", "5927-5.2-a")
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("state", [state for state in State if state >= State.ESTABLISHED])
def test_no_error_ends_a_connection_that_stands(state: State, hard: bool) -> None:
    conn, peer = in_state(state)
    if state in (State.ESTABLISHED, State.CLOSE_WAIT):
        conn.send(b"data", peer.now)
        peer.expects(ACK, b"data")
    conn.icmp_error(errno.EHOSTUNREACH, hard, conn.snd_una, peer.now)
    assert (conn.state, conn.error) == (state, 0)
    assert conn.soft_error == errno.EHOSTUNREACH
    if state in (State.ESTABLISHED, State.CLOSE_WAIT):  # and what is in flight is sent again as before
        peer.wait(0.25)
        peer.expects(ACK, b"data")


@rfc("9293 SHLD-25")
def test_a_soft_error_is_forgotten_when_the_peer_acknowledges_something() -> None:
    conn, peer = established()
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    conn.icmp_error(errno.EHOSTUNREACH, False, conn.snd_una, peer.now)
    assert conn.soft_error == errno.EHOSTUNREACH
    peer.sends(ACK)
    assert conn.soft_error == 0


def test_a_soft_error_about_the_syn_is_forgotten_when_the_connection_stands() -> None:
    conn, peer = syn_sent()
    conn.icmp_error(errno.EHOSTUNREACH, False, OUR_ISS, peer.now)
    peer.sends(SYN | ACK)
    peer.expects(ACK)
    assert conn.soft_error == 0


@rfc("5927-4.1-a")
@pytest.mark.parametrize(("offset", "in_flight"), [(-1, False), (0, True), (3, True), (4, False), (1 << 31, False)])
def test_an_error_must_quote_what_is_in_flight(offset: int, in_flight: bool) -> None:
    """SND.UNA =< SEG.SEQ < SND.NXT: an attacker that cannot see our segments cannot make errors about them."""
    conn, peer = established()
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    conn.icmp_error(errno.ECONNREFUSED, True, add(conn.snd_una, offset), peer.now)
    assert conn.soft_error == (errno.ECONNREFUSED if in_flight else 0)
    assert peer.world.counters["tcp_icmp_not_in_flight"] == (not in_flight)


@rfc("5927-4.1-a", "icmp-1")
@pytest.mark.parametrize(("offset", "believed"), [(-1, False), (0, True), (1, False)])
def test_with_nothing_in_flight_an_error_may_be_about_the_last_acknowledgment(offset: int, believed: bool) -> None:
    conn, peer = established()
    assert conn.icmp_error(errno.EHOSTUNREACH, False, add(conn.snd_nxt, offset), peer.now) is believed
    assert conn.soft_error == (errno.EHOSTUNREACH if believed else 0)


@rfc("5927-4.1-a", "icmp-1")
@pytest.mark.parametrize(
    ("offset", "in_flight"), [(-1, False), (0, True), (2 * MSS - 1, True), (2 * MSS, False), (1 << 31, False)]
)
def test_too_big_is_what_has_text_in_flight(offset: int, in_flight: bool) -> None:
    """Exactly: SND.NXT itself is the number of an ACK without text, which no link is too small for."""
    conn, peer = established()
    conn.send(text(2 * MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.expects(ACK, MSS)
    assert peer.world.too_big(conn, 1000, add(conn.snd_una, offset)) is in_flight
    assert peer.world.counters["tcp_icmp_not_in_flight"] == (not in_flight)
    if in_flight:
        peer.expects(ACK, 960, seq=conn.snd_una)
    peer.sends(ACK, ack=conn.snd_nxt)


@rfc("5927-4.1-a", "icmp-1")
def test_with_nothing_in_flight_nothing_is_too_big() -> None:
    conn, peer = established()
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.sends(ACK)
    assert not peer.world.too_big(conn, 1000, conn.snd_nxt)
    assert peer.world.counters.drops() == {"tcp_icmp_not_in_flight": 1}


@rfc("redirect-1", "icmp-1")
@pytest.mark.parametrize(
    ("offset", "ours"), [(-1, False), (0, True), (3, True), (4, True), (5, False), (1 << 31, False)]
)
def test_a_redirect_may_quote_what_is_in_flight_and_a_pure_acknowledgment(offset: int, ours: bool) -> None:
    """SND.NXT is what the ACKs of a connection that only receives have, and what Linux takes, too."""
    conn, peer = established()
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    assert conn.may_have_sent(add(conn.snd_una, offset)) is ours
    assert peer.world.counters["tcp_icmp_not_in_flight"] == (not ours)
    assert conn.soft_error == 0


@rfc("5927-4.1-a")
def test_a_forged_error_does_not_end_an_open() -> None:
    conn, peer = syn_sent()
    for offset in (-1, 1, 2, 1 << 31):
        conn.icmp_error(errno.ECONNREFUSED, True, add(OUR_ISS, offset), peer.now)
    assert conn.state is State.SYN_SENT


# --- a neighbour that does not answer


def test_no_neighbour_ends_an_open() -> None:
    conn, peer = syn_sent()
    conn.unreachable(errno.EHOSTUNREACH, peer.now)
    assert (conn.state, conn.error) == (State.CLOSED, errno.EHOSTUNREACH)


def test_no_neighbour_is_advice_to_a_connection_that_stands() -> None:
    conn, peer = established()
    conn.unreachable(errno.EHOSTUNREACH, peer.now)
    assert (conn.state, conn.soft_error) == (State.ESTABLISHED, errno.EHOSTUNREACH)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")


def test_no_neighbour_while_the_syn_is_being_sent() -> None:
    """The layer below may say so from the midst of `send`."""
    conn, peer = in_state(State.CLOSED)
    wire = peer.world.wire(conn)
    wire.on_send = lambda: conn.unreachable(errno.EHOSTUNREACH, peer.now)
    conn.open(peer.now)
    peer.expects(SYN)
    assert (conn.state, conn.error) == (State.CLOSED, errno.EHOSTUNREACH)


def test_no_neighbour_while_the_syn_is_sent_again() -> None:
    conn, peer = syn_sent()
    wire = peer.world.wire(conn)
    wire.on_send = lambda: conn.unreachable(errno.EHOSTUNREACH, peer.now)
    peer.wait(5)
    peer.expects(SYN)
    assert conn.state is State.CLOSED
    peer.silent()


# --- path MTU


@rfc("5681-3.1-e")
def test_a_smaller_path_mtu_has_what_was_too_large_sent_again() -> None:
    conn, peer = established()
    octets = text(4 * MSS)
    conn.send(octets, peer.now)
    for _ in range(4):
        peer.expects(ACK, MSS)
    cwnd = conn.congestion.cwnd
    assert peer.world.too_big(conn, 576)
    assert conn.mss == 536
    assert conn.congestion.cwnd == cwnd * 536 // MSS
    peer.expects(ACK, octets[:536], seq=add(OUR_ISS, 1))
    peer.silent()  # RFC 1191 section 6.4: "only one segment ... until acknowledgements begin to arrive again"
    peer.sends(ACK, ack=add(OUR_ISS, 537))
    start = 536
    while peer.world.sent:
        peer.expects(ACK, octets[start : start + 536], seq=add(OUR_ISS, 1 + start))
        start += 536
    assert start >= 11 * 536  # cwnd: as many segments as before
    peer.sends(ACK)
    assert conn.snd_una == conn.snd_nxt


def test_what_is_small_enough_is_not_sent_again() -> None:
    conn, peer = established()
    conn.send(text(500), peer.now)
    peer.expects(ACK, 500)
    peer.world.wire(conn).mtu = 576
    conn.path_mtu_changed(peer.now)
    peer.world.settle()
    peer.silent()
    peer.sends(ACK)


def test_a_larger_path_mtu_has_nothing_sent_again() -> None:
    conn, peer = established()
    wire = peer.world.wire(conn)
    wire.mtu = 576
    conn.path_mtu_changed(peer.now)
    conn.send(text(4 * 536), peer.now)
    for _ in range(4):
        peer.expects(ACK, 536)
    cwnd = conn.congestion.cwnd
    wire.mtu = 1500
    conn.path_mtu_changed(peer.now)
    peer.world.settle()
    peer.silent()
    assert conn.congestion.cwnd >= cwnd
    peer.sends(ACK)
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)


def test_path_mtu_of_a_connection_in_syn_sent() -> None:
    conn, peer = syn_sent()
    peer.world.wire(conn).mtu = 576
    conn.path_mtu_changed(peer.now)
    peer.world.settle()
    peer.silent()
    peer.wait(1.1)
    assert peer.expects(SYN).options.mss == 536


def test_path_mtu_with_a_fin_in_flight() -> None:
    conn, peer = established()
    conn.send(text(MSS), peer.now)
    conn.shutdown_write(peer.now)
    peer.expects(ACK, MSS)
    peer.expects(FIN | ACK)
    assert peer.world.too_big(conn, 576)
    peer.expects(ACK, 536)
    peer.sends(ACK, ack=add(OUR_ISS, 537))
    peer.expects(ACK, 536)
    peer.expects(FIN | ACK, 388)
    peer.sends(ACK)
    assert conn.state is State.FIN_WAIT_2
