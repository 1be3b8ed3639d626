"""The host as programs see it: `open_host` and what it gives.

Everything asynchronous is trio's; streams and listeners are trio's own `SocketStream` and `SocketListener` around our
sockets.
"""

from __future__ import annotations

import errno
import os
import socket as stdlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import trio

from stack.config import Config
from stack.host.host import HostCore
from stack.host.lease_record import LeaseRecord
from stack.host.records import ConnectionRecord, InterfaceRecord
from stack.host.trace import GuardedTrace, Trace, check_trace
from stack.internet.echo import EchoFailure, EchoReply, EchoResult
from stack.internet.neighbor import NeighborRecord
from stack.internet.route import RouteRecord
from stack.link.device import Link
from stack.link.memory import check_link
from stack.sockets import suspension, time_of_day
from stack.sockets.arguments import check_config, check_dhcp, check_function, check_random
from stack.sockets.datagram import DatagramSocket
from stack.sockets.dhcp import Dhcp, warn
from stack.sockets.repeat import random_bytes, repeat_order
from stack.sockets.resolver import check_kind, in_thread, installed
from stack.sockets.runner import AddressClaimed, AddressLost, Runner, need_trio
from stack.sockets.serve import serve_listeners
from stack.sockets.stream import StreamSocket
from stack.sockets.system_memory import default_budget_bytes
from stack.sockets.waiter import Waiter
from stack.wire.addresses import Prefix, format_ipv4, parse_ipv4, parse_mac

DHCP = "dhcp"
MISSING = b"-"
ECHO_HEADER_BYTES = 8
LONGEST_ECHO_BYTES = 65535 - 20 - ECHO_HEADER_BYTES


class Host:
    """One Internet host, as long as the `open_host` block it comes from. Not to be made otherwise.

    Addresses are text here: "10.9.0.2", with its prefix length where one is needed: "10.9.0.2/24".
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    # --- interfaces

    def attach(
        self,
        link: Link,
        *,
        addresses: Iterable[str | Prefix] = (),
        gateway: str | None = None,
        acd: str | None = None,
        dhcp: Dhcp | None = None,
    ) -> InterfaceRecord:
        """Open `link` and use it as an interface with these addresses; `gateway` becomes the default route.

        One of the addresses may be "dhcp": then servers are asked for one, as `dhcp` says.

        On Ethernet each address is first probed for, so that no two hosts use it (RFC 5227): that takes 4 to 7 seconds,
        and `wait_ready` waits for it (`open_host` does so itself). With `acd="optimistic"` the address is used
        meanwhile; with "defend" the same, but it is never given up to another host, see `wait_address_claimed`;
        with "off" there is no probing at all. None is what `Config.acd` says. A leased address is never given "defend".

        ValueError for what is no address, TypeError for what is no link (a name, a whole `Ethernet`), OSError when the
        link does not open.
        """
        check_link(link)
        check_dhcp(dhcp)
        wanted = list(addresses)
        if DHCP in wanted:
            dhcp = Dhcp() if dhcp is None else dhcp
            wanted.remove(DHCP)
        elif dhcp is not None:
            raise ValueError("dhcp: goes with the address 'dhcp'")
        prefixes = [address if isinstance(address, Prefix) else Prefix.parse(address) for address in wanted]
        self._runner.attach(link, prefixes, None if gateway is None else parse_ipv4(gateway), acd, dhcp)
        return self.interfaces()[-1]

    async def wait_ready(self, link: Link) -> None:
        """Wait until the addresses given with `attach` may be used, and for what `Dhcp.wait` says.

        OSError EADDRINUSE, naming its station address, when another host has one of them; TimeoutError when no server
        has given one in time.
        """
        attachment = self._runner.attachment(link)
        for address, outcome in list(attachment.outcomes.items()):
            await self._runner.wait_ready(attachment, address, outcome)
        await self._runner.wait_lease(attachment)

    async def add_address(self, link: Link, address: str, *, acd: str | None = None) -> None:
        """Give an attached link one more address ("10.9.0.3/24"); returns when it may be used. `acd` as for `attach`.

        OSError: EADDRINUSE when another host has it, EEXIST when it is ours already. ValueError for what is no address.
        """
        await self._runner.add_address(link, Prefix.parse(address), acd)

    def remove_address(self, link: Link, address: str) -> None:
        """Take an address ("10.9.0.3", or with its prefix) from a link; its connections end with EADDRNOTAVAIL.

        They are reset, and routes by way of its network go. UDP sockets bound to it stay open: receiving goes on
        waiting, and sending raises ENETUNREACH. A leased address is given back to its server, and no other one is asked
        for. OSError EADDRNOTAVAIL when it is not there.
        """
        text = address if "/" not in address else str(Prefix.parse(address)).partition("/")[0]
        self._runner.remove_address(link, parse_ipv4(text))

    async def wait_address_lost(self) -> AddressLost:
        """Wait until another host takes an address of ours: `address`, `interface` and `mac`, as text.

        We defend it once; when the other insists we yield (RFC 5227 section 2.4 b), and its connections have ended with
        EADDRNOTAVAIL by then. Each loss is told once.
        """
        return await self._runner.lost_addresses.wait()

    async def wait_address_claimed(self) -> AddressClaimed:
        """Wait until another host claims an address that we keep (`acd="defend"`): `address`, `interface` and `mac`.

        We answer by an announcement (RFC 5227 section 2.4 c). A claim is answered and told at most once in 10 seconds.
        """
        return await self._runner.claimed_addresses.wait()

    def detach(self, link: Link) -> None:
        """Close `link`; connections that used its addresses end with ENETDOWN. ValueError for a stranger's link."""
        self._runner.detach(link)

    async def wait_link_lost(self) -> str:
        """Wait until a link fails by itself (its TAP was deleted, say), and return its name.

        Connections over it have ended with ENETDOWN by then; the host goes on with its other links.
        """
        return await self._runner.wait_link_lost()

    # --- DHCP

    @property
    def lease(self) -> LeaseRecord | None:
        """What a DHCP server has lent us; None while there is nothing. With several interfaces see `leases`."""
        leases = self.leases()
        return leases[0] if leases else None

    def leases(self) -> list[LeaseRecord]:
        """What DHCP servers have lent us, in the order in which the interfaces were attached."""
        return self._runner.core.leases()

    @property
    def name_servers(self) -> list[str]:
        """The name servers that the leases tell of, the preferred one first."""
        return [format_ipv4(server) for server in self._runner.core.dhcp.name_servers()]

    async def inform(self, link: Link) -> LeaseRecord:
        """Ask DHCP servers what goes with the address that `link` has been given: name servers, and the like.

        That is a DHCPINFORM (RFC 2131 section 4.4.3): `name_servers` has them from then on; the address, its routes and
        the MTU stay as they are. OSError: TimeoutError after a minute without an answer, EADDRNOTAVAIL without an
        address, or when it is taken back (what was told goes with it), ENETDOWN when the link goes, EADDRINUSE while a
        socket of this host has UDP port 68. ValueError on a link with a lease, or none of ours.
        """
        return await self._runner.inform(self._runner.attachment(link))

    def network_changed(self, link: Link) -> None:
        """Tell that `link` may lead to another network now: a cable was moved, say.

        That the machine was suspended is noticed without being told, with the next frame, deadline or call.

        Neighbours are forgotten. Addresses are verified, a leased one with its server (RFC 2131 section 3.7), others by
        probing (RFC 5227 section 2.1): they stay in use until a server denies them or another host has them.
        """
        self._runner.network_changed(self._runner.attachment(link))

    async def wait_lease_change(self, seen: LeaseRecord | None) -> LeaseRecord | None:
        """Wait until `lease` is no longer what was `seen`, and return it: got, extended, or ended (None)."""
        while (lease := self.lease) == seen:
            await self._runner.wait_change()
        await trio.lowlevel.checkpoint()
        return lease

    async def wait_interfaces_change(self, seen: Sequence[InterfaceRecord]) -> list[InterfaceRecord]:
        """Wait until `interfaces()` are no longer what was `seen`, and return them: addresses come and go."""
        while (interfaces := self.interfaces()) == list(seen):
            await self._runner.wait_change()
        await trio.lowlevel.checkpoint()
        return interfaces

    # --- neighbours

    def add_neighbor(self, link: Link, address: str, mac: str) -> None:
        """Say which station a neighbour is; no ARP packet changes that. It is replaced by another call for `address`.

        ValueError for what is no address, or can be no neighbour on this link; OSError EOPNOTSUPP on one without ARP.
        """
        now = self._runner.now()
        self._runner.neighbors(link).set_permanent(parse_ipv4(address), parse_mac(mac), now)
        self._runner.after_call(now)

    def remove_neighbor(self, link: Link, address: str) -> None:
        """Forget what is known of a neighbour, whether it was said or learnt. OSError ENOENT for one nobody knows."""
        if not self._runner.neighbors(link).forget(parse_ipv4(address)):
            raise OSError(errno.ENOENT, f"{address} is no neighbour on {link.name}")

    def add_proxy(self, link: Link, address: str, mac: str | None = None) -> None:
        """Answer ARP requests for an address that is another host's: by our own station address, or by `mac`.

        What is then sent to us for that address is dropped: this host forwards nothing. Errors as for `add_neighbor`.
        """
        self._runner.neighbors(link).publish(parse_ipv4(address), None if mac is None else parse_mac(mac))

    def remove_proxy(self, link: Link, address: str) -> None:
        """Answer for an address no longer. OSError ENOENT where nobody did."""
        proxies = self._runner.neighbors(link).published.proxies
        if proxies.pop(parse_ipv4(address), MISSING) is MISSING:
            raise OSError(errno.ENOENT, f"{address} is not answered for on {link.name}")

    def add_station(self, link: Link, mac: str, address: str) -> None:
        """Tell the station `mac`, when it asks by RARP (RFC 903), that its address is `address`."""
        self._runner.neighbors(link).published.stations[parse_mac(mac)] = parse_ipv4(address)

    def remove_station(self, link: Link, mac: str) -> None:
        """Do not tell a station its address any more. OSError ENOENT for one nobody spoke of."""
        if self._runner.neighbors(link).published.stations.pop(parse_mac(mac), None) is None:
            raise OSError(errno.ENOENT, f"{mac} is no station with an address on {link.name}")

    # --- sockets

    def socket(
        self, family: int = stdlib.AF_INET, type: int = stdlib.SOCK_STREAM, proto: int = 0
    ) -> trio.socket.SocketType:
        """A socket of this host: AF_INET, SOCK_STREAM or SOCK_DGRAM. OSError as socket(2) for others."""
        self._runner.check_thread()
        kind = check_kind(family, type, proto)
        return StreamSocket(self._runner, proto) if kind == stdlib.SOCK_STREAM else DatagramSocket(self._runner, proto)

    def install(self) -> AbstractContextManager[None]:
        """`with host.install():` what `trio.socket` makes in this block, and in tasks begun in it, is this host's.

        That is how libraries that know nothing of this one come to use it. Sockets of other families (AF_UNIX) stay
        the kernel's; IPv6 is refused with EAFNOSUPPORT.
        """
        self._runner.check_thread()
        return installed(self)

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """As `socket.getaddrinfo`, for IPv4 alone: the machine's resolver is asked."""
        if family == stdlib.AF_UNSPEC:
            family = stdlib.AF_INET
        return await in_thread(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `socket.getnameinfo`: the machine's resolver is asked."""
        return await trio.to_thread.run_sync(stdlib.getnameinfo, sockaddr, flags, abandon_on_cancel=True)

    async def open_tcp_stream(
        self, host: str | bytes, port: int, *, local_address: str | None = None
    ) -> trio.SocketStream:
        """As `trio.open_tcp_stream`, from this host."""
        with self.install():
            return await trio.open_tcp_stream(host, port, local_address=local_address)

    async def open_tcp_listeners(
        self, port: int, *, host: str | bytes | None = None, backlog: int | None = None
    ) -> list[trio.SocketListener]:
        """As `trio.open_tcp_listeners`, on this host; without `host`, on all its addresses."""
        with self.install():
            return await trio.open_tcp_listeners(port, host=host, backlog=backlog)

    async def serve_tcp(
        self,
        handler: Callable[[trio.SocketStream], Awaitable[object]],
        port: int,
        *,
        host: str | bytes | None = None,
        backlog: int | None = None,
        handler_nursery: trio.Nursery | None = None,
        task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """As `trio.serve_tcp`, on this host."""
        listeners = await self.open_tcp_listeners(port, host=host, backlog=backlog)
        await self.serve_listeners(handler, listeners, handler_nursery=handler_nursery, task_status=task_status)

    async def serve_listeners(
        self,
        handler: Callable[[trio.SocketStream], Awaitable[object]],
        listeners: list[trio.SocketListener],
        *,
        handler_nursery: trio.Nursery | None = None,
        task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """As `trio.serve_listeners`, for listeners of this host: options set on them are their connections' too."""
        await serve_listeners(handler, listeners, handler_nursery=handler_nursery, task_status=task_status)

    # --- ICMP

    async def ping(
        self,
        destination: str,
        *,
        data: bytes = b"",
        size: int | None = None,
        ttl: int | None = None,
        timeout_s: float | None = None,
    ) -> float:
        """Ask whether `destination` is there; the round-trip time in seconds.

        `data` is what is sent along, made `size` bytes long if that is given. OSError: TimeoutError when no answer came
        within `timeout_s` (default: the configuration's), EHOSTUNREACH, ENETUNREACH and so on when one never will,
        EMSGSIZE for more than 65,507 bytes.
        """
        return (await self.echo(destination, data=data, size=size, ttl=ttl, timeout_s=timeout_s)).rtt_s

    async def echo(
        self,
        destination: str,
        *,
        data: bytes = b"",
        size: int | None = None,
        ttl: int | None = None,
        timeout_s: float | None = None,
    ) -> EchoReply:
        """As `ping`, but give the whole answer: `source` (4 bytes), `sequence`, `rtt_s`, `ttl`, `tos`, `data`."""
        address = await self._look_up(destination)
        if size is not None:
            data = data[:size] if data else bytes(number & 0xFF for number in range(size))
            data = data.ljust(size, b"\0")
        if len(data) > LONGEST_ECHO_BYTES:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        waiter = Waiter()
        results: list[EchoResult] = []

        def on_result(result: EchoResult) -> None:
            results.append(result)
            waiter.wake()

        now = self._runner.now()
        ping = self._runner.core.ping(address, data, now, on_result, ttl=ttl, timeout_s=timeout_s)
        self._runner.after_call(now)
        try:
            if results:
                await trio.lowlevel.checkpoint()
            while not results:
                await waiter.park()
        finally:
            ping.cancel()
        result = results[0]
        if isinstance(result, EchoFailure):
            raise OSError(result.errno, f"{os.strerror(result.errno)}: no echo from {destination}")
        return result

    async def _look_up(self, name: str) -> bytes:
        with self.install():
            found = await trio.socket.getaddrinfo(name, 0, stdlib.AF_INET, stdlib.SOCK_DGRAM)
        return stdlib.inet_pton(stdlib.AF_INET, str(found[0][4][0]))

    # --- looking at it: frozen records, ready for JSON

    def interfaces(self) -> list[InterfaceRecord]:
        """The interfaces, in the order they were attached."""
        return self._runner.core.interfaces()

    def neighbors(self) -> list[NeighborRecord]:
        """What ARP knows."""
        return self._runner.core.neighbors()

    def routes(self) -> list[RouteRecord]:
        """The routing table."""
        return self._runner.core.routes()

    def connections(self) -> list[ConnectionRecord]:
        """Every TCP connection and listener and every UDP socket."""
        return self._runner.core.connections()

    def counters(self) -> dict[str, int]:
        """Every counter by its name."""
        return dict(self._runner.core.counters)


def with_memory(config: Config) -> Config:
    """`config` with a memory budget: by default a share of the machine's memory."""
    if config.host.memory_bytes is not None:
        return config
    return replace(config, host=replace(config.host, memory_bytes=default_budget_bytes()))


def make_core(
    link: Link | None,
    config: Config | None,
    random: Callable[[int], bytes] | None,
    raise_errors: bool,
    report: Callable[[str], None] | None,
    trace: Trace | None,
) -> HostCore:
    """The host behind `open_host`, and what it cannot know by itself: the machine's memory and the time of day.

    TypeError for an argument of another kind.
    """
    config = Config() if config is None else config
    random = random_bytes(link) if random is None else random
    check_config(config)
    check_random(random)
    if report is not None:
        check_function("report", report, "of one text, such as print")
    if trace is not None:
        check_trace(trace)
        trace = trace if raise_errors else GuardedTrace(trace, report or warn)
    return HostCore(
        with_memory(config),
        random=random,
        clock_ms=time_of_day.milliseconds,
        raise_errors=raise_errors,
        report=report,
        trace=trace,
    )


@asynccontextmanager
async def open_host(
    link: Link | None = None,
    *,
    address: str | None = None,
    gateway: str | None = None,
    acd: str | None = None,
    dhcp: Dhcp | None = None,
    config: Config | None = None,
    random: Callable[[int], bytes] | None = None,
    boottime: Callable[[], float] | None = None,
    raise_errors: bool = False,
    report: Callable[[str], None] | None = None,
    trace: Trace | None = None,
) -> AsyncIterator[Host]:
    """Run a host for as long as the block lasts.

    `link` with `address` ("10.9.0.2/24") and perhaps a `gateway` is short for `host.attach(link, addresses=[address],
    gateway=gateway, acd=acd)` and `host.wait_ready(link)`: unless `acd` or `Config.acd` says otherwise, some seconds go
    by in which the address is probed for, and OSError EADDRINUSE tells of another host that has it.

    With `address="dhcp"` a DHCP server gives the address, and routes, MTU and name servers with it; what is waited for,
    and how long, says `dhcp`: by default a lease, or a link-local address where there is none. `host.lease` has it.

    When the block is left, everything of the host's ends: connections are reset, tasks that wait for them are woken
    with an error, the links are closed.

    Its connections may hold an eighth of the machine's memory (or of the control group's limit), unless
    `HostConfig.memory_bytes` gives another number. `config` is a `Config()` where it is not given.

    For tests and tools:

    - `random(n)` gives n bytes that no other host can guess; by default they come from the operating system, or from
      the seed of `link` (`stack.Ethernet(seed=7)`). With `random=random.Random(7).randbytes` the host chooses the same
      sequence numbers, ports and times in every run.
    - `trace` sees every frame and every event: an object with the two methods of `stack.Trace`.
    - `report(text)` is told of a bug in the protocol code, which costs one packet; with `raise_errors` the bug ends
      the program instead.
    - `boottime()` is a clock that goes on while the machine is suspended, in seconds.

    ValueError for no address, TypeError for no link and for another argument of the wrong kind, OSError when the link
    does not open, RuntimeError outside trio.
    """
    need_trio()
    if link is None and (address is not None or gateway is not None):
        raise ValueError("an address or a gateway needs a link to go with")
    core = make_core(link, config, random, raise_errors, report, trace)
    clock = suspension.boottime if boottime is None else boottime
    check_function("boottime", clock, "that returns seconds, such as time.monotonic")
    repeat_order(link)
    async with running(core, clock, report) as host:
        if link is not None:
            addresses = [] if address is None else [address]
            host.attach(link, addresses=addresses, gateway=gateway, acd=acd, dhcp=dhcp)
            await host.wait_ready(link)
        yield host


@asynccontextmanager
async def running(
    core: HostCore, boottime: Callable[[], float], report: Callable[[str], None] | None
) -> AsyncIterator[Host]:
    """Run `core` for as long as the block lasts. An exception of the block comes out as it is."""
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        runner = Runner(core, nursery, core.config.host.batch_frames, boottime)
        try:
            host = Host(runner)
            if report is not None:
                runner.lease_files.report = report
            yield host
        except BaseException as error:
            if nursery.cancel_scope.cancel_called:
                raise  # one of our tasks has failed: both come out, in a group
            failure = error  # the program's own comes out as it is, although we use a nursery
        finally:
            await runner.resolve_servers_before_close()
            runner.close()
    if failure is not None:
        raise failure
