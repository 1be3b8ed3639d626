"""Cuts a packet script into tokens, each with its line and column. Comments and white space are dropped.

The work is bounded: a script has at most `LONGEST_SCRIPT` octets, and each of them is looked at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .script import ScriptError

LONGEST_SCRIPT = 1 << 20  # octets
MOST_DIGITS = 18  # of a number: what a 64-bit integer surely holds

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<code>%\{.*?\}%)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<command>`(?:\\.|[^`\\])*`)
  | (?P<option>--[A-Za-z0-9_]+)
  | (?P<address>[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)
  | (?P<ellipsis>\.\.\.)
  | (?P<float>-?[0-9]*\.[0-9]+)
  | (?P<hex>0x[0-9a-fA-F]+(?![A-Za-z0-9_]))
  | (?P<integer>-?[0-9]+(?![A-Za-z0-9_]))
  | (?P<word>[A-Za-z0-9_]+)
  | (?P<char>[-+*~<>:;,.(){}\[\]=|])
    """,
    re.VERBOSE | re.DOTALL,
)
_UNFINISHED = {"/*": "comment", "%{": "code block", '"': "string", "`": "command"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the script. `kind` is a group of the pattern above, or "end"; `start` and `stop` are offsets."""

    kind: str
    text: str
    line: int
    column: int
    start: int
    stop: int


def read_text(data: bytes) -> str:
    """The text of a script file. ScriptError for one that is too long, or is not UTF-8."""
    if len(data) > LONGEST_SCRIPT:
        raise ScriptError(1, 1, f"a script has at most {LONGEST_SCRIPT} octets, and this one has {len(data)}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise ScriptError(line, column, "this octet is not UTF-8") from None


def tokens(text: str) -> list[Token]:
    """All tokens of a script, and one of kind "end" behind them. ScriptError for what is none."""
    found: list[Token] = []
    at, line, line_start = 0, 1, 0
    while at < len(text):
        column = at - line_start + 1
        match = _TOKEN.match(text, at)
        if match is None:
            for opening, name in _UNFINISHED.items():
                if text.startswith(opening, at):
                    raise ScriptError(line, column, f"this {name} has no end")
            raise ScriptError(line, column, f"{text[at]!r} means nothing here")
        kind, piece = str(match.lastgroup), match.group()
        if kind in ("float", "hex", "integer") and len(piece) > MOST_DIGITS:
            raise ScriptError(line, column, f"a number has at most {MOST_DIGITS} digits")
        if kind not in ("space", "comment"):
            found.append(Token(kind, piece, line, column, at, match.end()))
        newlines = piece.count("\n")
        if newlines:
            line += newlines
            line_start = at + piece.rfind("\n") + 1
        at = match.end()
    found.append(Token("end", "", line, at - line_start + 1, at, at))
    return found
