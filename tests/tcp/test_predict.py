"""Header prediction: a predicted segment leaves everything exactly as segment_arrives would."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.tcp import predict, seq
from stack.tcp.connection import Connection
from stack.tcp.states import State
from stack.wire.tcp import ACK, FIN, PSH, RST, SYN, URG
from stack.wire.tcp_options import TcpOptions, build_options

from .world import MSS, World, syn_sent, text

# References to the surroundings of the connection: they differ between the two.
NOT_COMPARED = {"services", "path", "on_readable", "on_writable", "on_urgent", "heap_entry", "_config", "__weakref__"}
EXTENSIONS = {"timestamps": True, "sack": True, "rack": True, "prr": True, "window_scaling": True, "auto_tuning": True}


def picture(thing: object) -> object:
    """Everything an object holds, down to its numbers."""
    if isinstance(thing, list | tuple | deque):
        return [picture(item) for item in thing]
    if isinstance(thing, dict):
        return {key: picture(value) for key, value in thing.items()}
    if isinstance(thing, memoryview):
        return bytes(thing)
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    if slots and not isinstance(thing, int | str | bytes):
        return {name: picture(getattr(thing, name)) for name in slots if name not in NOT_COMPARED}
    return thing


class Twin:
    """One connection and its peer, told what to do by numbers, so that two of them do the same."""

    def __init__(self, prediction: bool, **changes: Any) -> None:
        self.conn, self.peer = syn_sent(prediction=prediction, **changes)
        self.stamp = 5000
        offered = TcpOptions(mss=MSS)
        if changes:
            offered = TcpOptions(
                MSS, 4 if "window_scaling" in changes else None, "sack" in changes, (), (self.stamp, 0)
            )
        self.peer.sends(SYN | ACK, options=offered)
        self.peer.expects(ACK)

    def options(self, age: int = 0, sacked: tuple[tuple[int, int], ...] = ()) -> bytes:
        stamps = None
        if self.conn.timestamps.agreed:
            stamps = (self.stamp - age, self.conn.timestamps.clock(self.peer.now))
        return build_options(TcpOptions(timestamps=stamps, sack_blocks=sacked))

    def arrives(self, length: int, ahead: int, acked: int, window: int, flags: int, age: int, sack: bool) -> None:
        """A segment `ahead` octets beyond what comes next that acknowledges `acked` octets of what is in flight."""
        conn = self.conn
        ack = seq.add(conn.snd_una, min(acked, conn.flight))
        sacked = ((seq.add(ack, 100), seq.add(ack, 400)),) if sack and conn.scoreboard is not None else ()
        number = seq.add(conn.rcv_nxt, ahead)
        data = text(length, seq.sub(number, conn.irs) & 0xFFFF)
        self.peer.sends(
            ACK | flags, data, seq=number, ack=ack, window=window, raw_options=self.options(age, sacked), up=1
        )  # fmt: skip

    def passes(self, seconds: float) -> None:
        self.stamp += int(seconds * 1000)
        self.peer.wait(seconds)

    def user(self, call: Callable[[Connection, float], object]) -> None:
        try:
            call(self.conn, self.peer.now)
        except OSError:
            pass
        self.peer.world.settle()

    def picture(self) -> object:
        return picture(self.conn), dict(self.peer.world.counters)

    def sent(self) -> object:
        sent = [(s.at, repr(s), s.raw_options, s.data) for s in self.peer.world.sent]
        self.peer.world.sent.clear()
        return sent


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


def do(twin: Twin, event: tuple[Any, ...]) -> None:
    match event:
        case ("arrives", *numbers):
            twin.arrives(*numbers)
        case ("passes", seconds):
            twin.passes(seconds)
        case ("send", count):
            twin.user(lambda conn, now: conn.send(text(count), now))
        case ("receive", count):
            twin.user(lambda conn, now: conn.receive(count, now))
        case _:
            twin.user(lambda conn, now: conn.shutdown_write(now))


@pytest.mark.parametrize("extensions", [{}, EXTENSIONS, {**EXTENSIONS, "rack": False}, {"timestamps": True}])
def test_the_predicted_path_leaves_the_tcb_as_the_full_path_does(
    extensions: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    short_ways = 0

    def counted(*arguments: Any) -> int:
        nonlocal short_ways
        taken = predict.predicted(*arguments)
        short_ways += taken != predict.NOT_PREDICTED
        return taken

    monkeypatch.setattr("tests.tcp.world.predicted", counted)

    @settings(derandomize=True, max_examples=60, deadline=None)
    @given(st.lists(CALM, min_size=8, max_size=20), st.lists(WILD, max_size=20))
    def run(calm: list[tuple[Any, ...]], wild: list[tuple[Any, ...]]) -> None:
        one, other = Twin(True, **extensions), Twin(False, **extensions)
        for event in calm + wild:
            do(one, event)
            do(other, event)
            assert one.picture() == other.picture(), event
            assert one.sent() == other.sent(), event
            if one.conn.state is State.CLOSED:
                break
        World.live.clear()  # what is in the midst of something here is no loose end

    run()
    assert short_ways > 100, "hardly anything was predicted"


@pytest.mark.parametrize(
    ("sent", "arriving", "said"),
    [(b"", 100, predict.DATA_ONLY), (b"question", 100, predict.PREDICTED), (b"question", 0, predict.PREDICTED)],
)
def test_text_that_acknowledges_nothing_new_is_told_apart(
    sent: bytes, arriving: int, said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only after that nothing but text has changed: a new acknowledgment may begin a recovery."""
    results = []

    def listening(*arguments: Any) -> int:
        results.append(predict.predicted(*arguments))
        return results[-1]

    twin = Twin(True)
    if sent:
        twin.user(lambda conn, now: conn.send(sent, now))
    monkeypatch.setattr("tests.tcp.world.predicted", listening)
    twin.arrives(arriving, 0, 1 << 20, 0xFFFF, PSH, 0, False)
    assert results == [said]
    twin.sent()
