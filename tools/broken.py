"""Breaks one clause on purpose: a module of ours is loaded from its source with one place of it replaced.

This must happen before the module is imported, and holds for the whole process. What is broken is said wherever the
program says something: see `notice`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TextIO

from .output import Failed

RED, PLAIN = "\x1b[1;31m", "\x1b[0m"


class Fault(NamedTuple):
    """A small change to the code that breaks a clause.

    `pattern` stands exactly once in `file`, a path such as "stack/tcp/output.py". `sentence` says what is
    to be seen without the clause.
    """

    clause: str
    file: str
    pattern: str
    replacement: str
    sentence: str


_present: list[Fault] = []
_coloured: list[bool] = []


def install(fault: Fault) -> None:
    """Break a clause in this process. The words about it are red if the program writes to a terminal.

    Raises Failed if its module is imported already, or has changed."""
    path = source_of(fault.file)
    module = module_of(fault.file)
    if module in sys.modules:
        raise Failed(f"{module} is in use already: a clause must be broken before that")
    try:
        count = path.read_text(encoding="utf-8").count(fault.pattern)
    except OSError as error:
        raise Failed(f"{fault.clause} cannot be broken without the source {fault.file}: {error.strerror}") from None
    if count != 1:
        raise Failed(f"{fault.clause} cannot be broken: its place is {count} times in {fault.file}")
    sys.meta_path.insert(0, _Finder(module, path, fault))
    _present.append(fault)
    _coloured.append(is_coloured(sys.stdout) and is_coloured(sys.stderr))


def faults() -> tuple[Fault, ...]:
    """Return what is broken in this process."""
    return tuple(_present)


def is_coloured(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal that may show colours (see no-color.org)."""
    return stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")


def notice(*, sentence: bool = True) -> str:
    """Return the words that say what is broken on purpose, perhaps with what is to be seen; "" if nothing is."""
    told = "; ".join(f"{fault.clause}. {fault.sentence}".strip() if sentence else fault.clause for fault in _present)
    return f"broken on purpose: {told}" if told else ""


def red(text: str) -> str:
    """Return a text in red if the program writes to a terminal."""
    return f"{RED}{text}{PLAIN}" if text and any(_coloured) else text


def module_of(file: str) -> str:
    """Return the name of the module in a file: of tools/ under the name by which this package was imported."""
    parts = list(Path(file).with_suffix("").parts)
    if parts[0] == "tools":
        parts[0] = (__package__ or "tools").partition(".")[0]
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def source_of(file: str) -> Path:
    """Return where a file lies, by where its package is installed. Raises Failed."""
    top, *rest = Path(file).parts
    if top == "tools":
        return Path(__file__).parent.joinpath(*rest)
    found = importlib.util.find_spec(top) if top == "stack" else None
    if found is None or not found.submodule_search_locations:
        raise Failed(f"{file} is not a part of this program")
    return Path(next(iter(found.submodule_search_locations))).joinpath(*rest)


class _Finder(MetaPathFinder):
    """Finds one module, before any other finder does: whatever is installed beside its source."""

    def __init__(self, module: str, path: Path, fault: Fault) -> None:
        self._module, self._path, self._fault = module, path, fault

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `MetaPathFinder`."""
        if fullname != self._module:
            return None
        loader = _Loader(self._path, self._fault)
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Loader(SourceLoader):
    """Loads a module from its source, with one place replaced. It neither reads nor writes compiled modules."""

    def __init__(self, path: Path, fault: Fault) -> None:
        self._path, self._fault = path, fault

    def get_filename(self, fullname: str) -> str:
        """See `SourceLoader`."""
        return str(self._path)

    def get_data(self, path: str | bytes) -> bytes:
        """See `SourceLoader`."""
        text = self._path.read_text(encoding="utf-8")
        return text.replace(self._fault.pattern, self._fault.replacement).encode()
