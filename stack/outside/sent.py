"""Judges what a segment carries: new, again, out of order, beyond a gap, a probe, a keep-alive.

`sender.nxt` is one after the highest octet that was seen of the sender, and `sender.holes` are the
octets before it that the capture does not have.
"""

from __future__ import annotations

from stack.outside import kinds
from stack.outside.connection import MASK, SeenConnection, SeenEnd, SeenSegment
from stack.outside.mark import Kind, Mark
from stack.wire.tcp import FIN, RST, SYN

HALF = 0x8000_0000
FAST_NS = 20_000_000  # a fast retransmission follows the last ACK within this time
REORDERING_NS = 3_000_000  # how long a segment can be overtaken, where no round trip is known
TIMEOUT_NS = 200_000_000  # the shortest retransmission timeout of systems in use
MOST_HOLES = 64
UNUSUAL = SYN | FIN | RST

NEW = Mark(kinds.NEW)
FULL = Mark(kinds.WINDOW_FULL)
PROBE = Mark(kinds.ZERO_WINDOW_PROBE)
KEEP_ALIVE = Mark(kinds.KEEP_ALIVE)
KEEP_ALIVE_AT_ZERO = Mark(kinds.KEEP_ALIVE_AT_ZERO)
OCTET_AGAIN = Mark(kinds.OCTET_AGAIN)
NOT_NEW = (KEEP_ALIVE, KEEP_ALIVE_AT_ZERO, OCTET_AGAIN)
BY_SACK = Mark(kinds.BY_SACK)
SPURIOUS = Mark(kinds.SPURIOUS)
FAST = Mark(kinds.FAST)
OUT_OF_ORDER = Mark(kinds.OUT_OF_ORDER)


def before(a: int, b: int) -> bool:
    """a < b on the circle of sequence numbers (RFC 9293 section 3.4)."""
    return 0 < ((b - a) & MASK) < HALF


def is_probe(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> bool:
    """Whether this is a zero window probe: one octet, the next one, into a window of zero."""
    return segment.length == 1 and segment.seq == sender.nxt and receiver.window == 0


def judge_place(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> Mark | None:
    """A gap before the segment, or a keep-alive's place one before the next octet.

    A keep-alive is sent only if no data is outstanding (RFC 9293 MUST-26): one octet that was not
    acknowledged is sent again.
    """
    seq, nxt = segment.seq, sender.nxt
    if nxt is None or seq == nxt:
        return None
    if before(nxt, seq) and not segment.flags & RST:
        return Mark(kinds.GAP, (seq - nxt) & MASK)
    if segment.length <= 1 and (seq + 1) & MASK == nxt and not segment.flags & UNUSUAL:
        if receiver.ack is None or receiver.ack == nxt:
            return KEEP_ALIVE if receiver.window else KEEP_ALIVE_AT_ZERO
        return OCTET_AGAIN if segment.length else None
    return None


def fills_window(connection: SeenConnection, receiver: SeenEnd, segment: SeenSegment) -> bool:
    """Whether the data ends where the window of the receiver does. The scale must be known."""
    if not segment.length or segment.flags & UNUSUAL or receiver.ack is None or receiver.octets_of_window is None:
        return False
    return (segment.seq + segment.length) & MASK == (receiver.ack + receiver.octets_of_window) & MASK


def judge_data(connection: SeenConnection, sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> list[Mark]:
    """How a segment with data, a SYN or a FIN relates to what was seen before."""
    nxt, seq = sender.nxt, segment.seq
    end = (seq + segment.length) & MASK
    if nxt is None or not before(seq, nxt):
        return [NEW]
    if segment.length and receiver.ack is not None and not before(receiver.ack, end):
        return [SPURIOUS]
    if segment.length > 1 and (seq + 1) & MASK == nxt:
        return [NEW]  # its first octet was a probe of the window or a keep-alive
    since_ack = segment.time_ns - receiver.ack_time_ns
    if since_ack < FAST_NS and asked_for(receiver, seq):
        return [FAST]
    captured = was_captured(sender, segment)
    since_highest = segment.time_ns - sender.nxt_time_ns
    if not captured and since_highest < (connection.rtt_ns or REORDERING_NS) and after(segment) != nxt:
        return [OUT_OF_ORDER]
    return again_marks(sender, receiver, segment, kinds.AGAIN if captured else kinds.AGAIN_IT_SEEMS)


def asked_for(receiver: SeenEnd, seq: int) -> bool:
    """Whether two or more duplicate ACKs of the receiver say that the octet `seq` is missing."""
    return receiver.duplicates >= 2 and receiver.ack == seq


def was_captured(sender: SeenEnd, segment: SeenSegment) -> bool:
    """Whether all octets of a segment before `nxt` were in earlier frames of the capture."""
    seq, end = segment.seq, after(segment)
    if sender.base is None or before(seq, sender.base):
        return False
    return not any(before(seq, right) and before(left, end) for left, right in sender.holes)


def again_marks(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment, kind: Kind) -> list[Mark]:
    """A retransmission, and what may be its cause: SACK blocks, or the timer."""
    marks = [Mark(kind, 0, sender.nxt_frame)]
    waited = segment.time_ns - sender.nxt_time_ns
    if not_sacked(receiver, segment):
        marks.append(BY_SACK)
    elif waited >= TIMEOUT_NS and receiver.duplicates < 2:
        marks.append(Mark(kinds.AFTER_TIMEOUT, waited // 1_000_000))
    return marks


def not_sacked(receiver: SeenEnd, segment: SeenSegment) -> bool:
    """Whether the last SACK blocks have octets after this segment, and none of its own."""
    end, blocks = after(segment), receiver.sacked
    if not blocks or not any(not before(left, end) for left, _ in blocks):
        return False
    return all(not before(segment.seq, right) or not before(left, end) for left, right in blocks)


def after(segment: SeenSegment) -> int:
    """The sequence number after the segment: SYN and FIN count as one octet each."""
    flags = segment.flags
    return (segment.seq + segment.length + bool(flags & SYN) + bool(flags & FIN)) & MASK


def remember_sent(sender: SeenEnd, segment: SeenSegment, most_outstanding: int) -> None:
    """Take a segment, which is no zero window probe, into the sender's variables."""
    seq, nxt, end = segment.seq, sender.nxt, after(segment)
    if sender.base is None:
        sender.base = seq if segment.flags & SYN else (seq - 1) & MASK
    if nxt is None or before(nxt, end):
        if nxt is not None and before(nxt, seq):
            if segment.flags & RST:
                return  # its number may be any
            told = sender.acknowledged_unseen
            left = nxt if told is None or before(told, nxt) else told
            if before(left, seq):
                sender.holes.append((left, seq))
                del sender.holes[:-MOST_HOLES]
        if end != seq and len(sender.unacknowledged) < most_outstanding:
            sender.unacknowledged.append([end, segment.number, segment.time_ns])
        sender.nxt, sender.nxt_frame, sender.nxt_time_ns = end, segment.number, segment.time_ns
    elif end != seq:
        # Karn: the ACK of what was sent twice does not say which of both it answers.
        for entry in sender.unacknowledged:
            if before(seq, entry[0]) and not before(end, entry[0]):
                entry[2] = -1
    if sender.holes and end != seq:
        sender.holes = [piece for hole in sender.holes for piece in without(hole, seq, end)]


def without(hole: tuple[int, int], seq: int, end: int) -> list[tuple[int, int]]:
    """What is left of a hole when the octets from `seq` to before `end` have come."""
    left, right = hole
    if not before(seq, right) or not before(left, end):
        return [hole]
    pieces = [(left, seq)] if before(left, seq) else []
    return [*pieces, (end, right)] if before(end, right) else pieces
