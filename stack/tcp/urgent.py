"""Urgent data, both ways: one end marks a place in its stream for the other.

See RFC 9293 sections 3.8.5, 3.10.2, 3.10.3 and 3.10.7.4 (sixth step), and RFC 6093 for its history.
Urgent octets stay in the stream like all others. The exception is the last urgent octet when
`oobinline` is off, as it is by default in BSD sockets: it is left out of the stream, and the user
reads it with `receive_urgent`.

             SEG.SEQ                  SEG.SEQ + SEG.UP
                |                            |
    ------------+----------------------------+-------------
                       urgent data            | the octet that SND.UP and RCV.UP name:
                                                the first after it (MUST-62)
"""

from __future__ import annotations

import errno

from stack.errors import os_error
from stack.tcp import seq
from stack.tcp.segment import Segment
from stack.tcp.states import CLOSED
from stack.tcp.tcb import WAKE_READABLE, WAKE_URGENT, Tcb
from stack.wire.tcp import URG

FURTHEST = 0xFFFF
"""The largest urgent pointer. Urgent data that ends beyond it is announced in pieces (MUST-31)."""


# --- the sender


def begin_urgent(tcb: Tcb) -> None:
    """SEND with the urgent flag (3.10.2): all that is queued is urgent; SND.UP comes after it."""
    tcb.snd_up = seq.add(tcb.data_una, tcb.send_buffer.size)
    if tcb.services.trace is not None:
        tcb.tell("tcp:urgent", "urgent_sent", pointer=tcb.snd_up)


def urgent_pointer(tcb: Tcb, number: int) -> int:
    """The pointer for a segment that begins at `number`; 0 if nothing after that is urgent.

    Every segment carries it until the urgent data is acknowledged, so the loss of a segment does no
    harm.
    """
    up = tcb.snd_up
    if up is None:
        return 0
    if seq.ge(tcb.snd_una, up):
        tcb.snd_up = None
        return 0
    return min(seq.sub(up, number), FURTHEST) if seq.gt(up, number) else 0


# --- the receiver


def take_urgent(tcb: Tcb, seg: Segment) -> None:
    """RCV.UP <- max(RCV.UP, SEG.UP); signal the user if the pointer is new or has moved on.

    A pointer to old octets (0, for example) is ignored.
    """
    if not seg.flags & URG or seg.seg_up <= 0 or tcb.peer_fin:
        return
    up = seq.add(seg.seg_seq, seg.seg_up)
    if tcb.rcv_up is not None and unread_urgent(tcb) and seq.le(up, tcb.rcv_up):
        return  # "If the user has already been signaled ... do not signal the user again."
    tcb.rcv_up = up
    tcb.urgent_taken = False
    tcb.wakes |= WAKE_URGENT | WAKE_READABLE  # a waiting reader must learn that it is at the mark
    if tcb.services.trace is not None:
        tcb.tell("tcp:urgent", "urgent_announced", pointer=up)


def unread_urgent(tcb: Tcb) -> int:
    """How many octets up to the end of the urgent data were not read or not received (MUST-33)."""
    if tcb.rcv_up is None:
        return 0
    place = seq.add(tcb.rcv_nxt, -tcb.receive_buffer.size - tcb.peer_fin)
    if seq.gt(tcb.rcv_up, place):
        return seq.sub(tcb.rcv_up, place)
    tcb.rcv_up = None
    return 0


def up_to_mark(tcb: Tcb, wanted: int) -> int:
    """How many of `wanted` octets one RECEIVE may take: it stops before the last urgent octet.

    So the user can see where that octet is. The next RECEIVE continues from there, with that octet
    if `oobinline` is set, otherwise without it.
    """
    before = unread_urgent(tcb) - 1
    buffer = tcb.receive_buffer
    if before > 0:
        return min(wanted, before)
    if before == 0 and not tcb.user_options.oobinline:
        if buffer.size == 1 and not tcb.urgent_taken and not tcb.peer_fin:
            return 0  # only the urgent octet is left, and it has not been read yet
        buffer.read(1)
        wanted = min(wanted, buffer.size)
    tcb.rcv_up = None
    return wanted


def only_the_urgent_octet(tcb: Tcb) -> bool:
    """Whether the only octet to read is the last urgent one, with `oobinline` off."""
    return not tcb.user_options.oobinline and tcb.receive_buffer.size == 1 and unread_urgent(tcb) == 1


def receive_urgent(tcb: Tcb, *, peek: bool = False) -> bytes | None:
    """The last urgent octet, out of band.

    None while it is announced and has not arrived; b"" if it never will.

    OSError: EINVAL when there is none, when it was taken or passed already, or when `oobinline`
    leaves it in the stream; ENOTCONN when the connection is over.
    """
    before = unread_urgent(tcb) - 1
    if before < 0 or tcb.user_options.oobinline or tcb.urgent_taken:
        raise os_error(errno.EINVAL)
    if before < tcb.receive_buffer.size:
        tcb.urgent_taken = not peek
        return tcb.receive_buffer.octet(before)
    if tcb.state is CLOSED:
        raise os_error(errno.ENOTCONN)
    return b"" if tcb.peer_fin or tcb.read_shutdown else None
