"""Buffers that grow with the traffic."""

from __future__ import annotations

from stack.tcp.connection import Connection
from tests.user_options import set_options

from .world import ACK, MSS, Peer, established, text

START, MOST = 60_000, 400_000


def tuned(**changes: object) -> tuple[Connection, Peer]:
    """A connection over a path of 100 ms."""
    sizes = {"receive_buffer_bytes": START, "max_receive_buffer_bytes": MOST, "send_buffer_bytes": START}
    conn, peer = established(scale=4, **{**sizes, "auto_tuning": True, "max_send_buffer_bytes": MOST, **changes})  # type: ignore[arg-type]
    conn.rtt.srtt_s = 0.1
    return conn, peer


def streams(conn: Connection, peer: Peer, trips: int, share: float = 1.0, trip_s: float = 0.1) -> list[int]:
    """The peer sends a window (or a share of it) a round trip, the user reads it at once; the sizes of the buffer."""
    sizes = []
    for _ in range(trips):
        left = int(conn.rcv_wnd * share)
        while left > 0:
            peer.sends(ACK, text(min(left, MSS)))
            left -= MSS
            while conn.receive(1 << 20, peer.now):
                pass
        peer.wait(trip_s)
        peer.world.sent.clear()
        sizes.append(conn.rcvbuf)
    return sizes


def test_the_receive_buffer_doubles_a_round_trip_while_the_sender_fills_it() -> None:
    conn, peer = tuned()
    sizes = streams(conn, peer, 8)
    assert sizes == sorted(sizes)
    assert sizes[2] > 1.5 * START
    assert sizes[-1] == MOST
    assert conn.rcv_wnd > MOST // 2
    assert streams(conn, peer, 3)[-1] == MOST


def test_what_is_never_used_does_not_grow() -> None:
    conn, peer = tuned()
    assert streams(conn, peer, 20, share=0.25) == [START] * 20


def test_a_slow_trickle_is_no_reason_either() -> None:
    """A window a second on a path of 100 ms."""
    conn, peer = tuned()
    assert streams(conn, peer, 8, trip_s=1.0)[-1] <= 2 * START + 16 * MSS


def test_on_a_short_path_the_reader_makes_a_round_trip_long() -> None:
    """0.2 ms there and back, but the reader has other things to do, and reads every 5 ms."""
    conn, peer = tuned()
    conn.rtt.srtt_s = 0.0002
    for _ in range(8):
        left = conn.rcv_wnd
        with peer.batch():
            while left > 0:
                peer.sends(ACK, text(min(left, MSS)))
                left -= MSS
        while conn.receive(1 << 20, peer.now):
            pass
        peer.wait(0.005)
        peer.world.sent.clear()
    assert conn.rcvbuf > 3 * START


def test_what_is_read_in_two_milliseconds_counts_as_a_round_trip_at_least() -> None:
    """Both ends work in batches, so a window of one short round trip leaves one of them waiting."""
    conn, peer = tuned()
    conn.rtt.srtt_s = 0.0002
    for _ in range(16):
        with peer.batch():
            for _ in range(20):
                peer.sends(ACK, text(MSS))
        while conn.receive(1 << 20, peer.now):
            pass
        peer.wait(0.0005)
        peer.world.sent.clear()
    assert conn.rcvbuf > 4 * 20 * MSS * 1.5


def test_a_user_that_does_not_read_gets_no_larger_buffer() -> None:
    conn, peer = tuned()
    for _ in range(START // MSS):
        peer.sends(ACK, text(MSS))
        peer.wait(0.1)
    peer.world.sent.clear()
    assert conn.rcvbuf == START


def test_a_size_that_the_user_has_set_stays() -> None:
    conn, peer = tuned()
    set_options(conn, auto_rcvbuf=False)
    assert streams(conn, peer, 8) == [START] * 8
    set_options(conn, auto_sndbuf=False)
    conn.congestion.cwnd = 1 << 20
    assert conn.send(bytes(START), peer.now) == START
    assert conn.send(b"x", peer.now) == 0
    peer.world.sent.clear()
    conn.abort(peer.now)
    peer.world.sent.clear()


def test_another_option_leaves_the_size_that_a_buffer_has_grown_to() -> None:
    conn, peer = tuned()
    streams(conn, peer, 8)
    conn.sndbuf = MOST
    set_options(conn, nodelay=True)
    assert (conn.rcvbuf, conn.sndbuf) == (MOST, MOST)


def test_no_tuning_at_all() -> None:
    conn, peer = tuned(auto_tuning=False)
    assert streams(conn, peer, 8) == [START] * 8


def test_reading_into_a_buffer_counts_as_well() -> None:
    conn, peer = tuned()
    target = memoryview(bytearray(1 << 20))
    for _ in range(8):
        for _ in range(conn.rcv_wnd // MSS):
            peer.sends(ACK, text(MSS))
            while conn.receive_into(target, peer.now):
                pass
        peer.wait(0.1)
        peer.world.sent.clear()
    assert conn.rcvbuf > 2 * START


def test_the_send_buffer_holds_two_congestion_windows() -> None:
    conn, peer = tuned()
    for cwnd, size in ((10_000, START), (100_000, 200_000), (1 << 20, MOST), (10_000, MOST)):
        conn.congestion.cwnd = cwnd
        while conn.send(bytes(30_000), peer.now):
            pass
        assert conn.sndbuf == size
        assert conn.send_buffer.size >= size - 30_000
    peer.world.sent.clear()
    conn.abort(peer.now)
    peer.world.sent.clear()
