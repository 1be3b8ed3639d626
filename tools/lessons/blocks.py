"""What a lesson consists of, and the error of a lesson that is ill-formed. See README.md for the format."""

from __future__ import annotations

from dataclasses import dataclass, field

from .patterns import Pattern, Selector, Statement


class LessonError(Exception):
    """A lesson is ill-formed, or says what its run contradicts. The text is one line: file, line, what is wrong."""

    def __init__(self, file: str, line: int, text: str) -> None:
        super().__init__(f"{file}:{line}: {text}")
        self.file, self.line, self.text = file, line, text


@dataclass(frozen=True)
class Text:
    """Markdown to read, with headings, tables and code blocks that have no role."""

    line: int
    markdown: str


@dataclass(frozen=True)
class Run:
    """Python that builds a network and does something on it: the body of an async function."""

    line: int  # of the first line of the code
    name: str
    seed: int
    source: str


@dataclass(frozen=True)
class Choice:
    """An answer to choose.

    Attributes:
      value: what the selector of the question must give for this answer to be right; "" if `condition` says it.
      condition: it is right if this holds in the run; None if `value` says it.
      marked: whether the lesson marks it as the right one.
      reason: a sentence that is true for this answer, right or wrong.
    """

    line: int
    text: str
    value: str
    condition: Statement | None
    marked: bool
    reason: str


@dataclass(frozen=True)
class Hint:
    """What is said about one wrong answer: a value, or the value that a selector gives."""

    line: int
    value: str
    selector: Selector | None
    sentence: str


@dataclass(frozen=True)
class Predict:
    """A question. Its right answer is computed from the run.

    Attributes:
      kind: "choice", "order", "value", "field", "altered" or "exercise".
      run: the run that it is about; "" for an exercise.
      without: the clause that is taken out of that run; "" for none.
      items: of a question of order: text and value, in the right order.
      answer: of "value" and "field": what the lesson gives as the right answer.
      given: frames that are shown with the question; None for none.
      alter: of "altered": the field that is changed.
      times: how many exercises count in a test.
      because: what is said after the answer.
    """

    line: int
    id: str
    kind: str
    run: str
    without: str
    about: Selector | None
    prompt: str
    choices: tuple[Choice, ...] = ()
    items: tuple[tuple[str, str], ...] = ()
    answer: str = ""
    hints: tuple[Hint, ...] = ()
    given: Pattern | None = None
    alter: str = ""
    times: int = 1
    because: str = ""

    def names(self) -> list[str]:
        """Return the names under which its answers are kept: its id, or that of each exercise that counts."""
        if self.kind != "exercise":
            return [self.id]
        return [f"{self.id}.{turn}" for turn in range(1, self.times + 1)]


@dataclass(frozen=True)
class Expect:
    """Statements that hold in a run."""

    line: int
    run: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Break:
    """Statements that hold in a run without a clause, and do not all hold with it."""

    line: int
    run: str
    clause: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Look:
    """What is shown of a run: its "ladder", its "events" or the fields of a "frame", as one host saw them."""

    line: int
    run: str
    what: str
    host: str
    without: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True)
class Command:
    """A command of a console block, and the lines that it prints; "..." stands for anything."""

    line: int
    words: str
    output: tuple[str, ...]


@dataclass(frozen=True)
class Console:
    """Commands for a shell. `live`: on the kernel's side of a lab."""

    line: int
    live: bool
    commands: tuple[Command, ...]


Block = Text | Run | Predict | Expect | Break | Look | Console


@dataclass(frozen=True)
class Lesson:
    """A lesson: its number ("T1"), its title, the facts of its second line, its blocks, and its language ("en").

    `digest` is that of its text: it tells whether a lesson is still the one that was left.
    """

    file: str
    number: str
    title: str
    facts: dict[str, str]
    blocks: tuple[Block, ...]
    runs: dict[str, Run] = field(default_factory=dict)
    language: str = "en"
    digest: str = ""

    def error(self, line: int, text: str) -> LessonError:
        """Return an error of this lesson."""
        return LessonError(self.file, line, text)

    def questions(self) -> list[Predict]:
        """Return its questions, in order."""
        return [block for block in self.blocks if isinstance(block, Predict)]
