"""The small language in which a lesson speaks of what has happened in a run.

A *pattern* describes an event: perhaps a host, the name of the event, and what is asked of its fields:

    client tcp:send again=true because fast_retransmit why 5681-3.2-*

`frame` is a frame that has come or gone, with the fields of its headers (see recording.py). A value is compared as
text; `*` stands for anything and `|` for "or". The other comparisons are `!=`, `<`, `<=`, `>` and `>=`.

A *statement* is a pattern (there is such an event, after that of the statement before), `never PATTERN`, `count
PATTERN == 3`, or `SELECTOR == VALUE`. A *selector* gives a value: `PATTERN -> FIELD`, of the first such event (`PATTERN
#2 -> FIELD`: of the second; `last PATTERN -> FIELD`), `count PATTERN`, `all PATTERN -> FIELD`, `kept NAME`, or
`SELECTOR minus SELECTOR`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

LONGEST = 2000  # characters of a pattern, a statement or a selector
MOST_TERMS = 100
NAME = re.compile(r"[a-z]+:[a-z_*]+|frame")
HOST = re.compile(r"[a-z][a-z0-9-]{0,20}")
TERM = re.compile(r"([a-zA-Z_][\w.]*)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)
NUMBER = re.compile(r"#([1-9]\d{0,3})")
GROUPED = re.compile(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
COMPARED = re.compile(r"(.*)\s(==|!=|<=|>=|<|>)\s(\S.*)", re.DOTALL)
WORDS = ("because", "why")  # terms of two words


class BadPattern(ValueError):
    """A pattern, statement or selector is ill-formed; the text says how."""


@dataclass(frozen=True)
class Term:
    """What is asked of one field of an event."""

    key: str
    operator: str
    value: str


@dataclass(frozen=True)
class Pattern:
    """An event: its host ("" for any), its name, and the terms."""

    text: str
    host: str
    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Selector:
    """What gives a value. `kind` is "value", "count", "all" or "kept"; for "exercise", `field` is its name."""

    text: str
    kind: str
    pattern: Pattern | None
    number: int
    field: str
    minus: Selector | None = None


@dataclass(frozen=True)
class Statement:
    """What holds in a run. `kind` is "event", "never" or "compare"; `says` is its sentence for the learner, or ""."""

    line: int
    text: str
    kind: str
    pattern: Pattern | None
    selector: Selector | None = None
    operator: str = ""
    value: str = ""
    says: str = ""


def words_of(text: str) -> list[str]:
    """Split text as a shell does. A comment begins with "#" and a blank. Raises BadPattern."""
    if len(text) > LONGEST:
        raise BadPattern(f"it is longer than {LONGEST} characters")
    try:
        return shlex.split(re.sub(r"(^|\s)#\s.*", "", text))
    except ValueError as error:
        raise BadPattern(f"{error}".lower()) from None


def pattern(text: str) -> Pattern:
    """Parse a pattern. Raises BadPattern."""
    words = words_of(text)
    host = ""
    if len(words) > 1 and not NAME.fullmatch(words[0]) and HOST.fullmatch(words[0]):
        host = words.pop(0)
    if not words or not NAME.fullmatch(words[0]):
        told = words[0] if words else "nothing"
        raise BadPattern(f"the name of an event is expected, such as tcp:state, or frame; found {told!r}")
    name, terms = words[0], []
    rest = iter(words[1:])
    for word in rest:
        if word in WORDS:
            value = next(rest, "")
            if not value:
                raise BadPattern(f"a word is expected after {word!r}")
            terms.append(Term(word, "=", value))
        elif found := TERM.fullmatch(word):
            terms.append(Term(found[1], found[2], found[3]))
            if found[2] in ("<", "<=", ">", ">=") and number(found[3]) is None:
                raise BadPattern(f"a number is expected after {found[1]}{found[2]}")
        else:
            raise BadPattern(f"FIELD=VALUE is expected, found {word!r}")
    if len(terms) > MOST_TERMS:
        raise BadPattern(f"it has more than {MOST_TERMS} terms")
    return Pattern(" ".join(shlex.quote(word) if " " in word else word for word in words_of(text)), host, name,
                   tuple(terms))  # fmt: skip


def one_host(text: str) -> Pattern:
    """Parse a pattern of events to be counted or compared: a frame is seen by two hosts. Raises BadPattern."""
    parsed = pattern(text)
    if parsed.name == "frame" and not parsed.host:
        raise BadPattern("say which host sees the frame: both ends do")
    return parsed


def selector(text: str) -> Selector:
    """Parse a selector. Raises BadPattern."""
    if len(text) > LONGEST:
        raise BadPattern(f"it is longer than {LONGEST} characters")
    first, minus, second = text.strip().partition(" minus ")
    if minus:
        left, right = selector(first), selector(second)
        if left.kind not in ("value", "count", "kept") or right.kind not in ("value", "count", "kept"):
            raise BadPattern("`minus` needs two numbers")
        return Selector(text.strip(), left.kind, left.pattern, left.number, left.field, right)
    text = text.strip()
    word, _, rest = text.partition(" ")
    if word == "count":
        return Selector(text, "count", one_host(rest), 0, "")
    if word in ("kept", "exercise"):
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", rest.strip()):
            raise BadPattern(f"a name is expected after {word!r}")
        return Selector(text, word, None, 0, rest.strip())
    every, last = word == "all", word == "last"
    head, arrow, field = (rest if every or last else text).partition("->")
    field = field.strip()
    if not arrow or not re.fullmatch(r"[a-zA-Z_][\w.]*", field):
        raise BadPattern("PATTERN -> FIELD is expected, or count PATTERN, all PATTERN -> FIELD, kept NAME")
    nth = NUMBER.search(head)
    number = int(nth[1]) if nth else -1 if last else 1
    return Selector(text, "all" if every else "value", one_host(NUMBER.sub("", head)), number, field)


def statement(text: str, line: int) -> Statement:
    """Parse a statement that stands in this line of a lesson. Raises BadPattern."""
    told = " ".join(shlex.quote(word) if " " in word else word for word in words_of(text))
    word, _, rest = told.partition(" ")
    if word == "never":
        return Statement(line, told, "never", one_host(rest))
    if word in ("count", "kept", "last", "all") or " -> " in told:
        found = COMPARED.fullmatch(told)
        if not found:
            raise BadPattern("a comparison is expected, such as `== 3`")
        chosen = selector(found[1])
        if found[2] not in ("==", "!=") and number(found[3]) is None:
            raise BadPattern(f"a number is expected after {found[2]}")
        return Statement(line, told, "compare", None, chosen, found[2], found[3])
    return Statement(line, told, "event", one_host(told))


def number(text: str) -> float | None:
    """Return the number that a text is, decimal or hexadecimal; None if it is none. A whole number is an int.

    Commas between groups of three digits do not count: 1,460. Another comma is a decimal point, as in French: 0,02.
    """
    text = text.strip().replace("\u202f", "")
    text = text.replace(",", "") if GROUPED.fullmatch(text) else text.replace(",", ".")
    try:
        return int(text, 16) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", text) else _finite(text)
    except ValueError:
        return None


def _finite(text: str) -> float | None:
    if len(text) > 40 or not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return None
    return float(text) if "." in text else int(text)


def fits(real: str, wanted: str) -> bool:
    """Return whether a text is as a value of a pattern says."""
    return any(in_parts(real, each.split("*")) for each in wanted.split("|"))


def in_parts(real: str, parts: list[str]) -> bool:
    """Return whether a text is made of these parts, in order, with anything between them. It takes linear time."""
    first, *middle, last = parts if len(parts) > 1 else (parts[0], "")
    if len(parts) == 1:
        return real == first
    at, end = len(first), len(real) - len(last)
    if at > end or not real.startswith(first) or not real.endswith(last):
        return False
    for part in middle:
        at = real.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def holds(left: str, operator: str, right: str) -> bool:
    """Return whether a comparison holds: of numbers if both are, else of texts. Whole numbers are compared exactly."""
    first, second = number(left), number(right)
    if first is None or second is None:
        if operator in ("=", "=="):
            return fits(left, right)
        return operator == "!=" and not fits(left, right)
    exact = isinstance(first, int) and isinstance(second, int)
    close = abs(first - second) <= (0 if exact else 1e-9 * max(1.0, abs(first), abs(second)))
    return {
        "=": close, "==": close, "!=": not close, "<": first < second and not close, "<=": first <= second or close,
        ">": first > second and not close, ">=": first >= second or close,
    }[operator]  # fmt: skip
