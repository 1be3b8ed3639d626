"""A path: the route, the neighbour and the header fields for one destination, prepared for sending.

RFC 1122 section 3.3.1.3 recommends that a transport protocol keep such a handle. Every TCP segment
is sent by `Path.send`: the neighbour has the link header ready, and one `pack` forms the IP header.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from stack.counters import Counters
from stack.internet.ident import RANDOM_FLOW
from stack.internet.interface import Interface
from stack.internet.neighbor import GONE, Neighbor
from stack.internet.segmentation import pieces
from stack.wire.addresses import format_ipv4
from stack.wire.checksum import Buffer, ones_sum
from stack.wire.ipv4 import DONT_FRAGMENT, HEADER_LENGTH, PACK_BEHIND_LINK, VERSION_IHL
from stack.wire.virtio import TCP_CHECKSUM, checksum_header, tcp_header

if TYPE_CHECKING:
    from stack.internet.ipv4_output import Ipv4Output

UNBOUND = Neighbor(bytes(4), GONE)
"""The neighbour of a path whose route must be looked up again."""


class PathUser(Protocol):
    """The owner of a path: a connection, an endpoint or an echo request.

    It is one object, since two callbacks would cost each connection 128 bytes.
    """

    def path_failed(self, error: int) -> None:
        """The next hop cannot be resolved: an errno (EHOSTUNREACH)."""

    def path_mtu_changed(self, now: float) -> None:
        """The path's `mtu` has changed."""


class Way(Protocol):
    """What few owners ask of their paths.

    learns_mtu: the MTUs that routers have told count, and not the interface's alone.
    queue_errors: if the next hop does not answer, the host sends itself an ICMP error about the
      datagram, as Linux does, and `path_failed` is not called.
    direct: only destinations that need no gateway can be reached (SO_DONTROUTE).
    device: the index of the interface to use; None for that of the route (SO_BINDTODEVICE).
    """

    @property
    def learns_mtu(self) -> bool: ...

    @property
    def queue_errors(self) -> bool: ...

    @property
    def direct(self) -> bool: ...

    @property
    def device(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class ChosenWay:
    """A `Way` of which only the interface, or that there be no gateway, is chosen."""

    direct: bool
    device: int | None
    learns_mtu: bool = True
    queue_errors: bool = False


class Path:
    """A path, made by `Ipv4.path`. Its owner closes it.

    Attributes to read:
      source, destination: 4 bytes; protocol: the IP protocol number.
      interface: the interface that packets leave by; it may change with the routes.
      mtu: the path MTU in bytes, IP header included. When it changes, `user` is told.
      header_length: the length of the IP header with its options. What remains of the MTU is for
        the transport message.
      pseudo_sum: the sum of the pseudo-header without its length (`stack.wire.checksum`).
      broadcast, multicast: whether the destination is more than one host.
      checksum_offload, gso_max_bytes: the offloads of the link (`stack.link.device.Offload`), see
        `send_offloaded`.

    Attributes to set:
      ttl, tos: for the packets to come.
      df: don't fragment. Without it, datagrams larger than the MTU are fragmented. None: the owner
        has set it, but packets go without it, because even packets of the smallest MTU that we
        accept do not pass (`PathMtus`).
      user: the owner. It is told when the next hop cannot be resolved, and when `mtu` has changed.
    """

    __slots__ = (
        "_addresses",
        "_base_sum",
        "_counters",
        "_link",
        "_offload",
        "_offload_of",
        "_output",
        "_pack",
        "broadcast",
        "checksum_offload",
        "destination",
        "df",
        "flow",
        "gso_max_bytes",
        "header_length",
        "interface",
        "mtu",
        "multicast",
        "neighbor",
        "next_hop",
        "options",
        "pinned",
        "protocol",
        "pseudo_sum",
        "source",
        "tos",
        "ttl",
        "user",
    )
    way: Way | None = None

    def __init__(
        self,
        output: Ipv4Output,
        counters: Counters,
        source: bytes,
        destination: bytes,
        protocol: int,
        *,
        ttl: int,
        tos: int,
        df: bool,
        options: bytes,
    ) -> None:
        self._output = output
        self._counters = counters
        self.source = source
        self.destination = destination
        self.protocol = protocol
        self.ttl = ttl
        self.tos = tos
        self.df: bool | None = df
        self.options = options
        self.header_length = HEADER_LENGTH + len(options)
        self.user: PathUser | None = None
        self.broadcast = self.multicast = False
        self.pinned = False  # the owner has chosen the interface, and routes do not change it
        self.neighbor = UNBOUND
        self.next_hop = destination
        self.flow: tuple[int, int] | None = None  # of the Identification; None until one is needed
        self.checksum_offload = False
        self.gso_max_bytes = 0
        self._offload, self._offload_of = b"", (-1, -1, False)
        self._addresses = source + destination
        self.pseudo_sum = ones_sum(self._addresses) + protocol
        self._base_sum = self.pseudo_sum + (VERSION_IHL << 8)

    def bind(self, interface: Interface, next_hop: bytes, neighbor: Neighbor, mtu: int) -> None:
        """Set the route and neighbour. Only `Ipv4Output` calls this."""
        self.interface = interface
        self.next_hop = next_hop
        self.neighbor = neighbor
        self.mtu = mtu
        self._link = interface.link
        self._pack = PACK_BEHIND_LINK[interface.link.ip_offset]
        offload = interface.link.offload
        self.checksum_offload = offload.checksum
        self.gso_max_bytes = offload.gso_max_bytes
        self._offload_of = (-1, -1, False)

    def link_changed(self) -> None:
        """The interface has another object for the same link: an observer comes or goes."""
        if self.neighbor is not UNBOUND:
            self._link = self.interface.link

    def send(self, parts: list[Buffer], length: int, now: float, offload: bytes = b"") -> None:  # hot
        """Send one datagram whose payload is `parts`, `length` bytes in all. Never waits.

        `offload` is a virtio_net_hdr for a link that takes super-frames; then the packet may exceed
        the MTU. Raises OSError: EMSGSIZE (larger than 65,535 bytes, or larger than the MTU with
        `df`), ENETUNREACH (there is no route any more).
        """
        neighbor = self.neighbor
        ethernet = neighbor.ethernet
        total = length + HEADER_LENGTH
        if ethernet is None or self.options or (total > self.mtu and (not offload or total > 65535)):
            self._output.send_slow_path(self, parts, length, now, offload)
            return
        if self.df:
            flags, ident = DONT_FRAGMENT, 0
        else:
            flags, ident = 0, self.identification()
        tos = self.tos
        ttl = self.ttl
        checksum = -(self._base_sum + tos + total + ident + flags + (ttl << 8)) % 65535
        header = self._pack(
            ethernet, VERSION_IHL, tos, total, ident, flags, ttl, self.protocol, checksum, self._addresses
        )
        neighbor.used = True
        counters = self._counters
        counters["ipSystemStatsOutRequests"] += 1
        counters["ipSystemStatsOutTransmits"] += 1
        if self._link.write([header, *parts], now, offload):
            counters["ifOutOctets"] += len(header) + length
            counters[neighbor.out_counter] += 1
        else:
            counters.drop("ifOutDiscards")

    def identification(self) -> int:
        """The Identification of the next datagram that may be fragmented."""
        output = self._output
        if self.flow is None:
            self.flow = output.idents.flow(self.source, self.destination, self.protocol)
        ident = output.idents.next(self.flow)
        if output.trace.on:
            because = "ident_random" if self.flow[0] == RANDOM_FLOW else "ident_counts"
            output.trace.tell(
                "ip:ident", self.interface.name, because, destination=format_ipv4(self.destination), id=ident
            )
        return ident

    def send_offloaded(
        self, parts: list[Buffer], length: int, now: float, header_bytes: int, segment_bytes: int, cwr: bool
    ) -> None:  # hot
        """Send a TCP segment with a partial checksum, which the link completes.

        The checksum field holds only the pseudo-header's sum. `header_bytes` is the length of the
        TCP header. If `segment_bytes` is not 0, the segment is a super-frame: the link splits it
        into segments with `segment_bytes` bytes of data each. `cwr` says that the CWR flag is set.
        The link must announce these offloads: `checksum_offload`, `gso_max_bytes`. If it leaves the
        splitting to us (`Offload.software`), the segments go to it one by one.
        """
        if segment_bytes and self.interface.link.offload.software:
            self._send_cut(parts, length - header_bytes, now, segment_bytes)
            return
        kind = (header_bytes, segment_bytes, cwr)
        if kind != self._offload_of:  # nearly always the same as the last one
            start = self.interface.link.ip_offset + self.header_length
            if segment_bytes:
                self._offload = tcp_header(start, header_bytes, segment_bytes, cwr=cwr)
            else:
                self._offload = checksum_header(start, TCP_CHECKSUM)
            self._offload_of = kind
        self.send(parts, length, now, self._offload)

    def _send_cut(self, parts: list[Buffer], length: int, now: float, size: int) -> None:  # hot
        """Send a super-frame as segments with `size` bytes of data each: `length` bytes in all."""
        header = bytes(parts[0])
        data = parts[1] if len(parts) == 2 else b"".join(parts[1:])
        neighbor = self.neighbor
        ethernet = neighbor.ethernet
        head = HEADER_LENGTH + len(header)
        if ethernet is None or self.options or not self.df or head + size > self.mtu or self.checksum_offload:
            self._send_each(header, data, now, size)
            return
        tos, ttl = self.tos, self.ttl
        fronts = []
        for total in (head + size, head + ((length - 1) % size + 1)):
            checksum = -(self._base_sum + tos + total + DONT_FRAGMENT + (ttl << 8)) % 65535
            fronts.append(
                self._pack(
                    ethernet, VERSION_IHL, tos, total, 0, DONT_FRAGMENT, ttl, self.protocol, checksum, self._addresses
                )
            )
        neighbor.used = True
        write = self._link.write
        sent = refused = 0
        for front, piece in pieces(header, data, size, self.pseudo_sum, fronts[0], fronts[1]):
            if write([front, piece], now):
                sent += 1
            else:
                refused += len(front) + len(piece)
                self._counters.drop("ifOutDiscards")
        number = -(-length // size)
        counters = self._counters
        counters["ipSystemStatsOutRequests"] += number
        counters["ipSystemStatsOutTransmits"] += number
        counters["ifOutOctets"] += number * (len(fronts[0]) + len(header)) + length - refused
        counters[neighbor.out_counter] += sent

    def _send_each(self, header: bytes, data: Buffer, now: float, size: int) -> None:
        """The same where each segment needs what `send` does: a next hop, options, an ident."""
        partial = self.checksum_offload
        offload = b""
        if partial:
            offload = checksum_header(self.interface.link.ip_offset + self.header_length, TCP_CHECKSUM)
        for front, piece in pieces(header, data, size, self.pseudo_sum, partial=partial):
            self.send([front, piece], len(front) + len(piece), now, offload)

    def want_df(self, wanted: bool) -> None:
        """Let the owner set or clear `df`, where it decides that for each datagram."""
        if not wanted:
            self.df = False
        elif self.df is False:
            self.df = None if self._output.must_omit_df(self) else True

    def let_routers_fragment(self, no_df: bool) -> None:
        """If the owner has set `df`, send without DF from now on, or with DF again.

        Without DF there are no super-frames for the link: it would count the Identification up by
        itself, and a value could come twice (RFC 6864 section 4.3).
        """
        if no_df and self.df:
            self.df = None
        elif not no_df and self.df is None:
            self.df = True
        offload = self.interface.link.offload
        self.gso_max_bytes = offload.gso_max_bytes if self.df is not None or offload.software else 0

    def failed(self, error: int, now: float) -> None:
        """Tell the owner that the next hop did not answer."""
        if self.user is not None:
            self.user.path_failed(error)

    def confirm(self, now: float) -> None:  # hot
        """Give positive advice: a packet sent by this path has arrived.

        See RFC 1122 section 3.3.1.4.
        """
        self.neighbor.positive_advice_at = now

    def suspect(self, now: float, sent_at: float = inf, genuine: bool = True) -> None:
        """Give negative advice: packets, the last of them sent at `sent_at`, do not seem to arrive.

        See RFC 9293 section 3.8.3. A Redirect for this destination is forgotten, and the next hop's
        station address is asked for again. The advice is not `genuine` if the peer may not exist:
        any host can send a SYN from a forged address.
        """
        self._output.routes.forget_redirect(self.destination)
        neighbors = self.interface.neighbors
        if neighbors is not None:
            neighbors.suspect(self.next_hop, now, sent_at, genuine)

    def lower_mtu(self, mtu: int, now: float, for_s: float | None = None) -> None:
        """Note that packets of more than `mtu` bytes do not arrive at this destination.

        It applies to every path to the destination, and is forgotten after `for_s` seconds, or
        after the configured time.
        """
        self._output.lower_mtu(self.destination, mtu, now, for_s, because="mtu_probed")

    def close(self) -> None:
        """Close the path; a second call does nothing.

        Packets that wait for the next hop are still sent, but `user` is told nothing more.
        """
        self._output.forget(self)
        self.user = None

    def __repr__(self) -> str:
        return f"<Path {'.'.join(map(str, self.source))} to {'.'.join(map(str, self.destination))} mtu {self.mtu}>"


class SpecialPath(Path):
    """A path with a `way`."""

    __slots__ = ("way",)

    def __init__(self, way: Way, *arguments: Any, **fields: Any) -> None:
        super().__init__(*arguments, **fields)
        self.way = way
