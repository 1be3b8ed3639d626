"""Each bit of a quote that says whose datagram it was: with another value no ICMP message changes
anything.

See RFC 792 (the Internet header and 64 bits of data), RFC 5927 section 4.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stack.internet.echo import EchoResult
from stack.link.memory import Ethernet
from stack.wire import icmp
from stack.wire.addresses import Prefix, parse_ipv4
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import ACK, SYN
from tests.requirements import rfc
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

HERE, FAR, SECOND = "10.0.0.1", "192.0.2.7", "10.0.0.67"
PORT, SIZE = 4000, 1000

PROTOCOL, SOURCE, DESTINATION, START = 9, 12, 16, 20
WHOSE = {
    # which octets of header and payload tell one datagram from another; for TCP the sequence number's last ones do not,
    # as the flight has a thousand octets
    PROTO_TCP: [PROTOCOL, *range(SOURCE, START), *range(START, START + 6)],
    PROTO_UDP: [PROTOCOL, *range(SOURCE, START), *range(START, START + 4)],
    PROTO_ICMP: [PROTOCOL, *range(SOURCE, START), START, *range(START + 4, START + 8)],
}
MESSAGES: dict[str, Callable[[bytes], IcmpMessage]] = {
    "redirect": lambda quoted: icmp.redirect(icmp.REDIRECT_HOST, parse_ipv4(SECOND), quoted),
    "too big": lambda quoted: icmp.unreachable(icmp.FRAGMENTATION_NEEDED, quoted, 600),
    "too big, of an old router": lambda quoted: icmp.unreachable(icmp.FRAGMENTATION_NEEDED, quoted, 0),
    "no host": lambda quoted: icmp.unreachable(icmp.HOST_UNREACHABLE, quoted),
    "no port": lambda quoted: icmp.unreachable(icmp.PORT_UNREACHABLE, quoted),
    "too far": lambda quoted: icmp.time_exceeded(icmp.TTL_EXCEEDED, quoted),
    "a wrong field": lambda quoted: icmp.parameter_problem(1, quoted),
}


class World:
    """A host with a datagram of each protocol on its way, and the gateway, which has seen them."""

    def __init__(self) -> None:
        self.network = Network(1)
        ethernet = Ethernet()
        self.here = self.network.machine("here")
        self.gateway = RawStation(self.network, ethernet)
        self.gateway.owns = lambda address: True
        interface = self.here.attach(ethernet.attach(), f"{HERE}/24", gateway="10.0.0.66")
        self.here.host.ip.routes.add(Prefix.parse("198.51.100.0/24"), interface, parse_ipv4(SECOND))
        self.connection = self.here.connect(FAR, 80)
        self.network.run(for_s=0.01)
        [syn] = self.gateway.segments()
        ports, mss = (80, syn.tcp.source_port), bytes((2, 4, 5, 180))
        self.gateway.says_tcp(HERE, ports, SYN | ACK, seq=5000, ack=syn.next, options=mss, source=parse_ipv4(FAR))
        self.network.run(for_s=0.01)
        self.endpoint = self.here.udp(53)
        self.endpoint.connect((parse_ipv4(FAR), PORT), self.network.now)
        self.gateway.packets()
        self.connection.send(bytes(SIZE), self.network.now)
        self.endpoint.send(bytes(SIZE), self.network.now)
        self.results: list[EchoResult] = self.here.ping(FAR, bytes(SIZE))
        self.network.run(for_s=0.001)
        self.quotes = {header.protocol: self._quote(header, payload) for header, payload in self.gateway.packets()}
        assert set(self.quotes) == set(WHOSE)

    @staticmethod
    def _quote(header: Ipv4Header, payload: bytes) -> bytes:
        return header.build() + payload[:8]

    def says(self, message: IcmpMessage) -> None:
        self.gateway.says_ip(PROTO_ICMP, message.build(), HERE)
        self.network.run(for_s=0.0001)

    def state(self) -> tuple[object, ...]:
        """All that an ICMP message may change."""
        host, tcb = self.here.host, self.connection
        mtus = [host.ip.output.path(None, parse_ipv4(FAR), protocol).mtu for protocol in WHOSE]
        tables = host.tables()
        return (
            mtus, host.routes(), tables["path_mtus"], tables["redirects"],
            tcb.soft_error, tcb.sizes.claimed_mtu, tcb.sizes.sent, tcb.path.mtu,
            self.endpoint.error, len(self.results),
        )  # fmt: skip


@rfc("icmp-1", "redirect-1", "toobig-1")
@pytest.mark.parametrize("protocol", WHOSE)
@pytest.mark.parametrize("name", MESSAGES)
def test_a_quote_that_is_wrong_in_one_bit_changes_nothing(name: str, protocol: int) -> None:
    world = World()
    message, good = MESSAGES[name], world.quotes[protocol]
    before = world.state()
    tries = 0
    for octet in WHOSE[protocol]:
        for bit in range(8):
            wrong = bytearray(good)
            wrong[octet] ^= 1 << bit
            world.says(message(bytes(wrong)))
            assert world.state() == before, (octet, bit)
            tries += 1
    assert sum(world.here.host.counters.drops().values()) >= tries
    world.says(message(good))
    if protocol == PROTO_UDP and name in ("no host", "too far"):
        assert world.state() == before, "a soft error, of which a datagram socket is not told"
    else:
        assert world.state() != before
