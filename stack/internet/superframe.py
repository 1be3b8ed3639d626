"""UDP datagrams that come in as one super-frame: UDP segmentation offload (USO), receiving.

A program may give the kernel many datagrams at once (UDP_SEGMENT in udp(7)), and the kernel hands
them over under one header. They still are separate datagrams, unlike the segments of a TCP
super-frame. So IP input splits the super-frame before anything else, and counts each datagram. See
RFC 768 and RFC 791 section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from stack.wire.checksum import Buffer
from stack.wire.ipv4 import Ipv4Header
from stack.wire.udp import CHECKSUM_AT, HEADER_LENGTH, LENGTH_AT


def is_super_frame(header: Ipv4Header, size: int) -> bool:
    """Whether a UDP packet is a super-frame of datagrams with `size` bytes of data each."""
    return 0 < size < header.total_length - header.header_length - HEADER_LENGTH and not header.is_fragment


def datagrams(header: Ipv4Header, packet: Buffer, size: int) -> Iterator[bytes]:
    """Split a super-frame into its packets, with `size` bytes of data in each but the last.

    The Identification counts up from the first packet's, as a network device would count it. The
    UDP checksum is copied as it is, because it need not be verified (`checksum_ok`).
    """
    data = memoryview(packet)[header.header_length + HEADER_LENGTH :]
    ports = bytes(packet[header.header_length :][:LENGTH_AT])
    checksum = bytes(packet[header.header_length :][CHECKSUM_AT:HEADER_LENGTH])
    for number, start in enumerate(range(0, len(data), size)):
        piece = data[start : start + size]
        length = HEADER_LENGTH + len(piece)
        ip = header._replace(
            total_length=header.header_length + length,
            identification=header.identification + number & 0xFFFF,
            checksum=None,
        )
        yield b"".join((ip.build(), ports, length.to_bytes(2, "big"), checksum, piece))
