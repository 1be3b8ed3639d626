"""The end of a connection: "enter the CLOSED state, delete the TCB, and return"; and TIME-WAIT."""

from __future__ import annotations

from math import inf

from stack.tcp import fast_open
from stack.tcp.memory import give_back
from stack.tcp.output import send_reset
from stack.tcp.states import CLOSE_WAIT, CLOSED, ESTABLISHED, SYN_RECEIVED, SYN_SENT, Event, State
from stack.tcp.tcb import WAKE_READABLE, WAKE_WRITABLE, Tcb
from stack.tcp.timers import set_timers


def finish(tcb: Tcb, event: Event, error: int, now: float, to: State = CLOSED, *, because: str = "") -> None:
    """End the connection: enter CLOSED (or `to`), release everything, wake the user.

    `error` is the errno that outstanding and later calls report, 0 for a normal end. In-order data
    stays readable, because it was acknowledged; everything else is dropped. `to` is LISTEN where
    the RFC returns a passive open to that state: the listener goes on, this connection does not.
    `because` is as in `Tcb.enter`.
    """
    if tcb.state in (SYN_SENT, SYN_RECEIVED):  # RFC 4022 defines both counters
        tcb.services.counters["tcpAttemptFails"] += 1
    elif tcb.state in (ESTABLISHED, CLOSE_WAIT):
        tcb.services.counters["tcpEstabResets"] += 1
    if tcb.fast_open is not None:
        fast_open.handshake_failed(tcb, event, now)
    tcb.enter(event, to, because)
    tcb.error = error
    give_back(tcb)
    tcb.rto_deadline = tcb.persist_deadline = tcb.sws_deadline = tcb.delack_deadline = inf
    tcb.keepalive_deadline = tcb.time_wait_deadline = tcb.deadline = tcb.reo_deadline = tcb.pto_deadline = inf
    tcb.ack_now = ""
    if not tcb.orphaned:  # an orphaned connection has no user to wake
        tcb.wakes |= WAKE_READABLE | WAKE_WRITABLE
        tcb.touch()
    elif tcb.services.trace is not None:  # perhaps nothing else comes for it in this batch
        tcb.services.trace.settled(tcb, now)
    tcb.services.armed(tcb)
    tcb.services.closed(tcb)
    tcb.path.close()


def reset_connection(tcb: Tcb, event: Event, error: int, now: float, *, because: str) -> None:
    """Send <SEQ=SND.NXT><CTL=RST>, then end (3.10.5; SHLD-3: "to show that data was lost")."""
    send_reset(tcb, now, because)
    finish(tcb, event, error, now, because=because)


def limit_fin_wait_2(tcb: Tcb, now: float) -> bool:
    """Bound FIN-WAIT-2 of a connection that its user has closed; False if it has ended at once.

    The RFC has no such bound. `linger2_s` gives it, or `fin_wait_2_timeout_s`.
    """
    limit_s = tcb.user_options.linger2_s
    if limit_s < 0:
        reset_connection(tcb, Event.ABORT, 0, now, because="no_fin_wait_2")
        return False
    tcb.time_wait_deadline = now + (limit_s or tcb.config.fin_wait_2_timeout_s)
    return True


def enter_time_wait(tcb: Tcb, event: Event, now: float) -> None:
    """Enter TIME-WAIT: start its timer and stop the other timers (3.10.7.4)."""
    tcb.enter(event)
    tcb.rto_deadline = tcb.persist_deadline = tcb.sws_deadline = tcb.keepalive_deadline = inf
    tcb.reo_deadline = tcb.pto_deadline = inf
    restart_time_wait(tcb, now)


def restart_time_wait(tcb: Tcb, now: float) -> None:
    """Set the time-wait timer to 2 MSL from now (MUST-13)."""
    tcb.time_wait_deadline = now + 2 * tcb.config.msl_s
    set_timers(tcb, now)
