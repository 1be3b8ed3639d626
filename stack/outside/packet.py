"""The TCP segment in a captured frame: the little of each header that following needs.

See RFC 791 section 3.1 and RFC 8200 section 3 (IP), RFC 9293 section 3.1 (TCP). The Linux cooked
headers are those of https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from stack.link.captured import CapturedFrame
from stack.outside.fragments import Fragments
from stack.wire.checksum import ones_sum
from stack.wire.numbers import ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_TCP

VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
MOST_TAGS = 4
ETHERNET_HEADER, COOKED_HEADER, COOKED_2_HEADER = 14, 16, 20
EXTENSIONS = (0, 43, 60)  # hop-by-hop options, routing, destination options: next header, length in 8 octets
FRAGMENT_HEADER, MOST_EXTENSIONS = 44, 8

_IPV4 = Struct("!BxHHHxB2x4s4s")
_IPV6 = Struct("!4xHBx16s16s")
_TCP = Struct("!HHIIBBHH2x")

UNKNOWN, RIGHT, PARTIAL, WRONG = 0, 1, 2, 3
"""A checksum: a snapped segment's cannot be told; a partial one is left to the device."""


class TcpPacket(NamedTuple):
    """A segment with the addresses around it.

    `source` and `destination` are address and port, 6 or 18 octets. `length` is that of the data on
    the wire. `identification` is the IPv4 header's, -1 for IPv6. `length_left_out` says that the IP
    header has length 0: the device fills it in. `data_at` is where the data begin in the frame; 0
    if the datagram came in fragments.
    """

    source: bytes
    destination: bytes
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    options: bytes
    checksum: int
    identification: int
    length_left_out: bool
    fragments: int
    data_at: int


def network_layer(frame: CapturedFrame) -> tuple[int, int]:
    """(EtherType, where the packet begins); an EtherType of 0 if the frame is too short."""
    octets, link = frame.octets, frame.link
    if link == "ip":
        version = octets[0] >> 4 if octets else 0
        return {4: ETHERTYPE_IPV4, 6: ETHERTYPE_IPV6}.get(version, 0), 0
    if link == "linux-sll2":
        return (octets[0] << 8 | octets[1], COOKED_2_HEADER) if len(octets) > COOKED_2_HEADER else (0, 0)
    at = COOKED_HEADER if link == "linux-sll" else ETHERNET_HEADER
    if len(octets) < at:
        return 0, 0
    kind = octets[at - 2] << 8 | octets[at - 1]
    for _ in range(MOST_TAGS):
        if kind not in VLAN_TAGS or len(octets) < at + 4:
            break
        kind, at = octets[at + 2] << 8 | octets[at + 3], at + 4
    return kind, at


def tcp_packet(frame: CapturedFrame, fragments: Fragments) -> TcpPacket | None:
    """The segment in a frame.

    None for another protocol, a broken header, and an incomplete datagram.
    """
    kind, at = network_layer(frame)
    if kind == ETHERTYPE_IPV4:
        return _in_ipv4(frame, at, fragments)
    if kind == ETHERTYPE_IPV6:
        return _in_ipv6(frame, at, fragments)
    return None


def _in_ipv4(frame: CapturedFrame, at: int, fragments: Fragments) -> TcpPacket | None:
    octets = frame.octets
    if len(octets) < at + 20:
        return None
    version_ihl, total, identification, fragment, protocol, source, destination = _IPV4.unpack_from(octets, at)
    header = (version_ihl & 15) * 4
    if version_ihl >> 4 != 4 or header < 20 or protocol != PROTO_TCP:
        return None
    on_the_wire = frame.length - at - header
    length = total - header if total else on_the_wire
    if length < 0:
        return None
    begin = at + header
    if fragment & 0x3FFF:
        key = source + destination + identification.to_bytes(2, "big")
        data = octets[begin : begin + length]
        if len(data) < length:
            return None  # a snapped fragment leaves a hole for ever
        whole = fragments.add(key, (fragment & 0x1FFF) * 8, data, bool(fragment & 0x2000), frame.time_ns)
        if whole is None:
            return None
        joined, pieces = whole
        return _segment(joined, 0, len(joined), source, destination, identification, False, pieces)
    found = _segment(octets, begin, length, source, destination, identification, not total, 0)
    if found is not None and int.from_bytes(octets[at:begin], "big") % 65535:
        if octets[at + 10] or octets[at + 11]:  # 0: the device computes it
            return found._replace(checksum=WRONG)
    return found


def _in_ipv6(frame: CapturedFrame, at: int, fragments: Fragments) -> TcpPacket | None:
    octets = frame.octets
    if len(octets) < at + 40 or octets[at] >> 4 != 6:
        return None
    payload, protocol, source, destination = _IPV6.unpack_from(octets, at)
    begin = at + 40
    end = begin + payload if payload else at + max(frame.length - at, 40)
    for _ in range(MOST_EXTENSIONS):
        if protocol == PROTO_TCP:
            return _segment(octets, begin, end - begin, source, destination, -1, not payload, 0)
        if len(octets) < begin + 8:
            return None
        if protocol == FRAGMENT_HEADER:
            return _ipv6_fragment(frame, begin, end, source, destination, fragments)
        if protocol not in EXTENSIONS:
            return None
        protocol, begin = octets[begin], begin + 8 + octets[begin + 1] * 8
    return None


def _ipv6_fragment(
    frame: CapturedFrame, begin: int, end: int, source: bytes, destination: bytes, fragments: Fragments
) -> TcpPacket | None:
    """RFC 8200 section 4.5: next header, reserved, offset and M flag, Identification."""
    octets = frame.octets
    data = octets[begin + 8 : end]
    if octets[begin] != PROTO_TCP or len(data) < end - begin - 8:
        return None
    offset = octets[begin + 2] << 8 | octets[begin + 3]
    key = source + destination + octets[begin + 4 : begin + 8]
    whole = fragments.add(key, offset & 0xFFF8, data, bool(offset & 1), frame.time_ns)
    if whole is None:
        return None
    joined, pieces = whole
    return _segment(joined, 0, len(joined), source, destination, -1, False, pieces)


def _segment(
    octets: bytes,
    begin: int,
    length: int,
    source: bytes,
    destination: bytes,
    identification: int,
    length_left_out: bool,
    pieces: int,
) -> TcpPacket | None:
    """The segment of `length` octets that begins at `begin`; the last octets may be missing."""
    if length < 20 or len(octets) < begin + 20:
        return None
    _, _, seq, ack, offset, flags, window, field = _TCP.unpack_from(octets, begin)
    header = (offset >> 4) * 4
    if not 20 <= header <= length:
        return None
    whole = octets[begin : begin + length]
    pseudo = (ones_sum(source) + ones_sum(destination) + PROTO_TCP + length) % 65535
    total = int.from_bytes(whole, "big")
    if len(whole) == length and ((total << 8 if length & 1 else total) + pseudo) % 65535 == 0:
        checksum = RIGHT
    elif field % 65535 == pseudo:
        checksum = PARTIAL
    else:
        checksum = WRONG if len(whole) == length else UNKNOWN
    return TcpPacket(
        source + whole[:2],
        destination + whole[2:4],
        seq,
        ack,
        flags,
        window,
        length - header,
        whole[20:header],
        checksum,
        identification,
        length_left_out,
        pieces,
        0 if pieces else begin + header,
    )
