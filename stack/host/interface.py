"""One attachment of a host to a network: a link, the addresses on it, and the neighbours seen there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stack.config import ArpConfig
from stack.counters import Counters
from stack.internet.arp import NeighborCache
from stack.internet.interface import send_frame
from stack.link.device import Link
from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer


@dataclass(eq=False, slots=True)
class Interface:
    """See `stack.internet.interface.Interface`, which says what the layers above read."""

    name: str
    index: int
    link: Link
    addresses: list[Prefix] = field(default_factory=list)
    neighbors: NeighborCache | None = None
    loopback: bool = False
    mtu: int = 0
    mac: bytes | None = None
    ip_offset: int = 0


def make_interface(
    link: Link, index: int, addresses: list[Prefix], config: ArpConfig, counters: Counters, moved: Callable[[], None]
) -> Interface:
    """An interface for an open link; `moved` is called when its neighbour cache has an earlier deadline."""
    interface = Interface(link.name, index, link, addresses, None, False, link.mtu, link.mac, link.ip_offset)
    if link.mac is not None:

        def transmit(parts: list[Buffer], now: float, offload: bytes) -> bool:
            return send_frame(counters, link, parts, now, offload)

        interface.neighbors = NeighborCache(config, counters, link.mac, addresses, transmit)
        interface.neighbors.reschedule = moved
    return interface
