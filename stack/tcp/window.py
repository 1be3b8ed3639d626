"""The receive window: how much we let the peer send, moved without silly windows.

See RFC 9293 sections 3.8.6 and 3.8.6.2.2. The right edge RCV.NXT + RCV.WND stays where it is while data arrives, and
moves on only when it can do so by a worthwhile amount.
"""

from __future__ import annotations

from stack.tcp.memory import window_limit
from stack.tcp.tcb import Tcb

MAX_UNSCALED_WINDOW = 0xFFFF


def window_gain(tcb: Tcb, buffer: int) -> int:
    """By how many octets the right edge could move on now: RCV.BUFF - RCV.USER - RCV.WND, as far as the field goes."""
    free, most = buffer - tcb.receive_buffer.size, MAX_UNSCALED_WINDOW << tcb.rcv_shift
    return (free if free < most else most) - tcb.rcv_wnd


def open_window(tcb: Tcb) -> None:
    """Move the right edge if it is worth it: by at least min (Fr * RCV.BUFF, Eff.snd.MSS) with Fr = 1/2 (MUST-39).

    It never moves to the left (SHLD-14). Where the host is short of memory RCV.BUFF is smaller, and the edge stands
    still until what was offered before has come.
    """
    buffer = window_limit(tcb) if tcb.services.budget.tight else tcb.rcvbuf
    gain = window_gain(tcb, buffer)
    if gain > 0 and (gain >= tcb.mss or gain >= buffer // 2):
        tcb.rcv_wnd += gain


def window_field(tcb: Tcb) -> int:
    """SEG.WND for a segment without SYN: RCV.WND scaled down (RFC 7323 section 2.2).

    The scaling loses up to 2**shift - 1 octets; RFC 7323 section 2.4 says why that is harmless: we go on accepting
    what lies before the unscaled edge.
    """
    return tcb.rcv_wnd >> tcb.rcv_shift


def update_is_due(tcb: Tcb) -> bool:
    """Whether the user has read so much that the peer should be told at once.

    A peer that sees less than half of the buffer open waits for us (or soon will); one that sees more learns the rest
    from the next acknowledgment. Two segments is what is worth a packet of its own.
    """
    buffer = window_limit(tcb) if tcb.services.budget.tight else tcb.rcvbuf
    gain = window_gain(tcb, buffer)
    if 2 * gain >= buffer:
        return True
    return 2 * tcb.rcv_wnd < buffer and gain >= min(2 * tcb.mss, buffer // 2)
