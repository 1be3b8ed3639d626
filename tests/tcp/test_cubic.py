"""RFC 8312: CUBIC by its numbers, without a connection."""

from __future__ import annotations

from stack.config import TcpConfig
from stack.tcp.congestion import POLICIES
from stack.tcp.congestion.cubic import Cubic
from stack.tcp.congestion.reno import Reno
from tests.requirements import rfc

MSS = 1000
C = 0.4
BETA = 0.7


def avoiding(segments: int) -> Cubic:
    """A window of so many segments at which something was just lost; congestion avoidance is about to begin."""
    policy = Cubic(MSS, 10)
    policy.cwnd = segments * MSS
    policy.on_loss(policy.cwnd, 0.0)
    policy.cwnd += 1  # 4.8: slow start goes on as long as cwnd is no more than ssthresh
    return policy


def round_trip(policy: Cubic, now: float, rtt_s: float) -> None:
    """A window's worth of ACKs, spread over one round trip that ends at `now`."""
    count = policy.cwnd // MSS
    for number in range(count):
        policy.on_ack(MSS, now - rtt_s * (1 - (number + 1) / count), rtt_s)


def grow(policy: Cubic, seconds: float, rtt_s: float, begin: float = 0.0) -> float:
    """Let ACKs come for so long; return the time at the end."""
    now = begin
    while now < begin + seconds:
        now += rtt_s
        round_trip(policy, now, rtt_s)
    return now


@rfc("9293 MAY-18")
def test_it_is_the_default_and_reno_has_a_name() -> None:
    assert TcpConfig().congestion == "cubic"
    assert POLICIES["cubic"] is Cubic
    assert POLICIES["reno"] is Reno


@rfc("8312-4.5-a", "8312-4.5-b")
def test_a_loss_takes_three_tenths() -> None:
    policy = Cubic(MSS, 10)
    policy.cwnd = 100 * MSS
    policy.on_loss(100 * MSS, 0.0)
    assert policy.cwnd == policy.ssthresh == 70 * MSS


def test_of_a_window_that_was_not_in_use_only_what_was_in_flight_counts() -> None:
    for flight, left in ((100, 70), (50, 70), (49, 34.3)):
        policy = Cubic(MSS, 10)
        policy.cwnd = 100 * MSS
        policy.on_loss(flight * MSS, 0.0)
        assert policy.cwnd == policy.ssthresh == left * MSS


@rfc("8312-4.5-b")
def test_but_never_below_two_segments() -> None:
    policy = Cubic(MSS, 10)
    policy.cwnd = 2 * MSS
    policy.on_loss(2 * MSS, 0.0)
    assert policy.ssthresh == 2 * MSS


@rfc("8312-4.1-a", "8312-4.3-a", "8312-5.1-a")
def test_below_the_old_maximum_the_window_follows_the_concave_curve() -> None:
    policy = avoiding(1000)
    k = (1000 * (1 - BETA) / C) ** (1 / 3)
    for t in (k / 4, k / 2, k * 3 / 4, k):
        policy = avoiding(1000)
        grow(policy, t, 0.1)
        wanted = C * (t - k) ** 3 + 1000
        assert abs(policy.cwnd / MSS - wanted) < 0.007 * wanted


@rfc("8312-4.4-a")
def test_above_it_the_convex_one() -> None:
    k = (1000 * (1 - BETA) / C) ** (1 / 3)
    policy = avoiding(1000)
    grow(policy, 1.6 * k, 0.1)
    wanted = C * (0.6 * k) ** 3 + 1000
    assert abs(policy.cwnd / MSS - wanted) < 0.03 * wanted


@rfc("8312-4.2-a")
def test_where_reno_would_be_faster_it_is_as_fast() -> None:
    policy = avoiding(10)
    grow(policy, 1.0, 0.01)  # a hundred round trips
    wanted = 7 + 3 * (1 - BETA) / (1 + BETA) * 100
    assert abs(policy.cwnd / MSS - wanted) < 0.05 * wanted


@rfc("8312-4.6-a")
def test_a_second_loss_below_the_old_maximum_makes_room() -> None:
    policy = avoiding(1000)
    policy.on_loss(700 * MSS, 1.0)  # W_max becomes 700 * (1 + beta) / 2 = 595
    assert policy.cwnd == 490 * MSS + 1
    policy.cwnd += 1
    k = ((595 - 490) / C) ** (1 / 3)
    grow(policy, k, 0.1, 1.0)
    assert abs(policy.cwnd / MSS - 595) < 10


@rfc("8312-4.7-a")
def test_after_a_timeout_the_curve_begins_at_its_plateau() -> None:
    policy = Cubic(MSS, 10)
    policy.cwnd = 1000 * MSS
    policy.on_rto(1000 * MSS, True, 0.0)
    assert policy.cwnd == MSS
    assert policy.ssthresh == 700 * MSS
    policy.cwnd = 700 * MSS + 1
    grow(policy, 5.0, 0.1)
    wanted = 700 + C * 5**3
    assert abs(policy.cwnd / MSS - wanted) < 0.03 * wanted


@rfc("8312-4.8-a")
def test_slow_start_up_to_ssthresh() -> None:
    policy = Cubic(MSS, 10)
    policy.ssthresh = 20 * MSS
    for _ in range(10):
        policy.on_ack(MSS, 0.0, 0.1)
    assert policy.cwnd == 20 * MSS
    policy.on_ack(MSS, 0.0, 0.1)
    assert policy.cwnd == 21 * MSS
    policy.on_ack(MSS, 0.1, 0.1)
    assert policy.cwnd < 21.2 * MSS


def test_slow_start_doubles_the_window_though_acks_are_delayed_but_not_after_a_timeout() -> None:
    """RFC 3465 section 2.3."""
    policy = Cubic(MSS, 10)
    for _ in range(5):
        policy.on_ack(2 * MSS, 0.0, 0.1)
    assert policy.cwnd == 20 * MSS
    policy.on_ack(10 * MSS, 0.0, 0.1)  # L = 2*SMSS
    assert policy.cwnd == 22 * MSS
    policy.on_ack(100, 0.0, 0.1)
    assert policy.cwnd == 22 * MSS + 100
    policy.on_rto(20 * MSS, True, 0.0)
    policy.on_ack(2 * MSS, 0.0, 0.1)
    assert policy.cwnd == 2 * MSS
    policy.on_spurious()
    before = policy.cwnd
    policy.on_ack(2 * MSS, 0.0, 0.1)
    assert policy.cwnd == before + 2 * MSS


@rfc("8312-5.8-a")
def test_the_curve_waits_while_nothing_is_sent() -> None:
    busy, resting = avoiding(1000), avoiding(1000)
    now = grow(busy, 3.0, 0.1)
    grow(resting, 3.0, 0.1)
    grow(busy, 3.0, 0.1, now)
    grow(resting, 3.0, 0.1, now + 100.0)
    assert abs(busy.cwnd - resting.cwnd) < 0.02 * busy.cwnd


def test_the_window_never_grows_by_more_than_half_in_a_round_trip() -> None:
    policy = avoiding(10)
    now = grow(policy, 30.0, 1.0)
    for _ in range(10):
        before = policy.cwnd
        now += 1.0
        round_trip(policy, now, 1.0)
        assert policy.cwnd <= 1.51 * before


def test_a_spurious_loss_is_forgotten() -> None:
    for name in POLICIES:
        policy = POLICIES[name](MSS, 10, False)
        policy.cwnd = 100 * MSS
        policy.on_rto(100 * MSS, True, 0.0)
        policy.on_spurious()
        assert policy.cwnd == 100 * MSS
        assert policy.ssthresh >= 1 << 30
