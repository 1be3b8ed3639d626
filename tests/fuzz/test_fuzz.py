"""scripts/fuzz runs: each target for a second where atheris is installed; the rest of its command
line anywhere.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import GROUPS, TARGETS

TOP = Path(__file__).resolve().parent.parent.parent

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: scripts/setup fuzz"
)


def fuzz(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """What scripts/fuzz does behind its set-up."""
    command = [sys.executable, "-P", "-m", "tests.fuzz", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@needs_atheris
@pytest.mark.long
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_a_target_runs_for_a_second(name: str, tmp_path: Path) -> None:
    done = fuzz(name, "--seconds", "1", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[0] == f"{name}:"
    assert int(words[1]) >= len(TARGETS[name].seeds())
    assert list((tmp_path / "corpus" / name).iterdir())
    assert list((tmp_path / "crashes").iterdir()) == []


@needs_atheris
def test_what_is_found_is_kept_and_can_be_run_again(tmp_path: Path) -> None:
    """A copy of the code in which a parser has a fault that no seed shows."""
    for name in ("stack", "tests"):
        (tmp_path / name).symlink_to(TOP / name)
    (tmp_path / "stack").unlink()
    subprocess.run(["cp", "-r", str(TOP / "stack"), str(tmp_path / "stack")], check=True)
    parser = tmp_path / "stack" / "wire" / "udp.py"
    source = parser.read_text()
    fault = "        if len(data) > 2 and data[0] == 0x2A:\n            raise KeyError(data[1])\n"
    place = source.index("        if len(data) <")
    parser.write_text(source[:place] + fault + source[place:])
    out = tmp_path / "out"
    command = [sys.executable, "-P", "-m", "tests.fuzz", "udp"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [*command, "--seconds", "60", "--out", str(out)], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert "KeyError" in found.stderr
    (crash,) = (out / "crashes").iterdir()
    assert f"--replay {crash}" in found.stderr
    again = subprocess.run(
        [*command, "--replay", str(crash)], env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert "KeyError" in again.stderr
    assert fuzz("udp", "--replay", crash).returncode == 0


def test_one_input_is_run_again_without_atheris() -> None:
    seed = TARGETS["host"].seeds()[0]
    done = fuzz("host", "--replay", seed)
    assert (done.returncode, done.stdout) == (0, f"host: {seed}: nothing found\n")


def test_the_targets_are_named() -> None:
    done = fuzz("--list")
    assert done.returncode == 0
    assert done.stdout == "".join(f"{group}: {' '.join(GROUPS[group])}\n" for group in ("parsers", "hosts"))


@pytest.mark.parametrize(("words", "said"), [(["nothing"], "no target is called 'nothing'"), ([], "name a target")])
def test_a_wrong_name_is_said_so(words: list[str], said: str) -> None:
    done = fuzz(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_every_parser_of_the_wire_is_a_target() -> None:
    """A new module in stack/wire with a parser needs a target, and this list a line."""
    without = {"__init__", "assigned", "checksum", "escape", "flow", "numbers", "special_ranges"}  # no parser is there
    modules = {path.stem for path in (TOP / "stack" / "wire").glob("*.py")}
    assert modules - without <= set(TARGETS)
