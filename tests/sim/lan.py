"""A host that gets its address by DHCP, alone on a wire with a server whose answers a test bends."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from stack.config import AcdConfig, Config
from stack.host.host import HostCore
from stack.link.memory import Ethernet
from stack.trace.event import Observer
from stack.wire.addresses import BROADCAST, MAC_BROADCAST, is_link_local
from stack.wire.arp import REPLY, ArpPacket
from stack.wire.checksum import pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_UDP
from stack.wire.udp import build_datagram
from tests.dhcp.server import Server

SERVER_MAC = bytes.fromhex("020000000f01")
ALL_AT_ONCE = 1000


@dataclass
class Lan:
    """The host, the server, and the clock, which is moved by hand."""

    acd: str = "strict"
    now: float = 0.0
    server: Server = field(default_factory=lambda: Server(lease_s=600))
    trace: Observer | None = None

    def __post_init__(self) -> None:
        ethernet = Ethernet()
        self.link, self.wire = ethernet.attach("ours"), ethernet.attach("wire")
        for port in (self.link, self.wire):
            port.open(lambda: None)
        config = Config(acd=AcdConfig(mode=self.acd))
        self.host = HostCore(config, random=Random(5).randbytes, raise_errors=True)
        if self.trace is not None:
            self.host.watch(self.trace)
        self.interface = self.host.attach(self.link, [], None, self.now)
        self.dhcp = self.host.dhcp.prepare(self.interface)
        self.dhcp.begin(self.now, None, None)
        self.asked: list[bytes] = []
        self.hear()

    def hear(self) -> None:
        """Take note of what the client has sent, and answer when it asks by ARP for the server."""
        wanted = False
        while (frame := self.wire.read(self.now)) is not None:
            wanted = wanted or (frame[20:22] == b"\0\x01" and frame[38:42] == self.server.address)
            if frame[12:14] == b"\x08\x00" and frame[23] == PROTO_UDP and frame[36:38] == b"\x00\x43":
                total = int.from_bytes(frame[16:18], "big")
                self.asked.append(bytes(frame[42 : 14 + total]))
        if wanted:
            assert self.interface.mac is not None
            own = self.interface.addresses[0].address if self.interface.addresses else bytes(4)
            answer = ArpPacket(REPLY, SERVER_MAC, self.server.address, self.interface.mac, own)
            self.frame(self.interface.mac, ETHERTYPE_ARP, answer.build())

    def frame(self, destination: bytes, ethertype: int, payload: bytes) -> None:
        """Something arrives."""
        self.wire.write([ethernet_ii(destination, SERVER_MAC, ethertype), payload], self.now)
        while (view := self.link.read(self.now)) is not None:
            self.host.frame(self.interface, self.now, view)
        self.host.batch_end(self.now)
        self.hear()

    def says(self, payload: bytes, destination: bytes = BROADCAST) -> None:
        """A datagram to port 68 arrives, if it fits a frame."""
        pseudo = pseudo_sum(self.server.address, destination, PROTO_UDP, 8 + len(payload))
        datagram = build_datagram(67, 68, payload, pseudo)
        header = Ipv4Header(self.server.address, destination, PROTO_UDP, 20 + len(datagram))
        assert self.interface.mac is not None
        mac = MAC_BROADCAST if destination == BROADCAST else self.interface.mac
        self.frame(mac, ETHERTYPE_IPV4, header.build() + datagram)

    def answers(self) -> list[bytes]:
        """What the server has to say to all it was asked since the last time."""
        asked, self.asked = self.asked, []
        return [reply.payload for message in asked for reply in self.server.receive(message, self.now)]

    def wait(self, seconds: float) -> None:
        """Time passes, and what is due is done."""
        end = self.now + seconds
        for _ in range(ALL_AT_ONCE):
            if self.host.deadline > end:
                break
            self.now = max(self.now, self.host.deadline)
            self.host.on_deadline(self.now)
            self.host.batch_end(self.now)
            self.hear()
        else:
            raise AssertionError("the clock stands still")
        self.now = end

    def bind(self) -> None:
        """Get an address the honest way."""
        for _ in range(2):
            for payload in self.answers():
                self.says(payload)
            self.wait(0.3)
        self.wait(8)
        assert self.dhcp.client.lease is not None

    def check(self) -> None:
        """Lease, address, routes and MTU go together."""
        lease = self.dhcp.client.lease
        routable = [prefix for prefix in self.interface.addresses if not is_link_local(prefix.address)]
        assert routable == ([] if lease is None else [lease.prefix])
        assert len(self.interface.addresses) <= 2
        assert 68 <= self.interface.mtu <= 1500
        routes = self.host.routes()
        assert len(routes) <= 150
        if lease is None:
            assert all(route.destination == "169.254.0.0/16" for route in routes)
            assert self.interface.mtu == 1500
        assert self.host.counters["handler_failed"] == 0
        assert sum(self.host.tables().values()) < ALL_AT_ONCE
