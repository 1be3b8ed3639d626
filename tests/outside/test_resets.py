"""What a reset is not: refused, or half-open, when one of the conditions is missing."""

from __future__ import annotations

import pytest

from tests.outside.figure import check

OPEN = """
    +0   A S 0:0(0) win 1000
    +5   B S. 0:0(0) ack 1 win 1000
    +5   A . 1:1(0) ack 1 win 1000
"""


@pytest.mark.parametrize(
    ("text", "iss"),
    [
        pytest.param(f"{OPEN} +5 B R. 1:1(0) ack 1 | reset", 1000, id="its sender has accepted the SYN"),
        pytest.param("+0 A . 1:101(100) ack 1\n +5 B R. 1:1(0) ack 101 | reset", 1000, id="there was no SYN"),
        pytest.param("+0 A S 0:0(0)\n +5 B R. 0:0(0) ack 9 | reset", 1000, id="another is acknowledged"),
        pytest.param("+0 A S 0:0(0)\n +5 B R 0:0(0) | reset", 0xFFFF_FFFF, id="none is acknowledged"),
    ],
)
def test_a_reset_refuses_a_connection_if_it_acknowledges_a_syn_that_was_not_answered(text: str, iss: int) -> None:
    connections = check(text, A=iss)
    assert all(mark.name != "refused" for connection in connections for mark in connection.marks)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("+5000 A P. 1:101(100) ack 1\n +9 B R. 1:1(0) ack 101 | reset", id="it has an ACK"),
        pytest.param("+5000 A P. 1:101(100) ack 1\n +9 B R 7:7(0) | reset", id="its number is another"),
        pytest.param(
            "+9 A P. 1:101(100) ack 1\n +9 B . 1:1(0) ack 101\n +5000 B R 1:1(0) | reset", id="it answers nothing"
        ),
    ],
)
def test_a_reset_shows_a_half_open_connection_if_it_answers_a_segment_after_a_silence(text: str) -> None:
    check(f"{OPEN}{text}")


def test_an_end_that_has_no_connection_has_lost_none() -> None:
    """RFC 9293 figure 8: it is in SYN-SENT, and the SYN,ACK is for another SYN."""
    check(
        """
    +0    A S 0:0(0) win 1000
    +2000 B S. 0:0(0) ack -99 win 1000
    +9    A R -99:-99(0)               | reset
    """
    )
