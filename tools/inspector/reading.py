"""Services that pause reading, from the page: {"do": "services", "paused": true}.

It holds at once, for all TCP connections of the host's services. Their receive buffers fill, and
the windows close: RFC 9293 section 3.8.6.
"""

from __future__ import annotations

from ..habits import Habits
from .answers import wrong
from .inspector import Inspector

PAUSED = "The host's services do not read: receive buffers fill, and windows close."
READING = "The host's services read again."


def add(inspector: Inspector, habits: Habits) -> None:
    """Let the page pause the services."""

    async def look() -> dict[str, object]:
        return {"paused": habits.paused, "words": [PAUSED] if habits.paused else []}

    async def act(asked: dict[str, object]) -> object:
        paused = asked.get("paused")
        if not isinstance(paused, bool) or len(asked) > 2:
            raise wrong('"paused" is true or false, and stands alone')
        if paused:
            habits.pause()
        else:
            habits.resume()
        inspector.host.tell("break", paused=paused, words=PAUSED if paused else READING)
        await inspector.state.look_at("services")
        return await look()

    inspector.actions["services"] = act
    inspector.state.looks["services"] = look
