"""CUBIC: the window grows by the time since the last loss, not by round trips, and fastest far away from where that was.

See RFC 8312. Recovery, slow start and idle restart are Reno's; beta and the curve are CUBIC's own.

    W_cubic(t) = C*(t-K)^3 + W_max                      (Eq. 1)
    K          = cubic_root(W_max*(1-beta_cubic)/C)     (Eq. 2)
"""

from __future__ import annotations

from .reno import Reno

_C = 0.4  # section 5: segments per second cubed
_BETA = 0.7  # section 4.5


class Cubic(Reno):
    """Windows inside the curve are in segments, as in the RFC; `cwnd` and `ssthresh` in octets, as everywhere."""

    __slots__ = ("_epoch_start", "_growth", "_k", "_origin", "_w_last", "_w_max", "_w_start")

    def __init__(self, mss: int, initial_segments: int) -> None:
        super().__init__(mss, initial_segments)
        self._w_max = self._w_last = 0.0
        self._epoch_start: float | None = None  # when this congestion avoidance began
        self._k = 0.0
        self._origin = 0.0  # the plateau of the curve, W_max of Eq. 1
        self._w_start = 0.0  # cwnd at the beginning of the epoch
        self._growth = 0.0  # octets of growth that are not a whole octet yet

    def on_ack(self, acked: int, now: float, rtt_s: float) -> None:
        """Slow start below ssthresh; else 4.1's curve, and never less than what Reno would have (4.2)."""
        if self.cwnd < self.ssthresh:
            super().on_ack(acked, now, rtt_s)
            return
        mss = self._mss
        cwnd = self.cwnd / mss
        if self._epoch_start is None:
            self._begin_epoch(cwnd, now)
        assert self._epoch_start is not None
        t = now - self._epoch_start
        friendly = self._w_est(t, rtt_s)
        if self._w_cubic(t) < friendly:  # 4.2: the TCP-friendly region
            self.cwnd = max(self.cwnd, int(friendly * mss))
            return
        target = min(max(self._w_cubic(t + rtt_s), cwnd), 1.5 * cwnd)  # 4.3, 4.4; no more than half again in a round trip
        self._growth += (target - cwnd) / cwnd * acked
        whole = int(self._growth)
        self._growth -= whole
        self.cwnd += whole

    def _begin_epoch(self, cwnd: float, now: float) -> None:
        """4.1: K is the time to grow back to W_max; above W_max (4.8) the curve starts at its plateau."""
        self._epoch_start = now
        self._w_start = cwnd
        self._growth = 0.0
        if cwnd < self._w_max:
            self._origin = self._w_max
            self._k = ((self._w_max - cwnd) / _C) ** (1 / 3)
        else:
            self._origin = cwnd
            self._k = 0.0

    def _w_cubic(self, t: float) -> float:
        return _C * (t - self._k) ** 3 + self._origin

    def _w_est(self, t: float, rtt_s: float) -> float:
        """Eq. 4: where Reno with CUBIC's beta would be after `t` seconds."""
        return self._w_start + 3 * (1 - _BETA) / (1 + _BETA) * t / max(rtt_s, 0.001)

    def on_loss(self, flight: int, now: float) -> None:
        """4.5, and 4.6: a flow that lost before it was back at its old maximum makes room for others."""
        self._reduce(flight)
        self.cwnd = self.ssthresh + 3 * self._mss

    def on_rto(self, flight: int, first: bool, now: float) -> None:
        """4.7: as Reno, with CUBIC's beta."""
        if first:
            self._reduce(flight)
        self.cwnd = self._mss
        self._w_max = 0.0  # "K is set to 0, and W_max is set to the congestion window size at the beginning"
        self._epoch_start = None

    def on_idle(self) -> None:
        """5.8: the curve does not go on while nothing is sent."""
        super().on_idle()
        self._epoch_start = None

    def _reduce(self, flight: int) -> None:
        window = min(self.cwnd, flight) / self._mss
        self._w_max = window * (1 + _BETA) / 2 if window < self._w_last else window
        self._w_last = window
        self.ssthresh = max(int(flight * _BETA), 2 * self._mss)
        self._epoch_start = None
