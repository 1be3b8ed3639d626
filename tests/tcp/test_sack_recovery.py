"""RFC 6675: recovery with a peer that uses SACK. RACK-TLP and PRR, which replace parts of it, are
off here.
"""

from __future__ import annotations

from typing import Any

from stack.tcp.connection import Connection
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .full_segments import at, goes, sack
from .world import ACK, FIN, MSS, SYN, Peer, syn_sent, text


def sending(segments: int = 10, octets: int = 60_000, **changes: Any) -> tuple[Connection, Peer]:
    """`segments` full segments of Reno's are in flight, claimed, and there is more to send."""
    conn, peer = syn_sent(**{"sack": True, "congestion": "reno", "initial_window_segments": segments, **changes})
    peer.sends(SYN | ACK, options=TcpOptions(mss=MSS, sack_permitted=True))
    peer.expects(ACK)
    conn.send(text(octets), peer.now)
    goes(conn, peer, *range(segments))
    return conn, peer


def recovering() -> tuple[Connection, Peer]:
    """Segments 0, 1 and 5 of ten are lost; 2, 3 and 4 have arrived. Limited transmit has sent two more."""
    conn, peer = sending()
    sack(conn, peer, 0, (2, 3))
    goes(conn, peer, 10)
    sack(conn, peer, 0, (2, 4))
    goes(conn, peer, 11)
    sack(conn, peer, 0, (2, 5))
    goes(conn, peer, 0)
    return conn, peer


@rfc("6675-5-a", "6675-5-c", "6675-5-e")
def test_before_recovery_what_is_sacked_makes_room_for_new_data() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (2, 3))
    goes(conn, peer, 10)
    assert conn.congestion.cwnd == 10 * MSS


@rfc("5681-3.2-f", "3042-2-c")
def test_a_duplicate_without_news_sends_nothing() -> None:
    conn, peer = sending()
    for _ in range(5):
        sack(conn, peer, 0)
    peer.silent()
    sack(conn, peer, 0, (2, 3))
    goes(conn, peer, 10)
    for _ in range(5):
        sack(conn, peer, 0, (2, 3))
    peer.silent()
    assert not conn.recovering


@rfc("6675-5-d", "2018-5-a", "2018-5.1-a")
def test_three_acks_with_news_begin_recovery() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (2, 3))
    sack(conn, peer, 0, (2, 4))
    goes(conn, peer, 10, 11)
    assert not conn.recovering
    sack(conn, peer, 0, (2, 5))
    goes(conn, peer, 0)
    assert conn.recovering
    assert conn.recover == conn.snd_nxt
    assert conn.congestion.cwnd == conn.congestion.ssthresh == 5 * MSS


@rfc("6675-5-d")
def test_one_ack_that_shows_a_loss_starts_recovery() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (2, 5))
    assert conn.recovering
    goes(conn, peer, 0)


@rfc("6675-5-b")
def test_a_cumulative_acknowledgment_starts_the_count_again() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (2, 2.1))
    sack(conn, peer, 0, (2, 2.2))
    assert conn.duplicate_acks == 2
    sack(conn, peer, 1)
    assert conn.duplicate_acks == 0
    peer.world.sent.clear()
    sack(conn, peer, 1, (2, 2.3))
    sack(conn, peer, 1, (2, 2.4))
    assert not conn.recovering
    peer.world.sent.clear()


@rfc("6675-5-c")
def test_an_ack_that_moves_and_has_news_counts_as_one() -> None:
    conn, peer = sending()
    sack(conn, peer, 1, (2, 3))
    assert conn.duplicate_acks == 1
    peer.world.sent.clear()


@rfc("6675-5-h", "6675-5-i", "6675-5-k")
def test_in_recovery_the_pipe_decides_and_next_seg_chooses() -> None:
    conn, peer = recovering()
    # 12 out, 3 SACKed, 0 and 1 lost, 0 sent again: pipe 8, cwnd 5
    sack(conn, peer, 0, (6, 7), (2, 5))
    sack(conn, peer, 0, (6, 8), (2, 5))
    peer.silent()  # pipe 6
    sack(conn, peer, 0, (6, 9), (2, 5))  # 5 is lost, too: pipe 4
    goes(conn, peer, 1)
    sack(conn, peer, 0, (6, 10), (2, 5))
    goes(conn, peer, 5)
    sack(conn, peer, 0, (6, 11), (2, 5))
    goes(conn, peer, 12)  # nothing is left that is lost: new data


@rfc("6675-5-k")
def test_when_next_seg_finds_nothing_nothing_is_sent() -> None:
    """There is room for one more, but all that is not SACKed was sent again, and there is no new data."""
    conn, peer = sending(4, 4 * MSS)
    sack(conn, peer, 0, (1, 2))
    sack(conn, peer, 0, (1, 3))
    peer.silent()
    sack(conn, peer, 0, (1, 4))
    goes(conn, peer, 0)
    assert conn.scoreboard is not None
    assert conn.congestion.cwnd - conn.scoreboard.set_pipe(conn.scoreboard.high_ack + conn.flight, MSS) >= MSS


@rfc("6675-5-j")
def test_what_was_sent_again_is_not_sent_a_third_time() -> None:
    conn, peer = recovering()
    board = conn.scoreboard
    assert board is not None
    assert board.high_rxt == board.high_ack + MSS
    sack(conn, peer, 0, (6, 11), (2, 5))
    goes(conn, peer, 1, 5, 12)
    sack(conn, peer, 0, (6, 12), (2, 5))
    goes(conn, peer, 13)


@rfc("6675-5-f", "6675-5-g", "5681-4.3-b")
def test_an_ack_of_everything_ends_recovery_and_the_scoreboard_stays() -> None:
    conn, peer = recovering()
    sack(conn, peer, 0, (6, 11), (2, 5))
    goes(conn, peer, 1, 5, 12)
    sack(conn, peer, 12)
    assert not conn.recovering
    assert conn.congestion.cwnd == conn.congestion.ssthresh == 5 * MSS
    peer.world.sent.clear()
    assert conn.scoreboard is not None
    sack(conn, peer, 12, (14, 15))
    assert conn.scoreboard.sacked == MSS
    peer.world.sent.clear()


@rfc("6675-5-g")
def test_what_was_sacked_beyond_the_recovery_point_stays_on_the_scoreboard() -> None:
    conn, peer = recovering()
    sack(conn, peer, 0, (6, 12), (2, 5))
    goes(conn, peer, 1, 5, 12, 13)
    sack(conn, peer, 0, (13, 14), (6, 12), (2, 5))
    peer.world.sent.clear()
    sack(conn, peer, 12)
    assert not conn.recovering
    assert conn.scoreboard is not None
    assert conn.scoreboard.sacked == MSS
    peer.world.sent.clear()


@rfc("6675-4-b", "2018-8-d")
def test_sacked_data_can_still_be_sent_again() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (2, 10))
    peer.world.sent.clear()
    peer.wait(0.2)
    peer.world.sent.clear()
    for number in range(1, 4):  # the receiver has thrown away what it had SACKed
        sack(conn, peer, number)
        assert peer.expects(ACK, MSS, seq=at(conn, 2 * number - 1)).data == text(MSS, (2 * number - 1) * MSS)
        peer.world.sent.clear()


@rfc("2018-5-b", "2018-5-c", "2018-5.1-b")
def test_a_timeout_forgets_what_was_sacked_and_sends_the_left_edge() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (1, 3))
    peer.world.sent.clear()
    peer.wait(0.2)
    goes(conn, peer, 0)
    assert conn.scoreboard is not None
    assert conn.scoreboard.sacked == 0
    sack(conn, peer, 1)
    goes(conn, peer, 1, 2)


@rfc("2018-5-c")
def test_even_if_the_left_edge_itself_was_sacked() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (0, 3))
    peer.world.sent.clear()
    peer.wait(0.2)
    goes(conn, peer, 0)


@rfc("6675-5.1-a", "6675-5.1-e")
def test_after_a_timeout_what_is_sacked_then_is_not_sent_again() -> None:
    conn, peer = sending()
    peer.wait(0.2)
    goes(conn, peer, 0)
    sack(conn, peer, 1, (2, 5))
    goes(conn, peer, 1, 5)


@rfc("6675-5.1-b", "6675-5.1-d")
def test_a_timeout_in_recovery_ends_it_and_moves_the_recovery_point() -> None:
    conn, peer = recovering()
    sack(conn, peer, 0, (6, 12), (2, 5))
    goes(conn, peer, 1, 5, 12, 13)
    assert conn.recover == at(conn, 12)
    peer.wait(0.2)
    goes(conn, peer, 0)
    assert not conn.recovering
    assert conn.recover == conn.snd_nxt == at(conn, 14)


@rfc("6675-5.1-c")
def test_no_new_recovery_before_what_was_out_at_the_timeout_is_acknowledged() -> None:
    conn, peer = sending()
    peer.wait(0.2)
    goes(conn, peer, 0)
    for end in range(3, 8):
        sack(conn, peer, 0, (2, end))
    assert not conn.recovering
    assert conn.congestion.ssthresh == 5 * MSS
    peer.world.sent.clear()


def test_the_fin_is_sent_again_like_data() -> None:
    conn, peer = sending(4, 4 * MSS)
    conn.shutdown_write(peer.now)
    peer.silent()  # cwnd is full
    sack(conn, peer, 0, (1, 4))
    peer.expects(ACK, MSS, seq=at(conn, 0))
    peer.expects(FIN | ACK)
    sack(conn, peer, 4)
    peer.wait(0.2)
    peer.expects(FIN | ACK)


def test_blocks_that_lie_about_what_we_sent_do_nothing() -> None:
    conn, peer = sending()
    sack(conn, peer, 0, (20, 30), (9, 11), (5, 4))
    sack(conn, peer, 2, (0, 1))
    assert conn.scoreboard is not None
    assert conn.scoreboard.sacked == 0
    peer.world.sent.clear()


@rfc("2883-5-a", "2883-5-b")
def test_a_duplicate_is_known_by_the_acknowledgment_it_came_with() -> None:
    conn, peer = sending()
    sack(conn, peer, 4)
    peer.world.sent.clear()
    sack(conn, peer, 4, (2, 3), (6, 7))  # below SEG.ACK
    assert conn.services.counters["tcpInDsacks"] == 1
    sack(conn, peer, 4, (6, 7), (6, 8))  # within the second block
    assert conn.services.counters["tcpInDsacks"] == 2
    sack(conn, peer, 4, (8, 9), (6, 8))
    sack(conn, peer, 2, (3, 4), (6, 9))  # an old ACK: below SND.UNA, but above its own number
    assert conn.services.counters["tcpInDsacks"] == 2
    peer.world.sent.clear()
