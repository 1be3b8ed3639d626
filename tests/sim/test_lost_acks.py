"""An echo through a wire that loses as many ACKs as data: it comes to its end, in time, and no SRTT
runs away.

By default a few seeds of the worst networks; `--full-grid` runs 60 of each, which `python -m
tests.sim.lossy` prints. What the 60 seeds show is the floor here: a change of the protocol code
that is worse will not pass by luck.
"""

from __future__ import annotations

from statistics import mean

import pytest

from tests.requirements import rfc
from tests.sim.lossy import LOSSES, RTTS_S, Echoed, measured, row

LONGEST_S = {0.1: 15.0, 0.2: 60.0, 0.3: 180.0}
MEAN_S = {0.1: 7.0, 0.2: 14.0, 0.3: 35.0}
END_BY_R2 = {(0.3, 0.2): 1}
"""In this network, the wire takes all retransmissions of two minutes or more in one run of 60: the
closed end gives up, as R2 says (RFC 9293 sections 3.8.3 and 3.9.1.1)."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The networks and the number of seeds."""
    if "loss" in metafunc.fixturenames:
        full = metafunc.config.getoption("full_grid")
        cells = [(loss, rtt_s) for loss in LOSSES for rtt_s in RTTS_S]
        metafunc.parametrize(("loss", "rtt_s", "seeds"), [(*cell, 60 if full else 6) for cell in cells])


def times_of(loss: float, rtt_s: float, runs: list[Echoed]) -> list[float]:
    times = [run.seconds for run in runs if run.seconds is not None]
    most = END_BY_R2.get((loss, rtt_s), 0) if len(runs) == 60 else 0
    assert len(times) >= len(runs) - most, row(loss, rtt_s, runs)
    return times


@rfc("field-13")
def test_what_is_echoed_comes_back_in_time(loss: float, rtt_s: float, seeds: int) -> None:
    runs = measured(loss, rtt_s, range(seeds))
    times = times_of(loss, rtt_s, runs)
    assert max(times) <= LONGEST_S[loss], row(loss, rtt_s, runs)
    assert mean(times) <= MEAN_S[loss], row(loss, rtt_s, runs)
    assert max(run.srtt_s for run in runs) <= 3 * rtt_s + 0.1, row(loss, rtt_s, runs)


@rfc("field-12", "field-13")
def test_at_thirty_percent_and_forty_milliseconds() -> None:
    """The worst seeds of the 60, and some others: before, they failed or took minutes, with an SRTT of seconds."""
    runs = [measured(0.3, 0.04, range(seed, seed + 1))[0] for seed in (2, 7, 13, 27, 33, 43, 52, 53)]
    times = times_of(0.3, 0.04, runs)
    assert max(times) <= 120, row(0.3, 0.04, runs)
    assert max(run.srtt_s for run in runs) <= 3 * 0.04 + 0.1
