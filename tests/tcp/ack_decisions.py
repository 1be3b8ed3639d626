"""What provokes the reasons of ACKs: now, later, with data, or none. See RFC 9293 3.8.6.3 and RFC 5681 4.2.

Each case provokes one reason or more, and claims the segments that the events must name.
"""

from __future__ import annotations

from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .test_ecn import CE, ECE, arrives, capable
from .test_memory import short_of_memory
from .test_sack import agreed as with_sack
from .test_syn_text import simultaneous
from .test_timestamps import agreed as with_timestamps
from .test_zero_window import facing_a_closed_window
from .told import Log, shows, watch
from .world import (
    ACK,
    FIN,
    MSS,
    PEER_ISS,
    PSH,
    RST,
    SYN,
    URG,
    add,
    closed,
    established,
    in_state,
    text,
)


@shows("ack_delayed", "ack_two_segments")
def two_full_segments() -> Log:
    _, peer = established()
    log = watch(peer)
    peer.sends(ACK, text(MSS))
    peer.silent()
    peer.sends(ACK, text(MSS))
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("ack_quick")
def one_segment_with_quick_acks() -> Log:
    conn, peer = established()
    set_options(conn, quickack=True)
    log = watch(peer)
    peer.sends(ACK, b"data")
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("ack_delay_over")
def one_segment() -> Log:
    _, peer = established()
    log = watch(peer)
    peer.sends(ACK, b"data")
    peer.wait(0.5)
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("ack_with_data", "send_last")
def an_answer() -> Log:
    conn, peer = established()
    log = watch(peer)
    peer.sends(ACK, b"question")
    conn.send(b"answer", peer.now)
    peer.expects(ACK, b"answer", ack=peer.snd_nxt)
    peer.sends(ACK)
    return log


@shows("ack_gap", "ack_gap_filled")
def a_gap_and_what_fills_it() -> Log:
    conn, peer = established()
    start = conn.rcv_nxt
    log = watch(peer)
    peer.sends(ACK, b"late", seq=add(start, 5))
    peer.expects(ACK, ack=start)
    peer.sends(ACK, b"early", seq=start)
    peer.expects(ACK, ack=add(start, 9))
    return log


@shows("ack_each_duplicate")
def two_duplicates_in_a_batch() -> Log:
    conn, peer = with_sack()
    start = conn.rcv_nxt
    peer.sends(ACK, text(MSS))
    peer.sends(ACK, text(MSS))
    peer.expects(ACK)
    log = watch(peer)
    with peer.batch():
        peer.sends(ACK, text(100), seq=start)
        peer.sends(ACK, text(100), seq=add(start, 200))
    peer.expects(ACK)
    peer.expects(ACK)
    return log


@shows("ack_repeated")
def the_last_segment_comes_again() -> Log:
    conn, peer = established()
    log = watch(peer)
    peer.sends(ACK, b"old", seq=add(conn.rcv_nxt, -3))
    peer.expects(ACK, ack=conn.rcv_nxt)
    return log


@shows("ack_old_timestamp")
def an_old_duplicate() -> Log:
    conn, peer = with_timestamps()
    log = watch(peer)
    peer.sends(ACK, b"old", options=TcpOptions(timestamps=(conn.timestamps.recent - 1, 0)))
    peer.expects(ACK)
    return log


@shows("ack_window_probe", "ack_window_update")
def our_window_is_closed_and_opens() -> Log:
    conn, peer = established()
    while conn.rcv_wnd:
        peer.sends(ACK, text(min(MSS, conn.rcv_wnd)))
    peer.world.sent.clear()
    log = watch(peer)
    peer.sends(ACK, b"p", seq=conn.rcv_nxt)
    peer.expects(ACK, window=0)
    conn.receive(60_000, peer.now)
    assert peer.expects(ACK).window
    return log


@shows("ack_no_memory")
def no_memory_for_text() -> Log:
    conn, peer = established()
    short_of_memory(peer)
    peer.sends(ACK, text(4096))
    peer.world.sent.clear()
    log = watch(peer)
    peer.sends(ACK, text(1000), seq=conn.rcv_nxt)
    peer.expects(ACK)
    return log


@shows("ack_beyond_fin")
def text_beyond_the_fin() -> Log:
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(FIN | ACK, b"bb", seq=add(start, 2))
    peer.expects(ACK)
    log = watch(peer)
    peer.sends(ACK, b"EVIL", seq=add(start, 4))
    peer.expects(ACK)
    return log


@shows("ack_fin")
def the_peer_closes() -> Log:
    _, peer = established()
    log = watch(peer)
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("ack_fin_again")
def the_fin_comes_again() -> Log:
    _, peer = in_state(State.TIME_WAIT)
    log = watch(peer)
    peer.sends(FIN | ACK, seq=add(peer.snd_nxt, -1))
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("send_syn", "ack_syn", "ack_syn_again")
def figure_6() -> Log:
    conn, peer = closed()
    log = watch(peer)
    conn.open(peer.now)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS))
    peer.expects(ACK, ack=peer.snd_nxt)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS), seq=PEER_ISS)
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("ack_congestion")
def a_router_marks_a_segment() -> Log:
    _, peer, _ = capable()
    log = watch(peer)
    arrives(peer, ACK, b"data", marked=CE)
    peer.expects(ACK | ECE)
    return log


@shows("ack_urgent", "blocked_window_closed")
def urgent_data_for_a_closed_window() -> Log:
    conn, peer = facing_a_closed_window(b"")
    log = watch(peer)
    conn.send(b"!", peer.now, urgent=True)
    peer.expects(ACK | URG)
    return log


@shows("ack_challenge_reset")
def a_reset_in_the_window() -> Log:
    conn, peer = established()
    log = watch(peer)
    peer.sends(RST, seq=add(conn.rcv_nxt, 10))
    peer.expects(ACK, ack=conn.rcv_nxt)
    return log


@shows("ack_challenge_syn")
def a_syn_in_the_window() -> Log:
    conn, peer = established()
    log = watch(peer)
    peer.sends(SYN, seq=add(conn.rcv_nxt, 10))
    peer.expects(ACK, ack=conn.rcv_nxt)
    return log


@shows("ack_challenge_ack")
def an_ack_of_what_was_not_sent() -> Log:
    conn, peer = established()
    log = watch(peer)
    peer.sends(ACK, ack=add(conn.snd_nxt, 10))
    peer.expects(ACK, ack=conn.rcv_nxt)
    return log


@shows("ack_challenge_time_wait")
def something_new_in_time_wait() -> Log:
    conn, peer = in_state(State.TIME_WAIT)
    log = watch(peer)
    peer.sends(ACK, seq=add(conn.rcv_nxt, 1))
    peer.expects(ACK)
    return log


@shows("ack_unacceptable")
def a_bare_ack_outside_the_window() -> Log:
    conn, peer = established()
    log = watch(peer)
    peer.sends(ACK, seq=add(conn.rcv_nxt, -5))
    peer.expects(ACK, ack=conn.rcv_nxt)
    return log


@shows("ack_left_to_reader")
def a_reader_waits() -> Log:
    conn, peer = established()
    conn.on_readable = lambda: True
    log = watch(peer)
    with peer.batch():
        peer.sends(ACK, text(MSS))
        peer.sends(ACK, text(MSS))
    peer.silent()
    conn.receive(3000, peer.now)
    peer.expects(ACK, ack=peer.snd_nxt)
    return log


@shows("ack_left_to_close")
def a_reader_sees_the_fin() -> Log:
    conn, peer = established()
    conn.on_readable = lambda: True
    log = watch(peer)
    peer.sends(FIN | ACK)
    peer.silent()
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK, ack=peer.snd_nxt)
    return log


@shows("ack_not_of_ack")
def an_ack() -> Log:
    _, peer = established()
    log = watch(peer)
    peer.sends(ACK)
    return log


@shows("ack_not_of_reset")
def a_reset() -> Log:
    _, peer = established()
    log = watch(peer)
    peer.sends(RST)
    return log


@shows("ack_not_owed")
def crossing_syns() -> Log:
    """Both SYNs have crossed, and ours, with the ACK, has acknowledged the other."""
    _, peer = simultaneous()
    log = watch(peer)
    peer.sends(SYN | ACK, seq=PEER_ISS)
    return log


@shows("ack_not_after_fin")
def text_after_the_fin() -> Log:
    _, peer = in_state(State.CLOSE_WAIT)
    log = watch(peer)
    peer.sends(ACK, b"more")
    return log


@shows("ack_not_of_dropped")
def text_without_ack() -> Log:
    _, peer = established()
    log = watch(peer)
    peer.sends(PSH, b"data")
    return log
