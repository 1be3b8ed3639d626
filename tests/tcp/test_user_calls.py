"""SEND, RECEIVE, ABORT and STATUS in every state: RFC 9293 sections 3.10.2, 3.10.3, 3.10.5 and
3.10.6.
"""

from __future__ import annotations

import errno

import pytest

from stack.tcp.states import State
from tests.requirements import rfc
from tests.user_options import set_options

from .world import ACK, FIN, OUR_ISS, RST, SYN, add, closed, established, in_state, syn_sent, text

MAY_SEND = (State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT)

# --- 3.10.2 SEND


@rfc("9293-3.10.2-b")
@pytest.mark.parametrize("state", [s for s in State if s > State.LISTEN and s not in MAY_SEND])
def test_send_after_close_is_refused(state: State) -> None:
    conn, peer = in_state(state)
    with pytest.raises(BrokenPipeError):
        conn.send(b"x", peer.now)
    peer.silent()


@pytest.mark.parametrize(("state", "number"), [(State.CLOSED, errno.EPIPE), (State.LISTEN, errno.ENOTCONN)])
def test_send_before_open_is_refused(state: State, number: int) -> None:
    conn, peer = in_state(state)
    with pytest.raises(OSError) as refused:
        conn.send(b"x", peer.now)
    assert refused.value.errno == number


@rfc("9293-3.10.2-a")
def test_send_before_established_queues_the_data() -> None:
    conn, peer = syn_sent()
    assert conn.send(b"one ", peer.now) == 4
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    assert conn.send(b"two", peer.now) == 3
    peer.silent()
    peer.sends(ACK)
    peer.expects(ACK, b"one two", seq=add(OUR_ISS, 1))


def test_send_takes_what_the_buffer_has_room_for() -> None:
    conn, peer = established(window=0)
    conn.sndbuf = 1000
    assert conn.send(text(600), peer.now) == 600
    assert conn.send(text(600), peer.now) == 400
    assert not conn.writable
    assert conn.send(b"x", peer.now) == 0
    peer.silent()


def test_with_a_mark_a_send_takes_one_super_frame_more_than_the_mark_wants() -> None:
    conn, peer = established(window=0)
    set_options(conn, notsent_lowat=1000)
    assert conn.send(bytes(999), peer.now) == 999
    assert conn.send(bytes(1_000_000), peer.now) == 65536 // 1460 * 1460
    assert conn.send(b"x", peer.now) == 0


def test_what_the_windows_let_through_does_not_count_against_the_mark() -> None:
    conn, peer = established(window=0xFFFF)
    conn.congestion.cwnd, conn.last_sent_at = 1 << 20, peer.now
    set_options(conn, notsent_lowat=1000)
    quantum = 65536 // 1460 * 1460
    assert conn.send(text(1_000_000), peer.now) == 2 * quantum  # of which one is on its way
    for _ in range(44):
        peer.expects(ACK, 1460)
    assert conn.unsent == 2 * quantum - 44 * 1460


def test_send_after_close_is_refused_while_the_fin_waits() -> None:
    """CLOSE-WAIT and SYN-RECEIVED last until the FIN can be sent."""
    conn, peer = in_state(State.CLOSE_WAIT)
    peer.sends(ACK, window=0)
    conn.send(b"x", peer.now)
    conn.shutdown_write(peer.now)
    assert conn.state is State.CLOSE_WAIT
    with pytest.raises(BrokenPipeError):
        conn.send(b"y", peer.now)
    assert conn.send_buffer.size == 1


def test_a_send_buffer_made_smaller_than_what_it_holds_takes_nothing() -> None:
    conn, peer = established(window=0)
    conn.send(text(5000), peer.now)
    conn.sndbuf = 3000
    assert conn.send(text(100), peer.now) == 0
    assert conn.send_buffer.size == 5000


def test_an_empty_send_takes_nothing_and_sends_nothing() -> None:
    conn, peer = established()
    assert conn.send(b"", peer.now) == 0
    peer.silent()


def test_a_full_buffer_is_writable_again_when_something_is_acknowledged() -> None:
    conn, peer = established(window=1000)
    conn.sndbuf = 1000
    told: list[int] = []
    conn.on_writable = lambda: told.append(conn.send_buffer.size)
    conn.send(text(1000), peer.now)
    peer.expects(ACK, 1000)
    assert not conn.writable
    peer.sends(ACK, ack=add(OUR_ISS, 301))
    assert told == [700]
    assert conn.send(text(1000), peer.now) == 300
    peer.sends(ACK, ack=add(OUR_ISS, 1001))
    peer.expects(ACK, 300)


def test_a_larger_buffer_wakes_a_sender_that_waits() -> None:
    conn, peer = established(window=0)
    conn.sndbuf = 1000
    conn.send(text(1000), peer.now)
    told: list[str] = []
    conn.on_writable = lambda: told.append("writable")
    conn.options_changed(peer.now)
    assert told == []
    conn.sndbuf = 2000
    conn.options_changed(peer.now)
    assert told == ["writable"]


def test_notsent_lowat_says_when_a_send_may_start() -> None:
    conn, peer = established(window=1000)
    set_options(conn, notsent_lowat=500)
    assert conn.send(text(1499), peer.now) == 1499  # 1,000 of them go out at once
    peer.expects(ACK, 1000)
    assert conn.unsent == 499
    assert conn.writable
    assert conn.send(b"x", peer.now) == 1
    assert not conn.writable
    assert conn.send(b"x", peer.now) == 0
    peer.sends(ACK, ack=add(OUR_ISS, 1001))
    peer.expects(ACK, 500)
    assert conn.writable


# --- 3.10.3 RECEIVE


@pytest.mark.parametrize(
    "state", [State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2]
)
def test_receive_waits_while_data_may_come(state: State) -> None:
    conn, peer = in_state(state)
    assert not conn.readable
    assert conn.receive(100, peer.now) is None
    assert conn.receive_into(memoryview(bytearray(9)), peer.now) is None


@rfc("9293-3.10.3-a")
@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT])
def test_receive_after_the_fin_is_the_end(state: State) -> None:
    conn, peer = in_state(state)
    assert conn.readable
    assert conn.receive(100, peer.now) == b""
    assert conn.receive_into(memoryview(bytearray(9)), peer.now) == 0


@rfc("9293-3.10.3-a")
def test_receive_in_close_wait_is_served_from_what_came() -> None:
    conn, peer = established()
    peer.sends(FIN | ACK, b"all of it")
    peer.expects(ACK)
    assert conn.receive(4, peer.now) == b"all "
    target = bytearray(3)
    assert conn.receive_into(memoryview(target), peer.now) == 3
    assert bytes(target) == b"of "
    assert conn.receive(100, peer.now) == b"it"
    assert conn.receive(100, peer.now) == b""


def test_receive_in_listen_is_refused() -> None:
    conn, peer = in_state(State.LISTEN)
    with pytest.raises(OSError) as refused:
        conn.receive(1, peer.now)
    assert refused.value.errno == errno.ENOTCONN


def test_an_error_is_reported_once_then_the_end() -> None:
    conn, peer = established()
    peer.sends(RST, seq=conn.rcv_nxt)
    with pytest.raises(ConnectionResetError):
        conn.send(b"x", peer.now)
    with pytest.raises(BrokenPipeError):
        conn.send(b"x", peer.now)
    assert conn.receive(1, peer.now) == b""


def test_reading_what_came_before_a_reset_sends_nothing() -> None:
    """The buffer has room again, but there is no connection any more to announce it on."""
    conn, peer = established(receive_buffer_bytes=3000)
    peer.sends(ACK, text(2999))
    peer.expects(ACK)
    peer.sends(RST, seq=conn.rcv_nxt)
    assert conn.receive(10_000, peer.now) == text(2999)
    peer.silent()


def test_callables_are_called_once_a_batch_after_it() -> None:
    conn, peer = established()
    told: list[int] = []
    conn.on_readable = lambda: told.append(conn.receive_buffer.size)
    with peer.batch():
        for _ in range(10):
            peer.sends(ACK, b"x")
        assert told == []
    assert told == [10]
    peer.wait(0.5)
    peer.expects(ACK)


def test_what_was_read_is_never_changed_by_what_comes_later() -> None:
    conn, peer = established()
    peer.sends(ACK, b"first")
    first = conn.receive(100, peer.now)
    peer.sends(ACK, b"second")
    assert first == b"first"
    peer.wait(0.5)
    peer.expects(ACK)


# --- what is sent is what was given


@pytest.mark.parametrize("size", [1, 1023, 1024, 1460, 5000])
@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_the_user_may_change_is_copied(size: int, kind: type[bytearray] | type[memoryview]) -> None:
    """A bytearray, or a view of one, is overwritten after SEND: what goes out, then and later, is what was given."""
    conn, peer = established()
    set_options(conn, nodelay=True)
    wanted = text(size)
    array = bytearray(wanted)
    assert conn.send(array if kind is bytearray else memoryview(array), peer.now) == size
    array[:] = b"!" * size
    for again in range(2):
        sent = b""
        while peer.world.sent:
            sent += peer.world.sent.pop(0).data
        assert sent == (wanted if not again else wanted[:1460])
        peer.wait(0.25)
    peer.world.sent.clear()


@pytest.mark.parametrize("whole", [True, False])
def test_bytes_are_kept_without_a_copy(whole: bool) -> None:
    conn, peer = established(window=0)
    data = text(4096)
    conn.send(data if whole else memoryview(data)[100:3000], peer.now)
    (part,) = conn.send_buffer.parts(0, conn.send_buffer.size)
    if whole:
        assert part is data
    else:
        assert isinstance(part, memoryview)
        assert part.obj is data


def test_a_view_may_be_released_after_send() -> None:
    conn, peer = established()
    with memoryview(text(2000)) as view:
        conn.send(view, peer.now)
    peer.expects(ACK, 1460)
    peer.sends(ACK)
    peer.expects(ACK, text(540, 1460))


# --- 3.10.5 ABORT


@rfc("9293-3.10.5-a")
@pytest.mark.parametrize(
    "state", [State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT]
)
def test_abort_sends_a_reset(state: State) -> None:
    conn, peer = in_state(state)
    if state in MAY_SEND:
        conn.send(b"never delivered", peer.now)
        peer.world.sent.clear()
    numbers = conn.snd_nxt, conn.rcv_nxt
    conn.abort(peer.now)
    peer.expects(RST | ACK, seq=numbers[0], ack=numbers[1])
    assert conn.state is State.CLOSED
    assert conn.send_buffer.size == 0
    assert peer.world.closed == [conn]
    peer.wait(1000)


@rfc("9293-3.10.5-b")
@pytest.mark.parametrize(
    "state", [State.CLOSED, State.LISTEN, State.SYN_SENT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT]
)
def test_abort_without_a_reset(state: State) -> None:
    conn, peer = in_state(state)
    conn.abort(peer.now)
    assert conn.state is State.CLOSED
    peer.silent()
    peer.wait(1000)


def test_abort_by_the_host_is_reported_to_calls_that_wait() -> None:
    conn, peer = established()
    told: list[str] = []
    conn.on_readable = lambda: told.append("readable")
    conn.on_writable = lambda: told.append("writable")
    conn.abort(peer.now, errno.ENETDOWN)
    peer.expects(RST | ACK)
    assert sorted(told) == ["readable", "writable"]
    with pytest.raises(OSError) as down:
        conn.send(b"x", peer.now)
    assert down.value.errno == errno.ENETDOWN


def test_abort_twice_is_fine() -> None:
    conn, peer = established()
    conn.abort(peer.now)
    peer.expects(RST | ACK)
    conn.abort(peer.now)
    peer.silent()
    assert peer.world.closed == [conn]


# --- 3.10.6 STATUS


@pytest.mark.parametrize("state", list(State))
def test_status_has_the_state(state: State) -> None:
    conn, _ = in_state(state)
    assert conn.status().state == state.name.replace("_", "-")


def test_status_has_what_the_rfc_lists() -> None:
    conn, peer = established(window=2000)
    peer.sends(ACK, b"unread")
    peer.sends(ACK, b"early", seq=add(conn.rcv_nxt, 10))
    peer.expects(ACK)
    conn.send(text(3000), peer.now)
    peer.expects(ACK, 1460)
    status = conn.status()
    assert (status.local, status.remote) == (conn.local, conn.remote)
    assert (status.receive_window, status.send_window) == (60000 - 6, 2000)
    assert (status.unacknowledged, status.unsent) == (1460, 1540)
    assert (status.unread, status.out_of_order) == (6, 5)
    assert (status.mss, status.user_timeout_s) == (1460, 300.0)


# --- TTL and Diffserv


@rfc("9293 MUST-49", "9293 MUST-48", "9293 SHLD-21")
def test_ttl_and_diffserv_go_to_the_path() -> None:
    conn, _ = established()
    conn.ttl, conn.tos = 3, 0xB8
    assert (conn.path.ttl, conn.path.tos) == (3, 0xB8)
    assert (conn.ttl, conn.tos) == (3, 0xB8)


# --- the Internet layer may fail


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EMSGSIZE])
def test_a_segment_that_cannot_be_sent_is_as_good_as_lost(number: int) -> None:
    conn, peer = established()
    peer.world.wire(conn).refuses = number
    conn.send(b"x", peer.now)
    peer.silent()
    assert peer.world.counters["tcp_not_sent"] == 1
    assert conn.soft_error == number
    peer.world.wire(conn).refuses = 0
    peer.wait(0.25)
    peer.expects(ACK, b"x")
    peer.sends(ACK)
    assert conn.soft_error == 0


def test_a_connection_gives_its_path_back() -> None:
    conn, peer = established()
    conn.abort(peer.now)
    peer.expects(RST | ACK)
    assert peer.world.wire(conn).closed


def test_a_connection_can_be_asked_before_it_is_opened() -> None:
    conn, peer = closed()
    assert conn.readable
    assert conn.writable
    assert conn.receive(1, peer.now) == b""
    conn.options_changed(peer.now)
    peer.silent()
