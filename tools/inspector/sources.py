"""The function that answers for a clause, and the tests that prove it, as lines of source.

Only ids of clauses.json are looked up, and only files that clauses.json names are read: those of
the installed `stack`, and the tests of a checkout if this program runs from one.
"""

from __future__ import annotations

import ast
import importlib.resources
import json
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from importlib.resources.abc import Traversable
from pathlib import Path

import trio

from .answers import JSON, Answer, Refused, Request
from .inspector import Inspector
from .page_files import package_file

MOST_LINES = 160  # of a function, a class or a packet script
LONGEST_LINE = 200  # characters
CLOSED = (
    "The sources are in a folder that this program may not read, since it is not root any more."
    " --user names a user who may."
)
TESTS = Path(__file__).resolve().parent.parent.parent / "tests"
"""The tests, if this is a checkout."""


def add(inspector: Inspector) -> None:
    """Add the route `source?id=CLAUSE`."""
    inspector.routes["source"] = give


async def give(request: Request) -> Answer:
    """Answer with the sources of a clause. Raises Refused."""
    told = await trio.to_thread.run_sync(sources, request.query.get("id", ""))
    if told is None:
        raise Refused(HTTPStatus.NOT_FOUND, "there is no such clause")
    return Answer(JSON, json.dumps(told, separators=(",", ":")).encode())


def sources(id: str, tests: Path = TESTS) -> dict[str, object] | None:
    """Return the sources of a clause for JSON; None if there is no such clause.

    "code" is null if no function alone answers for the clause, or its file may not be read.
    "tests" has those whose source is there. "closed" is a sentence if this program may not read one
    of the files, else "". Each is an object with "file", "name", "first" (the
    number of the first line), "lines" and "left_out" (the number of lines that were too many).
    """
    clause = clauses().get(id)
    if clause is None:
        return None
    file, _, name = str(clause.get("where", "")).partition(":")
    closed = ""

    def source(folder: Traversable, file: str, name: str) -> dict[str, object] | None:
        nonlocal closed
        try:
            return excerpt(folder, file, name)
        except PermissionError:
            closed = CLOSED
            return None

    code = source(importlib.resources.files("stack"), file, name) if name else None
    named = clause.get("tests", [])
    assert isinstance(named, list)
    found = [source(tests, *test.split("::", 1)) for test in named]
    return {"id": id, "code": code, "tests": [test for test in found if test is not None], "closed": closed}


@cache
def clauses() -> dict[str, dict[str, object]]:
    """Return the rows of clauses.json, by id."""
    return {row["id"]: row for row in json.loads(package_file("clauses.json") or b"[]")}


def excerpt(folder: Traversable, file: str, name: str) -> dict[str, object] | None:
    """Return the lines of `name` in a file, "Class.method" or "method"; None if they cannot be had.

    PermissionError if the file may not be read.
    """
    try:
        text = folder.joinpath(*file.split("/")).read_text(encoding="utf-8")
    except PermissionError:
        raise
    except (OSError, UnicodeDecodeError):
        return None
    lines = text.splitlines()
    first, last = 1, len(lines)
    if file.endswith(".py"):
        place = find(text, name)
        if place is None:
            return None
        first, last = place
    shown = lines[first - 1 : min(last, first - 1 + MOST_LINES)]
    return {
        "file": file,
        "name": name,
        "first": first,
        "lines": [line[:LONGEST_LINE] for line in shown],
        "left_out": last - first + 1 - len(shown),
    }


def find(text: str, name: str) -> tuple[int, int] | None:
    """Return the first and the last line of what a module defines as `name`, its decorators included."""
    for prefix, node in defined(ast.parse(text), ""):
        if name not in (prefix, prefix.rpartition(".")[2]):
            continue
        assert node.end_lineno is not None
        decorators = getattr(node, "decorator_list", [])
        return min([node.lineno, *(decorator.lineno for decorator in decorators)]), node.end_lineno
    return None


def defined(parent: ast.AST, prefix: str) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the functions, classes and variables of a module, with their names: those of a class after it."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name, node
            yield from defined(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((prefix + target.id, node) for target in targets if isinstance(target, ast.Name))
        else:
            yield from defined(node, prefix)
