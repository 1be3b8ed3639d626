"""A segment changes nothing before it has passed every check: RFC 5961 sections 4.2 and 5.2, RFC
7323 section 5.3.

Each test forges a segment whose sequence number is in the window but which fails a later check.
Then it looks for a trace of the segment: a timestamp that freezes the connection by PAWS, a false
answer to a keep-alive, a false D-SACK.
"""

from __future__ import annotations

import pytest

from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .test_sack import FIRST, blocks
from .test_sack import agreed as with_sack
from .test_timestamps import OUR_CLOCK, PEER_CLOCK, agreed, stamp, stamps
from .world import ACK, FIN, PSH, RST, SYN, add, established, text

FAR = 1 << 30  # a timestamp that makes all of the peer's seem old for twelve days


@rfc("7323-5.3-d", "5961-5.2-c", "field-1")
@pytest.mark.parametrize(
    ("flags", "distance", "ack"),
    [
        (ACK, 0, 9999),  # acknowledges what was never sent
        (ACK, 0, -(1 << 24)),  # too old
        (0, 0, 0),  # no ACK bit
        (PSH, 0, 0),
        (SYN, 0, 0),  # RFC 5961 section 4.2
        (SYN | ACK, 100, 0),
        (RST, 1, 0),  # not exact: section 3.2
    ],
)
def test_a_segment_that_is_discarded_does_not_set_ts_recent(flags: int, distance: int, ack: int) -> None:
    """The forged timestamp does not make the peer's own data fail PAWS."""
    conn, peer = agreed()
    peer.sends(ACK, options=stamp(200))
    start = conn.rcv_nxt
    forged = TcpOptions(timestamps=(PEER_CLOCK + FAR & 0xFFFF_FFFF, OUR_CLOCK))
    peer.sends(flags, seq=add(start, distance), ack=add(conn.snd_nxt, ack), options=forged)
    if flags:
        challenges = [sent for sent in peer.world.sent if sent.flags == ACK]
        assert len(challenges) == len(peer.world.sent) == (flags != PSH)
        assert all(stamps(sent)[1] == 200 for sent in challenges)
        peer.world.sent.clear()
    peer.sends(ACK, text(1000), seq=start, options=stamp(1200))
    peer.wait(0.1)
    assert stamps(peer.expects(ACK, ack=add(start, 1000)))[1] == 1200
    assert conn.receive(2000, peer.now) == text(1000)


@rfc("field-1")
@pytest.mark.parametrize(("flags", "ack"), [(ACK, 9999), (0, 0), (SYN, 0)])
def test_a_segment_that_is_discarded_does_not_answer_a_keep_alive(flags: int, ack: int) -> None:
    """The peer is gone, and a forger does not keep it alive."""
    conn, peer = established()
    set_options(conn, keepalive=True, keepalive_idle_s=10.0, keepalive_interval_s=1.0, keepalive_count=3)
    conn.options_changed(peer.now)
    for _ in range(15):
        peer.wait(0.9)
        if conn.state is State.CLOSED:
            break
        peer.sends(flags, seq=conn.rcv_nxt, ack=add(conn.snd_nxt, ack))
    peer.world.sent.clear()
    assert conn.state is State.CLOSED
    assert peer.now - 1000.0 < 14.0


@rfc("field-1")
def test_what_is_cut_off_a_discarded_segment_is_not_reported() -> None:
    """The D-SACK of octets that only a forged segment brought again would make the peer undo a reduction."""
    conn, peer = with_sack()
    peer.sends(ACK, bytes(1000), seq=FIRST)
    peer.wait(0.1)
    peer.expects(ACK)
    peer.sends(ACK, bytes(1000), seq=add(FIRST, 500), ack=add(conn.snd_nxt, 9999))
    challenge = peer.expects(ACK, ack=add(FIRST, 1000))
    assert blocks(challenge) == []
    peer.sends(ACK, bytes(1000), seq=add(FIRST, 500))
    peer.wait(0.1)
    assert blocks(peer.expects(ACK, ack=add(FIRST, 1500))) == [(500, 1000)]


@rfc("field-1", "5961-7-a")
def test_data_at_a_closed_window_is_judged_by_its_ack_first() -> None:
    """A bad acknowledgment gets a challenge ACK, which is throttled, and not the unthrottled answer to a window probe.

    Or a flood of such segments would have each of them answered.
    """
    conn, peer = established(receive_buffer_bytes=2000)
    peer.sends(ACK, bytes(1000))
    peer.sends(ACK, bytes(1000))
    peer.expects(ACK, window=0)
    for _ in range(50):
        peer.sends(ACK, b"x", seq=conn.rcv_nxt, ack=add(conn.snd_nxt, 9999))
    assert len(peer.world.sent) == peer.world.services.config.challenge_acks_per_window
    assert peer.world.counters["tcp_window_closed"] == 0
    peer.world.sent.clear()
    peer.sends(ACK, b"x", seq=conn.rcv_nxt)
    peer.expects(ACK, ack=conn.rcv_nxt, window=0)
    assert peer.world.counters["tcp_window_closed"] == 1


@rfc("field-1")
def test_a_fin_that_is_discarded_is_forgotten() -> None:
    conn, peer = established()
    start = conn.rcv_nxt
    peer.sends(FIN | ACK, seq=add(start, 4), ack=add(conn.snd_nxt, 9999))
    peer.expects(ACK, ack=start)
    peer.sends(ACK, b"data and more", seq=start)
    assert conn.receive(100, peer.now) == b"data and more"
    assert conn.state is State.ESTABLISHED
    peer.wait(0.1)
    peer.expects(ACK)
