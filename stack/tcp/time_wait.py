"""A SYN for a connection in TIME-WAIT: an old duplicate, or the peer who wants to begin again.

See RFC 6191 section 2 and RFC 9293 section 3.10.7.4, fourth step ("new connections can be accepted if the Timestamp
Option is used and meets expectations"); RFC 1337 has what goes wrong when TIME-WAIT ends too easily.
"""

from __future__ import annotations

from stack.tcp.segment import Segment
from stack.tcp.seq import ge, gt
from stack.tcp.states import Event, State
from stack.tcp.tcb import Tcb
from stack.tcp.teardown import finish
from stack.wire.tcp import ACK, RST, SYN


def may_begin_again(tcb: Tcb, seg: Segment) -> bool:
    """Whether `seg` is a SYN that nobody could mistake for one of the connection that is in TIME-WAIT here.

    Its timestamp is newer, or, where timestamps do not tell, its number lies beyond the FIN of that connection.
    """
    if tcb.state is not State.TIME_WAIT or seg.flags & (SYN | ACK | RST) != SYN:
        return False
    timestamps = tcb.timestamps
    stamps = seg.options().timestamps if timestamps.offered else None
    beyond_fin = ge(seg.seg_seq, tcb.rcv_nxt)
    if stamps is None:  # the new connection would have none
        return beyond_fin
    if not timestamps.agreed:  # only the new one would
        return True
    return gt(stamps[0], timestamps.recent) or (stamps[0] == timestamps.recent and beyond_fin)


def make_way(tcb: Tcb, now: float) -> int:
    """End TIME-WAIT for a new connection between the same sockets; returns what its ISS must lie beyond.

    RFC 1122 section 4.2.2.13 (a): "larger than the largest sequence number it used on the previous connection".
    """
    finish(tcb, Event.RCV_SYN, 0, now)
    return tcb.snd_nxt
