"""IPv6, its extension headers and ICMPv6 as layers and fields."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.dissection.layer import Layer
from stack.dissection.walk import EXTENSIONS_MAX
from stack.wire import icmpv6, ipv6
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ipv6 import Ipv6Header
from tests.dissection.again import check
from tests.wire.ipv6_frames import FRAMES
from tests.wire.tshark import ETHERNET, needs_tshark, read

repeatable = settings(derandomize=True, max_examples=300, deadline=None)
A, B = bytes.fromhex("20010db8" + "00" * 11 + "01"), bytes.fromhex("20010db8" + "00" * 11 + "02")


def packet(next_header: int, payload: bytes) -> bytes:
    return Ipv6Header(A, B, next_header, len(payload)).build() + payload


def message(kind: int, body: bytes, code: int = 0) -> bytes:
    """An ICMPv6 packet with its checksum."""
    head = bytes((kind, code, 0, 0)) + body
    checksum = internet_checksum(head, pseudo_sum(A, B, 58, len(head)))
    return packet(58, head[:2] + checksum.to_bytes(2, "big") + body)


def words(layer: Layer) -> dict[str, str]:
    return {field.name: field.words for field in layer.fields}


def values(layer: Layer) -> dict[str, int | bytes]:
    return {field.name: field.value for field in layer.fields}


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "neighbor solicitation",
            [
                "IPv6 2001:db8::1 > ff02::1:ff00:2, IPv6-ICMP, length 72, hop limit 255",
                "ICMPv6 neighbor solicitation, target 2001:db8::2, source link-layer address 02:00:00:00:00:01",
            ],
        ),
        (
            "listener report",
            [
                "IPv6 fe80::ff:fe00:1 > ff02::16, hop-by-hop options header, length 76, hop limit 1",
                "IPv6 hop-by-hop options, IPv6-ICMP, options [router alert]",
                "ICMPv6 multicast listener report version 2, group ff02::1:ff00:1",
            ],
        ),
        (
            "port unreachable",
            [
                "IPv6 2001:db8::2 > 2001:db8::1, IPv6-ICMP, length 101, hop limit 64, flow label 0x3eba7",
                "ICMPv6 destination unreachable (port unreachable)",
                "    IPv6 2001:db8::1 > 2001:db8::2, UDP, length 53, hop limit 64, flow label 0x688aa",
                "    UDP 35329 > 9999, length 13",
                '    data 5 bytes "hello"',
            ],
        ),
        (
            "UDP",
            [
                "IPv6 2001:db8::1 > 2001:db8::2, UDP, length 53, hop limit 64, flow label 0x688aa",
                "UDP 35329 > 9999, length 13, checksum left to the device",
                'data 5 bytes "hello"',
            ],
        ),
        (
            "TCP SYN",
            [
                "IPv6 2001:db8::1 > 2001:db8::2, TCP, length 80, hop limit 64, flow label 0xa8bc6",
                (
                    "TCP 46514 > 80 (http), SYN, seq 778870992, win 64800, options [mss 1440, SACK permitted, "
                    "timestamps 3740747287 echo 0, no-op, window scale 10], checksum left to the device"
                ),
            ],
        ),
    ],
)
def test_lines_of_frames_of_linux(name: str, lines: list[str]) -> None:
    layers = check(FRAMES[name], "ethernet", offload=True)
    assert [layer.line for layer in layers[1:]] == lines
    assert [layer.error for layer in layers] == [""] * len(layers)


def test_the_checksum_over_the_pseudo_header_is_verified() -> None:
    good = check(message(icmpv6.ECHO_REQUEST, b"\0\1\0\2data"), "ip")
    assert words(good[1])["Checksum"].endswith(", right")
    bad = check(message(icmpv6.ECHO_REQUEST, b"\0\1\0\2data")[:-1] + b"b", "ip")
    assert good[1].rfc == "RFC 4443 section 2.1"
    assert (good[1].error, bad[1].error) == ("", "icmpv6_bad_checksum")
    udp = check(FRAMES["UDP"], "ethernet")
    assert udp[2].error == "udp_bad_checksum"  # partial, and not said to be


def test_fields_of_a_router_advertisement() -> None:
    found = check(FRAMES["router advertisement"], "ethernet")[2]
    assert found.rfc == "RFC 4861 section 4.2"
    assert [field.name for field in found.fields if field.name != "Reserved"] == [
        "Type", "Code", "Checksum", "Cur Hop Limit", "M", "O", "H", "Prf", "Router Lifetime", "Reachable Time",
        "Retrans Timer", "Type", "Length", "Prefix Length", "L", "A", "Reserved1", "Valid Lifetime",
        "Preferred Lifetime", "Reserved2", "Prefix", "Type", "Length", "MTU", "Type", "Length", "Link-Layer Address",
    ]  # fmt: skip
    said = words(found)
    assert (said["Prefix"], said["Valid Lifetime"], said["MTU"]) == ("2001:db8::", "infinity", "1500 octets fit")
    assert said["L"].startswith("set: on-link")


def test_fields_of_a_listener_report_with_sources() -> None:
    record = b"\x06\x01\0\2" + A + B + A + b"aux!"
    report = check(message(icmpv6.LISTENER_REPORT_2, b"\0\0\0\1" + record), "ip")[1]
    assert [(field.name, field.words) for field in report.fields[5:]] == [
        ("Record Type", "BLOCK_OLD_SOURCES"), ("Aux Data Len", "1 word of 32 bits"), ("Number of Sources (N)", "2"),
        ("Multicast Address", "2001:db8::1"), ("Source Address", "2001:db8::2"), ("Source Address", "2001:db8::1"),
        ("Auxiliary Data", ""),
    ]  # fmt: skip


def test_a_query_of_version_2() -> None:
    body = b"\x27\x10\0\0" + bytes(16) + b"\x0a\x7d\0\1" + A
    query = check(message(icmpv6.LISTENER_QUERY, body), "ip")[1]
    assert query.rfc == "RFC 3810 section 5.1"
    assert check(message(icmpv6.LISTENER_QUERY, body[:20]), "ip")[1].rfc == "RFC 2710 section 3"
    assert values(query)["QRV"] == 2
    assert words(query)["S"] == "set: suppress what routers do"
    assert query.fields[-1][0::4] == ("Source Address", "2001:db8::1")


def test_fragments() -> None:
    whole = message(icmpv6.ECHO_REQUEST, b"\0\1\0\2" + bytes(16))[40:]
    first = check(packet(44, bytes.fromhex("3a00 0001 00000007") + whole[:16]), "ip")
    assert [layer.name for layer in first] == ["IPv6", "IPv6 extension", "ICMPv6", "Data"]
    assert words(first[2])["Checksum"].endswith("are in this frame")
    last = check(packet(44, bytes.fromhex("3a00 0010 00000007") + whole[16:]), "ip")
    assert [layer.name for layer in last] == ["IPv6", "IPv6 extension", "Data"]
    assert words(last[1])["Fragment Offset"] == "2 units of 8 octets: the data begins at octet 16"
    assert last[1].line == "IPv6 fragment, IPv6-ICMP, offset 16, id 7"


def test_a_chain_of_extension_headers_is_bounded() -> None:
    chain = (b"\x3c\0" + b"\1\4\0\0\0\0") * 100
    layers = check(packet(60, chain), "ip")
    assert [layer.name for layer in layers] == ["IPv6", *["IPv6 extension"] * EXTENSIONS_MAX, "Data"]


def test_with_segments_left_the_last_destination_is_not_known() -> None:
    """The pseudo-header has the last destination, which is not in the header (RFC 8200 section 8.1)."""
    routing = b"\x11\0\x04\x01" + bytes(4)
    udp = check(packet(43, routing + bytes.fromhex("0001 0002 0008 1234")), "ip")[2]
    assert words(udp)["Checksum"].endswith("are in this frame")


@pytest.mark.parametrize(
    ("octets", "name", "error"),
    [
        (packet(58, b"")[:39], "IPv6", "ipv6_truncated"),
        (Ipv6Header(A, B, 17, 1).build(), "IPv6", "ipv6_bad_payload_length"),
        (packet(60, b"\x3b\1" + bytes(6)), "IPv6 extension", "ipv6_bad_extension"),
        (packet(60, b"\x3b\0\5\5" + bytes(4)), "IPv6 extension", "ipv6_bad_option"),
        (packet(58, bytes(3)), "ICMPv6", "icmpv6_truncated"),
        (message(133, bytes(4) + b"\1\0" + bytes(6)), "ICMPv6", "icmpv6_bad_option"),
        (message(143, b"\0\0\0\1"), "ICMPv6", "icmpv6_bad_record"),
    ],
)
def test_what_is_malformed(octets: bytes, name: str, error: str) -> None:
    layer = check(octets, "ip")[-1]
    assert (layer.name, layer.error) == (name, error)


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_snapped_at_each_octet(name: str) -> None:
    """What was not captured is never called malformed."""
    frame = FRAMES[name]
    for size in range(len(frame)):
        layers = check(frame[:size], "ethernet", offload=True, length=len(frame))
        assert [layer.error for layer in layers] == [""] * len(layers)


def test_without_a_transport_header_there_is_nothing_behind() -> None:
    assert [layer.name for layer in check(packet(ipv6.NO_NEXT_HEADER, b""), "ip")] == ["IPv6"]


@repeatable
@given(st.sampled_from([0, 43, 44, 51, 60, 58, 17, 6, 135]), st.binary(max_size=200))
def test_random_octets_behind_the_header(next_header: int, data: bytes) -> None:
    check(packet(next_header, data), "ip")


@repeatable
@given(
    st.sampled_from(sorted(FRAMES)),
    st.lists(st.tuples(st.integers(14, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 20),
)
def test_frames_with_octets_changed_and_cut(name: str, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(FRAMES[name])
    for at, value in changes:
        data[at % len(data)] = value
    frame = bytes(data[: len(data) - cut])
    check(frame, "ethernet")
    check(frame, "ethernet", length=len(data))


@needs_tshark
def test_tshark_finds_the_same_protocols(tmp_path: Path) -> None:
    ours = {"IPv6": "ipv6", "ICMPv6": "icmpv6", "UDP": "udp", "TCP": "tcp", "Ethernet II": "ethertype", "Data": "data"}
    rows = read(tmp_path, list(FRAMES.values()), ["frame.protocols"], link=ETHERNET)
    for frame, ((theirs,),) in zip(FRAMES.values(), rows, strict=True):
        found = [ours[layer.name] for layer in check(frame, "ethernet") if layer.name in ours]
        named = [name for name in theirs.split(":") if name in ours.values()]
        assert [name for name in found if name != "data"] == [name for name in named if name != "data"]
