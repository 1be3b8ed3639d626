"""The scripts: the set-up says in one line what it lacks, and does its work once."""

from __future__ import annotations

import errno
import importlib.util
import json
import marshal
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts import mutate
from scripts.table import Row, clauses_json, complaints, stands, totals
from stack.link.tap import Tap
from tests.checkout import copy_to, furnish, stamp
from tests.requirements import LISTS, UNDECIDED_LISTS, mutants, requirements, rfc, where

TOP = Path(__file__).resolve().parent.parent
PLAIN = "sh cat cksum grep tail env id flock".split()  # what any Debian has, but no Python


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the set-up needs, in a folder with a space in its name."""
    folder = tmp_path / "a checkout"
    copy_to(folder)
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder to be the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PLAIN:
        place = shutil.which(name)
        if place is not None:
            (folder / name).symlink_to(place)
    return folder


def fake(folder: Path, name: str, script: str) -> None:
    """A program that is a shell script."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def setup(
    checkout: Path, programs: Path, *words: str, before: Sequence[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """What scripts/setup does with nothing but these programs; `before` is a command that starts it."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return subprocess.run(
        [*before, str(checkout / "scripts" / "setup"), *words],
        env={**kept, "PATH": str(programs), "HOME": str(checkout), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed set-up ends with."""
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "making" not in line and "installing" not in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("tapstack: ")
    return lines[0]


def test_without_python(checkout: Path, programs: Path) -> None:
    assert "apt install python3 python3-venv" in refused(setup(checkout, programs, "run"))


def test_with_a_python_that_is_too_old(checkout: Path, programs: Path) -> None:
    fake(programs, "python3", "case $1 in --version) echo Python 3.9.2 ;; *) exit 1 ;; esac")
    said = refused(setup(checkout, programs, "run"))
    assert "3.11 or newer" in said
    assert "Python 3.9.2" in said


def test_without_the_venv_module(checkout: Path, programs: Path) -> None:
    fake(programs, "python3", "case $* in *ensurepip*) exit 1 ;; *) exit 0 ;; esac")
    assert "apt install python3-venv" in refused(setup(checkout, programs, "run"))


def test_without_a_package_index(checkout: Path, programs: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    done = setup(checkout, programs, "run", PYTHON=sys.executable, PIP_FIND_LINKS="", **nowhere)
    assert "can it reach the package index?" in refused(done)
    assert (checkout / ".venv" / "install.log").is_file()
    assert not (checkout / ".venv" / ".made-for-run").exists()


def test_with_a_python_named_that_is_none(checkout: Path, programs: Path) -> None:
    """It is not passed over for another one, nor when everything is there already."""
    made(checkout, "run")
    said = refused(setup(checkout, programs, "run", PYTHON="/nope"))
    assert said == "tapstack: PYTHON=/nope is no Python 3.11 or newer that you can run"


def test_run_says_what_the_host_would_say_without_the_tun_node(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr("pytun.TunTapDevice", refuse)
    with pytest.raises(OSError, match="missing") as caught:
        Tap("tap0").open(lambda: None)
    assert str(caught.value.strerror) in (TOP / "scripts" / "run").read_text().replace("\\`", "`")


def test_with_a_wrong_word(checkout: Path, programs: Path) -> None:
    assert "usage: " in refused(setup(checkout, programs, "everything"))


MADE = [("run", "run"), ("test", "test"), ("test", "run")]  # what .venv was made for, and what is wanted


def made(checkout: Path, want: str) -> Path:
    """A .venv that the set-up takes for its own work; its python leaves a trace when it does more than start."""
    folder = checkout / ".venv" / "bin"
    folder.mkdir(parents=True)
    fake(folder, "python", '[ "$*" = "-I -c " ] || echo "$@" >>"${0%/*}/calls"')
    (checkout / ".venv" / f".made-for-{want}").write_bytes(stamp(checkout))
    return folder / "calls"


@pytest.mark.parametrize(("made_for", "want"), [*MADE, ("fuzz", "fuzz"), ("fuzz", "test"), ("fuzz", "run")])
def test_what_has_been_done_is_not_done_again(checkout: Path, programs: Path, made_for: str, want: str) -> None:
    calls = made(checkout, made_for)
    done = setup(checkout, programs, want)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not calls.exists()


@pytest.mark.parametrize(("made_for", "want"), MADE)
def test_in_the_folder_of_one_whose_python_may_not_be_run(
    checkout: Path, programs: Path, made_for: str, want: str
) -> None:
    """That it is out of date would send them to do what has been done."""
    made(checkout, made_for)
    fake(checkout / ".venv" / "bin", "python", "exit 126")
    (checkout / ".venv").chmod(0o555)
    # root writes everywhere, unless it has given that up
    before = [shutil.which("setpriv") or "setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    said = refused(setup(checkout, programs, want, before=before))
    (checkout / ".venv").chmod(0o755)
    assert "uses a python that you may not run: use a copy" in said


def test_a_test_environment_is_none_for_the_fuzzer(checkout: Path, programs: Path) -> None:
    calls = made(checkout, "test")
    assert setup(checkout, programs, "fuzz").returncode == 0
    assert re.search(r"-m pip install --only-binary atheris --editable .*/a checkout\[fuzz\]", calls.read_text())


def test_without_a_wheel_of_atheris(checkout: Path, programs: Path) -> None:
    """It is not built from its sources, which takes a compiler of its own; one line says that there is none."""
    folder = checkout / ".venv" / "bin"
    folder.mkdir(parents=True)
    said = "ERROR: No matching distribution found for atheris>=3.0"
    fake(
        folder, "python", f'case "$*" in *install*) echo "{said}" >&2; exit 1 ;; *--version) echo Python 3.19.0 ;; esac'
    )
    assert "atheris has no wheel for Python 3.19.0 on this machine" in refused(setup(checkout, programs, "fuzz"))
    assert not (checkout / ".venv" / ".made-for-fuzz").exists()


def test_without_a_wheel_of_pytun_and_without_a_compiler(checkout: Path, programs: Path) -> None:
    """There are wheels for x86-64 alone."""
    said = "  ERROR: Failed building wheel for python-pytun"
    folder = checkout / ".venv" / "bin"
    folder.mkdir(parents=True)
    fake(folder, "python", f'case "$*" in *install*) echo "{said}" >&2; exit 1 ;; esac')
    assert "Debian: apt install gcc python3-dev" in refused(setup(checkout, programs, "run"))


def test_what_has_changed_is_done_again(checkout: Path, programs: Path) -> None:
    calls = made(checkout, "test")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    assert setup(checkout, programs, "test").returncode == 0
    assert re.search(r"-m pip install .*--editable .*/a checkout\[test\]", calls.read_text())
    calls.unlink()
    assert setup(checkout, programs, "test").returncode == 0
    assert not calls.exists()


def test_the_programs_alone_do_not_make_a_test_environment(checkout: Path, programs: Path) -> None:
    calls = made(checkout, "run")
    assert setup(checkout, programs, "test").returncode == 0
    assert "[test]" in calls.read_text()


@pytest.mark.parametrize(("uid", "program"), [("0", "up"), ("1000", "lab")])
def test_run_starts_up_as_root_and_lab_otherwise(checkout: Path, programs: Path, uid: str, program: str) -> None:
    made(checkout, "run")
    fake(checkout / ".venv" / "bin", "python", 'for word; do echo "[$word]"; done')
    (programs / "id").unlink()
    fake(programs, "id", f"echo {uid}")
    words = ["--tap", "x y", "--", "sh", "-c", "echo $HOME"]
    command = [str(checkout / "scripts" / "run"), *words]
    said = subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=True).stdout
    # The first lines are from the set-up's own look at the interpreter.
    assert said.splitlines()[-len(words) - 4 :] == [f"[{word}]" for word in ("-I", "-m", "tapstack", program, *words)]


def test_run_runs_a_command_that_is_named(checkout: Path, programs: Path) -> None:
    made(checkout, "run")
    fake(checkout / ".venv" / "bin", "python", 'for word; do echo "[$word]"; done')
    words = ["explain", "a b.pcapng", "--frame", "1"]
    command = [str(checkout / "scripts" / "run"), *words]
    said = subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-len(words) - 3 :] == [f"[{word}]" for word in ("-I", "-m", "tapstack", *words)]


# --- what lies in the current folder ----------------------------------------------------------------------------------

SCRIPTS = sorted(path.name for path in (TOP / "scripts").iterdir() if path.is_file() and os.access(path, os.X_OK))
# What makes each script go as far as it can in a second.
SHORT = {"run": ["--help"], "bench": ["--help"], "setup": ["run"], "fuzz": ["--list"]}
MODULES = """tapstack pip venv ensurepip trio stack tools tests scripts h11 pytun pytest ruff mypy setuptools json runpy
    argparse site sitecustomize usercustomize readline encodings""".split()
PROGRAMS = """sh cat cksum dirname grep tail env id flock unshare ip ruff tapstack python python3 python3.11 python3.12
    python3.13 python3.14""".split()


def plant(folder: Path, mark: Path) -> None:
    """Fill a folder with modules, packages and programs that leave a mark when one of them is run."""
    folder.mkdir()
    trap = f"import os\nwith open({str(mark)!r}, 'a') as file:\n    file.write(f'{{__name__}} {{os.getuid()}}\\n')\n"
    for name in MODULES:
        (folder / f"{name}.py").write_text(trap)
    for package in ("tools", "tests", "scripts", "scripts/measuring", "pip", "trio"):
        (folder / package).mkdir(exist_ok=True)
        for name in ("__init__", "__main__", "table", "mutate", "cli"):
            (folder / package / f"{name}.py").write_text(trap)
    (folder / "startup").write_text(trap)
    for name in PROGRAMS:
        fake(folder, name, f'echo "{name} $(/usr/bin/id -u)" >>"{mark}"')


def plant_compiled(folder: Path, mark: Path, checkout: Path) -> None:
    """Compiled modules that leave a mark, for the scripts' own: what PYTHONPYCACHEPREFIX makes of a folder."""
    own = [checkout / "scripts" / "measuring" / "__main__.py", checkout / "tests" / "fuzz" / "__main__.py"]
    for source in own:
        made = folder.joinpath(*source.parts[1:-1], f"{source.stem}.{sys.implementation.cache_tag}.pyc")
        made.parent.mkdir(parents=True)
        status = source.stat()
        fit = importlib.util.MAGIC_NUMBER + struct.pack("<3I", 0, int(status.st_mtime), status.st_size)
        made.write_bytes(fit + marshal.dumps(compile(f"open({str(mark)!r}, 'a').write('compiled')", "", "exec")))


@pytest.fixture(scope="module")
def with_everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a real interpreter and this run's packages; a module that takes long only says its version."""
    checkout = tmp_path_factory.mktemp("everything") / "a checkout"
    checkout.mkdir()
    copy_to(checkout)
    furnish(checkout)
    for tests in ("requirements", "fuzz", "sim", "dhcp", "wire", "dissection", "outside", "link", "tcp"):
        shutil.copytree(TOP / "tests" / tests, checkout / "tests" / tests, ignore=shutil.ignore_patterns("__pycache__"))
    for module in (TOP / "tests").glob("*.py"):
        shutil.copy(module, checkout / "tests" / module.name)
    folder = checkout / ".venv" / "bin"
    (folder / "python").rename(folder / "python-itself")
    fake(
        folder,
        "python",
        """case "$* " in
            *" -m ruff "*) set -- "$1" -m ruff --version ;;
            *" -m mypy "*) set -- "$1" -m mypy --version ;;
            *" -m pytest "*) set -- "$1" -m pytest --version ;;
            *" -m scripts."*) set -- "$1" "$2" "$3" --help ;;
        esac
        exec "${0%/*}/python-itself" "$@\"""",
    )
    return checkout


@rfc("root-1", "root-2")
@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_in_the_current_folder_is_run(with_everything: Path, tmp_path: Path, script: str) -> None:
    """Neither by its name, nor where PATH and the variables of Python point at the folder."""
    planted, mark = tmp_path / "planted", tmp_path / "mark"
    plant(planted, mark)
    pointing = {
        "PATH": f":.:{os.environ['PATH']}:",
        "PYTHONPATH": ":.",
        "PYTHONSTARTUP": "startup",
        "PYTHONPYCACHEPREFIX": "compiled",
        "CDPATH": ".:",
    }
    plant_compiled(planted / "compiled", mark, with_everything)
    for more in ({}, pointing):
        done = subprocess.run(
            [with_everything / "scripts" / script, *SHORT.get(script, [])],
            env={**os.environ, **more},
            cwd=planted,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not mark.exists(), mark.read_text()
        # mutants takes --help for the name of a clause, which it looks for.
        assert done.returncode == 0 or "none is kept for --help" in done.stderr, done.stderr


@rfc("root-1", "root-2")
@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("how", ["bash NAME", "bash -c '. FOLDER/NAME'", "sh -c '. FOLDER/NAME'"])
def test_a_script_that_cannot_tell_its_own_folder_reads_nothing(tmp_path: Path, script: str, how: str) -> None:
    """bash looks a script up by PATH, and then has its bare name as $0; one that is sourced has the shell's."""
    planted, mark = tmp_path / "planted", tmp_path / "mark"
    planted.mkdir()
    (planted / "safely").write_text(f"echo ran >>'{mark}'; exit")
    command = how.replace("NAME", script).replace("FOLDER", f"'{TOP / 'scripts'}'".replace("'", '"'))
    done = subprocess.run(
        command,
        shell=True,
        env={**os.environ, "PATH": f"{TOP / 'scripts'}:{os.environ['PATH']}"},
        cwd=planted,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not mark.exists(), mark.read_text()
    assert (done.returncode, done.stderr.count("start this by its path")) == (2, 1), done.stderr


@rfc("root-1", "root-2")
def test_nothing_in_the_current_folder_is_run_by_the_set_up(checkout: Path, tmp_path: Path) -> None:
    """From the first start on: the interpreter is looked for, .venv is made, pip gets into it and starts."""
    planted, mark = tmp_path / "planted", tmp_path / "mark"
    plant(planted, mark)
    done = subprocess.run(
        [checkout / "scripts" / "setup", "run"],
        env={
            "HOME": str(checkout),
            "PATH": f":{Path(sys.base_prefix, 'bin')}:/usr/bin:/bin:.",
            "PYTHONPATH": ":",
            "PIP_INDEX_URL": "http://127.0.0.1:9/",
            "PIP_RETRIES": "0",
            "PIP_CONFIG_FILE": os.devnull,
        },
        cwd=planted,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not mark.exists(), mark.read_text()
    assert "can it reach the package index?" in refused(done)


def test_every_mutant_still_has_its_place_in_the_code() -> None:
    """scripts/mutants takes long and is not run each time; this is the part of it that code being moved breaks."""
    lost = [
        f"{mutant.clauses[0]}: {mutant.file}: {mutant.pattern.strip()[:60]!r}"
        for mutant in mutants()
        if (TOP / mutant.file).read_text(encoding="utf-8").count(mutant.pattern) != 1
    ]
    assert not lost


def test_a_clause_without_a_mutant_is_no_success() -> None:
    """A slip of the pen was "0 of 0 mutants caught"."""
    with pytest.raises(SystemExit, match=r"none is kept for 9293 MUST-0 \("):
        mutate.main(["9293 MUST-25", "9293 MUST-0"])


def test_every_function_that_answers_for_a_clause_is_there() -> None:
    """scripts/conformance says so, too, but after a run of all marked tests; this is what a new name breaks."""
    lost = [f"{id}: {place}" for id, place in where().items() if not stands(place)]
    assert not lost
    assert not stands("tcp/newreno.py:_new_ack")
    assert not stands("tcp/nothing.py")


def test_the_clauses_for_the_page_are_a_row_a_line_in_order_of_their_ids() -> None:
    known = requirements()
    tests = (
        "tests/tcp/test_a.py::test_a[1]",
        "tests/tcp/test_a.py::test_a[2]",
        *(f"tests/b.py::t{i}" for i in range(4)),
    )
    table = [
        Row(known["9293 MUST-9"], "proved", tests, "tcp/isn.py:keyed_hash", None),
        Row(known["826-gen-b"], "open", (), "", None),
        Row(known["watch-1"], "open", (), "", None),
    ]
    text = clauses_json(table)
    told = json.loads(text)
    assert [json.loads(line.rstrip(",")) for line in text.splitlines()[1:-1]] == told
    assert [(row["id"], row.get("rfc"), row["basis"]) for row in told] == [
        ("826-gen-b", "826", "reading"),
        ("9293 MUST-9", "9293", "keyword"),
        ("watch-1", None, "keyword"),
    ]
    assert told[1]["tests"] == ["tcp/test_a.py::test_a", "b.py::t0", "b.py::t1"]
    assert (told[1]["more"], told[1]["where"]) == (2, "tcp/isn.py:keyed_hash")
    assert told[1]["mutants"] >= 1
    assert "tests" not in told[0]


def test_an_open_clause_is_a_failure_only_in_a_list_that_is_decided() -> None:
    open_rows = [Row(requirement, "open", (), "", None) for requirement in requirements().values()]
    named = {complaint.split(" (")[0] for complaint in complaints(open_rows)}
    assert {requirement.list for requirement in requirements().values() if requirement.id in named} == set(LISTS) - set(
        UNDECIDED_LISTS
    )
    undecided = totals(open_rows, decided=False)
    assert [line.split(" ")[1] for line in undecided.splitlines()[2:]] == list(UNDECIDED_LISTS)
    assert not any(f"| {name} |" in totals(open_rows) for name in UNDECIDED_LISTS)
