"""The routing table: connected networks, static routes, default gateways and redirected hosts.

See RFC 1122 section 3.3.1 (routing outbound datagrams; dead gateways in 3.3.1.4 and 3.3.1.5) and
RFC 792 (Redirect). Static routes, the list of default gateways and the cache of redirected hosts
are one table, as 3.3.1.3 allows.

A Redirect is only a hint from the network. So its route expires, and it is forgotten when the
gateway fails, when TCP suspects the path, and when the configured routes change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from stack.config import IpConfig
from stack.internet.interface import Interface
from stack.trace.trace import UNWATCHED, Trace
from stack.wire.addresses import Prefix, format_ipv4


@dataclass(frozen=True, slots=True)
class Route:
    """A route to the destinations in `prefix`: out of `interface`, by `gateway` or directly (None).

    `source` is the address of ours to send from; with None one on the next hop's network is chosen.
    Among routes for the same prefix the lowest `metric` is preferred, then the one added first. A
    redirected host's route `expires`.
    """

    prefix: Prefix
    interface: Interface
    gateway: bytes | None = None
    source: bytes | None = None
    metric: int = 0
    redirected: bool = False
    expires: float = math.inf

    def next_hop(self, destination: bytes) -> bytes:
        """The address to be resolved on the link for a datagram to `destination`."""
        return destination if self.gateway is None else self.gateway


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """One line of the table, as the user reads it."""

    destination: str
    gateway: str | None
    interface: str
    source: str | None
    metric: int
    redirected: bool
    alive: bool


class RoutingTable:
    """Chooses the longest matching prefix, and prefers gateways that are not known to be dead.

    `on_change` is called after each change, so that results of earlier lookups can be looked up
    again. Its argument is the one host that the change concerns, or None when the result may have
    changed for any destination.
    """

    def __init__(self, config: IpConfig, trace: Trace = UNWATCHED) -> None:
        self.config = config
        self._trace = trace
        self.on_change: Callable[[bytes | None], None] | None = None
        self._by_length: dict[int, dict[bytes, list[Route]]] = {}
        self._lengths: list[int] = []
        self._redirects: dict[bytes, Route] = {}  # the first one expires first
        self._dead_until: dict[bytes, float] = {}

    def add(
        self,
        prefix: Prefix,
        interface: Interface,
        gateway: bytes | None = None,
        source: bytes | None = None,
        metric: int = 0,
        *,
        because: str = "route_given",
    ) -> Route:
        """Add a route and return it. A route that is there already is not added again.

        `because` is told to observers.

        Raises ValueError when the gateway is not on a network that this interface is connected to
        (RFC 1122 section 3.3.1.1). An address of ours or a route without gateway (RFC 3442)
        connects it to a network.
        """
        if gateway is not None and interface.mac is not None and not self._on_link(gateway, interface):
            raise ValueError(f"gateway {format_ipv4(gateway)} is on no network of {interface.name}")
        route = Route(Prefix(prefix.network, prefix.length), interface, gateway, source, metric)
        routes = self._by_length.setdefault(prefix.length, {}).setdefault(route.prefix.network, [])
        if route not in routes:
            routes.append(route)
            routes.sort(key=lambda known: known.metric)
            self._lengths = sorted(self._by_length, reverse=True)
            if self._trace.on:
                self._tell(route, "added", because)
            self._table_changed()
        return route

    def remove(self, prefix: Prefix, interface: Interface | None = None, gateway: bytes | None = None) -> int:
        """Remove the routes for exactly this prefix, and return how many there were.

        With `interface` or `gateway` only the routes by it are removed.
        """
        networks = self._by_length.get(prefix.length, {})
        routes = networks.get(prefix.network, [])
        kept = [
            route
            for route in routes
            if (interface is not None and route.interface is not interface)
            or (gateway is not None and route.gateway != gateway)
        ]
        return self._replace(prefix.length, prefix.network, kept, "route_taken_away")

    def discard(self, route: Route) -> None:
        """Remove exactly this route, which `add` has returned.

        Does nothing when it is not in the table any more.
        """
        routes = self._by_length.get(route.prefix.length, {}).get(route.prefix.network, [])
        kept = [known for known in routes if known != route]
        self._replace(route.prefix.length, route.prefix.network, kept, "route_lease_over")

    def remove_interface(self, interface: Interface) -> None:
        """Remove every route out of an interface that is being removed."""
        self._drop_if(lambda route: route.interface is interface, "route_interface_gone")
        self._table_changed()

    def remove_address(self, interface: Interface, prefix: Prefix) -> None:
        """Remove the routes that need an address which is no longer ours.

        These are the routes that send from it, and those whose gateway is no longer on any of our
        networks.
        """
        self._drop_if(
            lambda route: route.interface is interface and route.source == prefix.address, "route_address_gone"
        )
        self._drop_if(
            lambda route: (
                route.interface is interface
                and route.gateway is not None
                and not self._on_link(route.gateway, interface)
            ),
            "route_gateway_off_link",
        )
        self._table_changed()

    def _drop_if(self, gone: Callable[[Route], bool], because: str) -> None:
        for length, networks in list(self._by_length.items()):
            for network, routes in list(networks.items()):
                self._replace(length, network, [route for route in routes if not gone(route)], because)

    def _on_link(self, address: bytes, interface: Interface) -> bool:
        """Whether `address` is a neighbour on this interface.

        It is if it is on a network of ours, or of a route without gateway. A default route without
        gateway does not count, because every address would be a neighbour by it.
        """
        if any(own.contains(address) for own in interface.addresses):
            return True
        number = int.from_bytes(address, "big")
        for length, networks in self._by_length.items():
            network = (number >> (32 - length) << (32 - length)).to_bytes(4, "big")
            for route in networks.get(network, ()) if length else ():
                if route.interface is interface and route.gateway is None:
                    return True
        return False

    def lookup(
        self, destination: bytes, now: float = 0.0, interface: Interface | None = None, direct: bool = False
    ) -> Route | None:
        """The route for `destination`, or None. With `direct` it has no gateway (SO_DONTROUTE).

        With `interface` only routes out of it count: a datagram with an address of ours as its
        source leaves by that address's interface alone (the strong model, RFC 1122
        section 3.3.4.2). If all gateways are dead, the first one is used all the same.
        """
        redirected = self._redirects.get(destination)
        if redirected is not None and now < redirected.expires and interface in (None, redirected.interface):
            if not direct:
                return redirected
        number = int.from_bytes(destination, "big")
        last_resort: Route | None = None
        for length in self._lengths:
            network = (number >> (32 - length) << (32 - length)).to_bytes(4, "big")
            for route in self._by_length[length].get(network, ()):
                if (interface is not None and route.interface is not interface) or (direct and route.gateway):
                    continue
                if self.alive(route, now):
                    return route
                last_resort = last_resort or route
        return last_resort

    def alive(self, route: Route, now: float) -> bool:
        """Whether the gateway of `route` is not known to be dead."""
        if route.gateway is None or not self._dead_until:
            return True
        return self._dead_until.get(route.gateway, now) <= now

    def gateway_failed(self, gateway: bytes, now: float) -> None:
        """Prefer other gateways to this one for a while: it did not answer ARP.

        See RFC 1122 section 3.3.1.4. Redirects to it are forgotten: "the IP layer can immediately
        switch to a default gateway" (3.3.1.5).
        """
        self._redirects = {host: route for host, route in self._redirects.items() if route.gateway != gateway}
        self._dead_until = {known: until for known, until in self._dead_until.items() if until > now}
        self._dead_until[gateway] = now + self.config.dead_gateway_s
        if self._trace.on:
            self._trace.tell(
                "ip:route", "host", "gateway_silent", action="gateway failed", gateway=format_ipv4(gateway)
            )
        self._changed()

    def gateway_answers(self, gateway: bytes) -> None:
        """Undo `gateway_failed`: the gateway has answered."""
        if self._dead_until.pop(gateway, None) is not None:
            if self._trace.on:
                name, address = "gateway answers", format_ipv4(gateway)
                self._trace.tell("ip:route", "host", "gateway_answered", action=name, gateway=address)
            self._changed()

    # --- redirects

    def __len__(self) -> int:
        """How many hosts are redirected."""
        return len(self._redirects)

    def may_redirect(self, destination: bytes, gateway: bytes, by: bytes, interface: Interface, now: float) -> bool:
        """Whether a Redirect from `by` is legal (RFC 1122 section 3.2.2.2).

        It must come from the current first hop for that destination, and name another gateway on
        the same network. A gateway that has just failed is refused: 3.3.1.5 describes routers that
        suggest a dead one.
        """
        current = self.lookup(destination, now)
        if current is None or current.interface is not interface or current.gateway != by or gateway == by:
            return False
        local = any(prefix.contains(gateway) for prefix in interface.addresses)
        ours = any(gateway in (prefix.address, prefix.broadcast) for prefix in interface.addresses)
        return local and not ours and self._dead_until.get(gateway, now) <= now

    def redirect(self, destination: bytes, gateway: bytes, by: bytes, interface: Interface, now: float) -> bool:
        """Send datagrams for one host by another gateway. False when the Redirect is not legal.

        Host and network Redirects both change the route of one host (RFC 1122 section 3.3.1.2). The
        oldest entry makes room for a new one. The entry expires, since a gateway must not be used
        indefinitely without a sign that it works (3.3.1.4). If the Redirect is still right then,
        the first hop will send it again.
        """
        current = self.lookup(destination, now)
        if current is None or not self.may_redirect(destination, gateway, by, interface, now):
            return False
        self._redirects.pop(destination, None)
        while len(self._redirects) >= self.config.redirects_max:
            self.forget_redirect(next(iter(self._redirects)), "redirects_full")
        expires = now + self.config.redirect_timeout_s
        self._redirects[destination] = Route(
            Prefix(destination, 32), interface, gateway, current.source, redirected=True, expires=expires
        )
        if self._trace.on:
            self._tell(self._redirects[destination], "added", "route_redirected")
        self._changed(destination)
        return True

    def forget_redirect(self, destination: bytes, because: str = "redirect_suspected") -> None:
        """Return to the configured route for a host. `because` is told to observers.

        Does nothing when the host is not redirected.
        """
        route = self._redirects.pop(destination, None)
        if route is not None:
            if self._trace.on:
                self._tell(route, "removed", because)
            self._changed(destination)

    def forget_redirects(self) -> None:
        """Forget all redirects, because the link may lead to another network now."""
        if self._redirects:
            self._table_changed()

    @property
    def deadline(self) -> float:
        """When the next redirect expires; math.inf for never."""
        for route in self._redirects.values():
            return route.expires
        return math.inf

    def on_deadline(self, now: float) -> None:
        """Forget the redirects that have expired."""
        for destination in [host for host, route in self._redirects.items() if route.expires <= now]:
            self.forget_redirect(destination, "redirect_old")

    def is_router(self, address: bytes, interface: Interface) -> bool:
        """Whether `address` is the gateway of a configured route on this interface.

        A route may be configured by hand or by DHCP.
        """
        return any(
            route.gateway == address and route.interface is interface
            for networks in self._by_length.values()
            for known in networks.values()
            for route in known
        )

    def is_gateway(self, address: bytes) -> bool:
        """Whether `address` is the gateway of a route, configured or redirected."""
        return any(route.gateway == address for route in self._all())

    def tables(self) -> dict[str, int]:
        """How many configured routes, redirected hosts and failed gateways there are."""
        configured = sum(len(known) for networks in self._by_length.values() for known in networks.values())
        return {"routes": configured, "redirects": len(self._redirects), "dead_gateways": len(self._dead_until)}

    def records(self, now: float = 0.0) -> list[RouteRecord]:
        """The whole table: redirected hosts first, then the longest prefixes."""
        return [
            RouteRecord(
                str(route.prefix),
                None if route.gateway is None else format_ipv4(route.gateway),
                route.interface.name,
                None if route.source is None else format_ipv4(route.source),
                route.metric,
                route.redirected,
                self.alive(route, now),
            )
            for route in self._all()
        ]

    def _all(self) -> list[Route]:
        routes = list(self._redirects.values())
        for length in self._lengths:
            for known in self._by_length[length].values():
                routes.extend(known)
        return routes

    def _replace(self, length: int, network: bytes, kept: list[Route], because: str) -> int:
        networks = self._by_length.get(length, {})
        known = networks.get(network, [])
        removed = len(known) - len(kept)
        if removed:
            if self._trace.on:
                for route in [route for route in known if route not in kept]:
                    self._tell(route, "removed", because)
            if kept:
                networks[network] = kept
            else:
                del networks[network]
            if not networks:
                del self._by_length[length]
                self._lengths = sorted(self._by_length, reverse=True)
            self._table_changed()
        return removed

    def _table_changed(self) -> None:
        """The configured routes have changed: forget the redirects, and report the change."""
        if self._trace.on:
            for route in self._redirects.values():
                self._tell(route, "removed", "redirects_out_of_date")
        self._redirects.clear()
        self._changed()

    def _tell(self, route: Route, action: str, because: str) -> None:
        gateway = {} if route.gateway is None else {"gateway": format_ipv4(route.gateway)}
        self._trace.tell(
            "ip:route",
            route.interface.name,
            because,
            action=action,
            prefix=str(route.prefix),
            **gateway,
            metric=route.metric,
        )

    def _changed(self, host: bytes | None = None) -> None:
        if self.on_change is not None:
            self.on_change(host)
