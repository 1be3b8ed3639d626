"""The memory that connections and endpoints of one host hold, and the bounds on it: Linux's tcp_mem, with shares.

TCP and UDP charge what they hold: a fixed amount for each connection and endpoint, and the memory of text that waits.
Each charge counts for the host and for the peer (the remote address) that caused it. Below the pressure mark nothing
else happens. Above it the host is `tight`:

- A peer may hold at most a fraction of what is left (`share_of_rest`). The fewer octets are left, the less a peer may
  hold, so that one peer cannot use up everything, and many peers leave something to the next one. This is the "dynamic
  threshold" of shared-memory switches (Choudhury and Hahne, 1998); it needs no count of the peers.
- A connection may always hold `least` octets in each direction. They are part of its fixed amount, so that they need no
  further room when they arrive.
- New connections are refused above the high mark, and to peers beyond their share.

`stack/tcp/memory.py` has what TCP does then. See RFC 9293 section 3.8.6 and RFC 2018 section 8.
"""

from __future__ import annotations

from typing import Any

from stack.config import HostConfig


class Budget:
    """What is used, in octets: `used` by all, `peers[address]` by each peer that has anything charged.

    `tight`: `used` is above the pressure mark. `peak` is the highest `used` since `peak` was last set to less.
    `out_of_order` holds the connections with text behind a gap, in the order in which their gaps appeared.

    TCP's `set_timers` changes `used` and `peers` in place, since a call would cost more than the change. It calls
    `crossed` when `used` has passed the pressure mark and `tight` must change.
    """

    __slots__ = (
        "connection", "endpoint", "half_open", "high", "least", "out_of_order", "peak", "peers", "prepaid",
        "pressure", "prune_at", "share_of_rest", "tight", "total", "used",
    )  # fmt: skip

    def __init__(self, config: HostConfig | None = None) -> None:
        config = config or HostConfig()
        self.total = config.DEFAULT_MEMORY_BYTES if config.memory_bytes is None else config.memory_bytes
        self.pressure = int(self.total * config.memory_pressure)
        self.high = int(self.total * config.memory_high)
        self.share_of_rest = config.memory_share
        self.connection = config.connection_bytes
        self.half_open = config.half_open_bytes
        self.endpoint = config.endpoint_bytes
        self.least = config.least_buffer_bytes
        self.prepaid = 2 * self.least
        self.used = 0
        self.peak = 0
        self.peers: dict[bytes, int] = {}
        self.tight = False
        self.out_of_order: dict[Any, None] = {}
        self.prune_at = self.pressure

    def charge(self, peer: bytes | None, octets: int) -> None:
        """Charge `octets` (negative: give back) to `peer`, or to this host's own program if it is None."""
        if self.used > self.peak:
            self.peak = self.used
        if peer is not None:
            held = self.peers.get(peer, 0) + octets
            if held:
                self.peers[peer] = held
            else:
                self.peers.pop(peer, None)
        self.used += octets
        if (self.used > self.pressure) is not self.tight:
            self.crossed()

    def crossed(self) -> None:
        """`used` has passed the pressure mark.

        After pruning that has led to nothing `prune_at` lies above the mark, and stays there: a sender whose datagrams
        carry the use across the mark, one after another, would have all connections searched for each.
        """
        self.tight = self.used > self.pressure
        self.prune_at = min(self.prune_at, self.pressure + (self.total >> 6))

    def left(self, peer: bytes) -> int:
        """How many more octets a peer may hold while the host is tight; 0 when it is beyond its share."""
        rest = self.total - self.used
        return max(min(int(rest * self.share_of_rest) - self.peers.get(peer, 0), rest), 0)

    def tables(self) -> dict[str, int]:
        """Its part of `Host.tables`."""
        return {
            "memory_bytes": self.used,
            "memory_peers": len(self.peers),
            "memory_behind_gaps": len(self.out_of_order),
        }

    def refuses(self, peer: bytes) -> bool:
        """Whether the high mark or this peer's share forbids a new connection."""
        full = self.used + self.connection > self.high  # `full`, without a call
        return full or (self.tight and self.left(peer) < self.connection)

    @property
    def full(self) -> bool:
        """One connection more would be above the high mark."""
        return self.used + self.connection > self.high
