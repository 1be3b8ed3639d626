"""The memory budget of one host: what its connections and endpoints may hold.

It works like Linux's tcp_mem, with a share for each peer. TCP and UDP charge the memory that they
hold: a fixed amount for each connection and endpoint, and the text that is buffered. Each charge
counts for the host and for the peer (the remote address) that caused it. Below the pressure mark
there is no other limit. Above it the host is `tight`:

- A peer may hold at most a fraction of the memory that is left (`share_of_rest`). The less is left,
  the less a peer may hold. So one peer cannot use up everything, and many peers leave something for
  the next one. This is the "dynamic threshold" of shared-memory switches (Choudhury and Hahne,
  1998). It needs no count of the peers.
- A connection may always hold `least` octets in each direction. The fixed amount includes them, so
  nothing more is charged when they arrive.
- New connections are refused above the high mark, and to peers beyond their share.

`stack/tcp/memory.py` has the measures of TCP when the host is tight. See RFC 9293 section 3.8.6 and
RFC 2018 section 8.
"""

from __future__ import annotations

from typing import Any

from stack.config import HostConfig


class Budget:
    """The octets in use: `used` is the total, `peers[address]` what each peer has caused.

    `tight`: `used` is above the pressure mark. `peak` is the highest `used` since its owner last
    lowered `peak`. `out_of_order` holds the connections with text behind a gap, in the order in
    which their gaps appeared.

    TCP's `set_timers` and `after_read` change `used` and `peers` in place, because a call would
    cost more than the change. They call `crossed` when `used` has passed the pressure mark and
    `tight` must change.
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
        """Charge `octets` to `peer`; None stands for programs of this host.

        A negative number gives octets back.
        """
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
        """Change `tight`: `used` has passed the pressure mark, upwards or downwards.

        If pruning has freed nothing, `prune_at` lies above the mark, and stays there. Otherwise a
        sender whose datagrams move `used` up and down across the mark would cause a search through
        all connections with each datagram.
        """
        self.tight = self.used > self.pressure
        self.prune_at = min(self.prune_at, self.pressure + (self.total >> 6))

    def left(self, peer: bytes) -> int:
        """How many more octets a peer may hold while the host is tight; 0 beyond its share."""
        rest = self.total - self.used
        return max(min(int(rest * self.share_of_rest) - self.peers.get(peer, 0), rest), 0)

    def tables(self) -> dict[str, int]:
        """The budget's part of `Host.tables`."""
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
        """Whether one more connection would exceed the high mark."""
        return self.used + self.connection > self.high
