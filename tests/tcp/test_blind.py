"""An attacker off the path, which guesses numbers: RFC 5961, all three of its mitigations at once."""

from __future__ import annotations

import pytest

from stack.tcp.states import State
from tests.requirements import rfc

from .world import ACK, RST, SYN, add, established, in_state, two_connections

SYNCHRONIZED = [state for state in State if state >= State.ESTABLISHED]


@rfc("5961-3.2-a")
@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_of_all_resets_only_the_exact_one_counts(state: State) -> None:
    """Steps 1 to 3, in every synchronized state: outside, inside, exact."""
    conn, peer = in_state(state)
    for distance in (-1, -conn.rcv_wnd, conn.rcv_wnd, 1 << 31):
        peer.sends(RST, seq=add(conn.rcv_nxt, distance))
        peer.silent()
    if conn.rcv_wnd > 1:
        peer.sends(RST, seq=add(conn.rcv_nxt, conn.rcv_wnd - 1))
        peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert conn.state is state
    peer.sends(RST, seq=conn.rcv_nxt)
    assert conn.state is State.CLOSED


@rfc("5961-4.2-a")
@pytest.mark.parametrize("state", SYNCHRONIZED)
@pytest.mark.parametrize("flags", [SYN, SYN | ACK])
def test_no_syn_resets_a_connection(state: State, flags: int) -> None:
    conn, peer = in_state(state)
    for distance in (-1000, -1, 0, 1, 1000, 1 << 31):
        peer.sends(flags, seq=add(conn.rcv_nxt, distance), ack=conn.snd_una)
        peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert conn.state is state
    peer.sends(RST, seq=conn.rcv_nxt)  # as a peer that has forgotten the connection answers the challenge
    assert conn.state is State.CLOSED


@rfc("5961-5.2-a")
def test_data_needs_an_ack_that_could_have_been_sent() -> None:
    """Of 1024 guesses spread over all acknowledgment numbers next to none is near enough to inject anything."""
    conn, peer = established(window=1000)
    injected = 0
    for guess in range(1024):
        peer.sends(ACK, b"evil", seq=conn.rcv_nxt, ack=add(conn.snd_una, 2000 + (guess << 22)))
        injected += conn.receive_buffer.size
        peer.world.sent.clear()
    assert injected == 0
    peer.sends(ACK, b"good")
    assert conn.receive(10, peer.now) == b"good"
    peer.world.sent.clear()
    peer.wait(0.1)
    peer.world.sent.clear()


@rfc("5961-7-c")
def test_challenges_of_one_connection_say_nothing_about_another() -> None:
    """CVE-2016-5696: 1000 probes on one leave the budget of the other as it was."""
    conn, peer, other, other_peer = two_connections()
    for number in range(1000):
        peer.sends(SYN, seq=number)
    challenges = len(peer.world.sent)
    peer.world.sent.clear()
    for number in range(1000):
        other_peer.sends(SYN, seq=number)
    assert len(peer.world.sent) == challenges == 10
    peer.world.sent.clear()
    assert conn.state is other.state is State.ESTABLISHED
