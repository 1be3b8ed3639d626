"""RFC 6298 section 2: SRTT, RTTVAR and RTO, against the RFC's formulas in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import TcpConfig
from stack.tcp.rtt import RttEstimator
from tests.requirements import rfc

from .world import ACK, MSS, established

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


@rfc("6298-5-a")
def test_nothing_is_sent_again_before_its_timeout() -> None:
    conn, peer = established()
    conn.rtt.sample(0.3)
    rto = conn.rtt.timeout_s()
    conn.send(b"data", peer.now)
    peer.expects(ACK, b"data")
    for factor in (1, 2, 4):
        peer.wait(factor * rto - 0.001)
        peer.silent()
        peer.wait(0.001)
        peer.expects(ACK, b"data")
    peer.sends(ACK)


@rfc("6298-3-b")
def test_what_fast_retransmit_sent_again_is_not_measured() -> None:
    conn, peer = established()
    conn.send(bytes(4 * MSS), peer.now)
    for _ in range(4):
        peer.expects(ACK, MSS)
    before = conn.rtt.srtt_s
    for _ in range(3):
        peer.sends(ACK, ack=conn.snd_una)
    peer.expects(ACK, MSS, seq=conn.snd_una)
    peer.wait(0.1)
    peer.sends(ACK)
    assert conn.rtt.srtt_s == before
