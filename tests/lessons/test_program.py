"""`tapstack lesson`: what a learner sees and types, the result sheet, the progress, and the list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import cli
from tools.lessons import patterns, shelf
from tools.lessons.blocks import Lesson, Text
from tools.lessons.check import Runs, question
from tools.lessons.network import perform
from tools.lessons.parse import read
from tools.lessons.program import Terminal
from tools.lessons.recording import matches
from tools.lessons.teacher import Teacher
from tools.lessons.words import WORDS

pytestmark = pytest.mark.one_way

T1 = next((shelf.FOLDER / "en").glob("T1-*.md"))


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return read(T1)


@pytest.fixture(scope="module")
def runs(lesson: Lesson) -> Runs:
    return Runs(lesson, perform)


def right_answers(lesson: Lesson, runs: Runs) -> list[str]:
    return [question(lesson, each, runs).right for each in lesson.questions()]


def taught(lesson: Lesson, runs: Runs, typed: list[str], *, one_try: bool = False, sentences: bool = False) -> Teacher:
    lines: Iterator[str] = iter([f"{line}\n" for line in typed])
    screen = Terminal(lambda: next(lines, ""))
    teacher = Teacher(lesson, WORDS["en"], 80, screen, one_try=one_try, sentences=sentences)
    teacher.runs = runs
    teacher.teach()
    return teacher


def test_right_answers_are_right(lesson: Lesson, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = taught(lesson, runs, right_answers(lesson, runs))
    assert [answer.right for answer in teacher.answers] == [True] * len(lesson.questions())
    out = capsys.readouterr().out
    assert out.count("Right. ") == len(lesson.questions())
    assert "Not yet." not in out
    assert f"T1: {len(teacher.answers)} of {len(teacher.answers)} right." in out
    assert "SYN-SENT    |-- SYN seq 0 win 65535" in out
    assert "Without it the checksum of each segment is 0" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 170, "only frames are wider than the terminal"


def test_what_is_asked_is_not_shown_before(lesson: Lesson, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    taught(lesson, runs, ["a"])
    out = capsys.readouterr().out
    assert "SYN-SENT" not in out
    assert "0 of" not in out
    assert "T1: 1 of 2 right." in out, "the learner has left at the second question"


def test_a_wrong_answer_gets_a_reason_and_another_try(
    lesson: Lesson, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    teacher = taught(lesson, runs, ["b", "z", "d"])
    out = " ".join(capsys.readouterr().out.split())
    assert teacher.answers[0].given == ["b", "d"], "what is no answer is no try"
    assert "Not yet. ACK says that the acknowledgment number means something." in out
    assert "a letter from a to d is expected" in out
    assert "The answer is a. SYN stands for" in out


def test_no_answer_shows_it(lesson: Lesson, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    teacher = taught(lesson, runs, [""] * 40)
    assert [answer.given for answer in teacher.answers] == [[]] * len(lesson.questions())
    assert capsys.readouterr().out.count("The answer is") == len(lesson.questions())


def test_ctrl_c_leaves_with_what_was_answered(lesson: Lesson, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    lines = iter(["a\n"])

    def typed() -> str:
        for line in lines:
            return line
        raise KeyboardInterrupt

    teacher = Teacher(lesson, WORDS["en"], 80, Terminal(typed), one_try=False, sentences=False)
    teacher.runs = runs
    assert [(answer.given, answer.right) for answer in teacher.teach()] == [(["a"], True), ([], False)]
    assert "T1: 1 of 2 right." in capsys.readouterr().out


def test_the_head_says_what_the_lesson_builds_on(capsys: pytest.CaptureFixture[str]) -> None:
    taught(read(shelf.find("L14").path), Runs(read(shelf.find("L14").path), perform), [])
    assert "It builds on T1, L6." in capsys.readouterr().out


def test_a_ladder_of_the_course_has_no_comments_of_a_host_that_is_not_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    taught(read(shelf.find("L14").path), Runs(read(shelf.find("L14").path), perform), [""] * 20)
    out = capsys.readouterr().out
    assert "20   0.169698" in out
    assert "dropped" not in out.partition("connection 1")[2].partition("Break it")[0]


def test_sentences_are_not_drawn(lesson: Lesson, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    taught(lesson, runs, [""] * 40, sentences=True)
    out = " ".join(capsys.readouterr().out.split())
    assert "|--" not in out
    assert "from 10.9.0.1 port 54846: SYN, sequence number 0. 10.9.0.1 port 54846 is in SYN-SENT." in out


def test_a_result_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed = iter(["a\n", "nonsense\n", "\n"])
    monkeypatch.setattr("sys.stdin", type("Typed", (), {"readline": lambda _: next(typed, "")})())
    sheet = tmp_path / "sheet"
    assert cli.main(["lesson", "T1", "--check", str(sheet)]) == 0
    rows = [json.loads(line) for line in sheet.read_text().splitlines()]
    assert [(row["question"], row["given"], row["right"]) for row in rows] == [
        ("first", ["a"], True), ("order", [], False), ("ack", [], False),
    ]  # fmt: skip
    assert all(row["lesson"] == "T1" for row in rows)
    assert "Nothing was sent" in capsys.readouterr().out
    assert cli.main(["lesson"]) == 0
    assert "1 of 8 right" in capsys.readouterr().out
    assert cli.main(["lesson", "T1", "--check", str(tmp_path / "none" / "sheet")]) == 1


def test_progress_is_kept_and_what_was_right_stays(tmp_path: Path) -> None:
    shelf.remember("T1", {"a": True, "b": False})
    shelf.remember("T1", {"a": False, "b": True})
    assert shelf.read_progress() == {"T1": {"a": True, "b": True}}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"T1": 3}', '{"T1": {"a": 3}}', "[" * 100_000, '"' + "x" * (2 << 20)])
def test_a_damaged_progress_counts_as_empty(text: str) -> None:
    shelf.progress_file().parent.mkdir(parents=True)
    shelf.progress_file().write_text(text)
    assert {name for answers in shelf.read_progress().values() for name in answers} == set()
    shelf.remember("T1", {"a": True})
    assert shelf.read_progress()["T1"] == {"a": True}


def test_lessons_are_found_by_number_and_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert shelf.find("t1").number == "T1"
    assert shelf.find("three-way-handshake").number == "T1"
    assert shelf.find("masks").number == "L3"
    order = [shelf.place(number) for number in ("L0", "L3", "L12", "T1", "T2", "T10", "D1", "S1")]
    assert order == sorted(order)
    for wrong in ("T1000", "", "e", "\x1b[2J"):
        assert cli.main(["lesson", wrong]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_the_author_sees_events_as_patterns(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lesson", "T1", "--events", "handshake"]) == 0
    lines = capsys.readouterr().out.splitlines()
    state = "client tcp:state before=CLOSED event=ACTIVE_OPEN after=SYN_SENT because active_open"
    assert any(state in line for line in lines)
    assert any("server frame dir=in" in line and "flags=SYN " in line for line in lines)
    events = runs["handshake", ""].events()
    assert len(events) == len(lines)
    for line, event in zip(lines, events, strict=True):
        assert matches(event, patterns.pattern(line.split(maxsplit=1)[1])), line


def test_a_lesson_that_is_wrong_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.md"
    path.write_text(T1.read_text().replace("answer: 268111353", "answer: 268111354"))
    assert cli.main(["lesson", str(path), "--verify"]) == 1
    line, last = capsys.readouterr().err.splitlines()
    assert line.startswith("x.md:")
    assert last == "tapstack lesson: T1 The three-way handshake: 1 of its blocks are wrong"
    assert "the answer is given as '268111354', but the run has '268111353'" in line
    assert cli.main(["lesson", str(tmp_path / "none.md")]) == 1


def test_each_language_says_the_same() -> None:
    from string import Formatter

    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    first = WORDS["en"]
    for words in WORDS.values():
        assert words.keys() == first.keys()
        assert {key: places(text) for key, text in words.items()} == {key: places(text) for key, text in first.items()}


@pytest.mark.parametrize("each", shelf.shelf(), ids=lambda each: each.number)
def test_all_of_the_text_is_shown(each: shelf.Shelved, capsys: pytest.CaptureFixture[str]) -> None:
    lesson = read(each.path)
    teacher = Teacher(lesson, WORDS["en"], 80, Terminal(lambda: ""), one_try=True, sentences=False)
    for block in lesson.blocks:
        if isinstance(block, Text):
            teacher.show(block)
            shown = capsys.readouterr().out.split()
            markdown = [word for word in block.markdown.split() if word.strip("#`") or word == "``"]
            assert [word for word in shown if set(word) != {"-"}] == [word for word in markdown if set(word) != {"-"}]
