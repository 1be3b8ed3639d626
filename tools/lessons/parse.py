"""Reads a lesson. An ill-formed one is refused with one error, which names the file and the line."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from .blocks import Block, Break, Command, Console, Expect, Lesson, LessonError, Look, Predict, Run, Text
from .patterns import BadPattern, Pattern, Selector, Statement, pattern, selector, statement
from .questions import BadQuestion, body_of

LARGEST = 200_000  # octets of a lesson
MOST_BLOCKS = 300
LONGEST_LINE = 1000
BLANKS = "\t\u00a0\u202f"  # that no printable character is, by Python, and that a text may have
MOST_LINES = 120  # of a fence with a role
TITLE = re.compile(r"# ([A-Z]\d{1,3}) (\S.{0,100})")
ID = re.compile(r"[a-z][a-z0-9-]{0,30}")
FENCE = re.compile(r"(`{3,}|~{3,})\s*(.*)")
FACTS = {
    "course": "course", "card": "card", "rfc": "rfc", "time": "time", "breaks": "breaks", "needs": "needs",
    "cours": "course", "carte": "card", "durée": "time", "pannes": "breaks", "il faut": "needs",
}  # fmt: skip
ROLES = ("predict", "expect", "break", "look", "console")
LOOKS = ("ladder", "events", "frame", "sentences")
KINDS = ("choice", "order", "value", "field", "altered", "exercise")
Parsed = TypeVar("Parsed", Pattern, Selector, Statement)


def read(path: Path) -> Lesson:
    """Read and parse a lesson. Raises LessonError; OSError if the file cannot be read."""
    with path.open("rb") as file:
        octets = file.read(LARGEST + 1)
    if len(octets) > LARGEST:
        raise LessonError(path.name, 1, f"a lesson has at most {LARGEST} octets")
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise LessonError(path.name, line, "a lesson is UTF-8") from None
    language = "fr" if path.parent.name == "fr" else "en"
    return replace(parse(text, path.name), language=language, digest=hashlib.sha256(octets).hexdigest())


def parse(text: str, file: str) -> Lesson:
    """Parse a lesson; `file` is its name in errors. Raises LessonError."""
    return Reader(text, file).lesson()


class Reader:
    """Reads the lines of one lesson."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = text.split("\n")
        self.runs: dict[str, Run] = {}
        self.last_run = ""
        self.ids: set[str] = set()

    def error(self, line: int, text: str) -> LessonError:
        """Return an error of this lesson, harmless to print."""
        return LessonError(self.file, line, "".join(c if c.isprintable() else "?" for c in text))

    def lesson(self) -> Lesson:
        """Read it. Raises LessonError."""
        for number, line in enumerate(self.lines, 1):
            if len(line) > LONGEST_LINE:
                raise self.error(number, f"a line has at most {LONGEST_LINE} characters")
            if not line.isprintable() and any(not c.isprintable() and c not in BLANKS for c in line):
                raise self.error(number, "there is a character that cannot be printed")
        title = TITLE.fullmatch(self.lines[0].rstrip())
        if not title:
            raise self.error(1, "the first line is `# NUMBER TITLE`, such as `# T1 The three-way handshake`")
        at = next((n for n in range(1, len(self.lines)) if self.lines[n].strip()), 0)
        facts = self.facts(at)
        blocks = list(self.blocks(at + 1))
        if len(blocks) > MOST_BLOCKS:
            raise self.error(len(self.lines), f"a lesson has at most {MOST_BLOCKS} blocks")
        return Lesson(self.file, title[1], title[2], facts, tuple(blocks), self.runs)

    def facts(self, at: int) -> dict[str, str]:
        """Read the second line with text: `time: 10 min · rfc: 9293 3.5`."""
        facts: dict[str, str] = {}
        for part in self.lines[at].split("·"):
            name, colon, value = part.partition(":")
            key = FACTS.get(name.strip())
            if not colon or key is None or key in facts:
                raise self.error(at + 1, f"the second line has facts, `time: 10 min · rfc: 9293 3.5`; found {part!r}")
            facts[key] = value.strip()
        if "time" not in facts:
            raise self.error(at + 1, "the facts of a lesson say its `time`")
        return facts

    def blocks(self, at: int) -> Iterator[Block]:
        """Read the text and the fences from this line on."""
        text: list[str] = []
        begin = at
        while at < len(self.lines):
            opened = FENCE.match(self.lines[at])
            if not opened:
                text.append(self.lines[at])
                at += 1
                continue
            end = self.end_of_fence(at, opened[1])
            body = self.lines[at + 1 : end]
            block = self.fence(opened[2].strip(), body, at + 1)
            if block is None:
                text += self.lines[at : end + 1]
            else:
                if any(line.strip() for line in text):
                    yield Text(begin + 1, "\n".join(text).strip("\n"))
                text, begin = [], end + 1
                yield block
            at = end + 1
        if any(line.strip() for line in text):
            yield Text(begin + 1, "\n".join(text).strip("\n"))

    def end_of_fence(self, at: int, marks: str) -> int:
        """Return the index of the line that closes the fence which that line opens."""
        for end in range(at + 1, len(self.lines)):
            if self.lines[end].rstrip() == marks:
                return end
        raise self.error(at + 1, "this fence is not closed")

    def fence(self, info: str, body: list[str], line: int) -> Block | None:
        """Read a fence; None for one without a role. `line` is that of its first mark."""
        words = self.info(info, line)
        role = words[0] if words else ""
        given = {}
        bare = []
        for word in words[1:]:
            key, equals, value = word.partition("=")
            if equals and key.isidentifier():
                given[key] = value
            else:
                bare.append(word)
        if role == "python" and "run" in given:
            return self.run(given, bare, body, line)
        if role not in ROLES:
            return None
        if len(body) > MOST_LINES:
            raise self.error(line, f"this block has more than {MOST_LINES} lines")
        reader: Callable[[dict[str, str], list[str], list[str], int], Block] = getattr(self, f"{role}_block")
        return reader(given, bare, body, line)

    def info(self, info: str, line: int) -> list[str]:
        """Split what stands behind the marks of a fence."""
        if info.split(" ")[0] not in (*ROLES, "python"):
            return []
        try:
            return shlex.split(info)
        except ValueError as error:
            raise self.error(line, f"{error}".lower()) from None

    # --- the roles

    def run(self, given: dict[str, str], bare: list[str], body: list[str], line: int) -> Run:
        """Read a run."""
        self.only(given, bare, ("run", "seed"), line)
        name, seed = given["run"], given.get("seed", "1")
        if not ID.fullmatch(name) or name in self.runs:
            raise self.error(line, f"run= is a name of its own, such as two-hosts; found {name!r}")
        if not re.fullmatch(r"\d{1,9}", seed):
            raise self.error(line, f"seed= is a whole number; found {seed!r}")
        source = "\n".join(body) + "\n"
        try:
            compile("async def _run():\n pass\n" + "".join(f" {each}\n" for each in body), self.file, "exec")
        except (SyntaxError, ValueError) as error:
            wrong = line + max((getattr(error, "lineno", None) or 3) - 2, 1)
            raise self.error(wrong, f"this is no Python: {getattr(error, 'msg', error)}") from None
        self.runs[name] = self.runs_made(Run(line + 1, name, int(seed), source))
        return self.runs[name]

    def runs_made(self, run: Run) -> Run:
        """Remember the last run, which the blocks after it are about."""
        self.last_run = run.name
        return run

    def predict_block(self, given: dict[str, str], bare: list[str], body: list[str], line: int) -> Predict:
        """Read a question."""
        self.only(given, bare, ("id", "about", "kind", "run", "without", "given", "alter", "times"), line)
        name = given.get("id", "")
        if not ID.fullmatch(name) or name in self.ids:
            raise self.error(line, f"id= is a name of its own in the lesson; found {name!r}")
        self.ids.add(name)
        if given.get("kind") == "altered" and "about" in given:
            given["about"] += " -> n"  # it is about frames, not about one value
        about = self.parsed(selector, given["about"], line) if "about" in given else None
        exercise = about is not None and about.kind == "exercise"
        times = given.get("times", "5" if exercise else "1")
        if not re.fullmatch(r"[1-9]\d?", times):
            raise self.error(line, f"times= is a number from 1 to 99; found {times!r}")
        shown = self.parsed(pattern, given["given"], line) if "given" in given else None
        try:
            question = body_of(body, line + 1)
        except BadQuestion as error:
            raise self.error(error.line, str(error)) from None
        kind = given.get("kind") or ("exercise" if exercise else question.kind)
        if kind not in KINDS:
            raise self.error(line, f"kind= is one of {', '.join(KINDS)}; found {kind!r}")
        predict = Predict(
            line, name, kind, "" if exercise else self.run_of(given, line), given.get("without", ""), about,
            question.prompt, question.choices, question.items, question.answer, question.hints, shown,
            given.get("alter", ""), int(times), question.because,
        )  # fmt: skip
        if wrong := question.why_not(predict):
            raise self.error(line, wrong)
        return predict

    def expect_block(self, given: dict[str, str], bare: list[str], body: list[str], line: int) -> Expect:
        """Read statements about a run."""
        self.only(given, bare, ("run",), line)
        return Expect(line, self.run_of(given, line), self.statements(body, line))

    def break_block(self, given: dict[str, str], bare: list[str], body: list[str], line: int) -> Break:
        """Read statements about a run without a clause."""
        if len(bare) != 1:
            raise self.error(line, 'one clause is expected, as in ```break "9293 MUST-2"')
        self.only(given, [], ("run",), line)
        return Break(line, self.run_of(given, line), bare[0], self.statements(body, line))

    def look_block(self, given: dict[str, str], bare: list[str], body: list[str], line: int) -> Look:
        """Read what is to be shown of a run."""
        if len(bare) != 1 or bare[0] not in LOOKS:
            raise self.error(line, f"```look is followed by one of {', '.join(LOOKS)}")
        self.only(given, [], ("run", "host", "without"), line)
        patterns = [self.parsed(pattern, text, line + 1 + n) for n, text in enumerate(body) if text.strip()]
        if bare[0] == "frame" and not patterns:
            raise self.error(line, "a pattern that says which frame is expected in this block")
        host, without = given.get("host", ""), given.get("without", "")
        return Look(line, self.run_of(given, line), bare[0], host, without, tuple(patterns))

    def console_block(self, given: dict[str, str], bare: list[str], body: list[str], line: int) -> Console:
        """Read commands and what they print."""
        if bare not in ([], ["lab"]) or given:
            raise self.error(line, "```console, or ```console lab, takes nothing else")
        commands: list[tuple[int, str, list[str]]] = []
        for number, text in enumerate(body, line + 1):
            if text.startswith("$ "):
                commands.append((number, text[2:].strip(), []))
            elif not commands:
                raise self.error(number, "a console begins with `$ COMMAND`")
            else:
                commands[-1][2].append(text.rstrip())
        if not commands:
            raise self.error(line, "a console begins with `$ COMMAND`")
        return Console(line, bool(bare), tuple(Command(n, words, tuple(out)) for n, words, out in commands))

    # --- parts

    def only(self, given: dict[str, str], bare: list[str], known: tuple[str, ...], line: int) -> None:
        """Refuse what a block does not take."""
        if bare:
            raise self.error(line, f"NAME=VALUE is expected; found {bare[0]!r}")
        for name in given:
            if name not in known:
                raise self.error(line, f"there is no {name}= here; there is {', '.join(f'{each}=' for each in known)}")

    def run_of(self, given: dict[str, str], line: int) -> str:
        """Return the run that a block is about: the one that it names, or the last one before it."""
        name = given.get("run", self.last_run)
        if name not in self.runs:
            what = f"there is no run {name!r} above" if name else "there is no run above: ```python run=NAME seed=1"
            raise self.error(line, what)
        return name

    def statements(self, body: list[str], line: int) -> tuple[Statement, ...]:
        """Read the lines of a block as statements; lines that are blank or begin with "#" are none.

        An indented line below a statement says it as a sentence.
        """
        told: list[Statement] = []
        for number, text in enumerate(body, line + 1):
            if text.startswith("  ") and text.strip() and told:
                told[-1] = replace(told[-1], says=f"{told[-1].says} {text.strip()}".strip())
            elif text.strip() and not text.strip().startswith("#"):
                told.append(self.parsed(partial(statement, line=number), text, number))
        if not told:
            raise self.error(line, "this block says nothing: a line is a statement about the run")
        return tuple(told)

    def parsed(self, parser: Callable[[str], Parsed], text: str, line: int) -> Parsed:
        """Parse a pattern, statement or selector of this line."""
        try:
            return parser(text)
        except BadPattern as error:
            raise self.error(line, str(error)) from None
