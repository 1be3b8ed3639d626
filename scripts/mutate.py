"""Runs the mutants, for scripts/mutants: applies each to a copy of the code and runs the tests that
must fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.requirements import Mutant, mutants

TOP = Path(__file__).resolve().parent.parent
LIMIT_S = 120  # a mutant whose test runs longer counts as caught


def marked_tests() -> dict[str, list[str]]:
    """Return, for each clause id, the tests that name it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "marks.json"
        command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-m", "rfc", f"--conformance={out}"]
        subprocess.run(command, cwd=TOP, stdout=subprocess.DEVNULL, check=True)
        results: dict[str, dict[str, str]] = json.loads(out.read_text(encoding="utf-8"))
    return {id: list(tests) for id, tests in results.items()}


def copy_to(folder: Path) -> None:
    """Copy the part of the checkout that a test run needs."""
    for name in ("stack", "tools", "tests", "scripts"):
        shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(TOP / name, folder)


def survives(mutant: Mutant, tests: Sequence[str]) -> str:
    """Return why the mutant is not caught, or "" if it is."""
    source = (TOP / mutant.file).read_text(encoding="utf-8")
    count = source.count(mutant.pattern)
    if count != 1:
        return f"the pattern stands {count} times in {mutant.file}"
    if not tests:
        return "no test is marked with its clause"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_to(folder)
        (folder / mutant.file).write_text(source.replace(mutant.pattern, mutant.replacement), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-W", "error", "-p", "no:cacheprovider", *tests]
        environment = {**os.environ, "PYTHONPATH": name, "PYTHONDONTWRITEBYTECODE": "1"}
        for mode in ([], ["--plain"]):  # code that the fast paths skip runs only in plain mode; CI runs both
            try:
                run = subprocess.run(
                    [*command, *mode],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=LIMIT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return ""
            if run.returncode == 1:
                return ""
            if run.returncode:
                return f"pytest: {run.stdout[-400:]}"
        return f"the marked tests pass ({tests[0]})"


def main(wanted: Sequence[str]) -> None:
    kept = {clause for mutant in mutants() for clause in mutant.clauses}
    if unknown := [clause for clause in wanted if clause not in kept]:
        raise SystemExit(f"mutants: none is kept for {', '.join(unknown)} (usage: scripts/mutants [CLAUSE ...])")
    marks = marked_tests()
    chosen = [mutant for mutant in mutants() if not wanted or set(wanted) & set(mutant.clauses)]
    # Each clause of a mutant must be able to notice it alone.
    jobs = [(mutant, clause) for mutant in chosen for clause in mutant.clauses if not wanted or clause in wanted]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        verdicts = list(pool.map(lambda job: survives(job[0], marks.get(job[1], [])), jobs))
    failed = [(clause, mutant, why) for (mutant, clause), why in zip(jobs, verdicts, strict=True) if why]
    for clause, mutant, why in failed:
        print(f"{clause}: {mutant.file}: {mutant.pattern.strip()[:60]!r}: {why}", file=sys.stderr)
    print(f"{len(jobs) - len(failed)} of {len(jobs)} mutants caught")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
