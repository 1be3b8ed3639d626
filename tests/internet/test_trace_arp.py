"""What ARP tells its observers: each change of an entry, each request and each answer, with the reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stack.config import ArpConfig, Config
from stack.internet.neighbor import GONE, INCOMPLETE, PERMANENT, PROBING, REACHABLE, STALE
from stack.trace.event import Event
from stack.wire.addresses import Prefix, format_mac, parse_ipv4
from stack.wire.arp import INVERSE_REQUEST, REPLY, REQUEST, REVERSE_REQUEST, ArpPacket
from tests.internet.station import FAR, OTHER, OTHER_MAC, OUR_MAC, PEER, PEER_MAC, US, Station, path_to, send

ARP = ArpConfig()
THEM, MAC, OTHER_STATION = "10.9.0.1", format_mac(PEER_MAC), format_mac(OTHER_MAC)
Do = Callable[[Station], None]


def watched(config: Config | None = None) -> Station:
    station = Station(config=config)
    station.watch()
    return station


def known(config: Config | None = None) -> Station:
    """A station that has known its peer for a while, and is watched since."""
    station = Station(config=config)
    station.knows(PEER)
    station.at(5.0)
    station.watch()
    return station


def sends(station: Station) -> None:
    send(station, path_to(station))


def answers(station: Station, mac: bytes = PEER_MAC) -> None:
    station.arp(REPLY, mac, PEER, US, OUR_MAC)


def entries(station: Station) -> list[tuple[object, ...]]:
    """What was told of entries: reason, state before and after, station address."""
    return [
        tuple(event.data.get(name) for name in ("because", "before", "after", "mac"))
        for event in station.told
        if event.name == "arp:entry"
    ]


def named(station: Station, name: str) -> list[Event]:
    return [event for event in station.told if event.name == name]


def test_an_unknown_next_hop_is_asked_for_and_the_datagram_waits() -> None:
    station = watched()
    sends(station)
    wait, entry, ask = [event for event in station.told if event.name.startswith("arp:")]
    assert [event.name for event in (wait, entry, ask)] == ["arp:wait", "arp:entry", "arp:ask"]
    assert {event.group for event in station.told} == {"tap1"}
    assert (wait.data["because"], wait.data["waiting"], wait.why) == ("arp_not_known_yet", 1, ("1122-2.3.2.2-arp-a",))
    assert (entry.data["address"], entry.data["before"], entry.data["after"]) == (THEM, GONE, INCOMPLETE)
    assert (ask.data["because"], ask.data["to"], ask.data["attempt"]) == ("arp_no_entry", "broadcast", 1)
    assert ask.why == ("826-gen-b", "826-gen-d")
    station.told.clear()
    answers(station)
    assert entries(station) == [("arp_answered", INCOMPLETE, REACHABLE, MAC)]


def test_a_request_for_us_is_learnt_from_and_answered() -> None:
    station = watched()
    station.arp(REQUEST, PEER_MAC, PEER, US)
    assert entries(station) == [("arp_learnt", GONE, REACHABLE, MAC)]
    [answer] = named(station, "arp:answer")
    assert (answer.data["because"], answer.data["address"], answer.data["to"]) == ("arp_asked_for_us", "10.9.0.2", THEM)
    station.arp(REQUEST, PEER_MAC, PEER, OTHER)
    assert entries(station)[-1] == ("arp_verified", REACHABLE, REACHABLE, MAC)


def test_a_request_is_repeated_and_then_given_up() -> None:
    station = watched()
    sends(station)
    station.at(60.0)
    asked = named(station, "arp:ask")
    assert [event.data["attempt"] for event in asked] == list(range(1, ARP.attempts + 1))
    assert {event.data["because"] for event in asked} == {"arp_no_entry"}
    assert entries(station)[-1] == ("arp_no_answer", INCOMPLETE, GONE, None)


def test_an_entry_in_use_is_polled_and_one_that_is_not_ages() -> None:
    station = known()
    station.at(ARP.reachable_s)
    assert entries(station) == [("arp_unused", REACHABLE, STALE, MAC)]
    sends(station)
    [ask] = named(station, "arp:ask")
    assert (ask.data["because"], ask.data["to"]) == ("arp_stale_used", MAC)
    answers(station)
    assert entries(station)[1:] == [("arp_stale_used", STALE, PROBING, MAC), ("arp_verified", PROBING, REACHABLE, MAC)]
    sends(station)
    station.told.clear()
    station.at(ARP.reachable_s)
    assert entries(station)[0] == ("arp_old", REACHABLE, PROBING, MAC)
    assert named(station, "arp:ask")[0].data["because"] == "arp_old"


def test_a_stale_entry_that_nothing_uses_is_removed() -> None:
    station = known()
    station.at(ARP.reachable_s + ARP.stale_s + 1.0)
    assert entries(station)[-1] == ("arp_unused_long", STALE, GONE, MAC)


def test_a_claim_is_asked_about_and_believed_if_the_known_station_is_silent() -> None:
    station = known()
    answers(station, OTHER_MAC)
    [claimed] = named(station, "arp:entry")
    assert (claimed.data["because"], claimed.data["mac"], claimed.data["claim"]) == ("arp_claimed", MAC, OTHER_STATION)
    assert named(station, "arp:ask")[0].data["to"] == MAC
    station.at(ARP.claim_wait_s + 0.01)
    assert entries(station)[-1] == ("arp_claim_believed", PROBING, REACHABLE, OTHER_STATION)


def test_a_known_station_that_still_forwards_is_asked_once_more() -> None:
    station = known()
    path = path_to(station)
    send(station, path)
    answers(station, OTHER_MAC)
    station.at(ARP.claim_wait_s - 0.1)
    path.confirm(station.now)
    station.at(ARP.request_interval_s)
    assert "arp_answer_late" in [event.data["because"] for event in named(station, "arp:ask")]


def test_negative_advice_verifies_the_entry() -> None:
    station = known()
    path = path_to(station)
    send(station, path)
    path.suspect(station.now)
    assert entries(station) == [("arp_suspected", REACHABLE, PROBING, MAC)]
    assert named(station, "arp:ask")[0].data["to"] == "broadcast"
    answers(station, OTHER_MAC)
    assert entries(station)[-1] == ("arp_moved", PROBING, REACHABLE, OTHER_STATION)


def test_acknowledgments_keep_an_entry_once() -> None:
    station = known()
    path = path_to(station)
    send(station, path)
    station.at(ARP.reachable_s - 5.0)
    for _ in range(10):
        path.confirm(station.now)
        station.at(1.0)
    assert ("arp_acknowledged", PROBING, REACHABLE, MAC) in entries(station)


def test_the_user_sets_and_removes_an_entry() -> None:
    station = watched()
    station.eth.cache.set_permanent(PEER, PEER_MAC, station.now)
    assert entries(station)[-1] == ("arp_set_by_user", REACHABLE, PERMANENT, MAC)
    station.eth.cache.forget(PEER)
    assert entries(station)[-1] == ("arp_removed_by_user", PERMANENT, GONE, MAC)


def full(station: Station) -> None:
    for number in range(17):
        station.arp(REQUEST, PEER_MAC, parse_ipv4(f"10.9.0.{100 + number}"), US)


def link_down(station: Station) -> None:
    station.knows(PEER)
    station.eth.cache.flush()


def address_removed(station: Station) -> None:
    station.knows(PEER)
    station.ipv4.remove_address(station.eth, Prefix.parse("10.9.0.2/24"))


@pytest.mark.parametrize(
    ("because", "do"),
    [("arp_no_room", full), ("arp_link_down", link_down), ("arp_off_link", address_removed)],
)
def test_an_entry_is_removed(because: str, do: Do) -> None:
    station = watched(Config(arp=ArpConfig(entries_max=16)))
    do(station)
    assert entries(station)[-1][:3] in ((because, REACHABLE, GONE), ("arp_learnt", GONE, REACHABLE))
    assert because in [entry[0] for entry in entries(station)]


def proxy(station: Station) -> None:
    station.eth.cache.publish(FAR, None)
    station.arp(REQUEST, PEER_MAC, PEER, FAR)


def inverse(station: Station) -> None:
    station.arp(INVERSE_REQUEST, PEER_MAC, PEER, bytes(4), OUR_MAC)


def reverse(station: Station) -> None:
    station.eth.cache.published.stations[PEER_MAC] = PEER
    packet = ArpPacket(REVERSE_REQUEST, PEER_MAC, bytes(4), PEER_MAC, bytes(4))
    station.eth.cache.published.receive_reverse(packet.build(), station.now)


@pytest.mark.parametrize(
    ("because", "do", "address", "mac"),
    [
        ("arp_asked_for_published", proxy, "192.0.2.77", format_mac(OUR_MAC)),
        ("arp_asked_inverse", inverse, "10.9.0.2", format_mac(OUR_MAC)),
        ("arp_asked_reverse", reverse, THEM, MAC),
    ],
)
def test_configured_answers_are_told(because: str, do: Do, address: str, mac: str) -> None:
    station = watched(Config(arp=ArpConfig(answer_inverse=True)))
    do(station)
    [answer] = named(station, "arp:answer")
    assert (answer.data["because"], answer.data["address"], answer.data["mac"]) == (because, address, mac)
