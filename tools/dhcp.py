"""`tapstack dhcp`: get a lease from a DHCP server and print it, in the manner of pump(8)."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from datetime import datetime

import trio

import stack

from . import namespace
from .exchange import DhcpNarrator, SilenceNotice, duration
from .options import Options, host_address, seconds
from .output import Failed, log, say
from .up import ENDING, local_time, on_tap

TIMEOUT_S = 60.0
DEFAULT = "0.0.0.0/0"


@dataclasses.dataclass
class Plan:
    """The command line's options for this lease."""

    as_json: bool
    release: bool
    request_address: str | None
    timeout_s: float
    verbose: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only this program has."""
    add = parser.add_argument
    add("--json", action="store_true", help="print the lease as JSON, with all options of the message")
    add("--release", action="store_true", help="give the address back at once (default: keep it until it expires)")
    add("--request-address", type=host_address, metavar="ADDR", help="ask for this address")
    add(
        "--timeout",
        type=timeout,
        default=TIMEOUT_S,
        metavar="S",
        help="how long to wait for a lease, in seconds (default: %(default)g)",
    )
    add("-v", "--verbose", action="store_true", help="print the exchange, message by message, on standard error")


def timeout(text: str) -> float:
    """Parse the time to wait for a lease, in seconds."""
    return seconds(text, "time to wait", 0.1, 86_400)


def main(options: Options, arguments: argparse.Namespace) -> int:
    """Get a lease and print it. Returns 0 when there was one."""
    if not namespace.has_capability(namespace.CAP_NET_ADMIN):
        raise Failed(
            "only root can make a TAP on this machine: start this as root, or in a network namespace of your own"
            " (`unshare --map-root-user --net`) that has its own DHCP server"
        )
    wish = None if arguments.request_address is None else str(arguments.request_address)
    plan = Plan(arguments.json, arguments.release, wish, arguments.timeout, arguments.verbose)
    status: int = trio.run(run, options, plan)
    say.check()
    return status


async def run(options: Options, plan: Plan) -> int:
    """Get a lease and print it; return the exit status. A signal ends it with the same clean-up."""
    status = 0
    with trio.open_signal_receiver(*ENDING) as signals:
        async with trio.open_nursery() as nursery:

            async def end_when_asked() -> None:
                nonlocal status
                status = 128 + await anext(signals)
                nursery.cancel_scope.cancel()

            nursery.start_soon(end_when_asked)
            await get(options, plan)
            nursery.cancel_scope.cancel()
    return status


async def get(options: Options, plan: Plan) -> None:
    """Get a lease and print it. Raises Failed."""
    dhcp = stack.Dhcp(
        wait="bound",
        wait_s=plan.timeout_s,
        request_address=plan.request_address,
        lease_file=options.lease_file,
        release=plan.release,
    )
    waiting = (
        f"tapstack dhcp: no DHCP server has answered on {options.tap} yet: the request is repeated,"
        f" for {plan.timeout_s:g} s in all"
    )
    watcher = DhcpNarrator(log) if plan.verbose else SilenceNotice(log, waiting)
    async with on_tap(options, dhcp, watcher) as (host, tap, _):
        lease = host.lease
        if lease is None:
            raise Failed("the lease was lost as soon as it was given")
        epoch_s = time.time() - trio.current_time()
        for line in [as_json(lease, epoch_s)] if plan.as_json else as_text(lease, tap.name, epoch_s):
            say(line)


def as_text(lease: stack.LeaseRecord, device: str, epoch_s: float) -> list[str]:
    """Return the lease as lines. `epoch_s` is the wall clock minus the host's clock, in seconds."""
    default = [router for to, router in lease.routes if to == DEFAULT and router is not None]
    others = [
        f"{destination} by {router or 'the link'}" for destination, router in lease.routes if destination != DEFAULT
    ]
    rows = [
        ("IP", lease.address),
        ("Netmask", lease.netmask),
        ("Broadcast", lease.broadcast or "none"),
        ("Network", lease.network),
        ("Server", lease.server),
        ("Router", " ".join(default) or "none"),
        ("Routes", ", ".join(others)),
        ("Name servers", " ".join(lease.name_servers) or "none"),
        ("Domain", lease.domain),
        ("Search", " ".join(lease.search)),
        ("Host name", lease.host_name),
        ("Time servers", " ".join(lease.ntp_servers)),
        ("MTU", "" if lease.mtu is None else str(lease.mtu)),
        ("Lease time", duration("for ever" if lease.lease_s is None else lease.lease_s)),
        ("Renewal time", local_time(lease.renew_at, epoch_s)),
        ("Expiration time", local_time(lease.expires_at, epoch_s)),
    ]
    return [f"Device {device}", *(f"    {name}: {value}" for name, value in rows if value)]


def as_json(lease: stack.LeaseRecord, epoch_s: float) -> str:
    """Return all fields of the lease as JSON. Times are local times in the form of ISO 8601."""
    told = dataclasses.asdict(lease)
    for name, value in told.items():
        if name.endswith("_at") and value is not None:
            told[name] = datetime.fromtimestamp(value + epoch_s).astimezone().isoformat(timespec="seconds")
    return json.dumps(told, indent=2)
