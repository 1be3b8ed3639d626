"""The wheel holds the right files, and works in an environment without this checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())


def packages_in_tree() -> set[str]:
    """Every package below stack/, and tools/ under its installed name."""
    found = {".".join(path.parent.relative_to(TOP).parts) for path in (TOP / "stack").rglob("__init__.py")}
    found |= {".".join(path.parent.relative_to(TOP).parts) for path in (TOP / "tools").rglob("__init__.py")}
    return {re.sub(r"^tools\b", "tapstack", name) for name in found}


def test_every_package_is_listed() -> None:
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages_in_tree()


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for top in ("stack", "tools") for path in (TOP / top).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_core_needs_trio_and_pytun_and_no_more() -> None:
    names = {re.split(r"[<>=!~ \[]", requirement)[0] for requirement in PROJECT["project"]["dependencies"]}
    assert names == {"trio", "python-pytun"}


def test_a_version_of_pytun_that_has_sources_is_enough() -> None:
    """2.4.2 has only wheels, for x86-64: other processors build 2.4.1."""
    assert any(each.startswith("python-pytun>=2.4.1;") for each in PROJECT["project"]["dependencies"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources so that nothing is left in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(TOP / name, source)
    for name in ("stack", "tools", "tests"):
        shutil.copytree(TOP / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source))
    (built,) = folder.glob("*.whl")
    return built


def run(*command: str, cwd: Path | None = None) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, check=False, cwd=cwd, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_installs_stack_and_tapstack_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"stack", "tapstack"}
    modules = {name for name in names if name.endswith(".py")}
    in_tree = {str(path.relative_to(TOP)) for path in (TOP / "stack").rglob("*.py")}
    in_tree |= {f"tapstack/{path.relative_to(TOP / 'tools')}" for path in (TOP / "tools").rglob("*.py")}
    assert modules == in_tree
    assert {"stack/py.typed", "tapstack/py.typed", "tapstack/examples/README.md"} <= set(names)


def test_the_wheel_has_every_file_of_the_page(wheel: Path) -> None:
    folder = TOP / "tools" / "inspector"
    served = [path for path in (folder / "page").rglob("*") if path.is_file()]
    served += [*folder.glob("*.json"), folder / "README.md"]
    assert any(path.name == "index.html" for path in served)
    with zipfile.ZipFile(wheel) as opened:
        for path in served:
            assert opened.read(f"tapstack/{path.relative_to(TOP / 'tools').as_posix()}") == path.read_bytes()


def test_the_wheel_has_every_lesson(wheel: Path) -> None:
    folder = TOP / "tools" / "lessons"
    files = [*folder.glob("*/*.md"), folder / "README.md", folder / "breaks.toml"]
    files += (folder / "page").iterdir()
    assert any(path.name == "lesson.html" for path in files)
    assert any(path.name.startswith("T1-") for path in files)
    with zipfile.ZipFile(wheel) as opened:
        for path in files:
            assert opened.read(f"tapstack/{path.relative_to(TOP / 'tools').as_posix()}") == path.read_bytes()


def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", str(wheel))
    usage = run(str(tmp_path / "env" / "bin" / "tapstack"), "--help", cwd=tmp_path)
    assert all(program in usage for program in ("up", "lab", "ping"))
    assert run(python, "-m", "tapstack", "--version", cwd=tmp_path).startswith("tapstack ")
    assert run(python, "-m", "tapstack.examples.two_hosts", cwd=tmp_path) == "HELLO\n"
    lesson = run(str(tmp_path / "env" / "bin" / "tapstack"), "lesson", "T1", "--verify", cwd=tmp_path)
    assert "statements and questions are true" in lesson, "also of clauses that are broken, from the installed sources"
    listed = run(str(tmp_path / "env" / "bin" / "tapstack"), "lesson", cwd=tmp_path)
    assert listed.startswith("Lessons. `tapstack lesson T1` starts one"), "not ./scripts/run, which is not installed"
    names = [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py") and "/examples/" not in name]
    extra = ("__main__.py", "httpd.py", "inspector/server.py", "testing/plugin.py")  # they need an extra
    modules = sorted(name.removesuffix(".py").replace("/", ".") for name in names if not name.endswith(extra))
    imports = "\n".join(f"import {name.removesuffix('.__init__')}" for name in modules)
    run(python, "-W", "error", "-c", imports, cwd=tmp_path)
    run(python, "-c", "from tapstack import rights; rights.import_all()", cwd=tmp_path)  # what `up` does as root
    for absent in ("tools", "tests"):
        lookup = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({absent!r}) is not None)"
        run(python, "-I", "-c", lookup, cwd=tmp_path)
