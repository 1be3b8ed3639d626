"""Every packet-level test ends in silence: no segment unclaimed, no deadline overdue.

Every change of state is recorded, for `test_transitions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.tcp import states
from stack.tcp.states import Event, State

from .world import World

HERE = Path(__file__).parent
SEEN: set[tuple[State, Event, State]] = set()
THE_TEST_OF_ALL = "test_every_legal_transition_was_seen"

_next_state = states.next_state


def noting(state: State, event: Event, to: State | None = None) -> State:
    after = _next_state(state, event, to)
    SEEN.add((state, event, after))
    return after


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(states, "next_state", noting)
    World.live.clear()
    yield
    for world in World.live:
        world.check_over()
    World.live.clear()


@pytest.fixture
def transitions(request: pytest.FixtureRequest) -> set[tuple[State, Event, State]]:
    """(state, event, next state) of every transition that this folder's tests made. Skips when some did not run."""
    ran = {item.path for item in request.session.items}
    config = request.config
    chosen = any(config.getoption(name, None) for name in ("keyword", "markexpr", "deselect", "lf"))
    if chosen or any("::" in argument for argument in config.args) or not ran.issuperset(HERE.glob("test_*.py")):
        pytest.skip("only a part of tests/tcp is run")
    return SEEN


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The test that looks back at all the others comes last."""
    items.sort(key=lambda item: item.name == THE_TEST_OF_ALL)
