"""CUBIC: the window grows with the time since the last loss, not with round trips.

See RFC 8312. It grows slowest near the window at which that loss happened. Idle restart and
recovery without SACK are Reno's; beta and the curve are CUBIC's own. Slow start doubles the window
in a round trip, whether or not the peer delays its ACKs: appropriate byte counting, RFC 3465.

    W_cubic(t) = C*(t-K)^3 + W_max                      (Eq. 1)
    K          = cubic_root(W_max*(1-beta_cubic)/C)     (Eq. 2)
"""

from __future__ import annotations

from .reno import Reno

_C = 0.4  # section 5.1: segments per second cubed
_BETA = 0.7  # section 4.5
_ALPHA = 3 * (1 - _BETA) / (1 + _BETA)  # section 4.2
_LIMIT = 2  # RFC 3465 section 2.3: "MAY use L=2*SMSS bytes and MUST NOT use L > 2*SMSS bytes"
_SHORTEST_RTT_S = 0.001  # the RTT of a very short path: dividing by less makes no sense


class Cubic(Reno):
    """The curve's windows are in segments, as in the RFC; `cwnd` and `ssthresh` are in octets."""

    __slots__ = (
        "_before", "_epoch_start", "_growth", "_k", "_last_ack_at", "_limit", "_origin", "_w_last_max",
        "_w_max", "_w_start",
    )  # fmt: skip

    def __init__(self, mss: int, initial_segments: int, paced: bool = False) -> None:
        super().__init__(mss, initial_segments, paced)
        self._limit = _LIMIT  # L, in segments
        self._w_max = self._w_last_max = 0.0
        self._before = (0.0, 0.0)  # _w_max and _w_last_max before the last reduction
        self._epoch_start: float | None = None  # the start of this congestion avoidance
        self._last_ack_at = 0.0
        self._k = 0.0
        self._origin = 0.0  # the plateau of the curve: W_max of Eq. 1
        # `cwnd` at the start of the epoch: W_max*beta_cubic, unless there was a timeout
        self._w_start = 0.0
        self._growth = 0.0  # the fraction of an octet by which cwnd has yet to grow

    def on_ack(self, acked: int, now: float, rtt_s: float) -> None:
        """4.8: slow start up to ssthresh; then 4.1's curve, but at least Reno's window (4.2)."""
        if self.cwnd <= self.ssthresh:
            self._slow_start(acked)
            return
        cwnd = self.cwnd / self.mss
        rtt_s = max(rtt_s, _SHORTEST_RTT_S)
        if self._epoch_start is None:
            self._begin_epoch(cwnd, now)
        elif now - self._last_ack_at > 2 * rtt_s:
            # 5.8: time in which the window was not in use does not count
            self._epoch_start += now - self._last_ack_at - rtt_s
        self._last_ack_at = now
        assert self._epoch_start is not None
        t = now - self._epoch_start
        friendly = self._w_start + _ALPHA * t / rtt_s  # Eq. 4
        if self._w_cubic(t) < friendly:
            self.cwnd = max(self.cwnd, int(friendly * self.mss))
            return
        # 4.3, 4.4: never down, and by at most half in a round trip (RFC 8312 has no such bound)
        target = min(max(self._w_cubic(t + rtt_s), cwnd), 1.5 * cwnd)
        self._growth += (target - cwnd) / cwnd * acked
        whole = int(self._growth)
        self._growth -= whole
        self.cwnd += whole

    def _slow_start(self, acked: int) -> None:
        """RFC 3465 section 2.2. After a timeout L is 1: an ACK may then cover old losses (2.3)."""
        self.cwnd += min(acked, self._limit * self.mss)

    def _begin_epoch(self, cwnd: float, now: float) -> None:
        """4.1: find K, the time that the curve takes from cwnd to W_max.

        This is Eq. 2 if cwnd = W_max*beta_cubic. After a timeout, or if cwnd is above W_max
        already, the curve begins at its plateau (4.7, 4.8).
        """
        self._epoch_start = now
        self._w_start = cwnd
        self._growth = 0.0
        self._origin = max(cwnd, self._w_max)
        self._k = ((self._origin - cwnd) / _C) ** (1 / 3)

    def _w_cubic(self, t: float) -> float:
        return _C * (t - self._k) ** 3 + self._origin

    def on_loss(self, flight: int, now: float) -> None:
        """4.5 and 4.6: reduce. After a loss below the last W_max, W_max is reduced further."""
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
        """Undo the reduction: return to the earlier curve, in a new epoch."""
        super().on_spurious()
        self._limit = _LIMIT
        self._w_max, self._w_last_max = self._before
        self._epoch_start = None

    def _remember(self) -> None:
        super()._remember()
        self._before = self._w_max, self._w_last_max

    def _reduce(self, flight: int) -> None:
        """Reduce cwnd if it was in use, else the flight: an unused window did not cause the loss.

        A window counts as in use if at least half of it is in flight, because a busy sender may be
        late with the rest.
        """
        octets = self.cwnd if 2 * flight >= self.cwnd else flight
        window = octets / self.mss
        self._w_max = window * (1 + _BETA) / 2 if window < self._w_last_max else window
        self._w_last_max = window
        self.ssthresh = max(round(octets * _BETA), 2 * self.mss)
        self._epoch_start = None
