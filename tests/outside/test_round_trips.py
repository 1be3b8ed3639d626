"""Which segment an ACK answers, and the round trip that it measures."""

from __future__ import annotations

from stack.outside.follow import follow
from tests.outside.figure import Figure, lines

MS = 1_000_000

OPEN = """
    +0   A S 0:0(0) win 1000
    +5   B S. 0:0(0) ack 1 win 1000
    +5   A . 1:1(0) ack 1 win 1000
"""


def round_trips(text: str, began_ns: int = 1_700_000_000 * 10**9) -> dict[int, tuple[int, float | None]]:
    """By the number of a frame: which frame it acknowledges, and the round trip in ms; frames without both left out."""
    figure = Figure(now_ns=began_ns)
    for line in lines(text):
        figure.line(line)
    (connection,) = follow(figure.frames)
    return {
        segment.number: (segment.acknowledges, None if segment.rtt_ns is None else segment.rtt_ns / MS)
        for segment in connection.segments
        if segment.acknowledges or segment.rtt_ns is not None
    }


HANDSHAKE = {2: (1, 5.0), 3: (2, 5.0)}


def test_an_ack_leaves_what_it_does_not_acknowledge_to_the_next_one() -> None:
    assert round_trips(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000
    +1   A . 101:201(100) ack 1 win 1000
    +1   A . 201:301(100) ack 1 win 1000
    +8   B . 1:1(0) ack 101 win 1000
    +1   B . 1:1(0) ack 151 win 1000
    +1   B . 1:1(0) ack 301 win 1000
    """
    ) == {**HANDSHAKE, 7: (4, 10.0), 9: (6, 10.0)}


def test_karn_what_was_sent_twice_is_not_measured() -> None:
    """Segments before and after it are. The ACK still answers the first transmission."""
    assert round_trips(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000
    +1   A . 101:201(100) ack 1 win 1000
    +1   A . 201:301(100) ack 1 win 1000
    +1   A . 101:201(100) ack 1 win 1000
    +7   B . 1:1(0) ack 101 win 1000
    +1   B . 1:1(0) ack 201 win 1000
    +1   B . 1:1(0) ack 301 win 1000
    """
    ) == {**HANDSHAKE, 8: (4, 10.0), 9: (5, None), 10: (6, 10.0)}


def test_karn_a_part_that_was_sent_twice() -> None:
    """The end of the segment was not sent again, so its ACK answers the first transmission."""
    assert round_trips(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000
    +1   A . 1:100(99) ack 1 win 1000
    +9   B . 1:1(0) ack 101 win 1000
    """
    ) == {**HANDSHAKE, 6: (4, 10.0)}


def test_a_capture_may_begin_at_the_time_0() -> None:
    """Only a time below 0 stands for what is not measured."""
    assert round_trips(OPEN, 0) == HANDSHAKE
