"""A UDP datagram of a known flow: from its packet into the queue of its endpoint.

A flow is known by the twelve octets of its addresses and ports (`wire/flow.py`), once IP input and
`UdpPorts.receive` have delivered a datagram of it. What this skips for the next one:

- The checks of the addresses, and the search for the endpoint. Both depend only on our addresses
  and on our ports. If one of these has changed, all flows are forgotten.
- IP options, fragments and super-frames: a packet that has options or is one of these is not taken
  here.

A broadcast is not learnt, because it may go to several endpoints. Nor is a datagram from an address
of ours: it came by the loopback. From a link the same datagram is forged, and IP input drops it.
Nor is one for an endpoint whose program asks for the time of arrival, which is not noted here.
"""

from __future__ import annotations

from typing import cast

from stack.config import UdpConfig
from stack.counters import Counters
from stack.host.interface import Interface
from stack.internet import received as internet
from stack.internet.ipv4 import Ipv4
from stack.udp.below import Received
from stack.udp.endpoint import Datagram, Endpoint
from stack.udp.ports import UdpPorts
from stack.wire.flow import flow_key
from stack.wire.numbers import PROTO_UDP
from stack.wire.udp import HEADER, UdpHeader


class UdpFlows:
    """The known flows of a host: the endpoint of each, and the interface by which it comes in."""

    def __init__(self, config: UdpConfig, counters: Counters, ip: Ipv4, ports: UdpPorts) -> None:
        self.flows: dict[bytes, tuple[Endpoint, object]] = {}
        self._config = config
        self._counters = counters
        self._output = ip.output
        self._ports = ports
        self._addresses_epoch, self._ports_epoch = ip.output.epoch, ports.epoch
        ports.on_delivered = self._learn
        ports.on_forgotten = self.flows.clear  # a flow must not keep the endpoint that is closed

    def _learn(self, received: Received, header: UdpHeader, endpoint: Endpoint) -> None:
        """Note that `endpoint` alone got a datagram."""
        if received.broadcast or received.options or self._output.owner(received.source) is not None:
            return
        if endpoint.special is not None and endpoint.special.stamps:
            return
        if self._has_changed() or len(self.flows) >= self._config.flows_max:
            self.flows.clear()
        if self._config.flows_max:
            key = flow_key(received.source, received.destination, header.source_port, header.destination_port)
            # UDP returns what the internet layer has given to it, so the cast is right.
            self.flows[key] = endpoint, cast(internet.Received, received).interface

    def _has_changed(self) -> bool:
        """Whether addresses, routes or ports have changed since the last call."""
        epochs = self._output.epoch, self._ports.epoch
        changed = epochs != (self._addresses_epoch, self._ports_epoch)
        self._addresses_epoch, self._ports_epoch = epochs
        return changed

    def take(self, interface: Interface, key: bytes, packet: memoryview, checksum_ok: bool) -> bool:  # hot
        """Take a datagram, whose IP header is right and has no options.

        Returns False, having counted nothing, if IP input must take it.
        """
        if self._output.epoch != self._addresses_epoch or self._ports.epoch != self._ports_epoch:
            self._has_changed()
            self.flows.clear()
        flow = self.flows.get(key)
        # With `rx_gso_size` the packet may be a super-frame, which IP input splits
        if flow is None or flow[1] is not interface or (checksum_ok and interface.link.rx_gso_size):
            return False
        payload = packet[20:]
        source_port, _, length, checksum = HEADER.unpack_from(payload)
        if length != len(payload) or not checksum:
            return False
        if not checksum_ok:
            total = int.from_bytes(payload, "big")
            total = (total << 8 if length & 1 else total) + int.from_bytes(key[:8], "big") + PROTO_UDP + length
            if total % 0xFFFF:
                return False
        counters = self._counters
        counters["ipSystemStatsInReceives"] += 1
        counters["ipSystemStatsInDelivers"] += 1
        destination = key[4:8]
        self._ports.deliver(
            flow[0],
            Datagram(bytes(payload[8:]), (key[:4], source_port), destination, destination, packet[8], packet[1], b""),
        )
        return True
