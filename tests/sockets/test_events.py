"""Events of a host that several tasks wait for."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from stack.sockets.events import EventQueue


async def test_of_two_tasks_that_wait_each_is_woken_by_an_event(autojump_clock: MockClock) -> None:
    queue: EventQueue[int] = EventQueue(lambda: None)
    taken: list[int] = []

    async def take(count: int) -> None:
        for _ in range(count):
            taken.append(await queue.wait())

    for first, second in ((3, 1), (1, 3)) * 10:  # which of the tasks runs first is chance
        taken.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(take, first)
            nursery.start_soon(take, second)
            with trio.fail_after(10):
                for event in range(4):
                    await trio.sleep(1)
                    queue.put(event)
                await trio.sleep(1)
                assert taken == [0, 1, 2, 3]
            nursery.cancel_scope.cancel()
