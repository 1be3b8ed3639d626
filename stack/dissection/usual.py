"""The lines of `show` for most frames of a trace, without layers: TCP in IPv4 without options.

They are those that the layers give, in a quarter of the time. See `stack.dissection.show`, and for
the figures of the headers RFC 791 section 3.1 and RFC 9293 section 3.1.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from stack.dissection import checksums
from stack.dissection.applications import TCP_READERS
from stack.dissection.layer import shown
from stack.dissection.show_options import tcp_options
from stack.dissection.texts import REMEMBERED, from_to, port
from stack.dissection.walk import dissect
from stack.wire.checksum import long_sum, ones_sum
from stack.wire.ethernet import DESTINATION_AND_TYPE
from stack.wire.ethernet import HEADER_LENGTH as ETHERNET_LENGTH
from stack.wire.ipv4 import DONT_FRAGMENT, VERSION_IHL
from stack.wire.ipv4 import HEADER_LENGTH as IPV4_LENGTH
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import ACK, URG, flag_names
from stack.wire.tcp import HEADER_LENGTH as TCP_LENGTH

BOTH_HEADERS = struct.Struct("!HHHHBBxx4s4sHHIIHHH2x")
"""An IPv4 header without options and a TCP header.

Left out are the checksum of IPv4, and the Urgent Pointer.
"""
ADDRESSES = 8
"""The length of the two addresses, the last octets of the IPv4 header."""
USUAL_VERSION_IHL_TOS = VERSION_IHL << 8
"""The first two octets of such an IPv4 header: its type of service is 0."""
UNUSUAL = 0x0F00 | URG
"""The bits behind the Data Offset that must be zero (reserved), and URG."""


def usual_lines(frame: bytes, ethernet: bool, offload: bool, mtu: int | None) -> list[str] | None:
    """The lines of a whole frame. None if it is not of the usual kind.

    Then `dissect` finds its layers. The arguments are those of `dissect`, but `ethernet` says
    whether the frame begins with an Ethernet header.
    """
    start = ETHERNET_LENGTH if ethernet else 0
    if len(frame) < start + BOTH_HEADERS.size:
        return None
    (
        version_ihl_tos, length, identification, fragment, ttl, protocol, source, destination,
        source_port, destination_port, seq, ack, offset_flags, window, checksum,
    ) = BOTH_HEADERS.unpack_from(frame, start)  # fmt: skip
    segment, end = start + IPV4_LENGTH, start + length
    data, flags = segment + (offset_flags >> 12) * 4, offset_flags & 0xFF
    if (
        version_ihl_tos != USUAL_VERSION_IHL_TOS
        or (fragment and fragment != DONT_FRAGMENT)
        or protocol != PROTO_TCP
        or (mtu is not None and length > mtu)
        or not segment + TCP_LENGTH <= data <= end <= len(frame)
        or offset_flags & UNUSUAL
        or (data < end and (destination_port in TCP_READERS or source_port in TCP_READERS))
        or ones_sum(frame[start:segment])
        or (end < len(frame) and any(frame[end:]))
    ):
        return None
    link = _ethernet(frame[:ETHERNET_LENGTH]) if ethernet else ""
    if link is None:
        return None
    note = ""
    # The addresses in front of the segment are in its pseudo-header, as are protocol and length.
    protocol_and_length = PROTO_TCP + end - segment
    if (long_sum(frame[segment - ADDRESSES : end]) + protocol_and_length) % 0xFFFF:
        pseudo = ones_sum(frame[segment - ADDRESSES : segment]) + protocol_and_length
        note = checksums.note(checksums.judge(checksum, memoryview(frame)[segment:end], pseudo, offload), checksum)
    options = f", options [{tcp_options(frame[segment + TCP_LENGTH : data])}]" if data > segment + TCP_LENGTH else ""
    ip = f"IPv4 {from_to(source, destination)}, TCP, length {length}, id {identification}"
    ip += f", DF, ttl {ttl}" if fragment else f", ttl {ttl}"
    numbers = f"seq {seq}, ack {ack}, win {window}" if flags & ACK else f"seq {seq}, win {window}"
    lines = [link] if link else []
    lines += (ip, f"TCP {_ports(source_port, destination_port)}, {flag_names(flags)}, {numbers}{options}{note}")
    if data < end:
        lines.append(f"data {shown(frame[data:end])}")
    return lines


@lru_cache(maxsize=REMEMBERED)
def _ports(source: int, destination: int) -> str:
    return f"{port(source, PROTO_TCP)} > {port(destination, PROTO_TCP)}"


@lru_cache(maxsize=REMEMBERED)
def _ethernet(header: bytes) -> str | None:
    """The line of the Ethernet header in front of an IPv4 packet; None if it is another header."""
    _, kind = DESTINATION_AND_TYPE.unpack(header)
    return dissect(header)[0].line if kind == ETHERTYPE_IPV4 else None
