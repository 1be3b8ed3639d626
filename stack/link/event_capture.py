"""A capture file made from events: what an observer has kept of a host's frames.

See `stack.link.capture` for the blocks of the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from stack.link.capture import INBOUND, OUTBOUND, Record, enhanced_packet, interface_description, section_header
from stack.link.frame_comments import FrameComments
from stack.trace.event import Event

HELD_FRAMES = 256  # frames whose comments may not be complete yet; a batch of the host has fewer
EVENTS_A_PART = 200


def capture_of(events: Iterable[Event], *, epoch_s: float = 0.0) -> Iterator[bytes]:
    """The frames of these events as a pcapng file, part by part.

    The events are taken in order, as those of one host. Of each frame the file has as much as the
    event, and its true length. As its comments it has what became of it, or why it was sent, as
    `Capture.explain` writes them. `epoch_s` is the wall-clock time, in seconds since 1970, at which
    the host's time is 0. A part may be empty: each one takes only some events.
    """
    making = _Making(epoch_s)
    parts = [section_header()]
    for count, event in enumerate(events, 1):
        parts += making.take(event)
        if count % EVENTS_A_PART == 0:
            yield b"".join(parts)
            parts.clear()
    yield b"".join([*parts, *making.rest()])


class _Making:
    def __init__(self, epoch_s: float) -> None:
        self._epoch_ns = round(epoch_s * 1e9)
        self._comments = FrameComments()
        self._held: deque[tuple[Record, int]] = deque()  # with the number of its interface in the file
        self._interfaces: dict[str, int] = {}
        self._frames = 0

    def take(self, event: Event) -> list[bytes]:
        """Take an event; return the blocks that are complete now."""
        if event.name != "wire:frame":
            self._comments.add(event, ())
            return []
        blocks = []
        data, name = event.data, event.group
        if name not in self._interfaces:
            self._interfaces[name] = len(self._interfaces)
            self._comments.links.add(name)
            blocks.append(interface_description(name, int(data["link"] == "ethernet")))
        octets, length = data["octets"], data["len"]
        assert isinstance(octets, bytes)
        assert isinstance(length, int)
        self._frames += 1
        timestamp_ns = self._epoch_ns + round(event.at * 1e9)
        record = Record(self._frames, timestamp_ns, INBOUND if data["dir"] == "in" else OUTBOUND, octets)
        self._comments.add(event, [record])
        self._comments.sent(record)
        record.length = length  # only now: the comments find the frame by what was kept of it
        self._held.append((record, self._interfaces[name]))
        if len(self._held) > HELD_FRAMES:
            blocks.append(enhanced_packet(*self._held.popleft()))
        return blocks

    def rest(self) -> list[bytes]:
        """Return the blocks of the frames that are still held."""
        return [enhanced_packet(*held) for held in self._held]
