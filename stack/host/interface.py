"""An interface: one attachment of a host to a network, with a link, addresses and neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from stack.config import Config
from stack.counters import Counters
from stack.internet.arp import NeighborCache
from stack.internet.conflict import Conflicts
from stack.internet.interface import IpLink, send_frame
from stack.trace.trace import Trace
from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer


class HasDeadline(Protocol):
    """An object with its own deadline: a neighbour cache, conflict detection, or a DHCP client."""

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due; inf for never."""

    def on_deadline(self, now: float) -> None:
        """Handle what is due, which may be nothing."""


class HostLink(IpLink, Protocol):
    """The part of `stack.link.device.Link` that a host uses.

    `sockets/` opens, reads and closes the link.
    """

    @property
    def name(self) -> str: ...

    @property
    def mtu(self) -> int: ...

    @property
    def mac(self) -> bytes | None: ...

    @property
    def rx_checksum_ok(self) -> bool: ...


@dataclass(eq=False, slots=True)
class Interface:
    """An interface.

    `stack.internet.interface.Interface` describes the attributes that other layers read.
    """

    name: str
    index: int
    link: HostLink
    addresses: list[Prefix] = field(default_factory=list)
    neighbors: NeighborCache | None = None
    loopback: bool = False
    mtu: int = 0
    mac: bytes | None = None
    ip_offset: int = 0
    conflicts: Conflicts | None = None
    awaited_port: int = 0

    def timed_parts(self) -> list[HasDeadline]:
        """The parts of the interface that have a deadline: none on a link without Ethernet."""
        return [part for part in (self.neighbors, self.conflicts) if part is not None]


def make_interface(
    link: HostLink,
    index: int,
    config: Config,
    counters: Counters,
    random: Callable[[int], bytes],
    moved: Callable[[], None],
    trace: Trace,
) -> Interface:
    """An interface for an open link, without addresses.

    `moved` is called when one of its deadlines moves earlier. `trace` tells the observers.
    """
    interface = Interface(link.name, index, link, [], None, False, link.mtu, link.mac, link.ip_offset)
    if link.mac is not None:

        def transmit(parts: list[Buffer], now: float, offload: bytes) -> bool:
            return send_frame(counters, interface.link, parts, now, offload)

        neighbors = NeighborCache(
            config.arp, counters, link.mac, interface.addresses, transmit, trace, interface.name
        )  # fmt: skip
        conflicts = Conflicts(
            config.acd, counters, link.mac, random, neighbors.output.send, trace, interface.name
        )  # fmt: skip
        neighbors.observe = conflicts.receive
        neighbors.reschedule = conflicts.reschedule = moved
        interface.neighbors, interface.conflicts = neighbors, conflicts
    return interface
