"""The user's calls: OPEN, SEND, RECEIVE, CLOSE, ABORT and STATUS. See RFC 9293 3.10.1 to 3.10.6.

The RFC's error texts become errnos. "Connection does not exist" is ENOTCONN. "Connection closing"
is EPIPE for a SEND and the end of the stream for a RECEIVE. "Connection already exists" is EISCONN.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from stack.errors import error_name, os_error
from stack.tcp import fast_open
from stack.tcp.autotune import grow_send_buffer, note_read
from stack.tcp.handshake import begin_handshake, send_syn
from stack.tcp.memory import recharge, send_room
from stack.tcp.output import send_ack, transmit
from stack.tcp.scoreboard import RANGE_BYTES
from stack.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    Event,
    State,
)
from stack.tcp.tcb import WAKE_READABLE, WAKE_WRITABLE, Tcb
from stack.tcp.teardown import finish, limit_fin_wait_2, reset_connection
from stack.tcp.timers import set_timers
from stack.tcp.urgent import begin_urgent, unread_urgent, up_to_mark
from stack.tcp.user_timeout import adopted_s
from stack.tcp.window import update_is_due
from stack.wire.checksum import Buffer

# The states in which the user may SEND. Before the handshake is over the data waits (3.10.2).
_MAY_SEND = (SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT)


def open_active(tcb: Tcb, now: float, data: Buffer = b"", fast: bool = False) -> int:
    """OPEN, active: issue <SEQ=ISS><CTL=SYN> and enter SYN-SENT (3.10.1). EISCONN if already open.

    `data` is the first SEND; returns how many octets of it were taken. They wait for the handshake,
    unless the user wants Fast Open (`fast`, or `fast_open_connect` set before) and the server's
    cookie is cached.
    """
    if tcb.state not in (CLOSED, LISTEN):
        raise os_error(errno.EISCONN)
    tcb.open_in_syn_sent = tcb.deferred or fast
    tcb.deferred = False
    begin_handshake(tcb, now)
    tcb.services.counters["tcpActiveOpens"] += 1
    tcb.enter(Event.ACTIVE_OPEN)
    taken = min(len(data), tcb.sndbuf, tcb.config.send_quantum_bytes)
    if taken:
        tcb.send_buffer.append(data if taken == len(data) else memoryview(data)[:taken])
    if fast or tcb.user_options.fast_open_connect:
        fast_open.begin_fast_open(tcb, now)
    send_syn(tcb, now)
    tcb.touch()
    return taken


def send(tcb: Tcb, data: Buffer, now: float, urgent: bool = False) -> int:
    """SEND: queue what fits and send what may be sent; returns how many octets were taken.

    0 means that none can be taken now. As in Linux, a super-frame's worth is taken as long as less
    than `notsent_lowat` octets are unsent, if the buffer has room; or several, if all of them can
    leave at once. With `urgent`, all that is queued becomes urgent once all of `data` was taken.

    Raises the connection's error, EPIPE before OPEN and after CLOSE, ENOTCONN in LISTEN.
    """
    if tcb.error:
        raise take_error(tcb)
    if tcb.deferred:
        return open_active(tcb, now, data)
    if tcb.fin_queued or tcb.state not in _MAY_SEND:
        raise os_error(errno.ENOTCONN if tcb.state is LISTEN else errno.EPIPE)
    taken, length = 0, len(data)
    buffer = tcb.send_buffer
    while taken < length:
        quantum, tight = _quantum(tcb), tcb.services.budget.tight
        if tcb.user_options.auto_sndbuf and tcb.sndbuf - buffer.size < quantum:
            grow_send_buffer(tcb)
        count = min(length - taken, tcb.sndbuf - buffer.size)
        if count > quantum:  # whole quanta: the segments are cut as if one was taken at a time
            count = min(count // quantum * quantum, _octets_at_a_time(tcb, quantum, urgent or tight))
        if tight:
            count = min(count, send_room(tcb))
        if count <= 0 or tcb.unsent >= tcb.user_options.notsent_lowat:
            break
        buffer.append(data if count == length else memoryview(data)[taken : taken + count])
        taken += count
        if tight:
            recharge(tcb)
        if urgent and taken == length:
            begin_urgent(tcb)
        transmit(tcb, now)
    if taken:
        set_timers(tcb, now)
    if urgent and taken == length and tcb.unsent and tcb.synchronized:
        send_ack(tcb, now, "ack_urgent")  # announce urgent data that the window holds back
    return taken


def _octets_at_a_time(tcb: Tcb, quantum: int, one: bool) -> int:
    """How many octets to take at a time: the whole quanta that can leave now, and at least one.

    Only one if `one` is set; if something besides the windows may hold data back; if the next
    header differs from those after it; or if nothing is in flight, because after a pause `transmit`
    first reduces cwnd (RFC 5681 section 4.1).
    """
    flight, reporter = tcb.flight, tcb.sack_reporter
    if (
        one
        or not flight
        or tcb.loss is not None
        or tcb.pacer is not None
        or tcb.ecn is not None
        or (reporter is not None and reporter.pending)
    ):
        return quantum
    return max((min(tcb.snd_wnd, tcb.congestion.cwnd) - flight) // quantum, 1) * quantum


def _quantum(tcb: Tcb) -> int:
    """The unit in which `send` takes octets: a super-frame's worth, in whole segments."""
    quantum, mss = tcb.path.gso_max_bytes or tcb.config.send_quantum_bytes, tcb.mss
    return max(quantum // mss * mss, mss)


def receive(tcb: Tcb, max_bytes: int, now: float) -> bytes | None:
    """RECEIVE: what has arrived, b"" at the end of the stream, None when nothing has arrived yet.

    Data that arrived before an error is delivered before the error.
    """
    if tcb.receive_buffer.size and (tcb.rcv_up is None or (max_bytes := up_to_mark(tcb, max_bytes))):
        data = tcb.receive_buffer.read(max_bytes)
        if tcb.user_options.auto_rcvbuf:
            note_read(tcb, len(data), now)
        after_read(tcb, now)
        return data
    if tcb.deferred:  # the user reads first: the SYN goes without data
        open_active(tcb, now)
    return b"" if _at_end(tcb) else None


def peek(tcb: Tcb, max_bytes: int) -> bytes | None:
    """Return what `receive` would return now; the data stays in the buffer and in the window."""
    buffer = tcb.receive_buffer
    skip = 0
    if buffer.size and tcb.rcv_up is not None:
        before = unread_urgent(tcb) - 1
        if before > 0:
            max_bytes = min(max_bytes, before)
        elif before == 0 and not tcb.user_options.oobinline:
            skip = 1  # the last urgent octet is read by `receive_urgent`
    if buffer.size > skip:
        return buffer.peek(max_bytes, skip)
    return b"" if _at_end(tcb) else None


def receive_into(tcb: Tcb, target: memoryview, now: float) -> int | None:
    """RECEIVE into the user's buffer; return the number of octets.

    0 at the end of the stream, None when nothing has arrived yet.
    """
    room = len(target)
    if tcb.receive_buffer.size and (tcb.rcv_up is None or (room := up_to_mark(tcb, room))):
        count = tcb.receive_buffer.read_into(target[:room])
        if tcb.user_options.auto_rcvbuf:
            note_read(tcb, count, now)
        after_read(tcb, now)
        return count
    if tcb.deferred:
        open_active(tcb, now)
    return 0 if _at_end(tcb) else None


def _at_end(tcb: Tcb) -> bool:
    """Whether no more data will come; raises the connection's error, or ENOTCONN in LISTEN.

    After the peer's FIN the stream has ended. An error that comes later does not change this; it is
    reported to a SEND.
    """
    if tcb.peer_fin:
        return True
    if tcb.error:
        raise take_error(tcb)
    if tcb.read_shutdown:
        return True
    if tcb.state is LISTEN:
        raise os_error(errno.ENOTCONN)
    return tcb.state is CLOSED and not tcb.deferred


def after_read(tcb: Tcb, now: float) -> None:
    """The buffer has room again: send a window update (3.8.6.2.2) or an ACK, if one is due."""
    budget = tcb.services.budget
    if not ESTABLISHED <= tcb.state < TIME_WAIT:
        recharge(tcb)
    elif tcb.charged > budget.connection:  # this repeats memory.recharge without the call
        receiving, sending, board = tcb.receive_buffer, tcb.send_buffer, tcb.scoreboard
        weight = receiving.size + receiving.head + receiving.spare + sending.size + sending.head
        weight += (
            (weight >> 3) + receiving.held_cost + (RANGE_BYTES * len(board.starts) if board and board.sacked else 0)
        )
        weight -= budget.prepaid
        change = budget.connection + (weight if weight > 0 else 0) - tcb.charged
        tcb.charged += change
        budget.peers[tcb.remote[0]] += change
        budget.used += change
        if (budget.used > budget.pressure) is not budget.tight:
            budget.crossed()
    due = tcb.ack_due >= 2 * tcb.rcv_mss
    tcb.reader_expected_until = now + tcb.config.ack_by_reader_s
    if not tcb.peer_fin and tcb.synchronized and (due or update_is_due(tcb)):
        send_ack(tcb, now, "ack_two_segments" if due else "ack_window_update")


def take_error(tcb: Tcb) -> OSError:
    """The error that ended the connection; reported once, as SO_ERROR does."""
    error, tcb.error = tcb.error, 0
    return os_error(error)


def shutdown_write(tcb: Tcb, now: float) -> None:
    """CLOSE as RFC 9293 means it (3.10.4): no more SENDs; receiving goes on.

    A second call does nothing. The FIN is sent when the caller settles the connection.

    In SYN-SENT it deletes the TCB, unless the user has sent data by Fast Open. The peer may have
    that data already, and to the user the connection looks open.
    """
    state = tcb.state
    if state is CLOSED or tcb.fin_queued:
        return
    if state is LISTEN or (state is SYN_SENT and not (tcb.open_in_syn_sent and tcb.send_buffer.size)):
        finish(tcb, Event.CLOSE, 0, now)
        return
    tcb.fin_queued = True
    if state is ESTABLISHED or (state is SYN_RECEIVED and (tcb.fast_opened or not tcb.send_buffer.size)):
        tcb.enter(Event.CLOSE)


def shutdown_read(tcb: Tcb) -> None:
    """From now on a RECEIVE does not wait: it returns the data that has arrived, else the end.

    Data that comes later can be read. As in Linux, none is discarded, so the window closes if the
    user does not read. If our direction is closed too, new data is answered with a reset:
    `seventh_process_text`.
    """
    tcb.read_shutdown = True


def close(tcb: Tcb, now: float) -> None:
    """The user no longer uses the connection: CLOSE, and no RECEIVE will follow.

    Data that was not read, or that still comes, is lost, and a reset tells the peer so (SHLD-3).
    `linger_s == 0` means ABORT, as SO_LINGER does.
    """
    tcb.orphaned = True
    if tcb.state is CLOSED:
        tcb.receive_buffer.clear()
        recharge(tcb)
        _cancel_deferred_open(tcb, 0)
        return
    if tcb.user_options.linger_s == 0:
        abort(tcb, now)
        return
    # In TIME-WAIT a reset is not needed: the peer has sent all its data and has our FIN
    if tcb.receive_buffer.size and tcb.state is not TIME_WAIT:
        reset_connection(tcb, Event.ABORT, 0, now, because="unread_at_close")
        return
    if tcb.receive_buffer.held:
        tcb.services.budget.out_of_order.pop(tcb, None)
    tcb.receive_buffer.clear()  # no user will read this, so free the memory now
    if tcb.sack_reporter is not None:
        tcb.sack_reporter.forget_held()
    shutdown_write(tcb, now)
    tcb.progress_at = max(tcb.progress_at, now)
    if tcb.state is FIN_WAIT_2:
        limit_fin_wait_2(tcb, now)


def abort(tcb: Tcb, now: float, error: int = 0, *, because: str = "") -> None:
    """ABORT (3.10.5): delete the TCB, after <SEQ=SND.NXT><CTL=RST> if the peer may need it.

    `error` is the errno for outstanding calls, if not the user's own ABORT ends the connection.
    """
    if tcb.state is CLOSED:
        _cancel_deferred_open(tcb, error)
        return
    because = because or ("" if is_the_users(error) else "abort_by_host")
    if tcb.state in (SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT):
        reset_connection(tcb, Event.ABORT, error, now, because=because or "abort")
    else:
        finish(tcb, Event.ABORT, error, now, because=because)


def _cancel_deferred_open(tcb: Tcb, error: int) -> None:
    """Release the port and the path, if the SYN was deferred and never sent."""
    if not tcb.deferred:
        return
    tcb.deferred = False
    tcb.error = error
    tcb.wakes |= WAKE_READABLE | WAKE_WRITABLE
    tcb.services.closed(tcb)
    tcb.path.close()
    tcb.touch()


# --- observers


Result = TypeVar("Result", bound=bytes | int | None)

CALLS = {
    "OPEN": "call_open",
    "SEND": "call_send",
    "RECEIVE": "call_receive",
    "CLOSE": "call_close",
    "SHUTDOWN": "call_shutdown",
    "ABORT": "call_abort",
    "STATUS": "call_status",
}
"""The calls, and what observers are told about each."""


def tell_call(tcb: Tcb, call: str, /, **data: object) -> None:
    """Tell observers that the program makes a call. What it does is told after it."""
    tcb.tell("host:call", CALLS[call], call=call, **data)


def told(tcb: Tcb, now: float, call: str, act: Callable[[], Result], /, **data: object) -> Result:
    """Make a call, and tell observers of it, of its result, and of what has changed in the TCB.

    The result is a number of octets, octets, or None: then the program must wait.
    """
    tell_call(tcb, call, **data)
    state = tcb.state
    try:
        result = act()
    except OSError as error:
        because = "call_after_close" if call == "SEND" and error.errno == errno.EPIPE else "call_failed"
        tcb.tell("host:result", because, call=call, result=error_name(error.errno))
        raise
    if result is None:
        tcb.tell("host:result", "receive_waits", call=call, result="wait")
    else:
        octets = len(result) if isinstance(result, bytes) else result
        tcb.tell("host:result", _about(call, octets, state, data["octets"]), call=call, result=octets)
    if call != "OPEN" and tcb.services.trace is not None:  # OPEN settles, which tells it
        tcb.services.trace.settled(tcb, now)
    return result


def _about(call: str, octets: int, state: State, wanted: object) -> str:
    """What there is to say about a call that has taken or returned so many octets."""
    if call == "RECEIVE":
        return "" if octets or not wanted else "receive_at_end"
    if call == "SEND" and not octets and wanted:
        return "call_waits_for_room"
    return "call_waits_for_handshake" if octets and state < ESTABLISHED else ""


def is_the_users(error: int) -> bool:
    """Whether an abort with this errno is a call of the program. Else the host aborts."""
    return error in (0, errno.ECONNRESET)


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS: the values that sections 3.10.6 and 3.9.1.6 list.

    Addresses are the Internet layer's bytes. `urgent` is how much there is to read up to the end of
    the urgent data; `soft_error` is the errno that the network last reported; `extensions` are the
    options that both ends agreed on. There are no security values to report.
    """

    state: str
    local: tuple[bytes, int]
    remote: tuple[bytes, int]
    receive_window: int
    send_window: int
    cwnd: int
    ssthresh: int
    unacknowledged: int
    unsent: int
    unread: int
    out_of_order: int
    urgent: int
    mss: int
    srtt_s: float | None
    rto_s: float
    user_timeout_s: float
    remote_user_timeout_s: float | None
    tos: int
    ttl: int
    soft_error: int
    extensions: tuple[str, ...]


def status(tcb: Tcb) -> Status:
    """STATUS (3.10.6)."""
    return Status(
        state=tcb.state.name.replace("_", "-"),
        local=tcb.local,
        remote=tcb.remote,
        receive_window=tcb.rcv_wnd,
        send_window=tcb.snd_wnd,
        cwnd=tcb.congestion.cwnd,
        ssthresh=tcb.congestion.ssthresh,
        unacknowledged=tcb.flight,
        unsent=max(tcb.unsent, 0),
        unread=tcb.receive_buffer.size,
        out_of_order=tcb.receive_buffer.held,
        urgent=unread_urgent(tcb),
        mss=tcb.mss,
        srtt_s=tcb.rtt.srtt_s,
        rto_s=tcb.rtt.timeout_s(),
        user_timeout_s=adopted_s(tcb),
        remote_user_timeout_s=None if tcb.user_timeout is None else tcb.user_timeout.remote_s,
        tos=tcb.tos,
        ttl=tcb.ttl,
        soft_error=tcb.soft_error,
        extensions=_extensions(tcb),
    )


def _extensions(tcb: Tcb) -> tuple[str, ...]:
    agreed = {
        "timestamps": tcb.timestamps.agreed,
        "sack": tcb.sack,
        "window scale": tcb.scaling,
        "ecn": tcb.ecn is not None and tcb.ecn.ect,
        "fast open": tcb.fast_opened,
    }
    return tuple(name for name, is_agreed in agreed.items() if is_agreed)
