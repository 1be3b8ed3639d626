"""A segment of a known connection, or a SYN of a known host: without IP input.

The caller has found the connection by the twelve octets of its key (`wire/flow.py`), and has
verified the IP header, which has no options. What this skips:

- The checks of the addresses (`internet/ipv4_input.py`). They are those of the connection, which
  were checked when it was opened, and again when addresses of ours have changed. The packet came in
  by the interface of the connection's path. A host that opens one connection after another is
  remembered: the next SYN has the addresses of the one before.
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

MOST_SOURCES = 1024


class KnownConnections:
    """Takes segments of the connections of a host, and those that open a connection.

    `sources` has the source and destination addresses of peers that have opened connections, with
    the interface that they came in by. It is emptied when addresses of ours change, and when the
    last connection of the host has ended.
    """

    def __init__(self, counters: Counters, tcp: TcpLayer) -> None:
        self.sources: dict[bytes, Interface] = {}
        tcp.on_none_left = self.sources.clear
        self._counters = counters
        self._demux = tcp.demux

    def learn(self, addresses: bytes, interface: Interface) -> None:
        """Note the addresses of a SYN that IP input has let pass and a listener has answered."""
        if len(self.sources) >= MOST_SOURCES:
            self.sources.clear()
        self.sources[addresses] = interface

    def take_other(self, key: bytes, packet: memoryview, checksum_ok: bool, now: float) -> None:
        """Take a segment of no connection, mostly a SYN. `sources` has its addresses."""
        counters = self._counters
        counters["ipSystemStatsInReceives"] += 1
        counters["ipSystemStatsInDelivers"] += 1
        counters["tcpInSegs"] += 1
        data = packet[20:]
        if not checksum_ok and (long_sum(data) + long_sum(packet[12:20]) + PROTO_TCP + len(data)) % 0xFFFF:
            counters["tcpInErrs"] += 1
            counters.drop("tcp_bad_checksum")
            return
        self._demux.receive(key, data, packet[1] & 3 == 3, now)

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
