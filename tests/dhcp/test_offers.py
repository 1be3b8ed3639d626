"""Which of several offers is taken: the rule of stack/dhcp/choice.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.dhcp import choice
from stack.dhcp.lease import Lease
from stack.wire import dhcp
from stack.wire.addresses import parse_ipv4
from tests.dhcp.world import ADDRESS, EXACT, SECOND, SERVER, World

THIRD = parse_ipv4("10.9.0.3")
FAR = parse_ipv4("10.9.0.60")


def offer(server: bytes = SERVER, address: bytes = ADDRESS, router: bytes | None = None) -> Lease:
    routers = () if router is None else (router,)
    return Lease(address, 24, server, 3600, 1800, 3150, 0, routers=routers)


PLAIN, ROUTED = offer(), offer(SECOND, router=SECOND)
OLD_ADDRESS, OLD_SERVER = offer(SECOND, FAR), offer(THIRD)


@pytest.mark.parametrize(
    ("offers", "wanted", "server", "let_down", "expected"),
    [
        ([PLAIN], None, None, {}, (PLAIN, "the only one")),
        ([PLAIN, offer(SECOND)], None, None, {}, (PLAIN, "the first")),
        ([PLAIN, ROUTED], None, None, {}, (ROUTED, "it has a route out of the subnet")),
        ([PLAIN, ROUTED, OLD_SERVER], None, THIRD, {}, (OLD_SERVER, "its server gave the last lease")),
        ([PLAIN, OLD_SERVER, OLD_ADDRESS], FAR, THIRD, {}, (OLD_ADDRESS, "it is the address asked for")),
        ([OLD_ADDRESS, OLD_SERVER], FAR, None, {SECOND: 1}, (OLD_SERVER, "its server failed less often")),
        ([PLAIN, ROUTED], None, None, {SERVER: 1, SECOND: 2}, (PLAIN, "its server failed less often")),
        ([OLD_ADDRESS], FAR, None, {SECOND: 5}, (OLD_ADDRESS, "the only one")),
    ],
)
def test_the_rule(
    offers: list[Lease], wanted: bytes | None, server: bytes | None, let_down: dict[bytes, int],
    expected: tuple[Lease, str],
) -> None:  # fmt: skip
    assert choice.best(offers, wanted, server, let_down) == expected


def test_offers_are_collected_for_a_moment_after_the_first(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.after(1)
    world.sends(dhcp.OFFER, {dhcp.ROUTER: None})
    world.after(0.2)
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: SECOND}, yiaddr=FAR)
    assert [one.server for one in world.client.offers] == [SERVER, SECOND]
    assert world.sent == []
    world.after(0.05)
    request = world.expects(dhcp.REQUEST, at=1.25)
    assert request.values()[dhcp.SERVER_IDENTIFIER] == SECOND
    assert request.values()[dhcp.REQUESTED_ADDRESS] == FAR


def test_the_address_asked_for_is_taken_at_once(world: World) -> None:
    world.begin(requested=ADDRESS)
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.expects(dhcp.REQUEST, at=0)


def test_the_first_is_taken_at_once_where_configured() -> None:
    world = World(replace(EXACT, offer_window_s=0.0))
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.expects(dhcp.REQUEST, at=0)
    world.finish()


def test_a_flood_of_offers_is_cut(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    for number in range(9):
        world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: bytes((10, 9, 1, number + 1))})
    world.refused("dhcp_too_many_offers")
    assert len(world.client.offers) == 8


def test_a_server_that_did_not_acknowledge_comes_after_others(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.after(60.25)
    world.told("silent")
    world.sent = world.sent[-1:]
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.due()
    assert world.expects(dhcp.REQUEST).values()[dhcp.SERVER_IDENTIFIER] == SECOND
    world.sends(dhcp.ACK, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.told("bound")
