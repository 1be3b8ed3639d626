"""Proportional rate reduction: how much each ACK in recovery allows to be sent.

The rate falls evenly to ssthresh. See RFC 6937 section 3; the reduction bound is the slow-start one
(PRR-SSRB). All amounts are octets.
"""

from __future__ import annotations


class Prr:
    """prr_delivered, prr_out and RecoverFS; `allowance` is sndcnt less what was sent since."""

    __slots__ = ("allowance", "delivered", "out", "recover_fs")

    def __init__(self, flight: int, mss: int) -> None:
        """Recovery begins with `flight` octets outstanding. The first retransmission may go now."""
        self.delivered = self.out = 0
        self.recover_fs = max(flight, 1)
        self.allowance = mss

    def on_ack(self, delivered: int, pipe: int, ssthresh: int, mss: int) -> None:
        """This ACK acknowledges or SACKs `delivered` octets; `pipe` octets are in the network."""
        self.delivered += delivered
        if pipe > ssthresh:
            allowed = -(-self.delivered * ssthresh // self.recover_fs) - self.out
        else:
            allowed = min(ssthresh - pipe, max(self.delivered - self.out, delivered) + mss)
        self.allowance = max(allowed, 0)

    def sent(self, octets: int) -> None:
        """Account for `octets` that were sent, for the first time or again."""
        self.out += octets
        self.allowance = max(self.allowance - octets, 0)
