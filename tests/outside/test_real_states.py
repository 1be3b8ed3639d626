"""The states that follow infers beside those that the hosts of the same runs tell.

`real_states.py` says what of a host's own log can be seen from outside.
"""

from __future__ import annotations

from collections import Counter

import pytest

from stack.outside.connection import SeenConnection
from stack.outside.follow import follow
from stack.tcp.states import State
from stack.wire.addresses import format_ipv4
from tests.outside.captures import MadeCapture, made
from tests.outside.real_states import NOWHERE, Replay, seen, states_at_each_frame
from tests.outside.scene import HERE, THERE

ADDRESSES = {"here": HERE, "there": THERE}
VISIBLE = set(State) - {State.LISTEN}


@pytest.fixture(scope="module")
def captures() -> list[MadeCapture]:
    return made()


def own_end(connection: SeenConnection, address: str) -> int:
    """Which end of a connection has this address."""
    return 0 if format_ipv4(connection.ends[0].socket[:4]) == address else 1


def wrong_states(capture: MadeCapture, visited: Counter[State]) -> list[str]:
    """The frames after which the capture's own end is not in the state that follow infers."""
    assert capture.log is not None
    inferred: dict[int, tuple[int | None, State | None]] = {}
    for connection in follow(capture.frames):
        index = own_end(connection, ADDRESSES[capture.point])
        for segment in connection.segments:
            inferred[segment.number] = connection.ends[index].iss, segment.states[index]
    wrong = []
    for number, real in states_at_each_frame(capture.log):
        iss, state = inferred[number]
        expected = seen(real.get(iss, NOWHERE))
        visited[expected] += 1
        if seen(state) is not expected:
            wrong.append(f"{capture.name} frame {number}: {seen(state).name}, really {expected.name}")
    return wrong


def test_every_state_of_the_own_end_is_the_real_one(captures: list[MadeCapture]) -> None:
    """A capture at an end has all that its host has sent and received, and so shows its state at each frame."""
    visited: Counter[State] = Counter()
    wrong = [line for capture in captures if capture.log is not None for line in wrong_states(capture, visited)]
    assert wrong == []
    assert visited.total() > 15_000
    assert {state: visited[state] for state in VISIBLE if visited[state] < 30} == {}


def far(state: State | None) -> State:
    """A state of the far end. Which came first there, the FIN or the ACK of its own FIN, cannot be seen from here."""
    return State.FIN_WAIT_2 if state is State.CLOSING else seen(state)


def false_histories(capture: MadeCapture, histories: dict[str, dict[int | None, list[State]]]) -> list[str]:
    """The ends that follow sees in a state, or in an order of states, in which they never were."""
    wrong = []
    for connection in follow(capture.frames):
        for end in connection.ends:
            point = "here" if format_ipv4(end.socket[:4]) == HERE else "there"
            real = histories[point].get(end.iss)
            if real is None or end.iss is None:
                continue
            index = connection.ends.index(end)
            inferred: list[State] = []
            for segment in connection.segments:
                state = far(segment.states[index])
                if not inferred or state is not inferred[-1]:
                    inferred.append(state)
            left = iter([far(state) for state in real])
            if not all(state in left for state in inferred):
                names = ", ".join(state.name for state in inferred)
                wrong.append(f"{capture.name}, {point}: {names}; really {', '.join(state.name for state in real)}")
    return wrong


def test_no_end_is_seen_in_a_state_in_which_it_never_was(captures: list[MadeCapture]) -> None:
    """Neither the far end, nor one in a capture from the midst.

    When a segment reaches the far end, and whether it does, cannot be seen. But the states that are inferred of it are
    states that it was in, in their order. A FIN that was not captured makes the order that of what was captured.
    """
    wrong, ends = [], 0
    for capture in captures:
        if capture.name.endswith(("+ipv6", "+gaps")):
            continue  # other addresses; FINs that were not captured
        histories = {
            point: {life.iss: life.history for life in Replay(capture.logs[point]).lives} for point in ("here", "there")
        }
        ends += sum(map(len, histories.values()))
        wrong += false_histories(capture, histories)
    assert wrong == []
    assert ends > 500
