"""The base class of congestion control policies: what TCP asks a policy, and what it reports to it.

See RFC 5681 section 2 for the variables. A new policy derives from `Congestion` and overrides the
events that it needs. `congestion/__init__.py` gives it a name.
"""

from __future__ import annotations


class Congestion:
    """RFC 5681 section 2's variables and the events that move them, in octets; `mss` is SMSS.

    It can be used as a policy itself: its window is the initial window of RFC 6928 section 2, and
    no event moves it.
    """

    __slots__ = ("cwnd", "initial_segments", "mss", "ssthresh")

    def __init__(self, mss: int, initial_segments: int, paced: bool = False) -> None:
        self.mss = mss
        self.initial_segments = initial_segments
        self.cwnd = self.initial_window()
        self.ssthresh = 1 << 30  # RFC 5681 section 3.1: "arbitrarily high"

    def initial_window(self) -> int:
        """RFC 6928 section 2: min (10*MSS, max (2*MSS, 14600))."""
        return min(self.initial_segments * self.mss, max(2 * self.mss, 14600))

    def pacing_rate(self, srtt_s: float | None) -> float | None:
        """The highest rate in octets a second, apart from bursts; None if it does not pace.

        inf means that the rate is not known yet: `srtt_s` is None before the first measurement.
        """
        return None

    def set_mss(self, mss: int) -> None:
        """SMSS has changed: the path takes smaller or larger packets."""
        self.cwnd = max(self.cwnd, mss)
        self.mss = mss

    def on_ack(self, acked: int, now: float, rtt_s: float) -> None:
        """`acked` new octets were acknowledged outside recovery. `rtt_s` is SRTT.

        It is called only while the window is in use: a window that is not filled must not grow.
        """

    def on_loss(self, flight: int, now: float) -> None:
        """A segment is lost, the first in this window. `flight` octets were outstanding."""

    def on_ecn(self, flight: int, now: float) -> None:
        """A router marked a packet instead of dropping it. `flight` octets were outstanding."""

    def on_duplicate_ack(self) -> None:
        """In recovery without SACK: one more segment has left the network."""

    def on_partial_ack(self, acked: int) -> None:
        """In recovery without SACK: `acked` octets were acknowledged, but not all of the loss."""

    def on_recovered(self, flight: int, now: float) -> None:
        """Without SACK: all octets that were outstanding at the loss are acknowledged."""

    def on_rto(self, flight: int, first: bool, now: float) -> None:
        """The retransmission timer expired; `first`: for the first time for this segment."""

    def on_spurious(self) -> None:
        """The last on_loss or on_rto was a mistake: nothing was lost."""

    def on_handshake_loss(self) -> None:
        """A SYN or SYN,ACK was retransmitted: the data phase begins with one segment."""

    def on_idle(self) -> None:
        """Nothing was sent for longer than the retransmission timeout."""
