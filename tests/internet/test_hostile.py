"""Hostile bytes: each packet is delivered, or dropped under a named reason, and nothing is raised."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.wire import icmp
from stack.wire.arp import ArpPacket
from stack.wire.checksum import internet_checksum, pseudo_sum
from stack.wire.icmp import echo_request
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE, RECORD_ROUTE, TIMESTAMP, Ipv4Option, Route, join, pad
from stack.wire.udp import UdpHeader, build_datagram
from tests.internet.station import FAR, OTHER, OTHER_MAC, PEER, PEER_MAC, REQUEST, US, Station

ANSWERED = ("ipSystemStatsInDelivers", "ipSystemStatsReasmReqds")


def station() -> Station:
    made = Station()
    made.knows(PEER)
    made.udp.open().bind((US, 7))
    return made


def take(made: Station, packet: bytes) -> None:
    """Every packet is delivered, or kept as a fragment, or dropped and counted."""
    before = dict(made.counters)
    made.raw(packet)
    counted = sum(made.counters[name] - before[name] for name in (*ANSWERED, *made.counters.drops()))
    assert counted >= 1, made.counters.drops()


def ip(payload: bytes, protocol: int, options: bytes = b"") -> bytes:
    return Ipv4Header(PEER, US, protocol, 20 + len(options) + len(payload), 7, options=options).build() + payload


OPTIONS = pad(
    join(
        [
            Route(RECORD_ROUTE, (bytes(4), bytes(4))).option(),
            Route(LOOSE_SOURCE_ROUTE, (FAR,), pointer=8).option(),
            Ipv4Option(TIMESTAMP, b"\x05\x00" + bytes(8)),
        ]
    )
)
QUOTE = Ipv4Header(US, FAR, 17, 100).build() + UdpHeader(7, 9, 80).build()
SAMPLES = {
    "udp": ip(build_datagram(5, 7, b"hello", pseudo_sum(PEER, US, 17, 13)), 17),
    "udp with options": ip(build_datagram(5, 7, b"hello", pseudo_sum(PEER, US, 17, 13)), 17, OPTIONS),
    "echo": ip(echo_request(1, 2, b"data").build(), 1),
    "echo with options": ip(echo_request(1, 2, b"data").build(), 1, OPTIONS),
    "unreachable": ip(icmp.unreachable(3, QUOTE).build(), 1),
    "frag needed": ip(icmp.unreachable(4, QUOTE, 1000).build(), 1),
    "redirect": ip(icmp.redirect(1, OTHER, QUOTE).build(), 1),
    "timestamp": ip(icmp.timestamp_request(1, 2, 3).build(), 1),
    "unknown": ip(b"12345678", 99),
}


def repaired(packet: bytearray) -> bytes:
    """With the header checksum (and ICMP's) made right again, so that the lie gets past it."""
    header_length = (packet[0] & 15) * 4
    if 20 <= header_length <= len(packet):
        packet[10:12] = bytes(2)
        packet[10:12] = internet_checksum(packet[:header_length]).to_bytes(2, "big")
        if packet[9] == 1 and len(packet) >= header_length + 8:
            packet[header_length + 2 : header_length + 4] = bytes(2)
            checksum = internet_checksum(packet[header_length:])
            packet[header_length + 2 : header_length + 4] = checksum.to_bytes(2, "big")
    return bytes(packet)


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_at_every_byte(name: str) -> None:
    made = station()
    for length in range(len(SAMPLES[name])):
        take(made, SAMPLES[name][:length])
        cut = bytearray(SAMPLES[name][:length])
        if length >= 20:  # and once more with a total length that fits what is left
            cut[2:4] = length.to_bytes(2, "big")
            take(made, repaired(cut))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_byte_takes_every_value(name: str) -> None:
    made = station()
    chosen = random.Random(1)
    for offset in range(min(len(SAMPLES[name]), 72)):
        for value in (0, 1, 2, 3, 4, 5, 7, 8, 40, 41, 127, 128, 254, 255, chosen.randrange(256)):
            changed = bytearray(SAMPLES[name])
            changed[offset] = value
            take(made, repaired(changed))


@given(st.binary(max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_bytes_after_a_good_header(tail: bytes) -> None:
    made = station()
    for protocol in (1, 6, 17, 99):
        take(made, ip(tail, protocol))
    options = tail[: len(tail) // 4 * 4][:40]
    take(made, ip(b"12345678", 17, options))


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_at_all(packet: bytes) -> None:
    made = station()
    take(made, packet)
    made.eth.cache.receive(packet, made.now)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([PEER_MAC, OTHER_MAC, bytes(6)]),
            st.sampled_from([PEER, OTHER, US, bytes(4)]),
            st.sampled_from([US, PEER, OTHER]),
            st.sampled_from([0.0, 0.1, 1.0, 30.0, 61.0]),
            st.booleans(),
        ),
        max_size=40,
    )
)
@settings(max_examples=200, deadline=None)
def test_no_sequence_of_arp_packets_confuses_the_cache(
    events: list[tuple[int, bytes, bytes, bytes, float, bool]],
) -> None:
    made = Station()
    path = made.ipv4.output.path(None, PEER, 6, df=True)
    for operation, mac, sender, target, later, talk in events:
        packet = ArpPacket(operation, mac, sender, bytes(6), target)
        made.eth.cache.receive(packet.build(), made.now)
        if talk:
            path.send([b"x"], 1, made.now)
            path.suspect(made.now)
        made.at(later)
        cache = made.eth.cache
        assert all(record.address in ("10.9.0.1", "10.9.0.3") for record in cache.records(made.now))
        assert cache.deadline > made.now or cache.deadline == float("inf")
        assert cache.waiting_bytes >= 0
    made.at(1000.0)
    assert len(made.eth.cache) == 0, "unused entries are forgotten"
    assert made.eth.cache.waiting_bytes == 0
    assert made.eth.cache.deadline == float("inf")


def test_a_flood_of_lies_leaves_no_state_behind() -> None:
    made = station()
    chosen = random.Random(2)
    names = list(SAMPLES)
    for _ in range(5000):
        changed = bytearray(SAMPLES[names[chosen.randrange(len(names))]])
        for _ in range(chosen.randrange(4)):
            changed[chosen.randrange(len(changed))] = chosen.randrange(256)
        take(made, repaired(changed))
    made.at(1000.0)
    assert len(made.ipv4.input.reassembler) == 0
    assert len(made.eth.cache) == 0
    assert made.ipv4.output.open_paths == 0
    assert made.ipv4.deadline == float("inf")


def test_a_request_after_a_flood_of_lies_is_answered() -> None:
    made = station()
    for length in range(60):
        made.raw(bytes(length))
        made.eth.cache.receive(bytes(length), made.now)
    made.arp(REQUEST, PEER_MAC, PEER, US)
    assert len(made.arps()) == 1
