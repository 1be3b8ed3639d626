"""Runs the mutants, for scripts/mutants: applies each to a copy of the code and runs the tests that
must fail.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.requirements import Mutant, mutants

TOP = Path(__file__).resolve().parent.parent
Job = tuple[Mutant, str]  # a mutant, and the clause that has to notice it
LIMIT_S = 120  # a mutant whose test runs longer counts as caught


def marked_tests() -> dict[str, list[str]]:
    """Return, for each clause id, the tests that name it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "marks.json"
        command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-m", "rfc", f"--conformance={out}"]
        subprocess.run(command, cwd=TOP, stdout=subprocess.DEVNULL, check=True)
        results: dict[str, dict[str, str]] = json.loads(out.read_text(encoding="utf-8"))
    return {id: list(tests) for id, tests in results.items()}


class Copy:
    """A copy of the part of the checkout that a test run needs, for one mutant after another.

    It keeps its compiled modules, so that a run compiles the mutant alone. Python takes a compiled
    module for that of a source with the same size and the same second of change: each mutant
    therefore gets a second of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seconds = itertools.count(1)
        for name in ("stack", "tools", "tests", "scripts"):
            shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(TOP / name, folder)

    @contextlib.contextmanager
    def with_mutant(self, file: str, text: str) -> Iterator[None]:
        """Give a file this text."""
        path = self.folder / file
        path.write_text(text, encoding="utf-8")
        second = next(self._seconds)
        os.utime(path, (second, second))
        try:
            yield
        finally:
            shutil.copy2(TOP / file, path)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run pytest in the copy. Raises subprocess.TimeoutExpired after LIMIT_S."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-W", "error", "-p", "no:cacheprovider", *arguments]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPATH"] = str(self.folder)
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )


def survives(copy: Copy, mutant: Mutant, tests: Sequence[str]) -> str:
    """Return why the mutant is not caught, or "" if it is."""
    source = (TOP / mutant.file).read_text(encoding="utf-8")
    count = source.count(mutant.pattern)
    if count != 1:
        return f"the pattern stands {count} times in {mutant.file}"
    if not tests:
        return "no test is marked with its clause"
    with copy.with_mutant(mutant.file, source.replace(mutant.pattern, mutant.replacement)):
        for mode in ([], ["--plain"]):  # code that the fast paths skip runs only in plain mode; CI runs both
            try:
                run = copy.run(*tests, *mode)
            except subprocess.TimeoutExpired:
                return ""
            if run.returncode == 1:
                return ""
            if run.returncode:
                return f"pytest: {run.stdout[-400:]}"
    return f"the marked tests pass ({tests[0]})"


def all_survivors(jobs: Sequence[Job], marks: Mapping[str, Sequence[str]]) -> list[tuple[Job, str]]:
    """Run the jobs, one on each processor at a time. Return those that are not caught, and why."""
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        for number in range(workers):
            copies.put(Copy(Path(folder) / str(number)))

        def why(job: Job) -> str:
            copy = copies.get()
            try:
                return survives(copy, job[0], marks.get(job[1], []))
            finally:
                copies.put(copy)

        reasons = list(pool.map(why, jobs))
    return [(job, reason) for job, reason in zip(jobs, reasons, strict=True) if reason]


def main(wanted: Sequence[str]) -> None:
    kept = {clause for mutant in mutants() for clause in mutant.clauses}
    if unknown := [clause for clause in wanted if clause not in kept]:
        raise SystemExit(f"mutants: none is kept for {', '.join(unknown)} (usage: scripts/mutants [CLAUSE ...])")
    marks = marked_tests()
    chosen = [mutant for mutant in mutants() if not wanted or set(wanted) & set(mutant.clauses)]
    # Each clause of a mutant must be able to notice it alone.
    jobs = [(mutant, clause) for mutant in chosen for clause in mutant.clauses if not wanted or clause in wanted]
    failed = all_survivors(jobs, marks)
    for (mutant, clause), why in failed:
        print(f"{clause}: {mutant.file}: {mutant.pattern.strip()[:60]!r}: {why}", file=sys.stderr)
    print(f"{len(jobs) - len(failed)} of {len(jobs)} mutants caught")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
