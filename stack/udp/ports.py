"""The UDP ports of a host: which endpoint has which port, and which one gets a datagram.

See RFC 768 and RFC 1122 section 4.1.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, replace

from stack.budget import Budget
from stack.config import UdpConfig
from stack.counters import Counters
from stack.errors import BadPacket, os_error
from stack.noop import noop
from stack.trace.trace import UNWATCHED, Trace
from stack.udp.below import Address, EphemeralPort, IcmpError, OpenPath, Received
from stack.udp.endpoint import Datagram, Endpoint
from stack.wire.addresses import ANY, format_ipv4
from stack.wire.addresses import endpoint as endpoint_text
from stack.wire.checksum import Buffer, pseudo_sum
from stack.wire.flow import PORTS, flow_key
from stack.wire.udp import UdpHeader, checksum_ok

Claim = Callable[[Received, int, Buffer], None]
"""`(received, source port, payload)` takes the datagrams of a port.

The payload is valid until it returns.
"""


@dataclass(frozen=True, slots=True)
class UdpRecord:
    """A bound endpoint, as the user reads it. `queued_bytes` are unread, overhead included."""

    local: tuple[str, int]
    remote: tuple[str, int] | None
    queued_bytes: int


class UdpPorts:
    """The UDP module of a host.

    Arguments:
      config, counters: `Config.udp` and the host's counters.
      open_path: `(source, destination, *, ttl, tos, options, now)` makes a path of protocol 17
        (`Ipv4.path`).
      ephemeral_port: `(local address, remote or None, is_free)` chooses a port (RFC 6056).
      came_by: `(received)` returns the index of the interface by which a datagram came. For one
        from this host that is the interface which has the destination.
      spread: `(flow, count)` returns a number under `count` for the twelve octets of a flow.
      is_ours: `(address)` returns whether an endpoint may be bound to an address.
      port_unreachable: `(received)` sends an ICMP Port Unreachable, unless ICMP forbids it.
      budget: charged with the memory that endpoints and their queues hold.
      trace: tells the observers, if there are any.

    `receive` is the handler of protocol 17, and `receive_error` its handler of ICMP errors.

    The rest is for a fast path (`stack.host.fast`). `epoch` is raised when a change of ports may
    change which endpoint gets a datagram. `on_delivered(received, header, endpoint)` is called when
    `endpoint` alone has got a datagram, and `on_forgotten()` when an endpoint has been closed.
    """

    def __init__(
        self,
        config: UdpConfig,
        counters: Counters,
        *,
        open_path: OpenPath,
        ephemeral_port: EphemeralPort,
        is_ours: Callable[[bytes], bool],
        port_unreachable: Callable[[Received], None],
        spread: Callable[[bytes, int], int] = lambda flow, count: 0,
        came_by: Callable[[Received], int] = lambda received: 0,
        budget: Budget | None = None,
        trace: Trace = UNWATCHED,
    ) -> None:
        self.config = config
        self.counters = counters
        self.open_path = open_path
        self._ephemeral_port = ephemeral_port
        self._is_ours = is_ours
        self._port_unreachable = port_unreachable
        self._spread, self._came_by = spread, came_by
        self.budget = budget or Budget()
        self.trace = trace
        self.shutdown_error = 0  # the errno that every call raises once the host has ended
        self._claimed: dict[int, Claim] = {}
        self._open: dict[Endpoint, None] = {}
        self._bound: dict[int, list[Endpoint]] = {}
        self.epoch = 0
        self.on_delivered: Callable[[Received, UdpHeader, Endpoint], None] | None = None
        self.on_forgotten: Callable[[], None] = noop

    def open(self) -> Endpoint:
        """A new endpoint, which is not bound.

        Raises OSError ENOBUFS when the memory budget has no room for it.
        """
        if self.budget.full:
            self.counters.drop("udp_open_no_memory")
            raise os_error(errno.ENOBUFS)
        endpoint = Endpoint(self)
        self.budget.charge(None, self.budget.endpoint)
        self._open[endpoint] = None
        return endpoint

    def __len__(self) -> int:
        """How many endpoints are open."""
        return len(self._open)

    def tables(self) -> dict[str, int]:
        """The numbers of endpoints, bound ports and claims, and what the endpoints hold."""
        return {
            "udp_endpoints": len(self._open),
            "udp_ports": len(self._bound),
            "udp_claims": len(self._claimed),
            "udp_datagrams": sum(endpoint.queued for endpoint in self._open),
            "udp_remotes": sum(endpoint.remembered for endpoint in self._open),
        }

    # --- ports

    def claim(self, port: int, take: Claim) -> None:
        """Reserve a port for the host itself: `take` gets all its datagrams.

        Raises OSError EADDRINUSE.
        """
        if port in self._bound or port in self._claimed:
            raise os_error(errno.EADDRINUSE)
        self._claimed[port] = take
        self.epoch += 1

    def release(self, port: int) -> None:
        """Release a claimed port."""
        del self._claimed[port]

    def bind(self, endpoint: Endpoint, local: Address, remote: Address | None) -> None:
        """Bind an endpoint to a local address. Raises OSError: EADDRNOTAVAIL, EADDRINUSE."""
        address, port = local
        free = endpoint.special is not None and endpoint.special.free
        if address != ANY and not free and not self._is_ours(address):
            raise os_error(errno.EADDRNOTAVAIL)
        if port == 0:
            port = self._ephemeral_port(address, remote, lambda wanted: not self._taken(address, wanted))
        elif port in self._claimed or any(self._conflict(endpoint, o, address) for o in self._bound.get(port, ())):
            raise os_error(errno.EADDRINUSE)
        endpoint.local = (address, port)
        self._bound.setdefault(port, []).append(endpoint)
        self.epoch += 1

    def _taken(self, address: bytes, port: int) -> bool:
        others = self._bound.get(port, ())
        return port in self._claimed or any(ANY in (address, o.local[0]) or address == o.local[0] for o in others)

    @staticmethod
    def _conflict(endpoint: Endpoint, other: Endpoint, address: bytes) -> bool:
        if ANY not in (address, other.local[0]) and address != other.local[0]:
            return False
        if None not in (endpoint.device, other.device) and endpoint.device != other.device:
            return False
        return not (endpoint.reuse_address and other.reuse_address) and not (endpoint.reuse_port and other.reuse_port)

    def rebind(self, endpoint: Endpoint, local: Address) -> None:
        """Change the local address of a bound endpoint, when it connects or disconnects.

        The port stays.
        """
        endpoint.local = local
        self.epoch += 1

    def forget(self, endpoint: Endpoint) -> None:
        """Remove an endpoint that is closed."""
        if self._open.pop(endpoint, self) is None:
            self.budget.charge(None, -self.budget.endpoint)
        self.epoch += 1
        self.on_forgotten()
        port = endpoint.local[1]
        endpoints = self._bound.get(port)
        if endpoints is not None and endpoint in endpoints:
            endpoints.remove(endpoint)
            if not endpoints:
                del self._bound[port]

    def shutdown(self, error: int) -> None:
        """The host ends: later calls raise OSError with `error`, and waiting programs are woken."""
        waiting = [endpoint for endpoint in self._open if not endpoint.readable]
        self.shutdown_error = error
        for endpoint in waiting:
            endpoint.on_readable()

    def address_gone(self, address: bytes) -> None:
        """An address is no longer ours. Endpoints stay bound to it, since it may come back."""
        for endpoint in list(self._open):
            endpoint.address_gone(address)

    # --- datagrams in

    def receive(self, received: Received) -> None:
        """Take a datagram. This is IP's handler of protocol 17."""
        try:
            header = self._check(received)
        except BadPacket as bad:
            self.counters["udpInErrors"] += 1
            self.counters.drop(bad.reason)
            return
        claim = self._claimed.get(header.destination_port)
        if claim is not None:
            self.counters["udpInDatagrams"] += 1
            if self.trace.on:
                self.trace.verdict("delivered", f"udp {header.destination_port}")
                self._tell_taken(received, header, "udp_claimed")
            claim(received, header.source_port, received.payload[8 : header.length])
            return
        takers = self._find(received, header)
        if not takers:
            self.counters["udpNoPorts"] += 1
            self.counters.drop("udp_no_port")
            self._port_unreachable(received)
            return
        datagram = Datagram(
            bytes(received.payload[8 : header.length]),
            (received.source, header.source_port),
            received.local,
            received.destination,
            received.ttl,
            received.tos,
            received.options,
            received.now,
        )
        if self.trace.on:
            self.trace.verdict("delivered", takers[0].name)
        for endpoint in takers:  # whether a datagram is charged depends on the queue: each has its own
            refused = self.deliver(endpoint, datagram if endpoint is takers[0] else replace(datagram, charged=False))
            if self.trace.on and not refused:
                because = "udp_broadcast" if received.broadcast else "udp_best_match"
                self._tell_taken(received, header, because, socket=endpoint.name, queued=endpoint.queued)
        if self.on_delivered is not None and not received.broadcast:
            self.on_delivered(received, header, takers[0])

    def deliver(self, endpoint: Endpoint, datagram: Datagram) -> str:
        """Give a datagram to an endpoint, and count it.

        Returns "", or the reason why it is dropped.
        """
        refused = endpoint.deliver(datagram)
        if not refused:
            self.counters["udpInDatagrams"] += 1
        else:
            self.counters["udpInErrors"] += 1
            self.counters.drop(refused)
        return refused

    def _tell_taken(self, received: Received, header: UdpHeader, because: str, **data: object) -> None:
        self.trace.tell(
            "udp:taken",
            "host",
            because,
            source=endpoint_text((received.source, header.source_port)),
            port=header.destination_port,
            len=header.length - 8,
            **data,
        )

    def _check(self, received: Received) -> UdpHeader:
        """Parse the header and verify the checksum (RFC 768, RFC 1122 section 4.1.3.4).

        Bytes beyond the length field are not part of the datagram.
        """
        header = UdpHeader.parse(received.payload)
        if header.destination_port == 0:
            raise BadPacket("udp_port_zero")
        if header.checksum == 0:
            if self.config.require_checksum:
                raise BadPacket("udp_no_checksum")
        elif not received.checksum_ok:
            pseudo = pseudo_sum(received.source, received.destination, received.protocol, header.length)
            if not checksum_ok(received.payload[: header.length], pseudo):
                raise BadPacket("udp_bad_checksum")
        return header

    def _find(self, received: Received, header: UdpHeader) -> list[Endpoint]:
        """The endpoints that receive a datagram.

        A broadcast goes to all that match, another datagram to the one that matches best. A
        connected endpoint matches better than an unconnected one, and a bound address better than
        ANY. Among equals the one bound last receives it, or one of those with SO_REUSEPORT: the
        same one for all datagrams of a flow.
        """
        best: list[Endpoint] = []
        best_score = -1
        remote = (received.source, header.source_port)
        for endpoint in self._bound.get(header.destination_port, ()):
            score = self._score(endpoint, received, remote)
            if score < 0:
                continue
            if endpoint.special is not None and endpoint.special.device is not None:
                if endpoint.special.device != self._came_by(received):
                    continue
                score += 1
            if received.broadcast or score == best_score:
                best.append(endpoint)
            elif score > best_score:
                best, best_score = [endpoint], score
        if received.broadcast or len(best) < 2:
            return best
        sharing = [endpoint for endpoint in best if endpoint.reuse_port] if best[-1].reuse_port else best[-1:]
        flow = flow_key(received.source, received.destination, header.source_port, header.destination_port)
        return [sharing[self._spread(flow, len(sharing)) if len(sharing) > 1 else 0]]

    @staticmethod
    def _score(endpoint: Endpoint, received: Received, remote: Address) -> int:
        """How well an endpoint matches a datagram; -1 if it does not."""
        score = 0
        address = endpoint.local[0]
        if address != ANY:
            if address != received.destination:
                return -1
            score += 1
        peer = endpoint.remote
        if peer is not None:
            if peer != remote and (peer[1] or peer[0] != remote[0]):  # port 0: any of the peer's
                return -1
            score += 2 if peer[1] else 1
        return score

    # --- errors in

    def receive_error(self, error: IcmpError, now: float) -> bool:
        """Take an ICMP error about a datagram; returns whether one of our endpoints has sent it.

        If the error says "too big", the endpoint must have sent one that large. As in BSD,
        connected endpoints report hard errors with their next call. Soft errors are not reported,
        since they may be temporary. An endpoint with a queue of errors gets all of them
        (`Special.take_icmp`).
        """
        local_port, remote_port = PORTS.unpack_from(error.quoted)  # our datagram: its source is here
        remote = (error.quoted_destination, remote_port)
        ours = too_small = False
        for endpoint in list(self._bound.get(local_port, ())):
            if endpoint.local[0] not in (ANY, error.quoted_source):
                continue
            peer = endpoint.remote
            if peer is not None and peer != remote and (peer[1] or peer[0] != remote[0]):
                continue
            largest = endpoint.largest_sent(remote)
            if not largest:
                continue
            if error.next_hop_mtu >= largest:
                too_small = True
                continue
            ours = True
            if self.trace.on:
                self.trace.verdict("delivered", endpoint.name)
                self.trace.tell("icmp:taken", endpoint.name, error.because(), **error.told())
            if endpoint.special is not None and endpoint.special.take_icmp(endpoint, error, remote, now):
                continue
            if endpoint.remote is not None and error.hard:
                endpoint.path_failed(error.errno)
        if too_small and not ours:
            self.counters.drop("icmp_too_big_not_sent")
        return ours

    def records(self) -> list[UdpRecord]:
        """All bound endpoints."""
        return [
            UdpRecord(
                (format_ipv4(endpoint.local[0]), endpoint.local[1]),
                None if endpoint.remote is None else (format_ipv4(endpoint.remote[0]), endpoint.remote[1]),
                endpoint.queued_bytes,
            )
            for endpoints in self._bound.values()
            for endpoint in endpoints
        ]
