"""One Internet host: all layers between its links and its sockets. Nothing here waits.

Its behaviour depends only on its inputs and their order: frames, the end of each batch of frames,
user calls and deadlines, each with the time, and random bytes. See RFC 1122 section 1.1.3 for the
layers.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

from stack.budget import Budget
from stack.config import Config
from stack.counters import Counters, WatchedCounters
from stack.errors import BadPacket, os_error
from stack.host.addresses import Addresses
from stack.host.barrier import Barrier
from stack.host.deadlines import Deadlines
from stack.host.dhcp_layer import DhcpLayer
from stack.host.gro import SHORTEST_PACKET, SegmentTrain
from stack.host.interface import HasDeadline, HostLink, Interface, make_interface
from stack.host.lease_record import LeaseRecord
from stack.host.ports import EphemeralPorts
from stack.host.records import ConnectionRecord, InterfaceRecord, all_connections, endpoint, interface_record
from stack.host.retry import Retry
from stack.host.tables import all_tables
from stack.host.tcp_layer import TcpLayer
from stack.host.trace import DropTrace, Trace
from stack.host.traced_link import TracedLink
from stack.host.udp_layer import make_udp
from stack.internet.echo import EchoResult, Ping
from stack.internet.ipv4 import Ipv4
from stack.internet.neighbor import NeighborRecord
from stack.internet.route import RouteRecord
from stack.noop import noop
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.memory import prune
from stack.tcp.options import UserOptions
from stack.tcp.predict import DATA_ONLY, NOT_PREDICTED, predicted
from stack.tcp.tcb import Tcb
from stack.wire.addresses import MAC_BROADCAST, Prefix
from stack.wire.checksum import long_sum
from stack.wire.ethernet import DESTINATION_AND_TYPE, EthernetHeader
from stack.wire.flow import FIRST_24
from stack.wire.ipv4 import HEADER_LENGTH, IS_FRAGMENT, VERSION_IHL
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_RARP, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import FLAGS_AT, SYN

_TCP_FLAGS_AT = HEADER_LENGTH + FLAGS_AT  # in a packet without IP options


class HostCore:
    """The protocol layers of one host, without I/O. `stack.Host` connects them to trio.

    Arguments: `random(n)` returns n bytes that cannot be guessed. `report(text)` is called once for
    each bug of ours. With `raise_errors` such a bug is raised, instead of costing only its packet;
    tests use that.

    The owner sets `wake_timer`, which is called when `deadline` has moved earlier, and `on_change`,
    which is called when interfaces, addresses or leases may have changed. `timed_parts` are the
    objects whose `on_deadline` the host calls, besides connections and the internet layer.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        random: Callable[[int], bytes],
        clock_ms: Callable[[], int] | None = None,
        raise_errors: bool = False,
        report: Callable[[str], None] | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.config = config if config is not None else Config()
        self._random = random
        self.now = 0.0
        self.down = False
        self.wake_timer: Callable[[], None] = noop
        self.on_change: Callable[[], None] = noop
        self._trace = None if trace is None else DropTrace(trace, lambda: self.now)
        self.counters = Counters() if self._trace is None else WatchedCounters(self._trace.drop)
        self._next_index = 1
        self._interfaces: list[Interface] = []
        self.timed_parts: list[HasDeadline] = []
        self._retry = Retry()
        self.ip = Ipv4(self.config.ip, self.config.icmp, self.counters, random, clock_ms)
        self.ip.reschedule = self._moved
        ports = EphemeralPorts(self.config.host, random)
        self._deadlines = Deadlines(self._moved)
        self.budget = Budget(self.config.host)
        self.tcp = TcpLayer(
            self.config.tcp, self.counters, self.ip, ports, random, self._deadlines, lambda: self.now, self.budget
        )
        self.barrier = Barrier(self.counters, self.tcp, raise_errors, report)
        self._connections = self.tcp.connections
        self._predict = self.config.tcp.prediction
        self._services = self.tcp.services
        if trace is not None:
            self._services.trace = self._tcp_event
        self.udp = make_udp(self.config.udp, self.counters, self.ip, ports, self.budget)
        self._udp_flows, self._echo_paths = self.udp.flows, self.ip.icmp.echo_server.prepared_paths
        self._train: SegmentTrain | None = None  # the train in progress, in this batch of frames
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
            trace=None if trace is None else self._dhcp_event,
        )
        self.ip.handlers[PROTO_TCP] = self.tcp.receive
        self.ip.handlers[PROTO_UDP] = self.udp.receive
        self.ip.icmp.error_handlers[PROTO_TCP] = self.tcp.icmp_error
        self.ip.icmp.error_handlers[PROTO_UDP] = self.udp.receive_error

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
        self.now = now
        for number, prefix in enumerate(addresses):
            self.addresses.check(prefix, acd)
            if any(prefix.address == other.address for other in addresses[:number]):
                raise ValueError(f"{prefix} is given twice")
        if gateway is not None and not any(prefix.contains(gateway) for prefix in addresses):
            raise OSError(errno.ENETUNREACH, "the gateway must be on one of the interface's own networks")
        if self._trace is not None:
            link = TracedLink(link, self._trace)
        interface = make_interface(link, self._next_index, self.config, self.counters, self._random, self._moved)
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
        self.now = now
        if self._train is not None:
            self._end_train(self._train)
        self.tcp.abort_where(lambda connection: connection.path.interface is interface, now, errno.ENETDOWN)
        self.dhcp.end(interface, now)
        self._interfaces.remove(interface)
        self.addresses.remove_all(interface, now, errno.ENETDOWN)
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
        self.now = now
        self.addresses.add(interface, prefix, now, acd=acd, ready=ready, on_conflict=on_conflict)

    def remove_address(
        self, interface: Interface, address: bytes, now: float, error: int = errno.EADDRNOTAVAIL
    ) -> None:
        """Remove an address, and end what depends on it: see `Addresses.remove`."""
        self.now = now
        self.addresses.remove(interface, address, now, error)

    def network_changed(self, interface: Interface, now: float) -> None:
        """The link was down: see `Addresses.network_changed`. DHCP verifies its lease."""
        self._network_changed(interface, now, 0.0)

    def _network_changed(self, interface: Interface, now: float, asleep_s: float) -> None:
        self.now = now
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
        self.now = now
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
        self.now = now
        self.addresses.set_mtu(interface, mtu, now)

    def shutdown(self, now: float) -> None:
        """End the host: reset connections, and fail waiting and later calls with ENETDOWN."""
        if self.down:
            return
        self.now = now
        self.tcp.shutdown(now, errno.ENETDOWN)
        self.udp.shutdown(errno.ENETDOWN)
        self.ip.icmp.echo.shutdown(errno.ENETDOWN)
        self.batch_end(now)
        self.dhcp.shutdown(now)
        self.down = True

    def _check_up(self) -> None:
        if self.down:
            raise os_error(errno.ENETDOWN)

    # --- frames in

    def frame(self, interface: Interface, now: float, view: memoryview) -> None:
        """Process one frame.

        If this raises, only the frame and its connection are lost (see `Barrier`).
        """
        self.now = now
        try:
            train = self._train
            if train is not None:
                if train.interface is interface and train.append(view, interface.link.rx_checksum_ok):
                    return
                self._end_train(train)
            self._frame(interface, now, view)
        except Exception as error:
            self._failed(error, self.tcp.connection_of(view[interface.ip_offset :]))

    def _frame(self, interface: Interface, now: float, view: memoryview) -> None:  # hot
        """Find the connection by its twelve octets, or hand the packet to IP input."""
        counters = self.counters
        counters["ifInOctets"] += len(view)
        offset = interface.ip_offset
        if self._trace is not None:
            self._trace.frame(now, interface.name, "in", bytes(view))
        if offset:
            destination, ethertype = DESTINATION_AND_TYPE.unpack_from(view) if len(view) >= offset else (b"", 0)
            if ethertype != ETHERTYPE_IPV4 or destination != interface.mac:
                self._ethernet(interface, now, view)
                return
        counters["ifInUcastPkts"] += 1
        if len(view) >= offset + 40:
            version, total, _, fragment, protocol, _, key = FIRST_24.unpack_from(view, offset)
            if version >> 8 == VERSION_IHL and protocol == PROTO_TCP and not fragment & IS_FRAGMENT:
                connection = self._connections.get(key)
                # A SYN may reopen a connection that is in TIME-WAIT: TcpLayer.receive decides.
                if connection and connection.path.interface is interface and not view[offset + _TCP_FLAGS_AT] & SYN:
                    packet = view[offset : offset + total]
                    if 40 <= total == len(packet) and int.from_bytes(packet[:20], "big") % 0xFFFF == 0:
                        checksum_ok = interface.link.rx_checksum_ok
                        taken = self._segment(connection, key, packet, checksum_ok, now)
                        if taken == DATA_ONLY and total > SHORTEST_PACKET and total == len(view) - offset:
                            self._train = SegmentTrain(connection, interface, view, checksum_ok)
                        return
            elif (
                (key in self._udp_flows or key[:8] in self._echo_paths)
                and version >> 8 == VERSION_IHL
                and not fragment & IS_FRAGMENT
            ):
                packet = view[offset : offset + total]
                if total == len(packet) and self._datagram(interface, protocol, key, packet, now):
                    return
        self.ip.receive(interface, view[offset:], now, False, interface.link.rx_checksum_ok)

    def _datagram(self, interface: Interface, protocol: int, key: bytes, packet: memoryview, now: float) -> bool:  # hot
        """Take a UDP datagram of a known flow, or an echo request from a host with a prepared path.

        The packet has no options and is not a fragment. An earlier one with the same addresses has
        passed IP input, so they are legal if this one came in by the interface of our address.
        Returns False, having changed nothing, when IP input must handle the packet.
        """
        link = interface.link
        checksum_ok = link.rx_checksum_ok
        if (
            self.ip.owner(key[4:8]) is not interface
            or len(self.ip.input.reassembler)
            or (checksum_ok and link.rx_gso_size)
            or len(packet) < 28
            or int.from_bytes(packet[:20], "big") % 0xFFFF
        ):
            return False
        if protocol == PROTO_UDP and (endpoint := self._udp_flows.get(key)) is not None:
            taken = self.udp.flow(endpoint, key, packet[20:], packet[8], packet[1], checksum_ok)
        else:
            path = self._echo_paths.get(key[:8]) if protocol == PROTO_ICMP else None
            taken = path is not None and self.ip.icmp.echo_server.answer(path, packet, now)
        if taken:
            self.counters["ipSystemStatsInReceives"] += 1
            self.counters["ipSystemStatsInDelivers"] += 1
        return taken

    def _segment(
        self, connection: Connection, key: bytes, packet: memoryview, checksum_ok: bool, now: float
    ) -> int:  # hot
        """Take a segment of a known connection.

        The IP header is right and has no options. Returns what `predicted` returns, or
        NOT_PREDICTED.
        """
        counters = self.counters
        counters["ipSystemStatsInReceives"] += 1
        counters["ipSystemStatsInDelivers"] += 1
        counters["tcpInSegs"] += 1
        data = packet[20:]
        length = len(data)
        if not checksum_ok:
            if (long_sum(data) + connection.path.pseudo_sum + length) % 0xFFFF:
                counters["tcpInErrs"] += 1
                counters.drop("tcp_bad_checksum")
                return NOT_PREDICTED
        if self._predict and (taken := predicted(connection, data, now)):
            return taken
        self.tcp.demux.receive(key, data, packet[1] & 3 == 3, now)
        return NOT_PREDICTED

    def _ethernet(self, interface: Interface, now: float, view: memoryview) -> None:
        """Process a frame on the slow path. `_frame` takes untagged IPv4 to our station address."""
        counters = self.counters
        try:
            header = EthernetHeader.parse(view)
        except BadPacket as bad:
            counters["ifInErrors"] += 1
            counters.drop(bad.reason)
            return
        if any(tag.vlan for tag in header.tags):  # VLAN 0 means that the tag only has a priority (802.1Q 9.6)
            counters.drop("ethernet_other_vlan")
            return
        group = bool(header.destination[0] & 1)
        if not group and header.destination != interface.mac:
            counters.drop("ethernet_not_for_us")
            return
        if header.source == interface.mac and header.source != MAC_BROADCAST:
            counters.drop("ethernet_own_source")  # our own frame, which a loop in the network has sent back
            return
        counters["ifInNUcastPkts" if group else "ifInUcastPkts"] += 1
        content = view[header.header_length :]
        if header.ethertype == ETHERTYPE_IPV4:
            self.ip.receive(interface, content, now, group, interface.link.rx_checksum_ok)
        elif header.ethertype == ETHERTYPE_ARP and interface.neighbors is not None:
            interface.neighbors.receive(content, now)
        elif header.ethertype == ETHERTYPE_RARP and interface.neighbors is not None:
            interface.neighbors.published.receive_reverse(content, now)
        else:
            counters["ifInUnknownProtos"] += 1
            counters.drop("ethernet_unknown_type")

    def batch_end(self, now: float) -> None:  # hot
        """End a batch of frames, a user call or a deadline.

        Each touched connection sends, and wakes its program, once. Packets to ourselves are
        received here too.
        """
        self.now = now
        if self._trace is not None:
            self._trace.batch_end()
        if self._train is not None:
            self._end_train(self._train)
        services = self._services
        loopback = self.ip.loopback
        packets, budget = self.config.host.loopback_batch_packets, self.budget
        while True:
            while services.touched:
                touched, services.touched = services.touched, []
                for tcb in touched:
                    tcb.untouch()
                    try:
                        tcb.settle(now)
                    except Exception as error:
                        self._failed(error, tcb)
            if budget.tight and budget.used > budget.prune_at:
                prune(budget)
            if not loopback.queue:
                return
            if packets <= 0:
                self._moved()  # the rest in the next turn: `deadline` is now
                return
            packets -= 1
            packet = loopback.read(now)
            if packet is not None:
                self._loop(packet, now)

    def _end_train(self, train: SegmentTrain) -> None:
        self._train = None
        try:
            train.end(self.counters)
        except Exception as error:
            self._failed(error, train.connection)

    def _loop(self, packet: memoryview, now: float) -> None:
        try:
            self.ip.receive(self.ip.loopback, packet, now)
        except Exception as error:
            self._failed(error, self.tcp.connection_of(packet))

    after_call = batch_end
    """To be called after each user call; the same as after a batch of frames."""

    # --- time

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
        self.now = now
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

    def _moved(self) -> None:
        self.wake_timer()

    def _changed(self) -> None:
        self._udp_flows.clear()
        self.on_change()

    def _failed(self, error: Exception, connection: Tcb | None) -> None:
        self.barrier.failed(error, connection, self.now)

    # --- user calls

    def connect(
        self,
        local: tuple[bytes, int] | None,
        remote: tuple[bytes, int],
        now: float,
        options: UserOptions | None = None,
        *,
        deferred: bool = False,
    ) -> Connection:
        """Active OPEN: see `TcpLayer.connect`. None stands for the default options."""
        self._check_up()
        self.now = now
        return self.tcp.connect(local, remote, options or self._services.user_options, now, deferred)

    def listen(
        self, local: tuple[bytes, int], backlog: int, now: float, options: UserOptions | None = None
    ) -> Listener:
        """Passive OPEN: see `TcpLayer.listen`. None stands for the default options."""
        self._check_up()
        self.now = now
        return self.tcp.listen(local, backlog, options or self._services.user_options)

    def bind_tcp(self, local: tuple[bytes, int], *, reuse_address: bool = False) -> int:
        """Reserve a TCP port (0: an ephemeral one) and return it.

        Raises OSError: EADDRINUSE, EADDRNOTAVAIL.
        """
        self._check_up()
        return self.tcp.bind(local, reuse_address)

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
        self.now = now
        return self.ip.icmp.echo.ping(destination, data, now, on_result, ttl=ttl, timeout_s=timeout_s)

    # --- records

    def interfaces(self) -> list[InterfaceRecord]:
        """The interfaces, without the loopback."""
        return [interface_record(interface, self.addresses.tentative(interface)) for interface in self._interfaces]

    def neighbors(self) -> list[NeighborRecord]:
        """The entries of all ARP caches."""
        return [
            record
            for interface in self._interfaces
            if interface.neighbors is not None
            for record in interface.neighbors.records(self.now)
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

    def tables(self) -> dict[str, int]:
        """The number of entries in each table of the host (see `stack.host.tables`)."""
        layers = (self.tcp, self.udp, self.ip, self.addresses, self.dhcp, self.budget, self.barrier)
        return all_tables(layers, self._interfaces)

    def _dhcp_event(self, name: str, subject: str, details: dict[str, object]) -> None:
        if self._trace is not None:
            self._trace.event(self.now, name, subject, details)

    def _tcp_event(self, tcb: Tcb, name: str, details: dict[str, object]) -> None:
        if self._trace is not None:
            self._trace.event(self.now, name, f"{endpoint(tcb.local)} - {endpoint(tcb.remote)}", details)
