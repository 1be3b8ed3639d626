"""RFC 2018 and RFC 2883: agreeing on SACK, and what the receiver reports."""

from __future__ import annotations

import pytest

from stack.tcp.connection import Connection
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .world import ACK, FIN, MSS, PEER_ISS, SYN, Peer, Sent, add, closed, listening, syn_sent

FIRST = add(PEER_ISS, 1)  # the sequence number of the peer's first octet


def agreed(**changes: object) -> tuple[Connection, Peer]:
    """ESTABLISHED by our own OPEN, both sides having said SACK-permitted."""
    conn, peer = syn_sent(sack=True, **changes)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True))
    assert peer.expects(ACK).options.sack_blocks == ()
    return conn, peer


def blocks(sent: Sent) -> list[tuple[int, int]]:
    """The edges as distances from the peer's first octet."""
    return [(left - FIRST & 0xFFFF_FFFF, right - FIRST & 0xFFFF_FFFF) for left, right in sent.options.sack_blocks]


def comes(peer: Peer, first: int, end: int) -> None:
    """The peer's octets from `first` up to `end` arrive."""
    peer.sends(ACK, bytes(end - first), seq=add(FIRST, first))


def report(peer: Peer, ack: int) -> list[tuple[int, int]]:
    """What the next segment of ours reports; it acknowledges everything before `ack`."""
    return blocks(peer.expects(ACK, ack=add(FIRST, ack)))


@rfc("2018-2-a")
def test_sack_permitted_stands_on_the_syn_and_nowhere_else() -> None:
    conn, peer = closed(sack=True)
    conn.open(peer.world.now)
    assert peer.expects(SYN).options.sack_permitted
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True))
    assert not peer.expects(ACK).options.sack_permitted
    conn.send(b"data", peer.world.now)
    assert not peer.expects(ACK, b"data").options.sack_permitted
    peer.sends(ACK)


@rfc("2018-2-a")
def test_a_syn_that_permits_sack_is_answered_by_one_that_does() -> None:
    _, peer = listening(sack=True)
    peer.sends(SYN, options=TcpOptions(mss=MSS, sack_permitted=True))
    assert peer.expects(SYN | ACK).options.sack_permitted


@pytest.mark.parametrize("ours", [True, False])
@rfc("2018-4-c")
def test_without_permission_no_sack_is_sent(ours: bool) -> None:
    conn, peer = syn_sent(sack=ours)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=not ours))
    peer.expects(ACK)
    comes(peer, 100, 200)
    assert report(peer, 0) == []
    assert not conn.sack


@rfc("2018-4-a", "2018-4-b", "2018-4-e")
def test_every_segment_out_of_order_is_acknowledged_with_a_sack() -> None:
    _, peer = agreed()
    comes(peer, 100, 200)
    assert report(peer, 0) == [(100, 200)]
    comes(peer, 200, 300)
    assert report(peer, 0) == [(100, 300)]
    comes(peer, 300, 301)
    assert report(peer, 0) == [(100, 301)]


@rfc("2018-4-e")
def test_every_one_of_a_batch_is_acknowledged_by_itself() -> None:
    """The sender counts them (RFC 5681 section 4.2), so they are not joined as those in order are."""
    _, peer = agreed()
    with peer.batch():
        for first in (100, 300, 500):
            comes(peer, first, first + 100)
    assert report(peer, 0) == [(100, 200)]
    assert report(peer, 0) == [(300, 400), (100, 200)]
    assert report(peer, 0) == [(500, 600), (300, 400), (100, 200)]


@rfc("2018-3-a", "2018-4-g")
def test_four_blocks_fit_and_lie_as_the_format_has_them() -> None:
    _, peer = agreed()
    for first in (100, 300, 500, 700):
        comes(peer, first, first + 100)
    for _ in range(3):
        peer.expects(ACK)
    last = peer.expects(ACK)
    assert blocks(last) == [(700, 800), (500, 600), (300, 400), (100, 200)]
    comes(peer, 900, 1000)
    assert report(peer, 0) == [(900, 1000), (700, 800), (500, 600), (300, 400)]


@rfc("2018-3-a")
def test_with_timestamps_three_blocks_fit() -> None:
    _, peer = syn_sent(sack=True, timestamps=True)
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True, timestamps=(1, 1000000)))
    peer.expects(ACK)
    for number, first in enumerate((100, 300, 500, 700)):
        stamp = TcpOptions(timestamps=(number + 2, 1000000))
        peer.sends(ACK, bytes(100), seq=add(FIRST, first), options=stamp)
        sent = peer.expects(ACK)
        assert sent.options.timestamps is not None
    assert blocks(sent) == [(700, 800), (500, 600), (300, 400)]


@rfc("2018-4-f", "2018-8-b")
def test_the_first_block_holds_the_segment_that_has_just_come() -> None:
    _, peer = agreed()
    comes(peer, 500, 600)
    comes(peer, 100, 200)
    comes(peer, 600, 700)
    peer.expects(ACK)
    assert report(peer, 0) == [(100, 200), (500, 600)]
    assert report(peer, 0) == [(500, 700), (100, 200)]


@rfc("2018-4-h")
def test_blocks_are_repeated_in_the_order_in_which_they_were_reported_first() -> None:
    _, peer = agreed()
    for first in (500, 100, 900, 300):
        comes(peer, first, first + 50)
    for _ in range(3):
        peer.expects(ACK)
    assert report(peer, 0) == [(300, 350), (900, 950), (100, 150), (500, 550)]
    comes(peer, 350, 500)  # joins two of them: no subsets are repeated
    assert report(peer, 0) == [(300, 550), (900, 950), (100, 150)]


@rfc("2018-4-d")
def test_data_of_ours_carries_the_report_as_well() -> None:
    conn, peer = agreed()
    comes(peer, 100, 200)
    peer.expects(ACK)
    conn.send(bytes(2 * MSS), peer.world.now)
    first = peer.expects(ACK, MSS - 12)
    assert blocks(first) == [(100, 200)]
    second = peer.expects(ACK, MSS - 12)
    assert blocks(second) == [(100, 200)]
    peer.sends(ACK)
    peer.expects(ACK, 24)
    peer.sends(ACK)


@rfc("2018-8-c")
def test_what_is_not_held_is_not_reported() -> None:
    _, peer = agreed(max_out_of_order_runs=2)
    for first in (100, 300, 600):  # there is no room for the third
        comes(peer, first, first + 100)
    peer.expects(ACK)
    peer.expects(ACK)
    assert report(peer, 0) == [(300, 400), (100, 200)]
    comes(peer, 400, 500)  # nor for what lies beside it
    assert report(peer, 0) == [(300, 400), (100, 200)]
    comes(peer, 0, 100)
    assert report(peer, 200) == [(300, 400)]
    comes(peer, 200, 300)
    assert report(peer, 400) == []


@rfc("2018-4-d")
def test_a_gap_filled_only_in_part_is_acknowledged_with_what_lies_beyond() -> None:
    _, peer = agreed()
    comes(peer, 100, 200)
    peer.expects(ACK)
    comes(peer, 0, 50)
    assert report(peer, 50) == [(100, 200)]


@rfc("2883-4-a", "2883-4-c", "2883-4-b")
def test_a_segment_that_comes_again_is_reported_once() -> None:
    """RFC 2883 section 4.1.1."""
    _, peer = agreed()
    comes(peer, 0, 1000)
    comes(peer, 1000, 1000 + MSS * 2)
    peer.expects(ACK)
    comes(peer, 100, 600)
    assert report(peer, 1000 + 2 * MSS) == [(100, 600)]
    comes(peer, 9000, 9100)
    assert report(peer, 1000 + 2 * MSS) == [(9000, 9100)]


@rfc("2883-4-b")
def test_two_duplicates_in_one_batch_are_reported_each() -> None:
    _, peer = agreed()
    comes(peer, 0, 2 * MSS)
    peer.expects(ACK)
    with peer.batch():
        comes(peer, 0, 100)
        comes(peer, 100, 200)
    assert report(peer, 2 * MSS) == [(0, 100)]
    assert report(peer, 2 * MSS) == [(100, 200)]


@rfc("2883-4-a")
def test_a_duplicate_is_reported_before_what_is_held() -> None:
    """RFC 2883 section 4.1.2."""
    _, peer = agreed()
    comes(peer, 0, 2 * MSS)
    peer.expects(ACK)
    comes(peer, 5000, 5500)
    peer.expects(ACK)
    comes(peer, 500, 1000)
    assert report(peer, 2 * MSS) == [(500, 1000), (5000, 5500)]


@rfc("2883-4-d")
def test_a_duplicate_of_what_is_held_is_followed_by_the_block_it_lies_in() -> None:
    _, peer = agreed()
    comes(peer, 500, 1000)
    comes(peer, 1000, 1500)
    comes(peer, 100, 200)
    for _ in range(3):
        peer.expects(ACK)
    comes(peer, 500, 1000)
    assert report(peer, 0) == [(500, 1000), (500, 1500), (100, 200)]


@rfc("2883-4.2-a")
def test_of_a_segment_that_was_here_in_parts_the_first_part_is_reported() -> None:
    """RFC 2883 section 4.2.3."""
    _, peer = agreed()
    comes(peer, 500, 1000)
    comes(peer, 1500, 2000)
    peer.expects(ACK)
    peer.expects(ACK)
    comes(peer, 500, 2500)
    assert report(peer, 0) == [(500, 1000), (500, 2500)]


@rfc("2883-4.2-a")
def test_a_segment_half_of_which_is_acknowledged_reports_that_half() -> None:
    _, peer = agreed()
    comes(peer, 0, 1000)
    comes(peer, 500, 500 + MSS * 2)
    assert report(peer, 500 + 2 * MSS) == [(500, 1000)]


@rfc("2883-4.2-a")
def test_of_two_duplicates_below_the_acknowledgment_the_first_is_reported() -> None:
    """RFC 2883 section 4.2.2, the figure."""
    _, peer = agreed()
    for first, end, ack, reported in (
        (500, 1000, 1000, []),
        (3000, 3500, 1000, [(3000, 3500)]),
        (1000, 1500, 1500, [(3000, 3500)]),
        (2000, 2500, 1500, [(2000, 2500), (3000, 3500)]),
        (1000, 2500, 2500, [(1000, 1500), (3000, 3500)]),
    ):
        comes(peer, first - 500, end - 500)
        peer.wait(0.1)
        assert report(peer, ack - 500) == [(left - 500, right - 500) for left, right in reported]


@rfc("2883-4.2-a")
def test_nor_does_the_second_duplicate_win_where_all_gaps_are_filled() -> None:
    _, peer = agreed()
    comes(peer, 0, 500)
    peer.wait(0.1)
    peer.expects(ACK)
    comes(peer, 1000, 1500)
    peer.expects(ACK)
    comes(peer, 0, 1500)
    assert report(peer, 1500) == [(0, 500)]


@rfc("2883-4-b")
def test_the_duplicate_of_an_earlier_segment_is_not_lost_by_a_later_one() -> None:
    """Both arrive in one batch, and the second is in part held already, in part not."""
    _, peer = agreed()
    comes(peer, 0, 1000)
    peer.wait(0.1)
    peer.expects(ACK)
    comes(peer, 2000, 2500)
    peer.expects(ACK)
    with peer.batch():
        comes(peer, 100, 200)
        comes(peer, 2400, 2600)
    assert report(peer, 1000) == [(100, 200), (2000, 2500)]
    assert report(peer, 1000) == [(2400, 2500), (2000, 2600)]


def test_after_the_last_octet_nothing_is_reported_any_more() -> None:
    conn, peer = agreed()
    comes(peer, 100, 200)
    peer.expects(ACK)
    peer.sends(FIN | ACK, bytes(50), seq=add(FIRST, 200))
    peer.expects(ACK)
    comes(peer, 0, 100)
    assert report(peer, 251) == []
    assert conn.peer_fin


def test_a_flood_of_tiny_segments_costs_bounded_memory() -> None:
    _, peer = agreed(max_out_of_order_runs=10)
    for first in range(2, 2000, 2):
        comes(peer, first, first + 1)
        assert len(report(peer, 0)) <= 4
