"""Attacks from the link against the program as `scripts/run` starts it: another VLAN, forged ARP, a
claimed address.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stack.wire.addresses import MAC_BROADCAST, MAC_ZERO, parse_ipv4
from stack.wire.arp import REPLY, REQUEST, ArpPacket
from stack.wire.ethernet import EthernetHeader, VlanTag
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4
from tests.live.attacker import Attacker, run
from tests.live.net import OURS, PATIENCE_S, THEIRS, Namespace, wait_until
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


@rfc("arp-1")
@pytest.mark.parametrize("operation", [REQUEST, REPLY])
def test_forged_arp_packets_do_not_silence_an_old_connection(namespace: Namespace, operation: int) -> None:
    """Ten of them put the kernel's address at the attacker's station, which delivers nothing."""
    with run(namespace), Attacker(namespace) as attacker, old_connection(namespace) as kernel:
        host = attacker.asks()
        longest_s = 0.0
        for number in range(10):
            attacker.says_arp(operation, parse_ipv4(THEIRS), parse_ipv4(OURS), host)
            for _ in range(7):
                begun = time.monotonic()
                echoed(kernel, b"%d of ten" % number)
                longest_s = max(longest_s, time.monotonic() - begun)
                time.sleep(0.1)  # the attack takes its time
        assert longest_s < 3.0  # 102 s before; all of it is what a busy machine takes
        ipv4 = ETHERTYPE_IPV4.to_bytes(2, "big")
        assert attacker.hears_or_not(lambda frame: frame[:6] == attacker.mac and frame[12:14] == ipv4, 0.2) is None


@rfc("arp-2")
def test_an_old_connection_follows_a_silent_failover(namespace: Namespace) -> None:
    """The kernel's side goes on at another station, the old one is silent, and one announcement says so."""
    other = b"\x02\0\0\0\0\x99"
    with run(namespace), Attacker(namespace, THEIRS, other) as successor, old_connection(namespace) as kernel:
        namespace.ip("link", "set", "tap0", "address", other.hex(":"))
        successor.says_arp(REQUEST, parse_ipv4(THEIRS), parse_ipv4(THEIRS))
        begun = time.monotonic()
        echoed(kernel, b"over")
        assert time.monotonic() - begun < 5.0


@rfc("defend-1")
@pytest.mark.parametrize("when_s", [0, 9], ids=["while it probes", "afterwards"])
def test_conflicting_packets_do_not_end_a_host_that_defends_its_address(namespace: Namespace, when_s: int) -> None:
    """Two of them ended it, one while it still probed."""
    with (
        run(namespace, "--acd", "defend") as program,
        Attacker(namespace) as attacker,
        old_connection(namespace) as kernel,
    ):
        host = attacker.asks()
        time.sleep(when_s)  # what RFC 5227 takes for probing and announcing
        claimed = parse_ipv4(OURS)
        for number in range(6):
            attacker.says_arp((REQUEST, REPLY)[number % 2], claimed, claimed, (MAC_BROADCAST, host)[number // 2 % 2])
            echoed(kernel, b"%d of six" % number)
        line = program.wait_for(b"conflict: ")
        assert line == f"conflict: {attacker.mac.hex(':')} on tap0 claims {OURS}, which this host keeps"
        echoed(kernel, b"still")
        assert program.process.poll() is None
        assert program.output.count(b"conflict: ") == 1


def test_without_it_two_conflicting_packets_end_the_program(namespace: Namespace) -> None:
    """What RFC 5227 wants of a host with nothing to prefer the address for: section 2.4 (b)."""
    with run(namespace, ends_with=1, errors=True) as program, Attacker(namespace) as attacker:
        attacker.asks()
        time.sleep(9)  # as above
        claimed = parse_ipv4(OURS)
        for _ in range(2):
            attacker.says_arp(REQUEST, claimed, claimed)
        wait_until(lambda: program.process.poll() is not None, "the end of the program")
