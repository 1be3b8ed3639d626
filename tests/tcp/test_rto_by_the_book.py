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
