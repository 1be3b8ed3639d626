"""What IP tells its observers: routes, path MTUs, fragments made and put together, and Identifications."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stack.config import Config, IcmpConfig, IpConfig
from stack.internet.received import Received
from stack.wire import icmp
from stack.wire.addresses import ALL_HOSTS, Prefix, parse_ipv4
from stack.wire.icmp import IcmpMessage
from tests.internet.errors import Errors, quote
from tests.internet.station import FAR, OTHER, OTHER_MAC, PEER, REQUEST, SUBNET_BROADCAST, US, Station, path_to

Do = Callable[[Station], object]
UNASSIGNED = 253
DEFAULT = Prefix(bytes(4), 0)


def watched(config: Config | None = None) -> Station:
    station = Station(config=config)
    station.ipv4.handlers[UNASSIGNED] = taken
    station.knows(PEER)
    station.arp(REQUEST, OTHER_MAC, OTHER, US)
    station.watch()
    return station


def taken(received: Received) -> None:
    """The handler of a protocol."""


def told(station: Station, name: str, *fields: str) -> list[tuple[object, ...]]:
    return [
        tuple(event.data.get(field) for field in ("because", *fields)) for event in station.told if event.name == name
    ]


# --- routes


@pytest.mark.parametrize(
    ("because", "destination", "next_hop", "prefix"),
    [
        ("route_on_link", PEER, "10.9.0.1", "10.9.0.0/24"),
        ("route_by_gateway", FAR, "10.9.0.1", "0.0.0.0/0"),
        ("route_to_ourselves", US, "10.9.0.2", ""),
        ("route_to_many", SUBNET_BROADCAST, "10.9.0.255", ""),
        ("route_to_many", ALL_HOSTS, "224.0.0.1", ""),
        ("route_link_local", parse_ipv4("169.254.7.7"), "169.254.7.7", ""),
    ],
)
def test_the_route_of_a_path(because: str, destination: bytes, next_hop: str, prefix: str) -> None:
    station = watched()
    path_to(station, destination)
    assert told(station, "ip:route", "action", "next_hop", "prefix") == [(because, "chosen", next_hop, prefix)]


def redirect(station: Station) -> None:
    """The gateway says that another one is better for FAR."""
    Errors(station, UNASSIGNED)
    quoted = quote(destination=FAR, protocol=UNASSIGNED)
    station.receives_icmp(IcmpMessage(icmp.REDIRECT, 1, OTHER, quoted))


REDIRECTS = Config(icmp=IcmpConfig(secure_redirects=False), ip=IpConfig(redirects_max=1))


def test_a_redirect_changes_the_route_of_one_host_until_it_expires() -> None:
    station = watched(REDIRECTS)
    redirect(station)
    assert told(station, "ip:route", "action", "prefix", "gateway") == [
        ("route_redirected", "added", "192.0.2.77/32", "10.9.0.3")
    ]
    station.told.clear()
    path_to(station, FAR)
    assert told(station, "ip:route", "next_hop") == [("route_redirected", "10.9.0.3")]
    station.told.clear()
    station.at(IpConfig().redirect_timeout_s + 1.0)
    assert told(station, "ip:route", "action") == [("redirect_old", "removed")]


def second_redirect(station: Station) -> None:
    Errors(station, UNASSIGNED)
    quoted = quote(destination=parse_ipv4("192.0.2.78"), protocol=UNASSIGNED)
    station.receives_icmp(IcmpMessage(icmp.REDIRECT, 1, OTHER, quoted))


@pytest.mark.parametrize(
    ("because", "do"),
    [
        ("redirect_suspected", lambda station: path_to(station, FAR).suspect(station.now)),
        ("redirects_full", second_redirect),
        ("redirects_out_of_date", lambda station: station.ipv4.routes.forget_redirects()),
    ],
)
def test_a_redirect_is_forgotten(because: str, do: Do) -> None:
    station = watched(REDIRECTS)
    redirect(station)
    station.told.clear()
    do(station)
    assert (because, "removed") in told(station, "ip:route", "action")


def discarded(station: Station) -> None:
    route = station.ipv4.routes.add(Prefix.parse("192.0.2.0/24"), station.eth, OTHER, because="route_of_lease")
    station.ipv4.routes.discard(route)


def own_address_gone(station: Station) -> None:
    station.ipv4.remove_address(station.eth, Prefix.parse("10.9.0.2/24"))


@pytest.mark.parametrize(
    ("steps", "do"),
    [
        (
            [("route_connected", "added", "10.8.0.0/24")],
            lambda station: station.ipv4.add_address(station.eth, Prefix.parse("10.8.0.1/24")),
        ),
        ([("route_given", "added", "192.0.2.0/24")],
         lambda station: station.ipv4.routes.add(Prefix.parse("192.0.2.0/24"), station.eth, OTHER)),
        ([("route_taken_away", "removed", "0.0.0.0/0")], lambda station: station.ipv4.routes.remove(DEFAULT)),
        ([("route_of_lease", "added", "192.0.2.0/24"), ("route_lease_over", "removed", "192.0.2.0/24")], discarded),
        ([("route_address_gone", "removed", "10.9.0.0/24"), ("route_gateway_off_link", "removed", "0.0.0.0/0")],
         own_address_gone),
        ([("route_interface_gone", "removed", "10.9.0.0/24"), ("route_interface_gone", "removed", "0.0.0.0/0")],
         lambda station: station.ipv4.remove_interface(station.eth)),
    ],
)  # fmt: skip
def test_the_table_of_routes_changes(steps: list[tuple[object, ...]], do: Do) -> None:
    station = watched()
    do(station)
    assert sorted(map(str, told(station, "ip:route", "action", "prefix"))) == sorted(map(str, steps))
    assert {event.group for event in station.told if event.name == "ip:route"} == {"tap1"}


def test_a_gateway_that_is_silent_is_told_and_one_that_answers_again() -> None:
    station = watched()
    station.ipv4.routes.gateway_failed(PEER, station.now)
    station.ipv4.routes.gateway_answers(PEER)
    assert told(station, "ip:route", "action", "gateway") == [
        ("gateway_silent", "gateway failed", "10.9.0.1"),
        ("gateway_answered", "gateway answers", "10.9.0.1"),
    ]


# --- path MTU, fragments, Identification


def test_the_path_mtu_falls_and_is_forgotten() -> None:
    station = watched()
    Errors(station, UNASSIGNED)
    quoted = quote(destination=FAR, protocol=UNASSIGNED)
    station.receives_icmp(IcmpMessage(icmp.UNREACHABLE, 4, (1000).to_bytes(4, "big"), quoted))
    assert told(station, "ip:mtu", "destination", "mtu", "of") == [("mtu_from_router", "192.0.2.77", 1000, UNASSIGNED)]
    path_to(station, FAR).lower_mtu(900, station.now)
    assert told(station, "ip:mtu", "mtu")[-1] == ("mtu_probed", 900)
    station.at(IpConfig().path_mtu_timeout_s + 1.0)
    assert told(station, "ip:mtu", "destination")[-2:] == [("mtu_old", "192.0.2.77")] * 2
    station.eth.mtu = 1280
    station.ipv4.mtu_changed(station.eth, station.now)
    assert told(station, "ip:mtu", "mtu")[-1] == ("mtu_of_interface", 1280)


def test_a_large_datagram_is_sent_in_fragments() -> None:
    station = watched()
    station.ipv4.output.path(US, PEER, UNASSIGNED).send([bytes(3000)], 3000, station.now)
    pieces = told(station, "ip:fragment", "offset", "len", "more")
    assert pieces == [("larger_than_mtu", 0, 1480, True), ("larger_than_mtu", 1480, 1480, True),
                      ("larger_than_mtu", 2960, 40, False)]  # fmt: skip
    [(because, number)] = told(station, "ip:ident", "id")
    assert because == "ident_counts"
    assert {number for _, number in told(station, "ip:fragment", "id")} == {number}
    station.receives(252, b"12345678")
    assert [because for because, *_ in told(station, "ip:ident")] == ["ident_counts", "ident_random"]


def test_a_datagram_with_df_is_not_fragmented() -> None:
    station = watched()
    path = station.ipv4.output.path(US, PEER, UNASSIGNED, df=True)
    with pytest.raises(OSError, match="too long"):
        path.send([bytes(3000)], 3000, station.now)
    assert told(station, "ip:not_sent", "len", "mtu") == [("may_not_fragment", 3020, 1500)]


def fragment(station: Station, offset: int, more: bool, octets: bytes = bytes(8)) -> None:
    station.receives(UNASSIGNED, octets, identification=7, fragment_offset=offset, more_fragments=more)


def test_fragments_wait_until_the_datagram_is_complete() -> None:
    station = watched()
    fragment(station, 16, False)
    fragment(station, 0, True)
    fragment(station, 8, True)
    assert told(station, "ip:reassembly", "offset", "more", "have", "holes") == [
        ("fragment_waits", 16, False, 8, 1),
        ("fragment_waits", 0, True, 16, 1),
        ("fragments_complete", 8, True, 24, 0),
    ]
    assert {event.data["id"] for event in station.told} == {7}


def contradiction(station: Station) -> None:
    fragment(station, 0, True, b"\1" * 8)


def many_holes(station: Station) -> None:
    for number in range(1, 4):
        fragment(station, 16 * number, True)


def many_datagrams(station: Station) -> None:
    station.receives(UNASSIGNED, bytes(8), identification=8, more_fragments=True)


def whole(station: Station) -> None:
    station.receives(UNASSIGNED, bytes(8), identification=7)


@pytest.mark.parametrize(
    ("because", "do"),
    [
        ("fragments_differ", contradiction),
        ("fragments_scattered", many_holes),
        ("fragments_no_room", many_datagrams),
        ("fragments_late", lambda station: station.at(200.0)),
        ("fragments_not_needed", whole),
        ("fragments_interface_gone", lambda station: station.ipv4.remove_interface(station.eth)),
    ],
)
def test_a_datagram_is_given_up(because: str, do: Do) -> None:
    station = watched(Config(ip=IpConfig(reassembly_holes_max=2, reassembly_flows_max=1)))
    fragment(station, 0, True)
    station.told.clear()
    do(station)
    assert (because, 7) in told(station, "ip:reassembly", "id")
