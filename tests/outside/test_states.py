"""The states of both ends, inferred from the segments between them."""

from __future__ import annotations

from stack.outside.follow import follow
from stack.tcp.states import Event
from tests.outside.figure import Figure, check, lines

OPEN = """
    +0   A S 0:0(0) win 1000               | new | SYN_SENT SYN_RECEIVED
    +5   B S. 0:0(0) ack 1 win 1000        | new | ESTABLISHED SYN_RECEIVED
    +5   A . 1:1(0) ack 1 win 1000         |     | ESTABLISHED ESTABLISHED
"""


def test_a_connection_opens_sends_and_closes() -> None:
    """RFC 9293 figures 6 and 12."""
    (connection,) = check(
        OPEN
        + """
    +0   A P. 1:101(100) ack 1 win 1000    | new | ESTABLISHED ESTABLISHED
    +5   B . 1:1(0) ack 101 win 1000       |     | ESTABLISHED ESTABLISHED
    +5   A F. 101:101(0) ack 1 win 1000    | new | FIN_WAIT_1 CLOSE_WAIT
    +5   B . 1:1(0) ack 102 win 1000       |     | FIN_WAIT_2 CLOSE_WAIT
    +5   B F. 1:1(0) ack 102 win 1000      | new | TIME_WAIT LAST_ACK
    +5   A . 102:102(0) ack 2 win 1000     |     | TIME_WAIT CLOSED
    """
    )
    assert connection.began
    assert connection.rtt_ns == 10_000_000


def test_a_scanner_that_resets_what_it_has_opened() -> None:
    """A SYN,ACK that fits is answered by a reset: the opener has no connection any more."""
    check(
        """
    +0   A S 0:0(0) win 1000            | new   | SYN_SENT SYN_RECEIVED
    +5   B S. 0:0(0) ack 1 win 1000     | new   | SYN_SENT SYN_RECEIVED
    +5   A R 1:1(0)                     | reset | CLOSED LISTEN
    """
    )


def test_an_old_syn_and_the_new_one() -> None:
    """RFC 9293 figure 8: the SYN,ACK of an old SYN is answered by a reset, and the opener waits on."""
    check(
        """
    +0   A S -100:-100(0) win 1000      | new             | SYN_SENT SYN_RECEIVED
    +1   A S 0:0(0) win 1000            | port_reused new | SYN_SENT SYN_RECEIVED
    +5   B S. 0:0(0) ack -99 win 1000   | new             | SYN_SENT SYN_RECEIVED
    +5   A R -99:-99(0)                 | reset           | CLOSED LISTEN
    +5   B S. 300:300(0) ack 1 win 1000 | new             | ESTABLISHED SYN_RECEIVED
    +5   A . 1:1(0) ack 301 win 1000    |                 | ESTABLISHED ESTABLISHED
    """
    )


def test_both_close_at_the_same_time() -> None:
    """RFC 9293 figure 13: neither FIN acknowledges the other."""
    check(
        OPEN
        + """
    +5   A F. 1:1(0) ack 1 win 1000     | new                    | FIN_WAIT_1 ESTABLISHED
    +1   B F. 1:1(0) ack 1 win 1000     | new simultaneous_close | CLOSING CLOSING
    +5   A . 2:2(0) ack 2 win 1000      |                        | CLOSING TIME_WAIT
    +1   B . 2:2(0) ack 2 win 1000      |                        | TIME_WAIT TIME_WAIT
    """
    )


def test_a_fin_that_was_lost_has_not_closed_the_other_end() -> None:
    """B sends after the FIN, without an ACK of it: it has not got it."""
    check(
        OPEN
        + """
    +5   A F. 1:1(0) ack 1 win 1000          | new                | FIN_WAIT_1 ESTABLISHED
    +90  B P. 1:101(100) ack 1 win 1000      | new                | FIN_WAIT_1 ESTABLISHED
    +300 A F. 1:1(0) ack 101 win 1000        | again after_timeout | FIN_WAIT_1 CLOSE_WAIT
    +9   B . 101:101(0) ack 2 win 1000       |                    | FIN_WAIT_2 CLOSE_WAIT
    """
    )


def test_a_fin_counts_when_nothing_is_missing_before_it() -> None:
    check(
        OPEN
        + """
    +5   A F. 101:101(0) ack 1 win 1000      | gap=100 new        | FIN_WAIT_1 ESTABLISHED
    +5   B . 1:1(0) ack 1 win 1000           | duplicate_ack=1    | FIN_WAIT_1 ESTABLISHED
    +90  A P. 1:101(100) ack 1 win 1000      | again              | FIN_WAIT_1 CLOSE_WAIT
    +5   B . 1:1(0) ack 102 win 1000         |                    | FIN_WAIT_2 CLOSE_WAIT
    """
    )


def test_a_syn_ack_again_shows_that_its_ack_was_lost() -> None:
    check(
        OPEN.replace("ESTABLISHED ESTABLISHED", "ESTABLISHED SYN_RECEIVED")
        + """
    +1000 B S. 0:0(0) ack 1 win 1000         | again after_timeout | ESTABLISHED SYN_RECEIVED
    +5    A . 1:1(0) ack 1 win 1000          | duplicate_ack=1     | ESTABLISHED ESTABLISHED
    +5    B P. 1:11(10) ack 1 win 1000       | new                 | ESTABLISHED ESTABLISHED
    """
    )


def test_the_same_syn_again_is_no_new_connection() -> None:
    (connection,) = check(
        """
    +0    A S 0:0(0) win 1000                | new                 | SYN_SENT -
    +1000 A S 0:0(0) win 1000                | again after_timeout | SYN_SENT SYN_RECEIVED
    +5    B S. 0:0(0) ack 1 win 1000         | new                 | ESTABLISHED SYN_RECEIVED
    """
    )
    assert connection.rtt_ns is None, "the handshake is not complete"


def test_ports_used_again_in_time_wait() -> None:
    """RFC 6191: the SYN,ACK to the new SYN shows that the old connection is gone."""
    old, new = check(
        OPEN
        + """
    +5   A F. 1:1(0) ack 1 win 1000            | new                | FIN_WAIT_1 CLOSE_WAIT
    +5   B F. 1:1(0) ack 2 win 1000            | new                | TIME_WAIT LAST_ACK
    +5   A . 2:2(0) ack 2 win 1000             |                    | TIME_WAIT CLOSED
    +900 A S 70000:70000(0) win 1000           | port_reused new    | SYN_SENT SYN_RECEIVED
    +5   B S. 90000:90000(0) ack 70001 win 1000 | new               | ESTABLISHED SYN_RECEIVED
    """
    )
    assert (old.number, new.number) == (1, 2)
    assert len(old.segments) == 6


def test_a_half_open_connection_is_found_by_a_syn() -> None:
    """RFC 9293 figure 9, with the challenge ACK of RFC 5961 section 4."""
    check(
        OPEN
        + """
    +900 A S 70000:70000(0) win 1000           | port_reused new    | SYN_SENT -
    +5   B . 1:1(0) ack 1 win 1000             | challenge_ack      | ESTABLISHED ESTABLISHED
    +5   A R 1:1(0)                            | reset half_open    | CLOSED CLOSED
    +90  A S 70000:70000(0) win 1000           | again              | SYN_SENT SYN_RECEIVED
    +5   B S. 90000:90000(0) ack 70001 win 1000 | new               | ESTABLISHED SYN_RECEIVED
    """
    )


def test_a_syn_ack_with_another_number_is_another_connection() -> None:
    """Its SYN was not captured."""
    _, second = check(
        OPEN
        + """
    +900 B S. 90000:90000(0) ack 70001 win 1000 | port_reused new    | ESTABLISHED SYN_RECEIVED
    +5   A . 70001:70001(0) ack 90001 win 1000  |                    | ESTABLISHED ESTABLISHED
    """
    )
    assert [mark.name for mark in second.marks] == ["began_before"]


def test_where_the_capture_was_made_the_first_copy_counts() -> None:
    """The directions say that it was made at A: what has come in there has arrived."""
    text = (
        OPEN
        + """
    +5   B F. 1:1(0) ack 1 win 1000
    +5   B F. 1:1(0) ack 1 win 1000
    +5   A . 1:1(0) ack 2 win 1000
    """
    )
    figure = Figure()
    for line in lines(text):
        figure.line(line)
    (unknown,) = follow(figure.frames)
    assert [segment.number for segment, change in unknown.changes if change.event is Event.RCV_FIN] == [5]
    ends = ["in" if frame.octets[29] == 2 else "out" for frame in figure.frames]
    frames = [frame._replace(direction=end) for frame, end in zip(figure.frames, ends, strict=True)]
    (known,) = follow(frames)
    assert [segment.number for segment, change in known.changes if change.event is Event.RCV_FIN] == [4]
