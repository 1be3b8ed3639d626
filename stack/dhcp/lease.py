"""A lease: an address for a limited time, and the parameters of its network.

See RFC 2131 section 4.4.5 for the times, RFC 3442 for the routes. `parameters.py` makes a lease
from a message and resolves contradictions in it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import inf, isfinite

from stack.wire.addresses import ANY, Prefix, can_be_host, format_ipv4, is_link_local, parse_ipv4


def can_be_leased(address: bytes) -> bool:
    """Whether a server may lease it: a host's address, not link-local (RFC 3927 section 1.6)."""
    return can_be_host(address) and not is_link_local(address)


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a lease. The host bits of `destination` are 0. `router` is None if on-link."""

    destination: Prefix
    router: bytes | None


@dataclass(frozen=True, slots=True)
class Lease:
    """What a server gave us. Times are in seconds; `inf` means for ever (RFC 2131 section 3.3).

    `requested_at` is the time at which the acknowledged request was sent, on the clock of the
    program that made the lease; in an offer, the time of the DHCPDISCOVER. `t1_s` and `t2_s` are
    checked and randomized already. `options` are the raw options of the message, joined and in the
    order of their codes, including those that the stack does not know.
    """

    address: bytes
    prefix_length: int
    server: bytes
    lease_s: float
    t1_s: float
    t2_s: float
    requested_at: float
    routers: tuple[bytes, ...] = ()
    static_routes: tuple[Route, ...] = ()
    classless: bool = False
    name_servers: tuple[bytes, ...] = ()
    domain: str = ""
    search: tuple[str, ...] = ()
    ntp_servers: tuple[bytes, ...] = ()
    mtu: int | None = None
    host_name: str = ""
    message: str = ""
    options: tuple[tuple[int, bytes], ...] = ()

    @property
    def prefix(self) -> Prefix:
        """The address with the length of its prefix."""
        return Prefix(self.address, self.prefix_length)

    @property
    def netmask(self) -> bytes:
        """The subnet mask."""
        return self.prefix.mask

    @property
    def broadcast(self) -> bytes | None:
        """The broadcast address of the subnet: its host bits are ones (RFC 1122 section 3.3.6)."""
        return self.prefix.broadcast

    @property
    def _reserved(self) -> tuple[bytes, ...]:
        """The first and the last address of the subnet, which no host may have; not in a /31, /32.

        RFC 1122 section 3.2.1.3, RFC 3021.
        """
        return () if self.broadcast is None else (self.prefix.network, self.broadcast)

    @property
    def renew_at(self) -> float:
        """The time of T1, on the clock of `requested_at`."""
        return self.requested_at + self.t1_s

    @property
    def rebind_at(self) -> float:
        """The time of T2."""
        return self.requested_at + self.t2_s

    @property
    def expires_at(self) -> float:
        """The time from which the address may not be used any longer."""
        return self.requested_at + self.lease_s

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes to install beside the connected prefix, in this order.

        With option 121 the default route comes from that option alone (RFC 3442), otherwise from
        the routers, the preferred one first. A router must be in the prefix or in an on-link route
        of the same lease; otherwise its route is left out. A prefix of 32 bits has no neighbours:
        there each such router gets an on-link route of its own, since otherwise none could be used.
        Our own address and the prefix's first and last address cannot be routers: the latter two
        are broadcast addresses.
        """
        wanted = list(self.static_routes)
        if not self.classless:
            wanted += [Route(Prefix(ANY, 0), router) for router in self.routers]
        on_link = [route.destination for route in wanted if route.router is None]
        not_routers = (self.address, *self._reserved)
        found: list[Route] = []
        for route in wanted:
            router = route.router
            if router is not None and not any(prefix.contains(router) for prefix in (self.prefix, *on_link)):
                if self.prefix_length < 32:
                    continue
                direct = Route(Prefix(router, 32), None)
                if direct not in found:
                    found.append(direct)
            if router not in not_routers and route not in found:
                found.append(route)
        return tuple(found)

    def shifted(self, by_s: float) -> Lease:
        """The same lease on another clock, which is `by_s` ahead."""
        return replace(self, requested_at=self.requested_at + by_s)

    def to_json(self) -> dict[str, object]:
        """The lease as a JSON object.

        Addresses are dotted quads, a time of `null` means for ever, options are hexadecimal by
        code.
        """
        return {
            "address": format_ipv4(self.address),
            "prefix_length": self.prefix_length,
            "server": format_ipv4(self.server),
            "lease_s": _finite(self.lease_s),
            "t1_s": _finite(self.t1_s),
            "t2_s": _finite(self.t2_s),
            "requested_at": self.requested_at,
            "routers": [format_ipv4(router) for router in self.routers],
            "static_routes": [
                {"destination": str(route.destination), "router": route.router and format_ipv4(route.router)}
                for route in self.static_routes
            ],
            "classless": self.classless,
            "name_servers": [format_ipv4(server) for server in self.name_servers],
            "domain": self.domain,
            "search": list(self.search),
            "ntp_servers": [format_ipv4(server) for server in self.ntp_servers],
            "mtu": self.mtu,
            "host_name": self.host_name,
            "message": self.message,
            "options": {str(code): data.hex() for code, data in self.options},
        }

    @classmethod
    def from_json(cls, data: object) -> Lease:
        """The inverse of `to_json`. ValueError names the member that is missing or not valid."""
        if not isinstance(data, dict):
            raise ValueError(f"a lease is a JSON object, not {type(data).__name__}")
        read = _Reader(data)
        lease = cls(
            address=read.address("address"),
            prefix_length=read.integer("prefix_length", 1, 32),
            server=read.address("server"),
            lease_s=read.seconds("lease_s"),
            t1_s=read.seconds("t1_s"),
            t2_s=read.seconds("t2_s"),
            requested_at=read.number("requested_at"),
            routers=read.addresses("routers"),
            static_routes=read.routes("static_routes"),
            classless=read.boolean("classless"),
            name_servers=read.addresses("name_servers"),
            domain=read.text("domain"),
            search=tuple(_text("search", name) for name in read.items("search")),
            ntp_servers=read.addresses("ntp_servers"),
            mtu=None if data.get("mtu") is None else read.integer("mtu", 68, 65535),
            host_name=read.text("host_name"),
            message=read.text("message"),
            options=read.options("options"),
        )
        if not can_be_leased(lease.address) or not can_be_host(lease.server):
            raise ValueError("the address and the server of a lease must be addresses that a host can have")
        if lease.t1_s > lease.t2_s or lease.t2_s > lease.lease_s:
            raise ValueError("the times of a lease must be in the order t1_s <= t2_s <= lease_s")
        unknown = [name for name in data if name not in {field.name for field in fields(cls)}]
        if unknown:
            raise ValueError(f"a lease has no member {unknown[0]!r}")
        return lease


_CODES = {str(code): code for code in range(1, 255)}
_LARGEST = 2.0**53
"""The largest time in seconds: sums of larger floats are not exact."""


def _finite(seconds: float) -> float | None:
    return seconds if isfinite(seconds) else None


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not (value == "" or value.isprintable()):
        raise ValueError(f"{name}: {value!r} is not printable text")
    return value


def _address(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{name}: {value!r} is not an address")
    try:
        return parse_ipv4(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


class _Reader:
    """Reads the members of a JSON object by type. ValueError names the member that is not valid."""

    def __init__(self, data: dict[object, object]) -> None:
        self._data = data

    def _get(self, name: str) -> object:
        if name not in self._data:
            raise ValueError(f"a lease needs the member {name!r}")
        return self._data[name]

    def number(self, name: str) -> float:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
            raise ValueError(f"{name}: {value!r:.40} is not a number")
        return float(value)

    def seconds(self, name: str) -> float:
        if self._get(name) is None:
            return inf
        value = self.number(name)
        if value <= 0:
            raise ValueError(f"{name}: {value!r} is not a time in seconds")
        return value

    def integer(self, name: str, least: int, most: int) -> int:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"{name}: {value!r:.40} is not a number from {least} to {most}")
        return value

    def boolean(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise ValueError(f"{name}: {value!r} is neither true nor false")
        return value

    def text(self, name: str) -> str:
        return _text(name, self._get(name))

    def items(self, name: str) -> list[object]:
        value = self._get(name)
        if not isinstance(value, list):
            raise ValueError(f"{name}: {value!r} is not a list")
        return value

    def address(self, name: str) -> bytes:
        return _address(name, self._get(name))

    def addresses(self, name: str) -> tuple[bytes, ...]:
        return tuple(_address(name, value) for value in self.items(name))

    def routes(self, name: str) -> tuple[Route, ...]:
        found = []
        for value in self.items(name):
            if not isinstance(value, dict) or not isinstance(value.get("destination"), str):
                raise ValueError(f"{name}: {value!r} is not a route")
            try:
                destination = Prefix.parse(value["destination"])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            router = value.get("router")
            found.append(Route(destination, None if router is None else _address(name, router)))
        return tuple(found)

    def options(self, name: str) -> tuple[tuple[int, bytes], ...]:
        value = self._get(name)
        if not isinstance(value, dict):
            raise ValueError(f"{name}: {value!r} is not an object")
        found = []
        for code, data in value.items():
            if code not in _CODES:
                raise ValueError(f"{name}: {code!r} is not the code of an option")
            if not isinstance(data, str):
                raise ValueError(f"{name}: {data!r} is not hexadecimal")
            try:
                found.append((_CODES[code], bytes.fromhex(data)))
            except ValueError:
                raise ValueError(f"{name}: {data!r} is not hexadecimal") from None
        return tuple(sorted(found))
