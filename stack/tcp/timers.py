"""The timers of a connection: which of them run, and which expires first.

See RFC 6298 section 5 (retransmission), RFC 8985 sections 7.2 and 8 (loss probe, reordering) and
RFC 9293 sections 3.8.3 (giving up), 3.8.4 (keep-alives), 3.8.6.1 (closed windows) and 3.8.6.2.1
(small windows). A timer is a deadline in the TCB, inf while it is stopped. `timeouts.py` has what
happens when it expires.
"""

from __future__ import annotations

from math import inf

from stack.tcp import tlp, user_timeout
from stack.tcp.scoreboard import RANGE_BYTES
from stack.tcp.states import ESTABLISHED, LISTEN, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from stack.tcp.tcb import Tcb

_LISTEN, _ESTABLISHED, _TIME_WAIT = int(LISTEN), int(ESTABLISHED), int(TIME_WAIT)


def set_timers(tcb: Tcb, now: float) -> None:  # hot
    """Start and stop the timers, then derive the one deadline from them (RFC 6298 section 5)."""
    state, board = tcb.state, tcb.scoreboard
    if state <= _LISTEN:  # closed, or returned to LISTEN: nothing to wait for
        tcb.deadline = inf
        return
    # This repeats memory.recharge without the call. While little is held, the fixed charge covers
    # it.
    receiving, sending, budget = tcb.receive_buffer, tcb.send_buffer, tcb.services.budget
    held = receiving.size + receiving.head + receiving.spare + sending.size + sending.head
    if (
        held > budget.least
        or tcb.charged != budget.connection
        or receiving.held_cost
        or not _ESTABLISHED <= state < _TIME_WAIT
        or (board and board.sacked)
    ):
        weight = held + (held >> 3) + receiving.held_cost
        if board and board.sacked:
            weight += RANGE_BYTES * len(board.starts)
        if _ESTABLISHED <= state < _TIME_WAIT:
            weight -= budget.prepaid
            charge = budget.connection + weight if weight > 0 else budget.connection
        else:
            charge = budget.half_open + weight
            if tcb.syn_text is not None:
                charge += len(tcb.syn_text[0])
        if charge != tcb.charged:
            change = charge - tcb.charged
            tcb.charged = charge
            budget.peers[tcb.remote[0]] += change
            budget.used += change
            if (budget.used > budget.pressure) is not budget.tight:
                budget.crossed()
    in_flight = tcb.snd_nxt != tcb.snd_una
    waiting = state >= _ESTABLISHED and (tcb.send_buffer.size > 0 or (tcb.fin_queued and tcb.fin_seq is None))
    if (in_flight or waiting) and tcb.snd_wnd == 0 and tcb.syn_acked:  # the peer's window is closed
        tcb.rto_deadline = tcb.sws_deadline = tcb.reo_deadline = tcb.pto_deadline = inf
        if tcb.persist_deadline == inf:
            _start_user_timeout(tcb, now)
            tcb.persist_deadline = now + tcb.rtt.timeout_s()  # SHLD-29
        deadline = tcb.persist_deadline
    elif in_flight:
        tcb.persist_deadline = tcb.sws_deadline = inf
        if tcb.reo_deadline < inf:  # RFC 8985 section 8: the reordering timer replaces the RTO
            tcb.rto_deadline = inf
        elif tcb.rto_deadline == inf:  # 5.1
            _start_user_timeout(tcb, now)
            tcb.rto_deadline = now + tcb.rtt.timeout_s()
            if tcb.user_options.user_timeout_s is not None:
                tcb.rto_deadline = min(tcb.rto_deadline, give_up_at(tcb))
        if tcb.rack is not None:
            probe_at = tlp.probe_at(tcb, now)
            tcb.pto_deadline = min(probe_at, tcb.pto_deadline) if probe_at < inf else inf
        deadline = min(tcb.rto_deadline, tcb.reo_deadline, tcb.pto_deadline)
    else:
        tcb.rto_deadline = tcb.persist_deadline = tcb.reo_deadline = tcb.pto_deadline = inf  # 5.2
        if not waiting or (tcb.pacer is not None and tcb.pacer.resume_at < inf):
            tcb.sws_deadline = inf
        elif tcb.sws_deadline == inf:  # rule (4): no ACK will come that could open the small window
            tcb.sws_deadline = now + tcb.config.sws_override_s
        deadline = tcb.sws_deadline
    if tcb.user_options.keepalive and tcb.keepalive_deadline == inf and _ESTABLISHED <= state < _TIME_WAIT:
        tcb.keepalive_deadline = now + user_timeout.keepalive_idle_s(tcb)
    if tcb.keepalive_deadline < deadline:
        deadline = tcb.keepalive_deadline
    if tcb.delack_deadline < deadline:
        deadline = tcb.delack_deadline
    if tcb.time_wait_deadline < deadline:
        deadline = tcb.time_wait_deadline
    if tcb.pacer is not None and tcb.pacer.resume_at < deadline:
        deadline = tcb.pacer.resume_at
    if tcb.ecn is not None and now < tcb.ecn.hold_until < deadline:
        deadline = tcb.ecn.hold_until
    tcb.deadline = deadline
    tcb.services.armed(tcb)


def restart_rto(tcb: Tcb, now: float) -> None:
    """Start the retransmission timer again, but not beyond the time to give up."""
    tcb.rto_deadline = min(now + tcb.rtt.timeout_s(), give_up_at(tcb))


def give_up_at(tcb: Tcb) -> float:
    """R2 (3.8.3, MUST-20 to MUST-23): when to give up if no new data is acknowledged."""
    config = tcb.config
    if tcb.user_options.user_timeout_s is not None:
        limit_s = tcb.user_options.user_timeout_s
    elif tcb.state is SYN_SENT:
        limit_s = inf if tcb.user_options.syn_count else config.syn_timeout_s
    elif tcb.state is SYN_RECEIVED and tcb.came_from_listen:
        limit_s = config.syn_received_timeout_s
    elif tcb.orphaned:
        limit_s = min(config.orphan_timeout_s, config.user_timeout_s)
    else:
        limit_s = user_timeout.adopted_s(tcb)
    return tcb.progress_at + limit_s


def _start_user_timeout(tcb: Tcb, now: float) -> None:
    """Start the user timeout: from now on we wait for an answer from the peer."""
    if tcb.timeouts == 0 and tcb.persist_backoff == 0:
        tcb.progress_at = now
