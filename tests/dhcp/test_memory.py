"""What a client remembers from one exchange to the next, and what it has to forget."""

from __future__ import annotations

from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import BROADCAST
from tests.dhcp.world import ADDRESS, SECOND, SERVER, World, seconds


def test_a_lease_makes_up_for_a_server_that_did_not_answer(world: World) -> None:
    world.begin()
    world.sends(dhcp.OFFER)
    world.after(60.25)  # it does not answer our requests
    world.told("silent")
    world.sends(dhcp.OFFER)
    world.due()
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(100)})
    world.told("bound")
    world.after(100)
    world.told("unbound")
    world.sent.clear()
    world.sends(dhcp.OFFER)
    world.expects(dhcp.REQUEST)  # at once, as if nothing had been


def test_a_server_that_refuses_what_it_offers_comes_after_others(world: World) -> None:
    world.begin()
    world.sends(dhcp.OFFER)
    world.due()
    world.sends(dhcp.NAK)
    world.sends(dhcp.OFFER)
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.sent.clear()
    world.due()
    assert world.expects(dhcp.REQUEST).values()[dhcp.SERVER_IDENTIFIER] == SECOND


def test_a_server_that_does_not_extend_a_lease_has_refused_nothing_it_offered(world: World) -> None:
    world.become_bound()
    world.due()
    world.sends(dhcp.NAK)
    world.told("unbound")
    world.sends(dhcp.OFFER)
    world.sends(dhcp.OFFER, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.sent.clear()
    world.due()
    assert world.expects(dhcp.REQUEST).values()[dhcp.SERVER_IDENTIFIER] == SERVER


def test_a_wish_is_done_with_when_there_is_a_lease(world: World) -> None:
    world.begin(requested=SECOND)
    world.sends(dhcp.OFFER)
    world.due()
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(100)})
    world.told("bound")
    world.after(100)
    world.told("unbound")
    assert world.sent[-1].message.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    world.sent.clear()


def test_silence_is_told_anew_after_a_new_start(world: World) -> None:
    for _ in range(2):
        world.begin()
        world.after(12)
        world.told("silent")
        world.client.stop(world.now)
    world.sent.clear()


def test_secs_and_xid_of_a_renewal_are_its_own(world: World) -> None:
    world.become_bound()
    world.after(3000)
    first, second = [world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS) for _ in range(2)]
    assert (first.secs, second.secs) == (0, 675)
    assert first.xid != second.xid
    world.sends(dhcp.ACK, xid=first.xid)
    world.refused("dhcp_other_transaction")
    world.sent.clear()


def test_a_late_inform_counts_from_its_own_beginning(world: World) -> None:
    world.begin()
    world.after(11)
    world.client.stop(world.now)
    world.sent.clear()
    world.client.inform(ADDRESS, world.now)
    assert world.expects(dhcp.INFORM, source=ADDRESS, at=11).secs == 0
    world.after(5)
    world.expects(dhcp.INFORM, source=ADDRESS, at=15)
    world.sends(dhcp.ACK)
    (lease,) = world.told("informed")
    assert lease.requested_at == world.start + 15


def test_an_offer_knows_when_it_was_asked_for(world: World) -> None:
    world.begin()
    world.after(5)
    world.sends(dhcp.OFFER)
    assert [offer.requested_at for offer in world.client.offers] == [world.start + 4]
    world.client.stop(world.now)
    world.sent.clear()


def test_a_client_that_was_stopped_gives_nothing_back(world: World) -> None:
    world.become_bound()
    world.client.stop(world.now)
    world.client.release(world.now)
    assert world.sent == []


def test_every_move_of_the_deadline_is_told() -> None:
    world = World()
    heard: list[float] = []
    world.client.reschedule = lambda: heard.append(world.client.deadline)
    world.become_bound()
    world.client.stop(world.now)
    assert [round(at - world.start, 3) for at in heard] == [4, 0.25, 4.25, 3600.25, 1800.25, float("inf")]


def test_a_probe_is_given_up_when_the_link_goes() -> None:
    world = World(probing="later")
    world.begin()
    world.sends(dhcp.OFFER)
    world.due()
    world.sends(dhcp.ACK)
    world.client.link_changed(world.now)
    assert world.told("cancel_probe") == (ADDRESS,)
    world.client.probed(ADDRESS, None, world.now)
    assert world.client.state is State.SELECTING
    world.sent.clear()
    world.finish()


def test_a_probe_is_given_up_when_the_address_is_lost() -> None:
    world = World()
    world.become_bound()
    world.probing = "later"
    world.client.link_changed(world.now)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK)
    world.client.conflict(ADDRESS, world.now)
    world.told("cancel_probe")
    world.told("unbound")
    world.expects(dhcp.DECLINE, to=BROADCAST)
    world.client.probed(ADDRESS, None, world.now)
    assert world.client.state is State.INIT
    world.finish()
