"""The memory of the machine: how much of it a host may use by default, and how it is given back."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

FRACTION = 8
LEAST_BYTES = 16 << 20
CGROUPS = Path("/sys/fs/cgroup")


def default_budget_bytes() -> int:
    """An eighth of what this process may have: of the machine's memory, or of its control group's limit if less."""
    return max(min([_machine_bytes(), *_limits()]) // FRACTION, LEAST_BYTES)


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 2 << 30


def _limits(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """The memory limits of this process's control groups and of those around them, where they can be read."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = root / controllers
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(top):
                break
            try:
                yield int((folder / name).read_text())
            except (OSError, ValueError):  # not ours to see, or "max"
                continue


def give_back() -> None:
    """Ask malloc to return free memory to the system; do nothing where malloc has no such call."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return
    trim(0)
