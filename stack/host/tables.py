"""The number of entries in each table of a host, by name.

Every container that peers or users can make grow is counted here. The exceptions are containers
that belong to a counted entry and have their own bound: the segments of a connection, the pieces of
a datagram. To check this, tests/sim/test_containers.py walks all objects of a host after traffic of
every kind. A name that ends in "_bytes" counts octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stack.host.interface import Interface

CONFIGURED = ("interfaces", "addresses", "routes", "guarded_addresses", "watched_addresses", "published_addresses")
"""Tables that the user's configuration or a lease fills.

All others are empty when users and peers have ended and all timers have expired. Only the tables in
`REMEMBERED` keep something about a bounded number of peers.
"""
REMEMBERED = ("icmp_error_peers", "fast_open_servers", "dead_gateways")


class Counted(Protocol):
    """A layer that counts the entries of its tables."""

    def tables(self) -> dict[str, int]: ...


def all_tables(layers: Iterable[Counted], interfaces: Iterable[Interface]) -> dict[str, int]:
    """The tables of all layers, and the sums of those of each interface."""
    interfaces = list(interfaces)
    found = {"interfaces": len(interfaces)}
    for layer in layers:
        found.update(layer.tables())
    neighbors = [interface.neighbors for interface in interfaces if interface.neighbors is not None]
    conflicts = [interface.conflicts for interface in interfaces if interface.conflicts is not None]
    return found | {
        "neighbors": sum(map(len, neighbors)),
        "neighbor_queue_bytes": sum(cache.waiting_bytes for cache in neighbors),
        "published_addresses": sum(len(cache.published) for cache in neighbors),
        "watched_addresses": sum(map(len, conflicts)),
    }
