"""Eifel: if the next ACK answers the original segment, the retransmission of it was spurious.

Then nothing was lost, and the reduction of cwnd is undone.

See RFC 3522 section 3.2 (detection, by timestamps) and RFC 4015 section 3.2 (response).
"""

from __future__ import annotations

from stack.tcp.segment import Segment
from stack.tcp.seq import lt
from stack.tcp.tcb import Tcb


def loss_assumed(tcb: Tcb, now: float) -> None:
    """Steps 1 to 3: recovery begins, by duplicate ACKs or by a timeout; store the time."""
    if tcb.timestamps.agreed and tcb.services.config.undo:
        tcb.rtx_stamp = tcb.timestamps.clock(now)


def first_acceptable_ack(tcb: Tcb, seg: Segment) -> None:
    """Steps 4 and 5: the first ACK of new data in recovery.

    If it echoes a timestamp older than RetransmitTS, the recovery was spurious and is undone.
    """
    stamp, tcb.rtx_stamp = tcb.rtx_stamp, None
    if stamp is None or seg.ts_ecr < 0 or not lt(seg.ts_ecr, stamp):
        return
    tcb.recovering = tcb.rto_recovery = False
    tcb.duplicate_acks = 0
    tcb.rtx_nxt = tcb.rtx_end = tcb.snd_una
    tcb.congestion.on_spurious()
    if tcb.rack is not None:
        tcb.rack.unmark_lost()
    if tcb.services.trace is not None:
        tcb.trace("spurious retransmission", cwnd=tcb.congestion.cwnd)
