"""TCP Fast Open, packet by packet: the figures, and the server. RFC 7413."""

from __future__ import annotations

import pytest

from stack.tcp import fast_open
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions, parse_options
from tests.requirements import rfc

from .fast_open_ends import (
    ASKING,
    COOKIE,
    DAY_S,
    GIVEN,
    HELLO,
    PLAIN,
    again,
    client,
    cookie_of,
    opened,
    ports,
    refused,
    server,
    where,
    with_cookie,
)
from .world import (
    ACK,
    FIN,
    MSS,
    OUR_ISS,
    OURS,
    PEER_ISS,
    PSH,
    RST,
    SYN,
    THEIRS,
    Peer,
    add,
    established,
    listening,
    text,
)

# --- the figures of section 3.1


@rfc("7413-4.2.1-a", "7413-4.2.2-g", "7413-9-a")
def test_requesting_a_cookie_then_using_it_as_a_client() -> None:
    conn, peer = client(cookie=None)
    conn.open(peer.now, HELLO, fast=True)
    assert parse_options(peer.expects(SYN, seq=OUR_ISS).raw_options).fast_open == b""
    peer.sends(SYN | ACK, options=GIVEN)
    peer.expects(PSH | ACK, HELLO, seq=add(OUR_ISS, 1), ack=peer.snd_nxt)
    assert conn.state is State.ESTABLISHED
    refused(conn, peer)

    conn, peer = again(peer)
    assert conn.open(peer.now, HELLO, fast=True) == 5
    syn = peer.expects(SYN | PSH, HELLO, seq=OUR_ISS)
    assert syn.options.fast_open == COOKIE
    assert syn.raw_options[-10:-8] == bytes((34, 10))
    assert conn.snd_nxt == add(OUR_ISS, 6)
    peer.sends(SYN | ACK, b"", options=PLAIN)
    peer.sends(ACK, b"world")
    peer.expects(ACK, seq=add(OUR_ISS, 6), ack=add(PEER_ISS, 1))
    peer.wait(0.1)
    peer.expects(ACK, seq=add(OUR_ISS, 6), ack=add(PEER_ISS, 6))
    assert conn.state is State.ESTABLISHED
    assert conn.receive(10, peer.now) == b"world"
    assert (conn.fast_opened, conn.send_buffer.size) == (True, 0)
    assert "fast open" in conn.status().extensions
    assert peer.world.counters["tcpFastOpenActive"] == 1


@rfc("7413-4.1.2-a", "7413-9-a")
def test_requesting_a_cookie_then_using_it_as_a_server() -> None:
    listener, peer = server()
    peer.sends(SYN, options=ASKING)
    answer = peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1))
    cookie = answer.options.fast_open
    assert cookie is not None
    assert len(cookie) == 8
    assert not listener.readable
    peer.sends(ACK)
    assert listener.readable

    client = peer.another(41000)
    told: list[State] = []
    listener.on_readable = lambda: told.append(client.conn.state) if client.conn else None
    client.sends(SYN, HELLO, options=with_cookie(cookie))
    answer = peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 6))
    assert answer.options.fast_open is None
    assert told == [State.SYN_RECEIVED]
    listener.accept()
    conn = listener.accept()
    assert conn is client.conn
    assert conn is not None
    assert conn.receive(10, peer.now) == HELLO
    assert conn.send(b"world", peer.now) == 5  # before the handshake is over
    peer.expects(ACK, b"world", seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 6))
    assert conn.state is State.SYN_RECEIVED
    client.sends(ACK, ack=add(OUR_ISS, 6))
    assert conn.state is State.ESTABLISHED
    assert conn.send_buffer.size == 0
    assert "fast open" in conn.status().extensions


# --- off unless asked for (section 2, 4.2)


@rfc("7413-2-a")
def test_a_client_that_does_not_ask_for_it_sends_an_ordinary_syn() -> None:
    conn, peer = client()
    conn.open(peer.now, HELLO)
    assert peer.expects(SYN, seq=OUR_ISS).options.fast_open is None
    peer.sends(SYN | ACK, options=GIVEN)  # without a request
    peer.expects(PSH | ACK, HELLO)
    assert len(conn.services.cookie_cache) == 1


@rfc("7413-2-a", "7413-4.2-a", "7413-4.2-c")
def test_a_server_that_does_not_ask_for_it_ignores_every_option() -> None:
    _, peer = server()
    cookie = cookie_of(peer)
    listener, peer = listening()
    for options in (ASKING, with_cookie(cookie), GIVEN):
        one = peer.another(next(ports))
        one.sends(SYN, HELLO, options=options)
        answer = peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
        assert answer.options.fast_open is None
        assert not listener.readable
    assert listener.half_open == 3


@pytest.mark.parametrize("ours", [False, True])
def test_the_host_may_forbid_it(ours: bool) -> None:
    if ours:
        conn, peer = client(fast_open_client=False)
        conn.open(peer.now, HELLO, fast=True)
        assert peer.expects(SYN).options.fast_open is None
    else:
        _, peer = server(fast_open_server=False)
        peer.sends(SYN, options=ASKING)
        assert peer.expects(SYN | ACK).options.fast_open is None


# --- the option (section 4.1.1)


@rfc("7413-4.1.1-b")
@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 9, 15, 17, 18])
def test_an_option_of_an_impossible_length_is_ignored(length: int) -> None:
    listener, peer = server()
    cookie = (cookie_of(peer) * 3)[:length]
    raw = bytes((2, 4, 5, 0xB4, 34, length + 2)) + cookie
    peer.sends(SYN, HELLO, raw_options=raw + bytes(-len(raw) % 4))
    assert peer.expects(SYN | ACK, ack=add(PEER_ISS, 1)).options.fast_open is None
    assert not listener.readable


@rfc("7413-4.1.1-b")
def test_an_option_without_syn_is_ignored() -> None:
    conn, peer = established()
    peer.sends(ACK, b"abc", options=TcpOptions(fast_open=COOKIE))
    assert conn.receive(10, peer.now) == b"abc"
    assert len(conn.services.cookie_cache) == 0
    peer.wait(0.1)
    peer.expects(ACK, ack=peer.snd_nxt)


@rfc("7413-4.2.2-b")
def test_no_room_for_the_option_is_the_ordinary_handshake() -> None:
    """Step 1 a: a cookie of 16 octets beside timestamps, SACK, window scale and user timeout is too much."""
    extensions = {"timestamps": True, "sack": True, "window_scaling": True, "user_timeout_option": True}
    conn, peer = client(bytes(16), **extensions)
    conn.open(peer.now, HELLO, fast=True)
    syn = peer.expects(SYN, seq=OUR_ISS)
    assert syn.options.fast_open is None
    assert len(syn.raw_options) <= 40
    peer.sends(SYN | ACK, options=PLAIN)
    peer.expects(PSH | ACK, HELLO)
    assert conn.services.cookie_cache.may_try(where(), peer.now)  # that was not the server's fault
    extensions.pop("user_timeout_option")
    conn, peer = client(bytes(16), **extensions)
    conn.open(peer.now, HELLO, fast=True)
    assert len(peer.expects(SYN | PSH, HELLO).raw_options) == 40


# --- the server's cookie (section 4.1.2)


@rfc("7413-4.1.2-a")
def test_a_cookie_is_bound_to_an_address_and_a_secret() -> None:
    here = fast_open.make_cookie(b"secret", THEIRS[0], 7)
    assert len(here) == 8
    assert here == fast_open.make_cookie(b"secret", THEIRS[0], 7)
    others = [
        fast_open.make_cookie(b"secret", OURS[0], 7),
        fast_open.make_cookie(b"Secret", THEIRS[0], 7),
        fast_open.make_cookie(b"secret", THEIRS[0], 8),
        fast_open.make_cookie(b"secret", bytes(16), 7),
    ]
    assert len({here, *others}) == 5


@rfc("7413-4.1.2-a")
def test_another_client_s_cookie_does_not_count() -> None:
    listener, peer = server()
    cookie = cookie_of(peer)
    thief = Peer(peer.world, (bytes((10, 9, 0, 66)), 40000))
    thief.sends(SYN, HELLO, options=with_cookie(cookie))
    answer = peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    assert answer.options.fast_open not in (None, cookie)  # but it gets one of its own
    assert not listener.readable
    counters = peer.world.counters
    assert (counters["tcpFastOpenPassiveFail"], counters["tcp_fast_open_refused"]) == (1, 1)
    thief.sends(ACK, HELLO, seq=add(PEER_ISS, 1))  # the data comes again with the ACK
    conn = listener.accept()
    assert conn is not None
    assert conn.receive(10, peer.now) == HELLO
    assert not conn.fast_opened
    peer.wait(0.1)
    peer.expects(ACK, ack=add(PEER_ISS, 6))


@rfc("7413-4.1.2-a")
def test_a_cookie_expires_and_is_renewed_before_that() -> None:
    listener, peer = server(fast_open_key_period_s=DAY_S)
    peer.wait(DAY_S - peer.now % DAY_S + 10.0)  # early in a period
    old = cookie_of(peer)
    peer.wait(DAY_S)
    late = peer.another(41000)
    late.sends(SYN, HELLO, options=with_cookie(old))
    fresh = peer.expects(SYN | ACK, ack=add(PEER_ISS, 6)).options.fast_open
    assert fresh not in (None, old)
    assert listener.accept() is late.conn
    late.sends(RST)
    peer.wait(DAY_S)
    too_late = peer.another(41001)
    too_late.sends(SYN, HELLO, options=with_cookie(old))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    assert not listener.readable


# --- the server's side of the handshake (section 4.2.2)


def test_a_valid_cookie_without_data_opens_the_connection_all_the_same() -> None:
    """So that the server may speak first."""
    listener, peer = server()
    peer.sends(SYN, options=with_cookie(cookie_of(peer)))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    conn = listener.accept()
    assert conn is not None
    assert conn.writable
    conn.send(b"220 ready", peer.now)
    peer.expects(ACK, b"220 ready", seq=add(OUR_ISS, 1))


@rfc("7413-4.2.2-d", "field-8")
def test_a_server_sends_no_more_than_an_initial_window_before_the_handshake_is_over() -> None:
    _, peer, conn = opened(initial_window_segments=3)
    conn.send(text(20 * MSS), peer.now)
    sent = [peer.expects(ACK, MSS).seq for _ in range(3)]  # the SYN in flight is none of the window's octets
    assert sent == [add(OUR_ISS, 1 + number * MSS) for number in range(3)]
    peer.silent()
    assert conn.congestion.cwnd == 3 * MSS
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    peer.silent()
    peer.sends(ACK, ack=add(OUR_ISS, 1 + MSS))
    peer.expects(ACK, MSS, seq=add(OUR_ISS, 1 + 3 * MSS))
    peer.expects(ACK, MSS, seq=add(OUR_ISS, 1 + 4 * MSS))


@rfc("7413-4.2.2-f", "7413-4.2.1-b")
def test_a_syn_ack_that_is_sent_again_is_bare_and_data_follows_the_handshake() -> None:
    _, peer, conn = opened()
    conn.send(b"world", peer.now)
    peer.expects(ACK, b"world")
    peer.wait(1.0)
    assert peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 6)).options.fast_open is None
    peer.sends(ACK, ack=add(OUR_ISS, 1))  # in SYN-SENT the client could not take the data
    peer.expects(PSH | ACK, b"world", seq=add(OUR_ISS, 1))
    assert conn.congestion.cwnd == MSS  # RFC 5681: a lost SYN,ACK

    _, peer = server()
    peer.sends(SYN, options=ASKING)
    assert peer.expects(SYN | ACK).options.fast_open
    peer.wait(1.0)
    assert peer.expects(SYN | ACK).options.fast_open is None


def test_the_syn_again_is_no_second_delivery() -> None:
    """Bare, or duplicated as it was: it is answered by the SYN,ACK again, which may have been lost."""
    _, peer, conn = opened(sack=True)
    cookie = cookie_of(peer)
    for data in (b"", HELLO):
        peer.sends(SYN, data, seq=PEER_ISS, options=with_cookie(cookie))
        assert not peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 6)).options.sack_blocks
    peer.sends(ACK)
    peer.sends(SYN, HELLO, seq=PEER_ISS, options=with_cookie(cookie))
    peer.expects(ACK, ack=add(PEER_ISS, 6))
    assert conn.state is State.ESTABLISHED
    assert conn.receive(100, peer.now) == HELLO


def test_a_syn_whose_connection_is_over_and_forgotten_delivers_its_data_once_more() -> None:
    """Section 2.1: the relaxed semantics that an application agrees to when it switches Fast Open on."""
    listener, peer, conn = opened()
    peer.sends(ACK)
    conn.receive(10, peer.now)
    conn.abort(peer.now)
    peer.expects(RST | ACK)
    cookie = cookie_of(peer)
    peer.sends(SYN, HELLO, seq=PEER_ISS, options=with_cookie(cookie))
    peer.expects(SYN | ACK)
    second = listener.accept()
    assert second is not None
    assert second.receive(10, peer.now) == HELLO


def test_in_time_wait_an_old_syn_delivers_nothing() -> None:
    listener, peer, conn = opened()
    peer.sends(ACK)
    conn.receive(10, peer.now)
    conn.close(peer.now)
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT
    cookie = cookie_of(peer)
    peer.sends(SYN, HELLO, seq=PEER_ISS, options=with_cookie(cookie))
    peer.expects(ACK)
    assert not listener.readable


def test_more_than_a_segment_is_taken_in_part() -> None:
    listener, peer = server()
    cookie = cookie_of(peer)
    peer.sends(SYN, text(4000), options=with_cookie(cookie))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1 + MSS))
    conn = listener.accept()
    assert conn is not None
    assert conn.receive(4000, peer.now) == text(MSS)


def test_a_fin_with_the_syn_waits_for_the_handshake() -> None:
    listener, peer = server()
    peer.sends(SYN | FIN, HELLO, options=with_cookie(cookie_of(peer)))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 6))
    conn = listener.accept()
    assert conn is not None
    assert conn.receive(10, peer.now) == HELLO
    assert conn.receive(10, peer.now) is None
    peer.sends(ACK, ack=add(OUR_ISS, 1))
    peer.wait(0.5)
    peer.expects(ACK, ack=add(PEER_ISS, 7))
    assert conn.state is State.CLOSE_WAIT
    assert conn.receive(10, peer.now) == b""


def test_closing_before_the_handshake_is_over() -> None:
    _, peer, conn = opened()
    conn.receive(10, peer.now)
    conn.send(b"world", peer.now)
    conn.close(peer.now)
    assert conn.state is State.FIN_WAIT_1
    peer.expects(ACK, b"world", seq=add(OUR_ISS, 1))
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 6))
    peer.sends(ACK, ack=add(OUR_ISS, 7))
    assert conn.state is State.FIN_WAIT_2
    peer.sends(FIN | ACK)
    peer.expects(ACK, ack=peer.snd_nxt)


def test_the_user_that_has_accepted_it_is_told_of_a_reset() -> None:
    _, peer, conn = opened()
    peer.sends(RST)
    assert conn.state is State.CLOSED
    assert conn.receive(10, peer.now) == HELLO  # it was acknowledged
    with pytest.raises(ConnectionResetError):
        conn.receive(10, peer.now)


def test_a_syn_in_the_window_does_not_take_it_away_again() -> None:
    _, peer, conn = opened()
    peer.sends(SYN, seq=add(PEER_ISS, 100))
    peer.expects(ACK, ack=add(PEER_ISS, 6))
    assert conn.state is State.SYN_RECEIVED


def test_the_accept_queue_holds_it_from_the_beginning() -> None:
    listener, peer = server(backlog=1)
    cookie = cookie_of(peer)
    peer.sends(SYN, HELLO, options=with_cookie(cookie))
    peer.expects(SYN | ACK)
    full = peer.another(41000)
    full.sends(SYN, HELLO, options=with_cookie(cookie))
    peer.silent()
    peer.sends(ACK, ack=add(OUR_ISS, 1))  # it has its place already
    assert peer.conn is not None
    assert peer.conn.state is State.ESTABLISHED
    assert listener.accept() is peer.conn
    assert listener.accept() is None


def test_with_timestamps_the_echo_is_the_newest() -> None:
    listener, peer = server(timestamps=True)
    cookie = cookie_of(peer)
    peer.sends(SYN, HELLO, options=TcpOptions(mss=MSS, timestamps=(100, 0), fast_open=cookie))
    syn_ack = peer.expects(SYN | ACK, ack=add(PEER_ISS, 6)).options.timestamps
    assert syn_ack is not None
    assert syn_ack[1] == 100
    peer.sends(ACK, b"more", ack=add(OUR_ISS, 1), options=TcpOptions(timestamps=(200, syn_ack[0])))
    peer.wait(0.1)
    answer = peer.expects(ACK, ack=add(PEER_ISS, 10)).options.timestamps
    assert answer is not None
    assert answer[1] == 200
    assert listener.readable


# --- PendingFastOpenRequests (4.2, 5.1)


@rfc("7413-4.2-b")
def test_over_the_limit_of_pending_requests_every_syn_is_an_ordinary_one() -> None:
    listener, peer = server(limit=2)
    cookie = cookie_of(peer)
    pending = [peer.another(port) for port in (41000, 41001)]
    for each in pending:
        each.sends(SYN, HELLO, options=with_cookie(cookie))
        peer.expects(SYN | ACK, ack=add(PEER_ISS, 6))
    for options in (with_cookie(cookie), ASKING):
        more = peer.another(next(ports))
        more.sends(SYN, HELLO, options=options)
        assert peer.expects(SYN | ACK, ack=add(PEER_ISS, 1)).options.fast_open is None
        more.sends(RST, seq=add(PEER_ISS, 1))
    assert peer.world.counters["tcpFastOpenListenOverflow"] == 2
    pending[0].sends(ACK, ack=add(OUR_ISS, 1))  # one handshake is over
    after = peer.another(41003)
    after.sends(SYN, HELLO, options=with_cookie(cookie))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 6))
    assert listener.accept() is pending[0].conn


@rfc("7413-4.2-b")
def test_a_request_that_was_reset_counts_for_a_while() -> None:
    _, peer = server(limit=1)
    cookie = cookie_of(peer)
    first = peer.another(41000)
    first.sends(SYN, HELLO, options=with_cookie(cookie))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 6))
    first.sends(RST)
    peer.wait(59)
    second = peer.another(41001)
    second.sends(SYN, HELLO, options=with_cookie(cookie))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 1))
    second.sends(RST, seq=add(PEER_ISS, 1))
    peer.wait(2)
    third = peer.another(41002)
    third.sends(SYN, HELLO, options=with_cookie(cookie))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 6))


def test_a_fast_open_that_is_not_acknowledged_gives_its_place_back() -> None:
    _, peer, conn = opened(limit=1)
    conn.receive(10, peer.now)
    peer.times(70, SYN | ACK)
    assert conn.state is State.CLOSED
    with pytest.raises(TimeoutError):
        conn.receive(10, peer.now)
    late = peer.another(41000)
    late.sends(SYN, HELLO, options=with_cookie(cookie_of(peer)))
    peer.expects(SYN | ACK, ack=add(PEER_ISS, 6))


def test_a_full_syn_queue_ends_fast_open_too() -> None:
    """SYN cookies take over: of a SYN they keep nothing, its data least of all (section 5.1)."""
    listener, peer = server(backlog=100, syn_backlog=2)
    cookie = cookie_of(peer)
    for port in (1000, 1001):
        peer.another(port).sends(SYN)
        peer.expects(SYN | ACK)
    late = peer.another(1002)
    late.sends(SYN, HELLO, options=with_cookie(cookie))
    assert peer.expects(SYN | ACK, ack=add(PEER_ISS, 1)).options.fast_open is None
    assert not listener.readable
    assert listener.half_open == 2
