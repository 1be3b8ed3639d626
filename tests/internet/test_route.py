"""The routing table: longest prefix, several gateways, dead ones, Redirects (RFC 1122 section
3.3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from stack.config import Config, IpConfig
from stack.counters import Counters
from stack.internet.route import RoutingTable
from stack.wire.addresses import Prefix, parse_ipv4
from tests.internet.station import FAR, OTHER, PEER, SUBNET_BROADCAST, US, FakeInterface
from tests.requirements import rfc

DEFAULT = Prefix(bytes(4), 0)
NOW = 100.0


class Table(RoutingTable):
    """With two interfaces: `a` is 10.9.0.2/24, `b` is 172.16.0.2/16."""

    def __init__(self, config: IpConfig | None = None) -> None:
        super().__init__(config or IpConfig())
        self.a = FakeInterface(Config(), Counters(), [Prefix.parse("10.9.0.2/24")])
        self.b = FakeInterface(Config(), Counters(), [Prefix.parse("172.16.0.2/16")], index=2)
        self.changes: list[bytes | None] = []
        self.on_change = self.changes.append
        for interface in (self.a, self.b):
            [own] = interface.addresses
            self.add(own, interface, source=own.address)

    def gateway(self, destination: bytes, now: float = NOW) -> bytes | None:
        route = self.lookup(destination, now)
        assert route is not None
        return route.gateway


def test_a_connected_network_needs_no_gateway() -> None:
    table = Table()
    route = table.lookup(PEER, NOW)
    assert route is not None
    assert (route.interface, route.gateway, route.source) == (table.a, None, US)
    assert route.next_hop(PEER) == PEER


def test_without_a_route_there_is_none() -> None:
    assert Table().lookup(FAR, NOW) is None


def test_the_longest_prefix_wins_whatever_the_order() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.add(Prefix.parse("192.0.2.0/24"), table.b, parse_ipv4("172.16.0.1"))
    table.add(Prefix.parse("192.0.2.77/32"), table.a, OTHER)
    table.add(Prefix.parse("192.0.0.0/16"), table.a, parse_ipv4("10.9.0.9"))
    assert table.gateway(FAR) == OTHER
    assert table.gateway(parse_ipv4("192.0.2.78")) == parse_ipv4("172.16.0.1")
    assert table.gateway(parse_ipv4("192.0.3.1")) == parse_ipv4("10.9.0.9")
    assert table.gateway(parse_ipv4("8.8.8.8")) == PEER


def test_a_lookup_can_be_bound_to_an_interface() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    assert table.lookup(FAR, NOW, table.b) is None
    assert table.lookup(FAR, NOW, table.a) is not None


def test_a_gateway_must_be_on_a_connected_network() -> None:
    table = Table()
    with pytest.raises(ValueError, match=r"172\.16\.0\.1 is on no network of tap1"):
        table.add(DEFAULT, table.a, parse_ipv4("172.16.0.1"))


def test_routes_are_removed_by_what_is_named() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.add(DEFAULT, table.a, OTHER)
    assert table.remove(DEFAULT, gateway=PEER) == 1
    assert table.gateway(FAR) == OTHER
    assert table.remove(DEFAULT) == 1
    assert table.lookup(FAR, NOW) is None
    assert table.remove(DEFAULT) == 0


def test_routes_of_an_interface_go_with_it() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.redirect(FAR, OTHER, PEER, table.a, NOW)
    table.remove_interface(table.a)
    assert table.lookup(FAR, NOW) is None
    assert table.lookup(PEER, NOW) is None
    assert table.lookup(parse_ipv4("172.16.9.9"), NOW) is not None


def test_adding_twice_changes_nothing() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    count = len(table.records(NOW))
    changes = len(table.changes)
    table.add(DEFAULT, table.a, PEER)
    assert len(table.records(NOW)) == count
    assert len(table.changes) == changes


# --- several gateways


def test_the_lower_metric_is_preferred_then_the_earlier() -> None:
    table = Table()
    table.add(DEFAULT, table.a, OTHER, metric=5)
    table.add(DEFAULT, table.a, PEER, metric=1)
    table.add(DEFAULT, table.a, parse_ipv4("10.9.0.9"), metric=1)
    assert table.gateway(FAR) == PEER


def test_a_dead_gateway_gives_way_to_another_for_a_while() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.add(DEFAULT, table.a, OTHER)
    table.gateway_failed(PEER, NOW)
    assert table.gateway(FAR, NOW) == OTHER
    assert table.gateway(FAR, NOW + 60.0) == PEER
    assert table.changes[-1] is None


def test_a_dead_gateway_is_used_when_there_is_no_other() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.gateway_failed(PEER, NOW)
    assert table.gateway(FAR, NOW) == PEER


def test_a_gateway_that_answers_is_alive() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.add(DEFAULT, table.a, OTHER)
    table.gateway_failed(PEER, NOW)
    table.gateway_answers(PEER)
    assert table.gateway(FAR, NOW) == PEER


def test_what_is_a_gateway() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    assert table.is_gateway(PEER)
    assert not table.is_gateway(OTHER)


# --- redirects


def test_a_redirect_from_the_current_first_hop_changes_the_route_of_that_host() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    assert table.redirect(FAR, OTHER, PEER, table.a, NOW)
    assert table.gateway(FAR) == OTHER
    assert table.gateway(parse_ipv4("192.0.2.78")) == PEER
    assert table.changes[-1] == FAR
    assert table.lookup(FAR, NOW, direct=True) is None, "SO_DONTROUTE: a redirect names a gateway too"


@pytest.mark.parametrize(
    ("gateway", "by"),
    [
        (OTHER, parse_ipv4("10.9.0.66")),  # not the first hop
        (FAR, PEER),  # not on the connected network
        (parse_ipv4("172.16.0.1"), PEER),  # on another one
        (US, PEER),
        (SUBNET_BROADCAST, PEER),
        (PEER, PEER),
    ],
)
def test_an_illegal_redirect_changes_nothing(gateway: bytes, by: bytes) -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    assert not table.redirect(FAR, gateway, by, table.a, NOW)
    assert table.gateway(FAR) == PEER


def test_a_redirect_about_a_neighbour_is_not_believed() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    assert not table.redirect(OTHER, parse_ipv4("10.9.0.9"), PEER, table.a, NOW)


def test_a_redirect_from_the_wrong_interface_is_not_believed() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    assert not table.redirect(FAR, parse_ipv4("172.16.0.1"), PEER, table.b, NOW)


def test_a_second_redirect_must_come_from_the_gateway_of_the_first() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    third = parse_ipv4("10.9.0.9")
    assert table.redirect(FAR, OTHER, PEER, table.a, NOW)
    assert not table.redirect(FAR, third, PEER, table.a, NOW)
    assert table.redirect(FAR, third, OTHER, table.a, NOW)
    assert table.gateway(FAR) == third


@rfc("redirect-4")
def test_a_dead_gateway_of_a_redirect_falls_back_to_the_default_for_good() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    third = bytes((192, 0, 2, 78))
    table.redirect(FAR, OTHER, PEER, table.a, NOW)
    table.redirect(third, parse_ipv4("10.9.0.9"), PEER, table.a, NOW)
    table.gateway_failed(OTHER, NOW)
    assert table.gateway(FAR) == PEER
    assert table.gateway(FAR, NOW + table.config.dead_gateway_s) == PEER
    assert table.gateway(third) == parse_ipv4("10.9.0.9")


@rfc("redirect-4")
def test_a_redirect_to_a_gateway_that_has_just_failed_is_not_believed() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.gateway_failed(OTHER, NOW)
    assert not table.redirect(FAR, OTHER, PEER, table.a, NOW)
    assert table.redirect(FAR, OTHER, PEER, table.a, NOW + table.config.dead_gateway_s)


@rfc("redirect-3")
def test_a_redirect_expires() -> None:
    table = Table(replace(IpConfig(), redirect_timeout_s=10.0))
    table.add(DEFAULT, table.a, PEER)
    assert table.redirect(FAR, OTHER, PEER, table.a, NOW)
    assert table.deadline == NOW + 10.0
    assert table.gateway(FAR, NOW + 9.9) == OTHER
    assert table.gateway(FAR, NOW + 10.0) == PEER
    table.on_deadline(NOW + 9.9)
    assert len(table) == 1
    table.on_deadline(NOW + 10.0)
    assert (len(table), table.deadline) == (0, float("inf"))
    assert table.changes[-1] == FAR
    assert table.redirect(FAR, OTHER, PEER, table.a, NOW + 10.0)


@rfc("redirect-3")
@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.add(Prefix.parse("192.0.2.0/24"), table.a, parse_ipv4("10.9.0.9")),
        lambda table: table.remove(DEFAULT, gateway=OTHER),
        lambda table: table.remove_interface(table.b),
        lambda table: table.forget_redirects(),
    ],
)
def test_redirects_go_when_the_routes_or_the_network_change(change: Callable[[Table], object]) -> None:
    """They were about the routes as they were, and the new gateway may be known no more."""
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.add(DEFAULT, table.a, OTHER, metric=1)
    table.redirect(FAR, OTHER, PEER, table.a, NOW)
    table.changes.clear()
    change(table)
    assert len(table) == 0
    assert table.gateway(FAR) != OTHER
    assert None in table.changes


def test_forgetting_what_is_not_redirected_changes_nothing() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.changes.clear()
    table.forget_redirect(FAR)
    table.forget_redirects()
    assert table.changes == []


def test_redirects_are_bounded_and_the_oldest_makes_room() -> None:
    table = Table(replace(IpConfig(), redirects_max=8))
    table.add(DEFAULT, table.a, PEER)
    hosts = [bytes((192, 0, 2, number)) for number in range(100)]
    for host in hosts:
        table.redirect(host, OTHER, PEER, table.a, NOW)
    redirected = [record for record in table.records(NOW) if record.redirected]
    assert len(redirected) == 8
    assert table.changes[-2:] == [hosts[91], hosts[99]]  # paths to the one that made room, too, are looked up again
    assert table.gateway(hosts[0]) == PEER
    assert table.gateway(hosts[-1]) == OTHER


def test_an_address_that_goes_takes_the_routes_that_need_it() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER)
    table.redirect(FAR, OTHER, PEER, table.a, NOW)
    [own] = table.a.addresses
    table.a.addresses.clear()
    table.changes.clear()
    table.remove_address(table.a, own)
    assert None in table.changes
    assert table.lookup(FAR, NOW) is None
    assert table.lookup(PEER, NOW) is None


def test_records_are_readable() -> None:
    table = Table()
    table.add(DEFAULT, table.a, PEER, metric=3)
    record = table.records(NOW)[-1]
    assert (record.destination, record.gateway, record.interface, record.metric, record.alive) == (
        "0.0.0.0/0",
        "10.9.0.1",
        "tap1",
        3,
        True,
    )


def test_a_route_without_gateway_makes_neighbours_of_gateways() -> None:
    """RFC 3442: a router outside our prefix is reached once a route says that it is on the link."""
    table = Table()
    with pytest.raises(ValueError, match="on no network"):
        table.add(DEFAULT, table.a, FAR)
    table.add(Prefix(FAR, 32), table.a)
    table.add(DEFAULT, table.a, FAR)
    assert table.gateway(parse_ipv4("8.8.8.8")) == FAR
    with pytest.raises(ValueError, match="on no network"):
        table.add(DEFAULT, table.b, FAR)


def test_a_default_route_without_gateway_makes_no_neighbours() -> None:
    table = Table()
    table.add(DEFAULT, table.a)
    with pytest.raises(ValueError, match="on no network"):
        table.add(Prefix.parse("192.0.2.0/24"), table.a, FAR)


def test_a_gateway_on_the_link_by_a_route_outlives_an_address_that_is_not_the_routes() -> None:
    table = Table()
    table.add(Prefix(FAR, 32), table.a, source=US)
    table.add(DEFAULT, table.a, FAR)
    other = Prefix.parse("169.254.1.1/16")
    table.remove_address(table.a, other)
    assert table.gateway(parse_ipv4("8.8.8.8")) == FAR
    own = table.a.addresses.pop()
    table.remove_address(table.a, own)
    assert table.lookup(parse_ipv4("8.8.8.8")) is None
    assert table.lookup(FAR) is None


def test_the_route_to_a_gateway_goes_first_whatever_was_added_first() -> None:
    table = Table()
    table.add(DEFAULT, table.b, parse_ipv4("172.16.0.1"))  # so that length 0 comes first
    table.add(Prefix(FAR, 32), table.a, source=US)
    table.add(DEFAULT, table.a, FAR, metric=1)
    own = table.a.addresses.pop()
    table.remove_address(table.a, own)
    assert table.remove(DEFAULT, table.a) == 0


def test_one_route_is_taken_back_and_the_others_for_its_prefix_stay() -> None:
    table = Table()
    own = table.add(Prefix.parse("10.9.0.0/24"), table.a, source=OTHER)
    table.discard(own)
    table.discard(own)
    route = table.lookup(PEER, NOW)
    assert route is not None
    assert route.source == US
