"""DHCP for a whole host: the ground the client of each interface stands on, and what a lease changes.

Below the client are UDP from an address that is not there yet, and conflict detection; above it are address, routes,
MTU and name servers, set by the calls that a user makes. Where no server gives an address, it is a link-local one until
one does. See RFC 2131 section 4.1 and 4.4, RFC 5227 section 2.1, RFC 3927 sections 1.9 and 2.11.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from stack.dhcp.client import Client
from stack.dhcp.lease import Lease
from stack.dhcp.states import State
from stack.host.addresses import DEFEND, PROBED, STRICT, check_mode
from stack.host.dhcp_trace import plain
from stack.host.fallback import Fallback
from stack.host.interface import Interface
from stack.host.lease_record import LeaseRecord, lease_record
from stack.internet.received import Received
from stack.internet.route import Route
from stack.noop import noop
from stack.udp.below import Received as UdpReceived
from stack.wire.addresses import BROADCAST, is_link_local
from stack.wire.checksum import Buffer, pseudo_sum
from stack.wire.dhcp import CLIENT_PORT, SERVER_PORT
from stack.wire.numbers import PROTO_UDP
from stack.wire.udp import HEADER_LENGTH, build_datagram

if TYPE_CHECKING:
    from stack.host.host import HostCore

DUID_LL_ETHERNET = bytes.fromhex("00030001")
"""RFC 3315 section 9.4: an identifier that is a station address."""

Tell = Callable[[str, str, dict[str, object]], None]
OnLease = Callable[[Interface, Lease | None, str], None]


class DhcpLayer:
    """The clients of all interfaces, and port 68, which is theirs while any of them may be answered.

    Give it at birth: the host, `random(n)`, `moved()` to be called when a deadline comes earlier, `changed()` when a
    lease is another one, and `tell(name, subject, details)` if anybody watches.

    `on_lease(interface, lease, "")` is called when a lease begins or is extended, `on_lease(interface, None, reason)`
    when it ends: "expired", "nak", "conflict", "released"; or when a remembered one is denied: "nak", "conflict".
    """

    def __init__(
        self,
        host: HostCore,
        random: Callable[[int], bytes],
        moved: Callable[[], None],
        changed: Callable[[], None],
        tell: Tell | None,
    ) -> None:
        self._host = host
        self.random = random
        self.moved = moved
        self.changed = changed
        self.tell = tell
        self._tenants: dict[int, Tenant] = {}
        self._listening: dict[int, Tenant] = {}  # those among them that may be answered
        self._duid: bytes | None = None
        self.on_lease: OnLease = noop

    def tables(self) -> dict[str, int]:
        """The clients; each holds a bounded number of offers and routes."""
        return {"dhcp_clients": len(self._tenants)}

    def prepare(self, interface: Interface, acd: str | None = None) -> Tenant:
        """A client for this interface, to be started with `Tenant.begin`. `acd` as for `HostCore.add_address`.

        ValueError on a link that is not Ethernet, OSError EADDRINUSE when somebody else listens on port 68.
        """
        if interface.mac is None or interface.conflicts is None:
            raise ValueError(f"{interface.name} is no Ethernet: there is no DHCP on it")
        check_mode(acd)
        if self._duid is None:
            self._duid = DUID_LL_ETHERNET + interface.mac  # RFC 4361 section 6.1: one for all interfaces
        tenant = Tenant(self._host, self, interface, self._duid, acd)
        self.listen(tenant)
        self._tenants[interface.index] = tenant
        self._host.parts.append(tenant)
        return tenant

    def listen(self, tenant: Tenant) -> None:
        """A client is to be answered from now on. OSError EADDRINUSE when somebody else listens on port 68."""
        if not self._listening:
            self._host.udp.claim(CLIENT_PORT, self._receive)
        self._listening[tenant.interface.index] = tenant

    def stop_listening(self, tenant: Tenant) -> None:
        """It waits for no answer any more."""
        if self._listening.pop(tenant.interface.index, None) is not None and not self._listening:
            self._host.udp.disclaim(CLIENT_PORT)

    def end(self, interface: Interface, now: float, error: int = errno.ENETDOWN) -> None:
        """No DHCP on this interface any more: the address goes, and the server is told if `Tenant.release` says so.

        What depends on the address ends with the errno `error`.
        """
        tenant = self._tenants.pop(interface.index, None)
        if tenant is None:
            return
        self._host.parts.remove(tenant)
        tenant.end(now, error)
        self.stop_listening(tenant)

    def shutdown(self, now: float) -> None:
        """The host ends."""
        for tenant in list(self._tenants.values()):
            self.end(tenant.interface, now)

    def may_end(self, now: float) -> bool:
        """Whether each server that is to be told of the end can be reached at once; if not it is asked for (ARP)."""
        reached = [tenant.reaches_server(now) for tenant in self._tenants.values()]  # each is to be asked for
        return all(reached)

    def tenant(self, interface: Interface) -> Tenant | None:
        """What DHCP has to do with an interface; None for nothing."""
        return self._tenants.get(interface.index)

    def has_address(self, interface: Interface, *, link_local: bool) -> bool:
        """Whether the interface has a lease, or a link-local address if that will do."""
        tenant = self._tenants.get(interface.index)
        if tenant is None:
            return False
        if tenant.client.lease is not None:
            return True
        return link_local and any(is_link_local(prefix.address) for prefix in interface.addresses)

    def leases(self) -> list[LeaseRecord]:
        """What is held, in the order in which the interfaces began."""
        held = [(tenant.interface.name, tenant.client.lease) for tenant in self._tenants.values()]
        return [lease_record(name, lease) for name, lease in held if lease is not None]

    def name_servers(self) -> list[bytes]:
        """The servers that the leases name, each once, the preferred one first."""
        leases = [tenant.client.lease or tenant.parameters for tenant in self._tenants.values()]
        return list(dict.fromkeys(server for lease in leases if lease is not None for server in lease.name_servers))

    def _receive(self, received: UdpReceived, port: int, payload: Buffer) -> None:
        """A datagram to port 68."""
        # What UDP is given and gives back is always the internet layer's own datagram.
        datagram = cast(Received, received)
        tenant = self._tenants.get(datagram.interface.index)
        if tenant is None:
            self._host.counters.drop("dhcp_no_client")
            return
        tenant.client.receive(payload, (datagram.source, port), datagram.destination, datagram.now)


class Tenant:
    """One interface's client (`client`), the ground below it, and what its lease has changed."""

    def __init__(
        self,
        host: HostCore,
        layer: DhcpLayer,
        interface: Interface,
        duid: bytes,
        acd: str | None,
    ) -> None:
        self._host = host
        self._layer = layer
        self.interface = interface
        mode = host.config.acd.mode if acd is None else acd
        self._acd = STRICT if mode == DEFEND else mode  # a leased address is declined, not defended
        self.release = True  # whether the server is to be told when it ends
        self.link_local_allowed = True  # where no server gives one
        self.parameters: Lease | None = None  # for an address that came another way, which is...
        self.informed_about: bytes | None = None
        self._holds = False  # the address of the lease is on the interface
        self._error_at_end = errno.ENETDOWN
        self._routes: list[Route] = []
        self._fallback = Fallback(host, interface, self._acd, layer.moved, self._link_local_claimed)
        self._duid = duid
        self.client = self._new_client()

    def _new_client(self) -> Client:
        interface, host, layer = self.interface, self._host, self._layer
        assert interface.mac is not None
        client = Client(
            host.config.dhcp, host.counters, interface.mac, interface.link.mtu, layer.random, self, duid=self._duid
        )
        client.reschedule = layer.moved
        client.trace = None if layer.tell is None else self._tell
        return client

    def begin(self, now: float, remembered: Lease | None, wish: bytes | None) -> None:
        """Ask for an address: for a remembered one again, if that can be, or else for the one wished for, or any."""
        self.interface.awaited_port = CLIENT_PORT
        self.client.start(now, remembered, requested=wish)

    def inform(self, address: bytes, now: float) -> None:
        """Ask for what goes with `address`, which the user has given (section 4.4.3). Once more: begin again.

        OSError EADDRINUSE when somebody else listens on port 68.
        """
        self._layer.listen(self)
        self.client.stop(now)
        self.parameters, self.informed_about = None, address
        self.client.inform(address, now)

    @property
    def informed_or_silent(self) -> bool:
        """Whether `inform` has come to its end; `parameters` has what came of it."""
        return self.client.state is State.STOPPED

    def verify(self, now: float, asleep_s: float = 0.0) -> None:
        """The network may be another one than it was: find out (section 3.7).

        `asleep_s` is how long the machine was suspended, which `now` does not show.
        """
        self.client.link_changed(now, asleep_s)

    def holds(self, address: bytes) -> bool:
        """Whether an address is what a server has lent us."""
        return self._holds and self.client.lease is not None and self.client.lease.address == address

    def end(self, now: float, error: int) -> None:
        """Stop it, and take back what it has brought."""
        self._error_at_end = error
        lease = self.client.lease
        if self.release:
            self.client.release(now)
        else:
            self.client.stop(now)
            if lease is not None:
                self._take_back(lease, now, error)
        self._fallback.link_local.stop(now)
        self.interface.awaited_port = 0

    def reaches_server(self, now: float) -> bool:
        """Whether a release, if there is one to be sent, would leave at once."""
        lease = self.client.lease
        if lease is None or not self.release or self.interface.neighbors is None:
            return True
        try:
            path = self._host.ip.path(lease.address, lease.server, PROTO_UDP, now=now)
        except OSError:
            return True
        path.close()
        neighbors = path.interface.neighbors
        return neighbors is None or neighbors.resolve(path.next_hop, now)

    # --- time

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due."""
        return min(self.client.deadline, self._fallback.deadline)

    def on_deadline(self, now: float) -> None:
        """Do what is due. A client that fails is given up, and a new one begins: it would fail for ever.

        But one that was to be told what goes with an address has nothing to begin: nobody has answered.
        """
        self._fallback.on_deadline(now)
        try:
            self.client.on_deadline(now)
        except Exception:
            lease = self.client.lease
            if lease is not None:
                self._take_back(lease, now, errno.EADDRNOTAVAIL)
            self.client = self._new_client()
            if self.informed_about is None:
                self.client.start(now)
            else:
                self.silent(now)
            raise

    # --- what the client asks for: see `stack.dhcp.client_host.ClientHost`

    def broadcast(self, message: bytes, source: bytes, now: float) -> None:
        """Send to every server on this link."""
        self._send(message, source, BROADCAST, self.interface, now)

    def unicast(self, message: bytes, source: bytes, server: bytes, now: float) -> None:
        """Send to one server, wherever it is."""
        self._send(message, source, server, None, now)

    def _send(self, message: bytes, source: bytes, destination: bytes, pinned: Interface | None, now: float) -> None:
        counters = self._host.counters
        pseudo = pseudo_sum(source, destination, PROTO_UDP, HEADER_LENGTH + len(message))
        datagram = build_datagram(CLIENT_PORT, SERVER_PORT, message, pseudo)
        try:
            self._host.ip.output.send(source, destination, PROTO_UDP, [datagram], now, interface=pinned)
        except OSError:
            counters.drop("dhcp_not_sent")
        else:
            counters["udpOutDatagrams"] += 1

    def probe(self, address: bytes, now: float) -> None:
        """Find out whether anybody has `address`: another host, or ourselves by other means."""
        conflicts = self.interface.conflicts
        assert conflicts is not None
        ours = self._host.addresses.ours(address)
        held = self.client.lease is not None and self.client.lease.address == address
        if ours and not held:
            self.client.probed(address, self.interface.mac, now)
        elif self._acd == STRICT:
            conflicts.probe(
                address, now, lambda mac, later: self.client.probed(address, mac, later), in_use=ours
            )  # fmt: skip
        else:
            self.client.probed(address, None, now)

    def cancel_probe(self, address: bytes, now: float) -> None:
        """Nobody wants to know any more."""
        assert self.interface.conflicts is not None
        self.interface.conflicts.cancel(address)

    def bound(self, lease: Lease, previous: Lease | None, now: float) -> None:
        """A lease takes effect, or its extension does."""
        if previous is None:
            acd = PROBED if self._acd == STRICT else self._acd
            try:
                self._host.add_address(
                    self.interface,
                    lease.prefix,
                    now,
                    acd=acd,
                    on_conflict=lambda mac, later: self.client.conflict(lease.address, later),
                )
            except (OSError, ValueError):  # it is ours by other means
                self.client.conflict(lease.address, now)
                return
            self._holds = True
        elif previous.prefix != lease.prefix:  # another mask: the address stays, with all that depends on it
            self._host.ip.remove_address(self.interface, previous.prefix)
            self._host.ip.add_address(self.interface, lease.prefix)
            self._routes = []
        self._set_routes(lease)
        self._set_mtu(lease.mtu, now)
        self._fallback.link_local.routable(now)
        self._layer.on_lease(self.interface, lease, "")
        self._layer.changed()

    def _set_routes(self, lease: Lease) -> None:
        """The routes of the lease and no others; those on the link first, since routers may be behind them."""
        routes, interface = self._host.ip.routes, self.interface
        wanted = [
            Route(route.destination, interface, route.router, lease.address, metric)
            for metric, route in enumerate(lease.routes)
            if not (route.router is None and route.destination.network == lease.prefix.network
                    and route.destination.length == lease.prefix_length)
        ]  # fmt: skip
        wanted.sort(key=lambda route: route.gateway is not None)
        for old in self._routes:
            if old not in wanted:
                routes.discard(old)
        self._routes = []
        for route in wanted:
            try:
                added = routes.add(route.prefix, interface, route.gateway, route.source, route.metric)
            except ValueError:
                self._host.counters.drop("dhcp_bad_route")
            else:
                self._routes.append(added)

    def _set_mtu(self, mtu: int | None, now: float) -> None:
        link_mtu = self.interface.link.mtu
        wanted = link_mtu if mtu is None else min(mtu, link_mtu)
        if wanted != self.interface.mtu:
            self._host.set_mtu(self.interface, wanted, now)

    def unbound(self, lease: Lease, reason: str, now: float) -> None:
        """The lease is over."""
        self._take_back(lease, now, self._error_at_end if reason == "released" else errno.EADDRNOTAVAIL)
        self._layer.on_lease(self.interface, None, reason)
        self._layer.changed()

    def _take_back(self, lease: Lease, now: float, error: int) -> None:
        """Undo what the lease has done; what depends on the address ends with the errno `error`."""
        for route in self._routes:
            self._host.ip.routes.discard(route)
        self._routes = []
        self._set_mtu(None, now)
        held, self._holds = self._holds, False
        if held and any(prefix.address == lease.address for prefix in self.interface.addresses):
            self._host.remove_address(self.interface, lease.address, now, error)

    def denied(self, lease: Lease, reason: str, now: float) -> None:
        """The lease of old is not to be had again."""
        self._layer.on_lease(self.interface, None, reason)

    def informed(self, lease: Lease, now: float) -> None:
        """A server has told what goes with the address given by hand: the name servers; the rest is the user's."""
        self.parameters = lease
        self._layer.stop_listening(self)
        self._layer.changed()

    def silent(self, now: float) -> None:
        """No server answers: an address of our own choice will do until one does (RFC 3927).

        But after `inform` there is an address, and that was all.
        """
        self._layer.changed()
        if self.client.state is State.STOPPED:
            self._layer.stop_listening(self)
        elif self.link_local_allowed and self._host.config.link_local.enabled:
            self._fallback.link_local.start(now)

    def _link_local_claimed(self, address: bytes) -> None:
        self._tell("link_local", {"address": address})

    # --- for those who watch

    def _tell(self, name: str, fields: dict[str, object]) -> None:
        if self._layer.tell is not None:
            self._layer.tell(f"dhcp_{name}", self.interface.name, plain(fields))
