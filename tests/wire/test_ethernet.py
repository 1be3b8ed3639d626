"""Ethernet II, IEEE 802.3 with LLC and SNAP, 802.1Q: the bytes of the standards, in both
directions.
"""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire.ethernet import EthernetHeader, LlcHeader, VlanTag, ethernet_ii, snap_header

TO = bytes.fromhex("0180c2000000")
FROM = bytes.fromhex("020000000001")


def reason(data: bytes) -> str:
    with pytest.raises(BadPacket) as caught:
        EthernetHeader.parse(data)
    return caught.value.reason


def test_ethernet_ii() -> None:
    data = TO + FROM + b"\x08\x00" + b"payload"
    header = EthernetHeader.parse(data)
    assert header == EthernetHeader(TO, FROM, 0x0800)
    assert header.header_length == 14
    assert header.build() == data[:14] == ethernet_ii(TO, FROM, 0x0800)
    assert bytes(header.payload(data)) == b"payload"


@pytest.mark.parametrize("ethertype", [0x0600, 0x0800, 0xFFFF])
def test_from_0600_it_is_a_type(ethertype: int) -> None:
    assert EthernetHeader.parse(TO + FROM + ethertype.to_bytes(2, "big")).ethertype == ethertype


@pytest.mark.parametrize("field", [1501, 0x05FF])
def test_between_length_and_type_there_is_nothing(field: int) -> None:
    assert reason(TO + FROM + field.to_bytes(2, "big") + bytes(1600)) == "ethernet_bad_length"


def test_802_3_with_llc_a_spanning_tree_frame() -> None:
    data = TO + FROM + bytes.fromhex("0026 424203") + bytes(35) + b"padding."
    header = EthernetHeader.parse(data)
    assert header == EthernetHeader(TO, FROM, 0, length=38, llc=LlcHeader(0x42, 0x42))
    assert header.header_length == 17
    assert header.build() == data[:17]
    assert bytes(header.payload(data)) == bytes(35)


def test_802_3_numbered_frames_have_two_bytes_of_control() -> None:
    header = EthernetHeader.parse(TO + FROM + bytes.fromhex("0005 f0f10102 99"))
    assert header.llc == LlcHeader(0xF0, 0xF1, b"\x01\x02")
    assert header.header_length == 18


def test_802_3_snap_names_an_ethertype() -> None:
    """RFC 1042: DSAP and SSAP 170, control 3, organization 0, then the EtherType."""
    data = TO + FROM + bytes.fromhex("000c aaaa03 000000 0806") + b"load" + bytes(34)
    header = EthernetHeader.parse(data)
    assert header == snap_header(TO, FROM, 0x0806, 4)
    assert header.ethertype == 0x0806
    assert header.header_length == 22
    assert header.build() == data[:22]
    assert bytes(header.payload(data)) == b"load"


def test_802_3_snap_of_another_organization_names_none() -> None:
    header = EthernetHeader.parse(TO + FROM + bytes.fromhex("0008 aaaa03 00000c 2000"))
    assert header.ethertype == 0
    assert header.llc == LlcHeader(0xAA, 0xAA, b"\x03", b"\x00\x00\x0c", 0x2000)


def test_802_1q_tag() -> None:
    data = TO + FROM + bytes.fromhex("8100 b064 0806") + bytes(28)
    header = EthernetHeader.parse(data)
    assert header == EthernetHeader(TO, FROM, 0x0806, (VlanTag(100, priority=5, drop_eligible=True),))
    assert header.header_length == 18
    assert header.build() == data[:18]


def test_802_1ad_two_tags_and_a_length() -> None:
    data = TO + FROM + bytes.fromhex("88a8 0001 8100 0fff 0003 e0e003") + bytes(40)
    header = EthernetHeader.parse(data)
    assert header.tags == (VlanTag(1, tpid=0x88A8), VlanTag(4095))
    assert (header.length, header.header_length) == (3, 25)
    assert bytes(header.payload(data)) == b""
    assert header.build() == data[:25]


def test_more_tags_are_refused() -> None:
    assert reason(TO + FROM + bytes.fromhex("8100 0001") * 3 + b"\x08\x00") == "ethernet_too_many_tags"


@pytest.mark.parametrize("size", [0, 13])
def test_too_short(size: int) -> None:
    assert reason(bytes(size)) == "ethernet_truncated"


def test_cut_in_a_tag() -> None:
    assert reason(TO + FROM + bytes.fromhex("8100 0001 08")) == "ethernet_truncated"


@pytest.mark.parametrize(
    "tail",
    [
        "0000 424203",  # no room for LLC in the length
        "0002 424203",
        "0003 f0f00102",  # numbered, which needs 4
        "0007 aaaa03 000000 0806",  # SNAP, which needs 8
        "0009 aaaa03 000000 0806",  # a length beyond the frame
    ],
)
def test_length_fields_that_lie(tail: str) -> None:
    assert reason(TO + FROM + bytes.fromhex(tail)) == "ethernet_bad_length"


def test_snap_and_header_must_agree() -> None:
    llc = LlcHeader(0xAA, 0xAA, b"\x03", bytes(3), 0x0800)
    with pytest.raises(ValueError, match="EtherType"):
        EthernetHeader(TO, FROM, 0x0806, length=8, llc=llc).build()
