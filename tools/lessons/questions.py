"""Reads the body of a question: its text, its answers, and what is said of each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .blocks import Choice, Hint, Predict
from .patterns import BadPattern, selector, statement

MOST_CHOICES = 12
MOST_HINTS = 24
CHOICE = re.compile(r"- \[( |x)\] (\S.*)")
ITEM = re.compile(r"\d{1,2}\. (\S.*)")
VALUE = re.compile(r"(.*?)\s*`(=|if) ([^`]+)`")
HINT = re.compile(r'hint (?:"([^"]+)"|(\S+)): (\S.*)')
LINE = re.compile(r"(answer|because): (\S.*)")


class BadQuestion(Exception):
    """A question is ill-formed; `line` is where."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass
class Body:
    """What stands in a question."""

    prompt: str
    choices: tuple[Choice, ...]
    items: tuple[tuple[str, str], ...]
    answer: str
    hints: tuple[Hint, ...]
    because: str

    @property
    def kind(self) -> str:
        """The kind of question that the answers show."""
        return "choice" if self.choices else "order" if self.items else "value"

    def why_not(self, predict: Predict) -> str:
        """Return what the question lacks or has too much; "" if it is whole."""
        kind, about = predict.kind, predict.about
        if not self.prompt and kind != "exercise":
            return "a question has a text"
        if about is None and not (kind == "choice" and all(choice.condition for choice in self.choices)):
            return "about= says where the right answer comes from"
        if about is not None and kind == "order" and about.kind != "all":
            return "about= of a question of order is `all PATTERN -> FIELD`"
        if about is not None and kind in ("field", "altered") and about.pattern is None:
            return "about= names a frame"
        wanted = {"choice": self.choices, "order": self.items, "value": self.answer, "field": self.answer}
        if kind in wanted and not wanted[kind]:
            return {"choice": "`- [ ] TEXT` is expected", "order": "`1. TEXT` is expected"}.get(
                kind, "`answer: VALUE` is expected")  # fmt: skip
        for other, told in (("choice", self.choices), ("order", self.items), ("value", self.answer)):
            if told and kind != other and not (kind == "field" and other == "value"):
                return f"this is a question of another kind: {kind}"
        if kind == "choice" and [choice.marked for choice in self.choices].count(True) != 1:
            return "one choice is marked [x]"
        if kind == "altered" and not predict.alter:
            return "alter= names the field that is changed, such as tcp.sequence_number"
        if kind != "choice" and kind != "exercise" and not self.because:
            return "`because: SENTENCE` is expected: it is said after the answer"
        return ""


def body_of(lines: list[str], first: int) -> Body:
    """Read the lines of a question; the number of the first one is `first`. Raises BadQuestion."""
    prompt: list[str] = []
    found: list[tuple[int, str, str, list[str]]] = []  # line, what, text, the lines below it
    for number, text in enumerate(lines, first):
        what = what_of(text)
        if what:
            found.append((number, what, text.strip(), []))
        elif found and text.startswith(" ") and text.strip():
            found[-1][3].append(text.strip())
        elif found and text.strip():
            raise BadQuestion(number, "an answer, `hint`, `because`, or an indented line is expected here")
        elif not found:
            prompt.append(text)
    choices, items, hints = [], [], []
    said = {"answer": "", "because": ""}
    for number, what, text, below in found:
        if what == "choice":
            choices.append(choice(text, " ".join(below), number))
        elif what == "item":
            items.append(item(text, number))
        elif what == "hint":
            hints.append(hint(" ".join([text, *below]), number))
        else:
            if said[what]:
                raise BadQuestion(number, f"there is one {what!r}")
            said[what] = " ".join([text, *below]).partition(": ")[2]
    if len(choices) > MOST_CHOICES or len(items) > MOST_CHOICES or len(hints) > MOST_HINTS:
        raise BadQuestion(first, f"a question has at most {MOST_CHOICES} answers and {MOST_HINTS} hints")
    return Body("\n".join(prompt).strip(), tuple(choices), tuple(items), said["answer"], tuple(hints), said["because"])


def what_of(text: str) -> str:
    """Return what a line begins: "choice", "item", "hint", "answer" or "because"; "" if none of these."""
    if CHOICE.match(text):
        return "choice"
    if ITEM.match(text):
        return "item"
    if text.startswith("hint "):
        return "hint"
    found = LINE.match(text)
    return found[1] if found else ""


def choice(text: str, reason: str, line: int) -> Choice:
    """Read `- [x] TEXT `= VALUE``, or with a condition: `- [ ] TEXT `if STATEMENT``."""
    found = CHOICE.fullmatch(text)
    assert found
    words, value, condition = found[2], found[2], None
    if told := VALUE.fullmatch(words):
        words, value = told[1], told[3].strip()
        if told[2] == "if":
            try:
                value, condition = "", statement(told[3], line)
            except BadPattern as error:
                raise BadQuestion(line, str(error)) from None
    if not reason:
        raise BadQuestion(line, "an indented line is expected below: a reason that is true for this answer")
    return Choice(line, words, value, condition, found[1] == "x", reason)


def item(text: str, line: int) -> tuple[str, str]:
    """Read `1. TEXT `= VALUE``."""
    found = ITEM.fullmatch(text)
    told = VALUE.fullmatch(found[1]) if found else None
    if told is None or told[2] != "=":
        raise BadQuestion(line, "the value of this item is expected at its end: `= VALUE` in backquotes")
    return told[1], told[3].strip()


def hint(text: str, line: int) -> Hint:
    """Read `hint VALUE: SENTENCE`, or `hint "SELECTOR": SENTENCE`."""
    found = HINT.fullmatch(text)
    if not found:
        raise BadQuestion(line, '`hint VALUE: SENTENCE` is expected, or `hint "SELECTOR": SENTENCE`')
    if found[1] is None:
        return Hint(line, found[2], None, found[3])
    try:
        return Hint(line, "", selector(found[1]), found[3])
    except BadPattern:
        return Hint(line, found[1], None, found[3])
