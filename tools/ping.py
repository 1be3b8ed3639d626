"""`tapstack ping`: ICMP echo requests from a host of our own, in the manner of ping(8)."""

from __future__ import annotations

import argparse
import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

import stack

from . import namespace
from .options import Options, host_address, seconds
from .output import say
from .parser import whole_number
from .up import ENDING, address, on_tap

LARGEST_BYTES = 65507  # 65,535 less the headers of IP and ICMP
ANSWER_S = 10.0  # how long to wait for an answer


@dataclass
class Plan:
    """What to send: `count` requests (None: until interrupted), one every `interval_s` seconds.

    Each has `size` bytes of data.
    """

    target: str
    count: int | None
    interval_s: float
    size: int


@dataclass
class Tally:
    """The requests sent and the round-trip times of the answers, in seconds."""

    sent: int = 0
    times_s: list[float] = field(default_factory=list)

    def lines(self, target: str, elapsed_s: float) -> list[str]:
        """Return the two or three lines of statistics for the end."""
        received = len(self.times_s)
        loss = 100 * (self.sent - received) / self.sent if self.sent else 0
        counts = f"{self.sent} packets transmitted, {received} received, {loss:.4g}% packet loss"
        lines = [f"--- {target} ping statistics ---", f"{counts}, time {1000 * elapsed_s:.0f}ms"]
        if received:
            mean = sum(self.times_s) / received
            deviation = math.sqrt(sum((time - mean) ** 2 for time in self.times_s) / received)
            parts = (min(self.times_s), mean, max(self.times_s), deviation)
            lines.append("rtt min/avg/max/mdev = " + "/".join(f"{1000 * part:.3f}" for part in parts) + " ms")
        return lines


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the target and the options that ping(8) has, too."""
    add = parser.add_argument
    add("target", type=host_address, metavar="ADDRESS", help="the address to ping")
    add("-c", dest="count", type=count, metavar="N", help="how many to send (default: until interrupted)")
    add("-i", dest="interval", type=interval, default=1.0, metavar="S", help="seconds between them (default: 1)")
    add("-s", dest="size", type=size, default=56, metavar="SIZE", help="bytes of data in each (default: 56)")


def count(text: str) -> int:
    """Parse the number of requests to send."""
    return whole_number(text, "count", 1, 999_999_999)


def size(text: str) -> int:
    """Parse the number of bytes that each request carries."""
    return whole_number(text, "size", 0, LARGEST_BYTES)


def interval(text: str) -> float:
    """Parse the seconds from one request to the next."""
    return seconds(text, "interval", 0.001, 3600)


def main(options: Options, arguments: argparse.Namespace) -> int:
    """Ping until done or interrupted. Returns 0 when there was an answer, otherwise 1."""
    if not namespace.has_capability(namespace.CAP_NET_ADMIN):
        namespace.enter()
    plan = Plan(str(arguments.target), arguments.count, arguments.interval, arguments.size)
    tally: Tally = trio.run(run, options, plan)
    say.check()
    return 0 if tally.times_s else 1


async def run(options: Options, plan: Plan) -> Tally:
    """Open the host and ping from it."""
    tally = Tally()
    with trio.open_signal_receiver(*ENDING) as signals:
        async with on_tap(options) as (host, _, _), trio.open_nursery() as nursery:

            async def end_when_asked() -> None:
                await anext(signals)
                nursery.cancel_scope.cancel()

            nursery.start_soon(end_when_asked)
            say(f"PING {plan.target} from {address(host)}: {plan.size} data bytes")
            started = trio.current_time()
            try:
                await send(host, plan, tally, say)
            finally:
                for line in tally.lines(plan.target, trio.current_time() - started):
                    say(line)
            nursery.cancel_scope.cancel()
    return tally


async def send(host: stack.Host, plan: Plan, tally: Tally, say: Callable[[str], None]) -> None:
    """Send each request at its time, even if earlier ones have no answer yet."""
    async with trio.open_nursery() as nursery:
        due = trio.current_time()
        while plan.count is None or tally.sent < plan.count:
            tally.sent += 1
            nursery.start_soon(ask, host, plan, tally.sent, tally, say)
            due += plan.interval_s
            if tally.sent != plan.count:
                await trio.sleep_until(due)


async def ask(host: stack.Host, plan: Plan, number: int, tally: Tally, say: Callable[[str], None]) -> None:
    """Send one request and print the answer. A missing answer shows only in the statistics."""
    try:
        reply = await host.echo(plan.target, size=plan.size, timeout_s=ANSWER_S)
    except TimeoutError:
        return
    except OSError as error:
        say(f"icmp_seq={number}: {error.strerror or error}")
        return
    tally.times_s.append(reply.rtt_s)
    source = ipaddress.IPv4Address(reply.source)
    time_ms = digits(1000 * reply.rtt_s)
    say(f"{len(reply.data) + 8} bytes from {source}: icmp_seq={number} ttl={reply.ttl} time={time_ms} ms")


def digits(time_ms: float) -> str:
    """Format a time in milliseconds as ping(8) does: three digits, at most three decimals."""
    return f"{time_ms:.{3 if time_ms < 1 else 2 if time_ms < 10 else 1 if time_ms < 100 else 0}f}"
