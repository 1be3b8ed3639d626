"""Good packets of every kind, to be parsed, cut and bent by the tests; all made by the code under
test's own builders, whose bytes are checked against the RFCs' in the tests of each header.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stack.wire import arp, dhcp, ethernet, icmp, ipv4_options, ipv6, ntp, tcp, tcp_options, udp
from stack.wire.checksum import pseudo_sum
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP, PROTO_UDP
from tests.wire.dns_messages import MESSAGES
from tests.wire.ipv6_frames import FRAMES

MAC_A = bytes.fromhex("020000000001")
MAC_B = bytes.fromhex("020000000002")
IP_A = bytes((10, 9, 0, 1))
IP_B = bytes((10, 9, 0, 2))

ROUTE = ipv4_options.Route(ipv4_options.RECORD_ROUTE, (IP_A, IP_B, bytes(4)), pointer=12)
SOURCE_ROUTE = ipv4_options.Route(ipv4_options.LOOSE_SOURCE_ROUTE, (IP_A, IP_B))
TIMESTAMPS = ipv4_options.Timestamps((IP_A + bytes(4), IP_B + bytes(4)), flag=3)
IP_OPTIONS = ipv4_options.pad(
    ipv4_options.join([ROUTE.option(), ipv4_options.Ipv4Option(ipv4_options.NO_OPERATION), ipv4_options.router_alert()])
)
TCP_OPTIONS = tcp_options.build_options(
    tcp_options.TcpOptions(
        mss=1460, window_scale=7, sack_permitted=True, timestamps=(1, 2), unknown=((34, b"\x01\x02"),)
    )
)


def datagram(protocol: int, payload: bytes, options: bytes = b"", tos: int = 0) -> bytes:
    """An IP datagram from A to B."""
    length = 20 + len(options) + len(payload)
    return Ipv4Header(IP_A, IP_B, protocol, length, options=options, tos=tos).build() + payload


def segment(payload: bytes = b"", options: bytes = b"", flags: int = tcp.ACK) -> bytes:
    """A TCP segment from A to B, with its checksum."""
    header = tcp.TcpHeader(49152, 80, 0xFFFFFFF0, 7, flags, 64240, options=options)
    return tcp.build_segment(header, payload, pseudo_sum(IP_A, IP_B, PROTO_TCP, header.header_length + len(payload)))


def user_datagram(payload: bytes, source_port: int = 49152, destination_port: int = 7) -> bytes:
    """A UDP datagram from A to B, with its checksum."""
    pseudo = pseudo_sum(IP_A, IP_B, PROTO_UDP, 8 + len(payload))
    return udp.build_datagram(source_port, destination_port, payload, pseudo)


def frame(packet: bytes, ethertype: int = 0x0800) -> bytes:
    """An Ethernet II frame from A to B."""
    return ethernet.ethernet_ii(MAC_B, MAC_A, ethertype) + packet


DISCOVER = dhcp.DhcpMessage(
    dhcp.BOOT_REQUEST,
    0x01020304,
    MAC_A,
    dhcp.make_options(
        [(dhcp.MESSAGE_TYPE, b"\x01"), (dhcp.HOST_NAME, b"here"), (dhcp.PARAMETER_REQUEST_LIST, b"\x01\x03\x06")]
    ),
)
OVERLOADED = dhcp.DhcpMessage(
    dhcp.BOOT_REPLY,
    0x01020304,
    MAC_A,
    (
        (dhcp.MESSAGE_TYPE, b"\x05"),
        (dhcp.OVERLOAD, b"\x03"),
        (dhcp.CLASSLESS_STATIC_ROUTE, b"\x00\x0a"),
        (dhcp.END, b""),
    ),
    yiaddr=IP_B,
    file=dhcp.join([(dhcp.CLASSLESS_STATIC_ROUTE, b"\x09\x00\x01"), (dhcp.END, b"")]),
    sname=dhcp.join([(dhcp.LEASE_TIME, bytes((0, 0, 14, 16))), (dhcp.END, b"")]),
)
NTP_ANSWER = ntp.NtpPacket(0, 4, ntp.SERVER, 1, 6, -20, 0, 16, b"GPS", 1 << 63, 1 << 63 | 1, 1 << 63 | 2, 1 << 63 | 3)
NTP_WITH_FIELDS = replace(
    NTP_ANSWER, extensions=(ntp.Extension(0x0104, bytes(32)), ntp.Extension(0x0204, bytes(24))), mac=bytes(20)
)
EXTENSION_HEADERS = ipv6.Ipv6Header(bytes(15) + b"\1", bytes(15) + b"\2", ipv6.HOP_BY_HOP, 37).build() + bytes.fromhex(
    "3c00 05020000 0100  2b00 0104 00000000  2c00 0400 00000000  3a00 0001 00000007  80 00 0000 01"
)
QUOTED = datagram(PROTO_UDP, user_datagram(b"lost"))[:28]


@dataclass(frozen=True)
class Sample:
    """A packet; the parser that reads it; where its length fields are, as (offset, bytes)."""

    parser: str
    name: str
    data: bytes
    lengths: tuple[tuple[int, int], ...] = ()


COOKED = bytes.fromhex("0004 0001 0006 020000000001 0000 0800")
COOKED_2 = bytes.fromhex("0800 0000 00000003 0001 04 06 020000000001 0000")
"""Headers that Linux makes up for an IPv4 packet that A sends, of version 1 and 2."""
ECHO = icmp.echo_request(1, 2, b"abcdefg").build()

SAMPLES = (
    Sample("ethernet", "Ethernet II", frame(datagram(PROTO_ICMP, ECHO)), ((12, 2),)),
    Sample(
        "ethernet", "802.1Q", MAC_B + MAC_A + bytes.fromhex("8100 6001 0800") + datagram(PROTO_ICMP, ECHO), ((16, 2),)
    ),
    Sample("ethernet", "802.1ad", MAC_B + MAC_A + bytes.fromhex("88a8 0064 8100 0007 0806") + bytes(28), ((20, 2),)),
    Sample("ethernet", "802.3 LLC", MAC_B + MAC_A + bytes.fromhex("0026 4242 03") + bytes(43), ((12, 2),)),
    Sample("ethernet", "802.3 LLC numbered", MAC_B + MAC_A + bytes.fromhex("0004 f0f0 0102") + bytes(42), ((12, 2),)),
    Sample(
        "ethernet",
        "802.3 SNAP",
        ethernet.snap_header(MAC_B, MAC_A, 0x0800, 28).build() + datagram(PROTO_ICMP, ECHO[:8]),
        ((12, 2),),
    ),
    Sample(
        "arp",
        "request",
        arp.ArpPacket(arp.REQUEST, MAC_A, IP_A, bytes(6), IP_B).build(),
        ((4, 1), (5, 1), (0, 2), (2, 2)),
    ),
    Sample("arp", "reply", arp.ArpPacket(arp.REPLY, MAC_B, IP_B, MAC_A, IP_A).build() + bytes(18), ((6, 2),)),
    Sample("ipv4", "plain", datagram(PROTO_ICMP, ECHO), ((0, 1), (2, 2), (6, 2))),
    Sample("ipv4", "options", datagram(PROTO_ICMP, ECHO, IP_OPTIONS), ((0, 1), (2, 2))),
    Sample("ipv4_options", "record route", IP_OPTIONS, ((1, 1), (2, 1), (17, 1))),
    Sample("ipv4_options", "source route", SOURCE_ROUTE.option().build() + b"\x00", ((1, 1), (2, 1))),
    Sample("ipv4_options", "timestamp", TIMESTAMPS.option().build(), ((1, 1), (2, 1), (3, 1))),
    Sample("ipv4_options", "security", ipv4_options.Security(0xF135).option().build() + b"\x00", ((1, 1),)),
    Sample("icmp", "echo", ECHO, ((0, 1), (1, 1))),
    Sample("icmp", "unreachable", icmp.unreachable(3, QUOTED).build(), ((0, 1), (8, 1), (10, 2))),
    Sample("icmp", "timestamp", icmp.timestamp_reply(1, 2, 3, 4, 5).build(), ((0, 1),)),
    Sample("udp", "datagram", user_datagram(b"hello"), ((4, 2),)),
    Sample("tcp", "syn", segment(options=TCP_OPTIONS, flags=tcp.SYN), ((12, 1), (21, 1))),
    Sample("tcp", "data", segment(b"hello"), ((12, 1),)),
    Sample("tcp_options", "syn", TCP_OPTIONS, tuple((offset, 1) for offset in range(len(TCP_OPTIONS)))),
    Sample("dhcp", "discover", DISCOVER.build(), ((2, 1), (241, 1), (244, 1))),
    Sample("linux_cooked", "IPv4", COOKED + datagram(PROTO_ICMP, ECHO), ((0, 2), (4, 2), (14, 2))),
    Sample("linux_cooked_v2", "IPv4", COOKED_2 + datagram(PROTO_ICMP, ECHO), ((0, 2), (10, 1), (11, 1))),
    Sample("dhcp", "overloaded", OVERLOADED.build(), ((2, 1), (45, 1), (109, 1), (241, 1), (245, 1))),
    *(Sample("dns", name, data) for name, data in MESSAGES.items() if "TCP" not in name),
    Sample("dns", "lengths", MESSAGES["SOA and NS"], ((4, 1), (5, 1), (7, 1), (12, 1), (37, 1), (55, 1))),
    *(Sample("ipv6", name, data[14:], ((4, 2),) if name == "echo request" else ()) for name, data in FRAMES.items()),
    Sample("ipv6", "extension headers", EXTENSION_HEADERS, ((5, 1), (6, 1), (41, 1), (43, 1), (49, 1))),
    Sample("icmpv6", "neighbor solicitation", FRAMES["neighbor solicitation"][54:], ((0, 1), (25, 1))),
    Sample("icmpv6", "router advertisement", FRAMES["router advertisement"][54:], ((0, 1), (17, 1))),
    Sample("icmpv6", "listener report", FRAMES["listener report"][62:], ((0, 1), (6, 1), (7, 1), (9, 1), (11, 1))),
    Sample("icmpv6", "no route", FRAMES["no route"][54:], ((0, 1),)),
    Sample("ntp", "answer", NTP_ANSWER.build(), ((0, 1), (1, 1))),
    Sample("ntp", "extension fields", NTP_WITH_FIELDS.build(), ((50, 1), (51, 1), (87, 1))),
)
