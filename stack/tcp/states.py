"""The eleven states of a connection and all legal transitions between them, as data.

See RFC 9293 section 3.3.2 (Figure 5) and the event processing of section 3.10. Only `next_state`
computes a new state. The diagram in README.md is drawn from `LEGAL`, and the tests check that each
entry of `LEGAL` is used.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from stack.transitions import draw, follow


class State(IntEnum):
    """RFC 9293 section 3.3.2, in the order of a connection's life."""

    CLOSED = 0
    LISTEN = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    ESTABLISHED = 4
    FIN_WAIT_1 = 5
    FIN_WAIT_2 = 6
    CLOSE_WAIT = 7
    CLOSING = 8
    LAST_ACK = 9
    TIME_WAIT = 10


# The states by their own names: the attribute of an enumeration costs as much as a call
CLOSED: Final = State.CLOSED
LISTEN: Final = State.LISTEN
SYN_SENT: Final = State.SYN_SENT
SYN_RECEIVED: Final = State.SYN_RECEIVED
ESTABLISHED: Final = State.ESTABLISHED
FIN_WAIT_1: Final = State.FIN_WAIT_1
FIN_WAIT_2: Final = State.FIN_WAIT_2
CLOSE_WAIT: Final = State.CLOSE_WAIT
CLOSING: Final = State.CLOSING
LAST_ACK: Final = State.LAST_ACK
TIME_WAIT: Final = State.TIME_WAIT


class Event(IntEnum):
    """What changes the state: user calls, kinds of segments, and timeouts."""

    PASSIVE_OPEN = 0
    ACTIVE_OPEN = 1
    CLOSE = 2
    ABORT = 3
    RCV_SYN = 4
    RCV_SYN_ACK = 5
    RCV_ACK_OF_SYN = 6
    SND_FIN = 7  # the FIN is sent, after the data that was queued before CLOSE
    RCV_FIN = 8
    RCV_ACK_OF_FIN = 9
    RCV_RST = 10
    HARD_ERROR = 11  # the layer below cannot reach the peer (RFC 9293 section 3.9.2.2)
    USER_TIMEOUT = 12
    TIME_WAIT_TIMEOUT = 13


_S, _E = State, Event

LEGAL: dict[tuple[State, Event], tuple[State, ...]] = {
    # 3.10.1 OPEN
    (_S.CLOSED, _E.PASSIVE_OPEN): (_S.LISTEN,),
    (_S.CLOSED, _E.ACTIVE_OPEN): (_S.SYN_SENT,),
    (_S.LISTEN, _E.ACTIVE_OPEN): (_S.SYN_SENT,),
    # 3.10.7.2 and 3.10.7.3: the handshake
    (_S.LISTEN, _E.RCV_SYN): (_S.SYN_RECEIVED,),
    (_S.SYN_SENT, _E.RCV_SYN): (_S.SYN_RECEIVED,),  # simultaneous open
    (_S.SYN_SENT, _E.RCV_SYN_ACK): (_S.ESTABLISHED,),
    (_S.SYN_RECEIVED, _E.RCV_ACK_OF_SYN): (_S.ESTABLISHED,),
    # 3.10.7.4, second and fourth: back to LISTEN when the open was passive
    (_S.SYN_RECEIVED, _E.RCV_RST): (_S.LISTEN, _S.CLOSED),
    (_S.SYN_RECEIVED, _E.RCV_SYN): (_S.LISTEN,),
    # 3.10.4 CLOSE
    (_S.LISTEN, _E.CLOSE): (_S.CLOSED,),
    (_S.SYN_SENT, _E.CLOSE): (_S.CLOSED,),
    (_S.SYN_RECEIVED, _E.CLOSE): (_S.FIN_WAIT_1,),
    (_S.ESTABLISHED, _E.CLOSE): (_S.FIN_WAIT_1,),
    (_S.CLOSE_WAIT, _E.SND_FIN): (_S.LAST_ACK,),
    # 3.10.7.4, fifth: our FIN is acknowledged
    (_S.FIN_WAIT_1, _E.RCV_ACK_OF_FIN): (_S.FIN_WAIT_2,),
    (_S.CLOSING, _E.RCV_ACK_OF_FIN): (_S.TIME_WAIT,),
    (_S.LAST_ACK, _E.RCV_ACK_OF_FIN): (_S.CLOSED,),
    # 3.10.7.4, eighth: the peer's FIN. (A connection in SYN-RECEIVED enters ESTABLISHED in the
    # fifth step.)
    (_S.ESTABLISHED, _E.RCV_FIN): (_S.CLOSE_WAIT,),
    (_S.FIN_WAIT_1, _E.RCV_FIN): (_S.CLOSING,),
    (_S.FIN_WAIT_2, _E.RCV_FIN): (_S.TIME_WAIT,),
    # RFC 6191: the peer opens a new connection; the listener takes the SYN
    (_S.TIME_WAIT, _E.RCV_SYN): (_S.CLOSED,),
    # 3.10.8
    (_S.TIME_WAIT, _E.TIME_WAIT_TIMEOUT): (_S.CLOSED,),
    # 3.9.2.2: a hard error ends only an open that has not succeeded yet (RFC 5927 section 5.2)
    (_S.SYN_SENT, _E.HARD_ERROR): (_S.CLOSED,),
    (_S.SYN_RECEIVED, _E.HARD_ERROR): (_S.CLOSED,),
    # 3.10.7.3 and 3.10.7.4, second: a reset
    **{
        (state, _E.RCV_RST): (_S.CLOSED,)
        for state in (
            _S.SYN_SENT, _S.ESTABLISHED, _S.FIN_WAIT_1, _S.FIN_WAIT_2,
            _S.CLOSE_WAIT, _S.CLOSING, _S.LAST_ACK, _S.TIME_WAIT,
        )
    },
    # 3.10.5 ABORT
    **{(state, _E.ABORT): (_S.CLOSED,) for state in State if state is not _S.CLOSED},
    # 3.10.8: the user timeout (a connection in TIME-WAIT or LISTEN waits for no answer)
    **{
        (state, _E.USER_TIMEOUT): (_S.CLOSED,)
        for state in (
            _S.SYN_SENT, _S.SYN_RECEIVED, _S.ESTABLISHED, _S.FIN_WAIT_1,
            _S.FIN_WAIT_2, _S.CLOSE_WAIT, _S.CLOSING, _S.LAST_ACK,
        )
    },
}  # fmt: skip

BY_STATE: dict[tuple[State, Event], str] = {
    (_S.LISTEN, _E.CLOSE): "close_before_open",
    (_S.SYN_SENT, _E.CLOSE): "close_before_open",
    (_S.SYN_RECEIVED, _E.CLOSE): "close_half_open",
    (_S.CLOSING, _E.ABORT): "abort_after_fins",
    (_S.LAST_ACK, _E.ABORT): "abort_after_fins",
    (_S.TIME_WAIT, _E.ABORT): "abort_after_fins",
    (_S.SYN_SENT, _E.RCV_SYN): "rcv_syn_crossing",
    (_S.SYN_RECEIVED, _E.RCV_SYN): "rcv_syn_again",
    (_S.TIME_WAIT, _E.RCV_SYN): "rcv_syn_in_time_wait",
    (_S.FIN_WAIT_1, _E.RCV_ACK_OF_FIN): "rcv_ack_of_fin_first",
    (_S.FIN_WAIT_1, _E.RCV_FIN): "rcv_fin_crossing",
    (_S.FIN_WAIT_2, _E.RCV_FIN): "rcv_fin_after_ours",
    (_S.CLOSING, _E.RCV_ACK_OF_FIN): "rcv_ack_of_fin_closing",
    (_S.SYN_SENT, _E.RCV_RST): "rcv_rst_refused",
    (_S.SYN_RECEIVED, _E.RCV_RST): "rcv_rst_half_open",
    (_S.CLOSING, _E.RCV_RST): "rcv_rst_closing",
    (_S.LAST_ACK, _E.RCV_RST): "rcv_rst_closing",
    (_S.TIME_WAIT, _E.RCV_RST): "rcv_rst_closing",
}
BY_EVENT: dict[Event, str] = {
    _E.PASSIVE_OPEN: "passive_open",
    _E.ACTIVE_OPEN: "active_open",
    _E.CLOSE: "close",
    _E.ABORT: "abort",
    _E.RCV_SYN: "rcv_syn",
    _E.RCV_SYN_ACK: "rcv_syn_ack",
    _E.RCV_ACK_OF_SYN: "rcv_ack_of_syn",
    _E.SND_FIN: "snd_fin",
    _E.RCV_FIN: "rcv_fin",
    _E.RCV_ACK_OF_FIN: "rcv_ack_of_fin",
    _E.RCV_RST: "rcv_rst",
    _E.HARD_ERROR: "hard_error",
    _E.USER_TIMEOUT: "user_timeout",
    _E.TIME_WAIT_TIMEOUT: "time_wait_timeout",
}
"""The reasons that observers are told: `BY_STATE` where a state has its own clause."""


def reason_for(before: State, event: Event) -> str:
    """Why `event` changes the state, as a word of `stack/trace/tcp_reasons.py`."""
    if (before, event) in BY_STATE:
        return BY_STATE[before, event]
    return BY_EVENT[event]


# Section 3.5: "synchronized" means that both ends agree on the sequence numbers.
SYNCHRONIZED = frozenset(state for state in State if state >= State.ESTABLISHED)


_ONLY_WAY = {way: targets[0] for way, targets in LEGAL.items() if len(targets) == 1}


def next_state(state: State, event: Event, to: State | None = None) -> State:
    """The state after `event`; `to` chooses one where the RFC allows two."""
    found = _ONLY_WAY.get((state, event))
    return found if found is not None and (to is None or to is found) else follow(LEGAL, state, event, to)


# These are possible in almost every state and would hide the rest of the diagram.
_SUDDEN_ENDS = (Event.ABORT, Event.USER_TIMEOUT, Event.RCV_RST, Event.HARD_ERROR)


def diagram() -> str:
    """The table as a Mermaid state diagram.

    Left out: reset, ABORT, timeout and hard error, which lead from almost every state to CLOSED.
    """
    return draw(LEGAL, State.CLOSED, lambda event, to: event not in _SUDDEN_ENDS or to is not State.CLOSED)
