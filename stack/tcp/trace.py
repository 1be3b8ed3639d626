"""Tells observers about TCP: the connections by their numbers, and what changes in their TCBs."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from stack.tcp.changes import OVER, Changes
from stack.tcp.states import State
from stack.trace.trace import Trace
from stack.trace.why import WHY
from stack.wire.addresses import endpoint

if TYPE_CHECKING:
    from stack.tcp.segment import Segment
    from stack.tcp.tcb import Tcb


class TcpTrace:
    """What TCP tells the observers of its host: `Services.trace` while there are any.

    A connection has a number from its first event on. A port that is used again is another
    connection, with another number. `trace` tells what belongs to no connection.
    """

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self._event = trace.event
        self._connections = 0
        self._changes = Changes(self.tell)
        self._timed: dict[int, float] = {}  # connection to when the segment that is being timed was told
        self._frames: dict[int, int] = {}  # connection to the last frame of this batch that was for it
        self._segments: dict[int, tuple[int, int]] = {}  # connection to the last one that was not acknowledged
        self._told: dict[int, dict[str, object]] = {}  # connection and event to what need not be told again

    def group(self, tcb: Tcb) -> str:
        """The name of a connection, "c7". The event "tcp:open" introduces it."""
        if not tcb.serial:
            is_new = tcb.state is State.CLOSED and not tcb.snd_nxt
            self._open(tcb, "opened" if is_new else "was_open", passive=tcb.came_from_listen)
        return _name(tcb.serial)

    def child(self, tcb: Tcb, listener: tuple[bytes, int]) -> None:
        """A listener has made a connection."""
        self._open(tcb, "listener_child", passive=True, listener=endpoint(listener))

    def _open(self, tcb: Tcb, because: str, **data: object) -> None:
        self._connections += 1
        tcb.serial = self._connections
        ends = {"local": endpoint(tcb.local), "remote": endpoint(tcb.remote)}
        self.trace.tell("tcp:open", _name(tcb.serial), because, **ends, **data, state=tcb.state.name)

    def tell(self, tcb: Tcb, name: str, because: str, data: dict[str, object]) -> None:
        """See `Trace.tell`."""
        if because:
            data["because"] = because
            why = WHY[because]
        else:
            why = WHY[name]
        serial = tcb.serial
        self._event(name, _name(serial) if serial else self.group(tcb), why, data)

    def segment_of(self, tcb: Tcb, segment: Segment) -> None:
        """The frame in progress has a segment for this connection."""
        self.trace.verdict("delivered", self.group(tcb))
        self._frames[tcb.serial] = self.trace.frame
        self._segments[tcb.serial] = segment.flags, segment.whole_len

    def icmp_taken(self, tcb: Tcb, because: str, data: dict[str, object]) -> None:
        """The frame in progress has an ICMP error about a segment of this connection."""
        self.trace.verdict("delivered", self.group(tcb))
        self._frames[tcb.serial] = self.trace.frame
        self.tell(tcb, "icmp:taken", because, data)

    def take_segment(self, tcb: Tcb) -> tuple[int, int] | None:
        """Flags and SEG.LEN of the last segment since an ACK was sent.

        None if no segment has come since.
        """
        return self._segments.pop(tcb.serial, None)

    def acknowledged(self, tcb: Tcb) -> None:
        """An ACK is sent for all that has come."""
        self._segments.pop(tcb.serial, None)
        if tcb.serial in self._told:
            self._told[tcb.serial].pop("tcp:ack", None)

    def is_news(self, tcb: Tcb, name: str, what: object) -> bool:
        """Whether the last call for this connection and event had another `what`."""
        told = self._told.get(tcb.serial)
        if told is None:
            self.group(tcb)
            told = self._told[tcb.serial] = {}
        elif told.get(name) == what:
            return False
        told[name] = what
        return True

    def turn_to(self, tcb: Tcb) -> None:
        """The batch is over, and it is this connection's turn: its last segment is the cause."""
        frame = self._frames.pop(tcb.serial, 0)
        if frame:
            self.trace.because_of(frame)

    def batch_end(self) -> None:
        """The batch is over: its frames cause nothing more."""
        self._frames.clear()

    def settled(self, tcb: Tcb, now: float) -> None:
        """A batch, a call or a deadline is over: tell what has changed in the TCB."""
        if self.trace.values:
            self._changes.tell(tcb, now)
        else:
            self._changes.forget_values(tcb)
            self._changes.tell_phase(tcb)
        if tcb.state in OVER:
            self._changes.forget(tcb)
            self._told.pop(tcb.serial, None)
            self._segments.pop(tcb.serial, None)
            self._timed.pop(tcb.serial, None)

    def timed(self, tcb: Tcb) -> None:
        """The segment that is about to be sent is being timed."""
        self.group(tcb)
        self._timed[tcb.serial] = self.trace.at()

    def round_trip(self, tcb: Tcb, because: str, sample_s: float, timed: bool = True) -> None:
        """Tell of a measurement, or why there is none, beside what was observed (`Event.at`).

        The estimator knows only the times of batches. `timed` says that the segment was being timed
        that `timed` has noted.
        """
        rtt = tcb.rtt
        data: dict[str, object] = {
            "sample_s": round(sample_s, 9), "srtt_s": rtt.srtt_s, "rttvar_s": rtt.rttvar_s, "rto_s": rtt.timeout_s()
        }  # fmt: skip
        begun = self._timed.pop(tcb.serial, None)
        if timed and begun is not None:
            data["observed_s"] = round(self.trace.at() - begun, 9)
        self.tell(tcb, "tcp:rtt", because, data)

    def clear(self) -> None:
        """The last observer has gone."""
        self._changes.clear()
        self._timed.clear()
        self._frames.clear()
        self._segments.clear()
        self._told.clear()


@lru_cache(maxsize=256)
def _name(serial: int) -> str:
    """The name of a connection. Its events share the text, which saves memory, too."""
    return f"c{serial}"
