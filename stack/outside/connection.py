"""A connection as it was seen: its two ends, and its segments with what is said of each."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from stack.outside.mark import Mark
from stack.outside.sack import sack_blocks
from stack.tcp.states import Event, State, reason_for
from stack.trace.explain import OWN
from stack.trace.reasons import REASONS
from stack.wire.addresses import format_ipv4
from stack.wire.ipv6 import format_ipv6
from stack.wire.tcp import RST, SYN

MASK = 0xFFFF_FFFF

States = tuple[State | None, State | None]
"""The states of the two ends; None as long as nothing shows it."""


class StateChange(NamedTuple):
    """An end has gone from a state to another, by an event of the legal table (RFC 9293 3.3.2).

    No state is on the wire: each is inferred. `because` says what in the capture shows it.
    """

    end: int
    before: State | None
    event: Event
    after: State
    because: str

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses of the RFCs that ask for this change.

        None for a reset that is sent: it does not show whether a program or the stack gave up.
        """
        if self.event is Event.ABORT:
            return ()
        why = REASONS[reason_for(State.CLOSED if self.before is None else self.before, self.event)].why
        return () if why == OWN else why


class SeenSegment:
    """One segment, with the number of its frame.

    Attributes:
      number, time_ns: those of the frame.
      end: which end of the connection has sent it, 0 or 1.
      seq, ack, flags, window, options: the fields of the header as they are on the wire.
      length: octets of data.
      data_at: where its data begin in the octets of its frame; 0 if the datagram came in fragments.
      marks: what is said of it.
      changes: the changes of state that it shows, at the sender and then at the receiver.
      states: of both ends after it.
      acknowledges: the number of the frame whose last octet it acknowledges first; 0 for none.
      rtt_ns: how long after that frame, at the point of capture; None if there is no measurement.
    """

    __slots__ = (
        "ack", "acknowledges", "changes", "data_at", "end", "flags", "length", "marks", "number", "options",
        "rtt_ns", "seq", "states", "time_ns", "window",
    )  # fmt: skip

    def __init__(
        self, number: int, time_ns: int, end: int, seq: int, ack: int, flags: int, window: int, length: int,
        options: bytes,
    ) -> None:  # fmt: skip
        self.number = number
        self.time_ns = time_ns
        self.end = end
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.window = window
        self.length = length
        self.options = options
        self.data_at = 0
        self.marks: tuple[Mark, ...] = ()
        self.changes: tuple[StateChange, ...] = ()
        self.states: States = (None, None)
        self.acknowledges = 0
        self.rtt_ns: int | None = None

    def mark(self, name: str) -> Mark | None:
        """The mark of this name; None if the segment has none."""
        for mark in self.marks:
            if mark.kind.name == name:
                return mark
        return None

    def __repr__(self) -> str:
        names = " ".join(mark.name for mark in self.marks)
        return f"<SeenSegment {self.number} end {self.end} seq {self.seq} length {self.length}: {names}>"


class SeenEnd:
    """One end of a connection, with what its segments have told.

    The names are those of RFC 9293 section 3.3.1 where the RFC has one. What is above the line is
    for readers; below are the variables by which segments are judged.

    Attributes:
      socket: address and port, 6 or 18 octets; `address` and `port` are the same for people.
      iss: its initial sequence number; None if its SYN was not captured.
      base: what relative numbers count from: `iss`, or one before the first number that was seen.
      state: the last inferred state.
      mss: the maximum segment size that its SYN has told.
      scale: the shift of its windows: from both SYNs, 0 if one does not have the option; None if
        they were not captured, so that the window is not known.
      fin: the sequence number after its FIN; None if no FIN was captured.
      octets: octets of data that it has sent, those that were sent again included.
    """

    __slots__ = (
        "ack",
        "ack_frame",
        "ack_time_ns",
        "acknowledged_unseen",
        "base",
        "changed_at",
        "duplicates",
        "fin",
        "fin_acknowledged",
        "held",
        "holes",
        "inbox",
        "iss",
        "last",
        "last_time_ns",
        "local",
        "mss",
        "nxt",
        "nxt_frame",
        "nxt_time_ns",
        "octets",
        "octets_of_window",
        "offered_scale",
        "passive",
        "probed",
        "provoked",
        "rcv_nxt",
        "recent",
        "sacked",
        "scale",
        "socket",
        "state",
        "syn_acknowledged",
        "unacknowledged",
        "window",
    )  # fmt: skip

    def __init__(self, socket: bytes) -> None:
        self.socket = socket
        self.iss: int | None = None
        self.base: int | None = None
        self.state: State | None = None
        self.mss: int | None = None
        self.scale: int | None = None
        self.fin: int | None = None
        self.octets = 0
        # ---
        self.passive = False  # it was in LISTEN
        self.offered_scale: int | None = None  # the option of its SYN
        self.nxt: int | None = None  # SND.NXT: after the highest octet that was seen
        self.nxt_frame = 0
        self.nxt_time_ns = 0
        self.holes: list[tuple[int, int]] = []  # below `nxt`: what the capture does not have
        self.window = -1  # the field of its last segment
        self.octets_of_window: int | None = None  # the same, scaled
        self.ack: int | None = None  # the field of its last segment
        self.ack_time_ns = 0
        self.ack_frame = 0  # the first frame with this ACK
        self.duplicates = 0
        self.sacked: tuple[tuple[int, int], ...] = ()  # the SACK blocks of its last segment
        self.acknowledged_unseen: int | None = None  # the last ACK by the peer of more than was seen
        self.last: tuple[Mark, ...] = ()  # the marks of its last segment
        self.unacknowledged: deque[list[int]] = deque()  # of each: the number after it, frame, time
        self.probed: int | None = None  # the number of a zero window probe that was not acknowledged yet
        self.provoked = 0  # the frame of a segment of the peer that this end must challenge
        self.last_time_ns = 0
        self.recent: dict[tuple[int, int, int, int, int, int, bytes], int] = {}  # its last datagrams, and their frames
        self.local: bool | None = None  # whether the capture was made at this end
        # of arrival.py, where the capture was made at this end
        self.rcv_nxt: int | None = None  # RCV.NXT
        self.held: list[tuple[int, int]] = []  # text that waits behind a gap
        # of infer.py
        self.inbox: list[tuple[SeenSegment, str]] = []
        self.changed_at: SeenSegment | None = None
        self.syn_acknowledged = False
        self.fin_acknowledged = False

    @property
    def address(self) -> str:
        """The IP address as text."""
        return format_address(self.socket[:-2])

    @property
    def port(self) -> int:
        """The port."""
        return int.from_bytes(self.socket[-2:], "big")

    def __repr__(self) -> str:
        return f"<SeenEnd {self.address} port {self.port}>"


def format_address(address: bytes) -> str:
    """An address of 4 or 16 octets as text."""
    return format_ipv4(address) if len(address) == 4 else format_ipv6(address)


class SeenConnection:
    """A connection: everything from one SYN on, or what was captured of one that began before.

    Attributes:
      number: counts the connections of the capture from 1, in the order of their first frames.
      ends: the two ends; `ends[0]` has sent the first segment that was captured.
      segments: all segments, in the order in which they were captured.
      marks: what is said of the connection as a whole.
      began: whether its SYN was captured.
      counts: how many segments have each mark, by the mark's name, those not kept included.
      left_out: segments that were judged, but not kept.
      rtt_ns: the round trip of the handshake, from the SYN to the ACK of the SYN,ACK.
    """

    __slots__ = (
        "began", "counts", "ends", "first_number", "first_state", "first_time_ns", "last_number", "last_time_ns",
        "left_out", "marks", "number", "rtt_ns", "segments", "syn_time_ns",
    )  # fmt: skip

    def __init__(self, number: int, first: bytes, second: bytes) -> None:
        self.number = number
        self.ends = (SeenEnd(first), SeenEnd(second))
        self.segments: list[SeenSegment] = []
        self.marks: tuple[Mark, ...] = ()
        self.began = False
        self.syn_time_ns = 0  # of the last SYN of the first end
        self.first_state: State | None = None  # of both ends, before the first segment
        self.counts: dict[str, int] = {}
        self.left_out = 0
        self.rtt_ns: int | None = None
        self.first_number = self.last_number = 0
        self.first_time_ns = self.last_time_ns = 0

    @property
    def states(self) -> States:
        """The last inferred states of both ends."""
        return self.ends[0].state, self.ends[1].state

    @property
    def changes(self) -> list[tuple[SeenSegment, StateChange]]:
        """Every change of state, with the segment that shows it."""
        return [(segment, change) for segment in self.segments for change in segment.changes]

    def index_of(self, socket: bytes) -> int:
        """Which of the two ends has this socket: 0 or 1."""
        return 0 if self.ends[0].socket == socket else 1

    def relative_seq(self, segment: SeenSegment) -> int:
        """The sequence number of a segment, counted from its sender's first.

        A reset that answers a SYN has the number 0 itself (RFC 9293 section 3.10.7.1).
        """
        end = self.ends[segment.end]
        if segment.flags & RST and not segment.seq and end.iss is None:
            return 0
        return (segment.seq - (end.base or 0)) & MASK

    def relative_ack(self, segment: SeenSegment) -> int:
        """The acknowledgment number of a segment, counted from the other end's first number."""
        return (segment.ack - (self.ends[1 - segment.end].base or 0)) & MASK

    def relative_sack(self, segment: SeenSegment) -> tuple[tuple[int, int], ...]:
        """The SACK blocks of a segment, counted as its ACK is.

        Of each block: the number of its first octet, and of the first octet after it.
        """
        blocks = sack_blocks(segment.options)
        if not blocks:
            return blocks
        base = self.ends[1 - segment.end].base or 0
        return tuple(((left - base) & MASK, (right - base) & MASK) for left, right in blocks)

    def window(self, segment: SeenSegment) -> int | None:
        """The window of a segment in octets; None if its scale is not known.

        The window of a SYN is never scaled (RFC 7323 section 2.2).
        """
        if segment.flags & SYN:
            return segment.window
        scale = self.ends[segment.end].scale
        return None if scale is None else segment.window << scale

    def __repr__(self) -> str:
        return f"<SeenConnection {self.number} of {self.ends[0]!r} and {self.ends[1]!r}>"
