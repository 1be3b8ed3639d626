"""Eifel: if the next ACK answers the original segment, the retransmission of it was spurious.

Then nothing was lost, and the reduction of cwnd is undone.

See RFC 3522 section 3.2 (detection, by timestamps) and RFC 4015 section 3.2 (response).
`loss.reduce` makes steps 1 to 3: it stores RetransmitTS, as `rtx_stamp`.
"""

from __future__ import annotations

from stack.tcp import loss
from stack.tcp.segment import Segment
from stack.tcp.seq import lt
from stack.tcp.tcb import Tcb


def first_acceptable_ack(tcb: Tcb, seg: Segment) -> None:
    """Steps 4 and 5: the first ACK of new data after a loss was assumed.

    If it echoes a timestamp older than RetransmitTS, the recovery was spurious and is undone.
    """
    stamp, tcb.rtx_stamp = tcb.rtx_stamp, None
    if stamp is None or seg.ts_ecr < 0 or not lt(seg.ts_ecr, stamp):
        return
    loss.end(tcb)
    tcb.duplicate_acks = 0
    tcb.rtx_nxt = tcb.rtx_end = tcb.snd_una
    before = tcb.congestion.cwnd
    tcb.congestion.on_spurious()
    if tcb.rack is not None:
        tcb.rack.unmark_lost()
    if tcb.services.trace is not None:
        congestion, stamps = tcb.congestion, {"echoed": seg.ts_ecr, "resent_at": stamp}
        tcb.tell("tcp:undo", "undo_eifel", cwnd_before=before, cwnd=congestion.cwnd, **stamps)
