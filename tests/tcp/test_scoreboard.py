"""The SACK scoreboard against a plain set of octets, and against RFC 6675's definitions."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.tcp.scoreboard import DUP_THRESH, LOST, MAYBE_LOST, NEW, RESCUE, Scoreboard
from tests.requirements import rfc

MSS = 10
END = 120

edges = st.integers(0, END)
acks = st.lists(
    st.tuples(st.integers(0, 15), st.lists(st.tuples(edges, edges), max_size=4)), min_size=1, max_size=20
)  # fmt: skip


def runs(octets: set[int]) -> list[tuple[int, int]]:
    """The octets as ranges, from left to right."""
    found: list[tuple[int, int]] = []
    for octet in sorted(octets):
        if found and found[-1][1] == octet:
            found[-1] = found[-1][0], octet + 1
        else:
            found.append((octet, octet + 1))
    return found


class Model:
    """RFC 6675 section 4, octet by octet."""

    def __init__(self) -> None:
        self.sacked: set[int] = set()
        self.high_ack = 0
        self.high_rxt = 0

    def update(self, ack: int, blocks: list[tuple[int, int]]) -> set[int]:
        self.high_ack = ack
        self.sacked = {octet for octet in self.sacked if octet >= ack}
        before = set(self.sacked)
        for left, right in blocks:
            if ack <= left < right <= END:
                self.sacked |= set(range(left, right))
        return self.sacked - before

    def is_lost(self, number: int) -> bool:
        above = [run for run in runs(self.sacked) if run[0] > number]
        return len(above) >= DUP_THRESH or sum(b - a for a, b in above) > (DUP_THRESH - 1) * MSS

    def pipe(self) -> int:
        count = 0
        for octet in range(self.high_ack, END):
            if octet not in self.sacked:
                count += (not self.is_lost(octet)) + (octet < self.high_rxt)
        return count

    def next_lost(self) -> int | None:
        for octet in range(max(self.high_ack, self.high_rxt), END):
            if octet not in self.sacked and self.sacked and octet < max(self.sacked) and self.is_lost(octet):
                return octet
        return None

    def next_maybe(self) -> int | None:
        for octet in range(max(self.high_ack, self.high_rxt), END):
            if octet not in self.sacked and self.sacked and octet < max(self.sacked):
                return octet
        return None


@rfc("6675-4-a", "6675-4-c", "6675-4-d")
@settings(derandomize=True, deadline=None, max_examples=300)
@given(acks, st.integers(0, 3))
def test_it_says_what_a_set_of_octets_says(history: list[tuple[int, list[tuple[int, int]]]], retransmit: int) -> None:
    board, model = Scoreboard(1000), Model()
    ack = 0
    for step, blocks in history:
        ack = min(ack + step, END)
        board.advance(ack)
        news = board.update(blocks, END)
        assert {octet for a, b in news for octet in range(a, b)} == model.update(ack, blocks)
        assert board.ranges() == runs(model.sacked)
        assert board.sacked == len(model.sacked)
        for octet in range(ack, END):
            assert board.is_sacked(octet) == (octet in model.sacked)
            if octet not in model.sacked:
                assert board.is_lost(octet, MSS) == model.is_lost(octet)
        assert board.set_pipe(END, MSS) == model.pipe()
        for _ in range(retransmit):
            found = board.next_seg(END, MSS, 0)
            if found is None:
                break
            start, end, rule = found
            assert not model.sacked & set(range(start, end))
            assert ack <= start < end <= min(END, start + MSS)
            if rule == LOST:
                assert start == model.next_lost()
            elif rule == MAYBE_LOST:
                assert model.next_lost() is None
                assert start == model.next_maybe()
            else:
                assert rule == RESCUE
                assert model.next_maybe() is None
                assert end - 1 == max(set(range(ack, END)) - model.sacked)
            board.retransmitted(end, rule, END)
            if rule != RESCUE:
                model.high_rxt = end
            assert board.set_pipe(END, MSS) == model.pipe()


@settings(derandomize=True, deadline=None, max_examples=100)
@given(acks)
def test_it_never_keeps_more_ranges_than_it_may(history: list[tuple[int, list[tuple[int, int]]]]) -> None:
    board, octets = Scoreboard(3), set[int]()
    ack = 0
    for step, blocks in history:
        ack = min(ack + step, END)
        board.advance(ack)
        board.update(blocks, END)
        octets |= {octet for left, right in blocks for octet in range(left, right)}
        assert len(board.ranges()) <= 3
        assert all(octet in octets for left, right in board.ranges() for octet in range(left, right))


def board_with(*blocks: tuple[int, int], ack: int = 0) -> Scoreboard:
    board = Scoreboard(100)
    board.advance(ack)
    board.update(list(blocks), 1000)
    return board


def test_what_could_not_have_been_sent_is_ignored() -> None:
    board = board_with((990, 1001), (5, 5), (9, 3), (-20, 10))
    assert board.ranges() == []


@rfc("6675-4-c")
def test_three_ranges_above_or_more_than_two_segments_make_a_loss() -> None:
    assert not board_with((10, 11), (20, 21)).is_lost(0, MSS)
    assert board_with((10, 11), (20, 21), (30, 31)).is_lost(0, MSS)
    assert not board_with((10, 30)).is_lost(0, MSS)
    assert board_with((10, 31)).is_lost(0, MSS)
    assert not board_with((10, 31)).is_lost(31, MSS)


@rfc("6675-4-e", "6675-4-f", "6675-4-g")
def test_next_seg_goes_by_its_rules_in_their_order() -> None:
    board = board_with((10, 20), (30, 40), (50, 60), (70, 80))
    assert board.next_seg(1000, MSS, 5) == (0, 10, LOST)
    board.retransmitted(10, LOST, 1000)
    assert board.next_seg(1000, MSS, 5) == (20, 30, LOST)
    board.retransmitted(30, LOST, 1000)
    assert board.next_seg(1000, MSS, 25) == (1000, 1010, NEW)
    assert board.next_seg(1000, MSS, 5) == (1000, 1005, NEW)
    assert board.next_seg(1000, MSS, 0) == (40, 50, MAYBE_LOST)


@rfc("6675-4-h", "6675-4-i", "6675-4-j")
def test_there_is_one_rescue_and_it_leaves_high_rxt_alone() -> None:
    board = board_with((10, 40))
    board.enter_recovery(10)
    assert board.next_seg(100, MSS, 0) is None  # RescueRxt is where the first retransmission ended
    board.advance(40)
    assert board.next_seg(100, MSS, 0) == (90, 100, RESCUE)
    board.retransmitted(100, RESCUE, 100)
    assert board.high_rxt == 10
    assert board.next_seg(100, MSS, 0) is None


@rfc("6675-4-h")
def test_the_rescue_holds_the_highest_octet_that_is_not_sacked() -> None:
    board = board_with((35, 40), (50, 60))
    board.retransmitted(50, LOST, 60)
    assert board.next_seg(60, MSS, 0) == (40, 50, RESCUE)


def test_numbers_go_on_where_sequence_numbers_wrap() -> None:
    board = Scoreboard(10)
    board.advance(0x1_0000_0005)
    assert board.number(3, 0xFFFF_FFFF) == 0x1_0000_0009
    assert board.number(0xFFFF_FFF0, 3) == 0x1_0000_0005 - 19


def test_a_thousand_blocks_cost_no_more_than_the_ranges_that_are_kept() -> None:
    board = Scoreboard(50)
    for start in range(2, 4000, 2):
        board.update([(start, start + 1)], 10_000)
    assert len(board.ranges()) == 50
    board.update([(0, 10_000)], 10_000)
    assert board.ranges() == [(0, 10_000)]
