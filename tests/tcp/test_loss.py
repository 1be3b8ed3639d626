"""An episode of loss recovery: when `tcb.loss` is there and when it is None; how the window is reduced."""

from __future__ import annotations

import pytest

from stack.tcp import loss
from stack.tcp.congestion import Congestion
from stack.tcp.connection import Connection
from stack.tcp.ecn import Ecn
from stack.wire.tcp_options import TcpOptions

from .full_segments import at, sack
from .world import ACK, MSS, SYN, Peer, established, syn_sent, text

RTT = 0.1
NEWRENO, SACK, RACK = {"sack": False}, {"sack": True, "rack": False}, {"sack": True, "rack": True}


def in_flight(method: dict[str, bool]) -> tuple[Connection, Peer]:
    """Ten full segments are in flight, and there is nothing more to send."""
    conn, peer = syn_sent(congestion="reno", prr=True, **method)
    peer.wait(RTT)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=method["sack"]))
    conn.send(text(10 * MSS), peer.now)
    peer.world.sent.clear()
    return conn, peer


def arrives(conn: Connection, peer: Peer, end: int) -> None:
    """The segments from 1 up to `end` have arrived, and segment 0 has not."""
    if conn.scoreboard is None:
        peer.sends(ACK, ack=at(conn, 0))
    else:
        sack(conn, peer, 0, (1, end))
    peer.world.sent.clear()


@pytest.mark.parametrize("method", [NEWRENO, SACK, RACK])
def test_an_episode_lasts_until_all_that_was_in_flight_is_acknowledged(method: dict[str, bool]) -> None:
    conn, peer = in_flight(method)
    peer.wait(RTT)
    for end in (2, 3):
        arrives(conn, peer, end)
        assert not conn.recovering
    arrives(conn, peer, 4)
    assert conn.recovering
    assert conn.recover == conn.snd_nxt == at(conn, 10)
    peer.sends(ACK, ack=at(conn, 9))
    peer.world.sent.clear()
    assert conn.recovering
    peer.sends(ACK, ack=at(conn, 10))
    assert conn.loss is None


@pytest.mark.parametrize("method", [NEWRENO, SACK, RACK])
def test_a_timeout_begins_an_episode_only_where_rack_is_in_use(method: dict[str, bool]) -> None:
    conn, peer = in_flight(method)
    while not conn.timeouts:
        peer.wait(0.1)
    peer.world.sent.clear()
    assert not conn.recovering
    assert (conn.loss is not None) == method.get("rack", False)
    peer.sends(ACK, ack=at(conn, 9))
    peer.world.sent.clear()
    assert (conn.loss is not None) == method.get("rack", False)
    peer.sends(ACK, ack=at(conn, 10))
    assert conn.loss is None


@pytest.mark.parametrize("method", [NEWRENO, SACK, RACK])
def test_a_timeout_ends_a_fast_recovery(method: dict[str, bool]) -> None:
    conn, peer = in_flight(method)
    for end in (2, 3, 4):
        arrives(conn, peer, end)
    assert conn.recovering
    while not conn.timeouts:
        peer.wait(0.1)
    peer.world.sent.clear()
    assert not conn.recovering
    assert conn.duplicate_acks == 0
    assert conn.congestion.cwnd == MSS


class Noted(Congestion):
    """Notes what it is told."""

    def __init__(self) -> None:
        super().__init__(MSS, 10)
        self.told: list[tuple[object, ...]] = []

    def on_loss(self, flight: int, now: float) -> None:
        self.told.append((loss.LOSS, flight))

    def on_ecn(self, flight: int, now: float) -> None:
        self.told.append((loss.MARK, flight))

    def on_rto(self, flight: int, first: bool, now: float) -> None:
        self.told.append((loss.TIMEOUT, flight, first))


@pytest.mark.parametrize("undoable", [True, False])
@pytest.mark.parametrize("why", [loss.LOSS, loss.MARK, loss.TIMEOUT])
def test_a_reduction_is_told_to_the_policy_and_with_ecn_to_the_peer(why: str, undoable: bool) -> None:
    conn, peer = established()
    conn.timestamps.agreed = True
    conn.congestion = noted = Noted()
    conn.ecn = Ecn(conn.iss)
    conn.timeouts = 1
    loss.reduce(conn, why, 5 * MSS, peer.now, undoable, because="loss_by_timeout")
    assert noted.told == [(why, 5 * MSS, True) if why == loss.TIMEOUT else (why, 5 * MSS)]
    assert conn.ecn.cwr
    assert (conn.rtx_stamp is not None) == undoable
