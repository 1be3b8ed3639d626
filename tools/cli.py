"""The command `tapstack`: reads the arguments and starts one of the programs of this folder."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version

from . import dhcp, enter, lab, namespace, options, ping, up
from .drill import program as drill
from .output import Failed, flush_all, log

DESCRIPTION = "An Internet host in one Python process, on a Linux TAP."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's own) and return its exit status."""
    have_standard_descriptors()
    words = list(sys.argv[1:] if argv is None else argv)
    command: list[str] = []
    if words[:1] in (["lab"], ["enter"]) and "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1 :]
    parser, parsers = make_parser()
    if words[:1] == ["up"] and "--" in words:
        parsers["up"].error("`up` takes no COMMAND; `.venv/bin/tapstack lab -- CMD` does")
    arguments, unknown = parser.parse_known_args(options.with_trace_alone(words))
    if unknown:
        parsers[arguments.program].refuse_unknown(unknown)
    if arguments.program == "drill":
        return drill.main(arguments)
    if arguments.program == "enter":
        return reported("enter", lambda: enter.main(arguments.lab, command))
    chosen = options.from_arguments(arguments, parsers[arguments.program])
    return reported(arguments.program, lambda: run(chosen, arguments, command))


def have_standard_descriptors() -> None:
    """Open the null device in the place of each of the first three descriptors that is closed.

    Otherwise the next file to be opened, for example a capture, would get descriptor 2, and
    messages for standard error would be written into it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def run(chosen: options.Options, arguments: argparse.Namespace, command: Sequence[str]) -> int:
    """Run the chosen program and return its exit status."""
    if arguments.program == "lab":
        return lab.main(chosen, command)
    if arguments.program == "ping":
        return ping.main(chosen, arguments)
    if arguments.program == "dhcp":
        return dhcp.main(chosen, arguments)
    return up.main(chosen)


def reported(program: str, main: Callable[[], int]) -> int:
    """Return the exit status of a program. A failure that concerns the user is printed in one line."""
    failure: Failed | None = None
    try:
        return main()
    except KeyboardInterrupt:
        return 130
    except namespace.Forbidden as error:
        failure = Failed(str(error))
    except (Failed, BaseExceptionGroup) as error:
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


def make_parser() -> tuple[options.Parser, dict[str, options.Parser]]:
    """Return the parser of the command and, by name, the parsers of its programs."""
    parser = options.Parser(prog="tapstack", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"tapstack {own_version()}")
    programs = parser.add_subparsers(dest="program", required=True, metavar="PROGRAM")
    add = programs.add_parser
    parsers = {
        "up": add("up", help="run a host and its services until interrupted"),
        "lab": add(
            "lab",
            help="the same in a network namespace of its own, without root; runs a command on the kernel's side",
            usage="%(prog)s [options] [-- COMMAND ...]",
            epilog="COMMAND (default: your shell) runs on the kernel's side of the TAP; its exit status is the lab's.",
        ),
        "enter": add(
            "enter",
            help="run a command in a running lab, for a second terminal",
            usage="%(prog)s PID [-- COMMAND ...]",
            epilog="COMMAND (default: your shell) runs on the kernel's side of the TAP, as the lab's own does.",
        ),
        "ping": add("ping", help="send ICMP echo requests from a host of our own"),
        "dhcp": add("dhcp", help="get a lease from a DHCP server and print it"),
        "drill": add("drill", help="run packet scripts against a host in memory, in virtual time"),
    }
    drill.add_options(parsers["drill"])
    enter.add_options(parsers["enter"])
    for name, program in parsers.items():
        if name in ("drill", "enter"):
            continue
        if name != "dhcp":
            options.add_address_options(program)
        options.add_link_options(program, name)
        options.add_file_options(program)
        if name in ("up", "lab"):
            options.add_impair_option(program)
            options.add_conflict_options(program)
            options.add_service_options(program, name)
    ping.add_options(parsers["ping"])
    dhcp.add_options(parsers["dhcp"])
    parsers["dhcp"].set_defaults(dhcp=True, gateway=None)
    return parser, parsers


def own_version() -> str:
    """Return the installed version."""
    try:
        return version("tapstack")
    except PackageNotFoundError:
        return "(not installed)"
