"""UDP: RFC 768, RFC 1122 section 4.1: the datagrams themselves, and the ports they go to."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from stack.config import Config, UdpConfig
from stack.udp.endpoint import MAX_PAYLOAD
from stack.wire import icmp
from stack.wire.addresses import ALL_HOSTS, ANY, BROADCAST, LOOPBACK, parse_ipv4
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import pad, router_alert
from stack.wire.udp import UdpHeader
from tests.internet.station import (
    FAR,
    PEER,
    SUBNET_BROADCAST,
    US,
    Station,
)
from tests.udp.endpoints import bound, made, one_datagram, received

UDP = 17

# --- receiving


def test_a_datagram_is_received_with_its_senders_address(station: Station) -> None:
    endpoint = bound(station)
    station.receives_udp(5000, 7, b"hello")
    assert endpoint.receive() == (b"hello", (PEER, 5000))
    assert endpoint.receive() is None
    assert station.counters["udpInDatagrams"] == 1


def test_an_empty_datagram_is_a_datagram(station: Station) -> None:
    endpoint = bound(station)
    station.receives_udp(5000, 7)
    assert endpoint.readable
    assert endpoint.receive() == (b"", (PEER, 5000))


def test_a_source_port_of_zero_is_accepted(station: Station) -> None:
    endpoint = bound(station)
    station.receives_udp(0, 7, b"no answer wanted")
    assert endpoint.receive() == (b"no answer wanted", (PEER, 0))


def test_bytes_beyond_the_length_field_are_no_data(station: Station) -> None:
    endpoint = bound(station)
    station.receives(UDP, UdpHeader(5000, 7, 8 + 3).build() + b"abcTRAILER")
    assert received(endpoint) == [b"abc"]


def test_a_checksum_of_zero_means_none(station: Station) -> None:
    endpoint = bound(station)
    station.receives(UDP, UdpHeader(5000, 7, 11).build() + b"abc")
    assert received(endpoint) == [b"abc"]


def test_a_missing_checksum_can_be_refused() -> None:
    station = made(config=replace(Config(), udp=UdpConfig(require_checksum=True)))
    endpoint = bound(station)
    station.receives(UDP, UdpHeader(5000, 7, 11).build() + b"abc")
    station.receives_udp(5000, 7, b"def")
    assert received(endpoint) == [b"def"]
    assert station.counters.drops() == {"udp_no_checksum": 1}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "udp_truncated"),
        (bytes(7), "udp_truncated"),
        (UdpHeader(5000, 7, 7).build() + b"abc", "udp_bad_length"),
        (UdpHeader(5000, 7, 0).build() + b"abc", "udp_bad_length"),
        (UdpHeader(5000, 7, 12).build() + b"abc", "udp_bad_length"),
        (UdpHeader(5000, 7, 11, 0x1234).build() + b"abc", "udp_bad_checksum"),
        (UdpHeader(5000, 0, 11).build() + b"abc", "udp_port_zero"),
    ],
)
def test_a_bad_datagram_is_dropped_in_silence(station: Station, payload: bytes, reason: str) -> None:
    endpoint = bound(station)
    station.receives(UDP, payload)
    assert received(endpoint) == []
    assert station.silent()
    assert station.counters.drops() == {reason: 1}
    assert station.counters["udpInErrors"] == 1


def test_a_checksum_the_link_has_verified_is_not_verified_again(station: Station) -> None:
    endpoint = bound(station)
    payload = UdpHeader(5000, 7, 11, 0x1234).build() + b"abc"
    packet = Ipv4Header(PEER, US, UDP, 20 + len(payload)).build() + payload
    station.ipv4.receive(station.eth, packet, station.now, checksum_ok=True)
    assert received(endpoint) == [b"abc"]


def test_the_application_can_learn_what_the_sender_wrote(station: Station) -> None:
    endpoint = bound(station)
    options = pad(router_alert().build())
    station.receives(
        UDP, UdpHeader(5000, 7, 9).build() + b"x", destination=SUBNET_BROADCAST, tos=0x2E, ttl=3, options=options
    )
    datagram = endpoint.receive_datagram()
    assert datagram is not None
    assert (datagram.local, datagram.destination) == (US, SUBNET_BROADCAST)
    assert (datagram.tos, datagram.ttl, datagram.options) == (0x2E, 3, options)


# --- the closed port


def test_a_closed_port_gets_port_unreachable(station: Station) -> None:
    raw = station.receives_udp(5000, 7, b"anyone?")
    header, message = station.icmp()
    assert (header.source, header.destination) == (US, PEER)
    assert (message.type, message.code, message.body) == (icmp.UNREACHABLE, icmp.PORT_UNREACHABLE, raw)
    assert station.counters["udpNoPorts"] == 1


@pytest.mark.parametrize("destination", [BROADCAST, SUBNET_BROADCAST, ALL_HOSTS])
def test_a_broadcast_to_a_closed_port_gets_nothing(station: Station, destination: bytes) -> None:
    station.receives_udp(5000, 7, b"anyone?", destination=destination, link_broadcast=True)
    assert station.silent()
    assert station.counters.drops() == {"udp_no_port": 1}


def test_a_closed_endpoints_port_is_closed(station: Station) -> None:
    endpoint = bound(station)
    endpoint.close()
    station.receives_udp(5000, 7)
    _, message = station.icmp()
    assert message.code == icmp.PORT_UNREACHABLE


# --- sending


@pytest.mark.parametrize("data", [b"", b"x", b"hello", bytes(1000), b"\xff" * 1472])
def test_a_datagram_is_sent_with_its_checksum(station: Station, data: bytes) -> None:
    endpoint = bound(station)
    assert endpoint.send_to(data, (PEER, 9), station.now) == len(data)
    header, udp, payload = one_datagram(station)
    assert (header.source, header.destination) == (US, PEER)
    assert (udp.source_port, udp.destination_port, payload) == (7, 9, data)
    assert station.counters["udpOutDatagrams"] == 1


def test_a_checksum_that_comes_out_as_zero_is_sent_as_all_ones(station: Station) -> None:
    endpoint = bound(station)
    endpoint.send_to(b"\0\0", (PEER, 9), station.now)
    _, udp, _ = one_datagram(station)
    endpoint.send_to(udp.checksum.to_bytes(2, "big"), (PEER, 9), station.now)  # now everything sums to 0xFFFF
    _, udp, _ = one_datagram(station)
    assert udp.checksum == 0xFFFF


def test_sending_binds_to_an_ephemeral_port(station: Station) -> None:
    endpoint = station.udp.open()
    endpoint.send_to(b"x", (PEER, 9), station.now)
    assert endpoint.local[0] == ANY
    assert endpoint.local[1] >= 49152
    _, udp, _ = one_datagram(station)
    assert udp.source_port == endpoint.local[1]
    station.receives_udp(9, endpoint.local[1], b"back")
    assert received(endpoint) == [b"back"]


def test_ephemeral_ports_do_not_collide(station: Station) -> None:
    endpoints = [bound(station, port=0) for _ in range(20)]
    assert len({endpoint.local[1] for endpoint in endpoints}) == 20


def test_ttl_tos_and_options_are_the_applications(station: Station) -> None:
    endpoint = bound(station, ttl=5, tos=0xB8)
    endpoint.send_to(b"x", (PEER, 9), station.now)
    endpoint.ttl, endpoint.tos = 9, 0
    endpoint.send_to(b"x", (PEER, 9), station.now)
    options = pad(router_alert().build())
    endpoint.set_options(options)
    endpoint.send_to(b"x", (PEER, 9), station.now)
    fields = [(header.ttl, header.tos, header.options) for header, _ in station.packets()]
    assert fields == [(5, 0xB8, b""), (9, 0, b""), (9, 0, options)]


def test_a_ttl_taken_back_is_the_default_again(station: Station) -> None:
    endpoint = bound(station, ttl=5)
    endpoint.send_to(b"x", (PEER, 9), station.now)
    endpoint.ttl = None
    endpoint.send_to(b"x", (PEER, 9), station.now)
    assert [header.ttl for header, _ in station.packets()] == [5, 64]


def test_the_largest_datagram_is_fragmented_and_no_larger_one_taken(station: Station) -> None:
    endpoint = bound(station)
    assert endpoint.send_to(bytes(MAX_PAYLOAD), (PEER, 9), station.now) == 65507
    assert sum(len(payload) for _, payload in station.packets()) == 65515
    with pytest.raises(OSError) as caught:
        endpoint.send_to(bytes(MAX_PAYLOAD + 1), (PEER, 9), station.now)
    assert caught.value.errno == errno.EMSGSIZE
    assert station.silent()


def test_a_broadcast_needs_permission(station: Station) -> None:
    endpoint = bound(station)
    for destination in (BROADCAST, SUBNET_BROADCAST):
        with pytest.raises(OSError) as caught:
            endpoint.send_to(b"x", (destination, 9), station.now)
        assert caught.value.errno == errno.EACCES
        with pytest.raises(OSError) as caught:
            endpoint.connect((destination, 9), station.now)
        assert caught.value.errno == errno.EACCES
    endpoint.broadcast = True
    endpoint.send_to(b"x", (BROADCAST, 9), station.now)
    header, _, _ = one_datagram(station)
    assert (header.source, header.destination) == (US, BROADCAST)


@pytest.mark.parametrize(
    ("remote", "number"),
    [
        ((PEER, 0), errno.EINVAL),
        ((PEER, 65536), errno.EINVAL),
        ((ANY, 9), errno.ENETUNREACH),
        ((parse_ipv4("240.0.0.1"), 9), errno.ENETUNREACH),
    ],
)
def test_destinations_that_cannot_be(station: Station, remote: tuple[bytes, int], number: int) -> None:
    with pytest.raises(OSError) as caught:
        bound(station).send_to(b"x", remote, station.now)
    assert caught.value.errno == number


def test_no_route() -> None:
    station = made(gateway=None)
    endpoint = bound(station)
    for call in (
        lambda: endpoint.send_to(b"x", (FAR, 9), station.now),
        lambda: endpoint.connect((FAR, 9), station.now),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.ENETUNREACH


def test_paths_are_kept_in_bounds_and_given_back(station: Station) -> None:
    endpoint = bound(station)
    for host in range(1, 250):
        endpoint.send_to(b"x", (bytes((192, 0, 2, host)), 9), station.now)
    assert station.ipv4.output.open_paths == station.config.udp.paths_max
    endpoint.close()
    assert station.ipv4.output.open_paths == 0


# --- binding


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        (ANY, ANY, True),
        (ANY, US, True),
        (US, ANY, True),
        (US, US, True),
        (US, LOOPBACK, False),
    ],
)
def test_a_port_is_bound_once_per_address(station: Station, first: bytes, second: bytes, taken: bool) -> None:
    bound(station, first)
    if not taken:
        bound(station, second)
        return
    with pytest.raises(OSError) as caught:
        bound(station, second)
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError) as caught:
        bound(station, second, reuse_address=True)
    assert caught.value.errno == errno.EADDRINUSE, "both must agree to share"


def test_a_shared_port_gives_a_datagram_to_the_latest(station: Station) -> None:
    older, newer = (bound(station, reuse_address=True) for _ in range(2))
    station.receives_udp(5000, 7, b"x")
    assert (received(older), received(newer)) == ([], [b"x"])


def test_a_closed_endpoint_gives_its_port_back(station: Station) -> None:
    bound(station).close()
    bound(station)
    assert len(station.udp) == 1


@pytest.mark.parametrize("address", [PEER, SUBNET_BROADCAST, parse_ipv4("224.0.0.1")])
def test_an_address_that_is_not_ours(station: Station, address: bytes) -> None:
    with pytest.raises(OSError) as caught:
        bound(station, address)
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_binding_twice(station: Station) -> None:
    with pytest.raises(OSError) as caught:
        bound(station).bind((ANY, 8))
    assert caught.value.errno == errno.EINVAL


def test_an_ephemeral_port_is_free_for_the_address_that_asks(station: Station) -> None:
    first = bound(station, US, 0)
    assert bound(station, LOOPBACK, 0).local[1] == first.local[1], "another address"
    assert bound(station, US, 0).local[1] != first.local[1]
    assert bound(station, ANY, 0).local[1] not in (first.local[1], first.local[1] + 1)


def test_a_claimed_port_cannot_be_bound_by_another_endpoint(station: Station) -> None:
    taken: list[tuple[bytes, int, bytes]] = []
    station.udp.claim(68, lambda received, port, payload: taken.append((received.source, port, bytes(payload))))
    with pytest.raises(OSError) as refused:
        bound(station, port=68, reuse_address=True)
    assert refused.value.errno == errno.EADDRINUSE
    station.receives_udp(67, 68, b"offer")
    assert taken == [(PEER, 67, b"offer")]
    assert station.counters["udpInDatagrams"] == 1
    station.udp.release(68)
    endpoint = bound(station, port=68)
    station.receives_udp(67, 68, b"mine")
    assert received(endpoint) == [b"mine"]
    with pytest.raises(OSError) as taken_already:
        station.udp.claim(68, lambda received, port, payload: None)
    assert taken_already.value.errno == errno.EADDRINUSE
    assert len(taken) == 1


def test_a_claimed_port_is_never_ephemeral(station: Station) -> None:
    station.udp.claim(49152, lambda received, port, payload: None)
    assert bound(station, port=0).local[1] == 49153
