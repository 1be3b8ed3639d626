"""Performs a run in a process of its own: without a clause, or where it must not harm the program that asks for it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from ..broken import Fault, install
from ..output import Failed
from .blocks import LessonError, Run
from .recording import Recording

LIMIT_S = 60.0


def perform_apart(file: str, run: Run, *, fault: Fault | None = None, fast_paths: bool = True) -> Recording:
    """Do what a run says, without a clause if `fault` breaks one. Raises LessonError if it fails or takes too long."""
    asked: dict[str, object] = {"file": file, "run": asdict(run), "fault": fault, "fast_paths": fast_paths}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
            env=environment(),
        )
    except subprocess.TimeoutExpired:
        raise LessonError(file, run.line, f"the run {run.name!r} took longer than {LIMIT_S:.0f} s") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise LessonError(file, run.line, f"the run {run.name!r} ended by itself: {last}"[:600]) from None
    if "error" in answer:
        raise LessonError(file, int(answer["line"]), str(answer["error"]))
    return Recording.from_json(answer["recording"])


def environment() -> dict[str, str]:
    """Return the environment in which a process of ours finds this very program."""
    folder = str(Path(__file__).resolve().parents[2])
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def main() -> int:
    """Read what is asked for from standard input, and write the recording, or the error, to standard output."""
    asked = json.loads(sys.stdin.read())
    run = Run(**asked["run"])
    answer: dict[str, object]
    try:
        if asked["fault"] is not None:
            install(Fault(*asked["fault"]))
        from .network import perform  # not before: it imports what may be broken

        with contextlib.redirect_stdout(sys.stderr):
            recording = perform(asked["file"], run, fast_paths=asked["fast_paths"])
        answer = {"recording": recording.to_json()}
    except LessonError as error:
        answer = {"line": error.line, "error": error.text}
    except Failed as error:
        answer = {"line": run.line, "error": str(error)}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
