"""Which of two ways the stack goes in this run: with what makes it fast, or, after `--plain`,
without any of it.
"""

from __future__ import annotations

_plain: list[bool] = []


def set_plain() -> None:
    """From now on the stack goes without fast paths and without offload."""
    _plain.append(True)


def offload() -> bool:
    """Whether the TAPs of the live tests leave work to the kernel."""
    return not _plain


def up_options() -> list[str]:
    """The mode as options of `tapstack up`."""
    return [] if offload() else ["--no-offload", "--no-fast"]
