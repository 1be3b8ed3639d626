"""The window scale option: RFC 7323 section 2."""

from __future__ import annotations

import pytest

from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, PEER_ISS, RST, SYN, add, closed, established, listening, sub, syn_sent, text


@rfc("7323-2.3-b", "7323-2.2-h")
@pytest.mark.parametrize(
    ("largest", "shift"), [(65535, 0), (65536, 1), (131071, 1), (131072, 2), (1 << 22, 7), (1 << 29, 14), (1 << 31, 14)]
)
def test_the_shift_offered_is_enough_for_the_largest_buffer(largest: int, shift: int) -> None:
    conn, peer = closed(window_scaling=True, max_receive_buffer_bytes=largest)
    conn.open(peer.now)
    assert peer.expects(SYN).options.window_scale == shift


@rfc("7323-2.2-b", "7323-2.2-g")
def test_it_is_offered_even_with_a_shift_of_zero() -> None:
    conn, peer = closed(window_scaling=True, max_receive_buffer_bytes=1000, receive_buffer_bytes=1000)
    conn.open(peer.now)
    assert peer.expects(SYN).options.window_scale == 0


@rfc("7323-2.2-c", "7323-2.3-i")
def test_without_the_peer_s_option_nothing_is_scaled() -> None:
    conn, peer = syn_sent(window_scaling=True, receive_buffer_bytes=1 << 20)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS), window=1000)
    peer.expects(ACK, window=65535)
    assert (conn.snd_shift, conn.rcv_shift) == (0, 0)
    peer.sends(ACK, window=1000)
    assert conn.snd_wnd == 1000


@rfc("7323-2.2-c")
def test_without_ours_the_peer_s_option_is_not_used() -> None:
    conn, peer = syn_sent()
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, window_scale=5), window=1000)
    peer.expects(ACK)
    peer.sends(ACK, window=1000)
    assert conn.snd_wnd == 1000


@rfc("7323-2.2-d", "7323-2.3-a")
@pytest.mark.parametrize(("offered", "answered"), [(None, None), (0, 7), (9, 7)])
def test_a_syn_ack_has_the_option_if_the_syn_had_it(offered: int | None, answered: int | None) -> None:
    _, peer = listening(window_scaling=True)
    peer.sends(SYN, options=TcpOptions(window_scale=offered))
    assert peer.expects(SYN | ACK).options.window_scale == answered


@rfc("7323-2.2-d")
@pytest.mark.parametrize(("offered", "answered"), [(None, None), (3, 7)])
def test_so_it_is_with_crossing_syns(offered: int | None, answered: int | None) -> None:
    conn, peer = syn_sent(window_scaling=True)
    peer.sends(SYN, options=TcpOptions(window_scale=offered))
    assert peer.expects(SYN | ACK).options.window_scale == answered
    peer.sends(ACK, window=10)
    assert conn.snd_wnd == (10 if offered is None else 80)


@rfc("7323-2.2-f")
@pytest.mark.parametrize("active", [True, False])
def test_the_window_of_a_syn_is_not_scaled(active: bool) -> None:
    """Neither ours nor the peer's."""
    if active:
        conn, peer = closed(window_scaling=True, receive_buffer_bytes=1 << 18)
        conn.open(peer.now)
        peer.expects(SYN, window=65535)
        peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, window_scale=4), window=5000)
        peer.expects(ACK, window=(1 << 18) >> 7)
        assert conn.snd_wnd == 5000
    else:
        _, peer = listening(window_scaling=True, receive_buffer_bytes=1 << 18)
        peer.sends(SYN, options=TcpOptions(mss=MSS, window_scale=4), window=5000)
        peer.expects(SYN | ACK, window=65535)
        assert peer.conn is not None
        assert peer.conn.snd_wnd == 5000


@rfc("7323-2.3-d", "7323-2.3-c")
@pytest.mark.parametrize("scale", [0, 1, 7, 14])
def test_the_peer_s_window_is_shifted_left(scale: int) -> None:
    conn, peer = established(scale=scale)
    peer.sends(ACK, window=1000)
    assert conn.snd_wnd == 1000 << scale


@rfc("7323-2.3-d")
def test_so_is_the_window_of_the_ack_that_completes_a_passive_open() -> None:
    conn, _ = established(active=False, scale=3, window=1000)
    assert conn.snd_wnd == 8000


@rfc("7323-2.3-h")
@pytest.mark.parametrize("scale", [15, 30, 255])
def test_a_shift_over_14_is_taken_as_14(scale: int) -> None:
    conn, peer = established(scale=scale)
    peer.sends(ACK, window=3)
    assert conn.snd_wnd == 3 << 14


@rfc("7323-2.3-e")
@pytest.mark.parametrize("flags", ["data", "FIN", "RST"])
def test_our_window_is_shifted_right_on_every_segment_without_syn(flags: str) -> None:
    conn, peer = established(scale=0, receive_buffer_bytes=1 << 20)
    window = (1 << 20) >> 7
    if flags == "data":
        conn.send(b"x", peer.now)
        peer.expects(ACK, b"x", window=window)
    elif flags == "FIN":
        conn.shutdown_write(peer.now)
        peer.expects(FIN | ACK, window=window)
    else:
        conn.abort(peer.now)
        peer.expects(RST | ACK, window=window)


@rfc("7323-2.2-e")
def test_the_option_without_syn_is_ignored() -> None:
    conn, peer = established(scale=2)
    peer.sends(ACK, options=TcpOptions(window_scale=9), window=100)
    assert conn.snd_wnd == 400
    unscaled, other = established()
    other.sends(ACK, options=TcpOptions(window_scale=9), window=100)
    assert unscaled.snd_wnd == 100


@rfc("7323-2.4-b", "7323-2.4-c")
@pytest.mark.parametrize("count", [1, 100, 127, 128, 129])
def test_what_was_in_a_window_we_announced_stays_acceptable(count: int) -> None:
    """The scale rounds the window down, so that the edge we announce moves left a little; ours does not."""
    conn, peer = established(scale=0, receive_buffer_bytes=1 << 18)
    edge = add(conn.rcv_nxt, conn.rcv_wnd)
    peer.sends(ACK, text(count))
    peer.wait(0.5)
    sent = peer.expects(ACK)
    announced = add(sent.ack, sent.window << 7)
    assert 0 <= sub(edge, announced) < 128
    peer.sends(ACK, b"z", seq=add(edge, -1))  # the last octet of the first announcement
    assert conn.receive_buffer.held == 1
    peer.expects(ACK)


def test_a_window_rounded_down_to_nothing_opens_again() -> None:
    """Fewer than 2**shift octets of room are announced as zero, but the room that a reader makes is announced."""
    conn, peer = established(scale=0, receive_buffer_bytes=1 << 16)
    size = (1 << 16) - 100
    for start in range(0, size, 1460):
        peer.sends(ACK, text(min(1460, size - start), start))
    peer.wait(0.5)
    while peer.world.sent:
        sent = peer.expects(ACK)
    assert (sent.window, conn.rcv_wnd) == (0, 99)
    peer.sends(ACK, b"probe")  # and what a peer sends nevertheless is taken
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 1 + size + 5), window=0)
    assert conn.receive(1 << 20, peer.now) == text(size) + b"probe"
    peer.expects(ACK, window=(1 << 16) >> 7)


@rfc("9293 REC-1")
def test_a_window_of_a_gigabyte() -> None:
    conn, peer = established(scale=14)
    peer.sends(ACK, window=0xFFFF)
    assert conn.snd_wnd == 0xFFFF << 14
    set_options(conn, nodelay=True, sndbuf=1 << 22, auto_sndbuf=False)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK)
    conn.congestion.cwnd = 1 << 30
    while conn.send(text(65536), peer.now):
        pass
    assert conn.flight == sum(len(sent.data) for sent in peer.world.sent) == 1 << 22
    peer.world.sent.clear()
    peer.sends(ACK)
    assert conn.snd_una == conn.snd_nxt
