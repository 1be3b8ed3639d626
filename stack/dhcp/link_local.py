"""The link-local address of an interface without a server: chosen at random from 169.254/16.

See RFC 3927: section 2.1 (selection), 2.2 (claiming), 2.5 (conflicts) and 1.9 (beside a routable
address). The host probes, announces and defends it as it does any address (RFC 5227).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import IntEnum
from hashlib import blake2s
from typing import Protocol

from stack.config import AcdConfig, LinkLocalConfig
from stack.noop import noop
from stack.wire.addresses import is_link_local

LINK_LOCAL_LENGTH = 16
"""RFC 3927 section 2.8: the prefix is never divided into subnets."""

_FIRST = 0xA9FE0100
_COUNT = 0xFE00
"""169.254.1.0 to 169.254.254.255: section 2.1 reserves the first and the last 256 addresses."""


class State(IntEnum):
    """The state of an interface's link-local address."""

    OFF = 0
    CLAIMING = 1
    """An address is being probed, or, after too many conflicts, the next probe is put off."""
    HELD = 2
    LEAVING = 3
    """A routable address has been assigned: only communication in progress still uses this one."""


class LinkLocalHost(Protocol):
    """The host of a `LinkLocal`, which calls these methods."""

    def probe(self, address: bytes, now: float) -> None:
        """Find out whether another host has `address`; call `LinkLocal.probed`, now or later."""

    def cancel_probe(self, address: bytes, now: float) -> None:
        """End the probe: its answer is no longer needed."""

    def claimed(self, address: bytes, now: float) -> None:
        """No other host has the address: use it with a prefix of 16 bits, announce it, defend it.

        Conflicts are reported to `LinkLocal.conflict`.
        """

    def left(self, address: bytes, now: float) -> None:
        """Remove the address. Not called after `conflict`, when it has been removed already."""

    def in_use(self, address: bytes) -> bool:
        """Whether communication in progress uses the address."""


def candidate(mac: bytes, number: int) -> bytes:
    """The `number`-th address that an interface tries.

    The addresses are pseudo-random and uniform. The sequence is the same at every boot, and differs
    from station to station (section 2.1).
    """
    digest = blake2s(number.to_bytes(8, "big"), key=mac, digest_size=8, person=b"RFC 3927").digest()
    return (_FIRST + int.from_bytes(digest, "big") % _COUNT).to_bytes(4, "big")


def may_be_chosen(address: bytes) -> bool:
    """Whether an address is link-local and not reserved."""
    return _FIRST <= int.from_bytes(address, "big") < _FIRST + _COUNT and is_link_local(address)


class LinkLocal:
    """Chooses, claims and leaves the link-local address of one interface.

    The arguments are two configurations, the interface's 6-byte station address, and the host.

    state: see `State`.
    address: the address in use; None unless the state is HELD or LEAVING.
    deadline: the time at which `on_deadline` is due.
    reschedule: set it to be called when `deadline` has moved earlier.
    conflicts: the number of conflicts so far.
    """

    def __init__(self, config: LinkLocalConfig, acd: AcdConfig, mac: bytes, host: LinkLocalHost) -> None:
        self.state = State.OFF
        self.address: bytes | None = None
        self.deadline = math.inf
        self.conflicts = 0
        self.reschedule: Callable[[], None] = noop
        self._config = config
        self._acd = acd
        self._mac = mac
        self._host = host
        self._number = 0
        self._wanted: bytes | None = None
        self._remembered: bytes | None = None
        self._tried_at = -math.inf

    # --- calls of the host

    def start(self, now: float, remembered: bytes | None = None) -> None:
        """Claim a link-local address, since there is no routable one.

        The address that the interface had last is tried first, or else `remembered`, which it had
        in an earlier run (section 2.1). While CLAIMING or HELD nothing happens; from LEAVING the
        address is kept.
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
        """The interface has a routable address: leave this one once it is unused (section 1.9)."""
        if self.state is State.CLAIMING:
            self.stop(now)
        elif self.state is State.HELD:
            self.state = State.LEAVING
            self._leave_if_unused(now)

    def stop(self, now: float) -> None:
        """Leave the address at once, even when it is in use."""
        wanted, self._wanted = self._wanted, None
        address, self.address = self.address, None
        self.state = State.OFF
        self.deadline = math.inf
        if wanted is not None:
            self._host.cancel_probe(wanted, now)
        if address is not None:
            self._host.left(address, now)

    def probed(self, address: bytes, conflict: bytes | None, now: float) -> None:
        """The answer to `LinkLocalHost.probe`: the station that has the address, or None.

        An answer about another address than the one being probed is ignored.
        """
        if self.state is not State.CLAIMING or address != self._wanted:
            return
        self._wanted = None
        if conflict is not None:
            self._conflict(now)
            return
        self.state = State.HELD
        self.address = self._remembered = address
        self._host.claimed(address, now)

    def conflict(self, address: bytes, now: float) -> None:
        """Another host insists on the address, and the host has removed it (section 2.5).

        Another one is chosen, unless the state was LEAVING.
        """
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
        """Probe the next address, or check whether the address being left is still in use."""
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
        """Try an address: at once, or one per RATE_LIMIT_INTERVAL after MAX_CONFLICTS conflicts.

        Section 2.2.1.
        """
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
        self._host.probe(wanted, now)

    def _leave_if_unused(self, now: float) -> None:
        assert self.address is not None
        if self._host.in_use(self.address):
            self._due_at(now + self._config.leave_check_s)
        else:
            self.stop(now)

    def _due_at(self, deadline: float) -> None:
        self.deadline = deadline
        self.reschedule()
