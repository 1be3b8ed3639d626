"""RACK: a segment is lost when one that was sent later has arrived and it has had time enough to arrive, too.

See RFC 8985 sections 5 and 6. Octets have the numbers of `scoreboard.py`. One record is kept for each transmission,
however long, and split where the peer has only a part of it. Segments never retransmitted lie in `_segments` and in
`_order` alike; the second is sorted by the time of sending, so that looking for losses costs only what it finds.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from heapq import heapify, heappop, heappush
from math import inf
from operator import itemgetter

from stack.tcp.scoreboard import DUP_THRESH

_REO_WND_PERSIST = 16  # section 6.2 step 4: loss recoveries without a DSACK until the window is small again

# A record is [xmit_ts, end, start, state]: sorted by them, records stand in the order of RACK_sent_after.
Record = list[float]
_XMIT_TS, _END, _START, _STATE = range(4)
_SACKED, _LOST, _RETRANSMITTED, _GONE = 1, 2, 4, 8
_start_of = itemgetter(_START)
_NOTHING_LOST: list[tuple[float, Record]] = []  # on nearly every connection: never written to


class Rack:
    """RFC 8985 section 5.3's variables: `xmit_ts`, `end_seq`, `rtt`, `min_rtt`, `reo_wnd` and so on, in seconds.

    `lost` is how many octets are lost and not sent again.
    """

    __slots__ = (
        "_fack", "_lost_heap", "_min_rtt", "_min_rtt_before", "_order", "_reo_wnd_mult", "_reo_wnd_persist",
        "_segments", "_sent", "_window_ends", "_window_s", "dsack_round", "end_seq", "has_resent", "lost", "reo_wnd",
        "reordering_seen", "rtt", "sacked_records", "xmit_ts",
    )  # fmt: skip

    def __init__(self, min_rtt_window_s: float) -> None:
        self._segments: list[Record] = []  # every octet that is not acknowledged, by number
        self._order: list[Record] = []  # those that may still turn out to be lost, and some that may not any more
        self._lost_heap = _NOTHING_LOST
        self._sent = 0  # one past the highest octet sent
        self.has_resent = False  # then it matters which transmission an ACK answers
        self._fack: float = 0
        self._window_s = min_rtt_window_s
        self._window_ends = -inf
        self._min_rtt = self._min_rtt_before = inf  # in this window of time and in the one before
        self.xmit_ts: float = -inf
        self.end_seq: float = 0
        self.rtt = 0.0
        self.reo_wnd = 0.0
        self.reordering_seen = False
        self._reo_wnd_mult = 1
        self._reo_wnd_persist = 0
        self.dsack_round: int | None = None
        self.lost = 0
        self.sacked_records = 0

    @property
    def min_rtt(self) -> float:
        """The shortest round trip lately (6.2 step 1): of one to two windows of time."""
        return min(self._min_rtt, self._min_rtt_before)

    @property
    def front_was_resent(self) -> bool:
        """The first octets that are not acknowledged were sent more than once already."""
        return bool(self._segments) and bool(int(self._segments[0][_STATE]) & _RETRANSMITTED)

    def last_resent(self, end: int) -> float:
        """When the last of the retransmissions was made whose octets begin before `end`; -inf when there was none."""
        last = -inf
        for record in self._segments:
            if record[_START] >= end:
                break
            if int(record[_STATE]) & _RETRANSMITTED and record[_XMIT_TS] > last:
                last = record[_XMIT_TS]
        return last

    # --- 6.1: upon transmitting a data segment

    def transmitted(self, start: int, end: int, now: float) -> None:  # hot
        """The octets from `start` up to `end` were sent, for the first time or again."""
        if start < self._sent:
            self._retransmitted(start, min(end, self._sent), now)
            self.has_resent = True
            start = self._sent
        if start < end:
            record: Record = [now, end, start, 0]
            self._segments.append(record)
            self._order.append(record)
            self._sent = end

    def _retransmitted(self, start: int, end: int, now: float) -> None:
        segments = self._segments
        first, last = self._cut_out(start, end)
        for index in range(first, last):
            old = segments[index]
            self._not_lost(old)
            state = int(old[_STATE])
            segments[index] = new = [now, old[_END], old[_START], _RETRANSMITTED | state & _SACKED]
            old[_STATE] = _GONE
            if not state & _SACKED:
                insort(self._order, new)

    # --- 6.2: upon receiving an ACK

    def delivered(self, high_ack: int, sacked: list[tuple[int, int]], now: float, echo_at: float) -> None:  # hot
        """Steps 1 to 3: everything before `high_ack` is acknowledged, and the ranges are SACKed for the first time.

        `echo_at` is when the peer's timestamp says that what it answers was sent; inf when it does not say.
        """
        newly_delivered: list[Record] = []
        segments = self._segments
        count = 0
        for record in segments:
            if record[_END] > high_ack:
                break
            count += 1
            state = int(record[_STATE])
            if state & _SACKED:
                self.sacked_records -= 1
            else:
                if state & _LOST:
                    self._not_lost(record)
                newly_delivered.append(record)
            record[_STATE] = int(record[_STATE]) | _GONE
        if count:
            del segments[:count]
        if segments and segments[0][_START] < high_ack:
            self._trim(segments[0], high_ack)
        for start, end in sacked:
            first, last = self._cut_out(max(start, high_ack), end)
            for record in segments[first:last]:
                if not int(record[_STATE]) & _SACKED:
                    newly_delivered.append(record)
                    self._not_lost(record)
                    record[_STATE] = int(record[_STATE]) | _SACKED
                    self.sacked_records += 1
        if newly_delivered:
            if len(newly_delivered) > 1:
                newly_delivered.sort()
            self._update(newly_delivered, now, echo_at)

    def _update(self, newly_delivered: list[Record], now: float, echo_at: float) -> None:
        """RACK_update, in ascending order of xmit_ts, and RACK_detect_reordering, of end_seq."""
        for xmit_ts, end, _, state in newly_delivered:
            rtt = now - xmit_ts
            if int(state) & _RETRANSMITTED:
                if echo_at < xmit_ts or rtt < self.min_rtt:  # it answers an earlier transmission
                    continue
            else:
                self.measured(rtt, now)
            self.rtt = rtt
            if (xmit_ts, end) > (self.xmit_ts, self.end_seq):
                self.xmit_ts, self.end_seq = xmit_ts, end
        if len(newly_delivered) > 1:
            newly_delivered.sort(key=itemgetter(_END))
        for _, end, _, state in newly_delivered:
            if end > self._fack:
                self._fack = end
            elif end < self._fack and not int(state) & _RETRANSMITTED:
                self.reordering_seen = True

    def measured(self, rtt: float, now: float) -> None:
        """Step 1: a round trip was measured."""
        if now >= self._window_ends:
            self._min_rtt, self._min_rtt_before = inf, self._min_rtt
            self._window_ends = now + self._window_s
        if rtt < self._min_rtt:
            self._min_rtt = rtt

    def dsack(self, snd_nxt: int) -> None:
        """Step 4: a DSACK came, so the window was too small; it grows once a round trip."""
        if self.dsack_round is None:
            self.dsack_round = snd_nxt
            self._reo_wnd_mult += 1
            self._reo_wnd_persist = _REO_WND_PERSIST

    def round_trip(self, snd_una: int) -> None:
        """Step 4: the round trip of the last DSACK may be over."""
        if self.dsack_round is not None and snd_una >= self.dsack_round:
            self.dsack_round = None

    def recovered(self) -> None:
        """Step 4: a recovery is over."""
        self._reo_wnd_persist -= 1
        if self._reo_wnd_persist <= 0:
            self._reo_wnd_mult = 1

    def update_reo_wnd(self, in_recovery: bool, segs_sacked: int, srtt: float) -> None:
        """RACK_update_reo_wnd, the window itself."""
        if not self.reordering_seen and (in_recovery or max(segs_sacked, self.sacked_records) >= DUP_THRESH):
            self.reo_wnd = 0.0
        else:
            shortest = self.min_rtt
            self.reo_wnd = min(self._reo_wnd_mult * shortest / 4, srtt) if shortest < inf else 0.0

    def detect_loss(self, now: float) -> float:
        """Step 5, RACK_detect_loss: mark what is lost; return when to look again, inf if no ACK comes.

        That is when the first of the others would be lost: one that is due later is looked for then.
        """
        order = self._order
        done = 0
        deadline = inf
        for record in order:
            state = int(record[_STATE])
            if not state & (_SACKED | _LOST | _GONE):
                if (record[_XMIT_TS], record[_END]) >= (self.xmit_ts, self.end_seq):
                    break
                at = record[_XMIT_TS] + self.rtt + self.reo_wnd
                if at > now:
                    deadline = at
                    break
                self._mark_lost(record)
            done += 1
        if done:
            del order[:done]
        return deadline

    def _mark_lost(self, record: Record) -> None:
        record[_STATE] = int(record[_STATE]) | _LOST
        self.lost += int(record[_END] - record[_START])
        if self._lost_heap is _NOTHING_LOST:
            self._lost_heap = []
        heappush(self._lost_heap, (record[_START], record))

    def _not_lost(self, record: Record) -> None:
        state = int(record[_STATE])
        if state & _LOST:
            record[_STATE] = state & ~_LOST
            self.lost -= int(record[_END] - record[_START])

    def next_lost(self, mss: int) -> tuple[int, int] | None:
        """The lowest lost octets that were not sent again, at most `mss` of them."""
        heap = self._lost_heap
        while heap:
            start, record = heap[0]
            if int(record[_STATE]) & _LOST and record[_START] == start:
                return int(start), int(min(record[_END], start + mss))
            heappop(heap)
        return None

    # --- 6.3: upon RTO expiration

    def timed_out(self, now: float) -> None:
        """Mark the first segment as lost, and of the others those that have had their time.

        What was SACKED counts as the others do: the receiver may have thrown it away (RFC 2018 section 5).
        """
        self.sacked_records = 0
        for index, record in enumerate(self._segments):
            state = int(record[_STATE])
            if state & _SACKED:  # whose acknowledgment will say nothing about when it arrived
                record[_STATE] = state & ~_SACKED | _RETRANSMITTED
            if not state & _LOST and (not index or record[_XMIT_TS] + self.rtt + self.reo_wnd <= now):
                self._mark_lost(record)
        self._rebuild()

    def unmark_lost(self) -> None:
        """Nothing was lost: what is marked so is only late."""
        for record in self._segments:
            self._not_lost(record)
        self.reordering_seen = True
        self._rebuild()

    def _rebuild(self) -> None:
        self._order = sorted(record for record in self._segments if not int(record[_STATE]) & (_SACKED | _LOST))
        self._lost_heap = [(record[_START], record) for record in self._segments if int(record[_STATE]) & _LOST]
        heapify(self._lost_heap)

    # --- pieces

    def _trim(self, record: Record, start: int) -> None:
        """What lies before `start` is acknowledged."""
        lost = int(record[_STATE]) & _LOST
        if lost:
            self.lost -= int(start - record[_START])
        record[_START] = start
        if lost:
            heappush(self._lost_heap, (start, record))

    def _cut_out(self, start: int, end: int) -> tuple[int, int]:
        """Split the records so that some of them cover exactly `start` to `end`; return the range of their indices."""
        if start >= end or not self._segments:
            return 0, 0
        first = self._cut(start)
        return first, self._cut(end)

    def _cut(self, at: int) -> int:
        """The index of the record that begins at `at`, which is made if need be."""
        segments = self._segments
        index = bisect_right(segments, at, key=_start_of) - 1
        if index < 0:
            return 0
        left = segments[index]
        if left[_START] == at:
            return index
        if left[_END] <= at:
            return index + 1
        state = int(left[_STATE])
        right: Record = [left[_XMIT_TS], left[_END], at, state]
        left[_END] = at
        segments.insert(index + 1, right)
        if state & _SACKED:
            self.sacked_records += 1
        elif state & _LOST:
            heappush(self._lost_heap, (at, right))
        else:
            insort(self._order, right)
        return index + 1
