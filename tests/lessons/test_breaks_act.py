"""Each clause of breaks.toml, taken out, changes what happens in a run."""

from __future__ import annotations

from functools import cache

import pytest

from tests.lessons.break_probes import PROBES
from tools.broken import Fault
from tools.lessons import breaks, shelf
from tools.lessons.apart import perform_apart
from tools.lessons.blocks import Break, LessonError, Run
from tools.lessons.network import perform
from tools.lessons.parse import read
from tools.lessons.recording import Recording

pytestmark = pytest.mark.one_way

SHOWN_BY = {
    "9293 MUST-3": "peer",
    "9293 MUST-10": "together",
    "9293 MUST-12": "close_unread",
    "9293 MUST-18": "loss",
    "9293 MUST-19": "dead",
    "9293 MUST-20": "dead",
    "9293 MUST-29": "idle",
    "9293 MUST-30": "close_unread",
    "9293 MUST-36": "slow_reader",
    "9293 MUST-38": "loss",
    "9293 SHLD-3": "close_unread",
    "9293 SHLD-18": "loss",
    "9293 SHLD-30": "slow_reader",
    "9293 SHLD-31": "loss",
    "5961-3.2-d": "peer",
    "5961-3.2-c": "peer",
    "5961-5.2-a": "peer",
    "6298-5-h": "plain_loss",
    "5681-2-a": "loss",
    "5681-3.1-k": "plain_loss",
    "5681-3.2-d": "plain_loss",
    "2018-4-f": "loss",
    "8985-7.2-d": "loss",
    "7323-5.3-c": "old_duplicate",
    "4987-3.2-a": "flood",
    "1191-3-a": "too_big",
    "5227-2.1-a": "conflict",
    "5227-2.4-b": "conflict",
    "894-frame-d": "fragments",
    "2131-4.4.1-l": "lease",
    "2131-3.1-i": "lease",
}
"""The run in which a clause is missed; for the others it is "talk", unless a lesson breaks them."""


def left_to_show() -> list[Fault]:
    """The faults that no lesson shows: test_every_lesson.py is about the others."""
    lessons = [read(each.path) for each in shelf.shelf()]
    broken = {breaks.same(block.clause) for each in lessons for block in each.blocks if isinstance(block, Break)}
    return [each for each in breaks.shipped() if each.clause in SHOWN_BY or breaks.same(each.clause) not in broken]


def run_of(name: str) -> Run:
    return Run(1, name, 1, PROBES[name])


@cache
def unbroken(name: str) -> Recording:
    return perform("probe.md", run_of(name))


@pytest.mark.parametrize("fault", left_to_show(), ids=lambda fault: fault.clause)
def test_it_is_missed(fault: Fault) -> None:
    name = SHOWN_BY.get(fault.clause, "talk")
    whole = unbroken(name)
    try:
        broken = perform_apart("probe.md", run_of(name), fault=fault)
    except LessonError:
        broken = Recording()  # the program of the run fails without the clause
    assert (broken.events(), broken.kept) != (whole.events(), whole.kept)


@pytest.mark.parametrize("name", PROBES)
def test_nothing_differs_if_nothing_is_broken(name: str) -> None:
    apart = perform_apart("probe.md", run_of(name))
    assert (apart.events(), apart.kept) == (unbroken(name).events(), unbroken(name).kept)
