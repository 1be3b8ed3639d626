"""Processing an ACK: the ESTABLISHED part of the fifth step, and loss recovery without SACK.

See RFC 9293 section 3.10.7.4 (fifth, check the ACK field), RFC 5681 section 3.2 (fast retransmit
and fast recovery) and RFC 6582 section 3.2 (partial acknowledgments).
"""

from __future__ import annotations

from math import inf

from stack.tcp import fast_open, undo
from stack.tcp.ecn import echo_arrived
from stack.tcp.output import retransmit_front
from stack.tcp.path_mtu import note_acknowledged
from stack.tcp.recovery import grow_window, sack_ack
from stack.tcp.scoreboard import DUP_THRESH
from stack.tcp.segment import Segment
from stack.tcp.seq import ge, gt, le, lt, sub
from stack.tcp.tcb import WAKE_WRITABLE, Tcb
from stack.tcp.time_wait import reopened
from stack.tcp.timestamps import TICKS_PER_SECOND
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
        without_sack(tcb, seg.seg_ack, acked, now)
    elif seg.seg_ack == before and _is_duplicate(tcb, seg, window):
        _duplicate_ack(tcb, flight, now)
    if le(before, seg.seg_ack):
        update_send_window(tcb, seg, window, now)
    if tcb.ecn is not None and tcb.ecn.ect and seg.flags & ECE:
        echo_arrived(tcb, tcb.ecn, cwnd, flight, now)


def update_send_window(tcb: Tcb, seg: Segment, window: int, now: float) -> None:
    """Take SND.WND from the newest segment only, as SND.WL1 and SND.WL2 show."""
    if not (lt(tcb.snd_wl1, seg.seg_seq) or (tcb.snd_wl1 == seg.seg_seq and le(tcb.snd_wl2, seg.seg_ack))):
        return
    was_closed = tcb.snd_wnd == 0
    if window != tcb.snd_wnd and tcb.services.trace is not None:
        tcb.trace("send window", before=tcb.snd_wnd, after=window)
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


def new_data_acknowledged(tcb: Tcb, ack: int, acked: int, ts_ecr: int, length: int, now: float) -> None:  # hot
    """SND.UNA < SEG.ACK =< SND.NXT: SND.UNA <- SEG.ACK; update buffers, timers and round trip.

    `ts_ecr` is SEG.TSecr, or -1. `length` is SEG.LEN as it came: see `take_round_trip`.
    """
    if ts_ecr > 0 and tcb.rtt_seq is None:
        measure_echo(tcb, acked, ts_ecr, length, now)
    data = acked
    if not tcb.syn_acked:
        tcb.syn_acked = True
        data -= 1
        # The peer's first, bare ACK was lost or is late; this one may have waited for the text.
        if length:
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
        take_round_trip(tcb, length, now)
        if tcb.services.trace is not None:
            tcb.trace("rtt", srtt_s=tcb.rtt.srtt_s, rto_s=tcb.rtt.rto_s)
    if tcb.sizes.watching:
        note_acknowledged(tcb, ack)
    tcb.timeouts = 0
    tcb.soft_error = 0
    tcb.progress_at = now
    tcb.path.confirm(now)
    # RFC 6582 3.2: later partial ACKs do not reset the timer
    if not (tcb.recovering and tcb.partial_acks and lt(ack, tcb.recover)):
        tcb.rto_deadline = inf  # RFC 6298 5.3: set_timers restarts it if anything is left in flight
    tcb.pto_deadline = inf
    if tcb.rtx_nxt != tcb.rtx_end:
        if ge(ack, tcb.rtx_end):
            tcb.rtx_nxt = tcb.rtx_end = ack
        elif lt(tcb.rtx_nxt, ack):
            tcb.rtx_nxt = ack
    tcb.wakes |= WAKE_WRITABLE


def take_round_trip(tcb: Tcb, length: int, now: float) -> None:
    """Take a sample: the timed segment, which was sent only once, is acknowledged.

    The segment with the ACK may have been sent more than once, too, if it has text or a FIN
    (`length` octets). When it comes later than the RTO, its first transmission was probably lost,
    and the time measured contains the peer's timeout. No sample is taken then, as RFC 7323 section
    4.1 permits, but the back-off ends. After a few such ACKs in a row (`answered`) a sample is
    taken, because the path may have become as slow as that.
    """
    measured_s = now - tcb.rtt_started_at
    if not (length and measured_s > tcb.rtt.rto_s and tcb.rtt.answered()):
        tcb.rtt.sample(measured_s)
    if tcb.rack is not None:
        tcb.rack.measured(measured_s, now)
    tcb.rtt_seq = None


def without_sack(tcb: Tcb, ack: int, acked: int, now: float) -> None:
    """Congestion control for `acked` new octets on a connection without SACK."""
    tcb.extra_flight = 0
    if tcb.recovering:
        _recovery_ack(tcb, ack, acked, now)
    else:
        tcb.duplicate_acks = 0
        grow_window(tcb, acked, now)


def measure_echo(tcb: Tcb, acked: int, ts_ecr: int, length: int, now: float) -> None:
    """RTTM (RFC 7323 section 4): a sample where Karn's algorithm forbids the ordinary one.

    That is the case after a retransmission; otherwise one segment a round trip is timed with our
    finer clock. Each acknowledgment that comes here gives a sample, so each has less weight
    (appendix G). An echo may claim a round trip of up to 24 days. The sample is capped at the
    maximum RTO, because a paced connection would otherwise stop for that long.

    An echo that is older than the last retransmission of what is acknowledged includes the time for
    which ACKs were lost. It is not a round trip, so no sample is taken. It still ends the back-off,
    as a sample would, because a segment has reached the peer and an ACK has come back. The same
    holds for an ACK with text or a FIN (`length` octets) that comes later than the RTO: see
    `take_round_trip`.
    """
    measured_s = min(tcb.timestamps.elapsed_s(ts_ecr, now), tcb.services.config.rto_max_s)
    if not tcb.syn_acked:  # if the SYN waited for ARP, it left when ARP found the next hop's station address
        measured_s = min(measured_s, now - tcb.path.neighbor.learnt_at)
    # The latest time at which the segment can have been sent
    sent_at = now - measured_s + 1 / TICKS_PER_SECOND
    if not tcb.syn_acked and (length or measured_s >= tcb.services.config.rto_initial_s):
        return  # the peer's own retransmission may have caused the ACK
    if sent_at < tcb.resent_at and sent_at < _last_resent(tcb, acked):
        tcb.rtt.answered()
        return
    if length and measured_s > tcb.rtt.rto_s and tcb.rtt.answered():
        return
    expected_samples = -(-tcb.flight // (2 * tcb.mss))
    tcb.rtt.sample(measured_s, expected_samples)


def _last_resent(tcb: Tcb, acked: int) -> float:
    """The time at which the acknowledged octets were last retransmitted.

    Without RACK's records it is the time of the last retransmission of any octets.
    """
    if tcb.rack is None or tcb.scoreboard is None or not tcb.syn_acked:
        return tcb.resent_at
    return tcb.rack.last_resent(tcb.scoreboard.high_ack + acked)


def _recovery_ack(tcb: Tcb, ack: int, acked: int, now: float) -> None:
    """RFC 6582 section 3.2 step 3: a full ACK ends recovery, a partial one shows the next hole."""
    if ge(ack, tcb.recover):
        tcb.recovering = False
        tcb.duplicate_acks = 0
        tcb.congestion.on_recovered(tcb.flight, now)
    else:
        tcb.partial_acks = True
        tcb.congestion.on_partial_ack(acked)
        retransmit_front(tcb, now)


def _is_duplicate(tcb: Tcb, seg: Segment, window: int) -> bool:
    """RFC 5681 section 2: data is outstanding; no text, SYN or FIN; the same ACK and window."""
    return tcb.snd_nxt != tcb.snd_una and seg.whole_len == 0 and window == tcb.snd_wnd and window != 0


def _duplicate_ack(tcb: Tcb, flight: int, now: float) -> None:
    """RFC 5681 section 3.2, with RFC 6582's check for ACKs that retransmissions have caused."""
    tcb.wakes |= WAKE_WRITABLE  # new data may be sent now: let the user write it
    tcb.duplicate_acks += 1
    # Octets that left the network in this batch count only if there is data to replace them
    if tcb.duplicate_acks == 1:
        tcb.limited_flight = min(flight, tcb.flight + max(tcb.unsent, 0))
    if tcb.recovering:
        tcb.congestion.on_duplicate_ack()
    elif tcb.duplicate_acks < DUP_THRESH:  # RFC 3042: one new segment for each of the first two
        tcb.extra_flight = tcb.duplicate_acks * tcb.congestion.mss
    elif tcb.duplicate_acks == DUP_THRESH and gt(tcb.snd_una, tcb.recover):
        tcb.recovering = True
        undo.loss_assumed(tcb, now)
        tcb.partial_acks = False
        tcb.recover = tcb.snd_nxt
        tcb.extra_flight = 0
        tcb.congestion.on_loss(tcb.limited_flight, now)  # without what limited transmit sent
        if tcb.ecn is not None:
            tcb.ecn.reduced(tcb.snd_nxt)
        for _ in range(DUP_THRESH):
            tcb.congestion.on_duplicate_ack()  # "inflate" by the segments behind the duplicates
        if tcb.services.trace is not None:
            tcb.trace("fast retransmit", seq=tcb.snd_una, cwnd=tcb.congestion.cwnd)
        retransmit_front(tcb, now)
        tcb.rto_deadline = inf  # restarted by set_timers
