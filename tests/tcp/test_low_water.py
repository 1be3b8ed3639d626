"""SO_RCVLOWAT: a waiting RECEIVE is woken when so many octets can be read. See socket(7)."""

from __future__ import annotations

from stack.tcp.connection import Connection
from stack.wire.tcp import URG
from tests.user_options import set_options

from .world import ACK, FIN, MSS, THEIRS, Peer, established, text


def waiting(low_water: int, **changes: object) -> tuple[Connection, Peer, list[int]]:
    """A connection whose reader waits for `low_water` octets, and how much there is at each of its wake-ups."""
    conn, peer = established(**changes)  # type: ignore[arg-type]
    set_options(conn, rcvlowat=low_water)
    woken: list[int] = []
    conn.on_readable = lambda: woken.append(conn.receive_buffer.size)
    return conn, peer, woken


def test_less_than_the_mark_does_not_wake_the_reader() -> None:
    conn, peer, woken = waiting(10)
    peer.sends(ACK, b"123456789")
    assert (woken, conn.readable) == ([], False)
    peer.sends(ACK, b"0")
    assert (woken, conn.readable) == ([10], True)
    peer.world.sent.clear()


def test_a_receive_takes_less_all_the_same() -> None:
    """As a call of Linux that does not block. `None` is for an empty buffer only."""
    conn, peer, _ = waiting(10)
    peer.sends(ACK, b"123")
    assert conn.receive(100, peer.now) == b"123"
    assert conn.receive(100, peer.now) is None
    peer.world.sent.clear()


def test_the_mark_counts_what_is_left() -> None:
    conn, peer, woken = waiting(10)
    peer.sends(ACK, text(12))
    assert conn.receive(5, peer.now) == text(5)
    assert not conn.readable
    peer.sends(ACK, text(3, 12))
    assert (woken, conn.readable) == ([12, 10], True)
    peer.world.sent.clear()


def test_the_end_of_the_stream_wakes_the_reader() -> None:
    conn, peer, woken = waiting(10)
    peer.sends(ACK, b"123")
    peer.sends(FIN | ACK)
    assert (woken, conn.readable) == ([3], True)
    peer.world.sent.clear()


def test_an_error_wakes_the_reader() -> None:
    conn, peer, woken = waiting(10)
    conn.abort(peer.now, 5)
    assert (woken, conn.readable) == ([0], True)
    peer.world.sent.clear()


def test_a_lower_mark_wakes_the_reader() -> None:
    conn, peer, woken = waiting(10)
    peer.sends(ACK, b"123")
    set_options(conn, rcvlowat=3)
    conn.options_changed(peer.now)
    assert (woken, conn.readable) == ([3], True)
    peer.world.sent.clear()


def test_a_window_without_room_wakes_the_reader() -> None:
    """The peer cannot send what is waited for: as in Linux, the reader gets what there is, and makes room."""
    conn, peer, woken = waiting(1 << 20, receive_buffer_bytes=4 * MSS, max_receive_buffer_bytes=4 * MSS)
    for number in range(3):
        assert woken == []
        peer.sends(ACK, text(MSS, number * MSS))
    assert (woken, conn.readable) == ([3 * MSS], True)
    peer.world.sent.clear()


def test_a_host_without_memory_wakes_the_reader() -> None:
    """Text that comes is dropped, as long as the reader waits for it."""
    conn, peer, woken = waiting(50_000)
    budget = peer.world.services.budget
    for number in range(10):
        peer.sends(ACK, text(MSS, number * MSS))
    assert (woken, conn.readable) == ([], False)
    budget.charge(THEIRS[0], int(budget.total * 0.6) - budget.used)
    peer.sends(ACK, text(MSS, 10 * MSS))
    assert peer.world.counters["tcp_no_memory"] == 1
    assert (woken, conn.readable) == ([10 * MSS], True)
    peer.world.sent.clear()


def test_the_buffer_grows_with_the_mark() -> None:
    conn, peer, woken = waiting(100_000, scale=7, auto_tuning=True, max_receive_buffer_bytes=1 << 20)
    assert conn.rcvbuf >= 100_000
    sent = 0
    while sent < 100_000:
        assert not woken
        peer.sends(ACK, text(MSS))
        sent += MSS
        peer.world.sent.clear()
    assert woken == [sent]


def test_a_buffer_whose_size_was_set_does_not() -> None:
    conn, _peer, _woken = waiting(1)
    set_options(conn, rcvbuf=5000, auto_rcvbuf=False, rcvlowat=100_000)
    assert conn.rcvbuf == 5000


def test_urgent_data_wakes_the_reader() -> None:
    _conn, peer, woken = waiting(10)
    peer.sends(ACK | URG, b"!", up=1)
    assert woken == [1]
    peer.world.sent.clear()
