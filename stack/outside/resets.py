"""Judges a reset: a SYN refused, a half-open connection found, or a connection given up.

See RFC 9293 sections 3.5.1 (half-open connections), 3.5.2 (when resets are sent) and 3.10.7.1.
"""

from __future__ import annotations

from stack.outside import kinds
from stack.outside.acknowledged import has
from stack.outside.connection import SeenConnection, SeenEnd, SeenSegment
from stack.outside.mark import Mark
from stack.tcp.states import State
from stack.wire.tcp import ACK

RESET = Mark(kinds.RESET)
REFUSED = Mark(kinds.REFUSED)
HALF_OPEN = Mark(kinds.HALF_OPEN)
WITHOUT_CONNECTION = (None, State.CLOSED, State.SYN_SENT)
SILENCE_NS = 1_000_000_000


def judge_reset(connection: SeenConnection, sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> list[Mark]:
    """What a reset says."""
    if sender.iss is None and receiver.iss is not None and segment.flags & ACK and segment.ack == receiver.nxt:
        connection.marks += () if has(connection.marks, kinds.REFUSED) else (REFUSED,)
        return [RESET, REFUSED]
    if segment.flags & ACK or segment.seq != receiver.ack or sender.state in WITHOUT_CONNECTION:
        return [RESET]
    silent = segment.time_ns - sender.last_time_ns > SILENCE_NS
    answers = receiver.last_time_ns >= sender.last_time_ns
    if has(receiver.last, kinds.CHALLENGE_ACK) or (silent and answers and sender.fin is None):
        return [RESET, HALF_OPEN]
    return [RESET]
