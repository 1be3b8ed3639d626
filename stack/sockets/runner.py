"""The loop of a host: it waits, and passes frames and deadlines to the protocol code.

A task per link waits for frames and reads a batch of them per wake. One more task sleeps until the
earliest deadline of the host and its links. Per frame, only `read` and `frame` are called, and
nothing of trio's: no checkpoint, task, channel or cancel scope. An idle host does not wake up.
Ctrl-C does not interrupt these tasks: trio raises KeyboardInterrupt in the program's main task.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from math import inf
from threading import get_ident
from time import monotonic, perf_counter

import trio
from trio.lowlevel import cancel_shielded_checkpoint, enable_ki_protection, wait_readable

from stack.errors import error_text
from stack.host.host import HostCore
from stack.noop import noop
from stack.sockets.attachment import Attachment
from stack.sockets.suspension import Suspension, boottime
from stack.sockets.system_memory import trim

HAS_ENDED = f"{error_text(errno.ENETDOWN)}: the host has ended, as it does when its open_host block is left"


def require_trio() -> None:
    """RuntimeError unless trio is running. The message says how to start the program."""
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        text = "open_host needs trio: start the program with trio.run(main), not asyncio.run(main)"
        raise RuntimeError(text) from None


class Runner:
    """Runs one host in one nursery, until `close`. Each wake reads up to `batch_frames` frames.

    `boottime` is a clock that runs while the machine is suspended. `on_detached` is called when a
    link was detached or has failed.
    """

    def __init__(
        self, core: HostCore, nursery: trio.Nursery, batch_frames: int, boottime: Callable[[], float] = boottime
    ) -> None:
        self.core = core
        self.down = False
        self._nursery = nursery
        self._batch = range(batch_frames)
        self.attachments: list[Attachment] = []
        self.on_detached: Callable[[Attachment], None] = noop
        self._timer = trio.CancelScope()
        self._wakes_at = inf  # the timer's deadline: trio's own is a property, too slow for each batch
        self.lost: list[str] = []  # names of links that failed by themselves
        self._loss = trio.Event()
        self._change = trio.Event()
        self._suspension = Suspension(boottime, core.config.host.suspended_least_s)
        self._token = trio.lowlevel.current_trio_token()
        # The time, in seconds: `trio.current_time`, without its two calls on the way to the clock
        self.time = trio.lowlevel.current_clock().current_time
        self.thread = get_ident()
        self._budget = core.budget
        self._trim_bytes = core.config.host.memory_trim_bytes
        self._trim_at = -inf  # the earliest time of the next trim
        self._trim_due = inf  # the time of a trim that had to be put off
        core.wake_timer = self._wake_at
        core.on_change = self._changed
        nursery.start_soon(self._run_timer, name="stack timer")

    # --- user calls

    def now(self) -> float:
        """The time for a call into the protocol code.

        OSError(ENETDOWN) if the host has ended, RuntimeError in a thread that is not the host's.
        """
        if get_ident() != self.thread:
            self.check_thread()
        if self.down:
            raise OSError(errno.ENETDOWN, HAS_ENDED)
        if self._suspension.boottime() - monotonic() > self._suspension.limit:
            self._resumed()
        return self.time()

    def check_thread(self) -> None:
        """RuntimeError in a thread that is not the host's: the code has no locks."""
        if get_ident() != self.thread:
            raise RuntimeError(
                "this host belongs to the trio.run of another thread: call it there, by trio.from_thread.run(function, "
                "..., trio_token=token) with that run's trio.lowlevel.current_trio_token()"
            )

    def after_call(self, now: float) -> None:
        """Finish a user call that ran protocol code: send packets and wake the tasks it affects."""
        if not self.down:
            self.core.after_call(now)

    def buffer_size(self, wanted: float | None) -> int:
        """The size that SO_RCVBUF and SO_SNDBUF set: the number, kept in a range, as on Linux."""
        config = self.core.config.host
        return min(max(int(wanted or 0), config.smallest_socket_buffer_bytes), config.largest_socket_buffer_bytes)

    def release(self, end: Callable[[float], None]) -> None:
        """Call `end(now)`, which releases a connection or a port, even after the host's end."""
        now = self.core.now if self.down else self.time()
        end(now)
        self.after_call(now)
        if self._budget.peak - self._budget.used > self._trim_bytes:
            self._trim(now)

    def release_soon(self, end: Callable[[float], None]) -> None:
        """Have `end(now)` called from the loop, since protocol code may be running now.

        The garbage collector uses it, which may run at any time and in any thread.
        """
        self.soon(self._release_guarded, end)

    def soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Have `call` made from the loop; do nothing if trio's run is over."""
        try:
            self._token.run_sync_soon(call, *arguments)
        except trio.RunFinishedError:
            pass

    def _release_guarded(self, end: Callable[[float], None]) -> None:
        """As `release`, but report a bug instead of raising, since no task called this."""
        try:
            self.release(end)
        except Exception as error:
            self.core.barrier.failed(error, None, self.core.now)

    async def wait_link_lost(self) -> str:
        """Wait until a link fails, and return its name. OSError(ENETDOWN) if the host has ended."""
        self.check_thread()
        await self._loss.wait()
        if not self.lost:
            self.now()
        return self.lost[0]

    # --- changes

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()

    async def wait_change(self) -> None:
        """Wait until interfaces, addresses or leases may have changed.

        OSError(ENETDOWN) if the host has ended.
        """
        self.now()
        await self._change.wait()
        self.now()

    # --- links

    def start(self, attachment: Attachment, now: float) -> None:
        """Serve a link that is open and has its interface."""
        self.attachments.append(attachment)
        name = f"stack {attachment.link.name}"
        if attachment.link.fileno() >= 0:
            self._nursery.start_soon(self._run_descriptor, attachment, name=name)
        self._nursery.start_soon(self._run_notified, attachment, name=f"{name} wake")
        self.after_call(now)
        self._arm()

    def poll_links(self) -> None:
        """Read a batch from every link, for a host whose tasks no longer do so."""
        for attachment in list(self.attachments):
            attachment.link.poll(self.time())
            self._take(attachment)

    def close(self) -> None:
        """End everything: connections are reset, waiting tasks are woken, links are closed."""
        if self.down:
            return
        now = self.time()
        self.core.shutdown(now)
        self.core.batch_end(now)
        for attachment in list(self.attachments):
            self.detach(attachment)
        self.down = True
        self._changed()
        self._loss.set()
        self._nursery.cancel_scope.cancel()

    def detach(self, attachment: Attachment) -> None:
        """Detach the interface and close its link, once."""
        if not attachment.open:
            return
        attachment.open = False
        self.attachments.remove(attachment)
        now = self.time()
        if attachment.interface is not None:
            self.core.detach(attachment.interface, now)
            self.core.batch_end(now)
        self.on_detached(attachment)
        descriptor = attachment.link.fileno()
        if descriptor >= 0:
            trio.lowlevel.notify_closing(descriptor)
        attachment.link.close()
        attachment.ready_waiter.wake()

    def _resumed(self) -> None:
        """The machine was suspended: update the host before the work that this wake is for."""
        asleep_s = self._suspension.ended()
        if asleep_s and not self.down:
            now = self.time()
            self.core.resumed(asleep_s, now)
            self.core.batch_end(now)

    # --- the tasks

    @enable_ki_protection
    async def _run_descriptor(self, attachment: Attachment) -> None:  # hot
        """Wait until the link's descriptor is readable, read a batch, and repeat.

        After traffic, the link is polled for a while before waiting: the next frame of a
        conversation is likely to come soon, and a wait by epoll, which trio sets up anew each time,
        costs as much as an answer. While it polls, the task does not look for its cancellation:
        `close` has detached the link before it cancels, and then nothing more comes.
        """
        descriptor = attachment.link.fileno()
        take, busy_poll_s = self._take, self.core.config.host.busy_poll_s
        suspension, boottime = self._suspension, self._suspension.boottime
        try:
            while attachment.open:
                await wait_readable(descriptor)
                if boottime() - monotonic() > suspension.limit:
                    self._resumed()
                last = perf_counter()
                if take(attachment) and busy_poll_s:
                    while perf_counter() < last + busy_poll_s:
                        await cancel_shielded_checkpoint()
                        if take(attachment):
                            last = perf_counter()
        except trio.ClosedResourceError:
            pass  # `detach` has closed the descriptor

    @enable_ki_protection
    async def _run_notified(self, attachment: Attachment) -> None:  # hot
        """Wait until the link calls `wake`, read a batch, repeat. Do not wait after a full one."""
        ready_waiter, take, full = attachment.ready_waiter, self._take, len(self._batch)
        suspension, boottime = self._suspension, self._suspension.boottime
        while attachment.open:
            if attachment.has_frames:
                await trio.lowlevel.checkpoint()
            else:
                await ready_waiter.park()
                if boottime() - monotonic() > suspension.limit:
                    self._resumed()
            if take(attachment) == full:
                attachment.has_frames = True

    def _take(self, attachment: Attachment) -> int:  # hot
        """Pass one batch of frames to the host, and return their number.

        After a full batch there may be more. If the link fails for good (ENETDOWN), its interface
        is removed, and the host goes on.
        """
        if not attachment.open:
            return 0
        attachment.has_frames = False
        now = self.time()
        read, frame, interface = attachment.link.read, self.core.frame, attachment.interface
        assert interface is not None
        count = 0
        for _ in self._batch:
            try:
                view = read(now)
            except OSError:
                self.detach(attachment)
                self.lost.append(attachment.link.name)
                self._loss.set()
                return 0
            if view is None:
                break
            frame(interface, now, view)
            count += 1
        if count:
            self.core.batch_end(now)
            if self._budget.peak - self._budget.used > self._trim_bytes:
                self._trim(now)
        if attachment.link.deadline < self._wakes_at:
            self._wake_at(attachment.link.deadline)
        return count

    @enable_ki_protection
    async def _run_timer(self) -> None:
        """Sleep until the earliest deadline, call what is due, and repeat."""
        while True:
            self._wakes_at = self._earliest()
            with trio.CancelScope(deadline=self._wakes_at) as self._timer:
                await trio.sleep_forever()
            if self._suspension.boottime() - monotonic() > self._suspension.limit:
                self._resumed()
            now = self.time()
            for attachment in list(self.attachments):
                if attachment.open and attachment.link.deadline <= now:
                    attachment.link.poll(now)
            if self.core.deadline <= now:
                self.core.on_deadline(now)
            self.core.batch_end(now)
            if self._budget.peak - self._budget.used > self._trim_bytes:
                self._trim(now)

    def _trim(self, now: float) -> None:
        """Return freed memory to the system, now or at the end of the interval."""
        if self.down:
            return
        if now < self._trim_at:
            self._trim_due = self._trim_at
            self._arm()
            return
        self._trim_due = inf
        self._trim_at = now + self.core.config.host.memory_trim_interval_s
        self._budget.peak = self._budget.used
        trim()

    def _earliest(self) -> float:
        """The time at which the timer must fire; inf if nothing is due."""
        earliest: float = min(self.core.deadline, self._trim_due)
        for attachment in self.attachments:
            if attachment.link.deadline < earliest:
                earliest = attachment.link.deadline
        return earliest

    def _arm(self) -> None:
        """Set the timer to the earliest deadline, if that is earlier than the timer's."""
        self._wake_at(self._earliest())

    def _wake_at(self, deadline: float) -> None:
        """Set the timer to an earlier deadline.

        A deadline that moves later is ignored: it costs one wake without work.
        """
        if deadline < self._wakes_at:
            self._wakes_at = self._timer.deadline = deadline
