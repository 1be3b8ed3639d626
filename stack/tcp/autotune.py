"""Buffers that grow with the traffic, so that a fixed size does not limit the rate.

RFC 9293 leaves buffer sizes to the implementation. The receiver does "dynamic right-sizing". What
the user reads in one round trip is what the sender could send in one. With a buffer of twice that
size the sender can double its rate, which is as fast as slow start. The send buffer holds two
congestion windows: the data in flight, and the data that follows when it is acknowledged.

A size that the user has set does not change (`auto_rcvbuf`, `auto_sndbuf`). Neither buffer grows
while the host is short of memory.
"""

from __future__ import annotations

from stack.tcp.tcb import Tcb

_SLACK_SEGMENTS = 16
"""Added to twice what was read: room for a burst that comes while the reader is busy."""


def note_read(tcb: Tcb, count: int, now: float) -> None:
    """The user has read `count` octets. Once a round trip, enlarge a buffer that is too small."""
    tcb.trip_octets += count
    srtt_s = tcb.rtt.srtt_s
    elapsed_s = now - tcb.trip_began_at
    config = tcb.config
    if srtt_s is None or elapsed_s < srtt_s or elapsed_s < config.auto_tuning_trip_s:
        return
    wanted = 2 * tcb.trip_octets + _SLACK_SEGMENTS * tcb.mss
    # If much more time has passed, the connection was idle in between, and the octets read do not
    # show its rate. On a short path the limit is the interval between two runs of the reader.
    busy = elapsed_s < max(2 * srtt_s, config.auto_tuning_pause_s)
    if busy and wanted > tcb.rcvbuf and not tcb.services.budget.tight:
        tcb.rcvbuf = max(tcb.rcvbuf, min(wanted, config.max_receive_buffer_bytes))
        if tcb.services.trace is not None:
            tcb.tell("tcp:buffer", "rcvbuf_grows", size=tcb.rcvbuf)
    tcb.trip_began_at, tcb.trip_octets = now, 0


def grow_send_buffer(tcb: Tcb) -> None:
    """The send buffer is nearly full: enlarge it if the congestion window allows."""
    if tcb.services.budget.tight:
        return
    wanted = min(2 * tcb.congestion.cwnd, tcb.config.max_send_buffer_bytes)
    if wanted > tcb.sndbuf:
        tcb.sndbuf = wanted
        if tcb.services.trace is not None:
            tcb.tell("tcp:buffer", "sndbuf_grows", size=wanted)
