"""What observers are told of opening and closing: how a connection begins, its numbers and options, and each state."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest

from stack.tcp.listener import Listener
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.user_options import set_options

from .fast_open_ends import ASKING, COOKIE, GIVEN, HELLO, PLAIN, again, client, cookie_of, refused, server, with_cookie
from .told import Log, watch
from .world import (
    ACK,
    FIN,
    MSS,
    OUR_ISS,
    PEER_ISS,
    RST,
    SYN,
    Peer,
    add,
    closed,
    established,
    in_state,
    listening,
    syn_received,
    syn_sent,
)

# --- how a connection begins


def test_a_program_opens_a_connection() -> None:
    conn, peer = closed()
    log = watch(peer)
    conn.open(peer.now)
    peer.expects(SYN)
    opened = log.one("tcp:open")
    assert (opened.group, opened.cause) == ("c1", "call")
    assert opened.data == {
        "local": "10.9.0.2:7", "remote": "10.9.0.1:40000", "passive": False, "state": "CLOSED", "because": "opened"
    }  # fmt: skip


def test_a_listener_makes_a_connection() -> None:
    """The listener stays in LISTEN; the connection passes through it, which a reason explains."""
    _, peer = listening()
    log = watch(peer)
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    opened = log.one("tcp:open")
    assert (opened.data["passive"], opened.data["listener"]) == (True, "10.9.0.2:7")
    assert opened.data["because"] == "listener_child"
    assert (opened.cause, opened.frame) == ("frame", log.one("wire:frame").n)
    states = log.all("tcp:state")
    assert [(event.data["before"], event.data["after"]) for event in states] == [
        ("CLOSED", "LISTEN"), ("LISTEN", "SYN_RECEIVED")
    ]  # fmt: skip
    assert [event.data["because"] for event in states] == ["passive_open", "rcv_syn"]
    assert states[0].why == ("own",)
    assert states[1].why == ("9293-3.10.7.2-c",)
    assert {event.group for event in (opened, *states)} == {"c1"}


def test_a_connection_that_was_there_before_says_so() -> None:
    _conn, peer = established()
    log = watch(peer)
    peer.sends(ACK, b"x")
    opened = log.one("tcp:open")
    assert (opened.data["because"], opened.data["state"]) == ("was_open", "ESTABLISHED")


def test_a_port_that_is_used_again_is_another_connection() -> None:
    _, peer = listening()
    log = watch(peer)
    for _ in range(2):
        peer.sends(SYN, seq=PEER_ISS)
        peer.expects(SYN | ACK)
        peer.sends(RST, seq=add(PEER_ISS, 1))
    assert [event.group for event in log.all("tcp:open")] == ["c1", "c2"]


# --- why the state changes


def close(peer: Peer) -> None:
    assert peer.conn is not None
    peer.conn.shutdown_write(peer.now)


def abort(peer: Peer) -> None:
    assert peer.conn is not None
    peer.conn.abort(peer.now)


def reset(peer: Peer) -> None:
    peer.sends(RST, seq=peer.snd_nxt)


def ack(peer: Peer) -> None:
    peer.sends(ACK)


def fin(peer: Peer) -> None:
    assert peer.conn is not None
    early = peer.conn.state is State.FIN_WAIT_1
    peer.sends(FIN | ACK, ack=add(peer.conn.snd_nxt, -1) if early else None)


def hard_error(peer: Peer) -> None:
    assert peer.conn is not None
    peer.conn.icmp_error(errno.ECONNREFUSED, True, peer.conn.snd_una, peer.now)


def refuse(peer: Peer) -> None:
    peer.sends(RST | ACK, seq=0)


def wait(seconds: float) -> Callable[[Peer], None]:
    return lambda peer: peer.wait(seconds)


def read_and_close(peer: Peer) -> None:
    peer.sends(ACK, b"unread")
    assert peer.conn is not None
    peer.conn.close(peer.now)


def text_after_close(peer: Peer) -> None:
    assert peer.conn is not None
    peer.conn.close(peer.now)
    peer.sends(ACK, b"late")


def stop_the_host(peer: Peer) -> None:
    assert peer.conn is not None
    peer.conn.abort(peer.now, errno.ENETDOWN)


def close_and_wait(peer: Peer) -> None:
    assert peer.conn is not None
    peer.conn.close(peer.now)
    peer.sends(ACK)
    peer.wait(1000.0)


def close_without_fin_wait_2(peer: Peer) -> None:
    assert peer.conn is not None
    set_options(peer.conn, linger2_s=-1)
    peer.conn.close(peer.now)


CHANGES: list[tuple[State, Callable[[Peer], object], str, str, str]] = [
    (State.CLOSED, lambda peer: peer.conn and peer.conn.open(peer.now), "active_open", "SYN_SENT", "9293-3.10.1-b"),
    (State.SYN_SENT, close, "close_before_open", "CLOSED", "9293-3.10.4-a"),
    (State.SYN_SENT, lambda peer: peer.sends(SYN), "rcv_syn_crossing", "SYN_RECEIVED", "9293 MUST-10"),
    (State.SYN_SENT, lambda peer: peer.sends(SYN | ACK), "rcv_syn_ack", "ESTABLISHED", "9293-3.10.7.3-e"),
    (State.SYN_SENT, refuse, "rcv_rst_refused", "CLOSED", "9293-3.10.7.3-c"),
    (State.SYN_SENT, hard_error, "hard_error", "CLOSED", "9293 SHLD-26"),
    (State.SYN_SENT, wait(1000.0), "user_timeout", "CLOSED", "9293-3.10.8-a"),
    (State.SYN_RECEIVED, close, "close_half_open", "FIN_WAIT_1", "9293-3.10.4-c"),
    (State.SYN_RECEIVED, ack, "rcv_ack_of_syn", "ESTABLISHED", "9293-3.10.7.4-n"),
    (State.SYN_RECEIVED, reset, "rcv_rst_half_open", "LISTEN", "9293-3.10.7.4-g"),
    (State.SYN_RECEIVED, lambda peer: peer.sends(SYN), "rcv_syn_again", "LISTEN", "9293-3.10.7.4-k"),
    (State.ESTABLISHED, close, "close", "FIN_WAIT_1", "9293-3.10.4-b"),
    (State.ESTABLISHED, abort, "abort", "CLOSED", "9293-3.10.5-a"),
    (State.ESTABLISHED, stop_the_host, "abort_by_host", "CLOSED", "own"),
    (State.ESTABLISHED, read_and_close, "unread_at_close", "CLOSED", "9293 SHLD-3"),
    (State.ESTABLISHED, fin, "rcv_fin", "CLOSE_WAIT", "9293-3.10.7.4-x"),
    (State.ESTABLISHED, reset, "rcv_rst", "CLOSED", "9293-3.10.7.4-h"),
    (State.CLOSE_WAIT, close, "snd_fin", "LAST_ACK", "9293-3.10.4-d"),
    (State.FIN_WAIT_1, ack, "rcv_ack_of_fin_first", "FIN_WAIT_2", "9293-3.10.7.4-q"),
    (State.FIN_WAIT_1, fin, "rcv_fin_crossing", "CLOSING", "9293-3.10.7.4-y"),
    (State.FIN_WAIT_2, fin, "rcv_fin_after_ours", "TIME_WAIT", "9293-3.10.7.4-y"),
    (State.FIN_WAIT_1, text_after_close, "text_after_close", "CLOSED", "9293 SHLD-3"),
    (State.FIN_WAIT_1, close_and_wait, "fin_wait_2_timeout", "CLOSED", "own"),
    (State.FIN_WAIT_2, close_without_fin_wait_2, "no_fin_wait_2", "CLOSED", "own"),
    (State.CLOSING, ack, "rcv_ack_of_fin_closing", "TIME_WAIT", "9293-3.10.7.4-r"),
    (State.CLOSING, reset, "rcv_rst_closing", "CLOSED", "9293-3.10.7.4-i"),
    (State.LAST_ACK, ack, "rcv_ack_of_fin", "CLOSED", "9293-3.10.7.4-r"),
    (State.TIME_WAIT, abort, "abort_after_fins", "CLOSED", "9293-3.10.5-b"),
    (State.TIME_WAIT, wait(1000.0), "time_wait_timeout", "CLOSED", "9293 MUST-13"),
]


@pytest.mark.parametrize(("state", "act", "reason", "after", "clause"), CHANGES)
def test_each_change_of_state_has_its_reason(
    state: State, act: Callable[[Peer], object], reason: str, after: str, clause: str
) -> None:
    _conn, peer = in_state(state)
    log = watch(peer)
    act(peer)
    peer.world.sent.clear()
    last = log.all("tcp:state")[-1]
    assert (last.data["because"], last.data["after"], last.group) == (reason, after, "c1")
    assert clause in last.why
    expected = "timer" if act.__qualname__.startswith("wait") or act is close_and_wait else None
    by_frame = act in (ack, fin, reset, refuse, text_after_close)
    assert last.cause == (expected or ("frame" if by_frame else last.cause))
    assert (last.frame > 0) == (last.cause == "frame")


def test_a_dead_peer_is_found_by_keep_alives() -> None:
    conn, peer = established()
    set_options(conn, keepalive=True)
    log = watch(peer)
    conn.settle(peer.now)
    peer.wait(20_000.0)
    peer.world.sent.clear()
    assert log.all("tcp:state")[-1].data["because"] == "keepalive_timeout"


# --- numbers and options


def test_the_iss_says_where_it_comes_from() -> None:
    conn, peer = closed()
    log = watch(peer)
    conn.open(peer.now)
    peer.expects(SYN)
    iss = log.one("tcp:iss")
    assert iss.data == {"iss": OUR_ISS, "because": "iss_by_clock_and_secret"}
    assert set(iss.why) >= {"9293 MUST-8", "9293 MUST-9"}


def test_the_iss_after_time_wait_is_beyond_the_old_numbers() -> None:
    listener, peer = listening()
    peer.sends(SYN, seq=PEER_ISS)
    peer.expects(SYN | ACK)
    peer.sends(ACK, seq=add(PEER_ISS, 1))
    conn = listener.accept()
    assert conn is not None
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK, seq=add(PEER_ISS, 1))
    peer.expects(ACK)
    old = conn.snd_nxt
    log = watch(peer)
    peer.sends(SYN, seq=add(PEER_ISS, 1000))
    peer.expects(SYN | ACK)
    iss = log.one("tcp:iss")
    assert iss.data == {"iss": add(old, 1 << 16), "because": "iss_beyond_time_wait"}
    assert iss.why == ("9293 MAY-2",)
    log.events.clear()
    peer.sends(ACK, seq=add(PEER_ISS, 1001))
    assert "rcv_syn_in_time_wait" in [event.data["because"] for event in log.all("tcp:state")]


EVERYTHING = TcpOptions(mss=1000, window_scale=7, sack_permitted=True, timestamps=(1, 0))


def test_the_options_are_told_once_both_syns_have_come() -> None:
    conn, peer = syn_sent(window_scaling=True, sack=True, timestamps=True)
    log = watch(peer)
    peer.sends(SYN | ACK, options=EVERYTHING)
    peer.expects(ACK)
    agreed = log.one("tcp:agreed")
    assert agreed.data == {
        "iss": OUR_ISS,
        "irs": PEER_ISS,
        "peer_offers": "mss, window scale, sack, timestamps",
        "our_mss": MSS,
        "send_mss": 1000,
        "snd_shift": 7,
        "rcv_shift": conn.rcv_shift,
        "window_scale": True,
        "sack": True,
        "timestamps": True,
        "ecn": False,
        "fast_open": False,
        "because": "options_agreed",
    }
    assert "7323-2.2-c" in agreed.why


def test_an_option_that_one_end_does_not_offer_is_not_agreed() -> None:
    _, peer = listening(window_scaling=True, sack=True, timestamps=True)
    log = watch(peer)
    peer.sends(SYN, options=PLAIN)
    peer.expects(SYN | ACK)
    agreed = log.one("tcp:agreed").data
    assert agreed["peer_offers"] == "mss"
    assert not any(agreed[name] for name in ("window_scale", "sack", "timestamps", "ecn"))


def test_crossing_syns_agree_once() -> None:
    _conn, peer = syn_sent()
    log = watch(peer)
    peer.sends(SYN, options=PLAIN)
    peer.expects(SYN | ACK)
    peer.sends(SYN | ACK, seq=PEER_ISS)
    peer.world.sent.clear()
    assert log.one("tcp:agreed").data["irs"] == PEER_ISS


# --- listeners


def full(**changes: Any) -> tuple[Listener, Peer, Log]:
    """A listener with one half-open connection, which is all it may have, and another client."""
    listener, peer = listening(**{"syn_backlog": 1, **changes})
    peer.sends(SYN, options=PLAIN)
    peer.expects(SYN | ACK)
    late = peer.another(1)
    return listener, late, watch(late)


def test_a_full_syn_queue_answers_by_a_cookie() -> None:
    listener, late, log = full()
    late.sends(SYN, options=PLAIN)
    answer = late.expects(SYN | ACK)
    told = log.one("tcp:listener")
    assert told.group == "10.9.0.2:7"
    assert told.data == {"half_open": 1, "not_accepted": 0, "backlog": 5, "because": "syn_cookie_sent"}
    assert "4987-3.7-a" in told.why
    assert log.one("tcp:iss").data == {"iss": answer.seq, "because": "iss_is_cookie"}
    assert log.all("tcp:state")[-1].data["because"] == "cookie_keeps_the_state"
    log.events.clear()
    late.sends(ACK, ack=add(answer.seq, 1))
    assert [event.data["because"] for event in log.all("tcp:state")] == [
        "passive_open", "cookie_acknowledged", "rcv_ack_of_syn"
    ]  # fmt: skip
    assert log.one("tcp:agreed").data["because"] == "options_from_cookie"
    assert log.one("tcp:listener").data["because"] == "waits_for_accept"
    assert listener.accept() is not None


def test_a_cookie_finds_no_room_in_the_accept_queue() -> None:
    listener, peer = listening(backlog=1, syn_backlog=1)
    peer.sends(SYN, options=PLAIN)
    peer.expects(SYN | ACK)
    late = peer.another(1)
    late.sends(SYN, options=PLAIN)
    answer = late.expects(SYN | ACK)
    peer.sends(ACK)  # the queue is full now
    log = watch(late)
    late.sends(ACK, ack=add(answer.seq, 1))
    late.silent()
    assert log.one("tcp:listener").data["because"] == "accept_queue_full"
    assert listener.accept() is not None


def test_a_wrong_cookie_opens_nothing() -> None:
    _, late, log = full()
    late.sends(SYN, options=PLAIN)
    answer = late.expects(SYN | ACK)
    late.sends(ACK, ack=add(answer.seq, 2))
    late.expects(RST, seq=add(answer.seq, 2))
    assert log.all("tcp:state")[-1].data["because"] == "cookie_is_wrong"
    assert log.one("tcp:reset").data["because"] == "reset_by_listener"


def test_without_cookies_the_oldest_half_open_connection_makes_room() -> None:
    _, late, log = full(syn_cookies=False)
    late.sends(SYN, options=PLAIN)
    late.expects(SYN | ACK)
    dropped = next(event for event in log.all("tcp:state") if event.data["after"] == "CLOSED")
    assert dropped.data["because"] == "oldest_half_open"
    assert dropped.why == ("4987-3.4-a",)


def test_a_full_accept_queue_drops_the_syn() -> None:
    listener, peer = listening(backlog=1)
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    late = peer.another(1)
    log = watch(late)
    late.sends(SYN)
    late.silent()
    told = log.one("tcp:listener")
    assert told.data == {"half_open": 0, "not_accepted": 1, "backlog": 1, "because": "accept_queue_full"}
    assert told.frame == log.one("wire:frame").n
    assert listener.accept() is not None


# --- resets for segments of no connection


def test_a_syn_to_a_port_without_a_listener_explains_itself() -> None:
    """Figure by figure: the SYN comes in, there is no listener, the reset with its numbers goes out."""
    peer = Peer(closed()[1].world)
    peer = peer.another(1)
    log = watch(peer)
    peer.sends(SYN, seq=100)
    peer.expects(RST | ACK, seq=0, ack=101)
    told = [(event.name, event.data.get("because", event.data.get("reason"))) for event in log.events]
    assert told == [
        ("wire:frame", None),
        ("host:drop", "tcp_no_connection"),
        ("tcp:reset", "reset_without_listener"),
        ("host:done", "tcp_no_connection"),
    ]
    reset = log.one("tcp:reset")
    assert reset.group == "10.9.0.2:7 - 10.9.0.1:1"
    assert reset.data == {"sent": True, "seq": 0, "ack": 101, "flags": "RST,ACK", "because": "reset_without_listener"}
    assert set(reset.why) == {"9293-3.5.2-a", "9293-3.5.2-b", "9293-3.10.7.1-b"}


def test_an_ack_of_no_connection_gives_the_reset_its_number() -> None:
    peer = closed()[1].another(1)
    log = watch(peer)
    peer.sends(ACK, seq=100, ack=7)
    peer.expects(RST, seq=7)
    assert log.one("tcp:reset").data["seq"] == 7


def test_a_reset_is_not_answered() -> None:
    peer = closed()[1].another(1)
    log = watch(peer)
    peer.sends(RST, seq=100)
    peer.silent()
    reset = log.one("tcp:reset")
    assert reset.data == {"sent": False, "because": "no_reset_for_reset"}
    assert "9293-3.10.7.1-a" in reset.why


def test_an_ack_to_a_listener_is_reset() -> None:
    _, peer = listening()
    log = watch(peer)
    peer.sends(ACK, seq=100, ack=7)
    peer.expects(RST, seq=7)
    assert log.one("tcp:reset").data["because"] == "reset_by_listener"
    assert "9293-3.10.7.2-b" in log.one("tcp:reset").why


def test_an_ack_of_what_was_not_sent_is_reset() -> None:
    conn, peer = syn_sent()
    log = watch(peer)
    peer.sends(SYN | ACK, seq=300, ack=add(OUR_ISS, -9))
    peer.expects(RST, seq=add(OUR_ISS, -9))
    assert log.one("tcp:reset").data["because"] == "reset_for_bad_ack"
    assert conn.state is State.SYN_SENT


def test_a_half_open_connection_refuses_a_bad_ack() -> None:
    _conn, peer = syn_received()
    log = watch(peer)
    peer.sends(ACK, ack=add(OUR_ISS, 100))
    peer.expects(RST, seq=add(OUR_ISS, 100))
    assert log.one("tcp:reset").data["because"] == "reset_for_bad_ack"


# --- Fast Open


def test_the_server_tells_what_it_makes_of_each_cookie() -> None:
    _, peer = server()
    log = watch(peer)
    peer.sends(SYN, options=ASKING)
    peer.expects(SYN | ACK)
    assert log.reasons("tcp:fast_open") == ["fast_open_asked"]


def test_the_server_takes_the_data_of_a_good_cookie() -> None:
    listener, peer = server()
    cookie = cookie_of(peer)
    another = peer.another(1)
    log = watch(another)
    another.sends(SYN, HELLO, options=with_cookie(cookie))
    another.expects(SYN | ACK)
    told = log.one("tcp:fast_open")
    assert told.data == {"octets": len(HELLO), "because": "fast_open_accepted"}
    assert told.why == ("7413-4.1.2-a",)
    assert listener.accept() is not None
    late = peer.another(2)
    log.events.clear()
    late.sends(SYN, HELLO, options=with_cookie(COOKIE))
    late.expects(SYN | ACK)
    assert log.reasons("tcp:fast_open") == ["fast_open_refused"]


def test_the_client_tells_what_it_asks_and_what_it_learns() -> None:
    conn, peer = closed()
    log = watch(peer)
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN)
    assert [event.data["because"] for event in log.all("tcp:fast_open")] == ["fast_open_asks"]
    log.events.clear()
    peer.sends(SYN | ACK, options=GIVEN)
    assert [event.data["because"] for event in log.all("tcp:fast_open")] == ["fast_open_learnt"]
    peer.expects(ACK, HELLO)
    peer.sends(ACK)


def test_the_client_tells_whether_its_data_was_taken() -> None:
    conn, peer = client()
    log = watch(peer)
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN, HELLO)
    assert [event.data["because"] for event in log.all("tcp:fast_open")] == ["fast_open_with_cookie"]
    log.events.clear()
    peer.sends(SYN | ACK, options=PLAIN)
    peer.expects(ACK)
    assert [event.data["because"] for event in log.all("tcp:fast_open")] == ["fast_open_data_taken"]
    assert log.one("tcp:agreed").data["fast_open"] is True


@pytest.mark.parametrize(("flags", "because"), [(RST, "listen_ignores_reset"), (FIN, "listen_drops_other")])
def test_what_a_listener_ignores_is_told(flags: int, because: str) -> None:
    listener, peer = listening()
    log = watch(peer)
    peer.sends(flags)
    peer.silent()
    assert log.one("tcp:listener").data["because"] == because
    assert listener.accept() is None


def test_a_negative_answer_and_what_follows() -> None:
    """No answer to a SYN with data: it goes again without, and the next connection does not try."""
    conn, peer = client()
    log = watch(peer)
    conn.open(peer.now, HELLO, fast=True)
    peer.wait(1.0)
    peer.world.sent.clear()
    assert log.reasons("tcp:fast_open")[-1] == "fast_open_negative"
    refused(conn, peer)
    other, _ = again(peer)
    log.events.clear()
    other.open(peer.now, HELLO, fast=True)
    peer.world.sent.clear()
    assert log.reasons("tcp:fast_open") == ["fast_open_not_now"]
