"""What a host tells of its states, as far as it can be seen from outside.

A host's own log has more than the wire. Three things in it show later, or never, and are taken here
when they show:

- CLOSE enters FIN-WAIT-1 at once, while the FIN waits behind data that is still to be sent. From
  outside the end closes when its FIN is sent. If the peer's FIN comes in between, the host goes from
  FIN-WAIT-1 to CLOSING; what is seen is CLOSE-WAIT and then LAST-ACK (RFC 9293 section 3.10.4).
- An ABORT, a user timeout, a hard error, or the end of TIME-WAIT shows when the host sends a reset. An
  end that goes without one is seen to stay as it was.
- LISTEN, CLOSED and no connection at all are one: no segment tells them apart.

A host that has lost its memory is like one that has ended in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stack.tcp.states import LEGAL, Event, State
from stack.wire.addresses import format_ipv4
from stack.wire.tcp import FIN, RST, SYN
from tests.outside.captures import is_broken, is_tcp
from tests.outside.scene import Change, Frame, Log, Restart

CALLS = (Event.CLOSE, Event.SND_FIN)
SILENT = (Event.ABORT, Event.USER_TIMEOUT, Event.HARD_ERROR, Event.TIME_WAIT_TIMEOUT)
NOWHERE = State.CLOSED

Ends = tuple[str, str]


def seen(state: State | None) -> State:
    """A state as it can be told from outside."""
    return NOWHERE if state in (None, State.LISTEN) else state


@dataclass(slots=True, eq=False)
class Life:
    """One connection of a host, and the state that it has for the outside.

    `iss` is the sequence number of the first SYN that it has sent, None before that.
    """

    state: State = NOWHERE
    iss: int | None = None
    gone: bool = False  # it has ended, and no reset has told so yet
    sent_fin: bool = False
    sent_reset: bool = False  # with its last segment
    history: list[State] = field(default_factory=lambda: [NOWHERE])

    def remember(self) -> None:
        """Add the state to the history if it is another one."""
        if self.state is not self.history[-1]:
            self.history.append(self.state)

    def tells(self, change: Change) -> None:
        """The host tells of a change of state. It tells of an ABORT when it has sent the reset."""
        if change.cause in SILENT:
            self.gone = True
            if self.sent_reset:
                self.state = NOWHERE
        elif change.cause not in CALLS:
            ways = LEGAL.get((self.state, change.cause), ())
            self.state = change.after if change.after in ways or not ways else ways[0]
        self.remember()

    def sends(self, seq: int, flags: int) -> None:
        """The host sends a segment."""
        if flags & SYN and self.iss is None:
            self.iss = seq
        if flags & FIN and not self.sent_fin:
            self.sent_fin = True
            ways = LEGAL.get((self.state, Event.SND_FIN)) or LEGAL.get((self.state, Event.CLOSE))
            if ways:
                self.state = ways[0]
        self.sent_reset = bool(flags & RST)
        if self.sent_reset and self.gone:
            self.state = NOWHERE
        self.remember()


class Replay:
    """Goes through the log of one end.

    `rows` has the states after each frame, of all connections on its ports, and `lives` all connections.
    """

    def __init__(self, log: Log) -> None:
        self.rows: list[tuple[int, list[tuple[Life, State]]]] = []
        self._lives: dict[Ends, list[Life]] = {}
        self.lives: list[Life] = []
        self._names: dict[str, Life] = {}
        self._waiting: tuple[int, Ends] | None = None
        number = 0
        for entry in log.entries:
            if isinstance(entry, Frame):
                number += 1
                self._frame(number, entry)
            elif isinstance(entry, Restart):
                self._done()
                self._restart()
            else:
                self._change(entry)
        self._done()

    def _frame(self, number: int, frame: Frame) -> None:
        self._done()
        if not is_tcp(frame.octets) or is_broken(frame.octets):
            return
        own = ends(frame)
        self._waiting = number, own
        lives = self._lives.get(own)
        if lives and frame.direction == "out":
            seq, flags = int.from_bytes(frame.octets[38:42], "big"), frame.octets[47]
            for life in lives if flags & RST else lives[-1:]:
                life.sends(seq, flags)

    def _change(self, change: Change) -> None:
        if change.cause is Event.ACTIVE_OPEN:
            self._done()  # a call of the user: it is none of the frame's doing
        if change.connection not in self._names:
            life = self._names[change.connection] = Life()
            self._lives.setdefault(change.ends, []).append(life)
            self.lives.append(life)
        self._names[change.connection].tells(change)

    def _restart(self) -> None:
        self._names.clear()
        for lives in self._lives.values():
            for life in lives:
                life.gone = True

    def _done(self) -> None:
        """The host is done with the frame that was last."""
        if self._waiting is not None:
            number, own = self._waiting
            self.rows.append((number, [(life, life.state) for life in self._lives.get(own, ())]))
            self._waiting = None


def states_at_each_frame(log: Log) -> Iterator[tuple[int, dict[int | None, State]]]:
    """(The number of a frame, the states of the capture's own end when the host is done with it.)

    The states are those of its connections on the ports of the frame, by the first sequence number of each.
    """
    for number, states in Replay(log).rows:
        yield number, {life.iss: state for life, state in states}


def ends(frame: Frame) -> Ends:
    """The host's own endpoint and the other one, as text."""
    octets = frame.octets
    source = f"{format_ipv4(octets[26:30])}:{int.from_bytes(octets[34:36], 'big')}"
    destination = f"{format_ipv4(octets[30:34])}:{int.from_bytes(octets[36:38], 'big')}"
    return (source, destination) if frame.direction == "out" else (destination, source)
