"""An address for an interface that nobody gives one: chosen by chance from 169.254/16, claimed, and left again.

See RFC 3927: section 2.1 (selection), 2.2 (claiming), 2.5 (conflicts) and 1.9 (beside a routable address). Probing,
announcing and defending are the same as for any address (RFC 5227) and asked for below.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum
from hashlib import blake2s
from typing import Protocol

from stack.config import AcdConfig, LinkLocalConfig
from stack.wire.addresses import is_link_local

LINK_LOCAL_LENGTH = 16
"""RFC 3927 section 2.8: the prefix is never divided into subnets."""

_FIRST = 0xA9FE0100
_COUNT = 0xFE00
"""169.254.1.0 to 169.254.254.255: the first and the last 256 addresses are reserved (section 2.1)."""


class State(IntEnum):
    """Where an interface stands with its link-local address."""

    OFF = 0
    CLAIMING = 1
    """An address is being probed for, or, after too many conflicts, waits to be."""
    HELD = 2
    LEAVING = 3
    """There is a routable address now: the other one serves the communication under way, and no new one."""


class Below(Protocol):
    """What is asked of the host."""

    def probe(self, address: bytes, now: float) -> None:
        """Find out whether anybody has `address`; the answer comes by `LinkLocal.probed`, maybe at once."""

    def cancel_probe(self, address: bytes, now: float) -> None:
        """The answer is not wanted any more."""

    def claimed(self, address: bytes, now: float) -> None:
        """Nobody has it: use it with a prefix of 16 bits, announce it, defend it; conflicts go to `conflict`."""

    def left(self, address: bytes, now: float) -> None:
        """Use it no longer. Not called after `conflict`, when it has gone already."""

    def in_use(self, address: bytes) -> bool:
        """Whether some communication under way depends on it."""


def candidate(mac: bytes, number: int) -> bytes:
    """The `number`-th address that an interface tries: by chance, but the same for the same station at every boot.

    Every address has the same chance, and no two stations go through the same sequence (section 2.1).
    """
    digest = blake2s(number.to_bytes(8, "big"), key=mac, digest_size=8, person=b"RFC 3927").digest()
    return (_FIRST + int.from_bytes(digest, "big") % _COUNT).to_bytes(4, "big")


def may_be_chosen(address: bytes) -> bool:
    """Whether an address is link-local and none of the reserved ones."""
    return _FIRST <= int.from_bytes(address, "big") < _FIRST + _COUNT and is_link_local(address)


def _nothing() -> None:
    pass


class LinkLocal:
    """Give it at birth: configurations, the interface's 6-byte station address, and what is below.

    `state`; `address`: the one in use, None unless HELD or LEAVING; `deadline`: when `on_deadline` is due;
    `reschedule`, to be set: called when `deadline` has moved earlier; `conflicts`: how many there have been.
    """

    def __init__(self, config: LinkLocalConfig, acd: AcdConfig, mac: bytes, below: Below) -> None:
        self.state = State.OFF
        self.address: bytes | None = None
        self.deadline = math.inf
        self.conflicts = 0
        self.reschedule: Callable[[], None] = _nothing
        self._config = config
        self._acd = acd
        self._mac = mac
        self._below = below
        self._number = 0
        self._wanted: bytes | None = None
        self._remembered: bytes | None = None
        self._tried_at = -math.inf

    # --- what the host says

    def start(self, now: float, remembered: bytes | None = None) -> None:
        """No routable address can be had: claim one of these.

        First of all the address that the interface had last, or `remembered`, which it had in an earlier life (section
        2.1). Nothing happens while one is claimed or held; one that is being left is kept.
        """
        if self.state is State.LEAVING:
            self.state = State.HELD
            self.deadline = math.inf
        if self.state is not State.OFF:
            return
        if remembered is not None and self._remembered is None and may_be_chosen(remembered):
            self._remembered = remembered
        self.state = State.CLAIMING
        self._try_next(now)

    def routable(self, now: float) -> None:
        """The interface has a routable address: leave this one, as soon as nothing under way needs it (section 1.9)."""
        if self.state is State.CLAIMING:
            self.stop(now)
        elif self.state is State.HELD:
            self.state = State.LEAVING
            self._leave_if_unused(now)

    def stop(self, now: float) -> None:
        """Leave at once, whatever is under way."""
        wanted, self._wanted = self._wanted, None
        address, self.address = self.address, None
        self.state = State.OFF
        self.deadline = math.inf
        if wanted is not None:
            self._below.cancel_probe(wanted, now)
        if address is not None:
            self._below.left(address, now)

    def probed(self, address: bytes, conflict: bytes | None, now: float) -> None:
        """The answer to `Below.probe`: the station that has the address, or None. Old answers are ignored."""
        if self.state is not State.CLAIMING or address != self._wanted:
            return
        self._wanted = None
        if conflict is not None:
            self._conflict(now)
            return
        self.state = State.HELD
        self.address = self._remembered = address
        self._below.claimed(address, now)

    def conflict(self, address: bytes, now: float) -> None:
        """Another host insists on the address, which has gone: choose another (section 2.5), unless we were leaving."""
        if self.address is None or address != self.address:
            return
        self.address = None
        if self.state is State.LEAVING:
            self.state = State.OFF
            self.deadline = math.inf
            self._remembered = None
            self.conflicts += 1
            return
        self.state = State.CLAIMING
        self._conflict(now)

    def on_deadline(self, now: float) -> None:
        """Try the next address, or look whether the old one is still needed."""
        if now < self.deadline:
            return
        self.deadline = math.inf
        if self.state is State.CLAIMING:
            self._try(now)
        elif self.state is State.LEAVING:
            self._leave_if_unused(now)

    # --- choosing

    def _conflict(self, now: float) -> None:
        self.conflicts += 1
        self._remembered = None
        self._try_next(now)

    def _try_next(self, now: float) -> None:
        """At once; but after MAX_CONFLICTS conflicts only one address per RATE_LIMIT_INTERVAL (section 2.2.1)."""
        earliest = self._tried_at + self._acd.RATE_LIMIT_INTERVAL_S
        if self.conflicts >= self._acd.MAX_CONFLICTS and now < earliest:
            self._due_at(earliest)
        else:
            self._try(now)

    def _try(self, now: float) -> None:
        self._tried_at = now
        wanted = self._remembered
        if wanted is None:
            wanted = candidate(self._mac, self._number)
            self._number += 1
        self._wanted = wanted
        self._below.probe(wanted, now)

    def _leave_if_unused(self, now: float) -> None:
        assert self.address is not None
        if self._below.in_use(self.address):
            self._due_at(now + self._config.leave_check_s)
        else:
            self.stop(now)

    def _due_at(self, deadline: float) -> None:
        self.deadline = deadline
        self.reschedule()
