"""The changes of a TCB, told to observers as differences: variables, and timers set or cleared.

Protocol code tells its decisions and the reasons. That a variable has another value is seen here,
by comparing with the values at the end of the last batch, call or deadline.

What is told comes from the names of `Tcb.__slots__`, so that a new variable cannot be forgotten: it
is told unless `UNTOLD` says why not. Of an object in the TCB some variables are told, by dotted
names such as "congestion.cwnd".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from operator import attrgetter
from typing import Any

from stack.tcp.states import State
from stack.tcp.tcb import SLOTS, Tcb

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

WHEN_SET = {
    "retransmission": "set_retransmission",
    "persist": "set_persist",
    "silly window": "set_silly_window",
    "delayed ACK": "set_delayed_ack",
    "keep-alive": "set_keepalive",
    "TIME-WAIT": "set_time_wait",
    "FIN-WAIT-2": "set_fin_wait_2",
    "reordering": "set_reordering",
    "probe": "set_probe",
}
"""The reasons when a timer is set."""

UNTOLD = {
    "_touched": "It is set only within a batch.",
    "challenge_budget": "It changes with every challenge ACK; a drop tells when it is used up.",
    "challenge_window_end": "A time; `challenge_budget` shows its effect.",
    "charged": "What the host's memory budget charges; it follows the sizes of the buffers.",
    "deadline": "The earliest of the timers, which are told.",
    "fast_open": "The cookie of a handshake that is under way; `tcp:fast_open` tells what is decided.",
    "heap_entry": "An object of the host's deadlines.",
    "key": "The addresses and ports, which `tcp:open` tells.",
    "last_received_at": "A time: the last frame shows it.",
    "last_sent_at": "A time: the last frame shows it.",
    "listener": "An object; `tcp:open` names the listener.",
    "local": "`tcp:open` tells it.",
    "on_readable": "A callback of the user.",
    "on_urgent": "A callback of the user.",
    "on_writable": "A callback of the user.",
    "path": "An object of the Internet layer; `congestion.mss` follows its MTU.",
    "predecessor": "Another connection; `tcp:iss` tells that there is one.",
    "progress_at": "A time, from which the user timeout counts.",
    "reader_expected_until": "A time, by which the program is expected to read.",
    "remote": "`tcp:open` tells it.",
    "reports": "They wait only until the end of the batch.",
    "resent_at": "A time: the last retransmission shows it.",
    "rtx_because": "The reason of the retransmissions that follow: `tcp:send` tells it with each.",
    "rtt_started_at": "A time: `rtt_seq` shows that a segment is being timed.",
    "serial": "It is the name of the group.",
    "services": "What all connections share.",
    "settled_flight": "SND.NXT - SND.UNA at the end of the last batch.",
    "sizes": "The sizes sent and acknowledged; `tcp:mtu` tells what follows from them.",
    "state": "`tcp:state` tells it with the reason.",
    "syn_text": "Octets; the frame of the SYN has them.",
    "tlp_samples": "A count, by which no second probe is sent too early.",
    "trip_began_at": "A time, for the size of the receive buffer: `tcp:buffer` tells it.",
    "trip_octets": "It changes with every read; `tcp:buffer` tells what follows from it.",
    "user_options": "What the program asks for; calls change it, not the protocol.",
    "wakes": "It is set only within a batch.",
}
"""The slots of a TCB that are not told, and why."""

PARTS = {
    "congestion": ("cwnd", "ssthresh", "mss"),
    "receive_buffer": ("size", "held"),
    "rtt": ("srtt_s", "rttvar_s", "rto_s"),
    "send_buffer": ("size",),
    "timestamps": ("agreed", "recent"),
}
"""The objects that every TCB has, and which of their variables are told."""

OPTIONAL_PARTS = {
    "ecn": ("ect", "echo", "cwr"),
    "loss": ("after_timeout", "partial_acks"),
    "pacer": ("quantum", "left"),
    "rack": ("lost", "reo_wnd", "reordering_seen"),
    "sack_reporter": ("pending", "duplicate_pending"),
    "scoreboard": ("sacked", "high_rxt"),
    "user_timeout": ("remote_s", "due"),
}
"""The objects that a TCB has only while it needs them."""


WITH_THE_SYN = (
    "came_from_listen", "deferred", "fast_opened", "irs", "iss", "open_in_syn_sent", "rcv_shift", "sack", "scaling",
    "send_mss", "snd_shift", "syn_again", "timestamps.agreed",
)  # fmt: skip
"""What changes no more once the handshake is over. It is not looked at any longer."""


def _names(slots: tuple[str, ...]) -> tuple[str, ...]:
    """What is told of every TCB, at any time; the timers and the objects with more come last."""
    tables = (TIMERS, UNTOLD, PARTS, OPTIONAL_PARTS)
    plain = (name for name in slots if not any(name in table for table in tables))
    dotted = (f"{part}.{name}" for part, names in PARTS.items() for name in names)
    return tuple(name for name in (*plain, *dotted) if name not in WITH_THE_SYN)


VARIABLES = _names(SLOTS)
"""What is told of every TCB, at any time, besides the timers."""

OVER = (State.CLOSED, State.LISTEN)
"""The states of a connection that has ended; in LISTEN its listener goes on without it."""

Values = tuple[Any, ...]

_variables = len(VARIABLES)
_timers = len(TIMERS)
_snd_una, _peer_fin = VARIABLES.index("snd_una"), VARIABLES.index("peer_fin")
_values: Callable[[Tcb], Values] = attrgetter(*VARIABLES, *TIMERS, *OPTIONAL_PARTS)
_with_the_syn: Callable[[Tcb], Values] = attrgetter(*WITH_THE_SYN)
_getters: tuple[Callable[[Any], Values], ...] = tuple(attrgetter(*names) for names in OPTIONAL_PARTS.values())
_no_parts = (None,) * len(OPTIONAL_PARTS)

_OF_THE_PHASE = frozenset({"congestion.cwnd", "congestion.ssthresh", "loss", "loss.after_timeout"})

Tell = Callable[[Tcb, str, str, dict[str, object]], None]  # as `TcpTrace.tell`


Known = tuple[Values, Values, Values, bool]
"""What observers know of a TCB: the values, in the order of the names above; those in the optional
objects; those that come with the SYN; and whether the handshake was over already.
"""

NOTHING: Known = (
    (None,) * _variables + (inf,) * _timers + _no_parts, _no_parts, (None,) * len(WITH_THE_SYN), False
)  # fmt: skip


class Changes:
    """Tells what has changed in TCBs, by `TcpTrace.tell`."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._known: dict[int, Known] = {}
        self._phases: dict[int, str] = {}

    def tell(self, tcb: Tcb, now: float) -> None:
        """Tell what has changed since the last call for this TCB."""
        known = self._known.get(tcb.serial, NOTHING)
        over = tcb.state in OVER
        if over:
            if known is NOTHING:
                return  # it was over before it was observed
            del self._known[tcb.serial]
            self._phases.pop(tcb.serial, None)
        old_values, old_parts, old_syn, was_open = known
        values = _values(tcb)
        parts = values[_variables + _timers :]
        if parts != _no_parts:
            parts = tuple([None if part is None else get(part) for part, get in zip(parts, _getters, strict=True)])
        syn = old_syn if was_open else _with_the_syn(tcb)
        if values == old_values and parts == old_parts and syn is old_syn:
            return
        timers = slice(_variables, _variables + _timers)
        if values[timers] != old_values[timers]:
            self._tell_timers(tcb, old_values, values, now)
        changed = differences(VARIABLES, old_values, values)
        if syn is not old_syn:
            changed |= differences(WITH_THE_SYN, old_syn, syn)
        if parts != old_parts:
            changed |= _in_parts(old_parts, parts)
        if known is NOTHING:  # the first time, what is not told is 0
            changed = {name: value for name, value in changed.items() if value}
        if not over:
            self._known[tcb.serial] = values, parts, syn, tcb.state >= State.ESTABLISHED
        if changed:
            self._tell(tcb, "tcp:delta", "", changed)
        if tcb.state >= State.ESTABLISHED and not _OF_THE_PHASE.isdisjoint(changed):
            self._tell_phase(tcb)

    def _tell_timers(self, tcb: Tcb, before: Values, after: Values, now: float) -> None:
        for timer, old, new in zip(TIMERS.values(), before[_variables:], after[_variables:], strict=False):
            if timer == "TIME-WAIT" and not tcb.peer_fin:
                timer = "FIN-WAIT-2"  # the same deadline
            if new == inf != old:
                self._tell(tcb, "tcp:timer", _why_cleared(tcb, timer), {"timer": timer, "action": "cleared"})
            elif new != old:
                told = {"timer": timer, "action": "set", "in_s": round(new - now, 6)}
                acknowledged = before[_snd_una] != after[_snd_una]
                if timer == "retransmission" and old < inf:
                    self._tell(tcb, "tcp:timer", _why_again(old <= now, acknowledged), told)
                elif timer == "TIME-WAIT" and before[_peer_fin] and old < inf:
                    self._tell(tcb, "tcp:timer", "set_time_wait_again", told)
                else:
                    self._tell(tcb, "tcp:timer", WHEN_SET[timer], told)

    def _tell_phase(self, tcb: Tcb) -> None:
        """Tell by which rule cwnd changes from now on, if that is another one than before."""
        congestion = tcb.congestion
        if tcb.recovering:
            phase = "fast_recovery"
        else:
            phase = "slow_start" if congestion.cwnd < congestion.ssthresh else "congestion_avoidance"
        if self._phases.get(tcb.serial) != phase:
            self._phases[tcb.serial] = phase
            self._tell(tcb, "tcp:phase", phase, {"cwnd": congestion.cwnd, "ssthresh": congestion.ssthresh})

    def clear(self) -> None:
        """Forget all connections."""
        self._known.clear()
        self._phases.clear()


def _why_cleared(tcb: Tcb, timer: str) -> str:
    """Why a timer runs no longer."""
    if tcb.state <= State.LISTEN:
        return "cleared_at_end"
    if timer != "retransmission":
        return "cleared_timer"
    return "cleared_retransmission" if tcb.snd_una == tcb.snd_nxt else "cleared_for_another"


def _why_again(fired: bool, acknowledged: bool) -> str:
    """Why the retransmission timer, which was running, is set again."""
    if fired:
        return "set_retransmission_doubled"
    return "set_retransmission_anew" if acknowledged else "set_retransmission_moved"


def differences(names: Iterable[str], before: Values, after: Values) -> dict[str, object]:
    """The new values, by name, of what is not the same; more values than names do not count."""
    return {
        name: new for name, old, new in zip(names, before, after, strict=False) if new is not old and new != old
    }  # fmt: skip


def _in_parts(before: Values, after: Values) -> dict[str, object]:
    """The same for the optional objects; None for one that is gone."""
    changed: dict[str, object] = {}
    for (part, names), old, new in zip(OPTIONAL_PARTS.items(), before, after, strict=True):
        if new == old:
            continue
        if new is None:
            changed[part] = None
        else:
            dotted = [f"{part}.{name}" for name in names]
            changed |= differences(dotted, old or (None,) * len(names), new)
    return changed
