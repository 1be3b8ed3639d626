"""The table of legal transitions, and that these tests have seen each entry of it."""

from __future__ import annotations

import pytest

from stack.tcp.states import LEGAL, Event, State, diagram, next_state
from stack.transitions import IllegalTransition


def test_an_event_that_is_not_in_the_table_is_refused() -> None:
    for state in State:
        for event in Event:
            for to in State:
                if to not in LEGAL.get((state, event), ()):
                    with pytest.raises(IllegalTransition):
                        next_state(state, event, to)


def test_an_event_with_one_way_needs_no_choice_and_one_with_two_does() -> None:
    for (state, event), targets in LEGAL.items():
        if len(targets) == 1:
            assert next_state(state, event) is targets[0]
        else:
            with pytest.raises(IllegalTransition):
                next_state(state, event)


def test_every_state_can_be_reached_and_left() -> None:
    assert {target for targets in LEGAL.values() for target in targets} == set(State)
    assert {state for state, _ in LEGAL} == set(State)


def test_the_diagram_has_every_arrow_but_the_sudden_ends() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert "    LISTEN --> SYN_RECEIVED: RCV_SYN" in lines
    assert "    SYN_RECEIVED --> LISTEN: RCV_RST, RCV_SYN" in lines
    assert "    TIME_WAIT --> CLOSED: RCV_SYN, TIME_WAIT_TIMEOUT" in lines
    assert not any("ABORT" in line or "USER_TIMEOUT" in line for line in lines)


def test_every_legal_transition_was_seen(transitions: set[tuple[State, Event, State]]) -> None:
    """Runs last; skipped when only a part of this folder runs."""
    legal = {(state, event, target) for (state, event), targets in LEGAL.items() for target in targets}
    unseen = sorted(f"{state.name} --{event.name}--> {to.name}" for state, event, to in legal - transitions)
    assert unseen == []
