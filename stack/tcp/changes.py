"""The changes of a TCB, told to observers as differences: variables, and timers set or cleared.

Protocol code tells its decisions and the reasons. That a variable has another value is seen here,
by comparing with the values at the end of the last batch, call or deadline.

What is told comes from the names of `Tcb.__slots__`, so that a new variable cannot be forgotten: it
is told unless `UNTOLD` says why not. Of an object in the TCB some variables are told, by dotted
names such as "congestion.cwnd".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import inf
from operator import attrgetter
from typing import Any

from stack.errors import error_name
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
    "config": "It never changes; a setting of the host is for later connections.",
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


SENDING = ("snd_una", "snd_nxt", "snd_wl2", "snd_sml", "send_buffer.size", "rtt_seq", "recover")
"""What changes while we send, with nearly every ACK."""

RECEIVING = ("rcv_nxt", "rcv_wnd", "snd_wl1", "receive_buffer.size", "ack_due", "timestamps.recent")
"""What changes while we receive."""

CONTROL = (
    "snd_wnd", "max_snd_wnd", "congestion.cwnd", "congestion.ssthresh", "rtt.srtt_s", "rtt.rttvar_s", "rtt.rto_s",
    "rtx_nxt", "rtx_end",
)  # fmt: skip
"""The windows and times by which we send."""


def _all_others(slots: tuple[str, ...]) -> tuple[str, ...]:
    """The other variables of every TCB; those of the objects in it come last."""
    tables = (TIMERS, UNTOLD, PARTS, OPTIONAL_PARTS)
    plain = (name for name in slots if not any(name in table for table in tables))
    dotted = (f"{part}.{name}" for part, names in PARTS.items() for name in names)
    return tuple(name for name in (*plain, *dotted) if name not in (*WITH_THE_SYN, *SENDING, *RECEIVING, *CONTROL))


OTHERS = _all_others(SLOTS)
"""What changes seldom."""

VARIABLES = (*SENDING, *RECEIVING, *CONTROL, *OTHERS)
"""What is told of every TCB, at any time, besides the timers."""

OVER = (State.CLOSED, State.LISTEN)
"""The states of a connection that has ended; in LISTEN its listener goes on without it."""

Values = tuple[Any, ...]
Get = Callable[[Tcb], Values]
Tell = Callable[[Tcb, str, str, dict[str, object]], None]  # as `TcpTrace.tell`

_sending: Get = attrgetter(*SENDING)
_receiving: Get = attrgetter(*RECEIVING)
_control: Get = attrgetter(*CONTROL)
_others: Get = attrgetter(*OTHERS)
_timers: Get = attrgetter(*TIMERS)
_parts: Get = attrgetter(*OPTIONAL_PARTS)
_with_the_syn: Get = attrgetter(*WITH_THE_SYN)

_snd_una, _peer_fin = SENDING.index("snd_una"), OTHERS.index("peer_fin")


class _Known:
    """What observers know of a TCB: the values, in the order of the names above.

    The values are in groups. A group that is the same is found by one comparison of tuples.
    """

    __slots__ = (
        "control", "get_parts", "is_open", "others", "part_names", "part_values", "parts", "receiving", "sending",
        "syn", "timers",
    )  # fmt: skip

    def __init__(self) -> None:
        self.sending: Values = (None,) * len(SENDING)
        self.receiving: Values = (None,) * len(RECEIVING)
        self.control: Values = (None,) * len(CONTROL)
        self.others: Values = (None,) * len(OTHERS)
        self.timers: Values = (inf,) * len(TIMERS)
        self.syn: Values = (None,) * len(WITH_THE_SYN)
        self.is_open = False  # the handshake is over
        # The optional objects that the TCB has now, the names of their variables, and the values
        self.parts: Values = (None,) * len(OPTIONAL_PARTS)
        self.part_names: tuple[str, ...] = ()
        self.get_parts: Get | None = None
        self.part_values: Values = ()


class Changes:
    """Tells what has changed in TCBs, by `TcpTrace.tell`."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._known: dict[int, _Known] = {}
        # Connection to the values that decide the phase, and the phase that was told
        self._phases: dict[int, tuple[tuple[float, float, bool], str]] = {}

    def tell(self, tcb: Tcb, now: float) -> None:
        """Tell what has changed since the last call for this TCB."""
        known = self._known.get(tcb.serial)
        is_new = known is None
        if known is None:
            if tcb.state in OVER:
                return  # it was over before it was observed
            known = _Known()
        changed: dict[str, object] = {}
        sending, receiving, control, others = _sending(tcb), _receiving(tcb), _control(tcb), _others(tcb)
        timers = _timers(tcb)
        if timers != known.timers:
            acknowledged = sending[_snd_una] != known.sending[_snd_una]
            self._tell_timers(tcb, known, timers, acknowledged, now)
            known.timers = timers
        if sending != known.sending:
            changed = differences(SENDING, known.sending, sending)
            known.sending = sending
        if receiving != known.receiving:
            changed |= differences(RECEIVING, known.receiving, receiving)
            known.receiving = receiving
        if control != known.control:
            changed |= differences(CONTROL, known.control, control)
            known.control = control
        if others != known.others:
            changed |= _with_error_names(differences(OTHERS, known.others, others))
            known.others = others
        if not known.is_open:
            syn = _with_the_syn(tcb)
            changed |= differences(WITH_THE_SYN, known.syn, syn)
            known.syn, known.is_open = syn, tcb.state >= State.ESTABLISHED
        parts = _parts(tcb)
        if parts != known.parts:
            changed |= _other_parts(known, tcb, parts)
        elif known.get_parts is not None:
            values = known.get_parts(tcb)
            if values != known.part_values:
                changed |= differences(known.part_names, known.part_values, values)
                known.part_values = values
        if is_new:  # what is not told is 0
            changed = {name: value for name, value in changed.items() if value}
        if changed:
            self._tell(tcb, "tcp:delta", "", changed)
            self.tell_phase(tcb)
        if is_new:
            self._known[tcb.serial] = known  # it may have got its serial number just now

    def _tell_timers(self, tcb: Tcb, known: _Known, timers: Values, acknowledged: bool, now: float) -> None:
        for timer, old, new in zip(TIMERS.values(), known.timers, timers, strict=True):
            if new == old:
                continue
            if timer == "TIME-WAIT" and not tcb.peer_fin:
                timer = "FIN-WAIT-2"  # the same deadline
            if new == inf:
                self._tell(tcb, "tcp:timer", _why_cleared(tcb, timer), {"timer": timer, "action": "cleared"})
                continue
            if old == inf:
                corked = timer == "silly window" and tcb.user_options.cork
                because = "set_cork" if corked else WHEN_SET[timer]
            elif timer == "retransmission":
                because = _why_again(old <= now, acknowledged)
            elif timer == "TIME-WAIT" and known.others[_peer_fin]:
                because = "set_time_wait_again"
            else:
                because = WHEN_SET[timer]
            self._tell(tcb, "tcp:timer", because, {"timer": timer, "action": "set", "in_s": round(new - now, 6)})

    def tell_phase(self, tcb: Tcb) -> None:
        """Tell by which rule cwnd changes from now on, if that is another one than before.

        `tell` calls this, too.
        """
        congestion = tcb.congestion
        values = congestion.cwnd, congestion.ssthresh, tcb.recovering
        before, told = self._phases.get(tcb.serial, (None, ""))
        if values == before:
            return
        if tcb.recovering:
            phase = "fast_recovery"
        else:
            phase = "slow_start" if congestion.cwnd < congestion.ssthresh else "congestion_avoidance"
        if tcb.state >= State.ESTABLISHED and phase != told:
            self._tell(tcb, "tcp:phase", phase, {"cwnd": congestion.cwnd, "ssthresh": congestion.ssthresh})
            told = phase
        if tcb.serial:
            self._phases[tcb.serial] = values, told

    def forget_values(self, tcb: Tcb) -> None:
        """Its values are not told for a time: then all of them are new."""
        self._known.pop(tcb.serial, None)

    def forget(self, tcb: Tcb) -> None:
        """A connection is over."""
        self._known.pop(tcb.serial, None)
        self._phases.pop(tcb.serial, None)

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


def differences(names: tuple[str, ...], before: Values, after: Values) -> dict[str, object]:
    """The new values, by name, of what is not the same."""
    return {
        name: new for name, old, new in zip(names, before, after, strict=True) if new is not old and new != old
    }  # fmt: skip


def _with_error_names(changed: dict[str, object]) -> dict[str, object]:
    """The same, with an errno as text, "ECONNREFUSED". It is None when there is no error."""
    for name in ("error", "soft_error"):
        error = changed.get(name)
        if isinstance(error, int):
            changed[name] = error_name(error) if error else None
    return changed


def _other_parts(known: _Known, tcb: Tcb, parts: Values) -> dict[str, object]:
    """The same for the optional objects, when one has come or gone; None for one that is gone."""
    before = dict(zip(known.part_names, known.part_values, strict=True))
    gone = {
        part: None
        for part, old, new in zip(OPTIONAL_PARTS, known.parts, parts, strict=True)
        if old is not None and new is None
    }  # fmt: skip
    known.parts = parts
    known.part_names, known.get_parts = _reader(tuple(part is not None for part in parts))
    known.part_values = () if known.get_parts is None else known.get_parts(tcb)
    after = zip(known.part_names, known.part_values, strict=True)
    return gone | {name: value for name, value in after if value != before.get(name)}


@lru_cache(maxsize=1 << len(OPTIONAL_PARTS))
def _reader(present: tuple[bool, ...]) -> tuple[tuple[str, ...], Get | None]:
    """The names of the variables in the optional objects that are present, and what reads them."""
    names = tuple(
        f"{part}.{name}"
        for (part, inner), is_present in zip(OPTIONAL_PARTS.items(), present, strict=True)
        if is_present
        for name in inner
    )
    return names, attrgetter(*names) if names else None
