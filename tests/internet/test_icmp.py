"""ICMP: queries answered, errors sent only when they may be, errors believed only when they can be
true.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from random import Random

import pytest

from stack.config import Config, IcmpConfig, IpConfig
from stack.internet import ident
from stack.internet.rate import RateLimit
from stack.wire import icmp
from stack.wire.addresses import ALL_HOSTS, ANY, BROADCAST, LOOPBACK, Prefix, parse_ipv4
from stack.wire.icmp import IcmpMessage, echo_request
from stack.wire.ipv4_options import (
    LOOSE_SOURCE_ROUTE,
    RECORD_ROUTE,
    STRICT_SOURCE_ROUTE,
    Ipv4Option,
    Route,
    Timestamps,
    join,
    pad,
    split,
)
from tests.internet.errors import Errors, quote
from tests.internet.station import FAR, OTHER, OTHER_MAC, PEER, REQUEST, SUBNET_BROADCAST, US, Station
from tests.requirements import rfc

PROTOCOL = 99  # without a handler
TCP = 6


@pytest.fixture
def station() -> Station:
    station = Station()
    station.knows(PEER)
    return station


def with_config(**numbers: object) -> Station:
    station = Station(config=replace(Config(), icmp=IcmpConfig(**numbers)))  # type: ignore[arg-type]
    station.knows(PEER)
    return station


# --- echo server


@pytest.mark.parametrize("data", [b"", b"x", b"odd", bytes(range(256)), b"\xff" * 1472])
def test_an_echo_is_answered_with_everything_it_had(station: Station, data: bytes) -> None:
    station.receives_icmp(echo_request(0x1234, 7, data), tos=0xB8, ttl=3)
    header, message = station.icmp()
    assert (header.source, header.destination, header.tos, header.ttl) == (US, PEER, 0xB8, 64)
    assert (message.type, message.code) == (icmp.ECHO_REPLY, 0)
    assert (message.identifier, message.sequence, message.body) == (0x1234, 7, data)
    assert station.counters["icmpInEchos"] == station.counters["icmpOutEchoReps"] == 1


def test_the_largest_echo_comes_in_and_goes_out_in_fragments(station: Station) -> None:
    data = bytes(range(251)) * 261  # 65,511 bytes
    data = data[:65507]
    request = echo_request(1, 2, data).build()
    for offset in range(0, len(request), 1480):
        piece = request[offset : offset + 1480]
        more = offset + len(piece) < len(request)
        station.receives(1, piece, fragment_offset=offset, more_fragments=more, identification=3)
    packets = station.packets()
    assert len(packets) == 45
    reply = IcmpMessage.parse(b"".join(payload for _, payload in packets))
    assert (reply.type, reply.body) == (icmp.ECHO_REPLY, data)


@pytest.mark.parametrize("destination", [BROADCAST, SUBNET_BROADCAST, ALL_HOSTS])
def test_a_broadcast_echo_is_not_answered_by_default(station: Station, destination: bytes) -> None:
    station.receives_icmp(echo_request(1, 1), destination=destination, link_broadcast=True)
    assert station.silent()
    assert station.counters.drops() == {"icmp_broadcast_echo": 1}


def test_a_broadcast_echo_can_be_answered_from_our_own_address() -> None:
    station = with_config(answer_broadcast_echo=True)
    station.receives_icmp(echo_request(1, 1), destination=SUBNET_BROADCAST, link_broadcast=True)
    header, _ = station.icmp()
    assert header.source == US


def test_the_answer_comes_from_the_address_that_was_asked(station: Station) -> None:
    station.ipv4.add_address(station.eth, Prefix.parse("10.9.0.77/24"))
    station.receives_icmp(echo_request(1, 1), destination=parse_ipv4("10.9.0.77"))
    header, _ = station.icmp()
    assert header.source == parse_ipv4("10.9.0.77")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "icmp_truncated"),
        (echo_request(1, 1).build()[:7], "icmp_truncated"),
        (echo_request(1, 1, b"x").build()[:-1] + b"y", "icmp_bad_checksum"),
        (IcmpMessage(icmp.TIMESTAMP_REQUEST, 0, body=bytes(8)).build(), "icmp_truncated"),
    ],
)
def test_a_bad_message_is_dropped_in_silence(station: Station, payload: bytes, reason: str) -> None:
    station.receives(1, payload)
    assert station.silent()
    assert station.counters.drops() == {reason: 1}
    assert station.counters["icmpInErrors"] == 1


@pytest.mark.parametrize("kind", [1, 2, 6, 7, 9, 10, 15, 16, 17, 18, 19, 30, 40, 42, 253, 255])
def test_unknown_and_obsolete_types_are_dropped_in_silence(station: Station, kind: int) -> None:
    station.receives_icmp(IcmpMessage(kind, 0, body=bytes(12)))
    assert station.silent()
    assert station.counters.drops() == {"icmp_unknown_type": 1}


# --- timestamp server


def test_timestamps_are_answered_when_configured() -> None:
    station = with_config(answer_timestamp=True)
    station.ipv4.icmp.clock_ms = lambda: 43_200_000
    station.receives_icmp(icmp.timestamp_request(5, 6, 1234))
    _, message = station.icmp()
    assert (message.type, message.identifier, message.sequence) == (icmp.TIMESTAMP_REPLY, 5, 6)
    assert message.timestamps == (1234, 43_200_000, 43_200_000)


def test_timestamps_are_not_answered_by_default(station: Station) -> None:
    station.ipv4.icmp.clock_ms = lambda: 0
    station.receives_icmp(icmp.timestamp_request(5, 6, 1234))
    assert station.silent()
    assert station.counters.drops() == {"icmp_timestamp": 1}


# --- options of the request in the answer


def route_back(station: Station, route: Route) -> tuple[bytes, list[Ipv4Option]]:
    station.receives_icmp(echo_request(1, 1, b"x"), options=pad(join([route.option()])))
    header, message = station.icmp()
    assert message.body == b"x"
    return header.destination, split(header.options)


@rfc("srcroute-1")
@pytest.mark.parametrize("kind", [LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE])
def test_a_source_route_is_not_followed_back(station: Station, kind: int) -> None:
    """The sender would choose where the answer goes."""
    first, second = parse_ipv4("192.0.2.1"), parse_ipv4("192.0.2.2")
    destination, options = route_back(station, Route(kind, (first, second), pointer=12))
    assert (destination, options) == (PEER, [])


@rfc("srcroute-1")
def test_nor_by_the_answer_to_a_timestamp_request_whose_own_option_is_completed() -> None:
    station = with_config(answer_timestamp=True)
    station.ipv4.icmp.clock_ms = lambda: 77
    route, stamps = Route(LOOSE_SOURCE_ROUTE, (FAR,), pointer=8), Timestamps((bytes(8),), 1)
    station.receives_icmp(icmp.timestamp_request(5, 6, 1), options=pad(join([route.option(), stamps.option()])))
    header, message = station.icmp()
    assert (header.destination, message.type) == (PEER, icmp.TIMESTAMP_REPLY)
    [option] = split(header.options)
    assert Timestamps.from_option(option).entries[0] == (US, 77)


@pytest.mark.parametrize("kind", [LOOSE_SOURCE_ROUTE, STRICT_SOURCE_ROUTE])
def test_a_source_route_is_reversed_where_that_is_asked_for(kind: int) -> None:
    station = with_config(reverse_source_route=True)
    first, second = parse_ipv4("192.0.2.1"), parse_ipv4("192.0.2.2")
    destination, options = route_back(station, Route(kind, (first, second), pointer=12))
    assert destination == second, "first to the last gateway"
    route = Route.from_option(options[0])
    assert (route.type, route.addresses, route.pointer) == (kind, (first, PEER), 4)


def test_a_source_route_that_lists_the_sender_is_reversed_without_it() -> None:
    station = with_config(reverse_source_route=True)
    first, second = parse_ipv4("192.0.2.1"), parse_ipv4("192.0.2.2")
    destination, options = route_back(station, Route(LOOSE_SOURCE_ROUTE, (PEER, first, second), pointer=16))
    assert destination == second
    assert Route.from_option(options[0]).addresses == (first, PEER)


def test_record_route_and_timestamp_come_back_with_us_in_them(station: Station) -> None:
    station.ipv4.icmp.clock_ms = lambda: 77
    options = pad(
        join([Route(RECORD_ROUTE, (FAR, ANY, ANY), pointer=8).option(), Timestamps((bytes(8), bytes(8)), 1).option()])
    )
    station.receives_icmp(echo_request(1, 1), options=options)
    header, _ = station.icmp()
    record, stamps = split(header.options)[:2]
    assert Route.from_option(record).visited == (FAR, US)
    assert Timestamps.from_option(stamps).entries[0] == (US, 77)


# --- errors out: when they may not be sent


@pytest.mark.parametrize(
    "message",
    [
        icmp.unreachable(3, bytes(28)),
        icmp.time_exceeded(0, bytes(28)),
        icmp.parameter_problem(20, bytes(28)),
        icmp.redirect(1, OTHER, bytes(28)),
        icmp.source_quench(bytes(28)),
    ],
)
def test_never_about_an_error(station: Station, message: IcmpMessage) -> None:
    station.receives_icmp(message, options=b"\x07\x00\x04\x00")  # which would be a parameter problem
    assert station.silent()


def test_but_about_a_query(station: Station) -> None:
    station.receives_icmp(echo_request(1, 1), options=b"\x07\x00\x04\x00")
    _, message = station.icmp()
    assert message.type == icmp.PARAMETER_PROBLEM


@pytest.mark.parametrize("destination", [BROADCAST, SUBNET_BROADCAST, ALL_HOSTS, parse_ipv4("10.9.0.0"), ANY])
def test_never_about_a_broadcast_or_multicast(station: Station, destination: bytes) -> None:
    station.receives(PROTOCOL, b"x" * 8, destination=destination)
    station.receives_udp(1, 2, destination=destination, link_broadcast=True)
    assert station.silent()


def test_never_about_a_link_broadcast(station: Station) -> None:
    station.receives(PROTOCOL, b"x" * 8, link_broadcast=True)
    assert station.silent()


def test_never_about_a_later_fragment(station: Station) -> None:
    station.receives(PROTOCOL, b"x" * 8, fragment_offset=8, options=b"\x07\x00\x04\x00")
    assert station.silent()


@pytest.mark.parametrize(
    "source", [ANY, LOOPBACK, BROADCAST, SUBNET_BROADCAST, parse_ipv4("224.0.0.1"), parse_ipv4("240.0.0.1")]
)
def test_never_to_what_is_no_single_host(station: Station, source: bytes) -> None:
    station.receives(PROTOCOL, b"x" * 8, source=source)
    assert station.silent()


# --- errors out: what they look like


def test_an_error_quotes_as_much_as_fits_576_bytes_unchanged(station: Station) -> None:
    raw = station.receives(PROTOCOL, bytes(range(250)) * 4, tos=0x28, identification=77)
    header, message = station.icmp()
    assert header.total_length == 576
    assert message.body == raw[:548]
    assert header.tos == 0


def test_a_datagram_that_came_in_fragments_is_quoted_by_its_first(station: Station) -> None:
    first = station.receives(PROTOCOL, b"A" * 16, more_fragments=True, identification=5)
    station.receives(PROTOCOL, b"B" * 8, fragment_offset=16, identification=5)
    _, message = station.icmp()
    assert message.body == first


def test_one_peers_flood_is_limited_and_leaves_the_others_budget_alone() -> None:
    station = with_config()
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    station.frames()
    for _ in range(1000):
        station.receives(PROTOCOL, b"x" * 8)
    sent = len(station.packets())
    assert sent == station.config.icmp.error_burst_per_peer
    assert station.counters["icmp_error_rate_limited"] == 1000 - sent
    for _ in range(1000):
        station.receives(PROTOCOL, b"x" * 8, source=OTHER)
    assert len(station.packets()) == sent, "exactly what it would have been without the first flood"


def test_the_budget_fills_up_again() -> None:
    station = with_config(error_rate_per_peer=2.0, error_burst_per_peer=1.0)
    for _ in range(4):
        station.receives(PROTOCOL, b"x" * 8)
    assert len(station.packets()) == 1
    station.at(0.5)
    station.receives(PROTOCOL, b"x" * 8)
    assert len(station.packets()) == 1


def test_errors_to_all_together_are_limited_and_the_table_is_bounded() -> None:
    """The budget of all is an average: RFC 1812 section 4.3.2.8 asks for a limit, not for an exact one."""
    allowed = []
    for seed in range(100):
        limit = RateLimit((1000.0, 1000.0), (10.0, 50.0), 16, Random(seed).randbytes)
        allowed.append(sum(limit.allow(number.to_bytes(4, "big"), 1.0) for number in range(1000)))
        assert len(limit) == 16
    assert 48 < sum(allowed) / len(allowed) < 53
    assert max(allowed) < 100


@rfc("watch-1")
@pytest.mark.parametrize("errors", [1, 2])
def test_a_watcher_of_the_budget_cannot_tell_whether_a_third_was_sent_errors(errors: int) -> None:
    """It uses the shared budget up in forged names, but for what it can watch from two addresses of its own."""

    def watched(seed: int, third: int) -> int:
        station = Station(seed=seed)
        station.knows(PEER)
        for forged in range(1, 10):
            for _ in range(20):
                station.receives(PROTOCOL, bytes(8), source=bytes((198, 51, 100, forged)))
        for _ in range(third):
            station.receives(PROTOCOL, bytes(8), source=FAR)
        station.packets()
        for own in (1, 2):
            for _ in range(20):
                station.receives(PROTOCOL, bytes(8), source=bytes((203, 0, 113, own)))
        return len(station.packets())

    seeds = range(100)
    silent = [watched(seed, 0) for seed in seeds]
    sent = [watched(1000 + seed, errors) for seed in seeds]
    best = max(sum(n > mark for n in silent) + sum(n <= mark for n in sent) for mark in range(-1, 41))
    assert best / (2 * len(seeds)) < 0.65  # a coin has 0.5


@rfc("watch-1")
def test_without_forging_the_shared_budget_is_not_felt_at_all() -> None:
    def watched(third: int) -> list[bool]:
        limit = RateLimit((10.0, 20.0), (1000.0, 200.0), 1024, Random(1).randbytes)
        for _ in range(third):
            limit.allow(FAR, 1.0)
        return [limit.allow(own, 1.0 + step / 100) for step in range(60) for own in (PEER, OTHER)]

    assert watched(0) == watched(20)


@rfc("watch-1")
@pytest.mark.parametrize("protocol", [PROTOCOL, TCP])
def test_a_watcher_of_the_identification_cannot_tell_whether_a_third_was_sent_an_error(
    monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    """With an address whose datagrams have the victim's counter: here all have the same one."""
    monkeypatch.setattr(ident, "_COUNTERS", 1)

    def watched(third: int) -> int:
        station = Station()
        station.knows(PEER)
        path = station.ipv4.output.path(None, PEER, 17)
        path.send([b"x"], 1, station.now)
        for _ in range(third):
            if protocol == TCP:
                station.ipv4.output.send(None, FAR, protocol, [bytes(20)], station.now, random_ident=True)
            else:
                station.receives(protocol, bytes(8), source=FAR)
        path.send([b"x"], 1, station.now)
        sent = [header for header, _ in station.packets()]
        assert len(sent) == 2 + third
        return (sent[-1].identification - sent[0].identification) & 0xFFFF

    assert watched(0) == watched(1) == watched(5) == 1


@rfc("watch-2")
def test_a_watcher_of_the_table_cannot_tell_whether_a_third_came_in() -> None:
    """Its own entry is the oldest of a full table, and its budget is used up: a new budget would tell."""
    told = 0
    for seed in range(50):
        limit = RateLimit((0.1, 2.0), (1e9, 1e9), 64, Random(seed).randbytes)
        assert [limit.allow(PEER, 1.0) for _ in range(3)] == [True, True, False]
        for other in range(63):
            limit.allow(bytes((198, 51, 100, other)), 1.0)
        limit.allow(FAR, 1.0)
        told += limit.allow(PEER, 1.0)
    assert told <= 5


@rfc("watch-2")
def test_forged_names_do_not_renew_the_budget_of_the_host_that_errors_are_reflected_to() -> None:
    """What the budget of all refuses leaves no entry in the table, and so pushes none out."""
    limit = RateLimit((1.0, 5.0), (100.0, 100.0), 64, Random(1).randbytes)
    reflected = 0
    for turn in range(100):
        now = 1.0 + turn / 100
        for _ in range(10):
            reflected += limit.allow(FAR, now)
        for forged in range(1000):
            limit.allow(forged.to_bytes(4, "big"), now)
    assert reflected < 5 + 200 / 64 * 5 + 5


def test_echo_replies_are_not_rationed(station: Station) -> None:
    for sequence in range(500):
        station.receives_icmp(echo_request(1, sequence))
    assert len(station.packets()) == 500


# --- errors in


@pytest.mark.parametrize(
    ("message", "number", "hard"),
    [
        (icmp.unreachable(0, quote()), errno.ENETUNREACH, False),
        (icmp.unreachable(1, quote()), errno.EHOSTUNREACH, False),
        (icmp.unreachable(2, quote()), errno.ENOPROTOOPT, True),
        (icmp.unreachable(3, quote()), errno.ECONNREFUSED, True),
        (icmp.unreachable(4, quote(), 1400), errno.EMSGSIZE, False),
        (icmp.unreachable(5, quote()), errno.EOPNOTSUPP, False),
        (icmp.unreachable(6, quote()), errno.ENETUNREACH, True),
        (icmp.unreachable(7, quote()), errno.EHOSTDOWN, True),
        (icmp.unreachable(8, quote()), errno.ENONET, True),
        (icmp.unreachable(9, quote()), errno.ENETUNREACH, True),
        (icmp.unreachable(10, quote()), errno.EHOSTUNREACH, True),
        (icmp.unreachable(11, quote()), errno.ENETUNREACH, False),
        (icmp.unreachable(12, quote()), errno.EHOSTUNREACH, False),
        (icmp.unreachable(13, quote()), errno.EHOSTUNREACH, True),
        (icmp.unreachable(14, quote()), errno.EHOSTUNREACH, True),
        (icmp.unreachable(15, quote()), errno.EHOSTUNREACH, True),
        (icmp.time_exceeded(0, quote()), errno.EHOSTUNREACH, False),
        (icmp.time_exceeded(1, quote()), errno.EHOSTUNREACH, False),
        (icmp.parameter_problem(20, quote()), errno.EPROTO, True),
    ],
)
def test_an_error_reaches_the_protocol_it_is_about(
    station: Station, message: IcmpMessage, number: int, hard: bool
) -> None:
    errors = Errors(station)
    station.receives_icmp(message, source=PEER)
    [error] = errors.all
    assert (error.type, error.code, error.source) == (message.type, message.code, PEER)
    assert (error.quoted_source, error.quoted_destination, error.protocol) == (US, FAR, TCP)
    assert error.quoted == b"12345678"
    assert (error.errno, error.hard) == (number, hard)
    assert station.counters.drops() == {}
    assert station.silent()


@pytest.mark.parametrize(
    ("message", "where", "reason"),
    [
        (icmp.unreachable(3, b""), {}, "icmp_bad_quote"),
        (icmp.unreachable(3, quote()[:19]), {}, "icmp_bad_quote"),
        (icmp.unreachable(3, quote(payload=b"1234567")), {}, "icmp_bad_quote"),
        (icmp.unreachable(3, b"\x65" + quote()[1:]), {}, "icmp_bad_quote"),
        (icmp.unreachable(3, b"\x4f" + quote()[1:]), {}, "icmp_bad_quote"),
        (icmp.unreachable(3, quote(fragment_offset=8)), {}, "icmp_bad_quote"),
        (icmp.unreachable(3, quote(source=OTHER)), {}, "icmp_not_our_datagram"),
        (icmp.unreachable(3, quote(source=LOOPBACK)), {}, "icmp_not_our_datagram"),
        (icmp.unreachable(99, quote()), {}, "icmp_unknown_code"),
        (icmp.unreachable(3, quote(protocol=77)), {}, "icmp_error_unmatched"),
        (icmp.unreachable(3, quote()), {"destination": SUBNET_BROADCAST}, "icmp_error_broadcast"),
        (icmp.source_quench(quote()), {}, "icmp_source_quench"),
    ],
)
def test_an_error_that_cannot_be_true_is_dropped(
    station: Station, message: IcmpMessage, where: dict[str, object], reason: str
) -> None:
    errors = Errors(station)
    station.receives_icmp(message, **where)
    assert errors.all == []
    assert station.counters.drops() == {reason: 1}
    assert station.silent()


# --- fragmentation needed


def test_fragmentation_needed_lowers_the_path_mtu_of_the_destination(station: Station) -> None:
    Errors(station)
    path = station.ipv4.output.path(None, FAR, TCP, df=True)
    station.receives_icmp(icmp.unreachable(4, quote(), 1300))
    assert path.mtu == 1300


def test_a_protocol_that_does_not_know_the_segment_keeps_the_path_mtu(station: Station) -> None:
    errors = Errors(station)
    errors.believes = False
    path = station.ipv4.output.path(None, FAR, TCP, df=True)
    station.receives_icmp(icmp.unreachable(4, quote(), 1300))
    assert path.mtu == 1500
    assert station.counters.drops() == {"icmp_error_unmatched": 1}


def test_a_router_that_tells_no_mtu_is_guessed(station: Station) -> None:
    errors = Errors(station)
    path = station.ipv4.output.path(None, FAR, TCP, df=True)
    station.receives_icmp(icmp.unreachable(4, quote(total_length=1500), 0))
    assert errors.all[0].next_hop_mtu == path.mtu == 1492


@rfc("toobig-1")
@pytest.mark.parametrize(("named", "lie"), [(1499, False), (1500, True), (1501, True), (65535, True)])
def test_a_quote_that_fits_the_mtu_it_names_is_a_lie(station: Station, named: int, lie: bool) -> None:
    errors = Errors(station)
    station.receives_icmp(icmp.unreachable(4, quote(total_length=1500), named))
    assert len(errors.all) == (not lie)
    assert station.counters.drops() == ({"icmp_too_big_fits": 1} if lie else {})


@rfc("toobig-1")
def test_the_smallest_datagram_is_never_too_big(station: Station) -> None:
    """Each link carries 68 octets, and the table of plateaus ends there."""
    Errors(station)
    station.receives_icmp(icmp.unreachable(4, quote(total_length=68), 0))
    assert station.counters.drops() == {"icmp_too_big_fits": 1}


@rfc("1191-5-a")
@pytest.mark.parametrize(("quoted", "guess"), [(1500, 1492), (1400, 1006), (1520, 1492), (1501, 1006), (65535, 1492)])
def test_a_total_length_that_was_never_sent_is_corrected(station: Station, quoted: int, guess: int) -> None:
    """4.2BSD adds the header's length: of 1,520 octets 1,500 were sent, but of 1,501 only 1,481."""
    errors = Errors(station)
    station.receives_icmp(icmp.unreachable(4, quote(total_length=quoted), 0))
    assert [error.next_hop_mtu for error in errors.all] == [guess]


@rfc("toobig-2")
@pytest.mark.parametrize(("protocol", "others"), [(TCP, 600), (PROTOCOL, 1500)])
def test_only_what_tcp_believes_holds_for_all_protocols(station: Station, protocol: int, others: int) -> None:
    Errors(station, protocol)
    paths = {number: station.ipv4.output.path(None, FAR, number) for number in (TCP, PROTOCOL, 17, 1)}
    station.receives_icmp(icmp.unreachable(4, quote(protocol=protocol), 600))
    later = {number: station.ipv4.output.path(None, FAR, number) for number in paths}
    for known in (paths, later):
        assert {number: path.mtu for number, path in known.items()} == {
            number: 600 if number == protocol else others for number in known
        }
    assert station.ipv4.output.path_mtu_entries() == 1
    station.at(station.config.ip.path_mtu_timeout_s)
    assert [path.mtu for path in paths.values()] == [1500] * 4
    assert station.ipv4.deadline == float("inf")


@rfc("toobig-2")
def test_what_one_protocol_believes_takes_no_room_from_what_tcp_has_verified() -> None:
    station = Station(config=replace(Config(), ip=IpConfig(path_mtus_max=4)))
    for protocol in (TCP, PROTOCOL):
        Errors(station, protocol)
    station.receives_icmp(icmp.unreachable(4, quote(), 1000))
    for last in range(100):
        destination = bytes((192, 0, 2, last))
        station.receives_icmp(icmp.unreachable(4, quote(destination=destination, protocol=PROTOCOL), 600))
    assert station.ipv4.output.path(None, FAR, TCP).mtu == 1000
    assert station.ipv4.output.path_mtu_entries() == 5
