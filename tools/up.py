"""`tapstack up`: a host on a TAP with its services, until SIGINT or SIGTERM."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import trio

import stack

from . import bad_wire, broken, kernel, rights, services
from .habits import Habits
from .inspector.door import Door
from .inspector.page_files import read_all
from .options import Options
from .output import Failed, log, named_signals, report, say
from .trace import TracePrinter

if TYPE_CHECKING:
    from .inspector.run_report import RunReport

WAITING_S = 5.0  # between two lines that say that the host has no address yet
NODE = "/dev/net/tun"
PAGE_EVENTS = 2000  # kept for the page of http
PAGE_EVENT_BYTES = 2 << 20
ENDING = named_signals("SIGINT SIGTERM SIGHUP")


def main(options: Options) -> int:
    """Run until a signal ends the program. Returns the exit status."""
    door = open_door(options)
    trio.run(until_signal, options, door)
    say.check()
    return 0


def open_door(options: Options) -> Door | None:
    """Open the socket of `--inspect`, if it is asked for, and read the files of the page. Raises Failed."""
    if options.inspect is None:
        return None
    read_all()  # with the rights that the program has now
    return Door(options.inspect)


async def until_signal(options: Options, door: Door | None) -> None:
    """Serve until a signal of `ENDING`."""
    with trio.open_signal_receiver(*ENDING) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serving, options, say, door)
            await anext(signals)
            nursery.cancel_scope.cancel()


async def serving(
    options: Options,
    ready: Callable[[str], None],
    door: Door | None = None,
    task_status: trio.TaskStatus[stack.Host] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the host and its services until cancelled; call `ready` with one line when they answer.

    With a `door`, the page of `--inspect` is served there from the beginning.

    The task counts as started then. With DHCP it counts as started earlier, before the host has an
    address.
    """
    dhcp = stack.Dhcp(wait="nothing", lease_file=options.lease_file) if options.address is None else None
    # To watch a host costs its fast paths, so the page shows events only of a host that is watched anyway.
    files = options.trace_file, options.pcap, options.report
    watched = options.trace or any(file is not None for file in files)
    events = stack.Recorder(PAGE_EVENTS, PAGE_EVENT_BYTES) if watched and options.status else None
    recorder = None if door is None else stack.Recorder()
    events = events if recorder is None else recorder
    habits = None if door is None else Habits()
    async with (
        outliving() as (outer, ended),
        on_tap(options, dhcp, events) as (host, tap, wire),
        trio.open_nursery() as nursery,
    ):
        if door is not None and recorder is not None and habits is not None:
            await start_page(host, wire, door, recorder, outer, ended, habits)
            ready(f"inspect: {door.url}")
        for fault in broken.faults():
            host.tell("break", clause=fault.clause, text=broken.notice())
        nursery.start_soon(fail_on_link_lost, host)
        nursery.start_soon(fail_on_address_lost, host)
        nursery.start_soon(print_conflicts, host)
        ports = {name: port for name, port in options.services.items() if name != "http"}
        await services.serve(host, ports, nursery, habits)
        if "http" in options.services:
            await start_http(host, options, nursery, events if options.status else None, habits)
        if dhcp is not None:
            task_status.started(host)
            task_status = trio.TASK_STATUS_IGNORED
            async with trio.open_nursery() as waiting:
                waiting.start_soon(print_waiting, tap.name)
                await first_address(host)
                waiting.cancel_scope.cancel()
        mac = tap.mac.hex(":") if tap.mac else "no MAC"
        impaired = "" if options.impair is None else f", impaired {options.impair.text}"
        own = address(host)
        note = without_server(own) if dhcp is not None else ""
        wrong = broken.red(f"; {broken.notice(sentence=False)}") if broken.faults() else ""
        ready(f"ready: {own} on {tap.name} ({mac}), offload {offload_name(tap)}{impaired}{note}{wrong}")
        task_status.started(host)
        if dhcp is not None:
            nursery.start_soon(print_leases, host)
            nursery.start_soon(print_addresses, host)


def address(host: stack.Host) -> str:
    """Return the host's address, a link-local one only without another; "no address" without any."""
    own = [text.partition("/")[0] for interface in host.interfaces() for text in interface.addresses]
    return min(own, key=lambda text: text.startswith("169.254."), default="no address")


def without_server(address: str) -> str:
    """Return the note for the ready line if the address is link-local: no server has given one."""
    return "; link-local (RFC 3927): no DHCP server has given an address" if address.startswith("169.254.") else ""


async def print_waiting(tap: str) -> None:
    """Print every few seconds that the host has no address yet, and since when."""
    since, began = trio.current_time(), time.strftime("%H:%M:%S")
    while True:
        await trio.sleep(WAITING_S)
        waited_s = trio.current_time() - since
        say(f"waiting: {tap} has had no address since {began}, {waited_s:.0f} s: asking for one by DHCP")


async def first_address(host: stack.Host) -> None:
    """Wait until the host has an address."""
    interfaces = host.interfaces()
    while not any(interface.addresses for interface in interfaces):
        interfaces = await host.wait_interfaces_change(interfaces)


async def print_leases(host: stack.Host) -> None:
    """Print each change of the lease."""
    lease = host.lease
    while True:
        if lease is not None:
            until = local_time(lease.expires_at, time.time() - trio.current_time())
            say(f"lease: {lease.address}/{lease.prefix_length} from {lease.server}, until {until}")
        lease = await host.wait_lease_change(lease)
        if lease is None:
            say("lease: it has ended; asking for another")


async def print_addresses(host: stack.Host) -> None:
    """Print the host's address each time it changes."""
    told = address(host)
    interfaces = host.interfaces()
    while True:
        interfaces = await host.wait_interfaces_change(interfaces)
        if address(host) != told:
            told = address(host)
            say(f"address: {told}{without_server(told)}")


def local_time(at: float | None, epoch_s: float) -> str:
    """Format a time of the host's clock as local time, "Thu Feb  1 10:17:57 2001".

    `epoch_s` is the wall clock minus the host's clock, in seconds.
    """
    return "never" if at is None else time.ctime(at + epoch_s)


async def fail_on_link_lost(host: stack.Host) -> None:
    """Wait until the TAP is deleted. Raises Failed."""
    raise Failed(f"{await host.wait_link_lost()} is gone: it was deleted")


async def fail_on_address_lost(host: stack.Host) -> None:
    """Wait until another host takes the address, which ends this program. Raises Failed."""
    lost = await host.wait_address_lost()
    raise Failed(f"{lost.address} is in use by another host, {lost.mac} on {lost.interface}: this host gives it up")


async def print_conflicts(host: stack.Host) -> None:
    """Print which station claims the address that is kept (`--acd defend`), at most once in 10 s.

    RFC 5227 section 2.4 (c).
    """
    while True:
        claimed = await host.wait_address_claimed()
        say(f"conflict: {claimed.mac} on {claimed.interface} claims {claimed.address}, which this host keeps")


@asynccontextmanager
async def outliving() -> AsyncIterator[tuple[trio.Nursery, trio.Event]]:
    """Yield a nursery and an event, for what outlives the host: the event is set when the block has ended.

    The page is told so of the last events of the host, such as the resets that it sends.
    """
    ended = trio.Event()
    async with trio.open_nursery() as nursery:
        try:
            yield nursery, ended
        finally:
            ended.set()
            nursery.cancel_scope.cancel()


async def start_page(
    host: stack.Host,
    wire: stack.Impaired | None,
    door: Door,
    recorder: stack.Recorder,
    nursery: trio.Nursery,
    ended: trio.Event,
    habits: Habits,
) -> None:
    """Start the page of `--inspect`."""
    from .inspector.inspector import Inspector
    from .inspector.parts import add_parts
    from .inspector.server import serve

    inspector = Inspector(host, recorder, epoch_s=time.time() - trio.current_time(), wire=wire)
    inspector.ended = ended
    add_parts(inspector, habits)
    await nursery.start(serve, inspector, door.socket, door.token)


async def start_http(
    host: stack.Host, options: Options, nursery: trio.Nursery, events: stack.Recorder | None, habits: Habits | None
) -> None:
    """Start http, or print that h11 is missing."""
    if find_spec("h11") is None:
        log("tapstack: http is not served, because it needs h11: pip install 'tapstack[tools]'")
        return
    from . import httpd

    handler = httpd.handler(host, options.http_root, status=options.status, events=events)
    handler = handler if habits is None else habits.with_streams(handler)
    await services.serve_tcp(host, services.guarded("http", handler), options.services["http"], nursery)


def offload_name(tap: stack.Tap) -> str:
    """Return the work that is left to the kernel, "checksum+TSO4+USO4" if it is all, or "none".

    "software": large segments are cut just before the TAP.
    """
    offload = tap.offload
    segments = "software" if offload.software else "TSO4"
    parts = [(offload.checksum, "checksum"), (offload.gso_max_bytes, segments), (offload.uso, "USO4")]
    return "+".join(name for there, name in parts if there) or "none"


@asynccontextmanager
async def on_tap(
    options: Options, dhcp: stack.Dhcp | None = None, watcher: stack.Observer | None = None
) -> AsyncIterator[tuple[stack.Host, stack.Tap, stack.Impaired | None]]:
    """Run a host on the TAP, and set up the kernel's side of it: host, TAP, bad wire. Raises Failed.

    `dhcp` configures the DHCP client when the address comes from a server; `watcher` gets the
    events of the host, as do `--trace`, `--trace=FILE`, `--report` and `--pcap`.
    """
    check_addresses(options)
    epoch_s = time.time() - trio.current_time()
    tap = tap_of(options)
    wire = wrapped(tap, options)
    capture = None
    if options.pcap is not None:
        capture = stack.Capture(wire or tap, options.pcap, epoch_s=epoch_s, clock=trio.current_time)
    link = capture or wire or tap
    gateway = None if options.gateway is None else str(options.gateway)
    trace = TracePrinter(say, offload=options.offload is not False) if options.trace else None
    trace_file: stack.TraceFile | None = None
    running, run_report = False, None
    watching = ExitStack()  # ends when the host has ended, so that its end is told, too
    try:
        if options.trace_file is not None:
            trace_file = watching.enter_context(stack.TraceFile(options.trace_file, epoch_s=epoch_s))
        if (run_report := open_report(options, epoch_s)) is not None:
            watching.enter_context(run_report)
        config = stack.Config(host=stack.HostConfig(fast_paths=options.fast))
        async with stack.open_host(config=config, report=report) as host:
            for observer in (trace, watcher, trace_file, run_report, None if capture is None else capture.explain):
                if observer is not None:
                    watching.enter_context(host.watch(observer, values=observer is not trace))  # `--trace` prints none
            # Each thread has its own rights, so no other thread may exist when they are given up.
            with say.threadless(), log.threadless():
                host.attach(
                    link,
                    addresses=["dhcp" if options.address is None else str(options.address)],
                    gateway=gateway,
                    acd=None if options.address is None else options.acd,
                    dhcp=dhcp or default_dhcp(options),
                )
                if trace is not None:
                    trace.mtu = link.mtu
                give_up_rights(options)  # nothing has been awaited: no frame was read before
            await host.wait_ready(link)
            for option, file in (("--pcap", capture), ("--trace", trace_file)):
                if file is not None and file.error:
                    raise Failed(f"{option}: {file.error}")
            running = True
            yield host, tap, wire
    except OSError as error:
        if running:
            raise
        raise Failed(culprit(options, error) + why_not(error)) from None
    finally:
        watching.close()
        for early_end in [file.error for file in (capture, trace_file, run_report) if running and file is not None]:
            if early_end:
                report(early_end)
        if running and wire is not None and options.impair is not None:
            say(bad_wire.summary(wire))


def tap_of(options: Options) -> stack.Tap:
    """Return the TAP of the options."""
    kernels = None if options.host_address is None else str(options.host_address)
    return stack.Tap(options.tap, mtu=options.mtu, mac=options.mac, offload=options.offload, host_address=kernels)


def wrapped(tap: stack.Tap, options: Options) -> stack.Impaired | None:
    """Return a bad wire around the TAP: with `--impair`, or if the page of `--inspect` may make it one."""
    if options.impair is not None:
        return options.impair.wrap(tap)
    return None if options.inspect is None else stack.Impaired(tap)


def open_report(options: Options, epoch_s: float) -> RunReport | None:
    """Open the file of `--report`, if it is asked for. OSError."""
    if options.report is None:
        return None
    from .inspector.run_report import RunReport

    name = options.tap if options.address is None else str(options.address.ip)
    return RunReport(options.report, name=name, epoch_s=epoch_s, payload=options.payload)


def default_dhcp(options: Options) -> stack.Dhcp | None:
    """Return how to get an address if a server is to give it."""
    return stack.Dhcp(lease_file=options.lease_file) if options.address is None else None


def culprit(options: Options, error: OSError) -> str:
    """Return the option that named the file of this error: "--pcap: ", or nothing."""
    for option, path in (("--pcap", options.pcap), ("--trace", options.trace_file), ("--report", options.report)):
        if path is not None and os.fspath(path) == error.filename:
            return f"{option}: "
    return ""


def give_up_rights(options: Options) -> None:
    """Become `--user` if this is root, once all that needs root's rights is open. Raises Failed."""
    try:
        user = rights.give_up(options.user)
    except OSError as error:
        raise Failed(f"--user: {error.strerror or error}") from None
    root = options.http_root
    if user is not None and root is not None and not os.access(root, os.R_OK | os.X_OK):
        raise Failed(
            f"--http-root: {root} may not be read by {user.name}, the user that this program becomes:"
            " name another user with --user, or let this one read the folder and those above it"
        )


def check_addresses(options: Options) -> None:
    """Refuse an address or a network that this machine has on another interface. Raises Failed."""
    own = options.address
    if own is None:
        return
    here = (options.tap, kernel.master(options.tap))  # a TAP on a bridge is to be in the bridge's network
    for known in kernel.addresses():
        if known.address.ip == own.ip:
            raise Failed(f"--address: {own.ip} belongs to this machine, on {known.interface}: choose another")
        if known.interface not in here and known.address.network.overlaps(own.network):
            raise Failed(
                f"--address: {own.network} overlaps the network of {known.interface} ({known.address}):"
                " choose another with --address and --host-address"
            )


def why_not(error: OSError) -> str:
    """Return the error's text, or a better one where the program knows the remedy."""
    if error.filename is None and error.errno in (errno.EPERM, errno.EACCES) and not os.access(NODE, os.R_OK | os.W_OK):
        return (
            f"{NODE} may not be opened by you: start this as root, or have root run `chmod 0666 {NODE}`"
            " (usual and safe: making an interface with it takes further privilege)"
        )
    return error.strerror or str(error)
