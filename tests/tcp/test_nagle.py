"""When data is sent: Nagle, silly window avoidance in the sender, PSH.

See RFC 9293 sections 3.7.4, 3.8.6.2.1 and 3.9.1.2.
"""

from __future__ import annotations

import pytest

from stack.config import TcpConfig
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, OUR_ISS, PSH, add, established, text

# --- Nagle


@rfc("field-7", "9293 MAY-16")
def test_a_small_segment_waits_for_the_ack_of_what_is_in_flight() -> None:
    conn, peer = established()
    conn.send(b"a", peer.now)
    peer.expects(ACK, b"a")
    for octet in (b"b", b"c", b"d"):
        conn.send(octet, peer.now)
    peer.silent()
    peer.sends(ACK)
    peer.expects(ACK, b"bcd")
    conn.send(b"e", peer.now)
    peer.silent()
    peer.sends(ACK)
    peer.expects(ACK, b"e")


@rfc("field-7")
@pytest.mark.parametrize("tail", [1, MSS - 1])
def test_full_segments_in_flight_do_not_hold_the_tail_of_the_same_write(tail: int) -> None:
    """Minshall's form of the algorithm: the tail would wait for the delayed ACK of the last full segment."""
    conn, peer = established()
    conn.send(text(3 * MSS + tail), peer.now)
    for number in range(3):
        peer.expects(ACK, text(MSS, number * MSS))
    peer.expects(ACK | PSH, text(tail, 3 * MSS))
    conn.send(b"another", peer.now)  # a small segment is in flight, and holds the next
    peer.silent()
    peer.sends(ACK, ack=add(OUR_ISS, 1 + 3 * MSS))
    peer.silent()
    peer.sends(ACK)
    peer.expects(ACK, b"another")


@rfc("field-7")
def test_a_small_segment_that_was_sent_again_holds_the_next_still() -> None:
    conn, peer = established()
    conn.send(text(MSS + 1), peer.now)
    peer.expects(ACK, MSS)
    peer.expects(ACK, 1)
    peer.sends(ACK, ack=add(OUR_ISS, 1 + MSS))
    peer.wait(0.25)
    peer.expects(ACK, 1)
    conn.send(b"next", peer.now)
    peer.silent()
    peer.sends(ACK)
    peer.expects(ACK, b"next")


@rfc("field-7")
def test_a_full_segment_does_not_wait() -> None:
    conn, peer = established()
    conn.send(b"a", peer.now)
    peer.expects(ACK, b"a")
    conn.send(text(MSS - 1), peer.now)
    peer.silent()
    conn.send(text(2), peer.now)
    peer.expects(ACK, MSS)
    peer.silent()  # the one octet that is left waits


@rfc("9293 MUST-17")
def test_nagle_can_be_switched_off() -> None:
    conn, peer = established()
    set_options(conn, nodelay=True)
    for octet in (b"a", b"b", b"c"):
        conn.send(octet, peer.now)
        peer.expects(ACK, octet)


@rfc("9293 MUST-17")
def test_switching_nagle_off_sends_what_it_held_back() -> None:
    conn, peer = established()
    conn.send(b"a", peer.now)
    peer.expects(ACK, b"a")
    conn.send(b"b", peer.now)
    set_options(conn, nodelay=True)
    conn.options_changed(peer.now)
    peer.expects(ACK, b"b")


def test_a_fin_does_not_wait_for_an_ack() -> None:
    conn, peer = established()
    conn.send(b"a", peer.now)
    peer.expects(ACK, b"a")
    conn.send(b"b", peer.now)
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK, b"b")


@rfc("9293 MUST-16")
def test_full_sized_is_what_one_segment_can_carry_now() -> None:
    """1448 octets are a full segment where the header has 12 octets of options: no wait, or 33 kB/s is all there is."""
    conn, peer = established()
    peer.world.wire(conn).header_length = 32
    conn.send(text(1448), peer.now)
    peer.expects(ACK, 1448)
    conn.send(text(1448), peer.now)
    peer.expects(ACK, 1448)
    conn.send(text(1447), peer.now)  # nothing small is in flight
    peer.expects(ACK, 1447)
    conn.send(text(1447), peer.now)
    peer.silent()


@rfc("9293 SHLD-27", "9293 SHLD-28")
def test_many_small_sends_make_full_segments() -> None:
    conn, peer = established()
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    for start in range(0, 2 * MSS, 10):
        conn.send(text(10, start), peer.now)
    peer.expects(ACK, text(MSS))
    peer.expects(ACK, text(MSS, MSS))
    peer.silent()


# --- PSH


@rfc("9293 MUST-61")
def test_psh_is_on_the_last_segment_of_what_is_buffered_and_on_no_other() -> None:
    conn, peer = established()
    set_options(conn, nodelay=True)
    conn.send(text(2 * MSS + 5), peer.now)
    assert not peer.expects(ACK, MSS).flags & PSH
    assert not peer.expects(ACK, MSS).flags & PSH
    peer.expects(ACK | PSH, 5)


@rfc("9293 MUST-61")
def test_psh_on_a_full_segment_that_is_the_last() -> None:
    conn, peer = established()
    conn.send(text(MSS), peer.now)
    peer.expects(ACK | PSH, MSS)


def test_psh_is_kept_when_it_is_sent_again() -> None:
    conn, peer = established()
    conn.send(b"x", peer.now)
    peer.expects(ACK | PSH, b"x")
    peer.wait(0.25)
    peer.expects(ACK | PSH, b"x")


# --- silly windows


@rfc("9293 MUST-38", "9293-3.8.6.2.1-a")
def test_a_window_that_opens_in_small_steps_is_not_filled_in_small_steps() -> None:
    """The reader at the other end takes 100 octets at a time, and is told nothing until a full segment fits."""
    conn, peer = established(window=7300)
    set_options(conn, nodelay=True)
    conn.send(text(9000), peer.now)
    for _ in range(5):
        peer.expects(ACK, MSS)
    for read in range(100, MSS, 100):
        peer.sends(ACK, ack=add(OUR_ISS, 1 + 7300), window=read)
        peer.silent()
    peer.sends(ACK, window=MSS)
    peer.expects(ACK, text(MSS, 7300))


@rfc("9293-3.8.6.2.1-a")
def test_rule_1_a_full_segment() -> None:
    conn, peer = established(window=MSS - 1)
    conn.send(text(5000), peer.now)
    peer.expects(ACK, MSS - 1)  # rule 3: it is all the window
    peer.sends(ACK, window=MSS)
    peer.expects(ACK, MSS)


@rfc("9293-3.8.6.2.1-a")
def test_rule_2_all_that_is_queued() -> None:
    conn, peer = established(window=60000)
    peer.sends(ACK, window=100)
    conn.send(text(100), peer.now)
    peer.expects(ACK, 100)


@rfc("9293-3.8.6.2.1-a")
@pytest.mark.parametrize(("window", "sent"), [(499, 0), (500, 500), (501, 501)])
def test_rule_3_half_of_the_largest_window(window: int, sent: int) -> None:
    conn, peer = established(window=1000)
    peer.sends(ACK, window=window)
    conn.send(text(2000), peer.now)
    if sent:
        peer.expects(ACK, sent)
    peer.silent()


@rfc("9293 MUST-60", "9293-3.8.6.2.1-b")
def test_rule_4_the_override_timeout() -> None:
    assert 0.1 <= TcpConfig().sws_override_s <= 1.0
    conn, peer = established(window=1000)
    peer.sends(ACK, window=100)
    conn.send(text(2000), peer.now)
    peer.wait(0.19)
    peer.silent()
    peer.wait(0.02)
    peer.expects(ACK, text(100))
    peer.sends(ACK, window=100)
    peer.silent()
    peer.wait(0.21)
    peer.expects(ACK, text(100, 100))


def test_the_override_is_not_for_what_nagle_holds_back() -> None:
    conn, peer = established()
    conn.send(b"a", peer.now)
    peer.expects(ACK, b"a")
    conn.send(b"b", peer.now)
    peer.wait(0.19)
    peer.silent()
    peer.sends(ACK)
    peer.expects(ACK, b"b")


def test_the_override_is_forgotten_when_the_window_opens() -> None:
    conn, peer = established(window=3000)
    peer.sends(ACK, window=100)
    conn.send(text(2000), peer.now)
    peer.wait(0.1)
    peer.sends(ACK, window=3000)
    peer.expects(ACK, MSS)
    peer.sends(ACK)
    peer.expects(ACK, 540)
    peer.sends(ACK)
    assert conn.deadline == float("inf")


def test_the_fin_follows_what_the_override_sent() -> None:
    conn, peer = established(window=1000)
    peer.sends(ACK, window=100)
    conn.send(text(150), peer.now)
    conn.shutdown_write(peer.now)
    peer.wait(0.21)
    peer.expects(ACK, 100)
    peer.sends(ACK, window=100)
    peer.expects(FIN | ACK, 50)


# --- a window that shrinks


@rfc("9293 MUST-34", "9293 SHLD-15")
def test_nothing_new_is_sent_into_a_window_that_shrank() -> None:
    conn, peer = established(window=10000)
    conn.send(text(5 * MSS), peer.now)
    for _ in range(5):
        peer.expects(ACK, MSS)
    conn.send(text(5 * MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.sends(ACK, ack=add(OUR_ISS, 1 + MSS), window=1000)  # usable: 1000 - 5 * 1460
    peer.silent()
    assert conn.snd_wnd < conn.flight
    peer.sends(ACK, window=10000)
    for _ in range(4):
        peer.expects(ACK, MSS)


@rfc("9293 SHLD-16")
def test_what_lies_inside_a_window_that_shrank_is_sent_again() -> None:
    conn, peer = established(window=10000)
    conn.send(text(3 * MSS), peer.now)
    for _ in range(3):
        peer.expects(ACK, MSS)
    peer.sends(ACK, ack=conn.snd_una, window=1000)
    peer.wait(0.21)
    peer.expects(ACK, text(MSS), seq=add(OUR_ISS, 1))  # the first time "without regard to the window" (RFC 7323 2.4)
    peer.wait(0.41)
    peer.expects(ACK, text(1000), seq=add(OUR_ISS, 1))
    peer.sends(ACK, ack=add(OUR_ISS, 1001), window=1000)
    peer.expects(ACK, text(1000, 1000), seq=add(OUR_ISS, 1001))


@rfc("9293 SHLD-17")
def test_a_window_that_shrank_to_nothing_does_not_time_the_connection_out() -> None:
    conn, peer = established(window=10000)
    conn.send(text(3 * MSS), peer.now)
    for _ in range(3):
        peer.expects(ACK, MSS)
    peer.sends(ACK, ack=conn.snd_una, window=0)
    peer.wait(0.21)
    peer.expects(ACK, text(MSS), seq=conn.snd_una)  # the first time "without regard to the window" (RFC 7323 2.4)
    for _ in range(100):
        peer.wait(60)
        while peer.world.sent:
            peer.expects(ACK, text(1), seq=conn.snd_una)
            peer.sends(ACK, ack=conn.snd_una, window=0)
    peer.sends(ACK, ack=conn.snd_una, window=10000)
    for number in range(3):
        peer.expects(ACK, text(MSS, number * MSS), seq=add(OUR_ISS, 1 + number * MSS))
