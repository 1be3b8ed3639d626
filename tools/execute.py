"""`tapstack exec`: an unmodified Python program whose `trio.run` has a host of ours installed.

The program runs in this process. What it opens through trio, and what it binds before `trio.run`,
is the host's; the kernel's side of the TAP can reach it.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import runpy
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import trio

import stack

from . import kernel, namespace
from .inspector.door import Door
from .lab import second_terminal
from .options import Options
from .output import Failed, log, say
from .up import open_door, serving

MOST_TAPS = 100


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name the program. All words from it on are its own."""
    own = argparse.REMAINDER
    parser.add_argument("-m", dest="module", nargs=own, metavar="MODULE ...", help="a module to run, and its arguments")
    parser.add_argument("script", nargs=own, metavar="SCRIPT ...", help="a file to run, and its arguments")
    parser.set_defaults(tap=None)


def program_of(arguments: argparse.Namespace, words: Sequence[str], fail: Callable[[str], object]) -> list[str]:
    """Return the program's words, unchanged: the last ones of `words`, the command line."""
    own = arguments.module if arguments.module is not None else arguments.script
    program = list(words[len(words) - len(own) :])
    if program[:1] == ["--"]:
        del program[0]
    if not program or (arguments.module is not None and arguments.script):
        fail("run what? name a SCRIPT, or -m MODULE, after the options")
    return program


def main(options: Options, arguments: argparse.Namespace, program: list[str], default_address: bool) -> int:
    """Run the program. It ends as it would without us; without a call of sys.exit the status is 0."""
    say.use(lambda: sys.stderr)  # standard output is the program's
    door = open_door(options)
    if namespace.has_capability(namespace.CAP_NET_ADMIN):
        options = beside_others(options, arguments.tap is None, default_address)
    else:
        namespace.enter()
        log(f"exec: a second terminal enters this network with  {second_terminal(os.getpid())}")
        log.flush()
    doors = [door]  # the page of the first run

    @asynccontextmanager
    async def opened() -> AsyncIterator[stack.Host]:
        async with host_of(options, doors.pop() if doors else None) as host:
            yield host

    with stack.install_in_each_run(opened):
        run(program, is_module=arguments.module is not None)
    return 0


def run(program: list[str], *, is_module: bool) -> None:
    """Run a script or a module as `python` does, with its words as sys.argv. Raises Failed."""
    name = program[0]
    sys.argv[:] = program
    if is_module:
        sys.path.insert(0, os.getcwd())
        if not_there := missing(name):
            raise Failed(f"there is no module {not_there}: is it installed for {sys.executable}?")
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return
    if not os.path.exists(name):
        raise Failed(f"{name}: there is no such file", status=2)
    sys.path.insert(0, str(Path(name).resolve().parent))
    runpy.run_path(name, run_name="__main__")


def missing(module: str) -> str:
    """Return the first part of a module's name that cannot be found, or nothing."""
    from importlib.util import find_spec

    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        name = ".".join(parts[:count])
        try:
            found = find_spec(name)
        except (ImportError, ValueError):
            found = None
        if found is None:
            return name
    return ""


@asynccontextmanager
async def host_of(options: Options, door: Door | None) -> AsyncIterator[stack.Host]:
    """Yield the host once it is ready, and has said so; end it afterwards."""
    is_ready = trio.Event()

    def tell(line: str) -> None:
        log(line)
        if line.startswith("ready: "):
            is_ready.set()

    async with trio.open_nursery() as nursery:
        host: stack.Host = await nursery.start(serving, options, tell, door)
        await is_ready.wait()
        yield host
        nursery.cancel_scope.cancel()


def beside_others(options: Options, any_tap: bool, default_address: bool) -> Options:
    """Return the options with a TAP that no other program has, if none was named, and its network.

    In the shell of a lab tap0 is the lab's. The n-th TAP has the network 10.9.n.0/24, unless an
    address was given. Raises Failed.
    """
    if not any_tap:
        return options
    number = next((number for number in range(MOST_TAPS) if is_free(f"tap{number}")), None)
    if number is None:
        raise Failed("--tap: all are in use: name one")
    options = replace(options, tap=f"tap{number}")
    if not default_address or number == 0 or options.address is None:
        return options
    return replace(
        options,
        address=ipaddress.IPv4Interface(f"10.9.{number}.2/24"),
        host_address=None if options.host_address is None else ipaddress.IPv4Interface(f"10.9.{number}.1/24"),
    )


def is_free(tap: str) -> bool:
    """Whether no program has this TAP open, and the kernel has no address of its network elsewhere."""
    network = ipaddress.IPv4Network(f"10.9.{int(tap[3:])}.0/24")
    if any(known.interface != tap and known.address.network.overlaps(network) for known in kernel.addresses()):
        return False
    return not kernel.is_running(tap)
