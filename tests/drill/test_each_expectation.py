"""The runner compares each expectation of each packet script in this folder: when one is changed,
the script fails.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drill.mutation import Mutant, mutants
from tools.drill.interpreter import Packet
from tools.drill.outcome import Status
from tools.drill.parser import parse
from tools.drill.program import run_file, run_parsed
from tools.drill.script import Script

SCRIPTS = sorted(Path(__file__).parent.glob("*.pkt"))


def failed_early(script: Script, name: str, changed: list[Mutant]) -> set[int]:
    """Return the indices in `changed` of mutants that fail when their changed packet is compared.

    One run of the unchanged script finds them all: up to the changed event both runs are the same.
    """
    by_event: dict[int, list[tuple[int, Packet]]] = {}
    for place, mutant in enumerate(changed):
        if mutant.packet is not None:
            by_event.setdefault(mutant.index, []).append((place, mutant.packet))
    failed: set[int] = set()

    def watch(index: int, fails: Callable[[Packet], bool]) -> None:
        failed.update(place for place, packet in by_event.get(index, ()) if fails(packet))

    assert run_parsed(script, name, watch=watch).status is Status.PASSED
    return failed


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_changed_expectation_makes_the_script_fail(path: Path) -> None:
    script = parse(path.read_text())
    changed = list(mutants(script))
    failed = failed_early(script, path.name, changed)
    survivors: list[str] = []
    for place, mutant in enumerate(changed):
        if place not in failed:
            outcome = run_parsed(mutant.script, path.name)
            if outcome.status is not Status.FAILED:
                survivors.append(f"{path.name}:{mutant.line}: {mutant.what} changed: {outcome}")
    assert survivors == []
    assert len(changed) > 10


def test_what_fails_early_fails_when_it_is_run() -> None:
    path = Path(__file__).parent / "paws.pkt"
    script = parse(path.read_text())
    changed = list(mutants(script))
    failed = failed_early(script, path.name, changed)
    assert len(failed) > len(changed) / 2
    for place in failed:
        outcome = run_parsed(changed[place].script, path.name)
        assert (outcome.status, outcome.line) == (Status.FAILED, changed[place].line)


def test_every_script_of_this_folder_passes() -> None:
    assert len(SCRIPTS) > 5
    assert {path.name: str(run_file(path)) for path in SCRIPTS if run_file(path).status is not Status.PASSED} == {}
