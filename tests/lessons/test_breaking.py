"""Clauses that are broken on purpose: the shipped list, the import hook, and the command."""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.inspector.served import served
from tests.requirements import mutants
from tools import break_clause, broken, cli
from tools.broken import Fault
from tools.inspector.report import About, Report
from tools.lessons import breaks
from tools.output import Failed

TOP = Path(__file__).resolve().parents[2]
DELAYED_ACK = str(TOP / "tests" / "drill" / "delayed-ack.pkt")

pytestmark = pytest.mark.one_way


def by_clause(fault: Fault) -> str:
    return fault.clause


def test_there_are_about_forty() -> None:
    assert 40 <= len(breaks.shipped()) <= 120
    assert len({fault.clause for fault in breaks.shipped()}) == len(breaks.shipped())


@pytest.mark.parametrize("fault", breaks.shipped(), ids=by_clause)
def test_each_is_a_kept_mutant_that_changes_the_code(fault: Fault) -> None:
    """scripts/mutants shows of each kept mutant that a test of its clause fails with it."""
    kept = [(each.file, each.pattern, each.replacement) for each in mutants() if fault.clause in each.clauses]
    assert (fault.file, fault.pattern, fault.replacement) in kept
    source = (TOP / fault.file).read_text(encoding="utf-8")
    assert source.count(fault.pattern) == 1
    changed = source.replace(fault.pattern, fault.replacement)
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))
    assert fault.sentence.startswith("Without it ")
    assert fault.sentence.endswith((".", ")."))


def test_a_checkout_has_all_kept_mutants() -> None:
    assert {fault.clause for fault in breaks.kept()} == {clause for each in mutants() for clause in each.clauses}
    assert breaks.find("9293-must-19#2").file == "stack/tcp/congestion/reno.py"
    for unknown in ("9293 MUST-1000", "", "9293 MUST-19#9", "9293 MUST-19#x"):
        with pytest.raises(Failed):
            breaks.find(unknown)


# --- the import hook


def python(code: str, path: Path = TOP) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd="/",
        env={**os.environ, "PYTHONPATH": str(path)}, timeout=60, check=False,
    )  # fmt: skip


def test_the_source_is_loaded_whatever_is_installed_beside_it(tmp_path: Path) -> None:
    """A compiled module would be preferred to the source; here it is one that cannot even be loaded."""
    shutil.copytree(TOP / "stack", tmp_path / "stack", ignore=shutil.ignore_patterns("__pycache__"))
    suffix = __import__("importlib.machinery").machinery.EXTENSION_SUFFIXES[0]
    (tmp_path / "stack" / "tcp" / f"isn{suffix}").write_bytes(b"no library")
    shutil.copytree(TOP / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    look = "from stack.tcp import isn; print(isn.__file__, isn._TICKS_PER_SECOND)"
    assert "ImportError" in python(look, tmp_path).stderr
    install = "from tools import broken; from tools.lessons import breaks; broken.install(breaks.find('9293 MUST-8'));"
    done = python(f"{install} {look}", tmp_path)
    assert done.stdout.split() == [str(tmp_path / "stack" / "tcp" / "isn.py"), "100"], done.stderr
    assert not list(tmp_path.rglob("isn*.pyc"))


def test_a_module_that_is_in_use_is_not_broken() -> None:
    with pytest.raises(Failed, match="in use already"):
        broken.install(breaks.find("9293 MUST-2"))
    assert broken.notice() == ""


@pytest.mark.parametrize(
    "fault",
    [
        Fault("x", "stack/tcp/none.py", "a", "b", ""),
        Fault("x", "stack/noop.py", "this stands nowhere", "b", ""),
        Fault("x", "os.py", "a", "b", ""),
    ],
    ids=["no file", "no place", "not ours"],
)
def test_a_fault_that_does_not_fit_is_refused(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "stack.noop", raising=False)
    before = list(sys.meta_path)
    with pytest.raises(Failed):
        broken.install(fault)
    assert sys.meta_path == before


# --- the command


def tapstack(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "tools", *words], capture_output=True, text=True, cwd="/",
        env={**os.environ, "PYTHONPATH": str(TOP)}, timeout=60, check=False,
    )  # fmt: skip


def test_it_runs_a_program_without_the_clause_and_says_so() -> None:
    assert tapstack("drill", DELAYED_ACK).returncode == 0
    done = tapstack("break", "9293 SHLD-18", "--", "drill", DELAYED_ACK)
    assert done.returncode == 1
    assert "broken on purpose: 9293 SHLD-18. Without it every segment is acknowledged at once" in done.stderr
    assert "\x1b" not in done.stderr, "no colour for a pipe"
    assert tapstack("break", "9293 MUST-13", "--", "drill", DELAYED_ACK).returncode == 0, "this script has no close"


def test_it_lists_the_clauses() -> None:
    done = tapstack("break")
    assert done.returncode == 0
    for fault in breaks.shipped():
        assert fault.clause in done.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["break", "9293 MUST-2"], "run what?"),
        (["break", "9293 MUST-2", "--", "ipcalc", "10.0.0.1/8"], "run what?"),
        (["break", "nonsense", "--", "lab"], "no clause that can be broken"),
        (["break", "--", "lab"], "which clause?"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    assert told in capsys.readouterr().err


def test_roots_up_is_refused_unless_insisted(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(broken, "install", ran.append)
    arguments = argparse.Namespace(clause="9293 MUST-2", really=False)
    with pytest.raises(Failed, match="--really"):
        break_clause.main(arguments, ["up"], lambda _: 0)
    assert not ran
    arguments.really = True
    assert break_clause.main(arguments, ["up"], lambda _: 7) == 7
    assert [fault.clause for fault in ran if isinstance(fault, Fault)] == ["9293 MUST-2"]


# --- what says so


@pytest.fixture
def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a clause were broken in this process."""
    monkeypatch.setattr(broken, "_present", [breaks.find("9293 MUST-2")])


@pytest.mark.usefixtures("_broken")
async def test_the_page_is_told(autojump_clock: trio.abc.Clock) -> None:
    async with served() as page, page.viewer() as events:
        name, hello = await events.next()
        assert name == "hello"
        assert isinstance(hello, dict)
        (note,) = hello["notes"]
        assert note.startswith("Warning: broken on purpose: 9293 MUST-2. Without it")


@pytest.mark.usefixtures("_broken")
def test_a_report_says_so_first() -> None:
    report = Report([], About("h", 0.0))
    assert report.warnings[0].startswith("Warning: broken on purpose: 9293 MUST-2.")
    assert b'<p class="warning">Warning: broken on purpose' in report.html()


@pytest.mark.usefixtures("_broken")
def test_the_words_are_red_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in broken.red(broken.notice())
    monkeypatch.setattr(broken, "_coloured", [True])
    assert broken.red("x") == "\x1b[1;31mx\x1b[0m"
    assert broken.red("") == ""
