"""The header before each frame on a link with offload: virtio_net_hdr of Linux's TAP and QEMU.

See VIRTIO 1.2 section 5.1.6 for the fields, which are in little-endian order. Partial checksums are
described in Documentation/networking/checksum-offloads.rst in the Linux source.

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     flags     |   gso_type    |            hdr_len            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           gso_size            |          csum_start           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          csum_offset          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

A super-frame holds the payload of several packets, `gso_size` bytes each. The device that sends it
on a wire splits it into packets: each gets a copy of the headers, with its own lengths, sequence
number and flags. A partial checksum is only the sum of the pseudo-header, not complemented. The
device completes it: it sums the packet from `csum_start` to the end, and stores the checksum at
`csum_start + csum_offset`.
"""

from __future__ import annotations

import struct

from stack.wire import tcp, udp

HEADER_LENGTH = 10
NO_OFFLOAD_HEADER = bytes(HEADER_LENGTH)
"""The header of an ordinary frame, which leaves nothing to do for the device."""

NEEDS_CSUM, DATA_VALID = 1, 2
VERIFIED = NEEDS_CSUM | DATA_VALID
"""Flags of a frame whose transport checksum need not be verified.

The checksum is still partial, or the device has verified it.
"""

GSO_NONE, GSO_TCPV4, GSO_UDP_L4 = 0, 1, 5
GSO_ECN = 0x80  # added to GSO_TCPV4: CWR is set, and only the first segment may carry it

TCP_CHECKSUM, UDP_CHECKSUM = tcp.CHECKSUM_AT, udp.CHECKSUM_AT
"""Offsets of the checksum in the TCP and UDP headers (RFC 9293 section 3.1, RFC 768)."""

_HEADER = struct.Struct("<BBHHHH")
_GSO_SIZE = struct.Struct("<xxxxH")


def checksum_header(start: int, offset: int) -> bytes:
    """The header for a frame of one packet with a partial checksum.

    The checksum is at byte `start + offset` of the frame. `start` is the offset of the transport
    header in the frame.
    """
    return _HEADER.pack(NEEDS_CSUM, GSO_NONE, 0, 0, start, offset)


def tcp_header(start: int, tcp_length: int, gso_size: int, *, cwr: bool = False) -> bytes:
    """The header for a super-frame of TCP segments over IPv4, with a partial checksum.

    `start` is the offset of the TCP header in the frame (the lengths of the link header and of the
    IP header with its options). `tcp_length` is the length of the TCP header with its options. Each
    segment gets `gso_size` bytes of data; the last one may get fewer. `cwr` says that the CWR flag
    is set.
    """
    kind = GSO_TCPV4 | GSO_ECN if cwr else GSO_TCPV4
    return _HEADER.pack(NEEDS_CSUM, kind, start + tcp_length, gso_size, start, TCP_CHECKSUM)


def gso_size(header: bytes | bytearray | memoryview) -> int:
    """The payload in bytes of each packet of a super-frame; 0 for a frame of one packet."""
    size: int = _GSO_SIZE.unpack_from(header)[0]
    return size if header[1] != GSO_NONE else 0
