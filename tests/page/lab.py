"""`tapstack lab --inspect` for the tests of the page: a real TAP, the kernel at the other end, a shell to type into."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

from playwright.sync_api import Page

TOP = Path(__file__).parents[2]
READY_S = 30.0
ENDING_S = 20.0
URL = re.compile(r"http://127\.0\.0\.1:\d+/\S+/")


class Lab:
    """A running lab: the URL of its page, and the shell on the kernel's side."""

    def __init__(self, process: subprocess.Popen[str], url: str, told: Sequence[str]) -> None:
        self.process = process
        self.url = url
        self.told = list(told)

    @property
    def _input(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def start(self, line: str) -> None:
        """Type a command, and do not wait for it."""
        self._input.write(line + "\n")
        self._input.flush()

    def run(self, line: str) -> str:
        """Type a command, wait for its end, and return what it printed."""
        assert self.process.stdout is not None
        self.start(f"{line}\necho; echo .done. $?")
        printed: list[str] = []
        for text in self.process.stdout:
            if text.startswith(".done. "):
                return "".join(printed)
            printed.append(text)
        raise AssertionError(f"the lab has ended: {printed}")


@contextmanager
def inspected(*options: str, without: str = "") -> Iterator[Lab]:
    """Run `tapstack lab --inspect` with further options until the block ends, perhaps without a clause."""
    broken = ["break", without, "--"] if without else []
    command = [sys.executable, "-P", "-m", "tools", *broken, "lab", "--inspect", *options, "--", "sh"]
    environment = {**os.environ, "PYTHONPATH": str(TOP), "NO_COLOR": "1"}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            told: list[str] = []
            url = ""
            for line in process.stderr:
                told.append(line)
                found = URL.search(line)
                url = found[0] if found else url
                if line.startswith("ready:"):
                    break
            assert url, told
            yield Lab(process, url, told)
        finally:
            process.stdin.close()  # the shell ends, and with it the lab
            try:
                process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def until(page: Page, expression: str, within_s: float = 30.0) -> None:
    """Wait until an expression is true on the page. The page's policy forbids it to wait for a text by itself."""
    ends = monotonic() + within_s
    while not page.evaluate(expression):
        assert monotonic() < ends, f"not within {within_s:g} s: {expression}"
        page.wait_for_timeout(50)
