"""A station on a segment that has no stack: it says what a test has it say, and remembers what it hears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stack.link.segment import Segment, SegmentPort
from stack.wire.addresses import MAC_BROADCAST, format_ipv4, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import EthernetHeader, ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import ACK, FIN, SYN, TcpHeader
from tests.sim.network import Network


@dataclass(frozen=True, slots=True)
class Heard:
    """A TCP segment that came to the stranger."""

    ip: Ipv4Header
    tcp: TcpHeader
    data: bytes

    @property
    def length(self) -> int:
        """SEG.LEN: SYN and FIN count."""
        return len(self.data) + bool(self.tcp.flags & FIN) + bool(self.tcp.flags & SYN)

    @property
    def next(self) -> int:
        """What acknowledges it."""
        return (self.tcp.seq + self.length) & 0xFFFFFFFF


class Stranger:
    """It has `address`, and answers ARP for whatever `owns(address)` says, by default its own.

    `frames` are all it heard that was not ARP; `on_tcp` is called with each TCP segment to an address it owns.
    """

    def __init__(
        self, network: Network, segment: Segment, address: str = "10.0.0.66", mac: bytes = b"\x02\0\0\0\0\x66"
    ) -> None:
        self.network = network
        self.address = parse_ipv4(address)
        self.mac = mac
        self.owns: Callable[[bytes], bool] = lambda address: address == self.address
        self.on_tcp: Callable[[Heard], None] | None = None
        self.frames: list[bytes] = []
        self.port: SegmentPort = segment.attach("stranger", mac, queue_limit=100_000)
        self.stations: dict[bytes, bytes] = {}  # where the addresses are that it has heard of, by ARP
        self.port.open(lambda: network.soon(self._listen))

    # --- hearing

    def _listen(self) -> None:
        while (view := self.port.read(self.network.now)) is not None:
            frame = bytes(view)
            header = EthernetHeader.parse(frame)
            if header.destination not in (self.mac, MAC_BROADCAST):
                continue
            if header.ethertype == ETHERTYPE_ARP:
                self._hear_arp(ArpPacket.parse(frame[14:]))
                continue
            self.frames.append(frame)
            ip = Ipv4Header.parse(frame[14:])
            if ip.protocol == PROTO_TCP and self.on_tcp is not None:
                self.on_tcp(self._segment(frame[14 : 14 + ip.total_length], ip))

    def _hear_arp(self, packet: ArpPacket) -> None:
        self.stations[packet.sender_ip] = packet.sender_mac
        if packet.operation == REQUEST and self.owns(packet.target_ip):
            self.says_arp(REPLY, packet.target_ip, packet.sender_ip, packet.sender_mac)

    @staticmethod
    def _segment(packet: bytes, ip: Ipv4Header) -> Heard:
        segment = packet[ip.header_length :]
        tcp = TcpHeader.parse(segment)
        return Heard(ip, tcp, segment[tcp.header_length :])

    def packets(self) -> list[tuple[Ipv4Header, bytes]]:
        """The IP packets heard since the last look: header and payload."""
        frames, self.frames = self.frames, []
        packets = []
        for frame in frames:
            ip = Ipv4Header.parse(frame[14:])
            packets.append((ip, frame[14 + ip.header_length : 14 + ip.total_length]))
        return packets

    def segments(self) -> list[Heard]:
        """The TCP segments heard since the last look."""
        return [self._segment(ip.build() + payload, ip) for ip, payload in self.packets() if ip.protocol == PROTO_TCP]

    # --- speaking

    def says(self, frame: bytes) -> None:
        """These bytes go on the wire."""
        assert self.port.write([frame], self.network.now)

    def says_arp(self, operation: int, sender_ip: bytes, target_ip: bytes, target_mac: bytes = MAC_BROADCAST) -> None:
        """An ARP packet that puts `sender_ip` at this station, sent to `target_mac`."""
        packet = ArpPacket(operation, self.mac, sender_ip, target_mac, target_ip)
        self.says(ethernet_ii(target_mac, self.mac, ETHERTYPE_ARP) + packet.build())

    def asks(self, address: str) -> None:
        """Learns the station of `address`, which learns ours by that."""
        self.says_arp(REQUEST, self.address, parse_ipv4(address))
        self.network.run(lambda: parse_ipv4(address) in self.stations, for_s=1.0)

    def says_ip(
        self, protocol: int, payload: bytes, destination: str, *, source: bytes | None = None, mac: bytes | None = None
    ) -> None:
        """An IP packet, to `mac`, by default the station of `destination`, as far as it was heard of."""
        target = parse_ipv4(destination)
        header = Ipv4Header(self.address if source is None else source, target, protocol, 20 + len(payload))
        station = mac or self.stations.get(target, MAC_BROADCAST)
        self.says(ethernet_ii(station, self.mac, ETHERTYPE_IPV4) + header.build() + payload)

    def says_tcp(
        self,
        destination: str,
        ports: tuple[int, int],
        flags: int,
        *,
        seq: int = 0,
        ack: int = 0,
        data: bytes = b"",
        window: int = 65535,
        options: bytes = b"",
        source: bytes | None = None,
        mac: bytes | None = None,
    ) -> None:
        """A TCP segment between `ports` (source, destination)."""
        origin = self.address if source is None else source
        bare = TcpHeader(*ports, seq, ack, flags, window, options=options).build() + data
        pseudo = pseudo_sum(origin, parse_ipv4(destination), PROTO_TCP, len(bare))
        checksum = internet_checksum(bare, pseudo).to_bytes(2, "big")
        self.says_ip(PROTO_TCP, bare[:16] + checksum + bare[18:], destination, source=origin, mac=mac)

    def answers(self, heard: Heard, flags: int, *, data: bytes = b"", window: int = 65535, takes: bool = True) -> None:
        """A segment back to whoever sent `heard`, which it acknowledges if it `takes` it; it continues what we said.

        A SYN is answered with the sequence number 5000.
        """
        address = format_ipv4(heard.ip.source)
        ports = heard.tcp.destination_port, heard.tcp.source_port
        seq = heard.tcp.ack if heard.tcp.flags & ACK else 5000
        ack = heard.next if takes else heard.tcp.seq
        self.says_tcp(address, ports, flags, seq=seq, ack=ack, data=data, window=window, source=heard.ip.destination)
