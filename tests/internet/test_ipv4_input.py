"""IPv4 input: which packets are dropped, and for which reason; what a delivered packet comes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stack.config import Config, IpConfig
from stack.internet.received import Received
from stack.wire import icmp
from stack.wire.addresses import ALL_HOSTS, ANY, BROADCAST, LOOPBACK, Prefix, parse_ipv4
from stack.wire.checksum import internet_checksum
from stack.wire.icmp import IcmpMessage
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import (
    LOOSE_SOURCE_ROUTE,
    NO_OPERATION,
    RECORD_ROUTE,
    STREAM_ID,
    STRICT_SOURCE_ROUTE,
    Ipv4Option,
    Route,
    join,
    pad,
    router_alert,
)
from tests.internet.station import FAR, OTHER, PEER, SUBNET_BROADCAST, US, FakeInterface, Station

PROTOCOL = 253  # for experiments: RFC 3692
NETWORK = parse_ipv4("10.9.0.0")
CLASS_A_BROADCAST = parse_ipv4("10.255.255.255")


class Taken:
    """What a protocol handler got, copied while it was valid."""

    def __init__(self) -> None:
        self.all: list[Received] = []

    def __call__(self, received: Received) -> None:
        self.all.append(replace(received, payload=bytes(received.payload), quote=bytes(received.quote)))


@pytest.fixture
def station() -> Station:
    station = Station()
    station.knows(PEER)
    return station


@pytest.fixture
def taken(station: Station) -> Taken:
    taken = Taken()
    station.ipv4.handlers[PROTOCOL] = taken
    return taken


def packet(payload: bytes = b"payload", **fields: object) -> bytes:
    header = Ipv4Header(PEER, US, PROTOCOL, 20 + len(payload))
    header = header._replace(**fields)  # type: ignore[arg-type]
    header = header._replace(total_length=header.header_length + len(payload))
    return header.build() + payload


# --- the header


def test_a_datagram_for_us_is_delivered_with_what_the_transport_must_know(station: Station, taken: Taken) -> None:
    raw = packet(tos=0xB8, ttl=61)
    station.raw(raw)
    [received] = taken.all
    assert (received.source, received.destination, received.local) == (PEER, US, US)
    assert (received.protocol, received.ttl, received.tos, received.options) == (PROTOCOL, 61, 0xB8, b"")
    assert (received.payload, received.quote) == (b"payload", raw)
    assert (received.broadcast, received.checksum_ok, received.now) == (False, False, station.now)
    assert received.interface is station.eth
    assert station.counters["ipSystemStatsInDelivers"] == 1


def test_padding_is_not_payload(station: Station, taken: Taken) -> None:
    station.raw(packet(b"x"), padding=25)
    assert [received.payload for received in taken.all] == [b"x"]


@pytest.mark.parametrize("ttl", [0, 1])
def test_the_ttl_is_not_looked_at(station: Station, taken: Taken, ttl: int) -> None:
    station.raw(packet(ttl=ttl))
    assert len(taken.all) == 1


def test_the_reserved_flag_is_not_looked_at(station: Station, taken: Taken) -> None:
    station.raw(packet(reserved=True))
    assert len(taken.all) == 1


def altered(offset: int, value: int) -> Callable[[bytes], bytes]:
    """The packet with one byte changed and the header checksum made right again."""

    def change(raw: bytes) -> bytes:
        changed = bytearray(raw)
        changed[offset] = value
        changed[10:12] = bytes(2)
        changed[10:12] = internet_checksum(changed[: max(20, (changed[0] & 15) * 4)]).to_bytes(2, "big")
        return bytes(changed)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda raw: raw[:19], "ipv4_truncated"),
        (lambda raw: b"", "ipv4_truncated"),
        (altered(0, 0x65), "ipv4_bad_version"),
        (altered(0, 0x44), "ipv4_bad_header_length"),
        (altered(0, 0x4F), "ipv4_bad_header_length"),
        (altered(3, 19), "ipv4_bad_total_length"),
        (altered(2, 0xFF), "ipv4_bad_total_length"),
        (lambda raw: raw[:-1], "ipv4_bad_total_length"),
        (lambda raw: raw[:10] + bytes((raw[10] ^ 1,)) + raw[11:], "ipv4_bad_checksum"),
    ],
)
def test_a_bad_header_is_dropped_in_silence_and_counted(
    station: Station, taken: Taken, change: Callable[[bytes], bytes], reason: str
) -> None:
    station.raw(change(packet()))
    assert taken.all == []
    assert station.counters.drops() == {reason: 1}
    assert station.silent()


# --- addresses


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (parse_ipv4("224.0.0.5"), "ipv4_martian_source"),
        (parse_ipv4("239.1.2.3"), "ipv4_martian_source"),
        (parse_ipv4("240.0.0.1"), "ipv4_martian_source"),
        (BROADCAST, "ipv4_martian_source"),
        (SUBNET_BROADCAST, "ipv4_martian_source"),
        (NETWORK, "ipv4_martian_source"),
        (LOOPBACK, "ipv4_martian_source"),
        (parse_ipv4("127.9.9.9"), "ipv4_martian_source"),
        (ANY, "ipv4_martian_source"),
        (parse_ipv4("0.1.2.3"), "ipv4_martian_source"),
        (US, "ipv4_own_source"),
    ],
)
def test_a_source_that_is_no_other_single_host_is_dropped_in_silence(
    station: Station, taken: Taken, source: bytes, reason: str
) -> None:
    station.raw(packet(source=source))
    assert taken.all == []
    assert station.counters.drops() == {reason: 1}
    assert station.counters["ipSystemStatsInAddrErrors"] == 1
    assert station.silent()


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        (OTHER, "ipv4_not_for_us"),
        (FAR, "ipv4_not_for_us"),
        (parse_ipv4("0.1.2.3"), "ipv4_not_for_us"),
        (parse_ipv4("10.10.255.255"), "ipv4_not_for_us"),
        (LOOPBACK, "ipv4_martian_destination"),
        (parse_ipv4("250.1.1.1"), "ipv4_martian_destination"),
        (parse_ipv4("224.0.0.251"), "ipv4_not_our_group"),
    ],
)
def test_what_is_not_for_us_is_dropped_and_never_forwarded(
    station: Station, taken: Taken, destination: bytes, reason: str
) -> None:
    station.raw(packet(destination=destination))
    assert taken.all == []
    assert station.counters.drops() == {reason: 1}
    assert station.silent()


@pytest.mark.parametrize("destination", [BROADCAST, SUBNET_BROADCAST, NETWORK, ANY, CLASS_A_BROADCAST])
def test_every_form_of_broadcast_is_taken(station: Station, taken: Taken, destination: bytes) -> None:
    station.raw(packet(destination=destination), link_broadcast=True)
    [received] = taken.all
    assert received.broadcast
    assert (received.destination, received.local) == (destination, US)


@pytest.mark.parametrize(
    ("address", "broadcast"),
    [("10.9.0.2/24", "10.255.255.255"), ("172.16.5.2/24", "172.16.255.255"), ("192.168.1.2/26", "192.168.1.255")],
)
def test_a_broadcast_to_the_former_network_is_taken(address: str, broadcast: str) -> None:
    station = Station(address, gateway=None)
    taken = Taken()
    station.ipv4.handlers[PROTOCOL] = taken
    [own] = station.eth.addresses
    station.raw(packet(source=FAR, destination=parse_ipv4(broadcast)), link_broadcast=True)
    assert [received.local for received in taken.all] == [own.address]


def test_the_all_hosts_group_is_taken(station: Station, taken: Taken) -> None:
    station.raw(packet(destination=ALL_HOSTS), link_broadcast=True)
    [received] = taken.all
    assert received.broadcast
    assert station.counters["ipSystemStatsInMcastPkts"] == 1


def test_a_frame_to_all_with_a_datagram_to_us_alone_is_dropped(station: Station, taken: Taken) -> None:
    station.raw(packet(), link_broadcast=True)
    assert taken.all == []
    assert station.counters.drops() == {"ipv4_link_broadcast_only": 1}


def test_a_booting_client_may_broadcast_from_0_0_0_0_by_udp_alone(station: Station) -> None:
    taken = Taken()
    station.ipv4.handlers[17] = station.ipv4.handlers[PROTOCOL] = taken
    station.raw(packet(source=ANY, destination=BROADCAST, protocol=17))
    station.raw(packet(source=ANY, destination=BROADCAST))
    station.raw(packet(source=ANY, destination=US, protocol=17))
    assert [received.protocol for received in taken.all] == [17]


def test_an_interface_without_address_takes_udp_unicast_and_answers_nothing() -> None:
    station = Station(address=None)
    taken = Taken()
    station.ipv4.handlers[17] = taken
    station.raw(packet(protocol=17))
    station.raw(packet(protocol=6))
    [received] = taken.all
    assert received.broadcast
    assert received.local == ANY
    assert station.silent()


def test_a_port_that_is_awaited_takes_udp_for_an_address_that_may_become_ours(station: Station) -> None:
    taken = Taken()
    station.ipv4.handlers[17] = taken
    station.eth.awaited_port = 68
    station.receives_udp(67, 68, b"offer", destination=OTHER)
    station.receives_udp(67, 69, b"other port", destination=OTHER)
    station.receives(17, bytes.fromhex("00430044"), destination=OTHER, more_fragments=True)
    [received] = taken.all
    assert (received.broadcast, received.payload[8:]) == (True, b"offer")
    station.eth.awaited_port = 0
    station.receives(17, bytes(8), destination=OTHER)
    assert len(taken.all) == 1
    assert station.silent()


def test_an_address_is_taken_on_its_own_interface_only(station: Station, taken: Taken) -> None:
    second = FakeInterface(station.config, station.counters, [Prefix.parse("172.16.0.2/16")], index=2)
    station.ipv4.add_interface(second)
    raw = packet(source=FAR, destination=parse_ipv4("172.16.0.2"))
    station.raw(raw)
    assert taken.all == []
    assert station.counters.drops() == {"ipv4_not_for_us": 1}
    station.raw(raw, interface=second)
    assert [received.interface for received in taken.all] == [second]


def test_an_own_address_as_source_is_refused_on_every_interface(station: Station, taken: Taken) -> None:
    second = FakeInterface(station.config, station.counters, [Prefix.parse("172.16.0.2/16")], index=2)
    station.ipv4.add_interface(second)
    station.raw(packet(source=US, destination=parse_ipv4("172.16.0.2")), interface=second)
    assert taken.all == []
    assert station.counters.drops() == {"ipv4_own_source": 1}


def test_an_address_added_is_taken_and_one_removed_is_not(station: Station, taken: Taken) -> None:
    extra = Prefix.parse("10.9.0.77/24")
    station.ipv4.add_address(station.eth, extra)
    station.raw(packet(destination=extra.address))
    station.ipv4.remove_address(station.eth, extra)
    station.raw(packet(destination=extra.address))
    assert [received.local for received in taken.all] == [extra.address]


# --- protocols


def test_an_unknown_protocol_gets_protocol_unreachable(station: Station) -> None:
    raw = packet(protocol=99)
    station.raw(raw)
    header, message = station.icmp()
    assert (header.source, header.destination) == (US, PEER)
    assert (message.type, message.code) == (icmp.UNREACHABLE, icmp.PROTOCOL_UNREACHABLE)
    assert message.body == raw
    assert station.counters.drops() == {"ipv4_unknown_protocol": 1}
    assert station.counters["ipSystemStatsInUnknownProtos"] == 1


# --- options


def options(*parts: Ipv4Option) -> bytes:
    return pad(join(list(parts)))


def test_options_are_passed_up_raw(station: Station, taken: Taken) -> None:
    raw = options(Ipv4Option(NO_OPERATION), router_alert(), Route(RECORD_ROUTE, (ANY, ANY)).option())
    station.raw(packet(options=raw))
    [received] = taken.all
    assert received.options == raw
    assert received.payload == b"payload"


@pytest.mark.parametrize(
    "option",
    [Ipv4Option(STREAM_ID, b"\0\1"), Ipv4Option(0x9E, b"abc"), Ipv4Option(82, bytes(10)), Ipv4Option(25, b"")],
)
def test_unknown_and_obsolete_options_are_ignored(station: Station, taken: Taken, option: Ipv4Option) -> None:
    station.raw(packet(options=options(option)))
    assert len(taken.all) == 1
    assert station.silent()


def test_forty_bytes_of_no_ops_are_harmless(station: Station, taken: Taken) -> None:
    station.raw(packet(options=b"\x01" * 40))
    assert len(taken.all) == 1


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b"\x07\x00\x04\x00", 21),  # length 0
        (b"\x01\x07\x01\x00", 22),  # length 1
        (b"\x07\x29\x04\x00", 21),  # past the header
        (b"\x01\x01\x01\x07", 23),  # no length at all
        (b"\x07\x07\x03\x00\x00\x00\x00\x00", 22),  # pointer under 4
    ],
)
def test_a_malformed_option_is_dropped_and_reported_with_a_pointer(
    station: Station, taken: Taken, raw: bytes, pointer: int
) -> None:
    bad = packet(options=raw)
    station.raw(bad)
    assert taken.all == []
    assert station.counters.drops() == {"ipv4_bad_option": 1}
    header, message = station.icmp()
    assert header.options == b"", "an error carries on nothing from what was malformed"
    assert (message.type, message.code, message.pointer) == (icmp.PARAMETER_PROBLEM, 0, pointer)
    assert message.body == bad


def test_a_malformed_option_in_a_broadcast_or_a_later_fragment_is_not_reported(station: Station) -> None:
    station.raw(packet(options=b"\x07\x00\x04\x00", destination=BROADCAST))
    station.raw(packet(b"12345678", options=b"\x07\x00\x04\x00", fragment_offset=8))
    assert station.counters.drops() == {"ipv4_bad_option": 2}
    assert station.silent()


@pytest.mark.parametrize("kind", [LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE])
def test_a_source_route_that_ends_here_is_taken(station: Station, taken: Taken, kind: int) -> None:
    raw = options(Route(kind, (FAR, OTHER), pointer=12).option())
    station.raw(packet(options=raw))
    assert [received.options for received in taken.all] == [raw]


@pytest.mark.parametrize("kind", [LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE])
def test_a_source_route_that_goes_on_is_refused_and_reported(station: Station, taken: Taken, kind: int) -> None:
    station.raw(packet(options=options(Route(kind, (OTHER, FAR), pointer=8).option())))
    assert taken.all == []
    assert station.counters.drops() == {"ipv4_source_route": 1}
    [(header, payload)] = station.packets()
    assert header.destination == PEER, "reported to the sender, and forwarded nowhere"
    message = IcmpMessage.parse(payload)
    assert (message.type, message.code) == (icmp.UNREACHABLE, icmp.SOURCE_ROUTE_FAILED)


def test_two_source_routes_in_one_header_are_refused(station: Station, taken: Taken) -> None:
    route = Route(LOOSE_SOURCE_ROUTE, (FAR,), pointer=8).option()
    station.raw(packet(options=options(route, route)))
    assert taken.all == []
    assert station.counters.drops() == {"ipv4_source_route": 1}


def test_source_routes_can_be_refused_altogether() -> None:
    station = Station(config=replace(Config(), ip=IpConfig(accept_source_route=False)))
    taken = Taken()
    station.ipv4.handlers[PROTOCOL] = taken
    station.raw(packet(options=options(Route(LOOSE_SOURCE_ROUTE, (FAR,), pointer=8).option())))
    assert taken.all == []
    assert station.counters.drops() == {"ipv4_source_route": 1}


# --- fragments, as far as input has to do with them


def test_fragments_are_delivered_as_one_with_the_header_of_the_first(station: Station, taken: Taken) -> None:
    raw = options(Route(RECORD_ROUTE, (ANY,)).option())
    station.raw(packet(b"world", fragment_offset=8, ttl=10, identification=7))
    station.raw(packet(b"hello, w", more_fragments=True, ttl=60, tos=4, options=raw, identification=7))
    [received] = taken.all
    assert received.payload == b"hello, wworld"
    assert (received.ttl, received.tos, received.options) == (60, 4, raw)
    assert len(station.ipv4.input.reassembler) == 0


def test_a_whole_datagram_releases_the_fragments_under_its_identification(station: Station, taken: Taken) -> None:
    station.raw(packet(b"12345678", more_fragments=True, identification=7))
    station.raw(packet(b"whole", identification=7))
    assert [received.payload for received in taken.all] == [b"whole"]
    assert len(station.ipv4.input.reassembler) == 0
    assert station.counters["ipSystemStatsReasmFails"] == 1


def test_the_identification_of_an_atomic_datagram_means_nothing(station: Station, taken: Taken) -> None:
    station.raw(packet(b"12345678", more_fragments=True, identification=7))
    station.raw(packet(b"atomic", identification=7, dont_fragment=True))
    assert [received.payload for received in taken.all] == [b"atomic"]
    assert len(station.ipv4.input.reassembler) == 1


def test_a_link_that_verified_checksums_says_so_but_not_for_fragments(station: Station, taken: Taken) -> None:
    for raw in (
        packet(),
        packet(b"12345678", more_fragments=True, identification=7),
        packet(b"9", fragment_offset=8, identification=7),
    ):
        station.ipv4.receive(station.eth, raw, station.now, checksum_ok=True)
    assert [received.checksum_ok for received in taken.all] == [True, False]
