"""The interfaces of a host as its program sees them: links come and go, and so do addresses.

The program waits here until an address may be used, or until another host takes it (RFC 5227).
"""

from __future__ import annotations

import errno
from contextvars import Context
from functools import partial

import trio

from stack.errors import os_error
from stack.host.interface import Interface
from stack.internet.arp import NeighborCache
from stack.link.device import Link
from stack.sockets.attachment import AddressOutcome, Attachment
from stack.sockets.dhcp import Dhcp, DhcpClients
from stack.sockets.events import AddressClaimed, AddressLost, EventQueue
from stack.sockets.runner import Runner
from stack.wire.addresses import Prefix, format_ipv4, format_mac


class Interfaces:
    """The links that `runner` serves, their addresses, and the DHCP clients that ask for some."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._core = runner.core
        self.dhcp = DhcpClients(runner)
        self.lost_addresses: EventQueue[AddressLost] = EventQueue(runner.now)
        self.claimed_addresses: EventQueue[AddressClaimed] = EventQueue(runner.now)

    # --- links

    def attach(
        self, link: Link, addresses: list[Prefix], gateway: bytes | None, acd: str | None, dhcp: Dhcp | None
    ) -> Attachment:
        """Open the link and use it as an interface. OSError if the link does not open."""
        now = self._runner.now()
        attachment = Attachment(link)
        Context().run(link.open, attachment.notify)  # where no host is installed: its sockets are the kernel's
        try:
            attachment.outcomes = {prefix.address: AddressOutcome() for prefix in addresses}
            attachment.interface = self._core.attach(
                link,
                addresses,
                gateway,
                now,
                acd=acd,
                ready=lambda address, ok, later: attachment.outcomes[address].decide(ok, later),
                on_conflict=lambda address, mac, later: self._conflict(
                    link.name, address, attachment.outcomes[address], mac, later
                ),
            )
            if dhcp is not None:
                attachment.dhcp = dhcp
                self.dhcp.begin(attachment.interface, dhcp, acd, now)
        except BaseException:
            if attachment.interface is not None:
                self._core.detach(attachment.interface, now)
            link.close()
            raise
        self._runner.start(attachment, now)
        return attachment

    def attachment(self, link: Link) -> Attachment:
        """The attachment of a link. ValueError for a link that is not attached to this host."""
        self._runner.check_thread()
        for attachment in self._runner.attachments:
            if attachment.link is link:
                return attachment
        raise ValueError(f"{link.name} is not attached to this host")

    def detach(self, link: Link) -> None:
        """Remove the interface: what depends on it ends with ENETDOWN.

        ValueError for a link that is not attached to this host.
        """
        self._runner.detach(self.attachment(link))

    def add_route(self, prefix: Prefix, link: Link | None, gateway: bytes | None, metric: int) -> None:
        """Add a route by `gateway`, or out of `link` directly. Errors as `Host.add_route`."""
        interface = self._way(link, gateway)
        known = self._core.ip.routes.records(self._runner.now())
        self._core.ip.routes.add(prefix, interface, gateway, metric=metric)
        if self._core.ip.routes.records(self._runner.now()) == known:
            raise os_error(errno.EEXIST)

    def remove_route(self, prefix: Prefix, link: Link | None, gateway: bytes | None) -> None:
        """Remove the routes for a prefix. OSError ESRCH if there is none."""
        interface = None if link is None else self.attachment(link).interface
        self._runner.now()
        if not self._core.ip.routes.remove(prefix, interface, gateway):
            raise os_error(errno.ESRCH)

    def _way(self, link: Link | None, gateway: bytes | None) -> Interface:
        """The interface of `link`.

        Without a link, it is the interface that has the gateway on its network, or the only one.
        """
        self._runner.check_thread()
        found = [
            one.interface
            for one in self._runner.attachments
            if one.interface is not None
            and (link is None or one.link is link)
            and (gateway is None or link is not None or any(own.contains(gateway) for own in one.interface.addresses))
        ]
        if link is not None and not found:
            self.attachment(link)
        if gateway is not None and not found:
            raise ValueError(f"gateway {format_ipv4(gateway)} is on no network of this host: name its link")
        if len(found) != 1:
            raise ValueError("a route without a gateway needs a link")
        return found[0]

    def network_changed(self, link: Link) -> None:
        """The link may be connected to another network than before."""
        attachment = self.attachment(link)
        now = self._runner.now()
        if attachment.interface is not None:
            self._core.network_changed(attachment.interface, now)
            self._runner.after_call(now)

    def neighbors(self, link: Link) -> NeighborCache:
        """The ARP cache of a link. OSError EOPNOTSUPP for a link without station addresses."""
        interface = self.attachment(link).interface
        if interface is None or interface.neighbors is None:
            raise OSError(errno.EOPNOTSUPP, f"{link.name} has no station addresses, and so no ARP")
        return interface.neighbors

    def close(self) -> None:
        """The host has ended: wake the tasks that wait for events."""
        self.lost_addresses.close()
        self.claimed_addresses.close()

    # --- addresses

    async def add_address(self, link: Link, prefix: Prefix, acd: str | None) -> None:
        """Add an address to an interface, and wait until it may be used.

        OSError EADDRINUSE if another host has it.
        """
        now = self._runner.now()
        attachment = self.attachment(link)
        assert attachment.interface is not None
        outcome = AddressOutcome()
        self._core.add_address(
            attachment.interface,
            prefix,
            now,
            acd=acd,
            ready=outcome.decide,
            on_conflict=partial(self._conflict, link.name, prefix.address, outcome),
        )
        attachment.outcomes[prefix.address] = outcome
        self._runner.after_call(now)
        try:
            await _wait_outcome(attachment, prefix.address, outcome)
        except trio.Cancelled:
            if attachment.open and not outcome.known.is_set():
                self.remove_address(link, prefix.address)
            raise

    def remove_address(self, link: Link, address: bytes) -> None:
        """Remove an address. OSError EADDRNOTAVAIL if the interface does not have it."""
        now = self._runner.now()
        attachment = self.attachment(link)
        assert attachment.interface is not None
        if not self.dhcp.end_lease(attachment, address, now):
            self._core.remove_address(attachment.interface, address, now)
            attachment.outcomes.pop(address, None)
            self.dhcp.forget_informed(attachment, address, now)
        self._runner.after_call(now)

    async def wait_ready(self, link: Link) -> None:
        """Wait until the addresses given to `attach` may be used, and for what `Dhcp.wait` names.

        OSError EADDRINUSE if another host has one of them, TimeoutError after `Dhcp.wait_s`.
        """
        attachment = self.attachment(link)
        for address, outcome in list(attachment.outcomes.items()):
            await _wait_outcome(attachment, address, outcome)
        await self.dhcp.wait_lease(attachment)

    def _conflict(self, interface: str, address: bytes, outcome: AddressOutcome, mac: bytes, now: float) -> None:
        """Another host has an address that we use or want, or claims one that we keep."""
        if self._core.ip.owner(address) is not None:
            self.claimed_addresses.put(AddressClaimed(format_ipv4(address), interface, format_mac(mac)))
            return
        outcome.mac = mac
        if outcome.ok:
            outcome.ok = False
            self.lost_addresses.put(AddressLost(format_ipv4(address), interface, format_mac(mac)))


async def _wait_outcome(attachment: Attachment, address: bytes, outcome: AddressOutcome) -> None:
    """Wait until an address of an attachment may be used.

    OSError EADDRINUSE if another host has it.
    """
    await outcome.known.wait()
    if outcome.ok:
        return
    name = format_ipv4(address)
    if outcome.mac is not None:
        raise OSError(errno.EADDRINUSE, f"{name} is another host's address: {format_mac(outcome.mac)} has it")
    if not attachment.open:
        raise os_error(errno.ENETDOWN)
    raise OSError(errno.EADDRNOTAVAIL, f"{name} was removed before it could be used")
