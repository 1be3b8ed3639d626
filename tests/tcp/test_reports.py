"""Reports to the user besides data: errors (RFC 9293 section 3.9.1.8) and STATUS (3.9.1.6)."""

from __future__ import annotations

import errno
import json
from dataclasses import asdict

import pytest

from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, MSS, OURS, SYN, THEIRS, URG, established, in_state, syn_sent


def reports(conn: Connection) -> list[int]:
    """The errnos of what is reported from now on."""
    told: list[int] = []

    def on_error(number: int, text: str) -> None:
        assert text
        told.append(number)

    set_options(conn, on_error=on_error)
    return told


@rfc("9293 MUST-47", "9293-3.9.1.8-a", "9293 SHLD-25")
@pytest.mark.parametrize("hard", [False, True])
def test_an_icmp_error_is_reported_and_the_connection_goes_on(hard: bool) -> None:
    conn, peer = established()
    told = reports(conn)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    conn.icmp_error(errno.EHOSTUNREACH, hard, conn.snd_una, peer.now)
    assert told == []  # not from the midst of it
    peer.world.settle()
    assert told == [errno.EHOSTUNREACH]
    assert conn.state is State.ESTABLISHED
    assert conn.status().soft_error == errno.EHOSTUNREACH
    peer.sends(ACK)
    assert conn.status().soft_error == 0
    assert told == [errno.EHOSTUNREACH]


@rfc("9293 MUST-47", "9293-3.9.1.8-a", "9293 SHLD-9")
def test_excessive_retransmissions_are_reported_once() -> None:
    conn, peer = established()
    told = reports(conn)
    conn.send(b"x", peer.now)
    peer.wait(30)
    assert told == [errno.ETIMEDOUT]
    peer.world.sent.clear()
    peer.sends(ACK)


@rfc("9293-3.9.1.8-a")
def test_excessive_retransmissions_of_a_syn_are_reported_too() -> None:
    conn, peer = syn_sent()
    told = reports(conn)
    peer.wait(30)
    assert told == [errno.ETIMEDOUT]
    peer.world.sent.clear()
    conn.abort(peer.now)


@rfc("9293 MUST-47", "9293-3.9.1.8-a")
def test_an_urgent_pointer_that_advances_is_reported_by_a_call_of_its_own() -> None:
    conn, peer = established()
    told: list[int] = []
    conn.on_urgent = lambda: told.append(conn.urgent)
    peer.sends(ACK | URG, b"abc", up=2)
    peer.sends(ACK | URG, b"abc", up=3)
    peer.wait(0.5)
    peer.expects(ACK)
    assert told == [2, 6]


@rfc("9293 SHLD-20")
def test_a_user_that_wants_no_reports_gets_none() -> None:
    conn, peer = established()
    told = reports(conn)
    conn.send(b"x", peer.now)
    conn.icmp_error(errno.EHOSTUNREACH, False, conn.snd_una, peer.now)
    set_options(conn, on_error=None)
    peer.world.settle()
    conn.icmp_error(errno.ENETUNREACH, False, conn.snd_una, peer.now)
    peer.wait(30)
    assert told == []
    assert conn.reports == ()
    assert conn.status().soft_error == errno.ENETUNREACH  # STATUS tells it
    peer.world.sent.clear()
    peer.sends(ACK)


def test_status_has_all_that_section_3_9_1_6_lists() -> None:
    conn, peer = established(ecn="off", timestamps=False, sack=False)
    conn.tos = 0x20
    set_options(conn, user_timeout_s=30.0)
    conn.send(b"0123456789", peer.now)
    peer.expects(ACK, 10)
    conn.send(b"abc", peer.now)  # Nagle keeps it
    peer.sends(ACK | URG, b"hello", ack=conn.snd_una, up=7, window=5000)
    peer.sends(ACK, b"later", seq=conn.rcv_nxt + 1, ack=conn.snd_una)
    peer.world.sent.clear()
    status = conn.status()
    assert (status.local, status.remote, status.state) == (OURS, THEIRS, "ESTABLISHED")
    assert (status.receive_window, status.send_window) == (conn.rcv_wnd, 5000)
    assert (status.unacknowledged, status.unsent, status.unread, status.out_of_order) == (10, 3, 5, 5)
    assert (status.urgent, status.tos, status.ttl, status.user_timeout_s) == (7, 0x20, 64, 30.0)
    assert (status.mss, status.extensions, status.soft_error) == (MSS, (), 0)
    assert status.rto_s > 0
    conn.abort(peer.now)
    peer.world.sent.clear()
    assert conn.status().state == "CLOSED"


@pytest.mark.parametrize("state", list(State))
def test_status_can_be_asked_in_every_state_and_written_as_json(state: State) -> None:
    conn, _ = in_state(state)
    status = asdict(conn.status())
    status["local"] = status["remote"] = None  # bytes, which the host writes out
    assert json.loads(json.dumps(status))["state"] == state.name.replace("_", "-")


def test_status_tells_the_extensions_that_were_agreed_on() -> None:
    conn, peer = syn_sent(window_scaling=True, timestamps=True, sack=True)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, window_scale=2, sack_permitted=True, timestamps=(1, 1000_000)))
    peer.expects(ACK)
    assert conn.status().extensions == ("timestamps", "sack", "window scale")


# --- options TCP does not know, or was told not to use


@rfc("5482-3-d")
@pytest.mark.parametrize("state", [State.SYN_SENT, State.ESTABLISHED])
def test_a_user_timeout_option_is_ignored_unless_wanted(state: State) -> None:
    conn, peer = in_state(state)
    before = conn.status().user_timeout_s
    option = b"\x1c\x04\x80\x01"
    if state is State.SYN_SENT:
        peer.sends(SYN | ACK, raw_options=option)
        peer.expects(ACK)
    peer.sends(ACK, b"x", raw_options=option)
    peer.wait(0.1)
    peer.expects(ACK)
    assert conn.state is State.ESTABLISHED
    assert conn.status().user_timeout_s == before
    conn.shutdown_write(peer.now)
    assert peer.expects(FIN | ACK).raw_options == b""
    peer.sends(ACK)
