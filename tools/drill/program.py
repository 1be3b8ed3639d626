"""`tapstack drill FILE ...`: runs packet scripts and prints the outcome of each."""

from __future__ import annotations

import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

import trio

from ..printer import printing
from .assertions import read_block
from .clock import Livelock, VirtualClock
from .interpreter import Interpreter, Watch
from .lexer import LONGEST_SCRIPT, read_text
from .options import Settings, apply_options, with_option
from .outcome import Failed, Outcome, Status
from .parser import parse
from .script import Code, Script, ScriptError, Unsupported

FORWARDED = ("tolerance_usecs", "mtu", "seed", "config")
"""Options of a script that are also options of the command. The script's own take precedence."""


def add_options(parser: ArgumentParser) -> None:
    """The options of `tapstack drill`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="a packet script to run")
    parser.add_argument(
        "--tolerance_usecs", metavar="N", help="let each time differ by up to N microseconds (default: 0)"
    )
    parser.add_argument("--mtu", metavar="N", help="the MTU of the link (default: 1500)")
    parser.add_argument("--seed", metavar="N", help="the seed of the host's random numbers (default: 1)")
    parser.add_argument(
        "--config", action="append", metavar="NAME=VALUE", help="set a field of stack.Config, such as tcp.rack=false"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print only the scripts that did not pass")


def main(arguments: Namespace) -> int:
    """Run every file. Returns 0 if all passed, else the status of the worst: 1, 2 or 3."""
    settings = Settings()
    for name in FORWARDED:
        given = getattr(arguments, name)
        for value in [] if given is None else given if isinstance(given, list) else [given]:
            try:
                settings = with_option(settings, name, value)
            except ValueError as error:
                print(f"tapstack drill: --{name}: {error}", file=sys.stderr)
                return Status.ERROR.value
    outcomes = []
    for name in arguments.files:
        outcome = run_file(Path(name), settings)
        outcomes.append(outcome)
        if outcome.status is not Status.PASSED or not arguments.quiet:
            with printing() as printer:
                printer(str(outcome))
    return combined(outcomes).value


def _is_livelock(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_livelock, error.exceptions))
    return isinstance(error, Livelock)


def combined(outcomes: Iterable[Outcome]) -> Status:
    """Return the status of all scripts: FAILED comes before ERROR, ERROR before UNSUPPORTED."""
    found = {outcome.status for outcome in outcomes}
    order = (Status.FAILED, Status.ERROR, Status.UNSUPPORTED)
    return next((status for status in order if status in found), Status.PASSED)


def run_file(path: Path, settings: Settings | None = None) -> Outcome:
    """Run the script in a file."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST_SCRIPT + 1)
    except OSError as error:
        return Outcome(str(path), Status.ERROR, message=error.strerror or str(error))
    return run_script(data, str(path), settings)


def run_script(data: bytes, name: str, settings: Settings | None = None) -> Outcome:
    """Run the script in `data`."""
    try:
        return run_parsed(parse(read_text(data)), name, settings)
    except ScriptError as error:
        return Outcome(name, Status.ERROR, error.line, error.column, error.message)
    except Unsupported as error:
        return Outcome(name, Status.UNSUPPORTED, error.line, 0, error.message)


def run_parsed(script: Script, name: str, settings: Settings | None = None, watch: Watch | None = None) -> Outcome:
    """Run a script that is parsed already. Raises ScriptError and Unsupported."""
    settings = apply_options(script.options, Settings() if settings is None else settings)
    for event in script.events:
        if isinstance(event.action, Code):
            read_block(event.action.text, event.line)
    clock = VirtualClock()
    interpreter = Interpreter(script, settings, clock, watch)
    try:
        trio.run(interpreter.run, clock=clock)
    except Failed as failed:
        return Outcome(name, Status.FAILED, failed.line, 0, failed.message)
    except (ScriptError, Unsupported):
        raise
    except Exception as error:
        if _is_livelock(error):
            message = "the host never becomes idle: it always has a deadline at the current time"
        else:
            message = "the host raised an exception\n" + "".join(traceback.format_exception(error))
        return Outcome(name, Status.FAILED, interpreter.line, 0, message)
    return Outcome(name, Status.PASSED)
