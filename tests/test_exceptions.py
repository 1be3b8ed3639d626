"""Each sentence of exceptions.tsv is true: shown.tsv names the tests that show it, those here or
those of its folder.

A sentence without a test becomes false when the code changes.
"""

from __future__ import annotations

import ast
import errno
import os
import socket as stdlib
from functools import cache
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from stack import Ethernet, Host
from stack.config import Config, DhcpConfig
from stack.dhcp.lease import Lease
from stack.dhcp.parameters import Parameters
from stack.errors import BadPacket
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import ANY, MAC_ZERO, parse_ipv4
from stack.wire.arp import REQUEST, ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.dhcp import DhcpMessage
from stack.wire.ethernet import ethernet_ii
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE, RECORD_ROUTE, Route, Timestamps, join, pad
from stack.wire.numbers import ETHERTYPE_ARP, ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp import ACK, PSH, SYN, TcpHeader
from tests.host.direct_host import MAC, OTHER, PEER, PEER_MAC, US, DirectHost
from tests.requirements import FOLDER, exceptions, rfc, shown
from tests.sockets.hosts import ALICE, BOB, host_on, stream_pair
from tests.tcp.test_time_wait import time_wait
from tests.tcp.test_timestamps import stamp
from tests.tcp.world import add

TOP = FOLDER.parent.parent
THIRD = parse_ipv4("10.0.0.4")


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of the tests in a file."""
    path = Path(TOP, file)
    if not path.is_file():
        return frozenset()
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@rfc("drift-2")
def test_each_exception_has_a_test_that_is_there() -> None:
    listed = shown()
    assert [id for id in exceptions() if id not in listed] == []
    assert [id for id in listed if id not in exceptions()] == []
    for places in listed.values():
        for place in places:
            file, _, name = place.partition("::")
            assert name.startswith("test_")
            assert name in names_in(file), place


# --- TCP and what carries it ------------------------------------------------------------------------------------------


def segment(flags: int, seq: int, ack: int = 0, text: bytes = b"", options: bytes = b"") -> bytes:
    """A frame of PEER's to port 7, by way of the IP options that are given."""
    bare = TcpHeader(4000, 7, seq, ack, flags, 65535).build() + text
    checksum = internet_checksum(bare, pseudo_sum(PEER, US, PROTO_TCP, len(bare)))
    whole = bare[:16] + checksum.to_bytes(2, "big") + bare[18:]
    header = Ipv4Header(PEER, US, PROTO_TCP, 20 + len(options) + len(whole), options=options)
    return ethernet_ii(MAC, PEER_MAC, ETHERTYPE_IPV4) + header.build() + whole


def by_way_of(*routers: bytes) -> bytes:
    """The option of a source route that ends here."""
    return pad(join([Route(LOOSE_SOURCE_ROUTE, routers, pointer=4 + 4 * len(routers)).option()]))


def answers(direct: DirectHost) -> list[tuple[Ipv4Header, TcpHeader]]:
    """What was sent since the last call, in headers."""
    packets = [frame[14:] for frame in direct.sent if frame[12:14] == b"\x08\x00"]
    direct.sent.clear()
    found = []
    for packet in packets:
        header = Ipv4Header.parse(packet)
        found.append((header, TcpHeader.parse(packet[header.header_length : header.total_length])))
    return found


def conversation(*options: bytes) -> list[Ipv4Header]:
    """The IP headers that a server sends whose client's SYN, ACK and text come with these IP options in turn."""
    direct = DirectHost(Config())
    listener = direct.host.listen((ANY, 7), 1, 0.0)
    direct.hears(segment(SYN, 100, options=options[0]))
    [(first, syn_ack)] = answers(direct)
    direct.hears(segment(ACK, 101, syn_ack.seq + 1, options=options[1]))
    connection = listener.accept()
    assert connection is not None
    connection.send(b"hello", 1.0)
    direct.hears(segment(PSH | ACK, 101, syn_ack.seq + 1, b"x" * 2000, options=options[2]))
    headers = [first, *(header for header, _ in answers(direct))]
    assert len(headers) >= 3
    assert connection.receive(3000, 1.0) == b"x" * 2000
    return headers


def test_no_connection_follows_a_source_route_nor_the_one_that_comes_later() -> None:
    headers = conversation(by_way_of(OTHER), by_way_of(OTHER), by_way_of(THIRD))
    assert {(header.destination, header.options) for header in headers} == {(PEER, b"")}


def test_other_ip_options_are_passed_over_and_none_is_sent() -> None:
    record, stamps = Route(RECORD_ROUTE, (ANY, ANY)).option(), Timestamps((bytes(4), bytes(4))).option()
    headers = conversation(pad(join([record])), pad(join([stamps])), pad(join([record, stamps])))
    assert {(header.destination, header.options) for header in headers} == {(PEER, b"")}


def test_segments_have_df_and_the_identification_zero() -> None:
    headers = conversation(b"", b"", b"")
    assert {(header.dont_fragment, header.identification) for header in headers} == {(True, 0)}


def test_a_syn_that_begins_nothing_is_challenged() -> None:
    old, peer = time_wait(timestamps=True)
    peer.sends(SYN, seq=add(old.rcv_nxt, 5000), options=stamp(9, 0))
    peer.expects(ACK, seq=old.snd_nxt, ack=old.rcv_nxt)
    assert old.state is State.TIME_WAIT


async def test_a_connection_cannot_be_given_ip_options_nor_asked_for_a_field_of_a_datagram(
    alice: Host, bob: Host, autojump_clock: MockClock
) -> None:
    ours, theirs = await stream_pair(alice, bob)
    for number in (stdlib.IP_OPTIONS, stdlib.IP_RECVTOS):
        with pytest.raises(OSError, match=os.strerror(errno.ENOPROTOOPT)):
            ours.socket.setsockopt(stdlib.IPPROTO_IP, number, 1)
    await ours.aclose()
    await theirs.aclose()


async def test_there_is_no_flush_and_no_way_to_see_a_push(alice: Host, bob: Host, autojump_clock: MockClock) -> None:
    ours, theirs = await stream_pair(alice, bob)
    assert not any("flush" in name for thing in (ours.socket, Connection) for name in dir(thing))
    await ours.send_all(b"pushed")
    await trio.sleep(0.1)
    data, ancillary, flags, address = await theirs.socket.recvmsg(100)
    assert (data, ancillary, flags, address) == (b"pushed", [], 0, None)
    await ours.aclose()
    await theirs.aclose()


async def test_a_link_has_one_mtu(autojump_clock: MockClock) -> None:
    """And the MSS that is advertised follows from it, whatever has passed."""
    ethernet = Ethernet()
    link = ethernet.attach(mtu=1000)
    async with host_on(link, f"{ALICE}/24") as alice, host_on(ethernet.attach(), f"{BOB}/24", seed=2) as bob:
        for size in (10, 5000):
            ours, theirs = await stream_pair(alice, bob)
            async with ours, theirs:
                await ours.send_all(bytes(size))
                await theirs.receive_some()
                segment_bytes = theirs.socket.getsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_MAXSEG)
                assert segment_bytes == 1000 - 40 - 12  # of the timestamps
                assert link.mtu == 1000


# --- ARP and addresses ------------------------------------------------------------------------------------------------


async def test_the_target_hardware_address_of_a_request_is_zero(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    listening = ethernet.attach("ear")
    listening.open(lambda: None)
    async with host_on(ethernet.attach(), f"{ALICE}/24", acd="strict") as alice:
        with pytest.raises(OSError, match="no echo"):
            await alice.ping(BOB, timeout_s=5)
    requests = 0
    while (view := listening.read(trio.current_time())) is not None:
        frame = bytes(view)
        if frame[12:14] == ETHERTYPE_ARP.to_bytes(2, "big"):
            packet = ArpPacket.parse(frame[14:])
            assert (packet.operation, packet.target_mac) == (REQUEST, MAC_ZERO)
            requests += 1
    assert requests >= 6  # probes, announcements, and for BOB


async def test_a_link_local_address_that_the_user_gives_is_used(autojump_clock: MockClock) -> None:
    ethernet = Ethernet()
    first, second = "169.254.7.1", "169.254.7.2"
    async with host_on(ethernet.attach(), f"{first}/16") as one, host_on(ethernet.attach(), f"{second}/16", seed=2):
        assert await one.ping(second) >= 0


@rfc("drift-2")
def test_a_link_local_address_that_a_server_gives_is_refused() -> None:
    def lease(address: str) -> Lease:
        values = {dhcp.MESSAGE_TYPE: b"\x05", dhcp.SERVER_IDENTIFIER: PEER, dhcp.LEASE_TIME: bytes((0, 0, 14, 16))}
        options = dhcp.make_options(values.items())
        message = DhcpMessage(dhcp.BOOT_REPLY, 1, MAC, options, yiaddr=parse_ipv4(address))
        return Parameters(DhcpConfig(), 1500, lambda note: None).lease(message, 0)

    assert lease("10.0.0.77").lease_s == 3600
    with pytest.raises(BadPacket, match="dhcp_bad_address"):
        lease("169.254.7.1")
