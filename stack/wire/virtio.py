"""The header that goes before each frame on a link with offload: virtio_net_hdr, as Linux's TAP and QEMU use it.

See VIRTIO 1.2 section 5.1.6 (the fields, here in little-endian order); what a partial checksum is, tells
Documentation/networking/checksum-offloads.rst in the Linux source.

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     flags     |   gso_type    |            hdr_len            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |           gso_size            |          csum_start           |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |          csum_offset          |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

A super-frame holds what would be several packets of `gso_size` bytes of payload each; whoever puts it on a wire cuts it
up, giving each piece the headers of the whole with lengths, sequence numbers and flags put right. A partial checksum is
the sum of the pseudo-header alone, not complemented: to be completed by summing from `csum_start` to the end of the
packet, and stored at `csum_start + csum_offset`.
"""

from __future__ import annotations

import struct

HEADER_LENGTH = 10
NO_OFFLOAD_HEADER = bytes(HEADER_LENGTH)
"""An ordinary frame with nothing left to do."""

NEEDS_CSUM, DATA_VALID = 1, 2
VERIFIED = NEEDS_CSUM | DATA_VALID
"""The flags of a frame whose transport checksum needs no look: it has none yet, or it was found right."""

GSO_NONE, GSO_TCPV4, GSO_UDP_L4 = 0, 1, 5
GSO_ECN = 0x80  # added to GSO_TCPV4: the segments carry CWR, which belongs on the first of them alone

TCP_CHECKSUM, UDP_CHECKSUM = 16, 6
"""Where the checksum is in a header: RFC 9293 section 3.1, RFC 768."""

_HEADER = struct.Struct("<BBHHHH")
_GSO_SIZE = struct.Struct("<xxxxH")


def checksum_header(start: int, offset: int) -> bytes:
    """For a frame of one packet whose checksum, at byte `start + offset` of the frame, is partial.

    `start` is where the transport header begins, in bytes from the beginning of the frame.
    """
    return _HEADER.pack(NEEDS_CSUM, GSO_NONE, 0, 0, start, offset)


def tcp_header(start: int, tcp_length: int, gso_size: int, *, cwr: bool = False) -> bytes:
    """For a super-frame of TCP segments over IPv4 with a partial checksum.

    `start` is where the TCP header begins in the frame (link header, then an IP header with its options), `tcp_length`
    how long it is with its options, `gso_size` how many bytes of data each segment takes, the last one fewer perhaps.
    `cwr` says that the CWR flag is set.
    """
    kind = GSO_TCPV4 | GSO_ECN if cwr else GSO_TCPV4
    return _HEADER.pack(NEEDS_CSUM, kind, start + tcp_length, gso_size, start, TCP_CHECKSUM)


def gso_size(header: bytes | bytearray | memoryview) -> int:
    """How many bytes of payload each packet of a super-frame takes; 0 for a frame of one packet."""
    size: int = _GSO_SIZE.unpack_from(header)[0]
    return size if header[1] != GSO_NONE else 0
