"""The DHCP message. RFC 2131 section 2, RFC 2132, RFC 3396."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire import dhcp
from stack.wire.dhcp import DhcpMessage
from tests.requirements import rfc
from tests.wire.samples import DISCOVER, MAC_A, OVERLOADED


def reason(data: bytes) -> str:
    with pytest.raises(BadPacket) as caught:
        DhcpMessage.parse(data)
    return caught.value.reason


def test_fields_are_where_rfc_2131_has_them() -> None:
    message = DhcpMessage(
        op=1,
        htype=2,
        hops=4,
        xid=0x05060708,
        secs=0x090A,
        flags=0x8000,
        ciaddr=b"ciad",
        yiaddr=b"yiad",
        siaddr=b"siad",
        giaddr=b"giad",
        chaddr=b"chaddr",
        sname=b"sname",
        file=b"file",
        options=((dhcp.END, b""),),
    )
    data = message.build()
    assert data[:12] == bytes.fromhex("01 02 06 04 05060708 090a 8000")
    assert data[12:28] == b"ciadyiadsiadgiad"
    assert data[28:44] == b"chaddr".ljust(16, b"\0")
    assert data[44:108] == b"sname".ljust(64, b"\0")
    assert data[108:236] == b"file".ljust(128, b"\0")
    assert data[236:] == bytes((99, 130, 83, 99, 255))
    assert DhcpMessage.parse(data).build() == data
    assert message.broadcast


def test_a_discover_is_as_long_as_a_bootp_message() -> None:
    data = DISCOVER.build()
    assert len(data) == 300
    message = DhcpMessage.parse(data)
    assert message.message_type == dhcp.DISCOVER
    assert message.chaddr == MAC_A
    assert message.values() == {53: b"\x01", 12: b"here", 55: b"\x01\x03\x06"}
    assert not message.broadcast


@rfc("2131-4.1-i", "3396-4-a")
def test_overloaded_fields_come_after_the_options_file_before_sname() -> None:
    message = DhcpMessage.parse(OVERLOADED.build())
    assert message.values() == {53: b"\x05", 52: b"\x03", 121: b"\x00\x0a\x09\x00\x01", 51: b"\x00\x00\x0e\x10"}
    assert list(message.values()) == [53, 52, 121, 51]


@rfc("2132-9.3-a", "2131-4.1-e", "3396-5-b")
@pytest.mark.parametrize(("overload", "codes"), [(0, [53, 52]), (1, [53, 52, 121]), (2, [53, 52, 51])])
def test_only_the_fields_that_are_overloaded_are_read(overload: int, codes: list[int]) -> None:
    message = DhcpMessage(
        2,
        1,
        MAC_A,
        ((53, b"\x05"), (52, bytes((overload,))), (255, b"")),
        file=bytes((121, 1, 0, 255)),
        sname=bytes((51, 1, 0, 255)),
    )
    assert list(DhcpMessage.parse(message.build()).values()) == codes


@rfc("2131-4.1-j", "3396-5-a", "3396-7-b")
def test_the_parts_of_an_option_are_put_together_in_the_order_of_the_fields() -> None:
    message = DhcpMessage(
        2,
        1,
        MAC_A,
        ((121, b"a"), (53, b"\x05"), (52, b"\x03"), (121, b"b"), (255, b"")),
        file=bytes((121, 1)) + b"c" + bytes((121, 1)) + b"d" + b"\xff",
        sname=bytes((121, 1)) + b"e" + b"\xff",
    )
    assert DhcpMessage.parse(message.build()).values()[121] == b"abcde"


@rfc("2131-4.1-f", "2131-4.1-g")
def test_each_field_ends_with_its_end_option_and_padding() -> None:
    """What follows the end of a field is not read, and the next field is, from its first octet on."""
    message = DhcpMessage(
        2,
        1,
        MAC_A,
        ((53, b"\x05"), (52, b"\x03"), (255, bytes((0, 0, 12, 1, 65)))),
        file=bytes((15, 1, 66, 255, 12, 1, 67)),
        sname=bytes((0, 0, 12, 1, 68, 0, 255)),
    )
    assert DhcpMessage.parse(message.build()).values() == {53: b"\x05", 52: b"\x03", 15: b"B", 12: b"D"}


@rfc("2131-4.1-h")
@pytest.mark.parametrize(("file", "sname"), [(bytes(125) + b"\x0c\x02A", b""), (b"", bytes(62) + b"\x0c\x01")])
def test_no_option_reaches_into_the_next_field(file: bytes, sname: bytes) -> None:
    message = DhcpMessage(2, 1, MAC_A, ((53, b"\x05"), (52, b"\x03"), (255, b"")), file=file, sname=sname)
    assert reason(message.build()) == "dhcp_bad_options"


def test_a_field_full_of_pieces_is_put_together_in_one_go() -> None:
    data = DhcpMessage(2, 1, MAC_A, ((12, b"x"),) * 20000).build()
    assert DhcpMessage.parse(data).values() == {12: b"x" * 20000}


@rfc("field-dhcp-2")
@pytest.mark.parametrize(
    ("code", "pieces", "value"),
    [
        (1, [b"\xff\xff\xff\x00"] * 2, b"\xff\xff\xff\x00"),
        (51, [b"\x00\x00\x0e\x10"] * 3, b"\x00\x00\x0e\x10"),
        (53, [b"\x05", b"\x05"], b"\x05"),
        (26, [b"\x05\x78"] * 2, b"\x05\x78"),
        (1, [b"\xff\xff", b"\xff\x00"], b"\xff\xff\xff\x00"),  # cut, as RFC 3396 allows
        (1, [b"\xff\xff", b"\xff\xff"], b"\xff\xff\xff\xff"),  # equal, but not whole
        (1, [b"\xff\xff\xff\x00", b"\xff\xff\x00\x00"], b"\xff\xff\xff\x00\xff\xff\x00\x00"),  # not equal
        (1, [b"\xff\xff\xff\x00"] * 2 + [b"\xff"], b"\xff\xff\xff\x00" * 2 + b"\xff"),
        (3, [b"\x0a\x09\x00\x01"] * 2, b"\x0a\x09\x00\x01" * 2),  # a list has no fixed length
        (61, [b"\x01ab"] * 2, b"\x01ab\x01ab"),
    ],
)
def test_a_fixed_length_option_given_whole_several_times(code: int, pieces: list[bytes], value: bytes) -> None:
    message = DhcpMessage(2, 1, MAC_A, (*((code, piece) for piece in pieces), (255, b"")))
    assert DhcpMessage.parse(message.build()).values()[code] == value


@rfc("field-dhcp-2")
def test_the_repetition_may_lie_in_an_overloaded_field() -> None:
    repeated = bytes((54, 4, 10, 9, 0, 1, 255))
    message = DhcpMessage(2, 1, MAC_A, ((54, repeated[2:6]), (52, b"\x01"), (52, b"\x01"), (255, b"")), file=repeated)
    assert DhcpMessage.parse(message.build()).values() == {54: repeated[2:6], 52: b"\x01"}


@rfc("3396-6-a", "3396-6-b")
def test_long_values_are_cut_and_put_together() -> None:
    value = bytes(range(256)) * 2
    options = dhcp.make_options([(dhcp.CLASSLESS_STATIC_ROUTE, value), (dhcp.HOST_NAME, b"")])
    assert [(code, len(data)) for code, data in options] == [(121, 255), (121, 255), (121, 2), (12, 0), (255, 0)]
    assert DhcpMessage.parse(DhcpMessage(1, 1, MAC_A, options).build()).values()[121] == value


def test_a_bootp_message_has_no_type() -> None:
    assert DhcpMessage(1, 1, MAC_A, dhcp.make_options([])).message_type == 0


@rfc("2132-2-e")
def test_refusals() -> None:
    good = DISCOVER.build()
    assert reason(good[:239]) == "dhcp_truncated"
    assert reason(good[:2] + b"\x11" + good[3:]) == "dhcp_bad_hardware"
    assert reason(good[:236] + b"\0" + good[237:]) == "dhcp_bad_cookie"
    assert reason(good[:240] + b"\x0c") == "dhcp_bad_options"
    assert reason(good[:240] + b"\x0c\x02x") == "dhcp_bad_options"
    overlong = bytearray(OVERLOADED.build())
    overlong[109] = 200  # the length of the option at the start of `file`
    assert reason(bytes(overlong)) == "dhcp_bad_options"


def test_options_without_an_end_are_taken() -> None:
    data = DISCOVER.build()[:243]
    assert DhcpMessage.parse(data).values() == {53: b"\x01"}
    assert DhcpMessage.parse(data).build() == data


def test_fields_that_do_not_fit_are_our_mistake() -> None:
    for message in (DhcpMessage(1, 1, bytes(17)), DhcpMessage(1, 1, b"", sname=bytes(65))):
        with pytest.raises(ValueError, match="at most 16"):
            message.build()
