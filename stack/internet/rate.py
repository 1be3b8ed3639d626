"""The rate limit of ICMP errors: a budget for each peer, and one for all of them.

See RFC 1812 section 4.3.2.8. The peer's own budget is used first. A peer that provokes a flood of
errors uses up its own budget, and the budget of all remains for the others.

The budget of all is shared, so an attacker can measure what others have used of it (a side channel,
as in RFC 5961 and RFC 6056). With datagrams from forged addresses it uses up all but a few errors.
Then it sends a datagram to a port of ours with a third host's address as the source, and counts the
errors that it still gets itself. One fewer means that the third host was sent an error. So an error
takes zero, one or two tokens at random, as in Linux since CVE-2020-25705, and one error more or
less cannot be seen.

The table of peers is shared too, so a random entry makes room for a new one. If it were the oldest,
a peer whose budget is used up would see from its new budget that another peer has come in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """A bucket that gains `rate` tokens a second, up to `burst` tokens."""

    rate: float
    burst: float
    tokens: float
    filled_at: float

    def take(self, now: float, count: float = 1.0) -> bool:
        """Whether there is a token. If there is, take `count` tokens, or all if there are fewer."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1.0:
            return False
        self.tokens = max(0.0, self.tokens - count)
        return True


class RateLimit:
    """A token bucket for each peer, in a bounded table, and one for all peers."""

    def __init__(
        self,
        per_peer: tuple[float, float],
        overall: tuple[float, float],
        peers_max: int,
        random: Callable[[int], bytes],
    ) -> None:
        """`per_peer` and `overall` are (tokens per second, burst).

        `random(n)` returns n secret bytes.
        """
        self._per_peer = per_peer
        self._overall = TokenBucket(overall[0], overall[1], overall[1], 0.0)
        self._peers_max = peers_max
        self._random = random
        self._peers: dict[bytes, TokenBucket] = {}
        self._places: list[bytes] = []  # the keys of `_peers`, for a random choice

    def __len__(self) -> int:
        return len(self._peers)

    def allow(self, peer: bytes, now: float) -> bool:
        """Whether one more error may be sent to `peer` now.

        If so, it is taken from both budgets.
        """
        bucket = self._peers.get(peer)
        if bucket is not None and not bucket.take(now):
            return False
        if not self._overall.take(now, self._random(1)[0] % 3):
            return False
        if bucket is None:  # made only now, since a new peer that was refused still has its whole budget
            rate, burst = self._per_peer
            bucket = TokenBucket(rate, burst, burst, now)
            bucket.take(now)
            self._remember(peer, bucket)
        return True

    def _remember(self, peer: bytes, bucket: TokenBucket) -> None:
        if len(self._places) < self._peers_max:
            self._places.append(peer)
        else:
            place = int.from_bytes(self._random(4), "big") % len(self._places)
            del self._peers[self._places[place]]
            self._places[place] = peer
        self._peers[peer] = bucket
