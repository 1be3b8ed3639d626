"""The public `Host`, and `open_host`, which runs one.

Everything asynchronous is trio's. Streams and listeners are trio's own `SocketStream` and
`SocketListener` over our sockets.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import trio

from stack.config import Config, TcpConfig
from stack.errors import error_text, os_error
from stack.host.host import BY_THE_USER, HostCore
from stack.host.lease_record import LeaseRecord
from stack.host.records import ConnectionRecord, InterfaceRecord
from stack.internet.echo import EchoFailure, EchoReply, EchoResult
from stack.internet.fragments import ReassemblyRecord
from stack.internet.neighbor import NeighborRecord
from stack.internet.route import RouteRecord
from stack.link.device import Link
from stack.link.memory import check_link
from stack.sockets import suspension
from stack.sockets.arguments import check_dhcp, check_function, check_tcp_config
from stack.sockets.datagram import DatagramSocket
from stack.sockets.dhcp import Dhcp, warn
from stack.sockets.events import AddressClaimed, AddressLost
from stack.sockets.installation import install_in_run
from stack.sockets.interfaces import Interfaces
from stack.sockets.making import make_core
from stack.sockets.repeat import repeat_order
from stack.sockets.resolver import check_kind, in_thread, installed, ipv4_only
from stack.sockets.runner import Runner, require_trio
from stack.sockets.serve import serve_listeners
from stack.sockets.stream import StreamSocket
from stack.sockets.waiter import Waiter
from stack.trace.event import Observer, check_observer
from stack.wire.addresses import Prefix, format_ipv4, parse_ipv4, parse_mac

DHCP = "dhcp"
MISSING = b"-"
ECHO_HEADER_BYTES = 8
LONGEST_ECHO_BYTES = 65535 - 20 - ECHO_HEADER_BYTES


class Host:
    """One Internet host, for the time of the `open_host` block that made it.

    Addresses are text: "10.9.0.2", with the prefix length where one is needed: "10.9.0.2/24".
    """

    def __init__(self, runner: Runner, interfaces: Interfaces, report: Callable[[str], None]) -> None:
        self._runner = runner
        self._interfaces = interfaces
        self._report = report

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
        """Open `link` and use it as an interface. `gateway` becomes the default route.

        One of the `addresses` may be "dhcp": DHCP servers are then asked for one, by the settings
        in `dhcp`.

        On Ethernet each address is probed first, so that no two hosts use it (RFC 5227). That takes
        4 to 7 seconds, and `wait_ready` waits for it (`open_host` calls it). `acd` changes that;
        the default is `Config.acd`:
        - "optimistic": the address is used while it is probed.
        - "defend": the same, and the address is never given up to another host; see
          `wait_address_claimed`. Not for leased addresses.
        - "off": no probing.

        ValueError for an address that is not valid. TypeError if `link` is not a link: a name, or a
        whole `Ethernet`. OSError if the link does not open.
        """
        check_link(link)
        check_dhcp(dhcp)
        wanted = list(addresses)
        if DHCP in wanted:
            dhcp = Dhcp() if dhcp is None else dhcp
            wanted.remove(DHCP)
        elif dhcp is not None:
            raise ValueError("dhcp= needs 'dhcp' among the addresses")
        prefixes = [address if isinstance(address, Prefix) else Prefix.parse(address) for address in wanted]
        self._interfaces.attach(link, prefixes, None if gateway is None else parse_ipv4(gateway), acd, dhcp)
        return self.interfaces()[-1]

    async def wait_ready(self, link: Link) -> None:
        """Wait until the addresses given to `attach` may be used, and for what `Dhcp.wait` names.

        OSError EADDRINUSE, with the station address, if another host has one of them; TimeoutError
        if no server gives an address in time.
        """
        await self._interfaces.wait_ready(link)

    async def add_address(self, link: Link, address: str, *, acd: str | None = None) -> None:
        """Give an attached link one more address ("10.9.0.3/24"), and wait until it may be used.

        `acd` as for `attach`. OSError: EADDRINUSE if another host has it, EEXIST if it is ours
        already. ValueError for an address that is not valid.
        """
        await self._interfaces.add_address(link, Prefix.parse(address), acd)

    def remove_address(self, link: Link, address: str) -> None:
        """Remove an address ("10.9.0.3", or with its prefix) from a link.

        Connections from it end with EADDRNOTAVAIL and are reset; routes through its network are
        removed. UDP sockets bound to it stay open: receiving goes on waiting, and sending raises
        ENETUNREACH. A leased address is given back to its server, and no new one is asked for.
        OSError EADDRNOTAVAIL if the link does not have it.
        """
        text = address if "/" not in address else str(Prefix.parse(address)).partition("/")[0]
        self._interfaces.remove_address(link, parse_ipv4(text))

    async def wait_address_lost(self) -> AddressLost:
        """Wait until another host takes an address of ours, and return which, as text.

        We defend an address once. If the other host insists, we give the address up (RFC 5227
        section 2.4 b); its connections have ended with EADDRNOTAVAIL by then. Each loss is reported
        once.
        """
        return await self._interfaces.lost_addresses.wait()

    async def wait_address_claimed(self) -> AddressClaimed:
        """Wait until another host claims an address that we keep, and return which, as text.

        That is an address with `acd="defend"`. We answer with an announcement (RFC 5227 section 2.4
        c). Claims are answered and reported at most once in 10 seconds.
        """
        return await self._interfaces.claimed_addresses.wait()

    def detach(self, link: Link) -> None:
        """Close `link`; connections that used its addresses end with ENETDOWN.

        ValueError for a link that is not attached to this host.
        """
        self._interfaces.detach(link)

    async def wait_link_lost(self) -> str:
        """Wait until a link fails (for instance, its TAP was deleted), and return its name.

        Connections over it have ended with ENETDOWN by then. The host goes on with its other links.
        """
        return await self._runner.wait_link_lost()

    # --- DHCP

    @property
    def lease(self) -> LeaseRecord | None:
        """The lease from a DHCP server, or None. With several interfaces see `leases`."""
        leases = self.leases()
        return leases[0] if leases else None

    def leases(self) -> list[LeaseRecord]:
        """The leases from DHCP servers, in the order in which the interfaces were attached."""
        return self._runner.core.leases()

    @property
    def name_servers(self) -> list[str]:
        """The name servers in the leases, the preferred one first."""
        return [format_ipv4(server) for server in self._runner.core.dhcp.name_servers()]

    async def inform(self, link: Link) -> LeaseRecord:
        """Ask DHCP servers for the parameters of the address of `link`, such as name servers.

        It is a DHCPINFORM (RFC 2131 section 4.4.3). Afterwards `name_servers` has the name servers.
        The address, its routes and the MTU do not change. OSError: TimeoutError after a minute
        without an answer; EADDRNOTAVAIL without an address, or if it is removed meanwhile; ENETDOWN
        if the link is detached or fails; EADDRINUSE while a socket of this host has UDP port 68.
        ValueError if the link has a lease, or is not attached to this host. The parameters are
        forgotten when the address is removed.
        """
        return await self._interfaces.dhcp.inform(self._interfaces.attachment(link))

    def network_changed(self, link: Link) -> None:
        """Tell the host that `link` may lead to another network now, as after a cable was moved.

        The host forgets its neighbours and verifies its addresses: a leased one with its server
        (RFC 2131 section 3.7), others by probing (RFC 5227 section 2.1). They stay in use until a
        server refuses them or another host has them. No call is needed after a suspension of the
        machine: the host detects it at the next frame, deadline or call.
        """
        self._interfaces.network_changed(link)

    async def wait_lease_change(self, seen: LeaseRecord | None) -> LeaseRecord | None:
        """Wait until `lease` differs from `seen`: new, extended or ended (None). Return it."""
        while (lease := self.lease) == seen:
            await self._runner.wait_change()
        await trio.lowlevel.checkpoint()
        return lease

    async def wait_interfaces_change(self, seen: Sequence[InterfaceRecord]) -> list[InterfaceRecord]:
        """Wait until `interfaces()` differs from `seen`, in an address for instance. Return it."""
        while (interfaces := self.interfaces()) == list(seen):
            await self._runner.wait_change()
        await trio.lowlevel.checkpoint()
        return interfaces

    # --- routes

    def add_route(
        self, destination: str, *, gateway: str | None = None, link: Link | None = None, metric: int = 0
    ) -> None:
        """Send what is for `destination` ("192.0.2.0/24") to `gateway`, or out of `link` directly.

        Of routes for the same destination the lowest `metric` is used. With neither gateway nor
        link the host's only link is meant. OSError: EEXIST if the route is there, ENETDOWN if the
        host has ended. ValueError for an address that is not valid, or a gateway that is on no
        network of the link (RFC 1122 section 3.3.1.1).
        """
        by = None if gateway is None else parse_ipv4(gateway)
        self._interfaces.add_route(Prefix.parse(destination), link, by, metric)

    def remove_route(self, destination: str, *, gateway: str | None = None, link: Link | None = None) -> None:
        """Remove the routes for a destination, with `gateway` or `link` only those by it.

        OSError ESRCH if there is none.
        """
        by = None if gateway is None else parse_ipv4(gateway)
        self._interfaces.remove_route(Prefix.parse(destination), link, by)

    # --- neighbours

    def add_neighbor(self, link: Link, address: str, mac: str) -> None:
        """Set the station address of a neighbour. No ARP packet changes it; another call does.

        ValueError for an address that is not valid, or that cannot be a neighbour on this link.
        OSError EOPNOTSUPP on a link without ARP.
        """
        now = self._runner.now()
        self._interfaces.neighbors(link).set_permanent(parse_ipv4(address), parse_mac(mac), now)
        self._runner.after_call(now)

    def remove_neighbor(self, link: Link, address: str) -> None:
        """Forget a neighbour's station address, set or learned. OSError ENOENT if it is unknown."""
        if not self._interfaces.neighbors(link).forget(parse_ipv4(address)):
            raise OSError(errno.ENOENT, f"{address} is not a known neighbour on {link.name}")

    def add_proxy(self, link: Link, address: str, mac: str | None = None) -> None:
        """Answer ARP requests for another host's address, by our station address or by `mac`.

        Packets that are then sent to us for that address are dropped: this host does not forward.
        Errors as for `add_neighbor`.
        """
        self._interfaces.neighbors(link).publish(parse_ipv4(address), None if mac is None else parse_mac(mac))

    def remove_proxy(self, link: Link, address: str) -> None:
        """Stop answering for an address. OSError ENOENT if there is no such proxy."""
        proxies = self._interfaces.neighbors(link).published.proxies
        if proxies.pop(parse_ipv4(address), MISSING) is MISSING:
            raise OSError(errno.ENOENT, f"{address} has no proxy on {link.name}")

    def add_station(self, link: Link, mac: str, address: str) -> None:
        """Answer the RARP requests (RFC 903) of the station `mac`: its address is `address`."""
        self._interfaces.neighbors(link).published.stations[parse_mac(mac)] = parse_ipv4(address)

    def remove_station(self, link: Link, mac: str) -> None:
        """Stop answering RARP for a station. OSError ENOENT if it was not added."""
        if self._interfaces.neighbors(link).published.stations.pop(parse_mac(mac), None) is None:
            raise OSError(errno.ENOENT, f"{mac} has no address for RARP on {link.name}")

    # --- sockets

    def socket(
        self, family: int = stdlib.AF_INET, type: int = stdlib.SOCK_STREAM, proto: int = 0
    ) -> trio.socket.SocketType:
        """A socket of this host: AF_INET, SOCK_STREAM or SOCK_DGRAM. OSError as socket(2)."""
        self._runner.check_thread()
        kind = check_kind(family, type, proto)
        return StreamSocket(self._runner, proto) if kind == stdlib.SOCK_STREAM else DatagramSocket(self._runner, proto)

    def install(self) -> AbstractContextManager[None]:
        """`with host.install():` makes programs use this host in the block and in its tasks.

        `trio.socket` then makes its sockets, and so does `socket.socket()`, for code that passes
        them to `trio.socket.from_stdlib_socket`. Sockets of other families (AF_UNIX) remain the
        kernel's. IPv6 is refused with EAFNOSUPPORT, and not found by `getaddrinfo`. Tasks without
        an installed host, worker threads and asyncio have what they had before.
        """
        self._runner.check_thread()
        install_in_run()
        return installed(self)

    def _in_trio(self) -> AbstractContextManager[None]:
        """As `install`, but for `trio.socket` alone."""
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
        """As `socket.getaddrinfo`, for IPv4 only, by the machine's resolver."""
        return await in_thread(host, port, ipv4_only(family), type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        """As `socket.getnameinfo`, by the machine's resolver."""
        return await trio.to_thread.run_sync(stdlib.getnameinfo, sockaddr, flags, abandon_on_cancel=True)

    async def open_tcp_stream(
        self, host: str | bytes, port: int, *, local_address: str | None = None
    ) -> trio.SocketStream:
        """As `trio.open_tcp_stream`, from this host."""
        with self._in_trio():
            return await trio.open_tcp_stream(host, port, local_address=local_address)

    async def open_tcp_listeners(
        self, port: int, *, host: str | bytes | None = None, backlog: int | None = None
    ) -> list[trio.SocketListener]:
        """As `trio.open_tcp_listeners`, on this host; on all its addresses without `host`."""
        with self._in_trio():
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
        """As `trio.serve_listeners`, for listeners of this host."""
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
        """Send an ICMP echo request to `destination`, and return the round-trip time in seconds.

        `data` is the payload, cut or padded to `size` bytes if that is given. OSError:
        TimeoutError without an answer within `timeout_s` (default: the configuration's),
        EHOSTUNREACH, ENETUNREACH and others if the network reports that none will come, EMSGSIZE
        for more than 65,507 bytes.
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
        """As `ping`, but return the answer: `source` (4 bytes), `sequence`, `rtt_s`, `ttl`..."""
        address = await self._look_up(destination)
        if size is not None:
            data = data[:size] if data else bytes(number & 0xFF for number in range(size))
            data = data.ljust(size, b"\0")
        if len(data) > LONGEST_ECHO_BYTES:
            raise os_error(errno.EMSGSIZE)
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
            raise OSError(result.errno, f"{error_text(result.errno)}: no echo from {destination}")
        return result

    async def _look_up(self, name: str) -> bytes:
        with self._in_trio():
            found = await trio.socket.getaddrinfo(name, 0, stdlib.AF_INET, stdlib.SOCK_DGRAM)
        return stdlib.inet_pton(stdlib.AF_INET, str(found[0][4][0]))

    # --- configuration

    @property
    def config(self) -> Config:
        """The configuration; its `tcp` is that of the connections that are opened from now on."""
        return self._runner.core.config

    def configure(self, *, tcp: TcpConfig) -> None:
        """Let connections that are opened from now on have another configuration.

        Connections that are open keep theirs. What one asks for by `setsockopt`, such as buffer
        sizes and keep-alives, a socket takes when it is made, and a listener for all its
        connections. Cookies that answered a SYN or were given for Fast Open are void.

        TypeError if it is no `TcpConfig`. ValueError if `congestion` is not known, or for another
        value of a field that concerns the whole host (`syn_cookie_period_s`, and of Fast Open the
        key period, the table of servers and its waits). OSError ENETDOWN if the host has ended.

        >>> # host.configure(tcp=dataclasses.replace(host.config.tcp, sack=False))
        """
        check_tcp_config(tcp)
        self._runner.core.configure_tcp(tcp, self._runner.now())

    # --- the state of the host: frozen records, ready for JSON

    def interfaces(self) -> list[InterfaceRecord]:
        """The interfaces, in the order in which they were attached."""
        return self._runner.core.interfaces()

    def neighbors(self) -> list[NeighborRecord]:
        """The ARP cache."""
        return self._runner.core.neighbors(trio.current_time())

    def routes(self) -> list[RouteRecord]:
        """The routing table."""
        return self._runner.core.routes()

    def connections(self) -> list[ConnectionRecord]:
        """Every TCP connection and listener and every UDP socket."""
        return self._runner.core.connections()

    def listeners(self) -> list[ConnectionRecord]:
        """Every TCP listener and every UDP socket: `connections` without TCP's connections."""
        return self._runner.core.listeners()

    def reassembly(self) -> list[ReassemblyRecord]:
        """The IPv4 datagrams of which fragments have arrived, but not all, the oldest first."""
        return self._runner.core.reassembly()

    @contextmanager
    def watch(self, observer: Observer, *, values: bool = True) -> Iterator[None]:
        """Tell `observer` what the host does, for the time of the block.

        `observer` is a function of one `stack.Event`. It is called for each frame, decision and
        drop, while the host works on it: it must return soon, and must not wait or call the host.
        `stack.Recorder` is one that keeps the last events. While a host is observed, no frame takes
        a fast path; what it does is the same. Without `values`, new values of variables and timers
        set or cleared (half of the time, for an echo) are told only if another observer wants them.

        If the observer raises, it is not called again. The traceback goes to the host's `report`,
        or becomes a RuntimeWarning if the host has none; with `raise_errors` the exception
        propagates. TypeError for an observer that cannot be called with one event.
        """
        check_observer(observer)
        self._runner.core.watch(observer, self._report, values=values)
        try:
            yield
        finally:
            self._runner.core.unwatch(observer)

    def tell(self, what: str, /, **data: object) -> None:
        """Tell the observers what the program does to the host from outside.

        `what` is "wire" (what the wire does to frames is changed), "setting", "mark" (a moment to
        find again) or "break". The event has the name "lab:wire" and so on, and these `data`, which
        are numbers and text. ValueError for another word. OSError ENETDOWN if the host has ended.
        """
        if what not in BY_THE_USER:
            raise ValueError(f"{what!r} is none of {', '.join(BY_THE_USER)}")
        self._runner.core.tell(what, self._runner.now(), data)

    def counters(self) -> dict[str, int]:
        """Every counter by its name."""
        return dict(self._runner.core.counters)


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
    trace: Observer | None = None,
) -> AsyncIterator[Host]:
    """Run a host for the time of the block.

    `link` with `address` ("10.9.0.2/24"), and perhaps a `gateway`, is short for `host.attach(link,
    addresses=[address], gateway=gateway, acd=acd)` and `host.wait_ready(link)`. Unless `acd` or
    `Config.acd` says otherwise, the address is probed for some seconds first; OSError EADDRINUSE
    means that another host has it.

    With `address="dhcp"` a DHCP server gives the address, and with it routes, MTU and name servers.
    `dhcp` says what to wait for, and how long: by default a lease, or a link-local address if no
    server answers. `host.lease` has the lease.

    At the end of the block the host ends: connections are reset, tasks that wait for them get an
    error, the links are closed.

    Its connections may hold an eighth of the machine's memory (or of the control group's limit),
    unless `HostConfig.memory_bytes` gives another number. The default of `config` is `Config()`.

    For tests and tools:

    - `random(n)` returns n bytes that no other host can guess. By default they come from the
      operating system, or from the seed of `link` (`stack.Ethernet(seed=7)`). With
      `random=random.Random(7).randbytes` the host chooses the same sequence numbers, ports and
      times in every run.
    - `trace` observes the host from its first frame on: see `Host.watch`.
    - `report(text)` is called for a bug in the protocol code, which costs one packet. With
      `raise_errors` the bug ends the program instead.
    - `boottime()` is a clock, in seconds, that runs while the machine is suspended.

    ValueError for an address that is not valid, TypeError for an argument of the wrong type,
    OSError if the link does not open, RuntimeError outside of trio.
    """
    require_trio()
    if link is None and (address is not None or gateway is not None):
        raise ValueError("address= and gateway= need a link")
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
    """Run `core` for the time of the block. An exception of the block is raised unchanged."""
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        runner = Runner(core, nursery, core.config.host.batch_frames, boottime)
        interfaces = Interfaces(runner)
        try:
            if report is not None:
                interfaces.dhcp.files.report = report
            yield Host(runner, interfaces, report or warn)
        except BaseException as error:
            if nursery.cancel_scope.cancel_called:
                raise  # one of our tasks has failed: both exceptions are raised, in a group
            failure = error  # an exception of the block: raised below, without the nursery's group
        finally:
            await interfaces.dhcp.resolve_servers_before_close()
            runner.close()
            interfaces.close()
    if failure is not None:
        raise failure
