"""ARP, RARP and InARP packets. RFC 826, RFC 903, RFC 2390."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire import arp
from stack.wire.arp import ArpPacket
from tests.requirements import rfc

MAC_X, MAC_Y = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
IP_X, IP_Y = bytes((10, 9, 0, 10)), bytes((10, 9, 0, 11))
REPLY = bytes.fromhex("0001 0800 06 04 0002 02000000000a 0a09000a 02000000000b 0a09000b")


def reason(data: bytes) -> str:
    with pytest.raises(BadPacket) as caught:
        ArpPacket.parse(data)
    return caught.value.reason


@rfc("826-why-a")
def test_fields_are_where_rfc_826_has_them() -> None:
    packet = ArpPacket(arp.REPLY, MAC_X, IP_X, MAC_Y, IP_Y)
    assert packet.build() == REPLY
    assert ArpPacket.parse(REPLY + bytes(18)) == packet


@pytest.mark.parametrize("operation", range(1, 10))
def test_all_nine_operations_have_names_and_pass_unchanged(operation: int) -> None:
    data = REPLY[:6] + operation.to_bytes(2, "big") + REPLY[8:]
    packet = ArpPacket.parse(data)
    assert packet.operation == operation
    assert arp.OPERATIONS[operation]
    assert packet.build() == data


def test_operation_names() -> None:
    assert [arp.OPERATIONS[number] for number in (1, 2, 3, 4, 9)] == [
        "request",
        "reply",
        "reverse request",
        "reverse reply",
        "inverse reply",
    ]
    assert list(arp.OPERATIONS) == list(range(1, 10))


def test_an_unknown_operation_is_for_the_receiver_to_ignore() -> None:
    assert ArpPacket.parse(REPLY[:6] + b"\xff\xff" + REPLY[8:]).operation == 0xFFFF


def test_ieee_802_stations_may_say_hardware_type_6() -> None:
    data = b"\x00\x06" + REPLY[2:]
    assert ArpPacket.parse(data).hardware_type == 6
    assert ArpPacket.parse(data).build() == data


@rfc("826-rcv-b", "826-rcv-d")
def test_refusals() -> None:
    assert reason(REPLY[:27]) == "arp_truncated"
    assert reason(b"\x00\x0f" + REPLY[2:]) == "arp_bad_hardware"
    assert reason(REPLY[:4] + b"\x08" + REPLY[5:]) == "arp_bad_hardware"
    assert reason(REPLY[:2] + b"\x86\xdd" + REPLY[4:]) == "arp_bad_protocol"
    assert reason(REPLY[:5] + b"\x10" + REPLY[6:]) == "arp_bad_protocol"
