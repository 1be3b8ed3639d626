"""What `tapstack explain` keeps of a capture: the connections, and a little of each frame."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import stack

from .printer import clean, octets_as_text

MOST_DATA = 64  # octets of a segment's data that are shown
MOST_FRAMES = 250_000  # of which something is kept
MOST_CHARACTERS = 50_000_000  # of all that is kept
MOST_CONNECTIONS = 20_000
MOST_SEGMENTS = 500_000  # of all connections; the follower's own limit is half of it
MOST_CONVERSATIONS = 10_000  # of UDP
MOST_COMMENTS = 24  # of a frame
LONGEST_COMMENT = 1000  # characters
NO_PROTOCOL = ("Data", "Padding", "Trailer", "Not captured")
SYN = 2
OPTIONS = re.compile(r"options \[(.*?)\]")
CONNECTION = re.compile(r"^c\d{1,9}: ")
FACTS = re.compile(r"[^\n]{1,200}?=\S{0,60}: (.*)", re.DOTALL)
DECISIONS = ("dropped", "send ", "reset sent", "ack ", "loss ", "state ")  # the first that a frame has is told
OF_AN_ARRIVAL = ("dropped", "reset sent", "ack now", "ack later", "loss ", "state ")
ABOUT_ANSWERS = ("send ", "ack with data", "ip route", "ip ident", "ip fragment")  # to a frame that has arrived


class Kept(NamedTuple):
    """What is kept of a frame with a segment: a line about its data or its options, and its comments."""

    line: str
    comments: tuple[str, ...]


class Other(NamedTuple):
    """A frame without a whole segment: its lines."""

    number: int
    time_ns: int
    lines: tuple[str, ...]
    comments: tuple[str, ...]


class Seen:
    """The connections of a capture, in order, and the other frames.

    `every_comment`: keep all comments of a frame, and not only the one that says why.

    Attributes:
      kept: by the number of the frame.
      others: the other frames, in order; at most `MOST_FRAMES`.
      protocols: how many other frames have each protocol: the name of the last layer.
      conversations: of UDP: by the two sockets, the first sender first, how many datagrams.
      left_out: how many connections are not kept.
      frames, first_ns, last_ns: how many frames there are, and when the first and the last came.
      skipped: how many frames have a link type that is not known.
      links: the kinds of link.
    """

    def __init__(self, frames: Iterable[stack.CapturedFrame], *, every_comment: bool = False) -> None:
        self._every = every_comment
        self.connections: list[stack.SeenConnection] = []
        self.kept: dict[int, Kept] = {}
        self.others: list[Other] = []
        self.protocols: Counter[str] = Counter()
        self.conversations: Counter[tuple[str, str]] = Counter()
        self.left_out = 0
        self._characters = 0
        self._segments = 0
        self.links: Counter[str] = Counter()
        self.frames = 0
        self.first_ns = self.last_ns = 0
        follower = stack.Follower()
        take = follower.take
        for frame in frames:
            if not self.frames:
                self.first_ns = frame.time_ns
            self.frames += 1
            self.last_ns = frame.time_ns
            self.links[frame.link] += 1
            segment = take(frame)
            if segment is None:
                self._keep_other(frame)
            elif segment.length or frame.comments or segment.flags & SYN:
                self._keep_segment(frame, segment)
            if follower.done:
                self._keep_connections(follower.done)
                follower.done.clear()
        self._keep_connections(follower.end())
        self.connections.sort(key=lambda connection: connection.number)
        self.skipped = dict(getattr(frames, "skipped", {}))

    def seconds(self, time_ns: int) -> str:
        """Return a time, in seconds since the first frame."""
        return f"{(time_ns - self.first_ns) / 1e9:.6f}"

    def _keep_connections(self, connections: list[stack.SeenConnection]) -> None:
        room = MOST_CONNECTIONS - len(self.connections)
        for connection in connections[:room]:
            # The follower forgets what it has given out, so that its own limit does not bound this.
            if self._segments + len(connection.segments) > MOST_SEGMENTS:
                connection.left_out += len(connection.segments)
                connection.segments.clear()
            self._segments += len(connection.segments)
            self.connections.append(connection)
        self.left_out += len(connections[room:])

    def _keep_segment(self, frame: stack.CapturedFrame, segment: stack.SeenSegment) -> None:
        if len(self.kept) < MOST_FRAMES and self._characters < MOST_CHARACTERS:
            kept = self.kept[frame.number] = Kept(about_segment(frame, segment), comments_of(frame, every=self._every))
            self._characters += len(kept.line) + sum(map(len, kept.comments))

    def _keep_other(self, frame: stack.CapturedFrame) -> None:
        layers = layers_of(frame)
        self.protocols[protocol_of(layers)] += 1
        pair = conversation_of(layers)
        if pair is not None:
            first, second = pair
            if (second, first) in self.conversations:
                pair = second, first
            if pair in self.conversations or len(self.conversations) < MOST_CONVERSATIONS:
                self.conversations[pair] += 1
        if len(self.others) < MOST_FRAMES and self._characters < MOST_CHARACTERS:
            lines = tuple(line for layer in layers if (line := layer.line))
            comments = comments_of(frame, every=self._every)
            self._characters += sum(map(len, lines)) + sum(map(len, comments))
            self.others.append(Other(frame.number, frame.time_ns, lines, comments))


def layers_of(frame: stack.CapturedFrame) -> tuple[stack.Layer, ...]:
    """Return the layers of a frame. A partial checksum is no error in a capture of one's own machine."""
    return stack.dissect(frame.octets, link=frame.link, offload=True, length=frame.length)


def about_segment(frame: stack.CapturedFrame, segment: stack.SeenSegment) -> str:
    """Return a line about the data of a segment, or about the options of its SYN; empty if it has neither."""
    if segment.flags & SYN:
        return options_of(frame) if segment.options else ""
    at, length = segment.data_at, segment.length
    data = frame.octets[at : at + (length if length < MOST_DATA else MOST_DATA)] if at else b""
    if not data:
        return ""
    return f"data {octets_as_text(data)}" + ("..." if length > len(data) else "")


def options_of(frame: stack.CapturedFrame) -> str:
    """Return the options of a TCP header as `stack.show` has them."""
    for layer in layers_of(frame):
        if layer.name == "TCP" and (found := OPTIONS.search(layer.line)):
            return f"options {found[1]}"
    return ""


def comments_of(frame: stack.CapturedFrame, *, every: bool) -> tuple[str, ...]:
    """Return the comments of a frame as harmless lines: all, or the sentence that says why, with its clause."""
    comments = tuple(text[:LONGEST_COMMENT] for text in frame.comments[:MOST_COMMENTS])
    if every or len(comments) < 2:
        return tuple(clean(text) for text in comments)
    return (clean(sentence_of(why(comments, arrived=frame.direction == "in"))),)


def why(comments: tuple[str, ...], *, arrived: bool = False) -> str:
    """Return the comment that says why a frame was sent or what became of it: see `stack.Capture.explain`.

    A frame that has `arrived` also has the comments about what the host sends because of it. The frame
    that it sends has them, too, and there they belong.
    """
    for decision in OF_AN_ARRIVAL if arrived else DECISIONS:
        for text in reversed(comments):
            if CONNECTION.sub("", text, count=1).startswith(decision):
                return text
    if arrived:
        own = [text for text in comments if not CONNECTION.sub("", text, count=1).startswith(ABOUT_ANSWERS)]
        return next((text for text in own if text.endswith(")")), own[-1] if own else comments[-1])
    return next((text for text in reversed(comments) if text.endswith(")")), comments[-1])


def sentence_of(comment: str) -> str:
    """Return what stands in a comment behind the facts of an event, `len=0 flags=ACK: `."""
    found = FACTS.match(comment)
    return found[1] if found else CONNECTION.sub("", comment, count=1)


def protocol_of(layers: tuple[stack.Layer, ...]) -> str:
    """Return the name of the innermost protocol of a frame, not that of a datagram that it quotes."""
    names = [layer.name for layer in layers if not layer.depth and layer.name not in NO_PROTOCOL]
    return names[-1] if names else "other"


def conversation_of(layers: tuple[stack.Layer, ...]) -> tuple[str, str] | None:
    """Return the two sockets of a UDP datagram, the sender's first; None for other frames."""
    addresses: tuple[bytes, bytes] | None = None
    for layer in layers:
        header = layer.header
        if layer.name in ("IPv4", "IPv6"):
            addresses = getattr(header, "source", b""), getattr(header, "destination", b"")
        elif layer.name == "UDP" and not layer.depth and addresses is not None:
            ports = getattr(header, "source_port", None), getattr(header, "destination_port", None)
            if None not in ports:
                return socket(addresses[0], ports[0]), socket(addresses[1], ports[1])
    return None


@lru_cache(maxsize=1024)
def socket(address: bytes, port: object) -> str:
    """Return the text of an address of 4 or 16 octets, and a port."""
    if len(address) == 4:
        return f"{'.'.join(map(str, address))}:{port}"
    from ipaddress import IPv6Address

    return f"[{IPv6Address(address)}]:{port}" if len(address) == 16 else f"?:{port}"
