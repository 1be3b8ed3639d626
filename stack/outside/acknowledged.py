"""Judges what a segment acknowledges and the window that it offers.

An ACK that carries nothing and repeats the last one is a duplicate ACK, unless something else
explains it: another window, or a probe that it answers.
"""

from __future__ import annotations

from stack.outside import kinds
from stack.outside.connection import MASK, SeenEnd, SeenSegment
from stack.outside.mark import Kind, Mark
from stack.outside.sack import NO_BLOCKS, SHORTEST_SACK, sack_blocks
from stack.outside.sent import UNUSUAL, before
from stack.wire.tcp import ACK, RST, SYN

WINDOW_UPDATE = Mark(kinds.WINDOW_UPDATE)
ZERO_WINDOW = Mark(kinds.ZERO_WINDOW)
PROBE_ACK = Mark(kinds.ZERO_WINDOW_PROBE_ACK)
PROBE_TAKEN = Mark(kinds.ZERO_WINDOW_PROBE_TAKEN)
KEEP_ALIVE_ACK = Mark(kinds.KEEP_ALIVE_ACK)


def has(marks: tuple[Mark, ...], kind: Kind) -> bool:
    """Whether one of the marks is of this kind."""
    return any(mark.kind is kind for mark in marks)


def judge_window(sender: SeenEnd, segment: SeenSegment) -> Mark | None:
    """A window of zero, or a new window with nothing else."""
    if segment.flags & UNUSUAL:
        return None
    window = segment.window
    if not window:
        return ZERO_WINDOW
    if window != sender.window and not segment.length and segment.seq == sender.nxt and segment.ack == sender.ack:
        return WINDOW_UPDATE
    return None


def judge_repetition(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> Mark | None:
    """An ACK without data that repeats the one before: an answer to a probe, or a duplicate."""
    if segment.length or segment.flags & UNUSUAL or segment.seq != sender.nxt or segment.window != sender.window:
        return None
    same = segment.ack == sender.ack
    if not segment.window:
        if not has(receiver.last, kinds.ZERO_WINDOW_PROBE):
            return None
        return PROBE_ACK if same else PROBE_TAKEN if segment.ack == receiver.nxt else None
    if not same:
        return None
    if has(receiver.last, kinds.KEEP_ALIVE):
        return KEEP_ALIVE_ACK
    sender.duplicates += 1
    kind = kinds.DUPLICATE_OF_ALL if sender.ack == receiver.nxt else kinds.DUPLICATE_ACK
    return Mark(kind, sender.duplicates, sender.ack_frame)


def judge_challenge(sender: SeenEnd, segment: SeenSegment) -> Mark | None:
    """A challenge ACK: an ACK that says nothing new, after a segment that must be challenged."""
    if not sender.provoked or segment.length or segment.flags & UNUSUAL or not segment.flags & ACK:
        return None
    if segment.seq != sender.nxt or segment.ack != sender.ack:
        return None
    return Mark(kinds.CHALLENGE_ACK, 0, sender.provoked)


def take_probe(receiver: SeenEnd, segment: SeenSegment) -> None:
    """The octet of a zero window probe counts as sent when it is acknowledged, and not before."""
    probed = receiver.probed
    if probed is not None and segment.flags & ACK and segment.ack == (probed + 1) & MASK:
        if receiver.nxt == probed:
            receiver.nxt = segment.ack
        receiver.probed = None


def judge_ack(receiver: SeenEnd, segment: SeenSegment) -> Mark | None:
    """An ACK of octets that the capture does not have; they are no hole any more."""
    nxt, ack = receiver.nxt, segment.ack
    if not segment.flags & ACK or nxt is None:
        return None
    missing = 0
    if before(nxt, ack):
        told = receiver.acknowledged_unseen
        if segment.flags & RST or (told is not None and not before(told, ack)):
            return None
        receiver.acknowledged_unseen = ack
        missing = (ack - nxt) & MASK
    if receiver.holes:
        left = []
        for begin, end in receiver.holes:
            if before(begin, ack):
                stop = end if before(end, ack) else ack
                missing += (stop - begin) & MASK
                if before(ack, end):
                    left.append((ack, end))
            else:
                left.append((begin, end))
        receiver.holes = left
    return Mark(kinds.ACK_OF_UNSEEN, missing) if missing else None


def remember_ack(sender: SeenEnd, receiver: SeenEnd, segment: SeenSegment) -> None:
    """Take the ACK and the window into the variables, and measure the round trip."""
    ack = segment.ack
    sender.window = segment.window
    if segment.flags & SYN:
        sender.octets_of_window = segment.window
    else:
        sender.octets_of_window = None if sender.scale is None else segment.window << sender.scale
    if not segment.flags & ACK:
        return
    if ack != sender.ack:
        sender.duplicates = 0
        sender.ack_frame = segment.number
    sender.ack, sender.ack_time_ns = ack, segment.time_ns
    options = segment.options
    sender.sacked = sack_blocks(options) if len(options) >= SHORTEST_SACK else NO_BLOCKS
    waiting = receiver.unacknowledged
    while waiting and not before(ack, waiting[0][0]):
        end, number, time_ns = waiting.popleft()
        if end == ack:
            segment.acknowledges = number
            if time_ns >= 0:
                segment.rtt_ns = segment.time_ns - time_ns
