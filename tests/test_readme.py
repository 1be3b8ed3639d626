"""The README says what is so: its diagram is the table's, its example runs, its folders and options are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stack.dhcp import states as dhcp_states
from stack.tcp.states import diagram
from tools import cli, options

TOP = Path(__file__).resolve().parent.parent
README = (TOP / "README.md").read_text()


def block(mark: str, language: str) -> str:
    """The code block behind the comment `mark`."""
    found = re.search(rf"<!-- {mark} -->\n```{language}\n(.*?)```\n", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_diagram_is_drawn_from_the_table() -> None:
    """To draw it again: python -c 'from stack.tcp.states import diagram; print(diagram())'."""
    assert block("diagram", "mermaid").strip() == diagram().strip()
    assert block("dhcp diagram", "mermaid").strip() == dhcp_states.diagram().strip()


def test_the_example_is_python() -> None:
    compile(block("example", "python"), "README.md", "exec")


def test_two_hosts_on_a_segment_do_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block("ethernet", "python"), "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert f"prints `{printed}`:" in README


def test_the_folders_named_are_there() -> None:
    named = re.findall(r"^\| `([a-z/_.]+)`", README, re.MULTILINE)
    assert len(named) >= 10
    for name in named:
        assert (TOP / name).exists(), name
    folders = {f"stack/{path.name}/" for path in (TOP / "stack").iterdir() if (path / "__init__.py").is_file()}
    assert folders <= set(named)


def test_the_options_named_are_taken() -> None:
    listed = set(re.findall(r"^    (--[a-z-]+) ", README, re.MULTILINE))
    _, parsers = cli.make_parser()
    taken = {word for word in parsers["up"].format_help().split() if word.startswith("--")}
    assert listed <= taken
    assert {"--tap", "--address", "--mac", "--mtu", "--services", "--pcap"} <= listed


def test_what_its_commands_leave_in_the_checkout_is_ignored() -> None:
    """One who has followed it has the tests and scripts/check pass nevertheless."""
    commands = "\n".join(re.findall(r"^[$#] .*", README, re.MULTILINE))
    left = re.findall(r"(?:> |--dhcp-leasefile=)(\w+)", commands)
    left += re.findall(r"With the program above in `(\S+)`", README)
    assert {"look", "log", "leases", "example.py"} <= set(left)
    assert {f"/{name}" for name in left} <= set((TOP / ".gitignore").read_text().split())


def test_the_services_named_are_served() -> None:
    table = README[: README.index("## Is it right?")]  # where another table has such rows
    rows = re.findall(r"^\| ([a-z]+) \| (\d+)[ |]", table, re.MULTILINE)
    assert {name: int(port) for name, port in rows} == options.PORTS


def test_the_totals_of_the_clauses_are_those_of_the_table() -> None:
    table = (TOP / "tests/requirements/CONFORMANCE.md").read_text()
    totals = table[table.index("| core clauses of") : table.index("\n\n## ")]
    assert totals in README
    rows = [row for row in totals.splitlines()[2:] if not row.startswith("| flaws ")]
    counts = [int(number) for row in rows for number in re.findall(r"(?<=\| )\d+(?= \|)", row)]
    assert f"{sum(counts)} clauses" in README


def test_the_number_of_live_checks_is_the_one_that_is_expected() -> None:
    expected = (TOP / "tests/live/EXPECTED").read_text().strip()
    assert f"live checks: {expected} passed of {expected} expected" in README
