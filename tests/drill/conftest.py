"""Collects the packet scripts of this folder: every `*.pkt` is a test.

A script that fails, or is wrong, fails its test with the line and both packets side by side. One
that asks for what this stack does not have is skipped, which is told apart from a pass; no script
of this folder may do that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.drill.outcome import Outcome, Status
from tools.drill.program import run_file

CLAUSES = re.compile(r"^// rfc: (.+)$", re.MULTILINE)


class ScriptFailed(Exception):
    """A script did not pass."""


class ScriptItem(pytest.Item):
    """One packet script."""

    def runtest(self) -> None:
        """Run it."""
        judge(run_file(self.path))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What the runner says, without a traceback of ours."""
        if isinstance(excinfo.value, ScriptFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is."""
        return self.path, None, self.name


def judge(outcome: Outcome) -> None:
    """Pass, raise ScriptFailed or skip."""
    if outcome.status is Status.UNSUPPORTED:
        pytest.skip(str(outcome))
    if outcome.status is not Status.PASSED:
        raise ScriptFailed(str(outcome))


class ScriptFile(pytest.File):
    """A file that is one script."""

    def collect(self) -> Iterator[pytest.Item]:
        """Its only test, with the clauses that a comment names: `// rfc: 9293 MUST-40, 9293 SHLD-19`."""
        item = ScriptItem.from_parent(self, name="script")
        for named in CLAUSES.findall(self.path.read_text(encoding="utf-8", errors="replace")):
            item.add_marker(pytest.mark.rfc(*[id.strip() for id in named.split(",")]))
        yield item


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take packet scripts in."""
    if file_path.suffix == ".pkt":
        return ScriptFile.from_parent(parent, path=file_path)
    return None
