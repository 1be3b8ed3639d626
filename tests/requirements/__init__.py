"""The requirement lists: every clause of the RFCs that binds a host, a row a clause, and the mark
that names it.

`@rfc("9293 MUST-12")` or `@rfc("5961-3.2-d")` stands on the test that would fail if the clause were
broken. The ids are those of the lists, verbatim, with "9293 " before the numbered ones of RFC 9293;
an unknown id stops the run, and so do more than three on one test. `scripts/conformance` makes the
table of them, `scripts/mutants` shows that the tests bite.

The clauses of UNDECIDED_LISTS are known to the marks and stand in the table, but an open one is no
failure yet.

flaws.tsv is the list of what no clause asks for: attacks that worked once. Its columns are the id,
the attack, and what must hold; each row binds as a MUST does, and its marks and mutants are those
of any clause.

exceptions.tsv holds the clauses that this stack does not follow, one sentence each, and shown.tsv
the tests that show that each sentence is true (tests/test_exceptions.py asks for them); where.tsv
says which function answers for a clause; mutants.toml are the changes to the code that a marked
test must notice.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
UNDECIDED_LISTS = ("rfc1122", "ip-frag", "tcp-more")
"""Lists whose clauses may still be open: most of them have no test that names them yet."""
LISTS = ("rfc9293", "rfc9293-extra", "tcp-extensions", "rfc826-5227", "rfc2131", "flaws", *UNDECIDED_LISTS)
MOST_MARKS = 3

# RFC 9293 3.9.2.1, IP source routing: a host may leave it out, so these rows are optional here.
_OPTIONAL_9293 = ("MUST-51", "MUST-52", "MUST-53", "SHLD-24")

rfc = pytest.mark.rfc


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row. `formal`: the RFC's sentence has the capitalised word; otherwise the level is a reading of it."""

    id: str
    level: str
    section: str
    feature: str
    text: str
    scope: str
    reason: str
    formal: bool
    list: str

    @property
    def binding(self) -> bool:
        """A core MUST or SHOULD, or one of their negations."""
        return self.scope == "core" and self.level.split()[0] in ("MUST", "SHOULD")

    @property
    def decided(self) -> bool:
        """Whether its list is one whose binding clauses must all be tested or excepted."""
        return self.list not in UNDECIDED_LISTS


@dataclass(frozen=True, slots=True)
class Excepted:
    """A clause that is not followed. `kind` is obsoleted, exclusive or not-a-host's; `clause` is what says so."""

    id: str
    kind: str
    clause: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change to the code that the tests marked with `clauses` must notice: `pattern` stands once in `file`."""

    clauses: tuple[str, ...]
    file: str
    pattern: str
    replacement: str


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def requirements() -> dict[str, Requirement]:
    """All rows of all lists, by id, in the lists' order."""
    found: dict[str, Requirement] = {}
    for name in LISTS:
        for row in _rows(f"{name}.tsv"):
            numbered = name == "rfc9293"
            attack = row.get("attack")
            scope = row.get("scope") or ("optional" if row["id"] in _OPTIONAL_9293 else "core")
            found["9293 " + row["id"] if numbered else row["id"]] = Requirement(
                "9293 " + row["id"] if numbered else row["id"],
                row.get("level") or "MUST",
                row.get("section") or "",
                row.get("feature") or attack or "",
                row.get("text") or row["what must hold"],
                scope,
                row.get("reason") or "",
                numbered or attack is not None or row.get("basis") == "keyword",
                name,
            )
    return found


def exceptions() -> dict[str, Excepted]:
    """The clauses that are not followed, by id."""
    return {
        row["id"]: Excepted(row["id"], row["kind"], row["clause"], row["sentence"]) for row in _rows("exceptions.tsv")
    }


def shown() -> dict[str, tuple[str, ...]]:
    """Clause id to the tests ("tests/tcp/test_rtt.py::test_rto_has_a_floor") that show its exception's sentence."""
    found: dict[str, tuple[str, ...]] = {}
    for row in _rows("shown.tsv"):
        found[row["id"]] = (*found.get(row["id"], ()), row["test"])
    return found


def where() -> dict[str, str]:
    """Clause id to "tcp/timers.py:on_deadline", the function that answers for it."""
    return {row["id"]: row["where"] for row in _rows("where.tsv")}


def mutants() -> list[Mutant]:
    """All kept mutants."""
    with (FOLDER / "mutants.toml").open("rb") as file:
        return [
            Mutant(tuple(entry["clauses"]), entry["file"], entry["pattern"], entry["replacement"])
            for entry in tomllib.load(file).get("mutant", [])
        ]
