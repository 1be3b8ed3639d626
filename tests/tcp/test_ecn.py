"""Explicit Congestion Notification on one connection: RFC 3168 section 6.1."""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp import ecn
from stack.tcp.connection import Connection
from stack.tcp.segment import Segment
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .world import (
    ACK,
    FIN,
    MSS,
    OUR_ISS,
    PEER_ISS,
    SYN,
    Peer,
    Wire,
    add,
    closed,
    established,
    listening,
    syn_sent,
    text,
)

ECE, CWR = 0x40, 0x80
NOT_ECT, ECT_0, CE = 0, 2, 3
SETUP, SETUP_ANSWER = SYN | ECE | CWR, SYN | ACK | ECE

# What may stand in a SYN or SYN,ACK: none of it may cause confusion.
COMBINATIONS = [0, ECE, CWR, ECE | CWR]


class Marks(list[int]):
    """The ECN bits of all that was sent, so far."""

    def __init__(self, conn: Connection) -> None:
        super().__init__()
        wire: Any = conn.path
        assert isinstance(wire, Wire)
        wire.on_send = lambda: self.append(wire.tos & 3)


def capable(*, active: bool = True, window: int = 0xFFFF, **changes: Any) -> tuple[Connection, Peer, Marks]:
    """A connection that uses ECN."""
    changes = {"ecn": "on", "congestion": "reno", "timestamps": False, "sack": False, **changes}
    if active:
        conn, peer = _opening(**changes)
        peer.expects(SETUP)
        peer.sends(SETUP_ANSWER, options=TcpOptions(mss=MSS), window=window)
        peer.expects(ACK)
    else:
        listener, peer = listening(**changes)
        peer.sends(SETUP, options=TcpOptions(mss=MSS), window=window)
        peer.expects(SETUP_ANSWER)
        peer.sends(ACK)
        accepted = listener.accept()
        assert accepted is not None
        conn = accepted
    assert conn.ecn is not None
    return conn, peer, Marks(conn)


def _opening(**changes: Any) -> tuple[Connection, Peer]:
    conn, peer = closed(**changes)
    conn.open(peer.now)
    return conn, peer


def arrives(peer: Peer, flags: int, data: bytes = b"", *, seq: int | None = None, marked: int = CE) -> None:
    """A segment whose packet has these ECN bits."""
    conn = peer.conn
    assert conn is not None
    number = peer.snd_nxt if seq is None else seq
    segment = Segment(number, conn.snd_nxt, flags, peer.window, data)
    segment.ce = marked == CE
    if seq is None:
        peer.snd_nxt = add(number, len(data) + bool(flags & FIN))
    conn.segment(segment, peer.now)
    peer.world.settle()


# --- 6.1.1: the handshake


@rfc("3168-6.1.1-a", "3168-6.1.1-i", "9293 SHLD-8")
def test_asking_for_ecn() -> None:
    conn, peer = _opening(ecn="on")
    assert conn.path.tos == NOT_ECT
    peer.expects(SETUP, seq=OUR_ISS)
    peer.sends(SETUP_ANSWER)
    peer.expects(ACK)
    conn.send(b"x", peer.now)
    assert conn.ecn is not None
    peer.expects(ACK, b"x")
    peer.sends(ACK)


@rfc("3168-6.1.1-a", "3168-6.1.1-h", "3168-6.1.1-d")
@pytest.mark.parametrize("answer", COMBINATIONS)
def test_only_ece_alone_agrees(answer: int) -> None:
    """A SYN,ACK with both, for one, comes from a host that sends reserved bits back as they came."""
    conn, peer = _opening(ecn="on")
    peer.expects(SETUP)
    peer.sends(SYN | ACK | answer)
    peer.expects(ACK)
    marks = Marks(conn)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    assert conn.state is State.ESTABLISHED
    assert marks == [ECT_0 if answer == ECE else NOT_ECT]
    peer.sends(ACK)


@rfc("3168-6.1.1-b", "3168-6.1.1-h", "3168-6.1.1-c")
@pytest.mark.parametrize("policy", ["off", "accept", "on"])
@pytest.mark.parametrize("asked", COMBINATIONS)
def test_only_both_flags_ask(policy: str, asked: int) -> None:
    listener, peer = listening(ecn=policy)
    peer.sends(SYN | asked)
    agreed = asked == ECE | CWR and policy != "off"
    peer.expects(SETUP_ANSWER if agreed else SYN | ACK)
    peer.sends(ACK)
    conn = listener.accept()
    assert conn is not None
    marks = Marks(conn)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    assert marks == [ECT_0 if agreed else NOT_ECT]
    peer.sends(ACK)


@rfc("3168-6.1.1-g")
@pytest.mark.parametrize("policy", ["off", "accept"])
def test_unwilling_hosts_do_not_ask(policy: str) -> None:
    conn, peer = _opening(ecn=policy)
    peer.expects(SYN)
    peer.sends(SETUP_ANSWER)
    peer.expects(ACK)
    assert conn.ecn is None


@rfc("3168-6.1.1-i")
def test_syns_are_never_ecn_capable() -> None:
    conn, peer = syn_sent(ecn="off")
    conn.abort(peer.now)
    conn, peer = _opening(ecn="on")
    marks = Marks(conn)
    peer.wait(1.5)
    peer.expects(SETUP)
    peer.expects(SYN)
    assert marks == [NOT_ECT]
    _, peer = listening(ecn="on")
    peer.sends(SETUP)
    assert peer.conn is not None
    marks = Marks(peer.conn)
    peer.expects(SETUP_ANSWER)
    peer.wait(1.5)
    peer.expects(SETUP_ANSWER)
    assert marks == [NOT_ECT]


@rfc("3168-6.1.1.1-b", "3168-6.1.1-c", "3168-6.1.1-f")
def test_a_syn_that_is_not_answered_is_sent_again_without_ecn() -> None:
    """If the first one is answered nevertheless we echo marks, but our data is not ECN-capable."""
    conn, peer = _opening(ecn="on")
    peer.expects(SETUP)
    peer.wait(1.5)
    peer.expects(SYN)
    peer.sends(SETUP_ANSWER)
    peer.expects(ACK)
    marks = Marks(conn)
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    assert marks == [NOT_ECT]
    arrives(peer, ACK, b"marked")
    peer.expects(ACK | ECE)


def test_syns_that_cross_do_without_ecn() -> None:
    conn, peer = _opening(ecn="on")
    peer.expects(SETUP)
    peer.sends(SETUP)
    peer.expects(SYN | ACK)
    peer.sends(SETUP_ANSWER, seq=PEER_ISS, ack=add(OUR_ISS, 1))
    assert conn.state is State.ESTABLISHED
    assert conn.ecn is None
    peer.world.sent.clear()


# --- 6.1.2: the sender


@rfc("3168-6.1.2-a", "3168-5-a", "3168-5.2-a")
@pytest.mark.parametrize("active", [True, False])
def test_new_data_is_ecn_capable_and_only_that(active: bool) -> None:
    conn, peer, marks = capable(active=active)
    conn.tos = 0xB8
    conn.send(text(2 * MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.expects(ACK, MSS)
    assert marks == [ECT_0, ECT_0]
    assert conn.tos == 0xB8
    peer.sends(ACK)
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    assert marks == [ECT_0, ECT_0, NOT_ECT]


@rfc("3168-5.2-b", "3168-6.1.4-a")
def test_pure_acks_are_not_ecn_capable() -> None:
    conn, peer, marks = capable()
    conn.send(b"x", peer.now)
    peer.expects(ACK, b"x")
    peer.sends(ACK, b"x" * 2 * MSS)
    peer.expects(ACK)
    peer.sends(ACK, b"x", seq=add(conn.rcv_nxt, 10))
    peer.expects(ACK)
    assert marks == [ECT_0, NOT_ECT, NOT_ECT]


@rfc("3168-6.1.5-a", "3168-6.1.2-g")
def test_retransmissions_are_neither_ecn_capable_nor_do_they_have_cwr() -> None:
    conn, peer, marks = capable()
    conn.send(text(3 * MSS), peer.now)
    for _ in range(3):
        peer.expects(ACK, MSS)
    peer.wait(0.5)
    peer.expects(ACK, MSS, seq=conn.snd_una)
    assert marks == [ECT_0] * 3 + [NOT_ECT]
    peer.sends(ACK)
    conn.send(b"new", peer.now)
    peer.expects(ACK | CWR, b"new")  # 6.1.2: the timeout was a reduction, too
    peer.sends(ACK)


@rfc("3168-6.1.6-a")
def test_window_probes_are_neither_ecn_capable_nor_do_they_have_cwr() -> None:
    conn, peer, marks = capable(window=0)
    assert conn.ecn is not None
    conn.ecn.cwr = True
    conn.send(b"waiting", peer.now)
    peer.wait(1.0)
    while peer.world.sent:
        peer.expects(ACK, b"w")
    assert set(marks) == {NOT_ECT}
    peer.sends(ACK, window=1000)
    peer.expects(ACK | CWR, 6)
    peer.sends(ACK)


def _filled(**changes: Any) -> tuple[Connection, Peer, Marks]:
    """Ten segments in flight; all the data there is."""
    conn, peer, marks = capable(**changes)
    conn.send(text(10 * MSS), peer.now)
    for _ in range(10):
        peer.expects(ACK, MSS)
    assert conn.congestion.cwnd == 10 * MSS
    return conn, peer, marks


@rfc("3168-6.1.2-b", "3168-5-b", "3168-6.1.2-c")
def test_an_echo_is_answered_as_a_loss_is_without_a_retransmission() -> None:
    conn, peer, _ = _filled()
    peer.sends(ACK | ECE, ack=add(conn.snd_una, MSS))
    assert conn.congestion.ssthresh == conn.congestion.cwnd == 5 * MSS
    peer.silent()
    peer.sends(ACK)


@rfc("3168-6.1.2-c")
def test_an_ack_with_an_echo_makes_no_window_grow() -> None:
    conn, peer, _ = _filled()
    peer.sends(ACK | ECE, ack=add(conn.snd_una, MSS))
    conn.congestion.ssthresh = 1 << 30  # slow start
    for _ in range(5):
        peer.sends(ACK | ECE, ack=add(conn.snd_una, MSS))
    assert conn.congestion.cwnd == 5 * MSS
    peer.sends(ACK, ack=add(conn.snd_una, MSS))
    assert conn.congestion.cwnd > 5 * MSS
    peer.sends(ACK)


@rfc("3168-6.1.2-d", "3168-6.1.2-f", "3168-6.1.2-h")
def test_one_reduction_in_a_round_trip_and_one_cwr() -> None:
    conn, peer, marks = _filled()
    end = conn.snd_nxt
    conn.send(text(6 * MSS), peer.now)
    peer.silent()
    peer.sends(ACK | ECE, ack=add(end, -9 * MSS))
    assert conn.congestion.cwnd == 5 * MSS
    peer.sends(ACK | ECE, ack=add(end, -4 * MSS))
    peer.expects(ACK | CWR, MSS, seq=end)  # the first new data
    peer.sends(ACK | ECE, ack=end)
    assert conn.congestion.cwnd == 5 * MSS
    for _ in range(4):
        peer.expects(ACK, MSS)
    assert set(marks) == {ECT_0}
    peer.sends(ACK | ECE, ack=add(end, MSS))  # that is the next window
    assert conn.congestion.cwnd == 5 * MSS // 2
    peer.sends(ACK)
    peer.expects(ACK | CWR, MSS)
    peer.sends(ACK)


@rfc("3168-6.1.1-e", "3168-6.1.2-f")
def test_a_loss_is_told_by_cwr_too_and_counts_as_the_reduction_of_its_window() -> None:
    conn, peer, _ = _filled()
    conn.send(text(20 * MSS), peer.now)
    una = conn.snd_una
    for _ in range(3):
        peer.sends(ACK, ack=una)
    assert [sent.flags & CWR for sent in peer.world.sent if sent.seq == una] == [0]  # the fast retransmission
    assert conn.recovering
    peer.world.sent.clear()
    reduced = conn.congestion.ssthresh
    peer.sends(ACK | ECE, ack=conn.recover)
    assert not conn.recovering
    assert conn.congestion.ssthresh == reduced
    assert [sent.flags & CWR for sent in peer.world.sent] == [CWR, 0]
    peer.world.sent.clear()
    conn.abort(peer.now)
    peer.world.sent.clear()


@rfc("3168-6.1.2-e")
def test_with_a_window_of_one_segment_new_data_waits_for_the_timer() -> None:
    conn, peer, _ = capable()
    conn.congestion.cwnd = conn.congestion.mss
    conn.send(text(2 * MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.sends(ACK | ECE)
    peer.silent()
    timeout_s = conn.rtt.timeout_s()
    peer.wait(timeout_s - 0.01)
    peer.silent()
    peer.wait(0.02)
    peer.expects(ACK | CWR, MSS)
    assert conn.congestion.cwnd == MSS
    peer.sends(ACK)


def test_an_echo_that_was_not_agreed_on_means_nothing() -> None:
    conn, peer = established(ecn="off")
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    before = conn.congestion.cwnd
    peer.sends(ACK | ECE | CWR)
    assert conn.congestion.cwnd >= before
    arrives(peer, ACK, b"marked, for whatever reason")
    peer.wait(0.1)
    peer.expects(ACK)


def test_the_place_of_the_last_reduction_is_drawn_along() -> None:
    conn, peer, _ = capable()
    assert conn.ecn is not None
    for _ in range(3):
        jump = 3 << 29
        conn.snd_una = conn.snd_nxt = conn.recover = conn.rtx_nxt = conn.rtx_end = add(conn.snd_nxt, jump)
        conn.send(text(MSS), peer.now)
        peer.expects(ACK, MSS)
        peer.sends(ACK)
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.sends(ACK | ECE)
    assert conn.ecn.cwr


# --- 6.1.3: the receiver


@rfc("3168-6.1.3-a", "3168-6.1.1-f")
def test_all_acks_echo_until_the_sender_says_cwr() -> None:
    conn, peer, _ = capable()
    peer.sends(ACK, b"unmarked")
    arrives(peer, ACK, b"marked")
    peer.expects(ACK | ECE)  # one of those it covers had CE
    peer.sends(ACK, b"x" * 2 * MSS)
    peer.expects(ACK | ECE)
    conn.send(b"data", peer.now)
    peer.expects(ACK | ECE, b"data")
    peer.sends(ACK | CWR, b"x" * 2 * MSS)
    peer.expects(ACK)
    arrives(peer, ACK | CWR, b"both at once" * 300)
    peer.expects(ACK | ECE)


@rfc("3168-6.1.5-b")
@pytest.mark.parametrize("distance", [-1000, 60000, 1 << 31])
def test_marks_outside_the_window_are_ignored(distance: int) -> None:
    conn, peer, _ = capable()
    arrives(peer, ACK, b"x" * 10, seq=add(conn.rcv_nxt, distance))
    peer.expects(ACK)
    peer.sends(ACK, b"x" * 2 * MSS)
    peer.expects(ACK)


def test_a_mark_on_a_pure_ack_means_nothing() -> None:
    _, peer, _ = capable()
    arrives(peer, ACK)
    peer.sends(ACK, b"x" * 2 * MSS)
    peer.expects(ACK)


@rfc("3168-6.1.6-b")
def test_a_window_probe_with_a_mark_is_echoed() -> None:
    conn, peer, _ = capable(receive_buffer_bytes=1000)
    peer.sends(ACK, text(1000))
    peer.wait(0.1)
    peer.expects(ACK, window=0)
    arrives(peer, ACK, b"p", seq=conn.rcv_nxt)
    peer.expects(ACK | ECE, window=0)


def test_syns_and_resets_echo_nothing() -> None:
    conn, peer, _ = capable()
    arrives(peer, ACK, b"marked")
    peer.expects(ACK | ECE)
    conn.abort(peer.now)
    assert not peer.world.sent.pop().flags & ECE


def test_the_numbers_are_the_rfcs() -> None:
    assert (ecn.ECT_0, ecn.CE) == (0b10, 0b11)
