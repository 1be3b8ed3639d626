"""`tapstack lesson`: lists the lessons, and teaches one in the terminal: it asks, runs, shows and breaks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import stack

from ..explain import columns
from ..options import inspect_port
from ..output import Failed, log
from ..printer import clean, printing, wrapped
from . import places, shelf
from .blocks import Lesson, LessonError
from .parse import read
from .teacher import Answered, Teacher
from .words import LANGUAGES, WORDS

NEW = "new"  # in the place of a lesson
TOP = Path(__file__).parents[2]
RUN = "./scripts/run"  # in a checkout; it is not installed


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `tapstack lesson`."""
    add = parser.add_argument
    add("lesson", nargs="?", metavar="LESSON", help="its number (T1), its name, or a file; without it all are listed")
    add("file", nargs="?", metavar="FILE", help="with `new` as LESSON: a capture or a trace, to make a lesson of")
    add("out", nargs="?", metavar="OUT", help="where that lesson is written (default: the name of FILE with .md, here)")
    add("--lang", choices=LANGUAGES, default="en", help="the language (default: en)")
    add("--check", metavar="FILE", help="one try for each question; the answers go to FILE, as one line of JSON each")
    add("--again", action="store_true", help="begin anew a lesson that was left, not where it was left")
    add("--sentences", action="store_true", help="say ladders in sentences, for screen readers")
    add(
        "--page",
        metavar="PORT",
        type=inspect_port,
        nargs="?",
        const=0,
        help="teach it in a browser instead: serve its page on this port of 127.0.0.1 (default: any free port)",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--verify", action="store_true", help="ask nothing: check that the lesson says what is true")
    how.add_argument(
        "--print", dest="paper", metavar="OUT", help="write the lesson to OUT, one HTML page to be printed"
    )
    how.add_argument("--events", metavar="RUN", help="print the events of a run, as the author of a lesson needs them")


def main(arguments: argparse.Namespace) -> int:
    """List the lessons, or do what is asked for with one. Raises Failed."""
    others = arguments.check or arguments.verify or arguments.events or arguments.paper or arguments.page is not None
    if arguments.again and (others or arguments.lesson in (None, NEW)):
        raise Failed("--again begins a lesson in the terminal anew: it goes with --lang and --sentences alone", 2)
    if arguments.lesson is None:
        if others:
            raise Failed("which lesson? `tapstack lesson` lists them", 2)
        return list_all(arguments.lang)
    if arguments.page is not None and (arguments.verify or arguments.events or arguments.paper):
        raise Failed("--page teaches in a browser: it goes without --verify, --events and --print", 2)
    if arguments.lesson == NEW:
        return make_new(arguments)
    if arguments.file is not None:
        raise Failed(f"one lesson at a time; `tapstack lesson {NEW} FILE` makes one of a capture", 2)
    shelved = shelf.find(arguments.lesson, arguments.lang)
    try:
        lesson = read(shelved.path)
        if arguments.verify:
            return verify(lesson)
        if arguments.events:
            from .author import print_events

            return print_events(lesson, arguments.events)
        if arguments.paper:
            return print_page(lesson, arguments)
        if arguments.page is not None:
            return serve_page(lesson, shelved, arguments)
        return teach(lesson, shelved, arguments)
    except LessonError as error:
        raise Failed(clean(str(error))) from None
    except OSError as error:
        raise Failed(clean(f"{shelved.path}: {error.strerror}")) from None


def verify(lesson: Lesson) -> int:
    """Check each block of a lesson, and print what is wrong, a line each."""
    from .check import Runs, check_block

    runs, count, wrong = Runs(lesson), 0, 0
    for block in lesson.blocks:
        try:
            count += check_block(lesson, block, runs)
        except LessonError as error:
            wrong += 1
            log(clean(str(error)))
    if wrong:
        raise Failed(f"{lesson.number} {lesson.title}: {wrong} of its blocks are wrong")
    with printing() as printer:
        printer(f"{lesson.number} {lesson.title}: all {count} statements and questions are true")
    return 0


def teach(lesson: Lesson, shelved: shelf.Shelved, arguments: argparse.Namespace) -> int:
    """Go through a lesson with the learner. Raises Failed, LessonError."""
    words, is_test = WORDS[arguments.lang], arguments.check is not None
    with sheet(arguments.check) as write:
        if shelved.language != arguments.lang:
            print(words["translation"].format(number=lesson.number))
        screen, place = Terminal(), None if is_test else Place(lesson, words)
        teacher = Teacher(
            lesson,
            words,
            columns(),
            screen,
            one_try=is_test,
            sentences=arguments.sentences,
            before=[] if place is None else place.before(again=arguments.again),
            keep=(lambda answers: None) if place is None else place.keep,
        )
        answers = teacher.teach()
        write(lesson, answers)
    if place is not None and place.is_kept:
        print(wrapped_in(words["left"].format(number=lesson.number)))
    shelf.remember(lesson.number, {each.question: each.right for each in answers})
    if is_test:
        print(words["sheet"].format(file=clean(arguments.check)))
    return 0


def serve_page(lesson: Lesson, shelved: shelf.Shelved, arguments: argparse.Namespace) -> int:
    """Teach a lesson in the browser; with --check, each answer is in the result sheet at once. Raises Failed."""
    from .lesson_site import serve_lesson

    with sheet(arguments.check) as write:
        keep = None if arguments.check is None else lambda answer: write(lesson, [answer])
        status = serve_lesson(lesson, shelved, arguments.lang, arguments.page, keep)
    if arguments.check is not None:
        print(WORDS[arguments.lang]["sheet"].format(file=clean(arguments.check)))
    return status


def make_new(arguments: argparse.Namespace) -> int:
    """Make a lesson of a capture or a trace. Raises Failed."""
    from .from_capture import new

    if arguments.file is None:
        raise Failed(f"of which capture? tapstack lesson {NEW} FILE [OUT]", 2)
    if arguments.check or arguments.verify or arguments.events or arguments.paper or arguments.page is not None:
        raise Failed(f"`{NEW}` only makes the lesson: give no options", 2)
    try:
        path, frames, questions = new(arguments.file, arguments.out)
    except LessonError as error:
        raise Failed(clean(str(error))) from None
    print(clean(f"{path}: {frames} frames, {questions} questions; `tapstack lesson {path} --verify` accepts it."))
    print("It has all that the frames have: look for passwords and names before you hand it out.")
    return 0


def print_page(lesson: Lesson, arguments: argparse.Namespace) -> int:
    """Write the page of a lesson. Raises Failed, LessonError."""
    from .check import Runs
    from .paper import page

    words = WORDS[arguments.lang]
    write_file(arguments.paper, "page", page(lesson, Runs(lesson), words, arguments.lang).encode("utf-8", "replace"))
    print(words["printed"].format(file=clean(arguments.paper)))
    return 0


def write_file(path: str, what: str, octets: bytes) -> None:
    """Write a whole file. Raises Failed."""
    try:
        file = stack.OutputFile(path, what)
        file.open()
    except (OSError, ValueError) as error:
        raise Failed(clean(getattr(error, "strerror", None) or str(error))) from None
    file.write([octets])
    file.close()
    if file.error:
        raise Failed(clean(file.error))


def list_all(language: str) -> int:
    """Print the lessons with their times, and how far the learner has come."""
    words, progress = WORDS[language], shelf.read_progress()
    found: list[Lesson] = []
    with printing() as printer:
        printer(words["lessons"].format(run=RUN if (TOP / RUN).is_file() else "tapstack"))
        for each in shelf.shelf(language):
            try:
                found.append(read(each.path))
            except (LessonError, OSError) as error:
                printer(clean(f"{each.number:<4} {error}"))
        width = max((len(lesson.title) for lesson in found), default=0)
        for lesson in found:
            ids = [name for question in lesson.questions() for name in question.names()]
            right = sum(progress.get(lesson.number, {}).get(name, False) for name in ids)
            done = words["done"].format(right=right, all=len(ids)) if lesson.number in progress else ""
            printer(f"{lesson.number:<4} {lesson.title:<{width}} {lesson.facts['time']:<8} {done}".rstrip())
    return 0


@contextmanager
def sheet(path: str | None) -> Iterator[Callable[[Lesson, list[Answered]], None]]:
    """Make the file of the result sheet, and give what writes it: a line of JSON for each question. Raises Failed."""
    if path is None:
        yield lambda lesson, answers: None
        return
    try:
        file = stack.OutputFile(path, "result sheet")
        file.open()
    except (OSError, ValueError) as error:
        raise Failed(clean(getattr(error, "strerror", None) or str(error))) from None

    def write(lesson: Lesson, answers: list[Answered]) -> None:
        for each in answers:
            row = {
                "lesson": lesson.number,
                "title": lesson.title,
                "question": each.question,
                "given": each.given,
                "right": each.right,
            }
            file.write([json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"])

    try:
        yield write
    finally:
        file.close()
    if file.error:
        raise Failed(clean(file.error))


class Place:
    """Where the learner is in a lesson. What cannot be read or written costs one sentence."""

    def __init__(self, lesson: Lesson, words: dict[str, str]) -> None:
        self.lesson, self.words = lesson, words
        self.is_kept = False
        self._is_told = False

    def before(self, *, again: bool) -> list[Answered]:
        """Return the answers until the lesson was left; none if it is to begin anew."""
        if again:
            self.keep([])
            return []
        try:
            return places.answers_before(self.lesson)
        except places.Unreadable:
            self._tell(self.words["place_unreadable"])
            return []

    def keep(self, answers: list[Answered]) -> None:
        """Keep the answers; without any, forget the place."""
        try:
            places.keep(self.lesson, answers)
        except (OSError, RuntimeError) as error:
            self._tell(self.words["place_not_kept"].format(why=getattr(error, "strerror", None) or error))
            self.is_kept = False
        else:
            self.is_kept = any(each.over for each in answers)

    def _tell(self, sentence: str) -> None:
        if not self._is_told:
            print(wrapped_in(clean(sentence)))
        self._is_told = True


def wrapped_in(text: str) -> str:
    """Return a text in lines of the terminal's width."""
    return "\n".join(wrapped(text, columns()))


class Terminal:
    """Where a lesson is shown, and where its answers come from."""

    def __init__(self, readline: Callable[[], str] | None = None) -> None:
        self._readline = readline or sys.stdin.readline

    def say(self, line: str = "") -> None:
        """Print a line."""
        encoding = sys.stdout.encoding or "utf-8"
        print(line.encode(encoding, "replace").decode(encoding))

    def ask(self, prompt: str) -> str | None:
        """Print a prompt and return the line that is typed; None at the end of the input."""
        print(f"{prompt}: ", end="", flush=True)
        try:
            line = self._readline()
        except UnicodeDecodeError:
            line = "\n"
        if not line:
            print()
            return None
        return clean(line.rstrip("\n"))[:1000]

    def paragraph(self, text: str, width: int, first: str = "", rest: str | None = None) -> None:
        """Print a text in lines of this width."""
        for line in wrapped(text, width, first, rest):
            self.say(line)
