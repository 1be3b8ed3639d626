"""Slow start, congestion avoidance, fast retransmit and fast recovery.

See RFC 5681 section 3, RFC 6582 section 3.2 for the answers to partial ACKs and RFC 6928 for the
initial window.
"""

from __future__ import annotations

from math import inf

from .policy import Congestion

# Linux: tcp_pacing_ss_ratio and tcp_pacing_ca_ratio. Slow start doubles the window in a round trip.
# In congestion avoidance the surplus makes up for delays.
_PACING_SLOW_START = 2.0
_PACING_AVOIDANCE = 1.2


class Reno(Congestion):
    """The standard congestion control, in octets. `paced`: it asks for pacing."""

    __slots__ = ("_avoided", "_paced", "_prior_cwnd", "_prior_ssthresh")

    def __init__(self, mss: int, initial_segments: int, paced: bool = False) -> None:
        super().__init__(mss, initial_segments)
        self._paced = paced
        self._avoided = 0  # octets acknowledged in congestion avoidance since cwnd grew
        self._prior_cwnd, self._prior_ssthresh = self.cwnd, self.ssthresh  # before a reduction

    def pacing_rate(self, srtt_s: float | None) -> float | None:
        """More than a window each round trip: the window, not the rate, limits the flight."""
        if not self._paced:
            return None
        if not srtt_s:
            return inf
        ratio = _PACING_SLOW_START if 2 * self.cwnd < self.ssthresh else _PACING_AVOIDANCE
        return ratio * self.cwnd / srtt_s

    def set_mss(self, mss: int) -> None:
        """A smaller SMSS keeps the number of segments (RFC 5681 3.1), a larger one keeps cwnd."""
        if mss < self.mss:
            self.cwnd = self.cwnd * mss // self.mss
        self.cwnd = max(self.cwnd, mss)
        self.mss = mss

    def on_ack(self, acked: int, now: float, rtt_s: float) -> None:
        """3.1: slow start, equation (2), by at most SMSS an ACK; then by SMSS a window."""
        if self.cwnd < self.ssthresh:
            self._slow_start(acked)
        else:
            self._avoided += acked
            if self._avoided >= self.cwnd:
                self._avoided -= self.cwnd
                self.cwnd += self.mss

    def _slow_start(self, acked: int) -> None:
        self.cwnd += min(acked, self.mss)

    def on_loss(self, flight: int, now: float) -> None:
        """3.1 equation (4): halve."""
        self._remember()
        self.ssthresh = max(flight // 2, 2 * self.mss)
        self.cwnd = self.ssthresh
        self._avoided = 0

    def on_ecn(self, flight: int, now: float) -> None:
        """RFC 3168 section 6.1.2: as for a loss, except that nothing is missing."""
        cwnd = self.cwnd
        self.on_loss(flight, now)
        self.cwnd = min(cwnd, self.ssthresh)

    def on_duplicate_ack(self) -> None:
        """3.2 steps 3 and 4: "artificially inflate" cwnd for a segment that left the network."""
        self.cwnd += self.mss

    def on_partial_ack(self, acked: int) -> None:
        """RFC 6582 section 3.2 step 3: deflate by what was acknowledged, add back one segment."""
        self.cwnd = max(self.cwnd - acked, 0) + (self.mss if acked >= self.mss else 0)
        self.cwnd = max(self.cwnd, self.mss)

    def on_recovered(self, flight: int, now: float) -> None:
        """RFC 6582 section 3.2 step 3, option 1: no burst after recovery."""
        self.cwnd = min(self.ssthresh, max(flight, self.mss) + self.mss)

    def on_rto(self, flight: int, first: bool, now: float) -> None:
        """3.1 equation (4); ssthresh is held constant when the same segment times out again."""
        if first:
            self._remember()
            self.ssthresh = max(flight // 2, 2 * self.mss)
        self.cwnd = self.mss  # the loss window
        self._avoided = 0

    def on_spurious(self) -> None:
        """Undo the last reduction. (RFC 4015 section 3.2 does it in steps.)"""
        self.cwnd = max(self.cwnd, self._prior_cwnd)
        self.ssthresh = max(self.ssthresh, self._prior_ssthresh)

    def _remember(self) -> None:
        self._prior_cwnd, self._prior_ssthresh = self.cwnd, self.ssthresh

    def on_handshake_loss(self) -> None:
        """3.1: "the initial window ... MUST be one segment of at most SMSS bytes"."""
        self.cwnd = self.mss

    def on_idle(self) -> None:
        """4.1: the ACK clock has stopped; restart with no more than the initial window."""
        self.cwnd = min(self.cwnd, self.initial_window())
