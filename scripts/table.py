"""Makes the table of clauses, for scripts/conformance, from the lists, the tests' marks, the
exceptions and the mutants: CONFORMANCE.md for readers, clauses.json for the inspector's page.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.requirements import FOLDER, Excepted, Requirement, exceptions, mutants, requirements, where

TABLE = FOLDER / "CONFORMANCE.md"
CLAUSES = FOLDER.parent.parent / "tools/inspector/clauses.json"
MOST_TESTS = 3  # of a clause that are named
KINDS = ("obsoleted", "exclusive", "not-a-host's")
STATES = ("proved", "tested", "excepted", "open")


@dataclass(frozen=True, slots=True)
class Row:
    """One clause, its state, and its tests."""

    requirement: Requirement
    state: str
    tests: tuple[str, ...]
    where: str
    exception: Excepted | None


def run_marked_tests() -> dict[str, dict[str, str]]:
    """Return, for each clause id, its tests and their outcomes. Ends the program when one fails."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "conformance.json"
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-m", "rfc", f"--conformance={out}"]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if run.returncode:
            print(run.stdout)
            raise SystemExit("conformance: a marked test fails (see above)")
        results: dict[str, dict[str, str]] = json.loads(out.read_text(encoding="utf-8"))
        return results


def rows(results: dict[str, dict[str, str]]) -> list[Row]:
    """Return every clause, in the order of the lists."""
    excepted, places = exceptions(), where()
    proved = {id for mutant in mutants() for id in mutant.clauses}
    found = []
    for id, requirement in requirements().items():
        tests = tuple(test for test, outcome in results.get(id, {}).items() if outcome == "passed")
        if tests:
            state = "proved" if id in proved else "tested"
        else:
            state = "excepted" if id in excepted else "open"
        found.append(Row(requirement, state, tests, places.get(id, ""), excepted.get(id)))
    return found


def complaints(table: list[Row]) -> list[str]:
    """Return the errors: open clauses that bind, wrong exceptions, places that do not exist.

    An open clause is no error in a list that is not decided.
    """
    found = []
    known = requirements()
    for row in table:
        requirement = row.requirement
        if row.state == "open" and requirement.binding and requirement.decided:
            found.append(f"{requirement.id} ({requirement.level}) is open: {requirement.text}")
        if row.exception is not None:
            if row.exception.kind not in KINDS and requirement.level.startswith("MUST") and requirement.binding:
                found.append(f"{requirement.id}: a core MUST may be excepted only as {', '.join(KINDS)}")
            if row.tests:
                found.append(f"{requirement.id} is excepted, and tested by {row.tests[0]}")
        if row.where and not stands(row.where):
            found.append(f"{requirement.id}: there is no {row.where}")
    for id in (*exceptions(), *where()):
        if id not in known:
            found.append(f"{id}: no such requirement")
    return found


def stands(place: str) -> bool:
    """Return whether `file:name` of where.tsv is in the code. The name may be left out."""
    file, _, name = place.partition(":")
    path = FOLDER.parent.parent / "stack" / file
    return path.is_file() and (not name or name in _defined_in(path))


@cache
def _defined_in(path: Path) -> frozenset[str]:
    """Return the names of a module's functions, classes and variables.

    A member of a class is in it with the name of its class and without it.
    """

    def walk(node: ast.AST, prefix: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from (child.name, prefix + child.name)
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                yield from (child.id, prefix + child.id)
            else:
                yield from walk(child, prefix)

    return frozenset(walk(ast.parse(path.read_text(encoding="utf-8")), ""))


def totals(table: list[Row], *, decided: bool = True) -> str:
    """Return a small table: for each list, the number of its core clauses in each state.

    It has the lists that are decided, or those that are not.
    """
    lists: dict[str, Counter[str]] = {}
    for row in table:
        if row.requirement.scope == "core" and row.requirement.decided is decided:
            lists.setdefault(row.requirement.list, Counter())[row.state] += 1
    lines = ["| core clauses of | " + " | ".join(STATES) + " |", "|---|" + "---:|" * len(STATES)]
    lines += [f"| {name} | " + " | ".join(str(c[state]) for state in STATES) + " |" for name, c in lists.items()]
    return "\n".join(lines)


def render(table: list[Row]) -> str:
    """Return the whole document."""
    lines = [
        "# Clause by clause",
        "",
        "Written by `scripts/conformance`. *proved*: a kept mutant of the code makes the marked test fail; *tested*:",
        "a test is marked with it; *excepted*: not followed, and why; *open*: neither. A level in italics is a reading",
        "of a sentence without the capitalised word.",
        "",
        totals(table),
    ]
    section = ""
    told_undecided = False
    for row in table:
        requirement = row.requirement
        if not requirement.decided and not told_undecided:
            told_undecided = True
            lines += [
                "",
                "## Lists that are not decided",
                "",
                "A test may name a clause of these lists, but for most of them none does yet. *open* therefore does",
                "not say that the clause is broken, and it is no failure of `scripts/conformance`. The same rule",
                "may be a row of two lists; each row is counted.",
                "",
                totals(table, decided=False),
            ]
        if requirement.list != section:
            section = requirement.list
            lines += [
                "",
                f"## {section}",
                "",
                "| id | level | requirement | where | tests | state |",
                "|---|---|---|---|---|---|",
            ]
        level = requirement.level if requirement.formal else f"*{requirement.level}*"
        scope = "" if requirement.scope == "core" else f" ({requirement.scope})"
        tests = "<br>".join(test.removeprefix("tests/").replace("|", "\\|") for test in row.tests[:MOST_TESTS])
        if len(row.tests) > MOST_TESTS:
            tests += f"<br>and {len(row.tests) - MOST_TESTS} more"
        reason = f": {row.exception.sentence} ({row.exception.clause})" if row.exception and not row.tests else ""
        text = requirement.text.replace("|", "\\|")
        lines.append(f"| {requirement.id} | {level}{scope} | {text} | {row.where} | {tests} | {row.state}{reason} |")
    return "\n".join(lines) + "\n"


def clauses_json(table: list[Row]) -> str:
    """Return the table for the inspector's page: an array of objects, one a line, in order of the ids.

    What is empty or zero is left out. "basis" is "keyword" where the RFC's sentence has the
    capitalised word, else "reading". "tests" are functions, without their parameters, or packet
    scripts; "more" is the number of those that are not named; "mutants" that of the kept mutants.
    """
    kept = Counter(id for mutant in mutants() for id in mutant.clauses)
    lines = []
    for row in sorted(table, key=lambda row: row.requirement.id):
        requirement = row.requirement
        functions = list(dict.fromkeys(test.partition("[")[0].removeprefix("tests/") for test in row.tests))
        told = {
            "id": requirement.id,
            "rfc": rfc_of(requirement),
            "section": requirement.section,
            "level": requirement.level,
            "basis": "keyword" if requirement.formal else "reading",
            "text": requirement.text,
            "where": row.where,
            "tests": functions[:MOST_TESTS],
            "more": max(0, len(functions) - MOST_TESTS),
            "mutants": kept[requirement.id],
            "not_followed": row.exception.sentence if row.exception and not row.tests else "",
        }
        lines.append(json.dumps({key: value for key, value in told.items() if value}, separators=(",", ":")))
    return "[\n" + ",\n".join(lines) + "\n]\n"


def rfc_of(requirement: Requirement) -> str:
    """Return the number of the RFC that a clause is from; nothing for an attack."""
    number = re.match(r"(\d+)[a-z]?[ -]", requirement.id)
    return number[1] if number else ""


def write(table: list[Row]) -> None:
    """Write both files."""
    TABLE.write_text(render(table), encoding="utf-8")
    CLAUSES.write_text(clauses_json(table), encoding="ascii")


def out_of_date(table: list[Row]) -> list[str]:
    """Return the complaints about files that are not as they would be written now."""
    texts = {TABLE: render(table), CLAUSES: clauses_json(table)}
    return [
        f"{path.name} is out of date: run scripts/conformance and commit it"
        for path, text in texts.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/conformance")
    parser.add_argument("--check", action="store_true", help="fail if a table in the repository is out of date")
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="run no test: take what scripts/test --conformance=FILE wrote"
    )
    args = parser.parse_args()
    results = json.loads(args.results.read_text(encoding="utf-8")) if args.results else run_marked_tests()
    table = rows(results)
    wrong = complaints(table)
    if args.check:
        wrong += out_of_date(table)
    else:
        write(table)
    print(totals(table))
    print(f"\nnot decided:\n{totals(table, decided=False)}")
    if wrong:
        print("\n".join(wrong[:60]), file=sys.stderr)
        raise SystemExit(f"conformance: {len(wrong)} complaints")


if __name__ == "__main__":
    main()
