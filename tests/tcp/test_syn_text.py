"""Data and FIN in a SYN, and a CLOSE before the handshake is over.

See RFC 9293 sections 3.5 ("data or controls ... on SYN segments"), 3.10.4 and 3.10.7.2.
"""

from __future__ import annotations

import pytest

from stack.tcp.connection import Connection
from stack.tcp.states import State
from tests.requirements import rfc

from .world import ACK, FIN, OUR_ISS, PEER_ISS, RST, SYN, URG, Peer, add, listening, syn_sent, text


def simultaneous(**changes: object) -> tuple[Connection, Peer]:
    """SYN-RECEIVED by crossing SYNs: the one way for a user to hold a connection in that state."""
    conn, peer = syn_sent(**changes)
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    assert conn.state is State.SYN_RECEIVED
    return conn, peer


# --- data and FIN with a SYN


def test_a_syn_holds_no_more_than_one_segment_of_text() -> None:
    """A flood of SYNs with text in fragments must not fill the memory; what was not kept is sent again."""
    _, peer = listening()
    peer.sends(SYN | FIN, bytes(20_000))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    conn = peer.conn
    assert conn is not None
    peer.sends(ACK, seq=add(PEER_ISS, 20_002))
    peer.expects(ACK, ack=add(PEER_ISS, 1 + 1460))
    assert conn.receive(60_000, peer.now) == bytes(1460)
    assert conn.state is State.ESTABLISHED


@rfc("9293-3.5-a", "9293-3.4-d")
def test_data_with_a_syn_waits_for_established() -> None:
    listener, peer = listening()
    peer.sends(SYN, b"early")
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))  # the SYN alone is acknowledged
    conn = peer.conn
    assert conn is not None
    assert not conn.readable
    peer.sends(ACK)
    assert listener.accept() is conn
    assert conn.receive(10, peer.now) == b"early"
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 6))


def test_data_with_a_syn_that_is_repeated_with_the_ack_comes_once() -> None:
    """The client was told that only its SYN arrived, so it sends its text again, and more."""
    _, peer = listening()
    peer.sends(SYN, b"early")
    peer.expects(SYN | ACK)
    peer.sends(ACK, b"early bird", seq=add(PEER_ISS, 1))
    conn = peer.conn
    assert conn is not None
    assert conn.receive(100, peer.now) == b"early bird"
    assert conn.receive_buffer.held == 0
    assert conn.rcv_nxt == add(PEER_ISS, 11)
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 11))


@pytest.mark.parametrize("repeated", [b"", b"ea", b"early"])
def test_whatever_part_of_the_syn_text_is_repeated(repeated: bytes) -> None:
    _, peer = listening()
    peer.sends(SYN, b"early")
    peer.expects(SYN | ACK)
    peer.sends(ACK, repeated, seq=add(PEER_ISS, 1))
    conn = peer.conn
    assert conn is not None
    assert conn.receive(100, peer.now) == b"early"
    assert (conn.receive_buffer.held, conn.rcv_nxt) == (0, add(PEER_ISS, 6))
    peer.sends(ACK, b" bird", seq=add(PEER_ISS, 6))
    assert conn.receive(100, peer.now) == b" bird"
    peer.wait(0.5)
    while peer.world.sent:
        peer.expects(ACK)
    assert conn.rcv_nxt == add(PEER_ISS, 11)


@pytest.mark.parametrize("data", [b"", b"all"])
def test_fin_with_a_syn_waits_for_established(data: bytes) -> None:
    _, peer = listening()
    peer.sends(SYN | FIN, data)
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    conn = peer.conn
    assert conn is not None
    assert conn.state is State.SYN_RECEIVED
    peer.sends(ACK)
    assert conn.state is State.CLOSE_WAIT
    peer.expects(ACK, ack=add(PEER_ISS, 2 + len(data)))
    assert conn.receive(100, peer.now) == data
    assert conn.receive(100, peer.now) == b""


def test_text_with_a_syn_ack_is_taken_at_once() -> None:
    """3.10.7.3: "If there are other controls or text in the segment, then continue processing at the sixth step"."""
    conn, peer = syn_sent()
    peer.sends(SYN | ACK | FIN, b"all")
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 5))
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(100, peer.now) == b"all"


def test_text_with_a_crossing_syn_waits_for_established() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN, b"early")
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    assert not conn.readable
    peer.sends(ACK)
    assert conn.receive(10, peer.now) == b"early"
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 6))


@pytest.mark.parametrize("pointer", [0, 1, 3, 0xFFFF])
def test_urgent_with_a_syn_changes_nothing(pointer: int) -> None:
    _, peer = listening()
    peer.sends(SYN | URG, b"early", up=pointer)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    assert peer.conn is not None
    assert peer.conn.receive(10, peer.now) == b"early"
    peer.wait(0.5)
    peer.expects(ACK)


@pytest.mark.parametrize(
    ("count", "state"), [(99, State.CLOSE_WAIT), (100, State.ESTABLISHED), (101, State.ESTABLISHED)]
)
def test_text_and_fin_with_a_syn_are_cut_off_at_the_window(count: int, state: State) -> None:
    """In a window of 100 there is room for 99 octets and a FIN, or for 100 octets."""
    _, peer = listening(receive_buffer_bytes=100)
    peer.sends(SYN | FIN, text(count))
    peer.expects(SYN | ACK, window=100)
    peer.sends(ACK, seq=add(PEER_ISS, 1))
    conn = peer.conn
    assert conn is not None
    assert conn.state is state
    assert conn.receive_buffer.size == min(count, 100)
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 101), window=0)


# --- CLOSE in SYN-SENT and SYN-RECEIVED


@rfc("9293-3.10.4-a")
def test_close_in_syn_sent_deletes_the_connection_without_a_segment() -> None:
    conn, peer = syn_sent()
    conn.send(b"never sent", peer.now)
    conn.close(peer.now)
    assert conn.state is State.CLOSED
    assert conn in peer.world.closed
    peer.silent()
    peer.wait(400)


@rfc("9293-3.10.4-c")
def test_close_in_syn_received_sends_fin_at_once() -> None:
    conn, peer = simultaneous()
    conn.shutdown_write(peer.now)
    assert conn.state is State.FIN_WAIT_1
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    assert conn.state is State.FIN_WAIT_2
    assert conn.snd_una == conn.snd_nxt == add(OUR_ISS, 2)


def test_fin_from_syn_received_when_only_the_syn_is_acknowledged() -> None:
    conn, peer = simultaneous()
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))  # lost
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.FIN_WAIT_1
    assert conn.snd_una == add(OUR_ISS, 1)
    peer.wait(1.5)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    assert conn.state is State.FIN_WAIT_2


def test_the_syn_is_sent_again_before_the_fin_when_both_are_lost() -> None:
    conn, peer = simultaneous()
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)  # lost, as was the SYN,ACK
    peer.wait(1)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    peer.wait(3)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))
    peer.sends(FIN | ACK, ack=add(OUR_ISS, 2))
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT


def test_close_in_syn_received_against_a_window_of_zero() -> None:
    """The SYN in flight is no octet that could probe a window."""
    conn, peer = syn_sent()
    peer.sends(SYN, window=0)
    peer.expects(SYN | ACK)
    conn.shutdown_write(peer.now)
    assert conn.state is State.FIN_WAIT_1
    peer.silent()  # the FIN does not fit
    peer.wait(1)
    peer.expects(SYN | ACK, seq=OUR_ISS)
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=0)
    peer.silent()
    peer.wait(2.5)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1))  # now it is the probe
    peer.sends(ACK, ack=add(OUR_ISS, 2), window=0)
    assert conn.state is State.FIN_WAIT_2


def test_the_fin_of_a_crossing_syn_is_not_acknowledged_too_early() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | FIN)
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    peer.sends(FIN | ACK, seq=add(PEER_ISS, 1), ack=add(OUR_ISS, 2))  # it comes again
    peer.expects(ACK, ack=add(PEER_ISS, 2))
    assert conn.state is State.TIME_WAIT


@rfc("9293-3.10.4-c")
def test_close_in_syn_received_with_data_waits_for_established() -> None:
    conn, peer = simultaneous()
    conn.send(b"last words", peer.now)
    conn.shutdown_write(peer.now)
    assert conn.state is State.SYN_RECEIVED
    peer.silent()
    peer.sends(ACK)
    peer.expects(FIN | ACK, b"last words", seq=add(OUR_ISS, 1))
    assert conn.state is State.FIN_WAIT_1


def test_close_that_waited_and_a_fin_that_came_with_the_syn() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | FIN, b"theirs")
    peer.expects(SYN | ACK)
    conn.send(b"ours", peer.now)
    conn.shutdown_write(peer.now)
    peer.sends(ACK)
    peer.expects(FIN | ACK, b"ours", seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 8))
    assert conn.state is State.LAST_ACK
    assert conn.receive(10, peer.now) == b"theirs"


def test_data_with_a_syn_for_a_reader_that_has_gone() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN, b"anybody there?")
    peer.expects(SYN | ACK)
    conn.send(b"ours", peer.now)
    conn.close(peer.now)
    assert conn.state is State.SYN_RECEIVED
    peer.sends(ACK, b" hello?", seq=add(PEER_ISS, 15))
    peer.expects(RST | ACK, seq=add(OUR_ISS, 1))
    assert conn.state is State.CLOSED


def test_three_duplicate_acks_of_nothing_do_not_retransmit_the_syn_as_data() -> None:
    conn, peer = simultaneous()
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    for _ in range(5):
        peer.sends(ACK, ack=OUR_ISS)
    peer.silent()
    assert conn.snd_una == OUR_ISS
