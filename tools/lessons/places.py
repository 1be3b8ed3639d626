"""Where a learner has left a lesson in the terminal: it goes on there, as long as its text is the same."""

from __future__ import annotations

import json
from itertools import takewhile
from pathlib import Path

from ..printer import clean
from .blocks import Lesson
from .shelf import progress_file, write_state
from .teacher import Answered

LARGEST = 1 << 20  # octets of the file
MOST_GIVEN, LONGEST_GIVEN = 10, 1000  # of what was typed for a question


class Unreadable(Exception):
    """The file of the places is not as this program writes it."""


def places_file() -> Path:
    """Return where the places are kept: beside the progress. Raises RuntimeError without a home."""
    return progress_file().with_name("places.json")


def read_places() -> dict[str, object]:
    """Return what is kept, by the number of the lesson. Raises Unreadable."""
    try:
        path = places_file()
        if not path.exists():
            return {}
        if not path.is_file():  # such as a pipe, which would wait
            raise Unreadable
        with path.open("rb") as file:
            octets = file.read(LARGEST + 1)
        read = json.loads(octets) if len(octets) <= LARGEST else None
    except (OSError, ValueError, RuntimeError, RecursionError):
        raise Unreadable from None
    if not isinstance(read, dict):
        raise Unreadable
    return read


def answers_before(lesson: Lesson) -> list[Answered]:
    """Return the answers that were given until this lesson was left, in its order; none if its text is another.

    Raises Unreadable.
    """
    kept = read_places().get(lesson.number)
    if kept is None:
        return []
    if not isinstance(kept, dict) or not isinstance(answers := kept.get("answers"), dict):
        raise Unreadable
    if kept.get("text") != lesson.digest:
        return []
    names = [name for question in lesson.questions() for name in question.names()]
    return [answered(name, answers[name]) for name in takewhile(answers.__contains__, names)]


def answered(name: str, told: object) -> Answered:
    """Return an answer that is kept. Raises Unreadable."""
    if not isinstance(told, dict) or not isinstance(right := told.get("right"), bool):
        raise Unreadable
    given = told.get("given")
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Unreadable
    return Answered(
        name, [clean(each[:LONGEST_GIVEN])[:LONGEST_GIVEN] for each in given[:MOST_GIVEN]], right, over=True
    )


def keep(lesson: Lesson, answers: list[Answered]) -> None:
    """Keep the answers to the questions that are over; without any, forget the place. Raises OSError, RuntimeError."""
    try:
        places = read_places()
    except Unreadable:
        places = {}
    over = {each.question: {"given": each.given, "right": each.right} for each in answers if each.over}
    if over:
        places[lesson.number] = {"text": lesson.digest, "answers": over}
    elif places.pop(lesson.number, None) is None:
        return
    write_state(places_file(), places)
