"""What the fields of a frame say: names as in the RFCs, values as on the wire, words for a person."""

from __future__ import annotations

import pytest

from stack.dissection.layer import Field, Layer
from stack.dissection.show import show
from stack.dissection.walk import dissect
from stack.wire import arp, checksum, icmp, tcp
from stack.wire.addresses import MAC_BROADCAST
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import Ipv4Option
from tests.wire.pop3_session import SESSION
from tests.wire.samples import (
    COOKED,
    COOKED_2,
    DISCOVER,
    IP_A,
    IP_B,
    IP_OPTIONS,
    MAC_A,
    MAC_B,
    OVERLOADED,
    QUOTED,
    TCP_OPTIONS,
    TIMESTAMPS,
    datagram,
    frame,
    segment,
    user_datagram,
)


def layer(octets: bytes, name: str, **how: object) -> Layer:
    """The first layer of this name."""
    return next(each for each in dissect(octets, **how) if each.name == name)  # type: ignore[arg-type]


def field(octets: bytes, name: str, field_name: str, **how: object) -> Field:
    """The first field of this name in the first layer of that name."""
    return next(each for each in layer(octets, name, **how).fields if each.name == field_name)


def ip_field(octets: bytes, name: str) -> Field:
    return field(octets, "IPv4", name, link="ip")


# --- Ethernet


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("0020186190e3", "I/G bit 0, one station; U/L bit 0, universally administered; OUI 00-20-18"),
        ("020000000001", "I/G bit 0, one station; U/L bit 1, locally administered"),
        ("ffffffffffff", "broadcast, every station on the link (all bits are 1)"),
        (
            "01005e000001",
            (
                "I/G bit 1, a group of stations, with the last 23 bits of an IPv4 group (RFC 1112); "
                "U/L bit 0, universally administered; OUI 00-00-5e"
            ),
        ),
        (
            "3333000000fb",
            (
                "I/G bit 1, a group of stations, with the last 32 bits of an IPv6 group (RFC 2464); "
                "U/L bit 1, locally administered"
            ),
        ),
        ("000000000000", "no station"),
    ],
)
def test_the_bits_of_a_station_address(address: str, words: str) -> None:
    mac = bytes.fromhex(address)
    found = field(ethernet_ii(mac, MAC_A, 0x1234), "Ethernet II", "Destination Address")
    assert found == Field("Destination Address", 0, 48, mac, f"{mac.hex(':')}: {words}")


def test_a_short_frame_is_filled_up() -> None:
    padding = layer(SESSION[2].build(), "Padding")
    assert padding.line == ""
    assert padding.fields == (
        Field(
            "padding",
            0,
            48,
            bytes(6),
            "6 octets, all zero: a short frame is filled up to 46 octets after its header, so that a collision is "
            "noticed",
        ),
    )


def test_the_padding_of_a_long_frame_is_not_explained_by_collisions() -> None:
    octets = frame(datagram(200, bytes(100))) + b"FCS!"
    assert layer(octets, "Padding").fields[0].words == '4 bytes "FCS!"'


@pytest.mark.parametrize("octets", [arp.ArpPacket(1, MAC_A, IP_A, MAC_B, IP_B).build()])
def test_padding_that_is_not_zero_is_shown_behind_arp_and_in_802_3(octets: bytes) -> None:
    assert show(frame(octets, 0x0806) + b"secret")[-1] == 'padding 6 bytes "secret"'
    assert show(MAC_B + MAC_A + bytes.fromhex("0003 424203") + b"secret")[-1] == 'padding 6 bytes "secret"'


def test_vlan_tag() -> None:
    fields = layer(MAC_B + MAC_A + bytes.fromhex("8100 b064 88cc"), "Ethernet II").fields
    assert [(each.name, each.bit, each.width, each.value) for each in fields[2:]] == [
        ("Tag Protocol Identifier", 96, 16, 0x8100),
        ("Priority Code Point", 112, 3, 5),
        ("Drop Eligible Indicator", 115, 1, 1),
        ("VLAN Identifier", 116, 12, 100),
        ("Type", 128, 16, 0x88CC),
    ]


# --- IPv4


def test_the_header_is_the_figure_of_rfc_791() -> None:
    fields = layer(SESSION[0].build(), "IPv4").fields
    assert [(each.name, each.width) for each in fields] == [
        ("Version", 4),
        ("IHL", 4),
        ("Precedence", 3),
        ("D", 1),
        ("T", 1),
        ("R", 1),
        ("ECN", 2),
        ("Total Length", 16),
        ("Identification", 16),
        ("Reserved", 1),
        ("DF", 1),
        ("MF", 1),
        ("Fragment Offset", 13),
        ("Time to Live", 8),
        ("Protocol", 8),
        ("Header Checksum", 16),
        ("Source Address", 32),
        ("Destination Address", 32),
    ]


PRECEDENCE = ["routine", "priority", "immediate", "flash", "flash override", "CRITIC/ECP"]
PRECEDENCE += ["internetwork control", "network control"]


@pytest.mark.parametrize(("value", "word"), list(enumerate(PRECEDENCE)), ids=PRECEDENCE)
def test_precedence(value: int, word: str) -> None:
    found = ip_field(datagram(200, b"", tos=value << 5), "Precedence")
    assert found.value == value
    assert found.words.startswith(f"{word}; now the first bits of DSCP {value << 3}, CS{value}, ")


def test_the_other_bits_of_the_type_of_service() -> None:
    octets = datagram(200, b"", tos=0b101_110_11)
    assert ip_field(octets, "Precedence").words.endswith("now the first bits of DSCP 46, EF, expedited forwarding")
    assert ip_field(octets, "D").words == "low delay; now a bit of the DSCP"
    assert ip_field(octets, "T").words == "high throughput; now a bit of the DSCP"
    assert ip_field(octets, "R").words == "normal reliability; now a bit of the DSCP"
    assert ip_field(octets, "ECN").words == "CE: congestion experienced (RFC 791: reserved)"


@pytest.mark.parametrize(("ttl", "hops"), [(1, "1 more hop"), (64, "64 more hops")])
def test_the_time_to_live_in_hops(ttl: int, hops: str) -> None:
    octets = Ipv4Header(IP_A, IP_B, 17, 20, ttl=ttl).build()
    assert ip_field(octets, "Time to Live").words == f"at most {hops} (RFC 791: seconds)"


def test_a_fragment_offset_is_in_units_of_8() -> None:
    octets = Ipv4Header(IP_A, IP_B, 17, 24, fragment_offset=1480).build() + b"rest"
    found = ip_field(octets, "Fragment Offset")
    assert found.value == 185
    assert found.words == "185 units of 8 octets: the data begins at octet 1480 of the whole datagram's data"


def test_the_copied_flag_says_copied_when_it_is_1() -> None:
    """RFC 791 section 3.1. Some reference cards have it the other way round."""
    copied = datagram(200, b"", Ipv4Option(148, bytes(2)).build())
    not_copied = datagram(200, b"", Ipv4Option(7, b"\x04").build() + b"\0")
    assert ip_field(copied, "copied flag")[3:] == (1, "copied into all fragments")
    assert ip_field(not_copied, "copied flag")[3:] == (0, "not copied: only the first fragment has it")
    assert ip_field(copied, "option number")[3:] == (20, "type 148, router alert")


def test_record_route_and_timestamps() -> None:
    route = layer(datagram(200, b"", IP_OPTIONS), "IPv4", link="ip").fields
    assert [each.words for each in route if each.name == "route data"] == [
        "10.9.0.1 has been there",
        "10.9.0.2 has been there",
        "free",
    ]
    stamps = layer(datagram(200, b"", TIMESTAMPS.record(IP_A, 1000).option().build()), "IPv4", link="ip").fields
    assert [each.words for each in stamps if each.name == "timestamp"] == ["1000 ms since midnight UT", "free"]
    assert next(each.words for each in stamps if each.name == "flg") == "only of the hosts with these addresses"


def test_options_that_are_malformed_are_one_field() -> None:
    fields = layer(datagram(200, b"", bytes.fromhex("07ff0400")), "IPv4", link="ip").fields
    assert fields[-1] == Field(
        "octets", 168, 24, bytes.fromhex("ff0400"), "malformed: the length is under 2, or leads out of the header"
    )


def test_a_wrong_checksum_names_the_right_one() -> None:
    octets = bytearray(datagram(200, b""))
    right = int.from_bytes(octets[10:12], "big")
    octets[10] ^= 1
    assert ip_field(bytes(octets), "Header Checksum").words.endswith(f", WRONG: these octets have 0x{right:04x}")
    assert layer(bytes(octets), "IPv4", link="ip").error == "ipv4_bad_checksum"


# --- TCP and UDP


def test_control_bits_and_options_of_tcp() -> None:
    fields = layer(frame(datagram(6, segment(b"", TCP_OPTIONS, tcp.SYN | tcp.ECE))), "TCP").fields
    assert [each.name for each in fields if each.width == 1 and each.value] == ["ECE", "SYN"]
    options = [(each.name, each.value) for each in fields if each.bit >= 160]
    assert options[:6] == [
        ("Kind", 2),
        ("Length", 4),
        ("Maximum Segment Size", 1460),
        ("Kind", 4),
        ("Length", 2),
        ("Kind", 8),
    ]
    assert ("TS Value", 1) in options
    assert ("shift.cnt", 7) in options
    assert next(each.words for each in fields if each.name == "shift.cnt").endswith("units of 128 octets")


@pytest.mark.parametrize("protocol", [6, 17])
def test_a_partial_checksum_is_called_so(protocol: int) -> None:
    payload = segment(b"x") if protocol == 6 else user_datagram(b"x")
    at = 36 if protocol == 6 else 26
    octets = bytearray(datagram(protocol, payload))
    partial = checksum.pseudo_sum(IP_A, IP_B, protocol, len(payload)) % 65535
    octets[at : at + 2] = partial.to_bytes(2, "big")
    name = "TCP" if protocol == 6 else "UDP"
    found = field(bytes(octets), name, "Checksum", link="ip", offload=True)
    assert found.words.startswith(f"0x{partial:04x}, partial (offload): only the sum of the pseudo-header")
    assert layer(bytes(octets), name, link="ip", offload=True).error == ""
    assert layer(bytes(octets), name, link="ip").error == f"{name.lower()}_bad_checksum"


def test_udp_without_a_checksum() -> None:
    octets = datagram(17, bytes.fromhex("0001 0002 0008 0000"))
    assert field(octets, "UDP", "Checksum", link="ip").words == (
        "0x0000, none: 0 says that the sender has computed no checksum (over IPv6 only in tunnels: RFC 6935)"
    )


def test_octets_behind_a_udp_datagram_are_a_trailer() -> None:
    octets = datagram(17, user_datagram(b"hello") + b"surplus")
    assert [each.name for each in dissect(octets, link="ip")] == ["IPv4", "UDP", "Data", "Trailer"]
    assert "surplus" in layer(octets, "Trailer", link="ip").fields[0].words


# --- ICMP and DHCP


def test_what_stands_behind_a_quoted_datagram_has_no_line() -> None:
    """RFC 4884 puts extensions there. The quoted length may be more than the quotation, and is no super-frame's."""
    long = bytearray(datagram(200, bytes(2000))[:48])
    short = datagram(200, bytes(8)) + b"extension"
    for quoted, length in ((bytes(long), 2020), (short, 28)):
        lines = show(datagram(1, icmp.unreachable(3, quoted).build()), link="ip", mtu=1500)
        assert lines[2] == f"    IPv4 10.9.0.1 > 10.9.0.2, protocol 200, length {length}, id 0, ttl 64"
        assert len(lines) == 4


def test_the_quoted_datagram_has_its_fields() -> None:
    octets = datagram(1, icmp.unreachable(4, QUOTED, 1400).build())
    layers = dissect(octets, link="ip")
    assert [(each.name, each.depth) for each in layers] == [("IPv4", 0), ("ICMP", 0), ("IPv4", 1), ("UDP", 1)]
    assert field(octets, "ICMP", "Next-Hop MTU", link="ip")[1:] == (48, 16, 1400, "1400 octets fit (RFC 1191)")
    assert "not verified" in next(each for each in layers[2].fields if each.name == "Header Checksum").words


def test_dhcp_message() -> None:
    octets = frame(datagram(17, user_datagram(DISCOVER.build(), 68, 67)))
    fields = layer(octets, "DHCP").fields
    assert [each.name for each in fields[:14]] == (
        "op htype hlen hops xid secs B MBZ ciaddr yiaddr siaddr giaddr chaddr sname".split()
    )
    assert ("value", 1, "DISCOVER") in [(each.name, each.value, each.words) for each in fields]
    assert 'host name "here"' in [each.words for each in fields]


def test_dhcp_options_in_the_fields_for_names() -> None:
    fields = layer(frame(datagram(17, user_datagram(OVERLOADED.build(), 67, 68))), "DHCP").fields
    assert "sname" not in [each.name for each in fields]
    assert "IP address lease time 3600 s" in [each.words for each in fields]
    parts = [each.words for each in fields if "RFC 3396" in each.words]
    assert len(parts) == 2  # the two pieces of option 121


# --- cooked captures


def test_cooked_captures() -> None:
    packet = datagram(200, b"z")
    assert show(COOKED + packet, link="linux-sll")[0] == (
        "Linux cooked from us, sender 02:00:00:00:00:01, Ethernet, type IPv4"
    )
    assert show(COOKED_2 + packet, link="linux-sll2")[:2] == [
        "Linux cooked v2 from us, sender 02:00:00:00:00:01, interface 3, Ethernet, type IPv4",
        "IPv4 10.9.0.1 > 10.9.0.2, protocol 200, length 21, id 0, ttl 64",
    ]
    assert field(COOKED_2 + packet, "Linux cooked v2", "Interface index", link="linux-sll2").value == 3
    assert show(COOKED[:15], link="linux-sll")[0].startswith("Linux cooked malformed, the frame ends inside")


# --- frames of which only the beginning was captured


@pytest.mark.parametrize(
    ("size", "lines"),
    [
        (
            62,
            [
                "IPv4 10.9.0.1 > 10.9.0.2, TCP, length 1040, id 0, ttl 64",
                "TCP 49152 > 80 (http), ACK, seq 4294967280, ack 7, win 64240",
                'data 8 bytes "aaaaaaaa"',
            ],
        ),
        (
            44,
            [
                "IPv4 10.9.0.1 > 10.9.0.2, TCP, length 1040, id 0, ttl 64",
                "TCP 49152 > 80 (http), seq 4294967280, cut off",
            ],
        ),
        (30, ['IPv4 cut off, 16 bytes "E\\x00\\x04\\x10\\x00\\x00\\x00\\x00@\\x06b\\xd4\\n\\t\\x00\\x01"']),
    ],
)
def test_what_was_not_captured_is_said(size: int, lines: list[str]) -> None:
    whole = frame(datagram(6, segment(b"a" * 1000)))
    octets = whole[:size]
    assert show(octets, length=len(whole))[1:] == [*lines, f"not captured: the last {len(whole) - size} of 1054 bytes"]
    assert [each.error for each in dissect(octets, length=len(whole)) if each.error] == []


def test_what_is_wrong_in_a_snapped_frame_is_wrong() -> None:
    octets = bytearray(frame(datagram(6, segment(b"a" * 1000))))
    octets[14] = 0x43  # an IHL of 3
    assert layer(bytes(octets[:60]), "IPv4", length=len(octets)).error == "ipv4_bad_header_length"
    octets[14], octets[16] = 0x45, 0xFF  # a total length beyond the frame
    assert layer(bytes(octets[:60]), "IPv4", length=len(octets)).error == "ipv4_bad_total_length"


def test_an_announcement_has_no_target_station_yet() -> None:
    octets = ethernet_ii(MAC_BROADCAST, MAC_A, 0x0806) + arp.ArpPacket(1, MAC_A, IP_A, bytes(6), IP_B).build()
    assert field(octets, "ARP", "ar$tha").words == (
        "target hardware address 00:00:00:00:00:00: no station (not known yet, or not used)"
    )
