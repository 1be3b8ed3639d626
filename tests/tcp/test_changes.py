"""What observers are told of a TCB: every variable, unless a sentence says why not; and only what has changed."""

from __future__ import annotations

from errno import EHOSTUNREACH
from math import inf
from typing import Any

import pytest

from stack.tcp.changes import (
    OPTIONAL_PARTS,
    PARTS,
    TIMERS,
    UNTOLD,
    VARIABLES,
    WHEN_SET,
    WITH_THE_SYN,
    Changes,
)
from stack.tcp.loss import Loss
from stack.tcp.states import State
from stack.tcp.tcb import SLOTS, Tcb

from .told import watch
from .world import ACK, FIN, SYN, add, established, in_state, listening, text


def test_every_slot_is_told_or_a_sentence_says_why_not() -> None:
    """So a new variable of the TCB is told by itself."""
    assert Tcb.__slots__ is SLOTS
    plain = {name for name in (*VARIABLES, *WITH_THE_SYN) if "." not in name}
    tables: list[set[str]] = [plain, set(TIMERS), set(UNTOLD), set(PARTS), set(OPTIONAL_PARTS)]
    for name in SLOTS:
        assert sum(name in table for table in tables) == 1, f"{name} is in none of the tables, or in two"
    assert set().union(*tables) == set(SLOTS), "a table has a name that is no slot"
    assert all(sentence.endswith(".") for sentence in UNTOLD.values())


def test_no_name_is_told_twice() -> None:
    names = [*VARIABLES, *WITH_THE_SYN, *TIMERS]
    names += [f"{part}.{name}" for part, inner in OPTIONAL_PARTS.items() for name in inner]
    assert len(names) == len(set(names))
    dotted = {f"{part}.{name}" for part, inner in PARTS.items() for name in inner}
    assert dotted == {name for name in names if name.partition(".")[0] in PARTS}


def test_every_timer_is_told() -> None:
    """Those that `Tcb.deadline` is the earliest of, but for the pacer's and ECN's, which are in other objects."""
    assert set(TIMERS) == {name for name in SLOTS if name.endswith("_deadline")}
    assert len(set(TIMERS.values())) == len(TIMERS)


def test_the_first_time_all_is_told_that_is_not_zero() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    conn.settle(peer.now)
    delta = log.one("tcp:delta").data
    assert delta["snd_nxt"] == add(conn.iss, 2)
    assert delta["iss"] == conn.iss
    assert delta["congestion.cwnd"] == conn.congestion.cwnd
    assert "timeouts" not in delta
    assert "scoreboard.sacked" not in delta


def test_later_only_what_has_changed_is_told() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.settle(peer.now)
    log.events.clear()
    conn.settle(peer.now)
    assert log.events == []
    peer.sends(ACK, b"abc")
    assert log.one("tcp:delta").data == {
        "ack_due": 3, "snd_wl1": add(peer.snd_nxt, -3), "rcv_nxt": peer.snd_nxt, "rcv_wnd": 59997,
        "receive_buffer.size": 3,
    }  # fmt: skip


def test_timers_are_told_with_the_time_that_is_left() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.settle(peer.now)
    log.events.clear()
    conn.send(b"x", peer.now)
    conn.settle(peer.now)
    peer.expects(ACK, b"x")
    told = {"timer": "retransmission", "action": "set", "in_s": conn.rtt.rto_s, "because": "set_retransmission"}
    assert log.one("tcp:timer").data == told
    log.events.clear()
    peer.sends(ACK)
    assert log.one("tcp:timer").data == {
        "timer": "retransmission", "action": "cleared", "because": "cleared_retransmission"
    }  # fmt: skip


def test_the_time_that_is_left_is_rounded() -> None:
    """The sum and the difference of two times need not give the same octets of text."""
    conn, peer = established()
    log = watch(peer)
    peer.wait(0.1 + 1e-13)
    peer.sends(ACK, b"x")
    [timer] = log.all("tcp:timer")
    assert timer.data["in_s"] == 0.04
    conn.receive(10, peer.now)
    peer.wait(0.04)
    peer.expects(ACK)


def test_an_object_that_comes_and_goes_is_told() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.send(text(5 * 1460), peer.now)
    conn.settle(peer.now)
    for _ in range(5):
        peer.expects(ACK, 1460)
    log.events.clear()
    for _ in range(3):
        peer.sends(ACK, ack=conn.snd_una)
    peer.expects(ACK, 1460, seq=conn.snd_una)
    begun = next(event for event in log.all("tcp:delta") if "loss.after_timeout" in event.data)
    assert begun.data["loss.after_timeout"] is False
    log.events.clear()
    peer.sends(ACK)
    assert log.one("tcp:delta").data["loss"] is None


@pytest.mark.parametrize("extensions", [{}, {"pacing": True, "user_timeout_option": True, "auto_tuning": True}])
def test_every_state_can_be_told(extensions: dict[str, bool]) -> None:
    """Optional objects that are absent are no error, and no value is something that JSON does not have."""
    for state in State:
        conn, peer = in_state(state, **extensions)
        log = watch(peer)
        conn.settle(peer.now)
        for event in log.events:
            assert all(type(value) in (int, float, bool, str, type(None)) for value in event.data.values()), event
            assert inf not in event.data.values()


def test_what_comes_with_the_syn_is_told_and_does_not_change_later() -> None:
    listener, peer = listening(timestamps=True, window_scaling=True)
    log = watch(peer)
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    first = log.one("tcp:delta").data
    assert peer.conn is not None
    assert (first["irs"], first["iss"], first["came_from_listen"]) == (peer.conn.irs, peer.conn.iss, True)
    peer.sends(ACK)
    peer.sends(FIN | ACK)
    later: set[str] = set().union(*(event.data for event in log.all("tcp:delta")[1:]))
    assert not later & set(WITH_THE_SYN)
    assert listener.accept() is not None
    peer.wait(1.0)
    peer.expects(ACK)


def test_an_errno_is_told_by_its_name_and_none_when_it_is_taken() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.settle(peer.now)
    log.events.clear()
    conn.unreachable(EHOSTUNREACH, peer.now)
    conn.settle(peer.now)
    assert log.one("tcp:delta").data == {"soft_error": "EHOSTUNREACH"}
    log.events.clear()
    assert conn.take_error() == EHOSTUNREACH
    conn.settle(peer.now)
    assert log.one("tcp:delta").data == {"soft_error": None}


def test_of_an_object_that_was_replaced_the_differences_are_told() -> None:
    conn, peer = established()
    conn.loss = Loss()
    log = watch(peer)
    conn.settle(peer.now)
    log.events.clear()
    conn.loss = Loss(after_timeout=True)
    conn.settle(peer.now)
    assert log.one("tcp:delta").data == {"loss.after_timeout": True}


def test_a_connection_that_is_over_is_forgotten() -> None:
    told: list[tuple[str, dict[str, object]]] = []

    def tell(tcb: Tcb, name: str, because: str, data: dict[str, Any]) -> None:
        tcb.serial = 1
        told.append((name, data))

    conn, peer = established()
    changes = Changes(tell)
    changes.tell(conn, peer.now)
    conn.abort(peer.now)
    peer.world.sent.clear()
    changes.tell(conn, peer.now)
    told.clear()
    changes.tell(conn, peer.now)
    assert told == [], "told anew, as of another connection"


def test_each_timer_has_a_reason_when_it_is_set() -> None:
    assert set(WHEN_SET) == {*TIMERS.values(), "FIN-WAIT-2"}
