"""The User Timeout option: RFC 5482."""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, SYN, Peer, Sent, closed, established, text


def said(sent: Sent) -> int | None:
    """The value of the option in a segment of ours, G bit included."""
    assert not sent.options.unknown
    return sent.options.user_timeout


def uto(value: int, *, mss: int | None = None) -> TcpOptions:
    return TcpOptions(mss=mss, user_timeout=value)


def agreed(value: int | None = 400, **changes: Any) -> tuple[Connection, Peer]:
    """A connection whose peer has said this in its SYN,ACK."""
    conn, peer = closed(user_timeout_option=True, **changes)
    conn.open(peer.now)
    peer.expects(SYN)
    peer.sends(SYN | ACK, options=uto(value, mss=MSS) if value is not None else TcpOptions(mss=MSS))
    peer.expects(ACK)
    return conn, peer


@rfc("5482-3-b", "5482-3.3-d", "5482-3.3-a")
def test_the_syn_and_the_first_segment_after_it_have_the_option() -> None:
    conn, peer = closed(user_timeout_option=True)
    conn.open(peer.now)
    syn = peer.expects(SYN)
    assert said(syn) == 300
    assert b"\x1c\x04\x01\x2c" in syn.raw_options
    peer.sends(SYN | ACK)
    assert said(peer.expects(ACK)) == 300
    conn.send(b"x", peer.now)
    assert said(peer.expects(ACK, b"x")) is None
    peer.sends(ACK)


@rfc("5482-3-c")
def test_a_change_is_announced_with_the_next_segment_that_has_room() -> None:
    conn, peer = agreed()
    set_options(conn, user_timeout_s=20.0)
    conn.options_changed(peer.now)
    peer.silent()
    conn.send(text(MSS), peer.now)
    assert said(peer.expects(ACK, MSS)) is None  # no room
    peer.sends(ACK)
    conn.send(b"x", peer.now)
    assert said(peer.expects(ACK, b"x")) == 20
    peer.sends(ACK)


@rfc("5482-3.3-c", "5482-3.3-a", "5482-3.4-a")
@pytest.mark.parametrize(
    ("seconds", "value"), [(0.1, 1), (1, 1), (90, 90), (32767, 32767), (32768, 0x8000 | 547), (1e9, 0xFFFF)]
)
def test_seconds_or_minutes_and_never_zero(seconds: float, value: int) -> None:
    conn, peer = closed(user_timeout_option=True)
    set_options(conn, user_timeout_s=seconds)
    conn.open(peer.now)
    assert said(peer.expects(SYN)) == value
    conn.abort(peer.now)


@rfc("5482-3.1-b", "5482-3.1-c", "5482-3-e")
@pytest.mark.parametrize(
    ("ours", "theirs", "adopted"),
    [(300, 400, 400), (300, 200, 300), (50, 60, 100), (300, 0x8000 | 10, 600), (300, 0x8000 | 600, 3600)],
)
def test_the_longer_one_is_adopted_within_limits(ours: float, theirs: int, adopted: float) -> None:
    conn, peer = agreed(theirs, user_timeout_s=ours)
    assert conn.status().user_timeout_s == adopted
    conn.send(b"x", peer.now)
    peer.wait(adopted - 1)
    assert conn.state is State.ESTABLISHED
    peer.wait(2)
    assert conn.state is State.CLOSED
    peer.world.sent.clear()


@rfc("5482-3.1-d")
def test_what_is_adopted_is_longer_than_the_rto() -> None:
    conn, _ = agreed(1, user_timeout_s=1.0, user_timeout_lower_s=0.0)
    conn.rtt.rto_s = 10.0
    assert conn.status().user_timeout_s > 10.0


@rfc("5482-3-a", "5482-3.1-a", "5482-3.1-e")
def test_what_the_user_has_set_is_not_changed_but_he_can_see_what_the_peer_wants() -> None:
    conn, peer = agreed(None)
    set_options(conn, user_timeout_s=5.0)
    peer.sends(ACK, options=uto(500))
    status = conn.status()
    assert (status.user_timeout_s, status.remote_user_timeout_s) == (5.0, 500.0)
    conn.send(b"x", peer.now)
    peer.wait(6)
    assert conn.state is State.CLOSED
    peer.world.sent.clear()


@rfc("5482-3.4-a", "5482-3.3-d")
@pytest.mark.parametrize("option", [b"\x1c\x04\0\0", b"\x1c\x04\x80\0", b"\x1c\x03\x01\0", b"\x1c\x05\x01\0\0\0\0\0"])
def test_zero_and_other_lengths_are_ignored(option: bytes) -> None:
    conn, peer = agreed(None)
    peer.sends(ACK, b"x", raw_options=option)
    assert conn.status().remote_user_timeout_s is None
    assert conn.receive(1, peer.now) == b"x"
    peer.wait(0.1)
    peer.expects(ACK)


@rfc("5482-3.2-a")
def test_the_last_one_that_arrives_counts_and_none_is_needed() -> None:
    conn, peer = agreed(None)
    assert conn.status().user_timeout_s == 300
    for value in (500, 700, 600):
        peer.sends(ACK, options=uto(value))
        assert conn.status().user_timeout_s == value
    peer.sends(ACK)
    assert conn.status().user_timeout_s == 600


@rfc("5482-3.3-b")
def test_in_states_that_are_not_synchronized_the_defaults_apply() -> None:
    conn, peer = closed(user_timeout_option=True)
    conn.open(peer.now)
    peer.expects(SYN)
    peer.sends(SYN, options=uto(3000))
    peer.expects(SYN | ACK)
    assert conn.state is State.SYN_RECEIVED
    assert conn.status().user_timeout_s == 300
    peer.sends(ACK)
    assert conn.status().user_timeout_s == 3000
    peer.world.sent.clear()


@rfc("5482-4.2-a")
def test_keepalives_wait_longer_than_what_was_agreed_on() -> None:
    conn, peer = agreed(400)
    set_options(conn, keepalive=True)
    set_options(conn, keepalive_idle_s=10.0)
    conn.options_changed(peer.now)
    peer.wait(400)
    peer.silent()
    peer.wait(2)
    peer.expects(ACK)
    peer.sends(ACK)


@rfc("5482-3-d")
def test_a_user_that_does_not_want_the_option_neither_sends_nor_heeds_it() -> None:
    conn, peer = established()
    peer.sends(ACK, b"x", options=uto(3000))
    peer.wait(0.1)
    assert said(peer.expects(ACK)) is None
    assert conn.status().user_timeout_s == 300
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(ACK)
