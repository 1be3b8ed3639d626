"""A capture as the events of a host, so that the page shows it by the same code as a running one.

Nothing is known but the frames: states are inferred, and what is said of a segment is a fact or a guess
that names its rule (see stack/outside/README.md). The events are:

- "wire:frame", as a host tells it; "connection" is the group of its segment, "number" that of the frame
  in the file.
- "tcp:open" before the first frame of a connection; "captured" says that no host has told it.
- "tcp:state" with "inferred"; "end" says whose state it is: "ours" or "peer".
- "seen:mark": what is said of a segment: "mark", "sentence", "certain", and the "rule" of a guess.
- "seen:comment": a comment that stands in the file.
- "seen:note": what is said of a connection as a whole.

The end that the page draws as "ours", on the right, is the one at which the capture was made; if that is not
known, the one that did not begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import stack

from ..seen import comments_of
from .payload import ALL_OCTETS, HEAD_OCTETS

MOST_FRAMES = 100_000
MOST_CHARACTERS = 5_000_000  # of all comments
MOST_OCTETS = 64 << 20  # of all frames; of later ones only the first are kept
LONGEST_NAME = 64  # characters of the name of an interface
ETHERNET_HEADER = 14
COOKED = {"linux-sll": 16, "linux-sll2": 20}
UNTOLD = frozenset({"new"})
OURS, PEER = "ours", "peer"
IN, OUT = "in", "out"


class CaptureEvents:
    """The events of a capture, once it has been read; an iterable.

    frames: those of the file, in order; what is behind the first `MOST_FRAMES` is not read.
    connection: keep only the frames of this one.
    whole: keep all octets of the frames, and not only their heads.

    Attributes:
      connections: in order.
      more: whether there are more frames than are read.
      first_ns: the time of the first frame, nanoseconds since 1970; the times of the events count from it.
    """

    def __init__(
        self, frames: Iterable[stack.CapturedFrame], connection: int | None = None, *, whole: bool = False
    ) -> None:
        self.connections: list[stack.SeenConnection] = []
        self.more = False
        self.first_ns = 0
        self._frames: list[stack.CapturedFrame] = []
        self._left: set[bytes] = set()  # stations that are drawn on the left
        self._right: set[bytes] = set()
        self._opened: set[int] = set()
        self._directions: dict[int, str] = {}
        self._n = 0
        self._read(frames, whole=whole)
        self._segments: dict[int, tuple[stack.SeenConnection, stack.SeenSegment]] = {}
        for seen in self.connections:
            if connection is None or seen.number == connection:
                self._segments.update((segment.number, (seen, segment)) for segment in seen.segments)
        if connection is not None:
            self._frames = [frame for frame in self._frames if frame.number in self._segments]
        self._right_end = {seen.number: right_end(seen, self._directions) for seen in self.connections}

    def _read(self, frames: Iterable[stack.CapturedFrame], *, whole: bool) -> None:
        follower = stack.Follower()
        stream = iter(frames)
        room, characters = MOST_OCTETS if whole else 0, MOST_CHARACTERS
        for frame in islice(stream, MOST_FRAMES):
            if not self._frames:
                self.first_ns = frame.time_ns
            follower.take(frame)
            if frame.direction:
                self._directions[frame.number] = frame.direction
            octets = frame.octets[: ALL_OCTETS if room > 0 else HEAD_OCTETS]
            room -= len(octets)
            comments = comments_of(frame, every=True) if frame.comments and characters > 0 else ()
            characters -= sum(map(len, comments))
            name = frame.interface[:LONGEST_NAME]
            self._frames.append(frame._replace(octets=octets, interface=name, comments=comments))
        self.more = next(stream, None) is not None
        self.connections = sorted(follower.done + follower.end(), key=lambda seen: seen.number)

    def __len__(self) -> int:
        """How many frames there are."""
        return len(self._frames)

    def __iter__(self) -> Iterator[stack.Event]:
        self._n = 0
        self._opened.clear()
        for frame in self._frames:
            yield from self._of_frame(frame)

    def _event(self, frame: stack.CapturedFrame, name: str, group: str, of: int, data: dict[str, object],
               why: tuple[str, ...] = ()) -> stack.Event:  # fmt: skip
        self._n += 1
        at = (frame.time_ns - self.first_ns) / 1e9
        return stack.Event(self._n, at, at, name, group, of, "frame", data, why)

    def _of_frame(self, frame: stack.CapturedFrame) -> Iterator[stack.Event]:
        found = self._segments.get(frame.number)
        octets, link, length = frame.octets, "ethernet", frame.length
        if frame.link != "ethernet":
            cut = COOKED.get(frame.link, 0)
            octets, link, length = octets[cut:], frame.link if cut and not is_ip(frame) else "ip", length - cut
        data: dict[str, object] = {"dir": "", "link": link, "len": length, "number": frame.number, "octets": octets}
        if found is None:
            data["dir"] = self._direction(frame)
        else:
            seen, segment = found
            data["dir"] = OUT if segment.end == self._right_end[seen.number] else IN
            data["connection"] = group_of(seen)
            if seen.number not in self._opened:
                self._opened.add(seen.number)
                yield self._event(frame, "tcp:open", group_of(seen), 0, self._opening(seen))
        told = self._event(frame, "wire:frame", frame.interface or "file", self._n + 1, data)
        yield told
        if found is not None:
            yield from self._of_segment(frame, *found, told.n)
        for text in frame.comments:
            yield self._event(frame, "seen:comment", "file", told.n, {"sentence": text, "certain": True})

    def _opening(self, seen: stack.SeenConnection) -> dict[str, object]:
        right = self._right_end[seen.number]
        ours, peer = seen.ends[right], seen.ends[1 - right]
        return {
            "local": socket(ours),
            "remote": socket(peer),
            "passive": right == 1,
            "captured": True,
            "iss": number_or_base(ours),
            "irs": number_or_base(peer),
            "scale": ours.scale,
            "peer_scale": peer.scale,
        }

    def _of_segment(
        self, frame: stack.CapturedFrame, seen: stack.SeenConnection, segment: stack.SeenSegment, of: int
    ) -> Iterator[stack.Event]:
        group = group_of(seen)
        for change in segment.changes:
            data: dict[str, object] = {
                "end": OURS if change.end == self._right_end[seen.number] else PEER,
                "before": None if change.before is None else change.before.name,
                "event": change.event.name,
                "after": change.after.name,
                "inferred": True,
                "sentence": change.because,
            }
            yield self._event(frame, "tcp:state", group, of, data, change.clauses)
        for mark in segment.marks:
            if mark.name not in UNTOLD:
                yield self._event(frame, "seen:mark", group, of, of_mark(mark), mark.clauses)
        if segment.number == seen.last_number:
            for mark in seen.marks:
                yield self._event(frame, "seen:note", group, of, of_mark(mark), mark.clauses)

    def _direction(self, frame: stack.CapturedFrame) -> str:
        """Return on which side the sender of a frame without a connection is drawn: that of its other frames."""
        if frame.direction:
            return frame.direction
        sender, receiver = stations(frame)
        if sender not in self._left and sender not in self._right:
            (self._right if receiver in self._left else self._left).add(sender)
        return OUT if sender in self._right else IN


def right_end(seen: stack.SeenConnection, directions: dict[int, str]) -> int:
    """Return which end is drawn on the right, 0 or 1: that of the capture, else the one that did not begin."""
    for segment in seen.segments:
        direction = directions.get(segment.number)
        if direction:
            return segment.end if direction == OUT else 1 - segment.end
    return 1


def stations(frame: stack.CapturedFrame) -> tuple[bytes, bytes]:
    """Return the addresses of sender and receiver: of Ethernet, else of IP; empty if they are not there."""
    octets = frame.octets
    if frame.link == "ethernet":
        return octets[6:12], octets[:6]
    packet = octets[COOKED.get(frame.link, 0) :]
    return (packet[12:16], packet[16:20]) if packet[:1] and packet[0] >> 4 == 4 else (packet[8:24], packet[24:40])


def is_ip(frame: stack.CapturedFrame) -> bool:
    """Whether there is an IP packet behind the cooked header of a frame."""
    kind = frame.octets[:2] if frame.link == "linux-sll2" else frame.octets[14:16]
    return kind in (b"\x08\x00", b"\x86\xdd")


def of_mark(mark: stack.Mark) -> dict[str, object]:
    """Return the data of an event about a mark."""
    data: dict[str, object] = {"mark": mark.name, "sentence": mark.sentence, "certain": mark.certain}
    return data if mark.certain else {**data, "rule": mark.rule}


def number_or_base(end: stack.SeenEnd) -> int | None:
    """Return the number from which relative ones count."""
    return end.iss if end.iss is not None else end.base


def group_of(seen: stack.SeenConnection) -> str:
    """Return the group of a connection, by its number in the summary of `tapstack explain`."""
    return f"c{seen.number}"


def socket(end: stack.SeenEnd) -> str:
    """Return the address and port of an end, as the events of a host have it."""
    return f"[{end.address}]:{end.port}" if ":" in end.address else f"{end.address}:{end.port}"
