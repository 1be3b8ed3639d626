"""The receive window: how much the peer may send. It is moved so that no silly windows arise.

See RFC 9293 sections 3.8.6 and 3.8.6.2.2. The right edge RCV.NXT + RCV.WND stays while data
arrives. It moves on only when it can move by a worthwhile amount.
"""

from __future__ import annotations

from stack.tcp.memory import window_limit
from stack.tcp.tcb import Tcb

MAX_UNSCALED_WINDOW = 0xFFFF


def window_gain(tcb: Tcb, buffer: int) -> int:
    """How far the right edge could move now: RCV.BUFF - RCV.USER - RCV.WND.

    The window field, with its scale, sets an upper limit, and so does the user's clamp.
    """
    free, most = buffer - tcb.receive_buffer.size, MAX_UNSCALED_WINDOW << tcb.rcv_shift
    if tcb.user_options.window_clamp:
        most = _clamped(tcb, most)
    return (free if free < most else most) - tcb.rcv_wnd


def _clamped(tcb: Tcb, size: int) -> int:
    """`size`, or the user's clamp if that is less, but at least two units of the window field.

    With one, the window would look closed as soon as the first octet of it has come.
    """
    clamp = tcb.user_options.window_clamp
    return min(size, max(clamp, 2 << tcb.rcv_shift)) if clamp else size


def open_window(tcb: Tcb) -> None:
    """Move the right edge if it moves by min (Fr * RCV.BUFF, Eff.snd.MSS) or more (MUST-39).

    Fr is 1/2. The edge never moves to the left (SHLD-14). When the host is short of memory RCV.BUFF
    is smaller, and the edge stays until the data for which there was room before has arrived.
    """
    buffer = window_limit(tcb) if tcb.services.budget.tight else tcb.rcvbuf
    gain = window_gain(tcb, buffer)
    if gain > 0 and (gain >= tcb.mss or gain >= _clamped(tcb, buffer) // 2):
        tcb.rcv_wnd += gain


def window_field(tcb: Tcb) -> int:
    """SEG.WND for a segment without SYN: RCV.WND scaled down (RFC 7323 section 2.2).

    Scaling loses up to 2**shift - 1 octets. RFC 7323 section 2.4 says why that is harmless: we
    accept octets up to the unscaled edge.
    """
    return tcb.rcv_wnd >> tcb.rcv_shift


def update_is_due(tcb: Tcb) -> bool:
    """Whether to send a window update at once, because the user has read enough.

    The update is due if the right edge can move by half of the buffer. If the peer's window is less
    than half of the buffer, the peer waits for us or soon will, and room for two more segments is
    worth a packet. Otherwise the peer learns the new edge from the next acknowledgment.
    """
    buffer = window_limit(tcb) if tcb.services.budget.tight else tcb.rcvbuf
    gain = window_gain(tcb, buffer)
    buffer = _clamped(tcb, buffer)
    if 2 * gain >= buffer:
        return True
    return 2 * tcb.rcv_wnd < buffer and gain >= min(2 * tcb.mss, buffer // 2)
