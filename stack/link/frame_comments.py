"""The comments of captured frames: what became of a frame, or why it was sent.

The host tells its decisions before, between and after the frames; here each is given to the frame
that it is about. A frame that comes in gets the decisions that it has caused. A frame that goes out
gets its cause, and the decisions told since the last frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from stack.trace.event import HEAD_OCTETS, Event
from stack.trace.explain import explain

MOST_COMMENTS = 24  # of a frame
LONGEST_COMMENT = 300  # characters
MOST_COMING = 64  # frames on their way to the link
MOST_SEARCHED = 64  # frames that are compared to find the one of an event
COMMENT_BYTES = 64  # about what a comment takes besides its text
NO_REASON_TO_SEND = frozenset({"host:drop", "ip:route", "ip:ident"})
"""Events that may stand before a frame that goes out and do not say why it is sent.

A drop is about the frame that came in, for instance the segment that a reset answers.
"""


class Commented(Protocol):
    """A frame of the capture; `number` is that of the packet in Wireshark, from 1."""

    data: bytes
    length: int
    number: int
    comments: list[str]


def head(octets: bytes, length: int) -> tuple[int, bytes]:
    """What tells a frame from others."""
    return length, octets[:HEAD_OCTETS]


class FrameComments:
    """Finds the frame of each event, among the frames that are not in the file yet.

    `links` has the names of the links whose frames have comments. `add` and `sent` return how many
    bytes of comments came to be.
    """

    def __init__(self, *links: str) -> None:
        self.links = set(links)
        self._came_in: dict[int, Commented] = {}  # by the number of the event that told of the frame
        self._numbers: deque[tuple[int, int]] = deque(maxlen=MOST_SEARCHED)  # event and packet, of the last ones
        self._coming: deque[tuple[tuple[int, bytes], list[str]]] = deque(maxlen=MOST_COMING)
        self._said: list[tuple[str, int, str]] = []  # since the last frame: group, cause, text

    def add(self, event: Event, records: Sequence[Commented]) -> int:
        """Take an event; `records` has the frames that are not in the file yet."""
        if event.name == "wire:frame":
            octets = event.data["octets"]
            assert isinstance(octets, bytes)
            if event.group in self.links:
                if event.data["dir"] == "in":
                    self._find(event, octets, records)
                else:
                    self._coming.append((head(octets, len(octets)), self._reasons(event)))
            self._said.clear()
            return 0
        if event.name == "host:done":
            text = str(event.data.get("verdict"))
            return 0 if text == "dropped" else self._comment(self._came_in.get(event.frame), text)
        text = explain(event)
        if not text:
            return 0
        if event.group != "host" and event.group not in self.links:  # a connection, a listener
            text = f"{event.group}: {text}"
        if len(text) > LONGEST_COMMENT:
            text = text[: LONGEST_COMMENT - 3] + "..."
        if event.name not in NO_REASON_TO_SEND and len(self._said) < MOST_COMMENTS:
            self._said.append((event.group, event.frame, text))
        return self._comment(self._came_in.get(event.frame), text)

    def sent(self, record: Commented) -> int:
        """A frame has been sent: it gets the comments that wait for it."""
        sent = head(record.data, record.length)
        for position, (coming, comments) in enumerate(self._coming):
            if coming == sent:
                del self._coming[position]
                return sum(self._comment(record, text) for text in comments)
        return 0

    def written(self) -> None:
        """The frames are in the file now."""
        self._came_in.clear()

    def _find(self, event: Event, octets: bytes, records: Sequence[Commented]) -> None:
        sought = head(octets, len(octets))
        for record in records[: -MOST_SEARCHED - 1 : -1]:
            if not record.comments and head(record.data, record.length) == sought:
                self._came_in[event.n] = record
                self._numbers.append((event.n, record.number))
                return

    def _reasons(self, event: Event) -> list[str]:
        """Why this frame is sent: its cause, and the last decisions about the same thing."""
        cause = {"timer": "because of a timer", "call": "because of a call of the program"}.get(event.cause, "")
        for number, packet in self._numbers:
            if number == event.frame:
                cause = f"because of packet {packet}"
        texts = [cause] if cause else []
        if self._said:
            group, frame, _ = self._said[-1]
            if frame == event.frame:
                texts += [text for other, its_frame, text in self._said if (other, its_frame) == (group, frame)]
        return texts

    def _comment(self, record: Commented | None, text: str) -> int:
        if record is None or len(record.comments) >= MOST_COMMENTS:
            return 0
        record.comments.append(text)
        return len(text) + COMMENT_BYTES
