"""Traffic of every kind at one host: honest connections and datagrams, floods, fragments, pings,
ARP, ICMP, DHCP.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace

from stack.config import Config, HostConfig
from stack.link.memory import Ethernet
from stack.udp.endpoint import Endpoint
from stack.wire import icmp
from stack.wire.addresses import BROADCAST, MAC_BROADCAST, Prefix, parse_ipv4
from stack.wire.arp import REPLY, REQUEST
from stack.wire.checksum import pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP, PROTO_UDP
from stack.wire.tcp import ACK, SYN
from stack.wire.udp import build_datagram
from tests.dhcp.server import Server as DhcpServer
from tests.sim.network import Network
from tests.sim.programs import Echo, Exchange, Server
from tests.sim.raw_station import RawStation

US = "10.0.0.1"
CONFIG = replace(Config(), host=HostConfig(ephemeral_first=30_000, ephemeral_last=60_000))


class Leases:
    """A DHCP server on a segment of its own."""

    def __init__(self, network: Network, ethernet: Ethernet) -> None:
        self.server = DhcpServer(lease_s=600)
        self.network = network
        self.port = ethernet.attach("server", b"\x02\0\0\0\x0f\1", queue_limit=10_000)
        self.port.open(lambda: network.soon(self._serve))

    def _serve(self) -> None:
        while (frame := self.port.read(self.network.now)) is not None:
            if frame[12:14] != b"\x08\0" or frame[23] != PROTO_UDP or frame[36:38] != b"\0\x43":
                continue
            for reply in self.server.receive(bytes(frame[42:]), self.network.now):
                pseudo = pseudo_sum(self.server.address, BROADCAST, PROTO_UDP, 8 + len(reply.payload))
                datagram = build_datagram(67, 68, reply.payload, pseudo)
                header = Ipv4Header(self.server.address, BROADCAST, PROTO_UDP, 20 + len(datagram))
                link = ethernet_ii(MAC_BROADCAST, b"\x02\0\0\0\x0f\1", ETHERTYPE_IPV4)
                self.port.write([link, header.build(), datagram], self.network.now)


class Soak:
    """`host` is soaked: `honest` talks to it, `station` forges in the name of as many as it likes."""

    def __init__(self, seed: int = 3) -> None:
        self.network = network = Network(seed)
        ethernet, leased = Ethernet(), Ethernet()
        self.host, self.honest = network.machine("host1", CONFIG), network.machine("host2")
        for number, machine in ((1, self.host), (2, self.honest)):
            machine.attach(ethernet.attach(), f"10.0.0.{number}/16", gateway="10.0.0.66")
        self.station = RawStation(network, ethernet)
        self.station.owns = lambda address: address[3] == 66 or 100 < address[3] < 200
        self.station.asks(US)
        self.leases = Leases(network, leased)
        interface = self.host.attach(leased.attach())
        self.host.host.dhcp.prepare(interface).begin(network.now, None, None)
        self.server = Server(self.host, 7, Echo, backlog=100)
        self.silent = self.host.listen(8, backlog=50)
        self.silent.fast_open.limit = 10
        self.endpoints = [self.host.udp(9), self.host.udp()]
        self.closing: list[Endpoint] = []
        self.round = 0
        network.run(for_s=20.0)

    def links(self) -> list[object]:
        """What hangs from the host and is not the host."""
        return [self.network, self.host, *(attachment.link for attachment in self.host._attachments)]

    def soak(self, rounds: int) -> None:
        """So many rounds; each has some of everything, from addresses that no other round has."""
        for _ in range(rounds):
            self.round += 1
            self._connections()
            self._forged_segments()
            self._datagrams()
            self._fragments()
            self._pings()
            self._arp()
            self._calls()
            self.network.run(for_s=0.3)
            self._icmp()
            self.network.run(for_s=0.05)
            self.station.frames.clear()

    def _far(self, number: int) -> bytes:
        return bytes((192, 0, self.round & 0xFF, number & 0xFF))

    def _near(self, number: int) -> bytes:
        return bytes((10, 0, 1 + self.round % 250, number & 0xFF))

    def _connections(self) -> None:
        Exchange(self.honest, self.honest.connect(US, 7), bytes(3000))
        with contextlib.suppress(OSError):
            Exchange(self.host, self.host.connect("10.0.0.2", 99))
            self.host.connect("10.0.9.9", 80, user_timeout_s=5.0)
            self.host.connect("192.0.2.7", 80, user_timeout_s=5.0, fast_open_connect=True)
        if self.round % 3 == 0:
            self.honest.connect(US, 8)
        if self.round % 5 == 0 and (accepted := self.silent.accept()) is not None:
            accepted.close(self.network.now)

    def _forged_segments(self) -> None:
        for number in range(20):
            source = self._far(number) if number & 1 else self._near(101 + number)
            self.station.says_tcp(US, (2000 + number, 7), SYN, seq=number, source=source)
            self.station.says_tcp(US, (2000 + number, 4242), SYN, seq=number, source=source)
            self.station.says_tcp(US, (2000 + number, 7), ACK, seq=number, ack=5, source=source, data=b"text")

    def _datagrams(self) -> None:
        now = self.network.now
        for number in range(20):
            source = self._far(number)
            payload = b"datagram" * 3
            for port in (9, 4242):
                pseudo = pseudo_sum(source, parse_ipv4(US), PROTO_UDP, 8 + len(payload))
                bare = build_datagram(1000 + number, port, payload, pseudo)
                self.station.says_ip(PROTO_UDP, bare, US, source=source)
            self.endpoints[1].send_to(b"x", (self._far(number), 9), now)
            self.endpoints[1].send_to(b"x", (self._near(number), 9), now)
        if self.round % 4 == 0:
            while self.endpoints[0].readable:
                self.endpoints[0].receive()

    def _fragments(self) -> None:
        for number in range(20):
            source = self._far(number) if number & 1 else self._near(101 + number)
            for offset in (8, 24):
                header = Ipv4Header(
                    source, parse_ipv4(US), PROTO_UDP, 36, self.round, more_fragments=True, fragment_offset=offset
                )
                mac = self.station.stations[parse_ipv4(US)]
                link = ethernet_ii(mac, self.station.mac, ETHERTYPE_IPV4)
                self.station.says(link + header.build() + bytes(16))

    def _pings(self) -> None:
        self.host.ping("10.0.0.2", b"ping")
        self.host.ping("192.0.2.99", bytes(2000), timeout_s=3.0)
        for number in range(8):
            request = icmp.echo_request(number, self.round, b"data").build()
            for _ in range(3):
                self.station.says_ip(PROTO_ICMP, request, US, source=self._near(101 + number))

    def _arp(self) -> None:
        for number in range(101, 130):
            self.station.says_arp(REQUEST, self._near(number), parse_ipv4(US))
            self.station.says_arp(REPLY, self._near(number + 50), parse_ipv4(US))

    def _icmp(self) -> None:
        """Errors and Redirects about what the host has sent to the station."""
        for frame in self.station.frames[-80:]:
            quoted = frame[14:42]
            if quoted[12:16] != parse_ipv4(US):
                continue
            messages = [icmp.redirect(1, parse_ipv4("10.0.0.2"), quoted), icmp.unreachable(4, frame[14:542], 600)]
            messages += [icmp.unreachable(3, quoted), icmp.time_exceeded(0, quoted)]
            for message in messages:
                self.station.says_ip(PROTO_ICMP, message.build(), US)

    def _calls(self) -> None:
        host, now = self.host.host, self.network.now
        endpoint = self.host.udp()
        endpoint.connect((self._near(7), 53), now)
        endpoint.send(b"question", now)
        self.closing.append(endpoint)
        if len(self.closing) > 5:
            self.closing.pop(0).close()
        interface = host._interfaces[0]
        prefix = Prefix(bytes((10, 0, 200, self.round & 0x7F)), 16)
        host.add_address(interface, prefix, now, acd=("optimistic", "strict", "off")[self.round % 3])
        with contextlib.suppress(OSError):  # it may be lost: the station has some of them
            host.remove_address(interface, bytes((10, 0, 200, self.round - 4 & 0x7F)), now)
        if self.round % 10 == 0:
            host.network_changed(interface, now)
        host.release_tcp((parse_ipv4(US), host.bind_tcp((parse_ipv4(US), 0))))
        self.host.settle()

    def quiet(self) -> None:
        """All users but the servers go, all that was left half done times out."""
        now = self.network.now
        for endpoint in self.closing:
            endpoint.close()
        self.closing.clear()
        for connection in list(self.host.host.tcp.connections.values()):
            connection.abort(now)
        while (accepted := self.silent.accept()) is not None:
            accepted.abort(now)
        while self.endpoints[0].readable:
            self.endpoints[0].receive()
        interface = self.host.host._interfaces[0]
        for prefix in interface.addresses[1:]:
            self.host.host.remove_address(interface, prefix.address, now)
        self.server.programs.clear()
        self.host.settle()
        self.network.run(for_s=3000.0)
        self.station.frames.clear()
