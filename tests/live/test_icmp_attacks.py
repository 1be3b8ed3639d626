"""Forged ICMP messages in the name of the gateway, against the program as `scripts/run` starts it.

The kernel is the gateway and, with another address, the far end that the attacker wants to take
away or to slow down.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from stack.testing.frame_sender import Heard
from stack.wire import icmp
from stack.wire.addresses import parse_ipv4
from stack.wire.arp import ArpPacket
from stack.wire.checksum import pseudo_sum
from stack.wire.icmp import IcmpMessage, echo_reply, echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_ARP, PROTO_ICMP, PROTO_TCP, PROTO_UDP
from stack.wire.udp import build_datagram
from tests.live.attacker import Attacker, run, tcp_in
from tests.live.net import OURS, THEIRS, Namespace
from tests.requirements import rfc

FAR, DEAD = "192.0.2.7", "10.9.0.77"
ECHO, CHARGEN, FORGED_PORT = 7, 19, 40_000


@contextmanager
def attacked(namespace: Namespace, *options: str) -> Iterator[Attacker]:
    """The host behind its gateway, and the attacker beside it."""
    namespace.ip("addr", "add", f"{FAR}/32", "dev", "lo")
    with run(namespace, "--gateway", THEIRS, *options), Attacker(namespace) as attacker:
        attacker.asks()
        yield attacker


def far_client(namespace: Namespace, port: int) -> socket.socket:
    """The far end's connection to a service of the host."""
    client = namespace.socket(socket.SOCK_STREAM)
    client.bind((FAR, 0))
    client.connect((OURS, port))
    return client


def as_gateway(attacker: Attacker, message: IcmpMessage) -> None:
    attacker.says_ip(PROTO_ICMP, message.build(), OURS, source=parse_ipv4(THEIRS))


def wait_until_processed(attacker: Attacker) -> None:
    """The host answers in order: what was said before has been dealt with."""
    attacker.says_ip(PROTO_ICMP, echo_request(1, 1, b"done?").build(), OURS)
    attacker.hears(lambda frame: frame[12:14] == b"\x08\0" and frame.endswith(b"done?"))


def echoed(attacker: Attacker, client: socket.socket, text: bytes) -> Heard:
    """The far end gets an echo: the segment with it, which goes to the gateway; no other next hop is asked for."""
    client.sendall(text)

    def has_text(frame: bytes) -> bool:
        if frame[12:14] == ETHERTYPE_ARP.to_bytes(2, "big"):
            assert ArpPacket.parse(frame[14:]).target_ip != parse_ipv4(DEAD), "the host asks for another next hop"
        heard = tcp_in(frame)
        return heard is not None and heard.data == text

    frame = attacker.hears(has_text)
    assert frame[:6] == attacker.kernel
    assert client.recv(100) == text
    heard = tcp_in(frame)
    assert heard is not None
    return heard


def quote(protocol: int, start: bytes) -> bytes:
    """A datagram from the host to the far end, as a router would quote it."""
    return Ipv4Header(parse_ipv4(OURS), parse_ipv4(FAR), protocol, 20 + len(start)).build() + start


@rfc("redirect-1", "redirect-2")
@pytest.mark.parametrize("gateway", [DEAD, "10.9.0.66"])
def test_no_forged_redirect_takes_a_destination_away(namespace: Namespace, gateway: str) -> None:
    """Neither to where no station is nor to the attacker; and not even with the quote of what was really sent."""
    with attacked(namespace) as attacker, closing(far_client(namespace, ECHO)) as client:
        heard = echoed(attacker, client, b"before")
        namespace.run("ping", "-c", "1", "-I", FAR, OURS)
        segment = heard.tcp.build()[:8]
        wrong = segment[:4] + (heard.tcp.seq ^ 1 << 30).to_bytes(4, "big")
        for quoted in (
            quote(PROTO_UDP, build_datagram(ECHO, FORGED_PORT, b"", 0)),
            quote(PROTO_TCP, wrong),
            quote(PROTO_ICMP, echo_reply(1, 1).build()),
            quote(PROTO_TCP, segment),
        ):
            as_gateway(attacker, icmp.redirect(icmp.REDIRECT_HOST, parse_ipv4(gateway), quoted))
        wait_until_processed(attacker)
        echoed(attacker, client, b"after")
        namespace.run("ping", "-c", "1", "-I", FAR, OURS)


def answer(attacker: Attacker, size: int) -> bytes:
    """The first packet of the answer to a forged echo request of so many octets, IP header first."""
    far, here = parse_ipv4(FAR), parse_ipv4(OURS)
    pseudo = pseudo_sum(far, here, PROTO_UDP, 8 + size)
    attacker.says_ip(PROTO_UDP, build_datagram(FORGED_PORT, ECHO, bytes(size), pseudo), OURS, source=far)
    return attacker.hears(lambda frame: frame[12:14] == b"\x08\0" and frame[23] == PROTO_UDP)[14:]


@rfc("toobig-1", "toobig-2")
def test_a_forged_datagram_does_not_make_the_segments_of_tcp_smaller(namespace: Namespace) -> None:
    """The far end is in the midst of a download when the host is told that its echoes to it are too big."""
    with attacked(namespace, "--no-offload") as attacker, closing(far_client(namespace, CHARGEN)) as client:
        attacker.hears_tcp(lambda heard: len(heard.data) == 1448)
        small = answer(attacker, 0)
        header = Ipv4Header.parse(small)
        assert header.total_length == 28
        for total_length in (28, 1500):
            lie = header._replace(total_length=total_length, checksum=None).build() + small[20:28]
            as_gateway(attacker, icmp.unreachable(icmp.FRAGMENTATION_NEEDED, lie, 500))
        assert Ipv4Header.parse(answer(attacker, 1400)).total_length == 1428
        large = answer(attacker, 1400)
        as_gateway(attacker, icmp.unreachable(icmp.FRAGMENTATION_NEEDED, large[:28], 500))
        wait_until_processed(attacker)
        assert Ipv4Header.parse(answer(attacker, 1400)).total_length == 548, "this one was believed, for UDP"
        with Attacker(namespace) as ears:
            received = 0
            while received < 1_000_000:
                received += len(client.recv(1 << 16))
            ears.hears_tcp(lambda heard: heard.tcp.source_port == CHARGEN and len(heard.data) == 1448)
