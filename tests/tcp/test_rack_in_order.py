"""`Rack.delivered_in_order` does in one step what the steps of RFC 8985 section 6.2 do for such an ACK."""

from __future__ import annotations

import tracemalloc
from math import inf
from random import Random

import pytest

from stack.tcp.rack import Rack

VARIABLES = ("xmit_ts", "end_seq", "rtt", "min_rtt", "reo_wnd", "lost", "sacked_records", "reordering_seen")


@pytest.mark.parametrize("seed", range(20))
def test_both_ways_leave_the_same_variables(seed: int) -> None:
    random = Random(seed)
    step_by_step, at_once = Rack(0.5), Rack(0.5)
    now, sent, acked = 1.0, 0, 0
    for _ in range(200):
        now += random.choice((0.0, 0.001, 0.2))
        if random.random() < 0.5:
            start, sent = sent, sent + random.choice((1, 500, 1448, 20_000))
            for rack in (step_by_step, at_once):
                rack.transmitted(start, sent, now)
        elif acked < sent:
            acked = random.choice((sent, random.randint(acked + 1, sent)))  # often in the middle of a segment
            step_by_step.delivered(acked, [], now, inf)
            step_by_step.update_reo_wnd(False, 0, 0.1)
            assert step_by_step.detect_loss(now) == inf, "there is never anything to wait for"
            at_once.delivered_in_order(acked, now, 0.1)
        for name in VARIABLES:
            assert getattr(at_once, name) == getattr(step_by_step, name), name
    for rack in (step_by_step, at_once):  # what is left is in the same records
        rack.transmitted(sent, sent + 100, now)
        rack.timed_out(now + 1.0)
    assert at_once.next_lost(1448) == step_by_step.next_lost(1448) is not None
    assert at_once.lost == step_by_step.lost


def test_what_is_delivered_is_forgotten() -> None:
    rack = Rack(0.5)
    tracemalloc.start()
    try:
        for number in range(2000):
            rack.transmitted(number * 1000, (number + 1) * 1000, float(number))
            rack.delivered_in_order((number + 1) * 1000, number + 0.1, 0.1)
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
