"""DHCP in a host: the adapter between the DHCP client of each interface and the other layers.

For the client it sends UDP datagrams from an address that is not ours yet, and probes addresses.
When there is a lease, it sets the address, the routes, the MTU and the name servers, by the same
calls that a user makes. If no server gives an address, the interface uses a link-local one until a
server does. See RFC 2131 sections 4.1 and 4.4, RFC 5227 section 2.1, RFC 3927 sections 1.9 and
2.11.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import cast

from stack.config import Config
from stack.counters import Counters
from stack.dhcp.client import Client
from stack.dhcp.lease import Lease
from stack.dhcp.states import State
from stack.host.addresses import DEFEND, PROBED, STRICT, Addresses, check_mode
from stack.host.dhcp_trace import because, plain
from stack.host.interface import HasDeadline, Interface
from stack.host.lease_record import LeaseRecord, lease_record
from stack.host.link_local_adapter import LinkLocalAdapter
from stack.internet.ipv4 import Ipv4
from stack.internet.received import Received
from stack.internet.route import Route
from stack.noop import noop
from stack.trace.trace import Trace
from stack.udp.below import Received as UdpReceived
from stack.udp.ports import UdpPorts
from stack.wire.addresses import BROADCAST, is_link_local
from stack.wire.checksum import Buffer, pseudo_sum
from stack.wire.dhcp import CLIENT_PORT, SERVER_PORT
from stack.wire.numbers import PROTO_UDP
from stack.wire.udp import HEADER_LENGTH, build_datagram

DUID_LL_ETHERNET = bytes.fromhex("00030001")
"""The beginning of a DUID that is made from a station address (RFC 3315 section 9.4)."""

OnLease = Callable[[Interface, Lease | None, str], None]


class DhcpLayer:
    """The DHCP clients of all interfaces. Port 68 is claimed while any of them may get an answer.

    Arguments:
      config, counters: those of the host.
      ip, udp, addresses: the layers of the host that a client uses.
      timed_parts: the host's list of objects that have a deadline. Each `InterfaceDhcp` is added.
      random: `random(n)` returns n random bytes.
      moved: called when a deadline has moved earlier.
      changed: called when a lease has changed.
      trace: tells the observers, if there are any.

    `on_lease(interface, lease, "")` is called when a lease begins or is extended.
    `on_lease(interface, None, reason)` is called when it ends ("expired", "nak", "conflict",
    "released"), or when a remembered lease is refused ("nak", "conflict").
    """

    def __init__(
        self,
        config: Config,
        counters: Counters,
        *,
        ip: Ipv4,
        udp: UdpPorts,
        addresses: Addresses,
        timed_parts: list[HasDeadline],
        random: Callable[[int], bytes],
        moved: Callable[[], None],
        changed: Callable[[], None],
        trace: Trace,
    ) -> None:
        self.config = config
        self.counters = counters
        self.ip = ip
        self.addresses = addresses
        self._udp = udp
        self._timed_parts = timed_parts
        self.random = random
        self.moved = moved
        self.changed = changed
        self.trace = trace
        self._interfaces: dict[int, InterfaceDhcp] = {}
        self._listening: dict[int, InterfaceDhcp] = {}  # those that may get an answer
        self._duid: bytes | None = None
        self.on_lease: OnLease = noop

    def tables(self) -> dict[str, int]:
        """How many clients there are. Each has a bounded number of offers and routes."""
        return {"dhcp_clients": len(self._interfaces)}

    def prepare(self, interface: Interface, acd: str | None = None) -> InterfaceDhcp:
        """Make a client for an interface, to be started with `InterfaceDhcp.begin`.

        `acd` is as for `Addresses.add`. Raises ValueError if the link is not Ethernet, and
        OSError EADDRINUSE if a socket is bound to port 68.
        """
        if interface.mac is None or interface.conflicts is None:
            raise ValueError(f"{interface.name} is not an Ethernet link: DHCP needs one")
        check_mode(acd)
        if self._duid is None:
            self._duid = DUID_LL_ETHERNET + interface.mac  # RFC 4361 section 6.1: one for all interfaces
        dhcp = InterfaceDhcp(self, interface, self._duid, acd)
        self.listen(dhcp)
        self._interfaces[interface.index] = dhcp
        self._timed_parts.append(dhcp)
        return dhcp

    def listen(self, dhcp: InterfaceDhcp) -> None:
        """Claim port 68, because a client may get an answer now. Raises OSError EADDRINUSE."""
        if not self._listening:
            self._udp.claim(CLIENT_PORT, self._receive)
        self._listening[dhcp.interface.index] = dhcp

    def stop_listening(self, dhcp: InterfaceDhcp) -> None:
        """Release port 68 if no other client may get an answer."""
        if self._listening.pop(dhcp.interface.index, None) is not None and not self._listening:
            self._udp.release(CLIENT_PORT)

    def end(self, interface: Interface, now: float, error: int = errno.ENETDOWN) -> None:
        """End DHCP on an interface: remove the address, and release it if so configured.

        DHCPRELEASE is sent if `InterfaceDhcp.release` is set. Connections and calls that depend on
        the address end with the errno `error`.
        """
        dhcp = self._interfaces.pop(interface.index, None)
        if dhcp is None:
            return
        self._timed_parts.remove(dhcp)
        dhcp.end(now, error)
        self.stop_listening(dhcp)

    def shutdown(self, now: float) -> None:
        """The host ends: end DHCP on all interfaces."""
        for dhcp in list(self._interfaces.values()):
            self.end(dhcp.interface, now)

    def may_end(self, now: float) -> bool:
        """Whether every DHCPRELEASE would leave at once.

        If not, start to resolve the servers' addresses by ARP.
        """
        reached = [dhcp.reaches_server(now) for dhcp in self._interfaces.values()]  # a list, since each call starts ARP
        return all(reached)

    def on(self, interface: Interface) -> InterfaceDhcp | None:
        """The DHCP of an interface, or None."""
        return self._interfaces.get(interface.index)

    def has_address(self, interface: Interface, *, link_local: bool) -> bool:
        """Whether the interface has a lease, or, with `link_local`, a link-local address."""
        dhcp = self._interfaces.get(interface.index)
        if dhcp is None:
            return False
        if dhcp.client.lease is not None:
            return True
        return link_local and any(is_link_local(prefix.address) for prefix in interface.addresses)

    def leases(self) -> list[LeaseRecord]:
        """The leases, in the order in which DHCP began on the interfaces."""
        held = [(dhcp.interface.name, dhcp.client.lease) for dhcp in self._interfaces.values()]
        return [lease_record(name, lease) for name, lease in held if lease is not None]

    def name_servers(self) -> list[bytes]:
        """The name servers of all leases, without duplicates, the preferred one first."""
        leases = [dhcp.client.lease or dhcp.parameters for dhcp in self._interfaces.values()]
        return list(dict.fromkeys(server for lease in leases if lease is not None for server in lease.name_servers))

    def _receive(self, received: UdpReceived, port: int, payload: Buffer) -> None:
        """Hand a datagram to port 68 to the client of its interface."""
        # UDP returns the datagram that the internet layer has given to it, so the cast is right.
        datagram = cast(Received, received)
        dhcp = self._interfaces.get(datagram.interface.index)
        if dhcp is None:
            self.counters.drop("dhcp_no_client")
            return
        dhcp.client.receive(payload, (datagram.source, port), datagram.destination, datagram.now)


class InterfaceDhcp:
    """The DHCP of one interface: its `client`, and the adapter between the client and the host."""

    def __init__(
        self,
        layer: DhcpLayer,
        interface: Interface,
        duid: bytes,
        acd: str | None,
    ) -> None:
        self._layer = layer
        self._config, self._counters = layer.config, layer.counters
        self._ip, self._addresses = layer.ip, layer.addresses
        self.interface = interface
        mode = self._config.acd.mode if acd is None else acd
        self._acd = STRICT if mode == DEFEND else mode  # a leased address is declined, not defended
        self.release = True  # whether `end` sends DHCPRELEASE
        self.link_local_allowed = True  # whether to use a link-local address while no server answers
        self.parameters: Lease | None = None  # the answer to `inform`
        self.informed_about: bytes | None = None  # the user's address, for which `inform` asked
        self._holds = False  # whether the address of the lease is on the interface
        self._error_at_end = errno.ENETDOWN
        self._routes: list[Route] = []
        self._adapter = LinkLocalAdapter(
            self._config, self._addresses, interface, self._acd, layer.moved, self._on_claimed
        )
        self._duid = duid
        self.client = self._new_client()

    def _new_client(self) -> Client:
        interface, layer = self.interface, self._layer
        assert interface.mac is not None
        client = Client(
            self._config.dhcp, self._counters, interface.mac, interface.link.mtu, layer.random, self, duid=self._duid
        )
        client.reschedule = layer.moved
        client.trace = self._observed
        return client

    def begin(self, now: float, remembered: Lease | None, wish: bytes | None) -> None:
        """Start the client.

        It asks for the address of the remembered lease, or else for `wish`, or else for any.
        """
        self.interface.awaited_port = CLIENT_PORT
        self.client.start(now, remembered, requested=wish)

    def inform(self, address: bytes, now: float) -> None:
        """Ask for the other parameters of a network in which the user has set `address`.

        See RFC 2131 section 4.4.3. A second call begins again. Raises OSError EADDRINUSE if a
        socket is bound to port 68.
        """
        self._layer.listen(self)
        self.client.stop(now)
        self.parameters, self.informed_about = None, address
        self.client.inform(address, now)

    @property
    def informed_or_silent(self) -> bool:
        """Whether `inform` has ended. Then `parameters` has the answer, or None."""
        return self.client.state is State.STOPPED

    def verify(self, now: float, asleep_s: float = 0.0) -> None:
        """Verify the lease, because the host may be on another network now (RFC 2131 section 3.7).

        `asleep_s` is how long the machine was suspended. `now` does not count that time.
        """
        self.client.link_changed(now, asleep_s)

    def holds(self, address: bytes) -> bool:
        """Whether an address is that of the lease, and on the interface."""
        return self._holds and self.client.lease is not None and self.client.lease.address == address

    def end(self, now: float, error: int) -> None:
        """Stop the client, and undo the changes of the lease."""
        self._error_at_end = error
        lease = self.client.lease
        if self.release:
            self.client.release(now)
        else:
            self.client.stop(now)
            if lease is not None:
                self._undo(lease, now, error)
        self._adapter.link_local.stop(now)
        self.interface.awaited_port = 0

    def reaches_server(self, now: float) -> bool:
        """Whether a DHCPRELEASE would leave at once; True if none will be sent.

        If not, start ARP.
        """
        lease = self.client.lease
        if lease is None or not self.release or self.interface.neighbors is None:
            return True
        try:
            path = self._ip.output.path(lease.address, lease.server, PROTO_UDP, now=now)
        except OSError:
            return True
        path.close()
        neighbors = path.interface.neighbors
        return neighbors is None or neighbors.resolve(path.next_hop, now)

    # --- time

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due."""
        return min(self.client.deadline, self._adapter.deadline)

    def on_deadline(self, now: float) -> None:
        """Handle what is due.

        A client that raises is replaced by a new one, since it would raise again. The new client
        asks for a lease. If the old one was started by `inform`, it does not: `inform` then has
        ended without an answer.
        """
        self._adapter.on_deadline(now)
        try:
            self.client.on_deadline(now)
        except Exception:
            lease = self.client.lease
            if lease is not None:
                self._undo(lease, now, errno.EADDRNOTAVAIL)
            self.client = self._new_client()
            if self.informed_about is None:
                self.client.start(now)
            else:
                self.silent(now)
            raise

    # --- the methods of `stack.dhcp.client_host.ClientHost`

    def broadcast(self, message: bytes, source: bytes, now: float) -> None:
        """Broadcast a message to the servers on this link."""
        self._send(message, source, BROADCAST, self.interface, now)

    def unicast(self, message: bytes, source: bytes, server: bytes, now: float) -> None:
        """Send a message to one server, which may be on another link."""
        self._send(message, source, server, None, now)

    def _send(self, message: bytes, source: bytes, destination: bytes, pinned: Interface | None, now: float) -> None:
        pseudo = pseudo_sum(source, destination, PROTO_UDP, HEADER_LENGTH + len(message))
        datagram = build_datagram(CLIENT_PORT, SERVER_PORT, message, pseudo)
        try:
            self._ip.output.send(source, destination, PROTO_UDP, [datagram], now, interface=pinned)
        except OSError:
            self._counters.drop("dhcp_not_sent")
        else:
            self._counters["udpOutDatagrams"] += 1

    def probe(self, address: bytes, now: float) -> None:
        """Find out whether another host has `address`, or this host has it without this client."""
        conflicts = self.interface.conflicts
        assert conflicts is not None
        ours = self._addresses.ours(address)
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
        """Stop probing for `address`."""
        assert self.interface.conflicts is not None
        self.interface.conflicts.cancel(address)

    def bound(self, lease: Lease, previous: Lease | None, now: float) -> None:
        """Use a new lease, or an extension of the `previous` one."""
        if previous is None:
            acd = PROBED if self._acd == STRICT else self._acd
            try:
                self._addresses.add(
                    self.interface,
                    lease.prefix,
                    now,
                    acd=acd,
                    on_conflict=lambda mac, later: self.client.conflict(lease.address, later),
                )
            except (OSError, ValueError):  # this host has the address without this client
                self.client.conflict(lease.address, now)
                return
            self._holds = True
        elif previous.prefix != lease.prefix:  # only the mask has changed: the address stays, and connections too
            self._ip.remove_address(self.interface, previous.prefix)
            self._ip.add_address(self.interface, lease.prefix)
            self._routes = []
        self._set_routes(lease)
        self._set_mtu(lease.mtu, now)
        self._adapter.link_local.routable(now)
        self._layer.on_lease(self.interface, lease, "")
        self._layer.changed()

    def _set_routes(self, lease: Lease) -> None:
        """Set the routes of the lease, and remove the old ones.

        Routes without a router come first: the routers of other routes may be reached by them.
        """
        routes, interface = self._ip.routes, self.interface
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
                added = routes.add(
                    route.prefix, interface, route.gateway, route.source, route.metric, because="route_of_lease"
                )
            except ValueError:
                self._counters.drop("dhcp_bad_route")
            else:
                self._routes.append(added)

    def _set_mtu(self, mtu: int | None, now: float) -> None:
        link_mtu = self.interface.link.mtu
        wanted = link_mtu if mtu is None else min(mtu, link_mtu)
        if wanted != self.interface.mtu:
            self._addresses.set_mtu(self.interface, wanted, now)

    def unbound(self, lease: Lease, reason: str, now: float) -> None:
        """A lease has ended."""
        self._undo(lease, now, self._error_at_end if reason == "released" else errno.EADDRNOTAVAIL)
        self._layer.on_lease(self.interface, None, reason)
        self._layer.changed()

    def _undo(self, lease: Lease, now: float, error: int) -> None:
        """Undo the changes of a lease. What depends on the address ends with the errno `error`."""
        for route in self._routes:
            self._ip.routes.discard(route)
        self._routes = []
        self._set_mtu(None, now)
        held, self._holds = self._holds, False
        if held and any(prefix.address == lease.address for prefix in self.interface.addresses):
            self._addresses.remove(self.interface, lease.address, now, error)

    def denied(self, lease: Lease, reason: str, now: float) -> None:
        """The remembered lease was refused."""
        self._layer.on_lease(self.interface, None, reason)

    def informed(self, lease: Lease, now: float) -> None:
        """A server has answered `inform`.

        Only its name servers are used; the user has set everything else.
        """
        self.parameters = lease
        self._layer.stop_listening(self)
        self._layer.changed()

    def silent(self, now: float) -> None:
        """No server answers. Use a link-local address until one does (RFC 3927).

        After `inform` there is an address already, so only port 68 is released.
        """
        self._layer.changed()
        if self.client.state is State.STOPPED:
            self._layer.stop_listening(self)
        elif self.link_local_allowed and self._config.link_local.enabled:
            self._adapter.link_local.start(now)

    def _on_claimed(self, address: bytes) -> None:
        self._observed("link_local", {"address": address})

    # --- observers

    def _observed(self, name: str, fields: dict[str, object]) -> None:
        if self._layer.trace.on:
            self._layer.trace.tell(f"dhcp:{name}", self.interface.name, because(name, fields), **plain(fields))
