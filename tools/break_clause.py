"""`tapstack break CLAUSE -- PROGRAM ...`: another program of ours, with one clause of an RFC taken out.

The clause is broken in this process before the module that keeps it is imported: see broken.py.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from . import broken
from .lessons import breaks
from .output import Failed, log
from .printer import printing, wrapped

PROGRAMS = ("lab", "up", "ping", "dhcp", "drill")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tapstack break`."""
    parser.add_argument("clause", nargs="?", metavar="CLAUSE", help='such as "9293 MUST-2"; without it all are listed')
    parser.add_argument("--really", action="store_true", help="break it even for `up` as root, in a real network")


def main(arguments: argparse.Namespace, command: Sequence[str], run: Callable[[Sequence[str]], int]) -> int:
    """List the clauses, or break one and run a program. Raises Failed."""
    if arguments.clause is None:
        if command:
            raise Failed("which clause? `tapstack break` lists them", 2)
        return list_all()
    fault = breaks.find(arguments.clause)
    if not command or command[0] not in PROGRAMS:
        raise Failed(f"run what? tapstack break {arguments.clause!r} -- lab (or {', '.join(PROGRAMS[1:])})", 2)
    if command[0] == "up" and os.geteuid() == 0 and not arguments.really:
        raise Failed(
            "a host that is broken on purpose does not belong in a real network: use `lab`, or say --really", 2
        )
    broken.install(fault)
    log(broken.red(broken.notice()))
    return run(command)


def list_all() -> int:
    """Print the clauses that can be broken, each with what is to be seen without it."""
    from .explain import columns

    width = columns()
    with printing() as printer:
        for fault in breaks.shipped():
            for line in wrapped(fault.sentence, width, f"{fault.clause:<18}"):
                printer(line)
        if more := {fault.clause for fault in breaks.kept()} - {fault.clause for fault in breaks.shipped()}:
            for line in wrapped(
                f"and, since this is a checkout, {len(more)} more: tests/requirements/mutants.toml", width
            ):
                printer(line)
    return 0
