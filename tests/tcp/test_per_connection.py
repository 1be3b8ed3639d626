"""Limits that a program sets for one connection: TCP_SYNCNT, TCP_LINGER2, TCP_WINDOW_CLAMP. See tcp(7)."""

from __future__ import annotations

import errno
from itertools import pairwise

import pytest

from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .world import ACK, FIN, MSS, RST, SYN, closed, established, listening, syn_sent, text

# --- TCP_SYNCNT


@pytest.mark.parametrize(("count", "gives_up_after_s"), [(1, 3), (2, 7), (4, 31)])
def test_a_syn_is_sent_again_so_often(count: int, gives_up_after_s: int) -> None:
    conn, peer = syn_sent()
    set_options(conn, syn_count=count)
    for number in range(count):
        peer.wait(2**number)
        peer.expects(SYN)
    began = peer.now
    peer.wait(2**count - 0.001)
    assert conn.state is State.SYN_SENT
    peer.wait(0.002)
    assert (conn.state, conn.error) == (State.CLOSED, errno.ETIMEDOUT)
    assert began + 2**count == pytest.approx(peer.now, abs=0.01)
    assert sum(2**number for number in range(count + 1)) == gives_up_after_s


def test_more_often_than_the_configuration_has_it() -> None:
    conn, peer = syn_sent(syn_timeout_s=3.0)
    set_options(conn, syn_count=4)
    peer.wait(16)
    assert len(peer.world.sent) == 4
    assert conn.state is State.SYN_SENT
    peer.world.sent.clear()


def test_the_user_timeout_ends_it_earlier() -> None:
    conn, peer = syn_sent()
    set_options(conn, syn_count=10, user_timeout_s=4.0)
    peer.wait(10)
    assert conn.state is State.CLOSED
    peer.world.sent.clear()


def test_it_is_about_the_handshake_only() -> None:
    conn, peer = established()
    set_options(conn, syn_count=1)
    conn.send(b"data", peer.now)
    peer.wait(20)
    assert conn.state is State.ESTABLISHED
    peer.world.sent.clear()


# --- TCP_LINGER2


@pytest.mark.parametrize(("linger2_s", "lasts_s"), [(0, 60), (7, 7), (120, 120)])
@pytest.mark.parametrize("early", [False, True])
def test_fin_wait_2_lasts_so_long(linger2_s: int, lasts_s: int, early: bool) -> None:
    """From the ACK of our FIN on, or from `close`, whichever comes later."""
    conn, peer = established()
    set_options(conn, linger2_s=linger2_s)
    (conn.close if early else conn.shutdown_write)(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(ACK)
    if not early:
        peer.wait(500)
        conn.close(peer.now)
    peer.wait(lasts_s - 0.001)
    assert conn.state is State.FIN_WAIT_2
    peer.wait(0.002)
    assert conn.state is State.CLOSED


def test_without_it_a_close_in_fin_wait_2_resets() -> None:
    conn, peer = established()
    set_options(conn, linger2_s=-1)
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(ACK)
    peer.sends(ACK, b"late")
    assert conn.receive(10, peer.now) == b"late"  # it goes on until the program closes
    peer.world.sent.clear()
    conn.close(peer.now)
    peer.expects(RST | ACK)
    assert conn.state is State.CLOSED


@pytest.mark.parametrize("flags", [ACK, FIN | ACK])
def test_without_it_the_ack_of_the_fin_of_a_closed_connection_resets(flags: int) -> None:
    """Nothing of that segment is looked at after its ACK: the connection is gone."""
    conn, peer = established()
    set_options(conn, linger2_s=-1)
    conn.close(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(flags)
    peer.expects(RST | ACK)
    peer.silent()
    assert conn.state is State.CLOSED


# --- TCP_WINDOW_CLAMP


def test_no_larger_window_is_offered() -> None:
    conn, peer = closed()
    set_options(conn, window_clamp=5000)
    conn.open(peer.now)
    assert peer.expects(SYN).window == 5000
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    assert peer.expects(ACK).window == 5000
    for number in range(10):
        peer.sends(ACK, text(MSS, 2 * number * MSS))
        peer.sends(ACK, text(MSS, (2 * number + 1) * MSS))
        assert peer.expects(ACK).window <= 5000  # also while the program reads nothing, and has room for 60000
    assert conn.rcv_wnd > 3000
    conn.receive(1 << 20, peer.now)
    peer.world.sent.clear()


def test_so_does_a_listener_for_its_connections() -> None:
    _, peer = listening(options={"window_clamp": 5000})
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    assert peer.expects(SYN | ACK).window == 5000


def test_a_later_clamp_does_not_take_back_what_was_offered() -> None:
    """RFC 9293 SHLD-14: the right edge stays, and moves on when the window is as small as the clamp."""
    conn, peer = established()
    set_options(conn, window_clamp=2000)
    windows = []
    for number in range(40):
        peer.sends(ACK, text(MSS, number * MSS))
        conn.receive(1 << 20, peer.now)
        peer.wait(0.05)
        windows += [segment.window for segment in peer.world.sent]
        peer.world.sent.clear()
    assert windows[0] > 50_000
    assert all(after >= before - MSS for before, after in pairwise(windows))
    assert 0 < windows[-1] <= 2000


def test_a_clamp_smaller_than_a_segment_opens_again() -> None:
    """Linux's smallest. The window moves by half of it, or the connection would stop."""
    conn, peer = closed()
    set_options(conn, window_clamp=1152)
    conn.open(peer.now)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK)
    for number in range(20):
        peer.sends(ACK, text(1152, number * 1152))
        assert conn.receive(1 << 20, peer.now)
        peer.wait(0.05)
        assert peer.world.sent[-1].window == 1152
        peer.world.sent.clear()


def test_a_read_opens_a_clamped_window_at_once() -> None:
    """Half of the clamp is enough for an update, not half of the buffer."""
    conn, peer = closed(receive_buffer_bytes=8 * 1152)
    set_options(conn, window_clamp=1152)
    conn.open(peer.now)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    for number in range(8):
        peer.sends(ACK, text(1152, number * 1152))
        peer.wait(0.05)
    assert peer.world.sent[-1].window == 0
    peer.world.sent.clear()
    assert conn.receive(1152, peer.now)
    peer.expects(ACK, window=1152)


def test_a_scaled_window_is_clamped_too() -> None:
    conn, peer = established(scale=7, receive_buffer_bytes=1 << 20)
    assert conn.rcv_wnd > 500_000
    conn, peer = closed(window_scaling=True, receive_buffer_bytes=1 << 20)
    set_options(conn, window_clamp=100_000)
    conn.open(peer.now)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, window_scale=7))
    peer.expects(ACK)
    assert 90_000 < conn.rcv_wnd <= 100_000


@pytest.mark.parametrize("size", [1, 100, 1152])
def test_a_clamp_below_the_unit_of_a_scaled_window_does_not_close_it(size: int) -> None:
    """As in Linux, which rounds up. The peer sends small segments, and our program reads each."""
    conn, peer = closed(window_scaling=True, max_receive_buffer_bytes=1 << 28)
    set_options(conn, window_clamp=1152)
    conn.open(peer.now)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, window_scale=7))
    peer.expects(ACK)
    assert 1 << conn.rcv_shift > 1152
    for number in range(50):
        peer.sends(ACK, text(size, number * size))
        assert conn.receive(1 << 20, peer.now)
        peer.wait(0.05)
        assert peer.world.sent[-1].window > 0
        peer.world.sent.clear()
