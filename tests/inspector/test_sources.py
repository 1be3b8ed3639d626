"""The sources of a clause: every clause with a place has them, and no request names a file."""

from __future__ import annotations

import errno
import json
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path

import pytest

from tools.inspector import sources
from tools.inspector.answers import Refused, Request


def test_nearly_every_clause_with_a_place_has_its_source() -> None:
    """Not every one: after a new name, scripts/conformance has to write clauses.json anew."""
    places = {str(row["where"]) for row in sources.clauses().values() if ":" in str(row.get("where"))}
    assert len(places) > 300
    found = 0
    for place in places:
        file, _, name = place.partition(":")
        code = sources.excerpt(files("stack"), file, name)
        found += code is not None and name.rpartition(".")[2] in str(code["lines"])
    assert found > 0.95 * len(places)


def test_the_tests_of_a_checkout_are_shown() -> None:
    named = {test for row in sources.clauses().values() for test in row.get("tests", [])}  # type: ignore[attr-defined]
    some = sorted(named)[::10]
    found = [test for test in some if sources.excerpt(sources.TESTS, *test.split("::", 1))]
    assert len(found) > 0.95 * len(some) > 50


def test_a_clause_has_the_lines_of_its_function_and_of_its_test() -> None:
    told = sources.sources("9293 MUST-9")
    assert told is not None
    code, tests = told["code"], told["tests"]
    assert isinstance(code, dict)
    assert isinstance(tests, list)
    assert (code["file"], code["name"], code["left_out"]) == ("tcp/isn.py", "keyed_hash", 0)
    text = (Path(str(files("stack"))) / "tcp/isn.py").read_text().splitlines()
    assert code["lines"] == text[code["first"] - 1 :][: len(code["lines"])]
    assert code["lines"][0].startswith("def keyed_hash")
    assert tests[0]["lines"][0].startswith(("@", "def test_"))
    assert json.loads(json.dumps(told)) == told


def test_without_a_checkout_the_function_is_there_and_no_test(tmp_path: Path) -> None:
    told = sources.sources("9293 MUST-9", tmp_path / "tests")
    assert told is not None
    assert told["code"]
    assert told["tests"] == []


def test_a_source_that_may_not_be_read_is_said_to_be_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As after a program has given up root's rights, in a folder that root alone may read."""
    told = sources.sources("9293 MUST-9", tmp_path / "tests")
    assert told is not None
    assert told["closed"] == "", "no tests: this is no checkout"

    def refused(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    told = sources.sources("9293 MUST-9")
    assert told is not None
    assert (told["code"], told["tests"], told["closed"]) == (None, [], sources.CLOSED)


def test_a_long_source_is_cut_and_says_so(tmp_path: Path) -> None:
    body = "\n".join(f"    x{i} = {i}  {'#' * 400}" for i in range(300))
    (tmp_path / "long.py").write_text(f"class A:\n  def f(self):\n{body}\n")
    found = sources.excerpt(tmp_path, "long.py", "A.f")
    assert found is not None
    assert (found["first"], found["left_out"]) == (2, 301 - sources.MOST_LINES)
    lines = found["lines"]
    assert isinstance(lines, list)
    assert len(lines) == sources.MOST_LINES
    assert max(map(len, lines)) == sources.LONGEST_LINE


@pytest.mark.real_time("a worker thread parses the file")
@pytest.mark.parametrize("id", ["", "../../etc/passwd", "tcp/isn.py:keyed_hash", "9293 MUST-9\0", "x" * 1000])
async def test_a_request_names_no_file(id: str) -> None:
    with pytest.raises(Refused) as refused:
        await sources.give(Request("GET", "source", {"id": id}))
    assert refused.value.status == HTTPStatus.NOT_FOUND


@pytest.mark.real_time("a worker thread parses the file")
async def test_the_route_gives_json() -> None:
    answer = await sources.give(Request("GET", "source", {"id": "9293 MUST-9"}))
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["code"]["name"] == "keyed_hash"
