"""A lease: an address for some time, and all that a server says about its network.

See RFC 2131 section 4.4.5 for the times, RFC 3442 for the routes. How a lease is made of a message, and what becomes of
contradictions in it, stands in `parameters.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import inf, isfinite

from stack.wire.addresses import ANY, Prefix, can_be_host, format_ipv4, is_link_local, parse_ipv4


def can_be_leased(address: bytes) -> bool:
    """Whether a server may give it away: a host's, and not link-local (RFC 3927 section 1.6)."""
    return can_be_host(address) and not is_link_local(address)


@dataclass(frozen=True, slots=True)
class Route:
    """A way: `destination` has its host bits zero; `router` None means that it is on the link itself."""

    destination: Prefix
    router: bytes | None


@dataclass(frozen=True, slots=True)
class Lease:
    """What a server gave us. Times are in seconds; `inf` stands for ever (RFC 2131 section 3.3).

    `requested_at` is when the request was sent that the server acknowledged, on the clock of whoever made the lease; in
    an offer, when the DHCPDISCOVER was sent. `t1_s` and `t2_s` are as they are used: checked, and moved by chance.
    `options` are the options of the message, raw, put together and in the order of their codes, those among them that
    nobody here knows.
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
        """The broadcast address of the subnet; RFC 1122 section 3.3.6 knows no other than all ones."""
        return self.prefix.broadcast

    @property
    def _ends(self) -> tuple[bytes, ...]:
        """The addresses of the subnet that are no host's (RFC 1122 section 3.2.1.3); RFC 3021's has none."""
        return () if self.broadcast is None else (self.prefix.network, self.broadcast)

    @property
    def renew_at(self) -> float:
        """When T1 is, on the clock of `requested_at`."""
        return self.requested_at + self.t1_s

    @property
    def rebind_at(self) -> float:
        """When T2 is."""
        return self.requested_at + self.t2_s

    @property
    def expires_at(self) -> float:
        """When the address may not be used any longer."""
        return self.requested_at + self.lease_s

    @property
    def routes(self) -> tuple[Route, ...]:
        """What is to be installed beside the connected prefix, in this order.

        Where option 121 was there the default route comes from it alone (RFC 3442), otherwise from the routers, the
        preferred one first. A route whose router cannot be reached from here is left out: it has to be in the prefix
        or behind one of the on-link routes of the same lease. An exception is a prefix of 32 bits, which has no
        neighbours at all: there each router gets a route of its own, since it cannot be meant otherwise. Nor is our own
        address a router, nor the prefix's first and last: what is sent to those is sent to everybody.
        """
        wanted = list(self.static_routes)
        if not self.classless:
            wanted += [Route(Prefix(ANY, 0), router) for router in self.routers]
        on_link = [route.destination for route in wanted if route.router is None]
        nobodys = (self.address, *self._ends)
        found: list[Route] = []
        for route in wanted:
            router = route.router
            if router is not None and not any(prefix.contains(router) for prefix in (self.prefix, *on_link)):
                if self.prefix_length < 32:
                    continue
                direct = Route(Prefix(router, 32), None)
                if direct not in found:
                    found.append(direct)
            if router not in nobodys and route not in found:
                found.append(route)
        return tuple(found)

    def shifted(self, by_s: float) -> Lease:
        """The same lease on another clock, which shows `by_s` more."""
        return replace(self, requested_at=self.requested_at + by_s)

    def to_json(self) -> dict[str, object]:
        """All of it in what JSON knows: addresses as dotted quads, `null` for ever, options in hexadecimal by code."""
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
        """The inverse of `to_json`. ValueError names the member that is missing or cannot be."""
        if not isinstance(data, dict):
            raise ValueError(f"a lease is an object, not {type(data).__name__}")
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
            raise ValueError("the address and the server of a lease are those of hosts")
        if lease.t1_s > lease.t2_s or lease.t2_s > lease.lease_s:
            raise ValueError("the times of a lease come in the order t1_s, t2_s, lease_s")
        unknown = [name for name in data if name not in {field.name for field in fields(cls)}]
        if unknown:
            raise ValueError(f"a lease has no {unknown[0]!r}")
        return lease


_CODES = {str(code): code for code in range(1, 255)}
_LARGEST = 2.0**53
"""Times beyond this are no times, and sums of them would not be exact."""


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
    """The members of a JSON object, each as what it has to be; ValueError names the one that is not."""

    def __init__(self, data: dict[object, object]) -> None:
        self._data = data

    def _get(self, name: str) -> object:
        if name not in self._data:
            raise ValueError(f"a lease needs {name!r}")
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
