"""Each mark, in a figure: what the segments before it are, and what they are not."""

from __future__ import annotations

from tests.outside.figure import check

OPEN = """
    +0   A S 0:0(0) win 1000 <mss 1000,wscale 0>   | new
    +5   B S. 0:0(0) ack 1 win 1000 <mss 1000,wscale 0> | new
    +5   A . 1:1(0) ack 1 win 1000                 | nothing
"""


def test_what_was_captured_before_is_sent_again() -> None:
    check(
        OPEN
        + """
    +0   A P. 1:101(100) ack 1 win 1000            | new
    +100 A P. 1:101(100) ack 1 win 1000            | again
    +300 A P. 1:101(100) ack 1 win 1000            | again after_timeout
    """
    )


def test_three_duplicate_acks_and_a_fast_retransmission() -> None:
    check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +0   A . 101:201(100) ack 1 win 1000           | new
    +0   A . 201:301(100) ack 1 win 1000           | new
    +0   A . 301:401(100) ack 1 win 1000           | new
    +10  B . 1:1(0) ack 101 win 1000               | nothing
    +1   B . 1:1(0) ack 101 win 1000               | duplicate_ack=1
    +1   B . 1:1(0) ack 101 win 1000               | duplicate_ack=2
    +1   A . 101:201(100) ack 1 win 1000           | fast
    +10  B . 1:1(0) ack 401 win 1000               | nothing
    """
    )


def test_later_than_20_ms_it_is_not_called_fast() -> None:
    check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +0   A . 101:201(100) ack 1 win 1000           | new
    +10  B . 1:1(0) ack 1 win 1000                 | duplicate_ack=1
    +1   B . 1:1(0) ack 1 win 1000                 | duplicate_ack=2
    +21  A . 1:101(100) ack 1 win 1000             | again
    """
    )


def test_sack_blocks_show_what_is_missing() -> None:
    """A has sent from 1001; B has got 1201 to 1300, and not what is before."""
    check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +0   A . 101:201(100) ack 1 win 1000           | new
    +0   A . 201:301(100) ack 1 win 1000           | new
    +10  B . 1:1(0) ack 1 win 1000 <sack 1201:1301> | duplicate_ack=1
    +30  A . 1:101(100) ack 1 win 1000             | again by_sack
    +1   A . 201:301(100) ack 1 win 1000           | again
    """
    )


def test_what_was_acknowledged_is_sent_again_without_need() -> None:
    check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +10  B . 1:1(0) ack 101 win 1000               | nothing
    +1   A . 1:101(100) ack 1 win 1000             | spurious
    """
    )


def test_a_gap_and_what_fills_it_in_time() -> None:
    """Within the round trip of the handshake, 10 ms, another segment has overtaken it."""
    check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +1   A . 201:301(100) ack 1 win 1000           | gap=100 new
    +1   A . 101:201(100) ack 1 win 1000           | out_of_order
    +1   A . 301:401(100) ack 1 win 1000           | new
    """
    )


def test_a_gap_and_what_fills_it_late() -> None:
    (connection,) = check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +1   A . 201:301(100) ack 1 win 1000           | gap=100 new
    +11  A . 101:201(100) ack 1 win 1000           | again
    """
    )
    mark = connection.segments[-1].mark("again")
    assert mark is not None
    assert not mark.certain
    assert "too late" in mark.rule


def test_what_was_captured_before_is_never_out_of_order() -> None:
    """Wireshark calls it so within the first round trip. Nothing was missing there."""
    (connection,) = check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +1   A . 101:201(100) ack 1 win 1000           | new
    +1   A . 1:101(100) ack 1 win 1000             | again
    """
    )
    mark = connection.segments[-1].mark("again")
    assert mark is not None
    assert mark.certain


def test_an_ack_of_what_the_capture_does_not_have() -> None:
    check(
        OPEN
        + """
    +0   B . 1:1(0) ack 101 win 1000               | ack_of_unseen=100
    +1   B . 1:1(0) ack 101 win 1000               | duplicate_ack=1
    +1   A . 101:201(100) ack 1 win 1000           | gap=100 new
    +1   A . 301:401(100) ack 1 win 1000           | gap=100 new
    +1   A . 501:601(100) ack 1 win 1000           | gap=100 new
    +1   B . 1:1(0) ack 351 win 1000               | ack_of_unseen=100
    +1   B . 1:1(0) ack 451 win 1000               | ack_of_unseen=50
    +1   B . 1:1(0) ack 601 win 1000               | ack_of_unseen=50
    """
    )


def test_a_window_that_is_full_then_zero_then_open() -> None:
    check(
        OPEN
        + """
    +0   A . 1:1001(1000) ack 1 win 1000           | window_full new
    +10  B . 1:1(0) ack 1001 win 0                 | zero_window
    +200 A . 1001:1002(1) ack 1 win 1000           | zero_window_probe
    +10  B . 1:1(0) ack 1001 win 0                 | zero_window zero_window_probe_ack
    +400 A . 1001:1002(1) ack 1 win 1000           | zero_window_probe
    +10  B . 1:1(0) ack 1001 win 0                 | zero_window zero_window_probe_ack
    +100 B . 1:1(0) ack 1001 win 500               | window_update
    +10  A . 1001:1501(500) ack 1 win 1000         | window_full new
    """
    )


def test_the_receiver_takes_the_octet_of_a_probe() -> None:
    """What follows it is no gap, and the next octet is a probe as well."""
    check(
        OPEN
        + """
    +0   A . 1:1001(1000) ack 1 win 1000           | window_full new
    +10  B . 1:1(0) ack 1001 win 0                 | zero_window
    +200 A . 1001:1002(1) ack 1 win 1000           | zero_window_probe
    +10  B . 1:1(0) ack 1002 win 0                 | zero_window zero_window_probe_taken
    +400 A . 1002:1003(1) ack 1 win 1000           | zero_window_probe
    +10  B . 1:1(0) ack 1003 win 500               | nothing
    +10  A . 1003:1103(100) ack 1 win 1000         | new
    """
    )


def test_a_probe_may_have_the_form_of_a_keep_alive() -> None:
    """So Linux probes a window of zero. The name is Wireshark's, the sentence says what it is."""
    (connection,) = check(
        OPEN
        + """
    +0   A . 1:1001(1000) ack 1 win 1000           | window_full new
    +10  B . 1:1(0) ack 1001 win 0                 | zero_window
    +200 A . 1000:1000(0) ack 1 win 1000           | keep_alive
    +10  B . 1:1(0) ack 1001 win 0                 | zero_window
    """
    )
    (mark,) = connection.segments[-2].marks
    assert mark.sentence.startswith("The window is zero, so this is a probe of it")
    assert not mark.certain


def test_a_window_is_full_only_if_its_scale_is_known() -> None:
    """A SYN,ACK shows both: a SYN that was not captured had the option if it has it, too."""
    check(
        """
    +0   A . 1:1(0) ack 1 win 1000                 | nothing
    +0   B . 1:1(0) ack 1 win 1000                 | nothing
    +0   A . 1:1001(1000) ack 1 win 1000           | new
    """
    )
    check(
        """
    +0   A S 0:0(0) win 1000 <mss 1000,wscale 2>   | new
    +5   B S. 0:0(0) ack 1 win 1000 <mss 1000,wscale 1> | new
    +5   A . 1:1(0) ack 1 win 250                  | nothing
    +0   B . 1:1(0) ack 1 win 500                  | window_update
    +0   A . 1:1001(1000) ack 1 win 250            | window_full new
    """
    )


def test_keep_alives_and_their_answers() -> None:
    check(
        OPEN
        + """
    +0    A . 1:101(100) ack 1 win 1000            | new
    +10   B . 1:1(0) ack 101 win 1000              | nothing
    +5000 A . 100:100(0) ack 1 win 1000            | keep_alive
    +10   B . 1:1(0) ack 101 win 1000              | keep_alive_ack
    +5000 A . 100:101(1) ack 1 win 1000            | keep_alive
    +10   B . 1:1(0) ack 101 win 1000              | keep_alive_ack
    """
    )


def test_an_octet_that_was_not_acknowledged_is_no_keep_alive() -> None:
    """It is outstanding, so no keep-alive may be sent (RFC 9293 MUST-26). Wireshark calls it one."""
    check(
        OPEN
        + """
    +0    A P. 1:2(1) ack 1 win 1000               | new
    +300  A P. 1:2(1) ack 1 win 1000               | octet_again
    +10   B . 1:1(0) ack 2 win 1000                | nothing
    +5000 A . 1:1(0) ack 1 win 1000                | keep_alive
    """
    )


def test_a_duplicate_ack_shows_a_loss_only_if_data_is_outstanding() -> None:
    """RFC 5681 section 2."""
    (connection,) = check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new
    +10  B . 1:1(0) ack 1 win 1000                 | duplicate_ack=1
    +10  B . 1:1(0) ack 101 win 1000               | nothing
    +10  B . 1:1(0) ack 101 win 1000               | duplicate_ack=1
    """
    )
    clauses = [
        mark.clauses for segment in connection.segments for mark in segment.marks if mark.name == "duplicate_ack"
    ]
    assert clauses == [("5681-2-b",), ()]


def test_a_challenge_of_a_reset_in_the_window() -> None:
    """RFC 5961 section 3.2: its number is not the next one."""
    check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000             | new             | ESTABLISHED ESTABLISHED
    +10  B . 1:1(0) ack 101 win 1000               | nothing         | ESTABLISHED ESTABLISHED
    +10  A R 301:301(0)                            | reset           | ESTABLISHED ESTABLISHED
    +10  B . 1:1(0) ack 101 win 1000               | challenge_ack   | ESTABLISHED ESTABLISHED
    +10  A R 101:101(0)                            | reset half_open | CLOSED CLOSED
    """
    )


def test_simultaneous_open() -> None:
    """RFC 9293 figure 7."""
    (connection,) = check(
        """
    +0   A S 0:0(0) win 1000                       | new                    | SYN_SENT -
    +1   B S 0:0(0) win 1000                       | simultaneous_open new  | SYN_RECEIVED SYN_RECEIVED
    +9   A S. 0:0(0) ack 1 win 1000                | again                  | SYN_RECEIVED ESTABLISHED
    +1   B S. 0:0(0) ack 1 win 1000                | again                  | ESTABLISHED ESTABLISHED
    """
    )
    assert [end.iss for end in connection.ends] == [1000, 0xFFFF_FF00]


def test_a_refused_connection() -> None:
    (connection,) = check(
        """
    +0   A S 0:0(0) win 1000                       | new            | SYN_SENT -
    +9   B R. 0:0(0) ack 1 win 0                   | reset refused  | CLOSED -
    """,
        B=0,
    )
    assert [mark.name for mark in connection.marks] == ["refused"]
    assert connection.relative_seq(connection.segments[1]) == 0, "RFC 9293 section 3.10.7.1: SEQ=0"


def test_a_half_open_connection_is_found_by_data() -> None:
    """RFC 9293 figure 10."""
    check(
        OPEN
        + """
    +5000 A P. 1:101(100) ack 1 win 1000           | new
    +10   B R 1:1(0)                               | reset half_open | CLOSED CLOSED
    """
    )


def test_a_program_that_gives_up_is_not_half_open() -> None:
    check(
        OPEN
        + """
    +5000 A P. 1:101(100) ack 1 win 1000           | new
    +10   B P. 1:101(100) ack 101 win 1000         | new
    +10   B R 101:101(0)                           | reset | CLOSED CLOSED
    """
    )


def test_damage_is_no_retransmission() -> None:
    """A damaged segment counts as sent if its number fits; what it acknowledges does not count."""
    check(
        OPEN
        + """
    +0   A . 1:101(100) ack 1 win 1000 damaged     | wrong_checksum
    +0   A . 101:201(100) ack 1 win 1000           | new
    +99  A . 1:101(100) ack 1 win 1000             | again
    """
    )


def test_numbers_wrap() -> None:
    check(
        OPEN
        + """
    +0   B . 1:201(200) ack 1 win 1000             | new
    +0   B . 201:401(200) ack 1 win 1000           | new
    +1   B . 601:801(200) ack 1 win 1000           | gap=200 new
    +1   B . 401:601(200) ack 1 win 1000           | out_of_order
    +99  B . 201:401(200) ack 1 win 1000           | again
    +9   A . 1:1(0) ack 801 win 1000               | nothing
    +1   B . 201:401(200) ack 1 win 1000           | spurious
    """
    )
