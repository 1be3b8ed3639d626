"""The end of a test that would have none: what counts against its limits, and what is said of where it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from stack.testing.limit import EndlessError, limited

HERE = Path(__file__).resolve().parent


async def test_rounds_count_only_while_no_virtual_time_passes(autojump_clock: MockClock) -> None:
    async def works() -> None:
        for _ in range(10):
            for _ in range(30):
                await trio.lowlevel.checkpoint()
            await trio.sleep(1)

    await limited("the test", works, 60.0, HERE, most_rounds=100)


async def test_too_many_rounds_at_one_moment_are_an_error(autojump_clock: MockClock) -> None:
    async def spins() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    with pytest.raises(EndlessError, match=r"^the test has run 100 rounds .*, at test_limit\.py:\d+ \(spins\)$"):
        await limited("the test", spins, 60.0, HERE, most_rounds=100)


async def test_the_place_is_told_of_what_was_cancelled_while_it_was_closed(autojump_clock: MockClock) -> None:
    """A block that is left by a cancellation, and waits as it is left, is cancelled a second time."""

    async def waits() -> None:
        try:
            await innermost()
        finally:
            await trio.sleep(1)

    async def innermost() -> None:
        await trio.sleep_forever()

    with pytest.raises(EndlessError, match=r"\(innermost\), from test_limit\.py:\d+ \(waits\)$"):
        await limited("the test", waits, 60.0, HERE)


async def test_what_the_test_raises_is_raised(autojump_clock: MockClock) -> None:
    async def fails() -> None:
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own"):
        await limited("the test", fails, 60.0, HERE)
