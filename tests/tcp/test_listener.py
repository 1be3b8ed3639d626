"""The queues of a listener: RFC 9293 section 3.9.1.1, RFC 4987."""

from __future__ import annotations

import errno
import gc

import pytest

from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, OUR_ISS, RST, SYN, Peer, add, established, listening


def connects(peer: Peer) -> Connection:
    """A client goes through the handshake; it is not accepted yet."""
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    assert peer.conn is not None
    return peer.conn


# --- accepting


def test_connections_are_accepted_in_the_order_they_were_made() -> None:
    listener, peer = listening()
    told: list[int] = []
    listener.on_readable = lambda: told.append(1)
    clients = [peer.another(port) for port in range(1000, 1004)]
    made = [connects(client) for client in clients]
    assert told == [1, 1, 1, 1]
    assert listener.readable
    assert [listener.accept() for _ in range(5)] == [*made, None]
    assert not listener.readable


def test_one_client_s_connections_differ_by_their_ports() -> None:
    listener, peer = listening()
    one, other = connects(peer.another(1000)), connects(peer.another(1001))
    assert one.key != other.key
    assert listener.half_open == 0


def test_children_share_the_options_of_their_listener_until_one_asks_for_something_else() -> None:
    """An idle connection has no object of its own for them."""
    listener, peer = listening(options={"nodelay": True})
    children = [connects(peer.another(port)) for port in (1000, 1001)]
    asked = listener.options
    assert [child.user_options is asked for child in children] == [True, True]
    set_options(children[0], nodelay=False)
    assert [child.user_options.nodelay for child in children] == [False, True]
    assert listener.options is asked
    assert asked.nodelay


def test_data_may_come_before_the_connection_is_accepted() -> None:
    listener, peer = listening()
    connects(peer)
    peer.sends(FIN | ACK, b"hello")
    peer.expects(ACK)
    conn = listener.accept()
    assert conn is not None
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(10, peer.now) == b"hello"


@rfc("sockets-1")
@pytest.mark.parametrize(
    ("end", "error"), [("reset", errno.ECONNRESET), ("reset after FIN", 0), ("timeout", errno.ETIMEDOUT)]
)
def test_a_connection_that_has_ended_is_accepted_with_its_data_and_its_error(end: str, error: int) -> None:
    listener, peer = listening()
    first, second = peer.another(1000), peer.another(1001)
    ended, alive = connects(first), connects(second)
    first.sends(FIN | ACK if end == "reset after FIN" else ACK, b"hello")
    if end == "timeout":
        ended.abort(peer.now, errno.ETIMEDOUT)
        peer.expects(RST | ACK)
    else:
        first.sends(RST, seq=ended.rcv_nxt)
    assert ended.state is State.CLOSED
    assert listener.accept() is ended
    assert ended.receive(10, peer.now) == b"hello"
    if error:
        with pytest.raises(OSError) as told:
            ended.receive(10, peer.now)
        assert told.value.errno == error
    assert ended.receive(10, peer.now) == b""
    assert listener.accept() is alive
    assert listener.accept() is None
    peer.world.sent.clear()


@rfc("sockets-1")
def test_connections_that_were_reset_keep_their_places_in_the_queue() -> None:
    """They are bounded like others, and what they hold is charged until no listener and no user has them."""
    listener, peer = listening(backlog=2)
    budget = peer.world.services.budget
    for port in (1000, 1001):
        client = peer.another(port)
        conn = connects(client)
        client.sends(ACK, bytes(500))
        client.sends(RST, seq=conn.rcv_nxt)
    late = peer.another(1002)
    late.sends(SYN)
    peer.wait(0)
    assert peer.world.counters["tcp_accept_queue_full"] == 1
    assert budget.used >= 2 * (budget.half_open + 500)
    taken = listener.accept()
    assert taken is not None
    assert budget.half_open + 500 <= budget.used < 2 * (budget.half_open + 500)
    taken.close(peer.now)
    late.sends(SYN)
    peer.expects(SYN | ACK)
    late.sends(RST, seq=add(peer.snd_nxt, 1))
    listener.close(peer.now)
    assert listener.accept() is None
    peer.world.sent.clear()
    peer.wait(200)
    assert budget.used == 0


# --- the backlog


def test_a_full_accept_queue_takes_no_syn() -> None:
    listener, peer = listening(backlog=2)
    for port in (1000, 1001):
        connects(peer.another(port))
    late = peer.another(1002)
    late.sends(SYN, seq=50)
    peer.silent()
    assert peer.world.counters["tcp_accept_queue_full"] == 1
    assert listener.accept() is not None
    late.sends(SYN, seq=50)  # its SYN comes again
    peer.expects(SYN | ACK)


def test_a_queue_that_fills_meanwhile_leaves_the_handshake_open() -> None:
    """The ACK is not heard; the SYN,ACK is sent again, and the client's answer finds room."""
    listener, peer = listening(backlog=1)
    first, second = peer.another(1000), peer.another(1001)
    for client in (first, second):
        client.sends(SYN)
        peer.expects(SYN | ACK)
    first.sends(ACK)
    second.sends(ACK, b"hello")
    waiting = second.conn
    assert waiting is not None
    assert waiting.state is State.SYN_RECEIVED
    assert waiting.receive_buffer.size == 0
    assert peer.world.counters["tcp_accept_queue_full"] == 1
    peer.silent()
    assert listener.accept() is first.conn
    peer.wait(1)
    peer.expects(SYN | ACK)
    second.sends(ACK, b"hello", seq=waiting.rcv_nxt)
    assert listener.accept() is waiting
    assert waiting.receive(10, peer.now) == b"hello"
    peer.wait(0.1)
    peer.expects(ACK)


@pytest.mark.parametrize("backlog", [-1, 0, 1])
def test_the_smallest_backlog_is_one(backlog: int) -> None:
    listener, peer = listening(backlog=backlog)
    connects(peer.another(1000))
    peer.another(1001).sends(SYN)
    peer.silent()
    assert listener.accept() is not None


def test_the_backlog_does_not_bound_what_was_accepted() -> None:
    listener, peer = listening(backlog=1)
    for port in range(1000, 1010):
        connects(peer.another(port))
        assert listener.accept() is not None


# --- half-open connections


def test_half_open_connections_are_counted_in_and_out() -> None:
    """However they end: established, reset, another SYN, timeout."""
    listener, peer = listening()
    clients = [peer.another(port) for port in range(1000, 1004)]
    for number, client in enumerate(clients):
        client.sends(SYN)
        peer.expects(SYN | ACK)
        assert listener.half_open == number + 1
    clients[0].sends(ACK)
    assert listener.half_open == 3
    clients[1].sends(RST)
    assert listener.half_open == 2
    clients[2].sends(SYN, seq=add(clients[2].snd_nxt, 100))
    assert listener.half_open == 1
    peer.wait(64)
    assert listener.half_open == 0
    assert peer.world.counters["tcpAttemptFails"] == 3
    peer.world.sent.clear()


def test_ten_thousand_syns_leave_memory_flat_and_let_a_client_in() -> None:
    """Without cookies, where every SYN takes a place: the oldest gives way."""
    listener, peer = listening(syn_backlog=64, syn_cookies=False)
    old = connects(peer.another(999))
    assert listener.accept() is old
    for number in range(10_000):
        stranger = peer.another(number % 60000 + 1025)
        stranger.sends(SYN, seq=number)
        peer.expects(SYN | ACK)
        assert listener.half_open <= 64
        peer.world.closed.clear()
        peer.world.latest.clear()
    assert peer.world.counters["tcp_syn_queue_full"] == 10_000 - 64
    assert len(peer.world.connections) == 65
    gc.collect()
    assert sum(isinstance(thing, Connection) for thing in gc.get_objects()) <= 66
    client = connects(peer.another(80))
    assert listener.accept() is client
    old.send(b"still here", peer.now)
    peer.expects(ACK, b"still here")
    peer.wait(200)
    assert listener.half_open == 0
    peer.world.sent.clear()


def test_the_evicted_half_open_connection_is_forgotten_in_silence() -> None:
    """Its source is most likely forged: a reset would hit another host."""
    listener, peer = listening(syn_backlog=1, syn_cookies=False)
    first, second = peer.another(1000), peer.another(1001)
    first.sends(SYN)
    peer.expects(SYN | ACK)
    second.sends(SYN)
    peer.expects(SYN | ACK)
    peer.silent()
    gone = first.conn
    assert gone is not None
    assert gone.state is State.CLOSED
    second.sends(ACK)
    assert listener.accept() is second.conn


# --- CLOSE in LISTEN


def test_close_resets_connections_that_were_not_accepted() -> None:
    listener, peer = listening()
    waiting, half_open = peer.another(1000), peer.another(1001)
    established_child = connects(waiting)
    half_open.sends(SYN)
    peer.expects(SYN | ACK)
    accepted_client = peer.another(1002)
    connects(accepted_client)
    told: list[str] = []
    listener.on_readable = lambda: told.append("readable")
    listener.close(peer.now)
    assert told == ["readable"]
    for _ in range(3):
        peer.expects(RST | ACK, seq=add(OUR_ISS, 1))
    assert established_child.state is State.CLOSED
    assert (listener.half_open, listener.accept()) == (0, None)
    peer.wait(100)


def test_close_leaves_what_was_accepted() -> None:
    conn, peer = established(active=False)
    listener = peer.listener
    assert listener is not None
    listener.close(peer.now)
    peer.silent()
    conn.send(b"still here", peer.now)
    peer.expects(ACK, b"still here")


def test_a_closed_listener_is_closed() -> None:
    listener, peer = listening()
    closed: list[object] = []
    forget = listener.on_closed

    def on_closed(closed_listener: Listener) -> None:
        closed.append(closed_listener)
        forget(closed_listener)

    listener.on_closed = on_closed
    listener.close(peer.now, errno.ENETDOWN)
    listener.close(peer.now)
    assert (listener.closed, listener.error, closed) == (True, errno.ENETDOWN, [listener])
    peer.sends(SYN)  # there is no listener any more
    peer.expects(RST | ACK, seq=0)


def test_a_child_cannot_be_accepted_twice_nor_go_missing_when_it_ends_after_accept() -> None:
    listener, peer = listening()
    child = connects(peer)
    assert listener.accept() is child
    child.abort(peer.now)
    peer.expects(RST | ACK)
    assert (listener.accept(), listener.half_open) == (None, 0)
