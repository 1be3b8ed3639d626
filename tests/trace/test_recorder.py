"""The recorder is bounded: by events, and by the memory that it holds."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from stack.config import Config, HostConfig
from stack.tcp.changes import VARIABLES
from stack.trace.event import HEAD_OCTETS, Event, Observer
from stack.trace.recorder import EVENT_BYTES, FIELD_BYTES, Recorder
from stack.trace.trace import Trace
from tests.sim.network import pair
from tests.sim.programs import Requester, Server

MAX_BYTES = 1 << 20
WHY = ("9293 MUST-58",)


def event(n: int, data: dict[str, object]) -> Event:
    return Event(n, n / 7, n / 7 + 0.001, "host:drop", f"c{n}", n, "frame", data, WHY)


def held_by(recorder: Recorder, fill: Callable[[], object]) -> int:
    """How many bytes the recorder holds when `fill` has filled it."""
    gc.collect()
    tracemalloc.start()
    try:
        fill()
        gc.collect()
        full = tracemalloc.get_traced_memory()[0]
        recorder.clear()
        gc.collect()
        return full - tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_the_oldest_events_leave_and_are_counted() -> None:
    recorder = Recorder(max_events=3)
    for n in range(1, 6):
        recorder(event(n, {}))
    assert [kept.n for kept in recorder] == [3, 4, 5]
    assert (len(recorder), recorder.lost) == (3, 2)
    recorder.clear()
    assert (list(recorder), len(recorder), recorder.lost) == ([], 0, 2)


def test_of_a_frame_the_first_octets_are_kept_and_the_event_is_left_as_it_was() -> None:
    recorder = Recorder()
    long, short = bytes(range(256)) * 256, b"short"
    told = event(1, {"dir": "in", "octets": long})
    recorder(told)
    recorder(event(2, {"octets": short}))
    assert [kept.data for kept in recorder] == [{"dir": "in", "octets": long[:HEAD_OCTETS]}, {"octets": short}]
    assert told.data["octets"] is long
    (kept, _) = recorder
    assert kept == told._replace(data=kept.data)


def variables(n: int) -> dict[str, object]:
    """A first difference of a TCB: all its variables, each with a value of its own."""
    return {name: n * 1000 + number for number, name in enumerate(VARIABLES)}


def times(n: int) -> dict[str, object]:
    return {name: n / (number + 3) for number, name in enumerate(VARIABLES[:5])}


def texts(n: int) -> dict[str, object]:
    return {"text": f"{n:1020d}", "address": f"10.9.{n // 250}.{n % 250}/24"}


def frames(n: int) -> dict[str, object]:
    return {"dir": "in", "link": "ethernet", "len": n, "octets": n.to_bytes(4, "big") * 16_000}


@pytest.mark.parametrize("data", [variables, times, texts, frames, lambda n: {}])
def test_whatever_is_told_the_memory_is_bounded(data: Callable[[int], dict[str, object]]) -> None:
    recorder = Recorder(max_bytes=MAX_BYTES)

    def fill() -> None:
        for n in range(1, 6000):
            recorder(event(n, data(n)))
        assert recorder.lost, "it is full"

    held = held_by(recorder, fill)
    assert MAX_BYTES / 3 < held <= MAX_BYTES


def test_what_a_long_exchange_tells_is_bounded() -> None:
    """Frames, differences of the TCB, round trips: all that a host tells."""
    recorder = Recorder(max_bytes=MAX_BYTES)
    network, here, there = pair(3, configs=(Config(host=HostConfig(fast_paths=False)), None))
    network.recording = False
    here.host.watch(recorder)
    Server(there, 7)
    running = Requester(here, here.connect("10.0.0.2", 7), interval_s=0.001, times=500)

    def fill() -> None:
        network.run(lambda: running.closed)
        assert recorder.lost > 500, "it is full"

    held = held_by(recorder, fill)
    assert MAX_BYTES / 2 < held <= MAX_BYTES


def test_it_may_be_read_while_the_host_goes_on() -> None:
    recorder = Recorder(max_events=10)
    for n in range(10):
        recorder(event(n, {}))
    reading: Iterator[Event] = iter(recorder)
    recorder(event(10, {}))
    assert [kept.n for kept in reading] == list(range(10))


@pytest.mark.parametrize("before", [0, 6000], ids=["new", "cleared"])
def test_the_memory_is_bounded_while_nobody_looks(before: int) -> None:
    recorder = Recorder(max_bytes=MAX_BYTES)
    for n in range(before):
        recorder(event(n, {}))
    recorder.clear()
    gc.collect()
    tracemalloc.start()
    try:
        for n in range(1, 6000):
            recorder(event(n, texts(n)))
        assert tracemalloc.get_traced_memory()[1] < 1.25 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_a_cleared_recorder_keeps_as_much_as_a_new_one() -> None:
    def kept(recorder: Recorder) -> int:
        for n in range(1, 6000):
            recorder(event(n, texts(n)))
        return len(recorder)

    recorder = Recorder(max_bytes=MAX_BYTES)
    first = kept(recorder)
    recorder.clear()
    assert kept(recorder) == first < 1000


def test_how_much_is_kept_unless_something_else_is_asked_for() -> None:
    small, large = Recorder(), Recorder()
    for n in range(51_000):
        small(event(n, {}))
    for n in range(11_000):
        large(event(n, {"text": "x" * 3000}))
    assert len(small) == 50_000
    assert len(large) == 32 * 1024 * 1024 // (EVENT_BYTES + FIELD_BYTES + 3000)


def test_since_reads_on_in_pieces_also_when_the_oldest_have_left() -> None:
    recorder = Recorder(max_events=100)
    assert recorder.since(0, 10) == []
    assert recorder.numbers() == (0, 0)
    for n in range(1, 1001):
        recorder(Event(n, 0.0, 0.0, "host:done", "host", 0, "call", {}, ("own",)))
    first, last = recorder.numbers()
    assert (first, last) == (901, 1000)
    assert [event.n for event in recorder.since(0, 3)] == [901, 902, 903]
    assert [event.n for event in recorder.since(903, 3)] == [904, 905, 906]
    assert [event.n for event in recorder.since(998, 30)] == [999, 1000]
    assert recorder.since(1000, 30) == []
    assert recorder.since(5000, 30) == []


# --- beside a host: the events are kept without a call of the recorder


def watched(*observers: Observer) -> Trace:
    trace = Trace(None, lambda watched: None)
    for observer in observers:
        trace.add(observer, None)
    return trace


def test_each_event_is_seen_at_once_whatever_is_asked() -> None:
    recorder = Recorder()
    trace = watched(recorder)
    for n in range(1, 200):
        trace.tell("host:drop")
        assert len(recorder) == n
        assert recorder.numbers() == (1, n)
        assert [kept.n for kept in recorder.since(n - 1, 10)] == [n]
        assert list(recorder)[-1].n == n
    recorder.clear()
    trace.tell("host:drop")
    assert [kept.n for kept in recorder] == [200]
    assert recorder.lost == 0


class Called(Recorder):
    """One whose events come by a call."""

    def __call__(self, event: Event) -> None:
        super().__call__(event)


@pytest.mark.parametrize("kind", [Recorder, Called])
@pytest.mark.parametrize("octets", [100, 1500, 60_000])
@pytest.mark.parametrize("out", [False, True], ids=["in", "out"])
def test_the_memory_is_bounded_inside_a_batch(octets: int, out: bool, kind: type[Recorder]) -> None:
    """Frames are cut during the batch: its end, and a reader, come too late to bound the memory."""
    recorder = kind(max_bytes=MAX_BYTES)
    trace = watched(recorder)
    gc.collect()
    tracemalloc.start()
    try:
        for n in range(4000):
            frame = n.to_bytes(4, "big") * (octets // 4)
            if out:
                trace.frame_out("tap0", 14, frame, False)
            else:
                trace.frame_in("tap0", 14, frame)
        assert tracemalloc.get_traced_memory()[1] < 1.25 * MAX_BYTES
    finally:
        tracemalloc.stop()
    assert recorder.lost


def test_recorders_cut_frames_each_in_its_way_and_other_observers_see_them_whole() -> None:
    seen: list[Event] = []
    short, long = Recorder(frame_octets=10), Recorder(frame_octets=100)
    trace = watched(short, seen.append, long, short)
    frame = bytes(range(200))
    trace.frame_in("tap0", 14, frame)
    trace.frame_done()
    for recorder, size in ((short, 10), (long, 100)):
        (kept, _) = recorder
        assert kept.data["octets"] == frame[:size]
        assert kept._replace(data=seen[0].data) == seen[0]
    assert seen[0].data["octets"] is frame


def test_a_recorder_may_watch_two_hosts_and_be_removed() -> None:
    recorder = Recorder()
    one, other = watched(recorder), watched(recorder)
    for _ in range(100):
        one.tell("host:call")
        other.tell("host:done")
    one.remove(recorder)
    one.tell("host:call")
    other.tell("host:done")
    assert [kept.name for kept in recorder] == ["host:call", "host:done"] * 100 + ["host:done"]


def test_a_recorder_with_a_call_of_its_own_is_called() -> None:
    class Calls(Recorder):
        def __call__(self, event: Event) -> None:
            if event.name == "host:call":
                super().__call__(event)

    class Named(Recorder):
        """Only its name is another."""

    calls, named = Calls(), Named()
    trace = watched(calls, named)
    trace.tell("host:call")
    trace.tell("host:done")
    assert [kept.name for kept in calls] == ["host:call"]
    assert [kept.name for kept in named] == ["host:call", "host:done"]


def test_no_python_function_of_the_recorder_runs_for_each_event() -> None:
    recorder = Recorder()
    trace = watched(recorder)
    calls: list[str] = []
    sys.setprofile(lambda frame, what, _: calls.append(frame.f_code.co_name) if what == "call" else None)
    try:
        for _ in range(640):
            trace.event("host:done", "host", WHY, {})
    finally:
        sys.setprofile(None)
    assert calls.count("event") == 640
    assert calls.count("__call__") == 0
    assert calls.count("_count") == 10
