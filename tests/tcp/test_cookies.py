"""SYN cookies: RFC 4987 section 3.6. How a full queue answers a SYN, and how the connection
opens.
"""

from __future__ import annotations

from typing import Any

import pytest

from stack.tcp import cookies
from stack.tcp.listener import Listener
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc

from .world import ACK, FIN, MSS, PEER_ISS, RST, SYN, Peer, add, listening

SECRET, KEY = bytes(range(16)), b"twelve octet"


def full(**changes: Any) -> tuple[Listener, Peer]:
    """A listener with one half-open connection, which is all it may have; and a client that comes too late."""
    listener, peer = listening(**{"syn_backlog": 1, "timestamps": False, **changes})
    peer.sends(SYN, options=TcpOptions(mss=MSS))
    peer.expects(SYN | ACK)
    return listener, peer.another(1)


@rfc("4987-3.6-a", "4987-3.2-a", "4987-3.7-a")
def test_a_full_queue_answers_by_a_cookie_and_keeps_nothing() -> None:
    listener, late = full()
    late.sends(SYN, options=TcpOptions(mss=1000))
    answer = late.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    assert late.conn is not None
    assert late.conn.state is State.CLOSED
    assert listener.half_open == 1
    late.sends(ACK, ack=add(answer.seq, 1))
    conn = listener.accept()
    assert conn is late.conn is not None
    assert conn.state is State.ESTABLISHED
    assert conn.send_mss == 536  # rounded down
    assert (conn.rcv_nxt, conn.snd_una) == (add(PEER_ISS, 1), add(answer.seq, 1))
    late.sends(ACK, b"hello")
    late.wait(0.1)
    late.expects(ACK, seq=add(answer.seq, 1), ack=add(PEER_ISS, 6))
    conn.send(b"world", late.now)
    late.expects(ACK, b"world")
    late.sends(ACK)


@rfc("4987-3.6-b")
def test_without_timestamps_only_the_mss_is_remembered_and_so_only_that_is_agreed_on() -> None:
    listener, late = full(window_scaling=True)
    late.sends(SYN, options=TcpOptions(mss=MSS, window_scale=7, sack_permitted=True))
    answer = late.expects(SYN | ACK)
    assert (answer.options.window_scale, answer.options.sack_permitted) == (None, False)
    late.sends(ACK, ack=add(answer.seq, 1), window=1000)
    conn = listener.accept()
    assert conn is not None
    assert (conn.scaling, conn.snd_wnd, conn.send_mss) == (False, 1000, MSS)


@rfc("4987-3.6-b")
@pytest.mark.parametrize("shift", [None, 0, 7, 14, 200])
def test_with_timestamps_the_echo_brings_the_window_scale_back(shift: int | None) -> None:
    listener, late = full(window_scaling=True, timestamps=True)
    late.world.now += 0.777
    late.sends(SYN, options=TcpOptions(mss=MSS, window_scale=shift, timestamps=(5, 0)))
    answer = late.expects(SYN | ACK)
    assert (answer.options.window_scale is None) is (shift is None)
    assert answer.options.timestamps is not None
    stamp, echo = answer.options.timestamps
    assert echo == 5
    late.sends(ACK, ack=add(answer.seq, 1), window=1000, options=TcpOptions(timestamps=(6, stamp)))
    conn = listener.accept()
    assert conn is not None
    assert conn.timestamps.agreed
    assert conn.snd_wnd == 1000 << min(shift or 0, 14)
    assert conn.timestamps.clock(late.now) - stamp in range(64)  # our clock never goes back
    late.sends(ACK, b"x", options=TcpOptions(timestamps=(7, stamp)))
    late.wait(0.1)
    stamps = late.expects(ACK).options.timestamps
    assert stamps is not None
    assert stamps[1] == 7


def test_data_and_fin_may_come_with_the_ack() -> None:
    listener, late = full()
    late.sends(SYN)
    answer = late.expects(SYN | ACK)
    late.sends(FIN | ACK, b"all of it", ack=add(answer.seq, 1))
    conn = listener.accept()
    assert conn is not None
    assert conn.receive(100, late.now) == b"all of it"
    assert conn.receive(100, late.now) == b""
    late.expects(ACK, ack=add(PEER_ISS, 11))


@rfc("4987-3.6-a")
@pytest.mark.parametrize("later_s", [0, 0.9, 1.0, 1.9, 2.0, 32.5])
def test_a_cookie_is_good_for_this_period_and_the_next(later_s: float) -> None:
    """The world's clock begins with a period; after 32 of them the count in a cookie begins anew."""
    listener, late = full(syn_cookie_period_s=1.0)
    late.sends(SYN)
    answer = late.expects(SYN | ACK)
    late.wait(later_s)
    late.another(2).sends(SYN)  # the flood goes on
    late.world.sent.clear()
    late.sends(ACK, ack=add(answer.seq, 1))
    if later_s < 2:
        assert listener.accept() is late.conn is not None
    else:
        late.expects(RST, seq=add(answer.seq, 1))
        assert listener.accept() is None


def test_an_ack_out_of_the_blue_is_reset_as_ever() -> None:
    listener, late = full()
    late.sends(ACK, ack=77)  # no cookie has been sent yet
    late.expects(RST, seq=77)
    assert late.conn is None
    late.sends(SYN)
    answer = late.expects(SYN | ACK)
    late.sends(ACK, ack=add(answer.seq, 2))
    late.expects(RST, seq=add(answer.seq, 2))
    assert listener.accept() is None
    assert late.world.counters["tcp_bad_cookie"] == 1


def test_no_connection_is_made_that_could_not_be_accepted() -> None:
    listener, late = full()
    listener.backlog = 0
    late.sends(SYN)
    late.silent()
    listener.backlog = 1
    late.sends(SYN, seq=PEER_ISS)
    answer = late.expects(SYN | ACK).seq
    listener.backlog = 0
    late.sends(ACK, seq=add(PEER_ISS, 1), ack=add(answer, 1))
    late.silent()
    listener.backlog = 1
    late.sends(ACK, seq=add(PEER_ISS, 1), ack=add(answer, 1))
    assert listener.accept() is late.conn is not None


@rfc("4987-3.4-a")
def test_without_cookies_the_oldest_gives_way() -> None:
    listener, late = full(syn_cookies=False)
    first = late.world.connections[0]
    late.sends(SYN)
    late.expects(SYN | ACK)
    assert (first.state, listener.half_open) == (State.CLOSED, 1)
    late.sends(ACK)
    assert listener.accept() is late.conn is not None


# --- the numbers


@rfc("4987-3.6-a")
@pytest.mark.parametrize("mss", [0, 1, 88, 535, 536, 1219, 1220, 1459, 1460, 9000, 65535])
def test_the_mss_comes_back_rounded_down(mss: int) -> None:
    cookie = cookies.make(SECRET, KEY, 7, mss, 1000)
    got = cookies.read(SECRET, KEY, 7, cookie, 1000)
    assert got == max(size for size in cookies.MSS_TABLE if size <= max(mss, cookies.MSS_TABLE[0]))


@rfc("4987-3.6-a")
def test_what_a_cookie_was_made_of_must_be_the_same() -> None:
    cookie = cookies.make(SECRET, KEY, 7, 1460, 1000)
    assert cookies.read(SECRET, KEY, 7, cookie, 1001) == 1460
    for secret, key, irs, count in [
        (SECRET, KEY, 7, 1002), (SECRET, KEY, 7, 999), (SECRET, KEY, 7, 1032), (SECRET, KEY, 8, 1000),
        (SECRET, KEY[::-1], 7, 1000), (SECRET[::-1], KEY, 7, 1000),
    ]:  # fmt: skip
        assert cookies.read(secret, key, irs, cookie, count) is None
    guessed = sum(cookies.read(SECRET, KEY, 7, cookie ^ change, 1000) is not None for change in range(1, 20_000))
    assert guessed == 0


def test_cookies_of_different_clients_have_nothing_in_common() -> None:
    """10,000 of them: no bit of the number tells the time or the MSS."""
    made = [cookies.make(SECRET, b"%12d" % client, 7, 1460, 1000) for client in range(10_000)]
    assert len(set(made)) > 9_990
    for bit in range(32):
        assert 4_700 < sum(number >> bit & 1 for number in made) < 5_300


@pytest.mark.parametrize("ticks", [0, 31, 32, 1_000_000, 0x7FFF_FFFF])
@pytest.mark.parametrize("shift", [None, 0, 9, 14])
@pytest.mark.parametrize("sack", [False, True])
def test_a_timestamp_hides_options(ticks: int, shift: int | None, sack: bool) -> None:
    hidden = cookies.encode_options(ticks, TcpOptions(window_scale=shift, sack_permitted=sack))
    assert 0 <= ticks - hidden < 64
    assert cookies.decode_options(hidden & 0xFFFF_FFFF) == (shift, sack)
