"""Whatever comes to a host that gets its address by DHCP: nothing raises, nothing hangs, nothing is out of step."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import AcdConfig, Config
from stack.host.host import Host
from stack.link.segment import Segment
from stack.wire import dhcp
from stack.wire.addresses import BROADCAST, MAC_BROADCAST, is_link_local
from stack.wire.arp import REPLY, ArpPacket
from stack.wire.checksum import pseudo_sum
from stack.wire.dhcp import DhcpMessage
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_UDP
from stack.wire.udp import build_datagram
from tests.dhcp.server import Server, with_options

SERVER_MAC = bytes.fromhex("020000000f01")
ALL_AT_ONCE = 1000


@dataclass
class Lan:
    """A host on a wire, with a server that has its answers bent on their way by `bend`, and time moved by hand."""

    acd: str = "strict"
    now: float = 0.0
    server: Server = field(default_factory=lambda: Server(lease_s=600))

    def __post_init__(self) -> None:
        segment = Segment()
        self.link, self.wire = segment.attach("ours"), segment.attach("wire")
        for port in (self.link, self.wire):
            port.open(lambda: None)
        self.host = Host(Config(acd=AcdConfig(mode=self.acd)), random=Random(5).randbytes, raise_errors=True)
        self.interface = self.host.attach(self.link, [], None, self.now)
        self.tenant = self.host.dhcp.prepare(self.interface)
        self.tenant.begin(self.now, None, None)
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
        assert self.tenant.client.lease is not None

    def check(self) -> None:
        """Lease, address, routes and MTU go together."""
        lease = self.tenant.client.lease
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


octets = st.binary(min_size=0, max_size=40)
codes = st.sampled_from([1, 3, 6, 12, 15, 26, 28, 33, 42, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 119, 121, 200])
addresses = st.one_of(st.binary(min_size=4, max_size=4), st.sampled_from([b"\x0a\x09\x00\x32", b"\x0a\x09\x00\x01"]))
steps = st.one_of(
    st.tuples(st.just("honest")),
    st.tuples(st.just("honest")),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 3.0, 8.0, 60.0, 299.0, 601.0])),
    st.tuples(st.just("options"), st.dictionaries(codes, st.one_of(st.none(), octets), min_size=1, max_size=4)),
    st.tuples(st.just("byte"), st.integers(0, 350), st.integers(0, 255)),
    st.tuples(st.just("cut"), st.integers(0, 350)),
    st.tuples(st.just("tail"), st.binary(max_size=200)),
    st.tuples(st.just("address"), addresses),
    st.tuples(st.just("kind"), st.integers(0, 18)),
    st.tuples(st.just("raw"), st.binary(max_size=300), addresses),
    st.tuples(st.just("arp"), st.integers(0, 9), addresses, addresses),
)


def bent(payload: bytes, step: tuple[object, ...]) -> bytes:
    """An honest answer, changed as the step says."""
    match step:
        case ("options", dict(changes)):
            return with_options(DhcpMessage.parse(payload), changes).build()
        case ("kind", int(kind)):
            return with_options(DhcpMessage.parse(payload), {dhcp.MESSAGE_TYPE: bytes((kind,))}).build()
        case ("byte", int(offset), int(value)):
            changed = bytearray(payload)
            changed[offset % len(changed)] = value
            return bytes(changed)
        case ("cut", int(length)):
            return payload[:length]
        case ("tail", bytes(tail)):
            return payload.rstrip(b"\0").removesuffix(b"\xff") + tail
        case ("address", bytes(address)):
            return payload[:16] + address + payload[20:]
    return payload


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(steps, max_size=40), st.sampled_from(["strict", "optimistic", "off"]), st.booleans())
def test_no_message_brings_a_host_out_of_step(script: list[tuple[object, ...]], acd: str, bound: bool) -> None:
    lan = Lan(acd)
    if bound:
        lan.bind()
    for step in script:
        match step:
            case ("wait", float(seconds)):
                lan.wait(seconds)
            case ("raw", bytes(payload), bytes(destination)):
                lan.says(payload, destination)
            case ("arp", int(operation), bytes(sender), bytes(target)):
                packet = ArpPacket(operation, SERVER_MAC, sender, bytes(6), target)
                lan.frame(MAC_BROADCAST, ETHERTYPE_ARP, packet.build())
            case _:
                for payload in lan.answers():
                    lan.says(bent(payload, step))
        lan.check()
    lan.host.shutdown(lan.now)
    assert lan.interface.addresses == []


def test_the_honest_way_leads_to_an_address() -> None:
    """So that what is bent above has something to bend."""
    lan = Lan()
    lan.bind()
    lan.check()
    assert lan.tenant.client.lease is not None
    lan.wait(301)
    assert lan.tenant.client.lease is not None
    for payload in lan.answers():
        lan.says(payload, lan.tenant.client.lease.address)
    assert lan.tenant.client.lease.requested_at > 290
    lan.wait(10_000)
    assert lan.tenant.client.lease is None
    assert [is_link_local(prefix.address) for prefix in lan.interface.addresses] == [True]
    lan.check()
