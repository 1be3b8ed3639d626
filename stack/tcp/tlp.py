"""Tail loss probes: when the last segments may be lost, send a probe before the RTO expires.

After them comes no segment whose ACK would show the loss, so RACK cannot find it. See RFC 8985
section 7.
"""

from __future__ import annotations

from math import inf

from stack.tcp import loss
from stack.tcp.output import retransmit_at, send_range
from stack.tcp.scoreboard import Scoreboard
from stack.tcp.seq import MASK
from stack.tcp.tcb import Tcb

_PTO_WITHOUT_SRTT_S = 1.0  # section 7.2


def probe_at(tcb: Tcb, now: float) -> float:
    """TLP_calc_PTO, with data in flight: when to send a probe; inf for never.

    There is no probe in recovery, nor while something is SACKed, when the reordering timer does the
    work (section 7.2). There is no second probe until the last one is answered and a round trip was
    measured since (section 7.3). The RTO covers these cases.
    """
    if (
        tcb.loss is not None
        or tcb.timeouts
        or tcb.reo_deadline < inf
        or tcb.tlp_end is not None
        or tcb.tlp_samples == tcb.rtt.samples
        or not tcb.syn_acked
        or (tcb.scoreboard is not None and tcb.scoreboard.sacked)
    ):
        return inf
    config = tcb.config
    if tcb.rtt.srtt_s is None:
        pto_s = _PTO_WITHOUT_SRTT_S
    else:
        pto_s = max(2 * tcb.rtt.srtt_s, config.pto_min_s)
        if tcb.flight <= tcb.mss:
            pto_s += config.tlp_max_ack_delay_s
    return min(now + pto_s, tcb.rto_deadline)


def send_probe(tcb: Tcb, now: float) -> None:
    """Send a tail loss probe (RFC 8985 section 7.3), without regard to cwnd.

    It is new data if there is some and the peer's window allows it, else the last segment again.
    """
    board = tcb.scoreboard
    assert board is not None
    if tcb.services.trace is not None:
        tcb.tell("tcp:timer", "timer_probe", timer="probe", action="fired")
    mss = tcb.mss
    length = min(tcb.unsent, tcb.snd_wnd - tcb.flight, mss)
    tcb.tlp_is_retrans = length <= 0
    if length > 0:
        send_range(tcb, tcb.snd_nxt, length, False, now, mss, "send_tail_probe")
    else:
        length = min(tcb.flight, mss)
        retransmit_at(tcb, (tcb.snd_nxt - length) & MASK, length, now, "again_tail_probe")
    tcb.tlp_end = board.high_ack + tcb.flight
    tcb.tlp_samples = tcb.rtt.samples


def process_ack(tcb: Tcb, board: Scoreboard, seg_ack: int, duplicate: bool, flight: int, now: float) -> None:
    """TLP_process_ack: find out whether the probe repaired a loss that nothing else shows.

    `seg_ack` is SEG.ACK as the scoreboard numbers it. `duplicate`: this ACK reports a duplicate, by
    DSACK or as a duplicate ACK without SACK.
    """
    end = tcb.tlp_end
    if end is None or seg_ack < end:
        return
    if not tcb.tlp_is_retrans or duplicate:
        tcb.tlp_end = None
    elif seg_ack > end:
        tcb.tlp_end = None
        if tcb.loss is None:
            loss.reduce(tcb, loss.LOSS, flight, now, because="loss_repaired_by_probe")
