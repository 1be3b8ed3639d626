"""SRTT, RTTVAR and RTO in numbers: RFC 6298 section 2."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import TcpConfig
from stack.tcp.rtt import RttEstimator
from tests.requirements import rfc

CONFIG = replace(TcpConfig(), rto_min_s=0.0)


def after(*samples: float, config: TcpConfig = CONFIG) -> RttEstimator:
    rtt = RttEstimator(config)
    for sample in samples:
        rtt.sample(sample)
    return rtt


@rfc("6298-2-a")
def test_before_the_first_sample_rto_is_a_second() -> None:
    assert RttEstimator(CONFIG).timeout_s() == 1.0


@rfc("6298-2-c", "9293 MUST-18")
def test_the_first_sample() -> None:
    """SRTT <- R, RTTVAR <- R/2, RTO <- SRTT + max (G, K*RTTVAR)"""
    rtt = after(0.2)
    assert (rtt.srtt_s, rtt.rttvar_s, rtt.rto_s) == (0.2, 0.1, pytest.approx(0.6))


@rfc("6298-2-d", "6298-2-e", "6298-2-f")
def test_later_samples() -> None:
    """RTTVAR <- 3/4 RTTVAR + 1/4 |SRTT - R'| with the old SRTT, then SRTT <- 7/8 SRTT + 1/8 R'"""
    rtt = after(0.2, 0.4)
    assert rtt.rttvar_s == pytest.approx(0.75 * 0.1 + 0.25 * 0.2)
    assert rtt.srtt_s == pytest.approx(0.875 * 0.2 + 0.125 * 0.4)
    assert rtt.rto_s == pytest.approx(0.225 + 4 * 0.125)  # 6298-2-g


@rfc("6298-4-a")
def test_the_variance_term_is_at_least_the_clock_s_granularity() -> None:
    rtt = after(*[0.2] * 200)
    assert 4 * rtt.rttvar_s < CONFIG.clock_granularity_s
    assert rtt.rto_s == pytest.approx(0.2 + CONFIG.clock_granularity_s)


def test_rto_has_a_floor() -> None:
    """200 ms, as every stack in use has it; the RFC's SHOULD is 1 s (6298-2-h), for clocks coarser than ours."""
    assert after(0.0, config=TcpConfig()).timeout_s() == 0.2
    assert after(0.001, config=replace(TcpConfig(), rto_min_s=1.0)).timeout_s() == 1.0


@rfc("6298-2-i")
def test_rto_has_a_ceiling_of_60_seconds() -> None:
    assert TcpConfig().rto_max_s >= 60
    assert after(50.0).timeout_s() == 60.0


@rfc("6298-5-f")
def test_back_off_doubles_up_to_the_ceiling() -> None:
    rtt = after(0.5)
    timeouts = []
    for _ in range(8):
        timeouts.append(rtt.timeout_s())
        rtt.back_off()
    assert timeouts == [1.5, 3.0, 6.0, 12.0, 24.0, 48.0, 60.0, 60.0]
    rtt.sample(0.5)
    assert rtt.timeout_s() < 1.5


def test_a_thousand_back_offs_are_no_large_number() -> None:
    rtt = after(0.5)
    for _ in range(1000):
        rtt.back_off()
    assert rtt.timeout_s() == 60.0


@rfc("6298-5-h")
def test_after_a_lost_syn_it_is_three_seconds() -> None:
    rtt = RttEstimator(CONFIG)
    rtt.back_off()
    rtt.syn_was_retransmitted()
    assert rtt.timeout_s() == 3.0


def test_a_lost_syn_does_not_spoil_a_measurement() -> None:
    rtt = after(0.1)
    rtt.syn_was_retransmitted()
    assert rtt.timeout_s() == pytest.approx(0.3)


@settings(derandomize=True, max_examples=200)
@given(st.lists(st.floats(0, 100), max_size=50))
def test_whatever_is_measured_rto_stays_between_floor_and_ceiling(samples: list[float]) -> None:
    rtt = after(*samples, config=TcpConfig())
    assert 0.2 <= rtt.timeout_s() <= 60.0
    if samples:
        assert rtt.srtt_s is not None
        assert min(samples) - 1e-9 <= rtt.srtt_s <= max(samples) + 1e-9
