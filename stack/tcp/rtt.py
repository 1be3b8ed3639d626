"""The retransmission timeout. See RFC 6298."""

from __future__ import annotations

from stack.config import TcpConfig


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
