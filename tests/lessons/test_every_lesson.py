"""Every lesson is true, runs the same each time, and would not pass if what it says were otherwise."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import pytest

from tools.lessons import breaks, shelf
from tools.lessons.blocks import Break, Choice, Expect, Hint, Lesson, LessonError, Predict, Text
from tools.lessons.check import Runs, check, check_break, question
from tools.lessons.network import perform
from tools.lessons.parse import parse, read
from tools.lessons.patterns import Statement, Term, number
from tools.lessons.recording import Recording, first_that_fails

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


def spent_s() -> float:
    """Processor time of this process and of those that it has started and waited for, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@every_lesson
def test_it_is_true_and_takes_little_time(path: Path) -> None:
    began = spent_s()
    assert check(lesson_in(path), runs_of(path)) > 0
    assert spent_s() - began < 5.0


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
def test_each_number_in_a_statement_counts(path: Path) -> None:
    """Each number that a statement says is, is changed by one: the statements of its block no longer hold."""
    lesson = lesson_in(path)
    for block in lesson.blocks:
        if isinstance(block, Expect | Break):
            recording = runs_of(path)[block.run, block.clause if isinstance(block, Break) else ""]
            assert first_that_fails(recording, block.statements) is None
            for place, each in enumerate(block.statements):
                for wrong in off_by_one(each):
                    statements = [*block.statements[:place], wrong, *block.statements[place + 1 :]]
                    assert first_that_fails(recording, statements) is not None, wrong


def off_by_one(statement: Statement) -> Iterator[Statement]:
    """The statement with another number: one that it compares by ==, or one of a field of its event."""
    real = number(statement.value)
    if statement.operator == "==" and real is not None:
        yield dataclasses.replace(statement, value=f"{real + 1:.12g}")
    if statement.kind == "event" and statement.pattern is not None:
        terms = statement.pattern.terms
        for place, term in enumerate(terms):
            value = number(term.value)
            if term.operator == "=" and value is not None:
                wrong = (*terms[:place], Term(term.key, "=", f"{value + 1:.12g}"), *terms[place + 1 :])
                yield dataclasses.replace(statement, pattern=dataclasses.replace(statement.pattern, terms=wrong))


FOR_PEOPLE = {
    (Text, "markdown"), (Predict, "prompt"), (Predict, "because"), (Choice, "text"), (Choice, "reason"),
    (Hint, "sentence"), (Statement, "says"),
}  # fmt: skip


def substance(value: object) -> object:
    """What a translation must have as it is in English: all but the places in the file and what people read."""
    if isinstance(value, Predict):
        value = dataclasses.replace(value, items=tuple(("", right) for _, right in value.items))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in dataclasses.fields(value) if (type(value), each.name) not in FOR_PEOPLE]
        return type(value), [substance(getattr(value, name)) for name in names if name != "line"]
    return [substance(each) for each in value] if isinstance(value, tuple) else value


def of_the_same_number(path: Path) -> Lesson:
    """The English lesson that is translated in this file."""
    (original,) = (shelf.FOLDER / "en").glob(f"{path.name.partition('-')[0]}-*.md")
    return lesson_in(original)


TRANSLATED = [path for path in FILES if path.parent.name != "en"]


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_translation_has_the_same_blocks(path: Path) -> None:
    """The code fences are those of the English lesson, but for what people read."""
    original, translated = of_the_same_number(path), lesson_in(path)
    assert substance(translated.blocks) == substance(original.blocks)
    assert translated.facts.keys() == original.facts.keys()
    assert translated.facts["time"] == original.facts["time"]
    assert translated.title != original.title
    read_by_people = [each.markdown for each in translated.blocks if isinstance(each, Text) and len(each.markdown) > 80]
    assert not {each.markdown for each in original.blocks if isinstance(each, Text)} & set(read_by_people)


@pytest.mark.parametrize(
    ("number", "said", "drifted"),
    [
        ("L4", "answer: 0.0.3.115", "answer: 0.0.3.114"),
        ("L4", "62.161.96.0: ", "62.161.96.2: "),
        ("L5", "kept lease == 900", "kept lease > 800"),
        ("L5", 'without="2131-4.4.1-l"', 'without="5227-2.1-a"'),
        ("L12", "tcp:reset", "tcp:send"),
        ("L12", "`= RST,ACK`", "`= RST*`"),
        ("L12", "open\n$ nc", "...\n$ nc"),
    ],
)
def test_a_translation_that_drifts_is_noticed(number: str, said: str, drifted: str) -> None:
    (path,) = [each for each in TRANSLATED if each.name.startswith(f"{number}-")]
    text = path.read_text(encoding="utf-8")
    assert said in text
    assert substance(parse(text.replace(said, drifted, 1), path.name).blocks) != substance(lesson_in(path).blocks)


def test_the_numbers_of_the_lessons_are_their_file_names() -> None:
    for path in FILES:
        assert shelf.FILE.fullmatch(path.name), path.name
        assert lesson_in(path).number == path.name.partition("-")[0]
