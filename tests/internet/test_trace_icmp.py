"""What ICMP tells its observers: each message that is sent, or may not be, and whom each error concerns."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stack.config import Config, IcmpConfig, IpConfig
from stack.internet.received import Received
from stack.wire import icmp
from stack.wire.addresses import parse_ipv4
from stack.wire.icmp import IcmpMessage, echo_reply, echo_request, unreachable
from stack.wire.ipv4 import Ipv4Header
from stack.wire.ipv4_options import LOOSE_SOURCE_ROUTE
from stack.wire.numbers import PROTO_ICMP, PROTO_UDP
from tests.internet.errors import quote
from tests.internet.station import FAR, OTHER, PEER, SUBNET_BROADCAST, US, Station

Do = Callable[[Station], object]
UNASSIGNED = 253


def watched(config: Config | None = None) -> Station:
    station = Station(config=config)
    station.ipv4.icmp.clock_ms = lambda: 0
    station.knows(PEER)
    station.watch()
    return station


def told(station: Station, name: str) -> list[tuple[object, ...]]:
    return [
        tuple(event.data.get(field) for field in ("because", "type", "code", "to"))
        for event in station.told
        if event.name == name
    ]


def wrong_option(station: Station) -> None:
    station.receives(UNASSIGNED, b"12345678", options=bytes((7, 0, 0, 0)))


def source_route(station: Station) -> None:
    route = bytes((LOOSE_SOURCE_ROUTE, 7, 4)) + FAR + bytes(1)
    station.receives(UNASSIGNED, b"12345678", options=route)


def fragment_alone(station: Station) -> None:
    station.receives(UNASSIGNED, bytes(8), more_fragments=True)
    station.at(200.0)


@pytest.mark.parametrize(
    ("because", "kind", "code", "do"),
    [
        ("icmp_echo_asked", icmp.ECHO_REPLY, 0, lambda station: station.receives_icmp(echo_request(1, 1))),
        (
            "icmp_time_asked",
            icmp.TIMESTAMP_REPLY,
            0,
            lambda station: station.receives_icmp(IcmpMessage(icmp.TIMESTAMP_REQUEST, 0, body=bytes(12))),
        ),
        ("icmp_no_protocol", icmp.UNREACHABLE, 2, lambda station: station.receives(UNASSIGNED, b"12345678")),
        ("icmp_no_port", icmp.UNREACHABLE, 3, lambda station: station.receives_udp(4000, 99)),
        ("icmp_no_forwarding", icmp.UNREACHABLE, 5, source_route),
        ("icmp_wrong_header", icmp.PARAMETER_PROBLEM, 0, wrong_option),
        ("icmp_fragments_missing", icmp.TIME_EXCEEDED, 1, fragment_alone),
    ],
)
def test_a_message_is_sent_with_its_reason(because: str, kind: int, code: int, do: Do) -> None:
    station = watched(Config(icmp=IcmpConfig(answer_timestamp=True), ip=IpConfig(accept_source_route=True)))
    do(station)
    assert told(station, "icmp:sent") == [(because, kind, code, "10.9.0.1")]
    assert told(station, "icmp:not_sent") == []


def test_a_ping_is_told_from_the_call_to_its_reply() -> None:
    station = watched()
    ping = station.ipv4.icmp.echo.ping(PEER, b"abc", station.now, lambda result: None)
    assert told(station, "icmp:sent") == [("icmp_ping", icmp.ECHO_REQUEST, 0, "10.9.0.1")]
    station.at(0.25)
    station.receives_icmp(echo_reply(ping.identifier, ping.sequence, b"abc"))
    [reply] = [event for event in station.told if event.name == "icmp:taken"]
    assert reply.group == f"ping {ping.identifier}/{ping.sequence}"
    assert (reply.data["because"], reply.data["rtt_s"]) == ("icmp_reply", 0.25)


@pytest.mark.parametrize(
    ("because", "do"),
    [
        (
            "icmp_not_about_broadcast",
            lambda station: station.receives(UNASSIGNED, b"12345678", destination=SUBNET_BROADCAST),
        ),
        ("icmp_not_about_broadcast", lambda station: station.receives_udp(4000, 99, destination=SUBNET_BROADCAST)),
        (
            "icmp_not_about_error",
            lambda station: station.receives(PROTO_ICMP, unreachable(3, quote()).build(), options=bytes((7, 0, 0, 0))),
        ),
    ],
)
def test_an_error_that_may_not_be_sent_is_told_with_the_rule(because: str, do: Do) -> None:
    station = watched()
    station.frames()
    do(station)
    assert [reason for reason, *_ in told(station, "icmp:not_sent")] == [because]
    assert told(station, "icmp:sent") == []
    assert station.silent()


@pytest.mark.parametrize(
    ("because", "fields"),
    [
        ("icmp_not_to_many", {"source": parse_ipv4("127.0.0.1")}),
        ("icmp_not_to_many", {"source": parse_ipv4("0.0.0.0")}),
        ("icmp_not_about_later_fragment", {"fragment_offset": 8}),
    ],
)
def test_rules_for_datagrams_that_ip_input_does_not_hand_up(because: str, fields: dict[str, object]) -> None:
    """IP input drops such a datagram first, so the rule is asked directly."""
    station = watched()
    header = Ipv4Header(PEER, US, UNASSIGNED, 28)._replace(**fields)  # type: ignore[arg-type]
    received = Received(
        station.eth, header.source, US, US, UNASSIGNED, 64, 0, b"", bytes(8), header.build() + bytes(8),
        False, False, station.now,
    )  # fmt: skip
    station.ipv4.icmp.errors.protocol_unreachable(received)
    assert [reason for reason, *_ in told(station, "icmp:not_sent")] == [because]


@pytest.mark.parametrize(
    ("because", "code", "mtu"),
    [("icmp_hard", icmp.PORT_UNREACHABLE, 0), ("icmp_soft", icmp.NET_UNREACHABLE, 0), ("icmp_too_big", 4, 600)],
)
def test_an_error_is_told_with_the_socket_that_it_concerns(because: str, code: int, mtu: int) -> None:
    station = watched()
    endpoint = station.udp.open()
    endpoint.bind((US, 7))
    endpoint.send_to(bytes(1000), (PEER, 9), station.now)
    station.told.clear()
    quoted = quote(destination=PEER, protocol=PROTO_UDP, payload=bytes((0, 7, 0, 9, 3, 240, 0, 0)))
    message = IcmpMessage(icmp.UNREACHABLE, code, mtu.to_bytes(4, "big"), quoted)
    station.receives_icmp(message, source=OTHER)
    [taken] = [event for event in station.told if event.name == "icmp:taken"]
    assert taken.group == "udp 10.9.0.2:7"
    assert (taken.data["because"], taken.data["type"], taken.data["code"]) == (because, icmp.UNREACHABLE, code)
    assert (taken.data["source"], taken.data["destination"]) == ("10.9.0.3", "10.9.0.1")
    assert taken.data.get("mtu", 0) == mtu


def test_an_error_about_a_ping_is_told_with_the_ping() -> None:
    station = watched()
    ping = station.ipv4.icmp.echo.ping(PEER, b"abc", station.now, lambda result: None)
    request = echo_request(ping.identifier, ping.sequence, b"abc").build()
    quoted = quote(destination=PEER, protocol=PROTO_ICMP, payload=request)
    station.receives_icmp(unreachable(icmp.HOST_UNREACHABLE, quoted), source=OTHER)
    [taken] = [event for event in station.told if event.name == "icmp:taken"]
    assert (taken.group, taken.data["because"]) == (f"ping {ping.identifier}/{ping.sequence}", "icmp_soft")


def test_an_error_that_nobody_believes_is_not_taken() -> None:
    station = watched()
    station.receives_icmp(unreachable(icmp.PORT_UNREACHABLE, quote(protocol=PROTO_UDP)))
    assert [event.name for event in station.told] == []
    assert station.counters["icmp_error_unmatched"] == 1
