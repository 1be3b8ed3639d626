"""ARP as RFC 826 writes it, with RFC 1122's ageing, rate limit and queue."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from stack.config import ArpConfig, Config
from stack.wire.addresses import ANY, MAC_ZERO, Prefix, parse_ipv4
from stack.wire.arp import INVERSE_REQUEST, REVERSE_REQUEST, ArpPacket
from tests.internet.station import (
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
    Listening,
    Station,
    numbered,
    path_to,
    send,
    state_of,
)
from tests.requirements import rfc

# --- packet generation


@rfc("826-gen-b", "826-gen-c", "826-gen-d")
def test_a_miss_is_asked_for_by_broadcast_with_our_own_addresses_as_sender() -> None:
    station = Station()
    send(station, path_to(station))
    [(target, packet)] = station.arps()
    assert target == MAC_BROADCAST
    assert packet == ArpPacket(REQUEST, OUR_MAC, US, MAC_ZERO, PEER)


@rfc("1122-2.3.2.2-arp-a", "894-frame-a")
def test_the_packet_waits_and_goes_out_when_the_reply_comes() -> None:
    station = Station()
    send(station, path_to(station), b"first")
    station.frames()
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    [frame] = station.frames()
    assert frame[:14] == PEER_MAC + OUR_MAC + b"\x08\x00"
    assert frame.endswith(b"first")


@rfc("826-gen-a")
def test_a_known_neighbour_is_not_asked_for() -> None:
    station = Station()
    station.knows(PEER)
    send(station, path_to(station))
    assert len(station.packets()) == 1


def test_a_path_keeps_the_entry_and_writes_header_and_payload_once() -> None:
    station = Station()
    station.knows(PEER)
    path = path_to(station)
    send(station, path, b"abc")
    send(station, path, b"defg")
    assert [len(parts) for parts in station.eth.link.writes] == [2, 2]
    assert [parts[1] for parts in station.eth.link.writes] == [b"abc", b"defg"]


@rfc("894-map-a", "1112-6.4-a")
def test_a_broadcast_or_group_needs_no_arp() -> None:
    station = Station()
    for address, mac in (
        (SUBNET_BROADCAST, MAC_BROADCAST),
        (b"\xff\xff\xff\xff", MAC_BROADCAST),
        (parse_ipv4("224.129.2.3"), bytes.fromhex("01005e010203")),  # the low 23 bits: RFC 1112 section 6.4
    ):
        send(station, path_to(station, address))
        [frame] = station.frames()
        assert frame[:6] == mac
    assert station.counters["ifOutNUcastPkts"] == 3
    assert len(station.eth.cache) == 0


def test_a_request_is_sent_from_the_address_on_the_targets_own_network() -> None:
    station = Station()
    station.ipv4.add_address(station.eth, Prefix.parse("172.16.0.9/16"))
    send(station, path_to(station, parse_ipv4("172.16.3.4")))
    [(_, packet)] = station.arps()
    assert packet.sender_ip == parse_ipv4("172.16.0.9")


# --- packet reception


@rfc("826-rcv-i", "826-rcv-j", "5227-2.6-a")
def test_a_request_for_us_is_answered_by_unicast_with_the_fields_swapped() -> None:
    station = Station()
    station.arp(REQUEST, PEER_MAC, PEER, US)
    [(target, packet)] = station.arps()
    assert target == PEER_MAC
    assert packet == ArpPacket(REPLY, OUR_MAC, US, PEER_MAC, PEER)


@rfc("826-rcv-g")
def test_a_request_for_us_creates_an_entry() -> None:
    station = Station()
    station.arp(REQUEST, PEER_MAC, PEER, US)
    assert state_of(station, PEER) == REACHABLE


@rfc("826-rcv-f", "826-rcv-k")
def test_a_request_for_another_host_is_not_answered_and_creates_nothing() -> None:
    station = Station()
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    assert station.silent()
    assert state_of(station, PEER) is None
    assert station.counters["arp_not_for_us"] == 1


@rfc("826-rcv-k", "arp-2")
def test_a_gratuitous_arp_updates_what_exists_and_is_silent_and_creates_nothing() -> None:
    station = Station()
    station.knows(PEER, PEER_MAC)
    path = path_to(station)
    send(station, path)
    station.arp(REQUEST, OTHER_MAC, PEER, PEER)
    station.arp(REQUEST, OTHER_MAC, OTHER, OTHER)
    station.at(0.5)
    station.frames()
    send(station, path)
    [frame] = station.frames()
    assert frame[:6] == OTHER_MAC
    assert state_of(station, OTHER) is None


def test_an_unsolicited_reply_creates_nothing() -> None:
    station = Station()
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    assert state_of(station, PEER) is None
    assert station.counters["arp_unsolicited"] == 1


@pytest.mark.parametrize("operation", [REVERSE_REQUEST, INVERSE_REQUEST, 0, 65535])
def test_other_operations_get_no_answer(operation: int) -> None:
    station = Station()
    station.arp(operation, PEER_MAC, PEER, US)
    assert station.silent()
    assert state_of(station, PEER) is None


@rfc("5227-2.5-b", "5227-2.5-c")
def test_a_probe_is_answered_and_0_0_0_0_is_not_learnt() -> None:
    station = Station()
    station.arp(REQUEST, PEER_MAC, ANY, US)
    [(target, packet)] = station.arps()
    assert target == PEER_MAC
    assert (packet.target_mac, packet.target_ip) == (PEER_MAC, ANY)
    assert len(station.eth.cache) == 0


@rfc("919-7.1-a")
@pytest.mark.parametrize("target", [SUBNET_BROADCAST, ANY, b"\xff\xff\xff\xff", b"\x7f\0\0\1"])
def test_a_request_for_no_address_of_ours_is_never_answered(target: bytes) -> None:
    station = Station()
    station.arp(REQUEST, PEER_MAC, PEER, target)
    assert station.silent()


@rfc("1812-3.3.2-c")
@pytest.mark.parametrize("mac", [MAC_BROADCAST, bytes.fromhex("01005e000001"), MAC_ZERO])
def test_a_group_address_is_not_believed_to_be_a_station(mac: bytes) -> None:
    station = Station()
    station.knows(PEER, PEER_MAC)
    station.arp(REQUEST, mac, PEER, US)
    assert station.silent()
    send(station, path_to(station))
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC
    assert station.counters["arp_bad_sender"] == 1


@pytest.mark.parametrize("sender", [US, SUBNET_BROADCAST, b"\xff\xff\xff\xff", b"\x7f\0\0\1", b"\xe0\0\0\1"])
def test_senders_that_can_be_no_other_host_are_not_learnt(sender: bytes) -> None:
    station = Station()
    station.arp(REQUEST, PEER_MAC, sender, US)
    assert len(station.eth.cache) == 0


def test_our_own_packet_that_comes_back_is_ignored() -> None:
    station = Station()
    station.arp(REQUEST, OUR_MAC, US, US)
    assert station.silent()
    assert station.counters["arp_from_ourselves"] == 1


@rfc("826-rcv-a", "826-rcv-c")
def test_a_packet_of_another_hardware_or_protocol_is_dropped() -> None:
    station = Station()
    good = ArpPacket(REQUEST, PEER_MAC, PEER, MAC_ZERO, US)
    for packet, reason in (
        (replace(good, hardware_type=7), "arp_bad_hardware"),
        (replace(good, protocol_type=0x86DD), "arp_bad_protocol"),
    ):
        station.eth.cache.receive(packet.build(), station.now)
        assert station.counters[reason] == 1
    station.eth.cache.receive(good.build()[:27], station.now)
    assert station.counters["arp_truncated"] == 1
    assert station.silent()


def test_an_observer_sees_every_packet_first() -> None:
    station = Station()
    seen: list[ArpPacket] = []
    station.eth.cache.observe = lambda packet, now: seen.append(packet)
    station.arp(REQUEST, PEER_MAC, US, OTHER)
    assert [packet.sender_ip for packet in seen] == [US]


# --- asking, and failing


@rfc("1122-2.3.2.1-arp-c", "1122-2.3.2.1-arp-d")
def test_requests_for_one_address_are_a_second_apart_and_three() -> None:
    station = Station()
    path = path_to(station)
    for _ in range(50):
        send(station, path)
        station.at(0.05)
    assert len(station.arps()) == 3  # at 0, 1 and 2 seconds
    station.at(10.0)
    assert station.silent()


def test_each_packet_that_waits_fails_when_there_is_no_answer() -> None:
    station = Station()
    path = path_to(station)
    user = path.user = Listening()
    told = user.failures
    send(station, path)
    station.at(2.9)
    assert told == []
    station.at(0.2)
    assert told == [errno.EHOSTUNREACH]
    assert station.counters["arp_unresolved"] == 1


def test_a_closed_path_is_not_told() -> None:
    station = Station()
    path = path_to(station)
    user = path.user = Listening()
    told = user.failures
    send(station, path)
    path.close()
    station.at(5.0)
    assert told == []


def test_a_failed_entry_recovers_with_the_next_packet() -> None:
    station = Station()
    path = path_to(station)
    send(station, path, b"lost")
    station.at(5.0)
    station.frames()
    send(station, path, b"found")
    assert len(station.arps()) == 1
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    [frame] = station.frames()
    assert frame.endswith(b"found")


@rfc("1122-2.4-arp-a", "1812-3.3.2-b")
def test_a_miss_makes_no_icmp_unreachable() -> None:
    station = Station(gateway=None)
    path = path_to(station)
    user = path.user = Listening()
    errors = user.failures
    send(station, path)
    station.at(1.5)
    assert errors == []  # no user is told before ARP itself has failed
    station.at(10.0)
    assert errors == [errno.EHOSTUNREACH]
    assert {frame[12:14] for frame in station.frames()} == {b"\x08\x06"}


@rfc("1122-2.3.2.2-arp-a")
def test_the_newest_datagrams_wait() -> None:
    station = Station(config=replace(Config(), arp=ArpConfig(queue_packets=3)))
    path = path_to(station)
    for number in range(5):
        send(station, path, b"%d" % number)
    station.frames()
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    assert [payload for _, payload in station.packets()] == [b"2", b"3", b"4"]
    assert station.counters["arp_queue_full"] == 2


def test_a_fragmented_datagram_waits_as_one() -> None:
    station = Station()
    path = station.ipv4.output.path(None, PEER, 17, now=station.now)
    path.send([bytes(65000)], 65000, station.now)
    station.frames()
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    assert sum(len(payload) for _, payload in station.packets()) == 65000


def test_what_waits_is_bounded_over_all_addresses() -> None:
    config = replace(Config(), arp=ArpConfig(queue_bytes_max=20_000))
    station = Station("10.9.0.2/16", config=config)
    for number in range(100):
        send(station, path_to(station, numbered(number)), bytes(1000))
    assert station.eth.cache.waiting_bytes <= 20_000
    station.at(10.0)
    assert station.eth.cache.waiting_bytes == 0
