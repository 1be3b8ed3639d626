"""Places for clients: a number in all and a share for each address. Connections that only wait give way to new ones.

A client that sends its requests or their bodies byte by byte ("slow loris"), or does not read the answers, spends
nothing and would keep all others out. Two rules prevent that. An address has a share of the places. And when no place
is free, a new connection takes the place of the one that has waited longest for its client, if that is `GRACE_S` or
more: an honest client has sent its request by then, or has read a part of the answer. The second rule also helps
clients that share one address, behind a NAT.
"""

from __future__ import annotations

from collections import OrderedDict

import trio

GRACE_S = 1.0  # a connection that waits for its client keeps its place for so long


class Shares:
    """`most` things, of which the clients of one address hold at most `share`."""

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
        """Take one for a client of this address; False when there is none for it."""
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
    """One connection's place, or that of a file that it is sent. `scope` is cancelled when it is taken away."""

    __slots__ = ("address", "held", "scope", "since")

    def __init__(self, address: str, scope: trio.CancelScope) -> None:
        self.address = address
        self.scope = scope
        self.held = True
        self.since = 0.0


class Places:
    """`most` places, of which the clients of one address hold `share` at most."""

    def __init__(self, most: int, share: int) -> None:
        self._shares = Shares(most, share)
        self._waiting: OrderedDict[Place, None] = OrderedDict()  # the longest wait first
        self._waiting_of: dict[str, OrderedDict[Place, None]] = {}

    def __len__(self) -> int:
        return self._shares.count

    def take(self, address: str, scope: trio.CancelScope | None = None) -> Place | None:
        """A new place, perhaps that of a connection that waits for its client; None where there is none."""
        if not self._shares.has_share(address):
            candidates = self._waiting_of.get(address)
        elif self._shares.is_full():
            candidates = self._waiting
        else:
            candidates = None
        if candidates:
            longest = next(iter(candidates))
            if trio.current_time() - longest.since >= GRACE_S:
                self.give_back(longest)
                longest.scope.cancel()
        return Place(address, scope or trio.CancelScope()) if self._shares.take(address) else None

    def give_back(self, place: Place) -> None:
        """The connection has ended, or its place is taken away."""
        if place.held:
            self.works(place)
            place.held = False
            self._shares.give_back(place.address)

    def waits(self, place: Place) -> None:
        """From now on its client is waited for: for a request, or to read the next part of an answer."""
        if place.held:
            place.since = trio.current_time()
            self._waiting[place] = None
            self._waiting.move_to_end(place)
            same = self._waiting_of.setdefault(place.address, OrderedDict())
            same[place] = None
            same.move_to_end(place)

    def works(self, place: Place) -> None:
        """Its client is not waited for now: what it has asked for is being made."""
        if place in self._waiting:
            del self._waiting[place]
            same = self._waiting_of[place.address]
            del same[place]
            if not same:
                del self._waiting_of[place.address]
