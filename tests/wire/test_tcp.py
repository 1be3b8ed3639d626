"""The TCP header. RFC 9293 section 3.1."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire import tcp
from stack.wire.checksum import pseudo_sum, verify
from stack.wire.tcp import TcpHeader, build_segment, flag_names

A, B = bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2))


def test_fields_are_where_rfc_9293_has_them() -> None:
    header = TcpHeader(0x1111, 0x2222, 0x33333333, 0x44444444, 0x12, 0x5555, 0x6666, b"\x02\x04\x05\xb4", 0x7777, 0x9)
    expected = bytes.fromhex("1111 2222 33333333 44444444 69 12 5555 7777 6666 020405b4")
    assert header.build() == expected
    assert TcpHeader.parse(expected + b"payload") == header
    assert header.header_length == 24


@pytest.mark.parametrize(
    ("bit", "name"),
    [(1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG"), (64, "ECE"), (128, "CWR")],
)
def test_flags(bit: int, name: str) -> None:
    assert getattr(tcp, name) == bit
    assert flag_names(bit) == name


def test_flags_together() -> None:
    assert flag_names(tcp.SYN | tcp.ACK) == "SYN,ACK"
    assert flag_names(0) == "none"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(19), "tcp_truncated"),
        (bytes(12) + b"\x40" + bytes(7), "tcp_bad_data_offset"),
        (bytes(12) + b"\x60" + bytes(10), "tcp_bad_data_offset"),
        (bytes(12) + b"\xf0" + bytes(46), "tcp_bad_data_offset"),
    ],
)
def test_refusals(data: bytes, reason: str) -> None:
    with pytest.raises(BadPacket, match=reason):
        TcpHeader.parse(data)


@pytest.mark.parametrize("payload", [b"", b"odd", b"even"])
def test_checksum_over_pseudo_header_and_payload(payload: bytes) -> None:
    header = TcpHeader(1, 2, 3, 4, tcp.ACK, 5, checksum=0xDEAD)
    pseudo = pseudo_sum(A, B, 6, 20 + len(payload))
    segment = build_segment(header, payload, pseudo)
    assert verify(segment, pseudo)
    assert segment[:16] + segment[18:] == header.build()[:16] + header.build()[18:] + payload
    assert not verify(segment, pseudo + 1)


@pytest.mark.parametrize("options", [b"\x01", bytes(44)])
def test_options_that_do_not_fit_are_our_mistake(options: bytes) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        TcpHeader(1, 2, 3, 4, 0, 0, options=options).build()
