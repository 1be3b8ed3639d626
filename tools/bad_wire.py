"""`--impair`: loses, delays and changes frames on the wire between the host and the kernel.

    loss=0.1,delay=20ms,seed=1

The value is a list of KEY=VALUE, separated by commas, each key once. `loss`, `duplicate`, `reorder`
and `corrupt` are probabilities, from 0 to 1 or from 0% to 100%, that this happens to a frame.
`delay` and `jitter` are times with a unit: us, ms or s. Each frame takes `delay`, and up to
`jitter` more or less, but not less than 0. A reordered frame is held back for 5 ms, so that later
frames overtake it. `seed` starts the random numbers: with the same seed, the n-th frame of a
direction has the same fate in every run. All keys apply to both directions.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import stack

EXAMPLE = "loss=0.1,delay=20ms,seed=1"
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
LONGEST_S = 60.0
LARGEST_SEED = 999_999_999
NUMBER = r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})"


@dataclass(frozen=True)
class BadWire:
    """The value of `--impair`. `text` is the value as it was typed."""

    impairment: stack.Impairment
    seed: int
    text: str

    def wrap(self, tap: stack.Tap) -> stack.Impaired:
        """Return the link for the host.

        It has no offload, so a lost frame is one segment, not a super-frame.
        """
        return stack.Impaired(tap, outgoing=self.impairment, incoming=self.impairment, seed=self.seed)


def bad_wire(text: str) -> BadWire:
    """Parse the value of `--impair`.

    A wrong value raises ArgumentTypeError, which names the key and the rule.
    """
    values: dict[str, float] = {}
    for word in text.split(","):
        key, equals, value = word.partition("=")
        if key not in KEYS:
            close = get_close_matches(key, KEYS, 1)
            hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(KEYS)}, as in {EXAMPLE}"
            raise argparse.ArgumentTypeError(f"{key!r} is not known: {hint}")
        if not equals or not value:
            raise argparse.ArgumentTypeError(f"{key} has no value: write KEY=VALUE, as in {EXAMPLE}")
        if key in values:
            raise argparse.ArgumentTypeError(f"{key} is given twice")
        values[key] = READERS[key](key, value)
    if list(values) == ["seed"]:
        raise argparse.ArgumentTypeError(f"a seed alone changes nothing: add what is to go wrong, as in {EXAMPLE}")
    every = {key: values.get(key, 0.0) for key in KEYS}
    impairment = stack.Impairment(
        loss=every["loss"],
        duplicate=every["duplicate"],
        reorder=every["reorder"],
        corrupt=every["corrupt"],
        delay_s=every["delay"],
        jitter_s=every["jitter"],
    )
    return BadWire(impairment, int(every["seed"]), text)


def probability(key: str, text: str) -> float:
    """Parse a number from 0 to 1, or a percentage."""
    found = re.fullmatch(NUMBER + "(%?)", text, re.ASCII)
    value = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{key}={text} is not a probability: a number from 0 to 1, or from 0% to 100%")
    return value


def span(key: str, text: str) -> float:
    """Parse a time with its unit; return seconds."""
    found = re.fullmatch(NUMBER + "(us|ms|s)", text, re.ASCII)
    value = float(found[1]) * SECONDS[found[2]] if found else -1.0
    if not 0 <= value <= LONGEST_S:
        raise argparse.ArgumentTypeError(
            f"{key}={text} is not a time: a number with its unit, us, ms or s, as in 20ms, and at most {LONGEST_S:g}s"
        )
    return value


def seed(key: str, text: str) -> float:
    """Parse a whole number."""
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{key}={text} is not a seed: a whole number from 0 to {LARGEST_SEED}")
    return int(text)


READERS: dict[str, Callable[[str, str], float]] = {
    "loss": probability,
    "duplicate": probability,
    "reorder": probability,
    "corrupt": probability,
    "delay": span,
    "jitter": span,
    "seed": seed,
}
KEYS = tuple(READERS)


def summary(link: stack.Impaired) -> str:
    """Return the line for the end of the program: what the wire has done to the frames."""
    return f"impaired: {direction('to the kernel', link.outgoing)}; {direction('from it', link.incoming)}"


def direction(name: str, of: stack.Direction) -> str:
    """Return the counts of one direction: "to the kernel 120 frames, 11 lost"."""
    counts = (
        ("lost", of.lost),
        ("lost on purpose", of.dropped),
        ("too large", of.too_large),
        ("duplicated", of.duplicated),
        ("reordered", of.reordered),
        ("corrupted", of.corrupted),
        ("dropped by a full queue", of.queue_dropped),
    )
    happened = "".join(f", {count} {what}" for what, count in counts if count)
    return f"{name} {of.frames} frame{'' if of.frames == 1 else 's'}{happened}"
