"""The states of both ends, inferred from the segments between them."""

from __future__ import annotations

from tests.outside.figure import check

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
