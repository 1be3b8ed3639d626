"""State machines as tables: look up the next state, and draw the table as a diagram.

TCP (RFC 9293 section 3.3.2) and DHCP (RFC 2131 figure 5) use it. A table has the legal next states
for each pair of a state and an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TypeVar

S = TypeVar("S", bound=IntEnum)
E = TypeVar("E", bound=IntEnum)


class IllegalTransition(AssertionError):
    """A bug of ours: the event is not legal in this state, or does not lead to the given state."""


def follow(legal: Mapping[tuple[S, E], tuple[S, ...]], state: S, event: E, to: S | None = None) -> S:
    """The state to which `event` leads from `state`; `to` chooses if the table has several.

    Raises IllegalTransition if the table does not have `to`, or has not exactly one state and `to`
    is None.
    """
    targets = legal.get((state, event), ())
    if to is None and len(targets) == 1:
        return targets[0]
    if to in targets and to is not None:
        return to
    raise IllegalTransition(
        f"{event.name} in {state.name} does not lead to {to.name if to is not None else 'one state'}"
    )


def draw(legal: Mapping[tuple[S, E], tuple[S, ...]], first: S, shown: Callable[[E, S], bool]) -> str:
    """The table as a Mermaid state diagram that begins in `first`.

    It has an arrow for each pair of states, labelled with the events. Transitions for which
    `shown(event, target)` is false are left out.
    """
    arrows: dict[tuple[S, S], list[str]] = {}
    for (state, event), targets in legal.items():
        for target in targets:
            if shown(event, target):
                arrows.setdefault((state, target), []).append(event.name)
    lines = ["stateDiagram-v2", f"    [*] --> {first.name}"]
    lines += [f"    {a.name} --> {b.name}: {', '.join(events)}" for (a, b), events in sorted(arrows.items())]
    return "\n".join(lines)
