"""Loss recovery with SACK: which ACK begins it, what each does during it, and which ends it.

See RFC 6675 section 5, RFC 2883 section 5 and RFC 8985, which replaces RFC 6675's loss detection
where it is in use. `newreno.py` does the same without SACK. What to send during recovery is chosen
in `output.py`, when the batch is over.
"""

from __future__ import annotations

from math import inf

from stack.tcp import loss, tlp
from stack.tcp.memory import ranges_limit
from stack.tcp.output import retransmit_front
from stack.tcp.rack import Rack
from stack.tcp.sack import blocks_of
from stack.tcp.scoreboard import DUP_THRESH, Scoreboard
from stack.tcp.segment import Segment
from stack.tcp.seq import ge
from stack.tcp.tcb import WAKE_WRITABLE, Tcb
from stack.tcp.timestamps import TICKS_PER_SECOND


def sack_ack(tcb: Tcb, board: Scoreboard, seg: Segment, acked: int, flight: int, now: float) -> None:
    """Process one ACK.

    `acked` octets were acknowledged cumulatively; `flight` octets were outstanding before the ACK.
    """
    blocks = blocks_of(seg)
    if not acked and not blocks and tcb.tlp_end is None:
        return  # nothing new about the data in flight; the reordering timer covers the rest
    if not blocks and tcb.tlp_end is None:
        cumulative_ack(tcb, board, acked, seg.ts_ecr, now)
        return
    sacked_before = board.sacked
    board.advance(board.high_ack + acked)
    dsack = False
    newly_sacked: list[tuple[int, int]] = []
    if blocks:
        numbers = [(board.number(left, tcb.snd_una), board.number(right, tcb.snd_una)) for left, right in blocks]
        dsack = is_dsack(numbers, board.number(seg.seg_ack, tcb.snd_una))
        if dsack:
            tcb.services.counters["tcpInDsacks"] += 1
            if tcb.services.trace is not None:
                tcb.tell("tcp:dsack", "duplicate_reported", left=blocks[0][0], right=blocks[0][1])
            del numbers[0]
        most = ranges_limit(tcb) if tcb.services.budget.tight else None
        newly_sacked = board.update(numbers, board.high_ack + tcb.flight, most)
    if acked:
        tcb.duplicate_acks = 0
    if newly_sacked:
        tcb.wakes |= WAKE_WRITABLE  # new data may be sent now: let the user write it
        tcb.duplicate_acks += 1
        if tcb.duplicate_acks == 1:
            tcb.loss_flight = flight - acked
    if tcb.tlp_end is not None:
        duplicate = dsack or not (acked or blocks or seg.whole_len)
        tlp.process_ack(tcb, board, board.number(seg.seg_ack, tcb.snd_una), duplicate, flight, now)
    if tcb.rack is not None:
        _rack_steps(tcb, board, tcb.rack, seg.ts_ecr, newly_sacked, dsack, now)
    _update_recovery(tcb, board, acked, bool(newly_sacked), acked + board.sacked - sacked_before, now)


def cumulative_ack(tcb: Tcb, board: Scoreboard, acked: int, ts_ecr: int, now: float) -> None:
    """`sack_ack` for `acked` new octets without SACK blocks, with no loss probe in flight.

    While nothing is missing and nothing was sent twice, an ACK only delivers the oldest segments
    and opens the window.
    """
    rack = tcb.rack
    if (
        rack is not None
        and tcb.loss is None
        and not (board.sacked or rack.lost or rack.has_resent)
        and rack.dsack_round is None
    ):
        board.high_ack += acked
        tcb.duplicate_acks = 0
        srtt_s = tcb.rtt.srtt_s
        rack.delivered_in_order(board.high_ack, now, inf if srtt_s is None else srtt_s)
        tcb.reo_deadline = inf
        loss.grow(tcb, acked, now)
        tcb.left_network = 0
        return
    sacked_before = board.sacked
    board.advance(board.high_ack + acked)
    tcb.duplicate_acks = 0
    if rack is not None:
        _rack_steps(tcb, board, rack, ts_ecr, [], False, now)
    _update_recovery(tcb, board, acked, False, acked + board.sacked - sacked_before, now)


def _update_recovery(tcb: Tcb, board: Scoreboard, acked: int, newly_sacked: bool, delivered: int, now: float) -> None:
    """Act on an ACK that the scoreboard has recorded: enter or leave recovery, or open the window.

    `newly_sacked`: it SACKs octets for the first time. `delivered` is the number of octets that it
    reports as arrived, by SACK or cumulatively.
    """
    rack = tcb.rack
    before = tcb.loss
    if before is not None and ge(tcb.snd_una, tcb.recover):  # RFC 6675 section 5 (A)
        _leave(tcb, before)
    begins = tcb.loss is None and (newly_sacked or rack is not None) and _loss_is_seen(tcb, board)
    if begins:
        _enter(tcb, board, now, "loss_by_sack" if rack is None else "loss_by_rack")
        if rack is not None:  # the reordering window may differ in recovery
            tcb.reo_deadline = _detect(tcb, board, rack, now)
    elif acked and (before is None or before.after_timeout):
        loss.grow(tcb, acked, now)
    tcb.left_network = board.sacked + rack.lost if rack is not None else board.sacked
    prr = tcb.loss.prr if tcb.loss is not None else None
    if prr is not None:
        if delivered > 0:
            prr.on_ack(delivered, _pipe(tcb, board), tcb.congestion.ssthresh, tcb.congestion.mss)
        # The first retransmission does not wait for another ACK
        if rack is not None and not prr.out:
            prr.allowance = max(prr.allowance, tcb.mss)


def is_dsack(blocks: list[tuple[int, int]], seg_ack: int) -> bool:
    """RFC 2883 section 5: whether the first block reports a duplicate.

    It does if it lies below this segment's own acknowledgment, or within the second block.
    """
    left, right = blocks[0]
    return right <= seg_ack or (len(blocks) > 1 and blocks[1][0] <= left and right <= blocks[1][1])


def _pipe(tcb: Tcb, board: Scoreboard) -> int:
    """How many octets are in the network: RFC 6675's estimate, or RACK's."""
    if tcb.rack is not None:
        return tcb.flight - tcb.left_network
    return board.set_pipe(board.high_ack + tcb.flight, tcb.congestion.mss)


def _loss_is_seen(tcb: Tcb, board: Scoreboard) -> bool:
    """Whether an ACK or a timer shows a loss that begins an episode; there is none now.

    - RFC 6675: three ACKs have SACKed new octets, or IsLost(HighACK + 1) is true.
    - RFC 8985: a segment is marked lost.

    It does not begin until everything that was outstanding at the last loss or timeout is
    acknowledged (RFC 6675 section 5.1).
    """
    if not ge(tcb.snd_una, tcb.recover):
        return False
    if tcb.rack is not None:
        return tcb.rack.lost > 0
    return tcb.duplicate_acks >= DUP_THRESH or board.is_lost(board.high_ack, tcb.congestion.mss)


def _enter(tcb: Tcb, board: Scoreboard, now: float, because: str) -> None:
    """RFC 6675 (4.1) to (4.3): begin a fast recovery, and without RACK send the front again."""
    loss.begin(tcb, tcb.loss_flight if tcb.duplicate_acks else tcb.flight, now, because=because)
    if tcb.rack is None:
        _, end = board.unsacked_from(board.high_ack, board.highest)
        length = min(end - board.high_ack, tcb.mss)
        retransmit_front(tcb, now, "again_sack_first", length)
        board.enter_recovery(board.high_ack + length)


def _leave(tcb: Tcb, episode: loss.Loss) -> None:
    """All that was outstanding at the loss is acknowledged: recovery is over.

    Ranges SACKed beyond that stay on the scoreboard.
    """
    loss.end(tcb)
    # `loss.grow` must not count SACKed octets as flight. After a timeout `settled_flight` stays, so
    # that the ACK of the one retransmitted segment opens the window (RFC 5681 section 3.1).
    if not episode.after_timeout:
        tcb.settled_flight = tcb.flight
    if tcb.rack is not None:
        tcb.rack.recovered()
    if tcb.services.trace is not None:
        tcb.tell("tcp:recovery", "recovery_over", recover=tcb.recover, cwnd=tcb.congestion.cwnd)


def timed_out(tcb: Tcb, board: Scoreboard, now: float) -> None:
    """RFC 6675 section 5.1, RFC 2018 section 5: after a timeout, forget all earlier SACK blocks."""
    board.clear()
    if tcb.rack is not None:
        tcb.rack.timed_out(now)


def _rack_steps(
    tcb: Tcb, board: Scoreboard, rack: Rack, ts_ecr: int, newly_sacked: list[tuple[int, int]], dsack: bool, now: float
) -> None:
    """RFC 8985 section 6.2: the steps for one ACK."""
    echo_at = inf
    if ts_ecr > 0 and rack.has_resent:  # the latest time at which the segment can have been sent
        echo_at = now - tcb.timestamps.elapsed_s(ts_ecr, now) + 1 / TICKS_PER_SECOND
    rack.delivered(board.high_ack, newly_sacked, now, echo_at)
    if rack.dsack_round is not None:
        rack.round_trip(board.high_ack)
    if dsack:
        rack.dsack(board.high_ack + tcb.flight)
    tcb.reo_deadline = _detect(tcb, board, rack, now)


def _detect(tcb: Tcb, board: Scoreboard, rack: Rack, now: float) -> float:
    """RFC 8985 section 6.2, steps 4 and 5; return when to look for losses again."""
    srtt_s = tcb.rtt.srtt_s
    rack.update_reo_wnd(tcb.loss is not None, board.sacked // tcb.congestion.mss, inf if srtt_s is None else srtt_s)
    return rack.detect_loss(now)


def reordering_timeout(tcb: Tcb, now: float) -> None:
    """RACK_detect_loss_and_arm_timer: the reordering timer has expired without an ACK."""
    board, rack = tcb.scoreboard, tcb.rack
    assert board is not None
    assert rack is not None
    if tcb.services.trace is not None:
        tcb.tell("tcp:timer", "timer_reordering", timer="reordering", action="fired")
    tcb.reo_deadline = _detect(tcb, board, rack, now)
    begins = tcb.loss is None and _loss_is_seen(tcb, board)
    if begins:
        _enter(tcb, board, now, "loss_by_reordering_timer")
        tcb.reo_deadline = _detect(tcb, board, rack, now)
    tcb.left_network = board.sacked + rack.lost
    prr = tcb.loss.prr if tcb.loss is not None else None
    if prr is None:
        return
    if begins:
        if _pipe(tcb, board) > tcb.congestion.ssthresh:
            # No ACK has reported that anything left the network, so it is as full as when it
            # dropped the segment. A retransmission now would be dropped too. Wait a round trip:
            # either ACKs come within it, or everything in flight is lost.
            prr.allowance = 0
            tcb.reo_deadline = min(tcb.reo_deadline, now + rack.rtt)
    elif not prr.out:
        prr.allowance = tcb.mss
