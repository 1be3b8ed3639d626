"""The table of transitions: that it is RFC 2131's figure 5, that every one of its entries happens,
and no other.
"""

from __future__ import annotations

import pytest

from stack.dhcp.lease import Lease
from stack.dhcp.states import HOLDING, LEGAL, Event, State, diagram, next_state
from stack.transitions import IllegalTransition
from stack.wire import dhcp
from tests.dhcp.world import ADDRESS, OTHER_MAC, SERVER, World, seconds
from tests.requirements import rfc

S, E = State, Event

FIGURE_5 = {
    (S.INIT, E.SND_DISCOVER): S.SELECTING,
    (S.SELECTING, E.SELECT_OFFER): S.REQUESTING,
    (S.REQUESTING, E.RCV_ACK): S.BOUND,
    (S.REQUESTING, E.RCV_NAK): S.INIT,
    (S.REQUESTING, E.CONFLICT): S.INIT,
    (S.INIT_REBOOT, E.SND_REQUEST): S.REBOOTING,
    (S.REBOOTING, E.RCV_ACK): S.BOUND,
    (S.REBOOTING, E.RCV_NAK): S.INIT,
    (S.BOUND, E.T1): S.RENEWING,
    (S.RENEWING, E.RCV_ACK): S.BOUND,
    (S.RENEWING, E.RCV_NAK): S.INIT,
    (S.RENEWING, E.T2): S.REBINDING,
    (S.REBINDING, E.RCV_ACK): S.BOUND,
    (S.REBINDING, E.RCV_NAK): S.INIT,
    (S.REBINDING, E.EXPIRED): S.INIT,
}


@rfc("2131-4.4-a")
def test_every_arrow_of_figure_5_is_in_the_table() -> None:
    for key, target in FIGURE_5.items():
        assert LEGAL[key] == (target,)


def test_what_is_not_in_the_table_is_a_bug_of_ours() -> None:
    for state in State:
        for event in Event:
            if (state, event) not in LEGAL:
                with pytest.raises(IllegalTransition, match=f"{event.name} in {state.name}"):
                    next_state(state, event)
    with pytest.raises(IllegalTransition, match="does not lead to BOUND"):
        next_state(State.STOPPED, Event.START, State.BOUND)
    with pytest.raises(IllegalTransition, match="one state"):
        next_state(State.STOPPED, Event.START)


def test_a_lease_is_held_exactly_from_an_acknowledgment_on() -> None:
    for (_, event), targets in LEGAL.items():
        for target in targets:
            if target is State.BOUND:
                assert event in (Event.RCV_ACK, Event.UNANSWERED)
    assert frozenset({State.BOUND, State.RENEWING, State.REBINDING}) == HOLDING


def test_the_diagram_shows_every_state_and_every_arrow_but_the_stops() -> None:
    drawn = diagram()
    assert drawn.startswith("stateDiagram-v2\n    [*] --> STOPPED\n")
    assert all(f" {state.name}" in drawn for state in State)
    assert "    BOUND --> RENEWING: T1\n" in drawn
    assert "STOP\n" not in drawn + "\n"


class Witness:
    """Worlds whose transitions are collected."""

    def __init__(self) -> None:
        self.seen: dict[tuple[State, Event, State], None] = {}

    def world(self, state: State = State.STOPPED, probing: bytes | str | None = None) -> World:
        """A client that has come to `state`, by the shortest way."""
        made = World(probing="later" if state in (State.REQUESTING, State.REBOOTING) else None)
        made.seen = self.seen
        if state in (State.INIT, State.SELECTING, State.REQUESTING):
            made.begin()
            if state is State.INIT:  # declined, and waiting
                made.probing = OTHER_MAC
            if state is not State.SELECTING:
                made.sends(dhcp.OFFER)
                made.due()
            if state is State.INIT:
                made.sends(dhcp.ACK)
        elif state is State.REBOOTING:
            made.begin(Lease(ADDRESS, 24, SERVER, 3600, 1800, 3150, made.now))
        elif state is State.INFORMING:
            made.client.inform(ADDRESS, made.now)
        elif state in HOLDING:
            made.become_bound()
            made.after({State.BOUND: 1, State.RENEWING: 1800, State.REBINDING: 3150}[state])
        made.probing = probing
        assert made.client.state is state
        return made


def test_every_transition_of_the_table_happens() -> None:
    witness = Witness()
    world = witness.world
    lease = Lease(ADDRESS, 24, SERVER, 3600, 1800, 3150, 1000.0)
    for state in State:
        if state is State.INIT_REBOOT:
            continue
        world(state).client.stop(0)
        held = world(state)
        held.client.link_changed(held.now)
        if state in HOLDING:
            held = world(state)
            held.client.conflict(ADDRESS, held.now)
            held = world(state)
            held.now += 10000
            held.client.on_deadline(held.now)
        if state in (State.REQUESTING, State.REBOOTING, State.RENEWING, State.REBINDING):
            for kind in (dhcp.ACK, dhcp.NAK):
                world(state).sends(kind)
            world(state, OTHER_MAC).sends(dhcp.ACK)
        if state in (State.REQUESTING, State.REBOOTING, State.INFORMING):
            world(state).after(70)
            world(state, "later").sends(dhcp.ACK)
            over = world(state, "later")
            over.sends(dhcp.ACK, {dhcp.LEASE_TIME: seconds(5)})
            over.after(6)
        if state is State.INFORMING:
            world(state).sends(dhcp.ACK)
    world(State.STOPPED).client.start(1000.0, lease)
    offline = world(State.BOUND)
    offline.client.link_changed(offline.now)
    offline.after(12)
    legal = {(state, event, to) for (state, event), targets in LEGAL.items() for to in targets}
    assert set(witness.seen) <= legal
    assert legal - set(witness.seen) == set()
