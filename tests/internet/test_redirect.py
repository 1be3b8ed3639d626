"""Redirects: which are legal, which are believed, and when they are forgotten (RFC 1122 sections
3.2.2.2 and 3.3.1).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.config import Config, IcmpConfig
from stack.wire import icmp
from stack.wire.addresses import Prefix, parse_ipv4
from stack.wire.icmp import IcmpMessage
from tests.internet.errors import Errors, quote
from tests.internet.station import (
    FAR,
    OTHER,
    OTHER_MAC,
    PEER,
    PEER_MAC,
    REQUEST,
    SUBNET_BROADCAST,
    US,
    FakeInterface,
    Station,
)
from tests.requirements import rfc

TCP, PROTOCOL = 6, 99  # 99 has no handler


def configured(**numbers: object) -> Station:
    station = Station(config=replace(Config(), icmp=IcmpConfig(**numbers)))  # type: ignore[arg-type]
    station.knows(PEER)
    return station


def redirected(station: Station, destination: bytes = FAR) -> bool:
    """Whether what goes to `destination` takes another first hop than the default gateway."""
    route = station.ipv4.routes.lookup(destination, station.now)
    assert route is not None
    return route.gateway != PEER


@pytest.fixture
def routers() -> Station:
    """PEER is the default gateway, OTHER is the router of another network, and TCP believes each quote."""
    station = configured()
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    station.frames()
    station.ipv4.routes.add(Prefix.parse("198.51.100.0/24"), station.eth, OTHER)
    Errors(station)
    return station


def test_a_redirect_from_the_gateway_changes_the_first_hop(routers: Station) -> None:
    path = routers.ipv4.output.path(None, FAR, TCP, now=routers.now)
    routers.receives_icmp(icmp.redirect(icmp.REDIRECT_HOST, OTHER, quote()), source=PEER)
    path.send([b"x"], 1, routers.now)
    [frame] = routers.frames()
    assert frame[:6] == OTHER_MAC
    assert routers.counters.drops() == {}


@pytest.mark.parametrize("code", [icmp.REDIRECT_NET, icmp.REDIRECT_TOS_NET, icmp.REDIRECT_TOS_HOST])
def test_a_network_redirect_changes_the_one_host(routers: Station, code: int) -> None:
    routers.receives_icmp(icmp.redirect(code, OTHER, quote()), source=PEER)
    assert redirected(routers)
    assert not redirected(routers, bytes((*FAR[:3], 1)))


@rfc("redirect-2")
@pytest.mark.parametrize(
    ("message", "source", "reason"),
    [
        (icmp.redirect(1, OTHER, quote()), OTHER, "icmp_bad_redirect"),  # not our gateway
        (icmp.redirect(1, FAR, quote()), PEER, "icmp_bad_redirect"),  # to elsewhere
        (icmp.redirect(1, PEER, quote()), PEER, "icmp_bad_redirect"),  # to itself
        (icmp.redirect(1, US, quote()), PEER, "icmp_bad_redirect"),
        (icmp.redirect(1, SUBNET_BROADCAST, quote()), PEER, "icmp_bad_redirect"),
        (icmp.redirect(4, OTHER, quote()), PEER, "icmp_unknown_code"),
        (icmp.redirect(1, OTHER, quote(destination=OTHER)), PEER, "icmp_bad_redirect"),  # about a neighbour
        (icmp.redirect(1, parse_ipv4("10.9.0.66"), quote()), PEER, "icmp_redirect_unknown_router"),
    ],
)
def test_an_illegal_redirect_is_dropped(routers: Station, message: IcmpMessage, source: bytes, reason: str) -> None:
    routers.receives_icmp(message, source=source)
    assert not redirected(routers)
    assert routers.counters.drops() == {reason: 1}
    assert len(routers.ipv4.routes) == 0


@rfc("redirect-2")
def test_a_router_of_another_interface_is_no_router_here(routers: Station) -> None:
    second = FakeInterface(routers.config, routers.counters, [Prefix.parse("10.9.0.130/25")], index=2)
    routers.ipv4.add_interface(second)
    there = parse_ipv4("10.9.0.199")
    routers.ipv4.routes.add(Prefix.parse("203.0.113.0/24"), second, there)
    routers.receives_icmp(icmp.redirect(1, there, quote()), source=PEER)
    assert not redirected(routers)
    assert routers.counters.drops() == {"icmp_redirect_unknown_router": 1}


@rfc("redirect-2")
def test_a_gateway_that_only_a_redirect_has_named_is_no_known_router(routers: Station) -> None:
    third = parse_ipv4("10.9.0.9")
    assert routers.ipv4.routes.redirect(FAR, third, PEER, routers.eth, routers.now)
    again = quote(destination=parse_ipv4("192.0.2.99"))
    routers.receives_icmp(icmp.redirect(1, third, again), source=PEER)
    assert routers.counters.drops() == {"icmp_redirect_unknown_router": 1}


def test_any_neighbour_can_be_a_gateway_where_redirects_need_not_be_secure() -> None:
    station = configured(secure_redirects=False)
    Errors(station)
    station.receives_icmp(icmp.redirect(1, OTHER, quote()), source=PEER)
    assert redirected(station)


def test_redirects_can_be_refused() -> None:
    station = configured(accept_redirects=False)
    station.receives_icmp(icmp.redirect(1, OTHER, quote()), source=PEER)
    assert station.counters.drops() == {"icmp_bad_redirect": 1}


@rfc("redirect-1")
def test_a_redirect_whose_quote_no_protocol_owns_is_dropped(routers: Station) -> None:
    errors = Errors(routers)
    errors.believes = False
    for protocol in (TCP, PROTOCOL):
        routers.receives_icmp(icmp.redirect(1, OTHER, quote(protocol=protocol)), source=PEER)
    assert not redirected(routers)
    assert routers.counters.drops() == {"icmp_error_unmatched": 2}
    [error] = errors.all
    assert (error.errno, error.hard, error.next_hop_mtu) == (0, False, 0)


@rfc("redirect-3")
def test_a_redirect_expires_and_the_paths_that_follow_it_go_back(routers: Station) -> None:
    path = routers.ipv4.output.path(None, FAR, TCP, now=routers.now)
    routers.receives_icmp(icmp.redirect(1, OTHER, quote()), source=PEER)
    routers.at(299.0)
    assert redirected(routers)
    assert routers.ipv4.deadline == routers.now + 1.0
    routers.at(1.0)
    assert not redirected(routers)
    assert len(routers.ipv4.routes) == 0
    path.send([b"x"], 1, routers.now)
    assert path.next_hop == PEER
    assert routers.ipv4.deadline == float("inf")


@rfc("redirect-3")
def test_a_redirect_said_again_counts_from_then(routers: Station) -> None:
    third = parse_ipv4("10.9.0.9")
    routers.ipv4.routes.add(Prefix.parse("203.0.113.0/24"), routers.eth, third)
    again = quote(destination=parse_ipv4("192.0.2.99"))
    routers.receives_icmp(icmp.redirect(1, OTHER, quote()), source=PEER)
    routers.at(100.0)
    routers.receives_icmp(icmp.redirect(1, OTHER, again), source=PEER)
    routers.at(100.0)
    routers.receives_icmp(icmp.redirect(1, third, quote()), source=OTHER)
    routers.at(201.0)
    assert [record.destination for record in routers.ipv4.routes.records(routers.now) if record.redirected] == [
        "192.0.2.77/32"
    ]
    routers.at(100.0)
    assert not redirected(routers)


@rfc("redirect-4")
def test_a_path_that_is_suspected_goes_back_to_the_gateway(routers: Station) -> None:
    path = routers.ipv4.output.path(None, FAR, TCP, now=routers.now)
    routers.receives_icmp(icmp.redirect(1, OTHER, quote()), source=PEER)
    path.send([b"x"], 1, routers.now)
    routers.frames()
    path.suspect(routers.now)
    [(_, request)] = routers.arps()
    assert request.target_ip == OTHER  # others may be redirected there, too
    path.send([b"x"], 1, routers.now)
    [frame] = routers.frames()
    assert frame[:6] == PEER_MAC


@rfc("redirect-4")
def test_a_gateway_that_does_not_answer_loses_all_redirects_to_it_for_good(routers: Station) -> None:
    hosts = [bytes((192, 0, 2, last)) for last in (77, 78)]
    for host in hosts:
        routers.receives_icmp(icmp.redirect(1, OTHER, quote(destination=host)), source=PEER)
    assert all(redirected(routers, host) for host in hosts)
    path = routers.ipv4.output.path(None, FAR, TCP, now=routers.now)
    path.suspect(routers.now)
    routers.at(10.0)  # the poll, and both requests to all, stay without an answer
    assert not any(redirected(routers, host) for host in hosts)
    routers.receives_icmp(icmp.redirect(1, OTHER, quote()), source=PEER)  # RFC 1122 section 3.3.1.5: not yet
    assert not redirected(routers)
    routers.at(routers.config.ip.dead_gateway_s + 1.0)
    assert not any(redirected(routers, host) for host in hosts)
