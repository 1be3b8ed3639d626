"""`tapstack enter PID`: runs a further command in the network of a lab, for a second terminal.

nsenter(1) also enters the network. But there an ordinary user's commands have no capabilities,
which tcpdump needs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import namespace
from .lab import environment, shell
from .output import Failed
from .parser import whole_number

LARGEST_PID = 1 << 22  # proc(5), pid_max


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the lab."""
    parser.add_argument("lab", type=process_id, metavar="PID", help="the process of the lab, as the lab prints it")


def process_id(text: str) -> int:
    """Parse the id of a process."""
    return whole_number(text, "process id", 1, LARGEST_PID)


def main(lab: int, command: Sequence[str]) -> int:
    """Become the command (default: the user's shell) in the network of process `lab`. Raises Failed."""
    words = list(command) or [shell()]
    try:
        namespace.join(lab)
    except (FileNotFoundError, ProcessLookupError):
        raise Failed(f"there is no process {lab}: has the lab ended?") from None
    except PermissionError:
        raise Failed(f"process {lab} is not yours: enter it as the user that started it") from None
    except namespace.Joined:
        raise Failed(f"process {lab} is in your own network: it is not a lab, or you are in it already") from None
    sys.stdout.flush()
    try:
        os.execvpe(words[0], words, environment())
    except FileNotFoundError:
        raise Failed(f"{words[0]}: there is no such command", status=127) from None
    except ValueError as error:  # an empty name
        raise Failed(f"{words[0]!r}: {error}", status=126) from None
    except OSError as error:
        raise Failed(f"{words[0]}: {error.strerror}", status=126) from None
