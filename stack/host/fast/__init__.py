"""The fast paths of the input path: for the most frequent frames, with the same outcome.

Nothing here is needed. With `HostConfig.fast_paths` off (`tapstack up --no-fast`), or with a trace,
`host/input.py` takes every frame. Read that first. tests/host/test_fast.py and
tests/host/test_fast_connections.py compare the two, octet by octet and counter by counter.

A fast path skips what an earlier packet of the same kind has shown already:

| fast path | what it skips | why that is safe |
|---|---|---|
| here | a record of the Ethernet header | an untagged IPv4 frame for us needs none |
| `tcp.py` | IP input | a connection has, or an earlier one had, these addresses |
| `tcp/predict.py` | most of the eight steps of RFC 9293 | the segment is the expected one |
| `gro.py` | all of these | only fields that do not matter differ from the segment before |
| `udp.py` | IP input, the search for the endpoint | no address and no port has changed |
| `echo.py` | IP and ICMP input, the route back | no address and no route has changed |

`Ipv4Output.epoch` is raised when addresses or routes change, its `addresses_epoch` when addresses
change, and `UdpPorts.epoch` when ports change: what was learnt may then be false. A closed endpoint
is forgotten at once.

These checks and counts of the slow path are made here too. They stand in the slow path's order:

| checked and counted here instead of there | there | here |
|---|---|---|
| station address, EtherType | `host/input.py` | here, `gro.py` |
| ifInOctets, ifInUcastPkts | `host/input.py` | here, `gro.py` |
| IP version, no options, lengths and checksum | `wire/ipv4.py` | here, `gro.py` |
| no super-frame of UDP datagrams | `internet/ipv4_input.py` | `udp.py` |
| ipSystemStatsInReceives | `internet/ipv4_input.py` | `tcp.py`, `gro.py`, `udp.py`, `echo.py` |
| the interface of the address | `internet/ipv4_input.py` | here, `gro.py`, `udp.py`, `echo.py` |
| source: no address of ours | `internet/ipv4_input.py` | here, `udp.py`, `echo.py` |
| no fragment, and none waits for the rest | `internet/ipv4_input.py` | here, `gro.py` |
| ipSystemStatsInDelivers | `internet/ipv4_input.py` | `tcp.py`, `gro.py`, `udp.py`, `echo.py` |
| tcpInSegs, TCP checksum | `host/tcp_layer.py` | `tcp.py`, `gro.py` |
| tcpInErrs, tcp_bad_checksum | `host/tcp_layer.py` | `tcp.py` |
| the mark CE of the packet (RFC 3168) | `host/tcp_layer.py` | `tcp.py` |
| the tests of the eight steps | `tcp/segment_arrives.py` | `tcp/predict.py`, `gro.py` |
| UDP length and checksum | `udp/ports.py` | `udp.py` |
| ICMP checksum, and the type Echo Request | `internet/icmp.py` | `echo.py` |
| icmpInMsgs, icmpInEchos | `internet/icmp.py` | `echo.py` |
| icmpOutMsgs, icmpOutEchoReps | `internet/icmp.py` | `echo.py` |

A packet that fails a check of IP, UDP or ICMP goes on in IP input, which counts all but the frame.
"""

from __future__ import annotations

from typing import cast

from stack.config import Config
from stack.counters import Counters
from stack.host.barrier import Barrier
from stack.host.fast.echo import EchoPaths
from stack.host.fast.gro import SHORTEST_PACKET, SegmentTrain, Take
from stack.host.fast.tcp import KnownConnections
from stack.host.fast.udp import UdpFlows
from stack.host.interface import Interface
from stack.host.tcp_layer import TcpLayer
from stack.internet import interface as internet
from stack.internet.ipv4 import Ipv4
from stack.tcp.predict import DATA_ONLY
from stack.udp.ports import UdpPorts
from stack.wire.ethernet import DESTINATION_AND_TYPE
from stack.wire.flow import FIRST_24
from stack.wire.ipv4 import DONT_FRAGMENT, HEADER_LENGTH, IS_FRAGMENT, VERSION_IHL
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP, PROTO_UDP

_SHORTEST = 2 * HEADER_LENGTH  # without options IP and TCP have 20 octets each; IP input takes shorter packets


class Fast:
    """The fast paths of one host.

    `take(interface, view, now)` takes a frame. It returns False, having counted nothing, if the
    slow path must take it. It is `take_first`, or the method of the `train` of segments that is in
    progress in this batch.
    """

    def __init__(
        self, config: Config, counters: Counters, ip: Ipv4, tcp: TcpLayer, udp: UdpPorts, barrier: Barrier
    ) -> None:
        self.train: SegmentTrain | None = None
        self._take_first, self._take_other = self.take_first, self.take_other  # bound once: each costs an object
        self.take: Take = self._take_first
        self.tcp = KnownConnections(counters, tcp)
        self.udp = UdpFlows(config.udp, counters, ip, udp)
        self.echo = EchoPaths(config.icmp, counters, ip)
        self._counters = counters
        self._output = ip.output
        self._epoch = ip.output.epoch
        self._interfaces = ip.interfaces
        self._addresses_epoch = ip.output.addresses_epoch  # when the addresses of the peers were checked
        self._peers_are_valid = True  # see `_addresses_changed`
        self._ip_input = ip.input
        self._reassembler = ip.input.reassembler
        self._barrier = barrier
        self._connections, self._flows, self._paths = tcp.connections, self.udp.flows, self.echo.paths

    def take_first(self, interface: Interface, view: memoryview, now: float) -> bool:  # hot
        """Take a frame that belongs to no train.

        An IPv4 packet to our station address that no fast path takes goes on in IP input.
        """
        checksum_ok = interface.link.rx_checksum_ok
        length, offset = len(view), interface.ip_offset
        if offset:
            if length < offset:
                return False
            destination, ethertype = DESTINATION_AND_TYPE.unpack_from(view)
            if ethertype != ETHERTYPE_IPV4 or destination != interface.mac:
                return False
        if self._epoch != self._output.epoch:
            self._addresses_changed()
        counters = self._counters
        counters["ifInOctets"] += length
        counters["ifInUcastPkts"] += 1
        unmatched = False
        if length >= offset + _SHORTEST:
            version, total, _, fragment, protocol, _, key = FIRST_24.unpack_from(view, offset)
            if version >> 8 == VERSION_IHL and protocol == PROTO_TCP and not fragment & IS_FRAGMENT:
                connection = self._connections.get(key)
                unmatched = connection is None
                if connection is None:
                    known = self.tcp.sources.get(key[:8]) is interface
                else:
                    known = connection.path.interface is interface and self._peers_are_valid
                if known and (fragment & DONT_FRAGMENT or not len(self._reassembler)):  # RFC 6864 section 4.1
                    packet = view[offset : offset + total]
                    if _SHORTEST <= total == len(packet) and int.from_bytes(packet[:20], "big") % 0xFFFF == 0:
                        if connection is None:
                            self.tcp.take_unmatched(key, packet, checksum_ok, now)
                            return True
                        taken = self.tcp.take(connection, key, packet, checksum_ok, now)
                        if taken == DATA_ONLY and total > SHORTEST_PACKET and total == length - offset:
                            self.train = SegmentTrain(connection, interface, view, checksum_ok, self._take_other)
                            self.take = self.train.take
                        return True
            elif (
                (key in self._flows or key[:8] in self._paths)
                and version >> 8 == VERSION_IHL
                and not fragment & IS_FRAGMENT
                and not len(self._reassembler)  # RFC 6864 section 4.1
            ):
                packet = view[offset : offset + total]
                if total == len(packet) and total >= 28 and int.from_bytes(packet[:20], "big") % 0xFFFF == 0:
                    if protocol == PROTO_UDP:
                        if self.udp.take(interface, key, packet, checksum_ok):
                            return True
                    elif protocol == PROTO_ICMP and self.echo.take(interface, key[:8], packet, now):
                        return True
        self._ip_input.receive(interface, view[offset:], now, False, checksum_ok)
        if unmatched and key in self._connections:
            self.tcp.learn(key[:8], interface)
        return True

    def _addresses_changed(self) -> None:
        """If addresses of ours have changed: forget `sources`, and check those of all peers again.

        An address of a peer may now be ours, or the broadcast address of a network of ours. IP
        input drops the segments of such a peer, so it then takes the segments of all connections.
        A change of routes alone, which a Redirect can cause, costs no look at the connections.
        """
        self._epoch = self._output.epoch
        if self._addresses_epoch == self._output.addresses_epoch:
            return
        self._addresses_epoch = self._output.addresses_epoch
        self.tcp.sources.clear()
        prefixes = [prefix for interface in self._interfaces for prefix in interface.addresses]
        invalid = {prefix.address for prefix in prefixes}
        for prefix in prefixes:
            if prefix.broadcast is not None:
                invalid |= {prefix.broadcast, prefix.network}
        self._peers_are_valid = not any(
            connection.remote[0] in invalid and not cast(internet.Interface, connection.path.interface).loopback
            for connection in self._connections.values()
        )

    def take_other(self, interface: Interface, view: memoryview, now: float) -> bool:
        """Take a frame that does not belong to the train in progress, which ends."""
        self.end_train(now)
        return self.take_first(interface, view, now)

    def end_train(self, now: float) -> None:
        """Let TCP process the segments of the train in progress, if there is one."""
        train, self.train, self.take = self.train, None, self._take_first
        if train is not None:
            try:
                train.end(self._counters)
            except Exception as error:
                self._barrier.failed(error, train.connection, now)


def fast_tables(fast: Fast | None) -> dict[str, int]:
    """How much the fast paths have learnt: see `stack.host.tables`."""
    return {
        "tcp_sources": 0 if fast is None else len(fast.tcp.sources),
        "udp_flows": 0 if fast is None else len(fast.udp.flows),
        "echo_paths": 0 if fast is None else len(fast.echo.paths),
    }
