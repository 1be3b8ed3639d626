"""Checks a whole lesson, for its author and for the tests: every statement, answer and command must be true."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator

from ..output import Failed
from .answers import Question, ask
from .apart import environment, perform_apart
from .blocks import Block, Break, Command, Console, Expect, Lesson, LessonError, Look, Predict, Run
from .breaks import find
from .patterns import Statement, in_parts
from .recording import Recording, first_that_fails, patterns_of, problem

Perform = Callable[[str, Run], Recording]
COMMAND_S = 30.0
LIVE_S = 60.0
DOTS = "..."
ALONE = ("ipcalc", "number")  # programs that a console block may call without a lab


class Runs:
    """What has happened in each run of a lesson, with and without clauses. Each is done when it is first asked for."""

    def __init__(self, lesson: Lesson, perform: Perform | None = None, *, fast_paths: bool = True) -> None:
        self.lesson = lesson
        self._perform = perform
        self._fast_paths = fast_paths
        self._done: dict[tuple[str, str], Recording] = {}

    def __getitem__(self, key: tuple[str, str]) -> Recording:
        name, clause = key
        if key not in self._done:
            run = self.lesson.runs[name]
            if not clause and self._perform is not None:
                self._done[key] = self._perform(self.lesson.file, run)
            else:
                try:
                    fault = find(clause) if clause else None
                except Failed as error:
                    raise self.lesson.error(run.line, str(error)) from None
                self._done[key] = perform_apart(self.lesson.file, run, fault=fault, fast_paths=self._fast_paths)
        return self._done[key]


def check(lesson: Lesson, runs: Runs, *, console: bool = True) -> int:
    """Check each block. Returns how many statements and questions there were. Raises LessonError for the first wrong.

    Blocks for a lab need the kernel and are not run here.
    """
    return sum(check_block(lesson, block, runs, console=console) for block in lesson.blocks)


def check_block(lesson: Lesson, block: Block, runs: Runs, *, console: bool = True) -> int:
    """See `check`."""
    if isinstance(block, Run):
        _ = runs[block.name, ""]
        return 1
    if isinstance(block, Predict):
        for turn in range(block.times):
            _ = question(lesson, block, runs, turn)
        return block.times
    if isinstance(block, Expect):
        fail_unless(lesson, runs[block.run, ""], block.statements)
        return len(block.statements)
    if isinstance(block, Break):
        check_break(lesson, block, runs)
        return len(block.statements)
    if isinstance(block, Look):
        check_look(lesson, block, runs)
        return 1
    if isinstance(block, Console) and not block.live and console:
        for command in block.commands:
            check_output(lesson, command, output_of(lesson, command))
        return len(block.commands)
    return 0


def question(lesson: Lesson, predict: Predict, runs: Runs, turn: int = 0) -> Question:
    """Return a question with its right answer; of its runs, those that it needs are done."""
    needed = {} if predict.kind == "exercise" else {(predict.run, predict.without): runs[predict.run, predict.without]}
    return ask(lesson, predict, needed, turn)


def fail_unless(lesson: Lesson, recording: Recording, statements: tuple[Statement, ...]) -> None:
    """Raise LessonError for the first statement that does not hold."""
    for each in statements:
        for pattern in patterns_of(each):
            if wrong := problem(recording, pattern):
                raise lesson.error(each.line, f"{each.text}: {wrong}")
    failed = first_that_fails(recording, statements)
    if failed is not None:
        statement, why = failed
        raise lesson.error(statement.line, f"{statement.text}: {why}")


def check_break(lesson: Lesson, block: Break, runs: Runs) -> None:
    """Raise LessonError unless the statements hold without the clause, and do not all hold with it."""
    try:
        _ = find(block.clause)
    except Failed as error:
        raise lesson.error(block.line, str(error)) from None
    fail_unless(lesson, runs[block.run, block.clause], block.statements)
    if first_that_fails(runs[block.run, ""], block.statements) is None:
        raise lesson.error(block.line, f"without {block.clause} nothing differs: all of this holds with it, too")


def check_look(lesson: Lesson, look: Look, runs: Runs) -> None:
    """Raise LessonError if there is nothing to be shown."""
    from .look import lines

    recording = runs[look.run, look.without]
    if look.host and look.host not in recording.hosts:
        raise lesson.error(look.line, f"the run has no host {look.host!r}: it has {', '.join(recording.hosts)}")
    for pattern in look.patterns:
        if recording.find(pattern) < 0:
            raise lesson.error(look.line, f"{pattern.text}: the run has no such event")
    if not any(lines(look, recording, 100)):
        raise lesson.error(look.line, "there is nothing to be shown")


# --- console blocks


def output_of(lesson: Lesson, command: Command) -> list[str]:
    """Return what a command of ours prints that needs no lab."""
    try:
        words = shlex.split(command.words)
    except ValueError as error:
        raise lesson.error(command.line, f"{error}".lower()) from None
    if words[:1] != ["tapstack"] or len(words) < 2 or words[1] not in ALONE:
        raise lesson.error(command.line, f"without a lab a command is `tapstack {'` or `tapstack '.join(ALONE)}`")
    package = (__package__ or "").partition(".")[0]
    done = subprocess.run(
        [sys.executable, "-P", "-m", package, *words[1:]],
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        env=environment(),
    )
    return (done.stdout + done.stderr).rstrip("\n").split("\n")


def live_output(command: Command) -> list[str]:
    """Return what a command prints on the kernel's side of a lab. Raises Failed if there can be no lab."""
    package = (__package__ or "").partition(".")[0]
    words = [sys.executable, "-P", "-m", package, "lab", "--", "sh", "-c", command.words]
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIVE_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment(),
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"`{command.words}` took longer than {LIVE_S:.0f} s") from None
    lab = [line for line in done.stderr.splitlines() if line.startswith("tapstack lab:")]
    if done.returncode and lab:
        raise Failed(lab[0])
    return done.stdout.rstrip("\n").split("\n")


def check_output(lesson: Lesson, command: Command, real: list[str]) -> None:
    """Raise LessonError unless the output is as the lesson prints it."""
    if not alike(list(command.output), real):
        printed = next((line for line in difference(list(command.output), real)), "")
        raise lesson.error(command.line, f"`{command.words}` prints something else: {printed!r}")


def alike(printed: list[str], real: list[str]) -> bool:
    """Return whether lines are as printed: "..." alone is any number of lines, within a line any text."""
    real = [] if real == [""] else real
    place = row = begun = 0
    dots = -1  # the last "..." line that was passed; the real lines from `begun` on come after it
    while row < len(real):
        if place < len(printed) and printed[place].strip() == DOTS:
            dots, begun, place = place, row, place + 1
        elif place < len(printed) and same_line(printed[place], real[row]):
            place, row = place + 1, row + 1
        elif dots >= 0:
            begun += 1
            place, row = dots + 1, begun
        else:
            return False
    return all(line.strip() == DOTS for line in printed[place:])


def same_line(printed: str, real: str) -> bool:
    """Return whether a line is as printed."""
    return in_parts(real.rstrip(), printed.rstrip().split(DOTS))


def difference(printed: list[str], real: list[str]) -> Iterator[str]:
    """Yield the real lines that differ from the printed ones at their place."""
    for n, line in enumerate(real):
        if n >= len(printed) or not same_line(printed[n], line):
            yield line


__all__ = ["LessonError", "Runs", "check", "check_block", "question"]
