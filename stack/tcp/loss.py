"""An episode of loss recovery, and the reductions of the congestion window.

`tcb.loss` is the episode; it is None while no loss is known. It begins when duplicate ACKs, SACK
blocks or the time show a loss (`begin`), or with a timeout where RACK is in use (`timed_out`). It
ends when all that was in flight at its beginning is acknowledged, or when nothing was lost after
all (`undo.py`). All losses in what was in flight are one episode, which reduces the window once.

See RFC 6582 section 3.2 (`newreno.py`), and RFC 6675 section 5 and RFC 8985 (`recovery.py`).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from stack.tcp.prr import Prr
from stack.tcp.scoreboard import DUP_THRESH
from stack.tcp.seq import add, gt

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb

# Why the window is reduced: a segment is lost; a router has marked one (ECN); no ACK came at all
LOSS, MARK, TIMEOUT = "loss", "mark", "timeout"


class Loss:
    """One episode. It ends when SND.UNA reaches `tcb.recover`.

    - `after_timeout`: it began with a timeout. The window opens with each ACK, as in slow start.
      Otherwise it is a fast recovery: the window stays, or changes as RFC 6582 says.
    - `prr`: how fast to send in a fast recovery; None without SACK or without `config.prr`.
    - `partial_acks`: without SACK, there has been a partial ACK (RFC 6582 section 3.2 step 3).
    """

    __slots__ = ("after_timeout", "partial_acks", "prr")

    def __init__(self, after_timeout: bool = False) -> None:
        self.after_timeout = after_timeout
        self.prr: Prr | None = None
        self.partial_acks = False


def begin(tcb: Tcb, flight: int, now: float, *, because: str) -> None:
    """A segment is lost: begin a fast recovery. `flight` octets were outstanding at the loss.

    `because` is the reason that observers are told.
    """
    # This recovery cannot be undone if the front was retransmitted before it. The ACK of that
    # retransmission would echo an older timestamp, and Eifel would take the recovery for spurious.
    undoable = tcb.rack is None or not tcb.rack.front_was_resent
    reduce(tcb, LOSS, flight, now, undoable, because=because)
    tcb.loss = loss = Loss()
    if tcb.scoreboard is None:
        for _ in range(DUP_THRESH):
            tcb.congestion.on_duplicate_ack()  # "inflate" by the segments behind the duplicates
    elif tcb.config.prr:
        loss.prr = Prr(tcb.flight, tcb.mss)
    tcb.recover = tcb.snd_nxt
    tcb.tlp_end = None
    tcb.rto_deadline = inf  # restarted by set_timers
    if tcb.services.trace is not None:
        tcb.tell("tcp:recovery", "recovery_begins", recover=tcb.recover, cwnd=tcb.congestion.cwnd)


def timed_out(tcb: Tcb, now: float) -> None:
    """The retransmission timer has expired: this ends a fast recovery and the count of duplicates.

    With RACK an episode begins. Without RACK all that is in flight is sent again in order
    (`rtx_nxt`). Which of it is lost is not known, so there is no episode.
    """
    because = "loss_by_timeout" if tcb.timeouts == 1 else "loss_by_timeout_again"
    reduce(tcb, TIMEOUT, tcb.flight, now, undoable=tcb.timeouts == 1, because=because)
    if tcb.recovering and tcb.services.trace is not None:
        tcb.tell("tcp:recovery", "recovery_timed_out", recover=tcb.snd_nxt, cwnd=tcb.congestion.cwnd)
    tcb.loss = Loss(after_timeout=True) if tcb.rack is not None else None
    tcb.duplicate_acks = tcb.left_network = 0
    tcb.tlp_end = None
    tcb.reo_deadline = tcb.pto_deadline = inf
    tcb.recover = tcb.snd_nxt  # RFC 6582 section 3.2 step 4


def end(tcb: Tcb) -> None:
    """The losses are repaired, or nothing was lost.

    `recover` stays: no other episode begins before SND.UNA has reached it.
    """
    tcb.loss = None


def reduce(tcb: Tcb, why: str, flight: int, now: float, undoable: bool = False, *, because: str) -> None:
    """The network is congested: reduce cwnd; with ECN, tell the peer in the next new data.

    `flight` octets were outstanding (RFC 5681 equation (4)). If it is `undoable`, the time is
    stored by which `undo.py` can tell that nothing was lost (RFC 3522 section 3.2, steps 1 to 3).
    `because` is the reason that observers are told.
    """
    congestion = tcb.congestion
    cwnd, ssthresh = congestion.cwnd, congestion.ssthresh
    if why == TIMEOUT:
        congestion.on_rto(flight, tcb.timeouts == 1, now)
    elif why == MARK:
        congestion.on_ecn(flight, now)
    else:
        congestion.on_loss(flight, now)
    if tcb.ecn is not None:
        tcb.ecn.reduced(tcb.snd_nxt)
    if undoable and tcb.timestamps.agreed and tcb.config.undo:
        tcb.rtx_stamp = tcb.timestamps.clock(now)
    if tcb.services.trace is not None:
        before = {"cwnd_before": cwnd, "ssthresh_before": ssthresh}
        after = {"cwnd": congestion.cwnd, "ssthresh": congestion.ssthresh}
        tcb.tell("tcp:loss", because, seq=tcb.snd_una, flight=flight, **before, **after)


def grow(tcb: Tcb, acked: int, now: float) -> None:
    """Open cwnd: `acked` new octets were acknowledged outside a fast recovery (RFC 5681 3.1)."""
    # Move `recover` along with SND.UNA. If it fell 2**31 octets behind, it would seem to be ahead
    if gt(tcb.snd_una, tcb.recover):
        tcb.recover = add(tcb.snd_una, -1)
    # A window that was not in use is no evidence of capacity
    if 2 * tcb.settled_flight >= tcb.congestion.cwnd:
        tcb.congestion.on_ack(acked, now, tcb.rtt.srtt_s or 0.0)
