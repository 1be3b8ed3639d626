"""Super-frames: the segments that the link cuts are those that we would have sent without it.

See stack/link/device.py (Offload), and the Linux kernel's
Documentation/networking/segmentation-offloads.rst for TSO.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from stack.tcp import user_calls
from stack.tcp.connection import Connection
from stack.tcp.ecn import Ecn
from stack.tcp.loss import Loss
from stack.tcp.prr import Prr
from stack.tcp.sack import SackReporter
from stack.tcp.tcb import Tcb
from stack.wire.tcp import ACK, CWR, ECE, FIN, PSH, URG
from tests.requirements import rfc
from tests.user_options import set_options

from .test_ecn import capable
from .test_sack import agreed, blocks
from .world import MSS, PEER_ISS, Peer, add, established, text

SUPER = 65536 - 60
STRANGER = bytes((10, 9, 0, 77))


def offloading(
    window: int = 0xFFFF, *, gso: bool = True, cwnd: int = 1 << 20, **changes: object
) -> tuple[Connection, Peer]:
    """An established connection over a link that completes checksums and, with `gso`, cuts super-frames."""
    conn, peer = established(window=window, **changes)  # type: ignore[arg-type]
    offload(conn, peer, SUPER if gso else 0)
    conn.congestion.cwnd, conn.last_sent_at = cwnd, peer.now  # it was not idle: RFC 5681 section 4.1
    return conn, peer


def offload(conn: Connection, peer: Peer, gso_max_bytes: int = SUPER) -> None:
    wire = peer.world.wire(conn)
    wire.checksum_offload, wire.gso_max_bytes = True, gso_max_bytes
    set_options(conn, nodelay=True)


@pytest.mark.parametrize("size", [1, MSS - 1, MSS, MSS + 1, 2 * MSS, 10 * MSS + 7, 44 * MSS])
@pytest.mark.parametrize("timestamps", [False, True])
def test_the_wire_carries_the_same_with_and_without(size: int, timestamps: bool) -> None:
    seen = []
    for gso in (True, False):
        conn, peer = offloading(gso=gso, timestamps=timestamps)
        conn.send(text(size), peer.now)
        seen.append([(sent.seq, sent.ack, sent.flags, sent.window, sent.data) for sent in peer.world.sent])
        assert peer.world.wire(conn).super_frames == (gso and size > MSS)
        assert peer.world.counters["tcpOutSegs"] == 2 + len(peer.world.sent)
        peer.world.sent.clear()
    assert seen[0] == seen[1]
    assert seen[0][-1][2] == ACK | PSH


def test_a_super_frame_is_cut_to_the_window_and_does_not_wait_for_more() -> None:
    conn, peer = offloading(window=3 * MSS + 100)
    conn.send(text(20 * MSS), peer.now)
    for _ in range(3):
        peer.expects(ACK, MSS)
    peer.silent()  # 100 octets of window are a silly window: 3.8.6.2.1
    peer.sends(ACK, ack=add(conn.snd_una, 3 * MSS), window=0xFFFF)
    for _ in range(17):
        peer.expects(ACK, MSS)
    assert peer.world.wire(conn).super_frames == 2


def test_a_super_frame_is_cut_to_the_congestion_window() -> None:
    conn, peer = offloading(cwnd=4 * MSS)
    conn.send(text(20 * MSS), peer.now)
    for _ in range(4):
        peer.expects(ACK, MSS)
    peer.silent()


@rfc("field-7")
def test_nagle_lets_the_tail_of_a_super_frame_go_with_it_but_nothing_small_behind_that() -> None:
    conn, peer = offloading()
    set_options(conn, nodelay=False)
    conn.send(text(2 * MSS + 5), peer.now)
    peer.expects(ACK, MSS)
    peer.expects(ACK, MSS)
    peer.expects(ACK | PSH, 5)
    conn.send(b"more", peer.now)
    peer.silent()
    peer.sends(ACK, ack=conn.snd_nxt)
    peer.expects(ACK | PSH, b"more")


def test_the_fin_is_on_the_last_segment_of_the_super_frame() -> None:
    conn, peer = offloading(window=0)
    conn.send(text(2 * MSS + 5), peer.now)
    conn.shutdown_write(peer.now)
    peer.sends(ACK, window=0xFFFF)
    peer.expects(ACK, MSS)
    peer.expects(ACK, MSS)
    peer.expects(FIN | ACK | PSH, 5)


def test_urgent_data_goes_in_segments_of_its_own() -> None:
    """The link would repeat the urgent pointer, which counts from each segment's own number."""
    conn, peer = offloading()
    conn.send(text(3 * MSS), peer.now, urgent=True)
    for count in (3, 2, 1):
        assert peer.expects(ACK | URG, MSS).urgent_pointer in (count * MSS, count * MSS - 1)
    assert peer.world.wire(conn).super_frames == 0


@rfc("2883-4-b")
@pytest.mark.parametrize("gso", [True, False])
def test_a_duplicate_is_reported_on_one_segment_and_not_on_all_of_a_super_frame(gso: bool) -> None:
    """The link would repeat the option, and tell the peer of as many duplicates as there are segments."""
    conn, peer = agreed()
    offload(conn, peer, SUPER if gso else 0)
    peer.sends(ACK, b"again", window=0)
    peer.wait(0.1)
    peer.expects(ACK, ack=peer.snd_nxt)
    conn.send(text(4 * MSS), peer.now)
    with peer.batch():
        peer.sends(ACK, b"again", seq=add(PEER_ISS, 1), window=0)
        peer.sends(ACK, window=0xFFFF)
    room = MSS - 12  # an option of one block, and two no-ops
    assert blocks(peer.expects(ACK, room)) == [(0, 5)]
    for length in (room, room, room, 4 * 12):
        assert blocks(peer.expects(ACK, length)) == []


def test_a_lost_segment_of_a_super_frame_is_sent_again_alone() -> None:
    conn, peer = offloading(sack=False)
    conn.send(text(6 * MSS), peer.now)
    peer.world.sent.clear()
    for _ in range(3):
        peer.sends(ACK, ack=add(conn.snd_una, 0))
    assert peer.expects(ACK, MSS).seq == conn.snd_una


def test_what_was_a_bytearray_at_send_is_sent_again_as_it_was() -> None:
    conn, peer = offloading()
    data = bytearray(text(3 * MSS))
    conn.send(data, peer.now)
    first = [peer.expects(ACK, MSS).data for _ in range(3)]
    data[:] = bytes(3 * MSS)
    peer.wait(0.3)  # the timeout
    again = peer.expects(ACK, MSS).data
    assert again == first[0] == text(3 * MSS)[:MSS]


def test_retransmissions_fit_the_mtu_and_leave_their_checksum_to_the_link() -> None:
    conn, peer = offloading()
    conn.send(text(30 * MSS), peer.now)
    peer.world.sent.clear()
    peer.wait(0.3)
    assert peer.expects(ACK, MSS).seq == conn.snd_una
    assert peer.world.wire(conn).super_frames == 1


def test_the_largest_segment_that_arrived_is_no_super_frame() -> None:
    """RFC 5927 section 7.2's maxsizesent and maxsizeacked are sizes of packets."""
    conn, peer = offloading()
    conn.send(text(30 * MSS), peer.now)
    peer.world.sent.clear()
    peer.sends(ACK, ack=conn.snd_nxt)
    assert conn.sizes.sent == conn.sizes.acked == MSS


def test_only_the_first_segment_of_a_super_frame_says_that_the_window_was_reduced() -> None:
    """RFC 3168 section 6.1.2: CWR on the first new data packet."""
    conn, peer, _ = capable()
    offload(conn, peer)
    conn.send(text(MSS), peer.now)
    peer.world.sent.clear()
    peer.sends(ACK | ECE, ack=conn.snd_nxt)
    conn.send(text(4 * MSS), peer.now)
    assert [bool(sent.flags & CWR) for sent in peer.world.sent] == [True, False]
    assert peer.world.wire(conn).super_frames == 1
    peer.world.sent.clear()


def test_a_pacer_bounds_them() -> None:
    conn, peer = offloading(pacing_quantum_s=0.004)
    set_options(conn, max_pacing_rate=1000 * MSS)
    conn.send(text(7 * MSS), peer.now)
    for count in (4, 3):
        for _ in range(count):
            peer.expects(ACK, MSS)
        peer.silent()
        peer.wait(0.0041)
    assert peer.world.wire(conn).super_frames == 2
    peer.sends(ACK)


# --- a SEND of more than one super-frame


def one_by_one(tcb: Tcb, quantum: int, one: bool) -> int:
    return quantum


def in_recovery(conn: Connection, peer: Peer) -> None:
    conn.loss = Loss()
    conn.loss.prr = Prr(conn.flight, MSS)
    conn.loss.prr.allowance = 3 * MSS


def memory_is_low(conn: Connection, peer: Peer) -> None:
    budget = peer.world.services.budget
    budget.charge(STRANGER, int(budget.total * 0.97) - budget.used)


def marked(conn: Connection, peer: Peer) -> None:
    conn.ecn = Ecn(conn.iss)
    conn.ecn.hold_until = peer.now + 1.0


def a_duplicate_came(conn: Connection, peer: Peer) -> None:
    """Its report goes with the next segment, which therefore has a header of its own."""
    conn.sack_reporter = SackReporter(4)
    conn.sack_reporter.duplicate(1, 2)


def paced(conn: Connection, peer: Peer) -> None:
    set_options(conn, max_pacing_rate=1_000_000)


def nothing_in_flight(conn: Connection, peer: Peer) -> None:
    peer.sends(ACK, ack=conn.snd_nxt, window=0xFFFF)


def a_pause(conn: Connection, peer: Peer) -> None:
    nothing_in_flight(conn, peer)
    peer.wait(5.0)


def data_that_waits(conn: Connection, peer: Peer) -> None:
    """An octet is corked, and the window has room for whole super-frames only."""
    set_options(conn, cork=True, notsent_lowat=1 << 30)
    conn.send(b"x", peer.now)
    set_options(conn, notsent_lowat=5000)
    conn.snd_wnd = conn.flight + 3 * user_calls._quantum(conn)


def cut(what: str, value: int) -> Callable[[Connection, Peer], None]:
    def run(conn: Connection, peer: Peer) -> None:
        setattr(conn if hasattr(conn, what) else conn.congestion, what, value)

    return run


SITUATIONS: dict[str, Callable[[Connection, Peer], object]] = {
    "nothing": lambda conn, peer: None,
    "a small window": cut("snd_wnd", 100 * MSS),
    "a small congestion window": cut("cwnd", 100 * MSS),
    "a small buffer": cut("sndbuf", 100 * MSS),
    "nothing in flight": nothing_in_flight,
    "a pause": a_pause,
    "data that waits": data_that_waits,
    "recovery": in_recovery,
    "low memory": memory_is_low,
    "a mark of congestion": marked,
    "pacing": paced,
    "a duplicate": a_duplicate_came,
}


@pytest.mark.parametrize("urgent", [False, True])
@pytest.mark.parametrize("lowat", [1, 5000, 1 << 30])
@pytest.mark.parametrize("what", SITUATIONS)
def test_a_large_send_is_as_many_small_ones_in_spite_of(
    what: str, lowat: int, urgent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for usual in (user_calls._octets_at_a_time, one_by_one):
        monkeypatch.setattr(user_calls, "_octets_at_a_time", usual)
        conn, peer = offloading()
        conn.snd_shift = 6
        conn.snd_wnd = conn.max_snd_wnd = conn.congestion.cwnd = 1 << 22
        conn.send(text(MSS), peer.now)
        set_options(conn, notsent_lowat=lowat, sndbuf=1 << 22)
        SITUATIONS[what](conn, peer)
        size = 3 * user_calls._quantum(conn) if urgent else 1 << 20
        taken = conn.send(text(size), peer.now, urgent)
        sent = [(each.seq, each.flags & ~PSH, each.data, each.options) for each in peer.world.sent]
        seen.append((taken, conn.unsent, sent, peer.world.wire(conn).super_frames))
        conn.abort(peer.now)
        peer.world.sent.clear()
        peer.world.services.budget.charge(STRANGER, -peer.world.services.budget.peers.get(STRANGER, 0))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("changes", [{}, {"pacing": True}, {"sack": True, "rack": True}, {"auto_tuning": True}])
@pytest.mark.parametrize("seed", range(8))
def test_a_large_send_is_as_many_small_ones(
    seed: int, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as much and sends the same, but PSH is on the last octet in the buffer (MUST-61)."""
    seen = []
    for usual in (user_calls._octets_at_a_time, one_by_one):
        monkeypatch.setattr(user_calls, "_octets_at_a_time", usual)
        random = Random(seed)
        conn, peer = offloading(gso=random.random() < 0.8, cwnd=random.choice((3 * MSS, 1 << 20, 1 << 20)), **changes)
        conn.snd_shift, conn.sndbuf = 5, random.choice((1 << 17, 1 << 22))
        set_options(conn, notsent_lowat=random.choice((1, 5000, 1 << 20)), cork=random.random() < 0.2)
        happened: list[object] = []
        for _ in range(16):
            match random.choice(("send", "send", "ack", "duplicate", "passes")):
                case "send":
                    count, urgent = random.choice((100, 5 * MSS, 400_000)), random.random() < 0.1
                    happened.append(conn.send(text(count), peer.now, urgent))
                case "ack":
                    acked = random.randrange(conn.flight + 1)
                    window = random.choice((0, 500, 0xFFFF, 0xFFFF))
                    peer.sends(ACK, ack=add(conn.snd_una, acked), window=window)
                case "duplicate":
                    peer.sends(ACK, ack=conn.snd_una)
                case _:
                    peer.wait(random.choice((0.01, 5.0)))
            happened.append((conn.unsent, conn.flight, conn.sndbuf, conn.send_buffer.size, conn.congestion.cwnd))
        sent = [(each.seq, each.ack, each.flags & ~PSH, each.window, each.data) for each in peer.world.sent]
        seen.append((happened, sent))
        peer.world.sent.clear()
    assert seen[0] == seen[1]


def test_what_octets_at_a_time_is_pushed_once() -> None:
    """One PSH each for the first segment, three super-frames together, and the tail."""
    conn, peer = offloading()
    conn.snd_wnd = conn.max_snd_wnd = 1 << 20
    conn.send(text(MSS), peer.now)
    conn.send(text(3 * SUPER), peer.now)
    pushed = [sent.seq for sent in peer.world.sent if sent.flags & PSH]
    assert len(pushed) == 3
    assert peer.world.sent[-1].flags & PSH
    peer.world.sent.clear()
