"""Another host has the address: DHCPDECLINE, then a pause. RFC 2131 sections 3.1 step 5 and 4.4.4,
RFC 5227.
"""

from __future__ import annotations

import pytest

from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST
from tests.dhcp.world import ADDRESS, OTHER_MAC, SECOND, SERVER, World
from tests.requirements import rfc


def declined(world: World) -> None:
    """From DHCPDISCOVER, which was sent, to the DHCPDECLINE, which is left to be expected."""
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.after(0.25)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK)


@rfc("2131-4.4.1-n", "2131-3.1-g", "2131-4.4.4-a")
def test_an_address_in_use_is_declined_to_everybody() -> None:
    world = World(probing=OTHER_MAC)
    world.begin()
    declined(world)
    decline = world.expects(dhcp.DECLINE, to=BROADCAST, source=ANY)
    assert decline.ciaddr == ANY
    assert decline.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    assert decline.values()[dhcp.SERVER_IDENTIFIER] == SERVER
    assert world.client.state is State.INIT
    assert world.client.lease is None
    world.due()
    world.expects(dhcp.DISCOVER)
    world.finish()


@rfc("2131-3.1-h")
def test_ten_seconds_are_waited_before_another_is_asked_for() -> None:
    world = World(probing=OTHER_MAC)
    world.begin()
    declined(world)
    world.expects(dhcp.DECLINE, at=0.25)
    world.after(9.9)
    assert world.sent == []
    world.after(0.1)
    discover = world.expects(dhcp.DISCOVER, at=10.25)
    assert dhcp.REQUESTED_ADDRESS not in discover.values()
    world.finish()


@rfc("5227-2.1.1-dhcp-a")
def test_after_ten_conflicts_one_address_a_minute_is_tried() -> None:
    world = World(probing=OTHER_MAC)
    world.begin()
    waits = []
    for number in range(13):
        assert world.said == []
        declined(world)
        world.expects(dhcp.DECLINE)
        if number == 2:
            world.told("silent")  # what the server has is of no use, which is said once
        waits.append(world.client.deadline - world.now)
        world.due()
    assert waits == pytest.approx([10.0] * 9 + [60.0] * 4)


@rfc("5227-1-dhcp-a", "5227-2.4-dhcp-a")
def test_an_address_lost_to_another_host_later_is_declined_as_well(world: World) -> None:
    lease = world.become_bound()
    world.after(500)
    world.client.conflict(SECOND, world.now)  # not ours
    world.client.conflict(ADDRESS, world.now)
    assert world.told("unbound") == (lease, "conflict")
    decline = world.expects(dhcp.DECLINE, to=BROADCAST, source=ANY, at=500.25)
    assert decline.values()[dhcp.SERVER_IDENTIFIER] == SERVER
    world.client.conflict(ADDRESS, world.now)  # it has gone already
    world.due()
    discover = world.expects(dhcp.DISCOVER, at=510.25)
    assert discover.secs == 10


@pytest.mark.parametrize("seconds", [1800, 3150])
def test_a_conflict_while_the_lease_is_extended_ends_it(world: World, seconds: float) -> None:
    lease = world.become_bound()
    world.after(seconds)
    world.sent.clear()
    world.client.conflict(ADDRESS, world.now)
    assert world.told("unbound") == (lease, "conflict")
    world.expects(dhcp.DECLINE)
    world.sends(dhcp.ACK)
    world.refused("dhcp_unexpected")


def test_a_server_whose_address_was_taken_comes_after_others() -> None:
    world = World(probing=OTHER_MAC)
    world.begin()
    declined(world)
    world.expects(dhcp.DECLINE)
    world.probing = None
    world.due()
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: SECOND}, yiaddr=bytes((10, 9, 0, 77)))
    world.due()
    assert world.expects(dhcp.REQUEST).values()[dhcp.SERVER_IDENTIFIER] == SECOND
    world.finish()
