"""The first step, check sequence number: RFC 9293 sections 3.4 and 3.10.7.4."""

from __future__ import annotations

import pytest

from stack.tcp.connection import Connection
from stack.tcp.states import State
from tests.requirements import rfc

from .world import ACK, FIN, PEER_ISS, RST, SYN, URG, Peer, add, established, in_state, text

WINDOW = 1000


def small_window() -> tuple[Connection, Peer]:
    """A connection whose receive buffer has WINDOW octets."""
    return established(receive_buffer_bytes=WINDOW)


# --- the four cases of the table


@rfc("9293-3.4-c")
@pytest.mark.parametrize(
    ("offset", "acceptable"), [(-1, False), (0, True), (1, True), (WINDOW - 1, True), (WINDOW, False)]
)
def test_without_text_the_number_must_be_in_the_window(offset: int, acceptable: bool) -> None:
    """An empty segment that is not acceptable is answered by an ACK and its ACK field is not looked at."""
    conn, peer = small_window()
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK, seq=add(conn.rcv_nxt, offset))
    assert (conn.snd_una == conn.snd_nxt) is acceptable
    if not acceptable:
        peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
        assert peer.world.counters["tcp_unacceptable"] == 1
    peer.silent()


@rfc("9293-3.4-c")
@pytest.mark.parametrize(("offset", "acceptable"), [(-1, False), (0, True), (1, False), (WINDOW, False)])
def test_without_text_and_with_a_window_of_zero_the_number_must_be_rcv_nxt(offset: int, acceptable: bool) -> None:
    conn, peer = small_window()
    peer.sends(ACK, text(WINDOW))
    peer.wait(0.5)
    peer.expects(ACK, window=0)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK, seq=add(conn.rcv_nxt, offset))
    assert (conn.snd_una == conn.snd_nxt) is acceptable
    if not acceptable:
        peer.expects(ACK, ack=conn.rcv_nxt, window=0)


@rfc("9293-3.4-c", "9293-3.8.6.1-a")
@pytest.mark.parametrize("count", [1, 2, WINDOW])
def test_text_is_not_acceptable_in_a_window_of_zero_but_is_answered(count: int) -> None:
    conn, peer = small_window()
    peer.sends(ACK, text(WINDOW))
    peer.wait(0.5)
    peer.expects(ACK, window=0)
    before = conn.rcv_nxt
    peer.sends(ACK, text(count), seq=before)
    peer.expects(ACK, ack=before, window=0)
    assert (conn.rcv_nxt, conn.receive_buffer.size, conn.receive_buffer.held) == (before, WINDOW, 0)
    assert peer.world.counters["tcp_window_closed"] == 1


@rfc("9293-3.4-e", "9293-3.10.7.4-b")
def test_an_ack_with_text_is_still_an_ack_in_a_window_of_zero() -> None:
    """A.2: two ends that probe each other's closed window must each see the other's ACK."""
    conn, peer = small_window()
    peer.sends(ACK, text(WINDOW))
    peer.wait(0.5)
    peer.expects(ACK, window=0)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK, b"p", seq=conn.rcv_nxt, window=55)
    assert conn.snd_una == conn.snd_nxt
    assert conn.snd_wnd == 55
    peer.expects(ACK, ack=conn.rcv_nxt, window=0)


@rfc("9293 MUST-66")
def test_reset_is_processed_in_a_window_of_zero() -> None:
    conn, peer = small_window()
    peer.sends(ACK, text(WINDOW))
    peer.wait(0.5)
    peer.expects(ACK, window=0)
    peer.sends(RST, seq=conn.rcv_nxt)
    assert conn.state is State.CLOSED


@rfc("9293 MUST-66")
def test_urgent_pointer_is_processed_in_a_window_of_zero() -> None:
    conn, peer = small_window()
    peer.sends(ACK, text(WINDOW))
    peer.wait(0.5)
    peer.expects(ACK, window=0)
    peer.sends(ACK | URG, b"u", seq=conn.rcv_nxt, up=9)
    peer.expects(ACK)
    assert conn.rcv_up == add(conn.rcv_nxt, 9)


@rfc("9293-3.4-c")
@pytest.mark.parametrize(
    ("offset", "count", "taken"),
    [
        (-3, 2, 0),  # old: its last octet is before the window
        (-3, 3, 0),
        (-3, 4, 1),  # the last octet is new
        (0, WINDOW, WINDOW),
        (0, WINDOW + 1, WINDOW),  # the last octet is beyond: it is cut off
        (-3, WINDOW + 6, 0),  # neither the first nor the last octet is in the window
    ],
)
def test_with_text_the_first_or_the_last_octet_must_be_in_the_window(offset: int, count: int, taken: int) -> None:
    conn, peer = small_window()
    start = conn.rcv_nxt
    octets = text(WINDOW + 10)
    peer.sends(ACK, octets[3 + offset : 3 + offset + count], seq=add(start, offset))
    peer.wait(0.5)
    peer.expects(ACK, ack=add(start, taken))
    assert conn.receive(2 * WINDOW, peer.now) == (octets[3 : 3 + taken] or None)
    while peer.world.sent:
        peer.expects(ACK)


@rfc("9293-3.4-c")
@pytest.mark.parametrize(("offset", "held"), [(WINDOW - 1, 1), (WINDOW, 0), (WINDOW + 1, 0), (1 << 31, 0)])
def test_text_that_begins_at_the_right_edge(offset: int, held: int) -> None:
    conn, peer = small_window()
    peer.sends(ACK, b"ab", seq=add(conn.rcv_nxt, offset))
    peer.expects(ACK, ack=conn.rcv_nxt)
    assert conn.receive_buffer.held == held


# --- what becomes of it


@rfc("9293-3.10-a", "9293-3.10.7.4-c")
@pytest.mark.parametrize("old", range(1, 6))
def test_only_the_new_part_of_an_overlapping_segment_is_taken(old: int) -> None:
    conn, peer = established()
    peer.sends(ACK, b"12345")
    peer.sends(ACK, b"XXXXX"[5 - old :] + b"6789", seq=add(conn.rcv_nxt, -old))
    assert conn.receive(100, peer.now) == b"123456789"
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 10))


@rfc("9293-3.10.7.4-a")
@pytest.mark.parametrize("state", [state for state in State if state >= State.SYN_RECEIVED])
@pytest.mark.parametrize("offset", [-100_000, 100_000])
def test_an_unacceptable_segment_is_answered_by_an_ack_and_dropped(state: State, offset: int) -> None:
    conn, peer = in_state(state)
    before = conn.rcv_nxt, conn.snd_una, conn.snd_nxt
    peer.sends(ACK, b"text", seq=add(conn.rcv_nxt, offset))
    peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert conn.state is state
    assert (conn.rcv_nxt, conn.snd_una, conn.snd_nxt) == before
    assert conn.receive_buffer.held == 0


@rfc("9293-3.10.7.4-f", "5961-3.2-b")
@pytest.mark.parametrize("state", [state for state in State if state >= State.SYN_RECEIVED])
@pytest.mark.parametrize("offset", [-1, 100_000])
def test_an_unacceptable_reset_is_dropped_in_silence(state: State, offset: int) -> None:
    conn, peer = in_state(state)
    peer.sends(RST, seq=add(conn.rcv_nxt, offset))
    peer.silent()
    assert conn.state is state


@rfc("9293-3.5.2-d")
@pytest.mark.parametrize("state", [state for state in State if state >= State.ESTABLISHED])
def test_no_reset_in_a_synchronized_state(state: State) -> None:
    """Whatever is wrong with a segment, it is answered by an ACK at the most."""
    conn, peer = in_state(state)
    numbers = [add(conn.rcv_nxt, offset) for offset in (-70_000, -1, 70_000)]
    for number in numbers:
        for flags in (0, ACK, SYN, SYN | ACK, FIN, FIN | ACK, URG | ACK):
            for ack in (add(conn.snd_una, -100_000), add(conn.snd_nxt, 1), add(conn.snd_nxt, 1 << 30)):
                peer.sends(flags, b"x", seq=number, ack=ack)
    assert peer.world.sent
    while peer.world.sent:
        peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert conn.state is state


# --- a FIN is an octet like any other


@pytest.mark.parametrize(("count", "state"), [(WINDOW - 1, State.CLOSE_WAIT), (WINDOW, State.ESTABLISHED)])
def test_fin_that_is_beyond_the_window_is_cut_off(count: int, state: State) -> None:
    conn, peer = small_window()
    peer.sends(FIN | ACK, text(count))
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 1 + WINDOW), window=0)
    assert conn.state is state
    if state is State.ESTABLISHED:  # there is room again, and the FIN comes again
        assert conn.receive(2 * WINDOW, peer.now) == text(count)
        peer.expects(ACK, window=WINDOW)
        peer.sends(FIN | ACK, seq=add(PEER_ISS, 1 + WINDOW))
        peer.wait(0.5)
        peer.expects(ACK, ack=add(PEER_ISS, 2 + WINDOW))
        assert conn.state is State.CLOSE_WAIT


@pytest.mark.parametrize("octets", [b"", b"x"])
def test_fin_in_a_window_of_zero_waits_until_it_opens(octets: bytes) -> None:
    conn, peer = small_window()
    peer.sends(ACK, text(WINDOW))
    peer.wait(0.5)
    peer.expects(ACK, window=0)
    peer.sends(FIN | ACK, octets, seq=conn.rcv_nxt)
    peer.expects(ACK, ack=add(PEER_ISS, 1 + WINDOW), window=0)
    assert conn.state is State.ESTABLISHED
    conn.receive(WINDOW, peer.now)
    peer.expects(ACK, window=WINDOW)
    peer.sends(FIN | ACK, octets, seq=conn.rcv_nxt)
    peer.wait(0.5)
    peer.expects(ACK)
    assert conn.state is State.CLOSE_WAIT


def test_a_fin_whose_text_is_old_is_new() -> None:
    conn, peer = established()
    peer.sends(ACK, b"12345")
    peer.sends(FIN | ACK, b"45", seq=add(conn.rcv_nxt, -2))
    peer.expects(ACK, ack=add(PEER_ISS, 7))
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(9, peer.now) == b"12345"


@rfc("9293-3.4-a")
def test_the_receive_sequence_crosses_2_to_the_32() -> None:
    conn, peer = established()
    for start in range(0, 64, 8):
        peer.sends(ACK, text(8, start))
    assert conn.rcv_nxt == PEER_ISS + 65 - (1 << 32)
    assert conn.receive(100, peer.now) == text(64)
    peer.wait(0.5)
    peer.expects(ACK, ack=PEER_ISS + 65 - (1 << 32))
