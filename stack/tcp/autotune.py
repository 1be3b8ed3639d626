"""Buffers that grow with what passes through them, so that neither end's guess of the path limits the rate.

RFC 9293 leaves buffer sizes to us. The receiver does "dynamic right-sizing": what the user reads in one round trip is
what the sender could send in one, so a buffer of twice that lets him double his rate (slow start does no more). The
sender's buffer holds two congestion windows: what is in flight, and what follows when it is acknowledged.

A size that the user has set stays as he set it (`auto_rcvbuf`, `auto_sndbuf`). Neither grows while the host is short
of memory.
"""

from __future__ import annotations

from stack.tcp.tcb import Tcb

_SLACK_SEGMENTS = 16
"""Beside twice what was read: a burst may come while the reader is elsewhere."""


def note_read(tcb: Tcb, count: int, now: float) -> None:
    """The user has read `count` octets: if a round trip is over, see whether the buffer is large enough."""
    tcb.trip_octets += count
    srtt_s = tcb.rtt.srtt_s
    elapsed_s = now - tcb.trip_began_at
    config = tcb.services.config
    if srtt_s is None or elapsed_s < srtt_s or elapsed_s < config.auto_tuning_trip_s:
        return
    wanted = 2 * tcb.trip_octets + _SLACK_SEGMENTS * tcb.mss
    # Longer ago the connection was idle, which says nothing. On a short path, though, what counts is how often the
    # reader has his turn.
    busy = elapsed_s < max(2 * srtt_s, config.auto_tuning_pause_s)
    if busy and wanted > tcb.rcvbuf and not tcb.services.budget.tight:
        tcb.rcvbuf = max(tcb.rcvbuf, min(wanted, config.max_receive_buffer_bytes))
        if tcb.services.trace is not None:
            tcb.trace("receive buffer", size=tcb.rcvbuf)
    tcb.trip_began_at, tcb.trip_octets = now, 0


def grow_send_buffer(tcb: Tcb) -> None:
    """The send buffer is nearly full: with a congestion window like this one it may be larger."""
    if tcb.services.budget.tight:
        return
    wanted = min(2 * tcb.congestion.cwnd, tcb.services.config.max_send_buffer_bytes)
    if wanted > tcb.sndbuf:
        tcb.sndbuf = wanted
        if tcb.services.trace is not None:
            tcb.trace("send buffer", size=wanted)
