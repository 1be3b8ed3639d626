"""TCP_DEFER_ACCEPT: a listener passes a connection on when data has come. See tcp(7), and Linux for the times."""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp.listener import Listener
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions

from .world import ACK, FIN, MSS, OUR_ISS, PSH, RST, SYN, Peer, add, listening, text


def deferring(seconds: int, **changes: Any) -> tuple[Listener, Peer]:
    """A client has sent its SYN and the bare ACK of ours."""
    listener, peer = listening(options={"defer_accept_s": seconds}, **changes)
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    assert not listener.readable
    assert listener.half_open == 1
    return listener, peer


def test_data_opens_the_connection() -> None:
    listener, peer = deferring(3)
    peer.wait(2)
    peer.silent()  # the SYN,ACK has been acknowledged
    peer.sends(ACK, b"request")
    conn = listener.accept()
    assert conn is not None
    assert conn.receive(100, peer.now) == b"request"
    conn.send(text(4 * MSS), peer.now)  # the initial window: nothing was lost
    for number in range(4):
        peer.expects(ACK, text(MSS, number * MSS))


def test_data_with_the_ack_of_the_handshake_opens_it_at_once() -> None:
    listener, peer = listening(options={"defer_accept_s": 3})
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK)
    peer.sends(ACK, b"request")
    assert listener.readable
    peer.world.sent.clear()


def test_a_fin_opens_it() -> None:
    listener, peer = deferring(3)
    peer.sends(FIN | ACK)
    conn = listener.accept()
    assert conn is not None
    assert conn.receive(1, peer.now) == b""
    peer.world.sent.clear()


def test_bare_acks_do_not() -> None:
    listener, peer = deferring(3)
    for _ in range(5):
        peer.sends(ACK)
        peer.wait(0.5)
    assert not listener.readable
    assert peer.world.counters["tcp_accept_deferred"] == 6
    peer.silent()


@pytest.mark.parametrize("seconds", [1, 3, 7])
def test_at_the_end_of_the_time_the_syn_ack_is_sent_again_and_a_bare_ack_opens_it(seconds: int) -> None:
    listener, peer = deferring(seconds)
    peer.wait(seconds - 0.001)
    peer.silent()
    peer.wait(0.002)
    peer.expects(SYN | ACK, seq=OUR_ISS)
    assert not listener.readable
    peer.sends(ACK)
    conn = listener.accept()
    assert conn is not None
    assert conn.state is State.ESTABLISHED
    conn.send(text(4 * MSS), peer.now)
    for number in range(4):
        peer.expects(ACK, text(MSS, number * MSS))


def test_a_client_that_does_not_answer_then_is_forgotten() -> None:
    listener, peer = deferring(3, syn_received_timeout_s=10.0)
    peer.wait(30)
    peer.world.sent.clear()
    assert listener.half_open == 0
    assert not listener.readable


def test_a_lost_syn_ack_is_sent_again_as_always() -> None:
    listener, peer = listening(options={"defer_accept_s": 7})
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK)
    peer.wait(1.001)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    peer.wait(5.9)
    peer.silent()
    peer.wait(0.2)  # 7 s after the SYN
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    assert listener.readable


def test_a_reset_ends_it() -> None:
    listener, peer = deferring(3)
    peer.sends(RST)
    assert listener.half_open == 0
    peer.wait(100)
    peer.silent()


def test_a_cookie_keeps_no_time_and_defers_nothing() -> None:
    listener, peer = listening(options={"defer_accept_s": 29_887}, syn_backlog=1)
    peer.another(999).sends(SYN, options=TcpOptions(mss=MSS))
    peer.world.sent.clear()
    client = peer.another(1000)
    client.sends(SYN, options=TcpOptions(mss=MSS))
    answer = client.expects(SYN | ACK)
    client.sends(ACK, ack=add(answer.seq, 1))
    assert listener.readable


def test_the_queue_of_a_busy_program_still_counts() -> None:
    listener, peer = listening(1, options={"defer_accept_s": 3})
    clients = [peer.another(port) for port in (1000, 1001)]
    for client in clients:
        client.sends(SYN, options=TcpOptions(mss=MSS))
        client.expects(SYN | ACK)
    for client in clients:
        client.sends(ACK | PSH, b"request")
    assert (listener.not_accepted, listener.half_open) == (1, 1)
    assert peer.world.counters["tcp_accept_queue_full"] == 1
    peer.world.sent.clear()
