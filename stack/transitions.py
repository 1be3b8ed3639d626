"""A state machine as data: the table of every legal way from a state to another, and what is read off it.

Used for the states of TCP (RFC 9293 section 3.3.2) and of DHCP (RFC 2131 figure 5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TypeVar

S = TypeVar("S", bound=IntEnum)
E = TypeVar("E", bound=IntEnum)


class IllegalTransition(AssertionError):
    """A bug of ours: the event may not happen in this state, or not lead to that one."""


def follow(legal: Mapping[tuple[S, E], tuple[S, ...]], state: S, event: E, to: S | None = None) -> S:
    """The state that `event` leads to from `state`; `to` chooses where there are two ways.

    Raises IllegalTransition where the table has no such way, or two and no choice.
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
    """The table as a Mermaid state diagram that begins in `first`: an arrow for each pair of states, labelled with its
    events; without the events and targets that are not `shown`.
    """
    arrows: dict[tuple[S, S], list[str]] = {}
    for (state, event), targets in legal.items():
        for target in targets:
            if shown(event, target):
                arrows.setdefault((state, target), []).append(event.name)
    lines = ["stateDiagram-v2", f"    [*] --> {first.name}"]
    lines += [f"    {a.name} --> {b.name}: {', '.join(events)}" for (a, b), events in sorted(arrows.items())]
    return "\n".join(lines)
