"""The lease is extended, or ends: RFC 2131 section 4.4.5, the states BOUND, RENEWING and REBINDING."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from stack.config import DhcpConfig
from stack.dhcp.lease import Lease, Route
from stack.dhcp.states import State
from stack.wire import dhcp
from stack.wire.addresses import ANY, BROADCAST, Prefix
from tests.dhcp.server import addresses
from tests.dhcp.world import ADDRESS, EXACT, MASK, SECOND, SERVER, World, seconds
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


def test_in_rebinding_another_server_cannot_take_the_address_away(world: World) -> None:
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


def test_in_rebinding_another_server_is_believed_when_none_contradicts(world: World) -> None:
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


# --- what an acknowledgment leaves out

SAID: dict[int, bytes | None] = {
    dhcp.SUBNET_MASK: MASK,
    dhcp.ROUTER: SERVER,
    dhcp.DOMAIN_NAME_SERVER: addresses("10.9.0.3", "10.9.0.4"),
    dhcp.HOST_NAME: b"pc-17",
    dhcp.DOMAIN_NAME: b"lab.example",
    dhcp.INTERFACE_MTU: b"\x05\x78",
    dhcp.STATIC_ROUTE: addresses("192.168.7.0", "10.9.0.7"),
    dhcp.NTP_SERVERS: SERVER,
    dhcp.DOMAIN_SEARCH: b"\x03lab\x07example\x00",
}
NOTHING: dict[int, bytes | None] = dict.fromkeys(SAID)
IMPOSSIBLE: dict[int, bytes | None] = dict.fromkeys(SAID, b"\x00")


def network(lease: Lease) -> tuple[object, ...]:
    """All that a lease says about the network."""
    names = (lease.domain, lease.search, lease.host_name)
    return lease.prefix, lease.routes, lease.name_servers, lease.ntp_servers, lease.mtu, *names


def extended(world: World, options: dict[int, bytes | None], state: State = State.RENEWING) -> Lease:
    """The lease after `options` have answered a renewal, a rebinding, or the verification of a lease in use."""
    if state is State.REBOOTING:
        world.client.link_changed(world.now)
    elif state is State.REBINDING:
        world.after(3200)
    else:
        world.client.renew(world.now)
    assert world.client.state is state
    world.sent.clear()
    world.sends(dhcp.ACK, options)
    lease, _ = world.told("bound")
    assert isinstance(lease, Lease)
    world.probes.clear()
    return lease


@rfc("field-dhcp-1")
@pytest.mark.parametrize("state", [State.RENEWING, State.REBINDING, State.REBOOTING])
@pytest.mark.parametrize("answer", [NOTHING, IMPOSSIBLE])
def test_what_the_server_leaves_out_is_as_it_was(world: World, state: State, answer: dict[int, bytes | None]) -> None:
    first = world.become_bound(SAID)
    assert (first.prefix_length, len(first.routes), len(first.name_servers), first.mtu) == (24, 2, 2, 1400)
    second = extended(world, {**answer, dhcp.LEASE_TIME: seconds(4000)}, state)
    assert network(second) == network(first)
    assert second.lease_s == 4000
    third = extended(world, NOTHING)  # once more: nothing is lost the second time either
    assert network(third) == network(first)


@rfc("field-dhcp-1")
@pytest.mark.parametrize("code", SAID)
def test_one_option_alone_is_left_out(world: World, code: int) -> None:
    first = world.become_bound(SAID)
    assert network(extended(world, {**SAID, code: None})) == network(first)


@rfc("field-dhcp-1")
def test_what_the_server_says_now_holds(world: World) -> None:
    world.become_bound(SAID)
    lease = extended(world, {**NOTHING, dhcp.ROUTER: SECOND, dhcp.DOMAIN_NAME_SERVER: SECOND})
    assert (lease.routers, lease.name_servers, lease.prefix_length) == ((SECOND,), (SECOND,), 24)


@rfc("field-dhcp-1")
def test_classless_routes_are_kept_until_the_server_names_a_router(world: World) -> None:
    way = bytes((24, 172, 16, 1)) + SERVER
    first = world.become_bound({dhcp.CLASSLESS_STATIC_ROUTE: way, dhcp.ROUTER: None})
    second = extended(world, {dhcp.ROUTER: None})
    assert second.routes == first.routes == (Route(Prefix.parse("172.16.1.0/24"), SERVER),)
    third = extended(world, {dhcp.ROUTER: SECOND})
    assert third.routes == (Route(Prefix(ANY, 0), SECOND),)


@rfc("field-dhcp-1")
def test_another_server_is_not_completed(world: World) -> None:
    world.become_bound(SAID)
    lease = extended(world, {**NOTHING, dhcp.SERVER_IDENTIFIER: SECOND}, State.REBINDING)
    assert network(lease) == (Prefix(ADDRESS, 8), (), (), (), None, "", (), "")


@rfc("field-dhcp-1")
def test_times_and_messages_are_not_kept(world: World) -> None:
    world.become_bound({dhcp.RENEWAL_TIME: seconds(100), dhcp.REBINDING_TIME: seconds(200), dhcp.MESSAGE: b"hello"})
    world.due()
    world.sent.clear()
    world.sends(dhcp.ACK)
    lease, _ = world.told("bound")
    assert (lease.t1_s, lease.t2_s, lease.message) == (1800, 3150, "")


@rfc("field-dhcp-1")
def test_an_offer_says_nothing_for_the_acknowledgment(world: World) -> None:
    """What is used is the acknowledgment's (section 4.3.2)."""
    world.become_requesting(SAID)
    world.sends(dhcp.ACK, NOTHING)
    lease, _ = world.told("bound")
    assert (lease.prefix_length, lease.routers, lease.name_servers) == (8, (), ())
