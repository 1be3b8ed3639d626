"""Runs each input of the corpus without the fuzzer: the faults that it has found stay mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import make_corpus
from tests.fuzz.targets import CORPUS, TARGETS

MADE = {**make_corpus.parsers(), **make_corpus.hosts()}
LARGEST = 4096


def inputs() -> list[Path]:
    """Every file of the corpus."""
    return sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", inputs(), ids=lambda path: "-".join(path.relative_to(CORPUS).parts))
def test_nothing_is_found_in_an_input_of_the_corpus(path: Path) -> None:
    for target in TARGETS.values():
        if target.corpus == path.parent:
            target.test(path.read_bytes())


def test_the_corpus_is_what_is_made_of_the_samples() -> None:
    """`python -m tests.fuzz.make_corpus` writes it anew when samples or steps have changed."""
    assert {name: (CORPUS / name).read_bytes() for name in MADE} == MADE


def test_every_target_has_small_seeds() -> None:
    for target in TARGETS.values():
        assert target.seeds(), target.name
        assert all(path.stat().st_size <= min(LARGEST, target.longest) for path in target.seeds())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_every_prefix_of_a_seed_is_an_input(name: str) -> None:
    """The end of an input may come anywhere: inside a step, too."""
    target = TARGETS[name]
    seed = min(target.seeds(), key=lambda path: path.stat().st_size).read_bytes()
    for length in range(0, len(seed), 1 + len(seed) // 32):
        target.test(seed[:length])
