"""Makes the protocol code of a host from the arguments of `open_host`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import trio

from stack.config import Config
from stack.host.host import HostCore
from stack.link.device import Link
from stack.sockets import time_of_day
from stack.sockets.arguments import check_config, check_function, check_random
from stack.sockets.dhcp import warn
from stack.sockets.repeat import random_bytes
from stack.sockets.system_memory import default_budget_bytes
from stack.trace.event import Observer, check_observer


def with_memory(config: Config) -> Config:
    """`config` with a memory budget: the default is a share of the machine's memory."""
    if config.host.memory_bytes is not None:
        return config
    return replace(config, host=replace(config.host, memory_bytes=default_budget_bytes()))


def make_core(
    link: Link | None,
    config: Config | None,
    random: Callable[[int], bytes] | None,
    raise_errors: bool,
    report: Callable[[str], None] | None,
    trace: Observer | None,
) -> HostCore:
    """The host behind `open_host`, with the machine's memory and the time of day.

    TypeError for an argument of the wrong type.
    """
    config = Config() if config is None else config
    random = random_bytes(link) if random is None else random
    check_config(config)
    check_random(random)
    if report is not None:
        check_function("report", report, "of one text, such as print")
    core = HostCore(
        with_memory(config),
        random=random,
        clock_ms=time_of_day.milliseconds,
        raise_errors=raise_errors,
        report=report,
        clock=trio.lowlevel.current_clock().current_time,
    )
    if trace is not None:
        check_observer(trace)
        core.watch(trace, report or warn)
    return core
