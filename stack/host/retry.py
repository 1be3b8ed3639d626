"""When a part of the host that has raised is called again.

Such a part may still be due, because its deadline moves only after its work is done. If it were
called again at once, it would raise again, and the host would do nothing else. So it is called
again a second later.
"""

from __future__ import annotations

from collections.abc import Iterable

from stack.host.interface import HasDeadline

RETRY_S = 1.0


class Retry:
    """The parts that have raised, and when each of them may be called again."""

    def __init__(self) -> None:
        self.turns: dict[int, float] = {}  # by the part's id; empty as long as none has raised

    def later(self, part: HasDeadline, now: float) -> None:
        """A part has raised: call it again in `RETRY_S`, or at its deadline if that is later."""
        self.turns = {other: turn for other, turn in self.turns.items() if turn > now}
        self.turns[id(part)] = now + RETRY_S

    def has_turn(self, part: HasDeadline, now: float) -> bool:
        """Whether a part may be called now."""
        if self.turns.get(id(part), now) > now:
            return False
        self.turns.pop(id(part), None)
        return True

    def earliest(self, parts: Iterable[HasDeadline]) -> float:
        """The earliest deadline of these parts, but not before their turns."""
        return min(max(part.deadline, self.turns.get(id(part), part.deadline)) for part in parts)
