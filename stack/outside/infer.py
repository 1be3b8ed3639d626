"""Infers the states of both ends from the segments between them (RFC 9293 section 3.3.2, Figure 5).

No state is on the wire. What an end has sent shows what its user has called: a SYN is OPEN, a FIN
is CLOSE, a reset is ABORT. What an end has received is shown by what it sends later: an ACK of the
FIN shows that the FIN has arrived. Until then a segment lies in the end's `inbox`, since it may
still be on its way, or be lost. At the end of the capture it is taken to have arrived.

The next state is always that of the table in `stack/tcp/states.py`. An event that the table does
not have in the inferred state changes nothing.
"""

from __future__ import annotations

from stack.outside.arrival import accept
from stack.outside.connection import SeenConnection, SeenEnd, SeenSegment, StateChange, States
from stack.outside.sent import after, before
from stack.tcp.states import LEGAL, Event, State
from stack.wire.tcp import ACK, FIN, RST, SYN

# What lies in an inbox: how a segment can change the state of the end that receives it
SYN_ALONE, SYN_ACK, ACK_OF_SYN, ACK_OF_FIN, THE_FIN, RESET = (
    "syn", "syn_ack", "ack_of_syn", "ack_of_fin", "fin", "reset",
)  # fmt: skip

FIN_HAS_COME = (State.CLOSE_WAIT, State.LAST_ACK, State.TIME_WAIT, State.CLOSING, State.CLOSED)

BECAUSE: dict[str, str] = {
    SYN_ALONE: "the SYN has arrived: it is answered by SYN,ACK",
    SYN_ACK: "the SYN,ACK has arrived",
    ACK_OF_SYN: "the ACK of its SYN has arrived",
    ACK_OF_FIN: "the ACK of its FIN has arrived",
    THE_FIN: "the FIN has arrived",
    RESET: "the reset has arrived: its number is the next one that is expected",
}


def change(end: SeenEnd, index: int, segment: SeenSegment, event: Event, because: str, to: State | None = None) -> bool:
    """Take `end` through a legal transition, which `segment` shows; False if it is not legal."""
    state = end.state if end.state is not None else State.CLOSED
    ways = LEGAL.get((state, event), ())
    if not ways or (to is not None and to not in ways):
        return False
    found = to if to is not None else ways[0]
    latest = end.changed_at
    if latest is not None and latest.number > segment.number:
        segment = latest  # the change follows the one before, whichever frame shows it
    end.changed_at = segment
    segment.changes += (StateChange(index, end.state, event, found, because),)
    end.state = found
    return True


def infer(connection: SeenConnection, segment: SeenSegment, arrived: bool = False) -> None:
    """Take one segment: what it shows of its sender, and what it may do at the receiver.

    `arrived` says that it was captured at the receiver, so that it does it now.
    """
    index = segment.end
    sender, receiver = connection.ends[index], connection.ends[1 - index]
    if sender.inbox:
        prove(sender, receiver, index, segment)
    if segment.flags & (SYN | FIN | RST):
        act(connection, sender, receiver, index, segment)
    if not arrived:
        post(sender, receiver, segment, not any(before(left, sender.fin or left) for left, _ in sender.holes))
    elif accept(sender, receiver, segment) or segment.flags & (SYN | RST):
        post(sender, receiver, segment, sender.fin is not None and receiver.rcv_nxt == sender.fin)
        arrive(receiver, 1 - index)


def arrive(end: SeenEnd, index: int) -> None:
    """What lies in the inbox of `end` has come.

    Whether there is a listener that takes a SYN is not known before the answer.
    """
    entries, end.inbox = end.inbox, []
    for received, what in entries:
        if what in (SYN_ALONE, SYN_ACK) and end.state is None:
            end.inbox.append((received, what))
        else:
            take(end, index, received, what)


def prove(end: SeenEnd, peer: SeenEnd, index: int, segment: SeenSegment) -> None:
    """Apply what lies in the inbox of `end`, as far as its segment shows that it has arrived."""
    inbox, flags, proven = end.inbox, segment.flags, -1
    for position, (received, what) in enumerate(inbox):
        if what in (SYN_ALONE, SYN_ACK):
            # A reset acknowledges the SYN that it refuses.
            if flags & ACK and not flags & RST and not before(segment.ack, after(received)):
                proven = position
        elif what == THE_FIN:
            if flags & ACK and peer.fin is not None and not before(segment.ack, peer.fin):
                proven = position
        elif (what == ACK_OF_SYN and not flags & SYN) or (what in (ACK_OF_SYN, ACK_OF_FIN) and flags & RST):
            proven = position
    if flags & SYN and flags & ACK and proven < 0 and end.state is State.SYN_RECEIVED:
        # The SYN,ACK is sent again: the ACK of it has not arrived, or not yet.
        end.inbox = [entry for entry in inbox if entry[1] != ACK_OF_SYN]
        end.syn_acknowledged = False
        return
    entries, end.inbox = inbox[: proven + 1], inbox[proven + 1 :]
    for received, what in entries:
        if what == SYN_ALONE and not flags & SYN and end.state is State.SYN_SENT:
            continue  # it got a SYN,ACK instead: this SYN, which crossed its own, was lost
        take(end, index, received, what)


def take(end: SeenEnd, index: int, received: SeenSegment, what: str) -> None:
    """`end` has received a segment: the events of RFC 9293 section 3.10.7."""
    because = BECAUSE[what]
    if what == SYN_ALONE:
        if end.state is None:
            end.passive = True
            change(end, index, received, Event.PASSIVE_OPEN, "it answers a SYN, so there is a listener")
        change(end, index, received, Event.RCV_SYN, because, State.SYN_RECEIVED)
    elif what == SYN_ACK:
        if end.state is None:
            change(end, index, received, Event.ACTIVE_OPEN, "it takes a SYN,ACK, so it has sent a SYN")
        if not change(end, index, received, Event.RCV_SYN_ACK, because):
            change(end, index, received, Event.RCV_ACK_OF_SYN, because)
    elif what == ACK_OF_SYN:
        change(end, index, received, Event.RCV_ACK_OF_SYN, because)
    elif what == ACK_OF_FIN:
        change(end, index, received, Event.RCV_ACK_OF_FIN, because)
    elif what == THE_FIN:
        change(end, index, received, Event.RCV_FIN, because)
    elif end.state is State.SYN_RECEIVED:
        change(end, index, received, Event.RCV_RST, because, State.LISTEN if end.passive else State.CLOSED)
    else:
        change(end, index, received, Event.RCV_RST, because)


def act(connection: SeenConnection, sender: SeenEnd, receiver: SeenEnd, index: int, segment: SeenSegment) -> None:
    """What a SYN, a FIN or a reset shows of its sender."""
    flags = segment.flags
    if flags & RST:
        refused = any(what == SYN_ACK and received.ack == sender.nxt for received, what in sender.inbox)
        sender.inbox = [entry for entry in sender.inbox if entry[1] != SYN_ACK]
        if sender.state is State.SYN_SENT and not refused:
            return  # it answers an ACK that it cannot take, and stays
        if sender.state is None or segment.seq != sender.nxt:
            return
        change(sender, index, segment, Event.ABORT, "it sends a reset with its next sequence number")
    elif flags & SYN:
        if not flags & ACK and sender.state is None:
            change(sender, index, segment, Event.ACTIVE_OPEN, "it sends a SYN")
        elif flags & ACK and sender.state is None:  # the SYN that it answers was not captured
            sender.passive = True
            change(sender, index, segment, Event.PASSIVE_OPEN, "it answers a SYN, so there is a listener")
            change(sender, index, segment, Event.RCV_SYN, BECAUSE[SYN_ALONE], State.SYN_RECEIVED)
    if flags & FIN and sender.fin is None:
        sender.fin = after(segment)
        if not change(sender, index, segment, Event.SND_FIN, "it sends a FIN"):
            change(sender, index, segment, Event.CLOSE, "it sends a FIN", State.FIN_WAIT_1)


def post(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment, complete: bool) -> None:
    """Put into the receiver's inbox what the segment will do when it arrives.

    `complete` says that nothing is missing before the sender's FIN.
    """
    flags, inbox = segment.flags, receiver.inbox
    if flags & RST:
        if acceptable(sender, receiver, segment):
            replace(receiver, segment, RESET)
        elif receiver.state not in (None, State.CLOSED, State.SYN_SENT):
            receiver.provoked = segment.number
        return
    if flags & SYN:
        what = SYN_ACK if flags & ACK else SYN_ALONE
        replace(receiver, segment, what)
    elif flags & ACK:
        if receiver.iss is not None and not receiver.syn_acknowledged and before(receiver.iss, segment.ack):
            receiver.syn_acknowledged = True
            inbox.append((segment, ACK_OF_SYN))
    if receiver.fin is not None and not receiver.fin_acknowledged and flags & ACK:
        if not before(segment.ack, receiver.fin):
            receiver.fin_acknowledged = True
            inbox.append((segment, ACK_OF_FIN))
    fin = sender.fin
    if fin is not None and after(segment) != segment.seq and receiver.state not in FIN_HAS_COME:
        # The FIN counts when nothing is missing before it. What is sent again had not arrived.
        if complete and not before(fin, after(segment)):
            replace(receiver, segment, THE_FIN)


def replace(receiver: SeenEnd, segment: SeenSegment, what: str) -> None:
    """A SYN, FIN or reset comes to the inbox. If it is there already, the first one was lost.

    At an end where the capture was made nothing is lost: there the first one counts.
    """
    if receiver.local and any(entry[1] == what for entry in receiver.inbox):
        return
    receiver.inbox = [entry for entry in receiver.inbox if entry[1] != what]
    receiver.inbox.append((segment, what))


def acceptable(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> bool:
    """Whether the receiver takes the reset: RFC 9293 sections 3.10.7.3 and 3.10.7.4, second."""
    if receiver.state in (None, State.CLOSED):
        return False
    if receiver.state is State.SYN_SENT and not receiver.inbox:
        return bool(segment.flags & ACK) and segment.ack == receiver.nxt
    return segment.seq in (receiver.ack, sender.nxt)


def settle(connection: SeenConnection) -> None:
    """The end of the capture: what lies in the inboxes is taken to have arrived; fill `states`."""
    for index, end in enumerate(connection.ends):
        for received, what in end.inbox:
            if what != THE_FIN or not connection.ends[1 - index].holes:
                if what not in (SYN_ALONE, SYN_ACK) or end.state is not None:
                    take(end, index, received, what)
        end.inbox = []
    states = [connection.first_state, connection.first_state]
    known: dict[States, States] = {}  # one tuple for each pair of states, however many segments have it
    pair = (states[0], states[1])
    for segment in connection.segments:
        if segment.changes:
            for found in segment.changes:
                states[found.end] = found.after
            pair = (states[0], states[1])
            pair = known.setdefault(pair, pair)
        segment.states = pair


def assume_established(connection: SeenConnection) -> None:
    """A connection that began before the capture: both ends are taken to be ESTABLISHED."""
    connection.first_state = State.ESTABLISHED
    for end in connection.ends:
        end.state = State.ESTABLISHED
        end.syn_acknowledged = True
