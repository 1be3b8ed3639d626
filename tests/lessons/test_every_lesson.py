"""Every lesson is true, runs the same each time, and would not pass if what it says were otherwise."""

from __future__ import annotations

import dataclasses
from functools import cache, partial
from pathlib import Path

import pytest

from tools.lessons import breaks, shelf
from tools.lessons.blocks import Break, Lesson, LessonError, Predict
from tools.lessons.check import Runs, check, check_break, question
from tools.lessons.network import perform
from tools.lessons.parse import read
from tools.lessons.patterns import number
from tools.lessons.recording import Recording

pytestmark = pytest.mark.one_way  # a run has both ways of its own

FILES = sorted(path for language in ("en", "fr") for path in (shelf.FOLDER / language).glob("*.md"))
every_lesson = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")


@cache
def lesson_in(path: Path) -> Lesson:
    return read(path)


@cache
def runs_of(path: Path) -> Runs:
    """What has happened in the runs of a lesson: done once, for all tests."""
    return Runs(lesson_in(path), perform)


@every_lesson
def test_it_is_true(path: Path) -> None:
    assert check(lesson_in(path), runs_of(path)) > 0


@every_lesson
def test_it_is_true_without_fast_paths(path: Path) -> None:
    lesson = lesson_in(path)
    check(lesson, Runs(lesson, partial(perform, fast_paths=False), fast_paths=False), console=False)


@every_lesson
def test_each_run_does_the_same_each_time(path: Path) -> None:
    lesson = lesson_in(path)
    for run in lesson.runs.values():
        first = runs_of(path)[run.name, ""].events()
        for _ in range(20 if path.parent.name == "en" else 1):
            assert perform(lesson.file, run).events() == first


@every_lesson
def test_a_clause_that_is_not_taken_out_changes_nothing(path: Path) -> None:
    lesson = lesson_in(path)
    for block in lesson.blocks:
        if isinstance(block, Break):
            with pytest.raises(LessonError, match=rf"{lesson.file}:\d+: "):
                check_break(lesson, block, Unbroken(runs_of(path)))
            assert breaks.find(block.clause) in breaks.shipped(), f"{block.clause} is not in breaks.toml"


class Unbroken(Runs):
    """Runs from which no clause is taken out, whatever is asked for."""

    def __init__(self, runs: Runs) -> None:
        super().__init__(runs.lesson)
        self._runs = runs

    def __getitem__(self, key: tuple[str, str]) -> Recording:
        return self._runs[key[0], ""]


@every_lesson
def test_an_answer_that_is_off_by_one_is_refused(path: Path) -> None:
    lesson = lesson_in(path)
    for block in lesson.questions():
        for wrong in changed(block):
            with pytest.raises(LessonError, match=rf"{lesson.file}:\d+: "):
                question(lesson, wrong, runs_of(path))


def changed(predict: Predict) -> list[Predict]:
    """A question with wrong answers: a number that is larger by one, another choice marked, two items exchanged."""
    if predict.kind == "choice":
        marks = [choice.marked for choice in predict.choices]
        marks = [*marks[1:], marks[0]]
        choices = [dataclasses.replace(each, marked=mark) for each, mark in zip(predict.choices, marks, strict=True)]
        return [dataclasses.replace(predict, choices=tuple(choices))]
    if predict.kind == "order":
        return [dataclasses.replace(predict, items=tuple(reversed(predict.items)))]
    if predict.kind in ("value", "field"):
        real = number(predict.answer)
        return [dataclasses.replace(predict, answer="something else" if real is None else f"{real + 1:.9g}")]
    return []


@every_lesson
def test_each_wrong_number_in_a_statement_is_noticed(path: Path) -> None:
    """A count or a value that a statement compares by == is changed by one: the statement must fail."""
    from tools.lessons.blocks import Expect
    from tools.lessons.recording import first_that_fails

    lesson = lesson_in(path)
    for block in lesson.blocks:
        if isinstance(block, Expect):
            for each in block.statements:
                real = number(each.value)
                if each.operator == "==" and real is not None:
                    wrong = dataclasses.replace(each, value=f"{real + 1:.9g}")
                    assert first_that_fails(runs_of(path)[block.run, ""], [wrong]) is not None, each.text


def test_a_translation_has_the_same_blocks() -> None:
    """The code fences are those of the English lesson, but for what people read."""
    for path in FILES:
        if path.parent.name != "en":
            original = lesson_in(next((shelf.FOLDER / "en").glob(f"{path.name.partition('-')[0]}-*.md")))
            translated = lesson_in(path)
            assert translated.runs.keys() == original.runs.keys()
            assert [run.source for run in translated.runs.values()] == [run.source for run in original.runs.values()]
            assert [type(block) for block in translated.blocks] == [type(block) for block in original.blocks]
            assert [each.about for each in translated.questions()] == [each.about for each in original.questions()]


def test_the_numbers_of_the_lessons_are_their_file_names() -> None:
    for path in FILES:
        assert shelf.FILE.fullmatch(path.name), path.name
        assert lesson_in(path).number == path.name.partition("-")[0]
