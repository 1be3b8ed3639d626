"""Packet Too Big, and black holes: RFC 1191 section 6.4, RFC 5927 section 7.2, RFC 4821 section
7.7.
"""

from __future__ import annotations

import pytest

from stack.tcp.connection import Connection
from tests.requirements import rfc

from .world import ACK, MSS, Peer, add, established, text


def in_flight(segments: int, **changes: bool) -> tuple[Connection, Peer]:
    """ESTABLISHED, with so many full segments sent and none acknowledged."""
    conn, peer = established(**changes)
    conn.send(text(segments * MSS), peer.now)
    for _ in range(segments):
        peer.expects(ACK, MSS)
    return conn, peer


def acknowledged(**changes: bool) -> tuple[Connection, Peer]:
    """As `in_flight(1)`, after a segment of that size has arrived."""
    conn, peer = in_flight(1, **changes)
    peer.sends(ACK)
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    return conn, peer


@rfc("1191-6.4-a", "1191-3-d")
def test_the_segment_is_sent_again_at_once_and_fits() -> None:
    conn, peer = in_flight(1)
    assert peer.world.too_big(conn, 1000)
    assert conn.mss == 960
    peer.expects(ACK, 960, seq=conn.snd_una)
    peer.sends(ACK, ack=add(conn.snd_una, 960))
    peer.expects(ACK, 500)
    peer.sends(ACK)
    conn.send(text(2000), peer.now)
    peer.expects(ACK, 960)
    peer.expects(ACK, 960)
    peer.sends(ACK)
    peer.expects(ACK, 80)


@rfc("1191-6.4-a")
def test_no_segment_is_larger_than_the_peers_mss_whatever_the_path_takes() -> None:
    conn, peer = established(mss=700)
    conn.send(text(1400), peer.now)
    peer.expects(ACK, 700)
    peer.expects(ACK, 700)


@rfc("1191-6.4-b")
def test_a_burst_of_messages_causes_one_retransmission() -> None:
    conn, peer = in_flight(4)
    assert peer.world.too_big(conn, 1000)
    for number in range(1, 4):
        assert not peer.world.too_big(conn, 1000, add(conn.snd_una, number * MSS))
    peer.expects(ACK, 960, seq=conn.snd_una)
    peer.silent()
    assert peer.world.counters["tcp_too_big_not_sent"] == 3


@rfc("1191-3-c")
def test_estimates_that_are_still_too_large_converge() -> None:
    conn, peer = in_flight(2)
    for mtu in (1400, 1200, 1000):
        assert peer.world.too_big(conn, mtu)
        peer.expects(ACK, mtu - 40, seq=conn.snd_una)
    peer.sends(ACK, ack=add(conn.snd_una, 960))
    while peer.world.sent:
        peer.expects(ACK, min(960, 2 * MSS - (peer.world.sent[0].seq - conn.snd_una + 960 & 0xFFFF_FFFF)))
    peer.sends(ACK)


@rfc("1191-6.4-c")
def test_a_message_is_no_sign_of_congestion_but_retransmission_starts_slowly() -> None:
    conn, peer = in_flight(6)
    segments, ssthresh = conn.congestion.cwnd // MSS, conn.congestion.ssthresh
    assert peer.world.too_big(conn, 1000)
    assert (conn.congestion.cwnd // 960, conn.congestion.ssthresh) == (segments, ssthresh)
    peer.expects(ACK, 960)
    peer.silent()
    peer.sends(ACK, ack=add(conn.snd_una, 960))
    assert len(peer.world.sent) > 4
    peer.world.sent.clear()


@rfc("1191-6.3-b")
def test_a_larger_mtu_is_used_from_then_on_and_nothing_is_sent_again() -> None:
    conn, peer = established()
    wire = peer.world.wire(conn)
    wire.mtu = 1000
    conn.path_mtu_changed(peer.now)
    conn.send(text(2 * 960), peer.now)
    peer.expects(ACK, 960)
    peer.expects(ACK, 960)
    wire.mtu = 1500
    conn.path_mtu_changed(peer.now)
    peer.world.settle()
    peer.silent()
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)


# --- RFC 5927 section 7.2


@rfc("5927-7.2-a")
def test_an_mtu_that_nothing_sent_exceeds_is_not_believed() -> None:
    conn, peer = established()
    conn.send(text(100), peer.now)
    peer.expects(ACK, 100)
    assert not peer.world.too_big(conn, 600)
    assert (conn.mss, peer.world.counters["tcp_too_big_not_sent"]) == (MSS, 1)
    peer.sends(ACK)


@rfc("5927-7.2-b")
def test_before_anything_that_large_has_arrived_it_is_believed_at_once() -> None:
    conn, peer = established()
    conn.send(text(600), peer.now)
    peer.expects(ACK, 600)
    peer.sends(ACK)
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    assert peer.world.too_big(conn, 640)  # 600 octets of text
    peer.expects(ACK, 600)


@rfc("5927-7.2-c")
def test_what_has_arrived_before_is_believed_too_large_only_after_a_timeout() -> None:
    conn, peer = acknowledged()
    assert not peer.world.too_big(conn, 1000)
    peer.silent()
    assert (conn.mss, peer.world.counters["tcp_too_big_delayed"]) == (MSS, 1)
    peer.wait(0.25)
    assert conn.mss == 960
    peer.expects(ACK, 960, seq=conn.snd_una)


@rfc("5927-7.2-c")
def test_progress_refutes_what_a_router_claimed() -> None:
    conn, peer = acknowledged()
    assert not peer.world.too_big(conn, 1000)
    peer.sends(ACK)
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.wait(0.25)
    peer.expects(ACK, MSS)  # an ordinary loss
    assert conn.mss == MSS


# --- RFC 4821: black holes


@rfc("4821-7.7-a", "4821-7.7-b")
def test_in_a_black_hole_segments_become_smaller() -> None:
    conn, peer = in_flight(1, black_hole_detection=True)
    sizes = []
    for _ in range(6):
        peer.wait(conn.rto_deadline - peer.now)
        sizes.append(len(peer.world.sent.pop().data))
    assert sizes == [MSS, MSS, 1024 - 40, 552 - 40, 552 - 40, 552 - 40]
    peer.sends(ACK, ack=add(conn.snd_una, 512))
    peer.world.sent.clear()


@rfc("field-14")
@pytest.mark.parametrize("arrived", [False, True])
def test_a_size_that_has_arrived_is_blamed_later(arrived: bool) -> None:
    """Three losses in a row are no rarity where a third of all packets is lost, whatever their size."""
    conn, peer = established(black_hole_detection=True)
    if arrived:
        conn.send(text(MSS), peer.now)
        peer.expects(ACK, MSS)
        peer.sends(ACK)
    conn.send(text(MSS), peer.now)
    sizes = []
    for _ in range(8):
        sizes += [len(sent.data) for sent in peer.world.sent]
        peer.world.sent.clear()
        peer.wait(conn.deadline - peer.now)
    assert [size == MSS for size in sizes].index(False) == (6 if arrived else 3)
    peer.world.sent.clear()


@pytest.mark.parametrize("detection", [True, False])
def test_small_segments_that_are_lost_are_no_sign_of_a_black_hole(detection: bool) -> None:
    conn, peer = established(black_hole_detection=detection)
    conn.send(text(512), peer.now)
    peer.expects(ACK, 512)
    peer.wait(30)
    peer.world.sent.clear()
    assert conn.mss == MSS


@rfc("4821-7.8-a", "4821-7.8-b")
def test_a_larger_mtu_tried_again_is_given_up_at_the_first_timeout() -> None:
    conn, peer = in_flight(1, black_hole_detection=True)
    peer.wait(0.2 + 0.4 + 0.8 + 0.01)
    peer.world.sent.clear()
    peer.sends(ACK)
    assert conn.mss == 984
    conn.path.mtu = 1500  # what the Internet layer learned is forgotten after ten minutes
    conn.path_mtu_changed(peer.now)
    conn.send(text(MSS), peer.now)
    peer.expects(ACK, MSS)
    peer.wait(conn.rto_deadline - peer.now)
    peer.expects(ACK, 984, seq=conn.snd_una)
    peer.sends(ACK)
