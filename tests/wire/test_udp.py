"""The UDP header and its checksum. RFC 768, RFC 1122 section 4.1.3.4."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire.checksum import pseudo_sum
from stack.wire.udp import UdpHeader, build_datagram, checksum_ok

A, B = bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2))


def test_fields_are_where_rfc_768_has_them() -> None:
    header = UdpHeader(0x1111, 0x2222, 0x000A, 0x4444)
    data = bytes.fromhex("1111 2222 000a 4444") + b"hi"
    assert header.build() == data[:8]
    assert UdpHeader.parse(data + b"padding") == header


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(7), "udp_truncated"),
        (bytes.fromhex("0001 0002 0007 0000"), "udp_bad_length"),
        (bytes.fromhex("0001 0002 0000 0000"), "udp_bad_length"),
        (bytes.fromhex("0001 0002 0009 0000"), "udp_bad_length"),
    ],
)
def test_refusals(data: bytes, reason: str) -> None:
    with pytest.raises(BadPacket, match=reason):
        UdpHeader.parse(data)


def test_a_quoted_header_may_have_lost_its_payload() -> None:
    assert UdpHeader.parse(bytes.fromhex("0001 0002 0009 0000"), quoted=True).length == 9


def test_checksum_over_pseudo_header_and_odd_payload() -> None:
    pseudo = pseudo_sum(A, B, 17, 11)
    datagram = build_datagram(1, 2, b"abc", pseudo)
    # 0a09+0001+0a09+0002 + 0011 + 000b + 0001+0002+000b + 6162+6300
    assert datagram[6:8] == (0xFFFF - 0xD8A1).to_bytes(2, "big")
    assert checksum_ok(datagram, pseudo)
    assert not checksum_ok(datagram[:-1] + b"d", pseudo)
    assert not checksum_ok(datagram, pseudo + 1)


def test_zero_means_none_and_is_never_sent() -> None:
    pseudo = pseudo_sum(A, B, 17, 10)
    without = build_datagram(1, 2, bytes(2), pseudo)
    payload = without[6:8]  # makes the sum 0xFFFF, whose complement would be 0
    datagram = build_datagram(1, 2, payload, pseudo)
    assert datagram[6:8] == b"\xff\xff"
    assert checksum_ok(datagram, pseudo)
    assert checksum_ok(datagram[:6] + b"\0\0" + b"zz", pseudo)
