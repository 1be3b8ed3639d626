"""UDP with the semantics of BSD sockets: which socket gets a datagram, connect, errors, close."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from stack.config import ArpConfig, Config
from stack.wire import icmp
from stack.wire.addresses import ANY, BROADCAST, LOOPBACK, Prefix, parse_ipv4
from stack.wire.ipv4 import Ipv4Header
from stack.wire.udp import UdpHeader
from tests.internet.station import (
    FAR,
    OTHER,
    OTHER_MAC,
    PEER,
    SUBNET_BROADCAST,
    US,
    FakeInterface,
    Station,
)
from tests.requirements import rfc
from tests.udp.endpoints import bound, connected, made, one_datagram, received

UDP = 17

# --- which socket gets a datagram


def test_the_best_match_gets_it(station: Station) -> None:
    anyone = bound(station, ANY, reuse_address=True)
    ours = bound(station, US, reuse_address=True)
    peers = bound(station, US, reuse_address=True)
    peers.connect((PEER, 5000), station.now)
    station.receives_udp(5000, 7, b"peer")
    station.receives_udp(5001, 7, b"address")
    station.ipv4.add_address(station.eth, Prefix.parse("10.9.0.77/24"))
    station.receives_udp(5001, 7, b"any", destination=parse_ipv4("10.9.0.77"))
    assert [received(endpoint) for endpoint in (anyone, ours, peers)] == [[b"any"], [b"address"], [b"peer"]]


def test_an_endpoint_bound_to_the_broadcast_address_hears_nothing_else(station: Station) -> None:
    endpoint = bound(station, BROADCAST, broadcast=True)
    station.receives_udp(5000, 7, b"all", destination=BROADCAST, link_broadcast=True)
    station.receives_udp(5000, 7, b"us")
    assert received(endpoint) == [b"all"]
    station.frames()
    endpoint.send_to(b"x", (PEER, 9), station.now)
    header, _, _ = one_datagram(station)
    assert header.source == US
    endpoint.connect((PEER, 9), station.now)
    endpoint.send(b"y", station.now)
    header, _, _ = one_datagram(station)
    assert header.source == US


@pytest.mark.parametrize("destination", [BROADCAST, SUBNET_BROADCAST])
def test_a_broadcast_goes_to_all_that_match(station: Station, destination: bytes) -> None:
    anyone = bound(station, ANY, reuse_address=True)
    ours = bound(station, US, reuse_address=True)
    peers = bound(station, ANY, reuse_address=True)
    peers.connect((PEER, 9), station.now)
    other = bound(station, ANY, reuse_address=True)
    station.receives_udp(5000, 7, b"all", destination=destination, link_broadcast=True)
    assert [received(endpoint) for endpoint in (anyone, ours, peers, other)] == [[b"all"], [], [], [b"all"]]


def test_a_connected_endpoint_hears_its_peer_alone(station: Station) -> None:
    endpoint = connected(station, (PEER, 9))
    station.receives_udp(9, 7, b"peer")
    station.receives_udp(10, 7, b"another port")
    station.receives_udp(9, 7, b"another host", source=OTHER)
    assert received(endpoint) == [b"peer"]
    assert [header.destination for header, _ in station.packets()] == [PEER, OTHER], "port unreachable"


# --- connecting


def test_connect_fixes_both_addresses(station: Station) -> None:
    endpoint = station.udp.open()
    endpoint.connect((PEER, 9), station.now)
    assert endpoint.remote == (PEER, 9)
    assert endpoint.local[0] == US
    assert endpoint.local[1] >= 49152
    assert station.silent()
    endpoint.send(b"x", station.now)
    header, udp, _ = one_datagram(station)
    assert (header.destination, udp.destination_port) == (PEER, 9)


def test_send_without_a_peer(station: Station) -> None:
    with pytest.raises(OSError) as caught:
        bound(station).send(b"x", station.now)
    assert caught.value.errno == errno.EDESTADDRREQ


def test_a_connected_endpoint_can_still_send_elsewhere(station: Station) -> None:
    endpoint = connected(station)
    endpoint.send_to(b"x", (OTHER, 10), station.now)
    header, _, _ = one_datagram(station)
    assert header.destination == OTHER


def test_connect_again_and_disconnect(station: Station) -> None:
    endpoint = connected(station, (PEER, 9))
    endpoint.connect((LOOPBACK, 9), station.now)
    assert endpoint.local == (LOOPBACK, 7)
    endpoint.disconnect()
    assert (endpoint.local, endpoint.remote) == ((ANY, 7), None)
    station.receives_udp(5, 7, b"anyone")
    assert received(endpoint) == [b"anyone"]


def test_connecting_gives_back_the_paths_used_before(station: Station) -> None:
    endpoint = bound(station)
    endpoint.send_to(b"x", (OTHER, 9), station.now)
    endpoint.connect((PEER, 9), station.now)
    assert station.ipv4.output.open_paths == 0


def test_a_bound_address_stays_through_connect_and_disconnect(station: Station) -> None:
    endpoint = bound(station, US)
    endpoint.connect((PEER, 9), station.now)
    endpoint.disconnect()
    assert endpoint.local == (US, 7)


# --- more than one address


def test_an_answer_can_be_sent_from_the_address_that_was_asked(station: Station) -> None:
    extra = parse_ipv4("10.9.0.77")
    station.ipv4.add_address(station.eth, Prefix(extra, 24))
    endpoint = bound(station)
    station.receives_udp(5000, 7, b"q", destination=extra)
    datagram = endpoint.receive_datagram()
    assert datagram is not None
    endpoint.send_to(b"a", datagram.remote, station.now, source=datagram.local)
    header, _, _ = one_datagram(station)
    assert header.source == extra


def test_the_source_is_the_address_of_the_interface_it_leaves_by(station: Station) -> None:
    second = FakeInterface(station.config, station.counters, [Prefix.parse("172.16.0.2/16")], index=2)
    station.ipv4.add_interface(second)
    endpoint = bound(station)
    endpoint.send_to(b"x", (parse_ipv4("172.16.0.1"), 9), station.now)
    assert station.silent() is False  # an ARP request, on the second
    station.arp(2, OTHER_MAC, parse_ipv4("172.16.0.1"), parse_ipv4("172.16.0.2"), interface=second)
    [(header, _)] = station.packets(second)
    assert header.source == parse_ipv4("172.16.0.2")


# --- the receive queue


def test_the_queue_is_bounded_in_bytes_and_overflow_is_counted(station: Station) -> None:
    endpoint = bound(station, receive_bytes=10_000)
    for _ in range(100):
        station.receives_udp(5000, 7, bytes(1000))
    kept = received(endpoint)
    assert len(kept) == 10_000 // (1000 + station.config.udp.receive_overhead_bytes)
    assert station.counters["udp_queue_full"] == 100 - len(kept)
    assert endpoint.queued_bytes == 0


def test_empty_datagrams_are_charged_too(station: Station) -> None:
    endpoint = bound(station, receive_bytes=10_000)
    for _ in range(1000):
        station.receives_udp(5000, 7)
    assert len(received(endpoint)) < 50


def test_one_datagram_is_taken_however_small_the_limit(station: Station) -> None:
    endpoint = bound(station, receive_bytes=1)
    station.receives_udp(5000, 7, bytes(1000))
    assert len(received(endpoint)) == 1


def test_peeking_leaves_the_datagram(station: Station) -> None:
    endpoint = bound(station)
    assert endpoint.peek() is None
    station.receives_udp(5000, 7, b"x")
    for _ in range(2):
        datagram = endpoint.peek()
        assert datagram is not None
        assert datagram.data == b"x"
    assert received(endpoint) == [b"x"]


def test_readable_is_told_once_per_change(station: Station) -> None:
    endpoint = bound(station)
    told: list[None] = []
    endpoint.on_readable = lambda: told.append(None)
    for _ in range(3):
        station.receives_udp(5000, 7)
    assert len(told) == 1
    received(endpoint)
    station.receives_udp(5000, 7)
    assert len(told) == 2


# --- errors


def refusal(station: Station, code: int = icmp.PORT_UNREACHABLE) -> None:
    """The datagram just sent is answered by an ICMP error."""
    [frame] = station.frames()
    station.receives_icmp(icmp.unreachable(code, frame[14:]), source=PEER)


def test_a_refused_datagram_is_reported_with_the_next_call_once(station: Station) -> None:
    endpoint = connected(station)
    told: list[None] = []
    endpoint.on_readable = lambda: told.append(None)
    for call in (endpoint.receive, lambda: endpoint.send(b"y", station.now)):
        endpoint.send(b"x", station.now)
        refusal(station)
        assert endpoint.readable
        with pytest.raises(ConnectionRefusedError):
            call()
        assert endpoint.receive() is None
    assert len(told) == 2
    assert station.counters.drops() == {}


def test_the_pending_error_can_be_taken(station: Station) -> None:
    endpoint = connected(station)
    endpoint.send(b"x", station.now)
    refusal(station)
    assert endpoint.take_error() == errno.ECONNREFUSED
    assert endpoint.take_error() == 0
    assert endpoint.receive() is None


def test_a_soft_error_is_not_reported(station: Station) -> None:
    endpoint = connected(station)
    endpoint.send(b"x", station.now)
    refusal(station, icmp.HOST_UNREACHABLE)
    assert endpoint.receive() is None
    assert station.counters.drops() == {}


def test_an_unconnected_endpoint_is_not_told(station: Station) -> None:
    endpoint = bound(station)
    endpoint.send_to(b"x", (PEER, 9), station.now)
    refusal(station)
    assert endpoint.receive() is None
    assert station.counters.drops() == {}, "it was ours all the same"


def test_an_error_about_what_was_never_sent_is_not_believed(station: Station) -> None:
    connected(station, (PEER, 9), port=7)
    bound(station, port=8)
    for source_port, destination, destination_port in ((7, PEER, 10), (7, OTHER, 9), (8, FAR, 9), (70, PEER, 9)):
        quoted = Ipv4Header(US, destination, UDP, 28).build() + UdpHeader(source_port, destination_port, 8).build()
        station.receives_icmp(icmp.unreachable(3, quoted), source=PEER)
    assert station.counters.drops() == {"icmp_error_unmatched": 4}


def claim(remote: tuple[bytes, int], length: int = 28, port: int = 7) -> bytes:
    """The start of a UDP datagram as it could have been sent from our port 7."""
    return Ipv4Header(US, remote[0], UDP, length).build() + UdpHeader(port, remote[1], length - 20).build()


@rfc("icmp-1")
def test_an_error_counts_only_about_an_address_and_port_that_a_datagram_was_sent_to(station: Station) -> None:
    """A socket that could have sent it is not enough: a peer's address and port are no secret."""
    endpoint = connected(station)
    station.receives_icmp(icmp.unreachable(3, claim((PEER, 9))), source=PEER)
    assert endpoint.receive() is None
    unconnected = bound(station, port=8)
    unconnected.send_to(b"x", (PEER, 9), station.now)
    station.frames()
    station.receives_icmp(icmp.unreachable(3, claim((PEER, 10), port=8)), source=PEER)
    assert station.counters.drops() == {"icmp_error_unmatched": 2}
    station.receives_icmp(icmp.unreachable(3, claim((PEER, 9), port=8)), source=PEER)
    assert station.counters.drops() == {"icmp_error_unmatched": 2}


def test_the_remotes_that_errors_are_believed_about_are_bounded(station: Station) -> None:
    endpoint = bound(station)
    for port in range(1000, 1000 + station.config.udp.remotes_max + 1):
        endpoint.send_to(b"x", (PEER, port), station.now)
    for port in (1000, 1001):
        station.receives_icmp(icmp.unreachable(3, claim((PEER, port))), source=PEER)
    assert station.counters.drops() == {"icmp_error_unmatched": 1}


@rfc("toobig-1")
@pytest.mark.parametrize(("named", "believed"), [(1027, True), (1028, False), (1400, False)])
def test_what_was_not_sent_that_large_is_not_too_big(station: Station, named: int, believed: bool) -> None:
    """The largest datagram had 1,028 octets; what the quote claims is of no use to a forger."""
    endpoint = bound(station)
    for size in (10, 1000, 500):
        endpoint.send_to(bytes(size), (PEER, 9), station.now)
    endpoint.send_to(bytes(1472), (PEER, 10), station.now)
    station.receives_icmp(icmp.unreachable(4, claim((PEER, 9), 1500), named), source=PEER)
    refused = {"icmp_too_big_not_sent": 1, "icmp_error_unmatched": 1}
    assert station.counters.drops() == ({} if believed else refused)
    assert station.ipv4.output.path(None, PEER, UDP).mtu == (named if believed else 1500)


@rfc("toobig-2")
def test_too_big_about_a_datagram_cuts_datagrams_alone(station: Station) -> None:
    endpoint = bound(station)
    endpoint.send_to(bytes(1472), (PEER, 9), station.now)
    refused = station.packets()
    assert [header.total_length for header, _ in refused] == [1500]
    station.receives_icmp(icmp.unreachable(4, claim((PEER, 9), 1500), 1000), source=PEER)
    endpoint.send_to(bytes(1472), (PEER, 9), station.now)
    assert [header.total_length for header, _ in station.packets()] == [996, 524]
    assert station.ipv4.output.path(None, PEER, 6).mtu == 1500


def test_an_unresolvable_neighbour_is_reported_to_a_connected_endpoint() -> None:
    station = made(config=replace(Config(), arp=ArpConfig(attempts=2)))
    endpoint = bound(station)
    endpoint.connect((parse_ipv4("10.9.0.99"), 9), station.now)
    endpoint.send(b"x", station.now)
    station.at(5.0)
    with pytest.raises(OSError) as caught:
        endpoint.receive()
    assert caught.value.errno == errno.EHOSTUNREACH


def test_connecting_anew_forgets_an_old_error(station: Station) -> None:
    endpoint = connected(station)
    endpoint.send(b"x", station.now)
    refusal(station)
    endpoint.connect((OTHER, 9), station.now)
    assert endpoint.receive() is None


# --- closing


def test_everything_fails_after_close(station: Station) -> None:
    endpoint = connected(station)
    station.receives_udp(9, 7, b"unread")
    endpoint.close()
    endpoint.close()
    for call in (
        endpoint.receive,
        endpoint.peek,
        lambda: endpoint.send(b"x", station.now),
        lambda: endpoint.send_to(b"x", (PEER, 9), station.now),
        lambda: endpoint.bind((ANY, 8)),
        lambda: endpoint.connect((PEER, 9), station.now),
        endpoint.disconnect,
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EBADF
    assert len(station.udp) == 0
    assert endpoint.queued_bytes == 0


def test_closing_wakes_the_call_that_waits(station: Station) -> None:
    endpoint = bound(station)
    told: list[bool] = []
    endpoint.on_readable = lambda: told.append(endpoint.readable)
    endpoint.close()
    assert told == [True]


@pytest.mark.parametrize("state", ["unbound", "bound", "connected", "unread"])
def test_shutting_down_ends_every_wait_and_every_later_call(station: Station, state: str) -> None:
    endpoint = station.udp.open() if state == "unbound" else bound(station)
    if state == "connected":
        endpoint.connect((PEER, 9), station.now)
    if state == "unread":
        station.receives_udp(9, 7, b"unread")
    told: list[bool] = []
    endpoint.on_readable = lambda: told.append(endpoint.readable)
    station.udp.shutdown(errno.ENETDOWN)
    assert endpoint.readable
    assert told == ([] if state == "unread" else [True])
    for call in (endpoint.receive, endpoint.receive, lambda: endpoint.send_to(b"x", (PEER, 9), station.now)):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENETDOWN
    endpoint.close()
    assert len(station.udp) == 0


# --- ourselves


def test_a_conversation_with_ourselves(station: Station) -> None:
    server, client = bound(station, LOOPBACK), station.udp.open()
    client.connect((LOOPBACK, 7), station.now)
    client.send(b"ping", station.now)
    station.loop()
    data, remote = server.receive() or (b"", (ANY, 0))
    assert (data, remote) == (b"ping", client.local)
    server.send_to(b"pong", remote, station.now)
    station.loop()
    assert received(client) == [b"pong"]
    server.close()
    client.send(b"ping", station.now)
    station.loop()
    with pytest.raises(ConnectionRefusedError):
        client.receive()
    assert station.silent()


def test_records_are_readable(station: Station) -> None:
    bound(station)
    connected(station, port=8)
    station.receives_udp(5000, 7, b"x")
    one, two = station.udp.records()
    assert (one.local, one.remote, one.queued_bytes > 0) == (("0.0.0.0", 7), None, True)
    assert (two.local, two.remote, two.queued_bytes) == (("10.9.0.2", 8), ("10.9.0.1", 9), 0)
