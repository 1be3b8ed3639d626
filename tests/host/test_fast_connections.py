"""Fast is plain, for connections as a whole: how they open and end, and any row of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.config import TcpConfig
from stack.host.fast.tcp import MOST_SOURCES
from stack.internet.ipv4_input import Ipv4Input
from stack.tcp import predict
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG
from tests.host.fast_and_plain import (
    MSS,
    TCP_CHANGES,
    Piece,
    Script,
    Told,
    Twin,
    both,
    by_another_link,
    changed,
    picture,
    repaired,
    scripts,
)
from tests.tcp.world import config

script, test_fast_is_plain = scripts()


# --- opening


def syn_around(change: Script) -> Script:
    """A SYN from a host that has opened connections before, as all do here."""

    def run(twin: Twin) -> None:
        change(twin)
        twin.hears(twin.segment(Piece(-1, 0, SYN, port=4002)))
        twin.passes(1.0)

    return run


for what, change in TCP_CHANGES.items():
    script(f"a SYN, and before it: {what}")(syn_around(change))


@script("a SYN with each octet changed, and with padding")
def _(twin: Twin) -> None:
    frame = twin.segment(Piece(-1, 0, SYN, port=4002))
    for at in range(len(frame)):
        for octet in (1, 0x80):
            twin.hears(changed(frame, at, frame[at] ^ octet))
            twin.hears(changed(frame, at, frame[at] ^ octet), verified=(True,))
    twin.hears(frame + bytes(6))


def test_the_next_syn_of_a_host_needs_no_ip_input(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = Twin(True)
    monkeypatch.delattr(Ipv4Input, "receive")
    twin.open(4002)


@script("a SYN after the last connection has ended")
def _(twin: Twin) -> None:
    for connection in twin.connections:
        connection.abort(twin.now)
    twin.host.after_call(twin.now)
    if twin.host.fast is not None:
        assert not twin.fast.tcp.sources
    twin.hears(twin.segment(Piece(-1, 0, SYN, port=4002)))


@script("SYNs by another link")
def _(twin: Twin) -> None:
    by_another_link(twin, *(twin.segment(Piece(-1, 0, SYN, port=5000 + number)) for number in range(8)))


@script("segments of no connection from a known host")
def _(twin: Twin) -> None:
    twin.hears(*(twin.segment(Piece(0, 4, flags, port=4002)) for flags in (ACK, RST, FIN | ACK, 0, SYN | ACK)))


@script("hosts beyond number")
def _(twin: Twin) -> None:
    for number in range(1100):
        source = bytes((10, 0, 1 + number // 200, 1 + number % 200))
        twin.hears(repaired(from_host(twin.segment(Piece(-1, 0, SYN, port=4002)), source)), verified=(True,))
        if twin.host.fast is not None:
            assert len(twin.fast.tcp.sources) <= MOST_SOURCES


def from_host(frame: bytes, source: bytes) -> bytes:
    return frame[:26] + source + frame[30:]


@script("a fragment with the Identification of a SYN that follows")
def _(twin: Twin) -> None:
    frame = twin.segment(Piece(-1, 0, SYN, port=4002))
    frame = repaired(frame[:20] + b"\0\0" + frame[22:])
    twin.hears(repaired(frame[:20] + b"\x20\0" + frame[22:]))
    twin.hears(frame)
    twin.passes(120.0)


# --- opening and closing


def half_open(twin: Twin) -> Connection:
    """A connection from port 4002, in SYN-RECEIVED."""
    twin.hears(twin.segment(Piece(-1, 0, SYN, port=4002)))
    connection = next(each for each in twin.host.tcp.connections.values() if each.remote[1] == 4002)
    twin.acked[4002] = connection.snd_nxt
    return connection


def test_a_user_that_ends_a_connection_as_soon_as_it_is_open() -> None:
    ended = []

    def run(twin: Twin) -> None:
        def abort() -> None:
            connection = twin.listener.accept()
            assert connection is not None
            connection.abort(twin.now)

        connection = half_open(twin)
        twin.listener.on_readable = abort
        twin.hears(twin.segment(Piece(0, 0, port=4002)), twin.segment(Piece(0, 100, port=4002)))
        assert connection.state is State.CLOSED
        ended.append(picture(connection))

    both(run)
    assert ended[0] == ended[1]


@script("no memory for another connection")
def _(twin: Twin) -> None:
    connection = half_open(twin)
    twin.host.budget.high = twin.host.budget.used
    twin.hears(twin.segment(Piece(0, 0, port=4002)))
    assert connection.state is State.SYN_RECEIVED


@script("a FIN that comes before the text")
def _(twin: Twin) -> None:
    twin.hears(twin.segment(Piece(MSS, 0, ACK | FIN, ack=-1)))  # an old ACK: the window stays as it was
    twin.hears(twin.segment(Piece(0)))
    assert twin.connections[0].state is State.CLOSE_WAIT


@script("a FIN on each of a row of segments")
def _(twin: Twin) -> None:
    twin.hears(*(twin.segment(Piece(number * MSS, flags=ACK | FIN)) for number in range(4)))


@script("a listener that closes before the handshake is over")
def _(twin: Twin) -> None:
    half_open(twin)
    twin.listener.close(twin.now)
    twin.hears(twin.segment(Piece(0, 0, port=4002)))


# --- segments of all kinds, one after another

EXTENSIONS = {"timestamps": True, "sack": True, "rack": True, "prr": True, "window_scaling": True, "auto_tuning": True}

lengths = st.sampled_from([0, 0, 1, 100, 536, 1448, 1460, 1460, 4000])
SEGMENT = st.tuples(
    st.just("arrives"),
    lengths,
    st.sampled_from([0] * 12 + [1, 1460, -1, -1460, 70000]),
    st.sampled_from([0, 0, 1, 536, 1448, 1460, 2896, 1 << 20]),
    st.sampled_from([0xFFFF] * 8 + [0x8000, 100, 0]),
    st.sampled_from([PSH] * 6 + [0] * 6 + [FIN, SYN, RST, URG]),
    st.sampled_from([0] * 12 + [1, 5000, -7]),
    st.sampled_from([False] * 8 + [True]),
)
# As in a quiet transfer: what prediction is made for.
QUIET = st.tuples(
    st.just("arrives"),
    lengths,
    st.just(0),
    st.sampled_from([0, 1, 536, 1448, 1 << 20]),
    st.sampled_from([0xFFFF, 0xFFF0]),
    st.sampled_from([0, PSH]),
    st.just(0),
    st.just(False),
)
CALM = st.one_of(
    QUIET,
    QUIET,
    st.tuples(st.just("passes"), st.sampled_from([0.0, 0.001, 0.02, 0.05, 0.3, 2.0])),
    st.tuples(st.just("send"), st.sampled_from([1, 100, 1460, 5000, 30000])),
    st.tuples(st.just("receive"), st.sampled_from([1, 1460, 1 << 20])),
)
WILD = st.one_of(CALM, SEGMENT, st.tuples(st.just("close")))


@pytest.mark.parametrize("extensions", [{}, EXTENSIONS, {**EXTENSIONS, "rack": False}, {"timestamps": True}])
def test_any_row_of_segments_is_taken_as_by_the_slow_path(
    extensions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = 0

    def counted(*arguments: Any) -> int:
        nonlocal predictions
        taken = predict.predicted(*arguments)
        predictions += taken != predict.NOT_PREDICTED
        return taken

    monkeypatch.setattr("stack.host.fast.tcp.predicted", counted)

    @settings(derandomize=True, max_examples=60, deadline=None)
    @given(st.lists(CALM, min_size=8, max_size=20), st.lists(WILD, max_size=20))
    def run(calm: list[tuple[Any, ...]], wild: list[tuple[Any, ...]]) -> None:
        fast, plain = (Told(fast_paths, config(**extensions)) for fast_paths in (True, False))
        for event in calm + wild:
            fast.do(event)
            plain.do(event)
            assert fast.state() == plain.state(), event
            if fast.conn.state is State.CLOSED:
                break

    run()
    assert predictions > 100, "hardly anything was predicted"


# --- from the handshake to the end


def a_life(random: Random) -> Iterator[tuple[Any, ...]]:
    """What a quiet peer and a quiet user do, and one time in eight something else."""
    for _ in range(random.randrange(4, 16)):
        wild = random.random() < 1 / 8
        match random.choice(("arrives", "arrives", "arrives", "user", "passes")):
            case "arrives":
                length, flags = random.choice(((0, 0), (0, 0), (0, FIN), (1, PSH), (1460, FIN | PSH)))
                ahead, window, age, sack = 0, 0xFFFF, 0, False
                if wild:
                    flags = random.choice((flags, SYN, RST, URG))
                    ahead, window = random.choice((0, 1, -1, 1460)), random.choice((window, 100, 0))
                    age, sack = random.choice((0, 1, -7)), random.random() < 0.5
                yield "arrives", length, ahead, random.choice((0, 1, 1 << 20, 1 << 20)), window, flags, age, sack
            case "user":
                yield random.choice(
                    (("send", 1), ("send", 5000), ("receive", 1 << 20), ("shut",), ("close",), ("room",))
                )
            case _:
                yield "passes", random.choice((0.001, 0.05, 0.5)) if not wild else 60.0


class Young(Told):
    """A host with a connection in SYN-RECEIVED, which is accepted as soon as it can be."""

    def __init__(self, fast_paths: bool, tcp: TcpConfig, *, backlog: int, defer_accept_s: int) -> None:
        super().__init__(fast_paths, tcp)
        self.listener.options = replace(self.listener.options, defer_accept_s=defer_accept_s)
        self.port = 4002
        self.hears(self.segment(Piece(-1, 0, SYN, window=0xFFFF, port=self.port, stamp=self.stamp)))
        self.conn = next(each for each in self.host.tcp.connections.values() if each.remote[1] == self.port)
        self.listener.backlog = backlog
        self.accepted = False

    def user(self, call: Callable[[Connection, float], object]) -> None:
        self.accepted = self.accepted or self.listener.accept() is not None
        if self.accepted:
            super().user(call)

    def do(self, event: tuple[Any, ...]) -> None:
        if event == ("shut",):
            self.user(lambda conn, now: conn.shutdown_write(now))
        elif event == ("close",):
            self.user(lambda conn, now: conn.close(now))
        elif event == ("room",):
            self.listener.backlog = 8
        else:
            super().do(event)
        self.hears()


@pytest.mark.parametrize("extensions", [{}, EXTENSIONS, {**EXTENSIONS, "rack": False}])
def test_every_life_of_a_connection_is_as_by_the_slow_path(
    extensions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted_in = set()

    def listening(tcb: Connection, data: memoryview, now: float) -> int:
        state, fin = tcb.state, data[13] & FIN
        taken = predict.predicted(tcb, data, now)
        if taken:
            predicted_in.add((state.name, bool(fin)))
        return taken

    monkeypatch.setattr("stack.host.fast.tcp.predicted", listening)

    for seed in range(300):
        random = Random(seed)
        backlog, defer_accept_s = random.choice((8, 8, 8, 0)), random.choice((0, 0, 0, 3))
        fast, plain = (
            Young(fast_paths, config(**extensions), backlog=backlog, defer_accept_s=defer_accept_s)
            for fast_paths in (True, False)
        )
        for event in a_life(random):
            fast.do(event)
            plain.do(event)
            assert fast.state() == plain.state(), (seed, event)
    assert predicted_in == {
        ("SYN_RECEIVED", False),
        ("ESTABLISHED", False),
        ("ESTABLISHED", True),
        ("FIN_WAIT_1", False),
        ("FIN_WAIT_1", True),
        ("FIN_WAIT_2", True),
        ("CLOSE_WAIT", False),
        ("CLOSING", False),
        ("LAST_ACK", False),
    }
