"""What a segment that has arrived is to its receiver: acceptable or not, in sequence or not.

See RFC 9293 section 3.10.7.4, first: a segment that is not acceptable is dropped, so its ACK and
its FIN change nothing. This can be told only in a capture that was made at the receiver, since
there every segment that is captured has arrived, in this order.
"""

from __future__ import annotations

from stack.outside.connection import SeenEnd, SeenSegment
from stack.outside.sent import after, before
from stack.wire.tcp import SYN

MOST_HELD = 64  # pieces of text behind gaps


def accept(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> bool:
    """Whether the receiver takes a segment; RCV.NXT and what it holds behind gaps go on with it.

    The last segment once more counts as acceptable, since common receivers process its ACK. The
    right edge of the window is not looked at. Into a window of zero no new text is taken. (A
    receiver may have a little room all the same, if its window is scaled. Its ACK shows it.)
    """
    rcv_nxt = receiver.rcv_nxt
    if rcv_nxt is None:
        rcv_nxt = receiver.ack
        if rcv_nxt is None:
            rcv_nxt = sender.base if sender.base is not None else segment.seq
    elif receiver.ack is not None and before(rcv_nxt, receiver.ack):
        rcv_nxt = receiver.ack  # it has more than was captured
    receiver.rcv_nxt = rcv_nxt
    seq, end = segment.seq, after(segment)
    if seq == end:
        return not before(seq, rcv_nxt)
    if end == rcv_nxt:
        return True
    if before(end, rcv_nxt) or (receiver.octets_of_window == 0 and not segment.flags & SYN):
        return False
    hold(receiver, seq, end)
    return True


def hold(receiver: SeenEnd, seq: int, end: int) -> None:
    """Take text: RCV.NXT advances if it is the next, and over what was held."""
    rcv_nxt = receiver.rcv_nxt
    assert rcv_nxt is not None
    receiver.held.append((seq, end))
    advanced = True
    while advanced:
        advanced = False
        left = []
        for piece in receiver.held:
            if before(rcv_nxt, piece[0]):
                left.append(piece)
            elif before(rcv_nxt, piece[1]):
                rcv_nxt, advanced = piece[1], True
        receiver.held = left
    del receiver.held[:-MOST_HELD]
    receiver.rcv_nxt = rcv_nxt
