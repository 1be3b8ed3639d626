"""Slots for connections: a number in all, and a share for each address.

A client that sends its requests byte by byte ("slow loris"), or does not read the answers, has no
costs and could keep all others out. Two rules prevent that. Each address has a share of the slots.
And when no slot is free, a new connection takes the slot of the connection that has waited longest
for its client, if it has waited for `GRACE_S` or more: by then an honest client has sent its
request, or has read a part of the answer. The second rule also helps clients that share one
address, behind a NAT.
"""

from __future__ import annotations

from collections import OrderedDict

import trio

GRACE_S = 1.0  # a connection that waits for its client keeps its slot at least this long


class Shares:
    """Counts `most` things, of which the clients of one address hold at most `share`."""

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
        """Take one for a client of this address. False when none is free for it."""
        if self.is_full() or not self.has_share(address):
            return False
        self.count += 1
        self._held[address] = self._held.get(address, 0) + 1
        return True

    def give_back(self, address: str) -> None:
        """Give back one that this address has taken."""
        self.count -= 1
        self._held[address] -= 1
        if not self._held[address]:
            del self._held[address]


class Slot:
    """The slot of a connection, or of a file that it is sent. Losing the slot cancels `scope`."""

    __slots__ = ("address", "held", "scope", "since")

    def __init__(self, address: str, scope: trio.CancelScope) -> None:
        self.address = address
        self.scope = scope
        self.held = True
        self.since = 0.0


class Slots:
    """`most` slots, of which the clients of one address hold at most `share`."""

    def __init__(self, most: int, share: int, *, grace_s: float = GRACE_S) -> None:
        self._shares = Shares(most, share)
        self._grace_s = grace_s
        self._waiting: OrderedDict[Slot, None] = OrderedDict()  # the longest wait first
        self._waiting_of: dict[str, OrderedDict[Slot, None]] = {}

    def __len__(self) -> int:
        return self._shares.count

    def take(self, address: str, scope: trio.CancelScope | None = None) -> Slot | None:
        """Return a new slot, if need be that of a connection that waits for its client, or None."""
        if not self._shares.has_share(address):
            candidates = self._waiting_of.get(address)
        elif self._shares.is_full():
            candidates = self._waiting
        else:
            candidates = None
        if candidates:
            longest = next(iter(candidates))
            if trio.current_time() - longest.since >= self._grace_s:
                self.give_back(longest)
                longest.scope.cancel()
        return Slot(address, scope or trio.CancelScope()) if self._shares.take(address) else None

    def give_back(self, slot: Slot) -> None:
        """Release the slot: the connection has ended, or loses its slot to another."""
        if slot.held:
            self.mark_working(slot)
            slot.held = False
            self._shares.give_back(slot.address)

    def mark_waiting(self, slot: Slot) -> None:
        """From now on the connection waits for its client, to send a request or to read an answer."""
        if slot.held:
            slot.since = trio.current_time()
            self._waiting[slot] = None
            self._waiting.move_to_end(slot)
            same = self._waiting_of.setdefault(slot.address, OrderedDict())
            same[slot] = None
            same.move_to_end(slot)

    def mark_working(self, slot: Slot) -> None:
        """The connection does not wait for its client now: its answer is being made."""
        if slot in self._waiting:
            del self._waiting[slot]
            same = self._waiting_of[slot.address]
            del same[slot]
            if not same:
                del self._waiting_of[slot.address]
