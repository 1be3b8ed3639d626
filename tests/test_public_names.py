"""The names of `import stack`: each is imported when it is first used, and from where it is said to be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stack

SOURCE = Path(stack.__file__)


def imported_for_types() -> dict[str, str]:
    """By name, the module that a type checker takes it from."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("stack."):
            found |= {alias.asname or alias.name: node.module for alias in node.names}
    return found


def test_a_name_comes_from_where_the_type_checker_takes_it() -> None:
    homes = imported_for_types()
    assert set(homes) == set(stack.__all__)
    for name, module in homes.items():
        original = {"Segment": "Ethernet"}.get(name, name)
        assert getattr(stack, name) is getattr(sys.modules[module], original), name


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'stack' has no attribute 'opne_host'"):
        getattr(stack, "opne_host")  # noqa: B009
    assert not hasattr(stack, "__path_to_nowhere__")


def test_dir_has_the_public_names() -> None:
    assert set(stack.__all__) <= set(dir(stack))


@pytest.mark.parametrize("code", ["stack.show(bytes(60))", "stack.explain", "stack.follow([])"])
def test_to_read_a_frame_neither_trio_nor_a_host_is_imported(code: str) -> None:
    looked = (
        f"import sys, stack; {code}; print([name for name in ('trio', 'stack.host', 'socket') if name in sys.modules])"
    )
    program = [sys.executable, "-c", looked]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=SOURCE.parent.parent)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("first", ["Tap", "Ethernet", "Config", "open_host"])
def test_with_the_first_part_of_a_host_all_of_it_is_imported(first: str) -> None:
    """A program that is interrupted while it runs is then never in the midst of an import."""
    program = (
        "import sys, stack\n"
        f"stack.{first}; before = set(sys.modules)\n"
        "for name in stack.__all__: getattr(stack, name)\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=SOURCE.parent.parent
    )
    assert done.stdout.strip() == "[]"
