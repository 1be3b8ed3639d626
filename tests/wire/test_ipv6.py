"""IPv6 and extension headers, addresses as text, ICMPv6. RFC 8200, RFC 5952, RFC 4443, RFC 4861."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.errors import BadPacket
from stack.wire import icmpv6, ipv6
from stack.wire.checksum import pseudo_sum
from stack.wire.icmpv6 import Icmpv6Message, NdOption
from stack.wire.ipv6 import ExtensionHeader, Ipv6Header, Ipv6Option, format_ipv6, split_options
from stack.wire.numbers import ICMPV6_CODES, ICMPV6_TYPES, PROTO_IPV6_ICMP, PROTO_UDP
from tests.wire.ipv6_frames import FRAMES
from tests.wire.tshark import ETHERNET, needs_tshark, read

repeatable = settings(derandomize=True, max_examples=500, deadline=None)
A, B = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")
STATION = bytes.fromhex("020000000001")
ICMP_FRAMES = ("router solicitation", "neighbor solicitation", "neighbor advertisement", "echo request", "no route",
               "port unreachable", "router advertisement", "listener report")  # fmt: skip


def packet(name: str) -> bytes:
    return FRAMES[name][14:]


def message(name: str) -> tuple[Ipv6Header, bytes]:
    """The header, and the ICMPv6 message behind all extension headers."""
    data = packet(name)
    header = Ipv6Header.parse(data)
    kind, at = header.next_header, 40
    while kind in ipv6.EXTENSIONS:
        extension = ExtensionHeader.parse(kind, data[at:])
        kind, at = extension.next_header, at + extension.length
    assert kind == PROTO_IPV6_ICMP
    return header, data[at:]


# --- addresses as text


# RFC 5952 sections 4 and 5
@pytest.mark.parametrize(
    ("groups", "text"),
    [
        ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("2001:0db8:0000:0000:0000:0000:0002:0001", "2001:db8::2:1"),
        ("2001:0db8:0000:0001:0001:0001:0001:0001", "2001:db8:0:1:1:1:1:1"),
        ("2001:0000:0000:0001:0000:0000:0000:0001", "2001:0:0:1::1"),
        ("2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"),
        ("2001:0DB8:AAAA:BBBB:CCCC:DDDD:EEEE:00FF", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ff"),
        ("0000:0000:0000:0000:0000:0000:0000:0000", "::"),
        ("0000:0000:0000:0000:0000:0000:0000:0001", "::1"),
        ("0001:0000:0000:0000:0000:0000:0000:0000", "1::"),
        ("0000:0000:0000:0000:0000:ffff:c000:0201", "::ffff:192.0.2.1"),
    ],
)
def test_addresses_in_the_canonical_form(groups: str, text: str) -> None:
    assert format_ipv6(bytes.fromhex(groups.replace(":", ""))) == text


@repeatable
@given(st.lists(st.sampled_from([0, 0, 0, 1, 0x20, 0xFFFF]), min_size=8, max_size=8))
def test_addresses_are_written_as_by_another_library(groups: list[int]) -> None:
    octets = b"".join(group.to_bytes(2, "big") for group in groups)
    if not octets.startswith(ipv6.MAPPED_IPV4):
        assert format_ipv6(octets) == str(ipaddress.IPv6Address(octets))
    assert ipaddress.IPv6Address(format_ipv6(octets)).packed == octets


# --- the header


def test_fields_are_where_rfc_8200_has_them() -> None:
    data = bytes.fromhex("6abcdef0 0003 3a ff") + A + B + b"abc"
    header = Ipv6Header.parse(data)
    assert header == Ipv6Header(A, B, 58, 3, 255, 0xAB, 0xCDEF0)
    assert (header.dscp, header.ecn, header.build()) == (0x2A, 3, data[:40])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(39), "ipv6_truncated"),
        (b"\x45" + bytes(39), "ipv6_bad_version"),
        (Ipv6Header(A, B, 59, 1).build(), "ipv6_bad_payload_length"),
    ],
)
def test_refusals(data: bytes, reason: str) -> None:
    with pytest.raises(BadPacket) as refused:
        Ipv6Header.parse(data)
    assert refused.value.reason == reason


def test_a_quoted_header_may_have_lost_its_payload() -> None:
    assert Ipv6Header.parse(Ipv6Header(A, B, 59, 1).build(), quoted=True).payload_length == 1


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_headers_of_linux_are_built_back(name: str) -> None:
    data = packet(name)
    header = Ipv6Header.parse(data)
    assert header.build() == data[:40]
    assert header.payload_length == len(data) - 40


# --- extension headers


def test_a_fragment_of_linux() -> None:
    header = ExtensionHeader.parse(ipv6.FRAGMENT, packet("last fragment")[40:])
    assert (header.next_header, header.fragment_offset, header.more_fragments) == (58, 1448, False)
    assert header.identification == int.from_bytes(packet("last fragment")[44:48], "big")
    assert header.build() == packet("last fragment")[40:48]
    assert ExtensionHeader.parse(ipv6.FRAGMENT, bytes.fromhex("3a00 0009 00000001")).more_fragments


def test_destination_options_of_linux() -> None:
    data = packet("UDP with destination options")[40:]
    header = ExtensionHeader.parse(ipv6.DESTINATION_OPTIONS, data)
    assert (header.next_header, header.length) == (PROTO_UDP, 8)
    assert split_options(header.data) == (Ipv6Option(ipv6.PAD_N, bytes(4)),)


def test_the_router_alert_of_a_listener_report() -> None:
    """RFC 3810 section 5: a report has a hop-by-hop option for routers."""
    header = ExtensionHeader.parse(ipv6.HOP_BY_HOP, packet("listener report")[40:])
    options = split_options(header.data)
    assert [(option.type, option.data) for option in options] == [(ipv6.ROUTER_ALERT, bytes(2)), (ipv6.PAD_N, b"")]


@pytest.mark.parametrize(
    ("kind", "second", "length"),
    [(ipv6.ROUTING, 0, 8), (ipv6.ROUTING, 2, 24), (ipv6.FRAGMENT, 255, 8), (ipv6.AUTHENTICATION, 4, 24)],
)
def test_the_length_of_extension_headers(kind: int, second: int, length: int) -> None:
    data = bytes((59, second)) + bytes(range(62))
    header = ExtensionHeader.parse(kind, data)
    assert (header.length, header.build()) == (length, data[:length])
    for short in (data[: length - 1], b"", data[:7]):
        with pytest.raises(BadPacket, match="ipv6_bad_extension"):
            ExtensionHeader.parse(kind, short)


def test_what_the_bits_of_an_option_type_say() -> None:
    assert [Ipv6Option(kind).action for kind in (0x05, 0x45, 0x85, 0xC5)] == list(ipv6.ACTIONS)
    assert [Ipv6Option(kind).may_change for kind in (0x05, 0x25)] == [False, True]


@pytest.mark.parametrize("data", [b"\x01", b"\x01\x01", b"\0\x05\x02\0"])
def test_options_past_the_header_are_refused(data: bytes) -> None:
    with pytest.raises(BadPacket, match="ipv6_bad_option"):
        split_options(data)


@repeatable
@given(st.lists(st.builds(Ipv6Option, st.integers(1, 255), st.binary(max_size=255)) | st.just(Ipv6Option(0))))
def test_options_are_read_back(options: list[Ipv6Option]) -> None:
    assert split_options(b"".join(option.build() for option in options)) == tuple(options)


# --- ICMPv6


@pytest.mark.parametrize("name", ICMP_FRAMES)
def test_messages_of_linux(name: str) -> None:
    header, data = message(name)
    found = Icmpv6Message.parse(data)
    assert found.build() == data
    pseudo = pseudo_sum(header.source, header.destination, PROTO_IPV6_ICMP, len(data))
    assert Icmpv6Message.parse(data, pseudo) == found
    with pytest.raises(BadPacket, match="icmpv6_bad_checksum"):
        Icmpv6Message.parse(data, pseudo + 1)
    words = ICMPV6_TYPES[found.type]
    if found.is_error:
        assert (words, ICMPV6_CODES[found.type, found.code]) == ("destination unreachable", name)
    else:
        assert words.startswith("multicast listener report" if name == "listener report" else name)


def test_neighbour_discovery_has_options() -> None:
    found = Icmpv6Message.parse(message("neighbor solicitation")[1])
    assert found.body[4:20] == B
    assert found.options() == (NdOption(icmpv6.SOURCE_LINK_LAYER, STATION),)
    offered = [option.type for option in Icmpv6Message.parse(message("router advertisement")[1]).options()]
    assert offered == [icmpv6.PREFIX_INFORMATION, icmpv6.MTU, icmpv6.SOURCE_LINK_LAYER]


def test_the_records_of_a_listener_report() -> None:
    found = Icmpv6Message.parse(message("listener report")[1])
    ((begin, end),) = found.records()
    assert (begin, end) == (4, 24)
    assert icmpv6.RECORD_TYPES[found.body[begin]] == "CHANGE_TO_EXCLUDE_MODE"
    assert format_ipv6(found.body[begin + 4 : end]).startswith("ff02::")


def test_the_widths_of_all_bodies_are_whole_octets() -> None:
    tables = [*icmpv6.BODIES.values(), *icmpv6.OPTION_BODIES.values(), icmpv6.QUERY_2, icmpv6.RECORD]
    assert [sum(width for _, width in table) % 8 for table in tables] == [0] * len(tables)
    lengths = {icmpv6.BODIES[kind]: sum(width for _, width in icmpv6.BODIES[kind]) // 8 for kind in icmpv6.BODIES}
    assert lengths[icmpv6.BODIES[icmpv6.ROUTER_ADVERTISEMENT]] == 12
    assert lengths[icmpv6.BODIES[icmpv6.REDIRECT]] == 36
    assert sum(width for _, width in icmpv6.OPTION_BODIES[icmpv6.PREFIX_INFORMATION]) == 30 * 8


def test_a_query_of_version_2_is_longer() -> None:
    assert Icmpv6Message(icmpv6.LISTENER_QUERY, 0, 0, bytes(20)).fixed_length == 20
    assert Icmpv6Message(icmpv6.LISTENER_QUERY, 0, 0, bytes(24)).fixed_length == 24


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(3), "icmpv6_truncated"),
        (bytes((128, 0, 0, 0)) + bytes(3), "icmpv6_truncated"),
        (bytes((135, 0, 0, 0)) + bytes(19), "icmpv6_truncated"),
        (bytes((133, 0, 0, 0)) + bytes(4) + b"\1", "icmpv6_bad_option"),
        (bytes((133, 0, 0, 0)) + bytes(4) + b"\1\0" + bytes(6), "icmpv6_bad_option"),
        (bytes((133, 0, 0, 0)) + bytes(4) + b"\1\2" + bytes(6), "icmpv6_bad_option"),
        (bytes((143, 0, 0, 0)) + b"\0\0\0\1" + bytes(19), "icmpv6_bad_record"),
        (bytes((143, 0, 0, 0)) + b"\0\0\0\1" + b"\1\0\0\1" + bytes(31), "icmpv6_bad_record"),
        (bytes((143, 0, 0, 0)) + b"\0\0\0\1" + b"\1\1\0\0" + bytes(19), "icmpv6_bad_record"),
    ],
)
def test_refusals_of_messages(data: bytes, reason: str) -> None:
    with pytest.raises(BadPacket) as refused:
        Icmpv6Message.parse(data)
    assert refused.value.reason == reason


# --- beside tshark


@needs_tshark
def test_tshark_reads_the_same(tmp_path: Path) -> None:
    names = "ipv6.tclass ipv6.flow ipv6.plen ipv6.nxt ipv6.hlim ipv6.src ipv6.dst icmpv6.type icmpv6.code".split()
    names += ["icmpv6.opt.type", "icmpv6.checksum.status", "ipv6.fraghdr.offset", "ipv6.fraghdr.ident"]
    rows = read(tmp_path, list(FRAMES.values()), names, link=ETHERNET)
    assert len(rows) == len(FRAMES)
    for (name, frame), row in zip(FRAMES.items(), rows, strict=True):
        header = Ipv6Header.parse(frame[14:])
        first = [value[0] for value in row[:7]]
        assert [int(value, 0) for value in first[:5]] == [
            header.traffic_class, header.flow_label, header.payload_length, header.next_header, header.hop_limit,
        ]  # fmt: skip
        assert first[5:] == [format_ipv6(header.source), format_ipv6(header.destination)]
        if name in ICMP_FRAMES:
            found = Icmpv6Message.parse(message(name)[1])
            assert [int(value[0]) for value in row[7:9]] == [found.type, found.code]
            assert [int(value) for value in row[9]] == [option.type for option in found.options()]
            assert row[10][0] == "1"
        if name == "last fragment":
            extension = ExtensionHeader.parse(ipv6.FRAGMENT, frame[54:])
            assert [int(value[0], 0) for value in row[11:]] == [
                extension.fragment_offset // 8, extension.identification,
            ]  # fmt: skip
