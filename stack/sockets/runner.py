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

from stack.host.host import Host as Core
from stack.host.interface import Interface
from stack.host.lease_record import LeaseRecord, lease_record
from stack.internet.arp import NeighborCache
from stack.link.device import Link
from stack.sockets.dhcp import BOUND, LINK_LOCAL, Dhcp, LeaseFiles
from stack.sockets.suspension import Suspension, boottime
from stack.sockets.system_memory import give_back
from stack.sockets.waiter import Waiter
from stack.wire.addresses import Prefix, format_ipv4, format_mac, parse_ipv4

FAREWELL_S = 1.0
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


class Verdict:
    """What has become of an address that was wanted: whether it may be used, or who has it."""

    __slots__ = ("known", "mac", "ok")

    def __init__(self) -> None:
        self.known = trio.Event()
        self.ok = False
        self.mac: bytes | None = None

    def settle(self, ok: bool, now: float) -> None:
        """It may be used, or will not be."""
        self.ok = ok
        self.known.set()


class Port:
    """One link and its place in the host. `bell` is where its task waits for the link's `wake`."""

    __slots__ = ("bell", "dhcp", "interface", "link", "open", "rung", "verdicts")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.interface: Interface | None = None
        self.bell = Waiter()
        self.rung = False
        self.open = True
        self.verdicts: dict[bytes, Verdict] = {}
        self.dhcp: Dhcp | None = None

    def ring(self) -> None:
        """The link has something to read or an earlier deadline. Does not look: this may be in the midst of a write."""
        self.rung = True
        self.bell.wake()


class Runner:
    """Runs one host in one nursery, until `close`. `batch_frames` is how many frames are taken in per wake.

    `boottime` is a clock that goes on while the machine is suspended.
    """

    def __init__(
        self, core: Core, nursery: trio.Nursery, batch_frames: int, boottime: Callable[[], float] = boottime
    ) -> None:
        self.core = core
        self.down = False
        self._nursery = nursery
        self._batch = range(batch_frames)
        self._ports: list[Port] = []
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
    ) -> Port:
        """Open the link and take it in as an interface; OSError when the link does not open."""
        now = self.now()
        port = Port(link)
        link.open(port.ring)
        try:
            port.verdicts = {prefix.address: Verdict() for prefix in addresses}
            port.interface = self.core.attach(
                link,
                addresses,
                gateway,
                now,
                acd=acd,
                ready=lambda address, ok, later: port.verdicts[address].settle(ok, later),
                on_conflict=lambda address, mac, later: self._conflict(
                    link.name, address, port.verdicts[address], mac, later
                ),
            )
            if dhcp is not None:
                port.dhcp = dhcp
                self._begin_dhcp(port.interface, dhcp, acd, now)
        except BaseException:
            if port.interface is not None:
                self.core.detach(port.interface, now)
            link.close()
            raise
        self._ports.append(port)
        if link.fileno() >= 0:
            self._nursery.start_soon(self._run_descriptor, port, name=f"stack {link.name}")
        self._nursery.start_soon(self._run_bell, port, name=f"stack {link.name} bell")
        self.after_call(now)
        self._arm()
        return port

    def _begin_dhcp(self, interface: Interface, dhcp: Dhcp, acd: str | None, now: float) -> None:
        tenant = self.core.dhcp.prepare(interface, acd)
        tenant.release = dhcp.releases
        tenant.link_local_allowed = dhcp.wait != BOUND
        remembered = self.lease_files.open(interface, dhcp.lease_file, now)
        wish = None if dhcp.request_address is None else parse_ipv4(dhcp.request_address)
        tenant.begin(now, remembered, wish)

    async def wait_lease(self, port: Port) -> None:
        """Wait for what `Dhcp.wait` says, if anything. TimeoutError when that takes too long."""
        dhcp, interface = port.dhcp, port.interface
        if dhcp is None or interface is None or dhcp.wait not in (BOUND, LINK_LOCAL):
            return
        with trio.move_on_after(inf if dhcp.wait_s is None else dhcp.wait_s):
            while not self.core.dhcp.has_address(interface, link_local=dhcp.wait == LINK_LOCAL):
                await self.wait_change()
                if not port.open:
                    raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
            return
        raise TimeoutError(errno.ETIMEDOUT, f"no DHCP server has given an address within {dhcp.wait_s:g} s")

    async def inform(self, port: Port) -> LeaseRecord:
        """Ask for what goes with the interface's address. OSError: EADDRNOTAVAIL, TimeoutError when nobody answers."""
        now = self.now()
        interface = port.interface
        if port.dhcp is not None or interface is None:
            raise ValueError(f"{port.link.name} has a lease, or waits for one: that tells all there is")
        if not interface.addresses:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        tenant = self.core.dhcp.tenant(interface) or self.core.dhcp.prepare(interface)
        address = interface.addresses[0].address
        tenant.inform(address, now)
        self.after_call(now)
        while not tenant.informed_or_silent:
            await self.wait_change()
        if not port.open:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        if self.core.dhcp.tenant(interface) is not tenant:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        if tenant.parameters is None:
            raise TimeoutError(errno.ETIMEDOUT, "no DHCP server has answered")
        await trio.lowlevel.checkpoint()
        return lease_record(interface.name, tenant.parameters)

    def network_changed(self, port: Port) -> None:
        """A link may lead to another network than before."""
        now = self.now()
        if port.interface is not None:
            self.core.network_changed(port.interface, now)
            self.after_call(now)

    async def end_kindly(self) -> None:
        """Before `close`: find out how to reach the servers that are to be told of the end.

        The links are read from here, since a host that is cancelled has no tasks left that would.
        """
        with trio.move_on_after(FAREWELL_S, shield=True):
            while not self.down and not self.core.dhcp.may_end(trio.current_time()):
                await trio.sleep(FAREWELL_S / 100)
                for port in list(self._ports):
                    port.link.poll(trio.current_time())
                    self._take(port)

    def port(self, link: Link) -> Port:
        """The port of a link of ours. ValueError for a stranger's."""
        self.check_thread()
        for port in self._ports:
            if port.link is link:
                return port
        raise ValueError(f"{link.name} is not attached to this host")

    def detach(self, link: Link) -> None:
        """Give the interface up: what depends on it ends with ENETDOWN. ValueError for a link that is not ours."""
        self._drop(self.port(link))

    # --- addresses

    async def add_address(self, link: Link, prefix: Prefix, acd: str | None) -> None:
        """Give an interface an address, and wait until it may be used. OSError EADDRINUSE when another host has it."""
        now = self.now()
        port = self.port(link)
        assert port.interface is not None
        verdict = Verdict()
        self.core.add_address(
            port.interface,
            prefix,
            now,
            acd=acd,
            ready=verdict.settle,
            on_conflict=partial(self._conflict, link.name, prefix.address, verdict),
        )
        port.verdicts[prefix.address] = verdict
        self.after_call(now)
        try:
            await self.wait_ready(port, prefix.address, verdict)
        except trio.Cancelled:
            if port.open and not verdict.known.is_set():
                self.remove_address(link, prefix.address)
            raise

    def remove_address(self, link: Link, address: bytes) -> None:
        """Take an address back. OSError EADDRNOTAVAIL when it is not there."""
        now = self.now()
        port = self.port(link)
        assert port.interface is not None
        tenant = self.core.dhcp.tenant(port.interface)
        if tenant is not None and tenant.holds(address):
            port.dhcp = None
            self.core.dhcp.end(port.interface, now, errno.EADDRNOTAVAIL)
        else:
            self.core.remove_address(port.interface, address, now)
            port.verdicts.pop(address, None)
            if tenant is not None and tenant.informed_about == address:
                self.core.dhcp.end(port.interface, now)
        self.after_call(now)

    def neighbors(self, link: Link) -> NeighborCache:
        """The ARP cache of a link. OSError EOPNOTSUPP where there is none: a link without station addresses."""
        interface = self.port(link).interface
        if interface is None or interface.neighbors is None:
            raise OSError(errno.EOPNOTSUPP, f"{link.name} has no station addresses, and so no ARP")
        return interface.neighbors

    async def wait_ready(self, port: Port, address: bytes, verdict: Verdict) -> None:
        """Wait until an address of a port may be used. OSError EADDRINUSE when another host has it."""
        await verdict.known.wait()
        if verdict.ok:
            return
        name = format_ipv4(address)
        if verdict.mac is not None:
            raise OSError(errno.EADDRINUSE, f"{name} is another host's address: {format_mac(verdict.mac)} has it")
        if not port.open:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))
        raise OSError(errno.EADDRNOTAVAIL, f"{name} was taken back before it could be used")

    def _conflict(self, interface: str, address: bytes, verdict: Verdict, mac: bytes, now: float) -> None:
        """Another host has an address of ours or one that we wanted, or claims one that we keep ("defend")."""
        if self.core.ip.owner(address) is not None:
            self.claimed_addresses.tell(AddressClaimed(format_ipv4(address), interface, format_mac(mac)))
            return
        verdict.mac = mac
        if verdict.ok:
            verdict.ok = False
            self.lost_addresses.tell(AddressLost(format_ipv4(address), interface, format_mac(mac)))

    def close(self) -> None:
        """End everything: connections are reset, whoever waits is woken, links are closed."""
        if self.down:
            return
        now = trio.current_time()
        self.core.shutdown(now)
        self.core.batch_end(now)
        for port in list(self._ports):
            self._drop(port)
        self.down = True
        self._changed()
        self._loss.set()
        self.lost_addresses.end()
        self.claimed_addresses.end()
        self._nursery.cancel_scope.cancel()

    def _drop(self, port: Port) -> None:
        """Detach the interface and close its link, once."""
        if not port.open:
            return
        port.open = False
        self._ports.remove(port)
        now = trio.current_time()
        if port.interface is not None:
            self.core.detach(port.interface, now)
            self.core.batch_end(now)
            self.lease_files.close(port.interface)
        descriptor = port.link.fileno()
        if descriptor >= 0:
            trio.lowlevel.notify_closing(descriptor)
        port.link.close()
        port.bell.wake()

    def _resumed(self) -> None:
        """The machine was suspended. What this wake is for comes after what that has changed."""
        asleep_s = self._suspension.ended()
        if asleep_s and not self.down:
            now = trio.current_time()
            self.core.resumed(asleep_s, now)
            self.core.batch_end(now)

    # --- the tasks

    async def _run_descriptor(self, port: Port) -> None:  # hot
        """Wait until the link's descriptor is readable, take in a batch, and again.

        A link that was busy a moment ago is asked again for a while before it is waited for: the next frame of a
        conversation is about to come, and epoll, which trio tells anew each time what to wait for, costs as much as
        an answer.
        """
        descriptor = port.link.fileno()
        take, busy_poll_s = self._take, self.core.config.host.busy_poll_s
        suspension, boottime = self._suspension, self._suspension.boottime
        try:
            while port.open:
                await wait_readable(descriptor)
                if boottime() - monotonic() > suspension.limit:
                    self._resumed()
                last = perf_counter()
                if take(port) and busy_poll_s:
                    while perf_counter() < last + busy_poll_s:
                        await checkpoint()
                        if take(port):
                            last = perf_counter()
        except trio.ClosedResourceError:
            pass  # `_drop` said so

    async def _run_bell(self, port: Port) -> None:  # hot
        """Wait until the link calls `wake`, take in a batch, and go on while batches are full."""
        bell, take, full = port.bell, self._take, len(self._batch)
        suspension, boottime = self._suspension, self._suspension.boottime
        while port.open:
            if port.rung:
                await trio.lowlevel.checkpoint()
            else:
                await bell.park()
                if boottime() - monotonic() > suspension.limit:
                    self._resumed()
            if take(port) == full:
                port.rung = True

    def _take(self, port: Port) -> int:  # hot
        """Hand one batch of frames to the host; how many there were. After a full batch there may be more.

        A link that fails (ENETDOWN: there will never be a frame again) costs the host the interface, not its life.
        """
        if not port.open:
            return 0
        port.rung = False
        now = trio.current_time()
        read, frame, interface = port.link.read, self.core.frame, port.interface
        assert interface is not None
        count = 0
        for _ in self._batch:
            try:
                view = read(now)
            except OSError:
                self._drop(port)
                self.lost.append(port.link.name)
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
        if port.link.deadline < self._timer.deadline:
            self._timer.deadline = port.link.deadline
        return count

    async def _run_timer(self) -> None:
        """Sleep until the earliest deadline, let those whose deadline it is work, and again."""
        while True:
            with trio.CancelScope(deadline=self._earliest()) as self._timer:
                await trio.sleep_forever()
            if self._suspension.boottime() - monotonic() > self._suspension.limit:
                self._resumed()
            now = trio.current_time()
            for port in list(self._ports):
                if port.open and port.link.deadline <= now:
                    port.link.poll(now)
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
        for port in self._ports:
            if port.link.deadline < earliest:
                earliest = port.link.deadline
        return earliest

    def _arm(self) -> None:
        """A deadline moved earlier. One that moved later costs one wake in vain and no work here."""
        earliest = self._earliest()
        if earliest < self._timer.deadline:
            self._timer.deadline = earliest
