"""The rest of RFC 826's reception, entries that are set by hand, and proxy ARP and RARP where
configured.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import ArpConfig, Config
from stack.wire.addresses import ANY, BROADCAST, MAC_ZERO, Prefix, parse_ipv4
from stack.wire.arp import INVERSE_REPLY, INVERSE_REQUEST, REVERSE_REPLY, REVERSE_REQUEST, ArpPacket
from stack.wire.numbers import ETHERTYPE_RARP
from tests.internet.station import (
    FAR,
    MAC_BROADCAST,
    OTHER,
    OTHER_MAC,
    OUR_MAC,
    PEER,
    PEER_MAC,
    REACHABLE,
    REPLY,
    REQUEST,
    SUBNET_BROADCAST,
    US,
    FakeInterface,
    Station,
    path_to,
    send,
    state_of,
)
from tests.requirements import rfc

STRANGER_MAC = bytes.fromhex("02000000ee05")


def mac_of(station: Station, address: bytes) -> str | None:
    text = ".".join(map(str, address))
    return next((record.mac for record in station.eth.cache.records(station.now) if record.address == text), None)


# --- reception


@rfc("826-rcv-h")
@pytest.mark.parametrize("operation", [REQUEST, REPLY, 3, 7, 65535])
def test_the_table_is_updated_before_anybody_looks_at_the_operation(operation: int) -> None:
    station = Station()
    station.knows(PEER)
    station.at(50.0)
    station.arp(operation, PEER_MAC, PEER, US)
    assert len(station.arps()) == (operation == REQUEST)
    station.at(50.0)
    assert state_of(station, PEER) == REACHABLE, "its timeout was restarted"
    station.arp(operation, OTHER_MAC, PEER, US)
    assert len(station.arps()) == 1 + (operation == REQUEST)
    station.at(0.5)
    assert mac_of(station, PEER) == OTHER_MAC.hex(":"), "the known station was silent"


@rfc("826-rcv-j")
def test_the_reply_goes_out_where_the_request_came_in() -> None:
    station = Station()
    second = FakeInterface(station.config, station.counters, [Prefix.parse("10.8.0.2/24")], index=2)
    station.ipv4.add_interface(second)
    station.arp(REQUEST, PEER_MAC, parse_ipv4("10.8.0.1"), parse_ipv4("10.8.0.2"), interface=second)
    assert station.frames() == []
    assert len(station.frames(second)) == 1
    station.arp(REQUEST, PEER_MAC, parse_ipv4("10.8.0.1"), parse_ipv4("10.8.0.2"))  # our address, but not there
    assert station.silent()


def test_a_sender_on_none_of_our_networks_is_answered_and_not_learnt() -> None:
    station = Station()
    for sender in (FAR, parse_ipv4("10.9.1.1")):
        station.arp(REQUEST, PEER_MAC, sender, US)
        [(target, packet)] = station.arps()
        assert (target, packet.target_ip) == (PEER_MAC, sender)
        assert state_of(station, sender) is None


@rfc("826-why-b", "3927-4-a")
def test_a_day_without_traffic_is_silent() -> None:
    station = Station()
    station.knows(PEER)
    station.at(86400.0)
    assert station.silent()


@rfc("826-aging-c")
def test_we_answer_for_ourselves_alone() -> None:
    station = Station()
    station.knows(PEER)
    station.knows(OTHER, OTHER_MAC)
    for number in range(256):
        if number != US[3]:
            station.arp(REQUEST, STRANGER_MAC, ANY if number % 2 else FAR, bytes((10, 9, 0, number)))
            station.arp(REQUEST, PEER_MAC, PEER, bytes((10, 9, 0, number)))
    assert station.silent()


@rfc("3927-2.7-b")
def test_no_proxy_answers_for_all_link_local_addresses() -> None:
    for address in ("10.9.0.2/24", "169.254.7.7/16"):
        station = Station(address, gateway=None)
        for number in range(256):
            station.arp(REQUEST, PEER_MAC, PEER, bytes((169, 254, number, number)))
        assert len(station.arps()) == (address == "169.254.7.7/16")


def test_a_conflicting_request_gets_no_ordinary_answer() -> None:
    """RFC 5227 section 2.5; whether it is defended against is for `Conflicts` to say."""
    station = Station()
    for target in (US, OTHER):
        station.arp(REQUEST, OTHER_MAC, US, target)
    assert station.silent()
    assert station.counters["arp_conflict"] == 2


@rfc("894-frame-d")
def test_no_datagram_on_ethernet_is_longer_than_1500_octets() -> None:
    station = Station()
    station.knows(PEER)
    endpoint = station.udp.open()
    endpoint.send_to(bytes(60000), (PEER, 9), station.now)
    frames = station.frames()
    assert len(frames) == 41
    assert max(map(len, frames)) == 14 + 1500


# --- which entries are kept when the cache is full


def full_of(station: Station, used: bool) -> None:
    """A flood of senders that answer ARP, and that we answer."""
    for number in range(200):
        address = bytes((10, 9, 4 + number // 200, 1 + number % 200))
        station.arp(REQUEST, OTHER_MAC, address, US)
        if used:
            send(station, path_to(station, address), b"SYN,ACK")
        station.at(0.01)
    station.frames()


def test_a_neighbour_that_sends_acknowledgments_outlives_a_flood() -> None:
    station = Station("10.9.0.2/16", gateway=None, config=replace(Config(), arp=ArpConfig(entries_max=32)))
    station.knows(PEER)
    path = path_to(station)
    send(station, path)
    path.confirm(station.now)
    full_of(station, used=True)
    assert state_of(station, PEER) is not None
    send(station, path)
    assert len(station.packets()) == 1


def test_a_gateway_outlives_a_flood() -> None:
    station = Station("10.9.0.2/16", config=replace(Config(), arp=ArpConfig(entries_max=32)))
    station.knows(PEER)
    full_of(station, used=True)
    assert state_of(station, PEER) is not None


# --- set by hand


def test_a_permanent_entry_is_neither_asked_for_nor_changed() -> None:
    station = Station()
    station.eth.cache.set_permanent(PEER, PEER_MAC, station.now)
    path = path_to(station)
    send(station, path)
    assert len(station.packets()) == 1
    for operation in (REQUEST, REPLY):
        station.arp(operation, OTHER_MAC, PEER, US)
    station.frames()
    path.suspect(station.now)
    station.at(10000.0)
    assert station.silent()
    send(station, path)
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC
    assert station.counters["arp_fixed"] == 2
    assert state_of(station, PEER) == "permanent"


def test_waiting_packets_go_out_when_an_entry_is_set_by_hand() -> None:
    station = Station()
    path = path_to(station)
    send(station, path, b"waits")
    station.frames()
    station.eth.cache.set_permanent(PEER, PEER_MAC, station.now)
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC
    station.eth.cache.set_permanent(PEER, OTHER_MAC, station.now)
    send(station, path, b"and elsewhere")
    [frame] = station.frames()
    assert frame[:6] == OTHER_MAC
    station.at(100.0)
    assert station.silent()


def test_a_permanent_entry_is_kept_in_a_flood_and_forgotten_when_told() -> None:
    station = Station("10.9.0.2/16", gateway=None, config=replace(Config(), arp=ArpConfig(entries_max=32)))
    station.eth.cache.set_permanent(PEER, PEER_MAC, station.now)
    full_of(station, used=True)
    station.eth.cache.flush()
    assert state_of(station, PEER) == "permanent"
    assert len(station.eth.cache) == 1
    path = path_to(station)
    send(station, path)
    station.frames()
    assert station.eth.cache.forget(PEER)
    assert not station.eth.cache.forget(PEER)
    send(station, path)
    [(_, packet)] = station.arps()
    assert packet.target_ip == PEER


@pytest.mark.parametrize("address", [US, SUBNET_BROADCAST, BROADCAST, ANY, FAR, b"\xe0\0\0\1", b"\x7f\0\0\1"])
def test_what_can_be_no_neighbour_is_refused(address: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be another host"):
        Station().eth.cache.set_permanent(address, PEER_MAC, 0.0)


@pytest.mark.parametrize("mac", [MAC_ZERO, MAC_BROADCAST, OUR_MAC, b"12345"])
def test_what_can_be_no_station_is_refused(mac: bytes) -> None:
    with pytest.raises(ValueError, match="station"):
        Station().eth.cache.set_permanent(PEER, mac, 0.0)


# --- proxy entries: RFC 1027


def test_a_proxy_entry_is_answered_by_our_station_or_the_one_named() -> None:
    station = Station()
    cache = station.eth.cache
    cache.publish(OTHER, None)
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    assert station.arps() == [(PEER_MAC, ArpPacket(REPLY, OUR_MAC, OTHER, PEER_MAC, PEER))]
    cache.publish(OTHER, OTHER_MAC)
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    assert station.arps() == [(PEER_MAC, ArpPacket(REPLY, OTHER_MAC, OTHER, PEER_MAC, PEER))]
    assert state_of(station, PEER) is None
    assert [record.state for record in cache.records(station.now)] == ["published"]
    del cache.published.proxies[OTHER]
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    assert station.silent()


def test_a_probe_for_a_proxied_address_is_answered_but_not_its_owners() -> None:
    station = Station()
    station.eth.cache.publish(OTHER, OTHER_MAC)
    station.arp(REQUEST, PEER_MAC, ANY, OTHER)
    assert len(station.arps()) == 1
    station.arp(REQUEST, OTHER_MAC, ANY, OTHER)
    station.arp(REQUEST, OTHER_MAC, OTHER, OTHER)
    station.arp(REQUEST, STRANGER_MAC, OTHER, OTHER)
    station.arp(REPLY, PEER_MAC, PEER, OTHER)
    assert station.silent()


@pytest.mark.parametrize("address", [US, SUBNET_BROADCAST, BROADCAST, ANY, b"\xe0\0\0\1"])
def test_an_address_that_cannot_be_answered_for_is_refused(address: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be another host's address"):
        Station().eth.cache.publish(address, None)
    with pytest.raises(ValueError, match="station"):
        Station().eth.cache.publish(OTHER, MAC_BROADCAST)


# --- InARP and RARP: RFC 2390, RFC 903


def test_inarp_is_answered_where_configured() -> None:
    config = replace(Config(), arp=ArpConfig(answer_inverse=True))
    station = Station(config=config)
    station.arp(INVERSE_REQUEST, PEER_MAC, PEER, ANY, OUR_MAC)
    assert station.arps() == [(PEER_MAC, ArpPacket(INVERSE_REPLY, OUR_MAC, US, PEER_MAC, PEER))]
    station.arp(INVERSE_REQUEST, PEER_MAC, PEER, ANY, OTHER_MAC)
    station.arp(INVERSE_REPLY, PEER_MAC, PEER, US, OUR_MAC)
    assert station.silent()
    mute = Station()
    mute.arp(INVERSE_REQUEST, PEER_MAC, PEER, ANY, OUR_MAC)
    assert mute.silent()
    assert mute.counters["arp_bad_operation"] == 1
    nameless = Station(None, config=config)
    nameless.arp(INVERSE_REQUEST, PEER_MAC, PEER, ANY, OUR_MAC)
    assert nameless.silent()


def test_rarp_tells_a_station_the_address_that_it_was_given() -> None:
    station = Station()
    published = station.eth.cache.published
    published.stations[PEER_MAC] = PEER
    request = ArpPacket(REVERSE_REQUEST, PEER_MAC, ANY, PEER_MAC, ANY)
    published.receive_reverse(request.build() + bytes(18), station.now)
    [frame] = station.frames()
    assert frame[:14] == PEER_MAC + OUR_MAC + ETHERTYPE_RARP.to_bytes(2, "big")
    assert ArpPacket.parse(frame[14:]) == ArpPacket(REVERSE_REPLY, OUR_MAC, US, PEER_MAC, PEER)
    assert len(station.eth.cache) == 0


def test_rarp_for_another_station_is_answered_to_the_station_that_asks() -> None:
    station = Station()
    station.eth.cache.published.stations[OTHER_MAC] = OTHER
    request = ArpPacket(REVERSE_REQUEST, PEER_MAC, ANY, OTHER_MAC, ANY)
    station.eth.cache.published.receive_reverse(request.build(), station.now)
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC
    assert ArpPacket.parse(frame[14:]).target_mac == OTHER_MAC


@pytest.mark.parametrize(
    "packet",
    [
        ArpPacket(REVERSE_REQUEST, OTHER_MAC, ANY, OTHER_MAC, ANY).build(),
        ArpPacket(REVERSE_REPLY, PEER_MAC, ANY, PEER_MAC, ANY).build(),
        ArpPacket(REVERSE_REQUEST, MAC_BROADCAST, ANY, PEER_MAC, ANY).build(),
        ArpPacket(REQUEST, PEER_MAC, PEER, MAC_ZERO, US).build(),
        ArpPacket(REVERSE_REQUEST, PEER_MAC, ANY, PEER_MAC, ANY).build()[:27],
        b"",
    ],
)
def test_other_rarp_packets_are_counted_and_no_more(packet: bytes) -> None:
    station = Station()
    station.eth.cache.published.stations[PEER_MAC] = PEER
    before = sum(station.counters.drops().values())
    station.eth.cache.published.receive_reverse(packet, station.now)
    assert station.silent()
    assert sum(station.counters.drops().values()) == before + 1


# --- link-local: RFC 3927 sections 2.5 to 2.7


@rfc("3927-2.5-e")
def test_what_comes_from_a_link_local_address_is_broadcast() -> None:
    station = Station("169.254.7.7/16", gateway=None)
    ours, theirs = parse_ipv4("169.254.7.7"), parse_ipv4("169.254.1.1")
    station.arp(REQUEST, PEER_MAC, theirs, ours)
    assert station.arps() == [(MAC_BROADCAST, ArpPacket(REPLY, OUR_MAC, ours, PEER_MAC, theirs))]
    path = path_to(station, theirs)
    send(station, path)
    station.frames()
    station.at(61.0)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST] * 2  # the poll of an entry in use


@rfc("3927-2.6.2-a", "3927-2.6.2-b", "3927-2.7-a")
@pytest.mark.parametrize("address", ["10.9.0.2/24", "169.254.7.7/16"])
def test_link_local_destinations_are_asked_for_on_the_link(address: str) -> None:
    station = Station(address, gateway="10.9.0.1" if address.startswith("10.") else None)
    theirs = parse_ipv4("169.254.1.1")
    path = path_to(station, theirs)
    assert path.next_hop == theirs
    send(station, path)
    [(_, packet)] = station.arps()
    assert packet.target_ip == theirs


def test_a_route_by_way_of_a_gateway_does_not_catch_them() -> None:
    station = Station()
    station.ipv4.routes.add(Prefix.parse("169.254.0.0/16"), station.eth, PEER)
    assert path_to(station, parse_ipv4("169.254.1.1")).next_hop == parse_ipv4("169.254.1.1")


@rfc("3927-2.6.2-c", "3927-2.7-a")
def test_from_a_link_local_address_everything_is_asked_for_on_the_link() -> None:
    station = Station()
    ours = parse_ipv4("169.254.7.7")
    station.ipv4.add_address(station.eth, Prefix(ours, 16))
    path = station.ipv4.output.path(ours, FAR, 6, now=station.now)
    assert path.next_hop == FAR
    alone = Station("169.254.7.7/16", gateway=None)
    path = path_to(alone, FAR)
    assert (path.next_hop, path.source) == (FAR, ours)
    send(alone, path)
    [(_, packet)] = alone.arps()
    assert (packet.sender_ip, packet.target_ip) == (ours, FAR)


@rfc("3927-2.6.2-d", "3927-1.9-c")
def test_a_routable_source_is_preferred() -> None:
    station = Station("169.254.7.7/16", gateway=None)
    station.ipv4.add_address(station.eth, Prefix.parse("10.9.0.2/24"))
    station.ipv4.routes.add(Prefix(ANY, 0), station.eth, PEER)
    for destination in (FAR, PEER, parse_ipv4("169.254.1.1")):
        assert path_to(station, destination).source == US
    assert path_to(station, FAR).next_hop == PEER


@rfc("3927-2.6.2-a")
def test_169_254_255_255_is_everybody_on_the_link() -> None:
    for address in ("10.9.0.2/24", "169.254.7.7/16"):
        station = Station(address, gateway=None)
        endpoint = station.udp.open()
        endpoint.broadcast = True
        endpoint.send_to(b"x", (parse_ipv4("169.254.255.255"), 9), station.now)
        [frame] = station.frames()
        assert frame[:6] == MAC_BROADCAST


def test_without_an_address_there_is_no_way_anywhere() -> None:
    station = Station(None)
    for destination in (FAR, PEER, parse_ipv4("169.254.1.1")):
        with pytest.raises(OSError, match=r"unreachable|assign"):
            path_to(station, destination)


# --- whatever comes


FIELDS = st.sampled_from([0, 1, 2, 3, 4, 8, 9, 0x0800, 65535])
MACS = st.sampled_from([OUR_MAC, PEER_MAC, OTHER_MAC, MAC_BROADCAST, MAC_ZERO]) | st.binary(min_size=6, max_size=6)
ADDRESSES = st.sampled_from(
    [US, PEER, OTHER, ANY, BROADCAST, SUBNET_BROADCAST, FAR, b"\x7f\0\0\1", parse_ipv4("169.254.1.1")]
) | st.binary(min_size=4, max_size=4)
PACKETS = st.builds(ArpPacket, FIELDS, MACS, ADDRESSES, MACS, ADDRESSES, FIELDS, FIELDS).map(ArpPacket.build)
MANGLED = st.tuples(PACKETS, st.integers(0, 27), st.integers(0, 255), st.integers(0, 60)).map(
    lambda t: (t[0][: t[1]] + bytes([t[2]]) + t[0][t[1] + 1 :] + bytes(32))[: t[3]]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(PACKETS | MANGLED | st.binary(max_size=64), max_size=30), st.booleans(), st.booleans())
def test_no_packet_raises_or_changes_what_it_may_not(packets: list[bytes], inverse: bool, proxy: bool) -> None:
    config = replace(Config(), arp=ArpConfig(entries_max=8, answer_inverse=inverse))
    station = Station(config=config)
    cache = station.eth.cache
    cache.set_permanent(OTHER, OTHER_MAC, station.now)
    if proxy:
        cache.publish(parse_ipv4("10.9.0.99"), None)
    cache.published.stations[PEER_MAC] = PEER
    for data in packets:
        known = {record.address: record.mac for record in cache.records(station.now)}
        buffer = bytearray(data)
        cache.receive(memoryview(buffer), station.now)
        cache.published.receive_reverse(memoryview(buffer), station.now)
        buffer[:] = b"\xee" * len(buffer)
        sent = station.frames()
        assert len(sent) <= 2
        assert len(cache) <= 8
        assert station.eth.addresses == [Prefix.parse("10.9.0.2/24")]
        assert mac_of(station, OTHER) == OTHER_MAC.hex(":")
        for record in cache.records(station.now):
            assert record.address in known or record.address.startswith(("10.9.0.", "169.254."))
            if known.get(record.address) != record.mac:  # changed or new: by a packet from that very address
                assert bytes(map(int, record.address.split("."))) == data[14:18]
                assert record.mac == data[8:14].hex(":")
        for frame in sent:
            assert frame[6:12] == OUR_MAC
            assert frame[22:28] == OUR_MAC
        station.at(0.5)
        station.frames()
    station.at(10000.0)
    assert len(station.frames()) <= 3 * 8
    assert cache.deadline > station.now
