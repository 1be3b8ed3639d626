"""`stack.show`: one line for each layer, in the words of the RFCs."""

from __future__ import annotations

import pytest

from stack.dissection.layer import MAX_SHOWN
from stack.dissection.show import show
from stack.dissection.usual import usual_lines
from stack.dissection.walk import Link, dissect
from stack.wire import arp, checksum, dhcp, ethernet, icmp, tcp
from stack.wire.addresses import MAC_BROADCAST
from stack.wire.escape import escape
from stack.wire.ipv4 import Ipv4Header
from tests.wire.samples import (
    DISCOVER,
    IP_A,
    IP_B,
    IP_OPTIONS,
    MAC_A,
    MAC_B,
    TCP_OPTIONS,
    TIMESTAMPS,
    datagram,
    frame,
    segment,
    user_datagram,
)

ETHERNET = "Ethernet II 02:00:00:00:00:01 > 02:00:00:00:00:02, type IPv4"


def ip(protocol: int, payload: bytes, options: bytes = b"", tos: int = 0) -> list[str]:
    """The lines for a datagram on a bare-IP link."""
    return show(datagram(protocol, payload, options, tos), link="ip")


def test_a_udp_datagram_layer_by_layer() -> None:
    assert show(frame(datagram(17, user_datagram(b"hello\r\n")))) == [
        ETHERNET,
        "IPv4 10.9.0.1 > 10.9.0.2, UDP, length 35, id 0, ttl 64",
        "UDP 49152 > 7 (echo), length 15",
        'data 7 bytes "hello\\r\\n"',
    ]


STAMPS = bytes.fromhex("0101 080a 00000001 00000002")


def tcp_segment(payload: bytes, options: bytes = b"", flags: int = tcp.ACK, partial: bool = False) -> bytes:
    """A segment for the discard service, with a checksum that may be left to the device."""
    header = tcp.TcpHeader(49152, 9, 1000, 2000, flags, 512, options=options)
    pseudo = checksum.pseudo_sum(IP_A, IP_B, 6, header.header_length + len(payload))
    if partial:
        return header._replace(checksum=pseudo % 0xFFFF).build() + payload
    return tcp.build_segment(header, payload, pseudo)


@pytest.mark.parametrize(
    "octets",
    [
        tcp_segment(b"x", STAMPS),
        tcp_segment(b"", TCP_OPTIONS, tcp.SYN),
        tcp_segment(b"x" * 1460),
        tcp_segment(b"wrong")[:-1] + b"n",
        tcp_segment(b"x", STAMPS, partial=True),
    ],
    ids=["data", "SYN", "long", "wrong checksum", "partial checksum"],
)
@pytest.mark.parametrize("offload", [True, False])
def test_the_lines_of_usual_frames_are_made_without_layers_and_are_the_same(octets: bytes, offload: bool) -> None:
    """`again.check` compares them wherever `dissect` is tested."""
    packet = datagram(6, octets)
    framed = frame(packet)
    cases: tuple[tuple[bytes, Link], ...] = ((packet, "ip"), (framed, "ethernet"), (framed + bytes(6), "ethernet"))
    for data, link in cases:
        lines = usual_lines(data, link == "ethernet", offload, 1500)
        layers = dissect(data, link=link, offload=offload, mtu=1500)
        assert lines == [layer.line for layer in layers if layer.line]


@pytest.mark.parametrize(
    "packet",
    [
        datagram(6, tcp_segment(b"x"), IP_OPTIONS),
        datagram(6, tcp_segment(b"x"), tos=1),
        datagram(6, segment(flags=tcp.URG)),
        datagram(17, user_datagram(b"hello")),
        datagram(6, tcp_segment(b"x"))[:-1],
        datagram(6, tcp_segment(b"x"))[:10] + b"\0\1" + datagram(6, tcp_segment(b"x"))[12:],
        datagram(6, tcp_segment(b"x")) + b"leak",
        datagram(6, tcp_segment(b"x" * 1461)),
    ],
    ids=["options", "tos", "urgent", "udp", "cut off", "wrong checksum of IP", "trailer", "above the MTU"],
)
def test_a_frame_that_is_not_usual_is_left_to_the_layers(packet: bytes) -> None:
    assert usual_lines(frame(packet), True, False, 1500) is None


def test_a_bare_ip_link_has_no_ethernet_line() -> None:
    assert ip(17, user_datagram(b""))[0].startswith("IPv4 10.9.0.1 > ")


def test_tcp_flags_numbers_and_options() -> None:
    assert ip(6, segment(b"x", TCP_OPTIONS, tcp.SYN | tcp.ACK))[1:] == [
        (
            "TCP 49152 > 80 (http), SYN,ACK, seq 4294967280, ack 7, win 64240, options [mss 1460, SACK permitted, "
            "timestamps 1 echo 2, no-op, window scale 7, fast open 0102]"
        ),
        'data 1 byte "x"',
    ]


def test_acknowledgment_and_urgent_pointer_only_when_their_flags_are_set() -> None:
    assert ", ack" not in ip(6, segment(flags=tcp.RST))[1]
    assert "urgent pointer 0" in ip(6, segment(flags=tcp.URG))[1]


@pytest.mark.parametrize(
    ("operation", "line"),
    [
        (1, "ARP request, who has 10.9.0.2? tell 10.9.0.1 at 02:00:00:00:00:01"),
        (2, "ARP reply, 10.9.0.1 at 02:00:00:00:00:01, to 10.9.0.2 at 02:00:00:00:00:02"),
        (9, "ARP inverse reply, sender 10.9.0.1 at 02:00:00:00:00:01, target 10.9.0.2 at 02:00:00:00:00:02"),
        (77, "ARP operation 77, sender 10.9.0.1 at 02:00:00:00:00:01, target 10.9.0.2 at 02:00:00:00:00:02"),
    ],
)
def test_arp(operation: int, line: str) -> None:
    packet = arp.ArpPacket(operation, MAC_A, IP_A, MAC_B, IP_B).build()
    assert show(frame(packet, 0x0806))[1:] == [line]


def test_arp_probe_announcement_and_rarp() -> None:
    probe = arp.ArpPacket(1, MAC_A, bytes(4), bytes(6), IP_B).build()
    assert show(ethernet.ethernet_ii(MAC_BROADCAST, MAC_A, 0x0806) + probe) == [
        "Ethernet II 02:00:00:00:00:01 > broadcast, type ARP",
        "ARP request, is 10.9.0.2 in use? asks 02:00:00:00:00:01 (probe)",
    ]
    announcement = arp.ArpPacket(1, MAC_A, IP_A, bytes(6), IP_A).build()
    assert show(frame(announcement, 0x0806))[1].endswith("10.9.0.1 at 02:00:00:00:00:01 (announcement)")
    assert show(frame(arp.ArpPacket(3, MAC_A, IP_A, MAC_B, IP_B).build(), 0x8035))[1].startswith("RARP reverse request")


def test_vlan_llc_and_snap() -> None:
    addresses = MAC_B + MAC_A
    assert show(addresses + bytes.fromhex("8100 b064 88cc"))[0].endswith(
        ", VLAN 100 priority 5 drop eligible, type LLDP"
    )
    bridge = show(addresses + bytes.fromhex("0003 424203"))
    assert bridge[0].startswith("IEEE 802.3 02:00:00:00:00:01 > ")
    assert bridge[1] == ("LLC IEEE 802.1 bridge spanning tree > IEEE 802.1 bridge spanning tree, control 0x03")
    assert show(addresses + bytes.fromhex("0004 f0f1 0102"))[1] == "LLC IBM NetBIOS > IBM NetBIOS, control 0x0102"
    packet = datagram(17, user_datagram(b""))
    snap = show(ethernet.snap_header(MAC_B, MAC_A, 0x0800, len(packet)).build() + packet)
    assert snap[1] == "LLC/SNAP type IPv4"
    assert snap[3].startswith("UDP ")
    assert show(addresses + bytes.fromhex("0008 aaaa03 00000c 2000"))[1] == (
        "LLC/SNAP organization 00-00-0c, protocol 0x2000"
    )


def test_ip_options_and_type_of_service() -> None:
    line = ip(17, user_datagram(b""), IP_OPTIONS, tos=0xBA)[0]
    assert "tos 0xba (dscp 46 ecn 2)" in line
    assert "options [record route 10.9.0.1 10.9.0.2 (2 of 3), no-op, router alert 0000]" in line
    stamps = ip(17, user_datagram(b""), TIMESTAMPS.option().build())[0]
    assert "timestamp 10.9.0.1 0 ms 10.9.0.2 0 ms overflow 0" in stamps
    assert "options [malformed 07ff0400]" in ip(17, user_datagram(b""), bytes.fromhex("07ff0400"))[0]


def test_fragments() -> None:
    first = Ipv4Header(IP_A, IP_B, 17, 36, more_fragments=True).build() + user_datagram(bytes(99))[:16]
    assert show(first, link="ip")[:2] == [
        "IPv4 10.9.0.1 > 10.9.0.2, UDP, length 36, id 0, MF, fragment offset 0, ttl 64",
        "UDP 49152 > 7 (echo), length 107",
    ]
    last = Ipv4Header(IP_A, IP_B, 17, 24, fragment_offset=16).build() + b"rest"
    assert show(last, link="ip") == [
        "IPv4 10.9.0.1 > 10.9.0.2, UDP, length 24, id 0, fragment offset 16, ttl 64",
        'data 4 bytes "rest"',
    ]


@pytest.mark.parametrize(
    ("protocol", "payload", "line"),
    [
        (6, segment()[:8], "TCP 49152 > 80 (http), seq 4294967280, cut off"),
        (6, segment(options=TCP_OPTIONS)[:24], "TCP 49152 > 80 (http), seq 4294967280, cut off"),
        (6, segment()[:4], 'TCP cut off, 4 bytes "\\xc0\\x00\\x00P"'),
        (17, user_datagram(b"")[:4], 'UDP cut off, 4 bytes "\\xc0\\x00\\x00\\x07"'),
        (1, bytes((icmp.TIMESTAMP_REQUEST, 0, *b"ab")), 'ICMP cut off, 4 bytes "\\r\\x00ab"'),
    ],
)
def test_a_header_may_go_on_in_the_next_fragment(protocol: int, payload: bytes, line: str) -> None:
    """`nmap -f` sends such fragments: see RFC 1858 section 3.1."""
    first = Ipv4Header(IP_A, IP_B, protocol, 20 + len(payload), more_fragments=True).build() + payload
    assert show(first, link="ip")[1:] == [line]
    whole = ip(protocol, payload)[1:]
    assert len(whole) == 1
    assert " malformed, " in whole[0]


def test_no_other_fragment_mends_a_header_that_is_wrong() -> None:
    """A Data Offset of 2 words, and a length of 7 octets."""
    for protocol, payload, name in (
        (6, segment()[:12] + b"\x20" + segment()[13:], "TCP"),
        (17, bytes.fromhex("c000 0007 0007 0000"), "UDP"),
    ):
        first = Ipv4Header(IP_A, IP_B, protocol, 20 + len(payload), more_fragments=True).build() + payload
        assert show(first, link="ip")[1].startswith(f"{name} malformed, ")


def test_icmp_errors_show_what_they_are_about() -> None:
    lost = datagram(6, segment())[:28]
    assert ip(1, icmp.unreachable(4, lost, 1400).build())[1:] == [
        "ICMP destination unreachable (fragmentation needed and DF set), next-hop MTU 1400",
        "    IPv4 10.9.0.1 > 10.9.0.2, TCP, length 40, id 0, ttl 64",
        "    TCP 49152 > 80 (http), seq 4294967280, cut off",
    ]


def test_an_error_about_an_error_is_opened_once() -> None:
    data = b""
    for _ in range(50):
        data = datagram(1, icmp.time_exceeded(0, data).build())
    assert len(show(data, link="ip")) == 5  # two headers twice, and the rest as data


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (icmp.echo_request(7, 9), "ICMP echo request, identifier 7, sequence 9"),
        (icmp.redirect(1, IP_B, b""), "ICMP redirect (redirect for the host), to gateway 10.9.0.2"),
        (icmp.parameter_problem(20, b""), "ICMP parameter problem (pointer indicates the error), at byte 20"),
        (
            icmp.timestamp_reply(7, 9, 1, 2, 3),
            "ICMP timestamp reply, identifier 7, sequence 9, originate 1 receive 2 transmit 3 ms",
        ),
        (
            icmp.mask_reply(7, 9, b"\xff\xff\xff\0"),
            "ICMP address mask reply, identifier 7, sequence 9, mask 255.255.255.0",
        ),
    ],
)
def test_icmp_fields(message: icmp.IcmpMessage, line: str) -> None:
    assert ip(1, message.build())[1] == line


def test_dhcp() -> None:
    assert ip(17, user_datagram(DISCOVER.build(), 68, 67))[1:] == [
        "UDP 68 (bootpc) > 67 (bootps), length 308",
        (
            "DHCP DISCOVER (request), xid 0x01020304, chaddr 02:00:00:00:00:01, secs 0, "
            'options [host name "here", parameter request list 1 3 6]'
        ),
    ]
    options = [(53, b"\x05"), (1, b"\xff\xff\xff\0"), (51, b"\0\0\x0e\x10"), (6, IP_A + IP_B), (224, bytes(300))]
    ack = dhcp.DhcpMessage(2, 1, MAC_A, dhcp.make_options(options), yiaddr=IP_B, flags=0x8000)
    line = ip(17, user_datagram(ack.build(), 67, 68))[2]
    assert line.startswith(
        "DHCP ACK (reply), xid 0x00000001, chaddr 02:00:00:00:00:01, secs 0, broadcast, yiaddr 10.9.0.2"
    )
    assert "subnet mask 255.255.255.0, IP address lease time 3600 s, domain name server 10.9.0.1 10.9.0.2" in line
    assert line.endswith("option 224 " + "00" * 64 + "...]")


@pytest.mark.parametrize(
    ("code", "value", "words"),
    [
        (121, bytes((8, 10, 10, 9, 0, 1)), "classless static route 10.0.0.0/8 via 10.9.0.1"),
        (121, bytes((12, 172, 31, 0, 0, 0, 0)), "classless static route 172.16.0.0/12 on the link"),
        (121, bytes((0, 10, 9, 0, 1)) * 17, "classless static route " + "0.0.0.0/0 via 10.9.0.1, " * 16 + "..."),
        (121, bytes((33, 10)), "classless static route malformed 210a"),
        (119, b"\x03lab\x07example\x00\xc0\x04", "domain search lab.example example"),
        (119, b"\x05\x1b[31m\x00", "domain search 051b5b33316d00"),
    ],
)
def test_dhcp_options_with_a_form_of_their_own(code: int, value: bytes, words: str) -> None:
    message = dhcp.DhcpMessage(2, 1, MAC_A, dhcp.make_options([(code, value)]))
    assert ip(17, user_datagram(message.build(), 67, 68))[2].endswith(f"options [{words}]")


def test_what_is_not_dhcp_on_its_ports_is_data() -> None:
    assert ip(17, user_datagram(b"?", 68, 67))[2] == 'data 1 byte "?"'


def test_other_versions_and_protocols() -> None:
    assert show(frame(b"\x60" + bytes(39), 0x86DD))[1:] == [
        "IPv6 :: > ::, hop-by-hop options header, length 40, hop limit 0",
        "IPv6 extension malformed, an extension header that reaches past the packet: no bytes",
    ]
    assert show(b"\x70", link="ip") == ['IP version 7 (TP/IX, The Next Internet) 1 byte "p"']
    assert ip(200, b"z")[:2] == [
        "IPv4 10.9.0.1 > 10.9.0.2, protocol 200, length 21, id 0, ttl 64",
        'data 1 byte "z"',
    ]
    assert show(frame(b"z", 0x1234))[0].endswith("type EtherType 0x1234")


def test_wrong_checksums_are_marked() -> None:
    bent = bytearray(frame(datagram(6, segment(b"x"))))
    bent[-1] ^= 1
    bent[24] ^= 1
    lines = show(bent)
    assert "WRONG CHECKSUM 0x" in lines[1]
    assert "WRONG CHECKSUM 0x" in lines[2]
    bent = bytearray(datagram(1, icmp.echo_request(1, 2).build()))
    bent[-1] ^= 1
    assert "WRONG CHECKSUM" in show(bent, link="ip")[1]


@pytest.mark.parametrize(
    ("protocol", "payload", "at"), [(6, segment(b"x"), 36), (17, b"\x13\x88\x13\x89\0\x09\0\0x", 26)]
)
def test_with_offload_a_partial_checksum_is_no_mistake(protocol: int, payload: bytes, at: int) -> None:
    packet = bytearray(datagram(protocol, payload))
    partial = checksum.pseudo_sum(bytes(packet[12:16]), bytes(packet[16:20]), protocol, len(payload)) % 65535
    packet[at : at + 2] = partial.to_bytes(2, "big")
    assert show(packet, link="ip", offload=True)[1].endswith(", checksum left to the device")
    assert show(packet, link="ip")[1].endswith(f", WRONG CHECKSUM 0x{partial:04x}")
    packet[at] ^= 1
    assert ", WRONG CHECKSUM 0x" in show(packet, link="ip", offload=True)[1]


def test_ethernet_padding_is_shown_only_when_it_leaks() -> None:
    data = frame(datagram(17, user_datagram(b"")))
    assert len(show(data + bytes(18))) == 3
    assert show(data + b"\0secret")[3] == 'padding 7 bytes "\\x00secret"'


UNREADABLE = ", so it cannot be read"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            b"",
            f"Ethernet malformed, the frame ends inside its Ethernet header or 802.1Q tag{UNREADABLE}: no bytes",
        ),
        (frame(b"E"), 'IPv4 malformed, the packet ends inside its fixed header: 1 byte "E"'),
        (frame(b"a", 0x0806), f'ARP malformed, the packet ends before its 28 octets{UNREADABLE}: 1 byte "a"'),
        (
            frame(datagram(1, b"a")),
            f'ICMP malformed, the message ends before the fields of its type{UNREADABLE}: 1 byte "a"',
        ),
        (
            frame(datagram(6, b"a")),
            f'TCP malformed, the segment ends inside its fixed header{UNREADABLE}: 1 byte "a"',
        ),
        (frame(datagram(17, b"a")), 'UDP malformed, the datagram ends inside its header: 1 byte "a"'),
    ],
)
def test_malformed_layers_say_why(data: bytes, line: str) -> None:
    assert show(data)[-1] == line


def test_nothing_reaches_the_terminal_unescaped() -> None:
    assert escape(b'\x1b]0;pwned\x07 "\\" \x7f\x9b\xff\t') == '\\x1b]0;pwned\\x07 \\"\\\\\\" \\x7f\\x9b\\xff\\t'
    nasty = dhcp.DhcpMessage(1, 1, MAC_A, dhcp.make_options([(dhcp.HOST_NAME, b"\x1b[2J")]))
    assert 'host name "\\x1b[2J"' in ip(17, user_datagram(nasty.build(), 68, 67))[2]


def test_long_payloads_are_cut() -> None:
    assert ip(200, b"a" * 65)[1] == 'data 65 bytes "' + "a" * MAX_SHOWN + '"...'


def test_a_packet_above_the_mtu_is_called_a_super_frame() -> None:
    packet = bytearray(bytes.fromhex("4500000000010000400600000a0900010a090002") + bytes(20) + bytes(2664))
    packet[2:4] = len(packet).to_bytes(2, "big")
    assert ", length 2704 (a super-frame, above the MTU of 1500), id 1" in show(packet, link="ip", mtu=1500)[0]
    assert (
        ", length 2704 (a super-frame, above the MTU of 1500), id 1"
        in show(bytes(12) + b"\x08\0" + packet, mtu=1500)[1]
    )
    for mtu in (None, 2704, 9000):
        assert ", length 2704, id 1" in show(packet, link="ip", mtu=mtu)[0]
