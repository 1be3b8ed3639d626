"""Where a judgement turns: a silence of exactly a second, a scale of 0 and of more than 14, the oldest connection."""

from __future__ import annotations

import pytest

from tests.outside.figure import check

OPEN = """
    +0   A S 0:0(0) win 1000
    +5   B S. 0:0(0) ack 1 win 1000
    +5   A . 1:1(0) ack 1 win 1000
"""


@pytest.mark.parametrize(("silence_ms", "marks"), [(1000, "reset"), (1000.001, "reset half_open")])
def test_an_end_that_was_silent_for_more_than_a_second_may_have_lost_the_connection(
    silence_ms: float, marks: str
) -> None:
    check(
        OPEN
        + f"""
    +10  A P. 1:101(100) ack 1 win 1000  | new
    +{silence_ms - 15:.3f} B R 1:1(0)    | {marks}
    """
    )


def test_both_may_have_spoken_last_at_the_same_time() -> None:
    check(
        OPEN
        + """
    +10  B P. 1:101(100) ack 1 win 1000    | new
    +0   A P. 1:101(100) ack 101 win 1000  | new
    +2000 B R 101:101(0)                   | reset half_open
    """
    )


def windows(a: str, b: str) -> list[int | None]:
    """The windows of a SYN, its SYN,ACK and an ACK of each end, when A and B send these options."""
    (connection,) = check(
        f"""
    +0   A S 0:0(0) win 1000 <mss 1000{a}>
    +5   B S. 0:0(0) ack 1 win 1000 <mss 1000{b}>
    +5   A . 1:1(0) ack 1 win 1000
    +5   B . 1:1(0) ack 1 win 999
    """
    )
    return [connection.window(segment) for segment in connection.segments]


@pytest.mark.parametrize(
    ("a", "b", "in_acks"),
    [
        (",wscale 0", ",wscale 3", [1000, 999 << 3]),
        (",wscale 3", ",wscale 0", [1000 << 3, 999]),
        ("", ",wscale 3", [1000, 999]),
        (",wscale 3", "", [1000, 999]),
        (",wscale 14", ",wscale 15", [1000 << 14, 999 << 14]),
    ],
)
def test_windows_are_scaled_if_both_syns_say_so_and_at_most_by_14(a: str, b: str, in_acks: list[int]) -> None:
    """RFC 7323 sections 2.2 and 2.3. A scale of 0 says so, too."""
    assert windows(a, b) == [1000, 1000, *in_acks]


TWO_WITH_THE_SAME_PORTS = """
    +0   A S 0:0(0) win 1000
    +5   B S. {first}:{first}(0) ack 1 win 1000
    +5   A P. 1:101(100) ack {first_next} win 1000
    +5   A S 5000:5000(0) win 1000
    +5   B S. {second}:{second}(0) ack 5001 win 1000
"""


@pytest.mark.parametrize(
    ("first", "second", "segment"),
    [
        pytest.param(0x4000_0000, 9, "B R. 0:0(0) ack 101 win 0", id="a reset without a number goes by its ack"),
        pytest.param(-1, 5000, "B . 0:0(0) ack 51 win 1000", id="another segment may have the number 0"),
        pytest.param(0x4000_0000, 9, "B R. 1073741825:1073741825(0) ack 51", id="a reset with a number goes by both"),
        pytest.param(0x4000_0000, 9, "A . 51:151(100) ack 1073741825", id="what is sent again has an older number"),
        pytest.param(0x4000_0000, 9, "B R 1073741825:1073741825(0)", id="a reset without an ack goes by its number"),
    ],
)
def test_of_two_connections_with_the_same_ports_the_numbers_decide(first: int, second: int, segment: str) -> None:
    """RFC 9293 section 3.5.2: a reset that answers a segment without an ACK has the number 0."""
    opened = TWO_WITH_THE_SAME_PORTS.format(first=first, first_next=first + 1, second=second)
    connections = check(f"{opened}\n+5 {segment}", B=0)
    assert [[each.number for each in connection.segments] for connection in connections] == [[1, 2, 3, 6], [4, 5]]


def test_at_the_end_of_the_capture_a_fin_behind_a_gap_has_not_come_but_an_ack_has() -> None:
    """The octets before the FIN are missing: it has not been processed (RFC 9293 section 3.10.7.4, eighth)."""
    check(
        OPEN
        + """
    +5   A F. 1:1(0) ack 1 win 1000     | new | FIN_WAIT_1 CLOSE_WAIT
    +5   B F. 101:101(0) ack 2 win 1000 |     | FIN_WAIT_2 LAST_ACK
    """
    )
