"""A segment of a known connection, or one without a connection from a known host: no IP input.

The caller has verified the IP header, which has no options, and has looked for the connection by
the twelve octets of its key (`wire/flow.py`). What this skips:

- The checks of the addresses (`internet/ipv4_input.py`). They are those of the connection, which
  were checked when it was opened, and again when addresses of ours have changed. The packet came in
  by the interface of the connection's path. Without a connection, they are those of an earlier one
  that was opened by a segment from the same interface: see `KnownConnections.sources`.
- `Received`, the record that IP hands to a protocol.
- The eight steps of RFC 9293 section 3.10.7.4, if header prediction takes the segment
  (`tcp/predict.py`, which says why that is safe). Otherwise `Demux.receive` takes it, as always.
"""

from __future__ import annotations

from stack.counters import Counters
from stack.host.interface import Interface
from stack.host.tcp_layer import TcpLayer
from stack.tcp.connection import Connection
from stack.tcp.predict import NOT_PREDICTED, predicted
from stack.wire.checksum import long_sum
from stack.wire.numbers import PROTO_TCP

MOST_SOURCES = 1024  # then all are forgotten, and each is learnt again from its next SYN


class KnownConnections:
    """Takes segments of connections, and of none if they are from a known host.

    `sources` maps the addresses of a segment that opened a connection, theirs and ours, to the
    interface that it came in by. It is emptied when addresses of ours change, and when the last
    connection has ended, so that nothing of a peer is left then.
    """

    def __init__(self, counters: Counters, tcp: TcpLayer) -> None:
        self.sources: dict[bytes, Interface] = {}
        tcp.on_none_left = self.sources.clear
        self._counters = counters
        self._demux = tcp.demux

    def learn(self, addresses: bytes, interface: Interface) -> None:
        """Note the addresses of a segment that passed IP input and made a connection."""
        if len(self.sources) >= MOST_SOURCES:
            self.sources.clear()
        self.sources[addresses] = interface

    def take_unmatched(self, key: bytes, packet: memoryview, checksum_ok: bool, now: float) -> None:
        """Take a segment of no connection, mostly a SYN, whose addresses are in `sources`."""
        counters = self._counters
        counters["ipSystemStatsInReceives"] += 1
        counters["ipSystemStatsInDelivers"] += 1
        counters["tcpInSegs"] += 1
        data = packet[20:]
        if not checksum_ok and (long_sum(data) + long_sum(packet[12:20]) + PROTO_TCP + len(data)) % 0xFFFF:
            counters["tcpInErrs"] += 1
            counters.drop("tcp_bad_checksum")
            return
        self._demux.receive(key, data, False, now)  # a mark of congestion says nothing without a connection

    def take(self, connection: Connection, key: bytes, packet: memoryview, checksum_ok: bool, now: float) -> int:  # hot
        """Take a segment. Returns what `predicted` returns, or NOT_PREDICTED."""
        counters = self._counters
        counters["ipSystemStatsInReceives"] += 1
        counters["ipSystemStatsInDelivers"] += 1
        counters["tcpInSegs"] += 1
        data = packet[20:]
        if not checksum_ok and (long_sum(data) + connection.path.pseudo_sum + len(data)) % 0xFFFF:
            counters["tcpInErrs"] += 1
            counters.drop("tcp_bad_checksum")
            return NOT_PREDICTED
        if taken := predicted(connection, data, now):
            return taken
        self._demux.receive(key, data, packet[1] & 3 == 3, now)
        return NOT_PREDICTED
