"""Attacks from the link against the program as `scripts/run` starts it: another VLAN, forged ARP, a claimed address."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stack.wire.addresses import MAC_BROADCAST, MAC_ZERO, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.ethernet import EthernetHeader, VlanTag
from stack.wire.numbers import ETHERTYPE_ARP
from tests.live.attacker import Attacker, run
from tests.live.net import OURS, PATIENCE_S, THEIRS, Namespace
from tests.requirements import rfc

ECHO = 7


@contextmanager
def old_connection(namespace: Namespace) -> Iterator[socket.socket]:
    """A connection of the kernel to the echo service, in use."""
    with namespace.in_here(socket.socket) as kernel:
        kernel.settimeout(PATIENCE_S)
        kernel.connect((OURS, ECHO))
        echoed(kernel, b"old")
        yield kernel


def echoed(kernel: socket.socket, text: bytes) -> None:
    """This text goes there and comes back."""
    kernel.sendall(text)
    received = b""
    while len(received) < len(text):
        more = kernel.recv(len(text) - len(received))
        assert more, "the connection has ended"
        received += more
    assert received == text


@rfc("vlan-1")
@pytest.mark.parametrize("vlan", [7, 0xFFF])
def test_an_announcement_in_another_vlan_leaves_the_address_and_the_connections_alone(
    namespace: Namespace, vlan: int
) -> None:
    """Ten claims by request and by reply, for the host's address and for the kernel's."""
    with run(namespace) as program, Attacker(namespace) as attacker, old_connection(namespace) as kernel:
        host = attacker.asks()
        for number in range(10):
            operation = REPLY if number % 2 else REQUEST
            for address in (OURS, THEIRS):
                for target in (host, MAC_BROADCAST):
                    header = EthernetHeader(target, attacker.mac, ETHERTYPE_ARP, (VlanTag(vlan),))
                    claimed = parse_ipv4(address)
                    packet = ArpPacket(operation, attacker.mac, claimed, MAC_ZERO, claimed)
                    attacker.says(header.build() + packet.build())
            echoed(kernel, b"%d of ten" % number)
        assert program.process.poll() is None
        attacker.stations.clear()
        assert attacker.asks() == host
