"""When an acknowledgment is sent: RFC 9293 section 3.8.6.3, RFC 5681 section 4.2, MUST-58 and
MUST-59.
"""

from __future__ import annotations

import pytest

from stack.config import TcpConfig
from stack.wire.tcp import SYN
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .world import ACK, FIN, MSS, PEER_ISS, add, established, syn_sent, text


@rfc("9293 SHLD-18", "5681-4.2-a")
def test_the_ack_of_a_small_segment_is_delayed() -> None:
    _, peer = established()
    peer.sends(ACK, b"small")
    peer.silent()
    peer.wait(0.039)
    peer.silent()
    peer.wait(0.002)
    peer.expects(ACK, ack=add(PEER_ISS, 6))


@rfc("9293 MUST-40", "5681-4.2-c")
def test_an_ack_is_never_delayed_by_half_a_second() -> None:
    """However many small segments come meanwhile."""
    assert TcpConfig().delayed_ack_s < 0.5
    _, peer = established()
    first = peer.now
    peer.sends(ACK, b"x")
    while not peer.world.sent:
        peer.wait(0.01)
        peer.sends(ACK, b"x")
        assert peer.now - first < 0.5
    peer.expects(ACK)
    peer.wait(0.5)
    while peer.world.sent:
        peer.expects(ACK)


@rfc("9293 SHLD-19", "5681-4.2-b")
def test_every_second_full_segment_is_acknowledged_at_once() -> None:
    _, peer = established()
    for _ in range(5):
        peer.sends(ACK, text(MSS))
        peer.silent()
        peer.sends(ACK, text(MSS))
        peer.expects(ACK, ack=peer.snd_nxt)


@rfc("9293 SHLD-19")
def test_so_are_two_full_segments_worth_of_small_ones() -> None:
    """No larger one has come, so 536 octets are a full one: RFC 9293 section 3.7.1's default."""
    _, peer = established()
    for _ in range(10):
        peer.sends(ACK, text(100))
        peer.silent()
    peer.sends(ACK, text(100))
    peer.expects(ACK, ack=peer.snd_nxt)


@rfc("9293 MUST-58", "9293 MUST-59", "5681-4.2-e")
@pytest.mark.parametrize("frames", [2, 10, 40])
def test_a_batch_in_order_is_acknowledged_once(frames: int) -> None:
    _, peer = established()
    with peer.batch():
        for _ in range(frames):
            peer.sends(ACK, text(MSS))
    peer.expects(ACK, ack=peer.snd_nxt)
    peer.silent()
    peer.wait(1)


@rfc("9293 MUST-58")
def test_the_ack_rides_on_data() -> None:
    conn, peer = established()
    peer.sends(ACK, b"request")
    conn.send(b"response", peer.now)
    peer.expects(ACK, b"response", ack=add(PEER_ISS, 8))
    peer.wait(0.1)
    peer.silent()


def test_the_ack_rides_on_what_an_ack_lets_go() -> None:
    """In one batch: an acknowledgment that opens our window, and data that we owe an acknowledgment."""
    conn, peer = established(window=1000)
    conn.send(text(2000), peer.now)
    peer.expects(ACK, 1000)
    with peer.batch():
        peer.sends(ACK, text(MSS), ack=conn.snd_nxt)
        peer.sends(ACK, text(MSS), ack=conn.snd_nxt)
    peer.expects(ACK, text(1000, 1000), ack=peer.snd_nxt)
    peer.silent()


def test_a_fin_is_acknowledged_at_once() -> None:
    _, peer = established()
    peer.sends(ACK, b"x")
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=add(PEER_ISS, 3))
    peer.wait(1)
    peer.silent()


def test_a_fin_is_acknowledged_by_ours_when_the_woken_reader_closes() -> None:
    conn, peer = established()
    conn.on_readable = lambda: True
    peer.sends(FIN | ACK)
    peer.silent()
    assert conn.receive(1, peer.now) == b""
    peer.silent()
    conn.close(peer.now)
    peer.expects(FIN | ACK, ack=add(PEER_ISS, 2))
    peer.silent()


def test_so_is_one_with_data_before_it_while_a_reader_is_busy_with_that() -> None:
    conn, peer = established()
    peer.sends(ACK, b"x")
    conn.receive(1, peer.now)
    peer.sends(FIN | ACK)
    conn.close(peer.now)
    peer.expects(FIN | ACK, ack=add(PEER_ISS, 3))


@rfc("9293 MUST-40")
def test_a_reader_that_does_not_close_delays_the_ack_no_longer_than_for_data() -> None:
    conn, peer = established()
    conn.on_readable = lambda: True
    peer.sends(FIN | ACK)
    assert peer.times(0.5, ACK) == [0.04]


def test_a_reader_that_sends_on_acknowledges_the_fin_by_that() -> None:
    conn, peer = established()
    conn.on_readable = lambda: True
    peer.sends(FIN | ACK)
    conn.send(b"and", peer.now)
    peer.expects(ACK, b"and", ack=add(PEER_ISS, 2))


def test_a_reader_that_read_a_while_ago_does_not_delay_the_ack_of_a_fin() -> None:
    conn, peer = established(ack_by_reader_s=0.01)
    peer.sends(ACK, b"x")
    conn.receive(1, peer.now)
    peer.wait(0.011)
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=add(PEER_ISS, 3))


def test_nothing_is_owed_for_a_bare_ack() -> None:
    conn, peer = established()
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK)
    assert conn.deadline == float("inf")
    peer.wait(1000)


def test_the_delay_is_configured() -> None:
    _, peer = established(delayed_ack_s=0.2)
    peer.sends(ACK, b"x")
    peer.wait(0.19)
    peer.silent()
    peer.wait(0.02)
    peer.expects(ACK)


def test_data_again_that_is_here_already_is_acknowledged_at_once() -> None:
    """Its sender has not seen our ACK."""
    _, peer = established()
    peer.sends(ACK, b"data")
    peer.wait(0.05)
    peer.expects(ACK, ack=add(PEER_ISS, 5))
    peer.sends(ACK, b"data", seq=add(PEER_ISS, 1))
    peer.expects(ACK, ack=add(PEER_ISS, 5))


def test_a_reader_that_was_just_woken_acknowledges_by_reading() -> None:
    """Then one ACK says both, that the data is here and that there is room for more."""
    conn, peer = established()
    conn.on_readable = lambda: True  # a reader waits
    with peer.batch():
        for _ in range(4):
            peer.sends(ACK, text(MSS))
    peer.silent()
    conn.receive(1 << 20, peer.now)
    peer.expects(ACK, ack=peer.snd_nxt)
    conn.receive(1 << 20, peer.now)


def test_a_reader_that_was_woken_and_does_not_read_delays_no_ack() -> None:
    conn, peer = established()
    waiting = [True]
    conn.on_readable = lambda: bool(waiting and waiting.pop())
    peer.sends(ACK, text(2 * MSS))
    peer.silent()
    peer.sends(ACK, text(2 * MSS))
    peer.expects(ACK, ack=peer.snd_nxt)


def test_nor_does_he_when_nothing_more_comes() -> None:
    conn, peer = established()
    conn.on_readable = lambda: True
    peer.sends(ACK, text(2 * MSS))
    assert peer.times(0.5, ACK) == [0.04]


def test_a_reader_in_the_midst_of_reading_acknowledges_by_reading_on() -> None:
    conn, peer = established()
    peer.sends(ACK, text(MSS))
    conn.receive(1 << 20, peer.now)
    peer.sends(ACK, text(2 * MSS))
    peer.silent()
    conn.receive(1 << 20, peer.now)
    peer.expects(ACK, ack=peer.snd_nxt)


def test_a_reader_that_has_stopped_delays_one_ack_at_most() -> None:
    conn, peer = established()
    peer.sends(ACK, text(MSS))
    conn.receive(1 << 20, peer.now)
    peer.sends(ACK, text(2 * MSS))
    peer.silent()
    peer.sends(ACK, text(2 * MSS))
    peer.expects(ACK, ack=peer.snd_nxt)
    peer.sends(ACK, text(2 * MSS))
    peer.expects(ACK, ack=peer.snd_nxt)


def test_a_reader_that_read_a_while_ago_delays_no_ack() -> None:
    conn, peer = established()
    peer.sends(ACK, text(MSS))
    conn.receive(1 << 20, peer.now)
    peer.wait(0.003)
    peer.sends(ACK, text(2 * MSS))
    peer.expects(ACK, ack=peer.snd_nxt)


@rfc("5681-4.2-b")
def test_two_segments_as_large_as_the_peer_makes_them_are_two_full_sized_ones() -> None:
    """Our link takes jumbo frames, the peer's does not: by RFC 5681 section 4.2 every twelfth is too seldom."""
    conn, peer = syn_sent()
    peer.world.wire(conn).mtu = 9000
    peer.sends(SYN | ACK, options=TcpOptions(mss=8960))
    peer.expects(ACK)
    assert conn.mss > 4 * MSS
    for _ in range(4):
        peer.sends(ACK, text(MSS))
        peer.silent()
        peer.sends(ACK, text(MSS))
        peer.expects(ACK, ack=peer.snd_nxt)
