"""RFC 6298 section 2: SRTT, RTTVAR and RTO, against the formulas written out with other means."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import TcpConfig
from stack.tcp.rtt import RttEstimator
from tests.requirements import rfc

# Without a floor, so that every term shows; G is 100 ms where it is to show, too.
PLAIN = TcpConfig(rto_min_s=0.0, clock_granularity_s=0.0)
ALPHA, BETA = Fraction(1, 8), Fraction(1, 4)

measurements = st.lists(st.floats(0.001, 10.0), min_size=1, max_size=20)


def by_the_book(samples: list[float]) -> tuple[Fraction, Fraction]:
    """SRTT and RTTVAR after `samples`, exactly."""
    first, *later = map(Fraction, samples)
    srtt, rttvar = first, first / 2
    for sample in later:
        rttvar = (1 - BETA) * rttvar + BETA * abs(srtt - sample)
        srtt = (1 - ALPHA) * srtt + ALPHA * sample
    return srtt, rttvar


def estimator(samples: list[float], config: TcpConfig = PLAIN) -> RttEstimator:
    rtt = RttEstimator(config)
    for sample in samples:
        rtt.sample(sample)
    return rtt


@rfc("6298-2-c")
def test_the_first_sample() -> None:
    rtt = estimator([0.8])
    assert (rtt.srtt_s, rtt.rttvar_s) == (0.8, 0.4)
    assert rtt.rto_s == pytest.approx(0.8 + 4 * 0.4)


@rfc("6298-2-d", "6298-2-f", "6298-2-g")
@given(measurements)
@settings(derandomize=True)
def test_later_samples(samples: list[float]) -> None:
    srtt, rttvar = by_the_book(samples)
    rtt = estimator(samples)
    assert rtt.srtt_s == pytest.approx(float(srtt))
    assert rtt.rttvar_s == pytest.approx(float(rttvar))
    assert rtt.rto_s == pytest.approx(min(float(srtt + 4 * rttvar), 60.0))


@rfc("6298-2-e")
def test_rttvar_is_made_with_the_old_srtt() -> None:
    rtt = estimator([1.0, 2.0])
    assert rtt.rttvar_s == 0.75 * 0.5 + 0.25 * 1.0  # with the new SRTT of 1.125 the last term would be 0.875 / 4


@rfc("6298-2-h")
def test_a_floor_of_one_second_can_be_had() -> None:
    """The default is Linux's 200 ms, which `TcpConfig.rto_min_s` says."""
    assert estimator([0.01], TcpConfig(rto_min_s=1.0)).rto_s == 1.0
    assert estimator([0.01], TcpConfig()).rto_s == 0.2


@rfc("6298-2-i")
def test_rto_has_a_maximum_of_a_minute_or_more() -> None:
    rtt = estimator([50.0], TcpConfig())
    assert rtt.rto_s == rtt.timeout_s() == 60.0
    rtt.back_off()
    assert rtt.timeout_s() == 60.0


@rfc("6298-4-a")
def test_the_variance_term_is_at_least_the_clocks_granularity() -> None:
    coarse = TcpConfig(rto_min_s=0.0, clock_granularity_s=0.1)
    assert estimator([1.0] * 200, coarse).rto_s == pytest.approx(1.1)
