"""The retransmission timer, Karn's rule, back-off, R1 and R2, the user timeout.

See RFC 6298, RFC 9293 sections 3.8.1, 3.8.3 and 3.10.8.
"""

from __future__ import annotations

import errno
from itertools import pairwise
from math import inf

import pytest

from stack.config import TcpConfig
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .world import (
    ACK,
    FIN,
    MSS,
    OUR_ISS,
    RST,
    SYN,
    Peer,
    add,
    closed,
    in_state,
    syn_received,
    syn_sent,
    text,
)


def with_rtt(seconds: float, **changes: object) -> tuple[Connection, Peer]:
    """A connection that has measured one round trip."""
    conn, peer = syn_sent(**changes)
    peer.wait(seconds)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    assert conn.rtt.srtt_s == pytest.approx(seconds)
    return conn, peer


# --- the timer


@rfc("6298-5-b", "9293-3.10.8-b", "6298-5-e")
def test_what_is_not_acknowledged_is_sent_again_after_rto() -> None:
    conn, peer = with_rtt(0.1)  # RTO = 0.1 + 4 * 0.05
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data", seq=add(OUR_ISS, 1))
    peer.wait(0.299)
    peer.silent()
    peer.wait(0.002)
    peer.expects(ACK, b"data", seq=add(OUR_ISS, 1))
    assert peer.world.counters["tcpRetransSegs"] == 1


@rfc("6298-2-a")
def test_before_any_measurement_rto_is_one_second() -> None:
    conn, peer = closed()
    conn.open(peer.now)
    peer.expects(SYN)
    assert peer.times(1.5, SYN) == [1.0]


@rfc("6298-5-f", "6298-5-g", "9293 MUST-19")
def test_rto_doubles_with_each_expiry_up_to_its_maximum() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    times = peer.times(220, ACK, b"data")
    gaps = [round(later - earlier, 1) for earlier, later in pairwise([0.0, *times])]
    assert gaps == [0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 38.4, 60.0, 60.0]


@rfc("6298-5-c")
def test_the_timer_stops_when_all_is_acknowledged() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    peer.sends(ACK)
    assert conn.deadline == inf


@rfc("6298-5-d")
def test_the_timer_restarts_with_each_ack_of_new_data() -> None:
    conn, peer = with_rtt(0.1)
    set_options(conn, nodelay=True)
    for octet in (b"a", b"b", b"c"):
        conn.send(octet, peer.now)
        peer.expects(ACK, octet)
    peer.wait(0.29)
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    rto = conn.rtt.timeout_s()
    peer.wait(rto - 0.01)
    peer.silent()
    peer.wait(0.02)
    peer.expects(ACK, b"bc", seq=add(OUR_ISS, 2))


def test_an_ack_of_nothing_new_does_not_restart_it() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    peer.wait(0.2)
    peer.sends(ACK, ack=conn.snd_una)
    peer.wait(0.11)
    peer.expects(ACK, b"data")


@rfc("6298-5-a")
def test_what_is_sent_while_the_timer_runs_does_not_restart_it() -> None:
    conn, peer = with_rtt(0.1)
    set_options(conn, nodelay=True)
    conn.send(b"a", peer.now)
    peer.expects(ACK, b"a")
    peer.wait(0.2)
    conn.send(b"b", peer.now)
    peer.expects(ACK, b"b")
    peer.wait(0.11)
    peer.expects(ACK, b"ab")


def test_after_a_timeout_all_that_was_in_flight_is_sent_again_as_cwnd_grows() -> None:
    conn, peer = with_rtt(0.1)
    octets = text(6 * MSS)
    conn.send(octets, peer.now)
    for number in range(6):
        peer.expects(ACK, octets[number * MSS : (number + 1) * MSS])
    peer.wait(0.31)
    peer.expects(ACK, octets[:MSS], seq=add(OUR_ISS, 1))
    peer.silent()  # the loss window is one segment
    peer.sends(ACK, ack=add(OUR_ISS, 1 + MSS))
    peer.expects(ACK, octets[MSS : 2 * MSS])
    peer.expects(ACK, octets[2 * MSS : 3 * MSS])
    peer.silent()
    peer.sends(ACK, ack=add(OUR_ISS, 1 + 5 * MSS))  # the rest had arrived
    peer.expects(ACK, octets[5 * MSS :])
    peer.sends(ACK)
    assert conn.deadline == inf


def test_a_fin_is_sent_again_with_the_data_before_it() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"last words", peer.now)
    conn.shutdown_write(peer.now)
    peer.expects(ACK, b"last words")
    peer.expects(FIN | ACK)
    peer.wait(0.31)
    peer.expects(FIN | ACK, b"last words", seq=add(OUR_ISS, 1))
    peer.sends(ACK)
    assert conn.state is State.FIN_WAIT_2


# --- Karn, and what is measured


@rfc("6298-3-a", "6298-3-b", "9293 MUST-18")
def test_a_segment_that_was_sent_twice_is_not_measured() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    peer.wait(0.31)
    peer.expects(ACK, b"data")
    peer.wait(0.05)
    peer.sends(ACK)
    assert conn.rtt.srtt_s == pytest.approx(0.1)


@rfc("6298-5-i")
def test_the_backed_off_rto_stays_until_new_data_is_measured() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    peer.wait(0.31)
    peer.expects(ACK, b"data")
    peer.sends(ACK)
    assert conn.rtt.timeout_s() == pytest.approx(0.6)
    conn.send(b"new", peer.now)
    peer.expects(ACK, b"new")
    peer.wait(0.1)
    peer.sends(ACK)
    assert conn.rtt.timeout_s() < 0.3


@rfc("6298-3-c")
def test_one_segment_a_round_trip_is_measured() -> None:
    conn, peer = with_rtt(0.1)
    set_options(conn, nodelay=True)
    before = conn.rtt.srtt_s
    for octet in (b"a", b"b", b"c"):
        conn.send(octet, peer.now)
        peer.expects(ACK, octet)
    peer.wait(0.2)
    peer.sends(ACK)
    assert conn.rtt.srtt_s == pytest.approx(0.1 + 0.1 / 8)  # one sample of 0.2, not three
    assert before is not None


@rfc("6298-3-b")
def test_a_crossing_syn_is_not_measured() -> None:
    """Our SYN has gone out twice, alone and with the ACK: which one the peer acknowledges is unknown."""
    conn, peer = syn_sent()
    peer.wait(0.2)
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.wait(0.1)
    peer.sends(ACK)
    assert conn.rtt.srtt_s is None


def test_the_handshake_measures_a_passive_open() -> None:
    conn, peer = syn_received()
    peer.wait(0.15)
    peer.sends(ACK)
    assert conn.rtt.srtt_s == pytest.approx(0.15)


@rfc("6298-5-h")
@pytest.mark.parametrize("active", [True, False])
def test_after_a_lost_syn_rto_begins_at_three_seconds(active: bool) -> None:
    if active:
        conn, peer = syn_sent()
        peer.wait(1.1)
        peer.expects(SYN)
        peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
        peer.expects(ACK)
    else:
        conn, peer = syn_received()
        peer.wait(1.1)
        peer.expects(SYN | ACK)
        peer.sends(ACK)
    assert conn.rtt.srtt_s is None
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    assert peer.times(10, ACK, b"data") == [3.0, 9.0]


@rfc("6298-5-a")
def test_the_timer_of_the_syn_does_not_run_on_for_the_data() -> None:
    conn, peer = closed()
    conn.open(peer.now)
    peer.expects(SYN)
    conn.send(b"early", peer.now)
    peer.wait(0.9)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK, b"early")
    assert peer.times(3, ACK, b"early") == [2.7]  # 0.9 + 4 * 0.45


@rfc("5681-3.1-o")
def test_the_timeouts_of_the_syn_are_not_those_of_the_data() -> None:
    """The first timeout of the first segment lowers ssthresh, though the SYN was lost before."""
    conn, peer = syn_sent()
    peer.wait(1.1)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    peer.wait(3.1)
    peer.expects(ACK, b"data")
    assert conn.congestion.ssthresh == 2 * MSS


# --- R1 and R2


@rfc("9293 MUST-20", "9293 SHLD-10")
def test_at_r1_ip_is_advised_that_the_path_may_be_dead() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    wire = peer.world.wire(conn)
    for _ in range(2):
        peer.wait(conn.rto_deadline - peer.now)
        peer.expects(ACK, b"data")
    assert wire.suspected == []
    peer.wait(conn.rto_deadline - peer.now)
    peer.expects(ACK, b"data")
    assert wire.suspected == [peer.now]
    later = peer.times(60, ACK, b"data")
    assert len(later) >= 4
    assert len(wire.suspected) == 1 + len(later)  # at each timeout that reaches or exceeds R1
    assert wire.genuine
    peer.sends(ACK)
    conn.send(b"more", peer.now)
    peer.expects(ACK, b"more")
    before = len(wire.suspected)
    later = peer.times(100, ACK, b"more")
    assert len(wire.suspected) == before + len(later) - 2  # of the next segment that is lost, too


@rfc("arp-4")
def test_advice_goes_on_as_long_as_nothing_is_acknowledged() -> None:
    """The entry may be forged, or forged again, after R1."""
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    wire = peer.world.wire(conn)
    peer.times(200, ACK, b"data")
    at = wire.suspected
    assert len(at) > 6
    assert all(later - earlier <= TcpConfig().rto_max_s for earlier, later in pairwise(at))
    assert peer.now - at[-1] <= TcpConfig().rto_max_s


@rfc("arp-5")
def test_advice_about_an_unverified_syn_is_not_genuine() -> None:
    """Nothing shows that its sender was ever there."""
    conn, peer = syn_received()
    peer.times(20, SYN | ACK)
    assert peer.world.wire(conn).suspected
    assert peer.world.wire(conn).genuine is False
    conn, peer = syn_sent()
    peer.times(20, SYN)
    assert peer.world.wire(conn).genuine


@rfc("9293 MUST-22", "9293 MUST-20")
def test_at_r1_of_a_syn_too() -> None:
    conn, peer = syn_sent()
    assert peer.times(30, SYN) == [1, 3, 7, 15]
    assert [at - peer.now + 30 for at in peer.world.wire(conn).suspected] == [7, 15]


@rfc("9293 MUST-20", "9293 SHLD-11", "9293-3.9.1.1-a")
def test_at_r2_the_connection_ends() -> None:
    """Five minutes after the peer last acknowledged something."""
    assert TcpConfig().user_timeout_s >= 100
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    peer.times(299.9, ACK, b"data")
    assert conn.state is State.ESTABLISHED
    peer.wait(0.2)
    assert conn.state is State.CLOSED
    peer.expects(RST | ACK, seq=conn.snd_nxt)
    assert conn.error == errno.ETIMEDOUT


@rfc("9293-3.10.8-a")
@pytest.mark.parametrize(
    "state",
    [
        State.SYN_SENT,
        State.SYN_RECEIVED,
        State.ESTABLISHED,
        State.FIN_WAIT_1,
        State.CLOSE_WAIT,
        State.CLOSING,
        State.LAST_ACK,
    ],
)
def test_the_user_timeout_ends_a_connection_in_any_state(state: State) -> None:
    conn, peer = in_state(state)
    told: list[str] = []
    conn.on_readable = lambda: told.append("readable")
    conn.on_writable = lambda: told.append("writable")
    if state in (State.ESTABLISHED, State.CLOSE_WAIT):
        conn.send(b"data", peer.now)
    peer.wait(301)
    assert conn.state is State.CLOSED
    assert peer.world.closed == [conn]
    assert sorted(told) == ["readable", "writable"]
    assert conn.send_buffer.size == 0
    if state in (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK):  # the stream had its end: the error is for SEND
        assert conn.receive(1, peer.now) == b""
        with pytest.raises(TimeoutError):
            conn.send(b"more", peer.now)
    else:
        with pytest.raises(TimeoutError):
            conn.receive(1, peer.now)
    assert peer.world.counters["tcpTimeouts"] == 1
    peer.world.sent.clear()


@rfc("9293 MUST-23")
def test_a_syn_is_sent_for_three_minutes() -> None:
    conn, peer = syn_sent()
    times = peer.times(400, SYN)
    assert peer.world.counters["tcpRetransSegs"] == len(times)
    assert peer.world.counters["tcpOutSegs"] == 1
    assert times == [1, 3, 7, 15, 31, 63, 123, 183]
    assert conn.state is State.CLOSED
    assert conn.error == errno.ETIMEDOUT


@rfc("9293 MUST-21")
@pytest.mark.parametrize("limit", [0.05, 1.0, 7.3, 500.0])
def test_r2_can_be_set_for_a_connection(limit: float) -> None:
    """And is kept to the moment: it does not wait for the next retransmission."""
    conn, peer = with_rtt(0.1)
    set_options(conn, user_timeout_s=limit)
    conn.send(b"data", peer.now)
    peer.wait(limit - 0.01)
    assert conn.state is State.ESTABLISHED
    peer.wait(0.02)
    assert conn.state is State.CLOSED
    peer.world.sent.clear()


@rfc("9293 MUST-21")
def test_r2_may_be_infinite() -> None:
    conn, peer = with_rtt(0.1)
    set_options(conn, user_timeout_s=inf)
    conn.send(b"data", peer.now)
    peer.wait(86400)
    assert conn.state is State.ESTABLISHED
    peer.world.sent.clear()


@rfc("9293 MUST-21")
def test_r2_can_be_set_while_something_is_waited_for() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.wait(40)
    set_options(conn, user_timeout_s=50)
    conn.options_changed(peer.now)
    peer.wait(9.9)
    assert conn.state is State.ESTABLISHED
    peer.wait(0.2)
    assert conn.state is State.CLOSED
    peer.world.sent.clear()


@rfc("9293 MUST-21")
def test_the_application_may_give_up_an_open_earlier() -> None:
    conn, peer = closed()
    set_options(conn, user_timeout_s=5)
    conn.open(peer.now)
    peer.expects(SYN)
    assert peer.times(6, SYN) == [1, 3]
    assert conn.state is State.CLOSED


def test_the_clock_of_r2_begins_with_the_data_not_with_the_silence_before() -> None:
    conn, peer = with_rtt(0.1)
    peer.wait(10_000)
    conn.send(b"data", peer.now)
    peer.wait(299)
    assert conn.state is State.ESTABLISHED
    peer.world.sent.clear()


def test_progress_begins_r2_anew() -> None:
    conn, peer = with_rtt(0.1)
    set_options(conn, nodelay=True)
    conn.send(b"a", peer.now)
    conn.send(b"b", peer.now)
    peer.wait(200)
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    peer.wait(299)
    assert conn.state is State.ESTABLISHED
    peer.wait(2)
    assert conn.state is State.CLOSED
    peer.world.sent.clear()


@rfc("9293 SHLD-11")
def test_close_begins_r2_anew() -> None:
    """What the user sent before it closed is still to be delivered, however long it has waited already."""
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    peer.wait(250)
    conn.close(peer.now)
    peer.wait(119)
    assert conn.state is State.FIN_WAIT_1
    peer.world.sent.clear()
    peer.sends(ACK)
    assert conn.state is State.FIN_WAIT_2


def test_a_timeout_reports_what_the_network_complained_of() -> None:
    conn, peer = with_rtt(0.1)
    conn.send(b"data", peer.now)
    conn.icmp_error(errno.EHOSTUNREACH, False, conn.snd_una, peer.now)
    peer.wait(301)
    peer.world.sent.clear()
    with pytest.raises(OSError) as given_up:
        conn.receive(1, peer.now)
    assert given_up.value.errno == errno.EHOSTUNREACH


@pytest.mark.parametrize("progress", [1000.1, 1234.567, 999983.3])
def test_a_deadline_that_does_not_add_up_exactly_does_not_spin(progress: float) -> None:
    """(t + 300) - t is not 300 for every t: R2 must be over when its deadline comes."""
    conn, peer = with_rtt(0.1)
    peer.wait(progress)
    conn.send(b"data", peer.now)
    peer.wait(400)
    assert conn.state is State.CLOSED
    assert len(peer.world.sent) < 20
    peer.world.sent.clear()


def test_segments_that_only_repeat_are_not_counted_among_those_sent() -> None:
    """RFC 4022, tcpOutSegs: "excluding those containing only retransmitted octets"."""
    conn, peer = with_rtt(0.1)
    counters = peer.world.counters
    before = counters["tcpOutSegs"]
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    assert peer.times(1, ACK, b"data") == [0.3, 0.9]
    assert (counters["tcpOutSegs"] - before, counters["tcpRetransSegs"]) == (1, 2)
