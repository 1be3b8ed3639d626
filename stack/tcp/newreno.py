"""Loss recovery without SACK: fast retransmit and fast recovery, by duplicate ACKs.

See RFC 5681 section 3.2, RFC 3042 (limited transmit) and RFC 6582 section 3.2 (partial
acknowledgments). `recovery.py` does the same with SACK.
"""

from __future__ import annotations

from stack.tcp import loss
from stack.tcp.output import retransmit_front
from stack.tcp.scoreboard import DUP_THRESH
from stack.tcp.segment import Segment
from stack.tcp.seq import ge, gt
from stack.tcp.tcb import WAKE_WRITABLE, Tcb


def new_ack(tcb: Tcb, ack: int, acked: int, now: float) -> None:
    """`acked` octets up to `ack` are newly acknowledged."""
    tcb.left_network = 0
    if tcb.loss is not None:
        _recovery_ack(tcb, tcb.loss, ack, acked, now)
    else:
        tcb.duplicate_acks = 0
        loss.grow(tcb, acked, now)


def _recovery_ack(tcb: Tcb, episode: loss.Loss, ack: int, acked: int, now: float) -> None:
    """RFC 6582 section 3.2 step 3: a full ACK ends recovery, a partial one shows the next hole."""
    if ge(ack, tcb.recover):
        loss.end(tcb)
        tcb.duplicate_acks = 0
        tcb.congestion.on_recovered(tcb.flight, now)
        if tcb.services.trace is not None:
            tcb.tell("tcp:recovery", "recovery_over_newreno", recover=tcb.recover, cwnd=tcb.congestion.cwnd)
    else:
        episode.partial_acks = True
        tcb.congestion.on_partial_ack(acked)
        if tcb.services.trace is not None:
            tcb.tell("tcp:recovery", "partial_ack", recover=tcb.recover, cwnd=tcb.congestion.cwnd)
        retransmit_front(tcb, now, "again_partial_ack")


def is_duplicate(tcb: Tcb, seg: Segment, window: int) -> bool:
    """RFC 5681 section 2: data is outstanding; no text, SYN or FIN; the same ACK and window."""
    return tcb.snd_nxt != tcb.snd_una and seg.whole_len == 0 and window == tcb.snd_wnd and window != 0


def duplicate_ack(tcb: Tcb, flight: int, now: float) -> None:
    """RFC 5681 section 3.2, with RFC 6582's check for ACKs that retransmissions have caused."""
    tcb.wakes |= WAKE_WRITABLE  # new data may be sent now: let the user write it
    tcb.duplicate_acks += 1
    # Earlier ACKs of this batch have made `tcb.flight` smaller than `flight`, the flight before the
    # batch. What they acknowledged counts only as far as unsent data would have replaced it
    if tcb.duplicate_acks == 1:
        tcb.loss_flight = min(flight, tcb.flight + max(tcb.unsent, 0))
    if tcb.loss is not None:
        tcb.congestion.on_duplicate_ack()
    elif tcb.duplicate_acks < DUP_THRESH:  # RFC 3042: one new segment for each of the first two
        tcb.left_network = tcb.duplicate_acks * tcb.congestion.mss
    elif tcb.duplicate_acks == DUP_THRESH and gt(tcb.snd_una, tcb.recover):
        tcb.left_network = 0
        loss.begin(tcb, tcb.loss_flight, now, because="loss_by_duplicate_acks")
        retransmit_front(tcb, now, "again_three_duplicates")
