"""The figures of RFC 9293 section 3 that show an exchange, line by line."""

from __future__ import annotations

from stack.tcp.states import State
from tests.requirements import rfc

from .world import ACK, FIN, OUR_ISS, PEER_ISS, SYN, add, established, listening, syn_sent


def test_figure_6_basic_three_way_handshake() -> None:
    conn, peer = syn_sent()  # 2.
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))  # 3.
    assert conn.state is State.ESTABLISHED
    peer.expects(ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))  # 4.


@rfc("9293 MUST-10")
def test_figure_7_simultaneous_connection_synchronization() -> None:
    conn, peer = syn_sent()  # 2.
    peer.sends(SYN)  # 3.
    assert conn.state is State.SYN_RECEIVED
    peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))  # 5.
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1))  # 6.
    assert conn.state is State.ESTABLISHED


@rfc("9293 MUST-13")
def test_figure_12_normal_close_sequence() -> None:
    conn, peer = established()
    conn.shutdown_write(peer.world.now)  # 2.
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    assert conn.state is State.FIN_WAIT_1
    peer.sends(ACK, ack=add(OUR_ISS, 2))  # 3.
    assert conn.state is State.FIN_WAIT_2
    peer.sends(FIN | ACK, ack=add(OUR_ISS, 2))  # 4.
    assert conn.state is State.TIME_WAIT
    peer.expects(ACK, seq=add(OUR_ISS, 2), ack=add(PEER_ISS, 2))  # 5.
    peer.world.wait(59.9)
    assert conn.state is State.TIME_WAIT
    peer.world.wait(0.1)  # 6. 2 MSL
    assert conn.state is State.CLOSED


def test_figure_13_simultaneous_close_sequence() -> None:
    conn, peer = established()
    conn.shutdown_write(peer.world.now)  # 2.
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 1))
    peer.sends(FIN | ACK, ack=add(OUR_ISS, 1))
    assert conn.state is State.CLOSING
    peer.expects(ACK, seq=add(OUR_ISS, 2), ack=add(PEER_ISS, 2))  # 3.
    peer.sends(ACK, ack=add(OUR_ISS, 2))
    assert conn.state is State.TIME_WAIT
    peer.world.wait(60)  # 4. 2 MSL
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
