"""UDP datagrams that came in as one super-frame: UDP segmentation offload (USO), the receiving half.

The kernel hands over what a sender gave it at once (UDP_SEGMENT in udp(7)) as one datagram with one header. Unlike a
stream's, its pieces are datagrams of their own, so IP takes them apart before anybody counts or looks at them. See
RFC 768 and RFC 791 section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stack.wire.checksum import Buffer
from stack.wire.ipv4 import Ipv4Header
from stack.wire.udp import HEADER_LENGTH

_LENGTH = 4  # where the length is in a UDP header


def is_super_frame(header: Ipv4Header, size: int) -> bool:
    """Whether a UDP packet is more than one datagram, the link having said that they hold `size` bytes of data each."""
    return 0 < size < header.total_length - header.header_length - HEADER_LENGTH and not header.is_fragment


def datagrams(header: Ipv4Header, packet: Buffer, size: int) -> Iterator[bytes]:
    """The packets that `packet` stands for, `size` bytes of data in each but the last.

    Identifications count up from the first, as they would on a wire. Checksums of UDP stay what they were, partial:
    the link has vouched for the whole.
    """
    data = memoryview(packet)[header.header_length + HEADER_LENGTH :]
    ports = bytes(packet[header.header_length :][:_LENGTH])
    checksum = bytes(packet[header.header_length :][_LENGTH + 2 : HEADER_LENGTH])
    for number, start in enumerate(range(0, len(data), size)):
        piece = data[start : start + size]
        length = HEADER_LENGTH + len(piece)
        ip = replace(
            header,
            total_length=header.header_length + length,
            identification=header.identification + number & 0xFFFF,
            checksum=None,
        )
        yield b"".join((ip.build(), ports, length.to_bytes(2, "big"), checksum, piece))
