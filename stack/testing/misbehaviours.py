"""Ways in which a peer misbehaves. Each function returns a function that changes a `Peer`.

    peer.misbehaves(resets_after(sent=100), dribbles(every_s=1))

A user's own is of the same kind: a function of the peer that calls `peer.when` or changes settings.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.testing.conversation import MSS_OPTION, Conversation, Received
from stack.testing.peer import Misbehaviour, Peer
from stack.wire.tcp import ACK, FIN, SYN


def refuses() -> Misbehaviour:
    """It answers every SYN with RST, as a host without a server on that port."""
    return lambda peer: peer.when(is_syn, lambda segment: segment.conversation.refuse(segment))


def ignores_syns() -> Misbehaviour:
    """It never answers, as behind a firewall that drops packets. It still answers ARP."""
    return lambda peer: peer.when(lambda segment: True, lambda segment: None)


def resets_after(*, received: int | None = None, sent: int | None = None) -> Misbehaviour:
    """It sends RST once it has taken `received` octets of data, or has sent `sent` octets.

    With neither, or with 0 octets of either kind, that is right after the handshake.
    """

    def reset(conversation: Conversation) -> None:
        conversation.reset()

    return _after(received, sent, reset)


def falls_silent(*, received: int | None = None, sent: int | None = None) -> Misbehaviour:
    """It sends nothing more, as a machine that has lost its network, at the same places.

    The default is right after the handshake. It also falls silent towards the host's FIN.
    """

    def silence(conversation: Conversation) -> None:
        conversation.silent = True

    return _after(received, sent, silence)


def closes_after(*, received: int | None = None, sent: int | None = None) -> Misbehaviour:
    """It sends FIN at the same places, and none of the rest of its answer: the answer is cut short.

    The default is right after the handshake.
    """

    def close(conversation: Conversation) -> None:
        conversation.transmit(FIN | ACK)

    return _after(received, sent, close)


def freezes_window(after: int = 0) -> Misbehaviour:
    """It takes `after` octets and then offers a window of 0 for ever (RFC 9293 section 3.8.6.1).

    It answers the probes of the window, so that the host must not give up.
    """

    def freeze(peer: Peer) -> None:
        peer.takes = after

    return freeze


def tiny_windows(octets: int = 1) -> Misbehaviour:
    """It never offers a window of more than `octets` octets (RFC 9293 section 3.8.6.2.1)."""

    def shrink(peer: Peer) -> None:
        peer.window = octets

    return shrink


def stays_half_open(answers: int = 0) -> Misbehaviour:
    """It forgets the connection once the host has acknowledged that many answers, and says nothing.

    With 0, that is right after the handshake. So does a machine that is switched off and on: the
    connection is half-open (RFC 9293 section 3.5.1), and the host's next segment is answered with
    RST. A client that keeps connections for later requests meets this.
    """

    def is_over(segment: Received) -> bool:
        conversation = segment.conversation
        acknowledged = segment.flags & ACK and segment.ack == conversation.next_seq and segment.ack > 0
        return bool(acknowledged and not segment.flags & SYN and conversation.answered >= answers)

    def forget(segment: Received) -> None:
        segment.conversation.forget()
        if segment.length:
            segment.conversation.refuse(segment)

    return lambda peer: peer.when(is_over, forget)


def never_closes() -> Misbehaviour:
    """It acknowledges the host's FIN and never sends its own: the host stays in FIN-WAIT-2."""

    def stay(peer: Peer) -> None:
        peer.closes = False

    return stay


def crosses_fin(data: bytes = b"") -> Misbehaviour:
    """It sends `data` and FIN before it has seen the host's FIN: they cross on the wire.

    See RFC 9293 section 3.6, case 3: both ends close at once. Each end then waits in TIME-WAIT.
    """

    def cross(segment: Received) -> None:
        conversation = segment.conversation
        conversation.transmit(FIN | ACK, data, ack=segment.seq)

    def is_first(segment: Received) -> bool:
        return bool(segment.flags & FIN) and not segment.conversation.fin_sent

    return lambda peer: peer.when(is_first, cross, instead=False)


def splits_handshake(*, acknowledges_first: bool = True) -> Misbehaviour:
    """It answers SYN with ACK and then with a SYN of its own, in two segments instead of one.

    The host answers that SYN with SYN,ACK, as if both ends had opened at once. Without
    `acknowledges_first` it leaves the ACK out.
    """

    def split(segment: Received) -> None:
        conversation = segment.conversation
        conversation.take(segment)
        if acknowledges_first:
            conversation.transmit(ACK, seq=0)
        conversation.transmit(SYN, seq=0, options=MSS_OPTION)

    return lambda peer: peer.when(is_syn, split)


def opens_simultaneously() -> Misbehaviour:
    """It sends SYN as the host does: they cross on the wire (RFC 9293 section 3.5, figure 7)."""

    def cross(segment: Received) -> None:
        conversation = segment.conversation
        conversation.transmit(SYN, seq=0, options=MSS_OPTION)
        conversation.take(segment)
        conversation.transmit(SYN | ACK, seq=0, options=MSS_OPTION)

    return lambda peer: peer.when(is_syn, cross)


def sends_data_with_syn(data: bytes) -> Misbehaviour:
    """Its SYN,ACK carries data (RFC 9293 section 3.4 allows it; the host keeps it until later)."""

    def greet(segment: Received) -> None:
        conversation = segment.conversation
        conversation.take(segment)
        conversation.transmit(SYN | ACK, data, seq=0, options=MSS_OPTION)

    return lambda peer: peer.when(is_syn, greet)


def acknowledges_unsent(octets: int = 1000) -> Misbehaviour:
    """It acknowledges `octets` octets more than the host has sent, each time data comes.

    The right acknowledgment follows. The host must not believe the first (RFC 9293 section
    3.10.7.4).
    """

    def lie(segment: Received) -> None:
        segment.conversation.transmit(ACK, ack=segment.seq + segment.length + octets)

    return lambda peer: peer.when(lambda segment: segment.data, lie, instead=False)


def breaks_checksums(every: int = 1) -> Misbehaviour:
    """Each `every`-th segment of its data has a wrong checksum. It does not send the data again."""

    def break_them(peer: Peer) -> None:
        peer.breaks_checksum_of_every = every

    return break_them


def dribbles(octets: int = 1, *, every_s: float = 1.0) -> Misbehaviour:
    """It sends its answer `octets` octets at a time, with `every_s` seconds before each of them.

    A timeout for each read never ends this; only one for the whole does.
    """

    def dribble(peer: Peer) -> None:
        peer.segment_octets, peer.gap_s = octets, every_s

    return dribble


def answers_late(delay_s: float) -> Misbehaviour:
    """It acknowledges a request at once and begins to answer `delay_s` seconds later."""

    def delay(peer: Peer) -> None:
        peer.delay_s = delay_s

    return delay


def repeats_all(times: int = 2) -> Misbehaviour:
    """It sends every segment `times` times."""

    def repeat(peer: Peer) -> None:
        peer.copies = times

    return repeat


def is_syn(segment: Received) -> bool:
    """Whether a segment opens a connection: SYN without ACK."""
    return segment.flags & (SYN | ACK) == SYN


def _after(received: int | None, sent: int | None, action: Callable[[Conversation], object]) -> Misbehaviour:
    """Do something once so many octets were received, or sent. ValueError for both."""
    if received is not None and sent is not None:
        raise ValueError("give the octets that are received, or those that are sent")

    def has_come(segment: Received) -> bool:
        conversation = segment.conversation
        if segment.flags & SYN or not segment.flags & ACK or conversation.fin_sent:
            return False
        return conversation.received_octets + len(segment.data) >= (received or 0)

    def act(segment: Received) -> None:
        segment.conversation.take(segment)
        action(segment.conversation)

    def apply(peer: Peer) -> None:
        if sent is None:
            peer.when(has_come, act)
        else:
            peer.limit = sent, action

    return apply
