"""Runs pytest, or a module, while stack and tools see a system without what only Linux has: simulated.

    python -m tests.elsewhere.simulated darwin -m pytest tests/sockets
    python -m tests.elsewhere.simulated win32 -m tools --help

Nothing is changed for trio, pytest and the tests themselves, which know the other systems. The code
of stack and tools imports through a function of ours. It refuses the modules that the system lacks,
and gives a module without the missing names in the place of each module of `SYSTEM_MODULES`. The
numbers of the names that are left are still those of Linux.
"""

from __future__ import annotations

import builtins
import importlib
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.elsewhere.availability import MISSING_MODULES, SYSTEM_MODULES, WINDOWS, missing

TOP = Path(__file__).resolve().parent.parent.parent
OURS = ("stack", "tools")


class Poorer(ModuleType):
    """A module of the standard library without some of its names."""

    def __init__(self, whole: ModuleType, without: frozenset[str], instead: dict[str, Any]) -> None:
        super().__init__(whole.__name__)
        self._whole, self._without = whole, without
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        if name in self._without:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on this system (simulated)")
        return getattr(self._whole, name)

    def __setattr__(self, name: str, value: Any) -> None:
        # What is set in a module, and set back, is set for all that use it
        own = name.startswith("_") or "_whole" not in self.__dict__ or name in self.__dict__
        if own:
            super().__setattr__(name, value)
        else:
            setattr(self._whole, name, value)

    def __dir__(self) -> list[str]:
        return sorted(set(dir(self._whole)) - self._without)


def poorer_modules(platform: str) -> dict[str, ModuleType]:
    """What stack and tools get in the place of the modules of the standard library."""
    instead: dict[str, dict[str, Any]] = {name: {} for name in SYSTEM_MODULES}
    instead["sys"]["platform"] = platform
    if platform == WINDOWS:
        instead["os"]["supports_dir_fd"] = frozenset()
    return {
        name: Poorer(importlib.import_module(name), missing(name, platform), instead[name]) for name in SYSTEM_MODULES
    }


class Finder(MetaPathFinder):
    """Finds the modules of stack and tools, and gives them an `__import__` of their own."""

    def __init__(self, platform: str) -> None:
        self._absent = MISSING_MODULES[platform]
        self._poorer = poorer_modules(platform)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """As any finder, for stack and tools only."""
        if name.split(".")[0] not in OURS:
            return None
        spec = PathFinder.find_spec(name, [str(TOP)] if path is None else path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path, {**vars(builtins), "__import__": self.imports})
        return spec

    def imports(self, name: str, *arguments: Any, **more: Any) -> Any:
        """`__import__` on the simulated system."""
        if name.split(".")[0] in self._absent:
            raise ModuleNotFoundError(f"No module named {name!r} on this system (simulated)", name=name)
        found = builtins.__import__(name, *arguments, **more)
        return self._poorer.get(found.__name__, found)


class Loader(SourceFileLoader):
    """Runs a module with other builtins."""

    def __init__(self, name: str, path: str, builtin_names: dict[str, Any]) -> None:
        super().__init__(name, path)
        self._builtins = builtin_names

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        module.__dict__["__builtins__"] = self._builtins
        super().exec_module(module)


def main(words: Sequence[str]) -> None:
    """Take the names away and run what the command line says."""
    platform, how, *rest = words
    sys.meta_path.insert(0, Finder(platform))
    print(f"simulated: {platform}", flush=True)
    if how == "-c":
        exec(compile(rest[0], "-c", "exec"), {"__name__": "__main__"})
        return
    sys.argv = rest
    if rest[0] == "tools":
        sys.exit(importlib.import_module("tools.cli").main(rest[1:]))
    runpy.run_module(rest[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
