"""Round trips: which ACKs measure one, and the retransmission timeout that follows from them.

See RFC 6298, and RFC 7323 section 4 for measurements by timestamps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.config import TcpConfig
from stack.tcp.timestamps import TICKS_PER_SECOND

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb


class RttEstimator:
    """SRTT, RTTVAR and RTO of one connection, in seconds. RFC 6298 section 2."""

    __slots__ = ("_answered", "_backoff", "_config", "rto_s", "rttvar_s", "samples", "srtt_s")

    def __init__(self, config: TcpConfig) -> None:
        self._config = config
        self.srtt_s: float | None = None
        self.rttvar_s = 0.0
        self.rto_s = config.rto_initial_s  # 2.1: until a measurement has been made
        self._backoff = 1
        self._answered = 0  # ACKs in a row that ended the back-off without a sample
        self.samples = 0

    def sample(self, measured_s: float, expected_samples: int = 1) -> None:
        """Take one round-trip measurement into SRTT, RTTVAR and RTO.

        `measured_s` is in seconds and must not come from a retransmitted segment (Karn, section 3)
        unless timestamps tell which transmission was answered. RFC 6298 sections 2.2 and 2.3; the
        clock granularity G is `config.clock_granularity_s`. `expected_samples` measurements a round
        trip share the weight of one (RFC 7323 appendix G).
        """
        self.samples += 1
        self._answered = 0
        if self.srtt_s is None:  # 2.2: the first measurement
            self.srtt_s, self.rttvar_s = measured_s, measured_s / 2
        else:  # 2.3: RTTVAR before SRTT, with the old SRTT
            self.rttvar_s += (abs(self.srtt_s - measured_s) - self.rttvar_s) / (4 * expected_samples)
            self.srtt_s += (measured_s - self.srtt_s) / (8 * expected_samples)
        config = self._config
        rto_s = self.srtt_s + max(config.clock_granularity_s, 4 * self.rttvar_s)
        self.rto_s = min(max(rto_s, config.rto_min_s), config.rto_max_s)  # 2.4, 2.5
        self._backoff = 1  # 5: "the RTO is recomputed ... it may collapse back"

    def back_off(self) -> None:
        """5.5: the timer expired, so double the RTO, up to its maximum."""
        if self.timeout_s() < self._config.rto_max_s:
            self._backoff *= 2

    def answered(self) -> bool:
        """An ACK has come that gives no sample. The path works, so end the back-off.

        This is done only a few times in a row. If the path has become slower than the RTO, each ACK
        is late and none gives a sample. The back-off must then go on until one does (section 5,
        Karn's algorithm). Returns whether the back-off was ended.
        """
        if self._answered < self._config.rto_answers_without_sample:
            self._answered += 1
            self._backoff = 1
            return True
        return False

    def syn_was_retransmitted(self) -> None:
        """5.7: a SYN was lost and gave no sample: begin the data phase with a cautious RTO."""
        if self.srtt_s is None:
            self.rto_s = max(self.rto_s, self._config.rto_after_syn_loss_s)
            self._backoff = 1

    def timeout_s(self) -> float:
        """The RTO with the back-off applied."""
        return min(self.rto_s * self._backoff, self._config.rto_max_s)


def measure_segment(tcb: Tcb, length: int, now: float) -> None:
    """Take a sample: the timed segment, which was sent only once, is acknowledged.

    The segment with the ACK may have been sent more than once, too, if it has text or a FIN
    (`length` octets). When it comes later than the RTO, its first transmission was probably lost,
    and the time measured contains the peer's timeout. No sample is taken then, as RFC 7323 section
    4.1 permits, but the back-off ends. After a few such ACKs in a row (`answered`) a sample is
    taken, because the path may have become as slow as that.
    """
    measured_s = now - tcb.rtt_started_at
    because = "rtt_peer_was_late"
    if not (length and measured_s > tcb.rtt.rto_s and tcb.rtt.answered()):
        tcb.rtt.sample(measured_s)
        because = "rtt_of_timed_segment"
    if tcb.services.trace is not None:
        tcb.services.trace.round_trip(tcb, because, measured_s)
    if tcb.rack is not None:
        tcb.rack.measured(measured_s, now)
    tcb.rtt_seq = None


def measure_echo(tcb: Tcb, acked: int, ts_ecr: int, length: int, now: float) -> None:
    """RTTM (RFC 7323 section 4): take a sample from the timestamp that an ACK echoes.

    It is called when no segment is being timed, as after a retransmission. There `measure_segment`
    could not tell which transmission the ACK answers (Karn), but the echo can. Otherwise one
    segment a round trip is timed, because our clock is finer than the timestamps.

    `acked` octets are newly acknowledged. The ACK has `length` octets of text and FIN.
    """
    config = tcb.config
    # An echo may claim up to 24 days, and a paced connection would stop for that long
    measured_s = min(tcb.timestamps.elapsed_s(ts_ecr, now), config.rto_max_s)
    if not tcb.syn_acked:
        # If the SYN waited for ARP, it left when ARP found the next hop's station address
        measured_s = min(measured_s, now - tcb.path.neighbor.learnt_at)
        if length or measured_s >= config.rto_initial_s:
            # The peer's own retransmission may have caused the ACK
            if tcb.services.trace is not None:
                tcb.services.trace.round_trip(tcb, "rtt_unclear_after_syn", measured_s, timed=False)
            return
    # The latest time at which the echoed segment can have been sent
    sent_at = now - measured_s + 1 / TICKS_PER_SECOND
    if sent_at < tcb.resent_at and sent_at < _last_resent(tcb, acked):
        # The octets were sent again after the echoed segment. Its ACK was lost, and the time
        # measured contains the wait for this one: it is no round trip. But a segment has reached
        # the peer and an ACK has come back, so the back-off ends.
        tcb.rtt.answered()
        if tcb.services.trace is not None:
            tcb.services.trace.round_trip(tcb, "rtt_resent_since", measured_s, timed=False)
        return
    if length and measured_s > tcb.rtt.rto_s and tcb.rtt.answered():
        if tcb.services.trace is not None:
            tcb.services.trace.round_trip(tcb, "rtt_peer_was_late", measured_s, timed=False)
        return  # see `measure_segment`
    # Each ACK that comes here gives a sample, so each has less weight (appendix G)
    expected_samples = -(-tcb.flight // (2 * tcb.mss))
    tcb.rtt.sample(measured_s, expected_samples)
    if tcb.services.trace is not None:
        tcb.services.trace.round_trip(tcb, "rtt_of_echo", measured_s, timed=False)


def _last_resent(tcb: Tcb, acked: int) -> float:
    """The time at which the acknowledged octets were last retransmitted.

    Without RACK's records it is the time of the last retransmission of any octets.
    """
    if tcb.rack is None or tcb.scoreboard is None or not tcb.syn_acked:
        return tcb.resent_at
    return tcb.rack.last_resent(tcb.scoreboard.high_ack + acked)
