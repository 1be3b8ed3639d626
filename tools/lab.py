"""`tapstack lab`: the host in a network namespace of its own, with a command on the kernel's side.

It needs no root. The command owns the terminal: the host's output goes to a file, and the
keyboard's signals are for the command.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
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
from .inspector.door import Door
from .options import Options
from .output import Failed, Output, named_signals, say
from .up import open_door, serving

KEYBOARD = named_signals("SIGINT SIGQUIT")
ENDING = named_signals("SIGTERM SIGHUP")
GRACE_S = 2.0  # from the signals that ask the command to end to SIGKILL
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(options: Options, command: Sequence[str]) -> int:
    """Run the host and the command; return the command's exit status.

    A signal that ends the command gives 128 plus its number.
    """
    door = open_door(options)  # in the user's own namespace, where the browser is
    namespace.enter()
    terminal = sys.stderr
    tell = Output(lambda: terminal, "standard error")
    with Log(os.path.join(tempfile.gettempdir(), f"tapstack-lab-{secrets.token_hex(4)}.log")) as log:
        try:
            with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
                status = trio.run(run, options, list(command), tell, log.path, door)
        finally:
            if log.made:
                tell(f"lab: the host's output is in {log.path}")
            tell.flush()
    say.check()
    return status


class Log(io.TextIOBase):
    """A text file that only its owner may read. The first write creates it, so it is never empty."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: IO[str] | None = None

    @property
    def made(self) -> bool:
        """Whether the file has been created."""
        return self._file is not None

    def write(self, text: str) -> int:
        """Write as to any text file. An empty text does not create the file. OSError."""
        if self._file is None and text:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(descriptor, "w", buffering=1, errors="backslashreplace")
        return 0 if self._file is None else self._file.write(text)

    def flush(self) -> None:
        """Flush as any file does. OSError."""
        if self._file is not None:
            self._file.flush()

    def fileno(self) -> int:
        """Return the descriptor. OSError before the file has been created."""
        return super().fileno() if self._file is None else self._file.fileno()

    def close(self) -> None:
        """Close as any file does."""
        super().close()
        if self._file is not None:
            self._file.close()


async def run(options: Options, command: list[str], tell: Output, log: str, door: Door | None = None) -> int:
    """Start the host, then the command. The host ends after the command."""
    # We catch the keyboard's signals and do nothing. SIG_IGN would be inherited by the command.
    with trio.open_signal_receiver(*KEYBOARD), trio.open_signal_receiver(*ENDING) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(serving, options, tell, door)
            if options.address is None:
                tell(f"lab: the host asks for an address on {options.tap}: start a DHCP server there")
            if not command:
                tell(f"lab: this shell is the kernel's side; `exit` ends the lab. The host's log: {log}")
                tell(f"lab: a second terminal enters it with  {second_terminal(os.getpid())}")
            tell.flush()  # its thread ends: no other thread may exist when the command is started
            status = await run_command(command or [shell()], signals)
            nursery.cancel_scope.cancel()
    return status


async def run_command(command: list[str], signals: AsyncIterator[int]) -> int:
    """Run the command with our terminal until it ends, or until a signal asks us to end.

    Returns the exit status. The command never outlives us: its network would have no host.
    """
    try:
        # The death signal is sent when the thread that started the process ends, so start it from this thread, which
        # lasts. Code between fork and exec is safe, because no other thread can hold a lock.
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
    """Return the command's environment.

    Its PATH gets the folders of ip, tcpdump and traceroute, which an ordinary user's PATH may lack.
    """
    return {**os.environ, "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])}


def end_with_parent() -> Callable[[], None]:
    """Return what a new process calls, so that the end of this process kills it. See prctl(2)."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def prepare() -> None:
        prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # the parent ended before prctl
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


async def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait until the process has ended. Returns its status, negative for a signal."""
    if process.poll() is not None:
        return process.returncode
    descriptor = os.pidfd_open(process.pid)
    try:
        await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)
    return process.wait()


async def end(process: subprocess.Popen[bytes]) -> None:
    """End the command by signals, and by SIGKILL if it has not ended after `GRACE_S`.

    An interactive shell ends only by SIGHUP, a stopped one needs SIGCONT.
    """
    with trio.CancelScope(shield=True):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
            process.send_signal(number)  # does nothing once it has ended
        with trio.move_on_after(GRACE_S):
            await ended(process)
        process.kill()
        process.wait()


def second_terminal(lab: int) -> str:
    """Return the command for a second terminal.

    It has the program's full path, because the shell there may be in another folder.
    """
    program = Path(sys.executable).with_name("tapstack")
    return f"{program} enter {lab}" if program.exists() else f"{sys.executable} -m tapstack enter {lab}"


def shell() -> str:
    """Return the user's shell."""
    import pwd

    try:
        of_user = pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        of_user = ""
    return os.environ.get("SHELL") or of_user or "/bin/sh"
