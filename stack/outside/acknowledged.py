"""Judges what a segment acknowledges and the window that it offers.

An ACK that carries nothing and repeats the last one is a duplicate ACK, unless something else
explains it: another window, or a probe that it answers.
"""

from __future__ import annotations

from struct import Struct

from stack.outside import kinds
from stack.outside.connection import MASK, SeenEnd, SeenSegment
from stack.outside.mark import Kind, Mark
from stack.outside.sent import UNUSUAL, before
from stack.wire import tcp_options
from stack.wire.tcp import ACK, RST, SYN

WINDOW_UPDATE = Mark(kinds.WINDOW_UPDATE)
ZERO_WINDOW = Mark(kinds.ZERO_WINDOW)
PROBE_ACK = Mark(kinds.ZERO_WINDOW_PROBE_ACK)
KEEP_ALIVE_ACK = Mark(kinds.KEEP_ALIVE_ACK)
NO_BLOCKS: tuple[tuple[int, int], ...] = ()
_BLOCK = Struct("!II")


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
        one_more = sender.ack is not None and segment.ack == (sender.ack + 1) & MASK
        return PROBE_ACK if (same or one_more) and has(receiver.last, kinds.ZERO_WINDOW_PROBE) else None
    if not same:
        return None
    if has(receiver.last, kinds.KEEP_ALIVE):
        return KEEP_ALIVE_ACK
    sender.duplicates += 1
    return Mark(kinds.DUPLICATE_ACK, sender.duplicates, sender.ack_frame)


def judge_ack(receiver: SeenEnd, segment: SeenSegment) -> Mark | None:
    """An ACK of octets that the capture does not have; they are no hole any more."""
    nxt, ack = receiver.nxt, segment.ack
    if not segment.flags & ACK or nxt is None:
        return None
    missing = 0
    if before(nxt, ack):
        if segment.flags & RST:
            return None
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
    if ack != sender.ack:
        sender.duplicates = 0
        sender.ack_frame = segment.number
    sender.ack, sender.ack_time_ns = ack, segment.time_ns
    sender.window = segment.window
    sender.octets_of_window = (
        segment.window if segment.flags & SYN else None if sender.scale is None else segment.window << sender.scale
    )
    options = segment.options
    sender.sacked = sack_blocks(options) if len(options) >= 10 else NO_BLOCKS
    waiting = receiver.unacknowledged
    while waiting and not before(ack, waiting[0][0]):
        end, number, time_ns = waiting.popleft()
        if end == ack:
            segment.acknowledges = number
            if time_ns >= 0:
                segment.rtt_ns = segment.time_ns - time_ns


def sack_blocks(options: bytes) -> tuple[tuple[int, int], ...]:
    """The blocks of a SACK option (RFC 2018 section 3); none if the options are broken."""
    at, end = 0, len(options)
    while at < end and (kind := options[at]) != tcp_options.END:
        if kind == tcp_options.NO_OPERATION:
            at += 1
            continue
        length = options[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            break
        if kind == tcp_options.SACK:
            return tuple(_BLOCK.iter_unpack(options[at + 2 : at + 2 + (length - 2) // 8 * 8]))
        at += length
    return NO_BLOCKS
