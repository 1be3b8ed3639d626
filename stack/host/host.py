"""One Internet host: everything between its links and its sockets, without waiting.

What it does is a function of its inputs in order: frames, the end of each batch of them, user calls and deadlines, each
with the time, and random bytes. See RFC 1122 section 1.1.3 for the layers it joins.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from struct import Struct

from stack.budget import Budget
from stack.config import Config
from stack.counters import Counters
from stack.errors import BadPacket, os_error
from stack.host.addresses import Addresses
from stack.host.barrier import Barrier
from stack.host.deadlines import Deadlines
from stack.host.dhcp_layer import DhcpLayer
from stack.host.interface import Interface, Part, make_interface
from stack.host.lease_record import LeaseRecord
from stack.host.ports import EphemeralPorts
from stack.host.records import (
    ConnectionRecord,
    InterfaceRecord,
    connection_record,
    datagram_record,
    endpoint,
    interface_record,
    listener_record,
)
from stack.host.retry import Retry
from stack.host.run import SHORTEST_PACKET, Run
from stack.host.tables import all_tables
from stack.host.tcp_layer import TcpLayer
from stack.host.trace import Trace, TracedLink
from stack.host.udp_layer import make_udp
from stack.internet.echo import EchoResult, Ping
from stack.internet.ipv4 import Ipv4
from stack.internet.neighbor import NeighborRecord
from stack.internet.route import RouteRecord
from stack.link.device import Link
from stack.noop import noop
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.memory import prune
from stack.tcp.predict import DATA_ONLY, NOT_PREDICTED, predicted
from stack.tcp.segment import Segment
from stack.tcp.tcb import Tcb
from stack.wire.addresses import MAC_BROADCAST, Prefix
from stack.wire.checksum import long_sum
from stack.wire.ethernet import EthernetHeader
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_RARP, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import SYN

# From the IP header on: version, IHL and TOS; total length; identification; flags and offset; TTL and protocol;
# checksum; and the twelve octets that name a connection: both addresses and both ports.
_FIRST_24 = Struct("!HHHHxBH12s")
_FRAGMENT = 0x3FFF
_TCP_FLAGS = 33  # where the octet with the flags is
_ETHERNET = Struct("!6s6xH")


class HostCore:
    """The protocol layers of one host, without any I/O; `stack.Host` is its face to trio.

    `random(n)` gives n bytes that cannot be guessed. `report(text)` is called once for each bug of ours.

    `raise_errors` lets such a bug out instead of costing one packet; tests want that. `wake_timer`, to be set by
    whoever runs the host, is called when `deadline` has moved earlier; `on_change` when interfaces, their addresses or
    leases may be others now. `parts` are served when their deadlines come.
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
        self.counters = Counters()
        self._random = random
        self.now = 0.0
        self.down = False
        self.wake_timer: Callable[[], None] = noop
        self.on_change: Callable[[], None] = noop
        self._trace = trace
        self._next_index = 1
        self._interfaces: list[Interface] = []
        self.parts: list[Part] = []
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
        self._udp_flows, self._askers = self.udp.flows, self.ip.icmp.echo_server.askers
        self._run: Run | None = None  # of frames, in the batch that is coming in
        self.addresses = Addresses(self.config.acd, self.ip, self.tcp, self.udp)
        self.ip.on_addresses = self._changed
        self.dhcp = DhcpLayer(self, random, self._moved, self._changed, None if trace is None else self._dhcp_event)
        self.ip.handlers[PROTO_TCP] = self.tcp.receive
        self.ip.handlers[PROTO_UDP] = self.udp.receive
        self.ip.icmp.error_handlers[PROTO_TCP] = self.tcp.icmp_error
        self.ip.icmp.error_handlers[PROTO_UDP] = self.udp.receive_error

    # --- links

    def attach(
        self,
        link: Link,
        addresses: list[Prefix],
        gateway: bytes | None,
        now: float,
        *,
        acd: str | None = None,
        ready: Callable[[bytes, bool, float], None] | None = None,
        on_conflict: Callable[[bytes, bytes, float], None] | None = None,
    ) -> Interface:
        """Take in a link that is open, and its addresses; `acd`, `ready` and `on_conflict` as for `add_address`.

        But `ready` and `on_conflict` are told the address first. OSError: ENETUNREACH when the gateway is on none of
        the networks, EEXIST when an address is ours already; ValueError for one that no host can have.
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
            link = TracedLink(link, self._trace)  # type: ignore[assignment]
        interface = make_interface(link, self._next_index, self.config, self.counters, self._random, self._moved)
        self._next_index += 1
        self._interfaces.append(interface)
        self.ip.add_interface(interface)
        if interface.conflicts is not None:
            interface.conflicts.is_ours = self._is_our_mac
        self.parts.extend(interface.parts())
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
        """The link has gone: what depends on it ends with ENETDOWN."""
        if interface not in self._interfaces:
            return
        self.now = now
        if self._run is not None:
            self._end_run(self._run)
        self.tcp.end_on(lambda connection: connection.path.interface is interface, now, errno.ENETDOWN)
        self.dhcp.end(interface, now)
        self._interfaces.remove(interface)
        self.addresses.remove_all(interface, now, errno.ENETDOWN)
        self.ip.remove_interface(interface)
        for part in interface.parts():
            self.parts.remove(part)
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
        """Give an interface one more address, and the route to its network.

        `acd` says how it begins: "strict": it is probed for before it is used, then announced and defended (RFC 5227
        sections 2.1 to 2.4); "optimistic": the same, but it is used at once; "defend": the same, but it is never given
        up (section 2.4 (c)); "probed": the caller has probed for it, and it is used, announced and defended; "off": it
        is used, and no more. None is the configuration's.

        `ready(ok, now)` is called once: at once, unless "strict"; `ok` is false when probing has found another host
        with the address, or the address was taken back meanwhile. `on_conflict(station address, now)` is called when
        another host has it, in use or not; we have given it up by then, see `remove_address`. With "defend" it is
        kept, and `on_conflict` is called at most once in DEFEND_INTERVAL.

        OSError EEXIST when it is ours already, ValueError for one that no host can have.
        """
        self._check_up()
        self.now = now
        self.addresses.add(interface, prefix, now, acd=acd, ready=ready, on_conflict=on_conflict)

    def remove_address(
        self, interface: Interface, address: bytes, now: float, error: int = errno.EADDRNOTAVAIL
    ) -> None:
        """Take an address back; what depends on it ends with the errno `error`.

        Its connections are reset, UDP endpoints bound to it report the error with their next call, and so do pings;
        routes that send from it and gateways no longer on any network go, and so do neighbours. Listeners and bound
        endpoints stay, in case the address comes back. OSError EADDRNOTAVAIL when it is not there.
        """
        self.now = now
        self.addresses.remove(interface, address, now, error)

    def network_changed(self, interface: Interface, now: float) -> None:
        """The link was away and is back, perhaps on another network: neighbours and Redirects are forgotten.

        Addresses are verified. They are used meanwhile, and lost if another host has them (RFC 5227 section 2.1); DHCP
        asks for its own again.
        """
        self._network_changed(interface, now, 0.0)

    def _network_changed(self, interface: Interface, now: float, asleep_s: float) -> None:
        self.now = now
        self.addresses.network_changed(interface, now)
        tenant = self.dhcp.tenant(interface)
        if tenant is not None:
            tenant.verify(now, asleep_s)

    def resumed(self, asleep_s: float, now: float) -> None:
        """The machine was suspended for so long, which `now` does not show: each network may be another one.

        What is to last for a time on the wire or at a server has grown older meanwhile: leases, TIME-WAIT, fragments
        that wait for others. What waits for an answer goes on waiting: nothing could be heard.
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
        self._changed()  # the times of leases are others

    def set_mtu(self, interface: Interface, mtu: int, now: float) -> None:
        """Send packets of at most `mtu` bytes out of an interface. OSError EINVAL: under 68, or over the link's own."""
        self.now = now
        self.addresses.set_mtu(interface, mtu, now)

    def shutdown(self, now: float) -> None:
        """End everything: connections are reset, whoever waits is told ENETDOWN, and later calls too."""
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
        """Process one frame. Whatever goes wrong costs this frame, and its connection if it has one: the barrier."""
        self.now = now
        try:
            run = self._run
            if run is not None:
                if run.interface is interface and run.goes_on(view, interface.link.rx_checksum_ok):
                    return
                self._end_run(run)
            self._frame(interface, now, view)
        except Exception as error:
            self._failed(error, self.tcp.connection_of(view[interface.ip_offset :]))

    def _frame(self, interface: Interface, now: float, view: memoryview) -> None:  # hot
        """Find the connection by the twelve octets that name it, or take the long way."""
        counters = self.counters
        counters["ifInOctets"] += len(view)
        offset = interface.ip_offset
        if self._trace is not None:
            self._trace.frame(now, interface.name, "in", bytes(view))
        if offset:
            destination, ethertype = _ETHERNET.unpack_from(view) if len(view) >= offset else (b"", 0)
            if ethertype != ETHERTYPE_IPV4 or destination != interface.mac:
                self._ethernet(interface, now, view)
                return
        counters["ifInUcastPkts"] += 1
        if len(view) >= offset + 40:
            version, total, _, fragment, protocol, _, key = _FIRST_24.unpack_from(view, offset)
            if version >> 8 == 0x45 and protocol == PROTO_TCP and not fragment & _FRAGMENT:
                connection = self._connections.get(key)
                # A SYN may begin another connection in the place of one in TIME-WAIT: the long way knows.
                if connection and connection.path.interface is interface and not view[offset + _TCP_FLAGS] & SYN:
                    packet = view[offset : offset + total]
                    if 40 <= total == len(packet) and int.from_bytes(packet[:20], "big") % 0xFFFF == 0:
                        checksum_ok = interface.link.rx_checksum_ok
                        taken = self._segment(connection, packet, checksum_ok, now)
                        if taken == DATA_ONLY and total > SHORTEST_PACKET and total == len(view) - offset:
                            self._run = Run(connection, interface, view, checksum_ok)
                        return
            elif (
                (key in self._udp_flows or key[:8] in self._askers)
                and version >> 8 == 0x45
                and not fragment & _FRAGMENT
            ):
                packet = view[offset : offset + total]
                if total == len(packet) and self._datagram(interface, protocol, key, packet, now):
                    return
        self.ip.receive(interface, view[offset:], now, False, interface.link.rx_checksum_ok)

    def _datagram(self, interface: Interface, protocol: int, key: bytes, packet: memoryview, now: float) -> bool:  # hot
        """A datagram like one that came before, in an unfragmented packet without options; False: the long way, please.

        The one before it has shown that its addresses are right, as long as it came in by the same interface.
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
            path = self._askers.get(key[:8]) if protocol == PROTO_ICMP else None
            taken = path is not None and self.ip.icmp.echo_server.answer(path, packet, now)
        if taken:
            self.counters["ipSystemStatsInReceives"] += 1
            self.counters["ipSystemStatsInDelivers"] += 1
        return taken

    def _segment(self, connection: Connection, packet: memoryview, checksum_ok: bool, now: float) -> int:  # hot
        """A segment of a connection we have, in an unfragmented packet without options whose header is right.

        What header prediction says of it.
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
        try:
            segment = Segment.parse(data)
        except BadPacket as bad:
            counters["tcpInErrs"] += 1
            counters.drop(bad.reason)
            return NOT_PREDICTED
        if connection.ecn is not None:
            segment.ce = packet[1] & 3 == 3
        if connection.segment(segment, now):
            self.tcp.refused(connection, data, segment, now)
        return NOT_PREDICTED

    def _ethernet(self, interface: Interface, now: float, view: memoryview) -> None:
        """Everything but plain IPv4 to our own station address."""
        counters = self.counters
        try:
            header = EthernetHeader.parse(view)
        except BadPacket as bad:
            counters["ifInErrors"] += 1
            counters.drop(bad.reason)
            return
        if any(tag.vlan for tag in header.tags):  # VLAN 0 is no VLAN: the tag only has a priority (802.1Q 9.6)
            counters.drop("ethernet_other_vlan")
            return
        group = bool(header.destination[0] & 1)
        if not group and header.destination != interface.mac:
            counters.drop("ethernet_not_for_us")
            return
        if header.source == interface.mac and header.source != MAC_BROADCAST:
            counters.drop("ethernet_own_source")  # our own frame, come back by a loop in the network
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
        """After a batch of frames, a call or a deadline: each connection that was touched sends and wakes, once.

        What was sent to ourselves arrives here, too.
        """
        self.now = now
        if self._run is not None:
            self._end_run(self._run)
        services = self._services
        loopback = self.ip.loopback
        packets, memory = self.config.host.loopback_batch_packets, self.budget
        while True:
            while services.touched:
                touched, services.touched = services.touched, []
                for tcb in touched:
                    tcb.untouch()
                    try:
                        tcb.settle(now)
                    except Exception as error:
                        self._failed(error, tcb)
            if memory.tight and memory.used > memory.prune_at:
                prune(memory)
            if not loopback.queue:
                return
            if packets <= 0:
                self._moved()  # the rest in a moment: `deadline` says now
                return
            packets -= 1
            packet = loopback.read(now)
            if packet is not None:
                self._loop(packet, now)

    def _end_run(self, run: Run) -> None:
        self._run = None
        try:
            run.end(self.counters)
        except Exception as error:
            self._failed(error, run.connection)

    def _loop(self, packet: memoryview, now: float) -> None:
        try:
            self.ip.receive(self.ip.loopback, packet, now)
        except Exception as error:
            self._failed(error, self.tcp.connection_of(packet))

    after_call = batch_end
    """After a user call, as after a batch of frames."""

    # --- time

    @property
    def deadline(self) -> float:
        """When `on_deadline` is due; inf for never."""
        earliest = min(self._deadlines.earliest, self.ip.deadline)
        for part in self.parts:
            if part.deadline < earliest:
                earliest = part.deadline
        if self._retry:
            earliest = min(self._deadlines.earliest, self._retry.earliest((self.ip, *self.parts)))
        return self.now if len(self.ip.loopback) else earliest

    def on_deadline(self, now: float) -> None:
        """Do what is due."""
        self.now = now
        for connection in self._deadlines.due(now):
            try:
                connection.deadline_reached(now)
            except Exception as error:
                self._failed(error, connection)
        for part in [self.ip, *self.parts]:
            if self._retry and not self._retry.has_turn(part, now):
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
        self, local: tuple[bytes, int] | None, remote: tuple[bytes, int], now: float, **options: object
    ) -> Connection:
        """Active OPEN: the connection is in SYN-SENT. OSError ENETUNREACH, EADDRNOTAVAIL, ENETDOWN."""
        self._check_up()
        self.now = now
        return self.tcp.connect(local, remote, options, now)

    def listen(self, local: tuple[bytes, int], backlog: int, now: float, **options: object) -> Listener:
        """Passive OPEN; `options` are attributes that every accepted connection starts with. OSError EADDRINUSE."""
        self._check_up()
        self.now = now
        return self.tcp.listen(local, backlog, options)

    def bind_tcp(self, local: tuple[bytes, int], *, reuse_address: bool = False) -> int:
        """Reserve a TCP port (0: an ephemeral one) and return it. OSError EADDRINUSE, EADDRNOTAVAIL."""
        self._check_up()
        return self.tcp.bind(local, reuse_address)

    def release_tcp(self, local: tuple[bytes, int]) -> None:
        """Give back what `bind_tcp` reserved."""
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
        """Send one Echo Request; `on_result` gets an EchoReply or an EchoFailure unless the Ping is cancelled."""
        self._check_up()
        self.now = now
        return self.ip.icmp.echo.ping(destination, data, now, on_result, ttl=ttl, timeout_s=timeout_s)

    # --- records

    def interfaces(self) -> list[InterfaceRecord]:
        """Every interface but the loopback."""
        return [interface_record(interface, self.addresses.tentative(interface)) for interface in self._interfaces]

    def neighbors(self) -> list[NeighborRecord]:
        """The ARP caches."""
        return [
            record
            for interface in self._interfaces
            if interface.neighbors is not None
            for record in interface.neighbors.records(self.now)
        ]

    def routes(self) -> list[RouteRecord]:
        """The routing table, the most specific first."""
        return self.ip.routes.records(self.now)

    def leases(self) -> list[LeaseRecord]:
        """What DHCP servers have lent us."""
        return self.dhcp.leases()

    def connections(self) -> list[ConnectionRecord]:
        """TCP listeners and connections, then UDP endpoints."""
        listening = map(listener_record, self.tcp.listeners.values())
        tcp = map(connection_record, self._connections.values())
        return [*listening, *tcp, *map(datagram_record, self.udp.records())]

    def tables(self) -> dict[str, int]:
        """How many entries every table of the host has: see `stack.host.tables`."""
        layers = (self.tcp, self.udp, self.ip, self.addresses, self.dhcp, self.budget, self.barrier)
        return all_tables(layers, self._interfaces)

    def _dhcp_event(self, name: str, subject: str, details: dict[str, object]) -> None:
        if self._trace is not None:
            self._trace.event(self.now, name, subject, details)

    def _tcp_event(self, tcb: Tcb, name: str, details: dict[str, object]) -> None:
        if self._trace is not None:
            self._trace.event(self.now, name, f"{endpoint(tcb.local)} - {endpoint(tcb.remote)}", details)
