"""A closed window: probes, how long they go on, and what ends them. RFC 9293 section 3.8.6.1."""

from __future__ import annotations

from math import inf

import pytest

from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, OUR_ISS, RST, SYN, Peer, add, established, syn_sent, text


def facing_a_closed_window(data: bytes = b"data", **changes: object) -> tuple[Connection, Peer]:
    """RTO is 0.3 s; `data` waits, nothing is in flight."""
    conn, peer = syn_sent(**changes)
    peer.wait(0.1)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS), window=0)
    peer.expects(ACK)
    if data:
        conn.send(data, peer.now)
    peer.silent()
    return conn, peer


def facing_a_small_window() -> tuple[Connection, Peer]:
    """The peer has acknowledged all, and takes 100 octets: less than half of its largest window, 2,000."""
    conn, peer = established(window=2000)
    conn.send(text(2000), peer.now)
    peer.world.sent.clear()
    peer.sends(ACK, window=100)
    return conn, peer


@rfc("9293 MUST-36", "9293 SHLD-29")
def test_the_first_probe_comes_after_rto() -> None:
    _, peer = facing_a_closed_window()
    peer.wait(0.29)
    peer.silent()
    peer.wait(0.02)
    peer.expects(ACK, b"d", seq=add(OUR_ISS, 1))


@rfc("9293 SHLD-30")
def test_the_interval_grows_exponentially() -> None:
    _, peer = facing_a_closed_window()
    assert peer.times(250, ACK, b"d") == pytest.approx([0.3, 0.9, 2.1, 4.5, 9.3, 18.9, 38.1, 76.5, 136.5, 196.5])


@rfc("9293 MUST-37")
@pytest.mark.parametrize("user_timeout", [None, 30.0])
def test_as_long_as_probes_are_answered_the_connection_lives(user_timeout: float | None) -> None:
    conn, peer = facing_a_closed_window()
    set_options(conn, user_timeout_s=user_timeout)
    gaps = []
    last = peer.now
    for _ in range(200):
        while not peer.world.sent:
            peer.wait(1)
        gaps.append(peer.world.sent[0].at - last)
        last = peer.world.sent[0].at
        peer.expects(ACK, b"d", seq=add(OUR_ISS, 1))
        peer.sends(ACK, ack=add(OUR_ISS, 1), window=0)
    assert conn.state is State.ESTABLISHED
    assert max(gaps) <= 61
    assert peer.now > 2000
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=1000)
    peer.expects(ACK, b"d", seq=add(OUR_ISS, 1))
    peer.sends(ACK)
    peer.expects(ACK, b"ata")


def test_probes_without_an_answer_end_after_r2() -> None:
    conn, peer = facing_a_closed_window()
    peer.wait(299)
    assert conn.state is State.ESTABLISHED
    peer.wait(2)
    assert conn.state is State.CLOSED
    assert isinstance(_error(conn, peer), TimeoutError)
    peer.world.sent.clear()


def _error(conn: Connection, peer: Peer) -> OSError:
    with pytest.raises(OSError) as error:
        conn.receive(1, peer.now)
    return error.value


def test_probes_without_an_answer_are_reported_to_ip_from_r1_on() -> None:
    conn, peer = facing_a_closed_window()
    probes = peer.times(100, ACK, b"d")
    # The first probe is asked before any was unanswered; R1 unanswered ones are told of, and each one after them.
    assert len(peer.world.wire(conn).suspected) == len(probes) - 3 > 3


def test_probes_that_are_answered_are_not() -> None:
    conn, peer = facing_a_closed_window()
    for _ in range(8):
        peer.wait(conn.deadline - peer.now)
        peer.expects(ACK, b"d")
        peer.sends(ACK, ack=add(OUR_ISS, 1), window=0)
    assert peer.world.wire(conn).suspected == []


def test_the_octet_of_a_probe_that_was_not_taken_goes_first_when_the_window_opens() -> None:
    _, peer = facing_a_closed_window(text(3000))
    peer.wait(0.31)
    peer.expects(ACK, text(1))
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=0)
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=5000)
    peer.expects(ACK, text(1), seq=add(OUR_ISS, 1))
    peer.expects(ACK, text(MSS, 1), seq=add(OUR_ISS, 2))
    peer.expects(ACK, text(MSS, 1 + MSS))
    peer.silent()  # Nagle holds the rest
    peer.sends(ACK)
    peer.expects(ACK, text(3000 - 1 - 2 * MSS, 1 + 2 * MSS))


def test_the_octet_of_a_probe_that_was_taken_is_gone() -> None:
    conn, peer = facing_a_closed_window()
    for octet in (b"d", b"a", b"t"):
        peer.wait(conn.deadline - peer.now)
        peer.expects(ACK, octet)
        peer.sends(ACK, window=0)
    peer.sends(ACK, window=100)
    peer.expects(ACK, b"a")
    peer.sends(ACK)
    assert conn.deadline == inf


def test_a_window_that_opens_before_the_first_probe() -> None:
    conn, peer = facing_a_closed_window()
    peer.wait(0.2)
    peer.sends(ACK, window=1000)
    peer.expects(ACK, b"data")
    peer.sends(ACK)
    assert conn.deadline == inf


def test_a_window_that_closes_again_begins_with_rto_again() -> None:
    conn, peer = facing_a_closed_window()
    peer.times(20, ACK, b"d")
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=1)
    peer.expects(ACK, b"d")
    peer.sends(ACK, window=0)
    assert peer.times(0.31, ACK, b"a") == [pytest.approx(conn.rtt.timeout_s())]


@rfc("9293 MUST-35")
def test_what_is_in_flight_when_the_window_closes_is_probed_with() -> None:
    conn, peer = facing_a_closed_window(b"")
    peer.sends(ACK, window=3000)
    conn.send(text(2000), peer.now)
    peer.expects(ACK, MSS)
    peer.expects(ACK, 540)
    peer.sends(ACK, ack=conn.snd_una, window=0)  # it was thrown away
    peer.wait(0.31)
    peer.expects(ACK, text(MSS), seq=add(OUR_ISS, 1))  # RFC 7323 section 2.4: whole, the first time
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=0)
    peer.wait(0.61)
    peer.expects(ACK, text(1), seq=add(OUR_ISS, 1))
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=5000)
    peer.expects(ACK, text(MSS))
    peer.sends(ACK)
    peer.expects(ACK, text(540, MSS))


def test_a_fin_probes_a_closed_window() -> None:
    conn, peer = facing_a_closed_window(b"")
    conn.shutdown_write(peer.now)
    peer.silent()
    peer.wait(0.31)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=0)
    peer.wait(0.61)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))
    peer.sends(ACK, window=0)
    assert conn.state is State.FIN_WAIT_2
    assert conn.deadline == inf


def test_data_and_a_fin_behind_a_closed_window() -> None:
    conn, peer = facing_a_closed_window(b"ab")
    conn.shutdown_write(peer.now)
    assert conn.state is State.FIN_WAIT_1
    for flags, octet in ((ACK, b"a"), (ACK, b"b"), (FIN | ACK, b"")):
        peer.wait(conn.deadline - peer.now)
        peer.expects(flags, octet)
        peer.sends(ACK, window=0)
    assert conn.state is State.FIN_WAIT_2


def test_a_probe_is_not_measured() -> None:
    """Its answer may come when the peer's reader has woken up: that is not the network."""
    conn, peer = facing_a_closed_window()
    before = conn.rtt.srtt_s
    peer.wait(0.31)
    peer.expects(ACK, b"d")
    peer.wait(0.2)
    peer.sends(ACK, window=100)
    assert conn.rtt.srtt_s == before
    peer.expects(ACK, b"ata")


def test_a_closed_user_behind_a_closed_window_is_not_waited_for_for_ever() -> None:
    """MUST-37 is for a user that still exists. A peer that answers probes must not hold memory for a closed one."""
    conn, peer = facing_a_closed_window()
    conn.close(peer.now)
    limit = peer.world.services.config.orphan_timeout_s
    begun = peer.now
    while conn.state is not State.CLOSED:
        assert peer.now - begun < limit + 1
        peer.wait(1)
        while peer.world.sent and not peer.world.sent[0].flags & RST:
            peer.expects(ACK, b"d")
            peer.sends(ACK, ack=add(OUR_ISS, 1), window=0)
    peer.expects(RST | ACK)
    assert peer.now - begun > limit - 1


def test_probes_of_our_closed_window_are_no_duplicate_acks() -> None:
    """Each carries an octet that we cut off: three of them must not make us retransmit."""
    conn, peer = facing_a_closed_window(b"", receive_buffer_bytes=1000)
    peer.sends(ACK, text(1000), window=5000)
    peer.wait(0.1)
    peer.expects(ACK, window=0)
    conn.send(b"in flight", peer.now)
    peer.expects(ACK, b"in flight")
    for _ in range(5):
        peer.sends(ACK, b"p", seq=conn.rcv_nxt, ack=conn.snd_una)
        peer.expects(ACK, window=0)
    assert (conn.duplicate_acks, conn.recovering) == (0, False)


def test_zero_window_without_anything_to_send_asks_nothing() -> None:
    conn, peer = facing_a_closed_window(b"")
    assert conn.deadline == inf
    peer.wait(10_000)
    peer.silent()


@rfc("9293 MAY-8")
def test_our_window_may_stay_closed_for_ever() -> None:
    conn, peer = facing_a_closed_window(b"", receive_buffer_bytes=1000)
    peer.sends(ACK, text(1000))
    peer.wait(0.1)
    peer.expects(ACK, window=0)
    for _ in range(100):
        peer.wait(60)
        peer.sends(ACK, b"p", seq=conn.rcv_nxt)
        peer.expects(ACK, ack=conn.rcv_nxt, window=0)
    assert conn.receive(2000, peer.now) == text(1000)
    peer.expects(ACK, window=1000)


@rfc("persist-1")
def test_a_window_that_closes_again_is_probed_as_soon_as_the_first_time() -> None:
    """What the first closed window has cost in patience is forgotten when it opens."""
    conn, peer = facing_a_closed_window()
    first = peer.times(100, ACK, b"d")
    assert len(first) == 8
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=1000)
    peer.expects(ACK, b"d", seq=add(OUR_ISS, 1))
    peer.sends(ACK)
    peer.expects(ACK, b"ata")
    peer.sends(ACK, window=0)
    peer.wait(1000)
    conn.send(b"data", peer.now)
    peer.silent()
    again = peer.times(100, ACK, b"d")
    assert [at / again[0] for at in again] == pytest.approx([at / first[0] for at in first], rel=0.01)  # in RTOs
    peer.wait(299 - 100)
    assert conn.state is State.ESTABLISHED, "the user timeout counts from the second closing, too"
    peer.world.sent.clear()
