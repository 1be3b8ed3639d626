"""Builds frames that a test describes field by field. Stations without a stack derive from it.

The numbers in a segment are those on the wire. `stack.testing.Conversation` counts them from the
SYNs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from stack.wire.addresses import MAC_BROADCAST, format_ipv4, parse_ipv4
from stack.wire.arp import ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import ACK, FIN, SYN, TcpHeader


@dataclass(frozen=True, slots=True)
class Heard:
    """A TCP segment that came to the station."""

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


def segment_in(packet: bytes, ip: Ipv4Header) -> Heard:
    """The TCP segment in an IP packet, whose header is `ip`."""
    segment = packet[ip.header_length :]
    tcp = TcpHeader.parse(segment)
    return Heard(ip, tcp, segment[tcp.header_length :])


class FrameSender(ABC):
    """A station with `address` and `mac`. It can put any other addresses in what it sends.

    `stations` has the station address of each IP address that it has heard of by ARP.
    """

    def __init__(self, address: str, mac: bytes) -> None:
        self.address = parse_ipv4(address)
        self.mac = mac
        self.stations: dict[bytes, bytes] = {}

    @abstractmethod
    def says(self, frame: bytes) -> None:
        """Put a frame on the wire."""

    def says_arp(self, operation: int, sender_ip: bytes, target_ip: bytes, target_mac: bytes = MAC_BROADCAST) -> None:
        """Send an ARP packet that puts `sender_ip` at this station to `target_mac`."""
        packet = ArpPacket(operation, self.mac, sender_ip, target_mac, target_ip)
        self.says(ethernet_ii(target_mac, self.mac, ETHERTYPE_ARP) + packet.build())

    def says_ip(
        self, protocol: int, payload: bytes, destination: str, *, source: bytes | None = None, mac: bytes | None = None
    ) -> None:
        """Send an IP packet to `mac`, by default to the station of `destination`.

        A station that is not known gets it by broadcast.
        """
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
        urgent: int = 0,
        bad_checksum: bool = False,
    ) -> None:
        """Send a TCP segment between `ports` (source, destination). `urgent` is the urgent pointer.

        `bad_checksum` inverts the lowest bit of the right checksum.
        """
        origin = self.address if source is None else source
        bare = TcpHeader(*ports, seq, ack, flags, window, urgent, options).build() + data
        pseudo = pseudo_sum(origin, parse_ipv4(destination), PROTO_TCP, len(bare))
        checksum = (internet_checksum(bare, pseudo) ^ bad_checksum).to_bytes(2, "big")
        self.says_ip(PROTO_TCP, bare[:16] + checksum + bare[18:], destination, source=origin, mac=mac)

    def replies_to(
        self, heard: Heard, flags: int, *, data: bytes = b"", window: int = 65535, takes: bool = True
    ) -> None:
        """Answer `heard` with a segment, which acknowledges it if it `takes` it.

        Its sequence number is what `heard` acknowledges, or 5000 if `heard` has no ACK.
        """
        address = format_ipv4(heard.ip.source)
        ports = heard.tcp.destination_port, heard.tcp.source_port
        seq = heard.tcp.ack if heard.tcp.flags & ACK else 5000
        ack = heard.next if takes else heard.tcp.seq
        self.says_tcp(address, ports, flags, seq=seq, ack=ack, data=data, window=window, source=heard.ip.destination)
