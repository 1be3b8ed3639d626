"""Timeouts: what happens when a timer expires.

See RFC 9293 sections 3.10.8, 3.8.3, 3.8.4 and 3.8.6.1, and RFC 6298 section 5. `timers.py` starts
and stops the timers; `on_deadline` finds those that have expired.
"""

from __future__ import annotations

import errno
from math import inf

from stack.tcp import fast_open, loss, path_mtu, recovery, teardown, tlp
from stack.tcp.handshake import repeat_syn
from stack.tcp.output import emit, retransmit_front, send_range, transmit
from stack.tcp.seq import MASK
from stack.tcp.states import ESTABLISHED, FIN_WAIT_2, SYN_RECEIVED, SYN_SENT, TIME_WAIT, Event
from stack.tcp.tcb import Tcb
from stack.tcp.timers import give_up_at, restart_rto, set_timers
from stack.tcp.user_timeout import keepalive_idle_s
from stack.wire.tcp import ACK


def on_deadline(tcb: Tcb, now: float) -> None:
    """Run the timers that are due. The caller then settles the connection, as after a segment."""
    if tcb.delack_deadline <= now:
        tcb.delack_deadline = inf
        if tcb.services.trace is not None:
            tcb.tell("tcp:timer", "timer_delayed_ack", timer="delayed ACK", action="fired")
        tcb.ack_now = "ack_delay_over"
    if tcb.reo_deadline <= now:  # set_timers has stopped the RTO and will restart it
        tcb.reo_deadline = inf
        recovery.reordering_timeout(tcb, now)
    elif tcb.pto_deadline <= now:
        tcb.pto_deadline = inf
        tlp.send_probe(tcb, now)
        restart_rto(tcb, now)  # in case the probe is lost
    elif tcb.rto_deadline <= now:
        tcb.rto_deadline = inf
        _retransmission_timeout(tcb, now)
    if tcb.persist_deadline <= now:
        tcb.persist_deadline = inf
        _persist_timeout(tcb, now)
    if tcb.sws_deadline <= now:
        tcb.sws_deadline = inf
        corked = tcb.user_options.cork
        if tcb.services.trace is not None:
            because = "timer_cork" if corked else "timer_silly_window"
            tcb.tell("tcp:timer", because, timer="silly window", action="fired")
        # Rule (4) of 3.8.6.2.1, the override timeout: send what the window takes (MUST-60)
        length = min(tcb.unsent, tcb.snd_wnd - tcb.flight, tcb.mss)
        if length > 0 and (tcb.ecn is None or now >= tcb.ecn.hold_until):
            because = "send_cork_over" if corked else "send_override"
            send_range(tcb, tcb.snd_nxt, length, False, now, 0, because)
    if tcb.keepalive_deadline <= now:
        due, tcb.keepalive_deadline = tcb.keepalive_deadline, inf
        _keepalive_timeout(tcb, due, now)
    if tcb.time_wait_deadline <= now:
        tcb.time_wait_deadline = inf
        if tcb.state is TIME_WAIT:
            if tcb.services.trace is not None:
                tcb.tell("tcp:timer", "timer_time_wait", timer="TIME-WAIT", action="fired")
            teardown.finish(tcb, Event.TIME_WAIT_TIMEOUT, 0, now)
        elif tcb.state is FIN_WAIT_2:  # the peer does not close, and our user has closed
            if tcb.services.trace is not None:
                tcb.tell("tcp:timer", "timer_fin_wait_2", timer="FIN-WAIT-2", action="fired")
            teardown.finish(tcb, Event.USER_TIMEOUT, errno.ETIMEDOUT, now, because="fin_wait_2_timeout")
    tcb.touch()


def _timed_out(tcb: Tcb, now: float) -> bool:
    """USER TIMEOUT: flush all queues, signal the user, delete the TCB. Returns whether it is due.

    `syn_count` sets the end of an open as well. The error is the one that the network last
    reported, else ETIMEDOUT.
    """
    enough = tcb.state is SYN_SENT and 0 < tcb.user_options.syn_count <= tcb.timeouts
    if now < give_up_at(tcb) and not enough:
        return False
    tcb.services.counters["tcpTimeouts"] += 1
    if tcb.services.trace is not None:
        tcb.tell("tcp:timer", "timer_user_timeout", timer="user timeout", action="fired", count=tcb.timeouts)
    # The peer may be alive: tell it
    end = teardown.reset_connection if tcb.synchronized else teardown.finish
    end(tcb, Event.USER_TIMEOUT, tcb.soft_error or errno.ETIMEDOUT, now, because="user_timeout")
    return True


def _retransmission_timeout(tcb: Tcb, now: float) -> None:
    """RFC 6298 5.4 to 5.6: retransmit the front of the queue, double the RTO, restart the timer."""
    if _timed_out(tcb, now):
        return
    tcb.timeouts += 1
    r1 = tcb.config.r1_retransmissions
    if tcb.timeouts >= r1:  # MUST-20: negative advice to IP, at every timeout from R1 on
        tcb.path.suspect(now, tcb.last_sent_at, tcb.state is not SYN_RECEIVED)
    if tcb.timeouts == r1:
        tcb.report(tcb.soft_error or errno.ETIMEDOUT, f"{tcb.timeouts} retransmissions without an answer")
    tcb.rtt.back_off()
    if tcb.rtt_seq is not None and tcb.services.trace is not None:
        tcb.tell("tcp:rtt", "rtt_segment_sent_again" if tcb.syn_acked else "rtt_syn_sent_again")
    tcb.rtt_seq = None
    if tcb.services.trace is not None:
        told = {"timer": "retransmission", "action": "fired", "count": tcb.timeouts, "rto_s": tcb.rtt.timeout_s()}
        tcb.tell("tcp:timer", "timer_retransmission", **told)
    if not tcb.syn_acked:
        if tcb.timeouts == 1 and tcb.fast_open is not None:
            fast_open.negative_response(tcb, now)
        defer_s = tcb.user_options.defer_accept_s
        # The ACK came, and `Listener.may_open` has ignored it until now
        if defer_s and tcb.state is SYN_RECEIVED and tcb.progress_at >= tcb.rtt_started_at + defer_s:
            repeat_syn(tcb, now, "again_syn_deferred")
            tcb.timeouts = 0  # nothing was lost
        else:
            repeat_syn(tcb, now, "again_syn_timeout")
    else:
        loss.timed_out(tcb, now)
        if tcb.scoreboard is not None:
            recovery.timed_out(tcb, tcb.scoreboard, now)
        path_mtu.on_timeout(tcb, now)
        if tcb.rack is not None:
            tcb.rtx_nxt = tcb.rtx_end = tcb.snd_una
            retransmit_front(tcb, now, "again_timeout")
            tcb.left_network = tcb.rack.lost
        else:
            tcb.rtx_nxt, tcb.rtx_end = tcb.snd_una, tcb.snd_nxt
            tcb.rtx_because = "again_timeout"
        transmit(tcb, now)
    restart_rto(tcb, now)
    set_timers(tcb, now)


def _persist_timeout(tcb: Tcb, now: float) -> None:
    """3.8.6.1: probe the closed window, at intervals that grow exponentially (SHLD-30)."""
    if _timed_out(tcb, now):
        return
    if tcb.services.trace is not None:
        tcb.tell("tcp:timer", "timer_persist", timer="persist", action="fired", count=tcb.persist_backoff + 1)
    unanswered = tcb.probing and tcb.last_received_at < tcb.last_sent_at
    tcb.timeouts = tcb.timeouts + 1 if unanswered else 0
    if tcb.timeouts >= tcb.config.r1_retransmissions:
        tcb.path.suspect(now, tcb.last_sent_at)
    _probe_window(tcb, now)
    tcb.persist_backoff += 1
    interval_s = min(tcb.rtt.rto_s * 2 ** min(tcb.persist_backoff, 16), tcb.config.rto_max_s)
    tcb.persist_deadline = min(now + interval_s, give_up_at(tcb))


def _probe_window(tcb: Tcb, now: float) -> None:
    """Probe a closed window (3.8.6.1) with the first unacknowledged or unsent octet, or the FIN.

    The first probe of data that was sent before the window closed is the whole segment (RFC 7323
    section 2.4).
    """
    first = not tcb.probing and tcb.persist_backoff == 0 and tcb.timeouts == 0
    tcb.probing = True
    if tcb.snd_nxt != tcb.snd_una:
        retransmit_front(tcb, now, "again_window_probe", None if first else 1)
    elif tcb.unsent:
        send_range(tcb, tcb.snd_nxt, 1, False, now, 0, "send_window_probe")
    elif tcb.fin_queued:
        send_range(tcb, tcb.snd_nxt, 0, True, now, 0, "send_window_probe")
    tcb.rtt_seq = None  # the answer to a probe measures the peer's reader, not the network


def _keepalive_timeout(tcb: Tcb, due: float, now: float) -> None:
    """3.8.4: probe an idle peer; several unanswered probes end the connection (MUST-29)."""
    if not tcb.user_options.keepalive or tcb.state < ESTABLISHED or tcb.state is TIME_WAIT:
        return
    idle_until = tcb.last_received_at + keepalive_idle_s(tcb)
    if now < idle_until:
        tcb.keepalive_deadline = idle_until
        return
    if tcb.services.trace is not None:
        tcb.tell("tcp:timer", "timer_keepalive", timer="keep-alive", action="fired", count=tcb.keepalive_probes_sent)
    if tcb.snd_nxt != tcb.snd_una:  # MUST-26: the outstanding data does the work of a probe
        tcb.keepalive_deadline = now + tcb.user_options.keepalive_interval_s
        return
    if tcb.keepalive_probes_sent >= tcb.user_options.keepalive_count:
        error = tcb.soft_error or errno.ETIMEDOUT
        teardown.reset_connection(tcb, Event.USER_TIMEOUT, error, now, because="keepalive_timeout")
        return
    # R1: after this many unanswered probes the path may be dead
    if tcb.keepalive_probes_sent >= tcb.config.r1_retransmissions:
        tcb.path.suspect(now, due - tcb.user_options.keepalive_interval_s)
    tcb.keepalive_probes_sent += 1
    # SHLD-12: no data, SEG.SEQ = SND.NXT-1
    emit(tcb, (tcb.snd_nxt - 1) & MASK, ACK, now, because="send_keepalive")
    tcb.keepalive_deadline = now + tcb.user_options.keepalive_interval_s
