"""ICMP messages. RFC 792, RFC 950, RFC 1191, RFC 1122 section 3.2.2."""

from __future__ import annotations

import pytest

from stack.errors import BadPacket
from stack.wire import icmp
from stack.wire.icmp import IcmpMessage
from stack.wire.numbers import ICMP_CODES, ICMP_TYPES
from tests.wire.samples import IP_A, IP_B, QUOTED

GATEWAY = bytes((10, 9, 0, 254))
MESSAGES = [
    (icmp.echo_request(0x1234, 0x5678, b"data"), "0800 0000 1234 5678 64617461"),
    (icmp.echo_reply(0x1234, 0x5678, b"data"), "0000 0000 1234 5678 64617461"),
    (icmp.unreachable(icmp.PORT_UNREACHABLE, QUOTED), "0303 0000 0000 0000" + QUOTED.hex()),
    (icmp.unreachable(icmp.FRAGMENTATION_NEEDED, QUOTED, 1400), "0304 0000 0000 0578" + QUOTED.hex()),
    (icmp.source_quench(QUOTED), "0400 0000 0000 0000" + QUOTED.hex()),
    (icmp.redirect(icmp.REDIRECT_HOST, GATEWAY, QUOTED), "0501 0000 0a09 00fe" + QUOTED.hex()),
    (icmp.time_exceeded(icmp.REASSEMBLY_EXCEEDED, QUOTED), "0b01 0000 0000 0000" + QUOTED.hex()),
    (icmp.parameter_problem(20, QUOTED), "0c00 0000 1400 0000" + QUOTED.hex()),
    (icmp.parameter_problem(0, QUOTED, icmp.REQUIRED_OPTION_MISSING), "0c01 0000 0000 0000" + QUOTED.hex()),
    (icmp.timestamp_request(1, 2, 3), "0d00 0000 0001 0002 00000003 00000000 00000000"),
    (icmp.timestamp_reply(1, 2, 3, 4, 5), "0e00 0000 0001 0002 00000003 00000004 00000005"),
    (icmp.information_request(1, 2), "0f00 0000 0001 0002"),
    (icmp.information_reply(1, 2), "1000 0000 0001 0002"),
    (icmp.mask_request(1, 2), "1100 0000 0001 0002 00000000"),
    (icmp.mask_reply(1, 2, b"\xff\xff\xff\0"), "1200 0000 0001 0002 ffffff00"),
]


def reason(data: bytes) -> str:
    with pytest.raises(BadPacket) as caught:
        IcmpMessage.parse(data)
    return caught.value.reason


@pytest.mark.parametrize(("message", "expected"), MESSAGES, ids=lambda value: getattr(value, "type", None))
def test_every_kind_in_both_directions(message: IcmpMessage, expected: str) -> None:
    built = message.build()
    assert built[:2] + b"\0\0" + built[4:] == bytes.fromhex(expected)
    parsed = IcmpMessage.parse(built)
    assert (parsed.type, parsed.code, parsed.rest, parsed.body) == (
        message.type,
        message.code,
        message.rest,
        message.body,
    )
    assert parsed.build() == built
    assert ICMP_TYPES[message.type]


def test_a_known_checksum() -> None:
    """An echo request as ping sends it: 0xf7ff - identifier - sequence with no data."""
    assert icmp.echo_request(1, 1).build() == bytes.fromhex("0800 f7fd 0001 0001")


@pytest.mark.parametrize("code", range(16))
def test_all_codes_of_unreachable(code: int) -> None:
    message = IcmpMessage.parse(icmp.unreachable(code, QUOTED).build())
    assert (message.type, message.code, message.is_error) == (icmp.UNREACHABLE, code, True)
    assert ICMP_CODES[icmp.UNREACHABLE, code]


def test_fields_of_each_kind() -> None:
    assert (icmp.echo_request(7, 9).identifier, icmp.echo_request(7, 9).sequence) == (7, 9)
    assert icmp.unreachable(4, b"", 1400).next_hop_mtu == 1400
    assert icmp.redirect(0, GATEWAY, b"").gateway == GATEWAY
    assert icmp.parameter_problem(33, b"").pointer == 33
    assert icmp.timestamp_reply(1, 2, 3, 4, 5).timestamps == (3, 4, 5)
    assert icmp.mask_reply(1, 2, b"\xff\xff\0\0").mask == b"\xff\xff\0\0"


def test_errors_and_queries_are_told_apart() -> None:
    errors = {message.type for message, _ in MESSAGES if message.is_error}
    assert errors == {3, 4, 5, 11, 12}
    assert {message.type for message, _ in MESSAGES} == errors | set(icmp.QUERIES)


def test_the_quoted_datagram() -> None:
    header, payload = icmp.unreachable(icmp.PORT_UNREACHABLE, QUOTED).quoted()
    assert (header.source, header.destination, header.protocol) == (IP_A, IP_B, 17)
    assert payload == QUOTED[20:]


@pytest.mark.parametrize("quoted", [b"", QUOTED[:19], QUOTED[:27], b"\x65" + QUOTED[1:]])
def test_quotes_too_short_or_wrong(quoted: bytes) -> None:
    with pytest.raises(BadPacket, match="icmp_bad_quote"):
        icmp.unreachable(icmp.PORT_UNREACHABLE, quoted).quoted()


def test_refusals() -> None:
    echo = icmp.echo_request(1, 2, b"x").build()
    assert reason(echo[:7]) == "icmp_truncated"
    assert reason(echo[:-1] + b"y") == "icmp_bad_checksum"
    assert reason(IcmpMessage(icmp.TIMESTAMP_REQUEST, 0, bytes(4), bytes(11)).build()) == "icmp_truncated"
    assert reason(IcmpMessage(icmp.MASK_REPLY, 0, bytes(4), bytes(3)).build()) == "icmp_truncated"


def test_a_wrong_checksum_can_be_kept() -> None:
    bent = icmp.echo_request(1, 2).build()[:-1] + b"\x99"
    assert IcmpMessage.parse(bent, verify_checksum=False).build() == bent


def test_the_second_word_has_four_bytes() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        IcmpMessage(icmp.ECHO_REPLY, 0, b"\0").build()
