"""A known neighbour at another station is a claim: the known station is asked first, and used until
it is silent.

RFC 826 would believe the newest packet at once. A forger and a failover send the same packets. They
differ in one thing: after a failover the known station does not answer any more.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.config import ArpConfig, Config
from stack.internet.neighbor import PERMANENT, PROBING
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

THIRD_MAC = bytes.fromhex("02000000dd04")
WAIT_S = ArpConfig().claim_wait_s
INTERVAL_S = ArpConfig().request_interval_s
POSITIVE_ADVICE_S = ArpConfig().positive_advice_s


def known(config: Config | None = None) -> Station:
    """A station that knows its peer for a while."""
    station = Station(config=config)
    station.knows(PEER)
    station.at(5.0)
    return station


def goes_to(station: Station) -> bytes:
    """The station that gets what is sent to the peer now."""
    station.frames()
    send(station, path_to(station))
    return [frame[:6] for frame in station.frames() if frame[12:14] == b"\x08\x00"][-1]


def claim(station: Station, mac: bytes = OTHER_MAC, operation: int = REPLY, target: bytes = US) -> None:
    station.arp(operation, mac, PEER, target)


def answer(station: Station, mac: bytes = PEER_MAC) -> None:
    station.arp(REPLY, mac, PEER, US, OUR_MAC)


def asked(station: Station) -> list[bytes]:
    """The stations that were asked for the peer's address since the last look."""
    return [target for target, packet in station.arps() if packet.operation == REQUEST and packet.target_ip == PEER]


# --- the known station answers


@rfc("arp-1")
@pytest.mark.parametrize("operation", [REQUEST, REPLY, 7])
@pytest.mark.parametrize("target", [US, OTHER, PEER])
def test_a_claim_changes_nothing_while_the_known_station_answers(operation: int, target: bytes) -> None:
    station = known()
    claim(station, OTHER_MAC, operation, target)
    assert asked(station) == [PEER_MAC]
    assert goes_to(station) == PEER_MAC
    station.at(WAIT_S - 0.01)
    assert goes_to(station) == PEER_MAC
    answer(station)
    station.at(10.0)
    assert goes_to(station) == PEER_MAC
    assert state_of(station, PEER) == REACHABLE
    assert station.counters["arp_claim"] == 1


@rfc("arp-1")
def test_a_request_that_claims_is_answered_all_the_same() -> None:
    """A request for our address is answered, whatever the sender claims: RFC 826, "Packet Reception"."""
    station = known()
    claim(station, OTHER_MAC, REQUEST)
    assert [(target, packet.operation) for target, packet in station.arps()] == [
        (PEER_MAC, REQUEST),
        (OTHER_MAC, REPLY),
    ]


@rfc("arp-1")
def test_whatever_the_known_station_says_in_arp_refutes_a_claim() -> None:
    station = known()
    claim(station)
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    station.at(10.0)
    assert goes_to(station) == PEER_MAC


@rfc("arp-1")
def test_a_claim_for_the_gateway_is_asked_about_too() -> None:
    station = known()
    path = path_to(station, FAR)
    assert path.next_hop == PEER
    claim(station, OTHER_MAC, REQUEST, PEER)
    answer(station)
    station.at(10.0)
    station.frames()
    send(station, path)
    [frame] = station.frames()
    assert frame[:6] == PEER_MAC


@rfc("arp-1")
def test_a_claim_for_a_stale_entry_is_asked_about_too() -> None:
    """The next packet to it would ask the forger."""
    station = Station()
    station.knows(PEER)
    station.at(61.0)
    claim(station)
    assert asked(station) == [PEER_MAC]
    assert goes_to(station) == PEER_MAC
    answer(station)
    station.at(10.0)
    assert goes_to(station) == PEER_MAC


@rfc("arp-1")
def test_two_answers_to_one_request_are_one_answer_and_a_claim() -> None:
    """Of two stations that answer at once the first is believed, and asked again when the second may be right."""
    station = Station()
    send(station, path_to(station))
    answer(station)
    answer(station, OTHER_MAC)
    assert goes_to(station) == PEER_MAC
    station.at(INTERVAL_S)
    assert asked(station) == [PEER_MAC]
    answer(station)
    station.at(10.0)
    assert goes_to(station) == PEER_MAC


@rfc("arp-1")
def test_an_attacker_that_answers_everything_gains_nothing_by_it() -> None:
    """It hears the question, as on a hub, and answers it before and after the known station does."""
    station = known()
    for _ in range(20):
        claim(station)
        claim(station)
        answer(station)
        claim(station)
        assert goes_to(station) == PEER_MAC
        station.at(0.2)
        answer(station)
        claim(station)
        station.at(0.2)
        answer(station)
        assert goes_to(station) == PEER_MAC


@rfc("arp-1")
@pytest.mark.parametrize("answers", [True, False])
def test_a_host_that_comes_late_looks_for_the_answer_first(answers: bool) -> None:
    """It was busy for longer than the wait: timers run before the frames that have come meanwhile."""
    station = known()
    claim(station)
    cache = station.eth.cache
    station.now += WAIT_S + 0.3
    cache.on_deadline(station.now)
    if answers:
        answer(station)
    station.at(WAIT_S)
    assert goes_to(station) == (PEER_MAC if answers else OTHER_MAC)


@rfc("arp-1")
def test_a_permanent_entry_is_not_asked_about() -> None:
    station = Station()
    station.eth.cache.set_permanent(PEER, PEER_MAC, station.now)
    claim(station)
    station.at(10.0)
    assert station.silent()
    assert state_of(station, PEER) == PERMANENT
    assert station.counters["arp_fixed"] == 1


@rfc("arp-1")
def test_an_entry_set_by_hand_ends_the_question() -> None:
    station = known()
    claim(station)
    station.eth.cache.set_permanent(PEER, THIRD_MAC, station.now)
    station.at(10.0)
    assert goes_to(station) == THIRD_MAC


# --- the known station is silent


@rfc("arp-2")
@pytest.mark.parametrize("operation", [REQUEST, REPLY])
@pytest.mark.parametrize("target", [US, OTHER, PEER])
def test_the_claim_is_believed_when_the_known_station_is_silent(operation: int, target: bytes) -> None:
    station = known()
    claim(station, OTHER_MAC, operation, target)
    station.frames()
    station.at(WAIT_S)
    assert goes_to(station) == OTHER_MAC
    assert state_of(station, PEER) == REACHABLE
    assert station.counters["arp_claim"] == 0
    station.at(100.0)
    assert OTHER_MAC in asked(station)


@rfc("arp-2")
def test_of_several_claims_the_newest_is_believed() -> None:
    station = known()
    claim(station, OTHER_MAC)
    station.at(0.2)
    claim(station, THIRD_MAC)
    claim(station, THIRD_MAC)
    station.at(WAIT_S)
    assert goes_to(station) == THIRD_MAC
    assert station.counters["arp_claim"] == 1


@rfc("arp-2")
@pytest.mark.parametrize("after_s", [0.01, 0.3, 0.49, 0.5, 0.7, 0.99])
@pytest.mark.parametrize("polls", [0, 1])
def test_a_failover_while_the_silent_station_is_polled_heals_within_a_second(after_s: float, polls: int) -> None:
    """The poll is the question: it may be answered already that there is no answer."""
    station = Station()
    station.knows(PEER)
    send(station, path_to(station))
    station.at(60.0 + polls * INTERVAL_S)
    assert state_of(station, PEER) == PROBING
    station.at(after_s)
    claim(station)
    station.at(1.0)
    assert goes_to(station) == OTHER_MAC


@rfc("arp-2")
def test_a_poll_that_was_not_answered_in_time_is_answer_enough() -> None:
    station = Station()
    station.knows(PEER)
    send(station, path_to(station))
    station.at(60.0)
    station.frames()
    station.at(WAIT_S)
    claim(station)
    assert goes_to(station) == OTHER_MAC
    station.at(10.0)
    assert asked(station) == []


@rfc("arp-2")
def test_a_planned_failover_right_after_an_answer_waits_for_its_second() -> None:
    """The known station has just answered, so that the next question may not come sooner."""
    station = Station()
    send(station, path_to(station))
    answer(station)
    station.frames()
    station.at(0.1)
    claim(station)
    assert station.silent()
    station.at(0.9)
    assert asked(station) == [PEER_MAC]
    station.at(WAIT_S)
    assert goes_to(station) == OTHER_MAC


@rfc("arp-2")
def test_a_failover_back_heals_as_well() -> None:
    station = known()
    claim(station)
    station.at(WAIT_S)
    claim(station, PEER_MAC)
    station.at(INTERVAL_S)
    assert goes_to(station) == PEER_MAC


@rfc("arp-2")
def test_the_wait_is_configurable() -> None:
    station = known(replace(Config(), arp=ArpConfig(claim_wait_s=0.1)))
    claim(station)
    station.at(0.1)
    assert goes_to(station) == OTHER_MAC


@rfc("arp-2")
def test_routes_are_told_of_a_gateway_that_answers_at_another_station() -> None:
    station = known()
    answered: list[bytes] = []
    station.eth.cache.on_answer = answered.append
    claim(station)
    station.at(WAIT_S)
    assert answered == [PEER]


# --- floods


@rfc("arp-3")
@pytest.mark.parametrize("answers", [True, False])
def test_a_flood_of_claims_is_asked_about_once_a_second(answers: bool) -> None:
    station = known()
    requests = 0
    for number in range(2000):
        claim(station, bytes((2, 0, 0, 1)) + number.to_bytes(2, "big"), (REQUEST, REPLY)[number % 2], OTHER)
        new = len(asked(station))
        requests += new
        if new and answers:
            answer(station)
        station.at(0.005)
    assert 9 <= requests <= 11
    assert len(station.eth.cache) == 1
    if answers:
        assert goes_to(station) == PEER_MAC
        assert station.counters["arp_claim"] >= 1980


@rfc("arp-3")
def test_claims_for_every_neighbour_cost_each_of_them_one_request() -> None:
    station = Station("10.9.0.2/16", gateway=None, config=replace(Config(), arp=ArpConfig(entries_max=64)))
    for number in range(64):
        station.arp(REQUEST, PEER_MAC, numbered(number), US)
    station.frames()
    for _ in range(100):
        for number in range(64):
            station.arp(REPLY, OTHER_MAC, numbered(number), US)
    assert len(station.arps()) == 64
    assert len(station.eth.cache) == 64


@rfc("arp-3")
@pytest.mark.parametrize("all_of_them", [False, True])
def test_what_is_forgotten_is_not_asked_about(all_of_them: bool) -> None:
    station = known()
    claim(station)
    station.frames()
    if all_of_them:
        station.eth.cache.flush()
    else:
        assert station.eth.cache.forget(PEER)
    station.at(10.0)
    assert station.silent()
    assert state_of(station, PEER) is None


# --- doubt: TCP's negative advice


def acknowledged(at_s: float = 0.0) -> Station:
    """A station whose peer's acknowledgments have spoken for it, so many seconds ago."""
    station = known()
    path = path_to(station)
    send(station, path)
    path.confirm(station.now)
    station.at(at_s)
    station.frames()
    return station


@rfc("arp-4")
@pytest.mark.parametrize("order", ["forger first", "forger last"])
def test_a_forger_that_answers_too_does_not_keep_the_entry(order: str) -> None:
    """It had the address first, say, since its answer was the faster one; no acknowledgment has come since."""
    station = known()
    answers = [PEER_MAC, OTHER_MAC] if order == "forger first" else [OTHER_MAC, PEER_MAC]
    path_to(station).suspect(station.now)
    assert asked(station) == [MAC_BROADCAST]
    assert goes_to(station) == PEER_MAC, "meanwhile the entry is used"
    for mac in answers:
        answer(station, mac)
    assert goes_to(station) == OTHER_MAC


@rfc("arp-4")
def test_an_entry_that_is_doubted_and_right_stays() -> None:
    station = known()
    path_to(station).suspect(station.now)
    answer(station)
    station.at(10.0)
    assert goes_to(station) == PEER_MAC


@rfc("arp-4")
def test_a_doubt_is_over_soon() -> None:
    station = known()
    path_to(station).suspect(station.now)
    answer(station)
    station.at(WAIT_S)
    claim(station)
    assert goes_to(station) == PEER_MAC


@rfc("arp-4")
def test_a_claim_that_is_there_already_is_believed_when_the_doubt_comes() -> None:
    station = known()
    claim(station)
    path_to(station).suspect(station.now)
    assert goes_to(station) == OTHER_MAC


@rfc("arp-4")
def test_an_acknowledgment_of_what_went_to_another_does_not_speak_for_a_forger() -> None:
    """It was on its way when the claim was believed."""
    station = acknowledged()
    path = path_to(station)
    claim(station)
    station.at(WAIT_S)
    path.confirm(station.now)
    station.at(2.0)
    path.suspect(station.now)
    assert MAC_BROADCAST in asked(station)
    answer(station)
    assert goes_to(station) == PEER_MAC


@rfc("arp-4")
def test_a_station_that_took_everything_and_passes_on_nothing_any_more_is_left() -> None:
    """A router whose ARP outlives its forwarding; another has taken over."""
    station = acknowledged(POSITIVE_ADVICE_S + 0.1)
    path_to(station).suspect(station.now)
    assert asked(station) == [MAC_BROADCAST]
    answer(station, OTHER_MAC)
    assert goes_to(station) == OTHER_MAC


@rfc("arp-5")
def test_a_station_that_acknowledgments_speak_for_is_not_given_up_for_a_forgers() -> None:
    """The trouble is behind it: another connection through it does not get on."""
    station = acknowledged(POSITIVE_ADVICE_S - 0.1)
    path_to(station, FAR).suspect(station.now)
    assert asked(station) == [PEER_MAC]
    answer(station, OTHER_MAC)
    assert goes_to(station) == PEER_MAC
    answer(station)
    station.at(10.0)
    assert goes_to(station) == PEER_MAC


@rfc("arp-5")
def test_an_unverified_syn_does_not_let_a_forger_in() -> None:
    """One forged SYN from far away: its SYN,ACK is never acknowledged, and the gateway is idle otherwise."""
    station = acknowledged(3 * POSITIVE_ADVICE_S)
    station.eth.cache.suspect(PEER, station.now, genuine=False)
    assert asked(station) == [PEER_MAC]
    answer(station, OTHER_MAC)
    assert goes_to(station) == PEER_MAC
    answer(station)
    station.at(10.0)
    assert goes_to(station) == PEER_MAC


@rfc("arp-5")
@pytest.mark.parametrize("genuine", [True, False])
def test_whatever_is_doubted_and_silent_is_asked_for_by_broadcast(genuine: bool) -> None:
    station = acknowledged()
    station.eth.cache.suspect(PEER, station.now, genuine=genuine)
    station.at(INTERVAL_S)
    assert asked(station) == [PEER_MAC, MAC_BROADCAST]
    answer(station, OTHER_MAC)
    station.at(WAIT_S)
    assert goes_to(station) == OTHER_MAC


@rfc("arp-3")
def test_a_flood_of_advice_and_claims_together_asks_once_a_second() -> None:
    station = known()
    path = path_to(station)
    requests = 0
    for _ in range(1000):
        claim(station)
        path.suspect(station.now)
        claim(station, THIRD_MAC)
        requests += len(asked(station))
        station.at(0.01)
    assert requests <= 11
