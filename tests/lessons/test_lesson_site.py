"""The page of a lesson, on the server's side: nothing is shown before it is asked, and what comes in is bounded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.checkout import TOP
from tests.inspector.served import TOKEN, Served
from tools import cli
from tools.inspector.answers import Answer, Refused, Request
from tools.inspector.server import Places, serve_one
from tools.lessons import shelf
from tools.lessons.answers import Question
from tools.lessons.blocks import Lesson, Predict
from tools.lessons.check import Runs, question
from tools.lessons.lesson_site import LessonSite, serve_lesson
from tools.lessons.network import perform
from tools.lessons.parse import read
from tools.lessons.steps import steps_of
from tools.lessons.teacher import Answered
from tools.lessons.words import WORDS

pytestmark = [pytest.mark.one_way, pytest.mark.real_time("runs are performed in another thread")]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_an_interrupt_ends_the_page_with_the_count() -> None:
    command = [sys.executable, "-P", "-m", "tools", "lesson", "T1", "--page"]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "Ctrl-C ends it." in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (0, "")
    assert said == "\nT1: 0 of 8 right.\n"


def test_so_does_one_that_comes_in_a_nursery(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise BaseExceptionGroup("", [KeyboardInterrupt()])

    monkeypatch.setattr("tools.lessons.lesson_site.trio.run", interrupted)
    assert serve_lesson(lesson_of("T1"), shelf.find("T1", "en"), "en", 0) == 0
    assert capsys.readouterr().out.endswith("\nT1: 0 of 8 right.\n")


class ServedLesson(Served):
    """The page of a lesson in the place of an inspector's."""

    def __init__(self, site: LessonSite, nursery: trio.Nursery) -> None:
        self.site, self.nursery, self.places = site, nursery, Places()

    async def _serve(self, stream: trio.abc.HalfCloseableStream) -> None:
        async with stream:
            await serve_one(self.site, TOKEN, self.places, stream)


def lesson_of(number: str) -> Lesson:
    return read(shelf.find(number).path)


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs(lesson_of("T1"), perform)


@pytest.fixture
def site(runs: Runs) -> LessonSite:
    return LessonSite(runs.lesson, "en", runs=runs)


def body_of(answer: Answer) -> str:
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


async def get(site: LessonSite, path: str, **query: int) -> dict[str, object]:
    told = await site.answer(Request("GET", path, {name: str(value) for name, value in query.items()}))
    read: dict[str, object] = json.loads(body_of(told))
    return read


async def post(site: LessonSite, **told: object) -> dict[str, object]:
    body = json.dumps({"do": "answer", **told}).encode()
    read: dict[str, object] = json.loads(body_of(await site.answer(Request("POST", "do", body=body))))
    return read


def made(site: LessonSite, place: int, runs: Runs) -> Question:
    asked = site.steps[place].question
    assert asked is not None
    return question(site.lesson, asked, runs, site.steps[place].turn)


async def test_a_wrong_answer_gets_its_reason_and_then_the_right_one(site: LessonSite, runs: Runs) -> None:
    first = await post(site, step=0, given="b")
    assert (first["right"], first["over"], first["was"]) == (False, False, "")
    assert str(first["reason"]).startswith("ACK says that the acknowledgment number means something.")
    unclear = await post(site, step=0, given="zebra")
    assert (unclear["understood"], unclear["over"]) == (False, False), "what is no answer is no try"
    second = await post(site, step=0, given="c")
    assert (second["right"], second["over"]) == (False, True)
    assert str(second["was"]).startswith("The answer is a. SYN stands for")
    assert not site.is_right("first")
    assert shelf.read_progress()["T1"] == {"first": False}
    assert site.reached == 1


async def test_what_is_answered_rightly_is_remembered(site: LessonSite, runs: Runs) -> None:
    assert (await post(site, step=0, given="a"))["right"] is True
    again = LessonSite(runs.lesson, "en", runs=runs)
    assert again.is_right("first")
    assert again.reached == 1


async def test_a_ladder_comes_after_its_questions(site: LessonSite, runs: Runs) -> None:
    ladders = [place for place, step in enumerate(site.steps) if step.ladder]
    assert ladders
    for path in ("step", "log"):
        for place in (1, ladders[0], len(site.steps) - 1):
            with pytest.raises(Refused) as refused:
                await get(site, path, n=place)
            assert refused.value.status == 409
    with pytest.raises(Refused):
        await post(site, step=1, given="a")
    for place in range(ladders[0]):
        if site.steps[place].question:
            assert (await post(site, step=place, given=made(site, place, runs).right))["right"] is True
    log = body_of(await site.answer(Request("GET", "log", {"n": str(ladders[0])})))
    hello, *parts = map(json.loads, log.split("\n"))
    assert (hello["host"], hello["peer"], hello["notes"]) == ("client", "server", [])
    assert sum(len(part["s"]) for part in parts) == hello["last"] - hello["first"] + 1


async def test_the_right_answer_is_not_in_what_is_asked(site: LessonSite, runs: Runs) -> None:
    for place, step in enumerate(site.steps):
        told = json.dumps(await get(site, "step", n=place))
        if step.question is None:
            continue
        asked = made(site, place, runs)
        assert asked.because not in told or not asked.because
        assert not any(item.reason and json.dumps(item.reason)[1:-1] in told for item in asked.items)
        await post(site, step=place, given="")


async def test_the_run_without_a_clause_is_marked(site: LessonSite, runs: Runs) -> None:
    for place, step in enumerate(site.steps):
        if step.question:
            await post(site, step=place, given="")
    broken = [place for place, step in enumerate(site.steps) if step.ladder and step.ladder.clause]
    assert broken
    log = body_of(await site.answer(Request("GET", "log", {"n": str(broken[0])})))
    assert json.loads(log.split("\n")[0])["notes"][0].startswith("Warning: broken on purpose: 9293 MUST-2. Without it")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b"{}", b"[" * 8000, b"\xff\xfe", b'{"do":"mark"}', b'{"do":"answer"}',
     b'{"do":"answer","step":"0","given":"a"}', b'{"do":"answer","step":true,"given":"a"}',
     b'{"do":"answer","step":0,"given":7}', b'{"do":"answer","step":0,"given":["a"]}',
     b'{"do":"answer","step":0,"given":"' + b"a" * 201 + b'"}', b'{"do":"answer","step":-1,"given":"a"}',
     b'{"do":"answer","step":0,"given":"a","turn":1}', b'{"do":"answer","step":99999999999999,"given":"a"}',
     b'{"do":"answer","step":1e3,"given":"a"}'],
)  # fmt: skip
async def test_a_post_that_is_no_answer_is_refused(site: LessonSite, body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        await site.answer(Request("POST", "do", body=body))
    assert refused.value.status == 400
    assert site.reached == 0


@pytest.mark.parametrize(
    "path", ["events", "nothing", "page/", "page/../lesson.html", "lesson/../../shelf.py", "lesson.html", "main.js"]
)
async def test_there_is_nothing_else(site: LessonSite, path: str) -> None:
    with pytest.raises(Refused) as refused:
        await site.answer(Request("GET", path))
    assert refused.value.status == 404


async def test_only_the_page_with_the_token_gets_anything(site: LessonSite) -> None:
    """The guard of the inspector stands before it: token, Host, Origin, the size of a body."""
    async with trio.open_nursery() as nursery:
        page = ServedLesson(site, nursery)
        status, headers, body = await page.get("")
        assert (status, b"lesson/lesson.js" in body) == (200, True)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (await page.get("lesson/lesson.css"))[0] == 200
        assert (await page.get("page/ladder.js"))[0] == 200
        assert (await page.get("events"))[0] == 404
        assert (await page.ask("GET", "/x/lesson.json"))[0] == 403
        assert (await page.get("lesson.json", Host="evil.example"))[0] == 400
        answer = {"do": "answer", "step": 0, "given": "b"}
        assert (await page.post(answer, Origin="http://evil.example"))[0] == 403
        assert (await page.post({**answer, "given": "b" * 9000}))[0] == 413
        assert (await page.post(answer))[0] == 200


def test_each_question_of_each_lesson_is_a_step() -> None:
    for shelved in [*shelf.shelf("en"), *shelf.shelf("fr")]:
        lesson = read(shelved.path)
        steps = steps_of(lesson)
        assert [step.name for step in steps if step.question] == [
            name for asked in lesson.questions() for name in asked.names()
        ]
        shown = [block for step in steps for block in step.blocks if not isinstance(block, Predict)]
        assert shown == [block for block in lesson.blocks if not isinstance(block, Predict)]


async def test_exercises_do_not_end(tmp_path: Path) -> None:
    site = LessonSite(lesson_of("L4"), "en")
    place = next(place for place, step in enumerate(site.steps) if step.question and step.question.kind == "exercise")
    for before in range(place):
        if site.steps[before].question:
            await post(site, step=before, given="")
    first, other = await get(site, "step", n=place), await get(site, "step", n=place, turn=12345)
    assert first["blocks"] != other["blocks"]
    told = await post(site, step=place, turn=12345, given="")
    assert told["over"]
    assert site.reached == place, "another exercise does not answer the first one"


async def test_a_result_sheet_has_one_try_for_each_question(runs: Runs) -> None:
    shelf.remember("T1", {"first": True, "order": True})
    kept: list[Answered] = []
    site = LessonSite(runs.lesson, "en", runs=runs, keep=kept.append)
    assert site.reached == 0, "what was right another time is asked, too"
    assert (await post(site, step=0, given="z"))["understood"] is False
    assert kept == []
    told = await post(site, step=0, given="b")
    assert (told["right"], told["over"]) == (False, True)
    await post(site, step=0, given="a")  # too late
    await post(site, step=1, given="")
    await post(site, step=2, given=made(site, 2, runs).right)
    assert kept == [
        Answered("first", ["b"], False, over=True),
        Answered("order", [], False, over=True),
        Answered("ack", ["1"], True, over=True),
    ]


@pytest.mark.parametrize("words", [["--verify"], ["--events", "handshake"], ["--print", "FILE"]])
def test_options_that_do_not_fit(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lesson", "T1", "--page", "0", *words]) == 2
    assert "--page teaches in a browser" in capsys.readouterr().err
    assert cli.main(["lesson", "--page"]) == 2


def test_the_help_says_as_much_in_each_language() -> None:
    """A line for each key and each kind of line that is drawn: the page splits them."""
    for words in WORDS.values():
        keys = [line.split("|") for line in words["help_keys"].split("\n")]
        assert [len(each) for each in keys] == [2] * 15
        assert len(words["help_lines"].split("\n")) == 8
