"""Release, stop, and DHCPINFORM, which never begins a lease: RFC 2131 sections 4.4.3, 4.4.4 and
4.4.6.
"""

from __future__ import annotations

from math import inf

import pytest

from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import BROADCAST, parse_ipv4
from tests.dhcp.server import addresses
from tests.dhcp.world import ADDRESS, SECOND, SERVER, World
from tests.requirements import rfc

STATIC = parse_ipv4("10.9.0.200")


@rfc("2131-4.4.4-a", "2131-3.1-l", "2131-4.4.1-T5-d")
@pytest.mark.parametrize("at", [0, 1800, 3150])
def test_a_release_goes_to_the_server_and_then_the_address_goes(world: World, at: float) -> None:
    lease = world.become_bound()
    world.after(at)
    identifier = world.client._writer.identifier
    world.sent.clear()
    world.client.release(world.now)
    release = world.expects(dhcp.RELEASE, to=SERVER, source=ADDRESS)
    assert release.ciaddr == ADDRESS
    assert release.values()[dhcp.SERVER_IDENTIFIER] == SERVER
    assert release.values()[dhcp.CLIENT_IDENTIFIER] == identifier
    assert world.told("unbound") == (lease, "released")
    assert world.client.state is State.STOPPED
    assert (world.client.lease, world.client.deadline) == (None, inf)
    world.client.release(world.now)


def test_without_a_lease_there_is_nothing_to_release(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.client.release(world.now)
    assert world.client.state is State.STOPPED
    assert world.client.deadline == inf
    world.sends(dhcp.OFFER)
    world.refused("dhcp_unexpected")


def test_stopping_says_nothing_and_keeps_the_lease_for_next_time(world: World) -> None:
    lease = world.become_bound()
    world.client.stop(world.now)
    assert world.client.state is State.STOPPED
    assert world.client.lease is lease
    assert world.client.deadline == inf
    world.client.conflict(ADDRESS, world.now)
    world.client.link_changed(world.now)
    world.client.renew(world.now)
    world.client.stop(world.now)
    world.after(10000)


def test_stopping_while_the_address_is_probed_takes_the_question_back() -> None:
    world = World(probing="later")
    world.become_requesting()
    world.sends(dhcp.ACK)
    world.client.stop(world.now)
    assert world.told("cancel_probe") == (ADDRESS,)
    world.client.probed(ADDRESS, None, world.now)
    assert world.client.state is State.STOPPED
    world.finish()


@rfc("2131-4.4.1-T5-i", "2131-4.3.1-b", "2131-4.4.1-T5-f")
def test_inform_asks_for_all_but_an_address(world: World) -> None:
    world.client.inform(STATIC, world.now)
    inform = world.expects(dhcp.INFORM, to=BROADCAST, source=STATIC, at=0)
    assert inform.ciaddr == STATIC
    assert inform.values().keys() == {
        dhcp.MESSAGE_TYPE, dhcp.CLIENT_IDENTIFIER, dhcp.MAXIMUM_SIZE, dhcp.PARAMETER_REQUEST_LIST,
    }  # fmt: skip
    servers = {dhcp.DOMAIN_NAME_SERVER: addresses("10.9.0.3"), dhcp.LEASE_TIME: None}
    world.sends(dhcp.ACK, servers, yiaddr=bytes(4), ciaddr=STATIC)
    (lease,) = world.told("informed")
    assert (lease.address, lease.lease_s, lease.expires_at) == (STATIC, inf, inf)
    assert lease.name_servers == (parse_ipv4("10.9.0.3"),)
    assert world.client.state is State.STOPPED
    assert (world.client.lease, world.client.deadline) == (None, inf)


@rfc("2131-4.4.3-d", "2131-4.4.3-a")
def test_inform_to_a_known_server_turns_to_all_when_it_is_silent(world: World) -> None:
    world.client.inform(STATIC, world.now, SECOND)
    world.expects(dhcp.INFORM, to=SECOND, source=STATIC, at=0)
    world.after(59)
    for at in (4, 12, 28):
        world.expects(dhcp.INFORM, to=BROADCAST, source=STATIC, at=at)
    world.after(1)
    world.told("silent")
    assert world.client.state is State.STOPPED


def test_informs_have_transaction_identifiers_of_their_own(world: World) -> None:
    xids = []
    for _ in range(2):
        world.client.inform(STATIC, world.now)
        xids.append(world.expects(dhcp.INFORM, source=STATIC).xid)
        world.sends(dhcp.ACK, xid=xids[-1] ^ 1)
        world.refused("dhcp_other_transaction")
        world.client.stop(world.now)
    assert 0 not in xids
    assert xids[0] != xids[1]


@pytest.mark.parametrize("kind", [dhcp.OFFER, dhcp.NAK])
def test_inform_takes_only_an_acknowledgment(world: World, kind: int) -> None:
    world.client.inform(STATIC, world.now)
    world.expects(dhcp.INFORM, source=STATIC)
    world.sends(kind)
    world.refused("dhcp_unexpected")
    assert world.client.state is State.INFORMING


@rfc("2131-4.4.6-a")
def test_after_inform_and_after_release_a_client_can_start(world: World) -> None:
    world.client.inform(STATIC, world.now)
    world.expects(dhcp.INFORM, source=STATIC)
    world.client.stop(world.now)
    world.become_bound()
    world.client.release(world.now)
    world.told("unbound")
    world.expects(dhcp.RELEASE, to=SERVER, source=ADDRESS)
    world.become_bound()
