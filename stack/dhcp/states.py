"""The states of a DHCP client and every legal transition, as data.

See RFC 2131 figure 5. Two states are not in the figure: STOPPED, where the client does nothing, and
INFORMING, the wait for the answer to a DHCPINFORM (section 4.4.3). The client stays in REQUESTING
or REBOOTING while it probes an acknowledged address: the figure accepts or declines it in these
states.
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
    """What changes the state: calls of the user, messages, address conflicts, the link, timers."""

    START = 0
    INFORM = 1
    STOP = 2
    SND_DISCOVER = 3
    SND_REQUEST = 4  # for the remembered address
    SELECT_OFFER = 5
    RCV_ACK = 6  # a new address has been probed as well
    RCV_NAK = 7
    CONFLICT = 8  # another host has the address: DHCPDECLINE
    UNANSWERED = 9  # the last attempt was not answered
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
    (_S.REQUESTING, _E.EXPIRED): (_S.INIT,),  # while the address was probed
    # 4.4.2: the remembered address
    (_S.INIT_REBOOT, _E.SND_REQUEST): (_S.REBOOTING,),
    (_S.REBOOTING, _E.RCV_ACK): (_S.BOUND,),
    (_S.REBOOTING, _E.RCV_NAK): (_S.INIT,),
    (_S.REBOOTING, _E.CONFLICT): (_S.INIT,),
    (_S.REBOOTING, _E.UNANSWERED): (_S.INIT, _S.BOUND),  # 3.7: a lease in use stays until it expires
    (_S.REBOOTING, _E.EXPIRED): (_S.INIT,),
    # 4.4.5: the lease is extended, or ends
    (_S.BOUND, _E.T1): (_S.RENEWING,),
    (_S.RENEWING, _E.RCV_ACK): (_S.BOUND,),
    (_S.RENEWING, _E.RCV_NAK): (_S.INIT,),
    (_S.RENEWING, _E.T2): (_S.REBINDING,),
    (_S.REBINDING, _E.RCV_ACK): (_S.BOUND,),
    (_S.REBINDING, _E.RCV_NAK): (_S.INIT,),
    **{(state, _E.EXPIRED): (_S.INIT,) for state in (_S.BOUND, _S.RENEWING, _S.REBINDING)},
    # 4.4.4 and RFC 5227 section 2.4: another host took the address later
    **{(state, _E.CONFLICT): (_S.INIT,) for state in (_S.BOUND, _S.RENEWING, _S.REBINDING)},
    # 3.7: the network may have changed
    (_S.SELECTING, _E.LINK_CHANGED): (_S.INIT,),
    (_S.REQUESTING, _E.LINK_CHANGED): (_S.INIT,),
    **{
        (state, _E.LINK_CHANGED): (_S.INIT_REBOOT,)
        for state in (_S.BOUND, _S.RENEWING, _S.REBINDING, _S.REBOOTING)
    },
    # 4.4.3: parameters for an address that was configured by other means
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
"""The states in which a lease is in use. (In REBOOTING one is in use if it is being verified.)"""


def next_state(state: State, event: Event, to: State | None = None) -> State:
    """The state that `event` leads to from `state`; `to` selects one of two."""
    return follow(LEGAL, state, event, to)


def diagram() -> str:
    """The table as a Mermaid state diagram. STOP (from every state to STOPPED) is left out."""
    return draw(LEGAL, State.STOPPED, lambda event, to: event is not Event.STOP)
