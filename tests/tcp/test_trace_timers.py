"""An observer is told when a timer has expired, and what that means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.trace.names import NAMES
from stack.trace.reasons import REASONS
from tests.user_options import set_options

from .full_segments import sack
from .test_rack_tlp import sending
from .test_zero_window import facing_a_closed_window, facing_a_small_window
from .told import Log, watch
from .world import ACK, MSS, Peer, established, in_state, syn_sent, text

Case = tuple[Connection, Peer, Log]


def data_without_an_answer() -> Case:
    conn, peer = established()
    log = watch(peer)
    conn.send(b"data", peer.now)
    peer.wait(1.1)
    return conn, peer, log


def syn_without_an_answer() -> Case:
    conn, peer = syn_sent()
    log = watch(peer)
    peer.wait(1.1)
    return conn, peer, log


def nothing_acknowledged_for_long() -> Case:
    conn, peer = established()
    set_options(conn, user_timeout_s=0.5)
    log = watch(peer)
    conn.send(b"data", peer.now)
    peer.wait(0.6)
    return conn, peer, log


def one_small_segment() -> Case:
    conn, peer = established()
    log = watch(peer)
    peer.sends(ACK, b"data")
    peer.wait(0.5)
    return conn, peer, log


def closed_window() -> Case:
    conn, peer = facing_a_closed_window()
    log = watch(peer)
    peer.wait(0.31)
    return conn, peer, log


def small_window() -> Case:
    conn, peer = facing_a_small_window()
    log = watch(peer)
    conn.send(text(2000), peer.now)
    peer.wait(1)
    return conn, peer, log


def cork() -> Case:
    conn, peer = established()
    set_options(conn, cork=True)
    log = watch(peer)
    conn.send(b"held", peer.now)
    peer.wait(1)
    return conn, peer, log


def silent_peer() -> Case:
    conn, peer = established()
    set_options(conn, keepalive=True, keepalive_idle_s=10.0)
    conn.options_changed(peer.now)
    log = watch(peer)
    peer.wait(11)
    return conn, peer, log


def time_wait() -> Case:
    conn, peer = in_state(State.TIME_WAIT)
    log = watch(peer)
    peer.wait(300)
    return conn, peer, log


def fin_wait_2() -> Case:
    conn, peer = established()
    conn.close(peer.now)
    peer.world.sent.clear()
    peer.sends(ACK)
    log = watch(peer)
    peer.wait(300)
    return conn, peer, log


def tail_in_flight() -> Case:
    conn, peer = sending(4, 4 * MSS)
    log = watch(peer)
    peer.wait(0.25)
    return conn, peer, log


def one_segment_overtaken() -> Case:
    conn, peer = sending(4, 4 * MSS)
    peer.wait(0.1)
    log = watch(peer)
    sack(conn, peer, 0, (1, 2))
    peer.wait(0.2)
    return conn, peer, log


CASES: list[tuple[Callable[[], Case], str, str, str]] = [
    (data_without_an_answer, "retransmission", "timer_retransmission", "6298-5-f"),
    (syn_without_an_answer, "retransmission", "timer_retransmission", "6298-5-f"),
    (nothing_acknowledged_for_long, "user timeout", "timer_user_timeout", "9293-3.10.8-a"),
    (one_small_segment, "delayed ACK", "timer_delayed_ack", "9293 MUST-40"),
    (closed_window, "persist", "timer_persist", "9293 MUST-36"),
    (small_window, "silly window", "timer_silly_window", "9293-3.8.6.2.1-b"),
    (cork, "silly window", "timer_cork", "own"),
    (silent_peer, "keep-alive", "timer_keepalive", "9293 MUST-26"),
    (time_wait, "TIME-WAIT", "timer_time_wait", "9293 MUST-13"),
    (fin_wait_2, "FIN-WAIT-2", "timer_fin_wait_2", "own"),
    (tail_in_flight, "probe", "timer_probe", "8985-7.2-a"),
    (one_segment_overtaken, "reordering", "timer_reordering", "8985-6.2-e"),
]


@pytest.mark.parametrize(
    ("happens", "timer", "because", "clause"), CASES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_timer_that_expires_says_why_it_ran(
    happens: Callable[[], Case], timer: str, because: str, clause: str
) -> None:
    _, peer, log = happens()
    peer.world.sent.clear()
    event, *_ = log.take("tcp:timer", action="fired", timer=timer)
    assert (event.data["timer"], event.data["because"]) == (timer, because)
    assert (event.group, event.cause, event.frame) == ("c1", "timer", 0)
    assert clause in event.why


def test_the_retransmission_timer_says_how_often_it_has_expired_and_what_the_rto_is_now() -> None:
    _, peer, log = data_without_an_answer()
    peer.wait(5)
    peer.world.sent.clear()
    told: list[tuple[Any, Any]] = [(e.data["count"], e.data["rto_s"]) for e in log.take("tcp:timer", action="fired")]
    assert told == [(1, 0.4), (2, 0.8), (3, 1.6), (4, 3.2)]


def test_each_event_has_a_sentence() -> None:
    assert all(because in REASONS for _, _, because, _ in CASES)
    assert "tcp:timer" in NAMES
