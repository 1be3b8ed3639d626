"""Which connection or listener gets a segment, and what answers a segment that neither takes.

See RFC 9293 sections 3.9.1.1 (OPEN), 3.10.7.1 (CLOSED) and 3.5.2 (resets). This does no input or
output: its owner makes the connections and sends the resets.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stack.errors import BadPacket
from stack.tcp.connection import Connection
from stack.tcp.listener import Listener
from stack.tcp.segment import Segment, reset_for, reset_options
from stack.tcp.tcb import Services, Tcb
from stack.tcp.time_wait import may_reopen, restore_time_wait
from stack.wire.addresses import ANY, endpoint
from stack.wire.flow import FLOW
from stack.wire.tcp import ACK, RST, SYN, TcpHeader, flag_names

Address = tuple[bytes, int]
MakeConnection = Callable[..., Connection]
SendReset = Callable[[Address, Address, bytes, float], None]


class Demux:
    """The connections and listeners of a host.

    `connections` has each connection by the key of its flow (`wire/flow.py`). `listeners` has each
    listener by its local address (or ANY) and port. `groups` has all listeners of an address and
    port that are several (SO_REUSEPORT), of which `listeners` has the first.

    Arguments:
      services: counters and memory budget of the connections.
      make_connection: `(local, remote, now)`, and the listener's `way` if it has one, makes a
        connection and adds it to `connections`. OSError if there is no route to the remote address.
      send_reset: `(local, remote, header, now)` sends a TCP header whose checksum is still 0.
      spread: `(flow, count)` returns a number under `count` for the key of a flow.
      device_of: `(address)` returns the index of the interface that has this address of ours. Its
        segments come by that one (the strong model).
    """

    def __init__(
        self,
        services: Services,
        make_connection: MakeConnection,
        send_reset: SendReset,
        spread: Callable[[bytes, int], int] = lambda flow, count: 0,
        device_of: Callable[[bytes], int] = lambda address: 0,
    ) -> None:
        self.connections: dict[bytes, Connection] = {}
        self.listeners: dict[Address, Listener] = {}
        self.groups: dict[Address, list[Listener]] = {}
        self._spread, self._device_of = spread, device_of
        self._services = services
        self._make_connection = make_connection
        self._send_reset = send_reset

    def receive(self, key: bytes, data: memoryview, ce: bool, now: float) -> None:
        """Take a segment whose checksum was verified.

        `key` is that of `connections`. `ce` says that the packet was marked for congestion
        (RFC 3168). If there is a listener, a SYN may take the place of a connection in TIME-WAIT
        (`may_reopen`).
        """
        try:
            segment = Segment.parse(data)
        except BadPacket as bad:
            counters = self._services.counters
            counters["tcpInErrs"] += 1
            counters.drop(bad.reason)
            return
        segment.ce, segment.counters = ce, self._services.counters
        connection = self.connections.get(key)
        if connection is None:
            self._without_connection(key, segment, None, now)
        elif segment.flags & SYN and self.listener_for(connection.local, key) and may_reopen(connection, segment):
            self._without_connection(key, segment, connection, now)
        else:
            if self._services.trace is not None:
                self._services.trace.segment_of(connection, segment)
            if connection.segment(segment, now):
                self._refused(key, connection, segment, now)

    def listener_for(self, local: Address, key: bytes) -> Listener | None:
        """The listener of a local address and port: one of that address, or else one of ANY.

        Among several, a keyed hash of the flow `key` chooses.
        """
        listener = self.listeners.get(local) or self.listeners.get((ANY, local[1]))
        if listener is None or (listener.way is None and not self.groups):
            return listener
        for address in (local, (ANY, local[1])):
            first = self.listeners.get(address)
            group = [] if first is None else self.groups.get(address, [first])
            fitting = [each for each in group if self._takes(each, local[0])]
            if fitting:
                return fitting[self._spread(key, len(fitting)) if len(fitting) > 1 else 0]
        return None

    def _takes(self, listener: Listener, address: bytes) -> bool:
        """Whether a listener takes segments for an address: it may be bound to an interface."""
        way = listener.way
        return way is None or way.device is None or way.device == self._device_of(address)

    def add_listener(self, listener: Listener) -> None:
        """Add a listener, beside others of the same address and port if there are any."""
        first = self.listeners.setdefault(listener.local, listener)
        if first is not listener:
            self.groups.setdefault(listener.local, [first]).append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Remove a listener that has closed. The others of its port stay."""
        group = self.groups.get(listener.local, [listener])
        group.remove(listener)
        if len(group) < 2:
            self.groups.pop(listener.local, None)
        if group:
            self.listeners[listener.local] = group[0]
        else:
            self.listeners.pop(listener.local, None)

    def all_listeners(self) -> list[Listener]:
        """Every listener."""
        return [each for first in self.listeners.values() for each in self.groups.get(first.local, (first,))]

    def _refused(self, key: bytes, connection: Connection, segment: Segment, now: float) -> None:
        """Answer a segment that its connection refuses, unless the listener takes it."""
        listener = self.listener_for(connection.local, key)
        if listener is not None and listener.gives_way_to_cookie(connection, segment, now):
            self._without_connection(key, segment, None, now)
        else:
            self._reset(key, segment, now, "reset_for_bad_ack")

    def _without_connection(self, key: bytes, segment: Segment, old: Connection | None, now: float) -> None:
        """Take a segment without a connection: for a listener, or for CLOSED (3.10.7.1).

        `old` is a connection in TIME-WAIT, which the segment may reopen.
        """
        counters = self._services.counters
        local, remote = ends(key)
        listener = self.listener_for(local, key)
        if listener is None:
            counters.drop("tcp_no_connection")
            self._reset(key, segment, now, "reset_without_listener")
            return
        if segment.flags & (SYN | ACK | RST) == SYN and self._services.budget.refuses(remote[0]):
            counters.drop("tcp_refused_no_memory")  # no reset, as in Linux: the peer tries again
            return
        try:
            make = partial(self._make_connection, local, remote, now)
            if listener.way is not None:
                make = partial(make, listener.way)
            answer = listener.segment(segment, make, now, old)
        except OSError:  # there is no route to the source address
            counters.drop("tcp_not_sent")
            return
        if answer:
            self._reset(key, segment, now, "reset_by_listener")

    def _reset(self, key: bytes, segment: Segment, now: float, because: str) -> None:
        """Answer a segment by a reset, unless it is a reset itself (3.5.2, 3.10.7.1)."""
        reset = reset_for(segment)
        trace = self._services.trace
        local, remote = ends(key)
        if reset is None:
            if trace is not None:
                trace.trace.tell("tcp:reset", _both(local, remote), "no_reset_for_reset", sent=False)
            return
        seq, ack, flags = reset
        if trace is not None:
            what = flag_names(flags)
            trace.trace.tell("tcp:reset", _both(local, remote), because, sent=True, seq=seq, ack=ack, flags=what)
        header = TcpHeader(local[1], remote[1], seq, ack, flags, 0, options=reset_options(segment)).build()
        self._services.counters["tcpOutSegs"] += 1
        self._services.counters["tcpOutRsts"] += 1
        self._send_reset(local, remote, header, now)

    def remove(self, tcb: Tcb) -> bool:
        """Remove a connection that has ended.

        Returns False if it was not in `connections`, or if its predecessor takes its place and goes
        back to TIME-WAIT.
        """
        old = restore_time_wait(tcb)
        if old is not None:
            self.connections[tcb.key] = old
        elif self.connections.get(tcb.key) is tcb:
            del self.connections[tcb.key]
            return True
        return False


def _both(local: Address, remote: Address) -> str:
    """Both ends, as text, where there is no connection."""
    return f"{endpoint(local)} - {endpoint(remote)}"


def ends(key: bytes) -> tuple[Address, Address]:
    """The local and the remote address and port in the key of a connection."""
    remote, local, remote_port, local_port = FLOW.unpack(key)
    return (local, local_port), (remote, remote_port)
