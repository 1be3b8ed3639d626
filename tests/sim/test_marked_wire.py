"""A wire that marks packets instead of losing them: ECN from one end to the other (RFC 3168)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stack.config import Config, TcpConfig
from stack.link.memory import Ethernet, EthernetPort
from stack.wire.checksum import Buffer
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4
from tests.requirements import rfc
from tests.sim.network import Network
from tests.sim.programs import Exchange

ON = replace(Config(), tcp=replace(TcpConfig(), ecn="on"))
DATA = bytes(range(256)) * 4000


class Marker:
    """A link, but every fiftieth ECN-capable packet that is written leaves with CE; `seen` are all headers before that.

    `option` is put into every IP header.
    """

    def __init__(self, link: EthernetPort, option: bytes) -> None:
        self._link = link
        self._option = option
        self.seen: list[Ipv4Header] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def write(self, parts: list[Buffer], now: float, offload: bytes = b"") -> bool:
        frame = b"".join(parts)
        if EthernetHeader.parse(frame).ethertype != ETHERTYPE_IPV4:
            return self._link.write(parts, now, offload)
        header = Ipv4Header.parse(frame[14:])
        payload = frame[14 + header.header_length :]
        self.seen.append(header)
        tos = header.tos
        if tos & 3 and not sum(bool(other.tos & 3) for other in self.seen) % 50:
            tos |= 3
        total = 20 + len(self._option) + len(payload)
        header = header._replace(tos=tos, options=self._option, total_length=total, checksum=None)
        return self._link.write([frame[:14] + header.build() + payload], now)


@rfc("9293 SHLD-8", "9293 MUST-50", "3168-5.3-d")
@pytest.mark.parametrize("option", [b"", b"\x01\x01\x01\x00"], ids=["the short way in", "the long way in"])
def test_a_mark_slows_the_sender_down_and_costs_no_packet(option: bytes) -> None:
    network, ethernet = Network(3), Ethernet()
    client, server = network.machine("host1", ON), network.machine("host2", ON)
    marker = Marker(ethernet.attach(mtu=1500), option)
    client.attach(marker, "10.0.0.1/24")
    server.attach(ethernet.attach(mtu=1600), "10.0.0.2/24")
    listener = server.listen(7)
    connection = client.connect("10.0.0.2", 7)
    network.run(lambda: listener.readable, for_s=1.0)
    accepted = listener.accept()
    assert accepted is not None
    sender, receiver = Exchange(client, connection, DATA), Exchange(server, accepted)
    network.run(lambda: receiver.done and sender.done, for_s=60.0)
    assert bytes(receiver.received) == DATA
    assert server.host.counters["tcpInCePkts"] > 0
    assert client.host.counters["tcpRetransSegs"] == 0
    assert connection.congestion.ssthresh < 1 << 30
    assert all(header.dont_fragment for header in marker.seen if header.tos & 3)
    assert {header.tos & 3 for header in marker.seen} == {0, 2}
