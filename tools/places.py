"""Places for clients: so many in all, so many for each address, and those that only wait give way to new ones.

A client that opens connections and sends its requests byte by byte ("slow loris") spends nothing and would keep all
others out. It is met in two ways. An address has a share of the places. And a connection that has waited for its
request for `GRACE_S` gives its place to a new one, the longest wait first, where there is no other: a client in earnest
has sent its request by then. That helps where all clients share one address, too, behind a NAT.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import trio

GRACE_S = 1.0  # a connection that waits for its request keeps its place for so long


class Shares:
    """`most` things, of which the clients of one address hold `share` at most."""

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self._held: dict[str, int] = {}
        self.count = 0

    def has_share(self, address: str) -> bool:
        """Whether this address holds less than its share."""
        return self._held.get(address, 0) < self._share

    def is_full(self) -> bool:
        """Whether all are taken."""
        return self.count >= self._most

    def take(self, address: str) -> bool:
        """Take one for a client of this address; False where it may not be."""
        if self.is_full() or not self.has_share(address):
            return False
        self.count += 1
        self._held[address] = self._held.get(address, 0) + 1
        return True

    def give_back(self, address: str) -> None:
        """One that was taken is free again."""
        self.count -= 1
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]


class Place:
    """One connection's place. `scope` is the wait for a request in which it may be taken away."""

    __slots__ = ("address", "held", "scope", "since")

    def __init__(self, address: str) -> None:
        self.address = address
        self.held = True
        self.scope: trio.CancelScope | None = None
        self.since = 0.0


class Places:
    """The places for connections to one service."""

    def __init__(self, most: int, share: int) -> None:
        self._shares = Shares(most, share)
        self._waiting: OrderedDict[Place, None] = OrderedDict()
        self._waiting_of: dict[str, OrderedDict[Place, None]] = {}

    def __len__(self) -> int:
        return self._shares.count

    def take(self, address: str) -> Place | None:
        """A place for a new connection, perhaps that of one that waits for its request; None where there is none."""
        if not self._shares.has_share(address):
            candidates = self._waiting_of.get(address)
        elif self._shares.is_full():
            candidates = self._waiting
        else:
            candidates = None
        if candidates:
            longest = next(iter(candidates))
            if trio.current_time() - longest.since >= GRACE_S:
                self._take_away(longest)
        return Place(address) if self._shares.take(address) else None

    def give_back(self, place: Place) -> None:
        """The connection has ended, or its place was taken away before."""
        if place.held:
            place.held = False
            self._shares.give_back(place.address)

    @contextmanager
    def waiting(self, place: Place, seconds: float) -> Iterator[None]:
        """The block waits for a request: it ends after so long, or when another connection needs the place."""
        place.since = trio.current_time()
        with trio.CancelScope(deadline=place.since + seconds) as place.scope:
            self._waiting[place] = None
            self._waiting_of.setdefault(place.address, OrderedDict())[place] = None
            try:
                yield
            finally:
                self._waits_no_more(place)

    def _waits_no_more(self, place: Place) -> None:
        if place in self._waiting:
            del self._waiting[place]
            same = self._waiting_of[place.address]
            del same[place]
            if not same:
                del self._waiting_of[place.address]

    def _take_away(self, place: Place) -> None:
        self._waits_no_more(place)
        self.give_back(place)
        if place.scope is not None:
            place.scope.cancel()
