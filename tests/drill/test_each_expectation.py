"""Each expectation of each packet script of this folder is looked at: changed, it makes the script fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drill.mutation import mutants
from tools.drill.outcome import Verdict
from tools.drill.parser import parse
from tools.drill.program import run_file, run_parsed

SCRIPTS = sorted(Path(__file__).parent.glob("*.pkt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_changed_expectation_makes_the_script_fail(path: Path) -> None:
    script = parse(path.read_text())
    survivors: list[str] = []
    count = 0
    for line, what, mutant in mutants(script):
        count += 1
        outcome = run_parsed(mutant, path.name)
        if outcome.verdict is not Verdict.FAILED:
            survivors.append(f"{path.name}:{line}: {what} changed: {outcome}")
    assert survivors == []
    assert count > 10


def test_no_script_of_ours_is_unsupported() -> None:
    assert len(SCRIPTS) > 5
    assert {path.name: str(run_file(path)) for path in SCRIPTS if run_file(path).verdict is not Verdict.PASSED} == {}
