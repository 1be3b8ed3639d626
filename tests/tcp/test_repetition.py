"""The last segment arrives again, because our ACK of it was lost; only its text is old.

See RFC 9293 appendix A.2 and RFC 7323 section 4.3. The rules of section 3.10.7.4 alone would drop
such a segment, and with it the acknowledgment and the timestamp that it carries.
"""

from __future__ import annotations

import pytest

from stack.tcp.states import State
from tests.requirements import rfc

from .test_timestamps import agreed, stamp, stamps
from .world import ACK, FIN, RST, SYN, add, established, in_state


@rfc("field-10", "9293-A.2-a")
def test_figure_13_with_both_acks_lost() -> None:
    """Simultaneous close: the peer's ACK of our FIN comes on its repeated FIN alone, as ours of its does."""
    conn, peer = in_state(State.CLOSING)
    peer.sends(FIN | ACK, seq=add(conn.rcv_nxt, -1), ack=conn.snd_nxt)
    peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt)
    assert conn.state is State.TIME_WAIT
    peer.wait(5)  # and our FIN does not go again
    peer.silent()


@rfc("field-10")
def test_in_closing_a_repeated_fin_that_acknowledges_nothing_is_answered() -> None:
    conn, peer = in_state(State.CLOSING)
    peer.sends(FIN | ACK, seq=add(conn.rcv_nxt, -1), ack=add(conn.snd_nxt, -1))
    peer.expects(ACK, ack=conn.rcv_nxt)
    assert conn.state is State.CLOSING


@rfc("field-10")
def test_in_last_ack_the_repeated_fin_ends_it() -> None:
    conn, peer = in_state(State.LAST_ACK)
    peer.sends(FIN | ACK, seq=add(conn.rcv_nxt, -1), ack=conn.snd_nxt)
    assert conn.state is State.CLOSED


@rfc("field-10", "9293-A.2-a")
def test_data_that_crosses_is_acknowledged_by_the_repeated_data() -> None:
    """Each end has sent once, both ACKs are lost, and the peer's timer is the first to expire."""
    conn, peer = established()
    conn.send(b"ours", peer.now)
    peer.expects(ACK, b"ours")
    first = conn.rcv_nxt
    peer.sends(ACK, b"theirs", seq=first, ack=conn.snd_una)
    peer.wait(0.1)
    peer.expects(ACK, ack=add(first, 6))  # lost
    peer.sends(ACK, b"theirs", seq=first, ack=conn.snd_nxt)
    peer.expects(ACK, ack=add(first, 6))
    assert conn.flight == 0
    assert conn.receive(100, peer.now) == b"theirs"
    assert conn.receive(100, peer.now) is None


@rfc("field-10", "7323-4.3-d")
def test_its_timestamp_is_echoed() -> None:
    """The sender measures the repetition's round trip, and not the time since the segment was first sent."""
    conn, peer = agreed()
    first = conn.rcv_nxt
    peer.sends(ACK, b"data", seq=first, options=stamp(10))
    peer.wait(0.1)
    assert stamps(peer.expects(ACK, ack=add(first, 4)))[1] == 10
    peer.wait(3)
    peer.sends(ACK, b"data", seq=first, options=stamp(3000))
    assert stamps(peer.expects(ACK, ack=add(first, 4)))[1] == 3000
    peer.sends(ACK, b"data", seq=first, options=stamp(2000))  # an old duplicate: PAWS
    assert stamps(peer.expects(ACK, ack=add(first, 4)))[1] == 3000


@rfc("field-10", "field-1", "5961-5.2-c")
@pytest.mark.parametrize(
    ("flags", "distance", "ack"),
    [
        (ACK, -4, 1),  # what was never sent
        (0, -4, 0),  # no ACK bit
        (SYN | ACK, -4, 0),
        (RST | ACK, -4, 0),
        (ACK, -5, 0),  # it does not end at RCV.NXT
    ],
)
def test_a_forged_repetition_changes_nothing(flags: int, distance: int, ack: int) -> None:
    conn, peer = agreed()
    conn.send(b"ours", peer.now)
    peer.expects(ACK, b"ours")
    peer.sends(ACK, b"data", ack=conn.snd_una, options=stamp(10))
    peer.wait(0.1)
    peer.expects(ACK)
    heard = conn.last_received_at
    peer.sends(
        flags, b"data", seq=add(conn.rcv_nxt, distance), ack=add(conn.snd_nxt, ack), options=stamp(1 << 30)
    )  # fmt: skip
    assert all(stamps(sent)[1] == 10 for sent in peer.world.sent)
    peer.world.sent.clear()
    assert (conn.flight, conn.last_received_at, conn.timestamps.recent_at) == (4, heard, heard)
    peer.sends(ACK, options=stamp(11))
    assert conn.flight == 0
