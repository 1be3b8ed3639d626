"""The counts that the tables of the internet layer keep agree with their contents, also after
evictions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stack.config import ArpConfig, Config, IpConfig
from stack.internet.neighbor import REACHABLE
from stack.wire.ipv4 import Ipv4Header
from tests.internet.station import OTHER_MAC, OUR_MAC, PEER, REPLY, US, Station, numbered, path_to, send, state_of
from tests.requirements import rfc

PROTOCOL = 253


@rfc("tables-1")
def test_what_waited_for_an_evicted_neighbour_takes_no_room_in_the_queue() -> None:
    """The queue has room for three datagrams; sixty were thrown away with their neighbours, and it still has."""
    config = replace(Config(), arp=ArpConfig(entries_max=2, queue_bytes_max=3500))
    station = Station("10.9.0.2/16", gateway=None, config=config)
    for number in range(60):
        send(station, path_to(station, numbered(number)), bytes(1000))
    assert station.counters["arp_cache_full"] >= 58
    assert station.eth.cache.waiting_bytes <= 2 * 1020
    station.frames()
    station.arp(REPLY, OTHER_MAC, numbered(59), US, OUR_MAC)
    assert [header.total_length for header, _ in station.packets()] == [1020]
    assert state_of(station, numbered(59)) == REACHABLE


@rfc("tables-1")
@pytest.mark.parametrize(
    "end",
    [
        lambda station: station.at(10.0),
        lambda station: station.eth.cache.flush(),
        lambda station: [station.eth.cache.forget(numbered(number)) for number in range(60)],
        lambda station: [station.arp(REPLY, OTHER_MAC, numbered(number), US, OUR_MAC) for number in range(60)],
    ],
    ids=["no answer", "flush", "forget", "answers"],
)
def test_nothing_waits_in_the_end(end: Callable[[Station], object]) -> None:
    config = replace(Config(), arp=ArpConfig(entries_max=8, queue_bytes_max=100_000))
    station = Station("10.9.0.2/16", gateway=None, config=config)
    for number in range(60):
        for _ in range(1 + number % 3):
            send(station, path_to(station, numbered(number)), bytes(1000))
    assert station.eth.cache.waiting_bytes
    end(station)
    assert station.eth.cache.waiting_bytes == 0


def piece(source: bytes, offset: int, more: bool = True, ident: int = 1) -> bytes:
    header = Ipv4Header(source, US, PROTOCOL, 28, ident, more_fragments=more, fragment_offset=offset)
    return header.build() + bytes(8)


def comes(station: Station, packet: bytes) -> None:
    station.ipv4.receive(station.eth, packet, station.now)


def whole(station: Station, source: bytes) -> None:
    comes(station, piece(source, 0))
    comes(station, piece(source, 8, more=False))


def replaced(station: Station, source: bytes) -> None:
    """A whole datagram under the same key."""
    comes(station, piece(source, 8))
    comes(station, Ipv4Header(source, US, PROTOCOL, 28, 1).build() + bytes(8))


@rfc("tables-2")
@pytest.mark.parametrize("way", [whole, replaced, lambda station, source: comes(station, piece(source, 8))])
def test_of_a_source_whose_datagrams_are_gone_nothing_is_kept(way: Callable[[Station, bytes], None]) -> None:
    """Whether they became whole, were replaced, timed out, or gave way to those of other sources."""
    config = replace(Config(), ip=IpConfig(reassembly_flows_max=16))
    station = Station("10.9.0.2/16", gateway=None, config=config)
    for number in range(200):
        way(station, numbered(number))
        tables = station.ipv4.tables()
        assert tables["fragment_sources"] == tables["fragmented_datagrams"] <= 16
    station.at(config.ip.reassembly_timeout_s + 1)
    tables = station.ipv4.tables()
    assert (tables["fragment_sources"], tables["fragmented_datagrams"], tables["fragment_bytes"]) == (0, 0, 0)


@rfc("tables-2")
def test_a_source_has_as_many_places_as_before_when_its_datagrams_are_gone() -> None:
    config = replace(Config(), ip=IpConfig(reassembly_flows_per_source=4))
    station = Station("10.9.0.2/16", gateway=None, config=config)
    for ident in range(100):
        comes(station, piece(PEER, 0, ident=ident))
        comes(station, piece(PEER, 8, more=False, ident=ident))
    for ident in range(4):
        comes(station, piece(PEER, 8, ident=ident))
    assert station.ipv4.tables()["fragmented_datagrams"] == 4
