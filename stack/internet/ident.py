"""The Identification field of datagrams that may be fragmented.

See RFC 6864 section 4.3 (unique per source, destination and protocol while a datagram may be alive) and RFC 6274
section 3.5 (why a single counter tells strangers how much we send to others). Atomic datagrams, which no one
may fragment, need none and carry 0 (RFC 6864 section 4.1).

As in RFC 7739 section 5.3, a keyed hash of addresses and protocol picks a counter out of a fixed table and an offset
to add to it: a flow sees its own steps, and learns nothing about those of others, but for the few that have the same
counter. A watcher with a thousand addresses has one that shares the counter of a victim's flow. So what strangers make
us send at will, errors and resets, uses no such counter: a step would tell the watcher that the victim was sent one.

The rate is not limited to 65,536 datagrams per lifetime, as RFC 6864 section 5.2 would have it: what may be fragmented
here is UDP and ICMP, whose checksums are always on, which the same section takes as leave to reuse values sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from struct import unpack

_COUNTERS = 1024


class Identifications:
    """Give it `random(n)`, which returns n secret bytes."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._key = random(16)
        # The last one is for datagrams that stand alone.
        self._counters: list[int] = [*unpack(f">{_COUNTERS}H", random(2 * _COUNTERS)), 0]

    def flow(self, source: bytes, destination: bytes, protocol: int) -> tuple[int, int]:
        """Which counter a flow uses, and what it adds to it: computed once per path, for `next`."""
        digest = blake2b(source + destination + bytes((protocol,)), digest_size=4, key=self._key).digest()
        return int.from_bytes(digest[:2], "big") % _COUNTERS, int.from_bytes(digest[2:], "big")

    def alone(self) -> tuple[int, int]:
        """For one error or reset, which is too short to be fragmented on any usual path: a random identification."""
        return _COUNTERS, int.from_bytes(self._random(2), "big")

    def next(self, flow: tuple[int, int]) -> int:
        """The identification of the flow's next datagram: all 65,536 values come before one comes again."""
        index, offset = flow
        value = self._counters[index]
        self._counters[index] = (value + 1) & 0xFFFF
        return (value + offset) & 0xFFFF
