"""The command `tapstack`: reads the arguments and starts one of the programs of this folder.

Only the program that is asked for is imported. Those that run no host start in a fraction of the
time, and need neither trio nor Linux.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

from .output import Failed, flush_all, log
from .parser import Parser

DESCRIPTION = "An Internet host in one Python process, on a Linux TAP."
PROGRAMS: dict[str, dict[str, Any]] = {
    "up": {"help": "run a host and its services until interrupted"},
    "lab": {
        "help": "the same in a network namespace of its own, without root; runs a command on the kernel's side",
        "usage": "%(prog)s [options] [-- COMMAND ...]",
        "epilog": "COMMAND (default: your shell) runs on the kernel's side of the TAP; its exit status is the lab's.",
    },
    "exec": {
        "help": "run a Python program, as it is, with a host under its trio.run",
        "usage": "%(prog)s [options] (SCRIPT | -m MODULE) [ARGUMENT ...]",
        "epilog": "What the program opens through trio is the host's, and so is what it binds before trio.run."
        " Worker threads, processes that it starts, asyncio and C extensions with sockets of their own have the"
        " kernel's.",
    },
    "enter": {
        "help": "run a command in a running lab, for a second terminal",
        "usage": "%(prog)s PID [-- COMMAND ...]",
        "epilog": "COMMAND (default: your shell) runs on the kernel's side of the TAP, as the lab's own does.",
    },
    "ping": {"help": "send ICMP echo requests from a host of our own"},
    "dhcp": {"help": "get a lease from a DHCP server and print it"},
    "drill": {"help": "run packet scripts against a host in memory, in virtual time"},
    "explain": {
        "help": "explain a capture file: the connections as ladders, every field of a frame, or all as JSON",
        "epilog": "JSON is written as JSON Lines: frames, then connections, each with its segments.",
    },
    "lesson": {"help": "learn how the protocols work: lessons that ask before they show, on a stack that runs"},
    "break": {
        "help": "run another program with one clause of an RFC taken out, to see what it is for; list such clauses",
        "usage": "%(prog)s [CLAUSE -- PROGRAM ...]",
    },
    "ipcalc": {"help": "explain an IPv4 address and its network: class, mask, range of hosts, bits"},
    "number": {"help": "look up assigned numbers, by number or by name: ports, protocols, types, options"},
}
"""What `--help` says of each program."""
WITH_A_HOST = ("up", "lab", "exec", "ping", "dhcp")
MODULES = {
    "drill": ".drill.program",
    "enter": ".enter",
    "explain": ".explain",
    "lesson": ".lessons.program",
    "break": ".break_clause",
    "ipcalc": ".ipcalc",
    "number": ".number",
}
"""Where the programs without a host of their own are."""
ON_A_TAP = ("up", "lab", "exec", "enter", "ping", "dhcp")  # programs that need Linux


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's own) and return its exit status."""
    have_standard_descriptors()
    words = list(sys.argv[1:] if argv is None else argv)
    command: list[str] = []
    if words[:1] in (["lab"], ["enter"], ["break"]) and "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1 :]
    parser, parsers = make_parser(words[0] if words else None)
    if words[:1] == ["up"] and "--" in words:
        parsers["up"].error("`up` takes no COMMAND; `.venv/bin/tapstack lab -- CMD` does")
    arguments, unknown = parser.parse_known_args(with_trace_alone(words))
    program = arguments.program
    if unknown:
        parsers[program].refuse_unknown(unknown)
    if program in ON_A_TAP and sys.platform != "linux":
        return reported(program, without_tap)
    if program in WITH_A_HOST:
        return run_host(arguments, parsers[program], words, command)
    if program == "drill":
        from .drill import program as drill

        return reported(program, lambda: drill.main(arguments))
    if program == "enter":
        from . import enter

        return reported(program, lambda: enter.main(arguments.lab, command))
    if program == "break":
        from . import break_clause

        return reported(program, lambda: break_clause.main(arguments, command, main))
    module = import_module(MODULES[program], __package__)
    return reported(program, lambda: int(module.main(arguments)))


def without_tap() -> NoReturn:
    """Say which programs need no TAP. Raises Failed."""
    others = ", ".join(name for name in PROGRAMS if name not in ON_A_TAP)
    raise Failed(f"it needs a TAP, which only Linux has; here you can use {others}, and the library's stack.Ethernet")


def have_standard_descriptors() -> None:
    """Open the null device in the place of each of the first three descriptors that is closed.

    Otherwise the next file to be opened, for example a capture, would get descriptor 2, and
    messages for standard error would be written into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def run_host(arguments: argparse.Namespace, parser: Parser, words: Sequence[str], command: Sequence[str]) -> int:
    """Run a program that has a host, and return its exit status."""
    from . import dhcp, lab, options, ping, up

    if arguments.program == "exec":
        return run_program(arguments, parser, words)
    chosen = options.from_arguments(arguments, parser)
    programs: dict[str, Callable[[], int]] = {
        "up": lambda: up.main(chosen),
        "lab": lambda: lab.main(chosen, command),
        "ping": lambda: ping.main(chosen, arguments),
        "dhcp": lambda: dhcp.main(chosen, arguments),
    }
    return reported(arguments.program, programs[arguments.program])


def run_program(arguments: argparse.Namespace, parser: Parser, words: Sequence[str]) -> int:
    """Run `tapstack exec`, and return its exit status."""
    from . import execute, options

    program = execute.program_of(arguments, words, parser.error)
    default_address = arguments.address is parser.get_default("address")
    any_tap = arguments.tap is None
    arguments.tap = arguments.tap or "tap0"
    chosen = options.from_arguments(arguments, parser)
    if any_tap:
        arguments.tap = None
    return reported("exec", lambda: execute.main(chosen, arguments, program, default_address))


def with_trace_alone(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with `--trace`, or a shorter form of it, as `--trace=-`.

    argparse would take the next word as its FILE: `tapstack ping --trace 10.9.0.1`.
    """
    return ["--trace=-" if word.startswith("--tr") and "--trace".startswith(word) else word for word in words]


def reported(program: str, main: Callable[[], int]) -> int:
    """Return the exit status of a program. A failure that concerns the user is printed in one line.

    An interruption is quiet, also in the groups that trio's nurseries make of it. `exec` runs the
    program of another, which says itself how it ends.
    """
    failure: Failed | None = None
    try:
        return main()
    except KeyboardInterrupt:
        return 130
    except (Failed, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and error.split(KeyboardInterrupt)[1] is None and program != "exec":
            return 130
        failure = first_failure(error)
        if failure is None:
            raise
    finally:
        if failure is not None:
            log(f"tapstack {program}: {failure}")
        flush_all()
    return failure.status


def first_failure(error: BaseException) -> Failed | None:
    """Return the first `Failed` in `error`; None if another exception is in it, which is a bug."""
    if isinstance(error, BaseExceptionGroup):
        failures, rest = error.split(Failed)
        if failures is None or rest is not None:
            return None
        return first_failure(failures.exceptions[0])
    return error if isinstance(error, Failed) else None


def make_parser(only: str | None = None) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the command and, by name, the parsers of its programs.

    If `only` is a program, the others are not imported, and their parsers take no options.
    """
    parser = Parser(prog="tapstack", description=DESCRIPTION)
    parser.add_argument("--version", action=Version, nargs=0, help="show the version and exit")
    programs = parser.add_subparsers(dest="program", required=True, metavar="PROGRAM")
    parsers = {name: programs.add_parser(name, **words) for name, words in PROGRAMS.items()}
    for name, its_parser in parsers.items():
        if name == only or only not in parsers:
            add_options(name, its_parser)
    return parser, parsers


def add_options(name: str, parser: Parser) -> None:
    """Give a program's parser its arguments."""
    if name in WITH_A_HOST:
        add_host_options(name, parser)
    elif name in MODULES:
        import_module(MODULES[name], __package__).add_options(parser)


def add_host_options(name: str, parser: Parser) -> None:
    """Give the parser of a program that has a host its arguments."""
    from . import dhcp, options, ping

    if name != "dhcp":
        options.add_address_options(parser)
    options.add_link_options(parser, name)
    options.add_file_options(parser)
    if name in ("up", "lab", "exec"):
        options.add_inspect_option(parser)
        options.add_impair_option(parser)
        options.add_report_options(parser)
        options.add_conflict_options(parser)
    if name in ("up", "lab"):
        options.add_service_options(parser, name)
    elif name == "exec":
        from . import execute

        execute.add_options(parser)
    elif name == "ping":
        ping.add_options(parser)
    else:
        dhcp.add_options(parser)
        parser.set_defaults(dhcp=True, gateway=None)


class Version(argparse.Action):
    """Prints the version, which takes a while to find out, and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """See the class."""
        print(f"tapstack {own_version()}")
        parser.exit()


def own_version() -> str:
    """Return the installed version."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tapstack")
    except PackageNotFoundError:
        return "(not installed)"
