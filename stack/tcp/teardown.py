"""The end of a connection, however it comes: "enter the CLOSED state, delete the TCB, and return"."""

from __future__ import annotations

from math import inf

from stack.tcp import fast_open
from stack.tcp.memory import give_back
from stack.tcp.output import send_reset, set_timers
from stack.tcp.states import Event, State
from stack.tcp.tcb import WAKE_READABLE, WAKE_WRITABLE, Tcb


def finish(tcb: Tcb, event: Event, error: int, now: float, to: State = State.CLOSED) -> None:
    """Leave the living: `error` (0 for a normal end) is what outstanding and later calls report.

    What has arrived in order stays readable, as the peer was told that we have it; everything else is flushed. `to` is
    LISTEN where the RFC returns a passive open to that state: the listener lives on, this connection does not.
    """
    if tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):  # as RFC 4022 defines the two
        tcb.services.counters["tcpAttemptFails"] += 1
    elif tcb.state in (State.ESTABLISHED, State.CLOSE_WAIT):
        tcb.services.counters["tcpEstabResets"] += 1
    if tcb.fast_open is not None:
        fast_open.handshake_failed(tcb, event, now)
    tcb.enter(event, to)
    tcb.error = error
    give_back(tcb)
    tcb.rto_deadline = tcb.persist_deadline = tcb.sws_deadline = tcb.delack_deadline = inf
    tcb.keepalive_deadline = tcb.time_wait_deadline = tcb.deadline = tcb.reo_deadline = tcb.pto_deadline = inf
    tcb.ack_now = False
    if not tcb.orphaned:  # else there is nobody to be told
        tcb.wakes |= WAKE_READABLE | WAKE_WRITABLE
        tcb.touch()
    tcb.services.armed(tcb)
    tcb.services.closed(tcb)
    tcb.path.close()


def reset_connection(tcb: Tcb, event: Event, error: int, now: float) -> None:
    """Send <SEQ=SND.NXT><CTL=RST>, then end (3.10.5 ABORT, and SHLD-3's "to show that data was lost")."""
    send_reset(tcb, now)
    finish(tcb, event, error, now)


def enter_time_wait(tcb: Tcb, event: Event, now: float) -> None:
    """Start the time-wait timer, turn off the other timers (3.10.7.4); keep no more than TIME-WAIT needs."""
    tcb.enter(event)
    tcb.rto_deadline = tcb.persist_deadline = tcb.sws_deadline = tcb.keepalive_deadline = inf
    tcb.reo_deadline = tcb.pto_deadline = inf
    restart_time_wait(tcb, now)


def restart_time_wait(tcb: Tcb, now: float) -> None:
    """2 MSL from now (MUST-13)."""
    tcb.time_wait_deadline = now + 2 * tcb.services.config.msl_s
    set_timers(tcb, now)
