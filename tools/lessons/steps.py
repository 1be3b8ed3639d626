"""A lesson in steps, as its page shows them. Each ends with what the learner does: a question, a look, a broken run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .answers import LETTERS, Question
from .blocks import Block, Break, Console, Expect, Lesson, Look, Predict, Run, Text
from .breaks import sentence
from .check import Runs, check_break, fail_unless, question
from .in_words import broken, facts
from .look import lines

LADDERS = ("ladder", "sentences")
WIDTH = 72  # columns of what is shown as lines


class Ladder(NamedTuple):
    """Whose ladder stands beside a step: that of a host ("" for the first one) in a run, perhaps without a clause."""

    run: str
    host: str
    clause: str


@dataclass(frozen=True)
class Step:
    """A part of a lesson.

    Attributes:
      blocks: what is shown, in order; the question is the last of them.
      question: None if nothing is asked.
      name: under which the answer is kept; "" without a question.
      turn: which exercise it is, from 0.
      ladder: of the run that the step lets one look at; None for none.
    """

    blocks: tuple[Block, ...]
    question: Predict | None = None
    name: str = ""
    turn: int = 0
    ladder: Ladder | None = None


def steps_of(lesson: Lesson) -> list[Step]:
    """Return the steps of a lesson. Of an exercise that is asked several times, each time is a step."""
    steps: list[Step] = []
    blocks: list[Block] = []
    for place, block in enumerate(lesson.blocks):
        blocks.append(block)
        if isinstance(block, Predict):
            for turn, name in enumerate(block.names()):
                steps.append(Step(tuple(blocks), block, name, turn))
                blocks = [block]
        elif isinstance(block, Look | Break | Console):
            steps.append(Step(tuple(blocks), ladder=ladder_of(block, lesson.blocks[place + 1 :])))
        else:
            continue
        blocks = []
    return [*steps, Step(tuple(blocks))] if blocks else steps


def ladder_of(block: Block, later: tuple[Block, ...]) -> Ladder | None:
    """Return the ladder of a block. A broken run about which a later block asks has none yet."""
    if isinstance(block, Look) and block.what in LADDERS:
        return Ladder(block.run, block.host, block.without)
    if isinstance(block, Break):
        asked = {(each.run, each.without) for each in later if isinstance(each, Predict)}
        return None if (block.run, block.clause) in asked else Ladder(block.run, "", block.clause)
    return None


def shown(lesson: Lesson, block: Block, runs: Runs, turn: int, words: dict[str, str]) -> dict[str, object]:
    """Return a block as the page gets it; the right answer of a question is not in it. Raises LessonError."""
    if isinstance(block, Text):
        return {"kind": "text", "markdown": block.markdown}
    if isinstance(block, Run):
        return {"kind": "run", "source": block.source.rstrip("\n"), "told": words["run"].format(name=block.name)}
    if isinstance(block, Predict):
        return asked(question(lesson, block, runs, turn), endless=block.kind == "exercise")
    if isinstance(block, Expect):
        fail_unless(lesson, runs[block.run, ""], block.statements)
        return {"kind": "facts", "told": words["holds"], "lines": facts(lesson, block)}
    if isinstance(block, Break):
        check_break(lesson, block, runs)
        told, otherwise = broken(lesson, block, runs[block.run, ""], words)
        return {
            "kind": "break",
            "sentence": sentence(block.clause, lesson.language),
            "told": words["broken"].format(clause=block.clause),
            "lines": told,
            "instead": otherwise,
        }
    if isinstance(block, Look):
        recording = runs[block.run, block.without]
        drawn = lines(block, recording, WIDTH, sentences=True)
        return {"kind": "look", "ladder": block.what in LADDERS, "clause": block.without, "lines": list(drawn)}
    commands = [f"$ {command.words}\n" + "\n".join(command.output) for command in block.commands]
    return {"kind": "console", "live": block.live, "commands": commands}


def asked(made: Question, *, endless: bool) -> dict[str, object]:
    """Return a question without its right answer."""
    return {
        "kind": "question",
        "form": made.kind,
        "prompt": made.prompt,
        "shown": list(made.shown),
        "items": [item.text for item in made.items],
        "letters": LETTERS[: len(made.items)],
        "endless": endless,
    }
