"""The adapter between `stack.dhcp.link_local` and the host.

It gives an interface an address while no server does. See RFC 3927 sections 1.9 (beside a routable
address), 2.2 and 2.5 (probing and defence, as in RFC 5227).
"""

from __future__ import annotations

from collections.abc import Callable
from errno import EADDRNOTAVAIL

from stack.config import Config
from stack.dhcp.link_local import LINK_LOCAL_LENGTH, LinkLocal
from stack.host.addresses import OFF, PROBED, Addresses
from stack.host.interface import Interface
from stack.wire.addresses import Prefix


class LinkLocalAdapter:
    """The link-local address of one interface.

    Arguments: the configuration, the addresses of the host, the interface, the mode of conflict
    detection, `moved()`, which is called when `deadline` has moved earlier, and
    `on_claimed(address)`, which is called with each address that is taken.
    """

    def __init__(
        self,
        config: Config,
        addresses: Addresses,
        interface: Interface,
        acd: str,
        moved: Callable[[], None],
        on_claimed: Callable[[bytes], None],
    ) -> None:
        assert interface.mac is not None
        self._addresses = addresses
        self._interface = interface
        self._acd = acd
        self._on_claimed = on_claimed
        self.link_local = LinkLocal(config.link_local, config.acd, interface.mac, self)
        self.link_local.reschedule = moved

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due."""
        return self.link_local.deadline

    def on_deadline(self, now: float) -> None:
        """Handle what is due."""
        self.link_local.on_deadline(now)

    # --- the methods of `stack.dhcp.link_local.LinkLocalHost`

    def probe(self, address: bytes, now: float) -> None:
        """Find out whether another host has `address`, or this host has it already."""
        conflicts = self._interface.conflicts
        assert conflicts is not None
        if self._addresses.ours(address):
            self.link_local.probed(address, self._interface.mac, now)
        elif self._acd == OFF:
            self.link_local.probed(address, None, now)
        else:
            conflicts.probe(address, now, lambda mac, later: self.link_local.probed(address, mac, later))

    def cancel_probe(self, address: bytes, now: float) -> None:
        """Stop probing for `address`."""
        assert self._interface.conflicts is not None
        self._interface.conflicts.cancel(address)

    def claimed(self, address: bytes, now: float) -> None:
        """Use `address`, and announce and defend it."""
        acd = OFF if self._acd == OFF else PROBED

        def lost(mac: bytes, later: float) -> None:
            self.link_local.conflict(address, later)

        self._addresses.add(self._interface, Prefix(address, LINK_LOCAL_LENGTH), now, acd=acd, on_conflict=lost)
        self._on_claimed(address)

    def left(self, address: bytes, now: float) -> None:
        """Remove `address`, if it is still there."""
        if any(prefix.address == address for prefix in self._interface.addresses):
            self._addresses.remove(self._interface, address, now, EADDRNOTAVAIL)

    def in_use(self, address: bytes) -> bool:
        """Whether a connection uses `address`."""
        return self._addresses.in_use(address)
