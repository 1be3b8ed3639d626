"""The command `tapstack`: reads the arguments and starts one of the programs beside this file."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments (default: the process's own) and give its exit status."""
    sys.stdout.write("tapstack\n")
    return 0
