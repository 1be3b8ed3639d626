"""`tapstack lab`: the host on a TAP in a network of its own, with a command on the kernel's side of it. Needs no root.

The command owns the terminal: what the host has to say goes to a file, and the keyboard's signals are the command's.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import pwd
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import IO

import trio

from . import namespace
from .options import Options
from .output import Failed, Output, say
from .up import serving

KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
ENDING = (signal.SIGTERM, signal.SIGHUP)
GRACE_S = 2.0  # from asking the command to end to making it
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(options: Options, command: Sequence[str]) -> int:
    """Run the host and the command; the command's exit status, 128 more than the signal that ended it."""
    namespace.enter()
    terminal = sys.stderr
    tell = Output(lambda: terminal, "standard error")
    with Log(os.path.join(tempfile.gettempdir(), f"tapstack-lab-{secrets.token_hex(4)}.log")) as log:
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                status = trio.run(run, options, list(command), tell, log.path)
        finally:
            if log.made:
                tell(f"lab: what the host had to say is in {log.path}")
            tell.flush()
    say.check()
    return status


class Log(io.TextIOBase):
    """A text file that only its owner may read. It is made at the first write, so never empty."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: IO[str] | None = None

    @property
    def made(self) -> bool:
        """Whether there is such a file."""
        return self._file is not None

    def write(self, text: str) -> int:
        """As of any text file; an empty text makes no file. OSError."""
        if self._file is None and text:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(descriptor, "w", buffering=1, errors="backslashreplace")
        return 0 if self._file is None else self._file.write(text)

    def flush(self) -> None:
        """As of any file. OSError."""
        if self._file is not None:
            self._file.flush()

    def fileno(self) -> int:
        """The descriptor; OSError before there is one."""
        return super().fileno() if self._file is None else self._file.fileno()

    def close(self) -> None:
        """As of any file."""
        super().close()
        if self._file is not None:
            self._file.close()


async def run(options: Options, command: list[str], tell: Output, log: str) -> int:
    """Start the host, then the command; end the host behind the command."""
    # Python handlers, not SIG_IGN, which the command would inherit.
    with trio.open_signal_receiver(*KEYBOARD), trio.open_signal_receiver(*ENDING) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(serving, options, tell)
            if options.address is None:
                tell(f"lab: the host asks for an address on {options.tap}: a DHCP server there can give it")
            if not command:
                tell(f"lab: this shell is the kernel's side; `exit` ends the lab. The host's log: {log}")
                tell(f"lab: a second terminal enters it with  {second_terminal(os.getpid())}")
            tell.flush()  # there is to be no other thread when the command is started
            status = await run_command(command or [shell()], signals)
            nursery.cancel_scope.cancel()
    return status


async def run_command(command: list[str], signals: AsyncIterator[int]) -> int:
    """Run it with our terminal until it ends or we are asked to end; the exit status that tells which.

    However we end, it ends: without the host there is no network to be in.
    """
    try:
        # From this thread, which lasts: the kernel takes the end of the thread that made a process for its parent's.
        # There are no other threads that what runs in between could wait for.
        process = subprocess.Popen(command, env=environment(), preexec_fn=end_with_parent())  # noqa: PLW1509
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
            status = await ended(process)
            nursery.cancel_scope.cancel()
    finally:
        await end(process)
    if asked_by:
        return 128 + asked_by
    return status if status >= 0 else 128 - status


def environment() -> dict[str, str]:
    """The command's. ip, tcpdump and traceroute may lie in folders that an ordinary user's PATH does not name."""
    return {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])}


def end_with_parent() -> Callable[[], None]:
    """What a new process does to be killed when this one ends, even where this one is killed: see prctl(2)."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it has ended already
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait until it has ended; its status, negative for a signal."""
    if process.poll() is not None:
        return process.returncode
    descriptor = os.pidfd_open(process.pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    return process.wait()


async def end(process: subprocess.Popen[bytes]) -> None:
    """Have the command end, kindly first. An interactive shell ends by SIGHUP alone, a stopped one needs SIGCONT."""
    with trio.CancelScope(shield=True):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
            process.send_signal(number)  # does nothing once it has ended
        with trio.move_on_after(GRACE_S):
            await ended(process)
        process.kill()
        process.wait()


def second_terminal(lab: int) -> str:
    """What to type in another terminal: with the program's place, since that shell may be in another folder."""
    program = Path(sys.executable).with_name("tapstack")
    return f"{program} enter {lab}" if program.exists() else f"{sys.executable} -m tapstack enter {lab}"


def shell() -> str:
    """The user's shell."""
    try:
        of_user = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        of_user = ""
    return os.environ.get("SHELL") or of_user or "/bin/sh"
