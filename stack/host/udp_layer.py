"""Makes the UDP module of a host, and connects it to the internet layer."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import cast

from stack.budget import Budget
from stack.config import UdpConfig
from stack.counters import Counters
from stack.errors import os_error
from stack.host.ports import EphemeralPorts
from stack.internet import received as internet
from stack.internet.ipv4 import Ipv4
from stack.internet.path import Path, Way
from stack.trace.trace import Trace
from stack.udp.below import Received
from stack.udp.ports import UdpPorts
from stack.wire.addresses import BROADCAST
from stack.wire.numbers import PROTO_UDP


def make_udp(
    config: UdpConfig, counters: Counters, ip: Ipv4, ports: EphemeralPorts, budget: Budget, trace: Trace
) -> UdpPorts:
    """Make the UDP ports of a host."""

    def open_path(
        source: bytes | None,
        destination: bytes,
        *,
        ttl: int | None,
        tos: int,
        options: bytes,
        now: float,
        way: Way | None = None,
    ) -> Path:
        if source is not None and ip.owner(source) is None:
            raise os_error(errno.ENETUNREACH)  # as in Linux, which looks for a route from that address
        return ip.output.path(source, destination, PROTO_UDP, ttl=ttl, tos=tos, options=options, way=way, now=now)

    def ephemeral(local: bytes, remote: tuple[bytes, int] | None, is_free: Callable[[int], bool]) -> int:
        flow = local if remote is None else local + remote[0] + remote[1].to_bytes(2, "big")
        port = ports.choose(flow, lambda wanted: not is_free(wanted))
        if port is None:
            raise os_error(errno.EADDRINUSE)
        return port

    return UdpPorts(
        config,
        counters,
        open_path=open_path,
        ephemeral_port=ephemeral,
        is_ours=lambda address: address == BROADCAST or ip.owner(address) is not None,
        # UDP returns the datagram that the internet layer has given to it, so the cast is right.
        port_unreachable=cast(Callable[[Received], None], ip.icmp.errors.port_unreachable),
        spread=ports.spread,
        came_by=lambda received: came_by(ip, received),
        budget=budget,
        trace=trace,
    )


def came_by(ip: Ipv4, received: Received) -> int:
    """The index of the interface by which a datagram came, as for SO_BINDTODEVICE in Linux.

    A datagram from this host itself came by the interface that has its destination.
    """
    interface = cast(internet.Received, received).interface
    owner = ip.owner(received.destination) if interface.loopback else interface
    return (owner or interface).index
