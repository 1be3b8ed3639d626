"""A SYN for a connection in TIME-WAIT: an old duplicate, or the beginning of a new connection.

See RFC 6191 section 2 and RFC 9293 section 3.10.7.4, fourth step ("new connections can be accepted
if the Timestamp Option is used and meets expectations"). RFC 1337 describes what goes wrong when
TIME-WAIT ends too early.

RFC 9293 section 3.6.1 (MAY-2) has two conditions:

1. The initial sequence number of the new connection must lie beyond the numbers of the old one
   (`handshake.begin_handshake`).
2. TIME-WAIT must come back "if the SYN turns out to be an old duplicate". So the old connection is
   kept as the `predecessor` of the new one until our SYN is acknowledged. If the new connection
   ends before that, by a reset (the peer did not send that SYN), by a timeout or otherwise,
   `restore_time_wait` puts the old one back.

The timer of the old connection's TIME-WAIT continues to run meanwhile. It lasts until the segments
of the old connection have left the network, and a SYN does not make that later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.tcp.segment import Segment
from stack.tcp.seq import ge, gt
from stack.tcp.states import TIME_WAIT, Event
from stack.tcp.tcb import Tcb
from stack.tcp.teardown import finish
from stack.tcp.timers import set_timers
from stack.wire.tcp import ACK, RST, SYN

if TYPE_CHECKING:
    from stack.tcp.connection import Connection


def may_reopen(tcb: Tcb, seg: Segment) -> bool:
    """Whether `seg` is a SYN that cannot belong to the connection in TIME-WAIT.

    Its timestamp is newer than any of that connection. Where timestamps do not decide, its sequence
    number lies beyond that connection's FIN.
    """
    if tcb.state is not TIME_WAIT or seg.flags & (SYN | ACK | RST) != SYN:
        return False
    timestamps = tcb.timestamps
    stamps = seg.options().timestamps if timestamps.offered else None
    beyond_fin = ge(seg.seg_seq, tcb.rcv_nxt)
    if stamps is None:  # the new connection will have no timestamps
        return beyond_fin
    if not timestamps.agreed:  # only the new connection will have them
        return True
    return gt(stamps[0], timestamps.recent) or (stamps[0] == timestamps.recent and beyond_fin)


def reopened(tcb: Tcb, now: float) -> None:
    """End the old TIME-WAIT: our SYN is acknowledged, so the peer's SYN is not an old duplicate."""
    old, tcb.predecessor = tcb.predecessor, None
    if old is not None and old.state is TIME_WAIT:
        finish(old, Event.RCV_SYN, 0, now)


def suspended(tcb: Tcb, asleep_s: float, now: float) -> None:
    """The host was suspended for `asleep_s`: age TIME-WAIT (MUST-13) and TS.Recent (RFC 7323 5.5).

    Timers that wait for the peer are not moved: the host could not receive an answer meanwhile.
    """
    tcb.timestamps.recent_at -= asleep_s
    if tcb.predecessor is not None:
        suspended(tcb.predecessor, asleep_s, now)
    if tcb.state is TIME_WAIT:
        tcb.time_wait_deadline -= asleep_s
        set_timers(tcb, now)


def restore_time_wait(tcb: Tcb) -> Connection | None:
    """The predecessor that goes back to TIME-WAIT, since `tcb` has ended; None if there is none."""
    old, tcb.predecessor = tcb.predecessor, None
    return old if old is not None and old.state is TIME_WAIT else None
