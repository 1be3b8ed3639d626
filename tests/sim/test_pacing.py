"""Pacing between whole hosts: the rate that is asked for is the rate that is seen, and queues stay
short.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.config import Config
from tests.sim.bottleneck import RATE_BPS, Bottleneck, Cell
from tests.user_options import set_options

RTT_S = 0.02
BDP = round(RATE_BPS / 8 * RTT_S)


def flow(*, pacing: bool = False, queue_bdp: float = 0.5) -> Bottleneck:
    """One flow that has begun."""
    config = Config()
    config = replace(config, tcp=replace(config.tcp, pacing=pacing))
    world = Bottleneck(Cell(0.0, RTT_S, queue_bdp), 1, config)
    world.start()
    return world


@pytest.mark.parametrize("rate", [20_000, 1_000_000, 5_000_000])
def test_a_limit_is_held_to_the_percent(rate: int) -> None:
    world = flow()
    set_options(world.flows[0].connection, max_pacing_rate=rate)
    [measured] = world.goodput(1.0, 10.0)
    assert measured == pytest.approx(rate, rel=0.01)


def test_a_limit_below_what_acks_come_at_is_held_at_all_times() -> None:
    """Whatever 10 ms one looks at: not more than the rate has room for, and two bursts."""
    rate, quantum_s, window_s = 2_000_000, 0.001, 0.01
    world = flow()
    set_options(world.flows[0].connection, max_pacing_rate=rate)
    world.network.run(for_s=3.0)
    arrivals = world.flows[0].arrivals
    assert len(arrivals) > 1000
    most = rate * (window_s + 2 * quantum_s) / 1448 + 2
    assert max(
        sum(time <= then < time + window_s for then in arrivals[number : number + 100])
        for number, time in enumerate(arrivals[:-100])
    ) <= most  # fmt: skip


def test_slow_start_fits_into_a_queue_that_it_overflows_without() -> None:
    """With room for no more than what wire and queue hold together, up to where the queue is nearly full."""
    lost = {}
    for pacing in (False, True):
        world = flow(pacing=pacing)
        connection = world.flows[0].connection
        set_options(connection, auto_sndbuf=False, sndbuf=round(1.4 * BDP))
        world.network.run(for_s=2.0)
        lost[pacing] = world.wire.outgoing.queue_dropped
    assert lost[True] == 0 < lost[False]
