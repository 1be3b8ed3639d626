"""Splits a packet script into tokens, each with its line and column, without comments and spaces.

The work is bounded: a script has at most `LONGEST_SCRIPT` octets, and the tokens do not overlap.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .script import ScriptError

LONGEST_SCRIPT = 1 << 20  # octets
LONGEST_NUMBER = 18  # characters: every integer of this length fits into 64 bits

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
    """A token. `kind` is a group of the pattern above, or "end"; `start` and `stop` are offsets."""

    kind: str
    text: str
    line: int
    column: int
    start: int
    stop: int


def read_text(data: bytes) -> str:
    """Return the text of a script file. Raises ScriptError if it is too long, or not UTF-8."""
    if len(data) > LONGEST_SCRIPT:  # the caller may have read only a part of the file
        raise ScriptError(1, 1, f"a script has at most {LONGEST_SCRIPT} octets, and this one has more")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise ScriptError(line, column, f"the octet 0x{data[error.start]:02x} is not valid UTF-8") from None


def tokens(text: str) -> list[Token]:
    """Return the tokens of a script, and one of kind "end" after them. Raises ScriptError."""
    found: list[Token] = []
    at, line, line_start = 0, 1, 0
    while at < len(text):
        column = at - line_start + 1
        match = _TOKEN.match(text, at)
        if match is None:
            for opening, name in _UNFINISHED.items():
                if text.startswith(opening, at):
                    raise ScriptError(line, column, f"this {name} is not closed")
            raise ScriptError(line, column, f"unexpected character {text[at]!r}")
        kind, piece = str(match.lastgroup), match.group()
        if kind in ("float", "hex", "integer") and len(piece) > LONGEST_NUMBER:
            raise ScriptError(line, column, f"a number has at most {LONGEST_NUMBER} characters")
        if kind not in ("space", "comment"):
            found.append(Token(kind, piece, line, column, at, match.end()))
        newlines = piece.count("\n")
        if newlines:
            line += newlines
            line_start = at + piece.rfind("\n") + 1
        at = match.end()
    found.append(Token("end", "", line, at - line_start + 1, at, at))
    return found
