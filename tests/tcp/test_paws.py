"""RFC 7323 section 5: protection against wrapped sequences."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stack.tcp.states import State
from stack.tcp.time_wait import suspended
from stack.tcp.timestamps import Timestamps
from tests.requirements import rfc

from .test_timestamps import agreed, stamp, stamps
from .world import ACK, FIN, RST, add

DAY_S = 86400.0


@rfc("7323-5.3-a", "7323-5.3-c")
def test_an_old_duplicate_is_acknowledged_and_dropped() -> None:
    conn, peer = agreed()
    peer.sends(ACK, b"new", options=stamp(100))
    peer.world.wait(0.1)
    assert stamps(peer.expects(ACK)) == (40, 100)
    peer.sends(ACK, b"from another lap", seq=conn.rcv_nxt, options=stamp(99))
    assert stamps(peer.expects(ACK, ack=conn.rcv_nxt)) == (100, 100)
    assert conn.receive(100, peer.world.now) == b"new"
    assert peer.world.counters["tcp_paws"] == 1


@rfc("7323-5.3-a")
def test_a_pure_ack_is_checked_too() -> None:
    conn, peer = agreed()
    conn.send(b"data", peer.world.now)
    peer.expects(ACK, 4)
    peer.sends(ACK, b"x", ack=conn.snd_una, options=stamp(100))
    peer.world.wait(0.05)
    peer.expects(ACK)
    peer.sends(ACK, options=stamp(99))
    peer.expects(ACK)
    assert conn.flight == 4
    conn.abort(peer.world.now)
    peer.expects(RST | ACK)


@rfc("7323-5.3-b", "7323-5.6-a")
def test_timestamps_come_before_sequence_numbers() -> None:
    """A segment that fails both tests counts as an old duplicate, and a FIN of one does not restart TIME-WAIT."""
    conn, peer = agreed()
    conn.shutdown_write(peer.world.now)
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK, options=stamp(100))
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT
    peer.world.wait(30)
    peer.sends(FIN | ACK, seq=add(conn.rcv_nxt, -1), options=stamp(99))
    peer.expects(ACK)
    assert (peer.world.counters["tcp_paws"], peer.world.counters["tcp_unacceptable"]) == (1, 0)
    peer.world.wait(31)
    assert conn.state is State.CLOSED


@rfc("7323-5.3-d")
def test_a_segment_outside_the_window_leaves_ts_recent_alone() -> None:
    conn, peer = agreed()
    peer.sends(ACK, b"beyond", seq=add(conn.rcv_nxt, 1 << 20), options=stamp(100))
    peer.expects(ACK)
    peer.sends(ACK, b"repeated", seq=add(conn.rcv_nxt, -9), options=stamp(100))  # it ends before RCV.NXT
    peer.expects(ACK)
    peer.sends(ACK, b"good", options=stamp(50))
    assert conn.receive(100, peer.world.now) == b"good"
    peer.world.wait(0.1)
    assert stamps(peer.expects(ACK))[1] == 50


@rfc("7323-5.3-d")
def test_seg_seq_is_looked_at_before_old_octets_are_cut_off() -> None:
    """A repeated octet makes SEG.SEQ <= Last.ACK.sent, even when the rest is beyond what was acknowledged."""
    conn, peer = agreed()
    peer.sends(ACK, b"abc", options=stamp(10))
    peer.sends(ACK, b"abcdef", seq=add(conn.rcv_nxt, -3), options=stamp(20))
    peer.world.wait(0.1)
    assert stamps(peer.expects(ACK))[1] == 20


@rfc("7323-5.3-e")
def test_what_waits_behind_a_gap_is_not_checked_again() -> None:
    """The example of section 5.3: B.1 is lost, C.1 is held, B.2 fills the gap."""
    conn, peer = agreed()
    start = conn.rcv_nxt
    peer.sends(ACK, b"A", seq=start, options=stamp(1))
    peer.sends(ACK, b"C", seq=add(start, 2), options=stamp(1))
    peer.expects(ACK, ack=add(start, 1))
    peer.sends(ACK, b"B", seq=add(start, 1), options=stamp(2))
    assert stamps(peer.expects(ACK, ack=add(start, 3)))[1] == 2
    assert conn.receive(100, peer.world.now) == b"ABC"


@rfc("7323-5.2-f", "7323-5.2-g")
def test_a_reset_is_judged_by_its_number_alone() -> None:
    conn, peer = agreed()
    peer.sends(ACK, b"x", options=stamp(100))
    peer.world.wait(0.1)
    peer.expects(ACK)
    peer.sends(RST, seq=add(conn.rcv_nxt, 1), options=stamp(200))  # in the window, not exact: challenged
    assert stamps(peer.expects(ACK))[1] == 100
    peer.sends(RST, seq=conn.rcv_nxt, options=stamp(1))
    assert conn.state is State.CLOSED


@rfc("7323-5.5-a")
def test_after_24_days_ts_recent_says_nothing() -> None:
    conn, peer = agreed()
    world = peer.world
    peer.sends(ACK, b"then", options=stamp(100))
    world.wait(23.9 * DAY_S)
    peer.expects(ACK)
    peer.sends(ACK, b"x", seq=conn.rcv_nxt, options=stamp(99))
    peer.expects(ACK)
    world.wait(0.2 * DAY_S)
    peer.sends(ACK, b"now", options=stamp(99))
    world.wait(0.1)
    assert stamps(peer.expects(ACK))[1] == 99
    assert conn.receive(100, world.now) == b"thennow"


@rfc("7323-5.2-a")
@given(st.integers(0, 0xFFFF_FFFF), st.integers(1, 0x7FFF_FFFF))
@settings(derandomize=True)
def test_timestamps_compare_on_the_circle(val: int, distance: int) -> None:
    timestamps = Timestamps(True, 0)
    timestamps.agree(val, 0, 0.0)
    assert timestamps.is_old(val - distance & 0xFFFF_FFFF, 1.0)
    assert not timestamps.is_old(val + distance & 0xFFFF_FFFF, 1.0)
    assert not timestamps.is_old(val, 1.0)


@rfc("7323-5.2-b")
@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(-3, 3)), max_size=30))
@settings(derandomize=True)
def test_ts_recent_never_goes_back(arrivals: list[tuple[int, int]]) -> None:
    timestamps = Timestamps(True, 0)
    timestamps.agree(0, 99, 0.0)
    for val, distance in arrivals:
        before = timestamps.recent
        if not timestamps.is_old(val, 1.0):
            timestamps.remember(val, 100 + distance, 1.0)
        assert timestamps.recent >= before
        assert timestamps.recent in (before, val)


@rfc("suspend-2")
def test_what_the_peer_said_before_the_machine_was_suspended_is_as_old_as_it_is() -> None:
    """A month on, the peer's timestamps have wrapped: its data must not be taken for an old duplicate's for ever."""
    conn, peer = agreed()
    peer.sends(ACK, b"new", options=stamp(100))
    peer.world.wait(0.1)
    peer.expects(ACK)
    suspended(conn, 30 * DAY_S, peer.world.now)
    peer.sends(ACK, b"wrapped", seq=conn.rcv_nxt, options=stamp(99))
    peer.world.wait(0.1)
    peer.expects(ACK, ack=conn.rcv_nxt)
    assert conn.receive(100, peer.world.now) == b"newwrapped"
