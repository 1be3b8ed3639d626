"""When a part of the host that has raised gets its next turn.

Such a part may be due still: its deadline moves once its work is done. Called again at once, it would raise again at
once, and the host would do nothing else. So it is called again a second later.
"""

from __future__ import annotations

from collections.abc import Iterable

from stack.host.interface import Part

RETRY_S = 1.0


class Retry:
    """The parts that have raised and are still due, each with the time of its next turn."""

    def __init__(self) -> None:
        self._turns: dict[int, float] = {}  # by the part's id

    def __len__(self) -> int:
        return len(self._turns)

    def later(self, part: Part, now: float) -> None:
        """A part has raised: its next turn comes in `RETRY_S`, or at its deadline when that is later."""
        self._turns = {other: turn for other, turn in self._turns.items() if turn > now}
        self._turns[id(part)] = now + RETRY_S

    def has_turn(self, part: Part, now: float) -> bool:
        """Whether a part is to be called now."""
        if self._turns.get(id(part), now) > now:
            return False
        self._turns.pop(id(part), None)
        return True

    def earliest(self, parts: Iterable[Part]) -> float:
        """The earliest deadline of these parts, but not before their turns."""
        return min(max(part.deadline, self._turns.get(id(part), part.deadline)) for part in parts)
