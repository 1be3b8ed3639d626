"""A DHCP lease, as the user reads it: a frozen record that can be converted to JSON."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from stack.dhcp.lease import Lease
from stack.wire.addresses import format_ipv4


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """The lease of one interface, with the server's information about the network.

    Names that end in `_s` are durations in seconds. Names that end in `_at` are times in seconds,
    on the host's clock (`trio.current_time()`). None stands for never. `routes` has the routes of
    the lease as (destination, router); the router is None for a destination on the link itself.
    `options` has every option as it came, as (code, hexadecimal digits).
    """

    interface: str
    address: str
    prefix_length: int
    netmask: str
    network: str
    broadcast: str | None
    server: str
    routers: tuple[str, ...]
    routes: tuple[tuple[str, str | None], ...]
    name_servers: tuple[str, ...]
    domain: str
    search: tuple[str, ...]
    ntp_servers: tuple[str, ...]
    mtu: int | None
    host_name: str
    message: str
    lease_s: float | None
    requested_at: float
    renew_at: float | None
    rebind_at: float | None
    expires_at: float | None
    options: tuple[tuple[int, str], ...]


def lease_record(interface: str, lease: Lease) -> LeaseRecord:
    """The record of a lease; `interface` is the interface's name."""
    return LeaseRecord(
        interface,
        format_ipv4(lease.address),
        lease.prefix_length,
        format_ipv4(lease.netmask),
        format_ipv4(lease.prefix.network),
        None if lease.broadcast is None else format_ipv4(lease.broadcast),
        format_ipv4(lease.server),
        tuple(map(format_ipv4, lease.routers)),
        tuple(
            (str(route.destination), None if route.router is None else format_ipv4(route.router))
            for route in lease.routes
        ),
        tuple(map(format_ipv4, lease.name_servers)),
        lease.domain,
        lease.search,
        tuple(map(format_ipv4, lease.ntp_servers)),
        lease.mtu,
        lease.host_name,
        lease.message,
        _finite(lease.lease_s),
        lease.requested_at,
        _finite(lease.renew_at),
        _finite(lease.rebind_at),
        _finite(lease.expires_at),
        tuple((code, data.hex()) for code, data in lease.options),
    )


def _finite(seconds: float) -> float | None:
    return seconds if isfinite(seconds) else None
