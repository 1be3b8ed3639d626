"""IPv4 input: checks packets, reassembles datagrams and hands them to their protocols.

See RFC 791 section 3.1, RFC 1122 sections 3.2.1 (header, addresses, options), 3.3.2 (reassembly),
3.3.5 (source routes) and 3.3.6 (broadcasts), RFC 1812 section 5.3.7 (martian addresses), RFC 6890.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.config import IpConfig
from stack.counters import Counters
from stack.errors import BadPacket
from stack.internet.fragments import Reassembler
from stack.internet.interface import Interface, is_broadcast_to, is_subnet_broadcast
from stack.internet.received import Received
from stack.internet.superframe import datagrams, is_super_frame
from stack.noop import noop
from stack.trace.trace import Trace
from stack.wire.addresses import (
    ALL_HOSTS,
    ANY,
    BROADCAST,
    is_class_e,
    is_loopback,
    is_multicast,
    is_this_network,
)
from stack.wire.checksum import Buffer
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import SOURCE_ROUTES, Route, find_error, split
from stack.wire.numbers import PROTO_UDP
from stack.wire.udp import HEADER_LENGTH as UDP_HEADER_LENGTH

Handler = Callable[[Received], None]

_FIRST_OPTION = 20


class Ipv4Input:
    """Takes packets from interfaces and hands datagrams to `handlers[protocol]`.

    Arguments:
      config, counters: `Config.ip` and the host's counters.
      own: the interface of each address of ours; the owner changes this dict in place.
      protocol_unreachable: `(received)` tells the sender that there is no handler.
      parameter_problem: `(received, pointer)` tells the sender which byte of its options is wrong.
      source_route_failed: `(received)` tells the sender that we forward nothing.
      trace: tells the observers, if there are any.
    """

    def __init__(
        self,
        config: IpConfig,
        counters: Counters,
        own: dict[bytes, Interface],
        *,
        protocol_unreachable: Callable[[Received], None],
        parameter_problem: Callable[[Received, int], None],
        source_route_failed: Callable[[Received], None],
        trace: Trace,
    ) -> None:
        self.config = config
        self.counters = counters
        self._own = own
        self.handlers: dict[int, Handler] = {}
        self.reassembler = Reassembler(config, counters, trace)
        self.reschedule: Callable[[], None] = noop  # called when the reassembler's deadline has moved earlier
        self._protocol_unreachable = protocol_unreachable
        self._parameter_problem = parameter_problem
        self._source_route_failed = source_route_failed

    def receive(
        self, interface: Interface, packet: Buffer, now: float, link_broadcast: bool = False, checksum_ok: bool = False
    ) -> None:
        """Take one packet, which begins with its IP header.

        Bytes after its total length are padding.

        `link_broadcast` says that the frame was addressed to a group or to all stations.
        `checksum_ok` says that the transport checksum need not be verified: the link has verified
        it, or the packet comes from this machine with a partial one. A super-frame of UDP
        datagrams is split, and each datagram is taken and counted.
        """
        counters = self.counters
        try:
            header = Ipv4Header.parse(packet)
        except BadPacket as bad:
            counters["ipSystemStatsInReceives"] += 1
            truncated = bad.reason in ("ipv4_truncated", "ipv4_bad_total_length")
            counters["ipSystemStatsInTruncatedPkts" if truncated else "ipSystemStatsInHdrErrors"] += 1
            counters.drop(bad.reason)
            return
        packet = packet[: header.total_length]
        if checksum_ok and header.protocol == PROTO_UDP and is_super_frame(header, interface.link.rx_gso_size):
            self._split_super_frame(interface, header, packet, now, link_broadcast)
            return
        counters["ipSystemStatsInReceives"] += 1
        try:
            broadcast = self._check_addresses(interface, header, link_broadcast, packet)
        except BadPacket as bad:
            counters["ipSystemStatsInAddrErrors"] += 1
            counters.drop(bad.reason)
            return
        received = Received(
            interface=interface,
            source=header.source,
            destination=header.destination,
            local=header.destination if not broadcast else self._specific_destination(interface),
            protocol=header.protocol,
            ttl=header.ttl,
            tos=header.tos,
            options=header.options,
            payload=packet[header.header_length :],
            quote=packet,
            broadcast=broadcast or link_broadcast,
            checksum_ok=checksum_ok,
            now=now,
        )
        if header.options and not self._options_allow(received, header):
            return
        if header.is_fragment:
            if not self._reassemble(received, header):
                return
        elif len(self.reassembler) and not header.dont_fragment:  # RFC 6864 4.1: ignore an atomic datagram's ID
            self.reassembler.discard(header)
        self._deliver(received)

    def _split_super_frame(
        self, interface: Interface, header: Ipv4Header, packet: Buffer, now: float, link_broadcast: bool
    ) -> None:
        size = interface.link.rx_gso_size
        if len(packet) - header.header_length - UDP_HEADER_LENGTH > size * self.config.super_frame_datagrams_max:
            self.counters["ipSystemStatsInReceives"] += 1
            self._drop_header_error("ipv4_super_frame")
            return
        for datagram in datagrams(header, packet, size):
            self.receive(interface, datagram, now, link_broadcast, True)

    def _deliver(self, received: Received) -> None:
        handler = self.handlers.get(received.protocol)
        if handler is None:
            self.counters["ipSystemStatsInUnknownProtos"] += 1
            self.counters.drop("ipv4_unknown_protocol")
            self._protocol_unreachable(received)
            return
        self.counters["ipSystemStatsInDelivers"] += 1
        handler(received)

    # --- addresses

    def _check_addresses(self, interface: Interface, header: Ipv4Header, link_broadcast: bool, packet: Buffer) -> bool:
        """Whether the datagram was broadcast or multicast.

        Raises BadPacket when it is not for us.
        """
        source, destination = header.source, header.destination
        self._check_source(interface, header)
        if (is_loopback(destination) and not interface.loopback) or is_class_e(destination):
            raise BadPacket("ipv4_martian_destination")
        owner = self._own.get(destination)
        if owner is interface or (interface.loopback and is_loopback(destination)):
            if link_broadcast:  # RFC 1122 section 3.3.6
                raise BadPacket("ipv4_link_broadcast_only")
            return False
        if interface.loopback:
            if owner is not None:
                return False
            raise BadPacket("ipv4_not_for_us")
        if is_multicast(destination):
            self.counters["ipSystemStatsInMcastPkts"] += 1
            if destination != ALL_HOSTS:
                raise BadPacket("ipv4_not_our_group")
            return True
        if is_broadcast_to(interface, destination):
            self.counters["ipSystemStatsInBcastPkts"] += 1
            return True
        if header.protocol == PROTO_UDP and source != ANY:
            # RFC 2131 section 4.1: a client without an address takes the server's unicast answers.
            # The address is not the client's yet, so the datagram counts as a broadcast: no error
            # is sent about it.
            if not interface.addresses or _is_to_port(interface.awaited_port, header, packet):
                return True
        raise BadPacket("ipv4_not_for_us")

    def _check_source(self, interface: Interface, header: Ipv4Header) -> None:
        """Check that the source can be the address of one other host (RFC 1122 section 3.2.1.3).

        On the loopback it may be our own address.
        """
        source = header.source
        if is_multicast(source) or is_class_e(source) or source == BROADCAST:
            raise BadPacket("ipv4_martian_source")
        if interface.loopback:
            return
        if is_this_network(source):
            booting = source == ANY and header.destination == BROADCAST and header.protocol == PROTO_UDP
            if not booting:
                raise BadPacket("ipv4_martian_source")
            return
        if is_loopback(source):
            raise BadPacket("ipv4_martian_source")
        if source in self._own:
            raise BadPacket("ipv4_own_source")  # a LAND attack, or another host has our address
        if is_subnet_broadcast(interface, source):
            raise BadPacket("ipv4_martian_source")

    @staticmethod
    def _specific_destination(interface: Interface) -> bytes:
        return interface.addresses[0].address if interface.addresses else ANY

    # --- options and fragments

    def _options_allow(self, received: Received, header: Ipv4Header) -> bool:
        """Whether the datagram may be taken in spite of its options.

        Unknown options are ignored (RFC 1122 section 3.2.1.8), malformed ones are reported
        (3.2.2.5). A source route must have been followed to its end: we forward nothing (3.3.5).
        """
        wrong = find_error(received.options)
        if wrong is not None:
            self._drop_header_error("ipv4_bad_option")
            if header.fragment_offset == 0:
                self._parameter_problem(received, _FIRST_OPTION + wrong)
            return False
        routes = [option for option in split(received.options) if option.type in SOURCE_ROUTES]
        if not routes:
            return True
        if not self.config.accept_source_route or len(routes) > 1:
            self._drop_header_error("ipv4_source_route")
            return False
        if not Route.from_option(routes[0]).exhausted:
            self._drop_header_error("ipv4_source_route")
            if header.fragment_offset == 0:
                self._source_route_failed(received)
            return False
        return True

    def _drop_header_error(self, reason: str) -> None:
        self.counters["ipSystemStatsInHdrErrors"] += 1
        self.counters.drop(reason)

    def _reassemble(self, received: Received, header: Ipv4Header) -> bool:
        """Add a fragment.

        Returns True when the datagram is whole; `received` then is the whole datagram.
        """
        self.counters["ipSystemStatsReasmReqds"] += 1
        idle = not len(self.reassembler)
        try:
            whole = self.reassembler.add(received.interface, header, received.quote, received.now)
        except BadPacket as bad:
            self.counters.drop(bad.reason)
            return False
        if whole is None:
            if idle:  # all datagrams wait equally long, so only the first can make the deadline earlier
                self.reschedule()
            return False
        received.ttl = whole.header.ttl
        received.tos = whole.header.tos
        received.options = whole.header.options
        received.payload = whole.payload
        received.quote = whole.quote
        received.checksum_ok = False
        return True


def _is_to_port(port: int, header: Ipv4Header, packet: Buffer) -> bool:
    """Whether this is a whole UDP datagram to `port`; False for port 0."""
    start = header.header_length + 2
    return bool(port) and not header.is_fragment and packet[start : start + 2] == port.to_bytes(2, "big")
