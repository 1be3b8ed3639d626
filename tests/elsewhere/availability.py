"""The names that a module of the standard library has on Linux, on macOS and on Windows.

They are read from typeshed, which comes with mypy and says on which systems each name exists. Its
maintainers compare it with Python on all three (stubtest), so it is complete where Python's
documentation ("Availability: Linux") names a group of constants by its prefix only.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

LINUX, MACOS, WINDOWS = "linux", "darwin", "win32"

# Modules of the standard library whose names differ between systems.
SYSTEM_MODULES = ("errno", "os", "select", "signal", "socket", "sys", "time")

# Modules that a system lacks as a whole. pytun is a package, installed on Linux only.
MISSING_MODULES = {
    MACOS: frozenset({"pytun"}),
    WINDOWS: frozenset("pytun fcntl grp pty pwd resource syslog termios tty".split()),
}


def typeshed() -> Path:
    """The folder of the stubs of the standard library."""
    spec = importlib.util.find_spec("mypy")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "typeshed" / "stdlib"


@cache
def names(module: str, platform: str) -> frozenset[str]:
    """The names of a module on a system."""
    places = (typeshed() / f"{module}.pyi", typeshed() / module / "__init__.pyi")
    path = next(place for place in places if place.is_file())
    return frozenset(_names(ast.parse(path.read_text()).body, platform))


def missing(module: str, platform: str) -> frozenset[str]:
    """The names of a module that Linux has and this system lacks."""
    return names(module, LINUX) - names(module, platform)


def _names(body: list[ast.stmt], platform: str) -> set[str]:
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.If):
            found |= _names(node.body if _holds(node.test, platform) else node.orelse, platform)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found |= names(str(node.module), platform) if alias.name == "*" else {alias.asname or alias.name}
        elif isinstance(node, ast.Import):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    return found


def _holds(test: ast.expr, platform: str) -> bool:
    """Whether a condition of a stub, such as `sys.platform == "linux"`, holds on this system."""
    code = compile(ast.Expression(test), "typeshed", "eval")
    system = SimpleNamespace(platform=platform, version_info=sys.version_info)
    return bool(eval(code, {"sys": system, "TYPE_CHECKING": True}))
