"""Shows a frame as text: one line per layer, with the names of the RFCs.

This never raises. For a header that cannot be parsed there is a line that says why. All text from
the wire is escaped, so that a frame cannot send control sequences to the terminal.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from stack.counters import DROPS
from stack.errors import BadPacket
from stack.wire import arp, checksum, ethernet, icmp, tcp, udp
from stack.wire.addresses import MAC_BROADCAST, format_ipv4, format_mac
from stack.wire.checksum import Buffer
from stack.wire.escape import escape
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_RARP,
    ETHERTYPE_SERVICE_VLAN,
    IP_VERSIONS,
    LLC_SAPS,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    ethertype_name,
    icmp_name,
    port_name,
    protocol_name,
)
from stack.wire.show_options import dhcp_line, ipv4_options, tcp_options

MAX_SHOWN = 64
"""At most this many bytes of a payload are shown."""
REMEMBERED = 256  # texts for addresses and ports, which are in most frames of a conversation
_INDENT = "    "


def show(
    frame: Buffer, *, link: Literal["ethernet", "ip"] = "ethernet", offload: bool = False, mtu: int | None = None
) -> list[str]:
    """One readable line per layer of a frame from an Ethernet or a bare-IP link.

    `offload` says that the frame comes from or goes to a device with checksum offload. Then a
    partial checksum, which is only the pseudo-header's sum, is not reported as wrong. A datagram
    quoted in an ICMP error follows the message, indented.

    `mtu` is the link's, in bytes. With it, a packet that is longer is called a super-frame: the
    device splits it, or has joined segments.
    """
    lines: list[str] = []
    view = memoryview(frame)
    if link == "ethernet":
        _ethernet(view, lines, offload, mtu)
    else:
        _ip(view, lines, offload, mtu)
    return lines


def _malformed(layer: str, error: BadPacket, data: Buffer, lines: list[str]) -> None:
    lines.append(f"{layer} malformed, {DROPS.get(error.reason, error.reason)}: {_bytes(data)}")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _bytes(data: Buffer) -> str:
    """The number of bytes, and the first of them as text."""
    if not len(data):
        return "no bytes"
    more = "..." if len(data) > MAX_SHOWN else ""
    return f'{_count(len(data), "byte")} "{escape(data[:MAX_SHOWN])}"{more}'


def _data(data: Buffer, lines: list[str]) -> None:
    if len(data):
        lines.append(f"data {_bytes(data)}")


def _checksum(found: int, right: bool, partial: int | None = None) -> str:
    """Text for a checksum field: nothing if it is `right`.

    `partial` is the pseudo-header's sum, if a partial checksum is not an error.
    """
    if right:
        return ""
    if partial is not None and found % 0xFFFF == partial % 0xFFFF:
        return ", checksum left to the device"
    return f", WRONG CHECKSUM 0x{found:04x}"


@lru_cache(maxsize=REMEMBERED)
def _mac(mac: bytes) -> str:
    return "broadcast" if mac == MAC_BROADCAST else format_mac(mac)


@lru_cache(maxsize=REMEMBERED)
def _from_to(source: bytes, destination: bytes) -> str:
    return f"{format_ipv4(source)} > {format_ipv4(destination)}"


def _ethernet(frame: memoryview, lines: list[str], offload: bool, mtu: int | None) -> None:
    try:
        header = ethernet.EthernetHeader.parse(frame)
    except BadPacket as error:
        _malformed("Ethernet", error, frame, lines)
        return
    kind = ethertype_name(header.ethertype)
    text = f"{_mac(header.source)} > {_mac(header.destination)}"
    for tag in header.tags:
        service = "service " if tag.tpid == ETHERTYPE_SERVICE_VLAN else ""
        text += f", {service}VLAN {tag.vlan} priority {tag.priority}{' drop eligible' if tag.drop_eligible else ''}"
    if header.llc is None:
        lines.append(f"Ethernet II {text}, type {kind}")
    else:
        lines.append(f"IEEE 802.3 {text}, length {header.length}")
        _llc(header.llc, kind, lines)
    payload = header.payload(frame)
    if header.ethertype == ETHERTYPE_IPV4 or header.ethertype == ETHERTYPE_IPV6:
        end = _ip(payload, lines, offload, mtu)
        if len(payload) > end and any(payload[end:]):
            lines.append(f"padding {_bytes(payload[end:])}")
    elif header.ethertype in (ETHERTYPE_ARP, ETHERTYPE_RARP):
        _arp(payload, lines, "RARP" if header.ethertype == ETHERTYPE_RARP else "ARP")
    else:
        _data(payload, lines)


def _llc(llc: ethernet.LlcHeader, kind: str, lines: list[str]) -> None:
    if llc.oui is None:
        destination = LLC_SAPS.get(llc.dsap) or f"SAP 0x{llc.dsap:02x}"
        # The lowest bit of a source SAP is not part of the SAP: it tells a command from a response.
        source = LLC_SAPS.get(llc.ssap) or LLC_SAPS.get(llc.ssap & 0xFE) or f"SAP 0x{llc.ssap:02x}"
        lines.append(f"LLC {source} > {destination}, control 0x{llc.control.hex()}")
    elif llc.oui == ethernet.OUI_ETHERTYPE:
        lines.append(f"LLC/SNAP type {kind}")
    else:
        lines.append(f"LLC/SNAP organization {llc.oui.hex('-')}, protocol 0x{llc.protocol_id:04x}")


def _arp(data: memoryview, lines: list[str], name: str) -> None:
    try:
        packet = arp.ArpPacket.parse(data)
    except BadPacket as error:
        _malformed(name, error, data, lines)
        return
    sender = f"{format_ipv4(packet.sender_ip)} at {_mac(packet.sender_mac)}"
    target = f"{format_ipv4(packet.target_ip)} at {_mac(packet.target_mac)}"
    operation = arp.OPERATIONS.get(packet.operation) or f"operation {packet.operation}"
    if packet.operation == arp.REQUEST and packet.sender_ip == bytes(4):
        detail = f"is {format_ipv4(packet.target_ip)} in use? asks {_mac(packet.sender_mac)} (probe)"
    elif packet.operation in (arp.REQUEST, arp.REPLY) and packet.sender_ip == packet.target_ip:
        detail = f"{sender} (announcement)"
    elif packet.operation == arp.REQUEST:
        detail = f"who has {format_ipv4(packet.target_ip)}? tell {sender}"
    elif packet.operation == arp.REPLY:
        detail = f"{sender}, to {target}"
    else:
        detail = f"sender {sender}, target {target}"
    lines.append(f"{name} {operation}, {detail}")


def _ip(packet: memoryview, lines: list[str], offload: bool, mtu: int | None) -> int:
    """Show a packet that starts with an IP header.

    Returns the offset of the end of the datagram.
    """
    version = packet[0] >> 4 if len(packet) else 4
    if version == 6:
        lines.append(f"IPv6 {_bytes(packet)}")
        return len(packet)
    if version != 4:
        lines.append(f"IP version {version} ({IP_VERSIONS.get(version, 'unassigned')}) {_bytes(packet)}")
        return len(packet)
    return _ipv4(packet, lines, offload, mtu, quoted=False)


def _ipv4(packet: memoryview, lines: list[str], offload: bool, mtu: int | None, quoted: bool) -> int:
    try:
        header = Ipv4Header.parse(packet, verify_checksum=False, quoted=quoted)
    except BadPacket as error:
        _malformed("IPv4", error, packet, lines)
        return len(packet)
    flags = ", DF" if header.dont_fragment else ""
    if header.reserved or header.more_fragments:
        flags = (", reserved flag" if header.reserved else "") + flags + (", MF" if header.more_fragments else "")
    offset = f", fragment offset {header.fragment_offset}" if header.is_fragment else ""
    tos = f", tos 0x{header.tos:02x} (dscp {header.dscp} ecn {header.ecn})" if header.tos else ""
    options = f", options [{ipv4_options(header.options)}]" if header.options else ""
    length = header.total_length
    above = f" (a super-frame, above the MTU of {mtu})" if mtu is not None and length > mtu else ""
    right = quoted or checksum.verify(packet[: header.header_length])
    lines.append(
        f"IPv4 {_from_to(header.source, header.destination)}, {protocol_name(header.protocol)}, "
        f"length {length}{above}, id {header.identification}{flags}{offset}, ttl {header.ttl}{tos}{options}"
        f"{_checksum(header.checksum or 0, right)}"
    )
    payload = packet[header.header_length : header.total_length]
    if header.fragment_offset:
        _data(payload, lines)  # the transport header is in the first fragment
    else:
        _transport(header, payload, lines, offload, quoted)
    return header.total_length


def _transport(header: Ipv4Header, payload: memoryview, lines: list[str], offload: bool, quoted: bool) -> None:
    # A checksum covers the whole datagram, so that of a fragment or a quotation cannot be verified.
    whole = not (quoted or header.is_fragment)
    pseudo = checksum.pseudo_sum(header.source, header.destination, header.protocol, len(payload))
    if header.protocol == PROTO_ICMP:
        _icmp(payload, lines, whole)
    elif header.protocol == PROTO_TCP and quoted and len(payload) < tcp.HEADER_LENGTH:
        _quoted_tcp(payload, lines)
    elif header.protocol == PROTO_TCP:
        _tcp(payload, lines, pseudo if whole else None, offload)
    elif header.protocol == PROTO_UDP:
        _udp(payload, lines, pseudo if whole else None, offload, not whole)
    else:
        _data(payload, lines)


def _icmp(data: memoryview, lines: list[str], whole: bool) -> None:
    try:
        message = icmp.IcmpMessage.parse(data, verify_checksum=False)
    except BadPacket as error:
        _malformed("ICMP", error, data, lines)
        return
    kind, text = message.type, ""
    if kind in icmp.QUERIES:
        text = f", identifier {message.identifier}, sequence {message.sequence}"
    if kind in (icmp.TIMESTAMP_REQUEST, icmp.TIMESTAMP_REPLY):
        text += ", originate {} receive {} transmit {} ms".format(*message.timestamps)
    elif kind in (icmp.MASK_REQUEST, icmp.MASK_REPLY):
        text += f", mask {format_ipv4(message.mask)}"
    elif kind == icmp.REDIRECT:
        text = f", to gateway {format_ipv4(message.gateway)}"
    elif kind == icmp.PARAMETER_PROBLEM and message.code == icmp.POINTER_INDICATES_ERROR:
        text = f", at byte {message.pointer}"
    elif kind == icmp.UNREACHABLE and message.code == icmp.FRAGMENTATION_NEEDED:
        text = f", next-hop MTU {message.next_hop_mtu}"
    right = not whole or checksum.verify(data)
    lines.append(f"ICMP {icmp_name(kind, message.code)}{text}{_checksum(message.checksum or 0, right)}")
    if message.is_error and whole:  # an error quoted in an error is not shown, which bounds the depth
        quotation: list[str] = []
        _ipv4(data[icmp.HEADER_LENGTH :], quotation, offload=False, mtu=None, quoted=True)
        lines.extend(_INDENT + line for line in quotation)
    elif kind not in icmp.QUERIES or kind in (icmp.ECHO_REQUEST, icmp.ECHO_REPLY):
        _data(data[icmp.HEADER_LENGTH :], lines)


@lru_cache(maxsize=REMEMBERED)
def _port(port: int, protocol: int) -> str:
    name = port_name(port, protocol)
    return name if name == str(port) else f"{port} ({name})"


@lru_cache(maxsize=REMEMBERED)
def _flags(flags: int) -> str:
    return tcp.flag_names(flags)


def _quoted_tcp(data: memoryview, lines: list[str]) -> None:
    """Show the 8 bytes of TCP that an ICMP error must quote: ports and sequence number."""
    if len(data) < 8:
        lines.append(f"TCP cut off, {_bytes(data)}")
        return
    source, destination, seq = (int.from_bytes(data[a:b], "big") for a, b in ((0, 2), (2, 4), (4, 8)))
    lines.append(f"TCP {_port(source, PROTO_TCP)} > {_port(destination, PROTO_TCP)}, seq {seq}, cut off")


def _tcp(data: memoryview, lines: list[str], pseudo: int | None, offload: bool) -> None:
    try:
        header = tcp.TcpHeader.parse(data)
    except BadPacket as error:
        _malformed("TCP", error, data, lines)
        return
    ack = f", ack {header.ack}" if header.flags & tcp.ACK else ""
    urgent = f", urgent pointer {header.urgent_pointer}" if header.flags & tcp.URG else ""
    reserved = f", reserved bits 0x{header.reserved:x}" if header.reserved else ""
    options = f", options [{tcp_options(header.options)}]" if header.options else ""
    right = pseudo is None or checksum.verify(data, pseudo)
    lines.append(
        f"TCP {_port(header.source_port, PROTO_TCP)} > {_port(header.destination_port, PROTO_TCP)}, "
        f"{_flags(header.flags)}, seq {header.seq}{ack}, win {header.window}{urgent}{reserved}{options}"
        f"{_checksum(header.checksum, right, pseudo if offload else None)}"
    )
    _data(data[header.header_length :], lines)


def _udp(data: memoryview, lines: list[str], pseudo: int | None, offload: bool, cut_off: bool) -> None:
    try:
        header = udp.UdpHeader.parse(data, quoted=cut_off)
    except BadPacket as error:
        _malformed("UDP", error, data, lines)
        return
    if pseudo is not None:
        pseudo += header.length - len(data)  # the checksum covers only UDP's own length
    right = pseudo is None or udp.checksum_ok(data[: header.length], pseudo)
    none = ", no checksum" if header.checksum == 0 else ""
    lines.append(
        f"UDP {_port(header.source_port, PROTO_UDP)} > {_port(header.destination_port, PROTO_UDP)}, "
        f"length {header.length}{none}{_checksum(header.checksum, right, pseudo if offload else None)}"
    )
    payload = data[udp.HEADER_LENGTH : header.length]
    dhcp = dhcp_line(payload) if {67, 68} & {header.source_port, header.destination_port} else None
    if dhcp is None:
        _data(payload, lines)
    else:
        lines.append(dhcp)
