"""A frame of a capture file, and the error of a file that cannot be read."""

from __future__ import annotations

from typing import Literal, NamedTuple

LinkHeader = Literal["ethernet", "ip", "linux-sll", "linux-sll2"]


class CapturedFrame(NamedTuple):
    """One frame of a capture.

    number: its number in the file, from 1, as in Wireshark. Numbers may be missing: those of frames
      of a link type that is not known, and of custom blocks.
    time_ns: nanoseconds since 1970; 0 for a Simple Packet Block, which has no time. A file can hold
      times before 1970 and after the year 9999.
    octets: what the file has of the frame. It is less than the frame if a snapshot length cut it.
    length: the octets that the frame had on the wire, at least `len(octets)`.
    link: what `octets` begin with: "ethernet", "ip" (an IPv4 or IPv6 header), "linux-sll" or
      "linux-sll2" (the headers of a capture on the interface `any`).
    interface: the name of the interface, if the file has it.
    direction: "in" or "out" if the file says which, else "".
    comments: the comments of the frame, as they are in the file. Whatever shows them must escape
      control characters.
    """

    number: int
    time_ns: int
    octets: bytes
    length: int
    link: LinkHeader
    interface: str = ""
    direction: str = ""
    comments: tuple[str, ...] = ()


class CaptureError(ValueError):
    """A file that is not a capture, or one that is damaged.

    path: as it was given.
    offset: of the block, record or option that breaks the rule, in octets from the file's
      beginning.
    rule: the rule that is broken, as a sentence.
    cut_short: whether the file ends in the midst of a record or block, as one does that is still
      being written. All frames before that have been given.
    """

    def __init__(self, path: str, offset: int, rule: str, *, cut_short: bool = False) -> None:
        name = "standard input" if path == "-" else path
        super().__init__(f"{name}: at octet {offset}: {rule}")
        self.path = path
        self.offset = offset
        self.rule = rule
        self.cut_short = cut_short
