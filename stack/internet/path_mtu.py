"""What is known of the MTU of whole paths: smaller than the first link's, learned from routers.

See RFC 1191 sections 3 (floor), 6.2 (storing), 6.3 (ageing) and 7.1 (plateaus, for routers that do not tell the MTU).
"""

from __future__ import annotations

import math

from stack.config import IpConfig

PLATEAUS = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
"""RFC 1191 table 7-1: MTUs that links are likely to have."""


def plateau_below(total_length: int, header_length: int, path_mtu: int) -> int:
    """The next likely MTU under the size of a datagram that did not pass (RFC 1191 section 5).

    Routers of the 4.2BSD family quote the total length with the header's added to it. Nothing larger than `path_mtu`,
    the estimate until now, was sent in one piece, so a larger quote comes from such a router or is forged.
    """
    if total_length > path_mtu:
        total_length = min(total_length - header_length, path_mtu)
    for plateau in PLATEAUS:
        if plateau < total_length:
            return plateau
    return PLATEAUS[-1]


class PathMtus:
    """A bounded table: destination to (MTU, when to forget it, whether routers must cut). The oldest makes room."""

    def __init__(self, config: IpConfig) -> None:
        self.config = config
        self._known: dict[bytes, tuple[int, float, bool]] = {}  # the earliest to be forgotten first

    def __len__(self) -> int:
        return len(self._known)

    def limit(self, destination: bytes, mtu: int) -> tuple[int, bool]:
        """The MTU to use for `destination` over a first link of `mtu`.

        Also whether routers on the way must cut datagrams as large as the floor: no DF.
        """
        known = self._known.get(destination)
        return (mtu, False) if known is None else (min(mtu, known[0]), known[2])

    def lower(self, destination: bytes, mtu: int, now: float, for_s: float | None = None) -> bool:
        """Only `mtu` bytes pass, for `for_s` seconds or as long as configured; False when that changes nothing.

        Never below the configured floor (RFC 1191 section 3 has 68; attackers would like that), never up. Where even
        that does not pass, packets of the floor's size go without DF ("by ceasing to set the Don't Fragment bit").
        """
        cut = mtu < self.config.path_mtu_floor
        mtu = max(mtu, self.config.path_mtu_floor)
        known = self._known.get(destination)
        if known is not None and known[0] <= mtu and (known[2] or not cut):
            return False
        self._known.pop(destination, None)
        while len(self._known) >= self.config.path_mtus_max:
            del self._known[next(iter(self._known))]
        expires = now + (self.config.path_mtu_timeout_s if for_s is None else for_s)
        self._known[destination] = (mtu, expires, cut)
        if for_s is not None:
            self._known = dict(sorted(self._known.items(), key=lambda item: item[1][1]))
        return True

    @property
    def deadline(self) -> float:
        """When the next entry is to be forgotten; math.inf for never."""
        for _, expires, _ in self._known.values():
            return expires
        return math.inf

    def on_deadline(self, now: float) -> list[bytes]:
        """Forget what is old, so that a larger MTU is found if there is one; the destinations concerned."""
        expired = []
        for destination, (_, expires, _) in self._known.items():
            if expires > now:
                break
            expired.append(destination)
        for destination in expired:
            del self._known[destination]
        return expired
