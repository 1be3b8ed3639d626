"""A lesson on a page: `tapstack lesson T1 --page`. It asks before it shows, and judges as the terminal does.

The page is served as that of `lab --inspect` is (../inspector/server.py and guard.py), and shows ladders with
its modules. What a step has is given out only when the questions before it have been answered.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Callable
from functools import cache, partial
from http import HTTPStatus
from typing import TypeVar

import trio

from ..inspector.answers import JSON, Answer, Refused, Request, wrong
from ..inspector.columns import Columns
from ..inspector.door import Door
from ..inspector.inspector import json_answer, number, text_of
from ..inspector.page_files import found, kind, package_file, page_files
from ..inspector.payload import kept
from ..inspector.words import words_json
from ..printer import clean
from . import shelf
from .answers import LONGEST_ANSWER, Question, judge
from .blocks import Lesson, LessonError
from .breaks import find
from .check import Runs, question
from .steps import Ladder, Step, shown, steps_of
from .teacher import TRIES, Answered
from .words import WORDS

LARGEST_TURN = 1 << 31
MOST_TRIED = 1000  # questions with a wrong answer; exercises have no end
TEXT = "text/plain; charset=utf-8"
Made = TypeVar("Made")


@cache
def lesson_files() -> dict[str, bytes]:
    """Return the files of this page that are not those of the inspector, by name."""
    return dict(found(importlib.resources.files(__package__) / "page", ""))


def serve_lesson(
    lesson: Lesson,
    shelved: shelf.Shelved,
    language: str,
    port: int,
    keep: Callable[[Answered], None] | None = None,
) -> int:
    """Serve the page of a lesson until the program is interrupted. `keep`: see LessonSite. Raises Failed."""
    door = Door(port, "--page")
    from ..inspector.server import serve_site  # not before: it needs h11, and the door says so

    site = LessonSite(lesson, language, translated=shelved.language == language, keep=keep)
    try:
        print(WORDS[language]["open"].format(url=door.url), flush=True)
        trio.run(serve_site, site, door.socket, door.token)
    except* KeyboardInterrupt:  # of trio's nursery, in a group
        print()
    finally:
        door.close()
    right = sum(site.is_right(step.name) for step in site.steps if step.question)
    count = sum(step.question is not None for step in site.steps)
    print(clean(WORDS[language]["end"].format(number=lesson.number, right=right, all=count)))
    return 0


class LessonSite:
    """Answers the requests of a lesson's page. `runs`: what has happened; each run is done when it is first needed.

    With `keep` it is a test: all questions are open, each has one try, and its answer is given to `keep`.
    """

    def __init__(
        self,
        lesson: Lesson,
        language: str,
        *,
        translated: bool = True,
        runs: Runs | None = None,
        keep: Callable[[Answered], None] | None = None,
    ) -> None:
        self.lesson, self.language, self.translated = lesson, language, translated
        self.words = WORDS[language]
        self.steps = steps_of(lesson)
        self._runs = Runs(lesson) if runs is None else runs
        self._turn = trio.Lock()  # a run takes seconds; one is done at a time
        self._tried: dict[str, int] = {}  # wrong answers, by the name of the question
        self._keep = keep
        self._tries = TRIES if keep is None else 1
        before = {} if keep is not None else shelf.read_progress().get(lesson.number, {})
        self._right = {name for name, right in before.items() if right}
        self._done = set(self._right)  # answered, or shown
        self._routes = {"lesson.json": self._lesson, "step": self._step, "log": self._log}

    def is_right(self, name: str) -> bool:
        """Whether a question has been answered rightly, now or another time."""
        return name in self._right

    @property
    def reached(self) -> int:
        """The number of the first step whose question is open; else of the last step."""
        for place, step in enumerate(self.steps):
            if step.question is not None and step.name not in self._done:
                return place
        return len(self.steps) - 1

    async def answer(self, request: Request) -> Answer:
        """Return the answer to a request. Raises Refused."""
        if (request.method == "POST") != (request.path == "do"):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "POST is for `do`, and `do` is for POST")
        if request.path == "do":
            return await self._do(request.body)
        if request.path in self._routes:
            try:
                return await self._routes[request.path](request)
            except LessonError as error:
                raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, clean(str(error))) from None
        if request.path == "words.json":
            return Answer(JSON, words_json())
        if request.path == "clauses.json":
            return Answer(JSON, package_file("clauses.json") or b"[]")
        return file_answer(request.path)

    async def _work(self, make: Callable[[], Made]) -> Made:
        """Call what may need a run, in a thread: other requests are answered meanwhile."""
        async with self._turn:
            return await trio.to_thread.run_sync(make)

    def _at(self, place: int) -> Step:
        """Return the step of this number. Raises Refused if there is none, or if it has not been reached."""
        if not 0 <= place < len(self.steps):
            raise Refused(HTTPStatus.NOT_FOUND, f"the lesson has no step {place}")
        if place > self.reached:
            raise Refused(HTTPStatus.CONFLICT, "the questions before this step come first")
        return self.steps[place]

    # --- what is shown

    async def _lesson(self, request: Request) -> Answer:
        lesson = self.lesson
        notes = [] if self.translated else [self.words["translation"].format(number=lesson.number)]
        told = {
            "number": lesson.number,
            "title": lesson.title,
            "time": lesson.facts["time"],
            "lang": self.language,
            "text_lang": self.language if self.translated else "en",
            "notes": notes,
            "words": self.words,
            **self._progress(),
        }
        return json_answer(told)

    def _progress(self) -> dict[str, object]:
        """Return how far the learner has come, step by step."""
        told = [
            {
                "asks": step.question is not None,
                "done": step.question is None or step.name in self._done,
                "right": step.name in self._right,
                "ladder": step.ladder is not None,
            }
            for step in self.steps
        ]
        return {"reached": self.reached, "steps": told}

    async def _step(self, request: Request) -> Answer:
        place = number(request.query.get("n", ""), "n")
        step = self._at(place)
        turn = turn_of(step, number(request.query.get("turn", str(step.turn)), "turn"))
        make = partial(self._blocks, step, turn)
        return json_answer({"n": place, "turn": turn, "blocks": await self._work(make)})

    def _blocks(self, step: Step, turn: int) -> list[dict[str, object]]:
        return [shown(self.lesson, block, self._runs, turn, self.words) for block in step.blocks]

    async def _log(self, request: Request) -> Answer:
        ladder = self._at(number(request.query.get("n", ""), "n")).ladder
        if ladder is None:
            raise Refused(HTTPStatus.NOT_FOUND, "this step has no ladder")
        return Answer(TEXT, await self._work(partial(log_of, self._runs, ladder)))

    # --- what is answered

    async def _do(self, body: bytes) -> Answer:
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            raise wrong("the body is not JSON") from None
        if not isinstance(told, dict) or told.get("do") != "answer":
            raise wrong('"do" is not answer')
        place, turn = whole(told, "step"), told.get("turn")
        given = text_of(told, "given", LONGEST_ANSWER).strip()
        step = self._at(place)
        if step.question is None:
            raise wrong("this step asks nothing")
        turn = turn_of(step, step.turn if turn is None else whole(told, "turn"))
        try:
            made = await self._work(partial(question, self.lesson, step.question, self._runs, turn))
        except LessonError as error:
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, clean(str(error))) from None
        return json_answer({**self._judged(step, turn, made, given), **self._progress()})

    def _judged(self, step: Step, turn: int, made: Question, given: str) -> dict[str, object]:
        """Judge an answer; none shows the right one, and so does the last wrong one."""
        verdict = judge(made, given)
        counts = turn == step.turn
        name = step.name if counts else f"{step.name} {turn}"
        if len(self._tried) > MOST_TRIED:
            self._tried.clear()
        if given and verdict.understood and not verdict.right:
            self._tried[name] = self._tried.get(name, 0) + 1
        is_over = verdict.right or not given or self._tried.get(name, 0) >= self._tries
        first = name not in self._done
        if is_over and not verdict.right:
            self._tried.pop(name, None)
        if is_over and counts and first:
            self._done.add(name)
            if verdict.right:
                self._right.add(name)
            shelf.remember(self.lesson.number, {name: verdict.right})
            if self._keep is not None:
                self._keep(Answered(name, [given] if given else [], verdict.right, over=True))
        why = made.because or next((item.reason for item in made.items if item.right), "")
        was = f"{self.words['was'].format(right=made.right)} {why}".strip()
        head = self.words["right" if verdict.right else "wrong"] if verdict.understood and given else ""
        return {
            "understood": verdict.understood or not given,
            "right": verdict.right,
            "head": head,
            "reason": verdict.reason if given else "",
            "over": is_over,
            "was": was if is_over and not verdict.right else "",
        }


def whole(told: dict[str, object], name: str) -> int:
    """Return a whole number of a POST. Raises Refused."""
    value = told.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST_TURN:
        raise wrong(f"{name} is not a whole number")
    return value


def turn_of(step: Step, turn: int) -> int:
    """Return which exercise is asked for: of other questions there is only one. Raises Refused."""
    endless = step.question is not None and step.question.kind == "exercise"
    if turn >= LARGEST_TURN or (turn != step.turn and not endless):
        raise wrong("there is no such exercise")
    return turn


def file_answer(path: str) -> Answer:
    """Return a file of the page. Raises Refused."""
    folder, slash, name = path.partition("/")
    files = {"page": page_files, "lesson": lesson_files}.get(folder, dict[str, bytes])() if slash else {}
    if not path:
        files, name = lesson_files(), "lesson.html"
    if name not in files:
        raise Refused(HTTPStatus.NOT_FOUND, "the page has no such file")
    return Answer(kind(name), files[name])


def log_of(runs: Runs, ladder: Ladder) -> bytes:
    """Return what a host saw in a run: a line about the log, then its events in columns, as a report has them."""
    recording = runs[ladder.run, ladder.clause]
    host = ladder.host or recording.hosts[0]
    others = [name for name in recording.hosts if name != host]
    events = [kept(event, "head") for event in recording.of(host)]
    fault = find(ladder.clause) if ladder.clause else None
    hello = {
        "host": host,
        "ours": host,
        "peer": others[0] if len(others) == 1 else "the others",
        "first": events[0].n if events else 0,
        "last": events[-1].n if events else 0,
        "lost": 0,
        "run": ladder.run,
        "notes": [f"Warning: broken on purpose: {fault.clause}. {fault.sentence}".strip()] if fault else [],
    }
    lines = [json.dumps(hello, separators=(",", ":")), *Columns().lines(events)]
    return "\n".join(lines).encode("utf-8", "backslashreplace")
