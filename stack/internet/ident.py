"""The Identification field of datagrams that may be fragmented.

See RFC 6864 section 4.3 (unique per source, destination and protocol while a datagram may be alive)
and RFC 6274 section 3.5 (a single counter tells any peer how much we send to others). Atomic
datagrams, which must not be fragmented, need no Identification and carry 0 (RFC 6864 section 4.1).

As in RFC 7739 section 5.3, a keyed hash of addresses and protocol chooses a counter from a fixed
table, and an offset to add to it. The peer of a flow sees the steps of that flow's counter. It
learns nothing about other flows, except the few that share the counter. An attacker with a thousand
addresses will have one that shares the counter of a victim's flow. Any host can make us send errors
and resets, so these use no counter: a step would tell the attacker that the victim was sent one.

The rate is not limited to 65,536 datagrams per lifetime (RFC 6864 section 5.2). Only UDP and ICMP
datagrams may be fragmented here, and their checksums are always on. In that case the same section
allows values to be reused sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from struct import unpack

_COUNTERS = 1024
RANDOM_FLOW = -1
"""The index of the counter of random identifications: the last one."""


class Identifications:
    """The counters. `random(n)` returns n secret bytes."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._key = random(16)
        # The last counter is for random identifications: a random offset is added to it.
        self._counters: list[int] = [*unpack(f">{_COUNTERS}H", random(2 * _COUNTERS)), 0]

    def flow(self, source: bytes, destination: bytes, protocol: int) -> tuple[int, int]:
        """The index of the flow's counter, and the offset that it adds.

        Computed once per path, for `next`.
        """
        digest = blake2b(source + destination + bytes((protocol,)), digest_size=4, key=self._key).digest()
        return int.from_bytes(digest[:2], "big") % _COUNTERS, int.from_bytes(digest[2:], "big")

    def random_flow(self) -> tuple[int, int]:
        """A flow for a single error or reset: its identification is random.

        Such a datagram is too short to be fragmented on any usual path.
        """
        return RANDOM_FLOW, int.from_bytes(self._random(2), "big")

    def next(self, flow: tuple[int, int]) -> int:
        """The identification of the flow's next datagram.

        A value comes again only after all 65,536 have come.
        """
        index, offset = flow
        value = self._counters[index]
        self._counters[index] = (value + 1) & 0xFFFF
        return (value + offset) & 0xFFFF
