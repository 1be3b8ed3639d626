"""The window that we offer: RFC 9293 sections 3.8.6 and 3.8.6.2.2."""

from __future__ import annotations

import pytest

from tests.requirements import rfc

from .world import ACK, FIN, MSS, PEER_ISS, SYN, Peer, add, established, syn_sent, text


def acks(peer: Peer) -> list[int]:
    """The windows of all that was sent, bare ACKs."""
    windows = []
    while peer.world.sent:
        windows.append(peer.expects(ACK).window)
    return windows


def test_the_first_window_is_the_receive_buffer() -> None:
    conn, peer = syn_sent(receive_buffer_bytes=12345)
    assert conn.rcv_wnd == 12345
    peer.sends(SYN | ACK)
    peer.expects(ACK, window=12345)


@rfc("9293 SHLD-14", "9293-3.10.7.4-u")
def test_the_right_edge_stays_while_data_arrives() -> None:
    _, peer = established(receive_buffer_bytes=20000)
    edge = add(PEER_ISS, 1 + 20000)
    for _ in range(10):
        peer.sends(ACK, text(MSS))
    while peer.world.sent:
        sent = peer.expects(ACK)
        assert add(sent.ack, sent.window) == edge


@rfc("9293 MUST-39", "9293-3.8.6.2.2-a")
@pytest.mark.parametrize(("read", "moved"), [(1, 0), (MSS - 1, 0), (MSS, MSS), (MSS + 1, MSS + 1)])
def test_the_right_edge_moves_by_a_segment_or_not_at_all(read: int, moved: int) -> None:
    """The user has read so much: what the next ACK says."""
    conn, peer = established(receive_buffer_bytes=60000)
    for _ in range(3):
        peer.sends(ACK, text(MSS))
    peer.wait(0.1)
    acks(peer)
    conn.receive(read, peer.now)
    peer.silent()
    peer.sends(ACK, b"x")
    peer.wait(0.1)
    assert acks(peer) == [60000 - 3 * MSS - 1 + moved]


@rfc("9293-3.8.6.2.2-a")
@pytest.mark.parametrize(("read", "window"), [(499, 0), (500, 500)])
def test_or_by_half_of_a_small_buffer(read: int, window: int) -> None:
    conn, peer = established(receive_buffer_bytes=1000)
    peer.sends(ACK, text(1000))
    peer.wait(0.1)
    assert acks(peer) == [0]
    conn.receive(read, peer.now)
    assert acks(peer) == ([window] if window else [])


def test_the_window_that_a_reader_opens_in_a_full_buffer_is_sent_at_once() -> None:
    """Or the peer waits for its own probe: ten seconds and more."""
    conn, peer = established(receive_buffer_bytes=10000)
    for _ in range(6):
        peer.sends(ACK, text(MSS))
    peer.sends(ACK, text(1240))
    peer.wait(0.1)
    assert acks(peer)[-1] == 0
    conn.receive(20000, peer.now)
    assert acks(peer) == [10000]


def test_a_reader_in_small_sips_is_told_of_in_large_steps() -> None:
    conn, peer = established(receive_buffer_bytes=20000)
    for _ in range(14):
        peer.sends(ACK, text(MSS, 0)[: min(MSS, conn.rcv_wnd)])
    acks(peer)
    assert conn.rcv_wnd == 0
    updates = []
    while conn.receive_buffer.size:
        conn.receive(100, peer.now)
        updates += acks(peer)
    assert updates[0] >= 2 * MSS
    assert len(updates) <= 20000 // (2 * MSS)
    assert conn.rcv_wnd >= 10000  # the peer has learnt of half of it at the least


def test_no_update_while_the_peer_sees_much_of_the_window_open() -> None:
    conn, peer = established(receive_buffer_bytes=60000)
    for _ in range(10):
        for _ in range(4):
            peer.sends(ACK, text(MSS))
        acks(peer)
        conn.receive(4 * MSS, peer.now)  # worth a packet if the peer were waiting for it
        peer.silent()


def test_no_update_after_the_peer_s_fin() -> None:
    conn, peer = established(receive_buffer_bytes=4000)
    peer.sends(FIN | ACK, text(3000))
    acks(peer)
    conn.receive(3000, peer.now)
    peer.silent()


def test_receive_into_opens_the_window_as_well() -> None:
    conn, peer = established(receive_buffer_bytes=3000)
    peer.sends(ACK, text(3000))
    assert acks(peer) == [0]
    target = memoryview(bytearray(3000))
    assert conn.receive_into(target, peer.now) == 3000
    assert bytes(target) == text(3000)
    assert acks(peer) == [3000]


@rfc("9293 SHLD-14")
def test_a_smaller_receive_buffer_does_not_take_back_what_was_offered() -> None:
    conn, peer = established(receive_buffer_bytes=20000)
    conn.rcvbuf = 5000
    conn.options_changed(peer.now)
    for _ in range(10):
        peer.sends(ACK, text(MSS))
    assert conn.receive_buffer.size == 10 * MSS
    assert acks(peer)[-1] == 20000 - 10 * MSS
    conn.receive(1 << 20, peer.now)
    peer.sends(ACK, text(MSS))  # and then the window shrinks as it is used up
    peer.wait(0.1)
    assert acks(peer)[-1] == 20000 - 11 * MSS
    for _ in range(2):
        peer.sends(ACK, text(MSS))
        conn.receive(1 << 20, peer.now)
    assert acks(peer)[-1] <= 5000


def test_a_larger_receive_buffer_is_offered() -> None:
    conn, peer = established(receive_buffer_bytes=5000)
    conn.rcvbuf = 50000
    conn.options_changed(peer.now)
    peer.sends(ACK, b"x")
    peer.wait(0.1)
    assert acks(peer) == [50000 - 1]


def test_without_scaling_the_window_ends_at_65535() -> None:
    conn, peer = established(receive_buffer_bytes=1 << 20)
    peer.sends(ACK, b"x")
    peer.wait(0.1)
    assert acks(peer) == [65534]
    assert conn.rcv_wnd == 65534


def test_what_is_out_of_order_does_not_use_up_the_window_twice() -> None:
    conn, peer = established(receive_buffer_bytes=10000)
    start = conn.rcv_nxt
    peer.sends(ACK, text(4000, 1000), seq=add(start, 1000))
    assert acks(peer) == [10000]  # RCV.NXT has not moved
    peer.sends(ACK, text(1000), seq=start)
    assert acks(peer) == [5000]
    assert conn.receive(10000, peer.now) == text(5000)
    assert acks(peer) == [10000]
