"""The SACK scoreboard of the sender: which octets the peer has received. See RFC 6675 section 4.

Octets are numbered from the place in the stream where the scoreboard began, and these numbers do
not wrap. `Scoreboard.number` converts a sequence number. Functions and variables have the RFC's
names:

    HighACK   the first octet that is not acknowledged (the RFC's HighACK + 1)
    HighData  one past the highest octet sent
    HighRxt   one past the highest octet retransmitted in this recovery
    RescueRxt one past the highest octet when the rescue retransmission was made, or None

The number of ranges is bounded, and so is the work for one ACK (SACK panic and slowness,
CVE-2019-11477 and -11478).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from stack.tcp.seq import MASK

DUP_THRESH = 3  # RFC 5681 section 3.2, RFC 6675 section 2, RFC 8985 section 3.3.2
_HALF = 0x8000_0000
_NO_RANGES: list[int] = []  # shared, never written to: see tcb.py

# The memory that a range takes: two numbers, and their entries in two lists.
RANGE_BYTES = 80

# The rules of NextSeg
LOST, NEW, MAYBE_LOST, RESCUE = 1, 2, 3, 4


class Scoreboard:
    """The SACKed ranges above HighACK, sorted and disjoint (never touching); RFC 6675's variables.

    `starts` holds the first octet of each range.
    """

    __slots__ = ("_ends", "_most", "high_ack", "high_rxt", "rescue_rxt", "sacked", "starts")

    def __init__(self, most_ranges: int) -> None:
        self._most = most_ranges
        self.starts = self._ends = _NO_RANGES
        self.sacked = 0  # octets in all ranges
        self.high_ack = 0
        self.high_rxt = 0
        self.rescue_rxt: int | None = None

    def number(self, seq: int, snd_una: int) -> int:
        """The number of an octet, from its sequence number; SND.UNA is HighACK."""
        ahead = (seq - snd_una) & MASK
        return self.high_ack + (ahead if ahead < _HALF else ahead - MASK - 1)

    def ranges(self) -> list[tuple[int, int]]:
        """All SACKed ranges, from left to right."""
        return list(zip(self.starts, self._ends, strict=True))

    @property
    def highest(self) -> int:
        """One past the highest SACKed octet; HighACK when nothing is SACKed."""
        return self._ends[-1] if self._ends else self.high_ack

    def advance(self, high_ack: int) -> None:
        """The cumulative part of Update(): everything before `high_ack` is acknowledged."""
        self.high_ack = high_ack
        starts, ends = self.starts, self._ends
        if not starts or starts[0] >= high_ack:
            return
        gone = bisect_right(ends, high_ack)
        self.sacked -= sum(ends[:gone]) - sum(starts[:gone])
        del starts[:gone], ends[:gone]
        if starts and starts[0] < high_ack:  # the peer contradicts itself
            self.sacked -= high_ack - starts[0]
            starts[0] = high_ack

    def update(self, blocks: list[tuple[int, int]], high_data: int, most: int | None = None) -> list[tuple[int, int]]:
        """Update(): record the SACK blocks of an ACK; return the ranges that are newly SACKed.

        A block that does not lie between HighACK and HighData is ignored: its octets are already
        acknowledged or were never sent. A block that would need a new range when there are `most`
        already is ignored too: its octets count as not SACKed.
        """
        if most is None:
            most = self._most
        newly_sacked: list[tuple[int, int]] = []
        starts, ends = self.starts, self._ends
        for start, end in blocks:
            if not self.high_ack <= start < end <= high_data:
                continue
            first = bisect_left(ends, start)  # the first range that touches it
            last = bisect_right(starts, end)
            if first < last:
                if starts[first] <= start and end <= ends[first]:
                    # Known already: the usual case, because each ACK repeats earlier blocks
                    continue
                position = start
                for known_start, known_end in zip(starts[first:last], ends[first:last], strict=True):
                    if position < known_start:
                        newly_sacked.append((position, known_start))
                    position = max(position, known_end)
                if position < end:
                    newly_sacked.append((position, end))
                left, right = min(starts[first], start), max(ends[last - 1], end)
                self.sacked += (right - left) - (sum(ends[first:last]) - sum(starts[first:last]))
                starts[first:last], ends[first:last] = [left], [right]
            elif len(starts) < most:
                if starts is _NO_RANGES:
                    starts, ends = self.starts, self._ends = [], []
                starts.insert(first, start)
                ends.insert(first, end)
                self.sacked += end - start
                newly_sacked.append((start, end))
        return newly_sacked

    def is_sacked(self, number: int) -> bool:
        """Whether the peer has SACKed this octet."""
        index = bisect_right(self.starts, number) - 1
        return index >= 0 and number < self._ends[index]

    def unsacked_from(self, number: int, stop: int) -> tuple[int, int]:
        """The first unSACKed range in `number` to `stop`; empty if there is none."""
        index = bisect_right(self.starts, number)
        if index and number < self._ends[index - 1]:
            number = self._ends[index - 1]
        end = self.starts[index] if index < len(self.starts) else stop
        return min(number, stop), min(end, stop)

    def _lost_below(self, mss: int) -> int:
        """IsLost() is true for every unSACKed octet before this one, and false for all others."""
        octets = 0
        for count, (start, end) in enumerate(zip(reversed(self.starts), reversed(self._ends), strict=True), 1):
            octets += end - start
            if count == DUP_THRESH or octets > (DUP_THRESH - 1) * mss:
                return start
        return self.high_ack

    def is_lost(self, number: int, mss: int) -> bool:
        """IsLost(): enough is SACKed above the octet.

        That is DupThresh discontiguous ranges, or more than (DupThresh-1)*SMSS octets.
        """
        return number < self._lost_below(mss)

    def sacked_below(self, number: int) -> int:
        """How many octets before `number` are SACKed."""
        index = bisect_right(self._ends, number)
        covered = sum(self._ends[:index]) - sum(self.starts[:index])
        if index < len(self.starts) and self.starts[index] < number:
            covered += number - self.starts[index]
        return covered

    def _holes_below(self, number: int) -> int:
        """How many octets from HighACK up to `number` are not SACKed."""
        return number - self.high_ack - self.sacked_below(number) if number > self.high_ack else 0

    def set_pipe(self, high_data: int, mss: int) -> int:
        """SetPipe(): octets in the network: (a) not SACKed and not lost, (b) retransmitted."""
        not_lost = high_data - self.high_ack - self.sacked - self._holes_below(self._lost_below(mss))
        return not_lost + self._holes_below(self.high_rxt)

    def next_seg(self, high_data: int, mss: int, new_data: int) -> tuple[int, int, int] | None:
        """NextSeg(): what to send next, as (first octet, one past the last, rule); None: nothing.

        `new_data` is how many unsent octets the peer's window lets us send. A retransmission ends
        where SACKed octets begin.
        """
        start, end = self.unsacked_from(max(self.high_rxt, self.high_ack), self.highest)
        if start < end and self.is_lost(start, mss):
            return start, min(end, start + mss), LOST
        if new_data > 0:
            return high_data, high_data + min(new_data, mss), NEW
        if start < end:
            return start, min(end, start + mss), MAYBE_LOST
        if self.high_ack < high_data and (self.rescue_rxt is None or self.high_ack > self.rescue_rxt):
            return self._rescue(high_data, mss)
        return None

    def _rescue(self, high_data: int, mss: int) -> tuple[int, int, int] | None:
        """Rule 4: a segment that includes the highest outstanding unSACKed octet."""
        if self._ends and self._ends[-1] == high_data:
            last, before = self.starts[-1], self._ends[-2] if len(self._ends) > 1 else self.high_ack
        else:
            last, before = high_data, self.highest
        start = max(last - mss, before, self.high_ack)
        return (start, last, RESCUE) if start < last else None

    def retransmitted(self, end: int, rule: int, recovery_point: int) -> None:
        """(C.2): a retransmission moves HighRxt; the rescue one sets RescueRxt instead."""
        if rule == RESCUE:
            self.rescue_rxt = recovery_point
        else:
            self.high_rxt = max(self.high_rxt, end)

    def enter_recovery(self, end: int) -> None:
        """Step (4.3): the segment that ends at `end` was retransmitted."""
        self.high_rxt = self.rescue_rxt = end

    def clear(self) -> None:
        """Forget all ranges after a timeout: the receiver may have reneged (RFC 2018 section 5)."""
        self.starts = self._ends = _NO_RANGES
        self.sacked = 0
        self.high_rxt = self.high_ack
        self.rescue_rxt = None
