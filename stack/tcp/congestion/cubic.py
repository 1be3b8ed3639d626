"""CUBIC: the window grows by the time since the last loss, not by round trips; slowest near where that loss was.

See RFC 8312. Idle restart and recovery without SACK are Reno's; beta and the curve are CUBIC's own. Slow start doubles
the window in a round trip, whether or not the peer delays its ACKs: appropriate byte counting, RFC 3465.

    W_cubic(t) = C*(t-K)^3 + W_max                      (Eq. 1)
    K          = cubic_root(W_max*(1-beta_cubic)/C)     (Eq. 2)
"""

from __future__ import annotations

from .reno import Reno

_C = 0.4  # section 5.1: segments per second cubed
_BETA = 0.7  # section 4.5
_ALPHA = 3 * (1 - _BETA) / (1 + _BETA)  # section 4.2
_LIMIT = 2  # RFC 3465 section 2.3: "MAY use L=2*SMSS bytes and MUST NOT use L > 2*SMSS bytes"
_SHORTEST_RTT_S = 0.001  # in the same room; no network is so fast that dividing by less makes sense


class Cubic(Reno):
    """Windows inside the curve are in segments, as in the RFC; `cwnd` and `ssthresh` in octets, as everywhere."""

    __slots__ = (
        "_before",
        "_epoch_start",
        "_growth",
        "_k",
        "_last_ack_at",
        "_limit",
        "_origin",
        "_w_last_max",
        "_w_max",
        "_w_start",
    )

    def __init__(self, mss: int, initial_segments: int, paced: bool = False) -> None:
        super().__init__(mss, initial_segments, paced)
        self._limit = _LIMIT  # L, in segments
        self._w_max = self._w_last_max = 0.0
        self._before = (0.0, 0.0)  # those two, before the last reduction
        self._epoch_start: float | None = None  # when this congestion avoidance began
        self._last_ack_at = 0.0
        self._k = 0.0
        self._origin = 0.0  # the plateau of the curve: W_max of Eq. 1
        self._w_start = 0.0  # cwnd at the beginning of the epoch: W_max*beta_cubic, unless a timeout came between
        self._growth = 0.0  # octets of growth that are not a whole octet yet

    def on_ack(self, acked: int, now: float, rtt_s: float) -> None:
        """4.8: slow start up to ssthresh; else 4.1's curve, and never less than what Reno would have (4.2)."""
        if self.cwnd <= self.ssthresh:
            self._slow_start(acked)
            return
        cwnd = self.cwnd / self.mss
        rtt_s = max(rtt_s, _SHORTEST_RTT_S)
        if self._epoch_start is None:
            self._begin_epoch(cwnd, now)
        elif now - self._last_ack_at > 2 * rtt_s:  # 5.8: a time in which the window was not used does not count
            self._epoch_start += now - self._last_ack_at - rtt_s
        self._last_ack_at = now
        assert self._epoch_start is not None
        t = now - self._epoch_start
        friendly = self._w_start + _ALPHA * t / rtt_s  # Eq. 4
        if self._w_cubic(t) < friendly:
            self.cwnd = max(self.cwnd, int(friendly * self.mss))
            return
        # 4.3, 4.4; never down, and (RFC 8312 has no such bound) not by more than half in a round trip
        target = min(max(self._w_cubic(t + rtt_s), cwnd), 1.5 * cwnd)
        self._growth += (target - cwnd) / cwnd * acked
        whole = int(self._growth)
        self._growth -= whole
        self.cwnd += whole

    def _slow_start(self, acked: int) -> None:
        """RFC 3465 section 2.2; after a timeout an ACK may cover what left the network long ago (2.3), so L is 1."""
        self.cwnd += min(acked, self._limit * self.mss)

    def _begin_epoch(self, cwnd: float, now: float) -> None:
        """4.1: K is how long the curve takes from cwnd back to W_max, which is Eq. 2 where cwnd = W_max*beta_cubic.

        After a timeout, or when cwnd is above W_max already, the curve begins at its plateau (4.7, 4.8).
        """
        self._epoch_start = now
        self._w_start = cwnd
        self._growth = 0.0
        self._origin = max(cwnd, self._w_max)
        self._k = ((self._origin - cwnd) / _C) ** (1 / 3)

    def _w_cubic(self, t: float) -> float:
        return _C * (t - self._k) ** 3 + self._origin

    def on_loss(self, flight: int, now: float) -> None:
        """4.5, and 4.6: a flow that lost before it was back at its old maximum makes room for others."""
        self._remember()
        self._reduce(flight)
        self.cwnd = self.ssthresh
        self._limit = _LIMIT

    def on_rto(self, flight: int, first: bool, now: float) -> None:
        """4.7: as Reno, with CUBIC's beta; the next curve begins at its plateau."""
        if first:
            self._remember()
            self._reduce(flight)
        self.cwnd = self.mss
        self._limit = 1
        self._w_max = 0.0
        self._epoch_start = None

    def on_idle(self) -> None:
        """5.8: the curve does not go on while nothing is sent."""
        super().on_idle()
        self._epoch_start = None

    def on_spurious(self) -> None:
        """The reduction was for nothing: the curve is what it was, though a new epoch begins on it."""
        super().on_spurious()
        self._limit = _LIMIT
        self._w_max, self._w_last_max = self._before
        self._epoch_start = None

    def _remember(self) -> None:
        super()._remember()
        self._before = self._w_max, self._w_last_max

    def _reduce(self, flight: int) -> None:
        """A window that was not in use was not what lost the segment: then FlightSize is what is reduced.

        It was if half of it was: what is in flight late, because its sender is busy, is not all that would be.
        """
        octets = self.cwnd if 2 * flight >= self.cwnd else flight
        window = octets / self.mss
        self._w_max = window * (1 + _BETA) / 2 if window < self._w_last_max else window
        self._w_last_max = window
        self.ssthresh = max(round(octets * _BETA), 2 * self.mss)
        self._epoch_start = None
