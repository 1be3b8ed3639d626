"""The states of a DHCP client and every legal way from one to another, as data.

See RFC 2131 figure 5. Two states are not in the figure: STOPPED, where nothing is asked for, and INFORMING, the wait
for the answer to a DHCPINFORM (section 4.4.3). While an address that was acknowledged is being probed the client stays
in REQUESTING or REBOOTING, as in the figure, where an acknowledgment is accepted or declined.
"""

from __future__ import annotations

from enum import IntEnum

from stack.transitions import draw, follow


class State(IntEnum):
    """RFC 2131 figure 5, in the order of a lease's life."""

    STOPPED = 0
    INIT = 1
    SELECTING = 2
    REQUESTING = 3
    BOUND = 4
    RENEWING = 5
    REBINDING = 6
    INIT_REBOOT = 7
    REBOOTING = 8
    INFORMING = 9


class Event(IntEnum):
    """What moves a client: its user, what a server says, what the network shows, and timers."""

    START = 0
    INFORM = 1
    STOP = 2
    SND_DISCOVER = 3
    SND_REQUEST = 4  # for the address of old
    SELECT_OFFER = 5
    RCV_ACK = 6  # and, where the address is a new one, nobody else has it
    RCV_NAK = 7
    CONFLICT = 8  # somebody else has the address: DHCPDECLINE
    UNANSWERED = 9  # as often as it makes sense
    T1 = 10
    T2 = 11
    EXPIRED = 12
    LINK_CHANGED = 13


_S, _E = State, Event

LEGAL: dict[tuple[State, Event], tuple[State, ...]] = {
    (_S.STOPPED, _E.START): (_S.INIT, _S.INIT_REBOOT),
    # 4.4.1: a new address
    (_S.INIT, _E.SND_DISCOVER): (_S.SELECTING,),
    (_S.SELECTING, _E.SELECT_OFFER): (_S.REQUESTING,),
    (_S.REQUESTING, _E.RCV_ACK): (_S.BOUND,),
    (_S.REQUESTING, _E.RCV_NAK): (_S.INIT,),
    (_S.REQUESTING, _E.CONFLICT): (_S.INIT,),
    (_S.REQUESTING, _E.UNANSWERED): (_S.INIT,),
    (_S.REQUESTING, _E.EXPIRED): (_S.INIT,),  # while it was probed
    # 4.4.2: the address of old
    (_S.INIT_REBOOT, _E.SND_REQUEST): (_S.REBOOTING,),
    (_S.REBOOTING, _E.RCV_ACK): (_S.BOUND,),
    (_S.REBOOTING, _E.RCV_NAK): (_S.INIT,),
    (_S.REBOOTING, _E.CONFLICT): (_S.INIT,),
    (_S.REBOOTING, _E.UNANSWERED): (_S.INIT, _S.BOUND),  # 3.7: what is in use may be used on until it expires
    (_S.REBOOTING, _E.EXPIRED): (_S.INIT,),
    # 4.4.5: the lease is extended, or ends
    (_S.BOUND, _E.T1): (_S.RENEWING,),
    (_S.RENEWING, _E.RCV_ACK): (_S.BOUND,),
    (_S.RENEWING, _E.RCV_NAK): (_S.INIT,),
    (_S.RENEWING, _E.T2): (_S.REBINDING,),
    (_S.REBINDING, _E.RCV_ACK): (_S.BOUND,),
    (_S.REBINDING, _E.RCV_NAK): (_S.INIT,),
    **{(state, _E.EXPIRED): (_S.INIT,) for state in (_S.BOUND, _S.RENEWING, _S.REBINDING)},
    # 4.4.4 and RFC 5227 section 2.4: somebody took the address later
    **{(state, _E.CONFLICT): (_S.INIT,) for state in (_S.BOUND, _S.RENEWING, _S.REBINDING)},
    # 3.7: the network may be another one now
    (_S.SELECTING, _E.LINK_CHANGED): (_S.INIT,),
    (_S.REQUESTING, _E.LINK_CHANGED): (_S.INIT,),
    **{
        (state, _E.LINK_CHANGED): (_S.INIT_REBOOT,)
        for state in (_S.BOUND, _S.RENEWING, _S.REBINDING, _S.REBOOTING)
    },
    # 4.4.3: parameters for an address that came another way
    (_S.STOPPED, _E.INFORM): (_S.INFORMING,),
    (_S.INFORMING, _E.RCV_ACK): (_S.STOPPED,),
    (_S.INFORMING, _E.UNANSWERED): (_S.STOPPED,),
    # 4.4.6, or the host ends. (INIT-REBOOT is left as soon as it is entered.)
    **{
        (state, _E.STOP): (_S.STOPPED,)
        for state in State
        if state not in (_S.STOPPED, _S.INIT_REBOOT)
    },
}  # fmt: skip

HOLDING = frozenset({State.BOUND, State.RENEWING, State.REBINDING})
"""Where a lease is in use. (In REBOOTING one is, too, if it is only being verified.)"""


def next_state(state: State, event: Event, to: State | None = None) -> State:
    """The state that `event` leads to from `state`; `to` chooses where there are two ways."""
    return follow(LEGAL, state, event, to)


def diagram() -> str:
    """The table as a Mermaid state diagram. Left out: STOP, which leads from every state to STOPPED."""
    return draw(LEGAL, State.STOPPED, lambda event, to: event is not Event.STOP)
