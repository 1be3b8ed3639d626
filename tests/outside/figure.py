"""Figures of connections seen from outside, one segment a line.

    +0   A S 0:0(0) win 1000 <mss 1460,wscale 7>  | new          | SYN_SENT -
    +5   B S. 0:0(0) ack 1 win 1000               | new          | SYN_SENT SYN_RECEIVED

On the left is a segment, in the manner of packetdrill: milliseconds since the line before, the end
that sends it, its flags, sequence numbers relative to the initial one of that end, and `ack`, `win`
and options. In the middle are the marks that `follow` must give it, on the right the states of A
and B after it ("-" for unknown). A mark's number follows its name: "duplicate_ack=2".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from stack.link.captured import CapturedFrame
from stack.outside.connection import SeenConnection, SeenSegment
from stack.outside.follow import follow
from stack.wire import tcp
from stack.wire.checksum import pseudo_sum
from stack.wire.ethernet import EthernetHeader
from stack.wire.ipv4 import Ipv4Header
from stack.wire.numbers import ETHERTYPE_IPV4, PROTO_TCP
from stack.wire.tcp_options import TcpOptions, build_options

ADDRESSES = {"A": b"\x0a\0\0\1", "B": b"\x0a\0\0\2"}
PORTS = {"A": 40000, "B": 80}
STATIONS = {"A": b"\2\0\0\0\0\1", "B": b"\2\0\0\0\0\2"}
LETTERS = {"S": tcp.SYN, "F": tcp.FIN, "R": tcp.RST, "P": tcp.PSH, ".": tcp.ACK, "U": tcp.URG}
COUNTED = frozenset({"duplicate_ack", "gap", "ack_of_unseen"})
LINE = re.compile(
    r"\+(?P<ms>[\d.]+)\s+(?P<end>[AB])\s+(?P<flags>[SFRPU.]+)\s+(?P<seq>-?\d+):(?P<stop>-?\d+)\((?P<length>\d+)\)"
    r"(?:\s+ack\s+(?P<ack>-?\d+))?(?:\s+win\s+(?P<win>\d+))?(?:\s+<(?P<options>[^>]*)>)?(?P<more>(?:\s+\w+)*)\s*"
)


@dataclass
class Figure:
    """The frames of a figure, and what must be said of them."""

    iss: dict[str, int] = field(default_factory=lambda: {"A": 1000, "B": 0xFFFF_FF00})
    now_ns: int = 1_700_000_000_000_000_000
    frames: list[CapturedFrame] = field(default_factory=list)
    expected: list[tuple[str, str]] = field(default_factory=list)

    def line(self, text: str) -> None:
        """One segment, and what is expected of it."""
        left, *right = text.split("|")
        found = LINE.fullmatch(left.strip())
        assert found is not None, f"not a line of a figure: {text}"
        self.now_ns += round(float(found["ms"]) * 1_000_000)
        self.frames.append(CapturedFrame(len(self.frames) + 1, self.now_ns, *self._frame(found), "ethernet"))
        marks, states = (*(part.strip() for part in right), "", "")[:2]
        self.expected.append((" ".join(marks.split()), " ".join(states.split())))

    def _frame(self, found: re.Match[str]) -> tuple[bytes, int]:
        end = found["end"]
        other = "B" if end == "A" else "A"
        flags = sum(LETTERS[letter] for letter in found["flags"])
        seq = self.iss[end] + int(found["seq"]) & 0xFFFF_FFFF
        ack = self.iss[other] + int(found["ack"]) & 0xFFFF_FFFF if found["ack"] else 0
        length = int(found["length"])
        assert int(found["stop"]) - int(found["seq"]) == length, f"{found[0]}: seq:end(length) do not agree"
        options = options_of(found["options"] or "")
        header = tcp.TcpHeader(PORTS[end], PORTS[other], seq, ack, flags, int(found["win"] or 1000), options=options)
        source, destination = ADDRESSES[end], ADDRESSES[other]
        size = header.header_length + length
        segment = tcp.build_segment(header, bytes(length), pseudo_sum(source, destination, PROTO_TCP, size))
        if "damaged" in found["more"]:
            segment = segment[:-1] + bytes((segment[-1] ^ 1,))
        ip = Ipv4Header(source, destination, PROTO_TCP, 20 + size, len(self.frames) + 1)
        link = EthernetHeader(STATIONS[other], STATIONS[end], ETHERTYPE_IPV4).build()
        frame = link + ip.build() + segment
        return frame, len(frame)


def options_of(text: str) -> bytes:
    """The octets of "mss 1460,wscale 7,sackOK,sack 1:2"; SACK blocks are absolute numbers."""
    values: dict[str, object] = {}
    for word in filter(None, (word.strip() for word in text.split(","))):
        name, _, value = word.partition(" ")
        if name == "mss":
            values["mss"] = int(value)
        elif name == "wscale":
            values["window_scale"] = int(value)
        elif name == "sackOK":
            values["sack_permitted"] = True
        elif name == "sack":
            left, right = value.split(":")
            values["sack_blocks"] = ((int(left), int(right)),)
    return build_options(TcpOptions(**values))  # type: ignore[arg-type]


def marks(segment: SeenSegment) -> str:
    """The marks as a figure has them."""
    return " ".join(f"{mark.name}={mark.number}" if mark.name in COUNTED else mark.name for mark in segment.marks)


def states(connection: SeenConnection, segment: SeenSegment) -> str:
    """The states of A and B after a segment."""
    pair = segment.states if connection.ends[0].address == "10.0.0.1" else segment.states[::-1]
    return " ".join("-" if state is None else state.name for state in pair)


def lines(text: str) -> Iterator[str]:
    """The lines of a figure that have a segment."""
    return (line for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


def check(text: str, **iss: int) -> list[SeenConnection]:
    """Follow the segments of a figure; each must get the marks and states that stand beside it.

    Returns the connections.
    """
    figure = Figure()
    figure.iss.update(iss)
    for line in lines(text):
        figure.line(line)
    connections = list(follow(figure.frames))
    found = {
        segment.number: (marks(segment), states(connection, segment))
        for connection in connections
        for segment in connection.segments
    }
    seen = [found.get(frame.number, ("not kept", "")) for frame in figure.frames]
    expected = [
        ("" if want == "nothing" else want if want else got, state if state else now)
        for (want, state), (got, now) in zip(figure.expected, seen, strict=True)
    ]
    assert show(text, seen) == show(text, expected)
    return connections


def show(text: str, said: list[tuple[str, str]]) -> list[str]:
    """The figure with these marks and states."""
    return [
        f"{line.partition('|')[0].strip():<55} | {mark or 'nothing':<30} | {state}"
        for line, (mark, state) in zip(lines(text), said, strict=True)
    ]
