"""The loop: it does the waiting for the protocol code, which never waits, and hands it frames and deadlines.

A task per link waits for frames and takes in a batch of them per wake; one task sleeps until the earliest deadline of
the host and its links. What happens once per frame is `read` and `frame` and nothing of trio's: no checkpoint, task,
channel or cancel scope. An idle host has nothing to wake up for.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from threading import get_ident
from time import monotonic, perf_counter
from typing import Generic, TypeVar

import trio
from trio.lowlevel import checkpoint, wait_readable

from stack.host.host import HostCore
from stack.host.interface import Interface
from stack.host.lease_record import LeaseRecord, lease_record
from stack.internet.arp import NeighborCache
from stack.link.device import Link
from stack.sockets.dhcp import BOUND, LINK_LOCAL, Dhcp, LeaseFiles
from stack.sockets.suspension import Suspension, boottime
from stack.sockets.system_memory import give_back
from stack.sockets.waiter import Waiter
from stack.wire.addresses import Prefix, format_ipv4, format_mac, parse_ipv4

RELEASE_GRACE_S = 1.0
"""How long the end waits for ARP to find a DHCP server that is to be told: what a request may take."""
HAS_ENDED = f"{os.strerror(errno.ENETDOWN)}: the host has ended, as it does when its open_host block is left"
MOST_NEWS = 100
"""Addresses lost or claimed that no task has asked for yet; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class AddressLost:
    """`address` was ours on the link called `interface` until the station `mac` claimed it."""

    address: str
    interface: str
    mac: str


@dataclass(frozen=True, slots=True)
class AddressClaimed:
    """The station `mac` claims our `address` on the link called `interface`; the address is kept."""

    address: str
    interface: str
    mac: str


N = TypeVar("N")


class News(Generic[N]):
    """Events, each told once, to one of the tasks that wait."""

    def __init__(self, check: Callable[[], object]) -> None:
        self._check = check  # raises when nothing can happen any more
        self._untold: deque[N] = deque(maxlen=MOST_NEWS)
        self._event = trio.Event()

    def end(self) -> None:
        """Nothing will happen any more."""
        self._event.set()

    def tell(self, what: N) -> None:
        """Add an event."""
        self._untold.append(what)
        self._event.set()

    async def wait(self) -> N:
        """Wait for the oldest event that was not told yet."""
        while not self._untold:
            self._check()
            await self._event.wait()
            self._event = trio.Event()
        return self._untold.popleft()


def need_trio() -> None:
    """RuntimeError, which says how to start a program, where trio does not run."""
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        text = "open_host needs trio: start the program with trio.run(main), not asyncio.run(main)"
        raise RuntimeError(text) from None


class AddressOutcome:
    """What came of asking for an address. When `known` is set, `ok` says whether it may be used.

    `mac` is the station that has the address, when that is why not.
    """

    __slots__ = ("known", "mac", "ok")

    def __init__(self) -> None:
        self.known = trio.Event()
        self.ok = False
        self.mac: bytes | None = None

    def settle(self, ok: bool, now: float) -> None:
        """It may be used, or will not be."""
        self.ok = ok
        self.known.set()


class Attachment:
    """A link that is attached to the host, with its interface, its addresses and what its tasks share.

    The link calls `notify` as its `wake`. `has_frames` is true from then until the next batch is taken in, and the
    task in `Runner._run_notified` waits at `ready_waiter`.
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
        """The link may have frames to read, or an earlier deadline. Nothing is read here: a write may be under way."""
        self.has_frames = True
        self.ready_waiter.wake()


class Runner:
    """Runs one host in one nursery, until `close`. `batch_frames` is how many frames are taken in per wake.

    `boottime` is a clock that goes on while the machine is suspended.
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
        self.lost_addresses: News[AddressLost] = News(self.now)
        self.claimed_addresses: News[AddressClaimed] = News(self.now)
        self._suspension = Suspension(boottime, core.config.host.suspended_least_s)
        self._token = trio.lowlevel.current_trio_token()
        self.thread = get_ident()
        self._budget = core.budget
        self._trim_bytes = core.config.host.memory_trim_bytes
        self._trim_at = -inf  # not before this
        self._trim_due = inf  # when to give memory back that was freed too soon after the last time
        core.wake_timer = self._arm
        core.on_change = self._changed
        nursery.start_soon(self._run_timer, name="stack timer")

    # --- user calls

    def now(self) -> float:
        """The time for a call into the protocol code.

        OSError(ENETDOWN) when the host has ended, RuntimeError in another thread than its own.
        """
        if get_ident() != self.thread:
            self.check_thread()
        if self.down:
            raise OSError(errno.ENETDOWN, HAS_ENDED)
        if self._suspension.boottime() - monotonic() > self._suspension.limit:
            self._resumed()
        return trio.current_time()

    def check_thread(self) -> None:
        """RuntimeError in another thread than the host's: nothing here is locked, and trio wakes its own tasks only."""
        if get_ident() != self.thread:
            raise RuntimeError(
                "this host belongs to the trio.run of another thread: call it there, by trio.from_thread.run(function, "
                "..., trio_token=token) with that run's trio.lowlevel.current_trio_token()"
            )

    def after_call(self, now: float) -> None:
        """To be called when a user call has run protocol code: sends and wakes what it left to do."""
        if not self.down:
            self.core.after_call(now)

    def buffer_size(self, wanted: float | None) -> int:
        """What SO_RCVBUF and SO_SNDBUF make of the number they are given: it is cut to what is allowed, as on Linux."""
        config = self.core.config.host
        return min(max(int(wanted or 0), config.smallest_socket_buffer_bytes), config.largest_socket_buffer_bytes)

    def give_back(self, end: Callable[[float], None]) -> None:
        """Call `end(now)`, which takes leave of a connection or a port. Possible after the host's end, too."""
        now = self.core.now if self.down else trio.current_time()
        end(now)
        self.after_call(now)
        if self._budget.peak - self._budget.used > self._trim_bytes:
            self._trim(now)

    def give_back_soon(self, end: Callable[[float], None]) -> None:
        """Have `end(now)` called from the loop, since protocol code may be running already.

        That is for the garbage collector, which comes at any time and in any thread.
        """
        self.soon(self._give_back_behind_the_barrier, end)

    def soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Have `call` made from the loop; when the run is over there is nothing left to do it for."""
        try:
            self._token.run_sync_soon(call, *arguments)
        except trio.RunFinishedError:
            pass

    def _give_back_behind_the_barrier(self, end: Callable[[float], None]) -> None:
        """As `give_back`, but a bug does not end the run: trio makes the call, and no task would get the error."""
        try:
            self.give_back(end)
        except Exception as error:
            self.core.barrier.failed(error, None, self.core.now)

    async def wait_link_lost(self) -> str:
        """Wait until a link fails by itself; its name. OSError(ENETDOWN) when the host has ended."""
        self.check_thread()
        await self._loss.wait()
        if not self.lost:
            self.now()
        return self.lost[0]

    # --- what changes by itself

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()

    async def wait_change(self) -> None:
        """Wait until interfaces, their addresses or leases may be others. OSError(ENETDOWN) when the host has ended."""
        self.now()
        await self._change.wait()
        self.now()

    # --- links

    def attach(
        self, link: Link, addresses: list[Prefix], gateway: bytes | None, acd: str | None, dhcp: Dhcp | None
    ) -> Attachment:
        """Open the link and take it in as an interface; OSError when the link does not open."""
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
        """Wait for what `Dhcp.wait` says, if anything. TimeoutError when that takes too long."""
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
        """Ask for what goes with the interface's address. OSError: EADDRNOTAVAIL, TimeoutError when nobody answers."""
        now = self.now()
        interface = attachment.interface
        if attachment.dhcp is not None or interface is None:
            raise ValueError(f"{attachment.link.name} has a lease, or waits for one: that tells all there is")
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
        """A link may lead to another network than before."""
        now = self.now()
        if attachment.interface is not None:
            self.core.network_changed(attachment.interface, now)
            self.after_call(now)

    async def resolve_servers_before_close(self) -> None:
        """Before `close`: find out how to reach the servers that are to be told of the end.

        The links are read from here, since a host that is cancelled has no tasks left that would.
        """
        with trio.move_on_after(RELEASE_GRACE_S, shield=True):
            while not self.down and not self.core.dhcp.may_end(trio.current_time()):
                await trio.sleep(RELEASE_GRACE_S / 100)
                for attachment in list(self._attachments):
                    attachment.link.poll(trio.current_time())
                    self._take(attachment)

    def attachment(self, link: Link) -> Attachment:
        """The attachment of a link of ours. ValueError for a stranger's."""
        self.check_thread()
        for attachment in self._attachments:
            if attachment.link is link:
                return attachment
        raise ValueError(f"{link.name} is not attached to this host")

    def detach(self, link: Link) -> None:
        """Give the interface up: what depends on it ends with ENETDOWN. ValueError for a link that is not ours."""
        self._drop(self.attachment(link))

    # --- addresses

    async def add_address(self, link: Link, prefix: Prefix, acd: str | None) -> None:
        """Give an interface an address, and wait until it may be used. OSError EADDRINUSE when another host has it."""
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
        """Take an address back. OSError EADDRNOTAVAIL when it is not there."""
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
        """The ARP cache of a link. OSError EOPNOTSUPP where there is none: a link without station addresses."""
        interface = self.attachment(link).interface
        if interface is None or interface.neighbors is None:
            raise OSError(errno.EOPNOTSUPP, f"{link.name} has no station addresses, and so no ARP")
        return interface.neighbors

    async def wait_ready(self, attachment: Attachment, address: bytes, outcome: AddressOutcome) -> None:
        """Wait until an address of a attachment may be used. OSError EADDRINUSE when another host has it."""
        await outcome.known.wait()
        if outcome.ok:
            return
        name = format_ipv4(address)
        if outcome.mac is not None:
            raise OSError(errno.EADDRINUSE, f"{name} is another host's address: {format_mac(outcome.mac)} has it")
        if not attachment.open:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        raise OSError(errno.EADDRNOTAVAIL, f"{name} was taken back before it could be used")

    def _conflict(self, interface: str, address: bytes, outcome: AddressOutcome, mac: bytes, now: float) -> None:
        """Another host has an address of ours or one that we wanted, or claims one that we keep ("defend")."""
        if self.core.ip.owner(address) is not None:
            self.claimed_addresses.tell(AddressClaimed(format_ipv4(address), interface, format_mac(mac)))
            return
        outcome.mac = mac
        if outcome.ok:
            outcome.ok = False
            self.lost_addresses.tell(AddressLost(format_ipv4(address), interface, format_mac(mac)))

    def close(self) -> None:
        """End everything: connections are reset, whoever waits is woken, links are closed."""
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
        self.lost_addresses.end()
        self.claimed_addresses.end()
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
        """The machine was suspended. What this wake is for comes after what that has changed."""
        asleep_s = self._suspension.ended()
        if asleep_s and not self.down:
            now = trio.current_time()
            self.core.resumed(asleep_s, now)
            self.core.batch_end(now)

    # --- the tasks

    async def _run_descriptor(self, attachment: Attachment) -> None:  # hot
        """Wait until the link's descriptor is readable, take in a batch, and again.

        A link that was busy a moment ago is asked again for a while before it is waited for: the next frame of a
        conversation is about to come, and epoll, which trio tells anew each time what to wait for, costs as much as
        an answer.
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
            pass  # `_drop` said so

    async def _run_notified(self, attachment: Attachment) -> None:  # hot
        """Wait until the link calls `wake`, take in a batch, and go on while batches are full."""
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
        """Hand one batch of frames to the host; how many there were. After a full batch there may be more.

        A link that fails (ENETDOWN: there will never be a frame again) costs the host the interface, not its life.
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
        """Sleep until the earliest deadline, let those whose deadline it is work, and again."""
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
        """Connections have freed much memory: give it back to the system, now or when the interval is over."""
        if self.down:
            return
        if now < self._trim_at:
            self._trim_due = self._trim_at
            self._arm()
            return
        self._trim_due = inf
        self._trim_at = now + self.core.config.host.memory_trim_interval_s
        self._budget.peak = self._budget.used
        give_back()

    def _earliest(self) -> float:
        """When the timer is to fire: inf when nothing is due ever."""
        earliest: float = min(self.core.deadline, self._trim_due)
        for attachment in self._attachments:
            if attachment.link.deadline < earliest:
                earliest = attachment.link.deadline
        return earliest

    def _arm(self) -> None:
        """A deadline moved earlier. One that moved later costs one wake in vain and no work here."""
        earliest = self._earliest()
        if earliest < self._timer.deadline:
            self._timer.deadline = earliest
