"""Corrects the lengths and checksums of a frame that a test has changed, so that it reaches the
layers above.
"""

from __future__ import annotations

from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP, PROTO_UDP

CHECKSUM_AT = {PROTO_ICMP: 2, PROTO_TCP: 16, PROTO_UDP: 6}


def repair(frame: bytearray) -> None:
    """Give what still looks like an IPv4 packet the lengths and checksums that its bytes should have."""
    if len(frame) < 34 or frame[14] >> 4 != 4:
        return
    header_length = (frame[14] & 15) * 4
    total_length = int.from_bytes(frame[16:18], "big")
    if not 20 <= header_length <= len(frame) - 14:
        return
    if not header_length <= total_length <= len(frame) - 14:
        total_length = len(frame) - 14
        frame[16:18] = total_length.to_bytes(2, "big")
    frame[24:26] = b"\0\0"
    frame[24:26] = internet_checksum(frame[14 : 14 + header_length]).to_bytes(2, "big")
    begin, end, protocol = 14 + header_length, 14 + total_length, frame[23]
    at = CHECKSUM_AT.get(protocol)
    if at is None or end - begin < at + 2 or frame[20] & 0x3F or frame[21]:
        return
    frame[begin + at : begin + at + 2] = b"\0\0"
    length = end - begin
    pseudo = 0 if protocol == PROTO_ICMP else pseudo_sum(bytes(frame[26:30]), bytes(frame[30:34]), protocol, length)
    frame[begin + at : begin + at + 2] = internet_checksum(frame[begin:end], pseudo).to_bytes(2, "big")
