"""The lease is extended, or ends: RFC 2131 section 4.4.5, the states BOUND, RENEWING and REBINDING."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from stack.config import DhcpConfig
from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST
from tests.dhcp.world import ADDRESS, EXACT, SECOND, SERVER, World, seconds
from tests.requirements import rfc


@rfc("2131-4.4.5-b", "2131-4.1-c", "2132-9.7-a")
def test_at_t1_the_server_identifier_is_asked_by_unicast(world: World) -> None:
    world.become_requesting({dhcp.SERVER_IDENTIFIER: SECOND}, siaddr=SERVER)
    world.sends(dhcp.ACK, {dhcp.SERVER_IDENTIFIER: SECOND}, siaddr=SERVER)
    world.told("bound")
    world.after(1799.9)
    assert world.sent == []
    world.after(0.1)
    request = world.expects(dhcp.REQUEST, to=SECOND, source=ADDRESS, at=1800.25)
    assert request.ciaddr == ADDRESS
    assert world.client.state is State.RENEWING


@rfc("2131-4.3.2-e", "2131-4.3.2-k", "2131-4.4.5-c")
def test_a_renewing_request_names_no_server_and_requests_no_address(world: World) -> None:
    world.become_bound()
    world.due()
    request = world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    assert request.ciaddr == ADDRESS
    assert dhcp.SERVER_IDENTIFIER not in request.values()
    assert dhcp.REQUESTED_ADDRESS not in request.values()


@rfc("2131-4.4.5-e")
def test_the_new_lease_counts_from_the_request_that_was_acknowledged(world: World) -> None:
    first = world.become_bound()
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS, at=1800.25)
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS, at=1800.25 + 675)
    world.after(5)
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(7200)})
    assert world.client.state is State.BOUND
    lease, previous = world.told("bound")
    assert previous is first
    assert lease.expires_at == world.start + 1800.25 + 675 + 7200
    assert world.client.deadline == world.start + 1800.25 + 675 + 3600


@rfc("2131-4.4.5-f", "2131-4.3.2-f", "2131-4.3.2-g")
def test_the_rebinding_request(world: World) -> None:
    world.become_bound({dhcp.LEASE_TIME: seconds(160)})
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS, at=80.25)
    world.due()
    request = world.expects(dhcp.REQUEST, to=BROADCAST, source=ADDRESS, at=140.25)
    assert world.client.state is State.REBINDING
    assert request.ciaddr == ADDRESS
    assert dhcp.SERVER_IDENTIFIER not in request.values()
    assert dhcp.REQUESTED_ADDRESS not in request.values()
    world.sends(dhcp.ACK, {dhcp.SERVER_IDENTIFIER: SECOND})
    lease, previous = world.told("bound")
    assert (lease.server, previous.server) == (SECOND, SERVER)
    assert lease.requested_at == world.start + 140.25


@rfc("2131-4.4.5-i")
def test_half_of_the_time_that_is_left_is_waited_but_a_minute_at_least(world: World) -> None:
    world.become_bound({dhcp.LEASE_TIME: seconds(8000)})  # T1 4000, T2 7000
    world.after(8000)
    renewing = [sent.at - 0.25 for sent in world.sent if sent.destination == SERVER]
    rebinding = [sent.at - 0.25 for sent in world.sent if sent.destination == BROADCAST and sent.source == ADDRESS]
    assert renewing == pytest.approx([4000, 5500, 6250, 6625, 6812.5, 6906.25, 6966.25])
    assert rebinding == pytest.approx([7000, 7500, 7750, 7875, 7937.5, 7997.5])
    assert world.sent[-1].message.message_type == dhcp.DISCOVER
    world.told("unbound")
    world.sent.clear()


@rfc("2131-4.4.5-j", "2131-3.7-b")
def test_when_the_lease_is_over_the_address_goes_at_once(world: World) -> None:
    lease = world.become_bound({dhcp.LEASE_TIME: seconds(100)})
    world.after(99.9)
    assert world.said == []
    assert world.client.state is State.REBINDING
    world.sent.clear()
    world.after(0.1)
    assert world.told("unbound") == (lease, "expired")
    assert world.client.lease is None
    discover = world.expects(dhcp.DISCOVER, at=100.25)
    assert (discover.secs, discover.ciaddr) == (0, ANY)
    assert world.client.state is State.SELECTING


@rfc("2131-4.4.5-k")
def test_after_the_end_the_same_address_is_suggested_and_used_again(world: World) -> None:
    old = world.become_bound({dhcp.LEASE_TIME: seconds(100)})
    world.after(100)
    world.told("unbound")
    world.sent = world.sent[-1:]
    discover = world.expects(dhcp.DISCOVER)
    assert discover.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS
    world.sends(dhcp.OFFER)
    world.expects(dhcp.REQUEST)
    world.sends(dhcp.ACK)
    lease, previous = world.told("bound")
    assert (lease.address, previous) == (old.address, None)


@rfc("2131-4.4.5-l")
def test_after_the_end_another_address_takes_the_place_of_the_old(world: World) -> None:
    world.become_bound({dhcp.LEASE_TIME: seconds(100)})
    world.after(100)
    world.told("unbound")
    world.sent = world.sent[-1:]
    world.requests(yiaddr=SECOND)
    world.sends(dhcp.ACK, yiaddr=SECOND)
    lease, previous = world.told("bound")
    assert (lease.address, previous) == (SECOND, None)
    assert world.client.lease is lease


@rfc("2131-4.4.5-d")
def test_an_acknowledgment_of_another_request_is_dropped(world: World) -> None:
    world.become_bound()
    world.due()
    request = world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    world.sends(dhcp.ACK, xid=request.xid ^ 1)
    world.refused("dhcp_other_transaction")
    assert world.client.state is State.RENEWING


@rfc("2131-4.4-a", "2131-3.1-i")
@pytest.mark.parametrize("state", [State.RENEWING, State.REBINDING])
def test_a_refusal_ends_the_lease_at_once(world: World, state: State) -> None:
    lease = world.become_bound()
    world.after(1900 if state is State.RENEWING else 3200)
    assert world.client.state is state
    world.sent.clear()
    world.sends(dhcp.NAK)
    assert world.told("unbound") == (lease, "nak")
    discover = world.expects(dhcp.DISCOVER)
    assert dhcp.REQUESTED_ADDRESS not in discover.values()


def test_in_rebinding_a_stranger_cannot_take_the_address_away(world: World) -> None:
    """A server that knows nothing of the lease is quicker with its no than the one that has it is with its yes."""
    lease = world.become_bound()
    world.after(3200)
    world.sent.clear()
    world.sends(dhcp.NAK, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.after(0.5)
    world.sends(dhcp.ACK)
    renewed, previous = world.told("bound")
    assert (renewed.address, previous) == (lease.address, lease)
    world.after(10)
    assert world.client.state is State.BOUND


def test_in_rebinding_a_stranger_is_believed_when_nobody_contradicts(world: World) -> None:
    lease = world.become_bound()
    world.after(3200)
    world.sent.clear()
    world.sends(dhcp.NAK, {dhcp.SERVER_IDENTIFIER: SECOND})
    world.after(1)
    assert world.told("unbound") == (lease, "nak")
    world.expects(dhcp.DISCOVER, at=3201.25)


@rfc("2131-4.4-b")
@pytest.mark.parametrize("kind", [dhcp.OFFER, dhcp.ACK, dhcp.NAK])
def test_in_bound_nothing_is_taken(world: World, kind: int) -> None:
    lease = world.become_bound()
    world.sends(kind)
    world.refused("dhcp_unexpected")
    assert world.client.state is State.BOUND
    assert world.client.lease is lease


@rfc("2131-3.3-a")
def test_an_infinite_lease_is_never_renewed(world: World) -> None:
    options: dict[int, bytes | None] = {
        dhcp.LEASE_TIME: seconds(0xFFFFFFFF),
        dhcp.RENEWAL_TIME: seconds(10),
        dhcp.REBINDING_TIME: seconds(20),
    }
    lease = world.become_bound(options)
    assert (lease.lease_s, lease.t1_s, lease.t2_s) == (inf, inf, inf)
    assert world.client.deadline == inf
    world.after(1e9)
    world.client.renew(world.now)
    assert world.client.state is State.BOUND


@rfc("2131-4.4.5-g", "2132-9.11-a", "2132-9.12-a")
def test_t1_and_t2_are_the_servers_or_have_their_defaults(world: World) -> None:
    lease = world.become_bound({dhcp.LEASE_TIME: seconds(1000)})
    assert (lease.t1_s, lease.t2_s) == (500, 875)
    world.client.stop(world.now)
    lease = world.become_bound(
        {dhcp.LEASE_TIME: seconds(1000), dhcp.RENEWAL_TIME: seconds(100), dhcp.REBINDING_TIME: seconds(300)}
    )
    assert (lease.t1_s, lease.t2_s) == (100, 300)
    began = world.elapsed
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS, at=began + 100)
    world.after(200)
    assert world.client.state is State.REBINDING
    world.sent.clear()


@rfc("2131-4.4.5-h")
def test_chance_moves_t1_and_t2() -> None:
    times = []
    for number in range(256):
        world = World(DhcpConfig(), chance=number)
        lease = world.become_bound({dhcp.LEASE_TIME: seconds(1000)})
        times.append((lease.t1_s, lease.t2_s))
        assert world.client.deadline == lease.renew_at
    assert [min(column) for column in zip(*times, strict=True)] == pytest.approx([462.5, 862.5], abs=0.5)
    assert [max(column) for column in zip(*times, strict=True)] == pytest.approx([537.5, 887.5], abs=0.5)
    assert len(set(times)) == 256


def test_a_host_that_slept_through_its_lease_has_lost_it(world: World) -> None:
    lease = world.become_bound()
    world.now += 3600
    world.client.on_deadline(world.now)
    assert world.told("unbound") == (lease, "expired")
    world.expects(dhcp.DISCOVER)


def test_a_host_that_slept_through_t2_asks_everybody(world: World) -> None:
    world.become_bound()
    world.now += 3500
    world.client.on_deadline(world.now)
    world.expects(dhcp.REQUEST, to=BROADCAST, source=ADDRESS)
    assert world.client.state is State.REBINDING


def test_an_acknowledgment_without_a_lease_time_does_not_extend_anything(world: World) -> None:
    world.become_bound()
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: None})
    world.refused("dhcp_bad_lease_time")
    world.sends(dhcp.ACK, yiaddr=SECOND)
    world.refused("dhcp_other_address")
    assert world.client.state is State.RENEWING


def test_a_lease_that_ran_out_on_its_way_is_none(world: World) -> None:
    world.become_bound({dhcp.LEASE_TIME: seconds(1000)})
    world.due()
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS)
    world.after(20)
    world.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(20)})
    world.refused("dhcp_lease_over")
    assert world.client.state is State.RENEWING


@rfc("2131-4.3.2-h", "2131-4.4.5-n")
def test_the_user_may_renew_before_t1(world: World) -> None:
    world.become_bound()
    world.after(10)
    world.client.renew(world.now)
    world.expects(dhcp.REQUEST, to=SERVER, source=ADDRESS, at=10.25)
    world.sends(dhcp.ACK)
    lease, _ = world.told("bound")
    assert lease.requested_at == world.now


@rfc("2131-4.4.4-b")
def test_a_server_that_does_not_answer_by_unicast_is_asked_by_broadcast() -> None:
    world = World(replace(EXACT, renew_retransmission_min_s=60))
    world.become_bound()
    world.after(3599)
    destinations = [sent.destination for sent in world.sent]
    assert destinations == sorted(destinations)  # first SERVER's, 10..., then BROADCAST
    assert destinations[0] == SERVER
    assert destinations[-1] == BROADCAST
