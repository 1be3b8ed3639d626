"""The output of `--trace`: each frame, with a line for each layer, and under it what the host decides.

A decision stands under the frame that has caused it, with its reason and the clauses of the RFCs.
What a bad wire does to a frame that goes out stands under that frame.
What a timer or a call of the program has caused is a line of its own, with its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import stack
from stack import explain, show

UNDER = " " * 15  # stands before a line that belongs to the frame above it
NEXT_LINE = "\n" + UNDER
# With the seconds; "%" takes half the time of an f-string
BEFORE_IN, BEFORE_OUT, BEFORE_EVENT = "%12.6f < ", "%12.6f > ", "%12.6f * "


class TracePrinter:
    """An observer that passes text to `say`: the lines of a frame at once, a decision as a line.

    A frame has the seconds since the first one before it.

    `offload` says that partial checksums are normal.
    """

    def __init__(self, say: Callable[[str], None], *, offload: bool = False) -> None:
        self._say = say
        self._offload = offload
        self._first: float | None = None
        self._last_frame = -1  # the number of the last frame that was printed
        self._frame_above = -1  # the same, if it came in
        self._interface = ""  # of that frame
        self.mtu: int | None = None
        """The owner sets it where it is known: a larger packet is then called a super-frame."""

    def __call__(self, event: stack.Event) -> None:
        """Print an event."""
        name = event.name
        if name == "wire:frame":
            self._frame(event)
            return
        text = explain(event)
        if not text:
            return
        group, frame = event.group, event.frame
        if group != "host" and group != self._interface:  # a connection, a listener
            text = f"{group}: {text}"
        above = self._last_frame if name == "wire:fate" else self._frame_above
        if frame and frame == above:
            self._say(UNDER + text)
        elif frame and name == "host:drop":
            self._say(f"{UNDER}from a frame that came in before: {text}")
        else:
            at = event.at
            if self._first is None:
                self._first = at
            self._say(BEFORE_EVENT % (at - self._first) + text)

    def _frame(self, event: stack.Event) -> None:
        """Print a frame that came "in" or went "out"."""
        number, data = event.n, event.data
        octets, came_in = data["octets"], data["dir"] == "in"
        assert isinstance(octets, bytes)
        self._last_frame = number
        self._frame_above = number if came_in else -1
        self._interface = event.group
        link: Literal["ethernet", "ip"] = "ip" if data.get("link") == "ip" else "ethernet"
        lines = NEXT_LINE.join(show(octets, link=link, offload=self._offload, mtu=self.mtu))
        at = event.at
        if self._first is None:
            self._first = at
        self._say((BEFORE_IN if came_in else BEFORE_OUT) % (at - self._first) + lines)
