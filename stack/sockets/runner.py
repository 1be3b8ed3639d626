"""The loop of a host: it waits, and passes frames and deadlines to the protocol code.

A task per link waits for frames and reads a batch of them per wake. One more task sleeps until the
earliest deadline of the host and its links. Per frame, only `read` and `frame` are called, and
nothing of trio's: no checkpoint, task, channel or cancel scope. An idle host does not wake up.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from math import inf
from threading import get_ident
from time import monotonic, perf_counter

import trio
from trio.lowlevel import checkpoint, wait_readable

from stack.host.host import HostCore
from stack.host.interface import Interface
from stack.host.lease_record import LeaseRecord, lease_record
from stack.internet.arp import NeighborCache
from stack.link.device import Link
from stack.sockets.dhcp import BOUND, LINK_LOCAL, Dhcp, LeaseFiles
from stack.sockets.events import AddressClaimed, AddressLost, EventQueue
from stack.sockets.suspension import Suspension, boottime
from stack.sockets.system_memory import trim
from stack.sockets.waiter import Waiter
from stack.wire.addresses import Prefix, format_ipv4, format_mac, parse_ipv4

RELEASE_GRACE_S = 1.0
"""How long the end of a host waits for ARP, before it sends a DHCPRELEASE to a server."""
HAS_ENDED = f"{os.strerror(errno.ENETDOWN)}: the host has ended, as it does when its open_host block is left"


def require_trio() -> None:
    """RuntimeError unless trio is running. The message says how to start the program."""
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        text = "open_host needs trio: start the program with trio.run(main), not asyncio.run(main)"
        raise RuntimeError(text) from None


class AddressOutcome:
    """The outcome of a request for an address. Once `known` is set, `ok` says if it may be used.

    `mac` is the station that has the address, if that is the reason.
    """

    __slots__ = ("known", "mac", "ok")

    def __init__(self) -> None:
        self.known = trio.Event()
        self.ok = False
        self.mac: bytes | None = None

    def settle(self, ok: bool, now: float) -> None:
        """Record the outcome and wake the tasks that wait for it."""
        self.ok = ok
        self.known.set()


class Attachment:
    """A link that is attached to the host, with its interface, its addresses and its tasks' state.

    The link calls `notify` as its `wake`. From then until the next batch is read, `has_frames` is
    true. The task in `Runner._run_notified` waits at `ready_waiter`.
    """

    __slots__ = ("dhcp", "has_frames", "interface", "link", "open", "outcomes", "ready_waiter")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.interface: Interface | None = None
        self.ready_waiter = Waiter()
        self.has_frames = False
        self.open = True
        self.outcomes: dict[bytes, AddressOutcome] = {}
        self.dhcp: Dhcp | None = None

    def notify(self) -> None:
        """The link may have frames to read, or an earlier deadline.

        Nothing is read here, since a write may be in progress.
        """
        self.has_frames = True
        self.ready_waiter.wake()


class Runner:
    """Runs one host in one nursery, until `close`. Each wake reads up to `batch_frames` frames.

    `boottime` is a clock that runs while the machine is suspended.
    """

    def __init__(
        self, core: HostCore, nursery: trio.Nursery, batch_frames: int, boottime: Callable[[], float] = boottime
    ) -> None:
        self.core = core
        self.down = False
        self._nursery = nursery
        self._batch = range(batch_frames)
        self._attachments: list[Attachment] = []
        self._timer = trio.CancelScope()
        self.lost: list[str] = []  # names of links that failed by themselves
        self._loss = trio.Event()
        self._change = trio.Event()
        self.lease_files = LeaseFiles(core)
        self.lost_addresses: EventQueue[AddressLost] = EventQueue(self.now)
        self.claimed_addresses: EventQueue[AddressClaimed] = EventQueue(self.now)
        self._suspension = Suspension(boottime, core.config.host.suspended_least_s)
        self._token = trio.lowlevel.current_trio_token()
        self.thread = get_ident()
        self._budget = core.budget
        self._trim_bytes = core.config.host.memory_trim_bytes
        self._trim_at = -inf  # the earliest time of the next trim
        self._trim_due = inf  # the time of a trim that had to be put off
        core.wake_timer = self._arm
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
        return trio.current_time()

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
        now = self.core.now if self.down else trio.current_time()
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

    def attach(
        self, link: Link, addresses: list[Prefix], gateway: bytes | None, acd: str | None, dhcp: Dhcp | None
    ) -> Attachment:
        """Open the link and use it as an interface. OSError if the link does not open."""
        now = self.now()
        attachment = Attachment(link)
        link.open(attachment.notify)
        try:
            attachment.outcomes = {prefix.address: AddressOutcome() for prefix in addresses}
            attachment.interface = self.core.attach(
                link,
                addresses,
                gateway,
                now,
                acd=acd,
                ready=lambda address, ok, later: attachment.outcomes[address].settle(ok, later),
                on_conflict=lambda address, mac, later: self._conflict(
                    link.name, address, attachment.outcomes[address], mac, later
                ),
            )
            if dhcp is not None:
                attachment.dhcp = dhcp
                self._begin_dhcp(attachment.interface, dhcp, acd, now)
        except BaseException:
            if attachment.interface is not None:
                self.core.detach(attachment.interface, now)
            link.close()
            raise
        self._attachments.append(attachment)
        if link.fileno() >= 0:
            self._nursery.start_soon(self._run_descriptor, attachment, name=f"stack {link.name}")
        self._nursery.start_soon(self._run_notified, attachment, name=f"stack {link.name} wake")
        self.after_call(now)
        self._arm()
        return attachment

    def _begin_dhcp(self, interface: Interface, dhcp: Dhcp, acd: str | None, now: float) -> None:
        interface_dhcp = self.core.dhcp.prepare(interface, acd)
        interface_dhcp.release = dhcp.releases
        interface_dhcp.link_local_allowed = dhcp.wait != BOUND
        remembered = self.lease_files.open(interface, dhcp.lease_file, now)
        wish = None if dhcp.request_address is None else parse_ipv4(dhcp.request_address)
        interface_dhcp.begin(now, remembered, wish)

    async def wait_lease(self, attachment: Attachment) -> None:
        """Wait for what `Dhcp.wait` names. TimeoutError after `Dhcp.wait_s`."""
        dhcp, interface = attachment.dhcp, attachment.interface
        if dhcp is None or interface is None or dhcp.wait not in (BOUND, LINK_LOCAL):
            return
        with trio.move_on_after(inf if dhcp.wait_s is None else dhcp.wait_s):
            while not self.core.dhcp.has_address(interface, link_local=dhcp.wait == LINK_LOCAL):
                await self.wait_change()
                if not attachment.open:
                    raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
            return
        raise TimeoutError(errno.ETIMEDOUT, f"no DHCP server has given an address within {dhcp.wait_s:g} s")

    async def inform(self, attachment: Attachment) -> LeaseRecord:
        """Ask for the parameters of the interface's address.

        OSError: EADDRNOTAVAIL without an address, TimeoutError if no server answers.
        """
        now = self.now()
        interface = attachment.interface
        if attachment.dhcp is not None or interface is None:
            raise ValueError(f"{attachment.link.name} has a lease, or waits for one: the lease has the parameters")
        if not interface.addresses:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        interface_dhcp = self.core.dhcp.on(interface) or self.core.dhcp.prepare(interface)
        address = interface.addresses[0].address
        interface_dhcp.inform(address, now)
        self.after_call(now)
        while not interface_dhcp.informed_or_silent:
            await self.wait_change()
        if not attachment.open:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        if self.core.dhcp.on(interface) is not interface_dhcp:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        if interface_dhcp.parameters is None:
            raise TimeoutError(errno.ETIMEDOUT, "no DHCP server has answered")
        await trio.lowlevel.checkpoint()
        return lease_record(interface.name, interface_dhcp.parameters)

    def network_changed(self, attachment: Attachment) -> None:
        """The link may be connected to another network than before."""
        now = self.now()
        if attachment.interface is not None:
            self.core.network_changed(attachment.interface, now)
            self.after_call(now)

    async def resolve_servers_before_close(self) -> None:
        """Before `close`: resolve by ARP the DHCP servers that will get a DHCPRELEASE.

        The links are read here, since the tasks of a cancelled host no longer read them.
        """
        with trio.move_on_after(RELEASE_GRACE_S, shield=True):
            while not self.down and not self.core.dhcp.may_end(trio.current_time()):
                await trio.sleep(RELEASE_GRACE_S / 100)
                for attachment in list(self._attachments):
                    attachment.link.poll(trio.current_time())
                    self._take(attachment)

    def attachment(self, link: Link) -> Attachment:
        """The attachment of a link. ValueError for a link that is not attached to this host."""
        self.check_thread()
        for attachment in self._attachments:
            if attachment.link is link:
                return attachment
        raise ValueError(f"{link.name} is not attached to this host")

    def detach(self, link: Link) -> None:
        """Remove the interface: what depends on it ends with ENETDOWN.

        ValueError for a link that is not attached to this host.
        """
        self._drop(self.attachment(link))

    # --- addresses

    async def add_address(self, link: Link, prefix: Prefix, acd: str | None) -> None:
        """Add an address to an interface, and wait until it may be used.

        OSError EADDRINUSE if another host has it.
        """
        now = self.now()
        attachment = self.attachment(link)
        assert attachment.interface is not None
        outcome = AddressOutcome()
        self.core.add_address(
            attachment.interface,
            prefix,
            now,
            acd=acd,
            ready=outcome.settle,
            on_conflict=partial(self._conflict, link.name, prefix.address, outcome),
        )
        attachment.outcomes[prefix.address] = outcome
        self.after_call(now)
        try:
            await self.wait_ready(attachment, prefix.address, outcome)
        except trio.Cancelled:
            if attachment.open and not outcome.known.is_set():
                self.remove_address(link, prefix.address)
            raise

    def remove_address(self, link: Link, address: bytes) -> None:
        """Remove an address. OSError EADDRNOTAVAIL if the interface does not have it."""
        now = self.now()
        attachment = self.attachment(link)
        assert attachment.interface is not None
        interface_dhcp = self.core.dhcp.on(attachment.interface)
        if interface_dhcp is not None and interface_dhcp.holds(address):
            attachment.dhcp = None
            self.core.dhcp.end(attachment.interface, now, errno.EADDRNOTAVAIL)
        else:
            self.core.remove_address(attachment.interface, address, now)
            attachment.outcomes.pop(address, None)
            if interface_dhcp is not None and interface_dhcp.informed_about == address:
                self.core.dhcp.end(attachment.interface, now)
        self.after_call(now)

    def neighbors(self, link: Link) -> NeighborCache:
        """The ARP cache of a link. OSError EOPNOTSUPP for a link without station addresses."""
        interface = self.attachment(link).interface
        if interface is None or interface.neighbors is None:
            raise OSError(errno.EOPNOTSUPP, f"{link.name} has no station addresses, and so no ARP")
        return interface.neighbors

    async def wait_ready(self, attachment: Attachment, address: bytes, outcome: AddressOutcome) -> None:
        """Wait until an address of an attachment may be used.

        OSError EADDRINUSE if another host has it.
        """
        await outcome.known.wait()
        if outcome.ok:
            return
        name = format_ipv4(address)
        if outcome.mac is not None:
            raise OSError(errno.EADDRINUSE, f"{name} is another host's address: {format_mac(outcome.mac)} has it")
        if not attachment.open:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        raise OSError(errno.EADDRNOTAVAIL, f"{name} was removed before it could be used")

    def _conflict(self, interface: str, address: bytes, outcome: AddressOutcome, mac: bytes, now: float) -> None:
        """Another host has an address that we use or want, or claims one that we keep."""
        if self.core.ip.owner(address) is not None:
            self.claimed_addresses.put(AddressClaimed(format_ipv4(address), interface, format_mac(mac)))
            return
        outcome.mac = mac
        if outcome.ok:
            outcome.ok = False
            self.lost_addresses.put(AddressLost(format_ipv4(address), interface, format_mac(mac)))

    def close(self) -> None:
        """End everything: connections are reset, waiting tasks are woken, links are closed."""
        if self.down:
            return
        now = trio.current_time()
        self.core.shutdown(now)
        self.core.batch_end(now)
        for attachment in list(self._attachments):
            self._drop(attachment)
        self.down = True
        self._changed()
        self._loss.set()
        self.lost_addresses.close()
        self.claimed_addresses.close()
        self._nursery.cancel_scope.cancel()

    def _drop(self, attachment: Attachment) -> None:
        """Detach the interface and close its link, once."""
        if not attachment.open:
            return
        attachment.open = False
        self._attachments.remove(attachment)
        now = trio.current_time()
        if attachment.interface is not None:
            self.core.detach(attachment.interface, now)
            self.core.batch_end(now)
            self.lease_files.close(attachment.interface)
        descriptor = attachment.link.fileno()
        if descriptor >= 0:
            trio.lowlevel.notify_closing(descriptor)
        attachment.link.close()
        attachment.ready_waiter.wake()

    def _resumed(self) -> None:
        """The machine was suspended: update the host before the work that this wake is for."""
        asleep_s = self._suspension.ended()
        if asleep_s and not self.down:
            now = trio.current_time()
            self.core.resumed(asleep_s, now)
            self.core.batch_end(now)

    # --- the tasks

    async def _run_descriptor(self, attachment: Attachment) -> None:  # hot
        """Wait until the link's descriptor is readable, read a batch, and repeat.

        After traffic, the link is polled for a while before waiting: the next frame of a
        conversation is likely to come soon, and a wait by epoll, which trio sets up anew each time,
        costs as much as an answer.
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
                        await checkpoint()
                        if take(attachment):
                            last = perf_counter()
        except trio.ClosedResourceError:
            pass  # `_drop` has closed the descriptor

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
        now = trio.current_time()
        read, frame, interface = attachment.link.read, self.core.frame, attachment.interface
        assert interface is not None
        count = 0
        for _ in self._batch:
            try:
                view = read(now)
            except OSError:
                self._drop(attachment)
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
        if attachment.link.deadline < self._timer.deadline:
            self._timer.deadline = attachment.link.deadline
        return count

    async def _run_timer(self) -> None:
        """Sleep until the earliest deadline, call what is due, and repeat."""
        while True:
            with trio.CancelScope(deadline=self._earliest()) as self._timer:
                await trio.sleep_forever()
            if self._suspension.boottime() - monotonic() > self._suspension.limit:
                self._resumed()
            now = trio.current_time()
            for attachment in list(self._attachments):
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
        for attachment in self._attachments:
            if attachment.link.deadline < earliest:
                earliest = attachment.link.deadline
        return earliest

    def _arm(self) -> None:
        """Set the timer to an earlier deadline.

        A deadline that moves later is ignored: it costs one wake without work.
        """
        earliest = self._earliest()
        if earliest < self._timer.deadline:
            self._timer.deadline = earliest
