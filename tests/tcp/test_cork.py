"""TCP_CORK: less than a full segment waits for more. See tcp(7), and Linux for what it leaves open."""

from __future__ import annotations

import pytest

from tests.user_options import set_options

from .test_super_frames import offloading
from .world import ACK, FIN, MSS, OUR_ISS, PSH, SYN, URG, add, established, syn_sent, text


def test_full_segments_go_and_the_rest_waits() -> None:
    conn, peer = established()
    set_options(conn, cork=True)
    conn.send(text(100), peer.now)
    peer.silent()
    conn.send(text(2 * MSS, 100), peer.now)
    peer.expects(ACK, text(MSS))
    peer.expects(ACK, text(MSS, MSS))
    peer.silent()
    peer.sends(ACK)
    peer.silent()  # with nothing in flight it waits still, other than by Nagle's algorithm


def test_without_the_cork_what_it_held_back_is_sent() -> None:
    conn, peer = established()
    set_options(conn, cork=True)
    conn.send(b"head", peer.now)
    conn.send(b"body", peer.now)
    peer.silent()
    set_options(conn, cork=False)
    conn.options_changed(peer.now)
    peer.expects(ACK | PSH, b"headbody")


@pytest.mark.parametrize("nodelay", [False, True])
def test_a_cork_holds_for_the_fifth_of_a_second_of_linux(nodelay: bool) -> None:
    """Also with TCP_NODELAY, which tcp(7) lets a program combine with it."""
    conn, peer = established()
    set_options(conn, cork=True, nodelay=nodelay)
    conn.send(b"held", peer.now)
    peer.wait(0.199)
    peer.silent()
    peer.wait(0.002)
    peer.expects(ACK, b"held")
    peer.sends(ACK)
    conn.send(b"next", peer.now)  # the cork is still set
    peer.silent()
    peer.wait(0.201)
    peer.expects(ACK, b"next")


def test_the_time_begins_when_nothing_is_in_flight() -> None:
    conn, peer = established()
    set_options(conn, cork=True)
    conn.send(text(MSS + 10), peer.now)
    peer.expects(ACK, MSS)
    peer.sends(ACK, ack=add(OUR_ISS, 1 + MSS))
    peer.wait(0.199)
    peer.silent()
    peer.wait(0.002)
    peer.expects(ACK, 10)


def test_setting_nodelay_sends_what_the_cork_holds_back_and_leaves_the_cork() -> None:
    conn, peer = established()
    set_options(conn, cork=True)
    for _ in range(2):
        conn.send(b"held", peer.now)
        peer.silent()
        set_options(conn, nodelay=True)
        conn.options_changed(peer.now, nodelay=True)
        peer.expects(ACK, b"held")
        peer.sends(ACK)
    conn.send(b"more", peer.now)
    peer.silent()
    peer.wait(0.201)
    peer.expects(ACK, b"more")


def test_a_change_of_another_option_leaves_what_the_cork_holds_back() -> None:
    conn, peer = established()
    set_options(conn, cork=True)
    conn.send(b"held", peer.now)
    set_options(conn, nodelay=False)
    conn.options_changed(peer.now)
    peer.silent()


def test_a_fin_and_urgent_data_do_not_wait() -> None:
    conn, peer = established()
    set_options(conn, cork=True)
    conn.send(b"now", peer.now, urgent=True)
    peer.expects(ACK | URG, b"now")
    peer.sends(ACK)
    conn.send(b"last", peer.now)
    peer.silent()
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK, b"last")


def test_what_is_sent_again_is_not_held_back() -> None:
    conn, peer = established()
    conn.send(b"lost", peer.now)
    peer.expects(ACK, b"lost")
    set_options(conn, cork=True)
    conn.send(b"held", peer.now)
    peer.wait(0.25)
    peer.expects(ACK, b"lost")


def test_half_of_a_small_window_counts_as_full() -> None:
    """The peer has less buffer than a segment: a full one can never be sent."""
    conn, peer = established(window=500)
    set_options(conn, cork=True)
    conn.send(text(600), peer.now)
    peer.expects(ACK, 500)
    peer.silent()
    conn, peer = established(window=500)
    set_options(conn, cork=True)
    conn.send(text(249), peer.now)
    peer.silent()
    conn.send(text(1, 249), peer.now)
    peer.expects(ACK, text(250))


def test_a_super_frame_has_full_segments_only() -> None:
    conn, peer = offloading()
    set_options(conn, cork=True)
    conn.send(text(3 * MSS + 7), peer.now)
    for number in range(3):
        peer.expects(ACK, text(MSS, number * MSS))
    peer.silent()
    set_options(conn, cork=False)
    conn.options_changed(peer.now)
    peer.expects(ACK, text(7, 3 * MSS))


def test_data_before_the_handshake_is_held_after_it_too() -> None:
    conn, peer = syn_sent()
    set_options(conn, cork=True)
    conn.send(b"held", peer.now)
    peer.sends(SYN | ACK)
    peer.expects(ACK, b"")
    peer.wait(0.201)
    peer.expects(ACK, b"held")
