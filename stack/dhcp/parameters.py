"""Makes a lease from a message. See RFC 2131 sections 3.5, 4.3.1 and 4.4.5.

A message is refused (BadPacket, whose reason is counted) when
  - the address cannot be a host's: 0/8, 127/8, 224/4 and above, link-local (RFC 3927 section 1.6),
    or the network's or the broadcast address of the prefix that comes with it;
  - the server identifier is missing or cannot be a host's, or equals the leased address;
  - the lease time is missing or shorter than `DhcpConfig.lease_min_s`, 0 included.

Any other bad value is ignored, and the other options are used. These are the rules; `note` is
called where one of them overrides the server:
  - Without a subnet mask, or with one of 0.0.0.0 or one that is not contiguous, the class of the
    address gives the prefix length (RFC 950 section 2.1). With 255.255.255.255 there are no
    neighbours, and each router gets a route of its own.
  - A router outside the prefix stays in `Lease.routers` but gets no route (`Lease.routes` has the
    exception).
  - A missing T1 is 0.5 and a missing T2 is 0.875 of the lease. If then T1 < T2 < lease does not
    hold, or T1 is under `renew_min_s`, both are set to these defaults.
  - A lease time of 0xffffffff means for ever: T1 and T2 are ignored and nothing is renewed (section
    3.3).
  - A renewal by the same server may leave out an option about the network (`NETWORK_OPTIONS`: mask,
    routers, name servers and the like) or give it an invalid value. The option then keeps its
    former value. Otherwise a renewal with only the lease time would turn a /24 into a /8. An option
    that another server leaves out gets its default (section 3.5).
  - A well-formed option 121 replaces options 3 and 33 (RFC 3442). A malformed one is ignored.
  - A broadcast address (option 28) other than the prefix's is not used (RFC 1122 section 3.3.6).
  - An MTU under 68 or over the link's is not used.
  - Lists hold only addresses that a host can have, each once, up to a configured number.
  - A name with other characters than letters, digits, hyphens, underscores and dots is not used.
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
"""A lease time without an end (section 3.3)."""

ROUTES = (dhcp.CLASSLESS_STATIC_ROUTE, dhcp.ROUTER, dhcp.STATIC_ROUTE)
NETWORK_OPTIONS = (
    dhcp.SUBNET_MASK,
    *ROUTES,
    dhcp.DOMAIN_NAME_SERVER,
    dhcp.HOST_NAME,
    dhcp.DOMAIN_NAME,
    dhcp.INTERFACE_MTU,
    dhcp.NTP_SERVERS,
    dhcp.DOMAIN_SEARCH,
)
"""The options about the network, as opposed to those about the lease or the message."""


def server_of(values: dict[int, bytes]) -> bytes:
    """The server identifier. Raises BadPacket dhcp_no_server."""
    server = options.host(values.get(dhcp.SERVER_IDENTIFIER, b""))
    if server is None:
        raise BadPacket("dhcp_no_server")
    return server


@dataclass(frozen=True, slots=True)
class Parameters:
    """Makes leases. `mtu` is the link's. `note` is called with a text for each contradiction."""

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
        """The lease in a DHCPOFFER or DHCPACK.

        `fuzz` moves T1 and T2: each number is from -1 to 1, in units of the configured range.
        `extended` is the lease that was asked for again, in use or remembered. Raises BadPacket
        dhcp_no_server, dhcp_bad_address, dhcp_bad_lease_time.
        """
        values = message.values()
        server, address = server_of(values), message.yiaddr
        if not can_be_leased(address) or address == server:
            raise BadPacket("dhcp_bad_address")
        if extended is not None and (extended.address, extended.server) == (address, server):
            values = self._with_former(values, extended)
        length = self._prefix_length(address, values)
        prefix = Prefix(address, length)
        if length < 31 and address in (prefix.network, prefix.broadcast):
            raise BadPacket("dhcp_bad_address")
        seconds = options.seconds(values.get(dhcp.LEASE_TIME, b""))
        if seconds is None or seconds < self.config.lease_min_s:
            raise BadPacket("dhcp_bad_lease_time")
        times = (inf, inf, inf) if seconds == INFINITE else self._times(seconds, values, fuzz)
        return self._build(prefix, server, times, requested_at, values)

    def informed(self, message: dhcp.DhcpMessage, address: bytes, requested_at: float) -> Lease:
        """The parameters in the DHCPACK to a DHCPINFORM, for the static `address`.

        Such a DHCPACK has no address and no times (RFC 2131 section 4.3.5), so the result never
        expires. Raises BadPacket dhcp_no_server.
        """
        values = message.values()
        prefix = Prefix(address, self._prefix_length(address, values))
        return self._build(prefix, server_of(values), (inf, inf, inf), requested_at, values)

    def _with_former(self, values: dict[int, bytes], extended: Lease) -> dict[int, bytes]:
        """The options of this message, and those of the extended lease that it leaves out.

        A router in this message replaces the former classless routes, which would override it.
        """
        valid = {code for code in NETWORK_OPTIONS if self._is_valid(code, values.get(code))}
        kept = {code: data for code, data in extended.options if code in NETWORK_OPTIONS and code not in valid}
        if not valid.isdisjoint(ROUTES):
            kept.pop(dhcp.CLASSLESS_STATIC_ROUTE, None)
        if kept:
            self.note(f"kept from the former lease: {', '.join(f'option {code}' for code in kept)}")
        return {**values, **kept}

    def _is_valid(self, code: int, data: bytes | None) -> bool:
        """Whether an option is present and has a valid value."""
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
        return bool(options.hosts(data, 1))  # routers, name servers, time servers

    def _build(
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
            self.note("the broadcast address is not the prefix's: not used")
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
            self.note(f"{'no' if mask is None else 'an invalid'} subnet mask: /{length} by the class of the address")
        return length

    def _times(self, lease_s: int, values: dict[int, bytes], fuzz: tuple[float, float]) -> tuple[float, float, float]:
        """(lease, T1, T2) in seconds, always T1 < T2 < lease. RFC 2131 section 4.4.5."""
        default_t1, default_t2 = 0.5 * lease_s, 0.875 * lease_s
        given_t1 = options.seconds(values.get(dhcp.RENEWAL_TIME, b""))
        given_t2 = options.seconds(values.get(dhcp.REBINDING_TIME, b""))
        t1 = default_t1 if given_t1 is None else given_t1
        t2 = default_t2 if given_t2 is None else given_t2
        if not self.config.renew_min_s <= t1 < t2 < lease_s:
            self.note(f"T1 {t1:g} s, T2 {t2:g} s and a lease of {lease_s} s contradict each other: defaults are used")
            t1, t2 = default_t1, default_t2
        # Each may move by less than half of the distance to its neighbours, so that their order
        # stays.
        spread = min(self.config.renew_fuzz, 0.49)
        fuzzy_t1 = t1 + fuzz[0] * spread * min(t1, t2 - t1)
        fuzzy_t2 = t2 + fuzz[1] * spread * min(t2 - t1, lease_s - t2)
        return lease_s, fuzzy_t1, fuzzy_t2

    def _static_routes(self, values: dict[int, bytes]) -> tuple[tuple[Route, ...], bool]:
        """The static routes, and whether they come from option 121."""
        if self.config.classless_routes and dhcp.CLASSLESS_STATIC_ROUTE in values:
            routes = options.classless_routes(values[dhcp.CLASSLESS_STATIC_ROUTE], self.config.routes_max)
            if routes is not None:
                return routes, True
            self.note("the classless static routes are malformed: not used")
        return options.static_routes(values.get(dhcp.STATIC_ROUTE, b""), self.config.routes_max), False

    def _name(self, code: int, values: dict[int, bytes]) -> str:
        name = options.domain_name(values.get(code, b""))
        if code in values and not name:
            self.note(f"option {code} is not a valid name: not used")
        return name

    def _mtu(self, values: dict[int, bytes]) -> int | None:
        mtu = options.mtu(values.get(dhcp.INTERFACE_MTU, b""), self.config.mtu_min, self.mtu)
        if dhcp.INTERFACE_MTU in values and mtu is None:
            self.note(f"the MTU is not from {self.config.mtu_min} to {self.mtu}: not used")
        return mtu
