"""The recorded logs: what the host tells in each state and each figure of RFC 9293, kept as text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stack.tcp.states import State
from tests.trace.logs import FOLDER, digest, written
from tests.trace.scripts import SCRIPTS

TOP = Path(__file__).resolve().parents[2]


def test_each_log_is_the_one_that_was_read() -> None:
    """After a change on purpose: python -m tests.trace.logs, and read the difference beside the RFC."""
    kept = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}
    assert kept == written()


def test_each_state_is_entered_and_left_in_the_logs() -> None:
    logs = written()
    told = "\n".join(logs.values())
    for state in State:
        assert state.name.lower() in logs, f"no log of {state.name}"
        assert f"before={state.name} " in told, f"{state.name} is never left"
        assert f"after={state.name}\n" in told, f"{state.name} is never entered"
    assert len(SCRIPTS) >= 11 + 8


@pytest.mark.parametrize("seed", ["0", "4711"])
def test_a_log_is_the_same_under_any_hash_seed(seed: str) -> None:
    """The order of a set of text depends on it."""
    code = "from tests.trace.logs import digest; print(digest())"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(TOP)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=TOP
    )
    assert done.stdout.strip() == digest()
