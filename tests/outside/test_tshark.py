"""follow beside the flags `tcp.analysis.*` of tshark, on captures of simulated networks.

Precision and recall of each flag have a floor, and each difference stands in `differences.tsv` with a
reason that the capture itself proves. `python -m tests.outside.differences` prints the figures.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stack.outside import kinds
from stack.outside.mark import Mark
from tests.outside import tshark
from tests.outside.captures import MadeCapture, made
from tests.outside.differences import TABLE, Comparison, Figures, compared
from tests.outside.facts import REASONS

FLOOR = 0.97
TIMES = 30  # each flag is said at least so often

DECIDED_BY_FACTS = {"ack_lost_segment"}
"""After each gap in a capture tshark 4.0 says this flag once too often, or not at all: see `acked_...` in `facts.py`.
The floor is for the frames that are left when the capture has proved that of the others."""

Told = list[dict[int, set[str]]]


@pytest.fixture(scope="module")
def captures() -> list[MadeCapture]:
    return made()


@pytest.fixture(scope="module")
def told(captures: list[MadeCapture], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What tshark says of all captures."""
    if shutil.which("tshark") is None:
        if os.environ.get("REQUIRE_LIVE", "") not in ("", "0"):
            pytest.fail("REQUIRE_LIVE is set, and tshark is not installed")
        pytest.skip("tshark is not installed")
    return tshark.flags([capture.frames for capture in captures], tmp_path_factory.mktemp("tshark"))


@pytest.fixture(scope="module")
def comparison(captures: list[MadeCapture], told: Told) -> Comparison:
    found = compared(captures, told)
    print(f"\n{found.table()}")
    return found


def misses(figures: dict[str, Figures]) -> list[str]:
    """The flags under the floor."""
    return [
        f"{flag}: precision {one.precision:.3f}, recall {one.recall:.3f}"
        for flag, one in figures.items()
        if min(one.precision, one.recall) < FLOOR
    ]


def test_enough_of_each(comparison: Comparison) -> None:
    assert comparison.captures >= 50
    assert {flag: comparison.flagged[flag] for flag in tshark.FLAGS if comparison.flagged[flag] < TIMES} == {}


def test_precision_and_recall(comparison: Comparison) -> None:
    of_all = {flag: one for flag, one in comparison.all.items() if flag not in DECIDED_BY_FACTS}
    assert misses(of_all) == [], comparison.table()
    assert misses(comparison.undecided) == [], comparison.table()


def test_every_difference_has_a_reason(comparison: Comparison) -> None:
    assert [difference.row for difference in comparison.differences if not difference.reason] == []
    assert {difference.reason for difference in comparison.differences} == set(REASONS)


def test_every_difference_is_listed(comparison: Comparison) -> None:
    """The table is that of Wireshark 4.0; of another version every difference must have a reason, no more."""
    version = tshark.version()
    if not version.startswith("4.0."):
        pytest.skip(f"the table is that of Wireshark 4.0, and this is {version}")
    listed = set(TABLE.read_text(encoding="utf-8").splitlines()[1:])
    found = {difference.row for difference in comparison.differences}
    assert sorted(found - listed) == []
    assert sorted(listed - found) == []


def never(*args: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("flag", "module", "name", "value"),
    [
        ("fast_retransmission", "sent", "FAST_NS", 0),
        ("out_of_order", "sent", "was_captured", lambda *args: True),
        ("lost_segment", "sent", "judge_place", never),
        ("keep_alive", "sent", "judge_place", never),
        ("zero_window", "acknowledged", "judge_window", never),
        ("duplicate_ack", "acknowledged", "judge_repetition", never),
        ("ack_lost_segment", "acknowledged", "judge_ack", never),
        ("window_full", "sent", "fills_window", lambda *args: False),
        ("zero_window_probe", "sent", "is_probe", lambda *args: False),
    ],
)
def test_the_floor_notices_a_broken_rule(
    captures: list[MadeCapture],
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    flag: str,
    module: str,
    name: str,
    value: Callable[..., object],
) -> None:
    """Every fifth capture is enough for that, since most of them have each flag."""
    assert f"{flag}: precision" not in "".join(misses(compared(captures[::5], told[::5]).undecided))
    monkeypatch.setattr(f"stack.outside.{module}.{name}", value)
    assert f"{flag}: precision" in "\n".join(misses(compared(captures[::5], told[::5]).undecided))


def test_another_tshark_is_told_in_a_sentence(
    captures: list[MadeCapture], told: Told, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A flag that another version calls otherwise must not look like a flag that no frame has."""
    monkeypatch.setattr(tshark, "FLAGS", (*tshark.FLAGS, "a_flag_of_another_version"))
    with pytest.raises(tshark.TsharkDiffers, match=r"(?s)FLAGS needs its names.*a_flag_of_another_version"):
        tshark.flags([captures[0].frames], tmp_path)


def test_every_flag_has_its_kind_of_mark() -> None:
    assert {kind.tshark for kind in kinds.KINDS if kind.tshark} == set(tshark.FLAGS)
    assert Mark(kinds.NEW).kind.tshark == ""
