"""The memory of the machine: the default budget of a host, and the return of free memory."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

FRACTION = 8
LEAST_BYTES = 16 << 20
CGROUPS = Path("/sys/fs/cgroup")


def default_budget_bytes() -> int:
    """An eighth of the machine's memory, or of this process's control group limit if less."""
    return max(min([_machine_bytes(), *_limits()]) // FRACTION, LEAST_BYTES)


def _machine_bytes() -> int:
    """The size of the memory; 2 GiB where the system does not tell, as Windows."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2 << 30


def _limits(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """The readable memory limits of this process's control groups and of their parents."""
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
            except (OSError, ValueError):  # not readable for us, or "max"
                continue


def trim() -> None:
    """Ask malloc to return free memory to the system, if malloc has such a call."""
    try:
        malloc_trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # TypeError on Windows, where a library has a name
        return
    malloc_trim(0)
