"""The internet layer of one host: IPv4 input and output, ICMP, and their deadlines.

See RFC 791, RFC 792 and RFC 1122 section 3. The parts are in `ipv4_input`, `ipv4_output`, `path`
and `icmp`.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.config import IcmpConfig, IpConfig
from stack.counters import Counters
from stack.internet.icmp import Icmp
from stack.internet.interface import Interface
from stack.internet.ipv4_input import Handler, Ipv4Input
from stack.internet.ipv4_output import Ipv4Output
from stack.internet.loopback import Loopback
from stack.internet.route import RoutingTable
from stack.noop import noop
from stack.trace.trace import UNWATCHED, Trace
from stack.wire.addresses import Prefix
from stack.wire.checksum import Buffer
from stack.wire.numbers import PROTO_ICMP


class Ipv4:
    """IPv4 and ICMP of one host.

    Arguments: `Config.ip`, `Config.icmp`, the host's counters, `random(n)`, which returns n secret
    bytes, `clock_ms()`, the milliseconds since midnight UT (see `Icmp`), and the trace, which tells
    the observers, if there are any.

    The owner registers protocols in `handlers` and `icmp.error_handlers`, and adds interfaces. Then
    it must
      - call `receive` for every IP packet, and `on_deadline(now)` when `deadline` is reached;
      - set `reschedule`, which is called when `deadline` has moved earlier;
      - set `on_addresses`, which is called when the addresses or the MTU of an interface have
        changed;
      - read `loopback` like any other link (`open` it with a `wake`), and pass its packets to
        `receive`.
    """

    def __init__(
        self,
        config: IpConfig,
        icmp_config: IcmpConfig,
        counters: Counters,
        random: Callable[[int], bytes],
        clock_ms: Callable[[], int] | None = None,
        trace: Trace = UNWATCHED,
    ) -> None:
        self.config = config
        self.counters = counters
        self.loopback = Loopback(config)
        self.interfaces: list[Interface] = [self.loopback]
        self._own: dict[bytes, Interface] = {}  # each address of ours and its interface
        self.output = Ipv4Output(config, counters, random, self.interfaces, self._own, self.loopback, trace)
        self.icmp = Icmp(icmp_config, counters, self.output, random, clock_ms, trace)
        self.input = Ipv4Input(
            config,
            counters,
            self._own,
            protocol_unreachable=self.icmp.errors.protocol_unreachable,
            parameter_problem=self.icmp.errors.parameter_problem,
            source_route_failed=self.icmp.errors.source_route_failed,
            trace=trace,
        )
        self.input.handlers[PROTO_ICMP] = self.icmp.receive
        self.reschedule: Callable[[], None] = noop
        self.on_addresses: Callable[[], None] = noop
        self.icmp.echo.reschedule = self.input.reschedule = self.output.reschedule = self._deadline_moved

    def _deadline_moved(self) -> None:
        self.reschedule()

    @property
    def handlers(self) -> dict[int, Handler]:
        """`handlers[protocol](received)` takes the datagrams of a protocol."""
        return self.input.handlers

    @property
    def routes(self) -> RoutingTable:
        """The routing table."""
        return self.output.routes

    # --- interfaces and addresses

    def add_interface(self, interface: Interface) -> None:
        """Add an interface with its addresses, and routes to its networks."""
        self.interfaces.append(interface)
        self._update_own()
        for prefix in interface.addresses:
            self.routes.add(prefix, interface, source=prefix.address, because="route_connected")
        if interface.neighbors is not None:
            interface.neighbors.on_failure = self._neighbor_failed
            interface.neighbors.on_answer = self.routes.gateway_answers
            interface.neighbors.is_gateway = self.routes.is_gateway

    def remove_interface(self, interface: Interface) -> None:
        """Remove an interface, its routes, its neighbours and the fragments that came in by it."""
        self.interfaces.remove(interface)
        self._update_own()
        self.routes.remove_interface(interface)
        self.input.reassembler.forget(interface)
        if interface.neighbors is not None:
            interface.neighbors.flush()

    def add_address(self, interface: Interface, prefix: Prefix) -> None:
        """Add an address to an interface, and the route to its network."""
        if prefix not in interface.addresses:
            interface.addresses.append(prefix)
            self._update_own()
            self.routes.add(prefix, interface, source=prefix.address, because="route_connected")
            if interface.neighbors is not None:
                interface.neighbors.addresses_changed()
            self.on_addresses()

    def remove_address(self, interface: Interface, prefix: Prefix) -> None:
        """Remove an address, and the routes and neighbours that needed it."""
        interface.addresses.remove(prefix)
        self._update_own()
        self.routes.remove_address(interface, prefix)
        if interface.neighbors is not None:
            interface.neighbors.addresses_changed(gone=prefix.address)
        self.on_addresses()

    def _update_own(self) -> None:
        self.output.epoch += 1
        self.output.addresses_epoch += 1
        self._own.clear()
        self._own.update({prefix.address: each for each in self.interfaces for prefix in each.addresses})

    def mtu_changed(self, interface: Interface, now: float) -> None:
        """Update the paths out of an interface whose MTU has changed."""
        self.output.interface_mtu_changed(interface, now)
        self.on_addresses()

    def owner(self, address: bytes) -> Interface | None:
        """The interface that has this address of ours, or None when the address is not ours."""
        return self.output.owner(address)

    def _neighbor_failed(self, address: bytes, now: float) -> None:
        if self.routes.is_gateway(address):
            self.routes.gateway_failed(address, now)

    # --- packets

    def receive(
        self, interface: Interface, packet: Buffer, now: float, link_broadcast: bool = False, checksum_ok: bool = False
    ) -> None:
        """Take one packet from `interface`: see `Ipv4Input.receive`."""
        self.input.receive(interface, packet, now, link_broadcast, checksum_ok)

    def tables(self) -> dict[str, int]:
        """How many entries each table of the internet layer has.

        Neighbour caches belong to their interfaces.
        """
        return {
            "addresses": len(self._own),
            **self.output.tables(),
            **self.input.reassembler.tables(),
            **self.icmp.tables(),
            "loopback_packets": len(self.loopback),
        }

    # --- time

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due; math.inf for never.

        Neighbour caches have their own deadlines.
        """
        return min(self.input.reassembler.deadline, self.output.deadline, self.icmp.echo.deadline)

    def on_deadline(self, now: float) -> None:
        """Handle what is due: fragments, path MTUs, redirects, echo requests."""
        for expired in self.input.reassembler.on_deadline(now):
            self.icmp.errors.reassembly_exceeded(expired, now)
        self.output.on_deadline(now)
        self.icmp.echo.on_deadline(now)
