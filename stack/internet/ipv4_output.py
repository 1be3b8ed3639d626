"""IPv4 output: chooses source, interface and next hop, fragments, and keeps what all paths share.

See RFC 791 section 3.2, RFC 1122 sections 3.3.1 (routing), 3.3.3 (fragmentation) and 3.3.4.2
(source addresses: the strong model), RFC 1191 section 6 (path MTU).
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from functools import partial

from stack.config import IpConfig
from stack.counters import Counters
from stack.errors import os_error
from stack.internet.fragments import fragment
from stack.internet.ident import Identifications
from stack.internet.interface import Interface, is_broadcast_on, send_frame
from stack.internet.loopback import Loopback
from stack.internet.neighbor import Neighbor, OnError, fixed
from stack.internet.path import UNBOUND, Path, SpecialPath, Way
from stack.internet.path_mtu import PathMtus
from stack.internet.route import RoutingTable
from stack.noop import noop
from stack.trace.trace import Trace
from stack.wire.addresses import (
    ANY,
    BROADCAST,
    LOOPBACK,
    format_ipv4,
    is_class_e,
    is_link_local,
    is_loopback,
    is_multicast,
    is_this_network,
)
from stack.wire.checksum import Buffer
from stack.wire.ipv4 import MAX_LENGTH, MAX_OPTIONS_LENGTH, Ipv4Header
from stack.wire.ipv4_options import SOURCE_ROUTES, find_error, split


def _may_be_sent(options: bytes) -> bool:
    """Whether raw options are padded, well formed, and hold at most one source route.

    See RFC 1122 section 3.2.1.8 (c).
    """
    if not options:
        return True
    if len(options) % 4 or len(options) > MAX_OPTIONS_LENGTH or find_error(options) is not None:
        return False
    return sum(option.type in SOURCE_ROUTES for option in split(options)) <= 1


def _is_network_address(interface: Interface, destination: bytes) -> bool:
    """Whether `destination` is {network, 0}.

    Nothing may be sent to such an address (RFC 1812 section 4.2.3.1).
    """
    for prefix in interface.addresses:  # noqa: SIM110  any() costs one more call for each path
        if prefix.network == destination and prefix.broadcast is not None:
            return True
    return False


class Ipv4Output:
    """Makes paths, and updates them when routes, neighbours or path MTUs change.

    Arguments:
      config, counters: `Config.ip` and the host's counters.
      random: `(n)` returns n secret bytes.
      interfaces, own: the host's interfaces, and the interface of each address of ours. The owner
        changes both in place.
      loopback: the loopback interface, which is in `interfaces` too.
      trace: tells the observers, if there are any.

    `epoch` is raised when addresses of ours or routes have changed, so that what was derived from
    them can be found again. `addresses_epoch` is raised when addresses have changed.
    """

    def __init__(
        self,
        config: IpConfig,
        counters: Counters,
        random: Callable[[int], bytes],
        interfaces: list[Interface],
        own: dict[bytes, Interface],
        loopback: Loopback,
        trace: Trace,
    ) -> None:
        self.trace = trace
        self.config = config
        self.counters = counters
        self.interfaces = interfaces
        self.loopback = loopback
        self._own = own
        self.idents = Identifications(random)
        self.routes = RoutingTable(config, trace)
        self.routes.on_change = self._routes_changed
        self.path_mtus = PathMtus(config)
        self._mtus_of: dict[int, PathMtus] = {}  # by protocol: path MTUs that apply to that protocol alone
        self.deadline = math.inf
        self.reschedule: Callable[[], None] = noop  # called when `deadline` has moved earlier
        self._paths: dict[bytes, dict[Path, None]] = {}
        self.epoch = self.addresses_epoch = 0
        # `(packet, errno, now)`: the next hop did not answer, and the owner wants an ICMP error
        self.on_unreachable: Callable[[bytes, int, float], object] = noop

    # --- making paths

    def path(
        self,
        source: bytes | None,
        destination: bytes,
        protocol: int,
        *,
        ttl: int | None = None,
        tos: int = 0,
        df: bool = False,
        options: bytes = b"",
        interface: Interface | None = None,
        now: float = 0.0,
        way: Way | None = None,
    ) -> Path:
        """A path to `destination`; close it when it is no longer needed.

        `source` is one of our addresses, or None to have one chosen. It may be ANY, with
        `interface`, while we have no address. `options` are raw and padded to 4 bytes. With `ttl`
        None the configured default is used (1 for multicast). Raises OSError: ENETUNREACH (no
        route, or nothing may be sent to this destination), EADDRNOTAVAIL (the source is not our
        address, or not on that interface), EINVAL (TTL or TOS out of range, malformed options).
        """
        path = self._make(source, destination, protocol, ttl, tos, df, options, interface, now, way)
        self._paths.setdefault(destination, {})[path] = None
        return path

    def send(
        self,
        source: bytes | None,
        destination: bytes,
        protocol: int,
        parts: list[Buffer],
        now: float,
        *,
        ttl: int | None = None,
        tos: int = 0,
        options: bytes = b"",
        interface: Interface | None = None,
        random_ident: bool = False,
    ) -> None:
        """Send one datagram without keeping a path. Raises what `path` and `Path.send` raise.

        `random_ident` is for errors and resets: the Identification is random, so that those of
        other datagrams do not show that one was sent.
        """
        path = self._make(source, destination, protocol, ttl, tos, False, options, interface, now)
        if random_ident:
            path.flow = self.idents.random_flow()
        path.send(parts, sum(map(len, parts)), now)

    def _make(
        self,
        source: bytes | None,
        destination: bytes,
        protocol: int,
        ttl: int | None,
        tos: int,
        df: bool,
        options: bytes,
        interface: Interface | None,
        now: float,
        way: Way | None = None,
    ) -> Path:
        if ttl is None:
            ttl = self.config.multicast_ttl if is_multicast(destination) else self.config.ttl
        if not 1 <= ttl <= 255 or not 0 <= tos <= 255 or not _may_be_sent(options):
            raise os_error(errno.EINVAL)
        out, next_hop, chosen = self._route(source, destination, interface, now, way)
        if source is None:
            source = chosen
        kind = Path if way is None else partial(SpecialPath, way)
        path = kind(self, self.counters, source, destination, protocol, ttl=ttl, tos=tos, df=df, options=options)
        path.pinned = interface is not None
        self._attach(path, out, next_hop)
        if self.trace.on:
            self._tell_route(path, now)
        return path

    def forget(self, path: Path) -> None:
        """Remove a path that has been closed."""
        siblings = self._paths.get(path.destination)
        if siblings is not None:
            siblings.pop(path, None)
            if not siblings:
                del self._paths[path.destination]

    @property
    def open_paths(self) -> int:
        """How many paths are open."""
        return sum(map(len, self._paths.values()))

    # --- routing

    def owner(self, address: bytes) -> Interface | None:
        """The interface that has this address of ours, or None when the address is not ours.

        All of 127/8 is on the loopback (RFC 1122 section 3.2.1.3 (g)).
        """
        return self.loopback if is_loopback(address) else self._own.get(address)

    def _route(
        self, source: bytes | None, destination: bytes, interface: Interface | None, now: float, way: Way | None
    ) -> tuple[Interface, bytes, bytes]:
        """Interface, next hop and source address for a destination (RFC 1122 section 3.3.4.2)."""
        owner, direct = None, False
        if way is not None:
            direct = way.direct
            if way.device is not None:
                interface = self._chosen(way.device, source, destination)
        if source == ANY:
            if interface is None:
                raise os_error(errno.EADDRNOTAVAIL)
            owner = interface
        elif source is not None:
            owner = self.owner(source)
            if owner is None or interface not in (None, owner):
                raise os_error(errno.EADDRNOTAVAIL)
        if self.owner(destination) is not None:
            chosen = LOOPBACK if is_loopback(destination) else destination
            return self.loopback, destination, chosen
        if owner is self.loopback or is_class_e(destination) or is_this_network(destination):
            raise self._no_route()
        if is_multicast(destination) or destination == BROADCAST:
            out = interface or owner or self._first_interface(destination, now)
            gateway, preferred = None, None
        elif is_link_local(destination) or (source is not None and is_link_local(source)):
            # RFC 3927 2.6.2, 2.7: such a datagram stays on the link, and never goes to a router.
            out = interface or owner or self._first_interface(destination, now)
            gateway, preferred = None, None
        else:
            route = self.routes.lookup(destination, now, interface or owner, direct)
            if route is None:
                out, gateway, preferred = self._only_link_local(interface or owner), None, None
            elif route.gateway is None and _is_network_address(route.interface, destination):
                raise self._no_route()
            else:
                out, gateway, preferred = route.interface, route.gateway, route.source
        next_hop = destination if gateway is None else gateway
        if source is not None:
            return out, next_hop, source
        return out, next_hop, preferred or self._source_on(out, next_hop)

    def _chosen(self, index: int, source: bytes | None, destination: bytes) -> Interface | None:
        """The interface with this index; None for a destination of ours, which it can reach.

        OSError: ENODEV if it is gone, ENETUNREACH if it cannot reach the destination, or not from
        `source`: addresses belong to interfaces (RFC 1122 section 3.3.4.2, the strong model).
        """
        for interface in self.interfaces:
            if interface.index == index:
                break
        else:
            raise os_error(errno.ENODEV)
        owner = self.owner(destination)
        if owner is not None and (owner is interface or interface.loopback):
            return None
        if owner is not None or interface.loopback or (source is not None and self.owner(source) is not interface):
            raise self._no_route()
        return interface

    def _first_interface(self, destination: bytes, now: float) -> Interface:
        """The interface for a broadcast, multicast or link-local destination, if none is given.

        It is that of the default route, or else the first one.
        """
        route = self.routes.lookup(destination, now)
        if route is not None:
            return route.interface
        for interface in self.interfaces:
            if not interface.loopback:
                return interface
        raise self._no_route()

    def _only_link_local(self, interface: Interface | None) -> Interface:
        """An interface whose addresses all are link-local.

        It resolves every destination by ARP (RFC 3927 2.6.2).
        """
        for candidate in self.interfaces if interface is None else [interface]:
            addresses = candidate.addresses
            if candidate.mac is not None and addresses and all(is_link_local(own.address) for own in addresses):
                return candidate
        raise self._no_route()

    def _no_route(self) -> OSError:
        self.counters["ipSystemStatsOutNoRoutes"] += 1
        return os_error(errno.ENETUNREACH)

    @staticmethod
    def _source_on(interface: Interface, next_hop: bytes) -> bytes:
        """Choose a source address: a routable one before a link-local one (RFC 3927 section 2.6.1).

        Among those, one on the next hop's network is preferred.
        """
        routable = [prefix for prefix in interface.addresses if not is_link_local(prefix.address)]
        usable = routable or interface.addresses
        for prefix in usable:
            if prefix.contains(next_hop):
                return prefix.address
        if not usable:
            raise os_error(errno.EADDRNOTAVAIL)
        return usable[0].address

    def _attach(self, path: Path, interface: Interface, next_hop: bytes) -> None:
        path.multicast = is_multicast(path.destination)
        path.broadcast = is_broadcast_on(interface, path.destination) and not interface.loopback
        neighbor: Neighbor
        if interface.neighbors is None:
            neighbor = fixed(next_hop, None, None, path.broadcast or path.multicast)
        else:
            neighbor = interface.neighbors.neighbor(next_hop)
        mtu, no_df = self._limit(path, interface.mtu)
        path.bind(interface, next_hop, neighbor, mtu)
        path.let_routers_fragment(no_df)

    def _routes_changed(self, host: bytes | None) -> None:
        if host is not None:
            affected = list(self._paths.get(host, ()))
        else:
            affected = [path for siblings in self._paths.values() for path in siblings]
        for path in affected:
            path.neighbor = UNBOUND
        self.epoch += 1
        self._deadline_changed()

    def links_changed(self) -> None:
        """The interfaces have other objects for the same links: see `Path.link_changed`."""
        for siblings in self._paths.values():
            for path in siblings:
                path.link_changed()

    # --- the slow part of sending

    def send_slow_path(self, path: Path, parts: list[Buffer], length: int, now: float, offload: bytes) -> None:
        """Send a datagram that `Path.send` does not send itself.

        It has options, it must be fragmented, its route must be looked up again, or its next hop
        must be resolved.
        """
        counters = self.counters
        counters["ipSystemStatsOutRequests"] += 1
        if path.neighbor is UNBOUND:
            self._rebind(path, now)
            if offload and not path.checksum_offload:
                raise os_error(errno.EMSGSIZE)  # the new link lacks the offload: the caller must form the packet anew
        total = path.header_length + length
        if total > MAX_LENGTH:
            raise os_error(errno.EMSGSIZE)
        if total > path.mtu and path.df and not offload:
            counters["ipSystemStatsOutFragFails"] += 1
            if self.trace.on:
                destination = format_ipv4(path.destination)
                self.trace.tell(
                    "ip:not_sent",
                    path.interface.name,
                    "may_not_fragment",
                    destination=destination,
                    len=total,
                    mtu=path.mtu,
                )
            raise os_error(errno.EMSGSIZE)
        header = Ipv4Header(
            path.source,
            path.destination,
            path.protocol,
            total,
            0 if path.df else path.identification(),
            dont_fragment=bool(path.df),
            ttl=path.ttl,
            tos=path.tos,
            options=path.options,
        )
        if total > path.mtu and not offload:
            packets = fragment(header, b"".join(parts), path.mtu)
            counters["ipSystemStatsOutFragReqds"] += 1
            counters["ipSystemStatsOutFragOKs"] += 1
            counters["ipSystemStatsOutFragCreates"] += len(packets)
            if self.trace.on:
                self._tell_fragments(path, packets)
        else:
            packets = [b"".join((header.build(), *parts))]
        counters["ipSystemStatsOutTransmits"] += len(packets)
        neighbors = path.interface.neighbors
        if path.neighbor.ethernet is None and neighbors is not None:
            failed: OnError = path.failed
            if path.way is not None and path.way.queue_errors:
                failed = partial(self.on_unreachable, packets[0])
            path.neighbor = neighbors.send(path.neighbor, packets, now, failed, offload)
            return
        path.neighbor.used = True
        for packet in packets:
            send_frame(counters, path.interface.link, [path.neighbor.ethernet or b"", packet], now, offload)

    def _tell_fragments(self, path: Path, packets: list[bytes]) -> None:
        for packet in packets:
            header = Ipv4Header.parse(packet)
            self.trace.tell(
                "ip:fragment",
                path.interface.name,
                "larger_than_mtu",
                destination=format_ipv4(path.destination),
                id=header.identification,
                offset=header.fragment_offset,
                more=header.more_fragments,
                len=len(packet) - header.header_length,
                mtu=path.mtu,
            )

    def _tell_route(self, path: Path, now: float) -> None:
        """Tell why a path has its next hop: the branches are those of `_route`."""
        destination, interface = path.destination, path.interface
        route = None
        if interface is self.loopback:
            because = "route_to_ourselves"
        elif path.broadcast or path.multicast:
            because = "route_to_many"
        elif is_link_local(destination) or is_link_local(path.source):
            because = "route_link_local"
        else:
            route = self.routes.lookup(destination, now, interface)
            if route is not None and route.redirected:
                because = "route_redirected"
            else:
                because = "route_on_link" if path.next_hop == destination else "route_by_gateway"
        self.trace.tell(
            "ip:route",
            interface.name,
            because,
            action="chosen",
            destination=format_ipv4(destination),
            prefix="" if route is None else str(route.prefix),
            next_hop=format_ipv4(path.next_hop),
            source=format_ipv4(path.source),
            mtu=path.mtu,
        )

    def _rebind(self, path: Path, now: float) -> None:
        """Look the route up again, keeping the source address."""
        pinned = path.interface if path.pinned else None
        if pinned is not None and pinned not in self.interfaces:
            raise self._no_route()
        interface, next_hop, _ = self._route(path.source, path.destination, pinned, now, path.way)
        before = path.mtu
        self._attach(path, interface, next_hop)
        if self.trace.on:
            self._tell_route(path, now)
        if path.mtu != before and path.user is not None:
            path.user.path_mtu_changed(now)

    # --- path MTU

    def _limit(self, path: Path, mtu: int) -> tuple[int, bool]:
        """The MTU of a path over a first link of `mtu`, and whether DF must be left out.

        See `PathMtus.limit`.
        """
        if path.way is not None and not path.way.learns_mtu:
            return mtu, False
        mtu, no_df = self.path_mtus.limit(path.destination, mtu)
        own = self._mtus_of.get(path.protocol)
        if own is None:
            return mtu, no_df
        mtu, no_df_too = own.limit(path.destination, mtu)
        return mtu, no_df or no_df_too

    def must_omit_df(self, path: Path) -> bool:
        """Whether packets go without DF, because not even the smallest MTU passes."""
        return self._limit(path, path.mtu)[1]

    def lower_mtu(
        self,
        destination: bytes,
        mtu: int,
        now: float,
        for_s: float | None = None,
        protocol: int | None = None,
        *,
        because: str = "mtu_from_router",
    ) -> None:
        """Note that packets of more than `mtu` bytes do not arrive at `destination`.

        See RFC 1191 section 6.2. The entry is kept for `for_s` seconds, or for the configured time.
        With `protocol` it applies to the datagrams of that protocol alone. Each protocol has its
        own table, so that forged entries of one protocol take no room from the verified entries of
        another. `because` is told to observers.
        """
        table = self.path_mtus if protocol is None else self._mtus_of.setdefault(protocol, PathMtus(self.config))
        if table.lower(destination, mtu, now, for_s):
            if self.trace.on:
                lowered, _ = table.limit(destination, mtu)
                self._tell_mtu(destination, because, mtu=lowered, of=protocol or 0)
            self._deadline_changed()
            self._mtu_changed(destination, now)

    def _tell_mtu(self, destination: bytes, because: str, **data: object) -> None:
        self.trace.tell("ip:mtu", "host", because, destination=format_ipv4(destination), **data)

    def path_mtu_entries(self) -> int:
        """How many path MTUs are remembered."""
        return len(self.path_mtus) + sum(map(len, self._mtus_of.values()))

    def tables(self) -> dict[str, int]:
        """How many open paths, remembered path MTUs and routes there are."""
        return {
            "paths": self.open_paths,
            "path_mtus": self.path_mtu_entries(),
            **self.routes.tables(),
        }

    def interface_mtu_changed(self, interface: Interface, now: float) -> None:
        """Update the paths out of an interface whose MTU has changed.

        An unbound path is updated when it is bound again (`_rebind`).
        """
        if self.trace.on:
            self.trace.tell("ip:mtu", interface.name, "mtu_of_interface", mtu=interface.mtu)
        for siblings in list(self._paths.values()):
            for path in list(siblings):
                if path.interface is interface and path.neighbor is not UNBOUND:
                    self._update_mtu(path, now)

    def _mtu_changed(self, destination: bytes, now: float) -> None:
        for path in list(self._paths.get(destination, ())):
            self._update_mtu(path, now)

    def _update_mtu(self, path: Path, now: float) -> None:
        mtu, no_df = self._limit(path, path.interface.mtu)
        path.let_routers_fragment(no_df)
        if mtu != path.mtu:
            path.mtu = mtu
            if path.user is not None:
                path.user.path_mtu_changed(now)

    # --- time

    def _deadline_changed(self) -> None:
        before = self.deadline
        tables = (self.path_mtus, *self._mtus_of.values())
        self.deadline = min(self.routes.deadline, *(table.deadline for table in tables))
        if self.deadline < before:
            self.reschedule()

    def on_deadline(self, now: float) -> None:
        """Forget expired path MTUs (RFC 1191 section 6.3) and redirects.

        See RFC 1122 section 3.3.1.4.
        """
        if now < self.deadline:
            return
        for table in (self.path_mtus, *self._mtus_of.values()):
            for destination in table.on_deadline(now):
                if self.trace.on:
                    self._tell_mtu(destination, "mtu_old")
                self._mtu_changed(destination, now)
        self.routes.on_deadline(now)
        self._deadline_changed()
