"""RFC 8985 section 6 and RFC 6937: RACK's and PRR's numbers, without a connection."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.tcp.prr import Prr
from stack.tcp.rack import Rack
from tests.requirements import rfc

MSS = 10
FAR = 1e9  # a window in which the shortest round trip is remembered


class Model:
    """Every octet with the time at which it was last sent."""

    def __init__(self) -> None:
        self.rack = Rack(FAR)
        self.now = 0.0
        self.high_ack = self.sent = 0
        self.sent_at: dict[int, float] = {}
        self.again: set[int] = set()
        self.sacked: set[int] = set()
        self.lost: set[int] = set()
        self.newest = (-inf, 0)  # RACK.xmit_ts, RACK.end_seq
        self.rtt = 0.0
        self.min_rtt = inf

    def send(self, start: int, end: int) -> None:
        self.now += 1.0
        for octet in range(start, end):
            if octet in self.sent_at:
                self.again.add(octet)
            self.sent_at[octet] = self.now
            self.lost.discard(octet)
        self.sent = max(self.sent, end)
        self.rack.transmitted(start, end, self.now)

    def ack(self, high_ack: int, blocks: list[tuple[int, int]], after: float) -> None:
        self.now += after
        news = [octet for octet in range(self.high_ack, high_ack) if octet not in self.sacked]
        fresh: list[tuple[int, int]] = []
        for left, right in blocks:
            octets = [o for o in range(max(left, high_ack), min(right, self.sent)) if o not in self.sacked]
            self.sacked |= set(octets)
            news += octets
            for octet in octets:
                if fresh and fresh[-1][1] == octet:
                    fresh[-1] = fresh[-1][0], octet + 1
                else:
                    fresh.append((octet, octet + 1))
        self.high_ack = high_ack
        for octet in sorted(news, key=lambda o: (self.sent_at[o], o)):
            self.lost.discard(octet)
            rtt = self.now - self.sent_at[octet]
            if octet in self.again and rtt < self.min_rtt:
                continue
            if octet not in self.again:
                self.min_rtt = min(self.min_rtt, rtt)
            self.rtt = rtt
            self.newest = max(self.newest, (self.sent_at[octet], octet + 1))
        self.rack.delivered(high_ack, fresh, self.now, inf)

    def look(self) -> None:
        self.rack.update_reo_wnd(True, 0, inf)
        window = self.rack.reo_wnd
        self.rack.detect_loss(self.now)
        for octet in range(self.high_ack, self.sent):
            if octet not in self.sacked and octet not in self.lost:
                at = self.sent_at[octet]
                if (at, octet + 1) < self.newest and at + self.rtt + window <= self.now:
                    self.lost.add(octet)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("sack"), st.integers(0, 40), st.integers(1, 3), st.integers(1, 9)),
        st.tuples(st.just("ack"), st.integers(0, 3), st.integers(1, 9)),
        st.tuples(st.just("again")),
    ),
    max_size=40,
)


@rfc("8985-4-b", "8985-6.2-d", "8985-6.1-a")
@settings(derandomize=True, deadline=None, max_examples=300)
@given(steps)
def test_it_finds_the_losses_that_a_table_of_octets_shows(history: list[tuple[object, ...]]) -> None:
    """Acknowledgments of whole segments; segments of several lengths, so that they are cut again and again."""
    model = Model()
    for what, *numbers in history:
        values = [int(str(number)) for number in numbers]
        if what == "send":
            model.send(model.sent, model.sent + values[0] * MSS)
        elif what == "sack" and model.sent > model.high_ack:
            left = model.high_ack + values[0] * MSS
            model.ack(model.high_ack, [(left, left + values[1] * MSS)], values[2])
        elif what == "ack":
            model.ack(min(model.high_ack + values[0] * MSS, model.sent), [], values[1])
        else:
            found = model.rack.next_lost(MSS)
            assert (found is not None) == bool(model.lost)
            if found is not None:
                assert found[0] == min(model.lost)
                assert set(range(*found)) <= model.lost
                model.send(*found)
        model.look()
        assert model.rack.lost == len(model.lost)


def rack_with(*times: float) -> Rack:
    """Segments of MSS octets, sent at these times."""
    rack = Rack(FAR)
    for number, now in enumerate(times):
        rack.transmitted(number * MSS, (number + 1) * MSS, now)
    return rack


@rfc("8985-6.2-d", "8985-3.3.2-a")
def test_what_was_sent_before_something_that_arrived_is_lost() -> None:
    rack = rack_with(0.0, 0.1, 0.2, 0.3)
    rack.delivered(0, [(20, 30)], 1.2, inf)
    rack.update_reo_wnd(True, 1, 1.0)
    assert rack.detect_loss(1.2) == inf
    assert rack.lost == 2 * MSS
    assert rack.next_lost(MSS) == (0, 10)


@rfc("8985-6.2-d")
def test_of_segments_sent_at_once_the_numbers_decide() -> None:
    rack = rack_with(0.0, 0.0, 0.0)
    rack.delivered(0, [(10, 20)], 1.0, inf)
    rack.update_reo_wnd(True, 1, 1.0)
    rack.detect_loss(1.0)
    assert rack.next_lost(100) == (0, 10)
    assert rack.lost == MSS


@rfc("8985-3.3.2-b", "8985-6.2-e")
def test_outside_recovery_a_quarter_of_a_round_trip_is_allowed_for_reordering() -> None:
    rack = rack_with(0.0, 0.0, 0.0)
    rack.delivered(0, [(10, 20)], 1.0, inf)
    rack.update_reo_wnd(False, 1, 1.0)
    assert rack.reo_wnd == 0.25
    assert rack.detect_loss(1.0) == 1.25
    assert rack.lost == 0
    assert rack.detect_loss(1.25) == inf
    assert rack.lost == MSS


@rfc("8985-3.3.2-a")
def test_three_segments_sacked_and_no_reordering_seen_make_the_window_zero() -> None:
    rack = rack_with(0.0, 0.0, 0.0, 0.0)
    rack.delivered(0, [(10, 40)], 1.0, inf)
    rack.update_reo_wnd(False, 3, 1.0)
    assert rack.reo_wnd == 0.0


@rfc("8985-6.2-c")
def test_a_segment_that_comes_late_shows_reordering() -> None:
    rack = rack_with(0.0, 0.0, 0.0)
    rack.delivered(0, [(10, 20)], 1.0, inf)
    assert not rack.reordering_seen
    rack.delivered(20, [], 1.1, inf)
    assert rack.reordering_seen
    rack.update_reo_wnd(True, 3, 1.0)
    assert rack.reo_wnd == 0.25


@rfc("8985-6.2-c")
def test_but_not_one_that_was_sent_again() -> None:
    rack = rack_with(0.0, 0.0, 0.0)
    rack.delivered(0, [(10, 20)], 1.0, inf)
    rack.transmitted(0, 10, 1.0)
    rack.delivered(20, [], 2.0, inf)
    assert not rack.reordering_seen


@rfc("8985-3.3.2-c", "8985-3.3.2-d", "8985-4-c")
def test_duplicates_widen_the_window_up_to_a_round_trip() -> None:
    rack = rack_with(0.0, 0.0)
    rack.delivered(10, [], 1.0, inf)
    rack.reordering_seen = True
    for count in range(1, 8):
        rack.round_trip(count * 100)
        rack.dsack(count * 100 + 50)
        rack.dsack(count * 100 + 60)  # once a round trip
        rack.update_reo_wnd(False, 0, 1.0)
        assert rack.reo_wnd == min((count + 1) / 4, 1.0)
    for _ in range(16):
        rack.recovered()
    rack.update_reo_wnd(False, 0, 1.0)
    assert rack.reo_wnd == 0.25


@rfc("8985-6.2-b")
@pytest.mark.parametrize(("at", "echo_at"), [(1.2, inf), (2.5, 0.5)])
def test_an_ack_that_may_be_for_an_earlier_transmission_is_not_used(at: float, echo_at: float) -> None:
    rack = rack_with(0.0, 0.0)
    rack.delivered(10, [], 1.0, inf)  # min_RTT = 1
    rack.transmitted(10, 20, 1.0)
    rack.delivered(20, [], at, echo_at)
    assert rack.rtt == 1.0
    assert rack.xmit_ts == 0.0


@rfc("8985-6.2-a")
def test_the_shortest_round_trip_is_forgotten_after_a_while() -> None:
    rack = Rack(10.0)
    for number, (sent, came) in enumerate([(0.0, 0.1), (1.0, 1.5), (12.0, 12.5), (23.0, 23.5)]):
        rack.transmitted(number * MSS, (number + 1) * MSS, sent)
        rack.delivered((number + 1) * MSS, [], came, inf)
        assert rack.min_rtt == (0.1 if number < 3 else 0.5)


@rfc("8985-6.3-a")
def test_a_timeout_marks_the_first_and_what_is_as_old() -> None:
    rack = rack_with(0.0, 0.0, 0.1, 5.0)
    rack.delivered(10, [], 1.0, inf)
    rack.transmitted(10, 20, 5.1)
    rack.timed_out(5.2)
    assert rack.lost == 2 * MSS
    assert rack.next_lost(MSS) == (10, 20)  # although it was sent a moment ago
    rack.transmitted(10, 20, 5.2)
    assert rack.next_lost(MSS) == (20, 30)
    rack.transmitted(20, 30, 5.2)
    assert rack.next_lost(MSS) is None


def test_a_long_record_is_cut_where_a_part_of_it_arrived() -> None:
    rack = Rack(FAR)
    rack.transmitted(0, 100, 0.0)
    rack.delivered(0, [(40, 50), (90, 100)], 1.0, inf)
    rack.update_reo_wnd(True, 2, 1.0)
    rack.detect_loss(1.0)
    assert rack.lost == 80
    assert rack.next_lost(MSS) == (0, 10)
    rack.transmitted(0, 10, 1.0)
    assert rack.next_lost(100) == (10, 40)


def test_what_is_forgiven_is_not_lost() -> None:
    rack = rack_with(0.0, 0.0, 0.0)
    rack.delivered(0, [(20, 30)], 1.0, inf)
    rack.update_reo_wnd(True, 1, 1.0)
    rack.detect_loss(1.0)
    rack.unmark_lost()
    assert rack.lost == 0
    assert rack.next_lost(MSS) is None


def recovery(flight: int, ssthresh: int, acks: list[tuple[int, int]]) -> list[int]:
    """What PRR lets out for each ACK, in segments; an ACK is (segments delivered, segments lost that it shows)."""
    prr = Prr(flight, 1)
    prr.allowance = 0
    pipe = flight
    sent: list[int] = []
    for delivered, lost in acks:
        pipe -= delivered + lost
        prr.on_ack(delivered, pipe, ssthresh, 1)
        count = prr.allowance
        sent.append(count)
        prr.sent(count)
        assert prr.allowance == 0
        pipe += count
    return sent


@rfc("6937-3-b", "6937-3-a", "6937-3-d")
def test_with_one_loss_every_second_ack_lets_one_segment_out() -> None:
    sent = recovery(20, 10, [(1, 1)] + [(1, 0)] * 15)
    assert sum(sent) == 8
    assert max(sent) == 1
    assert all(sum(sent[:n]) == (n + 1) // 2 for n in range(1, 17))


@rfc("6937-3-c")
def test_with_many_losses_two_segments_for_each_ack() -> None:
    """RFC 6937's second example: 15 segments of 20 are lost; PRR-SSRB sends 2R 2R 2R."""
    assert recovery(20, 10, [(1, 15), (1, 0), (1, 0)]) == [2, 2, 2]


@rfc("6937-3-c")
def test_the_pipe_is_never_filled_above_ssthresh() -> None:
    assert recovery(20, 10, [(3, 8), (1, 0), (1, 0), (1, 0)]) == [1, 1, 1, 1]
