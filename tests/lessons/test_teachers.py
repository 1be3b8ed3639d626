"""What teachers read is true: the table of all that the course and the card explain, and the commands of a class."""

from __future__ import annotations

import re
import shlex

import pytest

from tools import cli
from tools.lessons import shelf

README = shelf.FOLDER / "README.md"
COURSE, CARD = 37, 15  # rows
COMING = {"T15", "T16", "T17", "T18", "S1"}  # lessons that are being written
WITH_A_ROUTER = {"L9", "L11", "L16"}  # lessons that come with the router
NUMBER = re.compile(r"\b[LTDS]\d{1,2}\b")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
COMMAND = re.compile(r"`tapstack ([^`]+)`")
RUN_HERE = ("ipcalc", "number")  # commands that need no file and no host


def rows() -> list[tuple[str, str]]:
    """What each row of the table is about, and what shows it."""
    table = README.read_text().partition("## The course and the card")[2].partition("\n## ")[0]
    cells = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [(f"{part.strip()}: {about}", shown.strip()) for part, about, shown in cells[1:]]


every_row = pytest.mark.parametrize(("about", "shown"), rows(), ids=lambda text: text[:40])


def test_no_row_is_left_out() -> None:
    parts = [about.partition(":")[0] for about, _ in rows()]
    assert (parts.count("card"), len(parts) - parts.count("card")) == (CARD, COURSE)
    assert len({about for about, _ in rows()}) == CARD + COURSE


@every_row
def test_each_row_is_shown_by_a_lesson_or_needs_a_router(about: str, shown: str) -> None:
    assert LINK.search(shown) or COMING & {*NUMBER.findall(shown)} or "needs a router" in shown, about


@every_row
def test_each_lesson_named_is_there(about: str, shown: str) -> None:
    there = {each.number: each.path for each in shelf.shelf()}
    for number, target in LINK.findall(shown):
        assert (shelf.FOLDER / target).resolve() == there[number], about
    unlinked = set(NUMBER.findall(LINK.sub("", shown)))
    assert unlinked - WITH_A_ROUTER - COMING == set(), f"{about}: a lesson that is there is linked"


@every_row
def test_each_command_named_works(about: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    for text in COMMAND.findall(shown):
        words = shlex.split(text)
        assert words[0] in cli.PROGRAMS, about
        if words[0] in RUN_HERE:
            assert cli.main(words) == 0, capsys.readouterr().err
            assert capsys.readouterr().out
        else:
            cli.make_parser(words[0])[0].parse_args(words)
