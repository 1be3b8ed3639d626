"""Where the lessons are, in each language, and how far the learner has come."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from ..output import Failed

FOLDER = Path(__file__).parent
FILE = re.compile(r"([A-Z])(\d{1,3})-([a-z0-9-]{1,60})\.md")
ORDER = "LTDSP"  # the series, in order
LARGEST_PROGRESS = 1 << 20
MOST_REMEMBERED = 5000


class Shelved(NamedTuple):
    """A lesson that is there: its number, and its file in the language asked for, else in English."""

    number: str
    name: str
    path: Path
    language: str


def shelf(language: str = "en") -> list[Shelved]:
    """Return the lessons in order. One that is not there in this language is there in English."""
    found: dict[str, Shelved] = {}
    for each in ("en", language):
        for path in sorted((FOLDER / each).glob("*.md")):
            if parts := FILE.fullmatch(path.name):
                number = parts[1] + parts[2]
                found[number] = Shelved(number, parts[3], path, each)
    return sorted(found.values(), key=lambda lesson: place(lesson.number))


def place(number: str) -> tuple[int, int]:
    """Return what to sort a number by: L before T, T2 before T10."""
    return (ORDER.find(number[0]) % 100, int(number[1:]))


def find(wanted: str, language: str = "en") -> Shelved:
    """Return the lesson of this number, name or file. Raises Failed."""
    if wanted.endswith(".md"):
        return Shelved(Path(wanted).stem, Path(wanted).stem, Path(wanted), language)
    lessons = shelf(language)
    fitting = [each for each in lessons if wanted.casefold() in (each.number.casefold(), each.name.casefold())]
    fitting = fitting or [each for each in lessons if wanted.casefold() in each.name]
    if len(fitting) != 1:
        many = f" alone: {', '.join(each.number for each in fitting)}" if fitting else ""
        raise Failed(f"there is no lesson {wanted!r}{many}: `tapstack lesson` lists them", 2)
    return fitting[0]


# --- progress: which questions were answered rightly, by lesson


def progress_file() -> Path:
    """Return where the progress is kept: below XDG_STATE_HOME, or ~/.local/state."""
    folder = os.environ.get("XDG_STATE_HOME", "")
    return (Path(folder) if folder.startswith("/") else Path.home() / ".local" / "state") / "tapstack" / "lessons.json"


def read_progress() -> dict[str, dict[str, bool]]:
    """Return what was answered rightly, by lesson and question. A file that cannot be read counts as empty."""
    try:
        with progress_file().open("rb") as file:
            read = json.loads(file.read(LARGEST_PROGRESS))
    except (OSError, ValueError, RuntimeError, RecursionError):
        return {}
    if not isinstance(read, dict):
        return {}
    return {
        str(lesson): {str(name): right for name, right in answers.items() if isinstance(right, bool)}
        for lesson, answers in list(read.items())[:MOST_REMEMBERED]
        if isinstance(answers, dict)
    }


def remember(lesson: str, answers: dict[str, bool]) -> None:
    """Keep how the questions of a lesson were answered. What cannot be written is not kept."""
    try:
        known = read_progress()
        before = known.get(lesson, {})
        known[lesson] = {**before, **{name: right or before.get(name, False) for name, right in answers.items()}}
        write_state(progress_file(), known)
    except (OSError, RuntimeError):
        return


def write_state(path: Path, known: object) -> None:
    """Write a file of the learner's as a whole, or leave the old one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(known), encoding="utf-8")
    new.replace(path)
