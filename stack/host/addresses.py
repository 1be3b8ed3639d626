"""The addresses of the host: how they are probed, used, announced, defended and removed.

See RFC 5227. Its section 2.4 asks a host to reset the connections of an address before it is
abandoned.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from stack.config import AcdConfig
from stack.errors import os_error
from stack.host.interface import Interface
from stack.host.tcp_layer import TcpLayer
from stack.internet.conflict import Conflicts
from stack.internet.ipv4 import Ipv4
from stack.udp.ports import UdpPorts
from stack.wire.addresses import (
    ANY,
    BROADCAST,
    Prefix,
    format_ipv4,
    is_class_e,
    is_loopback,
    is_multicast,
    is_this_network,
)

STRICT, OPTIMISTIC, DEFEND, OFF, PROBED = "strict", "optimistic", "defend", "off", "probed"
MODES = (STRICT, OPTIMISTIC, DEFEND, OFF, PROBED)

Ready = Callable[[bool, float], None]
OnConflict = Callable[[bytes, float], None]

SMALLEST_MTU = 68
"""Every link must carry packets of this size (RFC 791 section 3.2)."""


def check_mode(acd: str | None) -> None:
    """Raise ValueError if `acd` is not a mode of conflict detection.

    None stands for the configured mode.
    """
    if acd is not None and acd not in MODES:
        raise ValueError(f"acd must be one of {', '.join(MODES)}, not {acd!r}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An address that was added to an interface, and its owner's callbacks."""

    interface: Interface
    prefix: Prefix
    gateway: bytes | None
    ready: Ready | None
    on_conflict: OnConflict | None
    yields: bool


class Addresses:
    """The addresses of one host.

    Arguments: `Config.acd`, and the layers that depend on addresses.
    """

    def __init__(self, config: AcdConfig, ip: Ipv4, tcp: TcpLayer, udp: UdpPorts) -> None:
        self._config = config
        self._ip = ip
        self._tcp = tcp
        self._udp = udp
        self._tentative: dict[bytes, _Entry] = {}  # being probed, not in use yet
        self._guarded: dict[bytes, _Entry] = {}  # in use; this class has probed for it or does so now

    def tentative(self, interface: Interface) -> list[Prefix]:
        """The addresses of an interface that are still being probed and not used yet."""
        return [entry.prefix for entry in self._tentative.values() if entry.interface is interface]

    def ours(self, address: bytes) -> bool:
        """Whether an address is this host's own, or will be if probing shows that it is free."""
        return self._ip.owner(address) is not None or address in self._tentative

    def in_use(self, address: bytes) -> bool:
        """Whether a connection has the local address `address`."""
        return any(connection.local[0] == address for connection in self._tcp.connections.values())

    def __len__(self) -> int:
        return len(self._tentative)

    def tables(self) -> dict[str, int]:
        """The numbers of tentative addresses, and of those in use that this class probes for."""
        return {"tentative_addresses": len(self._tentative), "guarded_addresses": len(self._guarded)}

    # --- adding

    def check(self, prefix: Prefix, acd: str | None) -> None:
        """Raise the errors of `add`, without changing anything."""
        address = prefix.address
        check_mode(acd)
        special = is_this_network(address) or is_loopback(address) or is_multicast(address) or is_class_e(address)
        if special or address == BROADCAST:
            raise ValueError(f"{prefix} cannot be the address of a host on a link (RFC 1122 section 3.2.1.3)")
        if self.ours(address):
            raise OSError(errno.EEXIST, f"this host has the address {format_ipv4(address)} already")

    def add(
        self,
        interface: Interface,
        prefix: Prefix,
        now: float,
        *,
        acd: str | None = None,
        gateway: bytes | None = None,
        ready: Ready | None = None,
        on_conflict: OnConflict | None = None,
    ) -> None:
        """Add an address to an interface, and the route to its network.

        `acd` is the mode of address conflict detection; None stands for the configured one:
          "strict": probe for the address before it is used, then announce and defend it (RFC 5227
            sections 2.1 to 2.4).
          "optimistic": the same, but use the address at once.
          "defend": as "optimistic", but never give the address up (section 2.4 (c)).
          "probed": the caller has probed already: use, announce, and defend the address.
          "off": only use the address.

        `ready(ok, now)` is called once, with "strict" after probing, else at once. `ok` is false
        when another host has the address, or when the address was removed meanwhile.
        `on_conflict(station address, now)` is called when another host has the address. Then the
        address has been given up, as by `remove`, or was never used. With "defend" it is kept, and
        `on_conflict` is called at most once in DEFEND_INTERVAL.

        Raises OSError EEXIST when this host has the address already, and ValueError for an address
        that a host cannot have. `gateway` becomes the default route as soon as the address is in
        use.
        """
        self.check(prefix, acd)
        if acd is None:
            acd = self._config.mode
        entry = _Entry(interface, prefix, gateway, ready, on_conflict, acd != DEFEND)
        conflicts = interface.conflicts
        if conflicts is not None and conflicts.is_probing(prefix.address):  # for DHCP, or link-local
            raise OSError(errno.EEXIST, f"this host is probing for the address {format_ipv4(prefix.address)} already")
        if conflicts is None or acd == OFF:
            self._use(entry, now)
        elif acd == PROBED:
            self._use_and_announce(entry, conflicts, now)
        elif acd in (OPTIMISTIC, DEFEND):
            self._guarded[prefix.address] = entry
            self._use(entry, now)
            if acd == DEFEND:
                conflicts.watch(prefix.address, lambda mac, later: self._claimed(entry, mac, later), yields=False)
            self._verify(entry, conflicts, now)
        else:
            self._tentative[prefix.address] = entry
            self._probe(entry, conflicts, now)

    def _probe(self, entry: _Entry, conflicts: Conflicts, now: float) -> None:
        """Probe for a tentative address, and use it if it is free."""
        address = entry.prefix.address

        def done(mac: bytes | None, later: float) -> None:
            del self._tentative[address]
            if mac is None:
                self._guarded[address] = entry
                self._use_and_announce(entry, conflicts, later)
                return
            if entry.on_conflict is not None:
                entry.on_conflict(mac, later)
            if entry.ready is not None:
                entry.ready(False, later)

        conflicts.probe(address, now, done)

    def _verify(self, entry: _Entry, conflicts: Conflicts, now: float) -> None:
        """Probe for an address in use.

        If another host has it, remove it, unless it never yields.
        """

        def done(mac: bytes | None, later: float) -> None:
            if mac is None and entry.yields:
                self._announce(entry, conflicts, later)
            elif mac is None:
                conflicts.announce(entry.prefix.address, later)
            elif not entry.yields:
                conflicts.defend(entry.prefix.address, mac, later)
            else:
                self._lost(entry, mac, later)

        conflicts.probe(entry.prefix.address, now, done, in_use=True)

    def network_changed(self, interface: Interface, now: float) -> None:
        """Forget Redirects and neighbours, and probe again for the addresses of an interface.

        The link was down and may be on another network now. The addresses are used meanwhile. One
        that another host has is given up (RFC 5227 section 2.1). Addresses of mode "probed" are
        verified by their owner.
        """
        self._ip.routes.forget_redirects()
        if interface.neighbors is not None:
            interface.neighbors.flush()
        if interface.conflicts is None:
            return
        for probe, table in ((self._probe, self._tentative), (self._verify, self._guarded)):
            for entry in list(table.values()):
                if entry.interface is interface:
                    probe(entry, interface.conflicts, now)

    def _use(self, entry: _Entry, now: float) -> None:
        """Use the address from now on."""
        self._ip.add_address(entry.interface, entry.prefix)
        if entry.gateway is not None:
            self._ip.routes.add(Prefix(ANY, 0), entry.interface, entry.gateway, because="route_given")
        if entry.ready is not None:
            entry.ready(True, now)

    def _use_and_announce(self, entry: _Entry, conflicts: Conflicts, now: float) -> None:
        self._announce(entry, conflicts, now)
        self._use(entry, now)

    def _announce(self, entry: _Entry, conflicts: Conflicts, now: float) -> None:
        conflicts.announce(entry.prefix.address, now)
        conflicts.watch(entry.prefix.address, lambda mac, later: self._lost(entry, mac, later))

    # --- removing

    def _lost(self, entry: _Entry, mac: bytes, now: float) -> None:
        """Another host has the address, and we give it up."""
        self.remove(entry.interface, entry.prefix.address, now, errno.EADDRNOTAVAIL)
        if entry.on_conflict is not None:
            entry.on_conflict(mac, now)

    @staticmethod
    def _claimed(entry: _Entry, mac: bytes, now: float) -> None:
        """Another host claims the address, and we keep it."""
        if entry.on_conflict is not None:
            entry.on_conflict(mac, now)

    def remove(self, interface: Interface, address: bytes, now: float, error: int) -> None:
        """Remove an address. What depends on it ends with the errno `error`.

        Its connections are reset, and its pings fail. Routes that send from it are removed, and so
        are gateways and neighbours that are no longer on any of our networks. Listeners and UDP
        endpoints bound to it stay, because the address may come back. As in Linux, such an endpoint
        goes on waiting for datagrams, and sending raises ENETUNREACH. Raises OSError EADDRNOTAVAIL
        if the interface does not have the address.
        """
        conflicts = interface.conflicts
        entry = self._tentative.get(address)
        if entry is not None and entry.interface is interface:
            del self._tentative[address]
            if conflicts is not None:
                conflicts.cancel(address)
            if entry.ready is not None:
                entry.ready(False, now)
            return
        for prefix in interface.addresses:
            if prefix.address == address:
                break
        else:
            raise os_error(errno.EADDRNOTAVAIL)
        if conflicts is not None:
            conflicts.cancel(address)
            conflicts.unwatch(address)
        self._guarded.pop(address, None)
        self._tcp.abort_where(lambda connection: connection.local[0] == address, now, error)
        self._ip.icmp.echo.source_gone(address, error)
        self._ip.remove_address(interface, prefix)
        self._udp.address_gone(address)

    def remove_all(self, interface: Interface, now: float, error: int) -> None:
        """Remove all addresses of an interface that is being detached, and what depends on them."""
        for prefix in [*self.tentative(interface), *interface.addresses]:
            self.remove(interface, prefix.address, now, error)

    # --- the link's MTU

    def set_mtu(self, interface: Interface, mtu: int, now: float) -> None:
        """See `HostCore.set_mtu`."""
        if not SMALLEST_MTU <= mtu <= interface.link.mtu:
            raise OSError(errno.EINVAL, f"an MTU on {interface.name} is {SMALLEST_MTU} to {interface.link.mtu} bytes")
        interface.mtu = mtu
        self._ip.mtu_changed(interface, now)
