"""One task, parked until there is something to do."""

from __future__ import annotations

import outcome
import trio


class Waiter:
    """Where the one task that waits in one direction of a socket is parked.

    Protocol code calls `wake` when the wait may be over; whoever was parked looks again and parks again if it was
    not. Waking nobody is fine, and is no promise for whoever parks next: look first, then park, without awaiting in
    between. A waiter may be given as a callback as it is, which spares each connection some bound methods.
    """

    __slots__ = ("_task",)

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None

    async def park(self) -> None:
        """Wait for `wake` or `fail`; a checkpoint. trio.BusyResourceError when another task is parked here already."""
        if self._task is not None:
            raise trio.BusyResourceError("another task is already waiting for this socket in the same direction")
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> bool:
        """Let the parked task look again; whether there was one."""
        task = self._task
        if task is None:
            return False
        self._task = None
        trio.lowlevel.reschedule(task)
        return True

    __call__ = wake

    def fail(self, error: Exception) -> None:
        """End the parked task's wait by `error`."""
        task = self._task
        if task is not None:
            self._task = None
            trio.lowlevel.reschedule(task, outcome.Error(error))
