"""Each test of test_applications.py fails when its program is wrong, and for the reason that it is there for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
ENDLESS = "the test was not over after 3600 s of virtual time: it waits without a limit"

REASONS = {
    "test_a_kept_connection_that_the_server_has_forgotten": "httpx.ReadError",
    "test_an_answer_that_never_ends": "DID NOT RAISE",
    "test_a_service_that_is_down": "the test has run 20,000 rounds in which no virtual time passes: it tries again",
    "test_a_server_that_vanishes_in_the_midst": ENDLESS,
    "test_an_order_whose_answer_is_late": "assert 3 == 1",
    "test_a_firewall_that_drops_packets": "<= 30",
    "test_a_line_in_pieces": "assert b'220' == b'220 ready",
    "test_a_reset_in_the_midst": "DID NOT RAISE",
    "test_an_answer_that_is_cut_short": "DID NOT RAISE",
    "test_a_server_that_takes_nothing_more": ENDLESS,
    "test_a_server_that_never_closes": ENDLESS,
}


def test_each_test_fails_when_its_program_is_wrong(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (TOP / "tests/testing/test_applications.py").read_text()
    pytester.makepyfile(test_applications=source.replace("testing.right_applications", "testing.wrong_applications"))
    pytester.makeconftest('pytest_plugins = "stack.testing.plugin"')
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(failed=len(REASONS))
    printed = re.split(r"^_+ (test_\w+) _+$", result.stdout.str(), flags=re.MULTILINE)
    failures = dict(zip(printed[1::2], printed[2::2], strict=True))
    assert failures.keys() == REASONS.keys()
    assert [name for name, reason in REASONS.items() if reason not in failures[name]] == []
    assert all(" Traffic " in text and "the report on installed_host:  /" in text for text in failures.values())


def test_ten_misbehaviours_are_used() -> None:
    source = (TOP / "tests/testing/test_applications.py").read_text()
    assert set(re.findall(r"^async def (test_\w+)", source, re.MULTILINE)) == REASONS.keys()
    assert len(set(re.findall(r"misbehaves\(testing\.(\w+)\(", source))) == 10
