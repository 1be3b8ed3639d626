"""Collects the packet scripts of this folder: every `*.pkt` is a test.

A script that fails or is invalid fails its test; the report has the line and both packets side by
side. An unsupported script is skipped. No script of this folder may be unsupported:
`test_each_expectation.py` checks that.
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

    obj = None  # pytest-trio looks whether it is an async function

    def runtest(self) -> None:
        """Run the script."""
        judge(run_file(self.path))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the runner's report, without a traceback."""
        if isinstance(excinfo.value, ScriptFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the place of the script."""
        return self.path, None, self.name


def judge(outcome: Outcome) -> None:
    """Raise ScriptFailed unless the script passed; skip the test if it is unsupported."""
    if outcome.status is Status.UNSUPPORTED:
        pytest.skip(str(outcome))
    if outcome.status is not Status.PASSED:
        raise ScriptFailed(str(outcome))


class ScriptFile(pytest.File):
    """A file that is one script."""

    def collect(self) -> Iterator[pytest.Item]:
        """Return its only test, marked with the clauses of a comment `// rfc: 9293 MUST-40`."""
        item = ScriptItem.from_parent(self, name="script")
        for named in CLAUSES.findall(self.path.read_text(encoding="utf-8", errors="replace")):
            item.add_marker(pytest.mark.rfc(*[id.strip() for id in named.split(",")]))
        yield item


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect each file whose name ends in .pkt."""
    if file_path.suffix == ".pkt":
        return ScriptFile.from_parent(parent, path=file_path)
    return None
