"""Loss recovery for connections that use SACK: when it begins, what each acknowledgment does to it, when it ends.

See RFC 6675 section 5, RFC 2883 section 5. What is sent meanwhile is chosen in `output.py`, when the batch is over.
"""

from __future__ import annotations

from math import inf

from stack.tcp.output import retransmit_front
from stack.tcp.sack import blocks_of
from stack.tcp.scoreboard import DUP_THRESH, Scoreboard
from stack.tcp.segment import Segment
from stack.tcp.seq import add, ge, gt, sub
from stack.tcp.tcb import Tcb


def sack_ack(tcb: Tcb, board: Scoreboard, seg: Segment, acked: int, flight: int, now: float) -> None:
    """One ACK: `acked` octets were acknowledged cumulatively, of `flight` that were outstanding before it."""
    board.advance(board.high_ack + acked)
    blocks = blocks_of(seg)
    news = False
    if blocks:
        numbers = [(board.number(left, tcb.snd_una), board.number(right, tcb.snd_una)) for left, right in blocks]
        if is_dsack(numbers, board.number(seg.seg_ack, tcb.snd_una)):
            tcb.services.counters["tcpInDsacks"] += 1
            del numbers[0]
        news = bool(board.update(numbers, board.high_ack + tcb.flight))
    if acked:
        tcb.duplicate_acks = 0
    if tcb.recovering:
        if ge(tcb.snd_una, tcb.recover):  # (A)
            _leave(tcb)
    elif not _enter_if_due(tcb, board, news, now) and acked:
        if gt(tcb.snd_una, tcb.recover):  # drawn along, or after 2**31 octets it would seem to lie ahead
            tcb.recover = add(tcb.snd_una, -1)
        if 2 * flight >= tcb.congestion.cwnd:  # a window that was not used says nothing about the network
            tcb.congestion.on_ack(acked, now, tcb.rtt.srtt_s or 0.0)
    tcb.beyond = board.sacked


def is_dsack(blocks: list[tuple[int, int]], seg_ack: int) -> bool:
    """RFC 2883 section 5: the first block reports a duplicate if it lies below this segment's own acknowledgment, or
    within the second block."""
    left, right = blocks[0]
    return right <= seg_ack or (len(blocks) > 1 and blocks[1][0] <= left and right <= blocks[1][1])


def _enter_if_due(tcb: Tcb, board: Scoreboard, news: bool, now: float) -> bool:
    """Section 5: three ACKs with news, or IsLost(HighACK + 1), but not before what a timeout resent is acknowledged."""
    if not news:
        return False
    tcb.duplicate_acks += 1
    if tcb.duplicate_acks == 1:
        tcb.limited_from = tcb.snd_nxt
    if tcb.duplicate_acks < DUP_THRESH and not board.is_lost(board.high_ack, tcb.congestion.mss):
        return False
    if not ge(tcb.snd_una, tcb.recover):
        return False
    tcb.recovering = True  # (4.1) to (4.3)
    tcb.recover = tcb.snd_nxt
    tcb.congestion.on_loss(sub(tcb.limited_from, tcb.snd_una), now)
    if tcb.ecn is not None:
        tcb.ecn.reduced(tcb.snd_nxt)
    if tcb.services.trace is not None:
        tcb.trace("fast retransmit", seq=tcb.snd_una, cwnd=tcb.congestion.cwnd)
    _, end = board.unsacked_from(board.high_ack, board.highest)
    length = min(end - board.high_ack, tcb.mss)
    retransmit_front(tcb, now, length)
    board.enter_recovery(board.high_ack + length)
    tcb.rto_deadline = inf  # restarted by set_timers
    return True


def _leave(tcb: Tcb) -> None:
    """All that was outstanding at the loss is acknowledged; what was SACKed beyond stays on the scoreboard."""
    tcb.recovering = False
    if tcb.services.trace is not None:
        tcb.trace("recovered", cwnd=tcb.congestion.cwnd)


def timed_out(tcb: Tcb, board: Scoreboard) -> None:
    """Section 5.1, RFC 2018 section 5: after a timeout what the receiver said before counts no more."""
    board.clear()
