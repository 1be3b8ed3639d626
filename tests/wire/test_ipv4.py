"""The IPv4 header. RFC 791 section 3.1 and appendix A."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire.ipv4 import Ipv4Header, type_of_service

A, B = bytes((10, 9, 0, 1)), bytes((10, 9, 0, 2))


def reason(data: bytes, verify_checksum: bool = False) -> str:
    with pytest.raises(BadPacket) as caught:
        Ipv4Header.parse(data, verify_checksum)
    return caught.value.reason


def test_a_known_header() -> None:
    """The header that textbooks compute the checksum of: 0xb861."""
    data = bytes.fromhex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7") + bytes(95)
    header = Ipv4Header.parse(data)
    assert header == Ipv4Header(
        bytes((192, 168, 0, 1)), bytes((192, 168, 0, 199)), 17, 115, dont_fragment=True, checksum=0xB861
    )
    assert header.build() == data[:20]


def test_every_field_in_its_place() -> None:
    header = Ipv4Header(
        A,
        B,
        protocol=0x11,
        total_length=0x1234,
        identification=0x5678,
        more_fragments=True,
        fragment_offset=8 * 0x0123,
        ttl=0x22,
        tos=0x33,
        options=b"\x01\x01\x01\x00",
        checksum=0x4444,
    )
    assert header.build().hex(" ", 2) == "4633 1234 5678 2123 2211 4444 0a09 0001 0a09 0002 0101 0100"
    assert header.header_length == 24
    assert header.is_fragment


@pytest.mark.parametrize(("bits", "field"), [(0x80, "reserved"), (0x40, "dont_fragment"), (0x20, "more_fragments")])
def test_flags(bits: int, field: str) -> None:
    data = bytearray(Ipv4Header(A, B, 6, 20).build())
    data[6] = bits
    header = Ipv4Header.parse(data, verify_checksum=False)
    assert [name for name in ("reserved", "dont_fragment", "more_fragments") if getattr(header, name)] == [field]
    assert header.build() == data


def test_fragments() -> None:
    assert Ipv4Header(A, B, 6, 28, fragment_offset=65528).build()[6:8] == b"\x1f\xff"
    assert Ipv4Header(A, B, 6, 28, fragment_offset=8).is_fragment
    assert not Ipv4Header(A, B, 6, 28, dont_fragment=True).is_fragment


def test_type_of_service_old_and_new() -> None:
    """RFC 791: 110 internetwork control, low delay, high reliability; RFC 2474 reads the same bits as a DSCP."""
    header = Ipv4Header(A, B, 6, 20, tos=0b110_1010_1)
    assert (header.precedence, header.service) == (6, 0b1010)
    assert (header.dscp, header.ecn) == (0b110101, 0b01)
    assert type_of_service(dscp=0b110101, ecn=1) == header.tos
    assert type_of_service(dscp=46) == 0xB8  # expedited forwarding
    for dscp, ecn in ((64, 0), (-1, 0), (0, 4)):
        with pytest.raises(ValueError, match="DSCP"):
            type_of_service(dscp=dscp, ecn=ecn)


def test_refusals() -> None:
    good = Ipv4Header(A, B, 6, 24).build() + bytes(4)
    assert reason(good[:19]) == "ipv4_truncated"
    assert reason(b"\x65" + good[1:]) == "ipv4_bad_version"
    assert reason(b"\x44" + good[1:]) == "ipv4_bad_header_length"
    assert reason(b"\x4f" + good[1:]) == "ipv4_bad_header_length"
    assert reason(good[:23]) == "ipv4_bad_total_length"
    assert reason(good[:2] + b"\x00\x13" + good[4:]) == "ipv4_bad_total_length"
    assert reason(good[:8] + b"\x00" + good[9:], verify_checksum=True) == "ipv4_bad_checksum"


def test_options_are_under_the_checksum() -> None:
    good = Ipv4Header(A, B, 6, 24, options=b"\x94\x04\x00\x00").build()
    assert Ipv4Header.parse(good).options == b"\x94\x04\x00\x00"
    assert reason(good[:23] + b"\x01", verify_checksum=True) == "ipv4_bad_checksum"


def test_padding_after_the_datagram_is_not_part_of_it() -> None:
    data = Ipv4Header(A, B, 6, 21).build() + b"x" + bytes(25)
    header = Ipv4Header.parse(data)
    assert data[header.header_length : header.total_length] == b"x"


def test_a_quoted_header_may_have_lost_its_payload() -> None:
    data = Ipv4Header(A, B, 6, 1500).build() + bytes(8)
    assert reason(data) == "ipv4_bad_total_length"
    assert Ipv4Header.parse(data, quoted=True).total_length == 1500


@pytest.mark.parametrize("options", [b"\x01", bytes(44)])
def test_options_that_do_not_fit_are_our_mistake(options: bytes) -> None:
    with pytest.raises(ValueError, match="multiple of 4"):
        Ipv4Header(A, B, 6, 20, options=options).build()


@pytest.mark.parametrize("offset", [4, 65536, -8])
def test_offsets_that_do_not_fit_are_our_mistake(offset: int) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        Ipv4Header(A, B, 6, 20, fragment_offset=offset).build()
