"""An observer is told why each segment is sent, sent again or held back, and what becomes of each ACK.

`ack_decisions.py` and `send_decisions.py` have the cases.
"""

from __future__ import annotations

import pytest

from stack.trace.output_reasons import OUTPUT_REASONS
from stack.wire.tcp import flag_names

from . import ack_decisions, send_decisions  # noqa: F401 - they fill CASES
from .test_super_frames import offloading
from .told import CASES, Case, watch
from .world import ACK, MSS, RST, add, established, sub, text


def part(word: str) -> str:
    """The part of the table that a reason is in: "ack", "send", "again" or "blocked"."""
    return word.partition("_")[0]


NAME = {"ack": "tcp:ack", "send": "tcp:send", "again": "tcp:send", "blocked": "tcp:blocked"}
CONTROL = {"SYN", "FIN", "RST"}
LATER = {"ack_delayed", "ack_left_to_reader", "ack_left_to_close"}


@pytest.mark.parametrize("word", CASES)
def test_a_reason_is_told_with_its_clauses_connection_and_cause(word: str) -> None:
    log = CASES[word]()
    events = log.events
    event = next(e for e in events if e.data.get("because") == word and e.name == NAME[part(word)])
    assert event.group == "c1"
    assert event.why == OUTPUT_REASONS[word].why
    if event.cause == "frame":
        frame = next(e for e in events if e.n == event.frame)
        assert (frame.name, frame.data["dir"]) == ("wire:frame", "in")
        assert frame.n < event.n
    else:
        assert event.frame == 0
    if part(word) == "ack":
        decision = "later" if word in LATER else "none" if "_not_" in word else "now"
        assert event.data["decision"] == ("with data" if word == "ack_with_data" else decision)


@pytest.mark.parametrize("case", dict.fromkeys(CASES.values()), ids=lambda case: case.__name__)
def test_each_segment_is_told_once_and_as_it_is(case: Case) -> None:
    log = case()
    told = [e.data for e in log.events if e.name == "tcp:send"]
    sent = [s for s in log.sent.all if s.flags != RST]  # without a connection: not of this test
    assert [(d["seq"], d["len"], d["flags"]) for d in told] == [(s.seq, len(s.data), flag_names(s.flags)) for s in sent]


@pytest.mark.parametrize("case", dict.fromkeys(CASES.values()), ids=lambda case: case.__name__)
def test_again_means_that_the_octets_were_sent_before(case: Case) -> None:
    log = case()
    end: int | None = None
    for data in (e.data for e in log.events if e.name == "tcp:send"):
        flags, seq, length = str(data["flags"]), data["seq"], data["len"]
        assert isinstance(seq, int)
        assert isinstance(length, int)
        size = length + ("SYN" in flags) + ("FIN" in flags)
        if data["again"]:
            assert size
            assert end is None or sub(end, add(seq, size)) < 1 << 31
        elif size:
            assert end in (None, seq), "new octets begin where the last ones ended"
            end = add(seq, size)


@pytest.mark.parametrize("case", dict.fromkeys(CASES.values()), ids=lambda case: case.__name__)
def test_each_bare_ack_was_decided(case: Case) -> None:
    """And the segment has the reason of the decision."""
    log = case()
    decided = [e.data["because"] for e in log.events if e.name == "tcp:ack" and e.data["decision"] == "now"]
    bare = [
        e.data["because"]
        for e in log.events
        if e.name == "tcp:send" and not e.data["len"] and not CONTROL & {*str(e.data["flags"]).split(",")}
    ]
    if "send_keepalive" in bare:
        bare.remove("send_keepalive")
    assert decided == bare


def test_every_reason_of_these_decisions_has_a_case() -> None:
    """Those of the timers are in `test_trace_timers.py` and `test_changes.py`."""
    assert sorted(CASES) == sorted(word for word in OUTPUT_REASONS if part(word) in NAME)


def test_a_reset_has_the_reason_of_the_end() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.abort(peer.now)
    peer.expects(RST | ACK)
    sent, state = log.one("tcp:send"), log.one("tcp:state")
    assert sent.data["because"] == state.data["because"] == "abort"
    assert sent.why == ("9293-3.10.5-a",)


def test_a_call_that_sets_a_timer_tells_it() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    assert log.one("tcp:timer").data["because"] == "set_retransmission"
    assert log.one("tcp:delta").data["snd_nxt"] == conn.snd_nxt


def test_a_timer_that_is_set_again_says_why() -> None:
    conn, peer = established()
    conn.settle(peer.now)
    log = watch(peer)
    for _ in range(2):
        conn.send(text(MSS), peer.now)
        peer.expects(ACK, MSS)
    peer.wait(0.1)
    peer.sends(ACK, ack=add(conn.snd_nxt, -MSS))
    peer.wait(0.31)
    peer.world.sent.clear()
    told = [event.data["because"] for event in log.all("tcp:timer") if event.data["action"] == "set"]
    assert told == ["set_retransmission", "set_retransmission_anew", "set_retransmission_doubled"]


def test_that_no_data_waits_is_told_once() -> None:
    conn, peer = established()
    log = watch(peer)
    for _ in range(3):
        conn.send(b"data", peer.now)
        peer.expects(ACK, b"data")
        peer.sends(ACK)
    assert [e.data["because"] for e in log.events if e.name == "tcp:blocked"] == ["blocked_no_data"]


def test_the_same_is_not_told_twice_and_other_figures_are() -> None:
    conn, peer = established(window=0)
    conn.send(b"data", peer.now)
    log = watch(peer)
    for _ in range(3):
        conn.settle(peer.now)
    conn.send(b"more", peer.now)
    told = [(e.data["because"], e.data["unsent"]) for e in log.events if e.name == "tcp:blocked"]
    assert told == [("blocked_window_closed", 4), ("blocked_window_closed", 8)]


def test_what_is_told_after_the_observer_has_gone() -> None:
    conn, peer = established()
    log = watch(peer)
    peer.sends(ACK, b"data")
    peer.world.services.trace = None
    log.events.clear()
    conn.send(b"answer", peer.now)
    peer.expects(ACK, b"answer")
    assert log.events == []


def test_a_super_frame_is_told_once_with_the_size_of_its_segments() -> None:
    conn, peer = offloading()
    log = watch(peer)
    conn.send(text(10 * MSS), peer.now)
    peer.world.sent.clear()
    [sent] = log.take("tcp:send")
    assert (sent.data["len"], sent.data["segment"]) == (10 * MSS, MSS)


def test_an_ack_answers_for_all_segments_before_it() -> None:
    """After the ACK of two segments no other decision about them is told."""
    _, peer = established()
    log = watch(peer)
    with peer.batch():
        peer.sends(ACK, text(MSS))
        peer.sends(ACK, text(MSS))
    peer.expects(ACK)
    assert [event.data["decision"] for event in log.take("tcp:ack")] == ["now"]
