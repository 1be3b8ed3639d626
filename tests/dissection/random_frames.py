"""Random valid frames of every kind that a link brings, made from a seeded generator.

They are made by the builders of stack/wire, whose bytes are checked against the RFCs' elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from stack.dissection.walk import Link
from stack.wire import arp, dhcp, icmp, ipv4_options, tcp_options, udp
from stack.wire.checksum import pseudo_sum
from stack.wire.ethernet import EthernetHeader, LlcHeader, VlanTag, snap_header
from stack.wire.ipv4 import Ipv4Header
from stack.wire.linux_cooked import LinuxCookedHeader
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_RARP, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import TcpHeader, build_segment

NO_APPLICATION = (7, 9, 19, 5001, 40000, 49152)
"""Ports whose payload no reader takes."""


class RandomFrame(NamedTuple):
    """A frame, the kind of its link, and the layers that it was made of, but for payload and padding."""

    octets: bytes
    link: Link
    layers: tuple[str, ...]


class Packet(NamedTuple):
    """What follows a link header."""

    ethertype: int
    octets: bytes
    layers: tuple[str, ...]


def random_frame(random: Random) -> RandomFrame:
    """The next frame."""
    packet = _arp(random) if random.random() < 0.1 else _ipv4(random)
    return random.choice((_ethernet_ii, _ethernet_ii, _ethernet_ii, _snap, _llc, _cooked, _bare))(random, packet)


# --- links


def _ethernet_ii(random: Random, packet: Packet) -> RandomFrame:
    tags = tuple(_tag(random) for _ in range(random.choice((0, 0, 0, 1, 2))))
    header = EthernetHeader(random.randbytes(6), random.randbytes(6), packet.ethertype, tags)
    octets = (header.build() + packet.octets).ljust(60, b"\0")
    return RandomFrame(octets, "ethernet", ("Ethernet II", *packet.layers))


def _tag(random: Random) -> VlanTag:
    return VlanTag(random.randrange(4096), random.randrange(8), random.random() < 0.5, random.choice((0x8100, 0x88A8)))


def _snap(random: Random, packet: Packet) -> RandomFrame:
    if len(packet.octets) > 1492:
        return _ethernet_ii(random, packet)
    header = snap_header(random.randbytes(6), random.randbytes(6), packet.ethertype, len(packet.octets))
    octets = (header.build() + packet.octets).ljust(60, b"\0")
    return RandomFrame(octets, "ethernet", ("IEEE 802.3", "LLC", *packet.layers))


def _llc(random: Random, _: Packet) -> RandomFrame:
    control = random.choice((b"\x03", b"\xe3", b"\x01\x02", b"\x00\x00"))
    payload = random.randbytes(random.randrange(100))
    llc = LlcHeader(random.choice((0x42, 0xF0, 0xE0)), random.choice((0x42, 0xF1, 0xE0)), control)
    length = len(llc.build()) + len(payload)
    header = EthernetHeader(random.randbytes(6), random.randbytes(6), 0, (), length, llc)
    return RandomFrame((header.build() + payload).ljust(60, b"\0"), "ethernet", ("IEEE 802.3", "LLC"))


def _cooked(random: Random, packet: Packet) -> RandomFrame:
    version, link, name = random.choice(
        ((1, "linux-sll", "Linux cooked"), (2, "linux-sll2", "Linux cooked v2"))  # as LINKTYPE 113 and 276
    )
    interface = random.randrange(1 << 32) if version == 2 else 0
    address = random.randbytes(6) + bytes(2)
    header = LinuxCookedHeader(packet.ethertype, random.randrange(5), 1, 6, address, version, interface)
    kind: Link = "linux-sll" if link == "linux-sll" else "linux-sll2"
    return RandomFrame(header.build() + packet.octets, kind, (name, *packet.layers))


def _bare(random: Random, packet: Packet) -> RandomFrame:
    if packet.ethertype != ETHERTYPE_IPV4:
        return _ethernet_ii(random, packet)
    return RandomFrame(packet.octets, "ip", packet.layers)


# --- what they carry


def _arp(random: Random) -> Packet:
    reverse = random.random() < 0.3
    addresses = random.randbytes(6), random.randbytes(4), random.randbytes(6), random.randbytes(4)
    packet = arp.ArpPacket(random.randrange(1, 10), *addresses, hardware_type=random.choice((1, 6)))
    if reverse:
        return Packet(ETHERTYPE_RARP, packet.build(), ("RARP",))
    return Packet(ETHERTYPE_ARP, packet.build(), ("ARP",))


def _ipv4(random: Random) -> Packet:
    source, destination = random.randbytes(4), random.randbytes(4)
    make: Callable[[Random, bytes, bytes], tuple[int, bytes, tuple[str, ...]]]
    make = random.choice((_tcp, _tcp, _udp, _udp, _icmp, _other))
    protocol, payload, layers = make(random, source, destination)
    octets = _datagram(random, source, destination, protocol, payload)
    if random.random() < 0.1:  # a fragment that is not the first one has no other header
        return Packet(ETHERTYPE_IPV4, _fragment(random, source, destination, protocol), ("IPv4",))
    return Packet(ETHERTYPE_IPV4, octets, ("IPv4", *layers))


def _datagram(random: Random, source: bytes, destination: bytes, protocol: int, payload: bytes) -> bytes:
    options = _ip_options(random)
    header = Ipv4Header(
        source,
        destination,
        protocol,
        20 + len(options) + len(payload),
        random.randrange(1 << 16),
        dont_fragment=random.random() < 0.5,
        ttl=random.randrange(256),
        tos=random.choice((0, random.randrange(256))),
        options=options,
        reserved=random.random() < 0.05,
    )
    return header.build() + payload


def _fragment(random: Random, source: bytes, destination: bytes, protocol: int) -> bytes:
    payload = random.randbytes(8 * random.randrange(1, 100))
    offset = 8 * random.randrange(1, 1 << 12)
    length = 20 + len(payload)
    more = random.random() < 0.5
    header = Ipv4Header(source, destination, protocol, length, more_fragments=more, fragment_offset=offset)
    return header.build() + payload


def _ip_options(random: Random) -> bytes:
    if random.random() < 0.7:
        return b""
    addresses = tuple(random.randbytes(4) for _ in range(random.randrange(1, 5)))
    pointer = 4 + 4 * random.randrange(len(addresses) + 1)
    entries = tuple(random.randbytes(8) for _ in range(random.randrange(1, 4)))
    filled = 5 + 8 * random.randrange(len(entries) + 1)
    option = random.choice(
        (
            ipv4_options.Route(random.choice(ipv4_options.ROUTES), addresses, pointer).option(),
            ipv4_options.Timestamps(entries, random.choice((1, 3)), filled).option(),
            ipv4_options.Timestamps(addresses, 0, 5, random.randrange(16)).option(),
            ipv4_options.Security(random.randrange(1 << 16), random.randrange(1 << 16)).option(),
            ipv4_options.router_alert(random.randrange(2)),
            ipv4_options.Ipv4Option(ipv4_options.STREAM_ID, random.randbytes(2)),
            ipv4_options.Ipv4Option(random.choice((25, 82, 222)), random.randbytes(random.randrange(8))),
        )
    )
    before = [ipv4_options.Ipv4Option(ipv4_options.NO_OPERATION)] * random.randrange(2)
    return ipv4_options.pad(ipv4_options.join([*before, option]))


def _payload(random: Random) -> bytes:
    return random.randbytes(random.choice((0, 1, random.randrange(1400))))


def _tcp(random: Random, source: bytes, destination: bytes) -> tuple[int, bytes, tuple[str, ...]]:
    options = tcp_options.TcpOptions(
        mss=random.choice((None, random.randrange(1 << 16))),
        window_scale=random.choice((None, random.randrange(15))),
        sack_permitted=random.random() < 0.3,
        timestamps=random.choice((None, (random.randrange(1 << 32), random.randrange(1 << 32)))),
        sack_blocks=random.choice(((), ((random.randrange(1 << 32), random.randrange(1 << 32)),))),
        user_timeout=random.choice((None, random.randrange(1 << 16))),
        unknown=random.choice(((), ((254, random.randbytes(3)),))),
    )
    header = TcpHeader(
        random.choice(NO_APPLICATION),
        random.choice(NO_APPLICATION),
        random.randrange(1 << 32),
        random.randrange(1 << 32),
        random.randrange(256),
        random.randrange(1 << 16),
        random.randrange(1 << 16),
        _tcp_options(options),
        reserved=random.choice((0, random.randrange(16))),
    )
    payload = _payload(random)
    pseudo = pseudo_sum(source, destination, PROTO_TCP, header.header_length + len(payload))
    return PROTO_TCP, build_segment(header, payload, pseudo), ("TCP",)


def _tcp_options(options: tcp_options.TcpOptions) -> bytes:
    try:
        return tcp_options.build_options(options)
    except ValueError:  # more than 40 octets
        return tcp_options.build_options(tcp_options.TcpOptions(options.mss, options.window_scale))


def _udp(random: Random, source: bytes, destination: bytes) -> tuple[int, bytes, tuple[str, ...]]:
    from_port, to_port, payload = random.choice(NO_APPLICATION), random.choice(NO_APPLICATION), _payload(random)
    layers: tuple[str, ...] = ("UDP",)
    if random.random() < 0.3:
        from_port, to_port = random.choice(((67, 68), (68, 67), (67, 67)))
        payload, layers = _dhcp(random), ("UDP", "DHCP")
    if random.random() < 0.2:
        return PROTO_UDP, udp.UdpHeader(from_port, to_port, 8 + len(payload)).build() + payload, layers
    pseudo = pseudo_sum(source, destination, PROTO_UDP, 8 + len(payload))
    return PROTO_UDP, udp.build_datagram(from_port, to_port, payload, pseudo), layers


def _dhcp(random: Random) -> bytes:
    options = [(53, bytes((random.randrange(1, 14),)))]
    for _ in range(random.randrange(8)):
        options.append((random.randrange(1, 255), random.randbytes(random.choice((1, 2, 4, 8, 60)))))
    options = [option for option in options if option[0] != dhcp.OVERLOAD]
    sname = file = b""
    if random.random() < 0.3:
        options.insert(0, (dhcp.OVERLOAD, b"\x03"))
        sname = dhcp.join(((dhcp.LEASE_TIME, random.randbytes(4)), (dhcp.PAD, b""), (dhcp.END, b"")))
        file = dhcp.join(((random.randrange(1, 50), random.randbytes(20)), (dhcp.END, random.randbytes(9))))
    return dhcp.DhcpMessage(
        random.choice((1, 2)),
        random.randrange(1 << 32),
        random.randbytes(random.choice((6, 6, 0, 16))),
        dhcp.make_options(options),
        ciaddr=random.choice((bytes(4), random.randbytes(4))),
        yiaddr=random.choice((bytes(4), random.randbytes(4))),
        siaddr=random.choice((bytes(4), random.randbytes(4))),
        giaddr=random.choice((bytes(4), random.randbytes(4))),
        secs=random.randrange(1 << 16),
        flags=random.choice((0, 0x8000, random.randrange(1 << 16))),
        hops=random.randrange(17),
        sname=sname,
        file=file,
    ).build()


def _icmp(random: Random, source: bytes, destination: bytes) -> tuple[int, bytes, tuple[str, ...]]:
    a, b = random.randrange(1 << 16), random.randrange(1 << 16)
    times = [random.randrange(1 << 32) for _ in range(3)]
    if random.random() < 0.4:
        message = random.choice(
            (
                icmp.echo_request(a, b, _payload(random)),
                icmp.echo_reply(a, b, _payload(random)),
                icmp.timestamp_request(a, b, times[0]),
                icmp.timestamp_reply(a, b, *times),
                icmp.information_request(a, b),
                icmp.mask_reply(a, b, random.randbytes(4)),
                icmp.IcmpMessage(random.choice((9, 10, 200)), random.randrange(3), random.randbytes(4), b"more"),
            )
        )
        return PROTO_ICMP, message.build(), ("ICMP",)
    quoted = _datagram(random, destination, source, 99, random.randbytes(40))
    layers = ("IPv4",)
    message = random.choice(
        (
            icmp.unreachable(random.randrange(16), quoted, a),
            icmp.source_quench(quoted),
            icmp.redirect(random.randrange(4), random.randbytes(4), quoted),
            icmp.time_exceeded(random.randrange(2), quoted),
            icmp.parameter_problem(random.randrange(20), quoted, random.randrange(3)),
        )
    )
    return PROTO_ICMP, message.build(), ("ICMP", *layers)


def _other(random: Random, source: bytes, destination: bytes) -> tuple[int, bytes, tuple[str, ...]]:
    return random.choice((2, 47, 50, 89, 253)), _payload(random), ()
