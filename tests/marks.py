"""The pytest side of the requirement marks: ids are checked when tests are collected, results
written on request.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import MOST_MARKS, requirements


class Conformance:
    """Collects which tests name which clause, and how they ended."""

    def __init__(self, out: Path | None) -> None:
        self._out = out
        self._known = requirements()
        self._tests: dict[str, list[str]] = {}
        self._outcome: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            ids = [id for mark in item.iter_markers("rfc") for id in mark.args]
            unknown = [id for id in ids if id not in self._known]
            if unknown:
                raise pytest.UsageError(f"{item.nodeid}: no such requirement: {', '.join(map(repr, unknown))}")
            if len(ids) > MOST_MARKS:
                raise pytest.UsageError(f"{item.nodeid}: {len(ids)} requirements; a test that proves one names one")
            for id in ids:
                self._tests.setdefault(id, []).append(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._outcome.setdefault(report.nodeid, report.outcome)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process that ran tests for this one has ended (pytest-xdist): it has collected them, this one has not."""
        self._tests |= getattr(node, "workeroutput", {}).get("marks", {})

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["marks"] = self._tests
        elif self._out is not None:
            results = {
                id: {test: self._outcome.get(test, "not run") for test in tests} for id, tests in self._tests.items()
            }
            self._out.write_text(json.dumps(results, indent=1), encoding="utf-8")
