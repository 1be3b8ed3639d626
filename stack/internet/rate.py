"""How many ICMP errors may be sent: so many per peer, and so many in all.

See RFC 1812 section 4.3.2.8. The peer's own budget is asked first: a peer that provokes a flood of errors uses up its
own and leaves that of all to the others, who can then learn nothing about it (RFC 6056's and 5961's side channels).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """`rate` tokens a second drop in, up to `burst` of them."""

    rate: float
    burst: float
    tokens: float
    filled_at: float

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class RateLimit:
    """A bucket for every peer, in a bounded table (the least recently used makes room), and one for all."""

    def __init__(self, per_peer: tuple[float, float], overall: tuple[float, float], peers_max: int) -> None:
        """`per_peer` and `overall` are (tokens per second, burst)."""
        self._per_peer = per_peer
        self._overall = TokenBucket(overall[0], overall[1], overall[1], 0.0)
        self._peers_max = peers_max
        self._peers: dict[bytes, TokenBucket] = {}

    def __len__(self) -> int:
        return len(self._peers)

    def allow(self, peer: bytes, now: float) -> bool:
        """Whether one more may go to `peer` now; it is taken from both budgets."""
        bucket = self._peers.pop(peer, None)
        if bucket is None:
            rate, burst = self._per_peer
            bucket = TokenBucket(rate, burst, burst, now)
            while len(self._peers) >= self._peers_max:
                del self._peers[next(iter(self._peers))]
        self._peers[peer] = bucket
        return bucket.take(now) and self._overall.take(now)
