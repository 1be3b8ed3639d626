"""TCP_QUICKACK: ACKs that do not wait, until the stack leaves that mode. See tcp(7)."""

from __future__ import annotations

from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .world import ACK, FIN, MSS, PEER_ISS, PSH, SYN, add, established, syn_sent, text


def test_each_segment_is_acknowledged_at_once() -> None:
    conn, peer = established()
    set_options(conn, quickack=True)
    for _ in range(40):  # more than the 16 segments with which a connection of Linux begins
        peer.sends(ACK, b"x")
        peer.expects(ACK, ack=peer.snd_nxt)


def test_a_reader_that_is_woken_is_not_waited_for() -> None:
    conn, peer = established()
    set_options(conn, quickack=True)
    conn.on_readable = lambda: True
    peer.sends(ACK, text(MSS))
    peer.expects(ACK, ack=peer.snd_nxt)
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=peer.snd_nxt)


def test_to_set_it_sends_the_ack_that_is_due() -> None:
    """As programs use it: they set it after each `recv`."""
    conn, peer = established()
    peer.sends(ACK, b"x")
    peer.silent()
    set_options(conn, quickack=True)
    conn.options_changed(peer.now)
    peer.expects(ACK, ack=add(PEER_ISS, 2))
    peer.wait(1)
    peer.silent()


def test_a_reply_ends_it() -> None:
    conn, peer = established()
    set_options(conn, quickack=True)
    peer.sends(ACK, b"question")
    peer.expects(ACK)
    conn.send(b"answer", peer.now)
    peer.expects(ACK | PSH, b"answer")
    assert conn.user_options.quickack is False
    peer.sends(ACK, b"question")
    peer.silent()
    peer.wait(0.041)
    peer.expects(ACK, ack=peer.snd_nxt)


def test_data_that_is_no_reply_does_not_end_it() -> None:
    """Before anything has come, and long after."""
    conn, peer = established()
    set_options(conn, quickack=True)
    conn.send(b"first", peer.now)
    peer.expects(ACK, b"first")
    peer.sends(ACK, b"data")
    peer.expects(ACK)
    peer.wait(0.1)
    conn.send(b"later", peer.now)
    peer.expects(ACK, b"later")
    assert conn.user_options.quickack
    peer.sends(ACK, b"data")
    peer.expects(ACK)


def test_off_lets_the_ack_of_the_handshake_wait_for_data() -> None:
    conn, peer = syn_sent()
    set_options(conn, quickack=False)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.silent()
    conn.send(b"question", peer.now)
    peer.expects(ACK, b"question")
    assert conn.user_options.quickack is None, "it was about the handshake only"
    conn, peer = syn_sent()
    set_options(conn, defer_accept_s=1)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.wait(0.039)
    peer.silent()
    peer.wait(0.002)
    peer.expects(ACK, b"", ack=peer.snd_nxt)


def test_what_a_cork_lets_go_at_tcp_nodelay_is_a_reply_too() -> None:
    conn, peer = established()
    set_options(conn, quickack=True, cork=True)
    peer.sends(ACK, b"question")
    peer.expects(ACK)
    conn.send(b"answer", peer.now)
    peer.silent()
    conn.options_changed(peer.now, nodelay=True)
    peer.expects(ACK, b"answer")
    assert (conn.user_options.quickack, conn.user_options.cork) == (False, True)
