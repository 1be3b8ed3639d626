"""A station on a simulated Ethernet without a stack: it sends what a test tells it to, and keeps
what it receives.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.link.memory import Ethernet, EthernetPort
from stack.testing.frame_sender import FrameSender, Heard, segment_in
from stack.wire.addresses import MAC_BROADCAST, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, PROTO_TCP
from tests.sim.network import Network


class RawStation(FrameSender):
    """It answers ARP requests for each address of which `owns(address)` is true: by default its own `address`.

    `frames` has all frames that it has received and that were not ARP. `on_tcp` is called with each TCP segment to an
    address that it owns.
    """

    def __init__(
        self, network: Network, ethernet: Ethernet, address: str = "10.0.0.66", mac: bytes = b"\x02\0\0\0\0\x66"
    ) -> None:
        super().__init__(address, mac)
        self.network = network
        self.owns: Callable[[bytes], bool] = lambda address: address == self.address
        self.on_tcp: Callable[[Heard], None] | None = None
        self.frames: list[bytes] = []
        self.port: EthernetPort = ethernet.attach("station", mac, queue_limit=100_000)
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
                self.on_tcp(segment_in(frame[14 : 14 + ip.total_length], ip))

    def _hear_arp(self, packet: ArpPacket) -> None:
        self.stations[packet.sender_ip] = packet.sender_mac
        if packet.operation == REQUEST and self.owns(packet.target_ip):
            self.says_arp(REPLY, packet.target_ip, packet.sender_ip, packet.sender_mac)

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
        return [segment_in(ip.build() + payload, ip) for ip, payload in self.packets() if ip.protocol == PROTO_TCP]

    # --- speaking

    def says(self, frame: bytes) -> None:
        assert self.port.write([frame], self.network.now)

    def asks(self, address: str) -> None:
        """Learns the station of `address`, which learns ours by that."""
        self.says_arp(REQUEST, self.address, parse_ipv4(address))
        self.network.run(lambda: parse_ipv4(address) in self.stations, for_s=1.0)
