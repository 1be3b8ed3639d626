"""Congestion control policies. Each owns its numbers and imports nothing of ours; TCP chooses one by name.

A policy is asked for `cwnd` (octets that may be in flight) and told what happened, in octets and seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .cubic import Cubic
from .reno import Reno


class Congestion(Protocol):
    """RFC 5681 section 2's variables and the events that move them. All amounts are octets; `mss` is SMSS."""

    mss: int
    cwnd: int
    ssthresh: int

    def pacing_rate(self, srtt_s: float | None) -> float | None:
        """Octets a second that may be sent at the most, bursts aside; None when this policy does not pace.

        inf is for a rate that is not known yet, as `srtt_s` is None before anything was measured.
        """

    def set_mss(self, mss: int) -> None:
        """SMSS has changed: the path takes smaller or larger packets."""

    def on_ack(self, acked: int, now: float, rtt_s: float) -> None:
        """`acked` new octets were acknowledged outside loss recovery, with the window in use. `rtt_s` is SRTT."""

    def on_loss(self, flight: int, now: float) -> None:
        """A segment is lost, the first in this window. `flight` octets were outstanding."""

    def on_ecn(self, flight: int, now: float) -> None:
        """A router has marked a packet instead of losing it. `flight` octets were outstanding."""

    def on_duplicate_ack(self) -> None:
        """In recovery without SACK: one more segment has left the network."""

    def on_partial_ack(self, acked: int) -> None:
        """In recovery without SACK: `acked` octets were acknowledged, but not all that was outstanding at the loss."""

    def on_recovered(self, flight: int, now: float) -> None:
        """Without SACK: all that was outstanding at the loss is acknowledged."""

    def on_rto(self, flight: int, first: bool, now: float) -> None:
        """The retransmission timer expired; `first` says whether for the first time for this segment."""

    def on_spurious(self) -> None:
        """What the last on_loss or on_rto was about did not happen: nothing was lost."""

    def on_handshake_loss(self) -> None:
        """A SYN or SYN,ACK had to be sent again: the data phase begins with one segment."""

    def on_idle(self) -> None:
        """Nothing was sent for longer than the retransmission timeout."""


POLICIES: dict[str, Callable[[int, int, bool], Congestion]] = {"cubic": Cubic, "reno": Reno}
