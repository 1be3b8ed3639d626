"""What `tapstack explain --fields` prints, read back as fields: its text alone, and not the frames."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

import stack
from tests.course.seen import Dissected
from tools import cli

COLUMNS = 250  # the most; so that few lines are wrapped
_HEADING = re.compile(r"frame (\d+), (\S+ \S+)\.(\d{9}) UTC, (\d+) octets")
_LAYER = re.compile(r"(\S.*?), octets (\d+)-(\d+)")
_FIELD = re.compile(r" {0,8}(\d+)(?:-(\d+))? {2}(.{23}) {2}(.+)")
_GOES_ON = " " * 36


class Text(NamedTuple):
    """A field as it is printed. `octets` is the column of octets or bits."""

    name: str
    bit: int
    width: int
    octets: str
    words: str

    @property
    def value(self) -> bytes:
        """The octets of the column; a field of bits is one number, from the right."""
        if re.fullmatch(r"[01. ]{4}(?: [01.]{4})*", self.octets):
            digits = self.octets.replace(" ", "").replace(".", "")
            return int(digits, 2).to_bytes((len(digits) + 7) // 8, "big")
        if self.octets.endswith(".."):  # too many for the column: they are in the words
            quoted = self.words[self.words.index('"') : self.words.rindex('"') + 1]
            found = ast.literal_eval("b" + quoted)
            assert isinstance(found, bytes)
            assert 8 * len(found) == self.width
            return found
        return bytes.fromhex(self.octets)


class TextLayer:
    """A layer as it is printed."""

    def __init__(self, heading: str) -> None:
        self.error = heading.partition("a host drops it: ")[2]
        self.fields: list[Text] = []

    @property
    def octets(self) -> bytes:
        """Those of all fields, if each is of whole octets."""
        return b"".join(field.value for field in self.fields)


class Explained(Dissected):
    """A frame as the command prints it. It gives the same as `Dissected`."""

    def __init__(self, lines: list[str], link: Literal["ethernet", "ip"]) -> None:
        heading = _HEADING.match(lines[0])
        assert heading is not None
        number, second, fraction, length = heading.groups()
        at = int(datetime.strptime(second, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())
        size = int(length)
        self.frame = stack.CapturedFrame(int(number), at * 1_000_000_000 + int(fraction), bytes(size), size, link)
        self.texts: dict[str, TextLayer] = {}
        layer = TextLayer("")
        for line in lines[1:]:
            if new := _LAYER.match(line):
                layer = self.texts[new[1]] = TextLayer(line)
            elif field := _FIELD.fullmatch(line):
                first, last, octets, meaning = field.groups()
                name, _, words = meaning.partition(" = ")
                width = int(last or first) - int(first) + 1
                layer.fields.append(Text(name, int(first), width, octets.strip(), words))
            else:
                assert line.startswith(_GOES_ON), line
                layer.fields[-1] = layer.fields[-1]._replace(words=f"{layer.fields[-1].words} {line.strip()}")

    @property
    def names(self) -> list[str]:
        """The names of the layers."""
        return list(self.texts)

    def words(self, layer: str, name: str) -> str:
        """What the field means."""
        return self._text(layer, name).words

    def number(self, layer: str, name: str) -> int:
        """The value of a field that is a number."""
        return int.from_bytes(self._text(layer, name).value, "big")

    def octets(self, layer: str, name: str) -> bytes:
        """The value of a field that is no number."""
        return self._text(layer, name).value

    def octets_of(self, layer: str) -> bytes:
        """All octets of a layer."""
        return self.texts[layer].octets

    def errors(self) -> list[str]:
        """Why a host drops the frame."""
        return [layer.error for layer in self.texts.values() if layer.error]

    def options(self) -> list[str]:
        """The options of TCP, as `show` would list them."""
        raw = b"".join(field.value for field in self.texts["TCP"].fields if field.bit >= 160)
        found = []
        while raw:
            kind, size = raw[0], 1 if raw[0] == 1 else raw[1]
            found.append({1: "no-op", 2: f"mss {int.from_bytes(raw[2:size], 'big')}", 4: "SACK permitted"}[kind])
            raw = raw[size:]
        return found

    def _text(self, layer: str, name: str) -> Text:
        return {field.name: field for field in self.texts[layer].fields}[name]


def explain(
    path: Path, link: Literal["ethernet", "ip"], capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
) -> list[Explained]:
    """Run the command on a capture."""
    patch.setenv("COLUMNS", str(COLUMNS))
    assert cli.main(["explain", "--fields", str(path)]) == 0
    frames = capsys.readouterr().out.rstrip("\n").split("\n\n")
    return [Explained(text.split("\n"), link) for text in frames]
