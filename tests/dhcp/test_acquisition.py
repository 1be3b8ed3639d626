"""From nothing to an address: RFC 2131 sections 3.1 and 4.4.1, the states INIT, SELECTING and
REQUESTING.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, parse_ipv4
from tests.dhcp.world import ADDRESS, EXACT, MAC, SECOND, SERVER, World, seconds
from tests.requirements import rfc


@rfc("2131-3.1-b", "2131-3.1-c", "2131-4.4.1-j")
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
    assert previous is None
    assert (lease.address, lease.prefix_length, lease.server, lease.routers) == (ADDRESS, 24, SERVER, (SERVER,))
    assert world.client.lease is lease
    assert world.client.deadline == world.start + 0.25 + 1800


@rfc("2131-4.4.1-b", "2131-4.4.1-g", "2131-4.1-d")
def test_discover_goes_from_0_0_0_0_to_the_broadcast_address(world: World) -> None:
    world.begin()
    discover = world.expects(dhcp.DISCOVER, to=BROADCAST, source=ANY)
    assert discover.ciaddr == ANY


@rfc("2131-3.1-d")
def test_request_repeats_secs_and_the_destination_of_its_discover(world: World) -> None:
    world.begin()
    assert world.expects(dhcp.DISCOVER, at=0).secs == 0
    world.due()
    discover = world.expects(dhcp.DISCOVER, to=BROADCAST, at=4)
    assert discover.secs == 4
    world.after(3)
    world.sends(dhcp.OFFER)
    world.due()
    request = world.expects(dhcp.REQUEST, to=BROADCAST, source=ANY, at=7.25)
    assert request.secs == 4
    world.due()
    assert world.expects(dhcp.REQUEST, at=11.25).secs == 4


@rfc("2131-4.3.2-b", "2131-4.3.6-a")
def test_request_for_an_offer_has_no_ciaddr(world: World) -> None:
    request = world.become_requesting()
    assert request.ciaddr == ANY
    assert {dhcp.REQUESTED_ADDRESS, dhcp.SERVER_IDENTIFIER} <= request.values().keys()


@rfc("2131-4.4.1-f", "2131-4.4.1-k", "2131-3.3-b")
def test_the_lease_counts_from_the_request(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.after(3)
    world.sends(dhcp.OFFER)
    world.due()
    world.expects(dhcp.REQUEST, at=3.25)
    world.after(2)
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(100)})
    lease, _ = world.told("bound")
    assert lease.expires_at == world.start + 3.25 + 100
    assert world.client.deadline == world.start + 3.25 + 50


def test_a_repeated_request_does_not_make_the_lease_longer(world: World) -> None:
    """The acknowledgment may be for the first one, which the server took its time over: all have one xid."""
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.due()
    world.expects(dhcp.REQUEST, at=0.25)
    world.due()
    world.expects(dhcp.REQUEST, at=4.25)
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(100)})
    lease, _ = world.told("bound")
    assert lease.expires_at == world.start + 0.25 + 100


@rfc("2131-4.3.2-a")
def test_what_the_acknowledgment_says_counts_not_the_offer(world: World) -> None:
    world.become_requesting({dhcp.ROUTER: SECOND, dhcp.LEASE_TIME: seconds(7200), dhcp.DOMAIN_NAME: b"offered"})
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(600)})
    lease, _ = world.told("bound")
    assert (lease.routers, lease.lease_s, lease.domain) == ((SERVER,), 600, "")


@rfc("2131-4.4.1-h")
def test_an_offer_for_another_transaction_is_dropped(world: World) -> None:
    world.begin()
    discover = world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER, xid=discover.xid ^ 1)
    world.refused("dhcp_other_transaction")
    assert world.client.offers == ()
    assert world.client.state is State.SELECTING


@rfc("2131-4.4.1-i")
@pytest.mark.parametrize("kind", [dhcp.ACK, dhcp.NAK])
def test_no_other_answer_is_taken_while_offers_are_collected(world: World, kind: int) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.sends(kind)
    world.refused("dhcp_unexpected")
    assert world.client.state is State.SELECTING
    assert world.client.deadline == world.start + 4


def test_an_offer_that_comes_late_is_discarded(world: World) -> None:
    world.become_requesting()
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.refused("dhcp_unexpected")
    assert world.client.state is State.REQUESTING


@rfc("2131-3.1-i")
def test_a_refusal_starts_over_at_once(world: World) -> None:
    world.begin()
    first = world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.due()
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.NAK)
    second = world.expects(dhcp.DISCOVER, at=0.25)
    assert second.xid != first.xid
    assert world.client.state is State.SELECTING


def test_a_server_that_offers_what_it_refuses_makes_no_storm(world: World) -> None:
    world.begin()
    starts = []
    for number in range(10):
        world.after(max(world.client.deadline - world.now, 0) if not world.sent else 0)
        starts.append(world.sent[0].at)
        world.requests()
        assert world.said == []
        world.sends(dhcp.NAK)
        if number == 2:
            world.told("silent")  # it is of no more use than none, which is said once
    waits = [after - before - 0.25 for before, after in pairwise(starts)]
    assert waits == pytest.approx([0, 1, 2, 4, 8, 16, 32, 64, 64])


def test_a_lease_makes_up_for_earlier_refusals(world: World) -> None:
    world.begin()
    for _ in range(3):
        world.after(max(world.client.deadline - world.now, 0) if not world.sent else 0)
        world.requests()
        world.sends(dhcp.NAK)
    world.told("silent")
    world.due()
    world.requests()
    world.sends(dhcp.ACK)
    world.told("bound")
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    world.sends(dhcp.NAK)
    world.told("unbound")
    world.expects(dhcp.DISCOVER)  # at once: it is the first refusal again


@rfc("2131-3.1-a", "2131-4.4.1-p")
def test_discover_suggests_what_the_user_wishes() -> None:
    world = World(replace(EXACT, requested_lease_s=7200))
    world.begin(requested=SECOND)
    values = world.expects(dhcp.DISCOVER).values()
    assert values[dhcp.REQUESTED_ADDRESS] == SECOND
    assert values[dhcp.LEASE_TIME] == seconds(7200)
    world.finish()


@rfc("2131-4.4.1-a")
def test_a_start_up_delay_is_waited_for_where_configured() -> None:
    for byte, at in ((0, 1), (128, 5.5), (255, 10)):
        world = World(replace(EXACT, startup_delay_s=(1, 10)), chance=byte)
        world.begin()
        assert world.sent == []
        assert world.client.state is State.INIT
        world.due()
        world.expects(dhcp.DISCOVER)
        assert world.elapsed == pytest.approx(at, abs=0.05)
        world.finish()


@rfc("2131-2-b", "2131-4.2-a", "2131-4.3.2-i")
def test_every_message_has_the_same_client_identifier(world: World) -> None:
    world.become_bound()
    for _ in range(3):
        world.due()
    world.client.conflict(ADDRESS, world.now)
    world.told("unbound")
    identifiers = [sent.message.values()[dhcp.CLIENT_IDENTIFIER] for sent in world.sent]
    kinds = [sent.message.message_type for sent in world.sent]
    assert kinds == [dhcp.REQUEST] * 3 + [dhcp.DECLINE]
    assert set(identifiers) == {bytes((255,)) + MAC[-4:] + bytes((0, 3, 0, 1)) + MAC}
    world.sent.clear()


@rfc("2131-4.4.1-f", "2131-4.1-p")
def test_transaction_identifiers_are_drawn_by_lot() -> None:
    xids = []
    for number in range(50):
        world = World(chance=number)
        world.begin()
        xids.append(world.expects(dhcp.DISCOVER).xid)
    assert xids == [number * 0x01010101 for number in range(50)]


@rfc("2131-4.1-s")
@pytest.mark.parametrize("destination", [BROADCAST, ADDRESS])
@pytest.mark.parametrize("flag", [False, True])
def test_answers_are_taken_by_broadcast_and_by_unicast(destination: bytes, flag: bool) -> None:
    world = World(replace(EXACT, broadcast_flag=flag))
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.arrives(world.answer(dhcp.OFFER).build(), destination)
    world.due()
    world.expects(dhcp.REQUEST)
    world.arrives(world.answer(dhcp.ACK).build(), destination)
    world.told("bound")
    world.finish()


def test_starting_twice_is_a_mistake_of_the_caller(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    with pytest.raises(RuntimeError, match="in state SELECTING"):
        world.begin()
    with pytest.raises(RuntimeError, match="stop it first"):
        world.client.inform(parse_ipv4("10.9.0.9"), world.now)


@rfc("2131-4.4.1-l", "2131-3.1-f", "2131-2.2-a")
def test_the_address_is_used_only_when_no_other_host_has_it() -> None:
    world = World(probing="later")
    world.become_requesting()
    world.sends(dhcp.ACK)
    assert world.probes == [ADDRESS]
    assert world.client.state is State.REQUESTING
    assert world.client.lease is None
    world.after(5)
    world.client.probed(SECOND, None, world.now)  # an answer to something else
    assert world.client.state is State.REQUESTING
    world.client.probed(ADDRESS, None, world.now)
    world.told("bound")
    world.client.probed(ADDRESS, MAC, world.now)  # too late to mean anything
    assert world.client.state is State.BOUND
    world.finish()


def test_while_the_address_is_probed_the_request_rests_and_answers_are_not_awaited() -> None:
    world = World(probing="later")
    world.become_requesting()
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(100)})
    for kind in (dhcp.ACK, dhcp.NAK):
        world.sends(kind)
        world.refused("dhcp_unexpected")
    world.after(99)
    assert world.sent == []
    world.after(1)
    assert world.told("cancel_probe") == (ADDRESS,)
    world.expects(dhcp.DISCOVER, at=100.25)
    world.finish()
