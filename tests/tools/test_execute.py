"""`tapstack exec`: which words are the program's, and on which TAP it is."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import Any

import pytest

from tools import cli, execute, kernel
from tools.output import Failed


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be run: options, program, and whether the address is the default."""
    seen: list[Any] = []

    def main(options: Any, arguments: Any, program: list[str], default_address: bool) -> int:
        seen[:] = [options, program, arguments.module is not None, arguments.tap is None, default_address]
        return 0

    monkeypatch.setattr(execute, "main", main)
    return seen


@pytest.mark.parametrize(
    ("words", "program", "module"),
    [
        ("a.py", "a.py", False),
        ("a.py --tap x -m y --trace", "a.py --tap x -m y --trace", False),
        ("--mtu 1400 a.py b", "a.py b", False),
        ("-m hypercorn -k trio app:app --trace", "hypercorn -k trio app:app --trace", True),
        ("--no-offload --trace -m x", "x", True),
        ("--trace a.py --trace", "a.py --trace", False),
        ("-- a.py -- b", "a.py -- b", False),
    ],
)
def test_the_words_of_the_program(chosen: list[Any], words: str, program: str, module: bool) -> None:
    assert cli.main(["exec", *words.split()]) == 0
    assert chosen[1] == program.split()
    assert chosen[2] is module
    assert chosen[0].services == {}


def test_options_before_it_are_ours(chosen: list[Any]) -> None:
    cli.main("exec --tap tap7 --address 10.7.0.2/24 --trace a.py".split())
    options, _, _, any_tap, default_address = chosen
    assert (options.tap, str(options.address), str(options.host_address)) == ("tap7", "10.7.0.2/24", "10.7.0.1/24")
    assert options.trace
    assert not any_tap
    assert not default_address


def test_the_help_says_which_tap_it_is() -> None:
    _, parsers = cli.make_parser()
    said = " ".join(parsers["exec"].format_help().split())
    assert "the TAP to use or make (default: the first that no program has open)" in said


@pytest.mark.parametrize("words", ["", "--mtu 1400", "-m"])
def test_without_a_program(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["exec", *words.split()])
    assert caught.value.code == 2
    assert "run what? name a SCRIPT, or -m MODULE" in capsys.readouterr().err


def test_the_next_tap_that_is_free(chosen: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    cli.main(["exec", "a.py"])
    options = chosen[0]
    taken = {"tap0", "tap2"}
    monkeypatch.setattr(kernel, "is_running", lambda name: name in taken)
    here: list[kernel.KernelAddress] = []
    monkeypatch.setattr(kernel, "addresses", lambda: here)
    found = execute.beside_others(options, True, True)
    assert (found.tap, str(found.address), str(found.host_address)) == ("tap1", "10.9.1.2/24", "10.9.1.1/24")
    here.append(kernel.KernelAddress("eth0", ipaddress.IPv4Interface("10.9.1.77/16")))  # all of 10.9
    with pytest.raises(Failed, match="all are in use"):
        execute.beside_others(options, True, True)
    here.clear()
    assert str(execute.beside_others(options, True, False).address) == "10.9.0.2/24"  # the user's own choice
    assert execute.beside_others(options, False, True) is options
    taken.clear()
    assert execute.beside_others(options, True, True) == options


def test_a_program_runs_as_under_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside_it.py").write_text("value = 'beside it'")
    (tmp_path / "a_program.py").write_text(
        "import sys, beside_it\nif __name__ == '__main__': print(beside_it.value, sys.argv[1:])"
    )
    execute.run(["a_program.py", "a", "-m"], is_module=False)
    execute.run(["a_program", "b"], is_module=True)
    assert capsys.readouterr().out == "beside it ['a', '-m']\nbeside it ['b']\n"
    with pytest.raises(Failed, match=r"there is no module a_program\.other"):
        execute.run(["a_program.other"], is_module=True)
    with pytest.raises(Failed, match="there is no such file"):
        execute.run(["nothing.py"], is_module=False)
