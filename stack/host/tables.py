"""How full a host is: the number of entries of each of its tables, by name.

Every container that peers or users can make grow is counted here. The exceptions belong to a counted entry and have
a bound of their own: the segments of a connection, the pieces of a datagram. tests/sim/test_containers.py walks all
objects of a host after traffic of every kind and checks that. A name that ends in "_bytes" counts octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stack.host.interface import Interface

CONFIGURED = ("interfaces", "addresses", "routes", "guarded_addresses", "watched_addresses", "published_addresses")
"""Tables that the user's configuration or a lease fills. All others are empty once users and peers have gone and their
timers have expired, except for `REMEMBERED`, about a bounded number of peers."""
REMEMBERED = ("icmp_error_peers", "fast_open_servers", "dead_gateways")


class Counted(Protocol):
    """A layer that says how full its tables are."""

    def tables(self) -> dict[str, int]: ...


def all_tables(layers: Iterable[Counted], interfaces: Iterable[Interface]) -> dict[str, int]:
    """The tables of all layers, and those that each interface has, added up."""
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
