"""RACK: a segment is lost if a later one has arrived, and it has had enough time to arrive as well.

See RFC 8985 sections 5 and 6. Octets are numbered as in `scoreboard.py`. There is one record for
each transmission, even of a super-frame. A record is split when the peer has received only a part
of it.

`_segments` holds the records by octet number. `_order` holds those that may still be found lost,
sorted by the time of sending. So the work of a search is proportional to the losses that it finds.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from heapq import heapify, heappop, heappush
from math import inf
from operator import itemgetter
from typing import Any

from stack.tcp.scoreboard import DUP_THRESH

# Section 6.2 step 4: after this many recoveries without a DSACK the window is small again
_REO_WND_PERSIST = 16

# A record is the list [xmit_ts, end, start, state], a float and three ints: see tcb.py. Sorting
# records puts them in the order of RACK_sent_after.
Record = list[Any]
_XMIT_TS, _END, _START, _STATE = range(4)
_SACKED, _LOST, _RETRANSMITTED, _GONE = 1, 2, 4, 8
_start_of = itemgetter(_START)
_NOTHING_LOST: list[tuple[int, Record]] = []  # shared, never written to: see tcb.py


class Rack:
    """RFC 8985 section 5.3's variables: `xmit_ts`, `end_seq`, `rtt`, `min_rtt`, `reo_wnd`, ...

    Times are in seconds. `lost` is the number of octets that are marked lost and were not sent
    again since.
    """

    __slots__ = (
        "_fack", "_lost_heap", "_min_rtt", "_min_rtt_before", "_order", "_reo_wnd_mult", "_reo_wnd_persist",
        "_segments", "_sent", "_window_ends", "_window_s", "dsack_round", "end_seq", "has_resent", "lost", "reo_wnd",
        "reordering_seen", "rtt", "sacked_records", "xmit_ts",
    )  # fmt: skip

    def __init__(self, min_rtt_window_s: float) -> None:
        self._segments: list[Record] = []  # all octets that are not acknowledged, by number
        # The records that may still be found lost, and some that no longer can
        self._order: list[Record] = []
        self._lost_heap = _NOTHING_LOST
        self._sent = 0  # one past the highest octet sent
        self.has_resent = False  # octets were sent again: an ACK may answer either transmission
        self._fack = 0
        self._window_s = min_rtt_window_s
        self._window_ends = -inf
        self._min_rtt = self._min_rtt_before = inf  # in this time window and in the one before
        self.xmit_ts = -inf
        self.end_seq = 0
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
        """The shortest round trip in the last one to two time windows (6.2 step 1)."""
        return min(self._min_rtt, self._min_rtt_before)

    @property
    def front_was_resent(self) -> bool:
        """Whether the first unacknowledged octets have been retransmitted."""
        return bool(self._segments) and bool(self._segments[0][_STATE] & _RETRANSMITTED)

    def last_resent(self, end: int) -> float:
        """When octets before `end` were last retransmitted; -inf if they never were."""
        last = -inf
        for record in self._segments:
            if record[_START] >= end:
                break
            if record[_STATE] & _RETRANSMITTED and record[_XMIT_TS] > last:
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
            state = old[_STATE]
            segments[index] = new = [now, old[_END], old[_START], _RETRANSMITTED | state & _SACKED]
            old[_STATE] = _GONE
            if not state & _SACKED:
                insort(self._order, new)

    # --- 6.2: upon receiving an ACK

    def delivered(self, high_ack: int, sacked: list[tuple[int, int]], now: float, echo_at: float) -> None:  # hot
        """Steps 1 to 3: octets before `high_ack` were acknowledged, and those in `sacked` SACKed.

        `echo_at` is the time at which the segment that the peer's timestamp echoes was sent; inf if
        there is no echo.
        """
        newly_delivered: list[Record] = []
        segments = self._segments
        count = 0
        for record in segments:
            if record[_END] > high_ack:
                break
            count += 1
            state = record[_STATE]
            if state & _SACKED:
                self.sacked_records -= 1
            else:
                if state & _LOST:
                    self._not_lost(record)
                newly_delivered.append(record)
            record[_STATE] |= _GONE
        if count:
            del segments[:count]
        if segments and segments[0][_START] < high_ack:
            self._trim(segments[0], high_ack)
        for start, end in sacked:
            first, last = self._cut_out(max(start, high_ack), end)
            for record in segments[first:last]:
                if not record[_STATE] & _SACKED:
                    newly_delivered.append(record)
                    self._not_lost(record)
                    record[_STATE] |= _SACKED
                    self.sacked_records += 1
        if newly_delivered:
            if len(newly_delivered) > 1:
                newly_delivered.sort()
            self._update(newly_delivered, now, echo_at)

    def _update(self, newly_delivered: list[Record], now: float, echo_at: float) -> None:
        """RACK_update, in the order of xmit_ts, and RACK_detect_reordering, in that of end_seq."""
        for xmit_ts, end, _, state in newly_delivered:
            rtt = now - xmit_ts
            if state & _RETRANSMITTED:
                # The ACK answers an earlier transmission
                if echo_at < xmit_ts or rtt < self.min_rtt:
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
            elif end < self._fack and not state & _RETRANSMITTED:
                self.reordering_seen = True

    def delivered_in_order(self, high_ack: int, now: float, srtt: float) -> None:  # hot
        """All steps for octets before `high_ack`: nothing is SACKed or lost, or was sent again.

        The records are then in the order of sending, and the ACK delivers the first of them. Those
        that are left were sent later: none of them is lost, and nothing is to be looked at again.
        """
        segments, order = self._segments, self._order
        count = 0
        for record in segments:
            if record[_END] > high_ack:
                break
            record[_STATE] = _GONE
            count += 1
        if count:
            last = segments[count - 1]
            del segments[:count]
            self._fack = last[_END]
            self.rtt = now - last[_XMIT_TS]
            self.measured(self.rtt, now)  # the others took longer
            if last[_XMIT_TS] >= self.xmit_ts:
                self.xmit_ts, self.end_seq = last[_XMIT_TS], last[_END]
            done = 0
            for record in order:
                if not record[_STATE]:
                    break
                done += 1
            del order[:done]
        if segments and segments[0][_START] < high_ack:
            segments[0][_START] = high_ack
        self._reo_wnd_from_min_rtt(srtt)

    def measured(self, rtt: float, now: float) -> None:
        """Step 1: a round trip was measured."""
        if now >= self._window_ends:
            self._min_rtt, self._min_rtt_before = inf, self._min_rtt
            self._window_ends = now + self._window_s
        if rtt < self._min_rtt:
            self._min_rtt = rtt

    def dsack(self, snd_nxt: int) -> None:
        """Step 4: after a DSACK, enlarge the reordering window, at most once a round trip."""
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
        """RACK_update_reo_wnd: compute the reordering window."""
        if not self.reordering_seen and (in_recovery or max(segs_sacked, self.sacked_records) >= DUP_THRESH):
            self.reo_wnd = 0.0
        else:
            self._reo_wnd_from_min_rtt(srtt)

    def _reo_wnd_from_min_rtt(self, srtt: float) -> None:
        shortest = self._min_rtt if self._min_rtt < self._min_rtt_before else self._min_rtt_before
        self.reo_wnd = min(self._reo_wnd_mult * shortest / 4, srtt) if shortest < inf else 0.0

    def detect_loss(self, now: float) -> float:
        """Step 5, RACK_detect_loss: mark what is lost; return when to look again if no ACK comes.

        That is the time at which the next record will be lost, inf for none. Later records are not
        looked at before.
        """
        order = self._order
        done = 0
        deadline = inf
        for record in order:
            state = record[_STATE]
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
        record[_STATE] |= _LOST
        self.lost += record[_END] - record[_START]
        if self._lost_heap is _NOTHING_LOST:
            self._lost_heap = []
        heappush(self._lost_heap, (record[_START], record))

    def _not_lost(self, record: Record) -> None:
        state = record[_STATE]
        if state & _LOST:
            record[_STATE] = state & ~_LOST
            self.lost -= record[_END] - record[_START]

    def next_lost(self, mss: int) -> tuple[int, int] | None:
        """The lowest lost octets that have not been sent again, at most `mss` of them."""
        heap = self._lost_heap
        while heap:
            start, record = heap[0]
            if record[_STATE] & _LOST and record[_START] == start:
                return start, min(record[_END], start + mss)
            heappop(heap)
        return None

    # --- 6.3: upon RTO expiration

    def timed_out(self, now: float) -> None:
        """After an RTO, mark the first segment lost, and others by the rule of step 5.

        SACKed octets are treated like the others: the receiver may have discarded them (RFC 2018
        section 5).
        """
        self.sacked_records = 0
        for index, record in enumerate(self._segments):
            state = record[_STATE]
            if state & _SACKED:  # it has arrived before: its ACK does not measure a round trip
                record[_STATE] = state & ~_SACKED | _RETRANSMITTED
            if not state & _LOST and (not index or record[_XMIT_TS] + self.rtt + self.reo_wnd <= now):
                self._mark_lost(record)
        self._rebuild()

    def unmark_lost(self) -> None:
        """Nothing was lost: the segments marked lost are only late."""
        for record in self._segments:
            self._not_lost(record)
        self.reordering_seen = True
        self._rebuild()

    def _rebuild(self) -> None:
        self._order = sorted(record for record in self._segments if not record[_STATE] & (_SACKED | _LOST))
        self._lost_heap = [(record[_START], record) for record in self._segments if record[_STATE] & _LOST]
        heapify(self._lost_heap)

    # --- pieces

    def _trim(self, record: Record, start: int) -> None:
        """The octets before `start` are acknowledged: shorten the record."""
        lost = record[_STATE] & _LOST
        if lost:
            self.lost -= start - record[_START]
        record[_START] = start
        if lost:
            heappush(self._lost_heap, (start, record))

    def _cut_out(self, start: int, end: int) -> tuple[int, int]:
        """Split records so that they meet at `start` and `end`; return the indices between."""
        if start >= end or not self._segments:
            return 0, 0
        first = self._cut(start)
        return first, self._cut(end)

    def _cut(self, at: int) -> int:
        """The index of the record that begins at `at`; a record that contains `at` is split."""
        segments = self._segments
        index = bisect_right(segments, at, key=_start_of) - 1
        if index < 0:
            return 0
        left = segments[index]
        if left[_START] == at:
            return index
        if left[_END] <= at:
            return index + 1
        state = left[_STATE]
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
