"""From a message to a lease, and the rules for what contradicts itself. See RFC 2131 sections 3.5, 4.3.1 and 4.4.5.

A message is refused (BadPacket, and the reason is counted) when
  - the address cannot be a host's: 0/8, 127/8, 224/4 and above, link-local (RFC 3927 section 1.6), or the network's or
    the broadcast address of the prefix that comes with it;
  - the server identifier is missing or cannot be a host's, or is the very address that is given away;
  - the lease time is missing or shorter than `DhcpConfig.lease_min_s`, 0 included.

Everything else costs only the option, and `note` hears of it:
  - no subnet mask, or one that is 0.0.0.0 or not contiguous: the class of the address decides (RFC 950 section 2.1).
    255.255.255.255 is taken at its word: no neighbours, and each router gets a route of its own;
  - a router outside the prefix is kept as information, but no route leads over it (`Lease.routes` has the exception);
  - T1 and T2: what is missing has its default of 0.5 and 0.875 of the lease; if then T1 < T2 < lease does not hold, or
    T1 is under `renew_min_s`, both have their defaults;
  - a lease time of 0xffffffff is for ever, whatever T1 and T2 say: nothing is renewed (section 3.3);
  - an option about the network (`KEPT`: mask, routers, name servers and the like) that a renewal by the same server
    leaves out, or gives an impossible value, keeps its former value: otherwise a renewal that has only the lease time
    would turn a /24 into a /8. An option that another server leaves out has its default (section 3.5);
  - option 121 makes options 3 and 33 void, if it is well formed (RFC 3442); a malformed one is as good as none;
  - a broadcast address (option 28) other than the prefix's is not used (RFC 1122 section 3.3.6);
  - an MTU under 68 or over the link's is not used; lists hold hosts' addresses only, each once, and not too many;
  - names of anything but letters, digits, hyphens, underscores and dots are not used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from stack.config import DhcpConfig
from stack.dhcp import options
from stack.dhcp.lease import Lease, Route, can_be_leased
from stack.errors import BadPacket
from stack.wire import dhcp
from stack.wire.addresses import Prefix, format_ipv4

INFINITE = 0xFFFFFFFF
"""Section 3.3: the time that never ends."""

ROUTES = (dhcp.CLASSLESS_STATIC_ROUTE, dhcp.ROUTER, dhcp.STATIC_ROUTE)
KEPT = (
    dhcp.SUBNET_MASK,
    *ROUTES,
    dhcp.DOMAIN_NAME_SERVER,
    dhcp.HOST_NAME,
    dhcp.DOMAIN_NAME,
    dhcp.INTERFACE_MTU,
    dhcp.NTP_SERVERS,
    dhcp.DOMAIN_SEARCH,
)
"""The options about the network, as opposed to those about the lease or about this message."""


def server_of(values: dict[int, bytes]) -> bytes:
    """The server identifier. Raises BadPacket dhcp_no_server."""
    server = options.host(values.get(dhcp.SERVER_IDENTIFIER, b""))
    if server is None:
        raise BadPacket("dhcp_no_server")
    return server


@dataclass(frozen=True, slots=True)
class Parameters:
    """Makes leases. `mtu` is the link's, `note` is called with one sentence for each contradiction."""

    config: DhcpConfig
    mtu: int
    note: Callable[[str], None]

    def lease(
        self,
        message: dhcp.DhcpMessage,
        requested_at: float,
        fuzz: tuple[float, float] = (0, 0),
        extended: Lease | None = None,
    ) -> Lease:
        """The lease that a DHCPOFFER or DHCPACK gives; `fuzz` moves T1 and T2, -1 to 1 each, as far as is configured.

        `extended` is the lease that was asked for again, in use or remembered.

        Raises BadPacket dhcp_no_server, dhcp_bad_address, dhcp_bad_lease_time.
        """
        values = message.values()
        server, address = server_of(values), message.yiaddr
        if not can_be_leased(address) or address == server:
            raise BadPacket("dhcp_bad_address")
        if extended is not None and (extended.address, extended.server) == (address, server):
            values = self._completed(values, extended)
        length = self._prefix_length(address, values)
        prefix = Prefix(address, length)
        if length < 31 and address in (prefix.network, prefix.broadcast):
            raise BadPacket("dhcp_bad_address")
        seconds = options.seconds(values.get(dhcp.LEASE_TIME, b""))
        if seconds is None or seconds < self.config.lease_min_s:
            raise BadPacket("dhcp_bad_lease_time")
        times = (inf, inf, inf) if seconds == INFINITE else self._times(seconds, values, fuzz)
        return self._filled(prefix, server, times, requested_at, values)

    def informed(self, message: dhcp.DhcpMessage, address: bytes, requested_at: float) -> Lease:
        """What the DHCPACK to a DHCPINFORM says: no address and no times (RFC 2131 section 4.3.5), all else.

        Raises BadPacket dhcp_no_server.
        """
        values = message.values()
        prefix = Prefix(address, self._prefix_length(address, values))
        return self._filled(prefix, server_of(values), (inf, inf, inf), requested_at, values)

    def _completed(self, values: dict[int, bytes], extended: Lease) -> dict[int, bytes]:
        """The options of this message, completed by those of the extended lease that it leaves out.

        A router in this message replaces the former classless routes; if they were kept, it would be ignored.
        """
        said = {code for code in KEPT if self._says(code, values.get(code))}
        kept = {code: data for code, data in extended.options if code in KEPT and code not in said}
        if not said.isdisjoint(ROUTES):
            kept.pop(dhcp.CLASSLESS_STATIC_ROUTE, None)
        if kept:
            self.note(f"kept from the former lease: {', '.join(f'option {code}' for code in kept)}")
        return {**values, **kept}

    def _says(self, code: int, data: bytes | None) -> bool:
        """Whether an option is there and has a possible value."""
        if data is None:
            return False
        if code == dhcp.SUBNET_MASK:
            return options.prefix_length(data) is not None
        if code == dhcp.CLASSLESS_STATIC_ROUTE:
            return self.config.classless_routes and options.classless_routes(data, 1) is not None
        if code == dhcp.STATIC_ROUTE:
            return bool(options.static_routes(data, 1))
        if code == dhcp.INTERFACE_MTU:
            return options.mtu(data, self.config.mtu_min, self.mtu) is not None
        if code in (dhcp.HOST_NAME, dhcp.DOMAIN_NAME):
            return bool(options.domain_name(data))
        if code == dhcp.DOMAIN_SEARCH:
            return bool(options.search_list(data, 1))
        return bool(options.hosts(data, 1))  # of routers, name servers, time servers

    def _filled(
        self,
        prefix: Prefix,
        server: bytes,
        times: tuple[float, float, float],
        requested_at: float,
        values: dict[int, bytes],
    ) -> Lease:
        config = self.config
        routers = options.hosts(values.get(dhcp.ROUTER, b""), config.servers_max)
        for router in routers:
            if not prefix.contains(router) and prefix.length < 32:
                self.note(f"router {format_ipv4(router)} is outside {prefix}: not used")
        static_routes, classless = self._static_routes(values)
        broadcast = values.get(dhcp.BROADCAST_ADDRESS, b"")
        if broadcast and broadcast != prefix.broadcast:
            self.note("the broadcast address is not the one of the prefix: not used")
        return Lease(
            prefix.address,
            prefix.length,
            server,
            *times,
            requested_at,
            routers=routers,
            static_routes=static_routes,
            classless=classless,
            name_servers=options.hosts(values.get(dhcp.DOMAIN_NAME_SERVER, b""), config.servers_max),
            domain=self._name(dhcp.DOMAIN_NAME, values),
            search=options.search_list(values.get(dhcp.DOMAIN_SEARCH, b""), config.search_max),
            ntp_servers=options.hosts(values.get(dhcp.NTP_SERVERS, b""), config.servers_max),
            mtu=self._mtu(values),
            host_name=self._name(dhcp.HOST_NAME, values),
            message=options.text(values.get(dhcp.MESSAGE, b"")),
            options=tuple(sorted(values.items())),
        )

    def _prefix_length(self, address: bytes, values: dict[int, bytes]) -> int:
        mask = values.get(dhcp.SUBNET_MASK)
        length = options.prefix_length(mask or b"")
        if length is None:
            length = options.classful_length(address)
            self.note(f"{'no subnet mask' if mask is None else 'a subnet mask that cannot be'}: /{length} by class")
        return length

    def _times(self, lease_s: int, values: dict[int, bytes], fuzz: tuple[float, float]) -> tuple[float, float, float]:
        """(lease, T1, T2) with T1 < T2 < lease, in seconds, whatever the server says: RFC 2131 section 4.4.5."""
        default_t1, default_t2 = 0.5 * lease_s, 0.875 * lease_s
        given_t1 = options.seconds(values.get(dhcp.RENEWAL_TIME, b""))
        given_t2 = options.seconds(values.get(dhcp.REBINDING_TIME, b""))
        t1 = default_t1 if given_t1 is None else given_t1
        t2 = default_t2 if given_t2 is None else given_t2
        if not self.config.renew_min_s <= t1 < t2 < lease_s:
            self.note(f"T1 {t1:g}, T2 {t2:g} and a lease of {lease_s} s contradict each other: defaults are used")
            t1, t2 = default_t1, default_t2
        # Each may move by less than half of the way to its nearest neighbour, so that their order stays.
        spread = min(self.config.renew_fuzz, 0.49)
        fuzzy_t1 = t1 + fuzz[0] * spread * min(t1, t2 - t1)
        fuzzy_t2 = t2 + fuzz[1] * spread * min(t2 - t1, lease_s - t2)
        return lease_s, fuzzy_t1, fuzzy_t2

    def _static_routes(self, values: dict[int, bytes]) -> tuple[tuple[Route, ...], bool]:
        """(routes, whether they are those of option 121)."""
        if self.config.classless_routes and dhcp.CLASSLESS_STATIC_ROUTE in values:
            routes = options.classless_routes(values[dhcp.CLASSLESS_STATIC_ROUTE], self.config.routes_max)
            if routes is not None:
                return routes, True
            self.note("the classless static routes are malformed: not used")
        return options.static_routes(values.get(dhcp.STATIC_ROUTE, b""), self.config.routes_max), False

    def _name(self, code: int, values: dict[int, bytes]) -> str:
        name = options.domain_name(values.get(code, b""))
        if code in values and not name:
            self.note(f"option {code} is not a name: not used")
        return name

    def _mtu(self, values: dict[int, bytes]) -> int | None:
        mtu = options.mtu(values.get(dhcp.INTERFACE_MTU, b""), self.config.mtu_min, self.mtu)
        if dhcp.INTERFACE_MTU in values and mtu is None:
            self.note(f"an MTU that is not from {self.config.mtu_min} to {self.mtu}: not used")
        return mtu
