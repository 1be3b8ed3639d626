"""A lesson that was left goes on where it was left, whatever is in the file that says where."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools import cli
from tools.lessons import places, shelf
from tools.lessons.blocks import Lesson
from tools.lessons.check import Runs, question
from tools.lessons.network import perform
from tools.lessons.parse import read
from tools.lessons.words import WORDS

pytestmark = pytest.mark.one_way

T1 = next((shelf.FOLDER / "en").glob("T1-*.md"))
FIRST = "Which control bits are set in the first segment"
SECOND = "Put the segments of the handshake in order."
THIRD = "SYN,ACK of the server carry"
GOES_ON = "It goes on where you left it"
Types = Callable[..., str]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Types:
    """Start a lesson, type these lines, leave; returns what was shown."""

    def start(*typed: str, lesson: str = "T1", options: tuple[str, ...] = ()) -> str:
        lines: Iterator[str] = iter([f"{line}\n" for line in typed])
        monkeypatch.setattr("sys.stdin", type("Typed", (), {"readline": lambda _: next(lines, "")})())
        assert cli.main(["lesson", lesson, *options]) == 0
        return capsys.readouterr().out

    return start


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return read(T1)


@pytest.fixture(scope="module")
def runs(lesson: Lesson) -> Runs:
    return Runs(lesson, perform)


def right(lesson: Lesson, runs: Runs) -> list[str]:
    return [question(lesson, each, runs).right for each in lesson.questions()]


def test_it_goes_on_at_the_question_where_it_was_left(types: Types, lesson: Lesson, runs: Runs) -> None:
    out = types(*right(lesson, runs)[:2])
    assert "`tapstack lesson T1` goes on here" in out
    out = types("1")
    assert FIRST not in out
    assert SECOND not in out
    assert THIRD in out
    assert GOES_ON in out
    assert "2 of its questions" in out
    assert "await lesson.hosts(" in out, "the run that the question is about is shown again"
    assert "T1: 3 of 4 right." in out
    assert THIRD not in types()


def test_a_question_that_was_left_open_is_asked_again(types: Types) -> None:
    types("b")  # one try is left
    out = types("a")
    assert FIRST in out
    assert GOES_ON not in out
    assert "T1: 1 of 2 right." in out


def test_an_answer_that_was_shown_is_over(types: Types) -> None:
    types("", "")
    assert THIRD in types()


def test_again_begins_anew(types: Types) -> None:
    types("a")
    assert FIRST in types(options=("--again",))
    assert FIRST in types(), "the old place is forgotten"


@pytest.mark.parametrize(
    "others", [["--check", "x"], ["--verify"], ["--page"], ["--print", "x"], ["--events", "handshake"]]
)
def test_again_is_for_the_terminal_alone(others: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lesson", "T1", "--again", *others]) == 2
    assert cli.main(["lesson", "--again"]) == 2
    assert "--again begins a lesson in the terminal anew" in capsys.readouterr().err


def test_a_lesson_that_is_over_begins_anew(types: Types, lesson: Lesson, runs: Runs) -> None:
    out = types(*right(lesson, runs), "")
    assert "8 of 8 right" in out
    assert "goes on here" not in out
    assert FIRST in types()


def test_a_lesson_that_is_another_one_begins_anew(types: Types, tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text(T1.read_text())
    types("a", lesson=str(path))
    assert FIRST not in types(lesson=str(path))
    path.write_text(T1.read_text().replace("10 min", "11 min"))
    assert FIRST in types(lesson=str(path))


def test_a_result_sheet_neither_reads_nor_changes_the_place(types: Types, tmp_path: Path) -> None:
    types("a")
    before = places.places_file().read_bytes()
    sheet = tmp_path / "sheet"
    assert FIRST in types("b", "", options=("--check", str(sheet)))
    assert [json.loads(line)["question"] for line in sheet.read_text().splitlines()] == ["first", "order", "ack"]
    assert places.places_file().read_bytes() == before
    assert FIRST not in types()


def test_exercises_go_on_at_the_one_that_is_open(types: Types) -> None:
    """The exercise of T18 is asked three times."""
    (exercise,) = [each for each in read(shelf.find("T18").path).questions() if each.kind == "exercise"]
    assert exercise.times == 3
    types("", "", lesson="T18")
    kept = json.loads(places.places_file().read_text())["T18"]["answers"]
    assert list(kept) == exercise.names()[:2]
    out = types("", lesson="T18")
    assert GOES_ON in out
    kept = json.loads(places.places_file().read_text())["T18"]["answers"]
    assert list(kept) == exercise.names()


def test_nothing_is_kept_of_a_lesson_without_an_answer(types: Types) -> None:
    assert "goes on here" not in types()
    assert not places.places_file().exists()


def kept_with(**changed: object) -> str:
    answers = {"first": {"given": ["a"], "right": True}}
    return json.dumps({"T1": {"text": read(T1).digest, "answers": answers, **changed}})


HOSTILE = {
    "empty": "", "no object": "[]", "half": '{"T1": ', "deep": "[" * 100_000, "large": '"' + "x" * (2 << 20),
    "no lesson": '{"T1": 3}', "no answers": kept_with(answers=3), "no answer": kept_with(answers={"first": 3}),
    "no right": kept_with(answers={"first": {"given": [], "right": "yes"}}),
    "numbers": kept_with(answers={"first": {"given": [3], "right": True}}),
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_damaged_file_costs_one_sentence(text: str, types: Types) -> None:
    places.places_file().parent.mkdir(parents=True)
    places.places_file().write_text(text)
    out = types("a")
    assert out.count("could not be read: the lesson begins anew.") == 1
    assert FIRST in out
    assert FIRST not in types(), "the next time the file is whole"


def test_what_was_typed_is_bounded_and_harmless(types: Types) -> None:
    given = ["\x1b[2J" * 1000] * 20
    places.places_file().parent.mkdir(parents=True)
    places.places_file().write_text(kept_with(answers={"first": {"given": given, "right": True}, "x": 1}))
    assert SECOND in types()
    (first,) = places.answers_before(read(T1))
    assert len(first.given) <= places.MOST_GIVEN
    assert all(each.isprintable() and len(each) <= places.LONGEST_GIVEN for each in first.given)


def test_answers_that_were_never_reached_do_not_count(types: Types) -> None:
    places.places_file().parent.mkdir(parents=True)
    places.places_file().write_text(kept_with(answers={"ack": {"given": [], "right": True}}))
    assert FIRST in types()
    answer = {"given": ["a"], "right": True}
    places.places_file().write_text(kept_with(answers={"first": answer, "ack": answer}))
    assert [each.question for each in places.answers_before(read(T1))] == ["first"], "another one is before the last"


def test_a_pipe_in_its_place_is_not_waited_for(types: Types) -> None:
    places.places_file().parent.mkdir(parents=True)
    os.mkfifo(places.places_file())
    assert "could not be read" in types()


def test_a_place_that_cannot_be_kept_costs_one_sentence(
    types: Types, tmp_path: Path, lesson: Lesson, runs: Runs
) -> None:
    (tmp_path / "state").write_text("a file in the place of the folder")
    out = types(*right(lesson, runs)[:3])
    assert out.count("Your place in the lesson cannot be kept: Not a directory.") == 1
    assert "goes on here" not in out
    assert "T1: 3 of 4 right." in out


def test_the_sentences_are_there_in_french(types: Types) -> None:
    options = ("--lang", "fr")
    assert "reprend ici" in types("a", options=options)
    assert WORDS["fr"]["goes_on"].format(count=1) in types(options=options)
    assert FIRST in types(), "the French lesson is another text"
