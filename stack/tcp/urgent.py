"""Urgent data, both ways: a place in the stream that one end points out to the other.

See RFC 9293 sections 3.8.5, 3.10.2, 3.10.3 and 3.10.7.4 (sixth step), and RFC 6093 for what became of it. The octets
stay in the stream, whatever the pointer says. Only a user who wants what BSD sockets do by default (`oobinline` off)
does not read the last urgent octet with the others: he asks for it apart, or never sees it.

             SEG.SEQ                  SEG.SEQ + SEG.UP
                |                            |
    ------------+----------------------------+-------------
                       urgent data            | the octet that SND.UP and RCV.UP name: the first after it (MUST-62)
"""

from __future__ import annotations

import errno

from stack.errors import os_error
from stack.tcp import seq
from stack.tcp.segment import Segment
from stack.tcp.states import State
from stack.tcp.tcb import WAKE_READABLE, WAKE_URGENT, Tcb
from stack.wire.tcp import URG

FURTHEST = 0xFFFF
"""As far as the pointer reaches. Urgent data that ends beyond is announced piece by piece (MUST-31)."""


# --- the sender


def begin_urgent(tcb: Tcb) -> None:
    """SEND with the urgent flag: all that is queued now is urgent; SND.UP is the octet after it (3.10.2)."""
    tcb.snd_up = seq.add(tcb.data_una, tcb.send_buffer.size)


def urgent_pointer(tcb: Tcb, number: int) -> int:
    """The pointer for a segment that begins at sequence number `number`; 0 when nothing after that is urgent.

    It goes with every segment until the urgent data is acknowledged, so that losing one does no harm.
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
    """RCV.UP <- max(RCV.UP, SEG.UP), and signal the user when that is news: the first pointer, or one further on.

    A pointer that ends before what came last (0, for one) says nothing: what it meant has been seen, or never was.
    """
    if not seg.flags & URG or seg.seg_up <= 0 or tcb.peer_fin:
        return
    up = seq.add(seg.seg_seq, seg.seg_up)
    if tcb.rcv_up is not None and unread_urgent(tcb) and seq.le(up, tcb.rcv_up):
        return  # "If the user has already been signaled ... do not signal the user again."
    tcb.rcv_up = up
    tcb.urgent_taken = False
    tcb.wakes |= WAKE_URGENT | WAKE_READABLE  # who waits for data learns that he is at the mark
    if tcb.services.trace is not None:
        tcb.trace("urgent", pointer=up)


def unread_urgent(tcb: Tcb) -> int:
    """How many octets the user has yet to read, or to receive, until no more urgent data is known (MUST-33)."""
    if tcb.rcv_up is None:
        return 0
    place = seq.add(tcb.rcv_nxt, -tcb.receive_buffer.size - tcb.peer_fin)
    if seq.gt(tcb.rcv_up, place):
        return seq.sub(tcb.rcv_up, place)
    tcb.rcv_up = None
    return 0


def up_to_mark(tcb: Tcb, wanted: int) -> int:
    """How many of `wanted` octets one RECEIVE may take: it stops at the last urgent octet, so that the user can see
    where that is; the next goes on from there, with that octet when `oobinline` is set and without it otherwise."""
    before = unread_urgent(tcb) - 1
    buffer = tcb.receive_buffer
    if before > 0:
        return min(wanted, before)
    if before == 0 and not tcb.oobinline:
        if buffer.size == 1 and not tcb.urgent_taken:
            return 0  # that octet is all there is, and still to be asked for
        buffer.read(1)
        wanted = min(wanted, buffer.size)
    tcb.rcv_up = None
    return wanted


def only_the_urgent_octet(tcb: Tcb) -> bool:
    """What could be read is the last urgent octet alone, which the user wants apart."""
    return not tcb.oobinline and tcb.receive_buffer.size == 1 and unread_urgent(tcb) == 1


def receive_urgent(tcb: Tcb, *, peek: bool = False) -> bytes | None:
    """The last urgent octet, apart from the stream; None while it is announced but not here, b"" if it never will be.

    OSError: EINVAL when there is none, when it was taken or passed already, or when `oobinline` leaves it in the
    stream; ENOTCONN when the connection is over.
    """
    before = unread_urgent(tcb) - 1
    if before < 0 or tcb.oobinline or tcb.urgent_taken:
        raise os_error(errno.EINVAL)
    if before < tcb.receive_buffer.size:
        tcb.urgent_taken = not peek
        return tcb.receive_buffer.octet(before)
    if tcb.state is State.CLOSED:
        raise os_error(errno.ENOTCONN)
    return b"" if tcb.peer_fin or tcb.read_shutdown else None
