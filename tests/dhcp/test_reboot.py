"""The client asks for its previous address: RFC 2131 sections 3.2, 3.7 and 4.4.2, the states
INIT-REBOOT and REBOOTING.
"""

from __future__ import annotations

import pytest

from stack.dhcp.lease import Lease
from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST
from tests.dhcp.world import ADDRESS, MAC, OTHER_MAC, SECOND, SERVER, World, seconds
from tests.requirements import rfc


def remembered(world: World, left_s: float = 3000) -> Lease:
    """A lease of an hour that has so much left."""
    return Lease(ADDRESS, 24, SERVER, 3600, 1800, 3150, world.now + left_s - 3600)


@rfc("2131-4.4.2-a", "2131-4.4.2-b", "2131-3.2-a")
def test_the_old_address_is_asked_for_without_naming_a_server(world: World) -> None:
    world.begin(remembered(world))
    request = world.expects(dhcp.REQUEST, to=BROADCAST, source=ANY, at=0)
    assert world.client.state is State.REBOOTING
    assert request.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    assert dhcp.SERVER_IDENTIFIER not in request.values()
    assert request.ciaddr == ANY


@rfc("2131-4.3.2-c", "2131-4.3.2-d", "2131-3.2-b")
def test_the_old_address_is_asked_for_under_the_same_identifier(world: World) -> None:
    world.become_bound()
    world.client.stop(world.now)
    world.begin(world.client.remembered)
    values = world.expects(dhcp.REQUEST).values()
    assert values[dhcp.CLIENT_IDENTIFIER] == bytes((255,)) + MAC[-4:] + bytes((0, 3, 0, 1)) + MAC
    assert values[dhcp.REQUESTED_ADDRESS] == ADDRESS
    assert dhcp.SERVER_IDENTIFIER not in values


@rfc("2131-4.4.2-c")
@pytest.mark.parametrize("server", [SERVER, SECOND])
def test_any_server_may_acknowledge_it(world: World, server: bytes) -> None:
    world.begin(remembered(world))
    world.expects(dhcp.REQUEST)
    world.after(2)
    world.sends(dhcp.ACK, {dhcp.SERVER_IDENTIFIER: server})
    lease, previous = world.told("bound")
    assert previous is None
    assert (lease.server, lease.requested_at) == (server, world.start)
    assert world.probes == [ADDRESS]
    world.sends(dhcp.ACK)  # "subsequent DHCPACKs ignored"
    world.refused("dhcp_unexpected")


def test_an_acknowledgment_of_another_address_or_request_is_not_one(world: World) -> None:
    world.begin(remembered(world))
    request = world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK, yiaddr=SECOND)
    world.refused("dhcp_other_address")
    world.sends(dhcp.ACK, xid=request.xid ^ 0x80000000)
    world.refused("dhcp_other_transaction")
    assert world.client.state is State.REBOOTING


@rfc("2131-3.2-d", "2131-3.1-i")
def test_a_refusal_means_that_it_is_gone(world: World) -> None:
    lease = remembered(world)
    world.begin(lease)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.NAK)
    assert world.told("denied") == (lease, "nak")
    discover = world.expects(dhcp.DISCOVER, at=0)
    assert dhcp.REQUESTED_ADDRESS not in discover.values()
    assert world.client.remembered is None


def test_a_refusal_of_another_server_counts_when_the_one_of_the_lease_stays_silent(world: World) -> None:
    """It may be another network by now, where that one is not."""
    world.begin(remembered(world))
    world.expects(dhcp.REQUEST)
    world.after(3.5)
    for _ in range(3):
        world.sends(dhcp.NAK, {dhcp.SERVER_IDENTIFIER: SECOND})
        world.after(0.25)
    assert world.client.state is State.REBOOTING
    world.after(0.25)
    world.told("denied")
    assert dhcp.REQUESTED_ADDRESS not in world.expects(dhcp.DISCOVER, at=4.5).values()


def test_a_refusal_of_another_server_is_forgotten_when_the_one_of_the_lease_agrees() -> None:
    world = World(probing="later")
    lease = remembered(world)
    world.begin(lease)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.NAK, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.after(0.9)
    world.sends(dhcp.ACK)
    world.after(100)
    world.client.probed(ADDRESS, None, world.now)
    assert world.told("bound")[0].address == lease.address


def test_a_refusal_of_another_server_is_confirmed_by_the_one_of_the_lease(world: World) -> None:
    world.begin(remembered(world))
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.NAK, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.sends(dhcp.NAK)
    world.told("denied")
    world.expects(dhcp.DISCOVER, at=0)
    world.after(1.5)  # nothing is left of the doubt
    assert world.client.state is State.SELECTING


@rfc("2131-3.2-c")
def test_if_another_host_has_it_now_it_is_declined() -> None:
    world = World(probing=OTHER_MAC)
    lease = remembered(world)
    world.begin(lease)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK)
    assert world.told("denied") == (lease, "conflict")
    decline = world.expects(dhcp.DECLINE, to=BROADCAST, source=ANY)
    assert decline.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    assert world.client.state is State.INIT
    world.due()
    discover = world.expects(dhcp.DISCOVER, at=10)
    assert dhcp.REQUESTED_ADDRESS not in discover.values()
    world.finish()


def test_a_nak_for_another_address_does_not_deny_the_remembered_one(world: World) -> None:
    """Its server did not answer this time: the file that it may be in is left alone."""
    world.begin(remembered(world))
    world.after(12)
    world.sends(dhcp.OFFER, yiaddr=SECOND)
    world.due()
    world.sent.clear()
    world.sends(dhcp.NAK)
    world.expects(dhcp.DISCOVER)
    assert world.said == []


def test_without_an_answer_any_address_is_asked_for_after_two_tries(world: World) -> None:
    world.begin(remembered(world))
    world.after(12)
    assert [sent.at for sent in world.sent] == [0, 4, 12]
    world.expects(dhcp.REQUEST)
    assert world.expects(dhcp.REQUEST).secs == 4
    discover = world.expects(dhcp.DISCOVER)
    assert (discover.secs, discover.values()[dhcp.REQUESTED_ADDRESS]) == (12, ADDRESS)


def test_a_lease_that_is_over_is_a_wish_and_no_more(world: World) -> None:
    world.begin(remembered(world, left_s=0))
    assert world.expects(dhcp.DISCOVER).values()[dhcp.REQUESTED_ADDRESS] == ADDRESS


def test_the_users_wish_comes_before_what_is_remembered(world: World) -> None:
    world.begin(remembered(world), requested=SECOND)
    assert world.expects(dhcp.DISCOVER).values()[dhcp.REQUESTED_ADDRESS] == SECOND


@rfc("2131-3.7-a")
@pytest.mark.parametrize("at", [100, 1900, 3200])
def test_after_the_link_was_away_the_address_is_verified_and_stays_in_use(world: World, at: float) -> None:
    old = world.become_bound()
    world.after(at)
    world.sent.clear()
    world.client.link_changed(world.now)
    request = world.expects(dhcp.REQUEST, to=BROADCAST, source=ANY)
    assert request.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    assert (request.secs, request.ciaddr) == (0, ANY)
    assert world.client.lease is old
    world.sends(dhcp.ACK)
    lease, previous = world.told("bound")
    assert previous is old
    assert world.probes == [ADDRESS]  # RFC 5227 section 2.1: also when the link comes back
    assert lease.requested_at == world.now


@rfc("2131-3.2-e")
def test_in_a_network_without_our_server_the_address_may_be_used_to_its_end(world: World) -> None:
    lease = world.become_bound()
    world.after(100)
    world.client.link_changed(world.now)
    world.after(12)
    assert [sent.message.message_type for sent in world.sent] == [dhcp.REQUEST] * 2
    world.sent.clear()
    assert world.client.state is State.BOUND
    assert world.client.deadline == lease.renew_at


def test_a_lease_that_ends_while_it_is_verified_has_ended(world: World) -> None:
    lease = world.become_bound({dhcp.LEASE_TIME: seconds(100)})
    world.after(98)
    world.sent.clear()
    world.client.link_changed(world.now)
    world.expects(dhcp.REQUEST)
    world.after(2)
    assert world.told("unbound") == (lease, "expired")
    world.expects(dhcp.DISCOVER, at=100.25)


def test_a_refusal_in_the_new_network_ends_the_lease(world: World) -> None:
    lease = world.become_bound()
    world.client.link_changed(world.now)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.NAK, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.after(1)
    assert world.told("unbound") == (lease, "nak")
    world.expects(dhcp.DISCOVER)


def test_another_host_that_has_our_address_in_the_new_network_keeps_it(world: World) -> None:
    lease = world.become_bound()
    world.probing = OTHER_MAC
    world.client.link_changed(world.now)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK)
    assert world.told("unbound") == (lease, "conflict")
    world.expects(dhcp.DECLINE)
    assert world.client.state is State.INIT


def test_the_link_may_go_again_while_the_address_is_verified() -> None:
    world = World(probing="later")
    world.begin(remembered(world))
    first = world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK)
    world.client.link_changed(world.now)
    assert world.told("cancel_probe") == (ADDRESS,)
    assert world.expects(dhcp.REQUEST).xid != first.xid
    world.client.probed(ADDRESS, None, world.now)
    assert world.client.state is State.REBOOTING
    world.finish()


@pytest.mark.parametrize("offered", [False, True])
def test_an_acquisition_begins_again_when_the_link_comes_back(world: World, offered: bool) -> None:
    world.begin()
    first = world.expects(dhcp.DISCOVER)
    world.after(1)
    if offered:
        world.sends(dhcp.OFFER)
        world.due()
        world.expects(dhcp.REQUEST)
    world.client.link_changed(world.now)
    discover = world.expects(dhcp.DISCOVER)
    assert (discover.secs, discover.xid != first.xid) == (0, True)
    assert world.client.state is State.SELECTING


def test_a_lease_that_is_shorter_than_its_probe_takes_the_old_one_with_it() -> None:
    world = World()
    lease = world.become_bound()
    world.probing = "later"
    world.client.link_changed(world.now)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(6)})
    world.after(6)
    world.told("cancel_probe")
    assert world.told("unbound") == (lease, "expired")
    world.expects(dhcp.DISCOVER)
    world.finish()


@rfc("suspend-1")
def test_the_time_asleep_makes_a_lease_older(world: World) -> None:
    lease = world.become_bound()
    world.client.link_changed(world.now, 1000)
    assert world.expects(dhcp.REQUEST).values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    assert world.client.lease == lease.shifted(-1000)
    world.after(2590)
    assert world.client.state is State.REBINDING
    world.sent.clear()
    world.after(10)
    assert world.told("unbound") == (lease.shifted(-1000), "expired")
    world.expects(dhcp.DISCOVER)


@rfc("suspend-1")
def test_what_ran_out_meanwhile_is_neither_used_nor_asked_for(world: World) -> None:
    lease = world.become_bound()
    world.client.link_changed(world.now, 3600)
    assert world.told("unbound") == (lease.shifted(-3600), "expired")
    assert world.client.state is State.SELECTING
    world.expects(dhcp.DISCOVER)


@rfc("suspend-1")
def test_an_old_address_whose_lease_ran_out_while_it_was_asked_for_is_not_asked_for_again(world: World) -> None:
    world.begin(remembered(world))
    world.expects(dhcp.REQUEST)
    world.client.link_changed(world.now, 3000)
    assert world.client.state is State.SELECTING
    world.expects(dhcp.DISCOVER)


@rfc("suspend-1")
def test_an_answer_to_what_was_asked_before_is_not_taken_after_it(world: World) -> None:
    """The lease would be timed from the request, by a clock that stood still."""
    world.become_bound()
    world.client.renew(world.now)
    before = world.answer(dhcp.ACK)
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    world.client.link_changed(world.now, 1000)
    world.expects(dhcp.REQUEST)
    world.arrives(before.build())
    world.refused("dhcp_other_transaction")
