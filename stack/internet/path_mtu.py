"""Path MTU discovery: MTUs of whole paths, smaller than the first link's, learned from routers.

See RFC 1191 sections 3 (floor), 6.2 (storing), 6.3 (ageing) and 7.1 (plateaus, for routers that do
not tell the MTU).
"""

from __future__ import annotations

import math

from stack.config import IpConfig

PLATEAUS = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
"""RFC 1191 table 7-1: MTUs that links are likely to have."""


def plateau_below(total_length: int, header_length: int, path_mtu: int) -> int:
    """The next plateau below the size of a datagram that did not pass (RFC 1191 section 5).

    Routers of the 4.2BSD family add the header's length to the total length that they quote. We
    have sent nothing larger than `path_mtu`, the estimate so far, in one piece. So a larger quote
    comes from such a router or is forged.
    """
    if total_length > path_mtu:
        total_length = min(total_length - header_length, path_mtu)
    for plateau in PLATEAUS:
        if plateau < total_length:
            return plateau
    return PLATEAUS[-1]


class PathMtus:
    """A bounded table of path MTUs by destination.

    The entry that expires first makes room for a new one.
    """

    def __init__(self, config: IpConfig) -> None:
        self.config = config
        # By destination: the MTU, when it expires, and whether DF must be left out. The entry that
        # expires first comes first.
        self._known: dict[bytes, tuple[int, float, bool]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def limit(self, destination: bytes, mtu: int) -> tuple[int, bool]:
        """The MTU for `destination` over a first link of `mtu`, and whether DF must be left out.

        DF is left out where not even packets of the floor's size pass, so that routers fragment
        them.
        """
        known = self._known.get(destination)
        return (mtu, False) if known is None else (min(mtu, known[0]), known[2])

    def lower(self, destination: bytes, mtu: int, now: float, for_s: float | None = None) -> bool:
        """Note that packets of more than `mtu` bytes do not pass; False when that changes nothing.

        The entry expires after `for_s` seconds, or after the configured time. An MTU is never
        raised, and never less than the configured floor. (RFC 1191 section 3 allows 68 bytes, which
        a forger could make us use.) If packets of the floor's size do not pass either, they go
        without DF ("by ceasing to set the Don't Fragment bit").
        """
        no_df = mtu < self.config.path_mtu_floor
        mtu = max(mtu, self.config.path_mtu_floor)
        known = self._known.get(destination)
        if known is not None and known[0] <= mtu and (known[2] or not no_df):
            return False
        self._known.pop(destination, None)
        while len(self._known) >= self.config.path_mtus_max:
            del self._known[next(iter(self._known))]
        expires = now + (self.config.path_mtu_timeout_s if for_s is None else for_s)
        self._known[destination] = (mtu, expires, no_df)
        if for_s is not None:
            self._known = dict(sorted(self._known.items(), key=lambda item: item[1][1]))
        return True

    @property
    def deadline(self) -> float:
        """When the next entry expires; math.inf for never."""
        for _, expires, _ in self._known.values():
            return expires
        return math.inf

    def on_deadline(self, now: float) -> list[bytes]:
        """Remove expired entries, so that a larger MTU can be found. Returns their destinations."""
        expired = []
        for destination, (_, expires, _) in self._known.items():
            if expires > now:
                break
            expired.append(destination)
        for destination in expired:
            del self._known[destination]
        return expired
