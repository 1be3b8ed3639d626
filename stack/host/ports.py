"""Ephemeral ports that an attacker cannot guess, and which of several sockets gets a flow.

See RFC 6056, and SO_REUSEPORT in socket(7).

This is algorithm 3 ("simple hash-based"). Ports for one destination are taken one after another, so
that a port is not used again soon. A keyed hash of the destination decides where the sequence
begins, so that it reveals nothing about the ports for other destinations.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s

from stack.config import HostConfig


class EphemeralPorts:
    """Chooses ports in the range of `HostConfig`. `random(n)` returns n secret bytes."""

    def __init__(self, config: HostConfig, random: Callable[[int], bytes]) -> None:
        self._first = config.ephemeral_first
        self._count = config.ephemeral_last - config.ephemeral_first + 1
        self._service_ports = frozenset(config.service_ports)
        self._secret = random(16)
        self._next = int.from_bytes(random(2), "big")

    def choose(self, flow: bytes, in_use: Callable[[int], bool]) -> int | None:
        """A free port, or None.

        `flow` has the local address, and the remote address and port if they are known.
        """
        digest = blake2s(flow, key=self._secret, digest_size=4).digest()
        offset = int.from_bytes(digest, "big")
        for _ in range(self._count):
            port = self._first + (offset + self._next) % self._count
            self._next += 1
            if port not in self._service_ports and not in_use(port):
                return port
        return None

    def spread(self, flow: bytes, count: int) -> int:
        """A number under `count` for a flow, always the same: which of several sockets gets it.

        A peer cannot choose its port so that one socket gets everything.
        """
        digest = blake2s(flow, key=self._secret, person=b"spread", digest_size=4).digest()
        return int.from_bytes(digest, "big") * count >> 32
