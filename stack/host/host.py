"""One Internet host: all layers between its links and its sockets. Nothing here waits.

Its behaviour depends only on its inputs and their order: frames, the end of each batch of frames,
user calls and deadlines, each with the time, and random bytes. See RFC 1122 section 1.1.3 for the
layers.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from stack.budget import Budget
from stack.config import Config, TcpConfig
from stack.counters import Counters
from stack.errors import os_error
from stack.host.addresses import Addresses
from stack.host.barrier import Barrier
from stack.host.deadlines import Deadlines
from stack.host.dhcp_layer import DhcpLayer
from stack.host.fast import Fast, fast_tables
from stack.host.input import Input
from stack.host.interface import HasDeadline, HostLink, Interface, make_interface
from stack.host.lease_record import LeaseRecord
from stack.host.ports import EphemeralPorts
from stack.host.records import ConnectionRecord, InterfaceRecord, all_connections, all_listeners, interface_record
from stack.host.retry import Retry
from stack.host.tables import all_tables
from stack.host.tcp_layer import TcpLayer
from stack.host.traced_link import TracedLink
from stack.host.udp_layer import make_udp
from stack.internet.echo import EchoResult, Ping
from stack.internet.fragments import ReassemblyRecord
from stack.internet.ipv4 import Ipv4
from stack.internet.neighbor import NeighborRecord
from stack.internet.path import Way
from stack.internet.route import RouteRecord
from stack.noop import noop
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.options import UserOptions
from stack.tcp.tcb import Tcb
from stack.tcp.trace import TcpTrace
from stack.trace.event import Observer
from stack.trace.trace import Trace
from stack.wire.addresses import Prefix
from stack.wire.numbers import PROTO_TCP, PROTO_UDP

BY_THE_USER = {"wire": "lab:wire", "setting": "lab:setting", "mark": "lab:mark", "break": "lab:break"}
"""What a program tells of, that changes the host's surroundings: the names of its events."""


class HostCore:
    """The protocol layers of one host, without I/O. `stack.Host` connects them to trio.

    Arguments: `random(n)` returns n bytes that cannot be guessed. `clock_ms()` is the time of day,
    for ICMP (see `Icmp`). `report(text)` is called once for each bug of ours. With `raise_errors`
    such a bug is raised, instead of costing only its packet; tests use that. `clock()` is the time
    at which something is told to an observer (see `watch`); without it, that is the host's time.

    `frame` is called for each frame, `batch_end` after each batch of frames, and `after_call` after
    each user call (see `Input`).

    The owner sets `wake_timer`, which is called with the new time when `deadline` has moved
    earlier, and `on_change`, which is called when interfaces, addresses or leases may have changed.
    `timed_parts` are the objects whose `on_deadline` the host calls, besides connections and the
    internet layer.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        random: Callable[[int], bytes],
        clock_ms: Callable[[], int] | None = None,
        raise_errors: bool = False,
        report: Callable[[str], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.config = config if config is not None else Config()
        self._random = random
        self._raise_errors = raise_errors
        self.down = False
        self.wake_timer: Callable[[float], None] = noop
        self.on_change: Callable[[], None] = noop
        self.trace = Trace(clock, self._watch)
        self.counters = Counters()
        self._next_index = 1
        self._interfaces: list[Interface] = []
        self.timed_parts: list[HasDeadline] = []
        self._retry = Retry()
        self.ip = Ipv4(self.config.ip, self.config.icmp, self.counters, random, clock_ms, self.trace)
        self.ip.reschedule = self._moved
        ports = EphemeralPorts(self.config.host, random)
        self._deadlines = Deadlines(self._connection_due)
        self.budget = Budget(self.config.host)
        self.tcp = TcpLayer(
            self.config.tcp, self.counters, self.ip, ports, random, self._deadlines, lambda: self.input.now, self.budget
        )
        self.barrier = Barrier(self.counters, self.tcp, raise_errors, report)
        self._tcp_trace = TcpTrace(self.trace)
        self.udp = make_udp(self.config.udp, self.counters, self.ip, ports, self.budget, self.trace)
        self.fast: Fast | None = self._make_fast() if self.config.host.fast_paths else None
        self.input = self.trace.time = self._make_input()
        self.frame = self.input.frame
        self.batch_end = self.after_call = self.input.batch_end
        self.addresses = Addresses(self.config.acd, self.ip, self.tcp, self.udp)
        self.ip.on_addresses = self._changed
        self.dhcp = DhcpLayer(
            self.config,
            self.counters,
            ip=self.ip,
            udp=self.udp,
            addresses=self.addresses,
            timed_parts=self.timed_parts,
            random=random,
            moved=self._moved,
            changed=self._changed,
            trace=self.trace,
        )
        self.ip.handlers[PROTO_TCP] = self.tcp.receive
        self.ip.handlers[PROTO_UDP] = self.udp.receive
        self.ip.icmp.error_handlers[PROTO_TCP] = self.tcp.icmp_error
        self.ip.icmp.error_handlers[PROTO_UDP] = self.udp.receive_error

    def _make_fast(self) -> Fast:
        fast = Fast(self.config, self.counters, self.ip, self.tcp, self.udp, self.barrier)
        fast.echo.reschedule = self._moved
        self.timed_parts.append(fast.echo)
        return fast

    def _make_input(self) -> Input:
        return Input(
            self.counters,
            self.ip,
            self.tcp,
            self.budget,
            self.barrier,
            fast=self.fast,
            trace=self.trace,
            loopback_packets=self.config.host.loopback_batch_packets,
            moved=self._moved,
        )

    # --- links

    def attach(
        self,
        link: HostLink,
        addresses: list[Prefix],
        gateway: bytes | None,
        now: float,
        *,
        acd: str | None = None,
        ready: Callable[[bytes, bool, float], None] | None = None,
        on_conflict: Callable[[bytes, bytes, float], None] | None = None,
    ) -> Interface:
        """Add an interface for an open link, with its addresses.

        `acd`, `ready` and `on_conflict` are as for `add_address`, with the address as an additional
        first argument of both callbacks. Raises OSError: ENETUNREACH when the gateway is on none of
        the networks, EEXIST when this host has an address already; ValueError for an address that a
        host cannot have.
        """
        self._check_up()
        self.input.now = now
        for number, prefix in enumerate(addresses):
            self.addresses.check(prefix, acd)
            if any(prefix.address == other.address for other in addresses[:number]):
                raise ValueError(f"{prefix} is given twice")
        if gateway is not None and not any(prefix.contains(gateway) for prefix in addresses):
            raise OSError(errno.ENETUNREACH, "the gateway must be on one of the interface's own networks")
        if self.trace.on:
            link = TracedLink(link, self.trace)
        interface = make_interface(
            link, self._next_index, self.config, self.counters, self._random, self._moved, self.trace
        )  # fmt: skip
        self._next_index += 1
        self._interfaces.append(interface)
        self.ip.add_interface(interface)
        if interface.conflicts is not None:
            interface.conflicts.is_ours = self._is_our_mac
        self.timed_parts.extend(interface.timed_parts())
        for prefix in addresses:
            self.addresses.add(
                interface,
                prefix,
                now,
                acd=acd,
                gateway=gateway if gateway is not None and prefix.contains(gateway) else None,
                ready=None if ready is None else partial(ready, prefix.address),
                on_conflict=None if on_conflict is None else partial(on_conflict, prefix.address),
            )
        self._changed()
        return interface

    def detach(self, interface: Interface, now: float) -> None:
        """Remove an interface. Connections and calls that depend on it end with ENETDOWN."""
        if interface not in self._interfaces:
            return
        self.input.now = now
        if self.fast is not None:
            self.fast.end_train(now)
        self.tcp.abort_where(lambda connection: connection.path.interface is interface, now, errno.ENETDOWN)
        self.dhcp.end(interface, now)
        self._interfaces.remove(interface)
        self.addresses.remove_all(interface, now, errno.ENETDOWN)
        if isinstance(interface.link, TracedLink):
            interface.link = interface.link.unwatch()
        self.ip.remove_interface(interface)
        for part in interface.timed_parts():
            self.timed_parts.remove(part)
        self._changed()

    def _is_our_mac(self, mac: bytes) -> bool:
        return any(interface.mac == mac for interface in self._interfaces)

    # --- addresses

    def add_address(
        self,
        interface: Interface,
        prefix: Prefix,
        now: float,
        *,
        acd: str | None = None,
        ready: Callable[[bool, float], None] | None = None,
        on_conflict: Callable[[bytes, float], None] | None = None,
    ) -> None:
        """Add an address to an interface, and the route to its network: see `Addresses.add`."""
        self._check_up()
        self.input.now = now
        self.addresses.add(interface, prefix, now, acd=acd, ready=ready, on_conflict=on_conflict)

    def remove_address(
        self, interface: Interface, address: bytes, now: float, error: int = errno.EADDRNOTAVAIL
    ) -> None:
        """Remove an address, and end what depends on it: see `Addresses.remove`."""
        self.input.now = now
        self.addresses.remove(interface, address, now, error)

    def network_changed(self, interface: Interface, now: float) -> None:
        """The link was down: see `Addresses.network_changed`. DHCP verifies its lease."""
        self._network_changed(interface, now, 0.0)

    def _network_changed(self, interface: Interface, now: float, asleep_s: float) -> None:
        self.input.now = now
        self.addresses.network_changed(interface, now)
        dhcp = self.dhcp.on(interface)
        if dhcp is not None:
            dhcp.verify(now, asleep_s)

    def resumed(self, asleep_s: float, now: float) -> None:
        """The machine was suspended for `asleep_s` seconds, which `now` does not count.

        Networks may have changed. Times that also pass on the wire or at a server end earlier by
        `asleep_s`: leases, TIME-WAIT, the reassembly of fragments. Timers that wait for an answer
        stay as they are, because an answer could not be received meanwhile.
        """
        self.input.now = now
        self.tcp.resumed(asleep_s, now)
        self.ip.input.reassembler.resumed(asleep_s)
        for interface in list(self._interfaces):
            try:
                self._network_changed(interface, now, asleep_s)
            except Exception as error:
                self._failed(error, None)
        self.on_deadline(now)
        self._changed()  # the times of leases have changed

    def set_mtu(self, interface: Interface, mtu: int, now: float) -> None:
        """Set the MTU of an interface in bytes.

        Raises OSError EINVAL if it is under 68 or over the link's own.
        """
        self.input.now = now
        self.addresses.set_mtu(interface, mtu, now)

    def shutdown(self, now: float) -> None:
        """End the host: reset connections, and fail waiting and later calls with ENETDOWN."""
        if self.down:
            return
        self.input.now = now
        self.tcp.shutdown(now, errno.ENETDOWN)
        self.udp.shutdown(errno.ENETDOWN)
        self.ip.icmp.echo.shutdown(errno.ENETDOWN)
        self.batch_end(now)
        self.dhcp.shutdown(now)
        self.down = True

    def _check_up(self) -> None:
        if self.down:
            raise os_error(errno.ENETDOWN)

    # --- time

    @property
    def now(self) -> float:
        """The time of the frame, call or deadline that is being processed, or was the last."""
        return self.input.now

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due; inf for never."""
        earliest = min(self._deadlines.earliest, self.ip.deadline)
        for part in self.timed_parts:
            if part.deadline < earliest:
                earliest = part.deadline
        if self._retry.turns:
            earliest = min(self._deadlines.earliest, self._retry.earliest((self.ip, *self.timed_parts)))
        return self.now if len(self.ip.loopback) else earliest

    def on_deadline(self, now: float) -> None:
        """Handle all deadlines that have come."""
        self.input.now = now
        if self.trace.on:
            self.trace.timer()
        for connection in self._deadlines.due(now):
            try:
                connection.deadline_reached(now)
            except Exception as error:
                self._failed(error, connection)
        for part in [self.ip, *self.timed_parts]:
            if self._retry.turns and not self._retry.has_turn(part, now):
                continue
            try:
                part.on_deadline(now)
            except Exception as error:
                self._failed(error, None)
                self._retry.later(part, now)

    def _connection_due(self, deadline: float) -> None:
        self.wake_timer(deadline)

    def _moved(self) -> None:
        self.wake_timer(self.deadline)

    def _changed(self) -> None:
        self.on_change()

    def _failed(self, error: Exception, connection: Tcb | None) -> None:
        self.barrier.failed(error, connection, self.input.now)

    # --- observers

    def watch(self, observer: Observer, report: Callable[[str], None] | None = None, *, values: bool = True) -> None:
        """Tell `observer` of everything from now on: see `stack.trace.event.Observer`.

        Call this between batches. While there are observers, no frame takes a fast path. If the
        observer raises, it is removed, and `report` gets the traceback; with `raise_errors` or
        without a `report` the exception propagates. `values` are as in `Trace.add`.
        """
        self.trace.add(observer, None if self._raise_errors else report, values)

    def unwatch(self, observer: Observer) -> None:
        """Tell `observer` no more."""
        self.trace.remove(observer)

    def tell(self, what: str, now: float, data: dict[str, object]) -> None:
        """Tell the observers what the program does to the host from outside: see `BY_THE_USER`."""
        if self.trace.on:
            self.input.now = now
            self.trace.tell(BY_THE_USER[what], **data)

    def _watch(self, watched: bool) -> None:
        """The first observer has come, or the last one has gone."""
        self.input.watch(watched)
        self.counters.on_drop = self.trace.drop if watched else None
        self.tcp.services.trace = self._tcp_trace if watched else None
        if not watched:
            self._tcp_trace.clear()
        for interface in self._interfaces:
            link = interface.link
            if watched:
                interface.link = TracedLink(link, self.trace)
            elif isinstance(link, TracedLink):
                interface.link = link.unwatch()
        self.ip.output.links_changed()

    # --- user calls

    def configure_tcp(self, tcp: TcpConfig, now: float) -> None:
        """Let the connections to come have another configuration: see `TcpLayer.configure`."""
        self._check_up()
        self.input.now = now
        self.tcp.configure(tcp)
        self.config = replace(self.config, tcp=tcp)

    def connect(
        self,
        local: tuple[bytes, int] | None,
        remote: tuple[bytes, int],
        now: float,
        options: UserOptions | None = None,
        *,
        deferred: bool = False,
        way: Way | None = None,
    ) -> Connection:
        """Active OPEN: see `TcpLayer.connect`. None stands for the default options."""
        self._check_up()
        self.input.now = now
        return self.tcp.connect(local, remote, options or self.tcp.services.user_options, now, deferred, way)

    def listen(
        self,
        local: tuple[bytes, int],
        backlog: int,
        now: float,
        options: UserOptions | None = None,
        *,
        reuse_port: bool = False,
        free: bool = False,
        way: Way | None = None,
    ) -> Listener:
        """Passive OPEN: see `TcpLayer.listen`. None stands for the default options."""
        self._check_up()
        self.input.now = now
        return self.tcp.listen(local, backlog, options or self.tcp.services.user_options, reuse_port, free, way)

    def bind_tcp(
        self,
        local: tuple[bytes, int],
        *,
        reuse_address: bool = False,
        reuse_port: bool = False,
        free: bool = False,
    ) -> int:
        """Reserve a TCP port (0: an ephemeral one) and return it.

        Raises OSError: EADDRINUSE, EADDRNOTAVAIL.
        """
        self._check_up()
        return self.tcp.bind(local, reuse_address, reuse_port, free)

    def release_tcp(self, local: tuple[bytes, int]) -> None:
        """Release a port that `bind_tcp` has reserved."""
        self.tcp.release(local)

    def ping(
        self,
        destination: bytes,
        data: bytes,
        now: float,
        on_result: Callable[[EchoResult], None],
        *,
        ttl: int | None = None,
        timeout_s: float | None = None,
    ) -> Ping:
        """Send one Echo Request.

        `on_result` is called with an EchoReply or an EchoFailure, unless it is cancelled.
        """
        self._check_up()
        self.input.now = now
        return self.ip.icmp.echo.ping(destination, data, now, on_result, ttl=ttl, timeout_s=timeout_s)

    # --- records

    def interfaces(self) -> list[InterfaceRecord]:
        """The interfaces, without the loopback."""
        return [interface_record(interface, self.addresses.tentative(interface)) for interface in self._interfaces]

    def neighbors(self, now: float | None = None) -> list[NeighborRecord]:
        """The entries of all ARP caches, with their ages at `now`: by default `self.now`."""
        return [
            record
            for interface in self._interfaces
            if interface.neighbors is not None
            for record in interface.neighbors.records(self.now if now is None else now)
        ]

    def routes(self) -> list[RouteRecord]:
        """The routing table: redirected hosts first, then the most specific routes."""
        return self.ip.routes.records(self.now)

    def leases(self) -> list[LeaseRecord]:
        """The DHCP leases."""
        return self.dhcp.leases()

    def connections(self) -> list[ConnectionRecord]:
        """TCP listeners and connections, then UDP endpoints."""
        return all_connections(self.tcp, self.udp)

    def listeners(self) -> list[ConnectionRecord]:
        """TCP listeners, then UDP endpoints."""
        return all_listeners(self.tcp, self.udp)

    def reassembly(self) -> list[ReassemblyRecord]:
        """The datagrams that are being reassembled, the oldest first."""
        return self.ip.input.reassembler.records()

    def tables(self) -> dict[str, int]:
        """The number of entries in each table of the host (see `stack.host.tables`)."""
        layers = (self.tcp, self.udp, self.ip, self.addresses, self.dhcp, self.budget, self.barrier)
        return all_tables(layers, self._interfaces) | fast_tables(self.fast)
