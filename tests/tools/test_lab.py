"""The parts of `tapstack lab` that need no network: its log, and how it waits for its command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.requirements import rfc
from tools import lab


def test_the_log_is_created_by_the_first_write(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    with lab.Log(str(path)) as log:
        print("", end="", file=log, flush=True)
        assert not path.exists()
        assert not log.made
        print("first \udcff", file=log)
        assert path.read_text() == "first \\udcff\n"
        print("second", file=log)
        assert path.stat().st_mode & 0o777 == 0o600
        assert not os.get_inheritable(log.fileno())
    assert log.made
    assert path.read_text() == "first \\udcff\nsecond\n"


@rfc("planted-2")
def test_an_existing_file_is_not_used_as_the_log(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.symlink_to(tmp_path / "somewhere else")
    log = lab.Log(str(path))
    with pytest.raises(FileExistsError):
        log.write("x")
    assert not (tmp_path / "somewhere else").exists()


@pytest.mark.real_time("it waits for a process")
async def test_the_end_of_a_process_can_be_awaited_twice() -> None:
    process = subprocess.Popen(["sh", "-c", "exit 7"], preexec_fn=lab.end_with_parent())  # noqa: PLW1509
    assert (await lab.ended(process), await lab.ended(process)) == (7, 7)


@pytest.mark.real_time("it waits for a process")
async def test_the_command_is_started_by_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel sends the death signal when the thread that started the process ends."""
    threads: list[threading.Thread] = []
    real = subprocess.Popen

    def noted(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        threads.append(threading.current_thread())
        return real(*arguments, **options)

    monkeypatch.setattr("tools.lab.subprocess.Popen", noted)
    with trio.open_signal_receiver(signal.SIGUSR1) as signals:
        assert await lab.run_command(["sh", "-c", "exit 7"], signals) == 7
    assert threads == [threading.main_thread()]


PARENT = """
import os, subprocess, sys
from tools.lab import end_with_parent
child = subprocess.Popen(["sleep", "1000"], preexec_fn=end_with_parent())
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.real_time("it waits for a process")
async def test_a_process_ends_with_a_parent_that_is_killed() -> None:
    top = Path(__file__).parents[2]
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, cwd=top, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)
        with trio.fail_after(20):
            await trio.lowlevel.wait_readable(child)
        os.close(child)
