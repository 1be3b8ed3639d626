"""The parser of the command line: errors are one line, which names the argument and the rule."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Prints an error in one line, which names the argument and the rule, without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Print the error and end the program with status 2."""
        # The typed words may contain line breaks and control characters: escape them, so that the message is one line.
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        self.exit(2, f"{self.prog}: {line} (see {self.prog} --help)\n")

    def refuse_unknown(self, words: Sequence[str]) -> NoReturn:
        """End the program because of unknown words; the message suggests the most similar option."""
        first = words[0].partition("=")[0]
        from difflib import get_close_matches  # it is only for errors, and takes a while to import

        known = [name for name in self._option_string_actions if name.startswith("--")]
        close = get_close_matches(first, known, 1) if first.startswith("-") else []
        if not first.startswith("-"):
            self.error(f"unrecognized arguments: {' '.join(words)}")
        self.error(f"there is no {first}" + (f": did you mean {close[0]}?" if close else ""))


def whole_number(text: str, what: str, low: int, high: int) -> int:
    """Parse a decimal number in this range. The error gives the range."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid {what}: a whole number from {low} to {high}")
    return int(text)
