"""What observers are told of the calls of the program: RFC 9293 section 3.10.1 to 3.10.6, and those of sockets.

The call is told first, then what it does, then its result.
"""

from __future__ import annotations

import errno

import pytest

from stack.link.memory import Ethernet
from stack.tcp.states import State
from stack.trace.event import Event
from tests.sim.network import Network
from tests.sim.raw_station import RawStation

from .told import Log, watch
from .world import ACK, FIN, RST, SYN, closed, established, in_state, syn_sent, text


def calls(log: Log) -> list[tuple[object, ...]]:
    """(call, octets or None, reason, result, reason of the result) of each call; everything is forgotten."""
    told = []
    for event in log.all("host:call"):
        data = event.data
        row: tuple[object, ...] = (data["call"], data.get("octets"), data["because"])
        results = [r for r in log.all("host:result") if r.n > event.n]
        if results and results[0].data["call"] == data["call"]:
            row += (results[0].data["result"], results[0].data.get("because"))
        told.append(row)
    log.events.clear()
    return told


def test_open() -> None:
    conn, peer = closed()
    log = watch(peer)
    conn.open(peer.now)
    peer.expects(SYN)
    assert [event.name for event in log.events[:6]] == [
        "tcp:open", "host:call", "tcp:iss", "tcp:state", "tcp:send", "host:result"
    ]  # fmt: skip
    call = log.one("host:call")
    assert (call.group, call.cause, call.why) == ("c1", "call", ("9293-3.10.1-b",))
    assert calls(log) == [("OPEN", 0, "call_open", 0, None)]
    with pytest.raises(OSError, match="Transport endpoint is already connected"):
        conn.open(peer.now)
    assert calls(log) == [("OPEN", 0, "call_open", "EISCONN", "call_failed")]


def test_send() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.send(b"hello", peer.now)
    peer.expects(ACK, b"hello")
    assert log.one("host:call").why == ("9293-3.10.2-a", "9293-3.10.2-b")
    assert log.one("host:call").data["urgent"] is False
    assert calls(log) == [("SEND", 5, "call_send", 5, None)]


def test_send_before_the_handshake_is_over() -> None:
    conn, peer = syn_sent()
    log = watch(peer)
    conn.send(b"early", peer.now)
    assert log.one("host:result").why == ("9293-3.10.2-a",)
    assert calls(log) == [("SEND", 5, "call_send", 5, "call_waits_for_handshake")]


def test_send_into_a_full_buffer() -> None:
    conn, peer = established(window=0, send_buffer_bytes=1000)
    log = watch(peer)
    conn.send(text(1000), peer.now)
    conn.send(b"more", peer.now)
    assert calls(log) == [
        ("SEND", 1000, "call_send", 1000, None),
        ("SEND", 4, "call_send", 0, "call_waits_for_room"),
    ]


def test_call_after_close() -> None:
    conn, peer = established()
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    log = watch(peer)
    with pytest.raises(BrokenPipeError):
        conn.send(b"x", peer.now)
    assert log.one("host:result").why == ("9293-3.10.2-b",)
    assert calls(log) == [("SEND", 1, "call_send", "EPIPE", "call_after_close")]


def test_receive() -> None:
    conn, peer = established()
    log = watch(peer)
    assert conn.receive(10, peer.now) is None
    peer.sends(ACK, b"hello")
    assert conn.receive(10, peer.now) == b"hello"
    peer.sends(FIN | ACK)
    assert conn.receive_into(memoryview(bytearray(3)), peer.now) == 0
    assert {event.cause for event in log.all("host:call")} == {"call"}
    assert calls(log) == [
        ("RECEIVE", 10, "call_receive", "wait", "receive_waits"),
        ("RECEIVE", 10, "call_receive", 5, None),
        ("RECEIVE", 3, "call_receive", 0, "receive_at_end"),
    ]
    peer.wait(1.0)
    peer.expects(ACK)


def test_receive_of_a_connection_that_was_reset() -> None:
    conn, peer = established()
    peer.sends(RST, seq=peer.snd_nxt)
    log = watch(peer)
    with pytest.raises(ConnectionResetError):
        conn.receive(10, peer.now)
    assert calls(log) == [("RECEIVE", 10, "call_receive", "ECONNRESET", "call_failed")]


def test_close_shutdown_abort_and_status() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.status()
    conn.shutdown_read(peer.now)
    conn.shutdown_write(peer.now)
    peer.expects(FIN | ACK)
    first = log.all("host:call")[-1]
    state = log.one("tcp:state")
    assert first.data["receives"] is True
    assert (first.n < state.n, state.cause, state.data["because"]) == (True, "call", "close")
    conn.close(peer.now)
    assert log.all("host:call")[-1].data["receives"] is False
    conn.abort(peer.now)
    peer.expects(RST | ACK)
    assert calls(log) == [
        ("STATUS", None, "call_status"),
        ("SHUTDOWN", None, "call_shutdown"),
        ("CLOSE", None, "call_close"),
        ("CLOSE", None, "call_close"),
        ("ABORT", None, "call_abort"),
    ]


def test_an_abort_by_the_host_is_no_call() -> None:
    conn, peer = established()
    log = watch(peer)
    conn.abort(peer.now, errno.ENETDOWN)
    peer.expects(RST | ACK)
    assert calls(log) == []


def test_a_listener() -> None:
    _, peer = closed()
    log = watch(peer)
    listener = peer.world.listen(5, peer.world.services.user_options)
    assert listener.accept() is None
    for port in (1, 2, 3):
        client = peer.another(port)
        client.sends(SYN)
        client.expects(SYN | ACK)
        if port < 3:
            client.sends(ACK)
    accepted = listener.accept()
    assert accepted is not None
    called = log.all("host:call")
    assert {event.group for event in called} == {"10.9.0.2:7"}
    assert [(event.data["call"], event.data["because"], event.data.get("result")) for event in called] == [
        ("LISTEN", "call_listen", None),
        ("ACCEPT", "accept_waits", "wait"),
        ("ACCEPT", "call_accept", "c1"),
    ]
    log.events.clear()
    listener.close(peer.now)
    ended = [(event.group, event.data["because"]) for event in log.all("tcp:state")]
    assert ended == [("c3", "listener_closed"), ("c2", "listener_closed")]
    assert calls(log) == [("CLOSE", None, "call_close_listener")]
    peer.world.sent.clear()
    assert accepted.state is State.ESTABLISHED


def test_what_a_call_sends_is_caused_by_it() -> None:
    """Between two batches of frames, in a whole host."""
    network = Network(1)
    ethernet = Ethernet()
    machine = network.machine("host")
    machine.attach(ethernet.attach("tap0"), "10.0.0.1/24")
    station = RawStation(network, ethernet)
    station.asks("10.0.0.1")
    network.run(for_s=0.1)
    events: list[Event] = []
    machine.host.watch(events.append)
    machine.connect("10.0.0.66", 7)
    assert [
        (event.name, event.cause, event.frame) for event in events if event.name in ("host:call", "wire:frame")
    ] == [
        ("host:call", "call", 0),
        ("wire:frame", "call", 0),
    ]


def test_calls_in_every_state() -> None:
    for state in State:
        conn, peer = in_state(state)
        log = watch(peer)
        conn.status()
        conn.abort(peer.now)
        assert [event.data["call"] for event in log.all("host:call")] == ["STATUS", "ABORT"]
        peer.world.sent.clear()
