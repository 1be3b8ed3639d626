"""The client of TCP Fast Open, packet by packet. RFC 7413 sections 4.1.3 and 4.2."""

from __future__ import annotations

import errno

import pytest

from stack.tcp import fast_open, seq
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp_options import TcpOptions
from tests.requirements import rfc
from tests.user_options import set_options

from .fast_open_ends import (
    COOKIE,
    GIVEN,
    HELLO,
    PLAIN,
    again,
    asks,
    client,
    refused,
    where,
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
    World,
    add,
    config,
    text,
)

# --- the client's cache (section 4.1.3)


@rfc("7413-4.1.3-a", "7413-4.2.2-g")
def test_the_latest_cookie_of_a_pair_of_addresses_is_used_for_all_its_ports() -> None:
    conn, peer = client()
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    peer.sends(SYN | ACK, options=TcpOptions(mss=600, fast_open=b"newer!"))
    peer.expects(ACK)
    other = peer.world.new_connection((THEIRS[0], 80))
    other.open(peer.now, text(2000), fast=True)
    syn = peer.expects(SYN, 600 - 12)
    assert syn.options.fast_open == b"newer!"
    elsewhere = peer.world.new_connection((bytes((10, 9, 0, 77)), 80))
    elsewhere.open(peer.now, HELLO, fast=True)
    assert asks(peer.expects(SYN))
    assert len(conn.services.cookie_cache) == 1


@rfc("7413-4.2.2-g")
def test_an_mss_alone_is_news_too() -> None:
    conn, peer = client(mss=536)
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    peer.sends(SYN | ACK, options=TcpOptions(mss=1000))
    peer.expects(ACK)
    assert conn.services.cookie_cache.cookie(where()) == (COOKIE, 1000)


@rfc("7413-4.1.3-b")
def test_no_more_than_1460_of_an_mss_is_kept() -> None:
    conn, peer = client(mss=8960)
    assert conn.services.cookie_cache.cookie(where()) == (COOKIE, 1460)
    peer.world.wire(conn).mtu = 9000
    conn.open(peer.now, text(9000), fast=True)
    syn = peer.expects(SYN, 1460 - 16)
    assert len(syn.raw_options) == 16


def test_the_path_s_mtu_limits_the_data_as_well() -> None:
    conn, peer = client()
    peer.world.wire(conn).mtu = 576
    conn.open(peer.now, text(9000), fast=True)
    peer.expects(SYN, 576 - 40 - 16)


@rfc("7413-4.1.3-a")
def test_the_cache_is_bounded_and_keeps_what_is_used() -> None:
    servers = fast_open.CookieCache(config(fast_open_servers=3))
    paths = [(OURS[0], bytes((10, 9, 0, n)), 80) for n in range(5)]
    for path in paths[:3]:
        servers.learn(path, COOKIE, MSS)
    assert servers.cookie(paths[0]) is not None
    servers.learn(paths[3], COOKIE, MSS)
    assert [servers.cookie(path) is not None for path in paths] == [True, False, True, True, False]
    for path in paths:
        servers.failed(path, 0.0)
    assert len(servers) == 6
    assert [servers.may_try(path, 1.0) for path in paths] == [True, True, False, False, False]


@rfc("7413-4.2.2-a")
def test_without_a_cookie_no_data_goes_with_the_syn() -> None:
    conn, peer = client(cookie=None)
    conn.open(peer.now, text(3000), fast=True)
    assert asks(peer.expects(SYN))
    peer.silent()
    assert conn.flight == 1


# --- what did not work (sections 4.1.3.1, 4.2.1, 4.2.2)


@rfc("7413-4.2.2-e")
@pytest.mark.parametrize("taken", [0, 100, 499])
def test_data_that_the_syn_ack_does_not_acknowledge_goes_with_the_first_ack(taken: int) -> None:
    conn, peer = client()
    conn.open(peer.now, text(500), fast=True)
    peer.expects(SYN | PSH, text(500))
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 1 + taken), options=GIVEN)
    peer.expects(PSH | ACK, text(500 - taken, taken), seq=add(OUR_ISS, 1 + taken), ack=peer.snd_nxt)
    assert conn.state is State.ESTABLISHED
    assert peer.world.counters["tcpFastOpenActive" if taken else "tcpFastOpenActiveFail"] == 1
    peer.sends(ACK)
    assert conn.send_buffer.size == 0


def test_it_goes_in_as_many_segments_as_the_server_s_mss_asks_for() -> None:
    conn, peer = client(sack=True, rack=True)
    conn.open(peer.now, text(3000), fast=True)
    peer.expects(SYN, text(1440))
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 1), options=TcpOptions(mss=1000, sack_permitted=True, fast_open=COOKIE))
    for start, end in ((0, 1000), (1000, 1440), (1440, 2440)):
        peer.expects(ACK, text(end - start, start), seq=add(OUR_ISS, 1 + start))
    peer.sends(ACK)
    peer.expects(PSH | ACK, text(560, 2440))
    peer.sends(ACK)
    assert conn.flight == 0


@rfc("7413-4.1.3.1-a", "7413-4.1.3.1-b")
def test_a_server_that_does_not_take_the_data_is_left_alone_for_a_while() -> None:
    conn, peer = client()
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 1), options=PLAIN)
    peer.expects(PSH | ACK, HELLO)
    refused(conn, peer)
    for wait_s, tries in ((0, False), (59, False), (2, True)):
        peer.wait(wait_s)
        conn, _ = again(peer)
        conn.open(peer.now, HELLO, fast=True)
        syn = peer.world.sent[0]
        assert (syn.data, syn.options.fast_open) == ((HELLO, COOKIE) if tries else (b"", None))
        refused(conn, peer)
    other = peer.world.new_connection((THEIRS[0], 80))
    other.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)  # it was that port's service


@rfc("7413-4.1.3.1-a", "7413-4.2.2-b", "7413-4.2.1-b")
def test_no_answer_is_a_negative_one_and_the_syn_goes_again_without_it() -> None:
    conn, peer = client()
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    peer.wait(1.0)
    assert peer.expects(SYN, seq=OUR_ISS).options.fast_open is None
    assert not conn.services.cookie_cache.may_try(where(), peer.now)
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 1), options=PLAIN)
    peer.expects(PSH | ACK, HELLO, seq=add(OUR_ISS, 1))
    assert conn.state is State.ESTABLISHED
    assert not conn.services.cookie_cache.may_try(where(), peer.now)


@rfc("7413-4.1.3.1-a")
def test_an_answer_that_came_late_shows_that_nothing_is_wrong_with_the_path() -> None:
    """Section 4.2.2, the heuristic: the SYN,ACK of the first SYN was slow; the server has the data."""
    conn, peer = client()
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    peer.wait(1.0)
    peer.expects(SYN)
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 6), options=PLAIN)
    peer.expects(ACK, seq=add(OUR_ISS, 6))
    assert conn.fast_opened
    assert conn.services.cookie_cache.may_try(where(), peer.now)


@rfc("7413-4.1.3.1-a")
@pytest.mark.parametrize("what", ["reset", "port unreachable", "net unreachable", "user timeout"])
def test_other_negative_answers(what: str) -> None:
    conn, peer = client()
    if what == "user timeout":
        set_options(conn, user_timeout_s=0.5)
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    if what == "reset":
        peer.sends(RST | ACK, seq=0)
    elif what == "user timeout":
        peer.wait(1)
    else:
        conn.icmp_error(errno.ECONNREFUSED, what == "port unreachable", conn.snd_una, peer.now)
    assert not conn.services.cookie_cache.may_try(where(), peer.now)


@rfc("7413-4.2.1-d", "7413-4.1.3.1-a")
@pytest.mark.parametrize("answered", [True, False])
def test_a_server_that_gives_no_cookie_is_asked_again_only_after_a_while(answered: bool) -> None:
    conn, peer = client(cookie=None)
    conn.open(peer.now, b"", fast=True)
    assert asks(peer.expects(SYN))
    if not answered:
        peer.wait(1.0)
        assert peer.expects(SYN).options.fast_open is None
    peer.sends(SYN | ACK, options=PLAIN)
    peer.expects(ACK)
    refused(conn, peer)
    for wait_s, asked in ((50, False), (20, True)):
        peer.wait(wait_s)
        conn, _ = again(peer)
        conn.open(peer.now, b"", fast=True)
        assert asks(peer.world.sent[0]) == asked
        refused(conn, peer)


@rfc("7413-4.1.3.1-b")
def test_the_pause_doubles_up_to_its_limit_and_success_ends_it() -> None:
    servers = fast_open.CookieCache(config(fast_open_retry_s=60.0, fast_open_retry_max_s=200.0))
    now = 0.0
    for pause_s in (60, 120, 200, 200):
        servers.failed(where(), now)
        assert not servers.may_try(where(), now + pause_s - 1)
        now += pause_s
        assert servers.may_try(where(), now)
    servers.worked(where())
    servers.failed(where(), now)
    assert servers.may_try(where(), now + 60)


def test_syns_that_cross_both_with_data() -> None:
    """Section 4.2.2, "a special case": the data waits for the handshake, and none is lost or taken twice."""
    conn, peer = client()
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    peer.sends(SYN, b"there", options=GIVEN)
    assert peer.expects(SYN | ACK, seq=OUR_ISS, ack=add(PEER_ISS, 1)).options.fast_open is None
    assert conn.state is State.SYN_RECEIVED
    peer.sends(SYN | ACK, seq=PEER_ISS, ack=add(OUR_ISS, 1), options=PLAIN)
    peer.expects(PSH | ACK, HELLO, seq=add(OUR_ISS, 1), ack=add(PEER_ISS, 6))
    assert conn.receive(10, peer.now) == b"there"


# --- an OPEN that waits for the first SEND (TCP_FASTOPEN_CONNECT)


def deferred() -> tuple[Connection, Peer]:
    conn, peer = client()
    set_options(conn, fast_open_connect=True)
    conn.deferred = True
    return conn, peer


def test_a_deferred_open_takes_the_first_send_along() -> None:
    conn, peer = deferred()
    peer.wait(1000)
    peer.silent()
    assert (conn.state, conn.writable, conn.readable) == (State.CLOSED, True, False)
    assert conn.send(HELLO, peer.now) == 5
    assert peer.expects(SYN | PSH, HELLO).options.fast_open == COOKIE
    assert conn.send(b" and more", peer.now) == 9
    peer.sends(SYN | ACK, options=PLAIN)
    peer.expects(PSH | ACK, b" and more", seq=add(OUR_ISS, 6))


@pytest.mark.parametrize("into", [False, True])
def test_a_user_that_receives_first_sends_the_syn_without_data(into: bool) -> None:
    conn, peer = deferred()
    assert (conn.receive_into(memoryview(bytearray(5)), peer.now) if into else conn.receive(5, peer.now)) is None
    peer.world.settle()
    assert peer.expects(SYN).options.fast_open == COOKIE
    assert conn.state is State.SYN_SENT


@pytest.mark.parametrize("number", [0, errno.ENETDOWN])
def test_a_deferred_open_that_never_comes_leaves_nothing(number: int) -> None:
    conn, peer = deferred()
    if number:
        conn.abort(peer.now, number)
        with pytest.raises(OSError) as caught:
            conn.send(HELLO, peer.now)
        assert caught.value.errno == number
    else:
        conn.close(peer.now)
    assert not peer.world.connections
    assert peer.world.closed == [conn]
    assert conn.path.closed  # type: ignore[attr-defined]
    peer.silent()


@pytest.mark.parametrize("call", ["shutdown_write", "close"])
def test_a_close_right_after_the_data_waits_for_the_handshake(call: str) -> None:
    conn, peer = deferred()
    conn.send(HELLO, peer.now)
    peer.expects(SYN | PSH, HELLO)
    getattr(conn, call)(peer.now)
    assert conn.state is State.SYN_SENT
    peer.sends(SYN | ACK, b"" if call == "close" else b"early", options=PLAIN)
    peer.expects(FIN | ACK, seq=add(OUR_ISS, 6), ack=peer.snd_nxt)
    assert conn.state is State.FIN_WAIT_1
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    assert conn.state is State.TIME_WAIT


def test_a_closed_window_in_the_syn_ack_keeps_the_data_waiting() -> None:
    conn, peer = client()
    conn.open(peer.now, HELLO, fast=True)
    peer.expects(SYN | PSH, HELLO)
    peer.sends(SYN | ACK, ack=add(OUR_ISS, 1), window=0, options=GIVEN)
    peer.expects(ACK, seq=conn.snd_nxt, ack=peer.snd_nxt)
    peer.sends(ACK, ack=add(OUR_ISS, 1), window=1000)
    peer.expects(PSH | ACK, HELLO, seq=add(OUR_ISS, 1))


def test_numbers_of_a_world_that_wraps() -> None:
    """Both initial sequence numbers lie just below 2**32: data in the SYN crosses it."""
    conn, peer = client()
    conn.open(peer.now, text(100), fast=True)
    peer.expects(SYN | PSH, text(100), seq=OUR_ISS)
    assert seq.lt(OUR_ISS, conn.snd_nxt)
    assert conn.snd_nxt < OUR_ISS
    assert isinstance(peer.world, World)
    peer.sends(SYN | ACK, options=PLAIN)
    peer.expects(ACK)
    assert conn.snd_una == conn.snd_nxt
