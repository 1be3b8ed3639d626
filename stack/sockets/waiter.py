"""A place where one task waits until protocol code wakes it."""

from __future__ import annotations

from collections.abc import Callable

import outcome
import trio


class Waiter:
    """Parks the task that waits in one direction of a socket.

    Protocol code calls `wake` when the wait may be over. The task then tries again, and parks again
    if it must. `wake` without a parked task does nothing and is not remembered, so a task tries
    first, then parks, without an await in between. A waiter is callable, so that it can be passed
    as a callback: that saves a bound method for each callback of each connection.
    """

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None

    async def park(self) -> None:
        """Wait for `wake` or `fail`; a checkpoint. BusyResourceError if a task waits already."""
        if self._task is not None:
            raise trio.BusyResourceError("another task is already waiting for this socket in the same direction")
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> bool:
        """Let the parked task continue. True if there was one."""
        task = self._task
        if task is None:
            return False
        self._task = None
        trio.lowlevel.reschedule(task)
        return True

    __call__ = wake

    def fail(self, error: Exception) -> None:
        """Raise `error` in the parked task."""
        task = self._task
        if task is not None:
            self._task = None
            trio.lowlevel.reschedule(task, outcome.Error(error))


def wake_both(reader: Waiter, urgent: Waiter) -> Callable[[], bool]:
    """A callback that wakes two waiters.

    It has no reference to the socket, so that a forgotten socket can be collected.
    """

    def wake() -> bool:
        urgent.wake()
        return reader.wake()

    return wake
