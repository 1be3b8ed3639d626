"""From nothing to an address: RFC 2131 sections 3.1 and 4.4.1, the states INIT, SELECTING and REQUESTING."""

from __future__ import annotations

from stack.dhcp.states import State
from stack.wire import dhcp
from tests.dhcp.world import ADDRESS, SERVER, World


def test_discover_offer_request_acknowledge(world: World) -> None:
    world.begin()
    discover = world.expects(dhcp.DISCOVER, at=0)
    assert world.client.state is State.SELECTING
    world.sends(dhcp.OFFER)
    world.after(0.25)
    request = world.expects(dhcp.REQUEST, at=0.25)
    assert world.client.state is State.REQUESTING
    assert request.xid == discover.xid
    assert request.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    assert request.values()[dhcp.SERVER_IDENTIFIER] == SERVER
    world.sends(dhcp.ACK)
    assert world.client.state is State.BOUND
    lease, previous = world.told("bound")
    assert world.probes == [ADDRESS]
    assert previous is None
    assert (lease.address, lease.prefix_length, lease.server, lease.routers) == (ADDRESS, 24, SERVER, (SERVER,))
    assert world.client.lease is lease
    assert world.client.deadline == world.start + 0.25 + 1800
