"""A datagram that came by a source route is answered by the ordinary route, whatever it carries."""

from __future__ import annotations

import pytest

from stack.config import Config
from stack.wire.addresses import ANY
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.ethernet import ethernet_ii
from stack.wire.icmp import echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE, Route, join, pad
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.tcp import SYN, TcpHeader
from stack.wire.udp import build_datagram
from tests.host.direct_host import MAC, NOW, OTHER, PEER, PEER_MAC, US, DirectHost
from tests.requirements import rfc


def syn() -> bytes:
    bare = TcpHeader(4000, 7, 100, 0, SYN, 65535).build()
    checksum = internet_checksum(bare, pseudo_sum(PEER, US, PROTO_TCP, len(bare))).to_bytes(2, "big")
    return bare[:16] + checksum + bare[18:]


def datagram(port: int) -> bytes:
    return build_datagram(4000, port, b"hello", pseudo_sum(PEER, US, PROTO_UDP, 13))


@rfc("srcroute-1")
@pytest.mark.parametrize("kind", [LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE])
@pytest.mark.parametrize(
    ("protocol", "payload"),
    [
        (PROTO_ICMP, echo_request(1, 1, b"x").build()),
        (PROTO_TCP, syn()),
        (PROTO_UDP, datagram(7)),
        (PROTO_UDP, datagram(9)),
    ],
    ids=["echo", "SYN", "datagram", "datagram to a closed port"],
)
def test_the_answer_goes_to_the_source_without_a_route(kind: int, protocol: int, payload: bytes) -> None:
    """An echo reply, a SYN-ACK (RFC 9293 MUST-53 is excepted), what a service sends back, an ICMP error."""
    direct = DirectHost(Config())
    direct.host.listen((ANY, 7), 1, 0.0)
    endpoint = direct.host.udp.open()
    endpoint.bind((ANY, 7))
    options = pad(join([Route(kind, (OTHER,), pointer=8).option()]))
    header = Ipv4Header(PEER, US, protocol, 20 + len(options) + len(payload), options=options)
    direct.hears(ethernet_ii(MAC, PEER_MAC, ETHERTYPE_IPV4) + header.build() + payload)
    if (got := endpoint.receive()) is not None:
        endpoint.send_to(*got, NOW)
        direct.hears()
    [answer] = [Ipv4Header.parse(frame[14:]) for frame in direct.sent if frame[12:14] == b"\x08\x00"]
    assert (answer.source, answer.destination, answer.options) == (US, PEER, b"")
