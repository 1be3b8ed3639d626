"""The tables in the page's JavaScript agree with those of the program."""

from __future__ import annotations

import re
from pathlib import Path

from stack.tcp.changes import OPTIONAL_PARTS, TIMERS, VARIABLES, WITH_THE_SYN
from stack.tcp.states import LEGAL, Event, State

PAGE = Path(__file__).parents[2] / "tools/inspector/page"
STATES = (PAGE / "states.js").read_text()
TCB = (PAGE / "tcb.js").read_text()
SUDDEN = {Event.ABORT, Event.USER_TIMEOUT, Event.RCV_RST, Event.HARD_ERROR}
TOLD = {*VARIABLES, *WITH_THE_SYN, *(f"{part}.{name}" for part, names in OPTIONAL_PARTS.items() for name in names)}


def between(source: str, start: str, end: str) -> str:
    return source.partition(start)[2].partition(end)[0]


def transitions() -> dict[tuple[State, Event], tuple[State, ...]]:
    found: dict[tuple[State, Event], tuple[State, ...]] = {}
    table = between(STATES, "const TABLE = `", "`;").replace("${END}", between(STATES, 'const END = "', '"'))
    for line in table.split("\n"):
        before, _, ways = line.partition(": ")
        for way in ways.split():
            event, _, after = way.partition(">")
            found[State[before], Event[event]] = tuple(State[name] for name in after.split("|"))
    return found


def test_the_transitions_of_the_page_are_those_of_the_program() -> None:
    assert transitions() == LEGAL


def test_each_event_has_words() -> None:
    named = set(re.findall(r"(\w+): \"", between(STATES, "const EVENT_WORDS = {", "};")))
    assert named == set(Event.__members__)


def test_each_transition_of_the_figure_has_an_arrow_and_no_other_has_one() -> None:
    """Resets, ABORT, timeouts and hard errors are drawn only when they are taken."""
    arrows = {(State[a], State[b]) for a, b in re.findall(r"\n  \[\"(\w+)\", \"(\w+)\", \"M", STATES)}
    legal = {(before, after) for (before, event), ways in LEGAL.items() for after in ways if event not in SUDDEN}
    assert arrows == legal
    sudden = set(re.findall(r"\"(\w+)\"", between(STATES, "const SUDDEN = new Set([", "]")))
    assert sudden == {event.name for event in SUDDEN}


def test_each_state_has_a_box() -> None:
    assert set(re.findall(r"(\w+): \[\d+, \d+\]", between(STATES, "const PLACES = {", "};"))) == set(State.__members__)


def test_the_variables_and_timers_that_the_page_names_are_told() -> None:
    named = set(re.findall(r"([\w.]+|\"[\w.]+\"): \"", between(TCB, "const RFC_NAMES = {", "};")))
    assert {name.strip('"') for name in named} <= TOLD
    assert len(named) >= 30
    timers = set(re.findall(r"\"([^\"]+)\"", between(TCB, "const TIMER_NAMES = [", "]")))
    assert timers == {*TIMERS.values(), "FIN-WAIT-2"}


def test_the_objects_that_a_tcb_has_for_a_time_are_those_of_the_program() -> None:
    """The page forgets their variables when it is told that one is gone."""
    listed = re.findall(r"\"(\w+)\"", between((PAGE / "fold.js").read_text(), "const FOR_A_TIME = [", "]"))
    assert set(listed) == set(OPTIONAL_PARTS)
