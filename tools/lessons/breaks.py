"""The clauses that can be broken on purpose: those of breaks.toml and, in a checkout, all kept mutants."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from ..broken import Fault
from ..output import Failed

SHIPPED = Path(__file__).with_name("breaks.toml")
KEPT = Path(__file__).resolve().parents[2] / "tests" / "requirements" / "mutants.toml"  # of a checkout


def same(clause: str) -> str:
    """Return a clause as it is compared: "9293 MUST-2" and 9293-must-2 are the same."""
    return "-".join(clause.replace("-", " ").split()).casefold()


@cache
def shipped() -> tuple[Fault, ...]:
    """Return the faults of breaks.toml."""
    return tuple(
        Fault(each["clause"], each["file"], each["pattern"], each["replacement"], each["sentence"])
        for each in tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["break"]
    )


@cache
def translated() -> dict[str, str]:
    """Return the French sentences of breaks.toml, by clause: those of the clauses that French lessons take out."""
    read = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["break"]
    return {same(each["clause"]): each["fr"] for each in read if "fr" in each}


def sentence(clause: str, language: str) -> str:
    """Return what is to be seen without a clause, in a language if there is such a sentence. Raises Failed."""
    told = translated().get(same(clause), "") if language == "fr" else ""
    return told or find(clause).sentence


@cache
def kept() -> tuple[Fault, ...]:
    """Return a fault for each clause of each kept mutant; none outside of a checkout."""
    try:
        text = KEPT.read_text(encoding="utf-8")
    except OSError:
        return ()
    return tuple(
        Fault(clause, each["file"], each["pattern"], each["replacement"], "")
        for each in tomllib.loads(text)["mutant"]
        for clause in each["clauses"]
    )


def find(clause: str) -> Fault:
    """Return the fault that breaks a clause; "9293 MUST-19#2" is the second kept one. Raises Failed without any."""
    name, _, which = clause.partition("#")
    if not which:
        for fault in shipped():
            if same(fault.clause) == same(name):
                return fault
    found = [fault for fault in kept() if same(fault.clause) == same(name)]
    if not found:
        others = "" if kept() else "; a checkout has more of them"
        raise Failed(f"{clause!r} is no clause that can be broken: `tapstack break` lists them{others}", 2)
    if which and not (which.isascii() and which.isdigit() and 1 <= int(which[:6]) <= len(found)):
        raise Failed(f"{name} can be broken in {len(found)} ways: {name}#1 to {name}#{len(found)}", 2)
    return found[int(which) - 1 if which else 0]
