"""What provokes the reasons of segments that are sent, sent again, or held back.

Each case provokes one reason or more, and claims the segments that the events must name.
"""

from __future__ import annotations

from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .fast_open_ends import GIVEN, client
from .full_segments import at, goes, sack
from .test_ecn import ECE, capable
from .test_rack_tlp import sending as with_rack
from .test_sack_recovery import sending as without_rack
from .test_zero_window import facing_a_closed_window, facing_a_small_window
from .told import Log, shows, watch
from .world import (
    ACK,
    FIN,
    MSS,
    OUR_ISS,
    PEER_ISS,
    PSH,
    RST,
    SYN,
    URG,
    add,
    established,
    listening,
    syn_received,
    syn_sent,
    text,
)

# --- segments that are sent for the first time


@shows("send_full", "blocked_cwnd", "blocked_no_data")
def the_initial_window() -> Log:
    conn, peer = established(initial_window_segments=2, congestion="reno")
    log = watch(peer)
    conn.send(text(3 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    peer.sends(ACK)
    goes(conn, peer, 2)
    peer.sends(ACK)
    return log


@shows("blocked_nagle", "send_at_once")
def nagle() -> Log:
    conn, peer = established()
    log = watch(peer)
    conn.send(b"one", peer.now)
    peer.expects(ACK, b"one")
    conn.send(b"two", peer.now)
    peer.silent()
    set_options(conn, nodelay=True)
    conn.options_changed(peer.now)
    peer.expects(ACK, b"two")
    return log


@shows("send_half_window", "blocked_window")
def a_peer_with_a_tiny_buffer() -> Log:
    conn, peer = established(window=500)
    log = watch(peer)
    conn.send(text(800), peer.now)
    peer.expects(ACK, 500)
    return log


@shows("send_limited_transmit", "again_three_duplicates", "send_in_recovery", "again_partial_ack")
def three_duplicate_acks() -> Log:
    conn, peer = established(initial_window_segments=4, congestion="reno")
    conn.send(text(20 * MSS), peer.now)
    goes(conn, peer, 0, 1, 2, 3)
    log = watch(peer)
    una = conn.snd_una
    peer.sends(ACK, ack=una)
    goes(conn, peer, 4)
    peer.sends(ACK, ack=una)
    goes(conn, peer, 5)
    peer.sends(ACK, ack=una)
    goes(conn, peer, 0)
    for _ in range(3):
        peer.sends(ACK, ack=una)
    peer.world.sent.clear()
    peer.sends(ACK, ack=at(conn, 1))
    peer.expects(ACK, MSS, seq=at(conn, 1))
    peer.world.sent.clear()
    return log


@shows("send_urgent")
def urgent_data_after_a_small_segment() -> Log:
    conn, peer = established()
    conn.send(b"one", peer.now)
    peer.expects(ACK, b"one")
    log = watch(peer)
    conn.send(b"!", peer.now, urgent=True)
    peer.expects(ACK | URG, b"!")
    return log


@shows("send_fin", "blocked_fin_sent")
def close() -> Log:
    conn, peer = established()
    log = watch(peer)
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("send_cork_over", "blocked_cork")
def a_cork() -> Log:
    conn, peer = established()
    set_options(conn, cork=True)
    log = watch(peer)
    conn.send(b"held", peer.now)
    peer.silent()
    peer.wait(0.25)
    peer.expects(ACK, b"held")
    return log


@shows("send_override", "blocked_silly_window")
def a_window_that_opens_a_little() -> Log:
    conn, peer = facing_a_small_window()
    log = watch(peer)
    conn.send(text(2000), peer.now)
    peer.silent()
    peer.wait(0.25)
    peer.expects(ACK, 100)
    peer.world.sent.clear()
    return log


@shows("send_syn_ack")
def a_passive_open() -> Log:
    _, peer = listening()
    log = watch(peer)
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK, ack=peer.snd_nxt)
    return log


@shows("send_keepalive")
def a_silent_peer() -> Log:
    conn, peer = established()
    set_options(conn, keepalive=True, keepalive_idle_s=10.0)
    conn.options_changed(peer.now)
    log = watch(peer)
    peer.wait(11)
    peer.expects(ACK, seq=add(conn.snd_nxt, -1))
    return log


@shows("send_window_probe", "again_window_probe", "again_probe_not_taken")
def a_closed_window() -> Log:
    _, peer = facing_a_closed_window(text(3000))
    log = watch(peer)
    peer.wait(0.31)
    peer.expects(ACK, text(1))
    peer.wait(0.61)
    peer.expects(ACK, text(1))
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=5000)
    peer.expects(ACK, text(1), seq=add(OUR_ISS, 1))
    peer.world.sent.clear()
    return log


@shows("send_tail_probe")
def the_last_segments_and_more_to_send() -> Log:
    conn, peer = with_rack(4, 20 * MSS)
    log = watch(peer)
    peer.wait(0.25)
    goes(conn, peer, 4)
    return log


# --- segments that are sent again


@shows("again_tail_probe")
def the_last_segments() -> Log:
    conn, peer = with_rack(4, 4 * MSS)
    log = watch(peer)
    peer.wait(0.25)
    goes(conn, peer, 3)
    return log


@shows("again_timeout", "again_after_timeout")
def a_timeout() -> Log:
    conn, peer = established(initial_window_segments=4, congestion="reno")
    conn.send(text(4 * MSS), peer.now)
    goes(conn, peer, 0, 1, 2, 3)
    log = watch(peer)
    peer.wait(0.25)
    goes(conn, peer, 0)
    peer.sends(ACK, ack=at(conn, 1))
    goes(conn, peer, 1, 2)
    return log


@shows("again_timeout", "again_lost_at_timeout")
def a_timeout_with_rack() -> Log:
    conn, peer = with_rack(4, 4 * MSS)
    log = watch(peer)
    peer.wait(0.25)
    goes(conn, peer, 3)
    peer.wait(1.1)
    goes(conn, peer, 0)
    peer.sends(ACK, ack=at(conn, 1))
    goes(conn, peer, 1, 2)
    return log


@shows("again_sack_first", "again_sack_lost", "blocked_pipe")
def sack_shows_two_losses() -> Log:
    conn, peer = without_rack()
    log = watch(peer)
    sack(conn, peer, 0, (2, 3))
    goes(conn, peer, 10)
    sack(conn, peer, 0, (2, 4))
    goes(conn, peer, 11)
    sack(conn, peer, 0, (2, 5))
    goes(conn, peer, 0)
    sack(conn, peer, 0, (6, 7), (2, 5))
    sack(conn, peer, 0, (6, 8), (2, 5))
    sack(conn, peer, 0, (6, 9), (2, 5))
    goes(conn, peer, 1)
    return log


@shows("again_sack_rescue")
def the_last_two_are_lost_as_well() -> Log:
    conn, peer = without_rack(6, 6 * MSS)
    log = watch(peer)
    for end in (2, 3, 4):
        sack(conn, peer, 0, (1, end))
    goes(conn, peer, 0)
    sack(conn, peer, 4)
    goes(conn, peer, 5)
    return log


@shows("again_sack_maybe_lost")
def nothing_else_to_send_in_recovery() -> Log:
    conn, peer = without_rack(8, 8 * MSS)
    log = watch(peer)
    for end in (2, 3, 4):
        sack(conn, peer, 0, (1, end))
    goes(conn, peer, 0)
    sack(conn, peer, 0, (6, 7), (1, 4))
    sack(conn, peer, 1, (6, 7), (1, 4))
    peer.world.sent.clear()
    return log


@shows("again_rack", "blocked_prr")
def rack_shows_a_loss() -> Log:
    conn, peer = with_rack(10, 30 * MSS)
    peer.wait(0.1)
    log = watch(peer)
    sack(conn, peer, 0, (1, 4))
    peer.wait(0.05)
    peer.expects(ACK, MSS, seq=at(conn, 0))
    peer.world.sent.clear()
    return log


@shows("again_too_big", "blocked_path_mtu")
def a_router_says_too_big() -> Log:
    conn, peer = established()
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    log = watch(peer)
    assert peer.world.too_big(conn, 1000)
    peer.expects(ACK, 960, seq=conn.snd_una)
    return log


@shows("again_early_data")
def data_of_a_syn_that_was_not_taken() -> Log:
    conn, peer = client()
    log = watch(peer)
    conn.open(peer.now, text(500), fast=True)
    peer.expects(SYN | PSH, text(500))
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 1), options=GIVEN)
    peer.expects(PSH | ACK, text(500), seq=add(OUR_ISS, 1))
    return log


@shows("again_syn_timeout", "blocked_handshake")
def a_syn_without_an_answer() -> Log:
    conn, peer = syn_sent()
    log = watch(peer)
    conn.send(b"early", peer.now)
    peer.wait(1.1)
    peer.expects(SYN)
    return log


@shows("again_syn_asked")
def the_syn_comes_again() -> Log:
    _, peer = syn_received()
    log = watch(peer)
    peer.sends(SYN, options=TcpOptions(mss=MSS), seq=PEER_ISS)
    peer.expects(SYN | ACK)
    return log


@shows("again_syn_deferred")
def no_data_comes() -> Log:
    _, peer = listening(options={"defer_accept_s": 1})
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK)
    log = watch(peer)
    peer.sends(ACK)
    peer.wait(1.001)
    peer.expects(SYN | ACK)
    return log


@shows("again_syn_challenged")
def figure_9() -> Log:
    conn, peer = syn_sent()
    log = watch(peer)
    peer.sends(ACK, ack=add(OUR_ISS, 100))
    peer.expects(RST)
    peer.expects(SYN, seq=conn.iss)
    return log


# --- nothing, or no more, is sent now


@shows("blocked_pacing")
def a_rate_of_the_users() -> Log:
    conn, peer = established()
    set_options(conn, max_pacing_rate=1000 * MSS)
    log = watch(peer)
    conn.send(text(4 * MSS), peer.now)
    goes(conn, peer, 0, 1)
    return log


@shows("blocked_ecn")
def a_mark_with_a_window_of_one_segment() -> Log:
    conn, peer, _ = capable()
    conn.congestion.cwnd = conn.congestion.mss
    conn.send(text(2 * MSS), peer.now)
    peer.expects(ACK, MSS)
    log = watch(peer)
    peer.sends(ACK | ECE)
    peer.silent()
    return log
