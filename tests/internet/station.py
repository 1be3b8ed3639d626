"""A host of the internet layer alone, on wires that only record: packet in, packet out.

`Station` is ours, with one or more `FakeInterface`s. What it sends is taken off the wire in order
with `sent()` and its relatives; `at(...)` moves time by hand.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from stack.config import Config
from stack.counters import Counters
from stack.internet.arp import NeighborCache
from stack.internet.interface import send_frame
from stack.internet.ipv4 import Ipv4
from stack.internet.neighbor import REACHABLE
from stack.internet.path import Path
from stack.internet.received import Received
from stack.link.device import NO_OFFLOAD
from stack.trace.event import Event
from stack.trace.trace import UNWATCHED, Trace
from stack.udp.ports import UdpPorts
from stack.udp.special import Special
from stack.wire.addresses import BROADCAST, MAC_BROADCAST, MAC_ZERO, Prefix, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.checksum import Buffer, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.udp import build_datagram

OUR_MAC = bytes.fromhex("02000000aa02")
PEER_MAC = bytes.fromhex("02000000bb01")
OTHER_MAC = bytes.fromhex("02000000cc03")
US = parse_ipv4("10.9.0.2")
PEER = parse_ipv4("10.9.0.1")
OTHER = parse_ipv4("10.9.0.3")
FAR = parse_ipv4("192.0.2.77")
SUBNET_BROADCAST = parse_ipv4("10.9.0.255")


class FakeLink:
    """Records what is written; each frame is copied at once, as a device would."""

    def __init__(self, ip_offset: int) -> None:
        self.ip_offset = ip_offset
        self.frames: list[bytes] = []
        self.writes: list[list[bytes]] = []
        self.full = False
        self.rx_gso_size = 0
        self.offload = NO_OFFLOAD
        self.offloads: list[bytes] = []

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        if self.full:
            return False
        self.offloads.append(offload)
        self.writes.append([bytes(part) for part in parts])
        self.frames.append(b"".join(parts))
        return True


class FakeInterface:
    """An attachment to a network, as `stack.host.interface` makes them."""

    loopback = False
    awaited_port = 0

    def __init__(
        self,
        config: Config,
        counters: Counters,
        addresses: list[Prefix],
        *,
        index: int = 1,
        mac: bytes | None = OUR_MAC,
        mtu: int = 1500,
        trace: Trace = UNWATCHED,
    ) -> None:
        self.name = f"tap{index}"
        self.index = index
        self.mac = mac
        self.mtu = mtu
        self.addresses = addresses
        self.link = FakeLink(0 if mac is None else 14)
        self.neighbors: NeighborCache | None = None
        if mac is not None:
            self.neighbors = NeighborCache(
                config.arp,
                counters,
                mac,
                addresses,
                lambda parts, now, offload: send_frame(counters, self.link, parts, now, offload),
                trace,
                self.name,
            )

    @property
    def cache(self) -> NeighborCache:
        assert self.neighbors is not None
        return self.neighbors


class Station:
    """Our side: `stack.internet` and `stack.udp`, put together as the host does it."""

    def __init__(
        self,
        address: str | None = "10.9.0.2/24",
        *,
        gateway: str | None = "10.9.0.1",
        config: Config | None = None,
        mtu: int = 1500,
        mac: bytes | None = OUR_MAC,
        seed: int = 1,
    ) -> None:
        self.config = config or Config()
        self.counters = Counters()
        self.random = random.Random(seed)
        self.now = 1000.0
        self.trace = Trace(None, lambda watched: None)
        self.trace.time = self
        self.told: list[Event] = []
        self.ipv4 = Ipv4(self.config.ip, self.config.icmp, self.counters, self.random.randbytes, trace=self.trace)
        addresses = [] if address is None else [Prefix.parse(address)]
        self.eth = FakeInterface(self.config, self.counters, addresses, mtu=mtu, mac=mac, trace=self.trace)
        self.ipv4.add_interface(self.eth)
        if gateway is not None and address is not None:
            self.ipv4.routes.add(Prefix(bytes(4), 0), self.eth, parse_ipv4(gateway))
        self.udp = UdpPorts(
            self.config.udp,
            self.counters,
            open_path=self._open_path,
            ephemeral_port=self._ephemeral_port,
            is_ours=lambda address: address == BROADCAST or self.ipv4.owner(address) is not None,
            port_unreachable=self._port_unreachable,
            trace=self.trace,
        )
        self.ipv4.handlers[PROTO_UDP] = self.udp.receive
        self.ipv4.icmp.error_handlers[PROTO_UDP] = self.udp.receive_error

    def _open_path(
        self, source: bytes | None, destination: bytes, *, way: Special | None = None, **fields: Any
    ) -> Path:
        return self.ipv4.output.path(source, destination, PROTO_UDP, way=way, **fields)

    def _port_unreachable(self, received: object) -> None:
        assert isinstance(received, Received)
        self.ipv4.icmp.errors.port_unreachable(received)

    def _ephemeral_port(self, local: bytes, remote: object, is_free: Callable[[int], bool]) -> int:
        return next(port for port in range(49152, 65536) if is_free(port))

    def watch(self) -> None:
        """Keep the events from now on in `told`."""
        self.trace.add(self.told.append, None)

    # --- time

    def at(self, later_s: float) -> None:
        """Let time pass, doing what is due on the way."""
        end = self.now + later_s
        while True:
            due = min([self.ipv4.deadline, *(i.neighbors.deadline for i in self._interfaces() if i.neighbors)])
            if due > end:
                break
            self.now = max(self.now, due)
            for interface in self._interfaces():
                if interface.neighbors is not None and interface.neighbors.deadline <= self.now:
                    interface.neighbors.on_deadline(self.now)
            if self.ipv4.deadline <= self.now:
                self.ipv4.on_deadline(self.now)
        self.now = end

    def _interfaces(self) -> list[FakeInterface]:
        return [interface for interface in self.ipv4.interfaces if isinstance(interface, FakeInterface)]

    # --- packets in

    def arp(
        self,
        operation: int,
        sender_mac: bytes,
        sender_ip: bytes,
        target_ip: bytes,
        target_mac: bytes = MAC_ZERO,
        interface: FakeInterface | None = None,
    ) -> None:
        """An ARP packet comes in."""
        packet = ArpPacket(operation, sender_mac, sender_ip, target_mac, target_ip)
        (interface or self.eth).cache.receive(packet.build() + bytes(18), self.now)

    def knows(self, address: bytes = PEER, mac: bytes = PEER_MAC) -> None:
        """`address` asks for us, and so is known from now on."""
        self.arp(REQUEST, mac, address, US)
        self.eth.link.frames.pop()
        self.eth.link.writes.pop()

    def receives(
        self,
        protocol: int,
        payload: bytes,
        *,
        source: bytes = PEER,
        destination: bytes = US,
        link_broadcast: bool = False,
        interface: FakeInterface | None = None,
        **fields: object,
    ) -> bytes:
        """An IP packet comes in; its bytes."""
        options = fields.get("options", b"")
        assert isinstance(options, bytes)
        header = Ipv4Header(
            source,
            destination,
            protocol,
            20 + len(options) + len(payload),
            **fields,  # type: ignore[arg-type]
        )
        packet = header.build() + payload
        self.raw(packet, link_broadcast=link_broadcast, interface=interface)
        return packet

    def raw(
        self, packet: bytes, *, link_broadcast: bool = False, interface: FakeInterface | None = None, padding: int = 0
    ) -> None:
        """These bytes come in where an IP packet should be; the buffer they came in is overwritten afterwards."""
        buffer = bytearray(packet + bytes(padding))
        self.ipv4.receive(interface or self.eth, memoryview(buffer), self.now, link_broadcast)
        buffer[:] = b"\xee" * len(buffer)

    def receives_udp(
        self,
        source_port: int,
        destination_port: int,
        data: bytes = b"",
        *,
        source: bytes = PEER,
        destination: bytes = US,
        link_broadcast: bool = False,
        interface: FakeInterface | None = None,
    ) -> bytes:
        """A UDP datagram comes in; the bytes of its IP packet."""
        pseudo = pseudo_sum(source, destination, PROTO_UDP, 8 + len(data))
        return self.receives(
            PROTO_UDP,
            build_datagram(source_port, destination_port, data, pseudo),
            source=source,
            destination=destination,
            link_broadcast=link_broadcast,
            interface=interface,
        )

    def receives_icmp(self, message: IcmpMessage, **where: object) -> bytes:
        """An ICMP message comes in; the bytes of its IP packet."""
        return self.receives(PROTO_ICMP, message.build(), **where)  # type: ignore[arg-type]

    def loop(self) -> int:
        """Read what we sent to ourselves; how many packets there were."""
        count = 0
        while (packet := self.ipv4.loopback.read(self.now)) is not None:
            self.ipv4.receive(self.ipv4.loopback, packet, self.now)
            count += 1
        return count

    # --- packets out

    def frames(self, interface: FakeInterface | None = None) -> list[bytes]:
        """All frames sent since the last look."""
        link = (interface or self.eth).link
        frames, link.frames = link.frames, []
        link.writes = []
        return frames

    def silent(self) -> bool:
        """Whether nothing was sent since the last look."""
        return not any(self.frames(interface) for interface in self._interfaces())

    def arps(self) -> list[tuple[bytes, ArpPacket]]:
        """The frames sent, all of them ARP: (station address, packet)."""
        result = []
        for frame in self.frames():
            assert frame[6:14] == OUR_MAC + ETHERTYPE_ARP.to_bytes(2, "big")
            result.append((frame[:6], ArpPacket.parse(frame[14:])))
        return result

    def packets(self, interface: FakeInterface | None = None) -> list[tuple[Ipv4Header, bytes]]:
        """The frames sent, all of them IPv4: (header, payload). Header checksums are verified."""
        interface = interface or self.eth
        result = []
        for frame in self.frames(interface):
            if interface.mac is not None:
                assert frame[6:14] == interface.mac + ETHERTYPE_IPV4.to_bytes(2, "big")
                frame = frame[14:]
            header = Ipv4Header.parse(frame)
            assert header.total_length == len(frame)
            result.append((header, frame[header.header_length :]))
        return result

    def packet(self) -> tuple[Ipv4Header, bytes]:
        """The one packet sent."""
        [packet] = self.packets()
        return packet

    def icmp(self) -> tuple[Ipv4Header, IcmpMessage]:
        """The one packet sent, an ICMP message (its checksum verified)."""
        header, payload = self.packet()
        assert header.protocol == PROTO_ICMP
        return header, IcmpMessage.parse(payload)


def state_of(station: Station, address: bytes) -> str | None:
    """What the cache thinks of an address."""
    for record in station.eth.cache.records(station.now):
        if record.address == ".".join(map(str, address)):
            return record.state
    return None


def path_to(station: Station, address: bytes = PEER) -> Path:
    """Our way to a neighbour."""
    return station.ipv4.output.path(None, address, PROTO_TCP, df=True, now=station.now)


def send(station: Station, path: Path, data: bytes = b"x") -> None:
    """Something for the neighbour, whether ARP must ask for it first or not."""
    path.send([data], len(data), station.now)


def numbered(address: int) -> bytes:
    """One of many neighbours."""
    return bytes((10, 9, 4 + address // 200, 1 + address % 200))


__all__ = [
    "ETHERTYPE_ARP",
    "FAR",
    "FakeInterface",
    "MAC_BROADCAST",
    "OTHER",
    "OTHER_MAC",
    "OUR_MAC",
    "PEER",
    "PEER_MAC",
    "REACHABLE",
    "REPLY",
    "REQUEST",
    "SUBNET_BROADCAST",
    "Station",
    "US",
    "ethernet_ii",
    "state_of",
]


class Listening:
    """The user of a path, which records what it is told."""

    def __init__(self) -> None:
        self.failures: list[int] = []
        self.changes: list[float] = []

    def path_failed(self, error: int) -> None:
        """An errno."""
        self.failures.append(error)

    def path_mtu_changed(self, now: float) -> None:
        """The time."""
        self.changes.append(now)
