"""Ephemeral ports that an outsider cannot guess. See RFC 6056.

Algorithm 3 ("simple hash-based"): for one destination ports are taken one after another, which keeps a port from being
used again soon; where the sequence begins is a keyed hash of the destination, so that it says nothing to others.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s

from stack.config import HostConfig


class EphemeralPorts:
    """Give it at birth: the range (`HostConfig`), and `random(n)`, which returns n secret bytes."""

    def __init__(self, config: HostConfig, random: Callable[[int], bytes]) -> None:
        self._first = config.ephemeral_first
        self._count = config.ephemeral_last - config.ephemeral_first + 1
        self._services = frozenset(config.service_ports)
        self._secret = random(16)
        self._next = int.from_bytes(random(2), "big")

    def choose(self, flow: bytes, in_use: Callable[[int], bool]) -> int | None:
        """A free port for `flow` (local address, remote address and port; less where less is known), or None."""
        digest = blake2s(flow, key=self._secret, digest_size=4).digest()
        offset = int.from_bytes(digest, "big")
        for _ in range(self._count):
            port = self._first + (offset + self._next) % self._count
            self._next += 1
            if port not in self._services and not in_use(port):
                return port
        return None
