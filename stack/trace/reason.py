"""What a table says of a word: a sentence, and the clauses it comes from."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """A sentence, and clauses of the requirement lists, or "own" for our choice."""

    sentence: str
    why: tuple[str, ...]
