"""The frames of DHCP, as a station that receives all of them sees them: RFC 2131 sections 2, 4.1
and 4.4.1.
"""

from __future__ import annotations

from collections.abc import Iterator

import trio
from trio.testing import MockClock

from stack import Ethernet
from stack.link.memory import EthernetPort
from stack.wire.addresses import ANY, BROADCAST, MAC_BROADCAST, MAC_ZERO, parse_ipv4
from stack.wire.arp import REQUEST, ArpPacket
from stack.wire.dhcp import DhcpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.udp import UdpHeader
from tests.dhcp.server import Server
from tests.requirements import rfc
from tests.sockets.lan import CAREFUL, FIRST, client, serving

ADDRESS, OURS = parse_ipv4(FIRST), bytes.fromhex("02000000aaaa")


def eavesdropper(ethernet: Ethernet) -> EthernetPort:
    """A port that hears everything."""
    port = ethernet.attach("eavesdropper")
    port.open(lambda: None)
    return port


def frames(port: EthernetPort) -> Iterator[tuple[bytes, bytes, int, bytes]]:
    """(destination, source, EtherType, payload) of each frame heard."""
    while (frame := port.read(0)) is not None:
        data = bytes(frame)
        yield data[:6], data[6:12], int.from_bytes(data[12:14], "big"), data[14:]


def messages(port: EthernetPort) -> list[tuple[bytes, Ipv4Header, UdpHeader, DhcpMessage]]:
    """(station addressed, IP header, UDP header, message) of every DHCP message heard."""
    found = []
    for destination, _, ethertype, packet in frames(port):
        if ethertype == 0x0800 and packet[9] == 17:
            ip = Ipv4Header.parse(packet)
            udp = UdpHeader.parse(packet[20 : ip.total_length])
            found.append((destination, ip, udp, DhcpMessage.parse(packet[28 : ip.total_length])))
    return found


@rfc("2131-4.1-b", "2131-4.1-d", "2131-4.4.1-g")
async def test_port_68_of_0_0_0_0_asks_port_67_of_the_broadcast_address(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    port = eavesdropper(ethernet)
    async with serving(ethernet), client(ethernet.attach(mac=OURS)):
        ours = [message for message in messages(port) if message[3].op == 1]
    assert [message.message_type for _, _, _, message in ours] == [1, 3]
    for station, ip, udp, _ in ours:
        assert (station, ip.source, ip.destination) == (MAC_BROADCAST, ANY, BROADCAST)
        assert (udp.source_port, udp.destination_port) == (68, 67)


@rfc("2131-2-d", "2131-4.1-s")
async def test_answers_to_the_address_we_do_not_have_yet_are_taken(autojump_clock: MockClock) -> None:
    for broadcast in (False, True):
        ethernet = Ethernet()
        port = eavesdropper(ethernet)
        async with serving(ethernet, Server(broadcast=broadcast)), client(ethernet.attach(mac=OURS)) as host:
            answers = [message for message in messages(port) if message[3].op == 2]
            assert host.lease is not None
        assert [message.message_type for _, _, _, message in answers] == [2, 5]
        for station, ip, udp, _ in answers:
            expected = (MAC_BROADCAST, BROADCAST) if broadcast else (OURS, ADDRESS)
            assert (station, ip.destination) == expected
            assert (udp.source_port, udp.destination_port) == (67, 68)


@rfc("2131-4.4.1-m", "2131-4.4.1-o", "5227-2.1-dhcp-a")
async def test_the_address_is_probed_from_0_0_0_0_and_then_announced(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    port = eavesdropper(ethernet)
    async with serving(ethernet), client(ethernet.attach(mac=OURS), config=CAREFUL):
        await trio.sleep(5)
        heard = [
            (station, ArpPacket.parse(payload))
            for station, source, ethertype, payload in frames(port)
            if ethertype == 0x0806 and source == OURS
        ]
    about_it = [(station, packet) for station, packet in heard if packet.target_ip == ADDRESS]
    assert {station for station, _ in about_it} == {MAC_BROADCAST}
    assert {packet.sender_mac for _, packet in about_it} == {OURS}
    assert {packet.operation for _, packet in about_it} == {REQUEST}
    assert {packet.target_mac for _, packet in about_it} == {MAC_ZERO}
    assert [packet.sender_ip for _, packet in about_it] == [ANY] * 3 + [ADDRESS] * 2
