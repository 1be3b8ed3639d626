"""RFC 7323 sections 3 and 4: agreeing on timestamps, which one is echoed, and round-trip
samples.
"""

from __future__ import annotations

import pytest

from stack.config import TcpConfig
from stack.link.memory import Ethernet
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.tcp.timestamps import TICKS_PER_SECOND, Timestamps
from stack.wire.tcp_options import TcpOptions, parse_options
from tests.requirements import rfc
from tests.sim.network import Network
from tests.sim.raw_station import RawStation
from tests.user_options import set_options

from .world import ACK, FIN, MSS, RST, SYN, Peer, Sent, add, closed, established, listening, syn_sent

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
    peer.sends(SYN | ACK, options=stamp(1)._replace(mss=MSS))
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
    assert peer.conn is not None
    assert peer.conn.timestamps.agreed


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
    set_options(conn, keepalive=True, keepalive_idle_s=10.0)
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


# --- what is not agreed


@rfc("7323-3.2-k")
def test_timestamps_that_were_not_agreed_on_are_ignored() -> None:
    conn, peer = established(active=False)
    peer.sends(ACK, b"first", options=stamp(100))
    peer.sends(ACK, b"second", options=stamp(1))  # "older", which does not matter here
    peer.world.wait(0.1)
    assert peer.expects(ACK).options.timestamps is None
    assert conn.receive(100, peer.world.now) == b"firstsecond"


@rfc("field-5", "7323-3.2-j")
def test_a_segment_without_the_timestamps_agreed_on_is_taken() -> None:
    """Some systems leave the option out of what carries no data, and some paths take it away."""
    conn, peer = agreed()
    conn.send(b"data", peer.now)
    stamps(peer.expects(ACK, b"data"))
    peer.sends(ACK)  # processed, and not answered for that alone
    peer.silent()
    assert conn.flight == 0
    peer.sends(ACK, b"no timestamp")
    peer.wait(0.1)
    assert stamps(peer.expects(ACK, ack=peer.snd_nxt))[1] == 1  # it does not touch TS.Recent
    assert conn.receive(100, peer.now) == b"no timestamp"
    peer.sends(ACK, seq=conn.rcv_nxt, ack=add(conn.snd_nxt, 1))  # RFC 5961 section 5.2
    stamps(peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt))
    peer.sends(ACK, b"old", seq=conn.rcv_nxt, options=stamp(0))  # PAWS goes on for what has one
    peer.expects(ACK, ack=conn.rcv_nxt)
    assert (peer.world.counters["tcp_bad_ack"], peer.world.counters["tcp_paws"]) == (1, 1)
    peer.sends(FIN | ACK)
    assert conn.state is State.CLOSE_WAIT
    peer.wait(0.1)
    peer.expects(ACK)


@rfc("field-5", "5961-7-a")
def test_a_keep_alive_without_timestamps_is_answered_within_the_budget_of_challenges() -> None:
    conn, peer = agreed()
    for _ in range(50):
        peer.sends(ACK, seq=add(conn.rcv_nxt, -1))
    assert len(peer.world.sent) == peer.world.services.config.challenge_acks_per_window
    for sent in peer.world.sent:
        assert (sent.seq, sent.ack, sent.data) == (conn.snd_nxt, conn.rcv_nxt, b"")
    peer.world.sent.clear()


@rfc("field-5", "7323-3.2-j")
def test_if_wanted_a_segment_without_the_timestamps_agreed_on_is_dropped_in_silence() -> None:
    conn, peer = agreed(strict_timestamps=True)
    peer.sends(ACK, b"no timestamp", seq=conn.rcv_nxt)
    peer.silent()
    assert conn.receive(100, peer.world.now) is None
    assert conn.state is State.ESTABLISHED
    assert peer.world.counters["tcp_no_timestamp"] == 1


@pytest.mark.parametrize("strict", [False, True])
def test_a_syn_without_timestamps_is_challenged_as_the_peer_may_have_forgotten_us(strict: bool) -> None:
    conn, peer = agreed(strict_timestamps=strict)
    peer.sends(SYN, seq=5)
    stamps(peer.expects(ACK, seq=conn.snd_nxt, ack=conn.rcv_nxt))


# --- section 4.3: which timestamp is echoed


def sends_letter(peer: Peer, letter: str, val: int) -> None:
    """Segment A, B, C ... of section 4.3's figures: two hundred octets that begin 200 after the one before."""
    first = add(peer.snd_nxt, 200 * (ord(letter) - ord("A")))
    peer.sends(ACK, bytes(200), seq=first, options=stamp(val))


@rfc("7323-4.3-a", "7323-3.2-c", "7323-4.3-d")
def test_a_delayed_ack_echoes_the_earliest_segment_it_acknowledges() -> None:
    _, peer = agreed()
    sends_letter(peer, "A", 11)
    sends_letter(peer, "B", 12)
    sends_letter(peer, "C", 13)
    peer.silent()
    peer.world.wait(0.1)
    assert stamps(peer.expects(ACK, ack=add(peer.snd_nxt, 600))) == (40, 11)


@rfc("7323-4.3-b", "7323-4.3-c", "7323-4.3-d")
def test_around_holes_what_advanced_the_window_is_echoed() -> None:
    _, peer = agreed()
    for letter, val, echoed in (("A", 11, 11), ("C", 13, 11), ("B", 12, 12), ("E", 15, 12), ("D", 14, 14)):
        sends_letter(peer, letter, val)
        peer.world.wait(0.1)
        assert stamps(peer.expects(ACK))[1] == echoed, letter


# --- section 4: round-trip time measurement


@rfc("6298-3-b", "7323-3.2-d")
def test_an_echo_tells_which_transmission_was_acknowledged() -> None:
    """Retransmissions give measurements, and end the back-off."""
    conn, peer = agreed()
    world = peer.world
    conn.send(b"lost and lost", world.now)
    peer.expects(ACK, 13)
    world.wait(0.2 + 0.4 + 0.8)
    for _ in range(3):
        last = stamps(peer.expects(ACK, 13))[0]
    assert conn.rtt.timeout_s() == 1.6
    world.wait(0.1)
    peer.sends(ACK, options=stamp(2, OUR_CLOCK + last))
    assert conn.rtt.srtt_s is not None
    assert 0.0124 < conn.rtt.srtt_s < 0.0126
    assert conn.rtt.timeout_s() == conn.rtt.rto_s


@rfc("7323-4.1-b")
def test_only_what_advances_snd_una_is_measured() -> None:
    conn, peer = agreed()
    conn.send(b"data", peer.world.now)
    peer.expects(ACK, 4)
    peer.world.wait(0.2)
    peer.expects(ACK, 4)  # from now on there is nothing but the echo to measure with
    srtt = conn.rtt.srtt_s
    peer.world.wait(0.1)
    peer.sends(ACK, b"x", ack=conn.snd_una, options=stamp(2, OUR_CLOCK + 200))
    assert conn.rtt.srtt_s == srtt
    conn.ack_now = ""
    peer.sends(ACK, options=stamp(2, OUR_CLOCK + 200))
    assert conn.rtt.srtt_s != srtt


@rfc("field-13")
def test_an_echo_from_before_the_last_retransmission_is_no_round_trip_but_ends_the_back_off() -> None:
    """The ACK of the first transmission was lost, and what acknowledges the data now has waited for a timer."""
    conn, peer = agreed(sack=True, rack=True)
    srtt, first = conn.rtt.srtt_s, peer.now
    conn.send(b"lost and lost", peer.now)
    peer.expects(ACK, 13)
    peer.wait(0.2 + 0.4 + 0.8)
    for _ in range(3):
        last = stamps(peer.expects(ACK, 13))[0]
    assert conn.rtt.timeout_s() == 1.6
    assert last == 1400
    peer.wait(0.1)
    peer.sends(ACK, options=stamp(2, OUR_CLOCK + 200))  # the second transmission's
    assert conn.flight == 0
    assert conn.rtt.srtt_s == srtt
    assert conn.rtt.timeout_s() == 0.2
    assert peer.now - first == pytest.approx(1.5)


@rfc("field-13", "6298-5-i")
def test_where_the_path_has_become_slower_the_back_off_goes_on_until_there_is_a_sample() -> None:
    """Each answer is late: to what was sent before the timeout. A round trip of 2 s, and an RTO of 0.2 s."""
    conn, peer = agreed()
    premature = []
    for _ in range(9):
        sent_at = peer.now
        conn.send(b"data", peer.now)
        peer.wait(2.0)
        sent = [peer.expects(ACK, 4) for _ in range(len(peer.world.sent))]
        premature.append(len(sent) - 1)
        ecr = OUR_CLOCK + round((sent_at - 1000.0) * 1000)
        peer.sends(ACK, options=stamp(2 + round(peer.now - 1000.0), ecr))
    assert premature[:3] == [3, 3, 3]  # as if the ACKs had been lost
    assert premature[-2:] == [0, 0]
    assert conn.rtt.srtt_s is not None
    assert conn.rtt.srtt_s > 0.2
    assert conn.rtt.timeout_s() > 2.0


@rfc("field-12")
def test_a_handshake_whose_syn_was_sent_again_gives_a_sample() -> None:
    """The echo tells which SYN is answered; an answer that took as long as a timer does is none."""
    for resends, wait_s, echoed, srtt in (
        (1, 0.1, 1000, 0.1),
        (1, 0.1, 0, None),
        (0, 0.25, 0, 0.25),
        (2, 1.5, 3000, None),
    ):
        conn, peer = syn_sent(timestamps=True)
        for number in range(resends):
            peer.wait((1.0, 2.0)[number])
            peer.expects(SYN)
        peer.wait(wait_s)
        peer.sends(SYN | ACK, options=stamp(1, OUR_CLOCK + echoed)._replace(mss=MSS))
        peer.expects(ACK)
        assert conn.rtt.srtt_s == (srtt if srtt is None else pytest.approx(srtt, abs=0.0011))
        assert conn.rtt.timeout_s() == (3.0 if srtt is None else pytest.approx(3 * srtt, abs=0.01))


@rfc("field-12")
def test_a_handshake_whose_syn_ack_was_sent_again_gives_a_sample() -> None:
    listener, peer = listening(timestamps=True)
    peer.sends(SYN, options=stamp(7, 0)._replace(mss=MSS))
    peer.expects(SYN | ACK)
    peer.wait(0.5)
    peer.sends(SYN, seq=add(peer.snd_nxt, -1), options=stamp(1007, 0)._replace(mss=MSS))
    val, ecr = stamps(peer.expects(SYN | ACK))
    assert (val, ecr) == (500, 1007)  # so that the peer has a sample, too
    peer.wait(0.1)
    peer.sends(ACK, options=stamp(1100, OUR_CLOCK + 500))
    conn = listener.accept()
    assert conn is not None
    assert conn.rtt.srtt_s == pytest.approx(0.1, abs=0.0011)


@rfc("7323-4.1-b")
def test_a_repeated_syn_ack_is_not_measured() -> None:
    """Our ACK of the first SYN,ACK was lost. The second one advances nothing, however fresh its echo is."""
    conn, peer = syn_sent(timestamps=True)
    peer.wait(1.0)
    peer.expects(SYN)
    peer.wait(0.1)
    peer.sends(SYN | ACK, options=stamp(1, OUR_CLOCK)._replace(mss=MSS))  # it answers our first SYN
    peer.expects(ACK)
    assert conn.rtt.srtt_s is None
    peer.wait(0.1)
    peer.sends(SYN | ACK, seq=add(peer.snd_nxt, -1), options=stamp(2, OUR_CLOCK + 1000)._replace(mss=MSS))
    peer.expects(ACK)
    assert conn.rtt.srtt_s is None


@rfc("field-12")
@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("resends", [0, 1])
def test_a_syn_that_waited_for_the_next_hop_is_measured_from_when_it_left(timestamps: bool, resends: int) -> None:
    """ARP took long, so both of our SYNs left at once. The answer to either tells the round trip."""
    conn, peer = syn_sent(timestamps=timestamps)
    peer.wait(0.5 + resends)
    for _ in range(resends):
        peer.expects(SYN)
    peer.world.wire(conn).learnt_at = peer.now
    peer.wait(0.04)
    options = stamp(1, OUR_CLOCK)._replace(mss=MSS) if timestamps else TcpOptions(mss=MSS)
    peer.sends(SYN | ACK, options=options)
    peer.expects(ACK)
    if resends and not timestamps:
        assert conn.rtt.srtt_s is None  # Karn
    else:
        assert conn.rtt.srtt_s == pytest.approx(0.04, abs=0.0011)
        assert conn.rtt.timeout_s() == 0.2


@rfc("field-12")
def test_so_is_a_syn_ack() -> None:
    listener, peer = listening()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.wait(0.5)
    peer.world.wire(peer.world.connections[0]).learnt_at = peer.now
    peer.wait(0.04)
    peer.sends(ACK)
    conn = listener.accept()
    assert conn is not None
    assert conn.rtt.srtt_s == pytest.approx(0.04)


@rfc("field-13")
@pytest.mark.parametrize("timestamps", [False, True])
def test_text_that_completes_the_handshake_tells_no_round_trip(timestamps: bool) -> None:
    """The ACK before it was lost. It comes by the peer's timeout, however early that was."""
    for resends in (0, 1):
        listener, peer = listening(timestamps=timestamps)
        peer.sends(SYN, options=stamp(7, 0) if timestamps else None)
        peer.expects(SYN | ACK)
        peer.wait(1.1 * resends)
        if resends:
            peer.expects(SYN | ACK)
        peer.wait(0.3)
        peer.sends(ACK, b"text", options=stamp(8, OUR_CLOCK + 1000 * resends) if timestamps else None)
        conn = listener.accept()
        assert conn is not None
        assert conn.rtt.srtt_s is None
        assert conn.rtt.timeout_s() == (3.0 if resends else 1.0)
        peer.wait(0.1)
        peer.expects(ACK)


def patient(timestamps: bool) -> tuple[Connection, Peer]:
    """SRTT is 40 ms, and a lost segment has been answered: the RTO is 200 ms, but the timer backs off to 800 ms."""
    conn, peer = agreed() if timestamps else established()
    conn.send(b"data", peer.now)
    peer.expects(ACK, 4)
    peer.wait(0.04)
    peer.sends(ACK, options=stamp(2))
    for _ in range(10):
        conn.rtt.sample(0.04)
    assert conn.rtt.timeout_s() == 0.2
    conn.rtt.back_off()
    conn.rtt.back_off()
    return conn, peer


@rfc("field-13")
@pytest.mark.parametrize("flags", [ACK, ACK | FIN])
@pytest.mark.parametrize("text", [b"text", b""])
@pytest.mark.parametrize("timestamps", [False, True])
def test_a_late_answer_that_may_be_a_retransmission_tells_no_round_trip(
    timestamps: bool, text: bytes, flags: int
) -> None:
    """What has text or FIN may have been sent before and lost: then the peer's timeout is in the time measured."""
    conn, peer = patient(timestamps)
    before = conn.rtt.srtt_s
    assert before is not None
    sent_at = round(peer.now * 1000)
    conn.send(b"data", peer.now)
    peer.expects(ACK, 4)
    peer.wait(0.5)
    peer.sends(flags, text, options=stamp(3, sent_at) if timestamps else None)
    if flags == ACK and not text:  # nothing repeats an ACK
        assert conn.rtt.srtt_s == pytest.approx(before + (0.5 - before) / 8)
        return
    assert conn.rtt.srtt_s == before
    assert conn.rtt.timeout_s() == 0.2  # it ends the back-off, though
    peer.wait(0.05)
    peer.expects(ACK)


@rfc("field-13")
def test_so_it_is_after_a_retransmission() -> None:
    conn, peer = agreed()
    srtt = conn.rtt.srtt_s
    conn.send(b"data", peer.now)
    peer.wait(0.2)
    peer.expects(ACK, 4)
    peer.expects(ACK, 4)
    peer.wait(0.35)
    peer.sends(ACK, b"text", options=stamp(2, OUR_CLOCK + 200))
    assert conn.rtt.srtt_s == srtt
    assert conn.rtt.timeout_s() == 0.2


@rfc("field-13", "6298-5-i")
@pytest.mark.parametrize("timestamps", [False, True])
def test_where_all_answers_with_text_are_late_the_path_is_as_slow_as_that(timestamps: bool) -> None:
    conn, peer = patient(timestamps)
    before = conn.rtt.srtt_s
    assert before is not None
    believed: list[bool] = []
    for _ in range(TcpConfig().rto_answers_without_sample + 1):
        conn.rtt.back_off()
        conn.rtt.back_off()
        sent_at = round(peer.now * 1000)
        conn.send(b"data", peer.now)
        peer.expects(ACK, 4)
        peer.wait(0.5)
        peer.sends(ACK, b"text", options=stamp(3 + len(believed), sent_at) if timestamps else None)
        believed.append(conn.rtt.srtt_s != before)
        peer.wait(0.05)
        peer.expects(ACK)
    assert believed == [False, False, False, True]
    assert conn.rtt.timeout_s() > 0.25


def test_an_echo_from_the_future_is_no_negative_time() -> None:
    conn, peer = agreed()
    conn.send(b"data", peer.world.now)
    peer.expects(ACK, 4)
    peer.world.wait(0.2)
    peer.expects(ACK, 4)
    peer.sends(ACK, options=stamp(2, OUR_CLOCK + 100_000))
    assert conn.rtt.srtt_s == 0


def test_an_echo_from_long_ago_does_not_stop_a_paced_connection_for_days() -> None:
    """A peer that echoes what we never sent would have the host keep for 24 days what it has closed."""
    conn, peer = agreed(pacing=True)
    conn.send(bytes(8 * (MSS - 12)), peer.now)
    for _ in range(16):
        peer.wait(0.001)
        options = stamp(2, OUR_CLOCK - 0x7FFF_0000 & 0xFFFF_FFFF)
        peer.sends(ACK, ack=add(conn.snd_una, min(conn.flight, 100)), options=options)
    peer.world.sent.clear()
    assert conn.rtt.srtt_s is not None
    assert conn.rtt.srtt_s <= TcpConfig().rto_max_s
    conn.send(bytes(60_000), peer.now)
    conn.close(peer.now)
    begun = peer.now
    while conn.state is State.FIN_WAIT_1:
        assert peer.now - begun < TcpConfig().orphan_timeout_s, "kept by pacing"
        peer.wait(min(conn.deadline - peer.now, 1000.0))
        peer.sends(ACK, options=stamp(2, OUR_CLOCK - 0x7FFF_0000 & 0xFFFF_FFFF))
        peer.world.sent.clear()
    assert conn.state is State.FIN_WAIT_2


@rfc("7323-4.2-a")
def test_many_samples_a_round_trip_weigh_as_much_as_one() -> None:
    """Appendix G: with eight segments in flight and an ACK for every second, each counts for a quarter."""
    conn, peer = agreed()
    world = peer.world
    conn.send(bytes(8 * (MSS - 12)), world.now)
    for _ in range(8):
        peer.expects(ACK, MSS - 12)
    world.wait(0.2)
    peer.expects(ACK, MSS - 12)  # the timeout's, so that the timed segment is given up
    world.wait(0.1)
    peer.sends(ACK, ack=add(conn.snd_una, 2 * (MSS - 12)), options=stamp(2, OUR_CLOCK + 200))
    assert conn.rtt.srtt_s is not None
    assert 0.1 / 8 / 4 * 0.99 < conn.rtt.srtt_s < 0.1 / 8 / 4 * 1.01
    world.sent.clear()


# --- sections 5.4 and 7: the clock


@rfc("7323-4.1-a", "7323-5.4-d")
def test_the_clock_ticks_a_thousand_times_a_second() -> None:
    clock = Timestamps(True, 0xFFFF_FF00)
    before = clock.clock(5.0)
    for seconds in (0.001, 1.0, 60.0, 86400.0):
        assert abs((clock.clock(5.0 + seconds) - before & 0xFFFF_FFFF) - 1000 * seconds) <= 1


@rfc("7323-5.4-a", "7323-5.4-b")
def test_the_clock_ticks_while_a_window_is_sent() -> None:
    """At a gigabit a second the largest window of all takes more than 8 s, and ours of 4 MiB more than 33 ms."""
    clock = Timestamps(True, 0)
    octets_per_second = 125_000_000
    assert clock.clock((1 << 31) / octets_per_second) > clock.clock(0.0)
    assert clock.clock(TcpConfig().max_receive_buffer_bytes / octets_per_second) > clock.clock(0.0)


@rfc("7323-5.4-c")
def test_the_clock_does_not_recycle_within_a_segments_life() -> None:
    clock = Timestamps(True, 0)
    seen = [clock.clock(float(s)) for s in range(int(255 + TcpConfig().msl_s))]
    assert seen == sorted(set(seen))


@rfc("7323-7-a", "7323-7.1-a")
def test_each_connection_has_a_clock_of_its_own() -> None:
    """As RFC 7323 section 5.4 suggests: the offset is a keyed hash of the addresses and ports."""
    network = Network(1)
    here = network.machine("here")
    station = RawStation(network, ethernet := Ethernet())
    here.attach(ethernet.attach(), "10.0.0.1/24")
    for _ in range(8):
        here.connect("10.0.0.66", 80)
    network.run(for_s=0.01)
    values = {read[0] for heard in station.segments() if (read := parse_options(heard.tcp.options).timestamps)}
    assert len(values) == 8
    assert max(values) - min(values) > 1_000_000


@rfc("7323-5.2-c", "7323-5.2-d")
def test_a_reset_that_answers_gives_the_timestamp_back() -> None:
    conn, peer = closed()
    peer.sends(ACK, b"who is there?", seq=5, ack=77, options=stamp(9))
    sent = peer.expects(RST, seq=77)
    assert sent.options.timestamps == (0, PEER_CLOCK + 9)
    peer.sends(ACK, b"who is there?", seq=5, ack=77)
    assert peer.expects(RST).options.timestamps is None
    assert conn.state is State.CLOSED
