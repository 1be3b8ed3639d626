"""Which layer follows which: from the link header of a frame to its last octet.

Each method of `Walk` reads one header, adds its layer, and calls the method of the next one. There
is one loop, over at most eight extension headers of IPv6, and one recursion: an ICMP error quotes a
datagram, which is read, too. An error that is quoted in an error is not, so that a frame has few
layers whatever its octets are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from stack.dissection.applications import TCP_READERS, UDP_READERS
from stack.dissection.arp import Arp, Rarp
from stack.dissection.ethernet import Ethernet, EthernetII, Ieee8023, Llc
from stack.dissection.icmp import Icmp
from stack.dissection.icmpv6 import Icmpv6
from stack.dissection.ipv4 import Ipv4
from stack.dissection.ipv6 import Ipv6, Ipv6Extension
from stack.dissection.layer import CutOff, Data, Layer, Malformed, NotCaptured, Padding, Trailer
from stack.dissection.linux_cooked import LinuxCooked, LinuxCooked2
from stack.dissection.other_ip import OtherIp
from stack.dissection.payload import Payload, Reader
from stack.dissection.tcp import PartOfTcp, Tcp
from stack.dissection.udp import Udp
from stack.errors import BadPacket
from stack.wire import icmp, ipv6, tcp, udp
from stack.wire.arp import LENGTH as ARP_LENGTH
from stack.wire.arp import ArpPacket
from stack.wire.checksum import Buffer, ones_sum, pseudo_sum
from stack.wire.ethernet import HEADER_LENGTH as ETHERNET_LENGTH
from stack.wire.ethernet import MAX_LLC_LENGTH, EthernetHeader
from stack.wire.icmp import IcmpMessage
from stack.wire.icmpv6 import Icmpv6Message
from stack.wire.ipv4 import HEADER_LENGTH as IPV4_LENGTH
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv6 import EXTENSIONS, ExtensionHeader, Ipv6Header
from stack.wire.linux_cooked import LinuxCookedHeader
from stack.wire.numbers import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_RARP,
    PROTO_ICMP,
    PROTO_IPV6_ICMP,
    PROTO_TCP,
    PROTO_UDP,
)
from stack.wire.tcp import TcpHeader
from stack.wire.udp import UdpHeader

Link = Literal["ethernet", "ip", "linux-sll", "linux-sll2"]
"""What a frame begins with: an Ethernet header, an IP header, or one that Linux has made up."""

EXTENSIONS_MAX = 8
"""So many extension headers of an IPv6 packet are read. What follows them is data."""

ADDRESSES_AT = 12
"""Where the addresses begin in an IPv4 header."""

MORE = ETHERNET_LENGTH + MAX_LLC_LENGTH
"""A header needs at most so many octets, with what its parser compares lengths with."""


def dissect(
    frame: Buffer, *, link: Link = "ethernet", offload: bool = False, mtu: int | None = None, length: int | None = None
) -> tuple[Layer, ...]:
    """The layers of a frame, in order. Each octet of the frame is in exactly one of them.

    This raises nothing whatever the octets are. A header that cannot be parsed is a layer with an
    `error`, and the last one but for padding.

    `offload` says that the frame comes from or goes to a device with checksum offload. Then a
    partial checksum, which is only the pseudo-header's sum, is not reported as wrong.

    `mtu` is the link's, in bytes. With it, a packet that is longer is called a super-frame: the
    device splits it, or has joined segments.

    `length` is that of the frame on the wire, in bytes. If it is larger than `frame`, only the
    first octets of the frame were captured. What is missing then is not called malformed.
    """
    octets = memoryview(bytes(frame))
    walk = Walk(octets, offload, mtu, 0 if length is None else max(0, length - len(octets)))
    if link == "ethernet":
        walk.ethernet()
    elif link == "ip":
        walk.ip_alone()
    elif link == "linux-sll":
        walk.cooked(LinuxCooked, LinuxCookedHeader.parse)
    elif link == "linux-sll2":
        walk.cooked(LinuxCooked2, LinuxCookedHeader.parse_v2)
    else:
        raise ValueError(f"{link!r} is no link: write 'ethernet', 'ip', 'linux-sll' or 'linux-sll2'")
    if walk.missing:
        walk.layers.append(NotCaptured(octets[len(octets) :], len(octets), len(octets) + walk.missing))
    return tuple(walk.layers)


class Walk:
    """The layers of one frame that have been found so far.

    `missing` is how many octets at the end of the frame were not captured.
    """

    __slots__ = ("frame", "layers", "missing", "mtu", "offload")

    def __init__(self, frame: memoryview, offload: bool, mtu: int | None, missing: int) -> None:
        self.frame = frame
        self.offload = offload
        self.mtu = mtu
        self.missing = missing
        self.layers: list[Layer] = []

    def ethernet(self) -> None:
        """A frame of an Ethernet."""
        frame = self.frame
        if self.missing and len(frame) < ETHERNET_LENGTH:
            self.cut_off(Ethernet, frame, 0, 0)
            return
        try:
            header = EthernetHeader.parse(frame if not self.missing else self._longer(frame))
        except BadPacket as error:
            self._unread(Ethernet, frame, 0, 0, error, EthernetHeader.parse)
            return
        if self.missing and header.header_length > len(frame):
            self.layers.append(CutOff(frame, 0, Ethernet))
            return
        start = ETHERNET_LENGTH + 4 * len(header.tags)
        if header.llc is None:
            self.layers.append(EthernetII(frame[:start], 0, header))
            self.network(header.ethertype, frame[start:], start)
            return
        inside, end = header.header_length, start + (header.length or 0)
        self.layers += (Ieee8023(frame[:start], 0, header), Llc(frame[start:inside], start, header.llc))
        self.network(header.ethertype, frame[inside:end], inside)
        if len(frame) > end:
            self.layers.append(Padding(frame[end:], end))

    def ip_alone(self) -> None:
        """A packet of a link without a header."""
        end = self.ip(self.frame, 0)
        self.trailer(self.frame[end:], end, 0)

    def cooked(self, kind: type[LinuxCooked], parse: Callable[[Buffer], LinuxCookedHeader]) -> None:
        """A frame for which Linux has made up a header."""
        frame = self.frame
        try:
            header = parse(frame)
        except BadPacket as error:
            self._unread(kind, frame, 0, 0, error, parse)
            return
        start = header.header_length
        self.layers.append(kind(frame[:start], 0, header))
        self.network(header.ethertype, frame[start:], start)

    def network(self, ethertype: int, octets: memoryview, offset: int) -> None:
        """What a link header carries, by its EtherType."""
        if ethertype == ETHERTYPE_IPV4 and (not len(octets) or octets[0] >> 4 == 4):
            end = self.ipv4(octets, offset, 0)
        elif ethertype in (ETHERTYPE_IPV4, ETHERTYPE_IPV6):
            end = self.ip(octets, offset)
        elif ethertype == ETHERTYPE_ARP:
            end = self.arp(octets, offset, Arp)
        elif ethertype == ETHERTYPE_RARP:
            end = self.arp(octets, offset, Rarp)
        else:
            self.data(octets, offset, 0)
            return
        if len(octets) > end:
            self.layers.append(Padding(octets[end:], offset + end))

    def arp(self, octets: memoryview, offset: int, kind: type[Arp]) -> int:
        """An ARP or RARP packet. Returns its length."""
        try:
            packet = ArpPacket.parse(octets)
        except BadPacket as error:
            self._unread(kind, octets, offset, 0, error, ArpPacket.parse)
            return len(octets)
        self.layers.append(kind(octets[:ARP_LENGTH], offset, packet))
        return ARP_LENGTH

    def ip(self, octets: memoryview, offset: int) -> int:
        """A packet of any version of IP. Returns the octets that it has of these."""
        if not len(octets) and self.missing:
            return 0
        version = octets[0] >> 4 if len(octets) else 4
        if version == 4:
            end = self.ipv4(octets, offset, 0)
        elif version == 6:
            end = self.ipv6(octets, offset, 0)
        else:
            self.layers.append(OtherIp(octets, offset))
            end = len(octets)
        return end

    def ipv4(self, octets: memoryview, offset: int, depth: int) -> int:
        """An IPv4 datagram or fragment. Returns the octets that it has of these."""
        cut = depth > 0 or self.missing > 0
        try:
            header = Ipv4Header.parse(octets, False, quoted=cut)
        except BadPacket as error:
            self._unread(Ipv4, octets, offset, depth, error, _parse_ipv4)
            return len(octets)
        start, end = IPV4_LENGTH + len(header.options), header.total_length
        if not depth and end > len(octets) + self.missing:  # the parser has not compared them
            self.layers.append(Malformed(octets, offset, Ipv4, "ipv4_bad_total_length"))
            return len(octets)
        self.layers.append(Ipv4(octets[:start], offset, header, depth, None if depth else self.mtu))
        payload = octets[start:end]
        if header.fragment_offset:
            self.data(payload, offset + start, depth)  # the transport header is in the first fragment
        else:
            pseudo = None
            if not (depth or header.more_fragments or end > len(octets)):
                # The two addresses are summed as one: `pseudo_sum` does the same with each.
                pseudo = ones_sum(octets[ADDRESSES_AT:IPV4_LENGTH]) + header.protocol + len(payload)
            self.transport(header.protocol, payload, offset + start, depth, pseudo)
        return start + len(payload)

    def ipv6(self, octets: memoryview, offset: int, depth: int) -> int:
        """An IPv6 packet. Returns the octets that it has of these."""
        cut = depth > 0 or self.missing > 0
        try:
            header = Ipv6Header.parse(octets, quoted=cut)
        except BadPacket as error:
            self._unread(Ipv6, octets, offset, depth, error, _parse_ipv6)
            return len(octets)
        start, end = ipv6.HEADER_LENGTH, ipv6.HEADER_LENGTH + header.payload_length
        if not depth and end > len(octets) + self.missing:  # the parser has not compared them
            self.layers.append(Malformed(octets, offset, Ipv6, "ipv6_bad_payload_length"))
            return len(octets)
        self.layers.append(Ipv6(octets[:start], offset, header, depth, None if depth else self.mtu))
        payload = octets[start:end]
        self._behind_ipv6(header, payload, offset + start, depth, whole=not depth and end <= len(octets))
        return start + len(payload)

    def _behind_ipv6(self, header: Ipv6Header, octets: memoryview, offset: int, depth: int, whole: bool) -> None:
        """The extension headers of an IPv6 packet, at most eight of them, and what follows them."""
        protocol = header.next_header
        for _ in range(EXTENSIONS_MAX):
            if protocol not in EXTENSIONS:
                break
            try:
                extension = ExtensionHeader.parse(protocol, octets)
            except BadPacket as error:
                self._cut_or_malformed(Ipv6Extension, octets, offset, depth, error, whole)
                return
            size = extension.length
            self.layers.append(Ipv6Extension(octets[:size], offset, extension, depth))
            protocol, octets, offset = extension.next_header, octets[size:], offset + size
            if extension.kind == ipv6.FRAGMENT and (extension.fragment_offset or extension.more_fragments):
                whole = False
                if extension.fragment_offset:
                    self.data(octets, offset, depth)  # the transport header is in the first fragment
                    return
            elif extension.kind == ipv6.ROUTING and extension.data[1]:
                whole = False  # the pseudo-header has the last destination (RFC 8200 section 8.1)
        pseudo = pseudo_sum(header.source, header.destination, protocol, len(octets)) if whole else None
        if protocol == PROTO_IPV6_ICMP:
            self.icmpv6(octets, offset, depth, pseudo, whole)
        elif protocol in (PROTO_TCP, PROTO_UDP):
            self.transport(protocol, octets, offset, depth, pseudo)
        else:
            self.data(octets, offset, depth)

    def icmpv6(self, octets: memoryview, offset: int, depth: int, pseudo: int | None, whole: bool) -> None:
        """An ICMPv6 message, and the packet that it quotes if it is an error."""
        try:
            message = Icmpv6Message.parse(octets)
        except BadPacket as error:
            self._cut_or_malformed(Icmpv6, octets, offset, depth, error, whole)
            return
        layer = Icmpv6(octets, offset, message, depth, pseudo)
        self.layers.append(layer)
        start = len(layer.octets)
        rest = octets[start:]
        if message.is_error and whole and len(rest):
            end = self.ipv6(rest, offset + start, 1)
            self.trailer(rest[end:], offset + start + end, 1)
        else:
            self.data(rest, offset + start, depth)

    def transport(self, protocol: int, octets: memoryview, offset: int, depth: int, pseudo: int | None) -> None:
        """What an IP header carries, by its protocol number.

        `pseudo` is the sum of the pseudo-header. It is None if `octets` are not all that the
        datagram carries, so that no checksum over them can be verified.
        """
        if protocol == PROTO_TCP:
            self.tcp(octets, offset, depth, pseudo)
        elif protocol == PROTO_UDP:
            self.udp(octets, offset, depth, pseudo)
        elif protocol == PROTO_ICMP:
            self.icmp(octets, offset, depth, pseudo is not None)
        else:
            self.data(octets, offset, depth)

    def icmp(self, octets: memoryview, offset: int, depth: int, whole: bool) -> None:
        """An ICMP message, and the datagram that it quotes if it is an error."""
        try:
            message = IcmpMessage.parse(octets, verify_checksum=False)
        except BadPacket as error:
            self._cut_or_malformed(Icmp, octets, offset, depth, error, whole)
            return
        layer = Icmp(octets, offset, message, depth, whole)
        self.layers.append(layer)
        start = len(layer.octets)
        rest = octets[start:]
        kind = message.type
        if whole and kind in icmp.ERRORS:  # an error quoted in an error is not read, which bounds the depth
            end = self.ipv4(rest, offset + start, 1)
            self.trailer(rest[end:], offset + start + end, 1)
        elif kind not in icmp.QUERIES or kind in (icmp.ECHO_REQUEST, icmp.ECHO_REPLY):
            self.data(rest, offset + start, depth)
        else:
            self.trailer(rest, offset + start, depth)

    def tcp(self, octets: memoryview, offset: int, depth: int, pseudo: int | None) -> None:
        """A TCP segment."""
        try:
            header = TcpHeader.parse(octets)
        except BadPacket as error:
            short = len(octets) < tcp.HEADER_LENGTH or octets[tcp.DATA_OFFSET_AT] >> 4 >= tcp.HEADER_LENGTH // 4
            if short and pseudo is None:
                self.layers.append(PartOfTcp(octets, offset, None, depth))  # it goes on behind these octets
            else:
                self.layers.append(Malformed(octets, offset, Tcp, error.reason, depth))
            return
        start = tcp.HEADER_LENGTH + len(header.options)
        self.layers.append(Tcp(octets, offset, header, depth, pseudo, self.offload))
        if len(octets) > start:
            source, destination = header.source_port, header.destination_port
            reader = TCP_READERS.get(destination) or TCP_READERS.get(source)
            if reader is None:
                self.layers.append(Data(octets[start:], offset + start, None, depth))
            else:
                from_server = destination not in TCP_READERS
                self.application(
                    reader, Payload(octets[start:], offset + start, depth, from_server, pseudo is not None)
                )

    def udp(self, octets: memoryview, offset: int, depth: int, pseudo: int | None) -> None:
        """A UDP datagram."""
        if pseudo is None and len(octets) < udp.HEADER_LENGTH:
            self.cut_off(Udp, octets, offset, depth)
            return
        try:
            header = UdpHeader.parse(octets, quoted=pseudo is None)
        except BadPacket as error:
            self.layers.append(Malformed(octets, offset, Udp, error.reason, depth))
            return
        end = header.length
        if pseudo is not None:
            pseudo += end - len(octets)  # the checksum covers only UDP's own length
        self.layers.append(Udp(octets[:end], offset, header, depth, pseudo, self.offload))
        payload = octets[udp.HEADER_LENGTH : end]
        if len(payload):
            source, destination, at = header.source_port, header.destination_port, offset + udp.HEADER_LENGTH
            reader = UDP_READERS.get(destination) or UDP_READERS.get(source)
            if reader is None:
                self.layers.append(Data(payload, at, None, depth))
            else:
                from_server = destination not in UDP_READERS
                self.application(reader, Payload(payload, at, depth, from_server, pseudo is not None))
        if len(octets) > end:
            self.layers.append(Trailer(octets[end:], offset + end, None, depth))

    def application(self, reader: Reader, payload: Payload) -> None:
        """What UDP or TCP carries: the layers that the reader finds, then data."""
        found = reader(payload)
        self.layers += found
        end = sum(len(layer.octets) for layer in found)
        self.data(payload.octets[end:], payload.offset + end, payload.depth)

    def data(self, octets: memoryview, offset: int, depth: int) -> None:
        """Octets that no header describes."""
        if len(octets):
            self.layers.append(Data(octets, offset, None, depth))

    def trailer(self, octets: memoryview, offset: int, depth: int) -> None:
        """Octets behind the end that a header gives."""
        if len(octets):
            self.layers.append(Trailer(octets, offset, None, depth))

    def _cut_or_malformed(
        self, protocol: type[Layer], octets: memoryview, offset: int, depth: int, error: BadPacket, whole: bool
    ) -> None:
        """Add a layer for a header that is refused. If its packet is not whole, it is cut off."""
        if whole:
            self.layers.append(Malformed(octets, offset, protocol, error.reason, depth))
        else:
            self.cut_off(protocol, octets, offset, depth)

    def cut_off(self, protocol: type[Layer], octets: memoryview, offset: int, depth: int) -> None:
        """The octets of a header that ends behind them, if there are any."""
        if len(octets):
            self.layers.append(CutOff(octets, offset, protocol, depth))

    def _unread(
        self,
        protocol: type[Layer],
        octets: memoryview,
        offset: int,
        depth: int,
        error: BadPacket,
        parse: Callable[[Buffer], object],
    ) -> None:
        """Add a layer for a header that `parse` has refused: cut off by the capture, or malformed.

        It is only cut off if any octets in the place of those that were not captured would do.
        """
        if self.missing and not depth:
            try:
                parse(self._longer(octets))
            except BadPacket:
                pass
            else:
                self.layers.append(CutOff(octets, offset, protocol, depth))
                return
        self.layers.append(Malformed(octets, offset, protocol, error.reason, depth))

    def _longer(self, octets: memoryview) -> bytes:
        """The octets with zeros for those that were not captured, as far as a parser needs them."""
        return bytes(octets) + bytes(min(self.missing, MORE))


def _parse_ipv4(octets: Buffer) -> object:
    return Ipv4Header.parse(octets, False, quoted=True)


def _parse_ipv6(octets: Buffer) -> object:
    return Ipv6Header.parse(octets, quoted=True)
