"""Urgent data, both ways: RFC 9293 section 3.8.5. The stream is the same whatever the pointer says."""

from __future__ import annotations

import errno

import pytest

from stack.tcp.connection import Connection
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, RST, SYN, URG, Peer, add, established, syn_sent, text


def told(conn: Connection) -> list[int]:
    """How much urgent data there was each time the user was told of some."""
    calls: list[int] = []
    conn.on_urgent = lambda: calls.append(conn.urgent)
    return calls


# --- what we send


@rfc("9293 MUST-30", "9293 MUST-62")
def test_the_pointer_points_to_the_octet_after_the_urgent_data() -> None:
    conn, peer = established()
    assert conn.send(b"stop!", peer.now, urgent=True) == 5
    assert peer.expects(ACK | URG, b"stop!").urgent_pointer == 5
    peer.sends(ACK)
    conn.send(b"more", peer.now)
    assert peer.expects(ACK, b"more").urgent_pointer == 0
    peer.sends(ACK)


@rfc("9293 MUST-30")
def test_every_segment_before_the_end_of_the_urgent_data_has_the_pointer() -> None:
    """Also what was queued before, and what is sent again; nothing behind it, and no longer than it is needed."""
    conn, peer = established(mss=100)
    set_options(conn, nodelay=True)
    conn.send(b"a" * 150, peer.now)
    peer.expects(ACK, b"a" * 100)
    peer.expects(ACK, b"a" * 50)
    conn.send(b"u", peer.now, urgent=True)
    assert peer.expects(ACK | URG, b"u").urgent_pointer == 1
    conn.send(b"z", peer.now)
    peer.expects(ACK, b"z")
    peer.wait(0.3)
    assert peer.expects(ACK | URG, 100, seq=conn.snd_una).urgent_pointer == 151
    peer.sends(ACK)
    peer.sends(ACK, b"answer")
    peer.wait(0.5)
    peer.expects(ACK)


@rfc("9293 MUST-31")
def test_urgent_data_may_be_longer_than_a_segment_and_than_the_pointer_reaches() -> None:
    conn, peer = established(mss=30000)
    conn.congestion.cwnd = 1 << 20
    data = text(65535) + text(5000, 65535)
    conn.send(data[:60000], peer.now)
    conn.send(data[60000:], peer.now, urgent=True)
    assert peer.expects(ACK, data[:1460]).urgent_pointer == 0
    received, pointers, peer.window = data[:1460], [], 0xFFFF
    while len(received) < len(data):
        while peer.world.sent:
            sent = peer.world.sent.pop(0)
            assert sent.flags & URG or len(received) < 60000
            pointers.append((len(received), sent.urgent_pointer))
            received += sent.data
        peer.sends(ACK)
    assert received == data
    peer.world.sent.clear()
    # As long as the end is out of reach the pointer goes as far as it can, and never back.
    marks = [start + pointer for start, pointer in pointers if pointer]
    assert marks == sorted(marks)
    assert marks[-1] == len(data)


@rfc("9293 MUST-31")
def test_the_pointer_reaches_as_far_as_it_can() -> None:
    conn, peer = established(window=2920)
    conn.congestion.cwnd = 1 << 20
    conn.send(bytes(65536), peer.now)
    conn.send(bytes(5000), peer.now)
    conn.send(b"u", peer.now, urgent=True)
    peer.expects(ACK, 1460)
    peer.expects(ACK, 1460)
    # The window is full: the pointer goes ahead of the data.
    assert peer.expects(ACK | URG).urgent_pointer == 0xFFFF
    peer.sends(RST, seq=conn.rcv_nxt)


@rfc("9293 MUST-30")
def test_the_pointer_goes_ahead_of_data_that_a_closed_window_keeps_back() -> None:
    conn, peer = established(window=0)
    conn.send(b"stop", peer.now, urgent=True)
    assert peer.expects(ACK | URG, seq=conn.snd_nxt).urgent_pointer == 4
    peer.sends(ACK, window=100)
    assert peer.expects(ACK | URG, b"stop").urgent_pointer == 4
    peer.sends(ACK)


def test_urgent_data_does_not_wait_for_nagle() -> None:
    conn, peer = established()
    conn.send(b"a", peer.now)
    peer.expects(ACK, b"a")
    conn.send(b"b", peer.now)
    peer.silent()
    conn.send(b"c", peer.now, urgent=True)
    peer.expects(ACK | URG, b"bc")
    peer.sends(ACK)


def test_urgent_before_the_handshake_is_over_waits_for_it() -> None:
    conn, peer = syn_sent()
    conn.send(b"u", peer.now, urgent=True)
    peer.silent()
    peer.wait(1)
    peer.expects(SYN)
    peer.sends(SYN | ACK, ack=conn.snd_nxt)
    assert peer.expects(ACK | URG, b"u").urgent_pointer == 1
    peer.sends(ACK)


def test_resets_have_no_pointer() -> None:
    conn, peer = established()
    conn.send(b"u", peer.now, urgent=True)
    peer.expects(ACK | URG, b"u")
    conn.abort(peer.now)
    assert peer.expects(RST | ACK).urgent_pointer == 0


# --- what we are told


@rfc("9293 MUST-32", "9293 MUST-33")
def test_the_user_is_told_of_urgent_data_and_each_time_there_is_more() -> None:
    conn, peer = established()
    calls = told(conn)
    peer.sends(ACK | URG, b"abc", up=5)
    assert calls == [5]
    peer.sends(ACK | URG, b"de", up=4)
    assert calls == [5, 7]
    assert conn.receive(100, peer.now) == b"abcde"
    assert conn.status().urgent == conn.urgent == 2
    peer.sends(ACK, b"fgh")
    assert conn.receive(1, peer.now) == b"f"
    assert conn.urgent == 1
    assert conn.receive(100, peer.now) == b"gh"
    assert conn.status().urgent == 0
    peer.sends(ACK | URG, b"i", up=1)
    assert calls == [5, 7, 1]
    acknowledged(peer)


@rfc("9293-3.10.7.4-t")
def test_the_user_is_told_once_of_the_same_urgent_data() -> None:
    conn, peer = established()
    calls = told(conn)
    for count in range(9, 0, -1):
        peer.sends(ACK | URG, b"x", up=count)
        peer.wait(0.1)
        peer.expects(ACK)
    assert calls == [9]
    assert conn.rcv_up == conn.rcv_nxt
    conn.receive(100, peer.now)
    peer.sends(ACK | URG, b"old", seq=add(conn.rcv_nxt, -3), up=3)  # a repetition of what was read
    peer.expects(ACK)
    assert calls == [9]


@rfc("9293-3.1-c")
def test_the_field_means_nothing_without_urg() -> None:
    conn, peer = established()
    calls = told(conn)
    peer.sends(ACK, b"abc", up=3)
    assert calls == []
    assert conn.rcv_up is None
    peer.wait(0.1)
    peer.expects(ACK)


def test_the_pointer_counts_from_the_number_in_the_header() -> None:
    """Not from where what is new of a segment begins."""
    conn, peer = established()
    peer.sends(ACK, b"abc")
    peer.sends(ACK | URG, b"abcdef", seq=add(conn.rcv_nxt, -3), up=5)
    peer.wait(0.1)
    assert conn.urgent == 5
    assert conn.receive(100, peer.now) == b"abcd"
    while peer.world.sent:
        peer.expects(ACK)


@pytest.mark.parametrize("pointer", [0, 1, 2, 3, 4, 100, 40000, 0xFFFF])
@pytest.mark.parametrize("closes", [False, True])
@rfc("9293 MUST-31")
def test_the_stream_is_the_same_whatever_the_pointer_says(pointer: int, closes: bool) -> None:
    conn, peer = established()
    fin = FIN if closes else 0
    peer.sends(ACK | URG, b"abc", up=pointer)
    peer.sends(ACK | URG | fin, b"ghi", seq=add(conn.rcv_nxt, 3), up=pointer)
    peer.sends(ACK | URG, b"def", up=pointer)
    got = b""
    while part := conn.receive(100, peer.now):
        got += part
    assert got == b"abcdefghi"
    assert part == (b"" if conn.peer_fin else None)
    peer.wait(0.1)
    while peer.world.sent:
        peer.expects(ACK)


# --- the last urgent octet apart from the others, as BSD sockets have it


def apart() -> tuple[Connection, Peer]:
    conn, peer = established()
    set_options(conn, oobinline=False)
    return conn, peer


def acknowledged(peer: Peer) -> None:
    peer.wait(0.1)
    while peer.world.sent:
        peer.expects(ACK)


def test_the_last_urgent_octet_is_read_apart() -> None:
    conn, peer = apart()
    with pytest.raises(OSError, match="Invalid") as caught:
        conn.receive_urgent()
    assert caught.value.errno == errno.EINVAL
    peer.sends(ACK | URG, b"abcdef", up=3)
    assert conn.receive_urgent(peek=True) == b"c"
    assert conn.receive_urgent() == b"c"
    with pytest.raises(OSError, match="Invalid"):
        conn.receive_urgent()
    assert conn.receive(100, peer.now) == b"ab"
    assert conn.receive(100, peer.now) == b"def"
    with pytest.raises(OSError, match="Invalid"):
        conn.receive_urgent()
    acknowledged(peer)


def test_an_urgent_octet_alone_is_nothing_to_read() -> None:
    conn, peer = apart()
    peer.sends(ACK | URG, b"!", up=1)
    assert not conn.readable
    assert conn.receive(100, peer.now) is None
    assert conn.receive_urgent() == b"!"
    peer.sends(ACK, b"abc")
    assert conn.readable
    buffer = bytearray(10)
    assert conn.receive_into(memoryview(buffer), peer.now) == 3
    assert buffer[:3] == b"abc"
    acknowledged(peer)


@pytest.mark.parametrize("into", [False, True])
def test_who_reads_to_the_end_of_the_stream_has_passed_the_urgent_octet(into: bool) -> None:
    """As in Linux: then it cannot be read apart any more, and CLOSE finds nothing unread."""
    conn, peer = apart()
    peer.sends(ACK | URG | FIN, b"abc!", up=4)
    peer.expects(ACK)
    assert conn.receive(100, peer.now) == b"abc"
    assert conn.receive_urgent(peek=True) == b"!"
    assert conn.readable
    if into:
        assert conn.receive_into(memoryview(bytearray(10)), peer.now) == 0
    else:
        assert conn.receive(100, peer.now) == b""
    with pytest.raises(OSError, match="Invalid"):
        conn.receive_urgent()
    conn.close(peer.now)
    peer.expects(ACK | FIN)


def test_an_urgent_octet_that_is_announced_is_waited_for() -> None:
    conn, peer = apart()
    peer.sends(ACK | URG, b"ab", up=4)
    assert conn.receive_urgent() is None
    peer.sends(ACK, b"cd")
    assert conn.receive_urgent() == b"d"
    peer.sends(ACK | URG | FIN, b"e", up=5)
    assert conn.receive_urgent() == b""  # it will never come
    assert conn.receive(100, peer.now) == b"abcde"
    acknowledged(peer)


def test_a_later_pointer_gives_the_octet_before_back_to_the_stream() -> None:
    conn, peer = apart()
    peer.sends(ACK | URG, b"abc", up=1)
    peer.sends(ACK | URG, b"def", up=2)
    assert conn.receive_urgent() == b"e"
    assert conn.receive(100, peer.now) == b"abcd"
    assert conn.receive(100, peer.now) == b"f"
    acknowledged(peer)
