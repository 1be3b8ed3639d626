"""The tables of the host for the page: interfaces, neighbours, routes, listeners, counters.

They are read at most once a second, and only while a page is open. Ages are given as the times at which
they began, so that a table is sent again only when it has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite

import trio

import stack

from .inspector import Inspector

MOST_ROWS = 50  # of a table
MOST_HOLES = 8  # of a datagram
LEASE_FIELDS = (
    "interface",
    "address",
    "prefix_length",
    "server",
    "routers",
    "name_servers",
    "domain",
    "host_name",
    "message",
    "lease_s",
    "requested_at",
    "renew_at",
    "rebind_at",
    "expires_at",
)


def add(inspector: Inspector) -> None:
    """Add the look `host`."""

    async def look() -> dict[str, object]:
        return view(inspector.host, trio.current_time())

    inspector.state.looks["host"] = look


def view(host: stack.Host, now: float) -> dict[str, object]:
    """Return the tables by name, for JSON. `now` is on the host's clock.

    Each table is an object with "rows", at most 50, and "left_out", the number of the others.
    Names that end in "_at" are times in seconds on the host's clock; null is never.
    """
    return {
        "interfaces": table(host.interfaces()),
        "arp": neighbors(host, now),
        "routes": table(host.routes()),
        "listeners": listeners(host),
        "reassembly": reassembly(host),
        "leases": leases(host),
        "counters": {name: value for name, value in host.counters().items() if value},
    }


def table(records: Sequence[object]) -> dict[str, object]:
    """Return the first records of a table, each as an object."""
    return rows([asdict(record) for record in records[:MOST_ROWS]], len(records))  # type: ignore[call-overload]


def rows(told: list[dict[str, object]], number: int) -> dict[str, object]:
    """Return a table: its rows, and how many of its `number` rows are left out."""
    return {"rows": told, "left_out": number - len(told)}


def neighbors(host: stack.Host, now: float) -> dict[str, object]:
    """Return the ARP table, the neighbours that were confirmed last first."""
    records = sorted(host.neighbors(), key=lambda record: (record.age_s is None, record.age_s or 0.0))
    told: list[dict[str, object]] = [
        {
            "address": record.address,
            "mac": record.mac,
            "state": record.state,
            "confirmed_at": None if record.age_s is None else round(now - record.age_s, 1),
            "waiting": record.waiting,
        }
        for record in records[:MOST_ROWS]
    ]
    return rows(told, len(records))


def listeners(host: stack.Host) -> dict[str, object]:
    """Return TCP listeners and UDP sockets."""
    records = host.listeners()
    told: list[dict[str, object]] = [
        {
            "protocol": record.protocol,
            "state": record.state,
            "local": record.local,
            "remote": record.remote,
            "unread": record.unread,
        }
        for record in records[:MOST_ROWS]
    ]
    return rows(told, len(records))


def reassembly(host: stack.Host) -> dict[str, object]:
    """Return the datagrams that are being reassembled, with their first holes."""
    records = host.reassembly()
    told = [
        {**asdict(record), "holes": record.holes[:MOST_HOLES], "expires_at": round(record.expires_at, 1)}
        for record in records[:MOST_ROWS]
    ]
    return rows(told, len(records))


def leases(host: stack.Host) -> dict[str, object]:
    """Return what the page draws of the DHCP leases."""
    records = host.leases()
    told = [{name: finite(getattr(record, name)) for name in LEASE_FIELDS} for record in records[:MOST_ROWS]]
    return rows(told, len(records))


def finite(value: object) -> object:
    """Return a value for JSON, which has no infinity."""
    return None if isinstance(value, float) and not isfinite(value) else value
