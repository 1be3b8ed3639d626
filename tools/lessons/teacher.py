"""Goes through a lesson with a learner: shows its text, asks before it shows, runs, and breaks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import randrange
from typing import Protocol

from ..output import Failed
from .answers import LETTERS, Question, Verdict, judge
from .blocks import Block, Break, Command, Console, Expect, Lesson, Look, Predict, Run, Text
from .breaks import sentence
from .check import Runs, alike, check_break, fail_unless, live_output, question
from .in_words import broken, facts
from .look import lines

TRIES = 2
ITEM = re.compile(r"- |\d{1,2}\. ")
MOST_EXERCISES = 200


class Screen(Protocol):
    """What a lesson is shown on."""

    def say(self, line: str = "") -> None:
        """Print a line."""

    def ask(self, prompt: str) -> str | None:
        """Return the line that is typed; None at the end of the input."""

    def paragraph(self, text: str, width: int, first: str = "", rest: str | None = None) -> None:
        """Print a text in lines of this width."""


@dataclass
class Answered:
    """How a question was answered: all that was typed, whether the last answer is right, and whether it is over."""

    question: str
    given: list[str]
    right: bool
    over: bool = False


class EndOfInput(Exception):
    """The learner has left."""


class Teacher:
    """Teaches one lesson.

    `before` are the answers that were given until it was left, and `keep` is called with all answers after each.
    """

    def __init__(
        self,
        lesson: Lesson,
        words: dict[str, str],
        width: int,
        screen: Screen,
        *,
        one_try: bool,
        sentences: bool,
        before: Sequence[Answered] = (),
        keep: Callable[[list[Answered]], None] = lambda answers: None,
    ) -> None:
        self.lesson, self.words, self.width, self.screen = lesson, words, width, screen
        self.tries = 1 if one_try else TRIES
        self.sentences = sentences
        self.is_test = one_try
        self.runs = Runs(lesson)
        self.answers = list(before)
        self.before = {each.question for each in before}
        self.keep = keep

    def teach(self) -> list[Answered]:
        """Go through the lesson. Returns the answers; those up to the end of the input. Raises LessonError."""
        lesson, say = self.lesson, self.screen.say
        title = f"{lesson.number} {lesson.title}"
        say(title)
        say("=" * len(title))
        say(self.words["facts"].format(time=lesson.facts["time"]))
        if needs := lesson.facts.get("needs"):
            say(self.words["needs"].format(needs=needs))
        begin = self.begin()
        if self.before:
            say()
            self.screen.paragraph(self.words["goes_on"].format(count=len(self.before)), self.width)
        finished = False
        try:
            for block in lesson.blocks[begin:]:
                if isinstance(block, Predict) and self.before.issuperset(block.names()):
                    continue
                say()
                self.show(block)
            finished = True
        except (EndOfInput, KeyboardInterrupt):  # what was answered counts
            say()
        if finished:
            self.keep([])  # the next time it begins anew
        right = sum(answer.right for answer in self.answers)
        say()
        say(self.words["end"].format(number=lesson.number, right=right, all=len(self.answers)))
        return self.answers

    def begin(self) -> int:
        """Return the place of the first block: of a lesson that was left, the run about which the next question is."""
        if not self.before:
            return 0
        blocks = self.lesson.blocks
        asked = [(place, each) for place, each in enumerate(blocks) if isinstance(each, Predict)]
        begin = max(place for place, each in asked if self.before.intersection(each.names())) + 1
        following = next((each for _, each in asked if not self.before.issuperset(each.names())), None)
        if following is not None and following.kind == "exercise":
            begin = min(begin, blocks.index(following))
        elif following is not None:
            run = next(n for n, each in enumerate(blocks) if isinstance(each, Run) and each.name == following.run)
            begin = min(begin, run)
        return begin - 1 if begin and isinstance(blocks[begin - 1], Text) else begin

    def show(self, block: Block) -> None:
        """Show one block."""
        if isinstance(block, Text):
            self.text(block.markdown)
        elif isinstance(block, Run):
            for line in block.source.rstrip("\n").split("\n"):
                self.screen.say(f"    {line}")
            self.screen.say(self.words["run"].format(name=block.name))
            _ = self.runs[block.name, ""]
        elif isinstance(block, Predict):
            self.predict(block)
        elif isinstance(block, Expect):
            fail_unless(self.lesson, self.runs[block.run, ""], block.statements)
            self.screen.say(self.words["holds"])
            self.items(facts(self.lesson, block))
        elif isinstance(block, Break):
            self.break_it(block)
        elif isinstance(block, Look):
            for line in lines(block, self.runs[block.run, block.without], self.width, sentences=self.sentences):
                self.screen.say(line)
        else:
            self.console(block)

    def text(self, markdown: str) -> None:
        """Show Markdown: paragraphs in the width of the terminal, tables and code as they stand."""
        paragraph: list[str] = []
        verbatim = False
        for line in markdown.split("\n"):
            if line.startswith("```"):
                verbatim = not verbatim
            elif verbatim or line.startswith(("|", "    ", "#")) or not line.strip():
                self.flow(paragraph)
                heading = line.lstrip("# ") if line.startswith("#") and not verbatim else ""
                self.screen.say(heading or line)
                if heading:
                    self.screen.say("-" * len(heading))
            else:
                if ITEM.match(line):
                    self.flow(paragraph)
                paragraph.append(line.strip())
        self.flow(paragraph)

    def flow(self, paragraph: list[str]) -> None:
        """Show the lines of a paragraph, or of an item of a list, and forget them."""
        if paragraph:
            item = ITEM.match(paragraph[0])
            self.screen.paragraph(" ".join(paragraph), self.width, "", " " * len(item[0]) if item else "")
            paragraph.clear()

    # --- questions

    def predict(self, predict: Predict) -> None:
        """Ask a question; an exercise again and again, for as long as the learner wants more of them."""
        endless = predict.kind == "exercise"
        first = 0 if self.is_test or not endless else randrange(1 << 30)  # a test has the same ones for all
        names = predict.names()
        if endless:
            self.prose(predict.prompt)
        for turn in range(MOST_EXERCISES if endless else 1):
            if turn >= predict.times and (self.is_test or not self.ask(self.words["more"])):
                return
            name = names[turn] if turn < len(names) else f"{predict.id}.{turn + 1}"
            if name in self.before:
                continue
            self.one(question(self.lesson, predict, self.runs, first + turn), name)
            self.screen.say()

    def one(self, asked: Question, name: str) -> None:
        """Ask one question until the answer is right or the tries are over, say why, and keep that it is over."""
        answered = Answered(name, [], False)
        self.answers.append(answered)
        self.ask_for(asked, answered)
        answered.over = True
        self.keep(self.answers)

    def ask_for(self, asked: Question, answered: Answered) -> None:
        """See `one`."""
        self.prose(asked.prompt)
        for line in asked.shown:
            self.screen.say(f"    {line}")
        for place, item in enumerate(asked.items):
            if asked.kind == "altered":
                self.screen.say(f"  {item.text}")
            else:
                self.screen.paragraph(item.text, self.width, f"  {LETTERS[place]}  ")
        prompt = self.prompt(asked)
        while len(answered.given) < self.tries:
            typed = self.ask(prompt)
            if not typed:
                break
            verdict = judge(asked, typed)
            if verdict.understood:
                answered.given.append(typed)
                answered.right = verdict.right
            self.tell(verdict)
            if verdict.right:
                return
            prompt = self.words["again"] if verdict.understood else self.prompt(asked)
        self.screen.paragraph(f"{self.words['was'].format(right=asked.right)} {self.why(asked)}", self.width)

    def prose(self, text: str) -> None:
        """Show paragraphs."""
        for paragraph in filter(None, text.split("\n\n")):
            self.screen.paragraph(" ".join(paragraph.split()), self.width)

    def prompt(self, asked: Question) -> str:
        """Return what is asked for."""
        key = {"choice": "letter", "order": "order", "altered": "frame"}.get(asked.kind, "value")
        example = " ".join(LETTERS[: len(asked.items)])
        return self.words[key].format(example=example) + self.words["skip"]

    def tell(self, verdict: Verdict) -> None:
        """Say whether an answer is right, and why."""
        head = "" if not verdict.understood else self.words["right" if verdict.right else "wrong"] + " "
        self.screen.paragraph(head + verdict.reason, self.width)

    def why(self, asked: Question) -> str:
        """Return why the right answer is right."""
        return asked.because or next((item.reason for item in asked.items if item.right), "")

    def ask(self, prompt: str) -> str:
        """Return what is typed. Raises EndOfInput."""
        typed = self.screen.ask(prompt)
        if typed is None:
            raise EndOfInput
        return typed.strip()

    # --- the other blocks

    def break_it(self, block: Break) -> None:
        """Run without a clause, and show what differs."""
        check_break(self.lesson, block, self.runs)
        say = self.screen.paragraph
        say(f"{block.clause}: {sentence(block.clause, self.lesson.language)}", self.width)
        say(self.words["broken"].format(clause=block.clause), self.width)
        told, otherwise = broken(self.lesson, block, self.runs[block.run, ""], self.words)
        self.items(told)
        if otherwise:
            say(otherwise, self.width)

    def items(self, told: list[str]) -> None:
        """Show sentences as a list."""
        for each in told:
            self.screen.paragraph(each, self.width, "  - ", "    ")

    def console(self, block: Console) -> None:
        """Show commands and what they print; run those for a lab if the learner wants it."""
        for command in block.commands:
            self.screen.say(f"    $ {command.words}")
            for line in command.output:
                self.screen.say(f"    {line}")
        if block.live and not self.is_test and self.ask(self.words["live"]).casefold() == "y":
            for command in block.commands:
                self.live(command)

    def live(self, command: Command) -> None:
        """Run a command on the kernel's side of a lab, and compare what it prints."""
        try:
            real = live_output(command)
        except Failed as error:
            self.screen.paragraph(str(error), self.width)
            return
        if alike(list(command.output), real):
            self.screen.say(self.words["live_right"])
            return
        self.screen.say(self.words["live_wrong"])
        for line in real[:100]:
            self.screen.say(f"    {''.join(c if c.isprintable() else '?' for c in line)[:500]}")
