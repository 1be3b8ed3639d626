"""No server answers: RFC 2131 section 4.1's randomised exponential back-off, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from stack.config import DhcpConfig
from stack.dhcp.states import State
from stack.wire import dhcp
from tests.dhcp.world import ADDRESS, EXACT, World
from tests.requirements import rfc


@rfc("2131-4.1-o", "2131-3.1-e")
def test_discover_is_repeated_less_and_less_often_up_to_64_seconds(world: World) -> None:
    world.begin()
    world.after(300)
    assert [sent.at for sent in world.sent] == [0, 4, 12, 28, 60, 124, 188, 252]
    assert {sent.message.message_type for sent in world.sent} == {dhcp.DISCOVER}
    assert {sent.message.xid for sent in world.sent} == {world.sent[0].message.xid}
    world.told("silent")
    world.sent.clear()


@rfc("2131-4.1-m", "2131-4.1-n", "2131-4.1-l")
@pytest.mark.parametrize(("byte", "shift"), [(0, -1), (128, 0), (255, 1)])
def test_each_wait_is_moved_by_up_to_a_second(byte: int, shift: int) -> None:
    world = World(DhcpConfig(), chance=byte)
    world.begin()
    world.after(70)
    waits = [after.at - before.at for before, after in pairwise(world.sent)]
    assert waits == pytest.approx([4 + shift, 8 + shift, 16 + shift, 32 + shift], abs=0.02)


@rfc("2131-4.1-l")
def test_no_two_waits_are_alike() -> None:
    world = World(DhcpConfig())
    world.begin()
    world.after(3600)
    waits = [after.at - before.at for before, after in pairwise(world.sent)][4:]
    assert len({round(wait, 6) for wait in waits}) == len(waits) > 40
    assert 63 <= min(waits) < 63.2
    assert 64.8 < max(waits) <= 65
    assert abs(sum(waits) / len(waits) - 64) < 0.3


@rfc("2131-2-g")
def test_secs_counts_from_the_start_and_stops_at_its_end(world: World) -> None:
    world.begin()
    world.after(70000)
    secs = [sent.message.secs for sent in world.sent]
    assert secs[:6] == [0, 4, 12, 28, 60, 124]
    assert max(secs) == secs[-1] == 0xFFFF
    world.told("silent")
    world.sent.clear()


@rfc("2131-3.1-j")
def test_a_request_without_an_answer_is_given_up_after_a_minute(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.sends(dhcp.OFFER)
    world.after(0.25)
    for at in (0.25, 4.25, 12.25, 28.25):
        world.after(at - world.elapsed)
        world.expects(dhcp.REQUEST, at=at)
        if at == 12.25:
            world.told("silent")
    world.after(31.9)
    assert world.client.state is State.REQUESTING
    world.after(0.1)
    discover = world.expects(dhcp.DISCOVER, at=60.25)
    assert discover.secs == 60
    assert world.client.state is State.SELECTING
    assert world.client.offers == ()


def test_the_host_hears_of_silence_once_while_we_go_on_asking(world: World) -> None:
    world.begin()
    world.after(11.9)
    assert world.said == []
    world.after(0.1)
    world.told("silent")
    world.after(1000)
    assert world.said == []
    assert len(world.sent) > 10
    world.sent.clear()


def test_silence_in_another_network_is_told_again(world: World) -> None:
    world.begin()
    world.after(12)
    world.told("silent")
    world.client.link_changed(world.now)
    world.after(12)
    world.told("silent")
    world.sent.clear()


def test_a_server_that_only_offers_is_no_new_silence(world: World) -> None:
    world.begin()
    world.after(13)
    world.told("silent")
    world.sends(dhcp.OFFER)
    world.after(60.25 + 30)  # four requests in a minute, and the search begins again
    assert world.client.state is State.SELECTING
    assert world.said == []
    world.sent.clear()


def test_silence_after_a_lease_was_had_is_told_again() -> None:
    world = World(replace(EXACT, silent_after_attempts=1))
    lease = world.become_bound()
    world.after(3600)
    world.sent.clear()
    assert world.told("unbound") == (lease, "expired")
    world.after(4)
    world.told("silent")
    assert world.client.remembered is lease
    assert world.sent[-1].message.values()[dhcp.REQUESTED_ADDRESS] == ADDRESS


def test_nothing_is_done_before_its_time(world: World) -> None:
    world.begin()
    world.expects(dhcp.DISCOVER)
    world.now += 3.9
    world.client.on_deadline(world.now)
    assert world.client.deadline == world.start + 4


@rfc("2131-4.1-u")
def test_an_observer_sees_which_attempt_it_is(world: World) -> None:
    world.begin()
    world.after(13)
    assert [fields["attempt"] for event, fields in world.trace if event == "send"] == [1, 2, 3]
    world.told("silent")
    world.sent.clear()


@rfc("2131-4.1-t")
def test_the_waits_can_be_made_to_fit_the_network() -> None:
    world = World(replace(EXACT, first_retransmission_s=0.5, last_retransmission_s=2.0))
    world.begin()
    world.after(8)
    assert [sent.at for sent in world.sent] == [0, 0.5, 1.5, 3.5, 5.5, 7.5]


def test_a_slow_server_is_waited_for(world: World) -> None:
    """Retransmissions have the xid of the first message, so that an answer counts whenever it comes."""
    world.begin()
    discover = world.expects(dhcp.DISCOVER)
    world.after(9)
    world.expects(dhcp.DISCOVER, at=4)
    world.sends(dhcp.OFFER, xid=discover.xid)
    world.due()
    request = world.expects(dhcp.REQUEST, at=9.25)
    world.after(9)
    world.expects(dhcp.REQUEST, at=13.25)
    world.sends(dhcp.ACK, xid=request.xid)
    world.told("bound")
