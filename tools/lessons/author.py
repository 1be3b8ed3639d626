"""What the author of a lesson needs to see: the events of a run, with all fields that patterns can ask for."""

from __future__ import annotations

import shlex

from ..printer import printing
from .apart import perform_apart
from .blocks import Lesson
from .recording import Seen, text_of

UNTOLD = ("octets", "offloaded", "link", "meaning")


def print_events(lesson: Lesson, name: str) -> int:
    """Print each event of a run in one line, as a pattern that fits it. `RUN@CLAUSE` is the run without that clause."""
    from .breaks import find

    name, _, clause = name.partition("@")
    if name not in lesson.runs:
        raise lesson.error(1, f"there is no run {name!r}; there is {', '.join(lesson.runs) or 'none'}")
    recording = perform_apart(lesson.file, lesson.runs[name], fault=find(clause) if clause else None)
    with printing() as printer:
        for seen in recording.events():
            printer(line_of(seen))
        for key, value in recording.kept.items():
            printer(f"kept {key} == {text_of(value)}")
    return 0


def line_of(seen: Seen) -> str:
    """Return an event in one line: the time, and a pattern."""
    told = []
    is_frame = seen.event.name == "wire:frame"
    for key, value in seen.fields.items():
        if key not in UNTOLD and key != "because" and not (is_frame and value == ""):
            told.append(f"{key}={shlex.quote(text_of(value)) if ' ' in text_of(value) else text_of(value)}")
    if "because" in seen.fields:
        told.append(f"because {seen.fields['because']}")
    told += [f"why {clause.replace(' ', '-')}" for clause in seen.event.why if clause != "own"]
    return f"{seen.event.at:9.4f}  {seen.host} {'frame' if is_frame else seen.event.name} {' '.join(told)}"
