"""`tapstack lab`: the host on a TAP in a network of its own, with a command on the kernel's side of it. Needs no root.

The command owns the terminal: what the host has to say goes to a file, and the keyboard's signals are the command's.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import IO

import trio

from . import namespace
from .options import Options
from .up import Failed, serving

KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
ENDING = (signal.SIGTERM, signal.SIGHUP)
GRACE_S = 2.0  # from asking the command to end to making it


def main(options: Options, command: Sequence[str]) -> int:
    """Run the host and the command; the command's exit status, 128 more than the signal that ended it."""
    try:
        namespace.enter()
    except namespace.Forbidden as error:
        raise Failed(str(error)) from None
    terminal = sys.stderr
    with tempfile.NamedTemporaryFile("w", prefix="tapstack-lab-", suffix=".log", buffering=1, delete=False) as log:
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                return trio.run(run, options, list(command), terminal, log.name)
        finally:
            if log.tell() == 0:
                os.unlink(log.name)
            else:
                print(f"lab: what the host had to say is in {log.name}", file=terminal)


async def run(options: Options, command: list[str], terminal: IO[str], log: str) -> int:
    """Start the host, then the command; end the host behind the command."""

    def ready(line: str) -> None:
        print(line, file=terminal, flush=True)
        if not command:
            print(f"lab: this shell is the kernel's side; `exit` ends the lab. The host's log: {log}", file=terminal)

    # Python handlers, not SIG_IGN, which the command would inherit.
    with trio.open_signal_receiver(*KEYBOARD), trio.open_signal_receiver(*ENDING) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(serving, options, ready)
            status = await run_command(command or [shell()], signals)
            nursery.cancel_scope.cancel()
    return status


async def run_command(command: list[str], signals: AsyncIterator[int]) -> int:
    """Run it with our terminal until it ends or we are asked to end; the exit status that tells which."""
    environment = dict(os.environ)
    # What one uses here (ip, tcpdump, traceroute) may lie where an ordinary user does not look.
    environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    try:
        process = await trio.lowlevel.open_process(command, env=environment)
    except FileNotFoundError:
        raise Failed(f"{command[0]}: there is no such command", status=127) from None
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}", status=126) from None
    asked_by = 0

    async def end_when_asked() -> None:
        nonlocal asked_by
        asked_by = await anext(signals)
        await end(process)

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_when_asked)
            status = await process.wait()
            nursery.cancel_scope.cancel()
    finally:
        await end(process)
    if asked_by:
        return 128 + asked_by
    return status if status >= 0 else 128 - status


async def end(process: trio.Process) -> None:
    """Have the command end, kindly first. An interactive shell ends by SIGHUP alone, a stopped one needs SIGCONT."""
    with trio.CancelScope(shield=True):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
            process.send_signal(number)  # does nothing once it has ended
        with trio.move_on_after(GRACE_S):
            await process.wait()
        process.kill()
        await process.wait()


def shell() -> str:
    """The user's shell."""
    try:
        of_user = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        of_user = ""
    return os.environ.get("SHELL") or of_user or "/bin/sh"
