"""What an acknowledgment does: the ESTABLISHED part of the fifth step, and the loss recovery that hangs on it.

See RFC 9293 section 3.10.7.4 (fifth, check the ACK field), RFC 5681 section 3.2 (fast retransmit and fast recovery) and
RFC 6582 section 3.2 (partial acknowledgments).
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
    """SEG.ACK =< SND.NXT holds. Take what is acknowledged off the retransmission queue, update the send window."""
    window = seg.window << tcb.snd_shift
    before = tcb.snd_una
    cwnd, flight = tcb.congestion.cwnd, tcb.settled_flight  # what the ACKs before it in this batch let go, is to go yet
    acked = 0
    if gt(seg.seg_ack, before):
        acked = sub(seg.seg_ack, before)
        new_data_acknowledged(tcb, seg.seg_ack, acked, seg.ts_ecr, now)
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
    """Take SND.WND from the newest segment only: SND.WL1 and SND.WL2 tell which that is."""
    if not (lt(tcb.snd_wl1, seg.seg_seq) or (tcb.snd_wl1 == seg.seg_seq and le(tcb.snd_wl2, seg.seg_ack))):
        return
    was_closed = tcb.snd_wnd == 0
    if window != tcb.snd_wnd and tcb.services.trace is not None:
        tcb.trace("send window", before=tcb.snd_wnd, after=window)
    tcb.snd_wnd, tcb.snd_wl1, tcb.snd_wl2 = window, seg.seg_seq, seg.seg_ack
    tcb.max_snd_wnd = max(tcb.max_snd_wnd, window)
    if window == 0:
        # MUST-37: as long as probes are answered the connection lives, but nobody waits for ever for a closed user.
        if tcb.probing and not tcb.orphaned:
            tcb.progress_at = now
    elif was_closed:
        tcb.persist_deadline = inf
        tcb.persist_backoff = 0
        if tcb.probing:
            tcb.probing = False
            tcb.timeouts = 0
            if tcb.snd_nxt != tcb.snd_una:  # the probe's octet was not taken: it goes first now
                tcb.rtx_nxt, tcb.rtx_end = tcb.snd_una, tcb.snd_nxt


def new_data_acknowledged(tcb: Tcb, ack: int, acked: int, ts_ecr: int, now: float) -> None:  # hot
    """SND.UNA < SEG.ACK =< SND.NXT: SND.UNA <- SEG.ACK, and everything that waited for it moves on.

    `ts_ecr` is SEG.TSecr, or -1.
    """
    if ts_ecr > 0 and tcb.rtt_seq is None:
        measure_echo(tcb, acked, ts_ecr, now)
    data = acked
    if not tcb.syn_acked:
        tcb.syn_acked = True
        data -= 1
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
        take_round_trip(tcb, now)
        if tcb.services.trace is not None:
            tcb.trace("rtt", srtt_s=tcb.rtt.srtt_s, rto_s=tcb.rtt.rto_s)
    if tcb.sizes.watching:
        note_acknowledged(tcb, ack)
    tcb.timeouts = 0
    tcb.soft_error = 0
    tcb.progress_at = now
    tcb.path.confirm(now)
    if not (tcb.recovering and tcb.partial_acks and lt(ack, tcb.recover)):  # RFC 6582 3.2: not by later partial ones
        tcb.rto_deadline = inf  # RFC 6298 5.3: restarted by set_timers if anything is left in flight
    tcb.pto_deadline = inf
    if tcb.rtx_nxt != tcb.rtx_end:
        if ge(ack, tcb.rtx_end):
            tcb.rtx_nxt = tcb.rtx_end = ack
        elif lt(tcb.rtx_nxt, ack):
            tcb.rtx_nxt = ack
    tcb.wakes |= WAKE_WRITABLE


def take_round_trip(tcb: Tcb, now: float) -> None:
    """The segment that was timed has been answered, and was sent only once."""
    measured_s = now - tcb.rtt_started_at
    tcb.rtt.sample(measured_s)
    if tcb.rack is not None:
        tcb.rack.measured(measured_s, now)
    tcb.rtt_seq = None


def without_sack(tcb: Tcb, ack: int, acked: int, now: float) -> None:
    """What `acked` new octets mean to congestion control when the peer does not use SACK."""
    tcb.extra_flight = 0
    if tcb.recovering:
        _recovery_ack(tcb, ack, acked, now)
    else:
        tcb.duplicate_acks = 0
        grow_window(tcb, acked, now)


def measure_echo(tcb: Tcb, acked: int, ts_ecr: int, now: float) -> None:
    """RTTM (RFC 7323 section 4): a measurement where Karn forbids any other, as after a retransmission.

    Otherwise one segment a round trip is timed by the finer clock. Every acknowledgment that comes here gives a sample,
    so each counts for less, as appendix G has it. An echo may claim 24 days, at whose rate a paced connection would
    outlive everybody: more than the longest timeout says nothing more.

    An echo from before the last retransmission of what is acknowledged measures how long ACKs were lost, and no round
    trip: there is no sample in it. But it ends the back-off, as a sample would: something has passed the path and back.
    """
    measured_s = min(tcb.timestamps.elapsed_s(ts_ecr, now), tcb.services.config.rto_max_s)
    sent_at = now - measured_s + 1 / TICKS_PER_SECOND  # or up to a tick earlier
    if not tcb.syn_acked and measured_s >= tcb.services.config.rto_initial_s:
        return  # longer than the peer's own timer has waited, which may have brought this
    if sent_at < tcb.resent_at and sent_at < _last_resent(tcb, acked):
        tcb.rtt.answered()
        return
    expected_samples = -(-tcb.flight // (2 * tcb.mss))
    tcb.rtt.sample(measured_s, expected_samples)


def _last_resent(tcb: Tcb, acked: int) -> float:
    """When the last retransmission was made of what is acknowledged now; as far as is known, without RACK's records."""
    if tcb.rack is None or tcb.scoreboard is None or not tcb.syn_acked:
        return tcb.resent_at
    return tcb.rack.last_resent(tcb.scoreboard.high_ack + acked)


def _recovery_ack(tcb: Tcb, ack: int, acked: int, now: float) -> None:
    """RFC 6582 section 3.2 step 3: a full acknowledgment ends recovery, a partial one shows the next hole."""
    if ge(ack, tcb.recover):
        tcb.recovering = False
        tcb.duplicate_acks = 0
        tcb.congestion.on_recovered(tcb.flight, now)
    else:
        tcb.partial_acks = True
        tcb.congestion.on_partial_ack(acked)
        retransmit_front(tcb, now)


def _is_duplicate(tcb: Tcb, seg: Segment, window: int) -> bool:
    """RFC 5681 section 2: outstanding data, no data in it, no SYN or FIN, the same ACK, the same window."""
    return tcb.snd_nxt != tcb.snd_una and seg.whole_len == 0 and window == tcb.snd_wnd and window != 0


def _duplicate_ack(tcb: Tcb, flight: int, now: float) -> None:
    """RFC 5681 section 3.2 with RFC 6582's check that this is not the echo of what a timeout sent again."""
    tcb.wakes |= WAKE_WRITABLE  # it lets new data go, which the user may have to bring
    tcb.duplicate_acks += 1
    if tcb.duplicate_acks == 1:  # what this batch let go counts only as far as there is something to send in its place
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
            tcb.congestion.on_duplicate_ack()  # "inflate" by the segments that caused the duplicates
        if tcb.services.trace is not None:
            tcb.trace("fast retransmit", seq=tcb.snd_una, cwnd=tcb.congestion.cwnd)
        retransmit_front(tcb, now)
        tcb.rto_deadline = inf  # restarted by set_timers
