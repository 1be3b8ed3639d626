"""RFC 7323 sections 3 and 4: agreeing on timestamps, which one is echoed, and what is measured with them."""

from __future__ import annotations

from dataclasses import replace

from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.tcp.timestamps import TICKS_PER_SECOND
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .world import ACK, FIN, MSS, RST, SYN, Peer, Sent, add, closed, listening, syn_sent

PEER_CLOCK = 0xFFFF_FF00  # the peer's timestamps cross the wrap, too
OUR_CLOCK = 1000 * TICKS_PER_SECOND  # World begins at 1000 s, and its offset is 0


def stamp(val: int, ecr: int = OUR_CLOCK) -> TcpOptions:
    return TcpOptions(timestamps=(PEER_CLOCK + val & 0xFFFF_FFFF, ecr))


def stamps(sent: Sent) -> tuple[int, int]:
    """TSval since the world began, and TSecr since the peer did."""
    assert sent.options.timestamps is not None, f"no timestamps: {sent}"
    val, ecr = sent.options.timestamps
    return val - OUR_CLOCK, ecr - PEER_CLOCK & 0xFFFF_FFFF


def agreed(**changes: object) -> tuple[Connection, Peer]:
    """ESTABLISHED by our own OPEN, the peer's clock at 1."""
    conn, peer = syn_sent(timestamps=True, **changes)
    peer.sends(SYN | ACK, options=replace(stamp(1), mss=MSS))
    assert stamps(peer.expects(ACK)) == (0, 1)
    assert conn.state is State.ESTABLISHED
    return conn, peer


@rfc("7323-3.2-a", "7323-3.2-b", "7323-3.2-e")
def test_our_syn_offers_timestamps_and_echoes_nothing() -> None:
    conn, peer = closed(timestamps=True)
    conn.open(peer.world.now)
    sent = peer.expects(SYN)
    assert sent.options.timestamps == (OUR_CLOCK, 0)


@rfc("7323-3.2-e", "7323-3.2-h")
def test_a_syn_with_timestamps_is_answered_with_them() -> None:
    _, peer = listening(timestamps=True)
    peer.sends(SYN, options=stamp(7, 0))
    assert stamps(peer.expects(SYN | ACK)) == (0, 7)
    peer.sends(ACK, options=stamp(8))
    assert peer.conn is not None and peer.conn.timestamps.agreed


@rfc("7323-3.2-e")
def test_a_syn_without_timestamps_is_answered_without() -> None:
    _, peer = listening(timestamps=True)
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    assert peer.expects(SYN | ACK).options.timestamps is None
    peer.sends(ACK)
    assert peer.conn is not None
    peer.conn.send(b"x", peer.world.now)
    assert peer.expects(ACK, b"x").options.timestamps is None


def test_a_host_without_timestamps_answers_without() -> None:
    _, peer = listening(timestamps=False)
    peer.sends(SYN, options=stamp(7, 0))
    assert peer.expects(SYN | ACK).options.timestamps is None


@rfc("7323-1.3-a", "7323-3.2-f")
def test_every_segment_carries_timestamps_once_agreed() -> None:
    conn, peer = agreed()
    world = peer.world
    conn.keepalive, conn.keepalive_idle_s = True, 10.0
    conn.options_changed(world.now)
    conn.send(b"data", world.now)
    assert stamps(peer.expects(ACK, b"data")) == (0, 1)
    world.wait(0.25)
    assert stamps(peer.expects(ACK, b"data")) == (200, 1)  # retransmitted
    peer.sends(ACK, options=stamp(2, OUR_CLOCK + 200))
    world.wait(10.0)
    stamps(peer.expects(ACK, seq=add(conn.snd_nxt, -1)))  # a keep-alive
    peer.sends(ACK, b"data", options=stamp(3))
    world.wait(0.1)
    stamps(peer.expects(ACK))
    conn.shutdown_write(world.now)
    stamps(peer.expects(FIN | ACK))


@rfc("7323-3.2-g", "7323-5.2-e")
def test_the_reset_of_a_user_abort_carries_timestamps() -> None:
    conn, peer = agreed()
    conn.abort(peer.world.now)
    assert stamps(peer.expects(RST | ACK)) == (0, 1)


@rfc("6691-2-a")
def test_the_mss_option_does_not_count_timestamps() -> None:
    conn, peer = closed(timestamps=True)
    conn.open(peer.world.now)
    assert peer.expects(SYN).options.mss == 1460


@rfc("6691-2-b")
def test_a_full_segment_leaves_room_for_the_option() -> None:
    conn, peer = agreed()
    conn.send(bytes(2 * (MSS - 12)), peer.world.now)
    peer.expects(ACK, MSS - 12)
    peer.expects(ACK, MSS - 12)
