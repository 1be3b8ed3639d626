"""The commands of README.md, run by an ordinary user: they print what README.md shows, but for the
numbers.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import modes
from tests.live.net import COMMAND, Program, need
from tests.live.unprivileged import TOP, ordinary
from tests.test_readme import README, block

END = "--- end of a command ---"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in which any user may write; those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(prefix="tapstack-test-") as name:
        os.chmod(name, 0o777)
        yield Path(name)


def shown(first: str) -> list[tuple[str, list[str]]]:
    """The commands of the block of README.md that begins with `first`, each with the lines that it prints."""
    (text,) = [text for text in re.findall(r"```console\n(.*?)```", README, re.DOTALL) if text.startswith(first)]
    return [
        (command, output.splitlines())
        for command, output in re.findall(r"^[$#] (.*)\n((?:(?![$#] ).*\n)*)", text, re.MULTILINE)
    ]


def shape(line: str) -> str:
    """A line without its numbers, addresses of stations, names of files, and offloads."""
    line = re.sub(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "MAC", line.strip())
    line = re.sub(r"/\S+\.log", "LOG", line)
    line = re.sub(r"(?<=with  )\S.* enter", "PROGRAM enter", line)
    line = re.sub(r"offload [\w+]+", "offload WHICH", line)
    return re.sub(r"\d+(?:\.\d+)*", "N", line)


def in_lab(options: list[str], commands: list[str], folder: Path) -> tuple[list[str], list[list[str]]]:
    """Type these commands into a lab: the lines of the lab itself, and those of each command."""
    typed = "".join(f"{command}\necho {shlex.quote(END)}\n" for command in commands)
    done = subprocess.run(
        ordinary(*COMMAND, "lab", *options, *modes.up_options()),
        input=typed,
        cwd=folder,
        env={**os.environ, "SHELL": "/bin/sh", "TMPDIR": str(folder), "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    outputs = [output.splitlines() for output in done.stdout.split(f"{END}\n")]
    return done.stderr.splitlines(), outputs[: len(commands)]


def test_a_first_lab_prints_what_is_shown(folder: Path) -> None:
    need("ping", "nc", "curl", "head")
    (_, said), *commands = shown("$ ./scripts/run\n")
    assert len(said) == 3
    assert len(commands) == 4
    lab, outputs = in_lab([], [command for command, _ in commands], folder)
    assert list(map(shape, lab[:3])) == list(map(shape, said))
    for (command, output), printed in zip(commands, outputs, strict=True):
        assert list(map(shape, printed)) == list(map(shape, output)), command


def test_the_handshake_is_the_one_that_is_shown(folder: Path) -> None:
    need("nc", "tcpdump")
    ((command, lines),) = shown("$ tcpdump ")
    assert len(lines) == 3
    first = f"{command.replace('tcpdump', 'tcpdump -l', 1)} > dump 2> log & until grep -q listening log; do :; done"
    _, outputs = in_lab([], [first, "echo hello | nc -N 10.9.0.2 7", "wait; cat dump"], folder)
    assert list(map(shape, outputs[-1])) == list(map(shape, lines))


def test_the_loss_comes_and_is_repaired_as_shown(folder: Path) -> None:
    """On a machine that is too busy other lines may come before and between the two that are shown."""
    need("nc", "head", "grep")
    (start, _), (transfer, count), (look, (lost, again)) = shown("$ ./scripts/run --trace")
    assert look.endswith(".log | head -2")
    look = re.sub(r"/tmp/(tapstack-lab-)\w+\.log \| head -2", rf"{folder}/\1*.log", look)
    _, (counted, printed) = in_lab(start.split()[1:], [transfer, look], folder)
    assert counted == count
    shapes = list(map(shape, printed))
    assert shape(lost) in shapes
    assert shape(again) in shapes[shapes.index(shape(lost)) + 1 :]


def test_the_example_is_started_as_shown(folder: Path) -> None:
    need("nc", "bash", "unshare")
    (enter, _), *commands = shown("$ unshare ")
    (folder / "example.py").write_text(block("example", "python"))
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    with Program(ordinary(*enter.split(), "bash"), stdin=subprocess.PIPE, cwd=folder, env=environment) as shell:
        assert shell.process.stdin is not None
        for command, output in commands:
            line = command.replace(".venv/bin/python", shlex.quote(sys.executable))
            if line.startswith("echo "):  # typed faster than by hand: the host may not listen yet
                line = f"until {line} | grep .; do sleep 0.1; done"
            shell.process.stdin.write(f"{line}\n".encode())
            shell.process.stdin.flush()
            for expected in output:
                shell.wait_for(expected[:2].encode() if expected[0].isdigit() else expected.encode())
        status, printed, errors = shell.wait()
    assert (status, errors) == (0, b"")
    assert list(map(shape, printed.decode().splitlines())) == [shape(line) for _, output in commands for line in output]
