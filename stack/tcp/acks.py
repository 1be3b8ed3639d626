"""Processing an ACK: the ESTABLISHED part of the fifth step. See RFC 9293 section 3.10.7.4.

What the ACK says about losses is left to `recovery.py`, or without SACK to `newreno.py`. What it
says about the round trip is left to `rtt.py`.
"""

from __future__ import annotations

from math import inf

from stack.tcp import fast_open, newreno, undo
from stack.tcp.ecn import echo_arrived
from stack.tcp.path_mtu import note_acknowledged
from stack.tcp.recovery import sack_ack
from stack.tcp.rtt import measure_echo, measure_segment
from stack.tcp.segment import Segment
from stack.tcp.seq import add, ge, gt, le, lt, sub
from stack.tcp.tcb import WAKE_WRITABLE, Tcb
from stack.tcp.time_wait import reopened
from stack.wire.tcp import ECE


def process_ack(tcb: Tcb, seg: Segment, now: float) -> None:
    """Remove what is acknowledged from the retransmission queue; update the send window.

    The caller has checked SEG.ACK =< SND.NXT.
    """
    window = seg.window << tcb.snd_shift
    before = tcb.snd_una
    # `flight` is the value at the last settle. The present one may be too small: what earlier ACKs
    # of this batch allow us to send has not been sent yet
    cwnd, flight = tcb.congestion.cwnd, tcb.settled_flight
    acked = 0
    if gt(seg.seg_ack, before):
        acked = sub(seg.seg_ack, before)
        new_data_acknowledged(tcb, seg.seg_ack, acked, seg.ts_ecr, seg.whole_len, now)
        if tcb.rtx_stamp is not None:
            undo.first_acceptable_ack(tcb, seg)
    if tcb.scoreboard is not None:
        sack_ack(tcb, tcb.scoreboard, seg, acked, flight, now)
    elif acked:
        newreno.new_ack(tcb, seg.seg_ack, acked, now)
    elif seg.seg_ack == before and newreno.is_duplicate(tcb, seg, window):
        newreno.duplicate_ack(tcb, flight, now)
    if le(before, seg.seg_ack):
        update_send_window(tcb, seg, window, now)
    if tcb.ecn is not None and tcb.ecn.ect and seg.flags & ECE:
        echo_arrived(tcb, tcb.ecn, cwnd, flight, now)


def update_send_window(tcb: Tcb, seg: Segment, window: int, now: float) -> None:
    """Take SND.WND from the newest segment only, as SND.WL1 and SND.WL2 show."""
    if not (lt(tcb.snd_wl1, seg.seg_seq) or (tcb.snd_wl1 == seg.seg_seq and le(tcb.snd_wl2, seg.seg_ack))):
        if window != tcb.snd_wnd and tcb.services.trace is not None:
            tcb.tell("tcp:window", "window_is_old", before=tcb.snd_wnd, after=tcb.snd_wnd, offered=window)
        return
    was_closed = tcb.snd_wnd == 0
    if window != tcb.snd_wnd and tcb.services.trace is not None:
        tcb.tell("tcp:window", _about_window(tcb, seg, window), before=tcb.snd_wnd, after=window)
    tcb.snd_wnd, tcb.snd_wl1, tcb.snd_wl2 = window, seg.seg_seq, seg.seg_ack
    tcb.max_snd_wnd = max(tcb.max_snd_wnd, window)
    if window == 0:
        # MUST-37: the connection lives as long as its probes are answered. Once the user has closed
        # it, the user timeout ends it all the same.
        if tcb.probing and not tcb.orphaned:
            tcb.progress_at = now
    elif was_closed:
        tcb.persist_deadline = inf
        tcb.persist_backoff = 0
        if tcb.probing:
            tcb.probing = False
            tcb.timeouts = 0
            if tcb.snd_nxt != tcb.snd_una:  # the peer did not take the probe's octet: send it first
                tcb.rtx_nxt, tcb.rtx_end = tcb.snd_una, tcb.snd_nxt
                tcb.rtx_because = "again_probe_not_taken"


def _about_window(tcb: Tcb, seg: Segment, window: int) -> str:
    """What observers are told of another send window."""
    if not window:
        return "window_closed"
    if not tcb.snd_wnd:
        return "window_opened"
    before, after = add(tcb.snd_wl2, tcb.snd_wnd), add(seg.seg_ack, window)
    return "window_shrunk" if lt(after, before) else "window_moved"


def new_data_acknowledged(tcb: Tcb, ack: int, acked: int, ts_ecr: int, length: int, now: float) -> None:  # hot
    """SND.UNA < SEG.ACK =< SND.NXT: SND.UNA <- SEG.ACK; update buffers, timers and round trip.

    `ts_ecr` is SEG.TSecr, or -1. `length` is SEG.LEN as it came: see `measure_segment`.
    """
    if ts_ecr > 0 and tcb.rtt_seq is None:
        measure_echo(tcb, acked, ts_ecr, length, now)
    data = acked
    if not tcb.syn_acked:
        tcb.syn_acked = True
        data -= 1
        # The peer's first, bare ACK was lost or is late; this one may have waited for the text.
        if length:
            if tcb.rtt_seq is not None and tcb.services.trace is not None:
                tcb.tell("tcp:rtt", "rtt_unclear_after_syn")
            tcb.rtt_seq = None
        else:  # if the SYN waited for ARP, it left when ARP found the next hop's station address
            tcb.rtt_started_at = max(tcb.rtt_started_at, tcb.path.neighbor.learnt_at)
        if tcb.fast_open is not None:
            fast_open.syn_acknowledged(tcb)
        if tcb.predecessor is not None:
            reopened(tcb, now)
    if tcb.fin_seq is not None and gt(ack, tcb.fin_seq):
        data -= 1  # our FIN
    if data:
        tcb.send_buffer.acknowledge(data)
    tcb.snd_una = ack
    if tcb.rtt_seq is not None and ge(ack, tcb.rtt_seq):
        measure_segment(tcb, length, now)
    if tcb.sizes.watching:
        note_acknowledged(tcb, ack)
    tcb.timeouts = 0
    tcb.soft_error = 0
    tcb.progress_at = now
    tcb.path.confirm(now)
    # RFC 6582 3.2: later partial ACKs do not reset the timer
    if tcb.loss is None or not tcb.loss.partial_acks or ge(ack, tcb.recover):
        tcb.rto_deadline = inf  # RFC 6298 5.3: set_timers restarts it if anything is left in flight
    tcb.pto_deadline = inf
    if tcb.rtx_nxt != tcb.rtx_end:
        if ge(ack, tcb.rtx_end):
            tcb.rtx_nxt = tcb.rtx_end = ack
        elif lt(tcb.rtx_nxt, ack):
            tcb.rtx_nxt = ack
    tcb.wakes |= WAKE_WRITABLE
