"""The figures of RFC 9293 section 3 that show an exchange, line by line."""

from __future__ import annotations

from stack.tcp.listener import Listener
from stack.tcp.states import State
from tests.requirements import rfc

from .world import ACK, FIN, OUR_ISS, PEER_ISS, RST, SYN, Peer, add, closed, established, listening, syn_sent


def test_figure_6_basic_three_way_handshake() -> None:
    conn, peer = syn_sent()  # 2.
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))  # 3.
    assert conn.state is State.ESTABLISHED
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))  # 4.
    conn.send(b"data", peer.now)  # 5.
    peer.expects(ACK, b"data", seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    assert conn.state is State.ESTABLISHED


@rfc("9293 MUST-10")
def test_figure_7_simultaneous_connection_synchronization() -> None:
    conn, peer = syn_sent()  # 2.
    peer.sends(SYN)  # 3.
    assert conn.state is State.SYN_RECEIVED
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))  # 5.
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))  # 6.
    assert conn.state is State.ESTABLISHED


def test_figure_8_recovery_from_old_duplicate_syn() -> None:
    """We are peer B."""
    listener, peer = listening()
    peer.sends(SYN, seq=90)  # 3.
    half_open = peer.conn
    assert half_open is not None
    assert half_open.state is State.SYN_RECEIVED
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=91)  # 4.
    peer.sends(RST, seq=91)  # 5.
    assert half_open.state is State.LISTEN
    assert listener.half_open == 0
    peer.sends(SYN, seq=100)  # 6.
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=101)  # 7.
    peer.sends(ACK, seq=101, ack=add(OUR_ISS, 1))  # 8.
    accepted = listener.accept()
    assert accepted is not None
    assert accepted is not half_open
    assert accepted.state is State.ESTABLISHED


@rfc("9293-3.10.7.3-a")
def test_figure_8_as_the_side_whose_old_syn_is_answered() -> None:
    """We are peer A."""
    conn, peer = syn_sent()  # 2.
    peer.sends(SYN | ACK, seq=300, ack=add(OUR_ISS, -9))  # 4.
    assert conn.state is State.SYN_SENT
    peer.expects(RST, seq=add(OUR_ISS, -9))  # 5.
    peer.sends(SYN | ACK, seq=400, ack=add(OUR_ISS, 1))  # 7.
    assert conn.state is State.ESTABLISHED
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=401)  # 8.


@rfc("9293-3.5.1-a")
def test_figure_9_half_open_connection_discovery() -> None:
    """We are peer B, which still has the connection."""
    conn, peer = established()
    peer.sends(SYN, seq=400)  # 3.
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))  # 4.
    assert conn.state is State.ESTABLISHED
    peer.sends(RST, seq=add(PEER_ISS, 1))  # 5.
    assert conn.state is State.CLOSED  # 6.


@rfc("field-6")
def test_figure_9_as_the_side_that_was_rebooted() -> None:
    """We are peer A: what acknowledges nothing of ours is answered by a reset, and the open goes on at once."""
    conn, peer = syn_sent()  # 3.
    peer.sends(ACK, seq=300, ack=100)  # 4.
    peer.expects(RST, seq=100)  # 5.
    assert conn.state is State.SYN_SENT  # 6.
    peer.expects(SYN, seq=OUR_ISS)  # 7.


def test_figure_10_active_side_causes_half_open_connection_discovery() -> None:
    """We are peer B."""
    conn, peer = established()
    conn.send(b"0123456789", peer.now)  # 2.
    peer.expects(ACK, b"0123456789", seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    peer.sends(RST, seq=add(PEER_ISS, 1))  # 3.
    assert conn.state is State.CLOSED


@rfc("9293-3.5.2-a")
def test_figure_10_as_the_side_that_was_rebooted() -> None:
    """We are peer A, where the connection does not exist."""
    _, peer = closed()
    peer.sends(ACK, b"0123456789", seq=300, ack=100)  # 2.
    peer.expects(RST, seq=100, ack=0)  # 3.


def test_figure_11_old_duplicate_syn_initiates_a_reset_on_two_passive_sockets() -> None:
    z = 0xFFFFFFFF
    listener_a, a = listening()
    listener_b, b = listening()
    b.sends(SYN, seq=z)  # 2.
    syn_ack = b.expects(SYN | ACK, seq=OUR_ISS, ack=0)  # 3.
    a.sends(SYN | ACK, seq=syn_ack.seq, ack=syn_ack.ack)
    reset = a.expects(RST, seq=0)  # 4.
    b.sends(RST, seq=reset.seq)
    assert listener_a.half_open == listener_b.half_open == 0  # 5.
    for listener, peer in ((listener_a, a), (listener_b, b)):
        _still_listens(listener, peer)


def _still_listens(listener: Listener, peer: Peer) -> None:
    client = peer.another(1024)
    client.sends(SYN)
    client.expects(SYN | ACK)
    client.sends(ACK)
    assert listener.accept() is client.conn


@rfc("9293 MUST-13")
def test_figure_12_normal_close_sequence() -> None:
    conn, peer = established()
    conn.shutdown_write(peer.now)  # 2.
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    assert conn.state is State.FIN_WAIT_1
    peer.sends(ACK, ack=add(OUR_ISS, 2))  # 3.
    assert conn.state is State.FIN_WAIT_2
    peer.sends(FIN | ACK, ack=add(OUR_ISS, 2))  # 4.
    assert conn.state is State.TIME_WAIT
    peer.expects(ACK, seq=add(OUR_ISS, 2), ack=add(PEER_ISS, 2))  # 5.
    peer.wait(59.9)
    assert conn.state is State.TIME_WAIT
    peer.wait(0.1)  # 6. 2 MSL
    assert conn.state is State.CLOSED


def test_figure_13_simultaneous_close_sequence() -> None:
    conn, peer = established()
    conn.shutdown_write(peer.now)  # 2.
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    peer.sends(FIN | ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.CLOSING
    peer.expects(ACK, seq=add(OUR_ISS, 2), ack=add(PEER_ISS, 2))  # 3.
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    assert conn.state is State.TIME_WAIT
    peer.wait(60)  # 4. 2 MSL
    assert conn.state is State.CLOSED


def test_passive_open_is_accepted_once_established() -> None:
    listener, peer = listening()
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    assert listener.accept() is None
    peer.sends(ACK)
    conn = listener.accept()
    assert conn is peer.conn
    assert conn is not None
    assert conn.state is State.ESTABLISHED
