"""The ARP cache over time: ageing, polls, negative advice, limits (RFC 1122 section 2.3.2)."""

from __future__ import annotations

from dataclasses import replace

from stack.config import ArpConfig, Config
from stack.internet.neighbor import INCOMPLETE, PROBING, STALE
from stack.internet.path import Path
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
    US,
    Station,
    numbered,
    path_to,
    send,
    state_of,
)
from tests.requirements import rfc


def peer_in_use() -> tuple[Station, Path]:
    """A station that knows PEER, and has just sent it a packet."""
    station = Station()
    station.knows(PEER)
    path = path_to(station)
    send(station, path)
    return station, path


# --- ageing


@rfc("826-aging-a")
def test_an_unused_entry_becomes_stale_and_is_forgotten_without_traffic() -> None:
    station = Station()
    station.knows(PEER)
    station.at(59.0)
    assert state_of(station, PEER) == REACHABLE
    station.at(2.0)
    assert state_of(station, PEER) == STALE
    station.at(600.0)
    assert state_of(station, PEER) is None
    assert station.silent()
    assert station.eth.cache.deadline == float("inf")


def test_a_stale_entry_is_used_at_once_and_polled() -> None:
    station, path = peer_in_use()
    station.frames()
    station.at(60.5)
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    station.at(100.0)
    assert state_of(station, PEER) == STALE
    station.frames()
    for number in range(20):
        send(station, path, b"%d" % number)
    poll, *frames = station.frames()
    assert (poll[:6], poll[12:14]) == (PEER_MAC, b"\x08\x06")
    assert [frame[14 + 20 :] for frame in frames] == [b"%d" % number for number in range(20)]
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    assert state_of(station, PEER) == REACHABLE


@rfc("1122-2.3.2.1-arp-a")
def test_a_stale_entry_that_is_no_longer_true_is_flushed() -> None:
    station = Station()
    station.knows(PEER)
    station.at(61.0)
    path = path_to(station)
    send(station, path)
    station.at(3.0)
    assert state_of(station, PEER) is None
    station.frames()
    send(station, path)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST]


def test_a_stale_entry_heals_by_what_its_station_sends() -> None:
    station = Station()
    station.knows(PEER)
    station.at(61.0)
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    assert state_of(station, PEER) == REACHABLE
    send(station, path_to(station))
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC


def test_a_stale_entry_can_be_suspected() -> None:
    station = Station()
    station.knows(PEER)
    station.at(61.0)
    station.eth.cache.suspect(PEER, station.now)
    station.at(1.1)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST] * 2


@rfc("826-aging-b", "1122-2.3.2.1-arp-f")
def test_an_entry_in_use_is_polled_by_unicast_and_stays_when_it_answers() -> None:
    station, path = peer_in_use()
    station.frames()
    station.at(60.5)
    [(target, packet)] = station.arps()
    assert (target, packet.operation, packet.target_ip) == (PEER_MAC, REQUEST, PEER)
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    send(station, path, b"on")
    station.at(50.0)
    [(_, payload)] = station.packets()
    assert payload == b"on"


def test_packets_flow_on_while_a_poll_is_out() -> None:
    station, path = peer_in_use()
    station.at(60.5)
    station.frames()
    assert state_of(station, PEER) == PROBING
    send(station, path)
    assert len(station.packets()) == 1


@rfc("1122-2.3.2.1-arp-a", "1122-2.3.2.1-arp-f")
def test_an_entry_whose_polls_go_unanswered_is_flushed_and_asked_for_by_broadcast() -> None:
    station = Station()
    station.knows(PEER, PEER_MAC)
    path = path_to(station)
    send(station, path)
    station.frames()
    station.at(63.0)
    assert [target for target, _ in station.arps()] == [PEER_MAC, PEER_MAC]
    assert state_of(station, PEER) is None
    send(station, path)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST]
    assert state_of(station, PEER) == INCOMPLETE


@rfc("1122-2.3.2.1-arp-e")
def test_hearing_from_a_station_restarts_its_timeout() -> None:
    station = Station()
    station.knows(PEER)
    station.at(50.0)
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    station.at(50.0)
    assert state_of(station, PEER) == REACHABLE


@rfc("1122-2.3.2.1-arp-b")
def test_the_timeout_is_configurable() -> None:
    station = Station(config=replace(Config(), arp=ArpConfig(reachable_s=5.0, stale_s=1.0)))
    station.knows(PEER)
    station.at(7.0)
    assert state_of(station, PEER) is None


# --- negative advice


@rfc("1122-2.3.2.1-arp-g")
def test_a_suspect_entry_is_asked_for_by_broadcast_and_heals() -> None:
    station = Station()
    station.knows(PEER, OTHER_MAC)  # poisoned
    path = path_to(station)
    send(station, path)
    station.frames()
    station.at(5.0)
    path.suspect(station.now)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST]
    send(station, path)
    assert len(station.packets()) == 1, "meanwhile the entry is used"
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    send(station, path)
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC


def test_advice_right_after_an_answer_waits_for_its_second() -> None:
    station = Station()
    path = path_to(station)
    send(station, path)
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    station.frames()
    station.at(0.25)
    path.suspect(station.now)
    station.at(0.5)
    assert station.silent()
    station.at(0.5)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST]


def test_a_suspect_is_asked_for_three_times_in_all() -> None:
    station = Station()
    station.knows(PEER)
    station.eth.cache.suspect(PEER, station.now)
    station.at(20.0)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST] * 3


def test_a_suspect_gateway_is_meant_when_the_destination_is_far() -> None:
    station = Station()
    station.knows(PEER)
    path = path_to(station, FAR)
    send(station, path)
    station.frames()
    station.at(2.0)
    path.suspect(station.now)
    [(_, packet)] = station.arps()
    assert packet.target_ip == PEER


def test_advice_repeated_makes_no_more_requests() -> None:
    station, path = peer_in_use()
    station.frames()
    for _ in range(100):
        path.suspect(station.now)
        station.at(0.01)
    assert len(station.arps()) <= 2  # in one second


def test_advice_during_a_routine_poll_adds_broadcasts() -> None:
    station = Station()
    station.knows(PEER, OTHER_MAC)
    path = path_to(station)
    send(station, path)
    station.at(60.5)
    path.suspect(station.now)
    station.frames()
    station.at(1.0)
    assert [target for target, _ in station.arps()] == [MAC_BROADCAST]


def test_a_suspect_that_never_answers_is_flushed() -> None:
    station, path = peer_in_use()
    path.suspect(station.now)
    station.at(5.0)
    assert state_of(station, PEER) is None


@rfc("arp-6")
def test_a_suspect_stays_when_acknowledgments_come_while_its_answers_are_lost() -> None:
    station, path = peer_in_use()
    station.at(10.0)
    path.suspect(station.now)
    station.at(1.0)
    path.confirm(station.now)
    station.at(2.5)
    assert state_of(station, PEER) == REACHABLE
    path.suspect(station.now)  # the acknowledgment came before this advice
    station.at(5.0)
    assert state_of(station, PEER) is None


@rfc("arp-6")
def test_acknowledgments_do_not_keep_a_station_for_ever_that_arp_does_not_hear() -> None:
    station, path = peer_in_use()
    station.at(10.0)
    path.suspect(station.now)
    states = []
    for _ in range(24):  # what a peer far away can say of packets that it has not received
        station.at(1.0)
        path.confirm(station.now)
        send(station, path)
        states.append(state_of(station, PEER))
    assert REACHABLE in states[:12], "they count once"
    assert REACHABLE not in states[12:]


@rfc("arp-6")
def test_acknowledgments_right_after_a_change_of_station_do_not_keep_a_suspect() -> None:
    station, path = peer_in_use()
    path.suspect(station.now)
    path.confirm(station.now + 0.5)
    station.at(5.0)
    assert state_of(station, PEER) is None


def test_advice_about_the_unknown_does_nothing() -> None:
    station = Station()
    station.eth.cache.suspect(PEER, station.now)
    assert station.silent()


# --- limits


def test_a_flood_of_senders_keeps_the_cache_bounded_and_the_used_entries_in_it() -> None:
    config = replace(Config(), arp=ArpConfig(entries_max=64))
    station = Station("10.9.0.2/16", gateway=None, config=config)
    station.knows(PEER)
    path = path_to(station)
    send(station, path)
    for number in range(5000):
        station.arp(REQUEST, OTHER_MAC, numbered(number), US)
        assert len(station.eth.cache) <= 64
    station.frames()
    send(station, path)
    assert len(station.packets()) == 1, "the neighbour in use is still known"
    assert station.counters["arp_cache_full"] > 0


def test_a_flood_of_unresolvable_destinations_keeps_the_cache_bounded() -> None:
    config = replace(Config(), arp=ArpConfig(entries_max=64))
    station = Station("10.9.0.2/16", gateway=None, config=config)
    station.knows(PEER)
    for number in range(2000):
        send(station, path_to(station, numbered(number)))
        assert len(station.eth.cache) <= 64
    assert state_of(station, PEER) == REACHABLE, "what is resolved outlives what may never be"


def test_a_path_survives_the_eviction_of_its_entry() -> None:
    config = replace(Config(), arp=ArpConfig(entries_max=2))
    station = Station("10.9.0.2/16", gateway=None, config=config)
    station.knows(PEER)
    path = path_to(station)
    send(station, path)
    station.at(1.0)
    for number in range(8):
        station.arp(REQUEST, OTHER_MAC, numbered(number), US)
        send(station, path_to(station, numbered(number)))
        station.at(1.0)
    assert state_of(station, PEER) is None
    station.frames()
    send(station, path, b"again")
    assert [packet.target_ip for _, packet in station.arps()] == [PEER]
    station.arp(REPLY, PEER_MAC, PEER, US, OUR_MAC)
    [frame] = station.frames()
    assert frame.endswith(b"again")


def test_flush_forgets_everything() -> None:
    station = Station()
    station.knows(PEER)
    send(station, path_to(station, OTHER))
    station.eth.cache.flush()
    assert len(station.eth.cache) == 0
    assert station.eth.cache.waiting_bytes == 0
    assert station.counters["arp_unresolved"] == 1


def test_an_earlier_deadline_is_announced() -> None:
    station = Station()
    told: list[float] = []
    station.eth.cache.reschedule = lambda: told.append(station.eth.cache.deadline)
    send(station, path_to(station))
    assert told == [station.now + 1.0]


def test_records_are_readable() -> None:
    station = Station()
    station.knows(PEER)
    send(station, path_to(station, OTHER))
    station.at(0.5)
    known, asked = station.eth.cache.records(station.now)
    assert (known.address, known.mac, known.state, known.age_s) == ("10.9.0.1", "02:00:00:00:bb:01", REACHABLE, 0.5)
    assert (asked.address, asked.mac, asked.state, asked.waiting) == ("10.9.0.3", None, INCOMPLETE, 1)
