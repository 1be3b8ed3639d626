"""The changes of a TCB, told to observers as differences: variables, and timers set or cleared.

Protocol code tells its decisions and the reasons. That a variable has another value is seen here,
by comparing with the values at the end of the last batch, call or deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING

from stack.tcp.states import State

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb

TIMERS = {
    "rto_deadline": "retransmission",
    "persist_deadline": "persist",
    "sws_deadline": "silly window",
    "delack_deadline": "delayed ACK",
    "keepalive_deadline": "keep-alive",
    "time_wait_deadline": "TIME-WAIT",
    "reo_deadline": "reordering",
    "pto_deadline": "probe",
}
"""The deadlines of a TCB, and the names of their timers."""

VARIABLES = (
    "snd_una", "snd_nxt", "snd_wnd", "snd_wl1", "snd_wl2", "max_snd_wnd", "snd_up", "snd_shift", "send_mss", "snd_sml",
    "rcv_nxt", "rcv_wnd", "rcv_up", "rcv_shift", "iss", "irs", "rcv_mss", "rcv_fin_seq", "fin_seq", "fin_queued",
    "ack_due", "ack_now", "duplicate_acks", "recover", "timeouts", "rtx_nxt", "rtx_end", "tlp_end", "left_network",
    "persist_backoff", "probing", "keepalive_probes_sent", "sndbuf", "rcvbuf", "peer_fin", "error", "soft_error",
    "sack", "scaling", "syn_acked", "send_buffer.size", "receive_buffer.size", "congestion.cwnd",
    "congestion.ssthresh", "rtt.srtt_s", "rtt.rttvar_s", "rtt.rto_s",
)  # fmt: skip
"""What is told of a TCB: its variables, and some of the objects in it."""

_values = attrgetter(*VARIABLES)
_deadlines = attrgetter(*TIMERS)
_nothing_known = (None,) * len(VARIABLES)
_no_timers = (inf,) * len(TIMERS)

Tell = Callable[["Tcb", str, str, dict[str, object]], None]  # as `TcpTrace.tell`


class Changes:
    """Tells what has changed in TCBs, by `TcpTrace.tell`."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._before: dict[int, tuple[tuple[object, ...], tuple[float, ...]]] = {}

    def tell(self, tcb: Tcb, now: float) -> None:
        """Tell what has changed since the last call for this TCB."""
        values, deadlines = _values(tcb), _deadlines(tcb)
        old_values, old_deadlines = self._before.get(tcb.serial, (_nothing_known, _no_timers))
        if deadlines != old_deadlines:
            for name, before, after in zip(TIMERS.values(), old_deadlines, deadlines, strict=True):
                if after != before:
                    told: dict[str, object] = {"timer": name, "action": "cleared"}
                    if after < inf:
                        told.update(action="set", in_s=after - now)
                    self._tell(tcb, "tcp:timer", "", told)
        if values != old_values:
            changed: dict[str, object] = {
                name: after
                for name, before, after in zip(VARIABLES, old_values, values, strict=True)
                if after != before
            }
            self._tell(tcb, "tcp:delta", "", changed)
        if tcb.state is State.CLOSED:
            self._before.pop(tcb.serial, None)
        else:
            self._before[tcb.serial] = values, deadlines

    def clear(self) -> None:
        """Forget all connections."""
        self._before.clear()
