"""A thousand random programs of socket calls give with our sockets what they give with the kernel's."""

from __future__ import annotations

import warnings
from collections import Counter
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.live.net import Namespace
from tests.live.random_programs import first_difference, in_the_kernel, in_the_stack, program

PROGRAMS = 1000
pytestmark = pytest.mark.one_way


async def all_in_the_kernel() -> list[list[Any]]:
    return [await in_the_kernel(seed, program(seed)) for seed in range(PROGRAMS)]


def test_random_programs(namespace: Namespace) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of sockets that a cancelled `accept` has left
        theirs = namespace.in_here(trio.run, all_in_the_kernel)
        reasons: Counter[str] = Counter()
        for seed in range(PROGRAMS):
            steps = program(seed)
            clock = MockClock(autojump_threshold=0)
            ours = trio.run(partial(in_the_stack, seed, steps), clock=clock)
            difference, reason = first_difference(steps, theirs[seed], ours)
            assert not difference or reason, f"program {seed}, {difference}"
            reasons[reason] += 1
    assert reasons[""] >= PROGRAMS * 9 // 10
