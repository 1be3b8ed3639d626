"""The reasons of decisions: why a segment is sent, why an ACK waits, why nothing is sent.

The code says one word, the key. Here it gets its sentence, and the clauses that ask for it.
"""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """A sentence, and clauses of the requirement lists, or "own" for our choice."""

    sentence: str
    why: tuple[str, ...]


REASONS: dict[str, Reason] = {}
